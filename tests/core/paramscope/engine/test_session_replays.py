"""Steps that nobody watches are replayed on gradcore, with the numbers of steps as they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paramscope.check.target import Target, harness_of
from paramscope.engine.adapters.base import Adapter
from paramscope.engine.session import Session

TOLERANCE = 1e-5
"""By so much, relative to the largest weight, 200 replayed steps may differ from eager ones."""

MODEL = """\
import torch
from torch import nn


def build():
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 1))


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()
"""
DRAWN = """

def batch():
    x = torch.randn(8, 3)
    return x, x.sum(dim=1, keepdim=True)
"""
STILL = """

x0 = torch.linspace(-1, 1, 24).reshape(8, 3)


def batch():
    return x0, x0.sum(dim=1, keepdim=True)
"""
COUNTED = """

count = 0


def batch():
    global count
    count += 1
    x = torch.randn(8, 3)
    return x + count % 2, x.sum(dim=1, keepdim=True)
"""
OWN_STEP = """

def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    return value
"""
SILENT_STEP = OWN_STEP.replace("    return value\n", "")
BRANCHING_STEP = OWN_STEP.replace(
    "    optimizer.step()\n", "    if value > 0.5:\n        optimizer.step()\n"
)
BARE = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 8), nn.Linear(8, 2)

    def forward(self, x):
        hidden = torch.tanh(self.a(x))
        return {"logits": self.b(hidden), "hidden": (hidden, x)}
"""
REPLAYED = {
    "loss that is made up": BARE
    + harness_of(Target("net.py:Net", Path("net.py"), "Net", "randn(4, 3)"), BARE),
    "drawn batch": MODEL + DRAWN,
    "still batch": MODEL + STILL,
    "batch that counts": MODEL + COUNTED,
    "own step": MODEL + DRAWN + OWN_STEP,
    "own step that returns nothing": MODEL + DRAWN + SILENT_STEP,
    "running values": (MODEL + DRAWN).replace("nn.Tanh()", "nn.BatchNorm1d(8)"),
    "momentum": (MODEL + DRAWN).replace("Adam(", "SGD(momentum=0.9, params="),
    "two optimizers": (MODEL + DRAWN).replace(
        "torch.optim.Adam(model.parameters(), lr=0.01)",
        "[torch.optim.SGD(model[0].parameters(), lr=0.1), torch.optim.Adam(model[3].parameters())]",
    ),
}
ODD = {
    "step that branches on a value": MODEL + DRAWN + BRANCHING_STEP,
    "loss that prints": MODEL.replace("    return ((", "    print(end='')\n    return ((") + DRAWN,
}


def loaded(adapter: Adapter, source: str, seed: int = 0, **options: Any) -> Session:
    session = Session(adapter, **options)
    assert session.load(source, "<document>", seed=seed), session.failure
    return session


def run(session: Session, steps: int) -> list[float]:
    for _ in range(steps):
        assert session.run_step(), session.failure
    return [loss for _, loss in session.take_news().losses]


def values(session: Session) -> dict[str, Any]:
    array = session.adapter.array
    session.look()
    return {found.path: array(found.tensor).copy() for found in session.walk.tensors}


def assert_alike(first: Session, second: Session) -> None:
    these, those = values(first), values(second)
    assert these.keys() == those.keys()
    for path, found in these.items():
        room = TOLERANCE * float(np.abs(those[path]).max())
        assert np.allclose(found, those[path], rtol=0, atol=room), path


@pytest.mark.parametrize("source", [*REPLAYED.values(), *ODD.values()], ids=[*REPLAYED, *ODD])
def test_weights_after_200_steps_are_those_of_eager_steps(adapter: Adapter, source: str) -> None:
    fast = loaded(adapter, source, observed=False)
    eager = loaded(adapter, source, observed=False, mode="eager")
    # One after the other: they draw from one stream.
    assert fast.reset(seed=3)
    losses = run(fast, 200)
    assert eager.reset(seed=3)
    expected = run(eager, 200)
    assert np.allclose(losses, expected, rtol=1e-4, atol=1e-6)
    assert_alike(fast, eager)


@pytest.mark.parametrize("source", REPLAYED.values(), ids=REPLAYED)
def test_plain_documents_are_replayed_on_gradcore(adapter: Adapter, source: str) -> None:
    session = loaded(adapter, source)
    run(session, 40)
    expected = ("", "") if adapter.name == "torch" else ("replay", "")
    assert (session.mode, session.mode_reason) == expected


def test_before_the_first_step_nobody_knows_the_mode(adapter: Adapter) -> None:
    session = loaded(adapter, REPLAYED["drawn batch"])
    assert (session.mode, session.mode_reason) == ("", "")
    run(session, 40)
    assert session.load(REPLAYED["own step"], "<document>", 2, keep_weights=True)
    assert session.mode == ""


def test_what_cannot_be_replayed_says_why(adapter: Adapter) -> None:
    if adapter.name == "torch":
        pytest.skip("PyTorch has one mode only")
    session = loaded(adapter, ODD["loss that prints"])
    run(session, 40)
    assert session.mode == "eager"
    assert session.mode_reason.startswith("`loss` calls `print`, which may do anything, at ")


@pytest.mark.parametrize("name", ["drawn batch", "own step"])
def test_a_changed_learning_rate_counts_from_the_next_step(adapter: Adapter, name: str) -> None:
    session = loaded(adapter, REPLAYED[name], observed=False)
    run(session, 30)
    before = values(session)
    session.set_learning_rate(0.0)
    run(session, 5)
    assert all(np.array_equal(before[path], found) for path, found in values(session).items())
    session.set_learning_rate(0.1)
    run(session, 1)
    assert any(not np.array_equal(before[path], found) for path, found in values(session).items())


def test_an_edit_while_running_is_trained_from_the_next_step(adapter: Adapter) -> None:
    source = REPLAYED["drawn batch"]
    edited = source.replace("- y) ** 2).mean()", "- y).abs()).mean()")
    sessions = [loaded(adapter, source, mode=mode) for mode in ("replay", "eager")]
    for session in sessions:
        assert session.reset(seed=5)
        run(session, 30)
        assert session.load(edited, "<document>", revision=1, seed=5, keep_weights=True)
        assert session.step == 30
        run(session, 30)
    assert_alike(*sessions)


def test_steps_in_phases_and_looks_fit_between_replayed_ones(adapter: Adapter) -> None:
    source = REPLAYED["own step"]
    sessions = [loaded(adapter, source, observed=False, mode=mode) for mode in ("replay", "eager")]
    for session in sessions:
        assert session.reset(seed=5)
        run(session, 20)
        for _ in range(4):
            assert session.run_phase(), session.failure
        run(session, 20)
        assert session.run_phase()
        session.measure()
        run(session, 20)
    assert_alike(*sessions)


@pytest.mark.parametrize("name", ["still batch", "own step"])
def test_a_loss_that_is_no_number_stops_a_replayed_run(adapter: Adapter, name: str) -> None:
    session = loaded(adapter, REPLAYED[name], observed=False)
    run(session, 30)
    model = session.walk.modules[""]
    with adapter.no_grad():
        model[0].weight[0, 0] = float("nan")
    before = values(session)
    assert not session.run_step()
    assert session.failure is not None
    assert session.failure.kind == "NonFiniteLossError"
    assert session.failure.message.startswith("The loss of step 31 is nan")
    assert session.step == 30
    after = values(session)
    assert all(np.array_equal(before[path], after[path], equal_nan=True) for path in before)


def test_gradients_that_are_shown_belong_to_the_last_step(adapter: Adapter) -> None:
    session = loaded(adapter, REPLAYED["still batch"], observed=False)
    eager = loaded(adapter, REPLAYED["still batch"], observed=False, mode="eager")
    for one in (session, eager):
        assert one.reset(seed=2)
        run(one, 25)
    [told] = session.values(("0.weight",))
    [expected] = eager.values(("0.weight",))
    for first, second in (
        (told.values, expected.values),
        (told.gradient, expected.gradient),
    ):
        assert first is not None
        assert second is not None
        given = np.frombuffer(first, "<f4")
        assert np.allclose(given, np.frombuffer(second, "<f4"), rtol=1e-4, atol=1e-6)


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("source", REPLAYED.values(), ids=REPLAYED)
def test_looks_leave_no_trace_in_a_replayed_run(adapter: Adapter, source: str) -> None:
    clock = _Clock()
    watched = Session(adapter, clock)
    assert watched.load(source, "<document>", seed=9), watched.failure
    losses = []
    looks = 0
    for step in range(60):
        clock.now += 0.05 if step % 3 else 0.5
        losses += run_once(watched)
        looks += watched.news.operations is not None
        watched.take_news()
    plain = loaded(adapter, source, seed=9, observed=False)
    expected = run(plain, 60)
    # While a step is recorded, looks are steps of their own: only rounding may differ.
    assert np.allclose(losses, expected, rtol=1e-4, atol=1e-6)
    assert looks > 15
    assert_alike(watched, plain)


def run_once(session: Session) -> list[float]:
    assert session.run_step(), session.failure
    return [loss for _, loss in session.news.losses]


def test_a_played_run_is_the_same_to_the_last_bit_however_often_it_is_looked_at(
    adapter: Adapter,
) -> None:
    runs = []
    for interval in (0.0, 0.05, 0.5):
        clock = _Clock()
        session = Session(adapter, clock)
        assert session.load(REPLAYED["drawn batch"], "<document>", seed=1), session.failure
        losses = []
        for _ in range(80):
            clock.now += interval
            losses += run_once(session)
            session.take_news()
        runs.append((losses, values(session)))
    for losses, weights in runs[1:]:
        assert losses == runs[0][0]
        assert all(np.array_equal(weights[path], found) for path, found in runs[0][1].items())
