"""Kernels that put values in order do it as NumPy does, equal ones and NaN included."""

from typing import Any

import numpy as np
import pytest

import gradcore.native.kernels.ordering  # noqa: F401  # enters the lowerings
from gradcore.ops.every import OPERATIONS


def values(numbers: Any, real: Any, shape: tuple[int, ...]) -> Any:
    """Return values of which many are equal, some NaN and some infinite."""
    x = np.round(numbers(shape, real) * 2)
    x.flat[3], x.flat[4], x.flat[9], x.flat[11] = np.nan, np.nan, np.inf, -np.inf
    return x


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("shape", "dim"), [((20,), 0), ((5, 6), -1), ((4, 7, 3), 1)])
def test_values_are_sorted_as_numpy_does(
    native: Any, numbers: Any, real: Any, shape: Any, dim: int, turned: bool
) -> None:
    x = values(numbers, real, shape)
    native.agrees(OPERATIONS["sort"].kernel, x, dim, turned, rtol=0)
    native.agrees(OPERATIONS["argsort"].kernel, x, dim, turned, rtol=0)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_first_few_are_those_of_numpy(
    native: Any, numbers: Any, real: Any, k: int, largest: bool
) -> None:
    x = values(numbers, real, (3, 5, 2))
    native.agrees(OPERATIONS["topk"].kernel, x, k, 1, largest, rtol=0)


def test_many_values_are_left_to_numpy(native: Any, real: Any) -> None:
    assert native(OPERATIONS["sort"].kernel, np.zeros(65, real)) is None
    assert native(OPERATIONS["topk"].kernel, np.zeros(3, real), 4) is None
