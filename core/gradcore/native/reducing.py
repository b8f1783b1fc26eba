"""Operations that reduce, repeat or cut values, said in steps, sums and copies.

As in ``elementwise``, whose table they join: each lowering takes what the operation's function
takes, with operands for arrays.
"""

import math
from typing import Any

import numpy as np

from gradcore.native import basic, steps
from gradcore.native.builder import Table, UnsupportedError
from gradcore.native.elementwise import (
    FUNCTIONS,
    enters,
    is_float,
    kernel_of,
    slope_of,
    spread,
    step,
)
from gradcore.native.entry import Operand
from gradcore.native.layout import broadcast, viewed
from gradcore.native.numpy_calls import reduced
from gradcore.native.products import matmul
from gradcore.ops.registry import OPERATIONS
from gradcore.ops.shape import kept

__all__ = ["FUNCTIONS"]


def _sum(table: Table, x: Operand, dim: Any, keepdim: bool) -> Operand:
    """Return the sum over dimensions."""
    made = reduced(table, basic.sums, x, dim, ())
    shape = kept(x.shape, dim)
    if not keepdim:
        gone = _gone(x.shape, dim)
        shape = tuple(n for i, n in enumerate(x.shape) if i not in gone)
    return table.view(made, shape)


def _gone(shape: tuple[int, ...], dim: Any) -> set[int]:
    if dim is None or dim == ():
        return set(range(len(shape)))
    return {one % len(shape) for one in (dim if isinstance(dim, (tuple, list)) else (dim,))}


def _count(x: Operand, dim: Any) -> int:
    return math.prod(x.shape[i] for i in _gone(x.shape, dim))


# --- variance


def _variance(table: Table, x: Any, dim: Any, correction: Any, keepdim: bool) -> Operand:
    if not is_float(x) or not x.shape or _count(x, dim) <= correction:
        raise UnsupportedError
    count = _count(x, dim)
    middle = step(table, steps.DIVIDE, _sum(table, x, dim, True), float(count))
    squares = step(table, steps.SQUARE, step(table, steps.SUBTRACT, x, middle))
    total = _sum(table, squares, dim, keepdim)
    return step(table, steps.DIVIDE, total, float(count - correction))


@enters(kernel_of("var"))
def _var(table: Table, input: Any, dim: Any, correction: Any, keepdim: bool) -> Operand:
    return _variance(table, input, dim, correction, keepdim)


@enters(kernel_of("std"))
def _std(table: Table, input: Any, dim: Any, correction: Any, keepdim: bool) -> Operand:
    return step(table, steps.SQRT, _variance(table, input, dim, correction, keepdim))


# --- extremes


def _shared(table: Table, g: Any, input: Any, y: Operand, dim: Any, keepdim: bool) -> Operand:
    """Divide the gradient of an extreme evenly among the values that attain it."""
    if not is_float(g) or not is_float(input) or not input.shape:
        raise UnsupportedError
    same = table.empty(input.shape, input.dtype)
    extreme = spread(table, y, input.shape, dim, keepdim)
    table.element(steps.EQUAL, same, input, extreme)
    share = step(table, steps.DIVIDE, same, _sum(table, same, dim, True))
    return step(table, steps.MULTIPLY, share, spread(table, g, input.shape, dim, keepdim))


@enters(slope_of("amax"), slope_of("amin"))
def _extreme_slope(table: Table, g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Operand:
    return _shared(table, g, input, y, dim, keepdim)


@enters(slope_of("max_all"), slope_of("min_all"))
def _whole_extreme_slope(table: Table, g: Any, input: Any, y: Any) -> Operand:
    return _shared(table, g, input, y, None, False)


@enters(slope_of("vector_norm"))
def _norm_slope(
    table: Table, g: Any, input: Any, y: Any, p: float, dim: Any, keepdim: bool
) -> Operand:
    if p != 2 or not is_float(g) or not is_float(input) or not input.shape:
        raise UnsupportedError
    g, y = (spread(table, one, input.shape, dim, keepdim) for one in (g, y))
    slope = step(table, steps.DIVIDE, input, y)
    zero = table.element(steps.EQUAL, table.empty(input.shape, input.dtype), y, 0.0)
    return step(table, steps.WHERE, zero, 0.0, step(table, steps.MULTIPLY, slope, g))


# --- others


@enters(slope_of("prelu", "weight"))
def _prelu_slope(table: Table, g: Any, input: Any, weight_shape: Any) -> Operand:
    if not is_float(g) or not is_float(input) or g.shape != input.shape:
        raise UnsupportedError
    above = step(table, steps.GREATER, input, 0.0)
    rest = step(table, steps.MULTIPLY, input, 0.0)
    slope = step(table, steps.WHERE, above, rest, step(table, steps.MULTIPLY, g, input))
    if not weight_shape or weight_shape[0] == 1:
        return table.view(_sum(table, slope, None, False), tuple(weight_shape))
    return _sum(table, slope, (0, *range(2, len(g.shape))), False)


@enters(slope_of("linear"))
def _linear_slope(table: Table, g: Any, weight: Any) -> Operand:
    if not is_float(g) or not g.size:
        raise UnsupportedError
    target = table.empty((*g.shape[:-1], weight.shape[-1]), g.dtype)
    return matmul(table, table.contiguous(g), weight, target)


@enters(kernel_of("repeat"))
def _repeat(table: Table, input: Operand, repeats: Any) -> Operand:
    times = [int(one) for one in repeats]
    shape = (1,) * (len(times) - len(input.shape)) + input.shape
    strides = (0,) * (len(times) - len(input.shape)) + input.strides
    made = table.empty([n * m for n, m in zip(times, shape, strict=True)], input.dtype)
    pairs = [one for pair in zip(times, shape, strict=True) for one in pair]
    steps_ = [one for stride in strides for one in (0, stride)]
    source = Operand(tuple(pairs), input.dtype, tuple(steps_), input.place)
    if made.size:
        table.copy_always(table.view(made, pairs), source)
    return made


def _triangle(is_lower: bool) -> Any:
    def lower(table: Table, input: Any, diagonal: int = 0) -> Operand:
        if not is_float(input) or len(input.shape) < 2:
            raise UnsupportedError
        rows, columns = input.shape[-2:]
        mask = table.constant(np.tri(rows, columns, diagonal if is_lower else diagonal - 1, bool))
        wide = broadcast(mask, input.shape)
        choice = (input, 0.0) if is_lower else (0.0, input)
        return table.element(
            steps.WHERE, table.empty(input.shape, input.dtype), wide, *choice, dtype=input.dtype
        )

    return lower


enters(kernel_of("tril"), slope_of("tril"))(_triangle(True))
enters(kernel_of("triu"), slope_of("triu"))(_triangle(False))


@enters(kernel_of("diagonal"))
def _diagonal(
    table: Table, input: Operand, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Operand:
    made = viewed(input, np.diagonal, offset, dim1, dim2)
    if not isinstance(made, Operand):
        raise UnsupportedError
    return made


@enters(slope_of("diagonal"), kernel_of("put_diagonal"))
def _diagonal_slope(
    table: Table, g: Operand, input_shape: Any, offset: int, dim1: int, dim2: int
) -> Operand:
    whole = table.zeros(tuple(input_shape), g.dtype)
    table.copy(_diagonal(table, whole, offset, dim1, dim2), g)
    return whole


@enters(OPERATIONS["stack"].joint)
def _stack_slopes(table: Table, g: Operand, needs: Any, dim: int) -> Any:
    where = dim % len(g.shape)
    return [
        viewed(g, lambda a, i=i: a[(slice(None),) * where + (i,)]) if need else None
        for i, need in enumerate(needs)
    ]
