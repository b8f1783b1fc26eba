"""The error function, the gamma function and their kin, which NumPy does not have."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.ops.blocked import single_erf
from gradcore.ops.elementwise import exp, unary
from gradcore.ops.registry import CALLS, FUNCTIONS, T, composite, operation

# Rational approximations of erf and erfc, each to the precision of a double.
# Source: W. J. Cody 1969, Mathematics of Computation 23, 631-637.
_NEAR = (
    (
        1.85777706184603153e-1,
        3.16112374387056560,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (
        1.0,
        2.36012909523441209e1,
        2.44024637934444173e2,
        1.28261652607737228e3,
        2.84423683343917062e3,
    ),
)
_MIDDLE = (
    (
        2.15311535474403846e-8,
        5.64188496988670089e-1,
        8.88314979438837594,
        6.61191906371416295e1,
        2.98635138197400131e2,
        8.81952221241769090e2,
        1.71204761263407058e3,
        2.05107837782607147e3,
        1.23033935479799725e3,
    ),
    (
        1.0,
        1.57449261107098347e1,
        1.17693950891312499e2,
        5.37181101862009858e2,
        1.62138957456669019e3,
        3.29079923573345963e3,
        4.36261909014324716e3,
        3.43936767414372164e3,
        1.23033935480374942e3,
    ),
)
_FAR = (
    (
        1.63153871373020978e-2,
        3.05326634961232344e-1,
        3.60344899949804439e-1,
        1.25781726111229246e-1,
        1.60837851487422766e-2,
        6.58749161529837803e-4,
    ),
    (
        1.0,
        2.56852019228982242,
        1.87295284992346725,
        5.27905102951428412e-1,
        6.05183413124413191e-2,
        2.33520497626869185e-3,
    ),
)
_SWITCH = 0.46875
_LONG = 1 << 9
"""From so many singles on, a formula is worth it that is off by a few units in the last place."""
_ROOT_PI = math.sqrt(math.pi)


def _horner(x: Array, coefficients: Sequence[float]) -> Array:
    total = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        total *= x
        total += c
    return total


def _ratio(x: Array, pair: Any) -> Array:
    return _horner(x, pair[0]) / _horner(x, pair[1])


def _erf_pair(x: Array) -> tuple[Array, Array]:
    """Return (erf, erfc) of doubles."""
    flat = np.asarray(x, np.float64).reshape(-1)
    size = np.abs(flat)
    value = np.empty_like(flat)
    rest = np.empty_like(flat)
    near = size <= _SWITCH
    low = flat[near]
    value[near] = low * _ratio(low * low, _NEAR)
    rest[near] = 1 - value[near]
    middle = (size > _SWITCH) & (size <= 4)
    y = size[middle]
    tail = np.exp(-y * y) * _ratio(y, _MIDDLE)
    value[middle], rest[middle] = 1 - tail, tail
    far = size > 4
    y = np.minimum(size[far], 1e100)
    inverse = 1 / (y * y)
    tail = np.exp(-y * y) * (1 / _ROOT_PI - inverse * _ratio(inverse, _FAR)) / y
    value[far], rest[far] = 1 - tail, tail
    negative = (flat < 0) & ~near
    value[negative] = -value[negative]
    rest[negative] = 2 - rest[negative]
    strange = np.isnan(flat)
    value[strange] = rest[strange] = np.nan
    return value.reshape(np.shape(x)), rest.reshape(np.shape(x))


def _like(x: Array, values: Array) -> Array:
    return values.astype(x.dtype, copy=False)


def _erf(x: Array) -> Any:
    if type(x) is np.ndarray and x.dtype == np.float32 and x.size >= _LONG:
        return single_erf(x)
    return _like(x, _erf_pair(x)[0])


erf = unary(
    "erf",
    _erf,
    lambda g, input: g * (exp(-(input * input)) * (2 / _ROOT_PI)),
    "Return the error function: the share of a normal distribution within x sqrt(2) deviations.",
    [(T(2, 3),), (T(3, 4, low=-6, high=6),), (T(),), (T(0, 3),)],
)
erfc = unary(
    "erfc",
    lambda x: _like(x, _erf_pair(x)[1]),
    lambda g, input: g * (exp(-(input * input)) * (-2 / _ROOT_PI)),
    "Return ``1 - erf(input)``, exact also where that is tiny.",
    [(T(2, 3),), (T(),)],
)


def _erfinv(x: Array) -> Array:
    """Start from a formula good to three digits and refine it by Halley steps on erfc."""
    v = np.asarray(x, np.float64)
    w = -np.log((1 - v) * (1 + v))
    # Source: S. Winitzki 2008, A handy approximation for the error function.
    a = 0.147
    head = 2 / (math.pi * a) - w / 2
    y = np.sign(v) * np.sqrt(np.maximum(np.sqrt(head * head + w / a) - head, 0))
    # The tail is compared on erfc, where subtraction loses nothing.
    size, target = np.abs(y), 1 - np.abs(v)
    for _ in range(4):
        tail = _erf_pair(size)[1]
        step = (tail - target) / (2 / _ROOT_PI * np.exp(-size * size))
        size = np.where(np.isfinite(step), size + step / (1 - size * step), size)
    y = np.copysign(size, v)
    y = np.where(np.abs(v) == 1, np.copysign(np.inf, v), np.where(np.abs(v) > 1, np.nan, y))
    return _like(x, np.where(v == 0, v, y))


erfinv = unary(
    "erfinv",
    _erfinv,
    lambda g, y: g * (exp(y * y) * (_ROOT_PI / 2)),
    "Return the inverse of the error function.",
    [(T(2, 3, low=-0.95, high=0.95),), (T(low=-0.9, high=0.9),)],
)

# --- gamma

# log gamma(z) = (z - 1/2) log z - z + log(2 pi)/2 + sum of these over odd powers of 1/z.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
_SHIFT = 10


def _lgamma_positive(z: Array) -> Array:
    product = np.ones_like(z)
    w = z.copy()
    for _ in range(_SHIFT):
        low = w < _SHIFT
        product = np.where(low, product * w, product)
        w = np.where(low, w + 1, w)
    lifted = np.log(product)
    inverse = 1 / w
    square = inverse * inverse
    total = np.zeros_like(w)
    for c in reversed(_STIRLING):
        total = total * square + c
    series = (w - 0.5) * np.log(w) - w + 0.5 * math.log(2 * math.pi) + total * inverse
    return np.asarray(series - lifted)


def _lgamma(x: Array) -> Array:
    z = np.asarray(x, np.float64)
    reflected = z < 0.5
    base = _lgamma_positive(np.where(reflected, 1 - z, z))
    mirror = math.log(math.pi) - np.log(np.abs(np.sin(math.pi * z))) - base
    out = np.where(reflected, mirror, base)
    out = np.where(np.isposinf(z) | ((z <= 0) & (z == np.floor(z))), np.inf, out)
    out = np.where((z == 1) | (z == 2), 0.0, out)
    return _like(x, np.where(np.isneginf(z), np.inf, out))


_BERNOULLI = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)


def _digamma(x: Array) -> Array:
    z = np.asarray(x, np.float64)
    reflected = z < 0.5
    w = np.where(reflected, 1 - z, z)
    lifted = np.zeros_like(w)
    for _ in range(_SHIFT):
        low = w < _SHIFT
        lifted = np.where(low, lifted - 1 / w, lifted)
        w = np.where(low, w + 1, w)
    inverse = 1 / w
    square = inverse * inverse
    total = np.zeros_like(w)
    for c in reversed(_BERNOULLI):
        total = total * square + c
    value = np.log(w) - 0.5 * inverse - total * square + lifted
    value = np.where(reflected, value - math.pi / np.tan(math.pi * z), value)
    value = np.where((z < 0) & (z == np.floor(z)), np.nan, value)
    return _like(x, np.where(z == 0, np.copysign(np.inf, -z), value))


# Bernoulli numbers B2, B4, ...
_NUMBERS = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)


def _zeta(s: int, x: Array) -> Array:
    """Return the sum of ``1 / (x + k) ** s`` over all k >= 0, by Euler and Maclaurin."""
    lowest = float(np.min(x, initial=0.0, where=np.isfinite(x)))
    terms = 12 + s + max(0, math.ceil(-lowest))
    total = np.zeros_like(x)
    for k in range(terms):
        total = total + (x + k) ** -float(s)
    w = x + terms
    total = total + w ** (1.0 - s) / (s - 1) + 0.5 * w ** -float(s)
    factor = float(s)
    for j, number in enumerate(_NUMBERS, 1):
        total = total + number / math.factorial(2 * j) * factor * w ** (1.0 - s - 2 * j)
        factor *= (s + 2 * j - 1) * (s + 2 * j)
    return np.asarray(total)


def _polygamma(input: Array, n: int) -> Array:
    if n == 0:
        return _digamma(input)
    sign = 1.0 if n % 2 else -1.0
    return _like(input, sign * math.factorial(n) * _zeta(n + 1, np.asarray(input, np.float64)))


polygamma_of = operation(
    "polygamma",
    gradient={"input": lambda g, input, n: g * CALLS.polygamma(input, n + 1)},
    functions=False,
    parity=None,
    doc="Return the n-th derivative of ``digamma``.",
)(_polygamma)
GAMMA = [(T(2, 3, low=0.2, high=4),), (T(low=0.5),)]
lgamma = unary(
    "lgamma",
    _lgamma,
    lambda g, input: g * CALLS.digamma(input),
    "Return the logarithm of the absolute value of the gamma function.",
    [*GAMMA, (T(2, 3, low=-1.9, high=-1.1),)],
)
digamma = unary(
    "digamma",
    _digamma,
    lambda g, input: g * polygamma_of(input, 1),
    "Return the derivative of ``lgamma``.",
    GAMMA,
)


@composite(
    "polygamma",
    samples=[
        (0, T(2, 3, low=0.2, high=4)),
        (1, T(2, 3, low=0.2, high=4)),
        (2, T(2, 3, low=0.5, high=4)),
    ],
)
def polygamma(n: int, input: Any) -> Any:
    """Return the n-th derivative of ``digamma``."""
    return polygamma_of(input, n)


def _i0(x: Array) -> Array:
    return _like(x, np.i0(np.asarray(x, np.float64)))


def _i1(x: Array) -> Array:
    """Sum the power series near 0 and integrate cos(t) exp(x cos t) elsewhere."""
    z = np.asarray(x, np.float64)
    # The trapezoid rule on a full period converges faster than any power of the step.
    t = (np.arange(64) + 0.5) * (math.pi / 64)
    return _like(x, np.mean(np.cos(t) * np.exp(z[..., None] * np.cos(t)), axis=-1))


i0 = unary(
    "i0",
    _i0,
    lambda g, input: g * CALLS.i1(input),
    "Return the modified Bessel function of order 0.",
    [(T(2, 3),)],
)
i1 = unary(
    "i1",
    _i1,
    lambda g, input, y: g * (FUNCTIONS["i0"](input) - y / input),
    "Return the modified Bessel function of order 1.",
    [(T(2, 3),)],
    functions=False,
    methods=False,
    inplace=False,
    parity=None,
)
