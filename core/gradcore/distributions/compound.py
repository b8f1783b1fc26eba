"""Distributions of several values at once, and mixtures of distributions."""

import math
from typing import Any

from gradcore.creation import rand
from gradcore.distributions.continuous import _f, standard_normal
from gradcore.distributions.discrete import Categorical, clamped, to_logits, to_probs
from gradcore.distributions.distribution import (
    Distribution,
    broadcast_all,
    real_vector,
    shape_of,
    unit_interval,
)
from gradcore.distributions.transforms import (
    ExpTransform,
    SigmoidTransform,
    TransformedDistribution,
)
from gradcore.modes import no_grad
from gradcore.ops.linear_algebra import LINALG
from gradcore.tensor import Tensor


class Independent(Distribution):
    """A distribution some of whose batch axes are taken as parts of one value."""

    arg_constraints = {}

    def __init__(
        self,
        base_distribution: Distribution,
        reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:
        batch = base_distribution.batch_shape
        if reinterpreted_batch_ndims > len(batch):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), "
                f"actual {reinterpreted_batch_ndims} vs {len(batch)}"
            )
        self.base_dist = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        cut = len(batch) - reinterpreted_batch_ndims
        events = (*batch[cut:], *base_distribution.event_shape)
        super().__init__(batch[:cut], events, validate_args)
        self.has_rsample = base_distribution.has_rsample

    def _summed(self, value: Tensor) -> Tensor:
        n = self.reinterpreted_batch_ndims
        result: Tensor = value.sum(tuple(range(-n, 0))) if n else value
        return result

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._summed(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        return self._summed(self.base_dist.entropy())

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


class MultivariateNormal(Distribution):
    """Normal values that vary together."""

    arg_constraints = {"loc": real_vector}
    support = real_vector
    has_rsample = True

    loc: Tensor
    _root: Tensor

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = (covariance_matrix, scale_tril, precision_matrix)
        if sum(item is not None for item in given) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be "
                "specified."
            )
        if scale_tril is not None:
            root = scale_tril
        elif covariance_matrix is not None:
            root = LINALG["cholesky"](covariance_matrix)
        else:
            root = LINALG["cholesky"](LINALG["inv"](precision_matrix))
        n = loc.size(-1)
        batch = tuple(_f("broadcast_tensors", loc[..., 0], root[..., 0, 0])[0].shape)
        self.loc = loc.expand((*batch, n))
        self._root = root.expand((*batch, n, n))
        self._given = "scale_tril" if scale_tril is not None else "covariance_matrix"
        super().__init__(batch, (n,), validate_args)

    @property
    def scale_tril(self) -> Tensor:
        """The lower triangle whose product with its transpose is the covariance."""
        return self._root

    @property
    def covariance_matrix(self) -> Tensor:
        """How the values vary together."""
        result: Tensor = self._root @ self._root.mT
        return result

    @property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        result: Tensor = LINALG["inv"](self.covariance_matrix)
        return result

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        result: Tensor = self._root.pow(2).sum(-1)
        return result

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        drawn = standard_normal(self._extended(sample_shape), self.loc.dtype)
        result: Tensor = self.loc + (self._root @ drawn.unsqueeze(-1)).squeeze(-1)
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        far = (value - self.loc).unsqueeze(-1)
        solved = LINALG["solve_triangular"](self._root, far, upper=False).squeeze(-1)
        result: Tensor = (
            -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + solved.pow(2).sum(-1))
            - self._half_log_det()
        )
        return result

    def _half_log_det(self) -> Tensor:
        result: Tensor = _f("diagonal", self._root, 0, -2, -1).log().sum(-1)
        return result

    def entropy(self) -> Tensor:
        n = self._event_shape[0]
        result: Tensor = 0.5 * n * (1.0 + math.log(2 * math.pi)) + self._half_log_det()
        return result

    def __repr__(self) -> str:
        parts = {"loc": self.loc, self._given: getattr(self, self._given)}
        shown = (f"{k}: {v if v.numel() == 1 else v.size()}" for k, v in parts.items())
        return f"MultivariateNormal({', '.join(shown)})"


class MixtureSameFamily(Distribution):
    """One of several distributions of the same kind, chosen at random."""

    arg_constraints = {}

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(
                " The Mixture distribution needs to be an  instance of "
                "torch.distributions.Categorical"
            )
        self.mixture_distribution = mixture_distribution
        self.component_distribution = component_distribution
        events = component_distribution.event_shape
        super().__init__(component_distribution.batch_shape[:-1], events, validate_args)

    def _weights(self) -> Tensor:
        probs = self.mixture_distribution.probs
        result: Tensor = probs.reshape((*probs.shape, *(1,) * len(self._event_shape)))
        return result

    @property
    def mean(self) -> Tensor:
        place = -1 - len(self._event_shape)
        result: Tensor = (self._weights() * self.component_distribution.mean).sum(place)
        return result

    @property
    def variance(self) -> Tensor:
        place = -1 - len(self._event_shape)
        weights, parts = self._weights(), self.component_distribution
        inside = (weights * parts.variance).sum(place)
        between = (weights * (parts.mean - self.mean.unsqueeze(place)).pow(2)).sum(place)
        result: Tensor = inside + between
        return result

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            shape = shape_of(sample_shape)
            place = len(shape) + len(self._batch_shape)
            chosen = self.mixture_distribution.sample(shape)
            drawn = self.component_distribution.sample(shape)
            extra = (1,) * (len(self._event_shape) + 1)
            index = chosen.reshape((*chosen.shape, *extra))
            index = index.expand((*chosen.shape, 1, *self._event_shape))
            result: Tensor = drawn.gather(place, index).squeeze(place)
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        inner = value.unsqueeze(-1 - len(self._event_shape))
        parts = self.component_distribution.log_prob(inner)
        weights = self.mixture_distribution.logits.log_softmax(-1)
        result: Tensor = (parts + weights).logsumexp(-1)
        return result


class RelaxedBernoulli(TransformedDistribution):
    """A trial whose outcome may lie between 0 and 1, so that a gradient flows."""

    arg_constraints = {"probs": unit_interval}
    support = unit_interval

    def __init__(
        self,
        temperature: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        base = _LogitRelaxed(temperature, probs, logits, validate_args)
        super().__init__(base, SigmoidTransform(), validate_args)
        self.temperature = base.temperature
        self.logits = base.logits

    @property
    def probs(self) -> Tensor:
        """The probability of 1 where the temperature is 0."""
        return to_probs(self.logits, True)


class _LogitRelaxed(Distribution):
    has_rsample = True

    def __init__(self, temperature: Any, probs: Any, logits: Any, validate: bool | None) -> None:
        self.temperature = temperature
        if probs is not None:
            self.logits = to_logits(broadcast_all(probs)[0], True)
        else:
            (self.logits,) = broadcast_all(logits)
        super().__init__(self.logits.shape, (), validate)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended(sample_shape)
        probs = clamped(to_probs(self.logits, True).expand(shape))
        u = clamped(rand(shape, dtype=probs.dtype))
        up, down = u.log() - _f("log1p", -u), probs.log() - _f("log1p", -probs)
        result: Tensor = (up + down) / self.temperature
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        logits, value = broadcast_all(self.logits, value)
        far = logits - value * self.temperature
        scale = broadcast_all(self.temperature, far)[0].log()
        result: Tensor = scale + far - 2 * _f("log1p", far.exp())
        return result


class RelaxedOneHotCategorical(TransformedDistribution):
    """Classes softly chosen (Gumbel softmax), so that a gradient flows."""

    arg_constraints = {}

    def __init__(
        self,
        temperature: Any,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = _ExpRelaxed(temperature, probs, logits, validate_args)
        super().__init__(base, ExpTransform(), validate_args)
        self.temperature = temperature

    @property
    def logits(self) -> Tensor:
        """The logits of the classes."""
        result: Tensor = self.base_dist._categorical.logits  # type: ignore[attr-defined]  # has it
        return result

    @property
    def probs(self) -> Tensor:
        """The probabilities of the classes."""
        result: Tensor = self.base_dist._categorical.probs  # type: ignore[attr-defined]  # has it
        return result


class _ExpRelaxed(Distribution):
    has_rsample = True

    def __init__(self, temperature: Any, probs: Any, logits: Any, validate: bool | None) -> None:
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended(sample_shape)
        logits = self._categorical.logits
        u = clamped(rand(shape, dtype=logits.dtype))
        scores = (logits - (-u.log()).log()) / self.temperature
        result: Tensor = scores - scores.logsumexp(-1, keepdim=True)
        return result

    def log_prob(self, value: Tensor) -> Tensor:
        n = value.size(-1)
        logits = self._categorical.logits
        t = broadcast_all(self.temperature, logits[..., 0])[0]
        scale = math.lgamma(n) + (n - 1) * t.log()
        score = logits - value * self.temperature
        score = (score - score.logsumexp(-1, keepdim=True)).sum(-1)
        result: Tensor = score + scale
        return result
