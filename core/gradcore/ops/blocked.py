"""Kernels that go through long arrays block by block, so that what they need stays in the cache.

A chain of element-wise steps over a large array is limited by memory, not by arithmetic.
"""

import math
from typing import Any

import numpy as np

from gradcore.dtypes import Array

_BLOCK = 1 << 14
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)
# erf(x) is close to x P(x^2) / Q(x^2) up to |x| = 4, beyond which it is 1 in single precision.
# Source: Eigen, generic_fast_erf_float; the error is below 2e-7.
_P = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
_Q = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)


def _polynomial(coefficients: tuple[float, ...], x: Array, out: Array) -> Array:
    np.multiply(x, np.float32(coefficients[0]), out=out)
    for coefficient in coefficients[1:-1]:
        out += np.float32(coefficient)
        out *= x
    out += np.float32(coefficients[-1])
    return out


def blocked_gelu(input: Array) -> tuple[Array, Array]:
    """Return GELU in single precision, and the normal distribution's cumulative function."""
    x = np.ascontiguousarray(input)
    y, cumulative = np.empty_like(x), np.empty_like(x)
    flat_x, flat_y, flat_c = x.reshape(-1), y.reshape(-1), cumulative.reshape(-1)
    size = min(_BLOCK, flat_x.size)
    u, square, top = (np.empty(size, np.float32) for _ in range(3))
    for start in range(0, flat_x.size, _BLOCK):
        part = flat_x[start : start + _BLOCK]
        n = len(part)
        scaled = np.multiply(part, np.float32(math.sqrt(0.5)), out=u[:n])
        # minimum and maximum hand nan on, as they should.
        np.minimum(scaled, np.float32(4), out=scaled)
        np.maximum(scaled, np.float32(-4), out=scaled)
        squared = np.multiply(scaled, scaled, out=square[:n])
        numerator = _polynomial(_P, squared, top[:n])
        numerator *= scaled
        c = flat_c[start : start + _BLOCK]
        _polynomial(_Q, squared, c)
        np.divide(numerator, c, out=c)
        c += np.float32(1)
        c *= np.float32(0.5)
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
