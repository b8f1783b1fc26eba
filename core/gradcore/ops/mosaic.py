"""Windows that divide an image as the tiles of a floor: what average pooling mostly asks for."""

from typing import Any

import numpy as np

from gradcore.dtypes import Array

Ints = tuple[int, ...]


def are_tiles(x: Any, size: Ints, kernel: Ints, stride: Ints, padding: Ints) -> bool:
    """Tell whether wide windows divide images without overlap, gap, rest or border."""
    return (
        type(x) is np.ndarray
        and x.dtype.kind == "f"
        and kernel == stride
        and kernel[-1] >= _WIDE
        and not any(padding)
        and all(n % k == 0 for n, k in zip(size, kernel, strict=True))
    )


_WIDE = 4
"""Narrower windows are faster summed by moving one kernel place at a time."""


def sums_of_tiles(x: Array, kernel: Ints, positions: Ints) -> Any:
    """Return the sum of each tile, axis by axis, the last one as a product with ones."""
    rows = np.ascontiguousarray(x).reshape(-1, kernel[-1])
    total = rows.dot(np.ones(kernel[-1], x.dtype)).reshape(*x.shape[:-1], positions[-1])
    for i, (k, n) in reversed([*enumerate(zip(kernel, positions, strict=True))][:-1]):
        parts = total.reshape(*total.shape[: 2 + i], n, k, -1)
        total = parts[..., 0, :].copy()
        for place in range(1, k):
            total += parts[..., place, :]
        total = total.reshape(*x.shape[: 2 + i], *positions[i:])
    return total


def spread_over_tiles(share: Array, kernel: Ints) -> Any:
    """Return each value as often as its tile has places."""
    out: Any = share
    for i in reversed(range(len(kernel))):
        axis = 2 + i
        whole = (*out.shape[: axis + 1], kernel[i], *out.shape[axis + 1 :])
        wide = np.broadcast_to(np.expand_dims(out, axis + 1), whole)
        out = wide.reshape(*out.shape[:axis], -1, *out.shape[axis + 1 :])
    return out
