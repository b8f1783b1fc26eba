"""A long curve made small: minima and maxima of ever larger runs of points.

A plot of a million steps draws some thousand points; no spike is lost, since each run keeps
both its ends of the range.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FACTOR = 8


class MinMaxPyramid:
    """Levels of (minimum, maximum) over runs of 8, 64, 512 ... points; grows as they come."""

    def __init__(self) -> None:
        self._levels: list[tuple[NDArray[Any], NDArray[Any], int]] = []
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
        low, high = values, values
        level = 0
        while len(low) >= FACTOR:
            if level == len(self._levels):
                self._levels.append((np.empty(256), np.empty(256), 0))
            lows, highs, done = self._levels[level]
            runs = len(low) // FACTOR
            if runs > len(lows):
                lows, highs = np.resize(lows, 2 * runs), np.resize(highs, 2 * runs)
            if runs > done:
                part = slice(done * FACTOR, runs * FACTOR)
                lows[done:runs] = np.fmin.reduce(low[part].reshape(-1, FACTOR), axis=1)
                highs[done:runs] = np.fmax.reduce(high[part].reshape(-1, FACTOR), axis=1)
            self._levels[level] = (lows, highs, runs)
            low, high = lows[:runs], highs[:runs]
            level += 1

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
        x = np.repeat(steps[begin * size : end * size : size], 2)
        y = np.empty(2 * (end - begin))
        y[0::2], y[1::2] = lows[begin:end], highs[begin:end]
        tail = slice(end * size, stop)  # points that fill no run yet
        return np.concatenate([x, steps[tail]]), np.concatenate([y, values[tail]])
