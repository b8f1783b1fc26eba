"""Between two looks, steps that nobody watches renew what the rows tell of values and gradients."""

import math
import time
from collections.abc import Iterator

import numpy as np
import pytest

from paramscope.census.rows import TensorRow
from paramscope.census.statistics import statistics_of
from paramscope.engine.adapters.base import Adapter
from paramscope.engine.adapters.open import open_adapter
from paramscope.engine.session import Session

SOURCE = """\
import torch
from torch import nn


def build():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)


def batch():
    return torch.randn(16, 3), torch.randn(16, 1)


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()
"""
PATIENCE = 120.0  # seconds; without a cache on disk the kernels are compiled first
MODES = ["replay", "native"]


class Clock:
    """A clock that the test moves, and that goes on a little with each look at it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1e-5
        return self.now


@pytest.fixture(params=MODES)
def running(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session whose unwatched steps run in one of the modes, just after a look."""
    if request.param == "native":
        pytest.importorskip("numba")
        monkeypatch.setenv("GRADCORE_NATIVE", "1")
    adapter = open_adapter("gradcore")
    adapter.activate()
    session = Session(
        adapter, clock=Clock(), mode="auto" if request.param == "native" else "replay"
    )
    assert session.load(SOURCE, "<document>"), session.failure
    end = time.monotonic() + PATIENCE
    while session.mode != request.param or not _is_settled(session):
        assert session.run_step(), session.failure
        assert time.monotonic() < end, session.mode_reason
    session.look()
    session.take_news()
    yield session
    adapter.deactivate()


def _is_settled(session: Session) -> bool:
    trainer = session._trainer
    return trainer is not None and trainer.is_settled


def _arrays(session: Session, adapter: Adapter) -> dict[str, np.ndarray]:
    return {f.path: adapter.array(f.tensor).copy() for f in session.walk.tensors}


def _rows(session: Session) -> dict[str, TensorRow]:
    news = session.take_news()
    return {row.path: row for row in news.rows or ()}


def test_a_step_that_nobody_watches_renews_the_rows(running: Session) -> None:
    running._clock.now += 0.15
    running._looks.due = math.inf
    before = _arrays(running, running.adapter)
    assert running.run_step(), running.failure
    after, rows = _arrays(running, running.adapter), _rows(running)
    assert set(rows) == set(after)
    for path in ("0.weight", "0.bias", "2.weight", "2.bias"):
        row, expected = rows[path], statistics_of(after[path])
        assert row.value_statistics.norm == pytest.approx(expected.norm, rel=1e-5)
        assert row.value_statistics.mean == pytest.approx(expected.mean, rel=1e-5, abs=1e-6)
        assert row.value_statistics.maximum == pytest.approx(expected.maximum, rel=1e-6)
        moved = float(np.linalg.norm(after[path] - before[path]))
        assert row.update_norm == pytest.approx(moved, rel=1e-3, abs=1e-7)
    gradient = running.adapter.array(running.walk.tensors[0].tensor.grad)
    assert rows["0.weight"].gradient_statistics.norm == pytest.approx(
        statistics_of(gradient).norm, rel=1e-5
    )


def test_rows_are_renewed_ten_times_a_second_at_most(running: Session) -> None:
    running._looks.due = math.inf
    running._clock.now += 0.15
    assert running.run_step()
    assert running.take_news().rows
    assert running.run_step()
    assert not running.take_news().rows


def test_a_step_after_a_measured_one_measures_nothing(running: Session) -> None:
    running._looks.due = math.inf
    running._clock.now += 0.15
    assert running.run_step()
    form = running._trainer._fast._form
    assert form.compiled.table()[0] == []
