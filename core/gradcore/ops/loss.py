"""Losses that are worth an operation of their own: the two that most models train with.

Cross entropy is taken from the logits in one go (no probability is stored that could round to
zero), the mean square without a difference of its own on the tape. All others are made of
ordinary operations in ``nn.functional``.
"""

import functools
import math
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import DtypeError, IndexOutOfRangeError, ShapeError
from gradcore.ops.activation import logsigmoid
from gradcore.ops.elementwise import sigmoid
from gradcore.ops.numbers import long_name, promoted
from gradcore.ops.registry import FUNCTIONS, T, operation
from gradcore.ops.selection import clamp
from gradcore.ops.sums import sum_of_columns

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


def in_unit_range(a: Array) -> None:
    """Refuse what is no probability."""
    low, high = a.min(initial=0), a.max(initial=0)
    if low < 0 or high > 1:
        raise RuntimeError(
            "all elements of input should be between 0 and 1\n"
            f"  They lie between {low:.4g} and {high:.4g}.\n"
            "  Put a sigmoid before the loss, or use binary_cross_entropy_with_logits."
        )


def not_negative(a: Array) -> None:
    """Refuse a variance below zero."""
    if (a < 0).any():
        raise ValueError("var has negative entry/entries")


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


_ROWS: dict[int, Array] = {}


def _rows(count: int) -> Array:
    """Return 0 .. count - 1; the last few are kept, since training asks for the same again."""
    found = _ROWS.get(count)
    if found is None:
        if len(_ROWS) > 16:
            _ROWS.clear()
        found = _ROWS[count] = np.arange(count)
    return found


@functools.lru_cache(16)
def _row_starts(count: int, classes: int) -> Array:
    """Return where each row begins in a matrix that lies row by row."""
    return np.arange(0, count * classes, classes)


def _at_classes(shape: tuple[int, ...], target: Array) -> Any:
    """Return the index that picks each target's class out of an array of scores."""
    if len(shape) == 2:
        return (_rows(shape[0]), target)
    if len(shape) == 1:
        return (target,)
    grid = np.ogrid[tuple(slice(size) for size in target.shape)]
    return (grid[0], target, *grid[1:])


_UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


def class_scale(
    target: Array,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
    dtype: Any,
    classes: int,
) -> tuple[Any, Array]:
    """Return each target's factor in the loss, and the targets with ignored ones set to 0.

    The factor is one number where all targets count alike.
    """
    # Seen as unsigned, negative numbers are large: one comparison finds what is out of range.
    seen = target.view(_UNSIGNED[target.dtype.itemsize])
    if target.size and np.maximum.reduce(seen, None) < classes:
        if weight is None and not 0 <= ignore_index < classes:
            return dtype.type(1.0 / target.size if reduction == "mean" else 1.0), target
    ignored = target == ignore_index
    safe = np.where(ignored, 0, target)
    if safe.size and (safe.min() < 0 or safe.max() >= classes):
        bad = safe[(safe < 0) | (safe >= classes)].flat[0]
        raise IndexOutOfRangeError(
            f"Target {bad} is out of bounds.",
            f"The scores have {classes} classes.",
            f"Class numbers go from 0 to {classes - 1}; or give the model {bad + 1} outputs.",
        )
    factors = np.ones(safe.shape, dtype) if weight is None else weight[safe]
    scale = np.where(ignored, 0, factors).astype(dtype, copy=False)
    if reduction == "mean":
        total = scale.sum()
        # As torch: a mean over nothing is nan, not zero.
        scale = scale / total if total else np.full_like(scale, np.nan)
    return scale, safe


def _nll_loss_input(
    g: Any, target: Any, weight: Any, input_shape: Any, ignore_index: Any, reduction: Any
) -> Any:
    return nll_spread(g, target, weight, input_shape, ignore_index, reduction)


def _huber_slope(g: Any, input: Any, target: Any, delta: float, scale: float) -> Any:
    slope = clamp(input - target, -delta, delta)
    return g * (slope if scale == 1 else slope * scale)


@operation(
    "huber",
    inputs=2,
    gradient={
        "input": _huber_slope,
        "target": lambda g, input, target, delta, scale: (
            -_huber_slope(g, input, target, delta, scale)
        ),
    },
    functions=False,
    adapt=promoted,
    samples=[(T(2, 3), T(2, 3), 1.0), (T(2, 3), T(3), 0.3, 2.0)],
    parity=None,
    grad_name="HuberLoss",
)
def huber(input: Array, target: Array, delta: float, scale: float = 1.0) -> Any:
    """Return half the square of differences up to ``delta``, and the line that goes on from it."""
    apart = input - target
    near = clamp.operation.kernel(apart, -delta, delta)
    apart -= near * 0.5
    apart *= near
    if scale != 1:
        apart *= scale
    return apart


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
    losses = -input[_at_classes(input.shape, safe)]
    return _weighted(losses, scale, reduction)


def _weighted(losses: Array, scale: Any, reduction: str) -> Any:
    if scale.ndim == 0:
        return losses * scale if reduction == "none" else np.add.reduce(losses, axis=None) * scale
    # An ignored target's score may be infinite: 0 * inf must not make the loss nan.
    losses = np.where(scale == 0, 0, losses * scale)
    return losses if reduction == "none" else losses.sum()


def _check_target_dtype(target: Array) -> None:
    if target.dtype not in (np.int64, np.uint8):
        raise DtypeError(
            f"expected target dtype to be Long or Byte, but got {long_name(target)}",
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
    out[_at_classes(shape, safe)] = -scale * g
    return out


@operation(
    "cross_entropy",
    inputs=3,
    outputs=("y", "softmax"),
    visible=1,
    joint=lambda g, needs, input, target, weight, softmax, ignore_index, reduction: (
        cross_entropy_slope(g[0], input, target, weight, softmax, ignore_index, reduction),
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
    axis = 1 if input.ndim > 1 else 0
    shifted = np.subtract(input, _largest(input, axis))
    scale, safe = class_scale(
        target, weight, ignore_index, reduction, input.dtype, input.shape[axis]
    )
    own = shifted[_at_classes(input.shape, safe)]
    softmax = np.exp(shifted, out=shifted)
    if input.ndim == 2:
        total = sum_of_columns(softmax)
    else:
        total = np.add.reduce(softmax, axis, keepdims=True)
    np.divide(softmax, total, out=softmax)
    losses = np.log(total.squeeze(axis))
    losses = np.subtract(losses, own)
    return _weighted(losses, scale, reduction), softmax


_NARROW = 8


def _largest(scores: Array, axis: int) -> Any:
    """Return the largest score of each row, as a column."""
    if scores.ndim == 2 and 0 < scores.shape[1] <= _NARROW:
        # Over a long first axis, NumPy takes a third of the time that many short rows take it.
        return np.maximum.reduce(scores.T.copy(), 0).reshape((-1, 1))
    return np.maximum.reduce(scores, axis, keepdims=True)


def cross_entropy_slope(
    g: Any,
    input: Any,
    target: Any,
    weight: Any,
    softmax: Any,
    ignore_index: int,
    reduction: str,
) -> Any:
    """Return the gradient of ``cross_entropy``: the softmax less one at the target."""
    if isinstance(g, np.ndarray):
        axis = _axis(input)
        scale, safe = class_scale(
            target, weight, ignore_index, reduction, input.dtype, input.shape[axis]
        )
        factor = scale * g
        if isinstance(factor, np.generic):
            # As an array without axes, NumPy reads it faster.
            factor = np.asarray(factor)
        out = np.multiply(softmax, np.expand_dims(factor, axis) if factor.ndim else factor)
        if type(out) is np.ndarray and out.ndim == 2 and out.flags.c_contiguous:
            # One number each is a faster index than two.
            out.reshape(-1)[_row_starts(*out.shape) + safe] -= factor
        else:
            out[_at_classes(input.shape, safe)] -= factor
        return out
    # The second derivative is that of the two operations this one stands for.
    spread = nll_spread(g, target, weight, input.shape, ignore_index, reduction)
    axis = _axis(input)
    again = FUNCTIONS["softmax"](input, axis)
    return spread - again * spread.sum(axis, keepdims=True)


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
