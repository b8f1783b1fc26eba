"""Distributions that few programs use; loaded when one asks for them."""

import math
from typing import Any

from gradcore.creation import full_like, ones_like
from gradcore.distributions.continuous import Cauchy, Exponential, Gamma, Uniform
from gradcore.distributions.discrete import Poisson
from gradcore.distributions.distribution import (
    Constraint,
    Distribution,
    broadcast_all,
    nonnegative,
    nonnegative_integer,
    positive,
    real,
    unit_interval,
)
from gradcore.distributions.transforms import (
    AbsTransform,
    AffineTransform,
    ExpTransform,
    PowerTransform,
    TransformedDistribution,
)
from gradcore.modes import no_grad
from gradcore.ops.activation import logsigmoid
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor

__all__ = [
    "FisherSnedecor",
    "HalfCauchy",
    "InverseGamma",
    "Kumaraswamy",
    "NegativeBinomial",
    "Pareto",
]


def _f(name: str, *args: Any) -> Tensor:
    result: Tensor = FUNCTIONS[name](*args)
    return result


class HalfCauchy(TransformedDistribution):
    """The absolute value of a Cauchy value around 0."""

    arg_constraints = {"scale": positive}
    support = nonnegative

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Cauchy(0, scale, validate_args), AbsTransform(), validate_args)

    @property
    def scale(self) -> Tensor:
        """The scale before the sign was lost."""
        result: Tensor = self.base_dist.scale  # type: ignore[attr-defined] # a Cauchy
        return result

    @property
    def mean(self) -> Tensor:
        result: Tensor = full_like(self.scale, math.inf)
        return result

    @property
    def variance(self) -> Tensor:
        return self.mean

    @property
    def mode(self) -> Tensor:
        result: Tensor = self.scale * 0.0
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        found = self.base_dist.log_prob(value) + math.log(2)
        return _f("where", value >= 0, found, -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        self._check_value(value)
        result: Tensor = 2 * self.base_dist.cdf(value) - 1
        return result

    def icdf(self, value: Tensor) -> Tensor:
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        result: Tensor = self.base_dist.entropy() - math.log(2)
        return result


class InverseGamma(TransformedDistribution):
    """One over a gamma value."""

    arg_constraints = {"concentration": positive, "rate": positive}
    support = positive

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        base = Gamma(concentration, rate, validate_args)
        power = PowerTransform(-ones_like(base.rate))
        super().__init__(base, power, validate_args)

    @property
    def concentration(self) -> Tensor:
        """The shape of the gamma distribution."""
        result: Tensor = self.base_dist.concentration  # type: ignore[attr-defined] # a Gamma
        return result

    @property
    def rate(self) -> Tensor:
        """The rate of the gamma distribution."""
        result: Tensor = self.base_dist.rate  # type: ignore[attr-defined] # a Gamma
        return result

    @property
    def mean(self) -> Tensor:
        a = self.concentration
        found = self.rate / (a - 1)
        return _f("where", a > 1, found, math.inf)

    @property
    def mode(self) -> Tensor:
        result: Tensor = self.rate / (self.concentration + 1)
        return result

    @property
    def variance(self) -> Tensor:
        a = self.concentration
        found = self.rate.square() / ((a - 1).square() * (a - 2))
        return _f("where", a > 2, found, math.inf)

    def entropy(self) -> Tensor:
        a = self.concentration
        result: Tensor = a + self.rate.log() + _f("lgamma", a) - (1 + a) * _f("digamma", a)
        return result


class Pareto(TransformedDistribution):
    """A value above `scale` that is ever rarer, by the power `alpha`."""

    arg_constraints = {"alpha": positive, "scale": positive}

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = broadcast_all(scale, alpha)
        steps: list[Any] = [ExpTransform(), AffineTransform(0, self.scale)]
        super().__init__(Exponential(self.alpha, validate_args), steps, validate_args)

    @property
    def support(self) -> Constraint:
        """What values it has."""
        return Constraint(f"GreaterThanEq(lower_bound={self.scale})", lambda x: x >= self.scale)

    @property
    def mean(self) -> Tensor:
        a = self.alpha.clamp(min=1)
        result: Tensor = a * self.scale / (a - 1)
        return result

    @property
    def mode(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        a = self.alpha.clamp(min=2)
        result: Tensor = self.scale.square() * a / ((a - 1).square() * (a - 2))
        return result

    def entropy(self) -> Tensor:
        result: Tensor = (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())
        return result


class Kumaraswamy(TransformedDistribution):
    """A value between 0 and 1, much like a beta value, with simple formulas."""

    arg_constraints = {"concentration1": positive, "concentration0": positive}
    support = unit_interval

    def __init__(
        self, concentration1: Any, concentration0: Any, validate_args: bool | None = None
    ) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        ones = ones_like(self.concentration0)
        steps: list[Any] = [
            PowerTransform(self.concentration0.reciprocal()),
            AffineTransform(1.0, -1.0),
            PowerTransform(self.concentration1.reciprocal()),
        ]
        super().__init__(Uniform(ones * 0.0, ones, validate_args), steps, validate_args)

    def _moment(self, n: int) -> Tensor:
        a, b = self.concentration1, self.concentration0
        top = _f("lgamma", 1 + n / a) + b.log() + _f("lgamma", b)
        result: Tensor = (top - _f("lgamma", 1 + b + n / a)).exp()
        return result

    @property
    def mean(self) -> Tensor:
        return self._moment(1)

    @property
    def variance(self) -> Tensor:
        result: Tensor = self._moment(2) - self.mean.square()
        return result


class NegativeBinomial(Distribution):
    """How often trials succeed before `total_count` of them have failed."""

    arg_constraints = {"total_count": nonnegative, "probs": unit_interval, "logits": real}
    support = nonnegative_integer

    def __init__(
        self,
        total_count: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        if probs is not None:
            self.total_count, self.probs = broadcast_all(total_count, probs)
            self.logits = self.probs.log() - (-self.probs).log1p()
        else:
            self.total_count, self.logits = broadcast_all(total_count, logits)
            self.probs = self.logits.sigmoid()
        self.total_count = self.total_count.type_as(self.logits)
        super().__init__(self.logits.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        result: Tensor = self.total_count * self.logits.exp()
        return result

    @property
    def variance(self) -> Tensor:
        result: Tensor = self.mean / (-self.logits).sigmoid()
        return result

    @property
    def mode(self) -> Tensor:
        found = ((self.total_count - 1) * self.logits.exp()).floor()
        result: Tensor = found.clamp(min=0.0)
        return result

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            rates = Gamma(self.total_count, (-self.logits).exp(), False).sample(sample_shape)
            return Poisson(rates, False).sample()

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        n = self.total_count
        likely = n * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
        ways = _f("lgamma", n + value) - _f("lgamma", 1.0 + value) - _f("lgamma", n)
        ways = _f("where", n + value == 0, 0.0, ways)
        result: Tensor = likely + ways
        return result


class FisherSnedecor(Distribution):
    """The quotient of two variances that were estimated from normal values."""

    arg_constraints = {"df1": positive, "df2": positive}
    support = positive
    has_rsample = True

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = broadcast_all(df1, df2)
        self._first = Gamma(self.df1 * 0.5, self.df1)
        self._second = Gamma(self.df2 * 0.5, self.df2)
        super().__init__(self.df1.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        known = _f("where", self.df2 > 2, self.df2, math.nan)
        result: Tensor = known / (known - 2)
        return result

    @property
    def variance(self) -> Tensor:
        known = _f("where", self.df2 > 4, self.df2, math.nan)
        top = 2 * known.square() * (self.df1 + known - 2)
        result: Tensor = top / (self.df1 * (known - 2).square() * (known - 4))
        return result

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        first = self._first.rsample(sample_shape)
        second = self._second.rsample(sample_shape)
        tiny = 1.1754943508222875e-38
        result: Tensor = (first / second.clamp(min=tiny)).clamp(min=tiny)
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        a, b = self.df1 * 0.5, self.df2 * 0.5
        quotient = self.df1 / self.df2
        constant = _f("lgamma", a + b) - _f("lgamma", a) - _f("lgamma", b)
        slope = (a - 1) * value.log() - (a + b) * (quotient * value).log1p()
        result: Tensor = constant + a * quotient.log() + slope
        return result
