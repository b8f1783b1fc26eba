"""Dropout layers: they act while training and pass their input on in evaluation."""

from gradcore.nn import functional as F
from gradcore.nn.catalog import module, sample
from gradcore.nn.module import Module
from gradcore.tensor import Tensor


class _DropoutNd(Module):
    __constants__ = ["p", "inplace"]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


@module(
    family="regularization",
    shape="(*) -> (*)",
    summary="Sets values to zero at random while training.",
    samples=[sample(inputs=[(4, 5)]), sample(0.2, inputs=[(4, 5)])],
)
class Dropout(_DropoutNd):
    """Set each value to zero with probability `p` while training, and scale the others up."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


@module(
    family="regularization",
    shape="([N], C, L) -> ([N], C, L)",
    summary="Sets whole channels to zero at random while training.",
    samples=[sample(inputs=[(2, 3, 4)])],
)
class Dropout1d(_DropoutNd):
    """Set whole channels of (N, C, L) to zero with probability `p` while training."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


@module(
    family="regularization",
    shape="(N, C, H, W) -> (N, C, H, W)",
    summary="Sets whole channels to zero at random while training.",
    samples=[sample(inputs=[(2, 3, 2, 2)])],
)
class Dropout2d(_DropoutNd):
    """Set whole channels of (N, C, H, W) to zero with probability `p` while training."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


@module(
    family="regularization",
    shape="([N], C, D, H, W) -> ([N], C, D, H, W)",
    summary="Sets whole channels to zero at random while training.",
    samples=[sample(inputs=[(1, 3, 2, 2, 2)])],
)
class Dropout3d(_DropoutNd):
    """Set whole channels of (N, C, D, H, W) to zero with probability `p` while training."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


@module(
    family="regularization",
    shape="(*) -> (*)",
    summary="Dropout that keeps mean and variance, for use with SELU.",
    samples=[sample(inputs=[(4, 5)])],
)
class AlphaDropout(_DropoutNd):
    """Set values to SELU's lower limit with probability `p` while training."""

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training)
