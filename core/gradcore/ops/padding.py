"""Padding with a constant, and its gradient: padding by negative widths, which cuts off."""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.ops.registry import T, operation


def _constant_pad_nd_input(g: Any, pad: Any) -> Any:
    return constant_pad_nd(g, [-width for width in pad], 0.0)


@operation(
    "constant_pad_nd",
    gradient={"input": _constant_pad_nd_input},
    functions=("constant_pad_nd",),
    samples=[(T(2, 3), [1, 2]), (T(2, 3), [1, 0, 0, 2], 0.5), (T(2, 4), [-1, 2]), (T(2, 3), [])],
    parity="torch",
)
def constant_pad_nd(input: Array, pad: Any, value: float = 0.0) -> Any:
    """Pad the last axes; ``pad`` lists (left, right) of the last axis first."""
    n = len(pad) // 2
    lead = input.ndim - n
    widths = [(0, 0)] * lead + [(pad[2 * i], pad[2 * i + 1]) for i in reversed(range(n))]
    shape = tuple(
        size + left + right for size, (left, right) in zip(input.shape, widths, strict=True)
    )
    if any(size < 0 for size in shape):
        raise RuntimeError(
            f"The input size {list(input.shape)}, plus negative padding {list(pad)}, resulted in "
            "a negative output size"
        )
    out = np.full(shape, value, input.dtype)
    source, target = [], []
    for size, (left, right) in zip(input.shape, widths, strict=True):
        source.append(slice(max(-left, 0), size - max(-right, 0)))
        target.append(slice(max(left, 0), max(left, 0) + size + min(left, 0) + min(right, 0)))
    out[tuple(target)] = input[tuple(source)]
    return out
