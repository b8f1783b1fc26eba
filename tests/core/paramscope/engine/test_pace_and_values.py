"""How often the run is looked at, and how much of a large tensor is sent."""

import numpy as np
import pytest

from paramscope.engine.observation import MAX_INTERVAL, MIN_INTERVAL, SHARE_OF_TIME, Pacer
from paramscope.engine.session import Session
from paramscope.engine.values import MAX_VALUES, strides_for


class Clock:
    """A clock that shows what the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_cheap_looks_keep_their_distance() -> None:
    clock = Clock()
    pacer = Pacer(clock)
    assert pacer.is_due()
    pacer.note_cost(0.0)
    clock.now += MIN_INTERVAL * 0.9
    assert not pacer.is_due()
    clock.now += MIN_INTERVAL * 0.2
    assert pacer.is_due()


def test_dear_looks_take_no_more_than_their_share() -> None:
    clock = Clock()
    pacer = Pacer(clock)
    pacer.note_cost(0.012)
    clock.now += 0.9 * 0.012 / SHARE_OF_TIME
    assert not pacer.is_due()
    clock.now += 0.2 * 0.012 / SHARE_OF_TIME
    assert pacer.is_due()
    pacer.note_cost(1_000.0)
    clock.now += MAX_INTERVAL
    assert pacer.is_due()


def test_looks_come_when_the_clock_says_so(adapter) -> None:
    source = (
        "import torch\nfrom torch import nn\n"
        "def build(): return nn.Linear(1, 1)\n"
        "def optimizer(model): return torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "def batch(): return torch.ones(1, 1), torch.ones(1, 1)\n"
        "def loss(model, x, y): return ((model(x) - y) ** 2).mean()\n"
    )
    clock = Clock()
    session = Session(adapter, clock)
    assert session.load(source, "<document>"), session.failure.text
    looks = []
    for _ in range(10):
        assert session.run_step()
        looks.append(session.take_news().rows is not None)
    assert looks == [True] * 4 + [False] * 6
    clock.now += MIN_INTERVAL
    assert session.run_step()
    assert session.take_news().rows is not None


@pytest.mark.parametrize("shape", [(), (3, 4), (1_000_000,), (3, 2_000, 2_000), (9_000, 2)])
def test_large_tensors_are_thinned_along_their_longest_axes(shape: tuple[int, ...]) -> None:
    stride = strides_for(shape)
    count = np.zeros(shape, dtype=np.int8)[tuple(slice(None, None, s) for s in stride)].size
    size = int(np.prod(shape))
    assert count == size if size <= MAX_VALUES else MAX_VALUES / 4 < count <= MAX_VALUES
