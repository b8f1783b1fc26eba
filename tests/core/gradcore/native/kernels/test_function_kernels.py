"""The mathematical functions of kernels against NumPy's, and blocked products against its own."""

import ctypes
import math
from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore.native import machine
from gradcore.native.entry import kernel
from gradcore.native.kernels import blas
from gradcore.native.kernels.blas import multiply
from gradcore.native.kernels.functions import (
    TURNS_IN_FLOAT32,
    cosine,
    erf,
    exp,
    expm1,
    log,
    log1p,
    sigmoid,
    sine,
    softplus,
    tanh,
)
from gradcore.native.kernels.values import maximum, minimum
from gradcore.native.memory import pointer

CALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


@kernel()
def every_function(a: Any, f: Any) -> None:
    """Write each function of all values, one row each."""
    x, y, n = pointer(a[0], f), pointer(a[1], f), a[2]
    for i in range(n):
        y[i] = exp(x[i])
    for i in range(n):
        y[n + i] = expm1(x[i])
    for i in range(n):
        y[2 * n + i] = tanh(x[i])
    for i in range(n):
        y[3 * n + i] = sigmoid(x[i])
    for i in range(n):
        y[4 * n + i] = log(x[i])
    for i in range(n):
        y[5 * n + i] = log1p(x[i])
    for i in range(n):
        y[6 * n + i] = softplus(x[i])
    for i in range(n):
        y[7 * n + i] = erf(x[i])


@kernel()
def both_turns(a: Any, f: Any) -> None:
    """Write sine and cosine of all values, one row each."""
    x, y, n = pointer(a[0], f), pointer(a[1], f), a[2]
    for i in range(n):
        y[i] = sine(x[i])
    for i in range(n):
        y[n + i] = cosine(x[i])


@kernel()
def extremes(a: Any, f: Any) -> None:
    """Write the largest and the smallest value."""
    x, y, n = pointer(a[0], f), pointer(a[1], f), a[2]
    top = low = x[0]
    for i in range(n):
        top = maximum(top, x[i])
        low = minimum(low, x[i])
    y[0], y[1] = top, low


@kernel(blas=True)
def product(a: Any, f: Any) -> None:
    """Multiply: first, second, result, limit, whether turned, m, n, k, whether added."""
    first, second, result = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f)
    row = a[5] if a[4] else a[7]
    multiply(a[3], a[4], a[5], a[6], a[7], first, row, second, a[6], a[8], result, a[6])


def run(kernel: Any, dtype: Any, *words: Any) -> None:
    row = np.array([w.ctypes.data if isinstance(w, np.ndarray) else w for w in words])
    unused = np.zeros(1, dtype)
    CALL(machine.address(kernel, np.dtype(dtype)))(row.ctypes.data, unused.ctypes.data)


def expected(x: Any) -> dict[str, Any]:
    x = x.astype(np.float64)
    with np.errstate(all="ignore"):
        return {
            "exp": np.exp(x),
            "expm1": np.expm1(x),
            "tanh": np.tanh(x),
            "sigmoid": 1 / (1 + np.exp(-x)),
            "log": np.log(x),
            "log1p": np.log1p(x),
            "softplus": np.logaddexp(x, 0),
            "erf": np.array([math.erf(value) for value in x]),
        }


def test_functions_are_exact_to_a_few_units_in_the_last_place(numbers: Any, real: Any) -> None:
    scales = (1e-4, 0.3, 1, 5, 15)
    x = np.concatenate([numbers(3001, real) * real(scale) for scale in scales])
    y = np.empty((8, x.size), real)
    run(every_function, real, x, y, x.size)
    for (name, exact), found in zip(expected(x).items(), y, strict=True):
        known = np.isfinite(exact)
        assert (np.isfinite(found) == np.isfinite(exact.astype(real))).all(), name
        wanted = exact[known].astype(real)
        units = np.abs(found[known] - wanted) / np.spacing(np.abs(wanted))
        # The double itself, to which doubles are compared, is off by one or two.
        assert units.max() <= 5, name


def test_functions_of_nan_infinity_and_zero_are_those_of_numpy(real: Any) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e4, -1e4] * 3, real)
    y = np.empty((8, x.size), real)
    run(every_function, real, x, y, x.size)
    for (name, exact), found in zip(expected(x).items(), y, strict=True):
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(found, exact.astype(real), rtol=1e-6, err_msg=name)


def test_sines_are_exact_over_many_turns(numbers: Any, real: Any) -> None:
    far = numbers(30_001, np.float64).clip(-4, 4) * (TURNS_IN_FLOAT32 / 4)
    x = np.concatenate([far, far / 1000, [0.0, -0.0, np.nan]]).astype(real)
    y = np.empty((2, x.size), real)
    run(both_turns, real, x, y, x.size)
    exact = x.astype(np.float64)
    near = 2e-7 if real is np.float32 else 1e-15
    np.testing.assert_allclose(y, [np.sin(exact), np.cos(exact)], rtol=0, atol=near)
    np.testing.assert_array_equal(np.signbit(y[0, -3:-1]), [False, True])


def test_a_native_step_knows_sines_of_any_size() -> None:
    weight = gradcore.nn.Parameter(gradcore.ones(9))

    def step(x: Any) -> Any:
        weight.grad = None
        turned = (x * weight).sin() + (x * weight).cos()
        turned.sum().backward()
        return turned.detach()

    call = gradcore.compile(step, mode="native")
    near = gradcore.linspace(-3.0, 3.0, 9)
    far = gradcore.tensor([1e-3, 4e3, -5e3, 1e6, -1e20, 3e38, -0.0, float("inf"), float("nan")])
    for x in (near, near * 2, near, near, far):
        found, gradient = call(x), weight.grad
        np.testing.assert_allclose(found, step(x), rtol=0, atol=5e-7)
        np.testing.assert_allclose(gradient, weight.grad, rtol=1e-5, atol=1e-6)
    assert call.mode == "native", call.report


@pytest.mark.parametrize("bad", [None, np.nan])
def test_extremes_are_those_of_numpy_and_keep_nan(numbers: Any, real: Any, bad: Any) -> None:
    for size in (1, 15, 100):
        x, y = numbers(size, real), np.empty(2, real)
        if bad is not None:
            x[size // 2] = bad
        run(extremes, real, x, y, size)
        np.testing.assert_array_equal(y, [x.max(), x.min()])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("size", [(1, 1, 1), (70, 90, 110), (130, 300, 50), (9, 513, 300)])
def test_products_in_blocks_equal_whole_ones(
    numbers: Any, real: Any, size: Any, turned: bool
) -> None:
    if not blas.is_available():
        pytest.skip("NumPy has no BLAS with 64-bit sizes here")
    m, n, k = size
    first, second = numbers((m, k), real), numbers((k, n), real)
    given = np.ascontiguousarray(first.T) if turned else first
    near = 1e-4 if real is np.float32 else 1e-11
    for limit in (0, 5_000, 1_000_000):
        result = np.full((m, n), np.nan, real)
        for add, times in ((0, 1), (1, 2)):
            run(product, real, given, second, result, limit, int(turned), m, n, k, add)
            np.testing.assert_allclose(result, first @ second * real(times), rtol=near, atol=near)
