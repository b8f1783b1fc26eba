"""Native losses against the NumPy ones."""

from typing import Any

import numpy as np
import pytest

from gradcore.native.kernels import loss as lowerings  # noqa: F401  # enters them
from gradcore.ops.every import OPERATIONS

REDUCTIONS = ["none", "mean", "sum"]
SIZES = [(1, 1), (1, 5), (4, 3), (33, 10), (7, 129)]
TOLERANCE = {np.float32: 4e-6, np.float64: 1e-14}
ENTROPY, NLL = OPERATIONS["cross_entropy"], OPERATIONS["nll_loss"]
SQUARE, LOGISTIC = OPERATIONS["mse_loss"], OPERATIONS["logistic_loss"]


def classes(shape: Any) -> Any:
    return np.random.default_rng(3).integers(0, shape[1], shape[0])


def arriving(numbers: Any, shape: Any, real: Any, reduction: str) -> Any:
    return numbers(shape if reduction == "none" else (), real)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("ignored", [-100, 2])
def test_cross_entropy_equals_numpy(
    native: Any, numbers: Any, real: Any, shape: Any, reduction: str, ignored: int
) -> None:
    x, target, near = numbers(shape, real) * 3, classes(shape), TOLERANCE[real]
    native.agrees(ENTROPY.kernel, x, target, None, ignored, reduction, rtol=near, atol=near)
    assert not native.failed
    softmax = ENTROPY.kernel(x, target, None, ignored, reduction)[1]
    g = arriving(numbers, shape[:1], real, reduction)
    arguments = ([g, None], (True,), x, target, None, softmax, ignored, reduction)
    native.agrees(ENTROPY.joint, *arguments, rtol=near, atol=near)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("ignored", [-100, 2])
def test_likelihood_equals_numpy(
    native: Any, numbers: Any, real: Any, shape: Any, reduction: str, ignored: int
) -> None:
    x, target, near = numbers(shape, real), classes(shape), TOLERANCE[real]
    native.agrees(NLL.kernel, x, target, None, ignored, reduction, rtol=near, atol=near)
    g = arriving(numbers, shape[:1], real, reduction)
    arguments = (g, target, None, shape, ignored, reduction)
    native.agrees(NLL.gradients["input"], *arguments, rtol=near, atol=near)


@pytest.mark.parametrize("target", [-1, 3])
@pytest.mark.parametrize("op", [ENTROPY, NLL])
def test_a_class_out_of_range_is_told(native: Any, real: Any, op: Any, target: int) -> None:
    x = np.ones((2, 3), real)
    native(op.kernel, x, np.array([0, target]), None, -100, "mean")
    assert native.failed


def test_a_mean_over_nothing_is_nan(native: Any, real: Any) -> None:
    y, _ = native(ENTROPY.kernel, np.ones((2, 3), real), np.array([1, 1]), None, 1, "mean")
    assert np.isnan(y)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_scores_come_out_as_from_numpy(native: Any, real: Any, bad: float) -> None:
    x = np.array([[1, bad, 0], [0, 1, 2], [bad, bad, bad]], real)
    target = np.array([0, 1, 2])
    native.agrees(ENTROPY.kernel, x, target, None, -100, "none", rtol=4e-6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4), (2, 3, 2, 5)])
def test_weights_and_maps_of_classes_equal_numpy(
    native: Any, numbers: Any, real: Any, shape: Any, weighted: bool, reduction: str
) -> None:
    x, near = numbers(shape, real) * 3, TOLERANCE[real]
    count = shape[1] if len(shape) > 1 else shape[0]
    places = (*shape[:1], *shape[2:]) if len(shape) > 1 else ()
    target = np.asarray(np.random.default_rng(1).integers(0, count, places))
    weight = np.arange(count).astype(real) if weighted else None
    native.agrees(ENTROPY.kernel, x, target, weight, 1, reduction, rtol=near, atol=near)
    softmax = ENTROPY.kernel(x, target, weight, 1, reduction)[1]
    g = np.asarray(arriving(numbers, places, real, reduction))
    arguments = ([g, None], (True,), x, target, weight, softmax, 1, reduction)
    native.agrees(ENTROPY.joint, *arguments, rtol=near, atol=near)
    native.agrees(NLL.kernel, x, target, weight, 1, reduction, rtol=near, atol=near)
    arguments = (g, target, weight, shape, 1, reduction)
    native.agrees(NLL.gradients["input"], *arguments, rtol=near, atol=near)


def test_a_class_that_counts_nothing_may_have_an_infinite_loss(native: Any, real: Any) -> None:
    x, target = np.array([[1, -np.inf], [1, 2]], real), np.array([1, 0])
    weight = np.array([1, 0], real)
    native.agrees(ENTROPY.kernel, x, target, weight, -100, "mean", rtol=4e-6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2, 2000)])
def test_mean_square_equals_numpy(
    native: Any, numbers: Any, real: Any, shape: Any, reduction: str
) -> None:
    x, t, near = numbers(shape, real), numbers(shape, real), TOLERANCE[real]
    native.agrees(SQUARE.kernel, x, t, reduction, rtol=near)
    g = arriving(numbers, shape, real, reduction)
    for side in ("input", "target"):
        native.agrees(SQUARE.gradients[side], g, x, t, reduction, rtol=near, atol=near)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_logistic_loss_equals_numpy(native: Any, numbers: Any, real: Any, size: int) -> None:
    x, t, near = numbers(size, real) * 10, np.abs(numbers(size, real)) % 1, TOLERANCE[real]
    native.agrees(LOGISTIC.kernel, x, t, None, rtol=near, atol=near)
    g = numbers(size, real)
    native.agrees(LOGISTIC.gradients["input"], g, x, t, None, rtol=near, atol=near)


def test_logistic_loss_keeps_nan_and_infinity(native: Any, real: Any) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 500, -500], real)
    t = np.full(5, 0.5, real)
    native.agrees(LOGISTIC.kernel, x, t, None, rtol=1e-6)
    native.agrees(LOGISTIC.gradients["input"], t, x, t, None, rtol=1e-6)
