"""Fills for new Parameters, each named after what it draws from or who proposed it.

All write in place, outside of autograd, and draw in PyTorch's order, so that the same seed
gives the same weights.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.creation import randperm
from gradcore.dtypes import Array
from gradcore.graph import wrap
from gradcore.modes import no_grad
from gradcore.tensor import Tensor

_PLAIN_GAINS = ("linear", "conv1d", "conv2d", "conv3d", "sigmoid") + tuple(
    f"conv_transpose{n}d" for n in (1, 2, 3)
)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which a nonlinearity needs larger weights to keep the variance."""
    if nonlinearity in _PLAIN_GAINS:
        return 1.0
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if param is None:
            slope = 0.01
        elif isinstance(param, (int, float)) and not isinstance(param, bool):
            slope = param
        else:
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Draw every value uniformly from `a` to `b`."""
    with no_grad():
        result: Tensor = tensor.uniform_(a, b, generator=generator)
        return result


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Draw every value from a normal distribution."""
    with no_grad():
        result: Tensor = tensor.normal_(mean, std, generator=generator)
        return result


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Any = None,
) -> Tensor:
    """Draw every value from a normal distribution, only between `a` and `b`.

    Where the interval holds much of the distribution, values outside are drawn again; else
    candidates are drawn uniformly and kept with the probability of the density, as torch.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )

    def cumulative(x: float) -> float:
        return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0

    with no_grad():
        if cumulative((b - mean) / std) - cumulative((a - mean) / std) > 0.3:
            values = _redrawn(tensor, mean, std, (a, b), generator)
        else:
            values = _thinned(tensor, mean, std, (a, b), generator)
        return tensor.copy_(wrap(values))


def _redrawn(
    tensor: Tensor, mean: float, std: float, limits: tuple[float, float], generator: Any
) -> Array:
    low, high = (tensor._a.dtype.type(limit) for limit in limits)
    values = tensor.normal_(mean, std, generator=generator)._a.copy()
    scratch = tensor.new_empty(tensor.shape)
    while True:
        outside = (values < low) | (values > high)
        if not outside.any():
            result: Array = values
            return result
        values = np.where(outside, scratch.normal_(mean, std, generator=generator)._a, values)


def _thinned(
    tensor: Tensor, mean: float, std: float, limits: tuple[float, float], generator: Any
) -> Array:
    low, high = limits
    peak = -0.5 * ((max(low, min(mean, high)) - mean) / std) ** 2
    scratch = tensor.new_empty(tensor.shape)
    values = tensor.new_empty(tensor.shape)._a
    pending = np.ones(values.shape, bool)
    while pending.any():
        candidates = scratch.uniform_(low, high, generator=generator)._a.copy()
        values = np.where(pending, candidates, values)
        log_density = -0.5 * ((candidates - mean) / std) ** 2 - peak
        dice = scratch.uniform_(generator=generator)._a
        pending = pending & (np.log(dice) > log_density)
    result: Array = values
    return result


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Set every value to `val`."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Set every value to one."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Set every value to zero."""
    with no_grad():
        return tensor.zero_()


def eye_(tensor: Tensor) -> Tensor:
    """Make a matrix the identity."""
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with no_grad():
        return tensor.copy_(wrap(np.eye(*tensor._a.shape, dtype=tensor._a.dtype)))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Make a convolution hand as many channels through unchanged as it can."""
    if tensor.dim() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    shape = tensor._a.shape
    if shape[0] % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    values = np.zeros(shape, tensor._a.dtype)
    per_group = shape[0] // groups
    centre = tuple(size // 2 for size in shape[2:])
    for group in range(groups):
        for channel in range(min(per_group, shape[1])):
            values[(group * per_group + channel, channel, *centre)] = 1
    with no_grad():
        return tensor.copy_(wrap(values))


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Return how many values one output is made from, and how many outputs one value feeds."""
    if tensor.dim() < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    shape = tensor._a.shape
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Draw uniformly so that variance is kept both ways.

    Source: Glorot & Bengio 2010.
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / float(fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Draw normally so that variance is kept both ways.

    Source: Glorot & Bengio 2010.
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(fan_in + fan_out)), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """Draw uniformly so that variance is kept through rectifiers.

    Source: He et al. 2015, https://arxiv.org/abs/1502.01852
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """Draw normally so that variance is kept through rectifiers.

    Source: He et al. 2015, https://arxiv.org/abs/1502.01852
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0, std, generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """Make the matrix (its first axis against all others) orthogonal.

    Source: Saxe et al. 2013, https://arxiv.org/abs/1312.6120
    """
    if tensor.dim() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows = tensor._a.shape[0]
    cols = tensor.numel() // rows
    flat = tensor.new_empty((rows, cols)).normal_(0, 1, generator=generator)._a
    q, r = np.linalg.qr(flat.T if rows < cols else flat)
    q = q * np.sign(np.diagonal(r))
    if rows < cols:
        q = q.T
    with no_grad():
        tensor.copy_(wrap(np.ascontiguousarray(q * gain).reshape(tensor._a.shape)))
    return tensor


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Draw a matrix normally and set a fraction of each column to zero."""
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, cols = tensor._a.shape
    zeros = math.ceil(sparsity * rows)
    with no_grad():
        values = tensor.normal_(0, std, generator=generator)._a.copy()
        for col in range(cols):
            values[randperm(rows)._a[:zeros], col] = 0
        return tensor.copy_(wrap(values))


def _old_name(fill: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def deprecated(*args: Any, **kwargs: Any) -> Tensor:
        name = fill.__name__
        warnings.warn(
            f"`nn.init.{name[:-1]}` is now deprecated in favor of `nn.init.{name}`.",
            FutureWarning,
            stacklevel=2,
        )
        return fill(*args, **kwargs)

    return deprecated


uniform = _old_name(uniform_)
normal = _old_name(normal_)
constant = _old_name(constant_)
eye = _old_name(eye_)
dirac = _old_name(dirac_)
xavier_uniform = _old_name(xavier_uniform_)
xavier_normal = _old_name(xavier_normal_)
kaiming_uniform = _old_name(kaiming_uniform_)
kaiming_normal = _old_name(kaiming_normal_)
orthogonal = _old_name(orthogonal_)
sparse = _old_name(sparse_)
