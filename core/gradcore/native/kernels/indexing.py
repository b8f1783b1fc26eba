"""Values picked by arrays of positions, added up at such positions, and positions of extremes.

A position out of range sets a flag, on which the step is left to run as it is, to raise its error.
"""

import math
from typing import Any

import numpy as np

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.values import at, fill, part, real
from gradcore.native.layout import broadcast
from gradcore.native.memory import integers_at, pointer
from gradcore.ops.every import OPERATIONS

_INTEGER = np.dtype(np.int64)
_HEAD = 6
"""Words before those of the first array of positions."""


@part
def _place_of(a: Any, i: int, flag: Any) -> int:
    """Return the place that the ``i``-th positions name together, -1 for one out of range."""
    place = 0
    for k in range(a[5]):
        position, length = integers_at(a[_HEAD + 2 * k])[i], a[_HEAD + 2 * k + 1]
        if position < 0:
            position += length
        if position < 0 or position >= length:
            flag[0] = 1
            return -1
        place = place * length + position
    return place


@part
def _whole(a: Any) -> int:
    """Return how many places there are."""
    whole = 1
    for k in range(a[5]):
        whole *= a[_HEAD + 2 * k + 1]
    return whole


@kernel(writes=(1, -1))
def take(a: Any, f: Any) -> None:
    """y[o, i, :] = x[o, place i, :].

    Words: x, y, outer, positions, inner, how many arrays of positions; for each of these itself
    and the length of its axis; then the flag.
    """
    outer, count, inner = a[2], a[3], a[4]
    flag, whole = integers_at(a[_HEAD + 2 * a[5]]), _whole(a)
    flag[0] = 0
    for i in range(count):
        place = _place_of(a, i, flag)
        if place >= 0:
            for o in range(outer):
                source = at(pointer(a[0], f), (o * whole + place) * inner)
                target = at(pointer(a[1], f), (o * count + i) * inner)
                for j in range(inner):
                    target[j] = source[j]


@kernel(writes=(1, -1))
def add_at(a: Any, f: Any) -> None:
    """y[o, place i, :] += x[o, i, :], on zeros; words as those of ``take``."""
    outer, count, inner = a[2], a[3], a[4]
    flag, whole = integers_at(a[_HEAD + 2 * a[5]]), _whole(a)
    flag[0] = 0
    fill(pointer(a[1], f), outer * whole * inner, real(0.0, f))
    for i in range(count):
        place = _place_of(a, i, flag)
        if place >= 0:
            for o in range(outer):
                source = at(pointer(a[0], f), (o * count + i) * inner)
                target = at(pointer(a[1], f), (o * whole + place) * inner)
                for j in range(inner):
                    target[j] += source[j]


_SET, _ADD = 0, 1


@kernel(writes=(2, 3))
def gather(a: Any, f: Any) -> None:
    """y[o, k, i] = x[o, index[o, k, i], i]. Words: x, index, y, flag, outer, length, many, inner.

    ``many`` is how many positions there are along the axis, ``length`` how long it is in x.
    """
    x, index, y, flag = pointer(a[0], f), integers_at(a[1]), pointer(a[2], f), integers_at(a[3])
    outer, length, many, inner = a[4], a[5], a[6], a[7]
    flag[0] = 0
    for o in range(outer):
        for k in range(many):
            row = (o * many + k) * inner
            for i in range(inner):
                place = index[row + i]
                if place < 0 or place >= length:
                    flag[0] = 1
                else:
                    y[row + i] = x[(o * length + place) * inner + i]


@kernel(writes=(2, 3))
def scatter(a: Any, f: Any) -> None:
    """y[o, index[o, k, i], i] = or += x[o, k, i]. Words as those of ``gather``, then which."""
    x, index, y, flag = pointer(a[0], f), integers_at(a[1]), pointer(a[2], f), integers_at(a[3])
    outer, length, many, inner = a[4], a[5], a[6], a[7]
    flag[0] = 0
    for o in range(outer):
        for k in range(many):
            row = (o * many + k) * inner
            for i in range(inner):
                place = index[row + i]
                if place < 0 or place >= length:
                    flag[0] = 1
                elif a[8] == _ADD:
                    y[(o * length + place) * inner + i] += x[row + i]
                else:
                    y[(o * length + place) * inner + i] = x[row + i]


@kernel(writes=(1, 2))
def positions(a: Any, f: Any) -> None:
    """Write where the first extreme along the middle axis is, and it; NaN counts as one.

    Words: x, positions, extremes, outer, middle, inner, whether it is the largest.
    """
    x, where, y = pointer(a[0], f), integers_at(a[1]), pointer(a[2], f)
    outer, middle, inner, is_largest = a[3], a[4], a[5], a[6]
    for o in range(outer):
        for i in range(inner):
            source = at(x, o * middle * inner + i)
            best, found = source[0], 0
            for k in range(1, middle):
                value = source[k * inner]
                if best == best and (
                    value != value or (value > best if is_largest else value < best)
                ):
                    best, found = value, k
            where[o * inner + i] = found
            y[o * inner + i] = best


@kernel(writes=(1,))
def running_sum(a: Any, f: Any) -> None:
    """Sum along the middle axis, all sums on the way; the last word: from the end."""
    x, y = pointer(a[0], f), pointer(a[1], f)
    outer, middle, inner, is_turned = a[2], a[3], a[4], a[5]
    for o in range(outer):
        for k in range(middle):
            row = (o * middle + (middle - 1 - k if is_turned else k)) * inner
            source, target = at(x, row), at(y, row)
            before = at(y, row + inner if is_turned else row - inner)
            if k == 0:
                for i in range(inner):
                    target[i] = source[i]
            else:
                for i in range(inner):
                    target[i] = before[i] + source[i]


# --- lowerings


def split(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """Return how many values are before, along and after an axis."""
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def _arrays_of(out: Builder, shape: tuple[int, ...], index: Any) -> Any:
    """Return the first indexed axis, the arrays of positions, and their shape; None: not plain.

    Plain is: nothing but full slices, and arrays of positions that stand side by side.
    """
    parts = list(index) if isinstance(index, (tuple, list)) else [index]
    while parts and (parts[-1] is Ellipsis or _is_full(parts[-1])):
        parts.pop()
    first = 0
    while first < len(parts) and _is_full(parts[first]):
        first += 1
    arrays = [one for part in parts[first:] if (one := _positions(out, part)) is not None]
    if not arrays or first + len(arrays) != len(parts) or len(parts) > len(shape):
        return None
    common = np.broadcast_shapes(*[one.shape for one in arrays])
    same = [out.contiguous(one if one.shape == common else broadcast(one, common))
            for one in arrays]  # fmt: skip
    return first, same, common


def _is_full(item: Any) -> bool:
    return isinstance(item, slice) and item == slice(None)


def _positions(out: Builder, item: Any) -> Operand | None:
    if isinstance(item, np.ndarray) and item.dtype.kind in "iu":
        return out.constant(item.astype(_INTEGER))
    return item if isinstance(item, Operand) and item.dtype == _INTEGER else None


def _words(
    out: Builder, shape: tuple[int, ...], found: Any, kind: Any
) -> tuple[tuple[int, ...], list[Any], Operand]:
    """Return the shape of what is picked, and the words after the two arrays."""
    first, arrays, common = found
    end = first + len(arrays)
    flag = out.empty((1,), _INTEGER)
    words: list[Any] = [
        math.prod(shape[:first]), math.prod(common), math.prod(shape[end:]), len(arrays)
    ]  # fmt: skip
    for one, length in zip(arrays, shape[first:end], strict=True):
        words += [one, length]
    return (*shape[:first], *common, *shape[end:]), [*words, flag], flag


def picked(out: Builder, x: Operand, index: Any) -> Operand | None:
    """Let ``x[index]`` run, for arrays of positions; None: not plain enough."""
    if x.dtype.kind not in "fi" or x.dtype.itemsize not in (4, 8):
        return None
    found = _arrays_of(out, x.shape, index)
    if found is None:
        return None
    shape, words, flag = _words(out, x.shape, found, x.dtype)
    y = out.empty(shape, x.dtype)
    # What is only moved may be anything of that size.
    out.call(take, out.contiguous(x), y, *words, dtype=f"f{x.dtype.itemsize}")
    out.expect(flag)
    return y


@lowers(OPERATIONS["index"].kernel, OPERATIONS["place_added"].gradients["input"])
def _index(out: Builder, input: Operand, index: Any) -> Any:
    return picked(out, input, index)


@lowers(OPERATIONS["index"].gradients["input"], OPERATIONS["place_added"].kernel)
def _place_added(out: Builder, g: Operand, shape: Any, index: Any) -> Any:
    found = _arrays_of(out, tuple(shape), index) if g.dtype.kind == "f" else None
    if found is None:
        return None
    given, words, flag = _words(out, tuple(shape), found, g.dtype)
    if given != g.shape:
        return None
    y = out.empty(tuple(shape), g.dtype)
    out.call(add_at, out.contiguous(g), y, *words, dtype=g.dtype)
    out.expect(flag)
    return y


@lowers(OPERATIONS["index_add_put"].kernel)
def _index_added(out: Builder, input: Operand, values: Operand, index: Any) -> Any:
    if not isinstance(values, Operand) or values.dtype != input.dtype:
        return None
    sums = _place_added(out, values, input.shape, index)
    if sums is None:
        return None
    y = out.empty(input.shape, input.dtype)
    out.call(add_values, out.contiguous(input), sums, y, input.size, dtype=input.dtype)
    return y


@kernel(writes=(2,))
def add_values(a: Any, f: Any) -> None:
    """z = x + y. Words: x, y, z, how many."""
    x, y, z = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f)
    for i in range(a[3]):
        z[i] = x[i] + y[i]


def _along(shape: tuple[int, ...], index: Any, dim: int) -> tuple[int, ...] | None:
    """Return outer, length, many, inner; None where the index is cut in another dimension."""
    if not isinstance(index, Operand) or index.dtype != _INTEGER:
        return None
    if len(index.shape) != len(shape) or not shape:
        return None
    axis = dim % len(shape)
    if any(a != b for i, (a, b) in enumerate(zip(shape, index.shape, strict=True)) if i != axis):
        return None
    outer, length, inner = split(shape, axis)
    return outer, length, index.shape[axis], inner


def _cut(x: Operand, shape: tuple[int, ...], dim: int | None) -> Operand | None:
    """Return the part of ``x`` that a smaller index looks at; None: it is no smaller one."""
    if len(x.shape) != len(shape) or any(
        own > full
        for i, (own, full) in enumerate(zip(shape, x.shape, strict=True))
        if dim is None or i != dim % len(shape)
    ):
        return None
    lengths = [
        full if dim is not None and i == dim % len(shape) else own
        for i, (own, full) in enumerate(zip(shape, x.shape, strict=True))
    ]
    return Operand(tuple(lengths), x.dtype, x.strides, x.place)


@lowers(OPERATIONS["gather"].kernel)
def _gather(out: Builder, input: Operand, dim: int, index: Any) -> Any:
    if not isinstance(index, Operand) or input.dtype.kind != "f" or not input.shape:
        return None
    part = _cut(input, index.shape, dim)
    words = None if part is None else _along(part.shape, index, dim)
    if part is None or words is None:
        return None
    input = part
    y, flag = out.empty(index.shape, input.dtype), out.empty((1,), _INTEGER)
    arrays = (out.contiguous(input), out.contiguous(index), y, flag)
    out.call(gather, *arrays, *words, dtype=input.dtype)
    out.expect(flag)
    return y


@lowers(OPERATIONS["put_along"].gradients["input"])
def _gather_back(out: Builder, g: Operand, indices: Any, dim: int) -> Any:
    return _gather(out, g, dim, indices)


@lowers(OPERATIONS["put_along"].kernel)
def put_along(out: Builder, input: Operand, indices: Any, shape: Any, dim: int) -> Any:
    """Let values be added to zeros along an axis, at the positions that an array names."""
    y = out.zeros(tuple(shape), input.dtype)
    return _scattered_into(out, y, input, indices, dim, _ADD)


@lowers(OPERATIONS["gather"].gradients["input"])
def _put_back(out: Builder, g: Operand, shape: Any, dim: int, index: Any) -> Any:
    return put_along(out, g, index, shape, dim)


def _scattered_into(
    out: Builder, y: Operand, values: Operand, index: Any, dim: int, what: int
) -> Operand | None:
    """Let values go to where an index says, which may be smaller than both."""
    if not isinstance(index, Operand) or not y.shape or values.dtype.kind != "f":
        return None
    given, part = _cut(values, index.shape, None), _cut(y, index.shape, dim)
    words = None if part is None else _along(part.shape, index, dim)
    if given is None or part is None or words is None:
        return None
    if part.shape == y.shape:
        return _scattered(out, given, index, y, words, what)
    apart = out.empty(part.shape, y.dtype)
    out.copy(apart, part)
    out.copy(part, _scattered(out, given, index, apart, words, what))
    return y


def _scattered(
    out: Builder, values: Operand, index: Operand, y: Operand, words: Any, what: int
) -> Operand:
    flag = out.empty((1,), _INTEGER)
    arrays = (out.contiguous(values), out.contiguous(index), y, flag)
    out.call(scatter, *arrays, *words, what, dtype=y.dtype)
    out.expect(flag)
    return y


@kernel(writes=(1,))
def copy_values(a: Any, f: Any) -> None:
    """y = x. Words: x, y, how many."""
    x, y = pointer(a[0], f), pointer(a[1], f)
    for i in range(a[2]):
        y[i] = x[i]


def _scatter_on_copy(what: int) -> Any:
    def lowering(out: Builder, input: Operand, dim: int, index: Any, src: Any) -> Any:
        if not isinstance(src, Operand) or src.dtype != input.dtype or input.dtype.kind != "f":
            return None
        y = out.empty(input.shape, input.dtype)
        out.call(copy_values, out.contiguous(input), y, input.size, dtype=input.dtype)
        return _scattered_into(out, y, src, index, dim, what)

    return lowering


lowers(OPERATIONS["scatter_add"].kernel)(_scatter_on_copy(_ADD))
lowers(OPERATIONS["scatter"].kernel)(_scatter_on_copy(_SET))


# --- extremes and their positions


def _found(
    out: Builder, input: Operand, dim: Any, keepdim: bool, is_largest: bool
) -> tuple[Operand, Operand] | None:
    if not input.size or not input.shape or input.dtype.kind != "f":
        return None
    axis = None if dim is None else dim % len(input.shape)
    sizes = (1, input.size, 1) if axis is None else split(input.shape, axis)
    shape = tuple(
        1 if axis in (None, i) else n
        for i, n in enumerate(input.shape)
        if keepdim or axis not in (None, i)
    )
    where, y = out.empty(shape, _INTEGER), out.empty(shape, input.dtype)
    out.call(positions, out.contiguous(input), where, y, *sizes, is_largest, dtype=input.dtype)
    return where, y


def _enter(name: str, is_largest: bool) -> None:
    def position(out: Builder, input: Operand, dim: Any = None, keepdim: bool = False) -> Any:
        found = _found(out, input, dim, keepdim, is_largest)
        return None if found is None else found[0]

    def along(out: Builder, input: Operand, dim: int, keepdim: bool = False) -> Any:
        found = _found(out, input, dim, keepdim, is_largest)
        return None if found is None else (found[1], found[0])

    lowers(OPERATIONS["arg" + name].kernel)(position)
    lowers(OPERATIONS[name + "_dim"].kernel)(along)


_enter("max", True)
_enter("min", False)


@lowers(OPERATIONS["max_dim"].gradients["input"])
def _along_back(
    out: Builder, g: Any, indices: Operand, input_shape: Any, dim: int, keepdim: bool
) -> Any:
    values, shape = g[0], list(input_shape)
    if not isinstance(values, Operand) or not shape:
        return None
    shape[dim % len(shape)] = 1
    return put_along(
        out, out.view(out.contiguous(values), tuple(shape)),
        out.view(out.contiguous(indices), tuple(shape)), input_shape, dim,
    )  # fmt: skip


def _cumulated(is_turned: bool) -> Any:
    def lowering(out: Builder, input: Operand, dim: int) -> Any:
        if not input.shape or input.dtype.kind != "f":
            return None
        y = out.empty(input.shape, input.dtype)
        words = (*split(input.shape, dim % len(input.shape)), is_turned)
        out.call(running_sum, out.contiguous(input), y, *words, dtype=input.dtype)
        return y

    return lowering


lowers(OPERATIONS["cumsum"].kernel)(_cumulated(False))
lowers(OPERATIONS["cumsum"].gradients["input"])(_cumulated(True))
