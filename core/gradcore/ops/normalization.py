"""Normalisation to mean 0 and variance 1 over some axes, with a scale and a shift after it."""

import math
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.ops.blocked import blocked_normalize, blocked_normalize_slope
from gradcore.ops.channels import normalize_channels, normalize_channels_slope
from gradcore.ops.linear import column_sum
from gradcore.ops.registry import T, operation
from gradcore.ops.sums import sum_of_columns, sum_of_rows

Ints = tuple[int, ...]


def _input_gradient(g: Any, x_hat: Any, inverse: Any, axes: Any) -> Any:
    """Return the gradient of ``x_hat = (x - mean) * inverse`` for a gradient of ``x_hat``."""
    n = _count(x_hat, axes)
    mean = g.sum(axes, keepdims=True) * (1.0 / n)
    if isinstance(g, np.ndarray):
        # The same as below, in two arrays that are written over.
        room = g * x_hat
        slope = room.sum(axes, keepdims=True) * (1.0 / n)
        total = np.subtract(g, mean)
        total -= np.multiply(x_hat, slope, out=room)
        total *= inverse
        return total
    slope = (g * x_hat).sum(axes, keepdims=True) * (1.0 / n)
    return (g - mean - x_hat * slope) * inverse


def _count(x: Any, axes: Any) -> int:
    return math.prod(x.shape[axis] for axis in axes)


def _shaped(parameter: Any, shape: Any) -> Any:
    return parameter if shape is None else parameter.reshape(shape)


def _parameter_gradient(g: Any, parameter_shape: Any, shape: Any) -> Any:
    """Sum down to a parameter that stands in ``shape`` (None: along the last axes)."""
    if shape is None:
        axes = tuple(range(len(g.shape) - len(parameter_shape)))
    else:
        axes = tuple(axis for axis, size in enumerate(shape) if size == 1)
    if shape is None and axes and len(parameter_shape) == 1 and isinstance(g, np.ndarray):
        return column_sum(g)
    total = g.sum(axes) if axes else g
    return total.reshape(parameter_shape)


def _gradient(
    g: Any,
    needs: Any,
    weight: Any,
    weight_shape: Any,
    bias_shape: Any,
    x_hat: Any,
    inverse: Any,
    axes: Any,
    shape: Any,
) -> Any:
    into_y, into_x_hat, into_inverse, into_mean, into_variance = g
    is_plain = needs[0] and all(item is None for item in g[1:])
    if is_plain and type(into_y) is np.ndarray and into_y.dtype == x_hat.dtype:
        if _in_blocks(x_hat, axes, shape):
            return _gradient_in_blocks(into_y, needs, weight, bias_shape, x_hat, inverse, axes)
        if _by_channel(x_hat, axes, shape):
            parts = normalize_channels_slope(into_y, x_hat, inverse, weight)
            return [part if need else None for part, need in zip(parts, needs, strict=True)]
        if x_hat.ndim == 2 and axes == (0,) and shape is not None and x_hat.size:
            return _slope_of_columns(into_y, x_hat, inverse, weight, needs)
    n = _count(x_hat, axes)
    results: list[Any] = [None, None, None]
    if needs[0]:
        total = None
        if into_y is not None:
            total = into_y if weight is None else into_y * _shaped(weight, shape)
        if into_x_hat is not None:
            total = into_x_hat if total is None else total + into_x_hat
        if total is not None:
            results[0] = _input_gradient(total, x_hat, inverse, axes)
        if into_inverse is not None:
            # inverse = (var + eps) ** -0.5, and x - mean = x_hat / inverse.
            scale = into_inverse * inverse * inverse * (-1.0 / n)
            results[0] = _sum(results[0], x_hat * scale)
        if into_variance is not None:
            results[0] = _sum(results[0], x_hat * (into_variance / inverse * (2.0 / n)))
        if into_mean is not None:
            results[0] = _sum(results[0], x_hat * 0.0 + into_mean * (1.0 / n))
    if needs[1] and into_y is not None:
        results[1] = _parameter_gradient(into_y * x_hat, weight_shape, shape)
    if needs[2] and into_y is not None:
        results[2] = _parameter_gradient(into_y, bias_shape, shape)
    return results


def _slope_of_columns(g: Array, x_hat: Array, inverse: Array, weight: Any, needs: Any) -> Any:
    """Return the same of a matrix whose columns were normalised."""
    room = g * x_hat
    along, total = sum_of_rows(room), sum_of_rows(g)
    share = g.dtype.type(-1.0 / len(g))
    np.multiply(x_hat, along * share, out=room)
    room += g
    room += total * share
    room *= inverse if weight is None else inverse * weight
    parts = room, along, total
    return [part if need else None for part, need in zip(parts, needs, strict=True)]


def _in_blocks(x: Any, axes: Ints, shape: Ints | None) -> bool:
    """Tell whether the last axes are normalised, of an array that is worth going through so."""
    if type(x) is not np.ndarray or shape is not None or x.dtype.char not in "fd":
        return False
    last = tuple(range(x.ndim - len(axes), x.ndim))
    return axes == last and x.size >= 1 << 14 and x.flags.c_contiguous and _count(x, axes) >= 8


def _by_channel(x: Any, axes: Ints, shape: Ints | None) -> bool:
    """Tell whether channels are normalised, of an array that is worth going through so."""
    return (
        type(x) is np.ndarray
        and shape is not None
        and x.ndim > 2
        and x.size >= 1 << 12
        and x.dtype.char in "fd"
        and axes == (0, *range(2, x.ndim))
        and x.flags.c_contiguous
    )


def _as_row(parameter: Array | None) -> Any:
    return None if parameter is None else np.ascontiguousarray(parameter).reshape(-1)


def _gradient_in_blocks(
    g: Any, needs: Any, weight: Any, bias_shape: Any, x_hat: Any, inverse: Any, axes: Any
) -> Any:
    width = _count(x_hat, axes)
    g = np.ascontiguousarray(g)
    rows = g.reshape(-1, width)
    scale = _as_row(weight)
    into_x, into_weight = blocked_normalize_slope(
        rows, x_hat.reshape(-1, width), inverse.reshape(-1, 1), scale
    )
    return [
        into_x.reshape(x_hat.shape),
        into_weight.reshape(weight.shape) if needs[1] else None,
        sum_of_rows(rows).reshape(bias_shape) if needs[2] else None,
    ]


def _sum(total: Any, added: Any) -> Any:
    return added if total is None else total + added


def _norm_name(node: Any) -> str:
    shape = node.op.saved_value(node, "shape")
    return "NativeLayerNorm" if shape is None or shape[0] is None else "NativeBatchNorm"


def _mean(x: Any, axes: Ints) -> Any:
    if axes == (0,) and x.ndim == 2 and x.dtype.kind == "f" and x.size:
        return (sum_of_rows(x) * x.dtype.type(1.0 / len(x))).reshape((1, -1))
    return x.mean(axes, keepdims=True)


@operation(
    "normalize",
    inputs=3,
    outputs=("y", "x_hat", "inverse", "mean", "variance"),
    joint=_gradient,
    functions=False,
    samples=[
        (T(4, 3), T(3), T(3), (0,), (1, 3), 1e-5),
        (T(2, 3, 4), T(4), T(4), (2,), None, 1e-5),
        (T(2, 3, 4), None, None, (0, 2), (1, 3, 1), 1e-5),
    ],
    parity=None,
    grad_name=_norm_name,
)
def normalize(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    axes: Ints,
    shape: Ints | None,
    eps: float,
) -> Any:
    """Return the normalised input, scaled and shifted, and what it was made from."""
    plain = all(p is None or p.dtype == input.dtype for p in (weight, bias))
    if plain and _in_blocks(input, axes, shape):
        rows = input.reshape(-1, _count(input, axes))
        scale, shift = _as_row(weight), _as_row(bias)
        y, x_hat, *columns = blocked_normalize(rows, scale, shift, eps)
        column = input.shape[: input.ndim - len(axes)] + (1,) * len(axes)
        inverse, mean, variance = (a.reshape(column) for a in columns)
        return y.reshape(input.shape), x_hat.reshape(input.shape), inverse, mean, variance
    if plain and _by_channel(input, axes, shape):
        y, x_hat, *numbers = normalize_channels(input, weight, bias, eps)
        inverse, mean, variance = (a.reshape(shape) for a in numbers)
        return y, x_hat, inverse, mean, variance
    mean = _mean(input, axes)
    x_hat = input - mean
    room = np.square(x_hat)
    variance = _mean(room, axes)
    inverse = 1.0 / np.sqrt(variance + eps)
    x_hat *= inverse
    if weight is None:
        y = x_hat.copy()
    else:
        same = weight.dtype == room.dtype
        y = np.multiply(x_hat, _shaped(weight, shape), out=room if same else None)
    if bias is not None:
        y += _shaped(bias, shape)
    return y, x_hat, inverse, mean, variance


def _over_channels(parameter: Any, dims: int) -> Any:
    return parameter.reshape((1, -1) + (1,) * (dims - 2))


def _are_long(*arrays: Any) -> bool:
    """Tell whether arrays (samples, channels, ...) are worth other steps than the plain ones."""
    first = arrays[0]
    return first.ndim > 2 and all(
        type(x) is np.ndarray
        and x.flags.c_contiguous
        and x.dtype.char in "fd"
        and x.dtype == first.dtype
        and x.shape == first.shape
        and x.size >= max(1 << 15, 64 * x.shape[0] * x.shape[1])
        for x in arrays
    )


def _each_place(parameter: Array, x: Array) -> Any:
    """Return one number a channel as often as there are places: NumPy is twice as fast so."""
    return np.repeat(parameter, x[0, 0].size)


def _times_channels(x: Any, weight: Any) -> Any:
    if type(x) is np.ndarray and weight.dtype == x.dtype and len(x) > 1 and _are_long(x):
        return (x.reshape(len(x), -1) * _each_place(weight, x)).reshape(x.shape)
    return x * _over_channels(weight, len(x.shape))


def _products_of_channels(g: Any, x: Any) -> Any:
    """Return the sums of ``g * x`` over all axes but the second."""
    if type(g) is np.ndarray and _are_long(g, x):
        rows = g.shape[0] * g.shape[1]
        return np.vecdot(g.reshape(rows, -1), x.reshape(rows, -1)).reshape(g.shape[:2]).sum(0)
    return _sum_to_channels(g * x)


def _sum_to_channels(x: Any) -> Any:
    """Sum over all axes but the second."""
    count, channels = x.shape[:2]
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f" or not x.size:
        return x.sum((0, *range(2, len(x.shape))))
    if x.ndim == 2:
        return sum_of_rows(x)
    # Row by row first, as products with ones.
    return sum_of_columns(x.reshape(count * channels, -1)).reshape(count, channels).sum(0)


@operation(
    "scale_channels",
    inputs=3,
    gradient={
        "input": lambda g, weight: _times_channels(g, weight),
        "weight": lambda g, input: _products_of_channels(g, input),
        "bias": lambda g: _sum_to_channels(g),
    },
    functions=False,
    samples=[(T(2, 3, 4), T(3), T(3)), (T(4, 3), T(3), T(3)), (T(2, 3, 2, 2), T(3), T(3))],
    parity=None,
    grad_name="Add",
)
def scale_channels(input: Array, weight: Array, bias: Array) -> Any:
    """Multiply each channel by one number and add another."""
    out = _times_channels(input, weight)
    if type(out) is np.ndarray and bias.dtype == out.dtype and len(out) > 1 and _are_long(out):
        rows = out.reshape(len(out), -1)
        rows += _each_place(bias, out)
    else:
        out += _over_channels(bias, input.ndim)
    return out
