"""Losses that are worth an operation of their own: the two that most models train with.

Cross entropy is taken from the logits in one go (no probability is stored that could round to
zero), the mean square without a difference of its own on the tape. All others are made of
ordinary operations in ``nn.functional``.
"""

import math
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import DtypeError, IndexOutOfRangeError, ShapeError
from gradcore.ops.activation import logsigmoid
from gradcore.ops.elementwise import sigmoid
from gradcore.ops.registry import FUNCTIONS, T, operation

REDUCTIONS = ("none", "mean", "sum")
_LABELS = T(4, kind="int", values=[2, 0, 1, 2])
_MAP = T(2, 2, kind="int", values=[[2, 0], [1, 2]])


def check_reduction(reduction: str) -> None:
    """Refuse an unknown way to reduce."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")


def _reduced(losses: Array, reduction: str) -> Any:
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.mean() if losses.size else losses.dtype.type(np.nan)


def _mean_square_slope(input: Any, target: Any, reduction: str) -> Any:
    difference = input - target
    if reduction == "mean":
        return difference * (2.0 / max(math.prod(difference.shape), 1))
    return difference * 2.0


@operation(
    "mse_loss",
    inputs=2,
    gradient={
        "input": lambda g, input, target, reduction: (
            g * _mean_square_slope(input, target, reduction)
        ),
        "target": lambda g, input, target, reduction: (
            -g * _mean_square_slope(input, target, reduction)
        ),
    },
    functions=False,
    samples=[
        (T(2, 3), T(2, 3), "mean"),
        (T(2, 3), T(2, 3), "sum"),
        (T(2, 3), T(2, 3), "none"),
    ],
    parity=None,
    grad_name="MseLoss",
)
def mse_loss(input: Array, target: Array, reduction: str) -> Any:
    """Return the squared difference, summed up as ``reduction`` says."""
    difference = input - target
    if reduction == "none":
        return np.square(difference, out=difference) if difference.ndim else difference**2
    flat = difference.ravel()
    total = np.dot(flat, flat)
    return total if reduction == "sum" else total / difference.dtype.type(flat.size)


def class_counts(input: Array, target: Array) -> None:
    """Refuse targets whose shape or values do not belong to these scores."""
    wanted = input.shape[:1] + input.shape[2:] if input.ndim > 1 else ()
    if target.shape != wanted:
        if input.ndim > 1 and target.shape[:1] != input.shape[:1]:
            what = (
                f"Expected input batch_size ({input.shape[0]}) to match target batch_size "
                f"({target.shape[0] if target.ndim else 0})."
            )
            raise _wrong_target(ValueError, what, input, target)
        what = f"Expected target size {list(wanted)}, got {list(target.shape)}"
        raise _wrong_target(RuntimeError, what, input, target)


_KINDS = {"f": "Float", "b": "Bool"}


class TargetSizeError(ShapeError, ValueError):
    """Scores and targets of different batch sizes; PyTorch raises ValueError there."""


def _wrong_target(kind: type, what: str, input: Array, target: Array) -> ShapeError:
    error = TargetSizeError if kind is ValueError else ShapeError
    return error(
        what,
        f"In a classification loss of scores {input.shape} and targets {target.shape}.",
        "Scores are (batch, classes, ...), targets (batch, ...) with one class number each.",
        shapes=(input.shape, target.shape),
    )


def _axis(input: Any) -> int:
    return 1 if len(input.shape) > 1 else 0


def _picked(scores: Array, target: Array, axis: int) -> Array:
    index = np.expand_dims(target, axis)
    return np.take_along_axis(scores, index, axis).squeeze(axis)


def class_scale(
    target: Array,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
    dtype: Any,
    classes: int,
) -> tuple[Array, Array]:
    """Return each target's factor in the loss, and the targets with ignored ones set to 0."""
    ignored = target == ignore_index
    safe = np.where(ignored, 0, target) if ignored.any() else target
    if safe.size and (safe.min() < 0 or safe.max() >= classes):
        bad = safe[(safe < 0) | (safe >= classes)].flat[0]
        raise IndexOutOfRangeError(
            f"Target {bad} is out of bounds.",
            f"The scores have {classes} classes.",
            f"Class numbers go from 0 to {classes - 1}; or give the model {bad + 1} outputs.",
        )
    if weight is None:
        scale = (~ignored).astype(dtype)
    else:
        scale = np.where(ignored, 0, weight[safe]).astype(dtype)
    if reduction == "mean":
        total = scale.sum()
        # As torch: a mean over nothing is nan, not zero.
        scale = scale / total if total else np.full_like(scale, np.nan)
    return scale, safe


def _nll_loss_input(
    g: Any, target: Any, weight: Any, input_shape: Any, ignore_index: Any, reduction: Any
) -> Any:
    return nll_spread(g, target, weight, input_shape, ignore_index, reduction)


@operation(
    "nll_loss",
    inputs=3,
    gradient={"input": _nll_loss_input},
    functions=False,
    samples=[
        (T(4, 3), _LABELS, None, -100, "mean"),
        (T(4, 3), _LABELS, None, 1, "mean"),
        (T(2, 3, 2), _MAP, None, -100, "none"),
        (T(4, 3), _LABELS, None, 0, "sum"),
    ],
    parity=None,
    grad_name="NllLoss",
)
def nll_loss(
    input: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str
) -> Any:
    """Return minus the score of each target class, weighted."""
    _check_target_dtype(target)
    class_counts(input, target)
    axis = _axis(input)
    scale, safe = class_scale(
        target, weight, ignore_index, reduction, input.dtype, input.shape[axis]
    )
    losses = -_picked(input, safe, axis)
    return _weighted(losses, scale, reduction)


def _weighted(losses: Array, scale: Array, reduction: str) -> Any:
    # An ignored target's score may be infinite: 0 * inf must not make the loss nan.
    losses = np.where(scale == 0, 0, losses * scale)
    return losses if reduction == "none" else losses.sum()


def _check_target_dtype(target: Array) -> None:
    if target.dtype.kind not in "iu":
        raise DtypeError(
            f"expected scalar type Long but found {'Float' if target.dtype.kind == 'f' else 'Bool'}",
            "A classification loss got targets that are not class numbers.",
            "Convert them with .long().",
        )


@operation(
    "nll_spread",
    inputs=3,
    gradient={
        "g": lambda gg, target, weight, ignore_index, reduction: nll_loss(
            gg, target, weight, ignore_index, reduction
        )
    },
    functions=False,
    samples=[(T(), _LABELS, None, (4, 3), -100, "mean"), (T(4), _LABELS, None, (4, 3), 1, "none")],
    parity=None,
)
def nll_spread(
    g: Array,
    target: Array,
    weight: Array | None,
    shape: Any,
    ignore_index: int,
    reduction: str,
) -> Any:
    """Put the gradient of each loss at its target class."""
    out = np.zeros(shape, g.dtype)
    axis = 1 if len(shape) > 1 else 0
    scale, safe = class_scale(target, weight, ignore_index, reduction, g.dtype, shape[axis])
    np.put_along_axis(out, np.expand_dims(safe, axis), np.expand_dims(-scale * g, axis), axis)
    return out


@operation(
    "cross_entropy",
    inputs=3,
    outputs=("y", "log_sum"),
    visible=1,
    joint=lambda g, needs, input, target, weight, log_sum, ignore_index, reduction: (
        cross_entropy_slope(g[0], input, target, weight, log_sum, ignore_index, reduction),
        None,
        None,
    ),
    functions=False,
    samples=[
        (T(4, 3), _LABELS, None, -100, "mean"),
        (T(4, 3), _LABELS, None, 1, "mean"),
        (T(2, 3, 2), _MAP, None, -100, "none"),
        (T(4, 3), _LABELS, None, 0, "sum"),
    ],
    parity=None,
    grad_name="NllLoss",
)
def cross_entropy(
    input: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str
) -> Any:
    """Return ``log(sum(exp(input))) - input[target]``, weighted."""
    _check_target_dtype(target)
    class_counts(input, target)
    axis = _axis(input)
    top = input.max(axis, keepdims=True)
    log_sum = np.log(np.exp(input - top).sum(axis, keepdims=True)) + top
    scale, safe = class_scale(
        target, weight, ignore_index, reduction, input.dtype, input.shape[axis]
    )
    losses = log_sum.squeeze(axis) - _picked(input, safe, axis)
    return _weighted(losses, scale, reduction), log_sum


def cross_entropy_slope(
    g: Any,
    input: Any,
    target: Any,
    weight: Any,
    log_sum: Any,
    ignore_index: int,
    reduction: str,
) -> Any:
    """Return the gradient of ``cross_entropy``: the softmax less one at the target."""
    if isinstance(g, np.ndarray):
        axis = _axis(input)
        scale, safe = class_scale(
            target, weight, ignore_index, reduction, input.dtype, input.shape[axis]
        )
        out = np.exp(input - log_sum)
        index = np.expand_dims(safe, axis)
        np.put_along_axis(out, index, np.take_along_axis(out, index, axis) - 1, axis)
        out *= np.expand_dims(scale * g, axis)
        return out
    # The second derivative is that of the two operations this one stands for.
    spread = nll_spread(g, target, weight, input.shape, ignore_index, reduction)
    axis = _axis(input)
    softmax = FUNCTIONS["softmax"](input, axis)
    return spread - softmax * spread.sum(axis, keepdims=True)


def _positive_factor(target: Any, pos_weight: Any) -> Any:
    return 1.0 if pos_weight is None else (pos_weight - 1) * target + 1


@operation(
    "logistic_loss",
    inputs=3,
    gradient={
        "input": lambda g, input, target, pos_weight: (
            g * ((1 - target) - _positive_factor(target, pos_weight) * sigmoid(-input))
        ),
        "target": lambda g, input, pos_weight: (
            g * (-input if pos_weight is None else (pos_weight - 1) * _softplus(-input) - input)
        ),
        "pos_weight": lambda g, input, target: g * (target * _softplus(-input)),
    },
    functions=False,
    samples=[
        (T(2, 3), T(2, 3, low=0.1, high=0.9), None),
        (T(2, 3), T(2, 3, low=0.1, high=0.9), T(3, low=0.5)),
    ],
    parity=None,
    grad_name="BinaryCrossEntropyWithLogits",
)
def logistic_loss(input: Array, target: Array, pos_weight: Array | None = None) -> Any:
    """Return the cross entropy of ``sigmoid(input)`` against ``target``, without overflow."""
    tail = np.log1p(np.exp(-np.abs(input))) + np.maximum(-input, 0)
    return (1 - target) * input + _positive_factor(target, pos_weight) * tail


def _softplus(x: Any) -> Any:
    return -logsigmoid(-x)
