"""Gradients of samples that no formula makes from noise: of gamma and of Dirichlet values.

A sample x of a distribution with the cumulative function F(x; a) moves with the parameter as
dx/da = -(dF/da) / f(x; a), f its density. Both F here are power series whose terms, divided by f,
follow from each other by one product; the logarithm's slope of each term is a difference of
digammas, and these follow from each other, too.
Source: Figurnov, Mohamed and Mnih 2018, https://arxiv.org/abs/1805.08498
"""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.ops.arithmetic import undefined
from gradcore.ops.registry import FUNCTIONS, operation

_MOST_TERMS = 20000
_EPSILON = np.finfo(np.float64).eps
_LARGE = 1e5
"""From this shape on a gamma distribution is taken as the cube of a normal one."""


def _digamma(x: Array) -> Array:
    found: Array = FUNCTIONS["digamma"](x)
    return found


def _gamma_slope(alpha: Array, sample: Array) -> Array:
    a, x = np.broadcast_arrays(alpha.astype(np.float64), sample.astype(np.float64))
    shape, is_large = a.shape, a > _LARGE
    a_small, x_small = np.where(is_large, 1.0, a), np.where(is_large, 1.0, x)
    log_x = np.log(x_small)
    ratio = x_small / a_small
    psi = _digamma(a_small + 1.0)
    total = ratio * (psi - log_x)
    for n in range(1, _MOST_TERMS):
        ratio = ratio * (x_small / (a_small + n))
        psi = psi + 1.0 / (a_small + n)
        term = ratio * (psi - log_x)
        total = total + term
        if np.all(np.abs(term) <= _EPSILON * np.abs(total)) and np.all(x_small < a_small + n):
            break
    # Wilson and Hilferty: x = a (1 - 1 / 9a + z / (3 sqrt a)) ** 3, with z held.
    root = np.cbrt(x / a)
    z = (root - 1 + 1 / (9 * a)) * 3 * np.sqrt(a)
    far = root**3 + 3 * a * root**2 * (1 / (9 * a * a) - z / (6 * a * np.sqrt(a)))
    found: Array = np.where(is_large, far, total).reshape(shape).astype(sample.dtype)
    return found


def _beta_slope(sample: Array, alpha: Array, beta: Array) -> Array:
    """Return how a beta value moves with ``alpha``."""
    x, a, b = (item.astype(np.float64) for item in (sample, alpha, beta))
    x = np.clip(x, np.finfo(np.float64).tiny, 1 - _EPSILON / 2)
    is_low = x < a / (a + b)
    # From the nearer end: there the series' terms fall faster.
    near = np.where(is_low, x, 1 - x)
    first = np.where(is_low, a, b)
    ratio = x * (1 - x) / first
    climbing = _digamma(a + b)
    falling = np.where(is_low, _digamma(a + 1), _digamma(a))
    log_x = np.log(x)
    total = ratio * (log_x + climbing - falling)
    for n in range(1, _MOST_TERMS):
        ratio = ratio * (near * (a + b + n - 1) / (first + n))
        climbing = climbing + 1.0 / (a + b + n - 1)
        falling = falling + np.where(is_low, 1.0 / (a + n), 0.0)
        term = ratio * (log_x + climbing - falling)
        total = total + term
        falls = near * (a + b + n) < first + n + 1
        if np.all(np.abs(term) <= _EPSILON * np.abs(total)) and np.all(falls):
            break
    found: Array = np.where(is_low, -total, total)
    return found


def _dirichlet_slope(g: Array, sample: Array, alpha: Array) -> Array:
    """Return the gradient of the concentrations, as torch: through each value's own share."""
    a = np.broadcast_to(alpha, sample.shape)
    rest = a.sum(-1, keepdims=True) - a
    moved = _beta_slope(sample, a, rest) / np.maximum(1 - sample.astype(np.float64), _EPSILON)
    found: Array = moved * (g - (sample * g).sum(-1, keepdims=True))
    return found.astype(sample.dtype)


_slope_of_gamma = operation(
    "standard_gamma_grad",
    inputs=2,
    gradient={"alpha": undefined("_standard_gamma_grad")},
    functions=False,
    parity=None,
)(lambda alpha, sample: _gamma_slope(alpha, sample))

_slope_of_dirichlet = operation(
    "dirichlet_grad",
    inputs=3,
    gradient={"grad": undefined("_dirichlet_grad"), "alpha": undefined("_dirichlet_grad")},
    functions=False,
    parity=None,
)(lambda grad, sample, alpha: _dirichlet_slope(grad, sample, alpha))


def _handed_on(alpha: Array, sample: Array) -> Any:
    return sample.copy()


gamma_value = operation(
    "standard_gamma",
    inputs=2,
    gradient={"alpha": lambda g, alpha, sample: g * _slope_of_gamma(alpha, sample)},
    functions=False,
    parity=None,
    doc="Return a drawn value of a gamma distribution, tied to the shape it was drawn with.",
)(_handed_on)

dirichlet_value = operation(
    "dirichlet",
    inputs=2,
    gradient={"alpha": lambda g, alpha, sample: _slope_of_dirichlet(g, sample, alpha)},
    functions=False,
    parity=None,
    doc="Return drawn Dirichlet values, tied to the concentrations they were drawn with.",
)(_handed_on)
