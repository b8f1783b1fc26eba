"""Batch, layer, group and instance normalisation under the names of `torch.nn.functional`."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore import graph
from gradcore.errors import ShapeError
from gradcore.graph import written
from gradcore.ops.normalization import normalize as _normalize
from gradcore.ops.normalization import scale_channels as _scale_channels
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel over the batch, or by running statistics outside of training."""
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError("Expected running_mean and running_var to be given in evaluation")
        return _by_statistics(input, running_mean, running_var, weight, bias, eps)
    count = input.numel() // max(input.size(1), 1)
    if count == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {input.size()}"
        )
    _check_channels(input, (running_mean, running_var, weight, bias))
    axes = (0, *range(2, input.dim()))
    shape = (1, input.size(1)) + (1,) * (input.dim() - 2)
    y, _, _, mean, variance = _normalize(input, weight, bias, axes, shape, eps)
    if running_mean is not None:
        _move(running_mean, mean, momentum, 1.0)
    if running_var is not None:
        _move(running_var, variance, momentum, count / (count - 1))
    result: Tensor = y
    return result


def _move(running: Tensor, now: Tensor, momentum: float, factor: float) -> None:
    """Take a running statistic a step towards ``factor`` times what was just measured."""
    _move_array(running._a, now._a, momentum, factor)
    written(running, "batch_norm", False)
    if graph.journal is not None:
        graph.journal.work(_move_array, (running, now), (momentum, factor))


def _move_array(values: Any, now: Any, momentum: float, factor: float) -> None:
    # With several rows, one for each sample (instance norm), their mean counts.
    row = now.reshape(-1) if now.shape[0] == 1 else now.mean(0).reshape(-1)
    values *= 1 - momentum
    values += momentum * (row if factor == 1.0 else row * factor)


def _check_channels(input: Tensor, tensors: Sequence[Tensor | None]) -> None:
    names = ("running_mean", "running_var", "weight", "bias")
    for name, tensor in zip(names, tensors, strict=True):
        if tensor is not None and tensor.numel() != input.size(1):
            raise ShapeError(
                f"{name} should contain {input.size(1)} elements not {tensor.numel()}",
                f"In `batch_norm` of an input of shape {tuple(input.shape)}.",
                f"Set num_features={input.size(1)}, or change what feeds it.",
                shapes=(tuple(input.shape), tuple(tensor.shape)),
            )


def _by_statistics(
    input: Tensor,
    mean: Tensor,
    variance: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    _check_channels(input, (mean, variance, weight, bias))
    scale = (variance + eps).rsqrt()
    if weight is not None:
        scale = scale * weight
    shift = -mean * scale
    if bias is not None:
        shift = shift + bias
    return _scaled(input, scale, shift)


def layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise over the last axes, of `normalized_shape`."""
    shape = tuple(normalized_shape)
    _check_normalized("layer_norm", input, shape)
    axes = tuple(range(input.dim() - len(shape), input.dim()))
    result: Tensor = _normalize(input, weight, bias, axes, None, eps)[0]
    return result


def _check_normalized(name: str, input: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(input.shape[-len(shape) :]) != shape or len(shape) > input.dim():
        wanted = "".join(f", {size}" for size in shape)
        raise ShapeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*{wanted}], "
            f"but got input of size{list(input.shape)}",
            f"In `{name}`.",
            "Set normalized_shape to the sizes of the input's last axes.",
            shapes=(tuple(input.shape), shape),
        )


def rms_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Scale the last axes to a root mean square of 1."""
    shape = tuple(normalized_shape)
    _check_normalized("rms_norm", input, shape)
    if eps is None:
        eps = float(np.finfo(input._a.dtype).eps)
    axes = tuple(range(-len(shape), 0))
    scale = ((input * input).mean(axes, keepdim=True) + eps).rsqrt()
    result: Tensor = input * scale
    return result if weight is None else result * weight


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each sample over groups of channels."""
    if input.dim() < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.dim()}"
        )
    channels = input.size(1)
    if channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(input.shape)} and num_groups={num_groups}"
        )
    grouped = input.reshape(input.size(0), num_groups, -1)
    y = _normalize(grouped, None, None, (2,), None, eps)[0].reshape(input.shape)
    return _scaled(y, weight, bias)


def _scaled(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    if weight is not None and bias is not None and y.dtype == weight.dtype == bias.dtype:
        result: Tensor = _scale_channels(y, weight, bias)
        return result
    shape = (1, -1) + (1,) * (y.dim() - 2)
    if weight is not None:
        y = y * weight.reshape(shape)
    if bias is not None:
        y = y + bias.reshape(shape)
    return y


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of each sample."""
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError("Expected running_mean and running_var to be given in evaluation")
        return _by_statistics(input, running_mean, running_var, weight, bias, eps)
    area = math.prod(input.shape[2:])
    if area == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.size()}"
        )
    axes = tuple(range(2, input.dim()))
    y, _, _, mean, variance = _normalize(input, None, None, axes, None, eps)
    if running_mean is not None:
        _move(running_mean, mean, momentum, 1.0)
    if running_var is not None:
        _move(running_var, variance, momentum, area / (area - 1))
    return _scaled(y, weight, bias)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Divide by a power of the mean square over neighbouring channels."""
    squares = input * input
    channels = input.size(1)
    columns = []
    for channel in range(channels):
        first = max(channel - size // 2, 0)
        last = min(channel + (size - 1) // 2, channels - 1)
        columns.append(squares[:, first : last + 1].sum(1, keepdim=True))
    total = FUNCTIONS["cat"](columns, 1)
    result: Tensor = input / (k + total * (alpha / size)).pow(beta)
    return result


def normalize(
    input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None
) -> Tensor:
    """Scale vectors along a dimension to norm 1."""
    scale = input.norm(p, dim, keepdim=True).clamp(min=eps)
    result: Tensor = input / scale.expand_as(input)
    return result
