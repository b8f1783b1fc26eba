"""Softmax and its kin: activations that look along an axis."""

from typing import Any

from gradcore.nn import functional as F
from gradcore.nn.catalog import derive_error, module, sample
from gradcore.nn.module import Module
from gradcore.tensor import Tensor

_SAME = "(*) -> (*)"


class _AlongDim(Module):
    __constants__ = ["dim"]

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


_DIM = [sample(dim=1, inputs=[(2, 3)]), sample(-1, inputs=[(2, 3, 4)])]


@module(
    family="activation",
    shape=_SAME,
    summary="Turns scores into probabilities.",
    samples=_DIM,
)
class Softmax(_AlongDim):
    """Return `exp(x)` scaled to sum to 1 along `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = F.softmax(input, self.dim)
        return result


@module(
    family="activation",
    shape=_SAME,
    summary="Logarithms of the probabilities of scores.",
    samples=_DIM,
)
class LogSoftmax(_AlongDim):
    """Return the logarithm of the softmax along `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = F.log_softmax(input, self.dim)
        return result


@module(family="activation", shape=_SAME, summary="Softmax of the negative input.", samples=_DIM)
class Softmin(_AlongDim):
    """Return the softmax of -x along `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = F.softmin(input, self.dim)
        return result


@module(
    family="activation",
    shape="([N], C, H, W) -> ([N], C, H, W)",
    summary="Softmax over the channels of an image.",
    samples=[sample(inputs=[(2, 3, 2, 2)])],
)
class Softmax2d(Module):
    """Return the softmax over the channels at each place."""

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ValueError(
                "Softmax2d: expected input to be 3D or 4D, "
                f"but got input with {input.dim()} dimensions"
            )
        result: Tensor = F.softmax(input, -3)
        return result


def _halved(arguments: Any, bound: Any) -> dict[str, Any]:
    sizes, dim = bound["*"], arguments["dim"]
    if not -len(sizes) <= dim < len(sizes):
        raise derive_error(f"GLU halves axis {dim}, which an input of {len(sizes)} axes lacks")
    dim %= len(sizes)
    size = sizes[dim]
    if isinstance(size, int):
        if size % 2:
            raise derive_error(f"got an axis of {size}, GLU needs an even one")
        size //= 2
    return {"half": (*sizes[:dim], size, *sizes[dim + 1 :])}


@module(
    family="activation",
    shape="(*) -> (half)",
    derive=_halved,
    summary="One half opens and shuts the other.",
    aliases=("gate",),
    samples=[sample(inputs=[(2, 4)]), sample(0, inputs=[(2, 3)])],
)
class GLU(Module):
    """Return the first half times the sigmoid of the second half."""

    __constants__ = ["dim"]

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
