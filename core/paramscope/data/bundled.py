"""Reads the data sets that ship with the application, and splits them once and for all."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from paramscope.data.description import DataError, Rows
from paramscope.data.readers import parse_numbers, unpacked

HELD_OUT_EVERY = 5
"""Of each class every fifth row is held out: 80 % to train on, the same rows at every call."""


@dataclass(frozen=True, slots=True)
class Table:
    """A shipped table of measures, its last column the class, below one line of titles.

    Its methods are the functions of a data set.
    """

    name: str

    def train(self, *, standardize: bool = False) -> Rows:
        """Return the training rows and their classes.

        ``standardize`` shifts and scales every measure to mean 0 and deviation 1.

        Shape: measures (rows, columns), classes (rows,).
        """
        rows = self._rows(held_out=False)
        return standardized(rows, rows) if standardize else rows

    def test(self, *, standardize: bool = False) -> Rows:
        """Return the held-out rows; ``standardize`` uses the numbers of the training rows."""
        rows = self._rows(held_out=True)
        return standardized(rows, self._rows(held_out=False)) if standardize else rows

    def preview(self, count: int = 10) -> Rows:
        """Return ``count`` training rows, the classes in turn."""
        return one_of_each(self.train(), count)

    def _rows(self, *, held_out: bool) -> Rows:
        return split(table(self.name, header_lines=1), held_out=held_out)


@cache
def table(name: str, header_lines: int) -> NDArray[np.float64]:
    """Read the shipped file ``name`` into a table of numbers, one row a line.

    The array is shared by all callers; `split` hands out copies.

    Raises: `DataError` if the file is missing or damaged.
    """
    try:
        packed = (files("paramscope_assets") / "data" / name).read_bytes()
    except (OSError, ModuleNotFoundError) as error:
        raise DataError(
            f"the data file {name} that ships with Paramscope cannot be read: {error}\n"
            "  It belongs to the package `paramscope_assets`. Install Paramscope again."
        ) from error
    text = unpacked(packed, name).decode("ascii")
    return parse_numbers("".join(text.splitlines(keepends=True)[header_lines:]), name)


def is_held_out(classes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark every fifth row of each class, counted in the order of the rows."""
    held_out = np.zeros(len(classes), dtype=np.bool_)
    for number in np.unique(classes):
        held_out[np.flatnonzero(classes == number)[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]] = True
    return held_out


def split(rows: NDArray[np.float64], *, held_out: bool) -> Rows:
    """Return the training rows or the held-out rows of a table whose last column is the class."""
    classes = rows[:, -1].astype(np.int64)
    chosen = is_held_out(classes) == held_out
    return rows[chosen, :-1].astype(np.float32), classes[chosen]


def standardized(rows: Rows, training: Rows) -> Rows:
    """Shift and scale each column to mean 0 and deviation 1 *of the training rows*.

    The held-out rows are scaled by the same numbers, so nothing of them leaks into training.
    """
    mean, deviation = training[0].mean(axis=0), training[0].std(axis=0)
    return (rows[0] - mean) / np.where(deviation > 0, deviation, 1), rows[1]


def one_of_each(rows: Rows, count: int) -> Rows:
    """Return ``count`` rows, one class after the other in turn: what a preview shows."""
    inputs, classes = rows
    rank = np.zeros(len(classes), dtype=np.int64)
    for number in np.unique(classes):
        members = np.flatnonzero(classes == number)
        rank[members] = np.arange(len(members))
    chosen = np.lexsort((classes, rank))[: max(count, 0)]
    return inputs[chosen], classes[chosen]
