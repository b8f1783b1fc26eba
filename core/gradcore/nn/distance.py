"""Distances between vectors, and the losses that compare vectors by them."""

from typing import Any

from gradcore.nn import functional as F
from gradcore.nn.catalog import Input, module, sample
from gradcore.nn.loss import Loss
from gradcore.nn.module import Module
from gradcore.tensor import Tensor

_SIGNS = Input((3,), "signs")


@module(
    family="loss",
    summary="Keeps likes near and pushes others a margin away.",
    samples=[sample(inputs=[(3,), _SIGNS]), sample(0.5, inputs=[(3,), _SIGNS])],
)
class HingeEmbeddingLoss(Loss):
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
class MarginRankingLoss(Loss):
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
class TripletMarginLoss(Loss):
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
class CosineEmbeddingLoss(Loss):
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
