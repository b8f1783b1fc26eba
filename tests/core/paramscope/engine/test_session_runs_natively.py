"""Native steps join a run by themselves, in the background, and differ by rounding only."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

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


@pytest.fixture
def native_adapter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Adapter]:
    """gradcore, allowed to use numba."""
    pytest.importorskip("numba")
    monkeypatch.setenv("GRADCORE_NATIVE", "1")
    opened = open_adapter("gradcore")
    opened.activate()
    yield opened
    opened.deactivate()


def values(session: Session) -> dict[str, Any]:
    array = session.adapter.array
    return {found.path: array(found.tensor).copy() for found in session.walk.tensors}


def run_until_native(session: Session) -> None:
    end = time.monotonic() + PATIENCE
    while session.mode != "native":
        assert session.run_slice(time.perf_counter() + 0.01), session.failure
        assert time.monotonic() < end, session.mode_reason
        session.take_news()


def test_native_steps_join_a_run_and_are_those_of_eager_ones(native_adapter: Adapter) -> None:
    session = Session(native_adapter, mode="auto")
    assert session.load(SOURCE, "<document>"), session.failure
    run_until_native(session)
    assert session.mode_reason == ""
    # From here on, natively and as it is, from the same state.
    assert session.reset(seed=3)
    run_until_native(session)
    steps = session.step + 200
    while session.step < steps:
        assert session.run_slice(time.perf_counter() + 0.01, steps), session.failure
    eager = Session(native_adapter, mode="eager", observed=False)
    assert eager.load(SOURCE, "<document>", seed=3), eager.failure
    while eager.step < steps:
        assert eager.run_step(), eager.failure
    expected = values(eager)
    session.look()
    for path, found in values(session).items():
        np.testing.assert_allclose(found, expected[path], rtol=2e-2, atol=1e-3)


def test_native_runs_pause_step_and_take_edits(native_adapter: Adapter) -> None:
    session = Session(native_adapter, mode="auto")
    assert session.load(SOURCE, "<document>"), session.failure
    run_until_native(session)
    step = session.step
    session.request_look()
    assert session.run_step()
    assert session.news.operations
    for _ in range(4):
        assert session.run_phase(), session.failure
    assert session.step == step + 2
    edited = SOURCE.replace("nn.Tanh()", "nn.ReLU()")
    assert session.load(edited, "<document>", revision=1, keep_weights=True)
    assert session.step == step + 2
    run_until_native(session)
    session.set_learning_rate(0.0)
    before = values(session)
    assert session.run_slice(time.perf_counter() + 0.02)
    assert all(np.array_equal(before[path], found) for path, found in values(session).items())


def test_a_native_run_stops_before_a_loss_that_is_no_number_does_harm(
    native_adapter: Adapter,
) -> None:
    session = Session(native_adapter, observed=False, mode="auto")
    assert session.load(SOURCE, "<document>"), session.failure
    run_until_native(session)
    with native_adapter.no_grad():
        session.walk.modules[""][0].weight[0, 0] = float("nan")
    before, step = values(session), session.step
    assert not session.run_slice(time.perf_counter() + 0.05)
    assert session.failure is not None
    assert session.failure.kind == "NonFiniteLossError"
    assert session.step == step
    after = values(session)
    assert all(np.array_equal(before[path], after[path], equal_nan=True) for path in before)
