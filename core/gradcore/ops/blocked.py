"""Kernels that go through long arrays block by block, so that what they need stays in the cache.

A chain of element-wise steps over a large array is limited by memory, not by arithmetic.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcore.dtypes import Array

_BLOCK = 1 << 15
_ROWS = 1 << 17
"""How many values of rows are worked on at once: with few steps for each, calls cost more."""
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)
# The normal distribution's cumulative function is (1 + tanh(x P(x^2))) / 2. P was fitted to
# |x| <= 5.8 for the smallest largest error of the function: 3e-8, below single precision.
# Beyond, the tanh is 1: P's first coefficient is positive and x P stays above 10.
_P = tuple(
    np.float32(coefficient)
    for coefficient in (
        1.756170613914394e-09,
        -1.3226333569471297e-07,
        3.964744377304247e-06,
        -5.53061935363147e-05,
        -3.259497587054414e-05,
        3.6333084574104696e-02,
        7.978849414603593e-01,
    )
)
_HALF = np.float32(0.5)


def blocked_gelu(input: Array) -> tuple[Array, Array]:
    """Return GELU in single precision, and the normal distribution's cumulative function."""
    x = np.ascontiguousarray(input)
    y, cumulative = np.empty_like(x), np.empty_like(x)
    flat_x, flat_y, flat_c = x.reshape(-1), y.reshape(-1), cumulative.reshape(-1)
    room = np.empty(min(_BLOCK, flat_x.size), np.float32)
    for start in range(0, flat_x.size, _BLOCK):
        part = flat_x[start : start + _BLOCK]
        c = flat_c[start : start + _BLOCK]
        squared = np.multiply(part, part, out=room[: part.size])
        np.multiply(squared, _P[0], out=c)
        for coefficient in _P[1:-1]:
            c += coefficient
            c *= squared
        c += _P[-1]
        c *= part
        np.tanh(c, out=c)
        c *= _HALF
        c += _HALF
        np.multiply(part, c, out=flat_y[start : start + _BLOCK])
    return y.reshape(input.shape), cumulative.reshape(input.shape)


def single_erf(input: Array) -> Array:
    """Return the error function in single precision, by the same formula."""
    x = input * np.float32(math.sqrt(2.0))
    squared = np.square(x)
    total = squared * _P[0]
    for coefficient in _P[1:-1]:
        total += coefficient
        total *= squared
    total += _P[-1]
    total *= x
    return np.tanh(total, out=total)


def blocked_gelu_slope(g: Array, input: Array, cumulative: Array) -> Any:
    """Return ``g * (cumulative + x * density(x))``."""
    shape, dtype = input.shape, input.dtype
    g, x, c = (np.ascontiguousarray(item).reshape(-1) for item in (g, input, cumulative))
    out = np.empty(x.size, dtype)
    for start in range(0, x.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        slope = np.multiply(x[part], x[part], out=out[part])
        slope *= dtype.type(-0.5)
        np.exp(slope, out=slope)
        slope *= dtype.type(_DENSITY)
        slope *= x[part]
        slope += c[part]
        slope *= g[part]
    return out.reshape(shape)


def blocked_softmax(x: Array) -> Array:
    """Return softmax along the last axis of an array without gaps."""
    out = np.empty_like(x)
    width = x.shape[-1]
    rows, into = x.reshape(-1, width), out.reshape(-1, width)
    step = max(1, _ROWS // max(1, width))
    ones = np.ones((width, 1), x.dtype)
    for start in range(0, len(rows), step):
        part, e = rows[start : start + step], into[start : start + step]
        top = np.maximum.reduce(part, axis=1, keepdims=True, initial=-np.inf)
        np.exp(np.subtract(part, top, out=e), out=e)
        e /= np.matmul(e, ones)
    return out


def blocked_softmax_slope(g: Array, y: Array) -> Array:
    """Return ``(g - sum(g * y)) * y``, summed along the last axis of arrays without gaps."""
    out = np.empty_like(y)
    width = y.shape[-1]
    rows, values, into = g.reshape(-1, width), y.reshape(-1, width), out.reshape(-1, width)
    step = max(1, _ROWS // max(1, width))
    ones = np.ones((width, 1), y.dtype)
    for start in range(0, len(rows), step):
        at = slice(start, start + step)
        now = np.multiply(rows[at], values[at], out=into[at])
        np.subtract(rows[at], np.matmul(now, ones), out=now)
        now *= values[at]
    return out


def _tiled(row: Array | None, count: int) -> Any:
    """Return a row as often as asked for: to multiply by that is quicker than by one row."""
    return None if row is None else np.tile(row, (count, 1))


def blocked_normalize(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Array, Array]:
    """Return rows with mean 0 and variance 1, scaled and shifted, as ``normalize`` does.

    Next to the result stand the rows before scale and shift, what they were multiplied by, and
    mean and variance, each as a column.
    """
    count, width = x.shape
    y, x_hat = np.empty_like(x), np.empty_like(x)
    mean, inverse, variance = (np.empty((count, 1), x.dtype) for _ in range(3))
    part_of_one = x.dtype.type(1.0 / width)
    share = np.full((width, 1), part_of_one, x.dtype)
    step = min(count, max(1, _ROWS // width))
    weights, biases = _tiled(weight, step), _tiled(bias, step)
    for start in range(0, count, step):
        at = slice(start, start + step)
        now, out = x_hat[at], y[at]
        np.subtract(x[at], np.matmul(x[at], share, out=mean[at]), out=now)
        spread = np.vecdot(now, now, out=variance[at][:, 0])[:, None]
        spread *= part_of_one
        np.sqrt(spread + x.dtype.type(eps), out=inverse[at])
        np.divide(1, inverse[at], out=inverse[at])
        now *= inverse[at]
        if weights is None:
            np.copyto(out, now)
        else:
            np.multiply(now, weights[: len(now)], out=out)
        if biases is not None:
            out += biases[: len(now)]
    return y, x_hat, inverse, mean, variance


def blocked_normalize_slope(
    g: Array, x_hat: Array, inverse: Array, weight: Array | None
) -> tuple[Array, Array]:
    """Return the gradients of the rows before they were normalised, and of the weight."""
    count, width = x_hat.shape
    out, into_weight = np.empty_like(x_hat), np.zeros(width, x_hat.dtype)
    part_of_one = x_hat.dtype.type(1.0 / width)
    share = np.full((width, 1), part_of_one, x_hat.dtype)
    step = min(count, max(1, _ROWS // width))
    room = np.empty((step, width), x_hat.dtype)
    weights = _tiled(weight, step)
    for start in range(0, count, step):
        at = slice(start, start + step)
        now, values, part = out[at], x_hat[at], room[: len(x_hat[at])]
        if weights is None:
            np.copyto(now, g[at])
        else:
            into_weight += np.einsum("ij,ij->j", g[at], values)
            np.multiply(g[at], weights[: len(part)], out=now)
        slope = np.vecdot(now, values)[:, None]
        slope *= part_of_one
        now -= np.matmul(now, share)
        now -= np.multiply(values, slope, out=part)
        now *= inverse[at]
    return out, into_weight


def _heads(lead: tuple[int, ...], size: int) -> Iterator[Any]:
    """Yield the indices of some heads at a time, whose scores (``size`` each) fit the cache."""
    step = max(1, 2 * _BLOCK // size)
    for first in np.ndindex(lead[:-1]):
        for start in range(0, lead[-1], step):
            yield (*first, slice(start, start + step))


def blocked_attention(
    query: Array, key: Array, value: Array, bias: Array | None, factor: float
) -> tuple[Array, Array]:
    """Return the values weighted by how well their keys fit each query, and the weights.

    ``bias`` is added to the scores of every head.
    """
    lead, rows, columns = query.shape[:-2], query.shape[-2], key.shape[-2]
    weights = np.empty((*lead, rows, columns), query.dtype)
    y = np.empty((*lead, rows, value.shape[-1]), query.dtype)
    ones = np.ones((columns, 1), query.dtype)
    for at in _heads(lead, rows * columns):
        now = weights[at]
        np.matmul(query[at] * factor, key[at].swapaxes(-1, -2), out=now)
        if bias is not None:
            now += bias
        now -= np.maximum.reduce(now, axis=-1, keepdims=True, initial=-np.inf)
        np.exp(now, out=now)
        now /= np.matmul(now, ones)
        np.matmul(now, value[at], out=y[at])
    return y, weights


def blocked_attention_slope(
    back: Array, query: Array, key: Array, value: Array, weights: Array, factor: float
) -> tuple[Array, Array, Array]:
    """Return the gradients of queries, keys and values."""
    lead, size = weights.shape[:-2], weights.shape[-2] * weights.shape[-1]
    into_query, into_key, into_value = (
        np.empty((*lead, *x.shape[-2:]), x.dtype) for x in (query, key, value)
    )
    ones = np.ones((weights.shape[-1], 1), weights.dtype)
    for at in _heads(lead, size):
        now, g = weights[at], back[at]
        slope = np.matmul(g, value[at].swapaxes(-1, -2))
        slope -= np.matmul(slope * now, ones)
        slope *= now
        np.matmul(slope, key[at], out=into_query[at])
        np.matmul(slope.swapaxes(-1, -2), query[at], out=into_key[at])
        np.matmul(now.swapaxes(-1, -2), g, out=into_value[at])
    into_query *= factor
    into_key *= factor
    return into_query, into_key, into_value


def worth_heads(query: Array, key: Array, value: Array) -> bool:
    """Tell whether attention is better gone through some heads at a time."""
    lead, size = query.shape[:-2], query.shape[-2] * key.shape[-2]
    return (
        bool(lead)
        and key.shape[:-2] == value.shape[:-2] == lead
        and lead[-1] * size >= _BLOCK
        and query.dtype == key.dtype == value.dtype
        and query.dtype.kind == "f"
    )


def worth_blocks(x: Array, dim: int) -> bool:
    """Tell whether rows along ``dim`` are better gone through block by block."""
    last = dim in (-1, x.ndim - 1)
    return x.size > _BLOCK and last and x.flags.c_contiguous and x.dtype.kind == "f"
