"""Training steps as people write them are replayed: what they return, draw, clip and schedule."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcore as torch
from gradcore import nn
from gradcore.nn import functional as F

STEPS = 32
Make = Callable[[Any, Any, Any], Any]


def build() -> Any:
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)
    )


def batches(sizes: list[int]) -> list[tuple[Any, Any]]:
    numbers = np.random.default_rng(2)
    return [
        (
            torch.from_numpy(numbers.standard_normal((size, 4), np.float32)),
            torch.from_numpy(numbers.integers(0, 3, size)),
        )
        for size in sizes
    ]


def train(make: Make, is_compiled: bool, data: Any, optimizer: Any = None) -> tuple[Any, Any, Any]:
    """Return the step, all it returned, and the values it leaves."""
    torch.manual_seed(4)
    model = build()
    stepper = (optimizer or (lambda p: torch.optim.Adam(p, lr=0.01)))(model.parameters())
    schedule = torch.optim.lr_scheduler.StepLR(stepper, 5, 0.7)
    step = make(model, stepper, schedule)
    if is_compiled:
        step = torch.compile(step, mode="replay")
    found = [plain(step(x, y)) for x, y in data]
    left = [t.detach().numpy().copy() for t in model.state_dict().values()]
    left += [p.grad.numpy().copy() for p in model.parameters() if p.grad is not None]
    return step, found, [*left, torch.get_rng_state().numpy(), stepper.param_groups[0]["lr"]]


def plain(item: Any) -> Any:
    if isinstance(item, (tuple, list)):
        return [plain(part) for part in item]
    if isinstance(item, dict):
        return {key: plain(part) for key, part in item.items()}
    return item.detach().numpy().tolist() if torch.is_tensor(item) else item


def assert_replayed(make: Make, sizes: list[int] | None = None, least: int = 25) -> None:
    data = batches(sizes or [6] * STEPS)
    _, expected, values = train(make, False, data)
    step, found, replayed = train(make, True, data)
    assert found == expected
    assert all(np.array_equal(a, b) for a, b in zip(values, replayed, strict=True))
    assert step.replayed >= least, step.report


def item_at_the_end(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def float_and_count(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        scores = model(x)
        loss = F.cross_entropy(scores, y)
        loss.backward()
        optimizer.step()
        right = (scores.argmax(1) == y).sum()
        return {"loss": float(loss), "right": right.item()}

    return step


def counted_before_the_step(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        scores = model(x)
        loss = F.cross_entropy(scores, y)
        loss.backward()
        with torch.no_grad():
            right = (scores.argmax(1) == y).float().mean()
        optimizer.step()
        return loss.item(), right.item()

    return step


def set_to_zero(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad(set_to_none=False)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def two_losses(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        scores = model(x)
        first, second = F.cross_entropy(scores, y), scores.square().mean()
        total = first + 0.1 * second
        total.backward()
        optimizer.step()
        return first.detach(), second.detach(), total

    return step


def clipped_and_scheduled(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        schedule.step()
        return loss.item()

    return step


def noisy(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        rows = torch.randperm(x.shape[0])[:4]
        x = x[rows] + 0.1 * torch.randn(4, 4) + 0.1 * torch.rand_like(x[rows])
        loss = F.cross_entropy(model(x), y[rows]) * torch.normal(1.0, 0.1, (1,)).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def draws_its_batch(model: Any, optimizer: Any, schedule: Any) -> Any:
    data, labels = batches([40])[0]

    def step(x: Any, y: Any) -> Any:
        rows = torch.randint(0, 40, (6,))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        return loss

    return step


def in_two_parts(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        total = 0.0
        for part in (slice(0, 3), slice(3, 6)):
            loss = F.cross_entropy(model(x[part]), y[part]) / 2
            loss.backward()
            total = total + loss.detach()
        optimizer.step()
        return total

    return step


class Trainer:
    """A step that is a method, of an object with things of its own."""

    def __init__(self, model: Any, optimizer: Any) -> None:
        self.model, self.optimizer, self.weight = model, optimizer, 0.5

    def step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        loss = self.loss(x, y)
        loss.backward()
        self.optimizer.step()
        return loss

    def loss(self, x: Any, y: Any) -> Any:
        return self.weight * F.cross_entropy(self.model(x), y)


STEP_KINDS: dict[str, Make] = {
    "a number at the end": item_at_the_end,
    "numbers in a dict": float_and_count,
    "numbers of what was worked out before": counted_before_the_step,
    "gradients set to zero": set_to_zero,
    "two losses": two_losses,
    "clipping and a schedule": clipped_and_scheduled,
    "noise": noisy,
    "a batch drawn inside": draws_its_batch,
    "two backward passes": in_two_parts,
    "a method": lambda model, optimizer, schedule: Trainer(model, optimizer).step,
}


@pytest.mark.parametrize("name", STEP_KINDS)
def test_a_step_is_replayed_to_the_last_bit(name: str) -> None:
    assert_replayed(STEP_KINDS[name])


def test_training_and_evaluation_in_turns_are_both_replayed() -> None:
    data, left = batches([6] * STEPS), []
    for is_compiled in (False, True):
        torch.manual_seed(4)
        model = build()
        step = item_at_the_end(model, torch.optim.SGD(model.parameters(), lr=0.1), None)
        step = torch.compile(step, mode="replay") if is_compiled else step
        found = []
        for number, (x, y) in enumerate(data):
            model.train(number // 4 % 2 == 0)
            found.append(step(x, y))
        left.append(found)
    assert left[0] == left[1]
    assert step.replayed >= STEPS - 5, step.report


def test_smaller_last_batches_are_replayed_beside_the_others() -> None:
    assert_replayed(item_at_the_end, [8, 8, 8, 5] * 8)


def norm_after_the_step(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        turned = model[0].weight.t()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return turned.detach().square().sum()

    return step


def test_what_is_computed_of_moved_parameters_is_replayed() -> None:
    assert_replayed(norm_after_the_step)


@pytest.mark.parametrize("kind", ["RMSprop", "Adagrad", "NAdam", "RAdam", "Adadelta", "Adamax"])
def test_other_optimizers_step_as_they_do_eagerly(kind: str) -> None:
    data = batches([6] * STEPS)
    make = getattr(torch.optim, kind)
    _, expected, values = train(item_at_the_end, False, data, make)
    step, found, replayed = train(item_at_the_end, True, data, make)
    assert found == expected
    assert all(np.array_equal(a, b) for a, b in zip(values, replayed, strict=True))
    assert step.replayed >= 25, step.report


def branches_on_it(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        number = loss.item()
        if number > 1.1:
            optimizer.step()
        return number

    return step


def limits_it(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return min(loss.item(), 1.1)

    return step


def larger_of(number: float) -> float:
    return number if number > 1.1 else 1.1


def gives_it_away(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return larger_of(float(loss))

    return step


def works_on_it(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item() * 6

    return step


def repeats_it(model: Any, optimizer: Any, schedule: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        scores = model(x)
        loss = F.cross_entropy(scores, y)
        (loss * math.tanh(loss.item())).backward()
        optimizer.step()
        return loss

    return step


@pytest.mark.parametrize(
    "make", [branches_on_it, limits_it, gives_it_away, works_on_it, repeats_it]
)
def test_a_step_that_acts_on_a_number_does_so_in_each_step(make: Make) -> None:
    data = batches([6] * 40)
    _, expected, values = train(make, False, data)
    step, found, eager = train(make, True, data)
    assert found == expected
    assert all(np.array_equal(a, b) for a, b in zip(values, eager, strict=True))
    assert (step.replayed > 0) is (make is not gives_it_away), step.report


def weighted(factors: Any) -> Make:
    def make(model: Any, optimizer: Any, schedule: Any) -> Any:
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            scores = model(x).sigmoid()
            loss = F.binary_cross_entropy(scores.mean(1) * x[:, 0].detach(), (y > 0).float())
            loss.backward()
            optimizer.step()
            return loss

        return step

    return make


def test_a_check_of_values_raises_in_a_replayed_step_too() -> None:
    data = batches([6] * 8)
    good = [(x.abs().clamp(max=1.0), y) for x, y in data]
    torch.manual_seed(1)
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    step = torch.compile(weighted(None)(model, optimizer, None), mode="replay")
    for x, y in good:
        step(x, y)
    assert step.replayed >= 4, step.report
    before = [p.detach().numpy().copy() for p in model.parameters()]
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        step(good[0][0] * 100 - 50, good[0][1])
    assert all(
        np.array_equal(p.detach().numpy(), a)
        for p, a in zip(model.parameters(), before, strict=True)
    )


def test_a_result_whose_shape_depends_on_values_is_never_taken_for_another() -> None:
    weight = torch.ones(6).requires_grad_()

    def make() -> Any:
        def step(x: Any) -> Any:
            weight.grad = None
            chosen = (weight * x)[x > 0]
            loss = (chosen * 2 + 1).sum()
            loss.backward()
            return loss

        return step

    eager, compiled = make(), torch.compile(make(), mode="replay")
    rows = [[1.0, 2, 3, 4, 5, 6]] * 5 + [[1.0, -1, -1, -1, -1, -1], [2.0, 3, -1, -1, 4, 4]]
    for row in rows:
        x = torch.tensor(row)
        assert compiled(x).item() == eager(x).item()


def test_one_gradient_that_reaches_two_leaves_is_not_shared_by_them() -> None:
    first, second = torch.ones(3).requires_grad_(), torch.ones(3).requires_grad_()

    @torch.compile
    def step(x: Any) -> Any:
        first.grad = second.grad = None
        loss = ((first + second) * x).sum()
        loss.backward()
        return loss

    for _ in range(6):
        step(torch.tensor([1.0, 2.0, 3.0]))
        first.grad.mul_(2.0)
        assert second.grad.tolist() == [1.0, 2.0, 3.0]


class Looking(nn.Module):
    """Attention that may not look ahead, on words that are counted as well."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.bag = nn.Embedding(9, 8), nn.EmbeddingBag(9, 8, padding_idx=0)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        h = self.words(x)
        h = F.scaled_dot_product_attention(h, h, h, is_causal=True)
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        h = self.attention(h, h, h, attn_mask=mask, key_padding_mask=x == 0)[0]
        h = F.interpolate(h.transpose(1, 2), scale_factor=2, mode="linear").mean(2)
        return self.out(h + self.bag(x)) + F.one_hot(x, 9).float().mean(1)[:, :3]


def test_masks_and_positions_are_worked_out_in_replayed_steps() -> None:
    numbers = np.random.default_rng(6)
    words = [torch.from_numpy(numbers.integers(1, 9, (4, 5))) for _ in range(STEPS)]
    for number, x in enumerate(words):
        x[number % 4, 4] = 0
    y = torch.tensor([0, 1, 2, 1])
    losses = []
    for is_compiled in (False, True):
        torch.manual_seed(4)
        model = Looking()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

        def step(x: Any, model: Any = model, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        step = torch.compile(step, mode="replay") if is_compiled else step
        losses.append([step(x).item() for x in words])
    assert losses[0] == losses[1]
    assert step.replayed >= 25, step.report
