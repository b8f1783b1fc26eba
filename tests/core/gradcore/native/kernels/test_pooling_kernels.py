"""Native pooling and its gradients against the NumPy ones."""

from typing import Any

import numpy as np
import pytest

from gradcore.native.kernels import pooling as lowerings  # noqa: F401  # enters them
from gradcore.ops.every import OPERATIONS

LARGEST, MEAN = OPERATIONS["max_pool"], OPERATIONS["avg_pool"]
# input, kernel, stride, padding, dilation, ceil_mode
LARGEST_CASES = [
    ((2, 3, 5), (2,), (2,), (0,), (1,), False),
    ((2, 3, 40), (3,), (2,), (1,), (2,), True),
    ((2, 3, 4, 6), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((2, 3, 5, 7), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((2, 3, 5, 7), (2, 2), (2, 2), (0, 0), (1, 1), True),
    ((3, 2, 28, 28), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((1, 2, 6, 70), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((2, 2, 9, 11), (3, 3), (2, 2), (1, 1), (1, 1), False),
    ((2, 2, 9, 11), (3, 2), (1, 1), (1, 1), (1, 2), False),
    ((2, 2, 8, 40), (3, 3), (1, 1), (1, 1), (1, 1), False),
    ((1, 1, 20, 20), (17, 17), (1, 1), (0, 0), (1, 1), False),
    ((0, 2, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1), False),
]
# input, kernel, stride, padding, ceil_mode, include, divisor
MEAN_CASES = [
    ((2, 3, 6), (2,), (2,), (0,), False, True, None),
    ((2, 2, 5, 5), (3, 2), (2, 1), (1, 1), False, False, None),
    ((2, 2, 5, 5), (3, 2), (2, 1), (1, 1), False, True, None),
    ((1, 2, 5, 5), (2, 2), (2, 2), (1, 1), True, True, None),
    ((1, 2, 8, 40), (2, 2), (2, 2), (0, 0), False, True, None),
    ((1, 2, 8, 40), (3, 3), (1, 1), (1, 1), False, True, 5),
    ((2, 3, 7, 7), (7, 7), (7, 7), (0, 0), False, True, None),
]
TOLERANCE = {np.float32: 2e-6, np.float64: 1e-14}


@pytest.mark.parametrize("case", LARGEST_CASES)
def test_largest_and_its_gradient_equal_numpy(
    native: Any, numbers: Any, real: Any, case: Any
) -> None:
    shape, *rest = case
    x = numbers(shape, real)
    native.agrees(LARGEST.kernel, x, *rest, rtol=0)
    y, chosen = LARGEST.kernel(x, *rest)
    g = numbers(y.shape, real)
    arguments = ([g, None], (True,), chosen, shape, *rest[:-1])
    native.agrees(LARGEST.joint, *arguments, rtol=TOLERANCE[real], atol=TOLERANCE[real])


@pytest.mark.parametrize("shape", [(1, 1, 4, 34), (1, 1, 5, 5)])
def test_of_equal_values_the_first_is_chosen(native: Any, real: Any, shape: Any) -> None:
    x = np.round(np.random.default_rng(2).uniform(0, 1, shape)).astype(real)
    for rest in (((2, 2), (2, 2), (0, 0), (1, 1)), ((3, 3), (1, 1), (1, 1), (1, 1))):
        native.agrees(LARGEST.kernel, x, *rest, False, rtol=0)


@pytest.mark.parametrize("kernel", [2, 3])
def test_nan_wins_and_its_place_is_chosen(
    native: Any, numbers: Any, real: Any, kernel: int
) -> None:
    x = numbers((1, 1, 2 * kernel, 2 * kernel), real)
    x[0, 0, 1, 0], x[0, 0, -1, -2] = np.nan, np.inf
    x[0, 0, 0, -1] = -np.inf
    x[0, 0, 0, 0] = np.nan if kernel == 3 else 7
    size = (kernel, kernel)
    arguments = (x, size, size, (0, 0), (1, 1), False)
    native.agrees(LARGEST.kernel, *arguments, rtol=0)
    _, chosen = native(LARGEST.kernel, *arguments)
    assert chosen[0, 0, 0, 0] == kernel
    assert chosen[0, 0, 1, 1] == kernel * kernel - 2


def test_windows_of_minus_infinity_only_give_it(native: Any, real: Any) -> None:
    x = np.full((1, 1, 6, 6), -np.inf, real)
    for rest in (((2, 2), (2, 2), (0, 0), (1, 1)), ((3, 3), (2, 2), (1, 1), (1, 1))):
        native.agrees(LARGEST.kernel, x, *rest, False, rtol=0)


@pytest.mark.parametrize("case", MEAN_CASES)
def test_mean_and_its_gradient_equal_numpy(native: Any, numbers: Any, real: Any, case: Any) -> None:
    shape, *rest = case
    x, near = numbers(shape, real), TOLERANCE[real]
    native.agrees(MEAN.kernel, x, *rest, rtol=near, atol=near)
    g = numbers(MEAN.kernel(x, *rest).shape, real)
    native.agrees(MEAN.gradients["input"], g, shape, *rest, rtol=near, atol=near)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_means_keep_what_is_not_finite(native: Any, numbers: Any, real: Any, bad: float) -> None:
    x = numbers((1, 1, 6, 6), real)
    x[0, 0, 2, 3] = bad
    native.agrees(MEAN.kernel, x, (3, 3), (1, 1), (1, 1), False, True, None, rtol=1e-5, atol=1e-6)


def test_three_dimensions_stay_with_numpy(native: Any, real: Any) -> None:
    x, ones, twos = np.ones((1, 1, 4, 4, 4), real), (1,) * 3, (2,) * 3
    assert native(LARGEST.kernel, x, twos, twos, (0,) * 3, ones, False) is None
    assert native(MEAN.kernel, x, twos, twos, (0,) * 3, False, True, None) is None
