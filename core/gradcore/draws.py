"""Random numbers that are drawn by rejection, one by one, from PyTorch's own stream.

Each follows the algorithm PyTorch uses on the CPU, so that one seed gives the same values.
Source: Marsaglia and Tsang 2000 (gamma); Hormann 1993 (Poisson, binomial).
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.random import Generator, source

_STIRLING = (
    0.0810614667953272,
    0.0413406959554092,
    0.0276779256849983,
    0.02079067210376509,
    0.0166446911898211,
    0.0138761288230707,
    0.0118967099458917,
    0.0104112652619720,
    0.00925546218271273,
    0.00833056343336287,
)
"""What Stirling's formula leaves of log(k!), for small k."""


def _each(values: Array, draw: Callable[..., float], generator: Generator | None) -> Array:
    """Return one draw for each of ``values``, in their dtype."""
    stream = source(generator)
    found = [draw(value, stream) for value in values.reshape(-1).tolist()]
    return np.array(found, np.float64).reshape(values.shape)


def spread(function: Callable[..., Array]) -> Callable[..., Array]:
    """Let a drawing function take its arrays at a shape that is given behind them."""

    @functools.wraps(function)
    def draw(*args: Any) -> Array:
        *arrays, shape, generator = args
        return function(*[np.broadcast_to(a, shape) for a in arrays], generator)

    return draw


def _uniform(stream: Generator) -> float:
    return float(stream.uniform(1, np.float64)[0])


def _one_gamma(alpha: float, stream: Generator) -> float:
    scale = 1.0
    if alpha < 1.0:
        if alpha == 0.0:
            return 0.0
        scale *= (1.0 - _uniform(stream)) ** (1.0 / alpha)
        alpha += 1.0
    d = alpha - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        y = 0.0
        while y <= 0.0:
            x = stream._normal_one()
            y = 1.0 + c * x
        v = y * y * y
        u = 1.0 - _uniform(stream)
        square = x * x
        if u < 1.0 - 0.0331 * square * square:
            return scale * d * v
        if math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return scale * d * v


def gamma(alpha: Array, generator: Generator | None = None) -> Array:
    """Return values of gamma distributions of these shapes, at rate 1."""
    tiny = np.finfo(alpha.dtype).tiny
    drawn: Array = np.maximum(_each(alpha, _one_gamma, generator), tiny)
    return drawn.astype(alpha.dtype)


def dirichlet(alpha: Array, generator: Generator | None = None) -> Array:
    """Return probabilities: gamma values, each row divided by its sum."""
    drawn = _each(alpha, _one_gamma, generator)
    shares: Array = drawn / drawn.sum(-1, keepdims=True)
    return shares.astype(alpha.dtype)


def _one_poisson(rate: float, stream: Generator) -> float:
    if rate == 0:
        return 0.0
    if rate >= 10:
        return _large_poisson(rate, stream)
    limit = math.exp(-rate)
    count = 0
    product = _uniform(stream)
    while product > limit:
        count += 1
        product *= _uniform(stream)
    return float(count)


def _large_poisson(rate: float, stream: Generator) -> float:
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    bound = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = _uniform(stream) - 0.5
        v = _uniform(stream)
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= bound:
            return float(k)
        if k < 0 or (us < 0.013 and v > us):
            continue
        left = math.log(v) + math.log(inverse) - math.log(a / (us * us) + b)
        if left <= -rate + k * math.log(rate) - math.lgamma(k + 1):
            return float(k)


def poisson(rate: Array, generator: Generator | None = None) -> Array:
    """Return counts of events that come at these rates."""
    return _each(rate, _one_poisson, generator).astype(rate.dtype)


def _rest(k: float) -> float:
    if k <= 9:
        return _STIRLING[int(k)]
    square = (k + 1) * (k + 1)
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1)


def _by_gaps(count: float, p: float, stream: Generator) -> float:
    found = -1
    total = 0.0
    slope = math.log1p(-p)
    while total <= count:
        u = _uniform(stream)
        total += math.ceil(math.log(u) / slope) if u > 0 else math.inf
        found += 1
    return float(found)


def _by_rejection(count: float, p: float, stream: Generator) -> float:
    deviation = math.sqrt(count * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    middle = count * p + 0.5
    bound = 0.92 - 4.2 / b
    odds = p / (1 - p)
    alpha = (2.83 + 5.1 / b) * deviation
    m = math.floor((count + 1) * p)
    while True:
        u = _uniform(stream) - 0.5
        v = _uniform(stream)
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + middle)
        if k < 0 or k > count:
            continue
        if us >= 0.07 and v <= bound:
            return float(k)
        upper = (
            (m + 0.5) * math.log((m + 1) / (odds * (count - m + 1)))
            + (count + 1) * math.log((count - m + 1) / (count - k + 1))
            + (k + 0.5) * math.log(odds * (count - k + 1) / (k + 1))
            + _rest(m)
            + _rest(count - m)
            - _rest(k)
            - _rest(count - k)
        )
        if math.log(v * alpha / (a / (us * us) + b)) <= upper:
            return float(k)


def _one_binomial(count: float, p: float, stream: Generator) -> float:
    if count <= 0 or p <= 0:
        return 0.0
    if p >= 1:
        return count
    if p > 0.5:
        return count - _one_binomial(count, 1 - p, stream)
    if count * p >= 10:
        return _by_rejection(count, p, stream)
    return _by_gaps(count, p, stream)


def binomial(count: Array, p: Array, generator: Generator | None = None) -> Array:
    """Return how many of ``count`` trials succeed, each with probability ``p``."""
    stream = source(generator)
    pairs: Any = zip(count.reshape(-1).tolist(), p.reshape(-1).tolist(), strict=True)
    found = [_one_binomial(n, q, stream) for n, q in pairs]
    return np.array(found).reshape(count.shape).astype(count.dtype)


def geometric(p: float, shape: tuple[int, ...], generator: Generator | None = None) -> Array:
    """Return how many trials it takes to the first success."""
    u = source(generator).uniform(math.prod(shape), np.float64).reshape(shape)
    return np.ceil(np.log(u) / math.log1p(-p))


def cauchy(
    median: float, sigma: float, shape: tuple[int, ...], generator: Generator | None = None
) -> Array:
    """Return values of the Cauchy distribution."""
    u = source(generator).uniform(math.prod(shape), np.float64).reshape(shape)
    return median + sigma * np.tan(math.pi * (u - 0.5))


def log_normal(
    mean: float, std: float, shape: tuple[int, ...], generator: Generator | None = None
) -> Array:
    """Return values whose logarithms are normal."""
    stream = source(generator)
    drawn = [stream._normal_one() for _ in range(math.prod(shape))]
    return np.exp(np.array(drawn).reshape(shape) * std + mean)


gamma_of = spread(gamma)
dirichlet_of = spread(dirichlet)
binomial_of = spread(binomial)
poisson_of = spread(poisson)
"""The same for parameters that are spread over a shape: this is how distributions draw."""
