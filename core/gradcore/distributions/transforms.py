"""Invertible functions of random values, and the distributions they make."""

import math
from collections.abc import Sequence
from typing import Any

from gradcore import dtypes
from gradcore.creation import zeros
from gradcore.distributions.continuous import Exponential, Normal, Uniform, _f
from gradcore.distributions.distribution import Distribution, broadcast_all, positive, real
from gradcore.nn import functional as F
from gradcore.tensor import Tensor


class Transform:
    """An invertible function, with the logarithm of how much it stretches."""

    event_dim = 0
    sign = 1

    def __init__(self, cache_size: int = 0) -> None:
        self._last: tuple[Any, Any] = (None, None)
        self._cache_size = cache_size

    def __call__(self, x: Tensor) -> Tensor:
        if self._cache_size and self._last[0] is x:
            cached: Tensor = self._last[1]
            return cached
        y = self._call(x)
        if self._cache_size:
            self._last = (x, y)
        return y

    @property
    def inv(self) -> "Transform":
        """The function that undoes this one."""
        return _Inverse(self)

    def _inv_call(self, y: Tensor) -> Tensor:
        if self._cache_size and self._last[1] is y:
            cached: Tensor = self._last[0]
            return cached
        return self._inverse(y)

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no forward form")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no inverse")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the logarithm of how much it stretches at x, where it gives y."""
        raise NotImplementedError(f"{type(self).__name__} has no Jacobian here")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Inverse(Transform):
    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self._inv = transform
        self.event_dim = transform.event_dim

    @property
    def inv(self) -> Transform:
        return self._inv

    def _call(self, x: Tensor) -> Tensor:
        return self._inv._inv_call(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self._inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        result: Tensor = -self._inv.log_abs_det_jacobian(y, x)
        return result


class ExpTransform(Transform):
    """`exp(x)`."""

    def _call(self, x: Tensor) -> Tensor:
        result: Tensor = x.exp()
        return result

    def _inverse(self, y: Tensor) -> Tensor:
        result: Tensor = y.log()
        return result

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x


class SigmoidTransform(Transform):
    """`sigmoid(x)`."""

    def _call(self, x: Tensor) -> Tensor:
        info = dtypes.finfo(x.dtype)
        result: Tensor = x.sigmoid().clamp(min=info.tiny, max=1.0 - info.eps)
        return result

    def _inverse(self, y: Tensor) -> Tensor:
        info = dtypes.finfo(y.dtype)
        y = y.clamp(min=info.tiny, max=1.0 - info.eps)
        result: Tensor = y.log() - _f("log1p", -y)
        return result

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        result: Tensor = -F.softplus(-x) - F.softplus(x)
        return result


class TanhTransform(Transform):
    """`tanh(x)`."""

    def _call(self, x: Tensor) -> Tensor:
        result: Tensor = x.tanh()
        return result

    def _inverse(self, y: Tensor) -> Tensor:
        return _f("atanh", y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        result: Tensor = 2.0 * (math.log(2.0) - x - F.softplus(-2.0 * x))
        return result


class SoftplusTransform(Transform):
    """`log(1 + exp(x))`."""

    def _call(self, x: Tensor) -> Tensor:
        return F.softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        result: Tensor = (-_f("expm1", -y)).log() + y
        return result

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        result: Tensor = -F.softplus(-x)
        return result


class AbsTransform(Transform):
    """`abs(x)`; of its inverses the positive one."""

    def _call(self, x: Tensor) -> Tensor:
        result: Tensor = x.abs()
        return result

    def _inverse(self, y: Tensor) -> Tensor:
        return y


class PowerTransform(Transform):
    """`x ** exponent`, for positive x."""

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        (self.exponent,) = broadcast_all(exponent)

    def _call(self, x: Tensor) -> Tensor:
        result: Tensor = x.pow(self.exponent)
        return result

    def _inverse(self, y: Tensor) -> Tensor:
        result: Tensor = y.pow(1 / self.exponent)
        return result

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        result: Tensor = (self.exponent * y / x).abs().log()
        return result


class AffineTransform(Transform):
    """`loc + scale * x`."""

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc = loc
        self.scale = scale
        self.event_dim = event_dim

    def _call(self, x: Tensor) -> Tensor:
        result: Tensor = self.loc + self.scale * x
        return result

    def _inverse(self, y: Tensor) -> Tensor:
        result: Tensor = (y - self.loc) / self.scale
        return result

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if isinstance(self.scale, Tensor):
            slope = self.scale.abs().log()
        else:
            slope = zeros((), dtype=x.dtype) + math.log(abs(self.scale))
        slope = slope.expand(x.shape)
        result: Tensor = slope.sum(tuple(range(-self.event_dim, 0))) if self.event_dim else slope
        return result


class ComposeTransform(Transform):
    """Several functions, one after the other."""

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = list(parts)
        self.event_dim = max((part.event_dim for part in parts), default=0)

    def _call(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for part in reversed(self.parts):
            y = part._inv_call(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        total: Any = 0.0
        for part in self.parts:
            after = part(x)
            total = total + part.log_abs_det_jacobian(x, after)
            x = after
        result: Tensor = total
        return result


class TransformedDistribution(Distribution):
    """The distribution of a function of random values."""

    arg_constraints = {}

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        self.base_dist = base_distribution
        single = isinstance(transforms, Transform)
        self.transforms: list[Any] = [transforms] if single else list(transforms)  # type: ignore[arg-type]  # not single
        shapes = base_distribution.batch_shape, base_distribution.event_shape
        super().__init__(*shapes, validate_args=validate_args)
        self.has_rsample = base_distribution.has_rsample

    def expand(self, batch_shape: Any, _instance: Any = None) -> Distribution:
        return TransformedDistribution(self.base_dist.expand(batch_shape), self.transforms)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        x = self.base_dist.sample(sample_shape)
        for transform in self.transforms:
            x = transform(x.detach())
        result: Tensor = x.detach()
        return result

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        x = self.base_dist.rsample(sample_shape)
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        events = len(self._event_shape)
        total: Any = 0.0
        y = value
        for transform in reversed(self.transforms):
            x = transform._inv_call(y)
            slope = transform.log_abs_det_jacobian(x, y)
            left = events - transform.event_dim
            total = total - (slope.sum(tuple(range(-left, 0))) if left else slope)
            y = x
        result: Tensor = total + self.base_dist.log_prob(y)
        return result

    def cdf(self, value: Tensor) -> Tensor:
        for transform in reversed(self.transforms):
            value = transform._inv_call(value)
        return self.base_dist.cdf(value)


class LogNormal(TransformedDistribution):
    """A value whose logarithm is normal."""

    arg_constraints = {"loc": real, "scale": positive}
    support = positive

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(loc, scale, validate_args), ExpTransform(), validate_args)

    @property
    def loc(self) -> Tensor:
        """The mean of the logarithm."""
        result: Tensor = self.base_dist.loc  # type: ignore[attr-defined]  # a Normal
        return result

    @property
    def scale(self) -> Tensor:
        """The standard deviation of the logarithm."""
        result: Tensor = self.base_dist.scale  # type: ignore[attr-defined]  # a Normal
        return result

    @property
    def mean(self) -> Tensor:
        result: Tensor = (self.loc + self.scale.pow(2) / 2).exp()
        return result

    @property
    def variance(self) -> Tensor:
        square = self.scale.pow(2)
        result: Tensor = _f("expm1", square) * (2 * self.loc + square).exp()
        return result

    def entropy(self) -> Tensor:
        result: Tensor = self.base_dist.entropy() + self.loc
        return result


class HalfNormal(TransformedDistribution):
    """The absolute value of a normal value with mean 0."""

    arg_constraints = {"scale": positive}

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(0, scale, validate_args), AbsTransform(), validate_args)

    @property
    def scale(self) -> Tensor:
        """The standard deviation before the sign was lost."""
        result: Tensor = self.base_dist.scale  # type: ignore[attr-defined]  # a Normal
        return result

    @property
    def mean(self) -> Tensor:
        result: Tensor = self.scale * math.sqrt(2 / math.pi)
        return result

    @property
    def variance(self) -> Tensor:
        result: Tensor = self.scale.pow(2) * (1 - 2 / math.pi)
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        found = self.base_dist.log_prob(value) + math.log(2)
        return _f("where", value >= 0, found, -math.inf)

    def entropy(self) -> Tensor:
        result: Tensor = self.base_dist.entropy() - math.log(2)
        return result


class Gumbel(TransformedDistribution):
    """The largest of many values."""

    arg_constraints = {"loc": real, "scale": positive}
    support = real

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        info = dtypes.finfo(self.loc.dtype)
        base = Uniform(
            zeros(self.loc.shape, dtype=self.loc.dtype) + info.tiny,
            zeros(self.loc.shape, dtype=self.loc.dtype) + (1 - info.eps),
            validate_args,
        )
        log, flip = ExpTransform().inv, AffineTransform(0, -1)
        steps = [log, flip, log, AffineTransform(self.loc, -self.scale)]
        super().__init__(base, steps, validate_args)

    @property
    def mean(self) -> Tensor:
        result: Tensor = self.loc + self.scale * 0.57721566490153286060
        return result

    @property
    def variance(self) -> Tensor:
        result: Tensor = self.scale.pow(2) * (math.pi**2 / 6)
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        y = (self.loc - value) / self.scale
        result: Tensor = (y - y.exp()) - self.scale.log()
        return result

    def entropy(self) -> Tensor:
        result: Tensor = self.scale.log() + (1 + 0.57721566490153286060)
        return result


class Weibull(TransformedDistribution):
    """A power of an exponential value."""

    arg_constraints = {"scale": positive, "concentration": positive}
    support = positive

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        base = Exponential(self.scale * 0 + 1, validate_args)
        power = PowerTransform(self.concentration.reciprocal())
        super().__init__(base, [power, AffineTransform(0, self.scale)], validate_args)

    @property
    def mean(self) -> Tensor:
        result: Tensor = self.scale * _f("lgamma", 1 + self.concentration.reciprocal()).exp()
        return result
