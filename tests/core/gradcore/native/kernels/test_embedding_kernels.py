"""Native embedding against the NumPy one."""

from typing import Any

import numpy as np
import pytest

from gradcore.native.kernels import embedding as lowerings  # noqa: F401  # enters them
from gradcore.ops.every import OPERATIONS

EMBEDDING = OPERATIONS["embedding"]
SLOPE = EMBEDDING.gradients["weight"]


@pytest.mark.parametrize("width", [1, 3, 64, 67])
@pytest.mark.parametrize("shape", [(), (4,), (2, 5), (0, 3)])
def test_rows_and_their_sums_equal_numpy(
    native: Any, numbers: Any, real: Any, shape: Any, width: int
) -> None:
    weight = numbers((9, width), real)
    indices = np.asarray(np.random.default_rng(0).integers(0, 9, shape))
    native.agrees(EMBEDDING.kernel, weight, indices, -1, False, rtol=0)
    assert not native.failed
    g = numbers((*shape, width), real)
    near = 1e-6 if real is np.float32 else 1e-15
    for padding in (-1, 2):
        native.agrees(SLOPE, g, indices, weight.shape, padding, False, rtol=near, atol=near)


def test_nan_is_copied_and_added(native: Any, real: Any) -> None:
    weight = np.array([[np.nan, 1], [np.inf, -np.inf]], real)
    indices = np.array([1, 0, 1])
    native.agrees(EMBEDDING.kernel, weight, indices, -1, False, rtol=0)
    native.agrees(SLOPE, weight[[0, 1, 1]], indices, (2, 2), -1, False, rtol=0)


@pytest.mark.parametrize("bad", [-1, 9])
def test_a_number_without_a_row_is_told(native: Any, real: Any, bad: int) -> None:
    native(EMBEDDING.kernel, np.ones((9, 2), real), np.array([0, bad, 1]), -1, False)
    assert native.failed


def test_rows_asked_for_often_weigh_less_if_that_is_wanted(native: Any, real: Any) -> None:
    numbers = np.array([0, 1, 0, 3, 0])
    g = np.arange(15.0).reshape(5, 3).astype(real)
    g[1, 0], g[3, 1] = np.nan, np.inf
    native.agrees(SLOPE, g, numbers, (4, 3), 1, True, rtol=1e-6)
