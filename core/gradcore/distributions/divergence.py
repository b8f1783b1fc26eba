"""The Kullback-Leibler divergence between two distributions of kinds that have a formula."""

import math
from collections.abc import Callable
from typing import Any

from gradcore.distributions.compound import Independent, MultivariateNormal
from gradcore.distributions.continuous import (
    Beta,
    Dirichlet,
    Exponential,
    Gamma,
    Laplace,
    Normal,
    Uniform,
    _f,
)
from gradcore.distributions.discrete import Bernoulli, Categorical, OneHotCategorical, Poisson
from gradcore.distributions.distribution import Distribution
from gradcore.nn import functional as F
from gradcore.ops.linear_algebra import LINALG
from gradcore.tensor import Tensor

_FORMULAS: dict[tuple[type, type], Callable[..., Any]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Any], Any]:
    """Enter a formula for two kinds of distributions; used as a decorator."""

    def enter(formula: Any) -> Any:
        _FORMULAS[type_p, type_q] = formula
        return formula

    return enter


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """Return how much is lost where q stands for p, in nats."""
    for first in type(p).__mro__:
        for second in type(q).__mro__:
            if (first, second) in _FORMULAS:
                result: Tensor = _FORMULAS[first, second](p, q)
                return result
    raise NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}"
    )


@register_kl(Normal, Normal)
def _normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Any:
    first = p.probs * (F.softplus(-q.logits) - F.softplus(-p.logits))
    first = _f("where", q.probs == 0, math.inf, first)
    first = _f("where", p.probs == 0, 0.0, first)
    second = (1 - p.probs) * (F.softplus(q.logits) - F.softplus(p.logits))
    second = _f("where", q.probs == 1, math.inf, second)
    second = _f("where", p.probs == 1, 0.0, second)
    return first + second


@register_kl(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Any:
    parts = p.probs * (p.logits - q.logits)
    parts = _f("where", (q.probs == 0).expand(parts.shape), math.inf, parts)
    parts = _f("where", (p.probs == 0).expand(parts.shape), 0.0, parts)
    return parts.sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: Any, q: Any) -> Any:
    return _categorical(p._categorical, q._categorical)


@register_kl(Exponential, Exponential)
def _exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Poisson, Poisson)
def _poisson(p: Any, q: Any) -> Any:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Laplace, Laplace)
def _laplace(p: Any, q: Any) -> Any:
    ratio, far = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + far / q.scale + ratio * (-far / p.scale).exp() - 1


@register_kl(Uniform, Uniform)
def _uniform(p: Any, q: Any) -> Any:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return _f("where", (q.low > p.low) | (q.high < p.high), math.inf, found)


@register_kl(Gamma, Gamma)
def _gamma(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    return (
        b * (p.rate / q.rate).log()
        + _f("lgamma", b)
        - _f("lgamma", a)
        + (a - b) * _f("digamma", a)
        + (q.rate - p.rate) * (a / p.rate)
    )


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    first = _f("lgamma", total) - _f("lgamma", b.sum(-1))
    second = (_f("lgamma", a) - _f("lgamma", b)).sum(-1)
    third = (a - b) * (_f("digamma", a) - _f("digamma", total).unsqueeze(-1))
    return first - second + third.sum(-1)


@register_kl(Beta, Beta)
def _beta(p: Any, q: Any) -> Any:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate(p: Any, q: Any) -> Any:
    solve = LINALG["solve_triangular"]
    n = p.event_shape[0]
    spread = solve(q.scale_tril, p.scale_tril, upper=False).pow(2).sum((-2, -1))
    far = solve(q.scale_tril, (q.loc - p.loc).unsqueeze(-1), upper=False)
    half = q._half_log_det() - p._half_log_det()
    return half + 0.5 * (spread + far.squeeze(-1).pow(2).sum(-1) - n)


@register_kl(Independent, Independent)
def _independent(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("the two Independent take in different numbers of axes")
    return p._summed(kl_divergence(p.base_dist, q.base_dist))
