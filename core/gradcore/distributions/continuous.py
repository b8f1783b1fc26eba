"""Distributions of real numbers."""

import math
from typing import Any

from gradcore import draws, dtypes
from gradcore.creation import empty, normal, ones, rand, zeros
from gradcore.distributions.distribution import (
    Distribution,
    ExponentialFamily,
    broadcast_all,
    nonnegative,
    positive,
    real,
    simplex,
    unit_interval,
)
from gradcore.distributions.implicit import dirichlet_value, gamma_value
from gradcore.graph import wrap
from gradcore.ops.registry import FUNCTIONS
from gradcore.random import draw
from gradcore.tensor import Tensor


def _f(name: str, *args: Any) -> Tensor:
    result: Tensor = FUNCTIONS[name](*args)
    return result


def standard_normal(shape: Any, dtype: Any) -> Tensor:
    """Draw standard normal values, from the same numbers as PyTorch's distributions."""
    result: Tensor = normal(zeros(shape, dtype=dtype), ones(shape, dtype=dtype))
    return result


class Normal(ExponentialFamily):
    """The normal distribution with mean `loc` and standard deviation `scale`."""

    arg_constraints = {"loc": real, "scale": positive}
    support = real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def stddev(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        result: Tensor = self.scale.pow(2)
        return result

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended(sample_shape)
        loc, scale = self.loc.detach().expand(shape), self.scale.detach().expand(shape)
        result: Tensor = normal(loc, scale)
        return result

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        drawn = standard_normal(self._extended(sample_shape), self.loc.dtype)
        result: Tensor = self.loc + drawn * self.scale
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        spread = self.scale**2
        result: Tensor = (
            -((value - self.loc) ** 2) / (2 * spread)
            - self.scale.log()
            - math.log(math.sqrt(2 * math.pi))
        )
        return result

    def cdf(self, value: Tensor) -> Tensor:
        self._check_value(value)
        inside = (value - self.loc) * self.scale.reciprocal() / math.sqrt(2)
        result: Tensor = 0.5 * (1 + inside.erf())
        return result

    def icdf(self, value: Tensor) -> Tensor:
        result: Tensor = self.loc + self.scale * (2 * value - 1).erfinv() * math.sqrt(2)
        return result

    def entropy(self) -> Tensor:
        result: Tensor = 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()
        return result


class Uniform(Distribution):
    """Every value from `low` to below `high` alike."""

    arg_constraints = {"low": real, "high": real}
    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = broadcast_all(low, high)
        super().__init__(self.low.shape, (), validate_args)
        if self._validate_args and not bool((self.low < self.high).all()):
            raise ValueError("Uniform is not defined when low>= high")

    @property
    def mean(self) -> Tensor:
        result: Tensor = (self.high + self.low) / 2
        return result

    @property
    def variance(self) -> Tensor:
        result: Tensor = (self.high - self.low).pow(2) / 12
        return result

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        drawn = rand(self._extended(sample_shape), dtype=self.low.dtype)
        result: Tensor = self.low + drawn * (self.high - self.low)
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        above = self.low.le(value).type_as(self.low)
        below = self.high.gt(value).type_as(self.low)
        result: Tensor = (above * below).log() - (self.high - self.low).log()
        return result

    def cdf(self, value: Tensor) -> Tensor:
        result: Tensor = ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)
        return result

    def icdf(self, value: Tensor) -> Tensor:
        result: Tensor = value * (self.high - self.low) + self.low
        return result

    def entropy(self) -> Tensor:
        result: Tensor = (self.high - self.low).log()
        return result


class Laplace(Distribution):
    """Two exponential distributions back to back."""

    arg_constraints = {"loc": real, "scale": positive}
    support = real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        result: Tensor = 2 * self.scale.pow(2)
        return result

    @property
    def stddev(self) -> Tensor:
        result: Tensor = math.sqrt(2) * self.scale
        return result

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        low = dtypes.finfo(self.loc.dtype).eps - 1
        u = empty(self._extended(sample_shape), dtype=self.loc.dtype).uniform_(low, 1)
        result: Tensor = self.loc - self.scale * u.sign() * _f("log1p", -u.abs())
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        result: Tensor = -(2 * self.scale).log() - (value - self.loc).abs() / self.scale
        return result

    def cdf(self, value: Tensor) -> Tensor:
        far = (value - self.loc).abs()
        result: Tensor = 0.5 - 0.5 * (value - self.loc).sign() * _f("expm1", -far / self.scale)
        return result

    def entropy(self) -> Tensor:
        result: Tensor = 1 + (2 * self.scale).log()
        return result


class Exponential(ExponentialFamily):
    """The time to the next of events that come at `rate`."""

    arg_constraints = {"rate": positive}
    support = nonnegative
    has_rsample = True

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        result: Tensor = self.rate.reciprocal()
        return result

    @property
    def mode(self) -> Tensor:
        result: Tensor = self.rate * 0.0
        return result

    @property
    def variance(self) -> Tensor:
        result: Tensor = self.rate.pow(-2)
        return result

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        drawn = empty(self._extended(sample_shape), dtype=self.rate.dtype).exponential_()
        result: Tensor = drawn / self.rate
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        result: Tensor = self.rate.log() - self.rate * value
        return result

    def cdf(self, value: Tensor) -> Tensor:
        result: Tensor = 1 - (-self.rate * value).exp()
        return result

    def icdf(self, value: Tensor) -> Tensor:
        result: Tensor = -_f("log1p", -value) / self.rate
        return result

    def entropy(self) -> Tensor:
        result: Tensor = 1.0 - self.rate.log()
        return result


class Cauchy(Distribution):
    """The ratio of two normal values: it has no mean."""

    arg_constraints = {"loc": real, "scale": positive}
    support = real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    @property
    def mode(self) -> Tensor:
        return self.loc

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        drawn = empty(self._extended(sample_shape), dtype=self.loc.dtype).cauchy_()
        result: Tensor = self.loc + drawn * self.scale
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        result: Tensor = (
            -math.log(math.pi)
            - self.scale.log()
            - _f("log1p", ((value - self.loc) / self.scale) ** 2)
        )
        return result

    def cdf(self, value: Tensor) -> Tensor:
        self._check_value(value)
        result: Tensor = ((value - self.loc) / self.scale).atan() / math.pi + 0.5
        return result

    def icdf(self, value: Tensor) -> Tensor:
        result: Tensor = (math.pi * (value - 0.5)).tan() * self.scale + self.loc
        return result

    def entropy(self) -> Tensor:
        result: Tensor = math.log(4 * math.pi) + self.scale.log()
        return result


class Gamma(ExponentialFamily):
    """The time to the `concentration`-th of events that come at `rate`."""

    arg_constraints = {"concentration": positive, "rate": positive}
    support = nonnegative
    has_rsample = True

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        result: Tensor = self.concentration / self.rate
        return result

    @property
    def mode(self) -> Tensor:
        result: Tensor = ((self.concentration - 1) / self.rate).clamp(min=0)
        return result

    @property
    def variance(self) -> Tensor:
        result: Tensor = self.concentration / self.rate.pow(2)
        return result

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = tuple(self._extended(sample_shape))
        drawn = draw(draws.gamma_of, self.concentration._a, shape, generator=None)
        value = gamma_value(self.concentration, wrap(drawn))
        result: Tensor = (value / self.rate).clamp(min=dtypes.finfo(self.rate.dtype).tiny)
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        a, rate = self.concentration, self.rate
        result: Tensor = (
            _f("xlogy", a, rate) + _f("xlogy", a - 1, value) - rate * value - _f("lgamma", a)
        )
        return result

    def entropy(self) -> Tensor:
        a = self.concentration
        result: Tensor = a - self.rate.log() + _f("lgamma", a) + (1.0 - a) * _f("digamma", a)
        return result


class Chi2(Gamma):
    """The sum of the squares of `df` standard normal values."""

    arg_constraints = {"df": positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * df, 0.5, validate_args)

    @property
    def df(self) -> Tensor:
        """How many squares are summed."""
        result: Tensor = self.concentration * 2
        return result


class Dirichlet(ExponentialFamily):
    """A distribution of probabilities that sum to 1."""

    arg_constraints = {"concentration": positive}
    support = simplex
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        result: Tensor = self.concentration / self.concentration.sum(-1, True)
        return result

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, True)
        result: Tensor = (
            self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))
        )
        return result

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = tuple(self._extended(sample_shape))
        drawn = draw(draws.dirichlet_of, self.concentration._a, shape, generator=None)
        result: Tensor = dirichlet_value(self.concentration, wrap(drawn))
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        a = self.concentration
        result: Tensor = (
            _f("xlogy", a - 1.0, value).sum(-1) + _f("lgamma", a.sum(-1)) - _f("lgamma", a).sum(-1)
        )
        return result

    def entropy(self) -> Tensor:
        a = self.concentration
        total = a.sum(-1)
        result: Tensor = (
            _f("lgamma", a).sum(-1)
            - _f("lgamma", total)
            - (a.size(-1) - total) * _f("digamma", total)
            - ((a - 1.0) * _f("digamma", a)).sum(-1)
        )
        return result


class Beta(ExponentialFamily):
    """A distribution of one probability."""

    arg_constraints = {"concentration1": positive, "concentration0": positive}
    support = unit_interval
    has_rsample = True

    def __init__(
        self, concentration1: Any, concentration0: Any, validate_args: bool | None = None
    ) -> None:
        first, second = broadcast_all(concentration1, concentration0)
        self._dirichlet = Dirichlet(_f("stack", [first, second], -1), validate_args)
        super().__init__(self._dirichlet._batch_shape, (), validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "Beta":
        shape = tuple(batch_shape)
        return Beta(self.concentration1.expand(shape), self.concentration0.expand(shape))

    @property
    def concentration1(self) -> Tensor:
        """The weight of 1."""
        result: Tensor = self._dirichlet.concentration[..., 0]
        return result

    @property
    def concentration0(self) -> Tensor:
        """The weight of 0."""
        result: Tensor = self._dirichlet.concentration[..., 1]
        return result

    @property
    def mean(self) -> Tensor:
        result: Tensor = self.concentration1 / (self.concentration1 + self.concentration0)
        return result

    @property
    def mode(self) -> Tensor:
        first, second = self.concentration1, self.concentration0
        result: Tensor = (first - 1) / (first + second - 2)
        return _f("where", (first > 1) & (second > 1), result, math.nan)

    @property
    def variance(self) -> Tensor:
        total = self.concentration1 + self.concentration0
        result: Tensor = self.concentration1 * self.concentration0 / (total.pow(2) * (total + 1))
        return result

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        result: Tensor = self._dirichlet.rsample(sample_shape)[..., 0]
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        return self._dirichlet.log_prob(_f("stack", [value, 1.0 - value], -1))

    def entropy(self) -> Tensor:
        return self._dirichlet.entropy()


class StudentT(Distribution):
    """A mean of few normal values, over their own spread: heavier tails than normal."""

    arg_constraints = {"df": positive, "loc": real, "scale": positive}
    support = real
    has_rsample = True

    def __init__(
        self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None
    ) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        super().__init__(self.df.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        return _f("where", self.df > 1, self.loc, math.nan)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        drawn = standard_normal(self._extended(sample_shape), self.df.dtype)
        spread = self._chi2.rsample(sample_shape)
        result: Tensor = self.loc + self.scale * drawn * _f("rsqrt", spread / self.df)
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        df = self.df
        y = (value - self.loc) / self.scale
        z = (
            self.scale.log()
            + 0.5 * df.log()
            + 0.5 * math.log(math.pi)
            + _f("lgamma", 0.5 * df)
            - _f("lgamma", 0.5 * (df + 1.0))
        )
        result: Tensor = -0.5 * (df + 1.0) * _f("log1p", y**2.0 / df) - z
        return result
