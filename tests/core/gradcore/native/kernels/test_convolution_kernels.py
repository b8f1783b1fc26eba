"""Native convolution and its gradients against the NumPy ones."""

from typing import Any

import numpy as np
import pytest

from gradcore.native.kernels import convolution as lowerings  # noqa: F401  # enters them
from gradcore.ops.every import OPERATIONS

FORWARD = OPERATIONS["convolution"]
# input, weight, stride, padding, dilation, groups
CASES = [
    ((2, 3, 5), (4, 3, 3), (1,), (0,), (1,), 1),
    ((2, 4, 33), (6, 2, 5), (2,), (2,), (2,), 2),
    ((3, 1, 28, 28), (4, 1, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 3, 7, 9), (4, 3, 3, 2), (1, 1), (0, 0), (1, 1), 1),
    ((2, 2, 9, 8), (3, 2, 3, 2), (2, 1), (1, 0), (1, 2), 1),
    ((1, 4, 5, 5), (6, 2, 3, 3), (2, 2), (1, 1), (1, 1), 2),
    ((2, 6, 8, 17), (6, 1, 3, 3), (1, 1), (1, 1), (1, 1), 6),
    ((2, 5, 4, 4), (3, 5, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 4, 5, 4), (6, 2, 1, 1), (1, 1), (0, 0), (1, 1), 2),
    ((2, 5, 6, 6), (3, 5, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    ((2, 2, 4, 4), (2, 2, 1, 1), (1, 1), (1, 1), (1, 1), 1),
    ((1, 2, 1, 1), (2, 2, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 1, 9, 16), (3, 1, 3, 16), (1, 1), (0, 0), (1, 1), 1),
    ((1, 2, 6, 6), (2, 2, 3, 3), (1, 1), (3, 3), (1, 1), 1),
    ((1, 16, 40, 70), (8, 16, 5, 5), (1, 1), (2, 2), (1, 1), 1),
    ((1, 2, 8, 8), (2, 2, 4, 4), (4, 4), (0, 0), (1, 1), 1),
    ((1, 2, 9, 9), (2, 2, 2, 2), (3, 3), (0, 0), (1, 1), 1),
]
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-13}


def expected_size(x: Any, weight: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    sizes = zip(x[2:], weight[2:], stride, padding, dilation, strict=True)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes)


@pytest.mark.parametrize("case", CASES)
def test_forward_equals_numpy(native: Any, numbers: Any, real: Any, case: Any) -> None:
    x, weight, *rest = case
    near = TOLERANCE[real] * np.sqrt(np.prod(weight[1:]))
    for bias in (numbers(weight[0], real), None):
        arguments = (numbers(x, real), numbers(weight, real), bias, *rest)
        native.agrees(FORWARD.kernel, *arguments, rtol=near, atol=near)


@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_numpy(native: Any, numbers: Any, real: Any, case: Any) -> None:
    x, weight, *rest = case
    positions = expected_size(x, weight, *rest[:3])
    g = numbers((x[0], weight[0], *positions), real)
    near = TOLERANCE[real] * np.sqrt(g.size)
    into_input, into_weight = FORWARD.gradients["input"], FORWARD.gradients["weight"]
    native.agrees(into_input, g, numbers(weight, real), x, *rest, rtol=near, atol=near)
    native.agrees(into_weight, g, numbers(x, real), weight, *rest, rtol=near, atol=near)
    native.agrees(FORWARD.gradients["bias"], g, rtol=near, atol=near)


def test_the_transposed_convolution_equals_numpy(native: Any, numbers: Any, real: Any) -> None:
    spread, near = OPERATIONS["convolution_input"], TOLERANCE[real] * 10
    for stride, padding, size in (((2, 2), (1, 1), (9, 9)), ((1, 1), (1, 1), (5, 5))):
        g, weight = numbers((2, 4, 5, 5), real), numbers((4, 2, 3, 3), real)
        rest = (size, stride, padding, (1, 1), 2)
        native.agrees(spread.kernel, g, weight, *rest, rtol=near, atol=near)
        back = numbers((2, 4, *size), real)
        by_g, by_weight = spread.gradients["g"], spread.gradients["weight"]
        native.agrees(by_g, back, weight, *rest[1:], rtol=near, atol=near)
        native.agrees(by_weight, back, g, weight.shape, *rest[1:], rtol=near, atol=near)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_value_reaches_the_windows_that_see_it(
    native: Any, numbers: Any, real: Any, bad: float
) -> None:
    x, weight = numbers((2, 2, 6, 6), real), numbers((3, 2, 3, 3), real)
    x[1, 0, 2, 3] = bad
    found = native(FORWARD.kernel, x, weight, None, (1, 1), (1, 1), (1, 1), 1)[0]
    expected = FORWARD.kernel(x, weight, None, (1, 1), (1, 1), (1, 1), 1)
    assert (np.isfinite(found) == np.isfinite(expected)).all()
    assert np.isfinite(expected).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_weight_reaches_what_it_reaches_in_numpy(
    native: Any, numbers: Any, real: Any, bad: float
) -> None:
    g, weight = numbers((2, 4, 3), real), numbers((4, 3, 3), real)
    weight[1, 2, 0] = bad
    arguments = (g, weight, (2, 3, 5), (1,), (0,), (1,), 1)
    found = native(FORWARD.gradients["input"], *arguments)[0]
    expected = FORWARD.gradients["input"](*arguments)
    assert (np.isnan(found) == np.isnan(expected)).all()


def test_no_samples_and_non_contiguous_input(native: Any, numbers: Any, real: Any) -> None:
    weight, rest = numbers((3, 2, 3, 3), real), ((1, 1), (1, 1), (1, 1), 1)
    empty = np.zeros((0, 2, 4, 4), real)
    native.agrees(FORWARD.kernel, empty, weight, numbers(3, real), *rest, rtol=0)
    x = numbers((4, 4, 2, 3), real).transpose(3, 2, 0, 1)
    near = TOLERANCE[real] * 5
    native.agrees(FORWARD.kernel, x, weight, None, *rest, rtol=near, atol=near)


def test_three_dimensions_stay_with_numpy(native: Any, real: Any) -> None:
    x, weight = np.ones((1, 1, 3, 3, 3), real), np.ones((1, 1, 2, 2, 2), real)
    assert native(FORWARD.kernel, x, weight, None, (1,) * 3, (0,) * 3, (1,) * 3, 1) is None


def test_infinity_spreads_from_few_places_to_many_as_in_eager(
    native: Any, numbers: Any, real: Any
) -> None:
    g, weight = numbers((1, 2, 2, 1), real), numbers((2, 1, 3, 8), real)
    g[0, 0, 1, 0] = np.inf
    arguments = (g, weight, (1, 1, 4, 8), (1, 1), (0, 0), (1, 1), 1)
    found = native(FORWARD.gradients["input"], *arguments)[0]
    expected = FORWARD.gradients["input"](*arguments)
    assert (np.isfinite(found) == np.isfinite(expected)).all()
    assert np.isfinite(expected).any()
