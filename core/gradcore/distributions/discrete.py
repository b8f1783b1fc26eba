"""Distributions of whole numbers and classes."""

import math
from typing import Any

import numpy as np

from gradcore import draws, dtypes
from gradcore.creation import arange, bernoulli, full, multinomial, rand
from gradcore.distributions.continuous import _f
from gradcore.distributions.distribution import (
    Constraint,
    Distribution,
    ExponentialFamily,
    boolean,
    broadcast_all,
    nonnegative,
    nonnegative_integer,
    real,
    real_vector,
    shape_of,
    simplex,
    unit_interval,
)
from gradcore.graph import wrap
from gradcore.modes import no_grad
from gradcore.nn import functional as F
from gradcore.random import draw
from gradcore.size import Size
from gradcore.tensor import Tensor


def clamped(probs: Tensor) -> Tensor:
    """Return probabilities that are neither 0 nor 1, so that logarithms are finite."""
    eps = dtypes.finfo(probs.dtype).eps
    result: Tensor = probs.clamp(min=eps, max=1 - eps)
    return result


def to_logits(probs: Tensor, binary: bool = False) -> Tensor:
    """Return the logits of probabilities."""
    inside = clamped(probs)
    result: Tensor = inside.log() - _f("log1p", -inside) if binary else inside.log()
    return result


def to_probs(logits: Tensor, binary: bool = False) -> Tensor:
    """Return the probabilities of logits."""
    result: Tensor = logits.sigmoid() if binary else logits.softmax(-1)
    return result


def _one_of(probs: Any, logits: Any) -> None:
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


class _Binary(ExponentialFamily):
    """What distributions of single trials share: probabilities, or logits of them."""

    arg_constraints = {"probs": unit_interval, "logits": real}

    def _take(self, probs: Any, logits: Any) -> Tensor:
        _one_of(probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
            return self.probs
        (self.logits,) = broadcast_all(logits)
        return self.logits

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if name == "logits" and "probs" in own:
            own["logits"] = to_logits(own["probs"], True)
        elif name == "probs" and "logits" in own:
            own["probs"] = to_probs(own["logits"], True)
        else:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return own[name]


class Bernoulli(_Binary):
    """One trial: 1 with probability `probs`."""

    support = boolean
    has_enumerate_support = True

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(self._take(probs, logits).shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        result: Tensor = self.probs
        return result

    @property
    def mode(self) -> Tensor:
        made = (self.probs >= 0.5).to(self.probs)
        return _f("where", self.probs == 0.5, math.nan, made)

    @property
    def variance(self) -> Tensor:
        result: Tensor = self.probs * (1 - self.probs)
        return result

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter."""
        return Size(self.probs.shape)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        result: Tensor = bernoulli(self.probs.detach().expand(self._extended(sample_shape)))
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        logits, value = broadcast_all(self.logits, value)
        result: Tensor = -F.binary_cross_entropy_with_logits(logits, value, reduction="none")
        return result

    def entropy(self) -> Tensor:
        logits = self.logits
        return F.binary_cross_entropy_with_logits(logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = arange(2, dtype=self.probs.dtype).reshape(2, *(1,) * len(self._batch_shape))
        result: Tensor = values.expand(2, *self._batch_shape) if expand else values
        return result


class Geometric(_Binary):
    """How many trials fail before the first success."""

    support = nonnegative_integer

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(self._take(probs, logits).shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        result: Tensor = 1.0 / self.probs - 1.0
        return result

    @property
    def variance(self) -> Tensor:
        result: Tensor = (1.0 / self.probs - 1.0) / self.probs
        return result

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            u = rand(self._extended(sample_shape), dtype=self.probs.dtype)
            u = u.clamp(min=dtypes.finfo(u.dtype).tiny)
            result: Tensor = (u.log() / _f("log1p", -self.probs)).floor()
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        value, probs = broadcast_all(value, self.probs)
        probs = _f("where", (probs == 1) & (value == 0), 0.0, probs)
        result: Tensor = value * _f("log1p", -probs) + self.probs.log()
        return result

    def entropy(self) -> Tensor:
        logits = self.logits
        result: Tensor = (
            F.binary_cross_entropy_with_logits(logits, self.probs, reduction="none") / self.probs
        )
        return result


class Binomial(_Binary):
    """How many of `total_count` trials succeed."""

    arg_constraints = {
        "total_count": nonnegative_integer,
        "probs": unit_interval,
        "logits": real,
    }

    def __init__(
        self,
        total_count: Any = 1,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        given = self._take(probs, logits)
        self.total_count, given = broadcast_all(total_count, given)
        self.total_count = self.total_count.type_as(given)
        self.__dict__["probs" if probs is not None else "logits"] = given
        super().__init__(given.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        result: Tensor = self.total_count * self.probs
        return result

    @property
    def variance(self) -> Tensor:
        result: Tensor = self.total_count * self.probs * (1 - self.probs)
        return result

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = tuple(self._extended(sample_shape))
        arrays = (self.total_count._a, self.probs.detach()._a)
        result: Tensor = wrap(draw(draws.binomial_of, *arrays, shape, generator=None))
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        n, logits = self.total_count, self.logits
        ways = _f("lgamma", n + 1) - _f("lgamma", value + 1) - _f("lgamma", n - value + 1)
        normal = n * logits.clamp(min=0) + n * _f("log1p", (-logits.abs()).exp())
        result: Tensor = value * logits + ways - normal
        return result


class Categorical(Distribution):
    """One of several classes."""

    arg_constraints = {"probs": simplex, "logits": real_vector}
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        _one_of(probs, logits)
        given = probs if probs is not None else logits
        if not isinstance(given, Tensor):
            raise TypeError(f"Categorical takes a tensor, got {type(given).__name__}")
        if given.dim() < 1:
            name = "probs" if probs is not None else "logits"
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = given - given.logsumexp(-1, keepdim=True)
        self._param = given
        self._num_events = given.size(-1)
        super().__init__(given.shape[:-1], (), validate_args)

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if name == "logits" and "probs" in own:
            own["logits"] = to_logits(own["probs"])
        elif name == "probs" and "logits" in own:
            own["probs"] = to_probs(own["logits"])
        else:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return own[name]

    @property
    def support(self) -> Any:
        """The numbers of the classes."""
        n = self._num_events
        name = f"IntegerInterval(lower_bound=0, upper_bound={n - 1})"
        return Constraint(name, lambda x: (x % 1 == 0) & (x >= 0) & (x < n))

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter."""
        return Size(self._param.shape)

    @property
    def mean(self) -> Tensor:
        result: Tensor = full(self._batch_shape, math.nan)
        return result

    @property
    def variance(self) -> Tensor:
        return self.mean

    @property
    def mode(self) -> Tensor:
        result: Tensor = self.probs.argmax(-1)
        return result

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = shape_of(sample_shape)
        rows = self.probs.detach().reshape(-1, self._num_events)
        drawn = multinomial(rows, shape.numel(), True).T
        result: Tensor = drawn.reshape((*shape, *self._batch_shape))
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        places = value.long().unsqueeze(-1)
        shape = np.broadcast_shapes(tuple(places.shape)[:-1], tuple(self._batch_shape))
        logits = self.logits.expand((*shape, self._num_events))
        result: Tensor = logits.gather(-1, places.expand((*shape, 1))).squeeze(-1)
        return result

    def entropy(self) -> Tensor:
        lowest = dtypes.finfo(self.logits.dtype).min
        result: Tensor = -(self.logits.clamp(min=lowest) * self.probs).sum(-1)
        return result

    def expand(self, batch_shape: Any, _instance: Any = None) -> "Categorical":
        shape = (*shape_of(batch_shape), self._num_events)
        if "logits" in self.__dict__:
            return Categorical(logits=self.logits.expand(shape))
        return Categorical(self.probs.expand(shape))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = self._num_events
        values = arange(n).reshape(n, *(1,) * len(self._batch_shape))
        result: Tensor = values.expand(n, *self._batch_shape) if expand else values
        return result


class OneHotCategorical(Distribution):
    """One of several classes, as a vector with a 1 at its place."""

    arg_constraints = {"probs": simplex, "logits": real_vector}
    support = Constraint("OneHot()", lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1), 1)

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._categorical = Categorical(probs, logits, validate_args)
        events = self._categorical.param_shape[-1:]
        super().__init__(self._categorical.batch_shape, events, validate_args)

    def __getattr__(self, name: str) -> Any:
        if name in ("probs", "logits") and "_categorical" in self.__dict__:
            return getattr(self._categorical, name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    @property
    def mean(self) -> Tensor:
        result: Tensor = self.probs
        return result

    @property
    def variance(self) -> Tensor:
        result: Tensor = self.probs * (1 - self.probs)
        return result

    def sample(self, sample_shape: Any = ()) -> Tensor:
        drawn = self._categorical.sample(sample_shape)
        result: Tensor = F.one_hot(drawn, self._categorical._num_events).to(self.probs)
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        return self._categorical.log_prob(value.max(-1)[1])

    def entropy(self) -> Tensor:
        return self._categorical.entropy()


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """As OneHotCategorical; the gradient of a sample is that of the probabilities."""

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        drawn = self.sample(sample_shape)
        result: Tensor = drawn + (self.probs - self.probs.detach())
        return result


class Multinomial(Distribution):
    """How often each class comes in `total_count` draws."""

    arg_constraints = {"probs": simplex, "logits": real_vector}
    total_count: int

    def __init__(
        self,
        total_count: int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs, logits, validate_args)
        events = self._categorical.param_shape[-1:]
        super().__init__(self._categorical.batch_shape, events, validate_args)

    @property
    def probs(self) -> Tensor:
        """The probabilities of the classes."""
        result: Tensor = self._categorical.probs
        return result

    @property
    def logits(self) -> Tensor:
        """The logits of the classes."""
        result: Tensor = self._categorical.logits
        return result

    @property
    def mean(self) -> Tensor:
        result: Tensor = self.probs * self.total_count
        return result

    @property
    def variance(self) -> Tensor:
        result: Tensor = self.total_count * self.probs * (1 - self.probs)
        return result

    def sample(self, sample_shape: Any = ()) -> Tensor:
        drawn = self._categorical.sample((self.total_count, *shape_of(sample_shape)))
        result: Tensor = F.one_hot(drawn, self.probs.size(-1)).sum(0).type_as(self.probs)
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        logits, value = broadcast_all(self.logits, value)
        ways = _f("lgamma", value.sum(-1) + 1) - _f("lgamma", value + 1).sum(-1)
        logits = _f("where", (value == 0) & (logits == -math.inf), 0.0, logits)
        result: Tensor = ways + (logits * value).sum(-1)
        return result


class Poisson(ExponentialFamily):
    """How many events come in a time, at `rate`."""

    arg_constraints = {"rate": nonnegative}
    support = nonnegative_integer

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def mode(self) -> Tensor:
        result: Tensor = self.rate.floor()
        return result

    @property
    def variance(self) -> Tensor:
        return self.rate

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = tuple(self._extended(sample_shape))
        drawn = draw(draws.poisson_of, self.rate.detach()._a, shape, generator=None)
        result: Tensor = wrap(drawn)
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        rate, value = broadcast_all(self.rate, value)
        result: Tensor = _f("xlogy", value, rate) - rate - _f("lgamma", value + 1)
        return result
