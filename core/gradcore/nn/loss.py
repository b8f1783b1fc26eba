"""Losses as Modules."""

from typing import Any

from gradcore.nn import functional as F
from gradcore.nn.catalog import Input, module, sample
from gradcore.nn.module import Module
from gradcore.tensor import Tensor


class _Loss(Module):
    """A loss with its way to reduce."""

    __constants__ = ["reduction"]
    reduction: str

    def __init__(
        self, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__()
        self.reduction = _settled(size_average, reduce, reduction)


def _settled(size_average: Any, reduce: Any, reduction: str) -> str:
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


class _WeightedLoss(_Loss):
    """A loss with a weight for each class, which is a buffer."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


_PAIR = [(3, 4), (3, 4)]
_POSITIVE = Input((3, 4), "probability")
_SIGNS = Input((3,), "signs")


def _all_reductions(*args: Any, inputs: Any, **kwargs: Any) -> list[Any]:
    return [
        sample(*args, inputs=inputs, reduction=reduction, **kwargs)
        for reduction in ("mean", "sum", "none")
    ]


@module(
    family="loss",
    summary="Mean of squared differences.",
    aliases=("l2", "mean squared error"),
    samples=_all_reductions(inputs=_PAIR),
)
class MSELoss(_Loss):
    """Return the squared difference."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


@module(
    family="loss",
    summary="Mean of absolute differences.",
    aliases=("mae", "mean absolute error"),
    samples=_all_reductions(inputs=_PAIR),
)
class L1Loss(_Loss):
    """Return the absolute difference."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


@module(
    family="loss",
    summary="Squares small differences, takes large ones as they are.",
    samples=[*_all_reductions(inputs=_PAIR), sample(beta=0.5, inputs=_PAIR)],
)
class SmoothL1Loss(_Loss):
    """Return half the square of small differences over `beta`, the size of large ones."""

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


@module(
    family="loss",
    summary="A parabola that goes on as a line.",
    samples=[sample(inputs=_PAIR), sample("sum", 0.5, inputs=_PAIR)],
)
class HuberLoss(_Loss):
    """Return half the square of small differences, a line for large ones."""

    __constants__ = ["reduction", "delta"]

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


_LABELS = Input((3,), "integers", 4)


@module(
    family="loss",
    summary="For choosing one class, from scores: takes the softmax itself.",
    aliases=("softmax loss", "ce", "classification"),
    samples=[
        *_all_reductions(inputs=[(3, 4), _LABELS]),
        sample(ignore_index=1, inputs=[(3, 4), _LABELS]),
        sample(label_smoothing=0.1, inputs=[(3, 4), _LABELS]),
        sample(inputs=[(2, 4, 3), Input((2, 3), "integers", 4)]),
        sample(inputs=[(3, 4), Input((3, 4), "distribution")]),
        sample(label_smoothing=0.1, inputs=[(3, 4), Input((3, 4), "distribution")]),
        sample(inputs=[(4,), Input((), "integers", 4)]),
    ],
)
class CrossEntropyLoss(_WeightedLoss):
    """Return minus the log-probability of the target class, from unnormalised scores."""

    __constants__ = ["ignore_index", "reduction", "label_smoothing"]

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


@module(
    family="loss",
    summary="For choosing one class, from log-probabilities.",
    aliases=("negative log likelihood",),
    samples=[
        *_all_reductions(inputs=[(3, 4), _LABELS]),
        sample(ignore_index=1, inputs=[(3, 4), _LABELS]),
    ],
)
class NLLLoss(_WeightedLoss):
    """Return minus the log-probability of the target class."""

    __constants__ = ["ignore_index", "reduction"]

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class NLLLoss2d(NLLLoss):
    """Old name of `NLLLoss` for images."""


@module(
    family="loss",
    summary="For yes or no, from probabilities.",
    aliases=("binary cross entropy",),
    samples=_all_reductions(inputs=[_POSITIVE, _POSITIVE]),
)
class BCELoss(_WeightedLoss):
    """Return the cross entropy of probabilities against targets from 0 to 1."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


@module(
    family="loss",
    summary="For yes or no, from scores: takes the sigmoid itself.",
    aliases=("binary cross entropy", "logistic"),
    samples=_all_reductions(inputs=[(3, 4), _POSITIVE]),
)
class BCEWithLogitsLoss(_Loss):
    """Return the cross entropy of the sigmoid of scores against targets from 0 to 1."""

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input,
            target,
            self.weight,
            pos_weight=self.pos_weight,
            reduction=self.reduction,
        )


@module(
    family="loss",
    summary="Divergence of log-probabilities from target probabilities.",
    aliases=("kullback leibler",),
    samples=[
        sample(reduction="batchmean", inputs=[(3, 4), Input((3, 4), "distribution")]),
        sample(reduction="sum", log_target=True, inputs=[(3, 4), (3, 4)]),
    ],
)
class KLDivLoss(_Loss):
    """Return the divergence of log-probabilities from target probabilities."""

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


@module(
    family="loss",
    summary="Keeps likes near and pushes others a margin away.",
    samples=[sample(inputs=[(3,), _SIGNS]), sample(0.5, inputs=[(3,), _SIGNS])],
)
class HingeEmbeddingLoss(_Loss):
    """Return the input for targets 1, what it lacks to the margin for targets -1."""

    def __init__(
        self,
        margin: float = 1.0,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


@module(
    family="loss",
    summary="Asks that one value be larger than the other.",
    samples=[sample(0.1, inputs=[(3,), (3,), _SIGNS])],
)
class MarginRankingLoss(_Loss):
    """Return by how much the order of two values misses what the target asks for."""

    def __init__(
        self,
        margin: float = 0.0,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


@module(
    family="loss",
    summary="Asks that an anchor be nearer to one vector than to another.",
    samples=[
        sample(inputs=[(3, 4)] * 3),
        sample(0.5, p=1.0, swap=True, reduction="none", inputs=[(3, 4)] * 3),
    ],
)
class TripletMarginLoss(_Loss):
    """Return what the negative lacks in distance to be a margin beyond the positive."""

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        if margin <= 0:
            raise ValueError(
                f"TripletMarginLoss: expected margin to be greater than 0, got {margin} instead"
            )
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


@module(
    family="loss",
    summary="Asks that vectors point alike, or differently.",
    samples=[sample(0.2, inputs=[(3, 4), (3, 4), _SIGNS])],
)
class CosineEmbeddingLoss(_Loss):
    """Return how far two vectors are from alike (target 1) or different (target -1)."""

    def __init__(
        self,
        margin: float = 0.0,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


@module(
    family="loss",
    summary="For counts, under a Poisson distribution.",
    samples=[
        sample(inputs=[(3, 4), Input((3, 4), "positive")]),
        sample(False, True, inputs=[Input((3, 4), "positive"), Input((3, 4), "positive")]),
    ],
)
class PoissonNLLLoss(_Loss):
    """Return the negative log-likelihood of counts under a Poisson distribution."""

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: Any = None,
        eps: float = 1e-8,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(
            log_input,
            target,
            log_input=self.log_input,
            full=self.full,
            eps=self.eps,
            reduction=self.reduction,
        )


@module(
    family="loss",
    summary="For values with a predicted spread.",
    samples=[sample(full=True, inputs=[(3, 4), (3, 4), Input((3, 4), "positive")])],
)
class GaussianNLLLoss(_Loss):
    """Return the negative log-likelihood of values under a normal distribution."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(None, None, reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Any) -> Tensor:
        return F.gaussian_nll_loss(
            input, target, var, full=self.full, eps=self.eps, reduction=self.reduction
        )


@module(
    family="loss",
    summary="Logistic loss for targets of -1 and 1.",
    samples=[sample(inputs=[(3,), _SIGNS])],
)
class SoftMarginLoss(_Loss):
    """Return the logistic loss for targets of -1 and 1."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


@module(
    family="loss",
    summary="For several yes-or-no labels at once.",
    samples=[sample(inputs=[(3, 4), _POSITIVE])],
)
class MultiLabelSoftMarginLoss(_WeightedLoss):
    """Return the mean logistic loss over labels that may all be true at once."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(
            input, target, weight=self.weight, reduction=self.reduction
        )


@module(
    family="loss",
    summary="Asks the target's score to lead by a margin.",
    samples=[sample(inputs=[(3, 4), _LABELS])],
)
class MultiMarginLoss(_WeightedLoss):
    """Return by how much other classes come within a margin of the target's score."""

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(
            input,
            target,
            p=self.p,
            margin=self.margin,
            weight=self.weight,
            reduction=self.reduction,
        )


@module(
    family="distance",
    summary="Cosine of the angle between two vectors.",
    samples=[sample(inputs=[(3, 4), (3, 4)]), sample(-1, inputs=[(2, 3, 4), (2, 3, 4)])],
)
class CosineSimilarity(Module):
    """Return the cosine of the angle between vectors along a dimension."""

    __constants__ = ["dim", "eps"]

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


@module(
    family="distance",
    summary="Length of the difference of two vectors.",
    samples=[sample(inputs=[(3, 4), (3, 4)]), sample(1.0, keepdim=True, inputs=[(3, 4), (3, 4)])],
)
class PairwiseDistance(Module):
    """Return the p-norm of the difference along the last axis."""

    __constants__ = ["norm", "eps", "keepdim"]

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
