"""Operations that shift, window or multiply values, said in views, copies and sums.

As in ``elementwise``, whose table they join.
"""

import math
from typing import Any

from gradcore.native import basic, steps
from gradcore.native.builder import Table, UnsupportedError
from gradcore.native.elementwise import enters, is_float, kernel_of, slope_of
from gradcore.native.entry import Operand
from gradcore.native.numpy_calls import part
from gradcore.native.reducing import FUNCTIONS
from gradcore.native.ufuncs import stored

__all__ = ["FUNCTIONS"]

_WINDOWS = 64
"""Windows of up to so many values are added up value by value."""


def _rolled(table: Table, x: Operand, shift: int, dim: int) -> Operand:
    length = x.shape[dim]
    shift = shift % length if length else 0
    if not shift or not x.size:
        return x
    made = table.empty(x.shape, x.dtype)
    lead = [slice(None)] * dim
    for to, out_of in (
        (slice(shift, None), slice(0, length - shift)),
        (slice(0, shift), slice(length - shift, None)),
    ):
        table.copy(part(made, (*lead, to)), part(x, (*lead, out_of)))
    return made


def _roll(table: Table, input: Any, shifts: Any, dims: Any = None) -> Operand:
    if not isinstance(input, Operand):
        raise UnsupportedError
    by = list(shifts) if isinstance(shifts, (list, tuple)) else [shifts]
    if dims is None or dims == ():
        if len(by) != 1:
            raise UnsupportedError
        flat = table.view(table.contiguous(input), (input.size,))
        return table.view(table.contiguous(_rolled(table, flat, by[0], 0)), input.shape)
    axes = list(dims) if isinstance(dims, (list, tuple)) else [dims]
    made = input
    for shift, dim in zip(by * (len(axes) if len(by) == 1 else 1), axes, strict=True):
        made = _rolled(table, made, int(shift), dim % len(input.shape))
    return made


enters(kernel_of("roll"))(_roll)


@enters(slope_of("roll"))
def _roll_back(table: Table, g: Any, shifts: Any, dims: Any) -> Operand:
    turned = [-n for n in shifts] if isinstance(shifts, (list, tuple)) else -shifts
    return _roll(table, g, turned, dims)


def _windows(table: Table, input: Any, dimension: int, size: int, step: int) -> Operand:
    if not isinstance(input, Operand) or not input.shape:
        raise UnsupportedError
    axis = dimension % len(input.shape)
    count = (input.shape[axis] - size) // step + 1
    if count < 1:
        raise UnsupportedError
    shape, strides = list(input.shape), list(input.strides)
    shape[axis], strides[axis] = count, strides[axis] * step
    strides.append(input.strides[axis])
    return Operand((*shape, size), input.dtype, tuple(strides), input.place)


def _folded(table: Table, g: Any, shape: Any, dimension: int, size: int, step: int) -> Operand:
    if not is_float(g) or size > _WINDOWS:
        raise UnsupportedError
    made = table.zeros(tuple(shape), g.dtype)
    axis = dimension % len(made.shape)
    count = g.shape[axis]
    for k in range(size):
        key = (*[slice(None)] * axis, slice(k, k + (count - 1) * step + 1, step))
        place = part(made, key)
        stored(table, steps.ADD, place, (place, part(g, (Ellipsis, k))))
    return made


enters(kernel_of("unfold"))(_windows)
enters(slope_of("unfold"))(_folded)
enters(kernel_of("fold_windows"))(_folded)


@enters(slope_of("fold_windows"))
def _folded_back(table: Table, g: Any, dimension: int, size: int, step: int) -> Operand:
    return _windows(table, g, dimension, size, step)


@enters(slope_of("prod"))
def _product_slope(table: Table, g: Any, input: Any, dim: Any, keepdim: bool) -> Operand:
    if not is_float(input) or not is_float(g) or not input.size or not input.shape:
        raise UnsupportedError
    sizes = (1, input.size, 1)
    if dim is not None:
        axis = dim % len(input.shape)
        sizes = (
            math.prod(input.shape[:axis]), input.shape[axis], math.prod(input.shape[axis + 1 :])
        )  # fmt: skip
    made = table.empty(input.shape, input.dtype)
    given = (made, table.contiguous(input), table.contiguous(g))
    table.call(basic.product_slope, *given, *sizes, dtype=input.dtype)
    return made
