"""Kernels that go through long arrays block by block, so that what they need stays in the cache.

A chain of element-wise steps over a large array is limited by memory, not by arithmetic.
"""

import math
from typing import Any

import numpy as np

from gradcore.dtypes import Array

_BLOCK = 1 << 15
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
    step = max(1, _BLOCK // max(1, width))
    for start in range(0, len(rows), step):
        part, e = rows[start : start + step], into[start : start + step]
        top = np.maximum.reduce(part, axis=1, keepdims=True, initial=-np.inf)
        np.exp(np.subtract(part, top, out=e), out=e)
        e /= np.add.reduce(e, axis=1, keepdims=True)
    return out


def blocked_softmax_slope(g: Array, y: Array) -> Array:
    """Return ``(g - sum(g * y)) * y``, summed along the last axis of arrays without gaps."""
    out = np.empty_like(y)
    width = y.shape[-1]
    rows, values, into = g.reshape(-1, width), y.reshape(-1, width), out.reshape(-1, width)
    step = max(1, _BLOCK // max(1, width))
    for start in range(0, len(rows), step):
        at = slice(start, start + step)
        now = np.multiply(rows[at], values[at], out=into[at])
        np.subtract(rows[at], np.add.reduce(now, axis=1, keepdims=True), out=now)
        now *= values[at]
    return out


def worth_blocks(x: Array, dim: int) -> bool:
    """Tell whether rows along ``dim`` are better gone through block by block."""
    last = dim in (-1, x.ndim - 1)
    return x.size > _BLOCK and last and x.flags.c_contiguous and x.dtype.kind == "f"
