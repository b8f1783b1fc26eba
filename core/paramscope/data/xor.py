"""XOR as clouds of points: the class is 1 where exactly one coordinate is positive."""

import numpy as np

from paramscope.data.bundled import one_of_each
from paramscope.data.description import DataInfo, Rows

INFO = DataInfo(
    title="XOR",
    summary="Four clouds around the corners of a square; opposite corners are of one class",
    shape=(2,),
    classes=("same sign", "different signs"),
    columns=("x", "y"),
    licence="made by a formula, free of rights",
)
CORNERS = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], dtype=np.float32)
NOISE = 0.25
"""Deviation of a point from its corner; the corners lie at distance 1 from each axis."""


def train(count: int = 50) -> Rows:
    """Return ``count`` points around each corner and their classes.

    Shape: points (4 * count, 2), classes (4 * count,).
    """
    return _points(count, seed=1)


def test(count: int = 25) -> Rows:
    """Return ``count`` other points around each corner."""
    return _points(count, seed=2)


def preview(count: int = 10) -> Rows:
    """Return ``count`` training points, the classes in turn."""
    return one_of_each(train(), count)


def _points(count: int, seed: int) -> Rows:
    random = np.random.RandomState(seed)  # its stream is frozen for good, unlike default_rng's
    corners = np.repeat(CORNERS, count, axis=0)
    points = corners + np.clip(random.normal(0, NOISE, corners.shape), -0.9, 0.9)
    return points.astype(np.float32), (corners[:, 0] * corners[:, 1] < 0).astype(np.int64)
