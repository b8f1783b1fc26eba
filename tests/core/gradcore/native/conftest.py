"""Trains small models natively and beside it as they are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore import nn

STEPS = 12


def mlp() -> Any:
    """Return a network of a demonstration."""
    return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))


def batch(number: int, rows: int = 7) -> tuple[Any, Any]:
    """Return input and classes of one step."""
    source = np.random.default_rng(number)
    x = source.standard_normal((rows, 5)).astype(np.float32)
    return gradcore.tensor(x), gradcore.tensor(source.integers(0, 3, rows))


class Trainer:
    """A model, its optimizer and the step that trains it in one mode."""

    def __init__(
        self,
        mode: str,
        build: Callable[[], Any] = mlp,
        optimizer: Callable[[Any], Any] = lambda own: gradcore.optim.Adam(own, lr=0.01),
    ) -> None:
        gradcore.manual_seed(3)
        model = self.model = build()
        opt = self.optimizer = optimizer(model.parameters())
        loss_of = nn.functional.cross_entropy

        def step(x: Any, y: Any) -> Any:
            opt.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            opt.step()
            return loss

        self.step = gradcore.compile(step, mode=mode)

    batch = staticmethod(batch)

    def train(self, steps: int = STEPS, first: int = 0) -> list[float]:
        """Do some steps, on the same draws each time; returns their losses."""
        gradcore.manual_seed(first)
        return [float(self.step(*batch(first + i)).detach()) for i in range(steps)]

    def values(self) -> list[Any]:
        """Return copies of everything in the model and the optimizer's state."""
        state = [t for held in self.optimizer.state.values() for t in held.values()]
        arrays = [*self.model.parameters(), *self.model.buffers(), *state]
        return [t.detach().numpy().copy() for t in arrays if isinstance(t, gradcore.Tensor)]


def _assert_close(found: Any, expected: Any) -> None:
    """Compare lists of arrays or numbers up to rounding."""
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6)


@pytest.fixture
def pair() -> tuple[Trainer, Trainer]:
    """Two trainings that begin alike: native, and as it is."""
    pytest.importorskip("numba")
    return Trainer("native"), Trainer("eager")


@pytest.fixture
def trainer() -> type[Trainer]:
    """What makes one training."""
    return Trainer


@pytest.fixture
def assert_close() -> Callable[[Any, Any], None]:
    """Compares lists of arrays or numbers up to rounding."""
    return _assert_close
