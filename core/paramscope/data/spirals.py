"""Two spirals: points of the plane that no straight line separates, made by a formula."""

import math

import numpy as np

from paramscope.data.bundled import one_of_each
from paramscope.data.description import DataInfo, Rows

INFO = DataInfo(
    title="Two spirals",
    summary="Points on two spirals wound into each other",
    shape=(2,),
    classes=("first", "second"),
    columns=("x", "y"),
    licence="made by a formula, free of rights",
)
TURNS = 1.5
NOISE = 0.02
"""Deviation of a point from its spiral; the spirals end at distance 1 from the centre."""


def train(count: int = 200) -> Rows:
    """Return ``count`` points of each spiral and their spiral, 0 or 1.

    Shape: points (2 * count, 2), spirals (2 * count,).
    """
    return _points(count, seed=1)


def test(count: int = 100) -> Rows:
    """Return ``count`` other points of each spiral."""
    return _points(count, seed=2)


def preview(count: int = 10) -> Rows:
    """Return ``count`` training points, the spirals in turn."""
    return one_of_each(train(), count)


def _points(count: int, seed: int) -> Rows:
    """Draw points evenly along each spiral; the second is the first turned by half a circle."""
    random = np.random.RandomState(seed)  # its stream is frozen for good, unlike default_rng's
    classes = np.repeat(np.arange(2, dtype=np.int64), count)
    distance = np.sqrt(random.uniform(0.01, 1.0, 2 * count))
    angle = 2 * math.pi * TURNS * distance + math.pi * classes
    points = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points += random.normal(0, NOISE, points.shape)
    return points.astype(np.float32), classes
