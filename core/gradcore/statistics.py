"""Statistics of every value, gradient and update at every step, in few passes over flat blocks.

One row of ``WIDTH`` numbers a tensor, the same that native optimizers write inside of their own
pass: sum, norm, smallest, largest, zeros and non-finite values of the gradient (from ``GRADIENT``
on), of the value (from ``VALUE`` on), and the norm of what the last step changed (``UPDATE``).
NaN makes sum, norm, smallest and largest NaN.
"""

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
        for part in self._parts:
            part.measure(rows)
        self.table.turn(step)


class _Gathered:
    """Many small tensors of one dtype, copied side by side: gradients, values, updates."""

    def __init__(self, tensors: list[TensorBase], numbers: list[int]) -> None:
        self._tensors, self._numbers = tensors, np.array(numbers)
        sizes = [t._a.size for t in tensors]
        self._starts = np.cumsum([0, *sizes[:-1]])
        total, kind = sum(sizes), tensors[0]._a.dtype
        self._block = np.zeros((3, total), kind)
        self._squares = np.empty_like(self._block)
        self._zero = np.empty((2, total), np.bool_)
        self._last = np.concatenate([t._a.ravel() for t in tensors])
        self._nothing = [np.zeros(size, kind) for size in sizes]

    def measure(self, rows: Rows) -> None:
        block, starts = self._block, self._starts
        np.concatenate([t._a.ravel() for t in self._tensors], out=block[1])
        held = [t._grad for t in self._tensors]
        gradients = [
            nothing if g is None else g._a.ravel()
            for g, nothing in zip(held, self._nothing, strict=True)
        ]
        np.concatenate(gradients, out=block[0])
        np.subtract(block[1], self._last, out=block[2])
        np.copyto(self._last, block[1])
        both = block[:2]
        with np.errstate(all="ignore"):
            np.multiply(block, block, out=self._squares)
            squares = np.add.reduceat(self._squares, starts, axis=1)
            totals = np.add.reduceat(both, starts, axis=1)
        np.equal(both, 0, out=self._zero)
        found = np.empty((len(starts), WIDTH))
        found[:, UPDATE + 1 :] = 0
        norms = np.sqrt(squares, dtype=np.float64)
        found[:, UPDATE] = norms[2]
        for first, (column, values) in enumerate(((GRADIENT, both[0]), (VALUE, both[1]))):
            found[:, column + SUM] = totals[first]
            found[:, column + NORM] = norms[first]
            found[:, column + SMALLEST] = np.minimum.reduceat(values, starts)
            found[:, column + LARGEST] = np.maximum.reduceat(values, starts)
            found[:, column + ZEROS] = np.add.reduceat(self._zero[first], starts, dtype=np.int32)
            found[:, column + NON_FINITE] = 0
        if not np.isfinite(squares).all():
            self._correct(found)
        absent = [g is None for g in held]
        if any(absent):
            found[absent, GRADIENT:VALUE] = 0
        rows[self._numbers] = found

    def _correct(self, found: Rows) -> None:
        """Count what is not finite; norms of large values are worked out in double precision."""
        starts = self._starts
        wide = self._block.astype(np.float64)
        norms = np.sqrt(np.add.reduceat(wide * wide, starts, axis=1))
        found[:, UPDATE] = norms[2]
        bad = ~np.isfinite(self._block[:2])
        for first, column in enumerate((GRADIENT, VALUE)):
            found[:, column + NORM] = norms[first]
            found[:, column + NON_FINITE] = np.add.reduceat(bad[first], starts, dtype=np.int32)


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
        with np.errstate(all="ignore"):
            np.subtract(values, self._last, out=self._change)
        np.copyto(self._last, values)
        row[UPDATE] = _norm(self._change)


def _measured(values: NDArray[Any]) -> tuple[float, ...]:
    norm = _norm(values)
    bad = 0 if np.isfinite(norm) else int(values.size - np.count_nonzero(np.isfinite(values)))
    with np.errstate(all="ignore"):
        total = float(np.add.reduce(values))
    zeros = values.size - int(np.count_nonzero(values))
    return total, norm, float(values.min()), float(values.max()), zeros, bad


def _norm(values: NDArray[Any]) -> float:
    with np.errstate(all="ignore"):
        squares = float(np.dot(values, values))
    if np.isfinite(squares):
        return float(np.sqrt(squares))
    return float(np.sqrt(np.add.reduce(np.square(values, dtype=np.float64))))
