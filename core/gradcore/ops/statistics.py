"""Softmax, logsumexp, variances and norms."""

import math
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array
from gradcore.errors import ArgumentError, DtypeError, ShapeError, UnsupportedDtypeError
from gradcore.ops.blocked import blocked_softmax, blocked_softmax_slope, worth_blocks
from gradcore.ops.comparison import sgn
from gradcore.ops.elementwise import to_float
from gradcore.ops.numbers import long_name
from gradcore.ops.reduction import (
    _ADD,
    _MAXIMUM,
    _MINIMUM,
    along,
    amax,
    amin,
    count,
    mean,
    mean_of,
    return_type,
    sum_,
    sum_of,
)
from gradcore.ops.registry import CALLS, FUNCTIONS, S, T, composite, operation
from gradcore.ops.shape import axes, axis, spread, to_dtype

# --- softmax and logsumexp


def softmax_array(x: Array, dim: int) -> Any:
    """Return softmax of an array along ``dim``."""
    if x.ndim == 0:
        return np.ones_like(x)
    if worth_blocks(x, dim):
        return blocked_softmax(x)
    e = np.exp(x - _MAXIMUM.reduce(x, axis=dim, keepdims=True, initial=-np.inf))
    e /= _ADD.reduce(e, axis=dim, keepdims=True)
    return e


def _softmax_slope(g: Any, y: Any, dim: int) -> Any:
    if not len(y.shape):
        return g * 0.0
    if type(g) is np.ndarray and worth_blocks(y, dim) and g.flags.c_contiguous:
        return blocked_softmax_slope(g, y)
    return (g - sum_of(g * y, dim, True)) * y


@operation(
    "softmax",
    gradient={"input": lambda g, y, dim: _softmax_slope(g, y, dim)},
    functions=False,
    parity=None,
)
def softmax_of(input: Array, dim: int) -> Any:
    """Return values along ``dim`` made positive and to sum to 1."""
    _need_float("softmax", input)
    return softmax_array(input, axis(dim, input.ndim))


def _need_float(name: str, input: Array) -> None:
    if input.dtype.kind in "iub":
        raise UnsupportedDtypeError(
            f"\"{name}_lastdim_kernel_impl\" not implemented for '{dtypes.of(input)}'",
            f"The input has shape {input.shape}.",
            "Convert it first, for instance with .float().",
        )


@operation(
    "log_softmax",
    gradient={
        "input": lambda g, y, dim: (
            g - FUNCTIONS["exp"](y) * sum_of(g, dim, True) if len(y.shape) else g * 0.0
        )
    },
    functions=False,
    parity=None,
)
def log_softmax_of(input: Array, dim: int) -> Any:
    """Return the logarithm of softmax, exact also where softmax is near 0."""
    _need_float("log_softmax", input)
    where = axis(dim, input.ndim)
    if input.ndim == 0:
        return np.zeros_like(input)
    shifted = input - _MAXIMUM.reduce(input, axis=where, keepdims=True, initial=-np.inf)
    shifted -= np.log(_ADD.reduce(np.exp(shifted), axis=where, keepdims=True))
    return shifted


def _soft(name: str, op: Any) -> Any:
    def call(input: Any, dim: Any = None, dtype: Any = None) -> Any:
        if dim is None:
            raise ArgumentError(f'{name}() missing 1 required positional arguments: "dim"')
        return op(input if dtype is None else input.to(dtype), dim)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = op.__doc__
    return composite(name, methods=True, samples=[(T(2, 3), 1), (T(2, 3, 4), 1), (T(3), 0)])(call)


softmax = _soft("softmax", softmax_of)
log_softmax = _soft("log_softmax", log_softmax_of)


@operation(
    "logsumexp",
    gradient={
        "input": lambda g, input, y, dim, keepdim: (
            spread(g, input.shape, dim, keepdim)
            * FUNCTIONS["exp"](input - spread(y, input.shape, dim, keepdim))
        )
    },
    methods=True,
    samples=[(T(2, 3), 1), (T(2, 3, 4), (0, 2)), S(T(2, 3), dim=0, keepdim=True)],
)
def logsumexp(input: Array, dim: Any, keepdim: bool = False) -> Any:
    """Return ``log(sum(exp(input)))`` without overflow."""
    (input,) = to_float(input)
    where = along(dim, input.ndim)
    top = _MAXIMUM.reduce(input, axis=where, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(input.dtype)
    total = np.log(_ADD.reduce(np.exp(input - top), axis=where, keepdims=True)) + top
    return total if keepdim else total.reshape(_without(input.shape, dim))


def _without(shape: Any, dim: Any) -> tuple[int, ...]:
    gone = axes(dim, len(shape))
    return tuple([n for i, n in enumerate(shape) if i not in gone])


# --- spread of values


def _correction(unbiased: Any, correction: Any) -> Any:
    if correction is not None:
        return correction
    return 1 if unbiased is None or unbiased else 0


def _var_back(g: Any, input: Any, dim: Any, correction: Any, keepdim: bool) -> Any:
    n = count(input.shape, dim)
    centred = input - mean_of(input, dim, True)
    return spread(g, input.shape, dim, keepdim) * (
        centred * (2.0 / max(n - correction, 0) if n > correction else math.nan)
    )


@operation("var", gradient={"input": _var_back}, functions=False, parity=None)
def var_of(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Return the variance; divided by the count less ``correction``."""
    if input.dtype.kind not in "fc":
        raise DtypeError(
            "std and var only support floating point and complex dtypes",
            f"The input has dtype {dtypes.of(input)}.",
            "Convert it first, for instance with .float().",
        )
    where = along(dim, input.ndim)
    n = count(input.shape, dim)
    middle = _ADD.reduce(input, axis=where, keepdims=True) / max(n, 1)
    centred = input - middle.astype(input.dtype)
    total = _ADD.reduce((centred * centred.conj()).real, axis=where, keepdims=keepdim)
    left = max(n - correction, 0)
    return (total / left if left else total * math.nan).astype(total.dtype)


def _std_back(g: Any, input: Any, y: Any, dim: Any, correction: Any, keepdim: bool) -> Any:
    flat = y == 0
    slope = g / (y * 2.0)
    return _var_back(FUNCTIONS["where"](flat, 0.0, slope), input, dim, correction, keepdim)


@operation("std", gradient={"input": _std_back}, functions=False, parity=None)
def std_of(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Return the square root of the variance."""
    return np.sqrt(var_of(input, dim, correction, keepdim))


def _spread_of_values(name: str, op: Any) -> Any:
    def call(
        input: Any,
        dim: Any = None,
        unbiased: Any = None,
        keepdim: bool = False,
        *,
        correction: Any = None,
        axis: Any = None,
    ) -> Any:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        dim = axis if dim is None else dim
        return op(input, dim, _correction(unbiased, correction), keepdim)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = op.__doc__
    samples = [
        (T(2, 3),),
        (T(2, 3), 0),
        S(T(2, 3, 4), dim=(0, 2), keepdim=True),
        S(T(2, 3), dim=1, unbiased=False),
        S(T(2, 3), dim=1, correction=0),
    ]
    return composite(name, methods=True, samples=samples)(call)


var = _spread_of_values("var", var_of)
std = _spread_of_values("std", std_of)


@composite("var_mean", samples=[(T(2, 3),), (T(2, 3), 0)])
def var_mean(input: Any, dim: Any = None, **options: Any) -> Any:
    """Return (variance, mean)."""
    return var(input, dim, **options), mean(input, dim, options.get("keepdim", False))


@composite("std_mean", samples=[(T(2, 3),), (T(2, 3), 0)])
def std_mean(input: Any, dim: Any = None, **options: Any) -> Any:
    """Return (standard deviation, mean)."""
    return std(input, dim, **options), mean(input, dim, options.get("keepdim", False))


# --- norms


def _norm_back(g: Any, input: Any, y: Any, p: float, dim: Any, keepdim: bool) -> Any:
    shape = input.shape
    g, y = spread(g, shape, dim, keepdim), spread(y, shape, dim, keepdim)
    where = FUNCTIONS["where"]
    if p == 0:
        return g * 0.0
    if p == 1:
        return g * sgn(input)
    if p == 2:
        return where(y == 0, 0.0, g * (input / y))
    if math.isinf(p):
        hit = FUNCTIONS["abs"](input) == y
        hit = hit * 1.0 if not hasattr(hit, "_a") else to_dtype(hit, g._a.dtype)
        return g * sgn(input) * (hit / sum_of(hit, dim, True))
    size = FUNCTIONS["abs"](input)
    slope = sgn(input) * size ** (p - 1) * y ** (1 - p)
    return where(y == 0, 0.0, g * slope)


@operation(
    "vector_norm",
    gradient={"input": _norm_back},
    functions=False,
    parity=None,
    grad_name="LinalgVectorNorm",
)
def norm_of(input: Array, p: float, dim: Any, keepdim: bool) -> Any:
    """Return the p-norm of the values."""
    where = along(dim, input.ndim)
    if input.dtype.kind in "iub":
        raise DtypeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{long_name(input)}",
            f"The input has shape {input.shape}.",
            "Convert it first, for instance with .float().",
        )
    size = np.abs(input)
    if p == 2:
        return np.sqrt(_ADD.reduce(size * size, axis=where, keepdims=keepdim))
    if p == 1:
        return _ADD.reduce(size, axis=where, keepdims=keepdim)
    if p == 0:
        return _ADD.reduce((size != 0).astype(size.dtype), axis=where, keepdims=keepdim)
    if p == math.inf:
        return _MAXIMUM.reduce(size, axis=where, keepdims=keepdim, initial=0)
    if p == -math.inf:
        return _MINIMUM.reduce(size, axis=where, keepdims=keepdim)
    total = _ADD.reduce(size**p, axis=where, keepdims=keepdim)
    return (total ** (1 / p)).astype(size.dtype)


@composite(
    "norm",
    methods=True,
    samples=[
        (T(2, 3),),
        S(T(2, 3), dim=1),
        S(T(2, 3), p=1, dim=0),
        S(T(2, 3), p=3, dim=1),
        S(T(2, 3), p=float("inf"), dim=1, keepdim=True),
    ],
)
def norm(
    input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    """Return the p-norm of all values, or along dimensions."""
    if dtype is not None:
        input = input.to(dtype)
    if p == "nuc":
        pair = (-2, -1) if dim is None else dim
        return CALLS.matrix_norm(input, "nuc", pair, keepdim)
    if isinstance(p, str) and p != "fro":
        raise ShapeError(f"linalg.matrix_norm: Order {p} not supported.", "", "Use 'fro' or 'nuc'.")
    order = 2.0 if p in ("fro", None) else float(p)
    return norm_of(input, order, dim, keepdim)


@composite("dist", methods=True, samples=[(T(2, 3), T(2, 3)), (T(2, 3), T(3), 1)])
def dist(input: Any, other: Any, p: float = 2) -> Any:
    """Return the p-norm of the difference."""
    return norm(input - other, p)


@composite("count_nonzero", methods=True, samples=[(T(2, 3),), (T(2, 3), 1)])
def count_nonzero(input: Any, dim: Any = None) -> Any:
    """Return how many values are not zero."""
    return sum_(input != 0, dim)


@composite("aminmax", methods=True, samples=[(T(2, 3),), S(T(2, 3), dim=1)])
def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """Return (smallest, largest)."""
    pack = return_type("aminmax", "min", "max")
    return pack(amin(input, dim, keepdim), amax(input, dim, keepdim))
