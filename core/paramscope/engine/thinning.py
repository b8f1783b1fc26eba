"""Fewer points of a fast curve: the lowest and the highest of each stretch, so that no spike goes.

A run of a hundred thousand steps a second would fill the window's memory with points that no
screen can show.
"""

from collections.abc import Sequence

import numpy as np

MOST = 240
"""So many points of one curve go into a snapshot."""

Point = tuple[int, float]


def thinned(points: Sequence[Point], most: int = MOST) -> tuple[Point, ...]:
    """Return ``points``, or the extremes of ``most / 2`` stretches of them, and the last one.

    >>> thinned([(1, 5.0), (2, 9.0), (3, 1.0), (4, 2.0), (5, 3.0), (6, 3.0)], most=4)
    ((2, 9.0), (3, 1.0), (4, 2.0), (5, 3.0), (6, 3.0))
    """
    count = len(points)
    if count <= most:
        return tuple(points)
    values = np.array([value for _, value in points])
    edges = np.linspace(0, count, most // 2 + 1).astype(np.intp)
    kept = {count - 1}
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        stretch = values[start:end]
        kept.add(start + int(stretch.argmin()))
        kept.add(start + int(stretch.argmax()))
    return tuple(points[place] for place in sorted(kept))
