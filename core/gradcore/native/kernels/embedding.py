"""Rows of a table by number, and the sum of what comes back for each row."""

import math
from typing import Any

import numpy as np

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.values import at, real
from gradcore.native.memory import integers_at, pointer
from gradcore.nn.functional.linear import _members as members_of_bags
from gradcore.ops.every import OPERATIONS

_EMBEDDING = OPERATIONS["embedding"]


@kernel()
def gather_rows(a: Any, f: Any) -> None:
    """Copy the rows with these numbers; set a flag for a number that has no row."""
    table, indices, out, flag = pointer(a[0], f), integers_at(a[1]), pointer(a[2], f), a[3]
    count, rows, width = a[4], a[5], a[6]
    integers_at(flag)[0] = 0
    for i in range(count):
        row = indices[i]
        if row < 0 or row >= rows:
            integers_at(flag)[0] = 1
            continue
        source, target = at(table, row * width), at(out, i * width)
        for j in range(width):
            target[j] = source[j]


@kernel()
def scatter_rows(a: Any, f: Any) -> None:
    """Add up what belongs to each row, but for one of them (or none: -1)."""
    g, indices, out = pointer(a[0], f), integers_at(a[1]), pointer(a[2], f)
    count, rows, width, skipped = a[3], a[4], a[5], a[6]
    zero = real(0.0, f)
    for i in range(rows * width):
        out[i] = zero
    for i in range(count):
        row = indices[i]
        if row == skipped:
            continue
        source, target = at(g, i * width), at(out, row * width)
        for j in range(width):
            target[j] += source[j]


@kernel(writes=(2, 3))
def weigh_rows(a: Any, f: Any) -> None:
    """Divide each row by how often its number was asked for.

    Words: numbers, how many; rows, counts; how many rows, width.
    """
    numbers, out, counts, rows, width = (
        integers_at(a[0]), pointer(a[2], f), integers_at(a[3]), a[4], a[5]
    )  # fmt: skip
    for row in range(rows):
        counts[row] = 0
    for i in range(a[1]):
        counts[numbers[i]] += 1
    for row in range(rows):
        factor = real(1.0 / max(counts[row], 1), f)
        target = at(out, row * width)
        for j in range(width):
            target[j] *= factor


@kernel(writes=(2, 3))
def bag_members(a: Any, f: Any) -> None:
    """Write who is in which bag: 1, or its share in the mean; padding is in none.

    Words: numbers, offsets, members, flag; how many numbers, how many bags; the number that is
    padding, -1 if none; whether it is a mean.
    """
    numbers, offsets, members, flag = (
        integers_at(a[0]), integers_at(a[1]), pointer(a[2], f), integers_at(a[3])
    )  # fmt: skip
    count, bags, padding = a[4], a[5], a[6]
    flag[0] = 0
    for bag in range(bags):
        row = at(members, bag * count)
        start = offsets[bag]
        end = offsets[bag + 1] if bag + 1 < bags else count
        if start < 0 or end < 0:
            # Counted from the end: the step itself knows what that means.
            flag[0] = 1
            return
        inside = 0
        for i in range(count):
            is_in = (i >= start) & (i < end) & (numbers[i] != padding)
            row[i] = real(1.0 if is_in else 0.0, f)
            inside += 1 if is_in else 0
        if a[7]:
            share = real(max(inside, 1), f)
            for i in range(count):
                row[i] /= share


@lowers(members_of_bags)
def _members(
    out: Builder,
    numbers: Operand,
    offsets: Any,
    include_last_offset: bool,
    place: int | None,
    is_mean: bool,
    dtype: Any,
) -> Any:
    if offsets is None:
        offsets = out.constant(np.arange(numbers.shape[0]) * numbers.shape[1])
        include_last_offset = False
    given = [one for one in (numbers, offsets) if isinstance(one, Operand)]
    if len(given) != 2 or any(one.dtype != np.int64 for one in given):
        return None
    count, bags = numbers.size, offsets.size - bool(include_last_offset)
    y, flag = out.empty((bags, count), dtype), out.empty((1,), np.int64)
    words = (out.contiguous(numbers), out.contiguous(offsets), y, flag, count, bags)
    padding = -1 if place is None else place
    out.call(bag_members, *words, padding, int(is_mean), dtype=y.dtype)
    out.expect(flag)
    return y


@lowers(_EMBEDDING.kernel)
def _gather(
    out: Builder,
    weight: Operand,
    indices: Operand,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
) -> Any:
    if indices.dtype != np.int64 or weight.dtype.kind != "f" or len(weight.shape) != 2:
        return None
    rows, width = weight.shape
    y = out.empty((*indices.shape, width), weight.dtype)
    flag = out.empty((1,), np.int64)
    table, numbers = out.contiguous(weight), out.contiguous(indices)
    words = (indices.size, rows, width)
    out.call(gather_rows, table, numbers, y, flag, *words, dtype=weight.dtype)
    out.expect(flag)
    return y


@lowers(_EMBEDDING.gradients["weight"])
def _scatter(
    out: Builder,
    g: Operand,
    indices: Operand,
    weight_shape: Any,
    padding_idx: int,
    scale_grad_by_freq: bool,
) -> Any:
    if indices.dtype != np.int64 or len(weight_shape) != 2:
        return None
    rows, width = weight_shape
    into = out.empty((rows, width), g.dtype)
    values, numbers = out.contiguous(g), out.contiguous(indices)
    words = (math.prod(indices.shape), rows, width, padding_idx)
    out.call(scatter_rows, values, numbers, into, *words, dtype=g.dtype)
    if scale_grad_by_freq:
        counts = out.empty((rows,), np.int64)
        out.call(weigh_rows, numbers, words[0], into, counts, rows, width, dtype=g.dtype)
    return into
