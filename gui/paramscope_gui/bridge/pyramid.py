"""A long curve made small: minima and maxima of ever larger runs of points.

A plot of a million steps draws some thousand points; no spike is lost, since each run keeps
both its ends of the range.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FACTOR = 4


class _Level(NamedTuple):
    """The places of the smallest and largest value in each run of points; ``done`` are known."""

    lows: NDArray[Any]
    highs: NDArray[Any]
    done: int


class MinMaxPyramid:
    """Levels of (smallest, largest) over runs of 4, 16, 64 ... points; grows as they come.

    It holds where these stand, not only what they are: a drop is drawn at the step of the drop,
    not at the beginning of its run.
    """

    def __init__(self) -> None:
        self._levels: list[_Level] = []
        self._seen = 0

    def clear(self) -> None:
        """Forget all levels; the next `update` starts from the first point."""
        self._levels = []
        self._seen = 0

    def update(self, values: NDArray[Any]) -> None:
        """Take the points that came since the last call; ``values`` are all of them."""
        if len(values) < self._seen:
            self.clear()
        self._seen = len(values)
        runs, level = len(values) // FACTOR, 0
        while runs:
            if level == len(self._levels):
                empty = np.empty(256, dtype=np.int64)
                self._levels.append(_Level(empty, empty.copy(), 0))
            lows, highs, done = self._levels[level]
            if runs > len(lows):
                lows, highs = np.resize(lows, 2 * runs), np.resize(highs, 2 * runs)
            if runs > done:
                part = slice(done * FACTOR, runs * FACTOR)
                if level:
                    below = self._levels[level - 1]
                    low, high = below.lows[part], below.highs[part]
                else:
                    low = high = np.arange(part.start, part.stop)
                lows[done:runs] = _chosen(values, low, np.inf, np.argmin)
                highs[done:runs] = _chosen(values, high, -np.inf, np.argmax)
            self._levels[level] = _Level(lows, highs, runs)
            runs, level = runs // FACTOR, level + 1

    def outline(
        self, steps: NDArray[Any], values: NDArray[Any], first: float, last: float, most: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return at most some ``most`` points that draw the curve between two steps.

        One point beyond each end is kept, so that the line leaves the picture.
        """
        start = max(0, int(np.searchsorted(steps, first)) - 1)
        stop = min(len(steps), int(np.searchsorted(steps, last, side="right")) + 1)
        size, level = 1, -1
        while (stop - start) / size * 2 > most and level + 1 < len(self._levels):
            size *= FACTOR
            level += 1
        if level < 0:
            return steps[start:stop], values[start:stop]
        lows, highs, runs = self._levels[level]
        begin, end = start // size, min(runs, -(-stop // size))
        ends = np.stack([lows[begin:end], highs[begin:end]], axis=1)
        ends.sort(axis=1)
        # The first point, and those that fill no run yet, stand for themselves.
        chosen = np.concatenate([[begin * size], ends.ravel(), np.arange(end * size, stop)])
        return steps[chosen], values[chosen]


def _chosen(
    values: NDArray[Any],
    places: NDArray[Any],
    instead: float,
    choose: Callable[..., NDArray[Any]],
) -> NDArray[Any]:
    """Return of each run of places the one whose value is chosen; no number is chosen last."""
    found = values[places].reshape(-1, FACTOR)
    found = np.where(np.isnan(found), instead, found)
    rows = np.arange(len(found))
    return np.asarray(places.reshape(-1, FACTOR)[rows, choose(found, axis=1)])
