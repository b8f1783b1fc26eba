"""A step that only steps optimizers, on gradients that somebody else left, runs natively too."""

from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore.optim import SGD, Adam

pytest.importorskip("numba")


class Alone:
    """Parameters with gradients, and a compiled function that steps their optimizer."""

    def __init__(self, mode: str, kind: Any) -> None:
        gradcore.manual_seed(0)
        self.params = [gradcore.nn.Parameter(gradcore.randn(3, 4)) for _ in range(3)]
        for p in self.params:
            p.grad = gradcore.randn(3, 4)
        optimizer = self.optimizer = kind(self.params, lr=0.1)

        def step() -> None:
            optimizer.step()

        self.step = gradcore.compile(step, mode=mode)

    def values(self) -> Any:
        return np.concatenate([p.detach().numpy().ravel() for p in self.params])


@pytest.fixture(params=[Adam, SGD])
def both(request: pytest.FixtureRequest) -> tuple[Alone, Alone]:
    return Alone("native", request.param), Alone("eager", request.param)


def train(both: tuple[Alone, Alone], steps: int = 6) -> None:
    for one in both:
        for _ in range(steps):
            one.step()


def assert_alike(both: tuple[Alone, Alone]) -> None:
    native, eager = both
    np.testing.assert_allclose(native.values(), eager.values(), rtol=2e-5, atol=1e-6)


def test_it_runs_natively_and_moves_what_it_would_move_by_itself(both) -> None:
    train(both)
    assert both[0].step.mode == "native", both[0].step.report
    assert_alike(both)


def test_gradients_written_in_place_between_steps_count(both) -> None:
    train(both)
    for one in both:
        one.params[0].grad.mul_(-3.0)
    train(both)
    assert both[0].step.mode == "native", both[0].step.report
    assert_alike(both)


def test_gradients_replaced_between_steps_count(both) -> None:
    train(both)
    for one in both:
        one.params[0].grad = one.params[0].grad * -3.0
    train(both)
    assert both[0].step.mode == "native", both[0].step.report
    assert_alike(both)


def test_a_gradient_taken_away_leaves_its_parameter_where_it_is(both) -> None:
    train(both)
    kept = both[0].params[0].detach().clone()
    for one in both:
        one.params[0].grad = None
    train(both)
    assert gradcore.equal(both[0].params[0].detach(), kept)
    assert_alike(both)
    for one in both:
        one.params[0].grad = gradcore.ones(3, 4)
    train(both)
    assert_alike(both)


def test_steps_of_an_optimizer_alone_run_many_at_a_time() -> None:
    p = gradcore.nn.Parameter(gradcore.ones(3))
    p.grad = gradcore.ones(3)
    optimizer = gradcore.optim.SGD([p], lr=0.25)
    step = gradcore.compile(lambda: optimizer.step(), mode="native")
    for _ in range(6):
        step()
    assert np.isnan(step.run([()] * 10)).tolist() == [True] * 10
    assert p.tolist() == [1 - 16 * 0.25] * 3
