"""Gradients limited before an optimizer's step: by their joint norm, or each value."""

import math
from typing import Any

import numpy as np

from gradcore.native.entry import kernel
from gradcore.native.kernels.optimizers.measure import STRETCH, is_single
from gradcore.native.kernels.values import at, maximum, minimum, part, real
from gradcore.native.memory import pointer

HEAD = 2
"""Words before those of the first gradient, which are where it is and its size."""


@part
def _squares(x: Any, size: int, f: Any) -> float:
    """Sum squares; those that vanish or overflow in single precision are worked out in double."""
    total = 0.0
    for start in range(0, size, STRETCH):
        values, n = at(x, start), min(STRETCH, size - start)
        some = real(0.0, f)
        for i in range(n):
            some += values[i] * values[i]
        exact = np.float64(some)
        if is_single(f) and (exact < 1e-28 or not exact < 1e30):
            exact = np.float64(0.0)
            for i in range(n):
                exact += np.float64(values[i]) * np.float64(values[i])
        total += exact
    return total


@kernel()
def clip_norm(a: Any, f: Any) -> None:
    """Scale all gradients so that their joint norm is at most a number.

    Words: how many, where the norm goes, then for each its address and its size.
    """
    squares = 0.0
    for t in range(a[0]):
        squares += _squares(pointer(a[HEAD + 2 * t], f), a[HEAD + 2 * t + 1], f)
    norm = pointer(a[1], f)
    norm[0] = real(math.sqrt(squares), f)
    factor = np.float64(f[0]) / (np.float64(norm[0]) + 1e-6)
    # "not >=" lets NaN spread to every gradient, as torch.
    if not factor >= 1.0:
        scale = real(factor, f)
        for t in range(a[0]):
            g = pointer(a[HEAD + 2 * t], f)
            for i in range(a[HEAD + 2 * t + 1]):
                g[i] *= scale


@kernel()
def clip_values(a: Any, f: Any) -> None:
    """Limit every value of every gradient. Words as those of ``clip_norm``, the second unused."""
    limit = f[0]
    for t in range(a[0]):
        g = pointer(a[HEAD + 2 * t], f)
        for i in range(a[HEAD + 2 * t + 1]):
            g[i] = maximum(minimum(g[i], limit), -limit)
