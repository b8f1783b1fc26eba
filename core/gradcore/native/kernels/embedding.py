"""Rows of a table by number, and the sum of what comes back for each row."""

import math
from typing import Any

import numpy as np

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.values import at, real
from gradcore.native.memory import integers_at, pointer
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
    if scale_grad_by_freq or indices.dtype != np.int64 or len(weight_shape) != 2:
        return None
    rows, width = weight_shape
    into = out.empty((rows, width), g.dtype)
    values, numbers = out.contiguous(g), out.contiguous(indices)
    words = (math.prod(indices.shape), rows, width, padding_idx)
    out.call(scatter_rows, values, numbers, into, *words, dtype=g.dtype)
    return into
