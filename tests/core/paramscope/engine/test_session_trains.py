"""A session runs a document: whole, traced and split steps give the same numbers on each engine."""

import math

import pytest

from paramscope.census.rows import Gradient, Kind, Stepping
from paramscope.engine.protocol import Phase
from paramscope.engine.session import Session

LINEAR = """\
import torch
from torch import nn


def build():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.1), nn.Linear(4, 1))


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def batch():
    x = torch.randn(8, 3)
    return x, x.sum(dim=1, keepdim=True)


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()


def evaluate(model):
    x = torch.randn(16, 3)
    return {"error": float(((model(x) - x.sum(dim=1, keepdim=True)) ** 2).mean())}
"""
OWN_STEP = (
    LINEAR
    + """

def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    return value
"""
)
STEPS = 12


def loaded(adapter, source=LINEAR, observed=True, **options) -> Session:
    session = Session(adapter, observed=observed)
    assert session.load(source, "<document>", **options), session.failure
    return session


def weights(session: Session) -> dict[str, list[float]]:
    adapter = session.adapter
    return {
        found.path: adapter.array(found.tensor).ravel().tolist() for found in session.walk.tensors
    }


def run(session: Session, steps: int = STEPS) -> list[float]:
    for _ in range(steps):
        assert session.run_step(), session.failure
    return [loss for _, loss in session.take_news().losses]


@pytest.mark.parametrize("source", [LINEAR, OWN_STEP], ids=["default step", "own step"])
def test_watched_and_unwatched_runs_end_in_the_same_weights(adapter, source) -> None:
    plain = loaded(adapter, source, observed=False)
    expected = run(plain)
    watched = loaded(adapter, source)
    losses = []
    for _ in range(STEPS):
        watched.request_look()
        watched.measure()
        losses += run(watched, 1)
    assert losses == expected
    assert weights(watched) == weights(plain)


@pytest.mark.parametrize("source", [LINEAR, OWN_STEP], ids=["default step", "own step"])
def test_split_steps_give_the_numbers_of_whole_ones(adapter, source) -> None:
    whole = loaded(adapter, source)
    expected = run(whole, 3)
    split = loaded(adapter, source)
    phases = []
    for _ in range(3 * 4):
        assert split.run_phase(), split.failure
        phases.append(split.phase)
    assert phases == 3 * [Phase.FORWARD, Phase.LOSS, Phase.BACKWARD, Phase.OPTIMIZER]
    assert [loss for _, loss in split.take_news().losses] == expected
    assert weights(split) == weights(whole)


def test_forward_phase_shows_the_model_and_loss_phase_the_rest(adapter) -> None:
    session = loaded(adapter)
    session.run_phase()
    forward = session.take_news().operations
    session.run_phase()
    both = session.take_news().operations
    assert forward and len(both) > len(forward)
    assert both[: len(forward)] == forward
    session.run_phase()
    after_backward = session.take_news().operations
    assert any(op.gradient_norm is not None for op in after_backward)
    assert all(op.gradient_norm is None for op in both)


def test_play_finishes_a_step_that_was_begun_in_phases(adapter) -> None:
    expected = run(loaded(adapter), 2)
    session = loaded(adapter)
    session.run_phase()
    session.run_phase()
    assert run(session, 2) == expected
    assert session.phase is Phase.IDLE


def test_reset_gives_the_same_run_again(adapter) -> None:
    session = loaded(adapter, seed=7)
    first = run(session)
    assert session.reset()
    assert session.step == 0
    assert run(session) == first
    assert session.reset(seed=8)
    assert run(session) != first


def test_census_follows_the_first_step(adapter) -> None:
    session = loaded(adapter)
    rows = {row.path: row for row in session.take_news().rows}
    assert list(rows) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    assert {row.gradient for row in rows.values()} == {Gradient.NONE_YET}
    session.run_step()
    row = next(row for row in session.take_news().rows if row.path == "3.weight")
    assert (row.kind, row.gradient, row.stepping) == (
        Kind.PARAMETER,
        Gradient.FLOWS,
        Stepping.IN_OPTIMIZER,
    )
    assert (row.shape, row.dtype, row.lr, row.line) == ((1, 4), "float32", 0.05, 6)
    assert row.update_norm > 0


def test_metrics_leave_no_trace(adapter) -> None:
    session = loaded(adapter)
    session.measure()
    assert list(session.take_news().metrics) == ["error"]
    assert all(module.training for module in session.walk.modules.values())


def test_learning_rate_counts_from_the_next_step(adapter) -> None:
    session = loaded(adapter)
    session.set_learning_rate(0.0)
    before = weights(session)
    run(session, 2)
    assert weights(session) == before
    assert session.learning_rate == 0.0


@pytest.mark.parametrize("source", [LINEAR, OWN_STEP], ids=["default step", "own step"])
def test_nan_loss_stops_before_a_weight_is_moved(adapter, source) -> None:
    spoilt = source.replace(
        "    x = torch.randn(8, 3)\n", "    x = torch.randn(8, 3) / next(rest)\n", 1
    )
    session = loaded(adapter, spoilt + "\n\nrest = iter([1.0, 1.0, 1.0, 0.0])\n")
    run(session, 3)
    before = weights(session)
    assert not session.run_step()
    assert session.failure.kind == "NonFiniteLossError"
    assert session.failure.message.startswith("The loss of step 4 is ")
    assert session.step == 3
    assert weights(session) == before


def test_loss_that_is_no_tensor_is_refused_with_the_cure(adapter) -> None:
    session = loaded(
        adapter, LINEAR.replace(" ** 2).mean()\n\n\ndef ev", " ** 2).mean().item()\n\n\ndef ev")
    )
    assert not session.run_step()
    assert session.failure.kind == "TypeError"
    assert "without `.item()`" in session.failure.message


def test_batch_that_is_no_pair_is_refused(adapter) -> None:
    session = loaded(adapter, LINEAR.replace("return x, x.sum(dim=1, keepdim=True)", "return x"))
    assert not session.run_step()
    assert "it must return a pair (x, y)" in session.failure.message


def test_optimizer_may_be_none_or_several(adapter) -> None:
    none = LINEAR.replace(
        "return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)", "return None"
    )
    session = loaded(adapter, none)
    before = weights(session)
    run(session, 2)
    assert weights(session) == before
    rows = session.take_news().rows or ()
    two = LINEAR.replace(
        "torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)",
        "[torch.optim.SGD(model[0].parameters(), lr=0.1), torch.optim.Adam(model[3].parameters())]",
    )
    session = loaded(adapter, two)
    rows = {row.path: row for row in session.take_news().rows}
    assert [rows["0.weight"].optimizer_index, rows["3.weight"].optimizer_index] == [0, 1]
    assert session.optimizer_words == "SGD, 1 group; Adam, 1 group"
    assert math.isfinite(run(session, 2)[-1])


def test_missing_optimizer_leaves_the_model_to_see(adapter) -> None:
    source = LINEAR.replace("model.parameters(), lr=0.05", "[], lr=0.05")
    session = Session(adapter)
    assert not session.load(source, "<document>")
    assert session.failure.during == "optimizer"
    assert "empty parameter list" in session.failure.message
    assert len(session.take_news().rows) == 4
