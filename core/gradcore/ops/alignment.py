"""The CTC loss: the probability of a sequence of labels under all its alignments.

Source: Graves et al. 2006, https://doi.org/10.1145/1143844.1143891
"""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import AutogradError
from gradcore.graph import TensorBase
from gradcore.ops.registry import operation


def _with_blanks(labels: Array, blank: int) -> Array:
    out = np.full(2 * len(labels) + 1, blank, np.int64)
    out[1::2] = labels
    return out


def _jumps(path: Array) -> Array:
    """Tell where an alignment may leave out the blank between two different labels."""
    may = np.zeros(len(path), bool)
    may[3::2] = path[3::2] != path[1:-2:2]
    return may


def _shifted(row: Array, by: int) -> Array:
    out = np.full_like(row, -np.inf)
    if by < len(row):
        out[by:] = row[: len(row) - by]
    return out


def _walk(scores: Array, may: Array) -> Array:
    """Return the log probability of being at each place of the path after each time."""
    out = np.full_like(scores, -np.inf)
    out[0, :2] = scores[0, :2]
    for time in range(1, len(scores)):
        before = out[time - 1]
        jumped = np.where(may, _shifted(before, 2), -np.inf)
        reached = np.logaddexp(np.logaddexp(before, _shifted(before, 1)), jumped)
        out[time] = reached + scores[time]
    return out


def _one(log_probs: Array, labels: Array, blank: int) -> tuple[float, Array]:
    """Return the loss of one sequence and its gradient for the log probabilities."""
    path = _with_blanks(labels, blank)
    if not len(log_probs):
        return (0.0 if not len(labels) else np.inf), np.zeros_like(log_probs)
    scores = log_probs[:, path]
    may = _jumps(path)
    forward = _walk(scores, may)
    end = forward[-1, -2:] if len(path) > 1 else forward[-1]
    total = np.logaddexp.reduce(end)
    back_may = _jumps(path[::-1])
    backward = _walk(scores[::-1, ::-1], back_may)[::-1, ::-1]
    both = forward + backward - scores
    slope = np.exp(log_probs)
    if np.isinf(total):
        return float(-total), np.full_like(slope, np.nan)
    share = np.exp(both - total)
    for place, label in enumerate(path):
        slope[:, label] -= share[:, place]
    return float(-total), slope


def _slope(g: Any, log_probs: Any, targets: Any, blank: int, zero_infinity: bool, y: Any) -> Any:
    if isinstance(g, TensorBase):
        raise AutogradError(
            "the derivative for '_ctc_loss_backward' is not implemented",
            "A second derivative of ctc_loss was asked for.",
            "As torch: differentiate it once only.",
        )
    out = np.zeros_like(log_probs)
    for i, (labels, length) in enumerate(targets):
        slope = _one(log_probs[:length, i].astype(np.float64), labels, blank)[1]
        if zero_infinity and np.isnan(slope).any():
            continue
        out[:length, i] = slope * g[i]
    return out


@operation(
    "ctc_losses",
    gradient={"log_probs": _slope},
    functions=False,
    parity=None,
    gradcheck=False,
    grad_name="CtcLoss",
)
def ctc_losses(log_probs: Array, targets: Any, blank: int, zero_infinity: bool) -> Any:
    """Return each sequence's loss; ``targets`` holds (labels, input length) for each."""
    found = [
        _one(log_probs[:length, i].astype(np.float64), labels, blank)[0]
        for i, (labels, length) in enumerate(targets)
    ]
    losses = np.array(found, log_probs.dtype)
    return np.where(np.isinf(losses), losses.dtype.type(0), losses) if zero_infinity else losses
