"""Steps of such operations run as kernels from end to end: nothing is left to Python."""

from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore import nn

pytest.importorskip("numba")

F = nn.functional
STEPS = {
    "rolled": lambda x: x.roll((1, -2), (0, 1)),
    "rolled as a whole": lambda x: x.roll(5),
    "windows": lambda x: x.unfold(1, 3, 2),
    "product": lambda x: x.prod(1),
    "remainder": lambda x: gradcore.remainder(x, 0.7),
    "truncated remainder": lambda x: gradcore.fmod(x, 0.7),
    "hyperbolic": lambda x: x.sinh() + x.cosh() * x.asinh(),
    "angles": lambda x: gradcore.atan2(x, x.cos() + 2) + x.tan(),
    "length": lambda x: gradcore.hypot(x, x + 1),
    "sign of another": lambda x: gradcore.copysign(x + 3, x),
    "known extremes": lambda x: gradcore.fmax(x, -x) - gradcore.fmin(x, x * 2),
    "sum over a middle axis": lambda x: x.repeat(8, 8).reshape(4, 8, 48).sum(1),
    "any and all": lambda x: x * (x > 0).any(1, keepdim=True) + (x > -9).all(),
    "circular border": lambda x: F.pad(x[None], (2, 1), mode="circular"),
    "picked rows": lambda x: x.index_select(0, gradcore.tensor([3, 0, 0])),
    "leaky relu in place": lambda x: F.leaky_relu(x * 1, 0.2, inplace=True),
    "relu6 in place": lambda x: F.relu6(x * 3, inplace=True),
    "elu in place": lambda x: F.elu(x * 1, inplace=True),
    "selu in place": lambda x: F.selu(x * 1, inplace=True),
    "silu in place": lambda x: F.silu(x * 1, inplace=True),
    "hardswish in place": lambda x: F.hardswish(x * 1, inplace=True),
    "threshold in place": lambda x: F.threshold(x * 1, 0.1, 0.5, inplace=True),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_runs_as_kernels_and_agrees(name, assert_close) -> None:
    found = {}
    for mode in ("native", "eager"):
        gradcore.manual_seed(0)
        weight = nn.Parameter(gradcore.randn(4, 6))
        optimizer = gradcore.optim.SGD([weight], lr=0.01)

        def step(x: Any) -> Any:
            optimizer.zero_grad()  # noqa: B023  # called before the next one is made
            loss = STEPS[name](x * weight).pow(2).mean()  # noqa: B023  # called before the next one is made
            loss.backward()
            optimizer.step()  # noqa: B023  # called before the next one is made
            return loss

        call = gradcore.compile(step, mode=mode)
        numbers = np.random.default_rng(1)
        for _ in range(6):
            call(gradcore.from_numpy(numbers.standard_normal((4, 6), np.float32)))
        found[mode] = [weight.detach().numpy(), weight.grad.numpy()]
        if mode == "native":
            (replay,) = call._steps.values()
            assert call.mode == "native", call.report
            assert replay.upgrade._step.python_calls == 0
    assert_close(found["native"], found["eager"])


@pytest.mark.parametrize("how", ["sum", "mean"])
@pytest.mark.parametrize("padding", [None, 2])
def test_bags_of_any_length_are_added_up_natively(how, padding, assert_close) -> None:
    numbers = gradcore.tensor([1, 2, 4, 5, 4, 3, 2, 9])
    offsets = gradcore.tensor([0, 3, 3, 5])
    found = {}
    for mode in ("native", "eager"):
        gradcore.manual_seed(0)
        bag = nn.EmbeddingBag(10, 3, mode=how, padding_idx=padding, scale_grad_by_freq=True)
        optimizer = gradcore.optim.SGD(bag.parameters(), lr=0.1)

        def step(numbers: Any, offsets: Any) -> Any:
            optimizer.zero_grad()  # noqa: B023  # called before the next one is made
            loss = bag(numbers, offsets).pow(2).sum()  # noqa: B023  # called before the next one is made
            loss.backward()
            optimizer.step()  # noqa: B023  # called before the next one is made
            return loss

        call = gradcore.compile(step, mode=mode)
        for _ in range(6):
            call(numbers, offsets)
        found[mode] = [bag.weight.detach().numpy()]
        if mode == "native":
            (replay,) = call._steps.values()
            assert call.mode == "native", call.report
            assert replay.upgrade._step.python_calls == 0
    assert_close(found["native"], found["eager"])
