"""Special functions that few programs use: normal tails, incomplete gamma, Hurwitz zeta."""

import math
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.ops.arithmetic import undefined
from gradcore.ops.elementwise import binary, promoted_float, unary
from gradcore.ops.registry import CALLS, FUNCTIONS, T, composite

_POSITIVE = [(T(2, 3, low=0.3, high=3.0),)]
_ROOT_PI = math.sqrt(math.pi)


def _f(name: str, *args: Any) -> Any:
    return FUNCTIONS[name](*args)


@composite("entr", functions=False, parity="torch.special", samples=_POSITIVE)
def entr(input: Any) -> Any:
    """Return ``-x * log(x)``: 0 at 0, minus infinity below."""
    below = _f("where", input == 0, 0.0, -math.inf)
    known = (input > 0) | input.isnan()
    inside = _f("where", known, input, 1.0)
    return _f("where", known, -inside * inside.log(), below)


@composite("ndtr", functions=False, parity="torch.special", samples=[(T(2, 3),)])
def ndtr(input: Any) -> Any:
    """Return the probability that a standard normal value is below."""
    return 0.5 * _f("erfc", input * -math.sqrt(0.5))


@composite(
    "ndtri", functions=False, parity="torch.special", samples=[(T(2, 3, low=0.1, high=0.9),)]
)
def ndtri(input: Any) -> Any:
    """Undo ``ndtr``."""
    return math.sqrt(2) * _f("erfinv", 2 * input - 1)


def _erfcx(input: Array) -> Array:
    x = np.asarray(input, np.float64)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        near = np.exp(np.minimum(x * x, 709.0)) * np.asarray(_f("erfc", np.clip(x, -26.7, 25.0)))
        near = np.where(x < -26.6, np.inf, near)
        square = 1 / (x * x)
        series = 1 - square * (0.5 - square * (0.75 - square * (1.875 - square * 6.5625)))
        found = np.where(x > 25, series / (x * _ROOT_PI), near)
    return found.astype(input.dtype)


erfcx = unary(
    "erfcx",
    _erfcx,
    lambda g, input, y: g * (2 * input * y - 2 / _ROOT_PI),
    "Return ``exp(x**2) * erfc(x)`` without overflow.",
    [(T(2, 3),)],
    functions=False,
    methods=False,
    inplace=False,
    parity="torch.special",
)


@composite("log_ndtr", functions=False, parity="torch.special", samples=[(T(2, 3),)])
def log_ndtr(input: Any) -> Any:
    """Return the logarithm of ``ndtr``, also far out."""
    low = input < -1.0
    scaled = input * -math.sqrt(0.5)
    far = _f("where", low, scaled, 1.0)
    near = _f("where", low, 0.0, scaled)
    tail = (erfcx(far) / 2).log() - far * far
    return _f("where", low, tail, _f("log1p", -_f("erfc", -near) / 2))


@composite(
    "xlog1py", functions=False, parity="torch.special", samples=[(T(2, 3), T(2, 3, low=-0.5))]
)
def xlog1py(input: Any, other: Any) -> Any:
    """Return ``input * log1p(other)``: 0 where ``input`` is."""
    return _f("xlogy", input, 1 + other)


def _scaled_i0(input: Array) -> Array:
    x = np.abs(np.asarray(input, np.float64))
    near = np.i0(np.minimum(x, 600.0)) * np.exp(-np.minimum(x, 600.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        far = (1 + 1 / (8 * x) + 9 / (128 * x * x)) / np.sqrt(2 * math.pi * x)
    return np.where(x > 600, far, near).astype(input.dtype)


i0e = unary(
    "i0e",
    _scaled_i0,
    lambda g, input, y: g * (CALLS.i1e(input) - FUNCTIONS["sgn"](input) * y),
    "Return ``exp(-abs(x)) * i0(x)``.",
    [(T(2, 3),)],
    functions=False,
    methods=False,
    inplace=False,
    parity="torch.special",
)


def _scaled_i1(input: Array) -> Array:
    x = np.asarray(input, np.float64)
    small = np.minimum(np.abs(x), 600.0)
    # The mean of exp(x cos t) cos t over half a turn; the trapezoid rule is exact to rounding.
    turn = (np.arange(400) + 0.5) * (math.pi / 400)
    waves = np.exp(small[..., None] * (np.cos(turn) - 1)) * np.cos(turn)
    found = waves.mean(-1)
    signed: Array = np.sign(x) * found
    return signed.astype(input.dtype)


i1e = unary(
    "i1e",
    _scaled_i1,
    lambda g, input, y: g * (i0e(input) - y * (FUNCTIONS["sgn"](input) + 1 / input)),
    "Return ``exp(-abs(x)) * i1(x)``.",
    [(T(2, 3, low=0.3, high=3.0),)],
    functions=False,
    methods=False,
    inplace=False,
    parity="torch.special",
)


def _hurwitz(s: Any, q: Any) -> Array:
    s, q = np.broadcast_arrays(np.asarray(s, np.float64), np.asarray(q, np.float64))
    with np.errstate(all="ignore"):
        total = np.zeros(s.shape)
        for k in range(12):
            total = total + (q + k) ** -s
        a = q + 12
        total = total + a ** (1 - s) / (s - 1) + 0.5 * a**-s
        factor = s * a ** (-s - 1)
        for n, bernoulli in enumerate((1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160)):
            total = total + bernoulli * factor
            factor = factor * (s + 2 * n + 1) * (s + 2 * n + 2) / (a * a)
    return np.where(s == 1, np.inf, np.where(s < 1, np.nan, total))


zeta = binary(
    "zeta",
    lambda x, y: _hurwitz(x, y).astype(np.result_type(x, y)),
    undefined("zeta"),
    lambda g, input, other: g * -input * CALLS.zeta(input + 1, other),
    "Return the Hurwitz zeta function: the sum of ``(other + k) ** -input``.",
    [(T(2, 3, low=1.5, high=4.0), T(2, 3, low=0.5, high=2.0))],
    functions=False,
    methods=False,
    inplace=False,
    adapt=promoted_float,
    parity="torch.special",
    gradcheck=False,
)


def _lower_series(a: Array, x: Array) -> Array:
    term = 1 / a
    total = term.copy()
    for n in range(1, 2000):
        term = term * x / (a + n)
        total = total + term
        if (np.abs(term) <= np.abs(total) * 1e-17).all():
            break
    return total


def _upper_fraction(a: Array, x: Array) -> Array:
    """Return the upper part by Lentz's continued fraction, without its common factor."""
    b = x + 1 - a
    c = np.full_like(b, 1e300)
    d = 1 / np.where(b == 0, 1e-300, b)
    h = d.copy()
    for n in range(1, 2000):
        step = -n * (n - a)
        b = b + 2
        d = step * d + b
        d = 1 / np.where(d == 0, 1e-300, d)
        c = b + step / c
        c = np.where(c == 0, 1e-300, c)
        change = d * c
        h = h * change
        if (np.abs(change - 1) < 1e-16).all():
            break
    return h


def _lower_part(a: Any, x: Any) -> Array:
    kind = np.result_type(a, x)
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    with np.errstate(all="ignore"):
        shared = np.exp(-x + a * np.log(x) - np.asarray(_f("lgamma", a)))
        small = x < a + 1
        low = shared * _lower_series(a, np.where(small, x, 0.0))
        high = 1 - shared * _upper_fraction(a, np.where(small, a + 2, x))
        found = np.where(small, low, high)
        found = np.where(x == 0, 0.0, np.where(np.isinf(x), 1.0, found))
        found = np.where(a == 0, 1.0, found)
    return np.where((a < 0) | (x < 0), np.nan, found).astype(kind)


_SHAPE_AND_PLACE = [(T(2, 3, low=0.5, high=3.0), T(2, 3, low=0.3, high=6.0))]


igamma = binary(
    "igamma",
    _lower_part,
    undefined("igamma: input"),
    lambda g, input, other: g * _exponential(input, other),
    "Return the lower incomplete gamma function, divided by the whole.",
    _SHAPE_AND_PLACE,
    inplace=False,
    adapt=promoted_float,
    gradcheck=False,
)
igammac = binary(
    "igammac",
    lambda x, y: (1 - _lower_part(x, y)).astype(np.result_type(x, y)),
    undefined("igammac: input"),
    lambda g, input, other: -g * _exponential(input, other),
    "Return the upper incomplete gamma function, divided by the whole.",
    _SHAPE_AND_PLACE,
    inplace=False,
    adapt=promoted_float,
    gradcheck=False,
)


def _exponential(input: Any, other: Any) -> Any:
    inside = -other + (input - 1) * FUNCTIONS["log"](other) - FUNCTIONS["lgamma"](input)
    return FUNCTIONS["exp"](inside)


@composite("mvlgamma", methods=True, samples=[(T(2, 3, low=1.5, high=4.0), 3)])
def mvlgamma(input: Any, p: int) -> Any:
    """Return the logarithm of the gamma function of several dimensions."""
    total = p * (p - 1) / 4 * math.log(math.pi)
    for j in range(p):
        total = total + FUNCTIONS["lgamma"](input - j / 2)
    return total
