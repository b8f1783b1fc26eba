"""Clipped steps are native, many at a time, and leave what the steps themselves leave."""

from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore import nn

pytest.importorskip("numba")

utils = nn.utils
CLIPS = {
    "a small norm": lambda own: utils.clip_grad_norm_(own, 0.05),
    "a norm that is never reached": lambda own: utils.clip_grad_norm_(own, 1e6),
    "values": lambda own: utils.clip_grad_value_(own, 0.01),
    "both": lambda own: (utils.clip_grad_value_(own, 0.1), utils.clip_grad_norm_(own, 0.2)),
    "the largest value": lambda own: utils.clip_grad_norm_(own, 0.05, float("inf")),
}


class Clipped:
    """A small model whose gradients are clipped before each step."""

    def __init__(self, mode: str, clip: Any, dtype: Any = gradcore.float32) -> None:
        gradcore.manual_seed(3)
        model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)
        own = self.own = list(model.parameters())
        opt = gradcore.optim.SGD(own, lr=0.5, momentum=0.9)

        def step(x: Any, y: Any) -> Any:
            opt.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            clip(own)
            opt.step()
            return loss

        self.dtype = dtype
        self.step = gradcore.compile(step, mode=mode)

    def batches(self, count: int) -> list[Any]:
        source = np.random.default_rng(1)
        return [
            (
                gradcore.tensor(source.standard_normal((7, 5)), dtype=self.dtype),
                gradcore.tensor(source.integers(0, 3, 7)),
            )
            for _ in range(count)
        ]

    def left(self) -> list[Any]:
        """Return values and gradients."""
        tensors = [*self.own, *[p.grad for p in self.own]]
        return [t.detach().numpy().copy() for t in tensors]


@pytest.mark.parametrize("dtype", [gradcore.float32, gradcore.float64], ids=str)
@pytest.mark.parametrize("name", CLIPS)
def test_a_clipped_step_is_native_and_leaves_what_it_leaves_by_itself(
    name, dtype, assert_close
) -> None:
    native, eager = (Clipped(mode, CLIPS[name], dtype) for mode in ("native", "eager"))
    for one in (native, eager):
        for x, y in one.batches(10):
            one.step(x, y)
    assert native.step.mode == "native", native.step.report
    assert_close(native.left(), eager.left())


def test_clipped_steps_run_many_at_a_time(assert_close) -> None:
    native, eager = (Clipped(mode, CLIPS["a small norm"]) for mode in ("native", "eager"))
    given = native.batches(30)
    for x, y in given[:8]:
        native.step(x, y)
    assert len(native.step.run(given[8:])) == 22
    for x, y in given:
        eager.step(x, y)
    assert_close(native.left(), eager.left())


def test_nan_in_one_gradient_spreads_to_all_by_the_norm() -> None:
    native = Clipped("native", CLIPS["a small norm"])
    for x, y in native.batches(8):
        native.step(x, y)
    x, y = native.batches(1)[0]
    x[0, 0] = np.nan
    native.step(x, y)
    assert all(np.isnan(a).all() for a in native.left())


def test_a_norm_that_the_step_returns_is_that_of_the_gradients() -> None:
    model = nn.Linear(3, 2)
    own = list(model.parameters())
    opt = gradcore.optim.SGD(own, lr=0.1)

    @gradcore.compile(mode="native")
    def step(x):
        opt.zero_grad()
        model(x).square().sum().backward()
        norm = utils.clip_grad_norm_(own, 0.5)
        opt.step()
        return norm

    for number in range(8):
        x = gradcore.full((4, 3), 1.0 + number)
        before = [p.detach().clone() for p in own]
        norm = step(x)
        g = gradcore.func.grad(
            lambda w, b, x=x: nn.functional.linear(x, w, b).square().sum(), (0, 1)
        )(*before)
        expected = float(sum(float(one.square().sum()) for one in g)) ** 0.5
        assert float(norm) == pytest.approx(expected, rel=1e-4)
