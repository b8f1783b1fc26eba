"""Losses as Modules."""

from typing import Any

from gradcore.nn import functional as F
from gradcore.nn.catalog import Input, module, sample
from gradcore.nn.module import Module
from gradcore.tensor import Tensor


class Loss(Module):
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


class _WeightedLoss(Loss):
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
class MSELoss(Loss):
    """Return the squared difference."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


@module(
    family="loss",
    summary="Mean of absolute differences.",
    aliases=("mae", "mean absolute error"),
    samples=_all_reductions(inputs=_PAIR),
)
class L1Loss(Loss):
    """Return the absolute difference."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


@module(
    family="loss",
    summary="Squares small differences, takes large ones as they are.",
    samples=[*_all_reductions(inputs=_PAIR), sample(beta=0.5, inputs=_PAIR)],
)
class SmoothL1Loss(Loss):
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
class HuberLoss(Loss):
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
class BCEWithLogitsLoss(Loss):
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
class KLDivLoss(Loss):
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
    summary="For counts, under a Poisson distribution.",
    samples=[
        sample(inputs=[(3, 4), Input((3, 4), "positive")]),
        sample(False, True, inputs=[Input((3, 4), "positive"), Input((3, 4), "positive")]),
    ],
)
class PoissonNLLLoss(Loss):
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
class GaussianNLLLoss(Loss):
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
class SoftMarginLoss(Loss):
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


# The name that classes of users inherit from.
_Loss = Loss
