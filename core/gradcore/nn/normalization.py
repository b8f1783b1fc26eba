"""Normalising layers."""

from typing import Any

from gradcore.creation import empty, ones, tensor, zeros
from gradcore.dtypes import int64
from gradcore.nn import functional as F
from gradcore.nn import init
from gradcore.nn.catalog import derive_error, module, sample
from gradcore.nn.module import Module
from gradcore.nn.parameter import Parameter
from gradcore.tensor import Tensor


class _NormBase(Module):
    """What batch and instance normalisation share: parameters and running statistics."""

    _version = 2
    __constants__ = ["track_running_stats", "momentum", "eps", "num_features", "affine"]
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    _dims: tuple[int, ...] = ()

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            values = empty(num_features, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, None if values is None else Parameter(values))
        if track_running_stats:
            self.register_buffer("running_mean", zeros(num_features, dtype=dtype))
            self.register_buffer("running_var", ones(num_features, dtype=dtype))
            self.register_buffer("num_batches_tracked", tensor(0, dtype=int64))
        else:
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                self.register_buffer(name, None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget what has been measured."""
        if self.track_running_stats:
            self.running_mean.zero_()  # type: ignore[union-attr]  # tracked, so there
            self.running_var.fill_(1)  # type: ignore[union-attr]  # likewise
            self.num_batches_tracked.zero_()  # type: ignore[union-attr]  # likewise

    def reset_parameters(self) -> None:
        """Set the scale to 1 and the shift to 0, and forget what has been measured."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in self._dims:
            wanted = " or ".join(f"{n}D" for n in self._dims)
            raise ValueError(f"expected {wanted} input (got {input.dim()}D input)")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_NormBase):
    """Batch normalisation of any number of dimensions."""

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                # Without a momentum, the plain mean over all batches so far.
                factor = 1.0 / float(self.num_batches_tracked)
        by_batch = self.training or (self.running_mean is None and self.running_var is None)
        tracked = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            self.running_mean if tracked else None,
            self.running_var if tracked else None,
            self.weight,
            self.bias,
            by_batch,
            factor,
            self.eps,
        )


_BATCH_SUMMARY = "Normalises each channel over the batch, then scales and shifts it."
_BATCH_ALIASES = ("bn", "batchnorm", "normalise")


@module(
    family="normalization",
    shape="(N, num_features, [L]) -> (N, num_features, [L])",
    summary=_BATCH_SUMMARY,
    aliases=_BATCH_ALIASES,
    samples=[
        sample(3, inputs=[(4, 3)]),
        sample(3, inputs=[(2, 3, 5)]),
        sample(3, affine=False, track_running_stats=False, inputs=[(4, 3)]),
        sample(3, momentum=None, inputs=[(4, 3)]),
    ],
)
class BatchNorm1d(_BatchNorm):
    """Normalise each channel of (N, C) or (N, C, L) over the batch.

    Attributes: weight (1) and bias (0), and the running mean and variance that evaluation
        uses: buffers, not parameters, since no gradient moves them.
    """

    _dims = (2, 3)


@module(
    family="normalization",
    shape="(N, num_features, H, W) -> (N, num_features, H, W)",
    summary=_BATCH_SUMMARY,
    aliases=_BATCH_ALIASES,
    samples=[sample(3, inputs=[(2, 3, 4, 2)]), sample(3, 1e-3, 0.3, inputs=[(2, 3, 2, 2)])],
)
class BatchNorm2d(_BatchNorm):
    """Normalise each channel of (N, C, H, W) over the batch."""

    _dims = (4,)


@module(
    family="normalization",
    shape="(N, num_features, D, H, W) -> (N, num_features, D, H, W)",
    summary=_BATCH_SUMMARY,
    aliases=_BATCH_ALIASES,
    samples=[sample(2, inputs=[(2, 2, 2, 3, 2)])],
)
class BatchNorm3d(_BatchNorm):
    """Normalise each channel of (N, C, D, H, W) over the batch."""

    _dims = (5,)


class _InstanceNorm(_NormBase):
    """Instance normalisation of any number of dimensions."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        batched = input.dim() == self._dims[1]
        given = input if batched else input.unsqueeze(0)
        out = F.instance_norm(
            given,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum if self.momentum is not None else 0.0,
            self.eps,
        )
        return out if batched else out.squeeze(0)


_INSTANCE_SUMMARY = "Normalises each channel of each sample."


@module(
    family="normalization",
    shape="([N], num_features, L) -> ([N], num_features, L)",
    summary=_INSTANCE_SUMMARY,
    samples=[
        sample(3, inputs=[(2, 3, 4)]),
        sample(3, affine=True, track_running_stats=True, inputs=[(2, 3, 4)]),
    ],
)
class InstanceNorm1d(_InstanceNorm):
    """Normalise each channel of each sample of (N, C, L)."""

    _dims = (2, 3)


@module(
    family="normalization",
    shape="([N], num_features, H, W) -> ([N], num_features, H, W)",
    summary=_INSTANCE_SUMMARY,
    samples=[sample(3, inputs=[(2, 3, 2, 4)]), sample(3, affine=True, inputs=[(3, 2, 4)])],
)
class InstanceNorm2d(_InstanceNorm):
    """Normalise each channel of each sample of (N, C, H, W)."""

    _dims = (3, 4)


@module(
    family="normalization",
    shape="([N], num_features, D, H, W) -> ([N], num_features, D, H, W)",
    summary=_INSTANCE_SUMMARY,
    samples=[sample(2, inputs=[(2, 2, 2, 2, 2)])],
)
class InstanceNorm3d(_InstanceNorm):
    """Normalise each channel of each sample of (N, C, D, H, W)."""

    _dims = (4, 5)


def _as_shape(normalized_shape: Any) -> tuple[int, ...]:
    if isinstance(normalized_shape, int):
        return (normalized_shape,)
    return tuple(normalized_shape)


def _ends_fit(arguments: Any, bound: Any) -> dict[str, Any]:
    sizes, wanted = bound["*"], _as_shape(arguments["normalized_shape"])
    ends = sizes[-len(wanted) :] if wanted else ()
    fits = len(ends) == len(wanted) and all(
        have == want or isinstance(have, str) for have, want in zip(ends, wanted, strict=True)
    )
    if not fits:
        shown = ends[0] if len(wanted) == 1 and ends else tuple(ends)
        raise derive_error(
            f"got a shape that ends in {tuple(ends)}, this layer wants one that ends in {wanted}",
            f"Set normalized_shape={shown}, or change what feeds it.",
            repair={"normalized_shape": shown},
        )
    return {}


@module(
    family="normalization",
    shape="(*) -> (*)",
    derive=_ends_fit,
    summary="Normalises over the last axes, then scales and shifts.",
    aliases=("ln",),
    samples=[
        sample(4, inputs=[(2, 3, 4)]),
        sample((3, 4), inputs=[(2, 3, 4)]),
        sample(4, elementwise_affine=False, inputs=[(2, 4)]),
        sample(4, bias=False, eps=1e-3, inputs=[(2, 4)]),
    ],
)
class LayerNorm(Module):
    """Normalise over the last axes, of `normalized_shape`.

    Attributes: weight (1) and bias (0), of `normalized_shape`.
    """

    __constants__ = ["normalized_shape", "eps", "elementwise_affine"]

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        if elementwise_affine:
            self.weight = Parameter(empty(self.normalized_shape, device=device, dtype=dtype))
        else:
            self.register_parameter("weight", None)
        if elementwise_affine and bias:
            self.bias = Parameter(empty(self.normalized_shape, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the scale to 1 and the shift to 0."""
        if self.elementwise_affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


@module(
    family="normalization",
    shape="(*) -> (*)",
    derive=_ends_fit,
    summary="Scales the last axes to a root mean square of 1.",
    samples=[sample(4, inputs=[(2, 3, 4)]), sample(4, 1e-3, False, inputs=[(2, 4)])],
)
class RMSNorm(Module):
    """Scale the last axes to a root mean square of 1 (Zhang & Sennrich 2019)."""

    __constants__ = ["normalized_shape", "eps", "elementwise_affine"]

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        if elementwise_affine:
            self.weight = Parameter(empty(self.normalized_shape, device=device, dtype=dtype))
        else:
            self.register_parameter("weight", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the scale to 1."""
        if self.elementwise_affine:
            init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


@module(
    family="normalization",
    shape="(N, num_channels, *) -> (N, num_channels, *)",
    summary="Normalises each sample over groups of channels.",
    aliases=("gn",),
    samples=[sample(2, 4, inputs=[(2, 4, 3)]), sample(1, 4, affine=False, inputs=[(2, 4, 2, 2)])],
)
class GroupNorm(Module):
    """Normalise each sample over `num_groups` groups of channels."""

    __constants__ = ["num_groups", "num_channels", "eps", "affine"]

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            values = empty(num_channels, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, None if values is None else Parameter(values))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the scale to 1 and the shift to 0."""
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


@module(
    family="normalization",
    shape="(N, C, *) -> (N, C, *)",
    summary="Divides by the strength of neighbouring channels.",
    samples=[sample(2, inputs=[(2, 4, 3, 3)]), sample(3, 1e-2, 0.5, 2.0, inputs=[(2, 4, 3)])],
)
class LocalResponseNorm(Module):
    """Divide by a power of the mean square over neighbouring channels."""

    __constants__ = ["size", "alpha", "beta", "k"]

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
