"""Native softmax against the NumPy one."""

from typing import Any

import numpy as np
import pytest

from gradcore.native.kernels import softmax as lowerings  # noqa: F401  # enters them
from gradcore.ops.every import OPERATIONS

NAMES = ["softmax", "log_softmax"]
SHAPES = [(1,), (3, 1), (5, 7), (2, 3, 17), (4, 64), (3, 129)]
TOLERANCE = {np.float32: 3e-6, np.float64: 1e-14}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_forward_equals_numpy(native: Any, numbers: Any, real: Any, name: str, shape: Any) -> None:
    x = numbers(shape, real) * 5
    native.agrees(OPERATIONS[name].kernel, x, -1, rtol=TOLERANCE[real], atol=TOLERANCE[real])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_gradient_equals_numpy(native: Any, numbers: Any, real: Any, name: str, shape: Any) -> None:
    y = OPERATIONS[name].kernel(numbers(shape, real), -1)
    slope = OPERATIONS[name].gradients["input"]
    native.agrees(slope, numbers(shape, real), y, -1, rtol=TOLERANCE[real], atol=TOLERANCE[real])


@pytest.mark.parametrize("name", NAMES)
def test_nan_and_infinity_come_out_as_from_numpy(native: Any, real: Any, name: str) -> None:
    x = np.array(
        [
            [1, np.nan, 2, 3],
            [1, -np.inf, 2, 3],
            [1, np.inf, 2, 3],
            [-np.inf] * 4,
            [1e30, -1e30, 0, 0],
        ],
        real,
    )
    native.agrees(OPERATIONS[name].kernel, x, 1, rtol=TOLERANCE[real], atol=1e-30)


def test_rows_that_do_not_lie_in_memory_are_copied(native: Any, numbers: Any, real: Any) -> None:
    x = numbers((6, 5), real).T
    native.agrees(OPERATIONS["softmax"].kernel, x, -1, rtol=TOLERANCE[real])


def test_another_axis_and_an_empty_one_stay_with_numpy(native: Any, real: Any) -> None:
    assert native(OPERATIONS["softmax"].kernel, np.ones((2, 3), real), 0) is None
    assert native(OPERATIONS["softmax"].kernel, np.ones((2, 0), real), 1) is None
    assert native(OPERATIONS["softmax"].kernel, np.ones((), real), -1) is None
