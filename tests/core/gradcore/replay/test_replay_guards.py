"""Whatever a recording does not cover runs as it is, and the report says why."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcore as torch
from gradcore import nn
from gradcore.nn import functional as F


class Training:
    """Two equal models in training, one step compiled and one not, fed the same batches."""

    def __init__(self, make_step: Callable[[Any, Any], Any], build: Any = None) -> None:
        self.models, self.optimizers, self.steps = [], [], []
        for number in range(2):
            torch.manual_seed(1)
            model = (build or self.build)()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
            step = make_step(model, optimizer)
            self.models.append(model)
            self.optimizers.append(optimizer)
            self.steps.append(torch.compile(step) if number else step)
        self.compiled = self.steps[1]
        self._numbers = np.random.default_rng(2)

    @staticmethod
    def build() -> Any:
        return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Dropout(0.0), nn.Linear(5, 2))

    def batch(self, size: int = 6) -> tuple[Any, Any]:
        x = self._numbers.standard_normal((size, 4), np.float32)
        return torch.from_numpy(x), torch.from_numpy(self._numbers.integers(0, 2, size))

    def run(self, count: int, **more: Any) -> list[Any]:
        """Do steps on both; assert that all they return and leave is equal; return the last."""
        results: list[Any] = []
        for _ in range(count):
            x, y = self.batch()
            state = torch.get_rng_state()
            results = []
            for step in self.steps:
                torch.set_rng_state(state)
                results.append(step(x, y, **more))
            assert np.array_equal(*[np.array(r.detach().numpy()) for r in results])
        for a, b in zip(*[m.parameters() for m in self.models], strict=True):
            assert np.array_equal(a.detach().numpy(), b.detach().numpy())
            assert (a.grad is None) == (b.grad is None)
            if a.grad is not None:
                assert np.array_equal(a.grad.numpy(), b.grad.numpy())
        return results

    def on_both(self, change: Callable[[Any, Any], Any]) -> None:
        for model, optimizer in zip(self.models, self.optimizers, strict=True):
            change(model, optimizer)


def plain(model: Any, optimizer: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def replayed(training: Training) -> int:
    count: int = training.compiled.replayed
    return count


CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "the learning rate": lambda m, o: o.param_groups[0].update(lr=0.01),
    "evaluation mode": lambda m, o: m.eval(),
    "an attribute of a module": lambda m, o: setattr(m[2], "p", 0.5),
    "a frozen parameter": lambda m, o: m[0].weight.requires_grad_(False),
    "values in place": lambda m, o: m[0].weight.data.fill_(0.2),
    "other memory": lambda m, o: setattr(m[0].weight, "data", torch.ones(5, 4)),
    "another parameter": lambda m, o: setattr(m[0], "bias", nn.Parameter(torch.ones(5))),
    "another module": lambda m, o: m.__setitem__(1, nn.ReLU()),
    "loaded weights": lambda m, o: m.load_state_dict(
        {key: value * 0.5 for key, value in m.state_dict().items()}
    ),
    "a forward hook": lambda m, o: m[1].register_forward_hook(lambda m, x, y: y * 2),
    "a hook on a parameter": lambda m, o: m[0].weight.register_hook(lambda g: g * 2),
    "no gradients": lambda m, o: o.zero_grad(),
    "an optimizer's hook": lambda m, o: o.register_step_post_hook(
        lambda *a: m[0].bias.data.zero_()
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_between_steps_is_followed(name: str) -> None:
    training = Training(plain)
    training.run(6)
    assert replayed(training) == 3, training.compiled.report
    training.on_both(CHANGES[name])
    training.run(6)


def test_a_smaller_batch_and_another_dtype_are_recorded_for_themselves() -> None:
    training = Training(plain)
    training.run(5)
    x, y = training.batch(3)
    assert training.steps[0](x, y).item() == training.steps[1](x, y).item()
    training.run(2)
    assert replayed(training) == 4


def test_a_gradient_kept_by_the_user_is_not_overwritten() -> None:
    training = Training(plain)
    training.run(5)
    kept = training.models[1][0].weight.grad
    loss = training.run(1)[1]
    values, number = kept.numpy().copy(), float(loss.detach().numpy())
    training.run(3)
    assert np.array_equal(kept.numpy(), values)
    assert float(loss.detach().numpy()) == number


def test_a_replayed_loss_has_its_history_and_no_second_backward() -> None:
    training = Training(plain)
    eager, loss = training.run(5)
    assert replayed(training) == 2
    assert loss.requires_grad and loss.grad_fn.name() == eager.grad_fn.name()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_gradients_that_are_never_zeroed_add_up() -> None:
    def accumulating(model: Any, optimizer: Any) -> Any:
        def step(x: Any, y: Any) -> Any:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        return step

    training = Training(accumulating)
    training.run(8)
    assert replayed(training) >= 4, training.compiled.report


def test_clipping_is_done_by_the_values_of_each_step() -> None:
    def clipped(model: Any, optimizer: Any) -> Any:
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.4)
            optimizer.step()
            return loss

        return step

    training = Training(clipped)
    training.run(12)
    assert replayed(training) >= 9, training.compiled.report


def test_an_error_in_a_step_is_the_steps_own_and_leaves_the_rest_as_it_was() -> None:
    def build() -> Any:
        return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 2))

    training = Training(plain, build)
    training.run(5)
    x, y = training.batch()
    y[0] = 7
    for step in training.steps:
        torch.manual_seed(4)
        with pytest.raises(IndexError, match="out of bounds"):
            step(x, y)
    training.run(4)
    for a, b in zip(*[m.buffers() for m in training.models], strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    assert replayed(training) == 6


class Odd(nn.Module):
    """A model whose forward does something that a recording cannot hold."""

    def __init__(self, work: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.work, self.linear, self.calls = work, nn.Linear(4, 2), 0
        self.notes: list[int] = []

    def forward(self, x: Any) -> Any:
        return self.work(self, self.linear(x))


def notes(self: Any, x: Any) -> Any:
    self.notes.append(1)
    return x * len(self.notes)


def asks(self: Any, x: Any) -> Any:
    return x * np.tanh(x.detach().mean().item())


def waits(self: Any, x: Any) -> Any:
    return x * (1 + time.time() * 0)


def computes_outside(self: Any, x: Any) -> Any:
    return x * torch.from_numpy(np.abs(x.detach().numpy()))


def tells(self: Any, x: Any) -> Any:
    print("forward", end="")
    return x


REFUSED = {
    notes: "reads a list that it appends to",
    asks: "works by NumPy",
    waits: "`time.time`",
    computes_outside: "numpy",
    tells: "`print`",
}


def branches(self: Any, x: Any) -> Any:
    return x * 2 if x.sum() > 0 else x


def test_a_branch_on_a_tensor_is_asked_for_anew_in_each_step() -> None:
    training = Training(plain, lambda: Odd(branches))
    training.run(40)
    assert replayed(training) > 0, training.compiled.report


@pytest.mark.parametrize("work", REFUSED, ids=lambda work: work.__name__)
def test_what_cannot_be_replayed_runs_as_it_is_and_says_why(work: Any) -> None:
    training = Training(plain, lambda: Odd(work))
    training.run(14)
    assert replayed(training) == 0
    assert REFUSED[work] in training.compiled.report


def test_a_number_that_the_step_reads_from_outside_is_watched() -> None:
    factor = [1.0]

    def scaled(model: Any, optimizer: Any) -> Any:
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y) * factor[0]
            loss.backward()
            optimizer.step()
            return loss

        return step

    training = Training(scaled)
    training.run(6)
    assert replayed(training) == 3
    factor[0] = 0.25
    training.run(4)
    assert replayed(training) == 5


def test_a_kernel_that_branches_on_values_is_left_where_they_lead_elsewhere() -> None:
    training = Training(plain)
    training.run(6)
    numbers = np.random.default_rng(6)
    for number in range(6):
        x = torch.from_numpy(numbers.standard_normal((6, 4), np.float32))
        # An ignored target takes cross entropy another way than all before it.
        y = torch.from_numpy(np.array([0, 1, -100 if number % 2 else 1, 0, 1, 0]))
        eager, compiled = [step(x, y).item() for step in training.steps]
        assert eager == compiled
    training.run(3)
    assert replayed(training) >= 9, training.compiled.report


def test_tensors_handed_out_are_never_written_again() -> None:
    kept: list[tuple[Any, Any]] = []

    def telling(model: Any, optimizer: Any) -> Any:
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            scores = model(x)
            loss = F.cross_entropy(scores, y)
            loss.backward()
            optimizer.step()
            return {"loss": loss, "scores": (scores, 3)}

        return step

    torch.manual_seed(1)
    model = Training.build()
    step = torch.compile(telling(model, torch.optim.Adam(model.parameters())))
    numbers = np.random.default_rng(2)
    y = torch.from_numpy(numbers.integers(0, 2, 6))
    for _ in range(8):
        result = step(torch.from_numpy(numbers.standard_normal((6, 4), np.float32)), y)
        made = [result["loss"], result["scores"][0], *(p.grad for p in model.parameters())]
        kept += [(t, t.detach().numpy().copy()) for t in made]
    assert step.replayed >= 4, step.report
    assert all(np.array_equal(t.detach().numpy(), values) for t, values in kept)


def test_arguments_that_are_one_tensor_or_also_captured_are_not_recorded() -> None:
    weight = torch.ones(3).requires_grad_()
    first, second = torch.full((3,), 2.0), torch.full((3,), 5.0)

    @torch.compile
    def step(a: Any, b: Any) -> Any:
        weight.grad = None
        loss = (weight * a * b).sum()
        loss.backward()
        return loss

    @torch.compile
    def reaching(a: Any) -> Any:
        weight.grad = None
        loss = (weight * a * first).sum()
        loss.backward()
        return loss

    assert [step(first, first).item() for _ in range(4)] == [12.0] * 4
    assert step(first, second).item() == 30.0
    assert [reaching(first).item() for _ in range(4)] == [12.0] * 4
    assert reaching(second).item() == 30.0


def test_a_generator_of_the_users_own_is_drawn_from_once_a_step() -> None:
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    weight = torch.ones(8).requires_grad_()

    def make(generator: Any) -> Any:
        def step() -> Any:
            weight.grad = None
            loss = (weight * torch.empty(8).bernoulli_(0.5, generator=generator)).sum()
            loss.backward()
            return loss

        return step

    eager, compiled = make(generators[0]), torch.compile(make(generators[1]))
    assert [eager().item() for _ in range(9)] == [compiled().item() for _ in range(9)]
    assert "generator" in compiled.report


def test_a_module_is_returned_as_it_is() -> None:
    layer = nn.Linear(2, 2)
    assert torch.compile(layer, mode="default") is layer


def test_compile_decorates_with_options_and_can_start_anew() -> None:
    @torch.compile(fullgraph=True)
    def step(x: Any) -> Any:
        return x * 2

    assert [step(torch.ones(1)).item() for _ in range(4)] == [2.0] * 4
    assert "runs no backward pass and steps no optimizer" in step.report
    step.reset()
    step(torch.ones(1))
    assert step.replayed == 0
