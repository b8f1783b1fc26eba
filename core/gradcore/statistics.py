"""Statistics of every value, gradient and update at every step, in few passes over flat blocks.

One row of ``WIDTH`` numbers a tensor, the same that native optimizers write inside of their own
pass: sum, norm, smallest, largest, zeros and non-finite values of the gradient (from ``GRADIENT``
on), of the value (from ``VALUE`` on), and the norm of what the last step changed (``UPDATE``).
NaN makes sum, norm, smallest and largest NaN.
"""

import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcore.graph import TensorBase

WIDTH = 16
GRADIENT, VALUE, UPDATE = 0, 6, 12
SUM, NORM, SMALLEST, LARGEST, ZEROS, NON_FINITE = range(6)
GATHERED = 1 << 14
"""Tensors up to so many values are measured together, so that NumPy is called once for many."""

Rows = NDArray[np.float64]


class Table:
    """The rows of the last step, for a reader beside the one who writes: two pages in turn."""

    def __init__(self, count: int) -> None:
        self._pages = [np.zeros((count, WIDTH)), np.zeros((count, WIDTH))]
        self._step = 0
        self._lock = threading.Lock()

    @property
    def blank(self) -> Rows:
        """The page that may be written; nobody reads it."""
        return self._pages[1]

    def turn(self, step: int) -> None:
        """Show what was written as the rows of ``step``."""
        with self._lock:
            self._pages.reverse()
            self._step = step

    def read(self) -> tuple[int, Rows]:
        """Return the step that was measured last (0: none), and a copy of its rows."""
        with self._lock:
            return self._step, self._pages[0].copy()


class Meter:
    """Measures tensors with their gradients after each step, with NumPy alone.

    ``measure`` is called after a step; what has no gradient then has a row of zeros for it.
    """

    def __init__(self, tensors: Sequence[TensorBase]) -> None:
        self.tensors = [t for t in tensors if t._a.dtype.kind == "f" and t._a.size]
        self.table = Table(len(self.tensors))
        small: dict[Any, list[int]] = {}
        self._parts: list[_Gathered | _Alone] = []
        for number, t in enumerate(self.tensors):
            if t._a.size <= GATHERED:
                small.setdefault(t._a.dtype, []).append(number)
            else:
                self._parts.append(_Alone(t, number))
        for numbers in small.values():
            chosen = [self.tensors[number] for number in numbers]
            self._parts.append(_Gathered(chosen, numbers))

    def measure(self, step: int) -> None:
        """Measure everything as the state after ``step``."""
        rows = self.table.blank
        with np.errstate(all="ignore"):
            for part in self._parts:
                part.measure(rows)
        self.table.turn(step)


class _Gathered:
    """Many small tensors of one dtype, copied side by side.

    One array holds updates, gradients and values, their squares in the same order, and where
    gradients and values are 0 (as numbers), so that one call sums all of them.
    """

    def __init__(self, tensors: list[TensorBase], numbers: list[int]) -> None:
        self._tensors, self._numbers = tensors, np.array(numbers)
        sizes = [t._a.size for t in tensors]
        self._starts = np.cumsum([0, *sizes[:-1]])
        total, kind = sum(sizes), tensors[0]._a.dtype
        self._block = block = np.zeros((8, total), kind)
        self._update, self._gradient, self._value = block[:3]
        self._measured, self._squares, self._zero = block[:3], block[3:6], block[6:]
        self._both, self._summed = block[1:3], block[1:]
        self._last = np.concatenate([t._a.ravel() for t in tensors])
        self._nothing = [np.zeros(size, kind) for size in sizes]
        # The columns of the table as rows; those of gradients and values, each by itself.
        self._found = np.zeros((WIDTH, len(tensors)))
        self._halves = self._found[:UPDATE].reshape(2, VALUE, -1)

    def measure(self, rows: Rows) -> None:
        held = self._gather()
        starts, found, halves, both = self._starts, self._found, self._halves, self._both
        np.multiply(self._measured, self._measured, self._squares)
        np.equal(both, 0, out=self._zero)
        sums = np.add.reduceat(self._summed, starts, axis=1)
        norms = np.sqrt(sums[2:5], dtype=np.float64)
        halves[:, SUM] = sums[:2]
        halves[:, ZEROS] = sums[5:]
        halves[:, NORM] = norms[1:]
        halves[:, SMALLEST] = np.minimum.reduceat(both, starts, axis=1)
        halves[:, LARGEST] = np.maximum.reduceat(both, starts, axis=1)
        found[UPDATE] = norms[0]
        is_odd = not math.isfinite(np.add.reduce(norms, None))
        if is_odd:
            self._correct()
        if any(g is None for g in held):
            found[GRADIENT:VALUE, [g is None for g in held]] = 0
        rows[self._numbers] = found.T
        if is_odd:
            halves[:, NON_FINITE] = 0

    def _gather(self) -> list[Any]:
        """Copy everything side by side; return the gradients, None where there is none."""
        held = [None if t._grad is None else t._grad._a for t in self._tensors]
        np.concatenate([t._a.ravel() for t in self._tensors], out=self._value)
        gradients = [
            nothing if g is None else g.ravel()
            for g, nothing in zip(held, self._nothing, strict=True)
        ]
        np.concatenate(gradients, out=self._gradient)
        np.subtract(self._value, self._last, self._update)
        np.copyto(self._last, self._value)
        return held

    def _correct(self) -> None:
        """Count what is not finite; norms of large values are worked out in double precision."""
        starts, halves = self._starts, self._halves
        wide = self._measured.astype(np.float64)
        norms = np.sqrt(np.add.reduceat(wide * wide, starts, axis=1))
        self._found[UPDATE] = norms[0]
        halves[:, NORM] = norms[1:]
        bad = ~np.isfinite(self._both)
        halves[:, NON_FINITE] = np.add.reduceat(bad, starts, axis=1, dtype=np.int32)


class _Alone:
    """One large tensor, measured where it lies."""

    def __init__(self, t: TensorBase, number: int) -> None:
        self._t, self._number = t, number
        self._last = t._a.ravel().copy()
        self._change = np.empty_like(self._last)

    def measure(self, rows: Rows) -> None:
        row = rows[self._number]
        values = self._t._a.ravel()
        g = self._t._grad
        row[VALUE:UPDATE] = _measured(values)
        row[GRADIENT:VALUE] = 0.0 if g is None else _measured(g._a.ravel())
        np.subtract(values, self._last, out=self._change)
        np.copyto(self._last, values)
        row[UPDATE] = _norm(self._change)


def _measured(values: NDArray[Any]) -> tuple[float, ...]:
    norm = _norm(values)
    bad = 0 if np.isfinite(norm) else int(values.size - np.count_nonzero(np.isfinite(values)))
    total = float(np.add.reduce(values))
    # NumPy counts what is true many times as fast as what is a number.
    zeros = int(np.count_nonzero(values == 0))
    return total, norm, float(values.min()), float(values.max()), zeros, bad


def _norm(values: NDArray[Any]) -> float:
    squares = float(np.dot(values, values))
    if np.isfinite(squares):
        return float(np.sqrt(squares))
    return float(np.sqrt(np.add.reduce(np.square(values, dtype=np.float64))))
