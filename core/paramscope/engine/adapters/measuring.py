"""Makes readings of gradcore's tables of statistics."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcore.graph import TensorBase
from gradcore.statistics import (
    GRADIENT,
    LARGEST,
    NON_FINITE,
    NORM,
    SMALLEST,
    SUM,
    UPDATE,
    VALUE,
    ZEROS,
    Meter,
)
from paramscope.census.rows import Statistics
from paramscope.census.statistics import statistics_of
from paramscope.engine.readings import Reading

SMALL = 1 << 16
"""Beside what optimizers measure, tensors of up to so many values are measured: buffers."""


class Measurement:
    """One step of which statistics are wanted: begun before it, read after it.

    Native optimizers measure what they move in their own pass; all else is measured here.
    """

    def __init__(self, compiled: Any, tensors: Iterable[Any], is_native: bool) -> None:
        self._compiled = compiled
        self._is_native = is_native
        chosen = [t for t in tensors if isinstance(t, TensorBase) and t._a.dtype.kind == "f"]
        if is_native:
            compiled.statistics(True)
            chosen = [t for t in chosen if t._a.size <= SMALL and not t._rg]
        self._meter = Meter(chosen)

    def end(self) -> None:
        """Let no later step measure anything."""
        if self._is_native:
            self._compiled.statistics(False)

    def read(self, number: int, args: Sequence[Any]) -> dict[int, Reading]:
        """Return what the step with these arguments has left, by the ids of tensors."""
        self._meter.measure(number)
        _, rows = self._meter.table.read()
        found = _readings(self._meter.tensors, rows)
        if self._is_native:
            moved, rows = self._compiled.table(*args)
            found |= _readings(moved, rows)
        return found


def _readings(tensors: Sequence[Any], rows: NDArray[np.float64]) -> dict[int, Reading]:
    with np.errstate(all="ignore"):
        return {
            id(t): Reading(
                _statistics(row[VALUE:UPDATE], t._a),
                None if t._grad is None else _statistics(row[GRADIENT:VALUE], t._grad._a),
                float(row[UPDATE]),
            )
            for t, row in zip(tensors, rows, strict=True)
        }


def _statistics(row: NDArray[np.float64], array: NDArray[Any]) -> Statistics:
    if row[NON_FINITE]:
        # Of such the rest is of interest, which takes another look.
        return statistics_of(array)
    return Statistics(
        norm=float(row[NORM]),
        mean=float(row[SUM]) / max(array.size, 1),
        minimum=float(row[SMALLEST]),
        maximum=float(row[LARGEST]),
        zeros=int(row[ZEROS]),
        non_finite=0,
    )
