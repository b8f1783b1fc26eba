"""Losses and distances under the names of `torch.nn.functional`."""

import math
import warnings
from typing import Any

from gradcore.creation import ones_like, zeros_like
from gradcore.errors import DtypeError
from gradcore.graph import ask, rename
from gradcore.nn.functional.activation import log_softmax
from gradcore.ops import loss as ops
from gradcore.ops.numbers import long_name
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor


def _settled(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """Read the old arguments `size_average` and `reduce`, and check the new one."""
    if size_average is not None or reduce is not None:
        warnings.warn(
            "size_average and reduce args will be deprecated, please use reduction instead.",
            stacklevel=3,
        )
        if reduce is False:
            return "none"
        return "sum" if size_average is False else "mean"
    ops.check_reduction(reduction)
    return reduction


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return losses
    result: Tensor = losses.mean() if reduction == "mean" else losses.sum()
    return result


def _warn_of_broadcast(input: Tensor, target: Tensor) -> None:
    if target.shape != input.shape:
        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the squared difference."""
    if target._a.shape != input._a.shape:
        _warn_of_broadcast(input, target)
        input, target = FUNCTIONS["broadcast_tensors"](input, target)
    reduction = _settled(size_average, reduce, reduction)
    if weight is None:
        result: Tensor = ops.mse_loss(input, target, reduction)
        return result
    losses = ops.mse_loss(input, target, "none") * weight
    return losses.sum() / weight.sum() if reduction == "mean" else _reduced(losses, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the absolute difference."""
    _warn_of_broadcast(input, target)
    reduction = _settled(size_average, reduce, reduction)
    return _reduced((input - target).abs(), reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Return half the square of small differences over `beta`, the size of large ones."""
    _warn_of_broadcast(input, target)
    reduction = _settled(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return _reduced((input - target).abs(), reduction)
    return _reduced(ops.huber(input, target, beta, 1.0 / beta), reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Return half the square of small differences, a line for large ones."""
    _warn_of_broadcast(input, target)
    ops.check_reduction(reduction)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    losses: Tensor = ops.huber(input, target, delta)
    if weight is not None:
        losses = losses * weight
        if reduction == "mean":
            result: Tensor = losses.sum() / weight.sum()
            return result
    return _reduced(losses, reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return minus the log-probability of the target class."""
    reduction = _settled(size_average, reduce, reduction)
    result: Tensor = ops.nll_loss(input, target, weight, ignore_index, reduction)
    return result


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return minus the log-probability of the target class, from unnormalised scores.

    Targets are class numbers, or probabilities of the shape of the scores.
    """
    reduction = _settled(size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if target._a.shape == input._a.shape and target.is_floating_point():
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    if label_smoothing == 0.0:
        result: Tensor = ops.cross_entropy(input, target, weight, ignore_index, reduction)
        return result
    return _smoothed(input, target, weight, ignore_index, reduction, label_smoothing)


def _class_axis(input: Tensor) -> int:
    return 1 if input.dim() > 1 else 0


def _along_classes(weight: Tensor, input: Tensor) -> Tensor:
    shape = [1] * input.dim()
    shape[_class_axis(input)] = -1
    result: Tensor = weight.reshape(shape)
    return result


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    axis = _class_axis(input)
    if smoothing > 0:
        target = target * (1 - smoothing) + smoothing / input.shape[axis]
    scores = log_softmax(input, axis)
    if weight is not None:
        scores = scores * _along_classes(weight, input)
    losses = -(scores * target).sum(axis)
    if reduction != "mean":
        return _reduced(losses, reduction)
    count = max(losses.numel(), 1)
    result: Tensor = losses.sum() / count
    return result


def _smoothed(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    """Mix the loss of the target class with the mean loss of all classes."""
    axis = _class_axis(input)
    scores = log_softmax(input, axis)
    sharp = ops.nll_loss(scores, target, weight, ignore_index, reduction)
    if weight is not None:
        scores = scores * _along_classes(weight, input)
    flat = -scores.sum(axis)
    ignored = target.eq(ignore_index)
    flat = flat.masked_fill(ignored, 0.0)
    if reduction == "mean":
        if weight is None:
            total: Any = (~ignored).sum()
        else:
            chosen = weight[target.masked_fill(ignored, 0)]
            total = chosen.masked_fill(ignored, 0.0).sum()
        flat = flat.sum() / total
    else:
        flat = _reduced(flat, reduction)
    result: Tensor = sharp * (1 - smoothing) + flat * (smoothing / input.shape[axis])
    return result


def _check_same_size(input: Tensor, target: Tensor) -> None:
    if target.size() != input.size():
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}) is deprecated. Please ensure they have the same size."
        )


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the cross entropy of probabilities against targets from 0 to 1."""
    reduction = _settled(size_average, reduce, reduction)
    _check_same_size(input, target)
    if target._a.dtype != input._a.dtype:
        raise DtypeError(
            f"Found dtype {long_name(target._a)} but expected {long_name(input._a)}",
            "In `binary_cross_entropy`.",
            "Convert the targets, for instance with .float().",
        )
    ask(ops.in_unit_range, input)
    # As torch, logarithms are cut off at -100, so that a certain error costs a finite loss.
    losses = -(
        target * input.log().clamp(min=-100) + (1 - target) * (1 - input).log().clamp(min=-100)
    )
    if weight is not None:
        losses = losses * weight
    return _reduced(losses, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return the cross entropy of the sigmoid of scores against targets from 0 to 1."""
    reduction = _settled(size_average, reduce, reduction)
    if target.size() != input.size():
        raise ValueError(
            f"Target size ({target.size()}) must be the same as input size ({input.size()})"
        )
    losses = ops.logistic_loss(input, target, pos_weight)
    if weight is not None:
        losses = losses * weight
    result = _reduced(losses, reduction)
    rename(result, "BinaryCrossEntropyWithLogits")
    return result


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Return the divergence of log-probabilities from target probabilities."""
    if size_average is not None or reduce is not None:
        reduction = _settled(size_average, reduce, reduction)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next major "
            "release.",
            stacklevel=2,
        )
    if log_target:
        losses = target.exp() * (target - input)
    else:
        losses = FUNCTIONS["xlogy"](target, target) - target * input
    if reduction == "batchmean":
        result: Tensor = losses.sum() / input.size()[0]
        return result
    ops.check_reduction(reduction)
    return _reduced(losses, reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the input for targets 1, what it lacks to the margin for targets -1."""
    reduction = _settled(size_average, reduce, reduction)
    zero = input * 0.0
    far = FUNCTIONS["where"](target.eq(1), zero, (margin - input).clamp(min=0))
    near = FUNCTIONS["where"](target.eq(-1), zero, input)
    return _reduced(far + near, reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return by how much the order of two values misses what the target asks for."""
    reduction = _settled(size_average, reduce, reduction)
    if input1.dim() != input2.dim() or input1.dim() != target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return _reduced((-target * (input1 - input2) + margin).clamp(min=0), reduction)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the logistic loss for targets of -1 and 1."""
    reduction = _settled(size_average, reduce, reduction)
    return _reduced(FUNCTIONS["log1p"]((-target * input).exp()), reduction)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Return the p-norm of the difference along the last axis."""
    result: Tensor = (x1 - x2 + eps).norm(p, -1, keepdim)
    return result


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosine of the angle between vectors along a dimension."""
    x1, x2 = FUNCTIONS["broadcast_tensors"](x1, x2)
    first = x1 / x1.norm(2, dim, keepdim=True).clamp(min=eps)
    second = x2 / x2.norm(2, dim, keepdim=True).clamp(min=eps)
    result: Tensor = (first * second).sum(dim)
    return result


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return how far two vectors are from alike (target 1) or different (target -1)."""
    reduction = _settled(size_average, reduce, reduction)
    eps = 1e-12
    dot = (input1 * input2).sum(-1)
    squares = ((input1 * input1).sum(-1) + eps) * ((input2 * input2).sum(-1) + eps)
    cosine = dot / squares.sqrt()
    zero = cosine * 0.0
    near = FUNCTIONS["where"](target.eq(1), 1 - cosine, zero)
    far = FUNCTIONS["where"](target.eq(-1), (cosine - margin).clamp(min=0), zero)
    return _reduced(near + far, reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return what the negative lacks in distance to be a margin beyond the positive."""
    reduction = _settled(size_average, reduce, reduction)
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = FUNCTIONS["minimum"](far, pairwise_distance(positive, negative, p, eps))
    return _reduced((near - far + margin).clamp(min=0), reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log-likelihood of counts under a Poisson distribution."""
    reduction = _settled(size_average, reduce, reduction)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        safe = target.clamp(min=1)
        stirling = safe * safe.log() - safe + 0.5 * (2 * math.pi * safe).log()
        losses = losses + FUNCTIONS["where"](target > 1, stirling, stirling * 0.0)
    return _reduced(losses, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log-likelihood of values under a normal distribution."""
    ops.check_reduction(reduction)
    if not isinstance(var, Tensor):
        var = zeros_like(input.detach()) + var
    elif var.size() != input.size():
        if input.size()[:-1] == var.size():
            var = var.unsqueeze(-1)
        elif not (input.size()[:-1] == var.size()[:-1] and var.size(-1) == 1):
            raise ValueError("var is of incorrect size")
    ask(ops.not_negative, var)
    # As torch, the lower limit itself has no gradient.
    limited = var + (var.detach().clamp(min=eps) - var.detach())
    losses = 0.5 * (limited.log() + (input - target) ** 2 / limited)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return _reduced(losses, reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return by how much other classes come within a margin of the target's score."""
    reduction = _settled(size_average, reduce, reduction)
    scores = input if input.dim() > 1 else input.unsqueeze(0)
    labels = target.reshape(-1, 1)
    own = scores.gather(1, labels)
    gaps = (margin - own + scores).clamp(min=0)
    gaps = gaps if p == 1 else gaps * gaps
    if weight is not None:
        gaps = gaps * weight[labels]
    others = ones_like(scores.detach()).scatter_(1, labels, 0.0)
    losses = (gaps * others).sum(1) / scores.size(1)
    return _reduced(losses if input.dim() > 1 else losses.squeeze(0), reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean logistic loss over labels that may all be true at once."""
    reduction = _settled(size_average, reduce, reduction)
    losses = ops.logistic_loss(input, target, None)
    if weight is not None:
        losses = losses * weight
    return _reduced(losses.sum(-1) / input.size(-1), reduction)
