"""The first values in order along an axis, and where they stand."""

from typing import Any

import numpy as np

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.indexing import put_along, split
from gradcore.native.kernels.values import at, part
from gradcore.native.memory import integers_at, pointer
from gradcore.ops.every import OPERATIONS

MOST = 64
"""So many values at most are put in order: each is let in at its place, one after the other."""


@part
def _is_before(x: Any, y: Any, is_turned: bool) -> Any:
    """Tell the order; NaN counts as larger than all."""
    if is_turned:
        return (x > y) | ((x != x) & (y == y))
    return (x < y) | ((y != y) & (x == x))


@kernel(writes=(1, 2))
def first_in_order(a: Any, f: Any) -> None:
    """Write the first values along the middle axis; equal ones keep their order.

    Words: x, values, positions, outer, middle, inner, how many are wanted, whether the largest
    come first.
    """
    outer, middle, inner, wanted, is_turned = a[3], a[4], a[5], a[6], a[7] != 0
    for o in range(outer):
        for i in range(inner):
            x = at(pointer(a[0], f), o * middle * inner + i)
            values = at(pointer(a[1], f), o * wanted * inner + i)
            positions = integers_at(a[2] + 8 * (o * wanted * inner + i))
            count = 0
            for k in range(middle):
                v = x[k * inner]
                if count == wanted:
                    if not _is_before(v, values[(count - 1) * inner], is_turned):
                        continue
                    count -= 1
                place = count
                while place > 0 and _is_before(v, values[(place - 1) * inner], is_turned):
                    values[place * inner] = values[(place - 1) * inner]
                    positions[place * inner] = positions[(place - 1) * inner]
                    place -= 1
                values[place * inner] = v
                positions[place * inner] = k
                count += 1


def _ordered(
    out: Builder, input: Operand, dim: int, wanted: int | None, is_turned: bool
) -> tuple[Operand, Operand] | None:
    if not input.shape or not input.size or input.dtype.kind != "f":
        return None
    axis = dim % len(input.shape)
    count = input.shape[axis] if wanted is None else wanted
    if not 0 < count <= MOST or count > input.shape[axis]:
        return None
    shape = (*input.shape[:axis], count, *input.shape[axis + 1 :])
    values, where = out.empty(shape, input.dtype), out.empty(shape, np.int64)
    sizes = (*split(input.shape, axis), count, is_turned)
    out.call(first_in_order, out.contiguous(input), values, where, *sizes, dtype=input.dtype)
    return values, where


@lowers(OPERATIONS["sort"].kernel)
def _sort(
    out: Builder, input: Operand, dim: int = -1, descending: bool = False, stable: bool = False
) -> Any:
    return _ordered(out, input, dim, None, descending)


@lowers(OPERATIONS["argsort"].kernel)
def _argsort(
    out: Builder, input: Operand, dim: int = -1, descending: bool = False, stable: bool = False
) -> Any:
    found = _ordered(out, input, dim, None, descending)
    return None if found is None else found[1]


@lowers(OPERATIONS["topk"].kernel)
def _topk(
    out: Builder,
    input: Operand,
    k: int,
    dim: int = -1,
    largest: bool = True,
    sorted: bool = True,
) -> Any:
    return _ordered(out, input, dim, k, largest)


@lowers(OPERATIONS["sort"].gradients["input"], OPERATIONS["topk"].gradients["input"])
def _back(out: Builder, g: Any, indices: Operand, input_shape: Any, dim: int) -> Any:
    if not isinstance(g[0], Operand) or not input_shape:
        return None
    return put_along(out, g[0], indices, input_shape, dim)
