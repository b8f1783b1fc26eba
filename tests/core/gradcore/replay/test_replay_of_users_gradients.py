"""Hooks and functions of the user that see, keep or change gradients are part of replayed steps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcore as torch
from gradcore import nn
from gradcore.nn import functional as F

STEPS = 30


class Clamped(torch.autograd.Function):
    """What is negative becomes zero; so does its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        g = g.clone()
        g[x < 0] = 0
        return g


class Reversed(torch.autograd.Function):
    """Its gradient is turned around."""

    @staticmethod
    def forward(ctx: Any, x: Any, factor: float) -> Any:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g.neg() * ctx.factor, None


class Pair(torch.autograd.Function):
    """Two results, of which one may be left unused."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        e = x.exp()
        ctx.save_for_backward(e)
        return e, e * 2

    @staticmethod
    def backward(ctx: Any, a: Any, b: Any) -> Any:
        (e,) = ctx.saved_tensors
        return (a + 2 * b) * e


class Affine(torch.autograd.Function):
    """A layer with a backward of its own, which asks what is needed."""

    @staticmethod
    def forward(x: Any, weight: Any, bias: Any) -> Any:
        return x @ weight.t() + bias

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, weight = ctx.saved_tensors
        return (g @ weight if ctx.needs_input_grad[0] else None), g.t() @ x, g.sum(0)


class Training:
    """A model, its optimizer, and what hooks keep."""

    def __init__(self) -> None:
        torch.manual_seed(5)
        self.model = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 3))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.02)
        self.seen: dict[str, Any] = {}

    def finish(self, scores: Any, y: Any) -> Any:
        loss = F.cross_entropy(scores, y)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        return self.finish(self.model(x), y)

    def own(self, function: Callable[[Any], Any]) -> Callable[..., Any]:
        def step(x: Any, y: Any) -> Any:
            self.optimizer.zero_grad()
            return self.finish(self.model[2](function(self.model[0](x))), y)

        return step

    def watched(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        first = self.model[0](x)
        first.register_hook(lambda g: g.clamp(-0.02, 0.02))
        second = self.model[1](first)
        second.retain_grad()
        self.finish(self.model[2](second), y)
        return second.grad.abs().mean().item()

    def added_up(self, x: Any, y: Any) -> None:
        self.optimizer.zero_grad()
        for rows in (slice(0, 4), slice(4, 8)):
            F.cross_entropy(self.model(x[rows]), y[rows]).backward()
        self.optimizer.step()

    def affine(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        first = self.model[0]
        return self.finish(self.model[2](Affine.apply(x, first.weight, first.bias)), y)


def keeps(one: Training) -> Any:
    def hook(module: Any, into: Any, out: Any) -> None:
        one.seen["out"], one.seen["in"] = out[0].detach(), into[0].norm().item()

    one.model[1].register_full_backward_hook(hook)
    return one.step


def halves(one: Training) -> Any:
    one.model[1].register_full_backward_hook(lambda module, into, out: (into[0] * 0.5,))
    return one.step


def limits(one: Training) -> Any:
    one.model[2].register_full_backward_pre_hook(lambda module, out: (out[0].clamp(-0.1, 0.1),))
    return one.step


def clamps(one: Training) -> Any:
    for p in one.model.parameters():
        p.register_hook(lambda g: torch.clamp(g, -0.01, 0.01))
    return one.step


def masks(one: Training) -> Any:
    mask = (torch.rand(10, 6) > 0.5).float()
    one.model[0].weight.register_hook(lambda g: g * mask)
    return one.added_up


KINDS: dict[str, Callable[[Training], Any]] = {
    "a module's hook that keeps gradients": keeps,
    "a module's hook that changes them": halves,
    "a hook before a module": limits,
    "hooks on parameters": clamps,
    "a mask on a gradient that is added up": masks,
    "hooks on tensors of the step": lambda one: one.watched,
    "a function": lambda one: one.own(Clamped.apply),
    "a function that hands its input on": lambda one: one.own(lambda x: Reversed.apply(x, 0.3)),
    "a function with two results": lambda one: one.own(lambda x: sum(Pair.apply(x * 0.1))),
    "a result that is not used": lambda one: one.own(lambda x: Pair.apply(x * 0.1)[1]),
    "a function of parameters": lambda one: one.affine,
}


def batch(number: int) -> tuple[Any, Any]:
    numbers = np.random.default_rng(number)
    x = torch.from_numpy(numbers.standard_normal((8, 6), np.float32))
    return x, torch.from_numpy(numbers.integers(0, 3, 8))


def bits(item: Any) -> Any:
    if isinstance(item, torch.Tensor):
        return item.detach().numpy().tobytes()
    if isinstance(item, dict):
        return {key: bits(part) for key, part in item.items()}
    return repr(item)


def run(name: str, mode: str) -> tuple[Any, list[Any]]:
    training = Training()
    call = torch.compile(KINDS[name](training), mode=mode)
    found = [bits(call(*batch(number))) for number in range(STEPS)]
    parameters = list(training.model.parameters())
    found += [bits(training.seen), *map(bits, parameters), *(bits(p.grad) for p in parameters)]
    return call, found


@pytest.mark.parametrize("name", KINDS)
def test_users_gradients_are_replayed_to_the_bit(name: str) -> None:
    _, expected = run(name, "eager")
    call, found = run(name, "replay")
    assert found == expected
    assert call.replayed >= 20, call.report


def test_hooks_that_come_and_go_are_followed() -> None:
    ends = []
    for mode in ("eager", "replay"):
        training = Training()
        call = torch.compile(training.step, mode=mode)
        handle = training.model[0].weight.register_hook(lambda g: g * 2)
        for number in range(STEPS):
            if number == 10:
                handle.remove()
            if number == 20:
                training.model[1].register_full_backward_hook(lambda m, i, o: (i[0] * 3,))
            call(*batch(number))
        ends.append([bits(p) for p in training.model.parameters()])
    assert ends[0] == ends[1]
    assert call.replayed >= 20, call.report


def test_a_counter_that_a_branch_sets_back_to_what_it_was_is_set_back() -> None:
    ends = []
    for mode in ("eager", "replay"):
        training = Training()
        counts: dict[str, Any] = {"best": 9.0, "bad": 0}

        def step(x: Any, y: Any, training: Training = training, counts: Any = counts) -> bool:
            loss = training.step(x, y)
            if loss < counts["best"] - 0.05:
                counts["best"], counts["bad"] = loss, 0
            else:
                counts["bad"] += 1
            return counts["bad"] > 5

        call = torch.compile(step, mode=mode)
        ends.append([(call(*batch(number // 3)), dict(counts)) for number in range(60)])
    assert ends[0] == ends[1]
    assert call.replayed >= 20, call.report
