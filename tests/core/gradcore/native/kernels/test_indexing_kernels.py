"""Kernels that pick, put and search values give what NumPy gives."""

from typing import Any

import numpy as np
import pytest

import gradcore.native.kernels.indexing  # noqa: F401  # enters the lowerings
from gradcore.ops.every import OPERATIONS

ALL = slice(None)
INDICES = {
    "rows": (np.array([2, 0, 2, -1]),),
    "a table of rows": (np.array([[2, 0], [1, 1]]),),
    "columns": (ALL, np.array([1, -2, 1])),
    "the last axis": (ALL, ALL, np.array([0, 3, 3])),
    "one of each row": (np.array([0, 1, 2]), np.array([1, 1, 0])),
    "pairs inside": (ALL, np.array([1, 0]), np.array([3, 3])),
    "nothing": (np.array([], np.int64),),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_values_are_picked_and_added_up_as_numpy_does(
    native: Any, numbers: Any, real: Any, index: Any
) -> None:
    x = numbers((3, 2, 4), real)
    x[0, 0, 0] = np.nan
    native.agrees(OPERATIONS["index"].kernel, x, index, rtol=0)
    g = numbers(x[index].shape, real)
    native.agrees(OPERATIONS["place_added"].kernel, g, x.shape, index, rtol=1e-6, atol=1e-6)
    assert not native.failed


@pytest.mark.parametrize("position", [3, -4])
def test_a_position_out_of_range_is_told(native: Any, real: Any, position: int) -> None:
    native(OPERATIONS["index"].kernel, np.ones((3, 2), real), (np.array([0, position]),))
    assert native.failed


@pytest.mark.parametrize("index", [(np.array([True, False, True]),), (0, ALL, np.array([1]))])
def test_masks_and_numbers_among_positions_stay_with_numpy(
    native: Any, real: Any, index: Any
) -> None:
    assert native(OPERATIONS["index"].kernel, np.ones((3, 2, 4), real), index) is None


@pytest.mark.parametrize(("dim", "many"), [(0, 5), (1, 1), (-1, 6)])
def test_values_are_gathered_and_scattered_as_numpy_does(
    native: Any, numbers: Any, real: Any, dim: int, many: int
) -> None:
    x, shape = numbers((3, 2, 4), real), [3, 2, 4]
    shape[dim] = many
    index = np.random.default_rng(2).integers(0, x.shape[dim], shape)
    native.agrees(OPERATIONS["gather"].kernel, x, dim, index, rtol=0)
    g = numbers(tuple(shape), real)
    native.agrees(OPERATIONS["put_along"].kernel, g, index, x.shape, dim, rtol=1e-6, atol=1e-6)
    native.agrees(OPERATIONS["scatter_add"].kernel, x, dim, index, g, rtol=1e-6, atol=1e-6)
    native.agrees(OPERATIONS["scatter"].kernel, x, dim, index, g, rtol=0)


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_the_first_extreme_is_found_and_nan_is_one(
    native: Any, numbers: Any, real: Any, name: str, dim: int
) -> None:
    x = np.round(numbers((4, 3, 5), real))
    x[1, 1, 2] = x[2, 1, 2] = np.nan
    x[0, 0] = np.inf
    for keep in (False, True):
        native.agrees(OPERATIONS["arg" + name].kernel, x, dim, keep, rtol=0)
        native.agrees(OPERATIONS[name + "_dim"].kernel, x, dim, keep, rtol=0)
    native.agrees(OPERATIONS["arg" + name].kernel, x, rtol=0)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_running_sums_equal_numpy(native: Any, numbers: Any, real: Any, dim: int) -> None:
    x = numbers((4, 3, 5), real)
    native.agrees(OPERATIONS["cumsum"].kernel, x, dim, rtol=1e-5, atol=1e-6)
    (turned,) = native(OPERATIONS["cumsum"].gradients["input"], x, dim)
    expected = np.flip(np.cumsum(np.flip(x, dim), dim), dim)
    np.testing.assert_allclose(turned, expected, rtol=1e-5, atol=1e-6)
