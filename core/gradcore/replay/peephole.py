"""Rewrites the NumPy calls of a program into ones that take less time and give the same bits.

It works on calls as ``inline`` leaves them, for the function that ``generate`` writes: the program
itself keeps its plain calls. What is rewritten either can be given a buffer for its result
afterwards, or avoids a loop of NumPy's that is slow.
"""

import math
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gradcore.ops.sums import product
from gradcore.ops.tiles import (
    Plan,
    columns_of,
    plan_of,
    rows_of,
    tiles_of,
    whole_of,
)  # fmt: skip
from gradcore.replay.inline import expect
from gradcore.replay.program import Call, Program, Value, members

_MOST = 1 << 22
VIEWS = {
    np.ndarray.transpose, np.ndarray.swapaxes, np.ndarray.reshape, np.ndarray.ravel,
    np.ndarray.squeeze, np.ndarray.view, operator.getitem, np.broadcast_to, np.swapaxes,
    np.transpose, np.reshape, np.moveaxis, np.expand_dims, np.squeeze,
    rows_of, columns_of, whole_of,
}  # fmt: skip
_REDUCED = {
    np.ndarray.sum: np.add, np.sum: np.add,
    np.ndarray.max: np.maximum, np.amax: np.maximum, np.ndarray.min: np.minimum,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """How an array lies in memory; arrays of the same ``root`` share it."""

    shape: tuple[int, ...]
    dtype: Any
    strides: tuple[int, ...]
    root: int

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of the values."""
        return self.size * int(self.dtype.itemsize)

    @property
    def is_plain(self) -> bool:
        """Whether it lies row by row, without gaps."""
        return self.strides == plain_strides(self.shape, self.dtype.itemsize)

    @property
    def is_dense(self) -> bool:
        """Whether it lies without gaps, in any order of its axes."""
        if not self.size:
            return False
        order = sorted(range(len(self.shape)), key=lambda i: -self.strides[i])
        step = self.dtype.itemsize
        for i in reversed(order):
            if self.shape[i] != 1 and self.strides[i] != step:
                return False
            step *= self.shape[i]
        return True


def plain_strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return the strides of an array that lies row by row, as NumPy gives them."""
    steps, step = [], itemsize
    for size in reversed(shape):
        steps.append(step)
        step *= max(size, 1)
    return tuple(reversed(steps))


class Peephole:
    """The calls of a program rewritten one by one, and the layouts of all values."""

    def __init__(self, program: Program) -> None:
        self.calls: list[Call] = []
        self._count = program.count
        self._roots = max(program.roots.values(), default=0) + 1
        self.layouts = {
            value: Layout(shape, dtype, program.strides[value], program.roots[value])
            for value, (shape, dtype, _) in program.layouts.items()
        }
        self.names: dict[Value, Any] = {}
        self._done: dict[Any, Value | None] = {}
        self._written = self._written_roots(program.calls)
        for call in program.calls:
            call = self._renamed(call)
            if not self._is_repeated(call):
                self._rewrite(call)

    # --- what has been worked out before

    def _written_roots(self, calls: list[Call]) -> set[int]:
        return {self.layouts[call.writes].root for call in calls if call.writes in self.layouts}

    def _renamed(self, call: Call) -> Call:
        if not self.names:
            return call
        arguments = _replaced(call.arguments, self.names)
        options = _replaced(call.options, self.names)
        return Call(call.function, arguments, call.results, call.writes, options)

    def _is_repeated(self, call: Call) -> bool:
        """Take the result of an equal call before, if nobody writes to what either looks at."""
        result = call.results
        if call.writes is not None or not (result is None or isinstance(result, Value)):
            return False
        touched = members((call.arguments, *call.options.values(), result))
        if any(self.layouts[v].root in self._written for v in touched if v in self.layouts):
            return False
        if not is_pure(call.function):
            return False
        key = _key((call.function, call.arguments, tuple(call.options.items())))
        if key not in self._done:
            self._done[key] = result
            return False
        if result is not None:
            self.names[result] = self._done[key]
        return True

    def _new(self, shape: tuple[int, ...], dtype: Any, like: Value | None = None) -> Value:
        """Return a value of its own memory, or (``like``) one that looks at another's."""
        value = Value(self._count)
        self._count += 1
        dtype = np.dtype(dtype)
        if like is None:
            self._roots += 1
            root, strides = self._roots, plain_strides(shape, dtype.itemsize)
        else:
            root, strides = self.layouts[like].root, self.layouts[like].strides
        self.layouts[value] = Layout(shape, dtype, strides, root)
        return value

    def _add(
        self, function: Any, arguments: tuple[Any, ...], result: Value, **options: Any
    ) -> None:
        self.calls.append(Call(function, arguments, result, None, options))

    def _rewrite(self, call: Call) -> None:
        result = call.results
        known = isinstance(result, Value) and result in self.layouts and call.writes is None
        if call.function is product:
            self._product(call)
            return
        if known and call.function is np.where and self._chosen(call):
            return
        if known and call.function in (np.maximum, np.minimum) and self._limited(call):
            return
        if known and call.function in (np.ndarray.mean, np.mean) and self._mean(call):
            return
        if known and call.function in _REDUCED and self._reduced(call):
            return
        self.calls.append(call)

    # --- products

    def _product(self, call: Call) -> None:
        """Multiply as ``product`` does: in the same tiles, or as it is."""
        x, y = call.arguments
        first, second = self._matrix(x), self._matrix(y)
        known = first is not None and second is not None and call.results in self.layouts
        plan = plan_of(first, second) if known else None
        if plan is None:
            self._add(np.matmul, (x, y), call.results)
        elif plan.copied == 2:
            other = self._copy(self._view(np.ndarray.transpose, x))
            rows, columns = self._view(np.ndarray.transpose, y), self.layouts[other].shape[1]
            turned = self._new((self.layouts[rows].shape[0], columns), self.layouts[x].dtype)
            self._cut(rows, other, plan, turned)
            self._add(np.ndarray.copy, (self._view(np.ndarray.transpose, turned),), call.results)
        else:
            self._cut(x, self._copy(y) if plan.copied else y, plan, call.results)

    def _matrix(self, item: Any) -> Layout | None:
        layout = self.layouts.get(item) if isinstance(item, Value) else None
        return layout if layout is not None and len(layout.shape) == 2 else None

    def _cut(self, x: Value, y: Value, plan: Plan, result: Value) -> None:
        whole = result
        if plan.sums > 1:
            layout = self.layouts[result]
            whole = self._new((plan.sums, *layout.shape), layout.dtype)
        tiles = self._view(tiles_of, whole, plan, note=False)
        self._add(np.matmul, (self._view(rows_of, x, plan), self._view(columns_of, y, plan)), tiles)
        self._add(whole_of, (tiles,), whole)
        if plan.sums > 1:
            self._add(np.add.reduce, (whole,), result, axis=0, keepdims=False)

    def _copy(self, value: Value) -> Value:
        made = self._new(self.layouts[value].shape, self.layouts[value].dtype)
        self._add(np.ndarray.copy, (value,), made)
        return made

    def _view(self, function: Any, value: Value, *arguments: Any, note: bool = True) -> Value:
        """Return a value that is a view of another; ``note``: and the call that makes it."""
        layout = self.layouts[value]
        # Only shape and strides are looked at.
        dummy = as_strided(np.empty(1, layout.dtype), layout.shape, layout.strides)
        view = function(dummy, *arguments)
        made = self._new(view.shape, layout.dtype)
        self.layouts[made] = Layout(view.shape, layout.dtype, view.strides, layout.root)
        if note:
            self._add(function, (value, *arguments), made)
        return made

    # --- np.where

    def _chosen(self, call: Call) -> bool:
        """Choose by masks of bits: NumPy's own loop branches at each value."""
        if len(call.arguments) != 3 or call.options:
            return False
        mask, chosen, other = call.arguments
        out = self.layouts[call.results]
        if out.dtype.kind not in "fi" or out.dtype.itemsize not in (4, 8) or not out.is_plain:
            return False
        if not self._is_like(mask, out.shape, np.dtype(bool)):
            return False
        if not self._is_like(chosen, out.shape, out.dtype):
            return False
        zero = type(other) in (int, float) and other == 0 and math.copysign(1, other) > 0
        if not zero and not self._is_like(other, out.shape, out.dtype):
            return False
        bits, shape = f"i{out.dtype.itemsize}", out.shape
        signs, keep = self._new(shape, np.int8, mask), self._new(shape, np.int8)
        self._add(np.ndarray.view, (mask, "i1"), signs)
        self._add(np.negative, (signs,), keep)
        first = self._as_bits(chosen, bits)
        made = self._new(shape, bits)
        if zero:
            self._add(np.bitwise_and, (keep, first), made)
        else:
            second = self._as_bits(other, bits)
            apart, part = self._new(shape, bits), self._new(shape, bits)
            self._add(np.bitwise_xor, (first, second), apart)
            self._add(np.bitwise_and, (keep, apart), part)
            self._add(np.bitwise_xor, (part, second), made)
        # The result stands in the memory of its bits from now on.
        self._move(out.root, self.layouts[made].root)
        self._add(np.ndarray.view, (made, out.dtype.str), call.results)
        return True

    def _is_like(self, item: Any, shape: tuple[int, ...], dtype: Any) -> bool:
        layout = self.layouts.get(item) if isinstance(item, Value) else None
        return (
            layout is not None
            and layout.shape == shape
            and layout.dtype == dtype
            and layout.is_plain
        )

    def _as_bits(self, value: Value, bits: str) -> Value:
        view = self._new(self.layouts[value].shape, bits, value)
        self._add(np.ndarray.view, (value, bits), view)
        return view

    def _move(self, root: int, to: int) -> None:
        for value, layout in list(self.layouts.items()):
            if layout.root == root:
                self.layouts[value] = Layout(layout.shape, layout.dtype, layout.strides, to)

    # --- limits

    def _limited(self, call: Call) -> bool:
        """Take the larger (or smaller) of two arrays: with a number, NumPy is slow."""
        if len(call.arguments) != 2 or call.options or not isinstance(call.arguments[0], Value):
            return False
        source, number = call.arguments
        layout, out = self.layouts.get(source), self.layouts[call.results]
        if isinstance(number, np.ndarray) and number.ndim == 0:
            number = number.item()
        if type(number) not in (int, float) or layout is None or out.dtype != layout.dtype:
            return False
        width = _width(out.size)
        if not width or out.dtype.kind != "f" or not (layout.is_plain and out.is_plain):
            return False
        row = np.full(width, number, out.dtype)
        rows = self._new((out.size // width, width), out.dtype, source)
        made = self._new((out.size // width, width), out.dtype)
        self._add(np.ndarray.reshape, (source, (-1, width)), rows)
        self._add(call.function, (rows, row), made)
        self._move(out.root, self.layouts[made].root)
        self._add(np.ndarray.reshape, (made, out.shape), call.results)
        return True

    # --- sums and means

    def _reduced(self, call: Call) -> bool:
        """Call a reduction itself, not the Python function that leads to it."""
        bound = _bound(call)
        source = self.layouts.get(call.arguments[0])
        if bound is None or source is None or not source.shape:
            return False
        if source.dtype.kind not in "fi" or source.dtype != self.layouts[call.results].dtype:
            return False
        axis, keepdims = bound
        function = _REDUCED[call.function].reduce
        self._add(function, (call.arguments[0],), call.results, axis=axis, keepdims=keepdims)
        return True

    def _mean(self, call: Call) -> bool:
        """Divide a sum, as NumPy's mean does, without the way there through Python."""
        bound = _bound(call)
        source, out = self.layouts.get(call.arguments[0]), self.layouts[call.results]
        if bound is None or source is None or not out.shape or out.dtype != source.dtype:
            return False
        count = source.size // max(1, out.size)
        if source.dtype.char not in "fd" or not out.is_plain or not 0 < count <= _MOST:
            return False
        axis, keepdims = bound
        total = self._new(out.shape, out.dtype)
        self._add(np.add.reduce, (call.arguments[0],), total, axis=axis, keepdims=keepdims)
        self._add(np.true_divide, (total, np.array(count, out.dtype)), call.results)
        return True


def _width(size: int) -> int:
    """Return a length of rows that divides an array and stays in the nearest cache; 0: none."""
    for width in range(4096, 255, -1):
        if size % width == 0:
            return width
    return 0


def is_pure(function: Any) -> bool:
    """Tell whether a call gives the same result for the same arguments, and does nothing else."""
    if isinstance(function, np.ufunc) or function in (expect, product):
        return True
    if function in VIEWS or function in _REDUCED:
        return True
    owner = getattr(function, "__self__", None)
    return isinstance(owner, np.ufunc) and function.__name__ == "reduce"


def _key(item: Any) -> Any:
    """Return what equal calls have in common."""
    if isinstance(item, Value):
        return (Value, item.index)
    if isinstance(item, (tuple, list)):
        return (type(item), *map(_key, item))
    if isinstance(item, slice):
        return (slice, _key(item.start), _key(item.stop), _key(item.step))
    if item is None or type(item) in (bool, int, str):
        return (type(item), item)
    # Compared by identity: the call keeps it alive.
    return (object, id(item))


def _replaced(item: Any, names: dict[Value, Any]) -> Any:
    if isinstance(item, Value):
        return names.get(item, item)
    if type(item) in (tuple, list):
        return type(item)([_replaced(part, names) for part in item])
    if type(item) is dict:
        return {key: _replaced(part, names) for key, part in item.items()}
    if type(item) is slice:
        parts = (item.start, item.stop, item.step)
        return slice(*[_replaced(part, names) for part in parts])
    return item


def _bound(call: Call) -> tuple[Any, bool] | None:
    """Return axis and keepdims of a call of a reduction; None if it asks for more."""
    given = call.arguments[1:]
    if len(given) > 1 or set(call.options) - {"axis", "keepdims"}:
        return None
    if not isinstance(call.arguments[0], Value):
        return None
    axis = given[0] if given else call.options.get("axis")
    return axis, bool(call.options.get("keepdims", False))
