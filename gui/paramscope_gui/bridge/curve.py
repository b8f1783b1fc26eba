"""Series of numbers over the steps of a run, and the interventions dated on them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Marker(NamedTuple):
    """An intervention on the curve: the step at which it was made, and what it was."""

    step: int
    text: str


class Curve:
    """A growing series of (step, value) in NumPy buffers that double when they are full."""

    def __init__(self) -> None:
        self._steps: NDArray[Any] = np.empty(1024, dtype=np.float64)
        self._values: NDArray[Any] = np.empty(1024, dtype=np.float64)
        self._count = 0
        self.generation = 0  # counts how often points were taken away

    def __len__(self) -> int:
        return self._count

    @property
    def steps(self) -> NDArray[Any]:
        """The steps, as a view."""
        return self._steps[: self._count]

    @property
    def values(self) -> NDArray[Any]:
        """The values, as a view."""
        return self._values[: self._count]

    def extend(self, points: tuple[tuple[int, float], ...]) -> None:
        """Append points; one that lies before the end takes back what came after it."""
        if not points:
            return
        first = points[0][0]
        if self._count and self._steps[self._count - 1] >= first:
            self._count = int(np.searchsorted(self._steps[: self._count], first))
            self.generation += 1
        needed = self._count + len(points)
        if needed > len(self._steps):
            size = max(needed, 2 * len(self._steps))
            self._steps = np.resize(self._steps, size)
            self._values = np.resize(self._values, size)
        block = np.asarray(points, dtype=np.float64)
        self._steps[self._count : needed] = block[:, 0]
        self._values[self._count : needed] = block[:, 1]
        self._count = needed

    def clear(self) -> None:
        """Take all points away."""
        self._count = 0
        self.generation += 1
