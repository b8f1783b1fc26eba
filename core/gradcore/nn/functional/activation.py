"""Activation functions, softmax and dropout under the names of `torch.nn.functional`."""

from typing import Any

import numpy as np

from gradcore.creation import empty_like, zeros_like
from gradcore.errors import ShapeError
from gradcore.graph import wrap
from gradcore.ops import activation as ops
from gradcore.ops.activation_in_place import written_over
from gradcore.ops.registry import FUNCTIONS
from gradcore.random import Laid, draw, layout_of, uniform_array
from gradcore.tensor import Tensor


def _applied(op: Any, input: Tensor, inplace: bool, *settings: Any) -> Tensor:
    """Call an operation, and write what it returns over the input where that is asked for."""
    result: Tensor = written_over(op, input, settings) if inplace else op(input, *settings)
    return result


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return the input where it is positive, else 0."""
    result: Tensor = FUNCTIONS["relu_" if inplace else "relu"](input)
    return result


def relu_(input: Tensor) -> Tensor:
    """In-place form of `relu`."""
    return relu(input, inplace=True)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return the input where it is positive, else a small multiple of it."""
    return _applied(ops.leaky_relu, input, inplace, negative_slope)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """In-place form of `leaky_relu`."""
    return leaky_relu(input, negative_slope, inplace=True)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Return the input where it is positive, else a learned multiple of it."""
    result: Tensor = ops.prelu(input, weight)
    return result


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return the input where positive, else `alpha * (exp(input) - 1)`."""
    return _applied(ops.elu, input, inplace, alpha)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place form of `elu`."""
    return elu(input, alpha, inplace=True)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return the scaled ELU that keeps mean 0 and variance 1."""
    return _applied(ops.selu, input, inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return ELU made smooth for every `alpha`."""
    return _applied(ops.celu, input, inplace, alpha)


def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """Return the input times the normal distribution's cumulative function at it."""
    result: Tensor = ops.gelu(input, approximate)
    return result


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return `input * sigmoid(input)`."""
    return _applied(ops.silu, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return `input * tanh(softplus(input))`."""
    return _applied(ops.mish, input, inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return a smooth form of ReLU."""
    result: Tensor = ops.softplus(input, beta, threshold)
    return result


def softsign(input: Tensor) -> Tensor:
    """Return `input / (1 + |input|)`."""
    result: Tensor = ops.softsign(input)
    return result


def tanh(input: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    result: Tensor = input.tanh()
    return result


def sigmoid(input: Tensor) -> Tensor:
    """Return `1 / (1 + exp(-input))`."""
    result: Tensor = input.sigmoid()
    return result


def logsigmoid(input: Tensor) -> Tensor:
    """Return the logarithm of the sigmoid."""
    result: Tensor = ops.logsigmoid(input)
    return result


def tanhshrink(input: Tensor) -> Tensor:
    """Return `input - tanh(input)`."""
    result: Tensor = input - input.tanh()
    return result


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return the input moved towards zero by `lambd`."""
    if lambd < 0:
        raise ShapeError(
            f"lambda must be in range [0, 3.40282e+38] for input dtype Float, but found {lambd:g}"
        )
    result: Tensor = ops.softshrink(input, lambd)
    return result


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return the input, zero where it is within `lambd` of zero."""
    result: Tensor = ops.hardshrink(input, lambd)
    return result


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Return the input limited to an interval."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _applied(ops.hardtanh, input, inplace, min_val, max_val)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """In-place form of `hardtanh`."""
    return hardtanh(input, min_val, max_val, inplace=True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Return the input limited to 0 .. 6."""
    return _applied(ops.relu6, input, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Return a sigmoid made of three straight lines."""
    return _applied(ops.hardsigmoid, input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return the input times its hard sigmoid."""
    return _applied(ops.hardswish, input, inplace)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Return the input where it is above a threshold, else a fixed value."""
    return _applied(ops.threshold, input, inplace, threshold, value)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """In-place form of `threshold`."""
    return _applied(ops.threshold, input, True, threshold, value)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Return leaky ReLU with a slope drawn anew for each negative value while training."""
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    # As torch, which draws a double for each value that is not above 0, and for no other.
    slope = draw(_slopes, input._a, lower, upper, generator=None)
    result: Tensor = input * wrap(slope)
    return input.copy_(result) if inplace else result


def _slopes(a: Any, lower: float, upper: float, generator: Any) -> Any:
    """Return 1 for values above 0, and a slope drawn at random for all others."""
    fallen = a <= 0
    slope = np.ones(a.shape)
    drawn = uniform_array((int(fallen.sum()),), np.float64, generator)
    slope[fallen] = lower + (upper - lower) * drawn
    return slope.astype(a.dtype)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Return the first half times the sigmoid of the second half."""
    if input.size(dim) % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {dim} is size {input.size(dim)}"
        )
    first, second = input.chunk(2, dim)
    result: Tensor = first * second.sigmoid()
    return result


def _softmax_dim(dim: int | None, ndim: int) -> int:
    # As torch, where leaving the dimension out once meant this.
    if dim is not None:
        return dim
    return 0 if ndim in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """Return `exp(input)` scaled to sum to 1 along a dimension."""
    return FUNCTIONS["softmax"](input, _softmax_dim(dim, input.dim()), dtype=dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """Return the softmax of the negative input."""
    return FUNCTIONS["softmax"](-input, _softmax_dim(dim, input.dim()), dtype=dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Any:
    """Return the logarithm of the softmax."""
    return FUNCTIONS["log_softmax"](input, _softmax_dim(dim, input.dim()), dtype=dtype)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Draw from a relaxed choice; `hard` gives one-hot samples with the soft ones' gradient."""
    noise = -empty_like(logits.detach()).exponential_().log()
    soft: Tensor = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    chosen = zeros_like(logits.detach()).scatter_(dim, index, 1.0)
    result: Tensor = chosen - soft.detach() + soft
    return result


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _kept(input: Tensor, shape: Any, p: float, scale: float = 1.0) -> Tensor:
    """Return ``1 / scale`` where values stay, else 0; drawn in the order in which they lie."""
    laid = layout_of(input._a)
    turned = laid if isinstance(laid, Laid) and laid == shape else None
    kept: Tensor = input.new_empty(turned.in_memory if turned else shape).bernoulli_(1 - p)
    if scale != 1.0:
        kept.div_(scale)
    return kept.permute(turned.back) if turned else kept


def _dropped(input: Tensor, shape: Any, p: float, inplace: bool) -> Tensor:
    kept = input.new_zeros(shape) if p == 1.0 else _kept(input, shape, p, 1 - p)
    result: Tensor = input.mul_(kept) if inplace else input * kept
    return result


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each value to zero with probability `p` and scale the others up, while training."""
    _check_probability(p)
    if not training or p == 0.0 or input.numel() == 0:
        return input
    return _dropped(input, input.shape, p, inplace)


def _dropped_channels(
    input: Tensor, p: float, training: bool, inplace: bool, batched: bool
) -> Tensor:
    _check_probability(p)
    if not training or p == 0.0 or input.numel() == 0:
        return input
    lead = 2 if batched else 1
    shape = tuple(input.shape[:lead]) + (1,) * (input.dim() - lead)
    return _dropped(input, shape, p, inplace)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of (N, C, L) or (C, L) to zero."""
    return _dropped_channels(input, p, training, inplace, input.dim() == 3)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of (N, C, H, W) to zero."""
    return _dropped_channels(input, p, training, inplace, True)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of (N, C, D, H, W) or (C, D, H, W) to zero."""
    return _dropped_channels(input, p, training, inplace, input.dim() == 5)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Drop values to SELU's lower limit, keeping mean and variance."""
    _check_probability(p)
    if not training or p == 0.0:
        return input
    return _alpha_dropped(input, tuple(input.shape), p, inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Drop whole channels to SELU's lower limit, keeping mean and variance."""
    _check_probability(p)
    if not training or p == 0.0:
        return input
    shape = (*input.shape[:2], *(1,) * (input.dim() - 2))
    return _alpha_dropped(input, shape, p, inplace)


def _alpha_dropped(input: Tensor, shape: Any, p: float, inplace: bool) -> Tensor:
    lowest = -ops.SELU_ALPHA * ops.SELU_SCALE
    kept = _kept(input, shape, p)
    if p == 1.0:
        result: Tensor = input.mul_(kept) if inplace else input * kept
        return result
    scale = float(((1 - p) * (1 + p * lowest**2)) ** -0.5)
    shift = -scale * lowest * p
    fallen = (1 - kept) * (lowest * scale) + shift
    dropped: Tensor = input * (kept * scale) + fallen
    return input.copy_(dropped) if inplace else dropped
