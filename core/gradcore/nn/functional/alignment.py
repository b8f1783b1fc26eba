"""Losses on labels of unknown place or number, as in `torch.nn.functional`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.errors import ShapeError
from gradcore.graph import wrap
from gradcore.nn.functional.loss import _reduced, _settled, pairwise_distance
from gradcore.ops.alignment import ctc_losses
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor


def _lengths(given: Any) -> list[int]:
    values = given._a.reshape(-1).tolist() if isinstance(given, Tensor) else given
    return [int(n) for n in ([values] if isinstance(values, int) else values)]


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return how improbable labels are under all their alignments with the input.

    Shape: log_probs (T, N, C) or (T, C), targets (N, S), (S) or all of them one after another.
    """
    batched = log_probs.dim() == 3
    scores = log_probs if batched else log_probs.unsqueeze(1)
    times, sizes = _lengths(input_lengths), _lengths(target_lengths)
    count = scores.shape[1]
    if len(times) != count or len(sizes) != count:
        raise ShapeError(
            f"input_lengths must be of size batch_size: {len(times)} and {len(sizes)} lengths "
            f"for {count} sequences",
            "In `ctc_loss`.",
            "Give one input length and one target length for each sequence.",
        )
    if not 0 <= blank < scores.shape[2]:
        raise RuntimeError("blank must be in label range")
    if any(n > scores.shape[0] for n in times):
        raise RuntimeError(
            f"Expected input_lengths to have value at most {scores.shape[0]}, but got value "
            f"{max(times)}"
        )
    labels = _labels(targets._a, sizes, batched)
    pairs = tuple(zip(labels, times, strict=True))
    losses: Tensor = ctc_losses(scores, pairs, blank, zero_infinity)
    if reduction == "mean":
        result: Tensor = (losses / wrap(np.maximum(sizes, 1).astype(losses._a.dtype))).mean()
        return result
    found = _reduced(losses, reduction)
    return found if batched or reduction != "none" else found.squeeze(0)


def _labels(targets: Any, sizes: list[int], batched: bool) -> list[Any]:
    if targets.ndim == 2:
        return [row[:n] for row, n in zip(targets, sizes, strict=True)]
    if not batched:
        return [targets[: sizes[0]]]
    ends = np.cumsum(sizes)
    return [targets[end - n : end] for end, n in zip(ends, sizes, strict=True)]


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return how far classes that are not targets come within 1 of those that are.

    A row of `target` lists classes up to the first -1.
    """
    reduction = _settled(size_average, reduce, reduction)
    batched = input.dim() == 2
    scores = input if batched else input.unsqueeze(0)
    rows = target._a if batched else target._a[None]
    losses = []
    for row, numbers in zip(scores, rows, strict=True):
        stop = np.flatnonzero(numbers < 0)
        wanted = numbers[: stop[0]] if len(stop) else numbers
        others = np.setdiff1d(np.arange(len(numbers)), wanted)
        gaps = 1 - row[wrap(wanted)].unsqueeze(1) + row[wrap(others)].unsqueeze(0)
        losses.append(gaps.clamp(min=0).sum() / len(numbers))
    found = _reduced(FUNCTIONS["stack"](losses), reduction)
    return found if batched or reduction != "none" else found.squeeze(0)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return how much farther than the positive the negative should be, by any distance."""
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = FUNCTIONS["minimum"](far, distance(positive, negative))
    return _reduced((margin + near - far).clamp(min=0), reduction)


def pdist(input: Tensor, p: float = 2) -> Tensor:
    """Return the distance of every pair of rows, once each."""
    result: Tensor = FUNCTIONS["pdist"](input, p)
    return result
