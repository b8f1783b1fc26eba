"""The question whether a loss is a finite number, asked in the middle of a step.

A trainer asks it before the optimizer moves anything. A step that is recorded keeps the question:
a replay that finds another answer is given up before it has written, and the step runs as it is.
"""

from typing import Any

import numpy as np

from gradcore import graph
from gradcore.graph import TensorBase


class NotFiniteError(FloatingPointError):
    """A number that was to be finite is not; ``value`` is that number."""

    def __init__(self, value: float) -> None:
        super().__init__(f"a number that must be finite is {value}")
        self.value = value


def expect_finite(number: TensorBase) -> None:
    """Raise `NotFiniteError` if a tensor of one value is NaN or infinite."""
    finite(number._a)
    if graph.recorder is not None:
        graph.tell("expect_finite", (number,), {}, ())


def finite(a: Any) -> Any:
    """Return ``a``, if it is finite: the question as a replayed step asks it."""
    if not np.isfinite(a).all():
        raise NotFiniteError(a.item())
    return a
