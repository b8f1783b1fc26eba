"""How calls of NumPy are said in kernels: one lowering for each function that programs are made of.

A lowering gets the table, the arguments and options of the call with operands in place of arrays,
and ``like``: what NumPy itself gave, for its shape and dtype.
"""

import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gradcore.native import basic, steps
from gradcore.native.builder import (
    BOOL,
    DOUBLE,
    INTEGER,
    SINGLE,
    Table,
    UnsupportedError,
    operands_of,
)
from gradcore.native.entry import Operand
from gradcore.native.kernels.indexing import picked
from gradcore.native.layout import viewed, whole
from gradcore.native.products import matmul
from gradcore.native.ufuncs import FLOATS, sources_of, stored, target_of
from gradcore.native.whole import extreme
from gradcore.ops.loss import in_unit_range, not_negative
from gradcore.ops.selection import _check_places as check_places
from gradcore.ops.sums import product
from gradcore.replay.finite import finite
from gradcore.replay.inline import expect

Call = Callable[..., Any]
CALLS: dict[Any, Call] = {}
"""The lowering of each function of NumPy that has one."""


def _lowers(*functions: Any) -> Callable[[Call], Call]:
    def enter(lowering: Call) -> Call:
        for function in functions:
            CALLS[function] = lowering
        return lowering

    return enter


@_lowers(np.where)
def _where(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    mask, *rest = sources_of(arguments)
    if len(rest) != 2 or options or not isinstance(mask, Operand) or mask.dtype != BOOL:
        raise UnsupportedError
    if like.dtype not in FLOATS:
        raise UnsupportedError
    return stored(table, steps.WHERE, table.empty(like.shape, like.dtype), (mask, *rest))


@_lowers(np.clip)
def _clip(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    low, high = (*arguments[1:], None, None)[:2]
    low, high = options.pop("min", low), options.pop("max", high)
    (x,) = sources_of(arguments[:1])
    target = target_of(table, options, like)
    if like.dtype not in FLOATS:
        raise UnsupportedError
    for what, limit in ((steps.MAXIMUM, low), (steps.MINIMUM, high)):
        if limit is not None:
            made = table.empty(like.shape, like.dtype)
            x = stored(table, what, made, (x, *sources_of((limit,))))
    return stored(table, steps.COPY, target, (x,))


@_lowers(np.ndarray.astype, np.copy, np.ndarray.copy, np.array, np.ascontiguousarray)
def _copied(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    x = arguments[0]
    target = table.empty(like.shape, like.dtype)
    return _assigned(table, target, x)


def _assigned(table: Table, target: Operand, x: Any) -> Operand:
    """Write an operand or a number into a target."""
    if isinstance(x, Operand) and x.dtype == target.dtype:
        table.copy(target, x)
        return target
    (source,) = sources_of((x,))
    dtype = target.dtype if target.dtype in FLOATS else None
    if dtype is None and isinstance(source, Operand) and source.dtype in FLOATS:
        dtype = source.dtype
    if dtype is None or (target.dtype == INTEGER and isinstance(source, Operand)):
        raise UnsupportedError
    if target.is_contiguous:
        return table.element(steps.COPY, target, source, dtype=dtype)
    made = table.element(steps.COPY, table.empty(target.shape, target.dtype), source, dtype=dtype)
    table.copy(target, made)
    return target


@_lowers(np.copyto)
def _written(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    target, source = arguments
    options.pop("casting", None)
    if options:
        raise UnsupportedError
    return _assigned(table, target, source)


@_lowers(operator.setitem)
def _set(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    target, key, source = arguments
    place = part(target, key)
    _assigned(table, place, source)
    return place


def part(x: Operand, key: Any) -> Operand:
    """Return a view by numbers and slices."""
    keys = key if isinstance(key, tuple) else (key,)
    if not all(item is None or item is Ellipsis or type(item) in (int, slice) for item in keys):
        raise UnsupportedError
    if Ellipsis not in keys:
        keys = (*keys, Ellipsis)
    view = viewed(x, operator.getitem, keys)
    if view is None:
        raise UnsupportedError
    return view  # type: ignore[no-any-return]  # one view, not several


@_lowers(operator.getitem)
def _got(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    x, key = arguments
    if operands_of([key]) or any(isinstance(one, np.ndarray) for one in _keys(key)):
        made = picked(table, x, key) if isinstance(x, Operand) else None
        if made is None:
            raise UnsupportedError
        return made
    return part(x, key)


def _keys(key: Any) -> Any:
    return key if isinstance(key, tuple) else (key,)


@_lowers(np.ndarray.take, np.take)
def _taken(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    x, index, *rest = arguments
    axis = rest[0] if rest else options.pop("axis", None)
    if options or len(rest) > 1 or not isinstance(x, Operand):
        raise UnsupportedError
    if axis is None:
        x, axis = table.view(table.contiguous(x), (x.size,)), 0
    key = (*[slice(None)] * (axis % len(x.shape)), index)
    made = picked(table, x, key)
    if made is None:
        raise UnsupportedError
    return made


@_lowers(np.asarray)
def _same(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    (x,) = arguments
    if options or not isinstance(x, Operand):
        raise UnsupportedError
    return x


_MOVES = {
    np.ndarray.transpose, np.ndarray.swapaxes, np.ndarray.squeeze, np.transpose, np.swapaxes,
    np.moveaxis, np.squeeze, np.expand_dims, np.broadcast_to, np.flip,
}  # fmt: skip


def is_view(function: Any) -> bool:
    """Tell whether a function only looks at its argument in another way."""
    return function in _MOVES


def view(function: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Operand:
    """Lower one of these functions."""
    if not isinstance(arguments[0], Operand):
        raise UnsupportedError
    made = viewed(arguments[0], function, *arguments[1:], **options)
    if not isinstance(made, Operand):
        raise UnsupportedError
    return made


@_lowers(np.ndarray.reshape, np.reshape, np.ndarray.ravel, np.ravel, np.atleast_1d)
def _reshaped(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    x = arguments[0]
    if options.get("order", "C") != "C":
        raise UnsupportedError
    return table.view(table.contiguous(x), like.shape)


@_lowers(np.ndarray.view)
def _bits(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    x = arguments[0]
    if like.dtype != x.dtype:
        raise UnsupportedError
    return Operand(x.shape, x.dtype, x.strides, x.place)


@_lowers(np.split)
def _split(table: Table, arguments: Any, options: Any, like: Any) -> Any:
    made = viewed(arguments[0], np.split, *arguments[1:], **options)
    if any(one is None for one in made):
        raise UnsupportedError
    return made


@_lowers(np.concatenate)
def _concatenated(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    axis = arguments[1] if len(arguments) > 1 else options.get("axis", 0)
    parts = list(arguments[0])
    if axis is None or set(options) - {"axis"} or not all(isinstance(x, Operand) for x in parts):
        raise UnsupportedError
    return _joined(table, parts, axis % like.ndim, like, False)


@_lowers(np.stack)
def _stacked(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    axis = arguments[1] if len(arguments) > 1 else options.get("axis", 0)
    parts = list(arguments[0])
    if set(options) - {"axis"} or not all(isinstance(x, Operand) for x in parts):
        raise UnsupportedError
    return _joined(table, parts, axis % like.ndim, like, True)


def _joined(table: Table, parts: list[Any], axis: int, like: Any, is_stack: bool) -> Operand:
    target = table.empty(like.shape, like.dtype)
    start = 0
    for x in parts:
        length = 1 if is_stack else x.shape[axis]
        place = start if is_stack else slice(start, start + length)
        _assigned(table, part(target, (*[slice(None)] * axis, place)), x)
        start += length
    return target


# --- reductions


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(item % ndim for item in given)) if ndim else ()


def reduced(table: Table, kernel: Any, given: Any, axis: Any, last: tuple[int, ...]) -> Operand:
    """Reduce over axes, one run of neighbours after the other, from the last."""
    if not isinstance(given, Operand) or given.dtype not in FLOATS:
        raise UnsupportedError
    axes = list(_axes(axis, len(given.shape)))
    x: Operand = table.contiguous(given)
    shape = list(x.shape)
    while axes:
        end = axes[-1] + 1
        start = end
        while axes and axes[-1] == start - 1:
            start = axes.pop()
        outer, middle, inner = (
            math.prod(shape[:start]), math.prod(shape[start:end]), math.prod(shape[end:])
        )  # fmt: skip
        shape[start:end] = [1] * (end - start)
        made = table.empty(shape, x.dtype)
        if middle == 0 and last:
            raise UnsupportedError
        table.call(kernel, made, x, outer, middle, inner, *last, dtype=x.dtype)
        x = made
    return x


def _reduction(kernel: Any, last: tuple[int, ...] = (), is_mean: bool = False) -> Call:
    def lower(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
        x = arguments[0]
        axis = arguments[1] if len(arguments) > 1 else options.pop("axis", _default(options))
        if last and like.ndim == 0 and isinstance(x, Operand) and x.dtype == INTEGER:
            return extreme(table, x, bool(last[0]))
        options.pop("keepdims", None)
        if options.pop("initial", None) is not None and not last:
            raise UnsupportedError
        if len(arguments) > 2 or not isinstance(x, Operand):
            raise UnsupportedError
        kind = options.pop("dtype", None)
        out = options.pop("out", None)
        if kernel is basic.sums and x.dtype == BOOL and like.dtype == INTEGER and out is None:
            return _counted(table, x, axis, like)
        if (
            like.dtype != x.dtype
            or out is not None
            or options
            or (kind is not None and kind != x.dtype)
        ):
            raise UnsupportedError
        made = table.view(reduced(table, kernel, x, axis, last), like.shape)
        if is_mean:
            count = x.size // max(made.size, 1)
            target = table.empty(like.shape, like.dtype)
            return table.element(steps.DIVIDE, target, made, float(count))
        return made

    return lower


def _counted(table: Table, x: Operand, axis: Any, like: Any) -> Operand:
    """Count what is true; exact, as far as anybody counts."""
    ones = table.element(steps.COPY, table.empty(x.shape, DOUBLE), x, dtype=DOUBLE)
    total = table.view(reduced(table, basic.sums, ones, axis, ()), like.shape)
    return table.element(steps.COPY, table.empty(like.shape, INTEGER), total, dtype=DOUBLE)


def _default(options: dict[str, Any]) -> Any:
    """Return the axis of a reduction that names none: a ufunc's takes the first, others all."""
    return options.pop("_axis", None)


def _over_first(lowering: Call) -> Call:
    def lower(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
        made: Operand = lowering(table, arguments, {"_axis": 0, **options}, like)
        return made

    return lower


_sum, _mean = _reduction(basic.sums), _reduction(basic.sums, is_mean=True)
_largest, _smallest = _reduction(basic.extremes, (1,)), _reduction(basic.extremes, (0,))
_lowers(np.ndarray.sum, np.sum)(_sum)
_lowers(np.ndarray.mean, np.mean)(_mean)
_lowers(np.ndarray.max, np.max, np.amax)(_largest)
_lowers(np.ndarray.min, np.min, np.amin)(_smallest)


def _truth(is_any: bool) -> Call:
    """Tell whether any or all values are true: the extreme of ones and zeros."""

    def lower(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
        x, *rest = arguments
        axis = rest[0] if rest else options.pop("axis", 0)
        options.pop("keepdims", None)
        if len(rest) > 1 or any(one is not None for one in options.values()):
            raise UnsupportedError
        if not isinstance(x, Operand) or x.dtype not in (*FLOATS, BOOL) or like.dtype != BOOL:
            raise UnsupportedError
        kind = SINGLE if x.dtype == BOOL else x.dtype
        ones = table.element(steps.NOT_EQUAL, table.empty(x.shape, kind), x, 0.0)
        found = reduced(table, basic.extremes, ones, axis, (int(is_any),))
        target = table.empty(like.shape, BOOL)
        return table.element(
            steps.NOT_EQUAL, target, table.view(found, like.shape), 0.0, dtype=kind
        )

    return lower


REDUCTIONS: tuple[tuple[Any, Call], ...] = (
    (np.add, _over_first(_sum)),
    (np.maximum, _over_first(_largest)),
    (np.minimum, _over_first(_smallest)),
    (np.multiply, _over_first(_reduction(basic.products))),
    (np.logical_or, _truth(True)),
    (np.logical_and, _truth(False)),
)


# --- products


@_lowers(np.matmul, np.dot, np.ndarray.dot, product)
def _product(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    x, y = arguments[:2]
    target = target_of(table, dict(options), like)
    if isinstance(x, np.ndarray) and x.ndim == 1 and isinstance(y, Operand) and (x == 1).all():
        # A sum over rows, as `column_sum` writes it.
        return _summed_rows(table, y, target)
    x, y = (table.constant(one) if isinstance(one, np.ndarray) else one for one in (x, y))
    if not (isinstance(x, Operand) and isinstance(y, Operand)):
        raise UnsupportedError
    return matmul(table, x, y, target)


def _summed_rows(table: Table, y: Operand, target: Operand) -> Operand:
    if len(y.shape) < 2 or not target.is_contiguous or y.dtype not in FLOATS:
        raise UnsupportedError
    *stack, rows, columns = y.shape
    sizes = math.prod(stack), rows, columns
    table.call(basic.sums, target, table.contiguous(y), *sizes, dtype=y.dtype)
    return target


# --- branches


@_lowers(expect)
def _expected(table: Table, arguments: Any, options: Any, like: Any) -> None:
    value, found = arguments
    if not isinstance(value, Operand) or value.size != 1:
        raise UnsupportedError
    dtype = value.dtype if value.dtype in FLOATS else SINGLE
    if value.dtype not in (*FLOATS, BOOL):
        raise UnsupportedError
    flag = table.empty((), INTEGER)
    truth = table.element(steps.NOT_EQUAL, table.empty((), dtype), whole_of(value), 0.0)
    table.element(steps.NOT_EQUAL, flag, truth, float(found), dtype=dtype)
    table.expect(flag)


def _range(low: float, high: float) -> Call:
    def lower(table: Table, arguments: Any, options: Any, like: Any) -> None:
        (x,) = arguments
        if not isinstance(x, Operand) or x.dtype not in FLOATS:
            raise UnsupportedError
        flag, given = table.empty((1,), INTEGER), table.contiguous(x)
        table.call(basic.find_outside, given, flag, x.size, reals=(low, high), dtype=x.dtype)
        table.expect(flag)

    return lower


def _places_in_range(table: Table, arguments: Any, options: Any, like: Any) -> None:
    x, size = arguments[0], options["size"]
    if not isinstance(x, Operand) or x.dtype != INTEGER:
        raise UnsupportedError
    flag, given = table.empty((1,), INTEGER), table.contiguous(x)
    table.call(basic.find_integers_outside, given, flag, x.size, 0, size - 1, dtype=SINGLE)
    table.expect(flag)


def question(function: Any) -> Call | None:
    """Return the lowering of a question, if it has one."""
    if isinstance(function, partial) and function.func is check_places and not function.args:
        known = {"size": function.keywords["size"]}
        return lambda table, arguments, _, like: _places_in_range(table, arguments, known, like)
    return _QUESTIONS.get(function)


_QUESTIONS = {in_unit_range: _range(0.0, 1.0), not_negative: _range(0.0, math.inf)}
"""The lowering of each question that a step asks, and that has one."""


@_lowers(finite)
def _finite(table: Table, arguments: Any, options: Any, like: Any) -> Operand:
    (x,) = arguments
    if not isinstance(x, Operand) or x.size != 1 or x.dtype not in FLOATS:
        raise UnsupportedError
    value = whole_of(x)
    # What is not finite leaves NaN if it is taken from itself, which is not equal to itself.
    rest = table.element(steps.SUBTRACT, table.empty((), x.dtype), value, value)
    flag = table.empty((), INTEGER)
    table.element(steps.NOT_EQUAL, flag, rest, rest, dtype=x.dtype)
    table.expect(flag)
    return x


def whole_of(x: Operand) -> Operand:
    """Return the only value of an operand as a scalar."""
    return whole((), x.dtype, *x.place)
