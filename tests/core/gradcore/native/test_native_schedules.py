"""Steps that set the learning rate run many at a time, each with the rate that it would have."""

from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore import nn

pytest.importorskip("numba")

schedulers = gradcore.optim.lr_scheduler
SCHEDULES = {
    "steps": lambda opt: schedulers.StepLR(opt, 3, 0.5),
    "cosine": lambda opt: schedulers.CosineAnnealingLR(opt, 9),
    "one cycle": lambda opt: schedulers.OneCycleLR(opt, 0.05, total_steps=200),
    "by a function": lambda opt: schedulers.LambdaLR(opt, lambda epoch: 0.9**epoch),
    "warm-up, then decay": lambda opt: schedulers.SequentialLR(
        opt,
        [schedulers.LinearLR(opt, 0.1, total_iters=4), schedulers.ExponentialLR(opt, 0.95)],
        [4],
    ),
}


class Scheduled:
    """A small model with an optimizer and a schedule."""

    def __init__(self, mode: str, schedule: Any) -> None:
        gradcore.manual_seed(3)
        model = self.model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
        opt = self.optimizer = gradcore.optim.AdamW(model.parameters(), lr=0.02)
        own = self.schedule = schedule(opt)

        def step(x: Any, y: Any) -> Any:
            opt.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            own.step()
            return loss

        self.step = gradcore.compile(step, mode=mode)

    def left(self) -> list[Any]:
        """Return everything that steps have changed."""
        rate = np.array(self.optimizer.param_groups[0]["lr"])
        return [rate, *[p.detach().numpy().copy() for p in self.model.parameters()]]


def batches(count: int, first: int = 0) -> list[Any]:
    made = []
    for number in range(first, first + count):
        source = np.random.default_rng(number)
        x = source.standard_normal((7, 5)).astype(np.float32)
        made.append((gradcore.tensor(x), gradcore.tensor(source.integers(0, 3, 7))))
    return made


@pytest.mark.parametrize("name", SCHEDULES)
def test_scheduled_steps_in_one_call_leave_what_single_ones_leave(name, assert_close) -> None:
    native, eager = (Scheduled(mode, SCHEDULES[name]) for mode in ("native", "eager"))
    for one in (native, eager):
        for x, y in batches(8):
            one.step(x, y)
    losses = native.step.run(batches(20, 50))
    assert len(losses) == 20, native.step.report
    assert_close(losses, [float(eager.step(x, y).detach()) for x, y in batches(20, 50)])
    assert_close(native.left(), eager.left())
    assert native.schedule.last_epoch == eager.schedule.last_epoch


def test_a_slice_that_ends_early_leaves_the_schedule_where_it_ended(assert_close) -> None:
    native, eager = (Scheduled(mode, SCHEDULES["cosine"]) for mode in ("native", "eager"))
    for one in (native, eager):
        for x, y in batches(8):
            one.step(x, y)
    given = batches(6, 50)
    given[4][1][0] = 7
    assert len(native.step.run(given)) == 4
    for x, y in batches(4, 50):
        eager.step(x, y)
    assert_close(native.left(), eager.left())
    assert native.schedule.state_dict() == eager.schedule.state_dict()
