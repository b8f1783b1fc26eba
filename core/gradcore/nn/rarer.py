"""Layers and losses that few models use."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gradcore.graph import wrap
from gradcore.nn import functional as F
from gradcore.nn.catalog import Input, integers, module, sample
from gradcore.nn.containers import ModuleList, Sequential
from gradcore.nn.dropout import _DropoutNd
from gradcore.nn.functional.spatial import ntuple
from gradcore.nn.linear import Linear
from gradcore.nn.loss import Loss
from gradcore.nn.module import Module
from gradcore.nn.normalization import _BatchNorm
from gradcore.nn.pooling import _SHAPES, _AdaptiveMaxNd, adapted, pooled
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor


class _Windows(Module):
    """What Fold and Unfold share."""

    __constants__ = ["kernel_size", "dilation", "padding", "stride"]
    kernel_size: Any
    dilation: Any
    padding: Any
    stride: Any

    def _settings(self) -> tuple[Any, ...]:
        return self.kernel_size, self.dilation, self.padding, self.stride

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


@module(
    family="vision",
    summary="Lays out every window of an image as a column.",
    aliases=("im2col", "patches"),
    samples=[
        sample(2, inputs=[(2, 3, 4, 5)]),
        sample((2, 3), dilation=2, padding=1, stride=2, inputs=[(1, 2, 6, 7)]),
    ],
)
class Unfold(_Windows):
    """Return every window of (N, C, H, W) as a column of (N, C * area, positions)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        dilation: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        stride: int | tuple[int, ...] = 1,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, *self._settings())


@module(
    family="vision",
    summary="Adds windows up in the image they came from.",
    aliases=("col2im",),
    samples=[sample((4, 5), (2, 2), inputs=[(1, 12, 12)])],
)
class Fold(_Windows):
    """Add windows (N, C * area, positions) up in images (N, C, H, W)."""

    def __init__(
        self,
        output_size: int | tuple[int, ...],
        kernel_size: int | tuple[int, ...],
        dilation: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        stride: int | tuple[int, ...] = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, *self._settings())

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"


@module(
    family="vision",
    shape="(N, C, H, W) -> (N, C, H, W)",
    summary="Mixes the channels of different groups.",
    samples=[sample(2, inputs=[(1, 4, 2, 3)])],
)
class ChannelShuffle(Module):
    """Mix the channels of different groups of (N, C, H, W)."""

    __constants__ = ["groups"]

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


class _LPPoolNd(Module):
    __constants__ = ["norm_type", "kernel_size", "stride", "ceil_mode"]

    def __init__(
        self,
        norm_type: float,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def _settings(self) -> tuple[Any, ...]:
        return float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


def _power_pooled(n: int) -> Any:
    sizes = pooled(n)
    return lambda arguments, bound: sizes({**arguments, "padding": 0}, bound)


_POWER = "Takes the p-norm of each window."


@module(
    family="pooling",
    shape=_SHAPES[1],
    derive=_power_pooled(1),
    summary=_POWER,
    samples=[sample(2, 3, stride=2, inputs=[Input((2, 3, 7), "positive")])],
)
class LPPool1d(_LPPoolNd):
    """Return the p-norm of each window of (N, C, L)."""

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = F.lp_pool1d(input, *self._settings())
        return result


@module(
    family="pooling",
    shape=_SHAPES[2],
    derive=_power_pooled(2),
    summary=_POWER,
    samples=[sample(2, (3, 2), inputs=[Input((2, 3, 6, 5), "positive")])],
)
class LPPool2d(_LPPoolNd):
    """Return the p-norm of each window of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool2d(input, *self._settings())


@module(
    family="pooling",
    shape=_SHAPES[3],
    derive=_power_pooled(3),
    summary=_POWER,
    samples=[sample(1.5, 2, inputs=[Input((1, 2, 4, 4, 4), "positive")])],
)
class LPPool3d(_LPPoolNd):
    """Return the p-norm of each window of (N, C, D, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = F.lp_pool3d(input, *self._settings())
        return result


@module(
    family="pooling",
    shape=_SHAPES[3],
    derive=adapted(3),
    summary="Keeps largest values so that the output has a given size.",
    samples=[sample((2, 3, 1), inputs=[(1, 2, 4, 5, 3)])],
)
class AdaptiveMaxPool3d(_AdaptiveMaxNd):
    """Return the largest values of `output_size` regions of (N, C, D, H, W)."""

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)


class _MaxUnpoolNd(Module):
    _dims = 1

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
    ) -> None:
        super().__init__()
        self.kernel_size = ntuple(kernel_size, self._dims)
        self.stride = ntuple(stride if stride is not None else kernel_size, self._dims)
        self.padding = ntuple(padding, self._dims)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        unpool = F.max_unpool1d if self._dims == 1 else F.max_unpool3d
        settings = (self.kernel_size, self.stride, self.padding, output_size)
        result: Tensor = unpool(input, indices, *settings)
        return result

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """Put the values of a maximum pool of (N, C, L) back where they came from."""


class MaxUnpool3d(_MaxUnpoolNd):
    """Put the values of a maximum pool of (N, C, D, H, W) back where they came from."""

    _dims = 3


class FeatureAlphaDropout(_DropoutNd):
    """Set whole channels to SELU's lower limit with probability `p` while training."""

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over the processes of a training; in one process, over the batch."""

    _dims = tuple(range(2, 9))

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)
        self.process_group = process_group

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """Return the module as it is: in one process the two do the same."""
        return module


class CTCLoss(Loss):
    """Return how improbable labels are under all their alignments with the input."""

    __constants__ = ["blank", "reduction"]

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any
    ) -> Tensor:
        settings = (self.blank, self.reduction, self.zero_infinity)
        return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, *settings)


@module(
    family="loss",
    summary="Asks that each target class score above all others, for several classes at once.",
    samples=[sample(inputs=[(2, 4), integers(2, 4, high=4)])],
)
class MultiLabelMarginLoss(Loss):
    """Return how far other classes come within 1 of the target classes."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class TripletMarginWithDistanceLoss(Loss):
    """Return what the negative lacks in distance, by a function of the user's."""

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.distance_function = distance_function or F.pairwise_distance
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class AdaptiveLogSoftmaxOutput(NamedTuple):
    """What AdaptiveLogSoftmaxWithLoss returns."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """A softmax over very many classes: frequent ones first, rare ones in clusters.

    Source: Grave et al. 2016, https://arxiv.org/abs/1609.04309
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        given = list(cutoffs)
        increasing = all(a < b for a, b in itertools.pairwise(given))
        if not given or min(given) <= 0 or max(given) > n_classes - 1 or not increasing:
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing "
                "order, where each value is between 1 and n_classes-1"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*given, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, dtype=dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden = int(in_features // div_value ** (i + 1))
            out = self.cutoffs[i + 1] - self.cutoffs[i]
            first = Linear(in_features, hidden, bias=False, dtype=dtype)
            self.tail.append(Sequential(first, Linear(hidden, out, bias=False, dtype=dtype)))

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> AdaptiveLogSoftmaxOutput:
        batched = target_.dim() > 0
        x = input_ if batched else input_.unsqueeze(0)
        target = target_ if batched else target_.unsqueeze(0)
        numbers = target._a
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < self.n_classes:
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{numbers.min()}, {numbers.max()}] were found. "
            )
        scores = self.log_prob(x)
        output = scores.gather(1, target.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return AdaptiveLogSoftmaxOutput(output if batched else output.squeeze(0), loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log probability of every class."""
        head = F.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            inside = F.log_softmax(cluster(input), 1)
            parts.append(inside + head[:, self.shortlist_size + i].unsqueeze(1))
        result: Tensor = FUNCTIONS["cat"](parts, 1)
        return result

    def predict(self, input: Tensor) -> Tensor:
        """Return the most probable class of each row."""
        result: Tensor = wrap(self.log_prob(input)._a.argmax(1))
        return result


class DataParallel(Module):
    """A model on several devices; here there is one, so it calls the model as it is."""

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[int] = []
        self.dim = dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)
