"""Largest and mean of windows in one and two dimensions, and the gradients of both."""

import math
from typing import Any

import numpy as np

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.functions import is_nan
from gradcore.native.kernels.lanes import lanes
from gradcore.native.kernels.pairs import largest_of_pairs, spread_pairs
from gradcore.native.kernels.values import at, fill, part, real
from gradcore.native.memory import bytes_at, integers32_at, pointer
from gradcore.ops.every import OPERATIONS
from gradcore.ops.pooling import _shares, _sizes

Ints = tuple[int, ...]
_LARGEST, _LARGEST_BACK = OPERATIONS["max_pool"], OPERATIONS["max_unpool"]
_MEAN, _MEAN_BACK = OPERATIONS["avg_pool"], OPERATIONS["avg_unpool"]
# Words after three operands.
_PLANES, _HEIGHT, _WIDTH, _OUT, _KERNEL, _STRIDE, _PADDING, _DILATION, _IS_SMALL, _ROOM = (
    3, 4, 5, 6, 8, 10, 12, 14, 16, 17,
)  # fmt: skip


@part
def _first_inside(offset: int, step: int) -> int:
    """Return the first window that meets the input at a place, ``offset`` from its own start."""
    return 0 if offset >= 0 else (-offset + step - 1) // step


@part
def _last_inside(offset: int, step: int, size: int, count: int) -> int:
    """Return one more than the last window that meets the input at a place."""
    return 0 if offset >= size else min(count, (size - 1 - offset) // step + 1)


@part
def _larger(x: Any, step: int, best: Any, chosen: Any, number: int, n: int) -> None:
    """Take in what one kernel place meets in a row."""
    for i in range(n):
        value = x[i * step]
        takes = value > best[i] or is_nan(value)
        best[i] = value if takes else best[i]
        chosen[i] = number if takes else chosen[i]


@part
def _pool_rows(x: Any, y: Any, chosen: Any, a: Any, f: Any) -> None:
    """Write the largest of each window, and which kernel place it stood at."""
    height, width, wide, right = a[_HEIGHT], a[_WIDTH], a[_OUT + 1], a[_STRIDE + 1]
    for row in range(a[_PLANES] * a[_OUT]):
        plane, oy = row // a[_OUT], row % a[_OUT]
        best, numbers = at(y, row * wide), at(chosen, row * wide)
        fill(best, wide, real(-np.inf, f))
        for i in range(wide):
            numbers[i] = 0
        for ky in range(a[_KERNEL]):
            iy = oy * a[_STRIDE] - a[_PADDING] + ky * a[_DILATION]
            if iy < 0 or iy >= height:
                continue
            source = at(x, (plane * height + iy) * width)
            for kx in range(a[_KERNEL + 1]):
                offset = kx * a[_DILATION + 1] - a[_PADDING + 1]
                first = _first_inside(offset, right)
                n = _last_inside(offset, right, width, wide) - first
                number = ky * a[_KERNEL + 1] + kx
                start = at(source, offset + first * right)
                _larger(start, right, at(best, first), at(numbers, first), number, n)


@kernel()
def largest(a: Any, f: Any) -> None:
    """Pool: input, result, chosen places (bytes if few)."""
    if a[_IS_SMALL]:
        _pool_rows(pointer(a[0], f), pointer(a[1], f), bytes_at(a[2]), a, f)
    else:
        _pool_rows(pointer(a[0], f), pointer(a[1], f), integers32_at(a[2]), a, f)


@kernel()
def largest_of_four(a: Any, f: Any) -> None:
    """Pool windows of 2 x 2 that lie side by side: input, result, chosen, planes, sizes."""
    x, y, chosen = pointer(a[0], f), pointer(a[1], f), bytes_at(a[2])
    height, width, tall, wide = a[_HEIGHT], a[_WIDTH], a[_OUT], a[_OUT + 1]
    step = lanes(f)
    for row in range(a[_PLANES] * tall):
        top = at(x, (row // tall * height + row % tall * 2) * width)
        for i in range(0, wide, step):
            place = row * wide + i
            upper, lower = at(top, 2 * i), at(top, width + 2 * i)
            largest_of_pairs(upper, lower, at(y, place), at(chosen, place), min(step, wide - i))


@part
def _spread_rows(g: Any, chosen: Any, into: Any, a: Any, f: Any) -> None:
    """Add each value up where the largest of its window stood."""
    height, width, tall, wide = a[_HEIGHT], a[_WIDTH], a[_OUT], a[_OUT + 1]
    fill(into, a[_PLANES] * height * width, real(0.0, f))
    for row in range(a[_PLANES] * tall):
        plane = at(into, row // tall * height * width)
        above = row % tall * a[_STRIDE] - a[_PADDING]
        for i in range(wide):
            number = np.int64(chosen[row * wide + i])
            iy = above + number // a[_KERNEL + 1] * a[_DILATION]
            ix = i * a[_STRIDE + 1] - a[_PADDING + 1]
            ix += number % a[_KERNEL + 1] * a[_DILATION + 1]
            if iy >= 0 and iy < height and ix >= 0 and ix < width:
                plane[iy * width + ix] += g[row * wide + i]


@kernel()
def spread_largest(a: Any, f: Any) -> None:
    """Bring gradients back: gradient, chosen places, input's gradient."""
    if a[_IS_SMALL]:
        _spread_rows(pointer(a[0], f), bytes_at(a[1]), pointer(a[2], f), a, f)
    else:
        _spread_rows(pointer(a[0], f), integers32_at(a[1]), pointer(a[2], f), a, f)


@kernel()
def spread_largest_of_four(a: Any, f: Any) -> None:
    """Bring gradients of 2 x 2 windows back; a last odd row or column got nothing."""
    g, chosen, into = pointer(a[0], f), bytes_at(a[1]), pointer(a[2], f)
    height, width, tall, wide = a[_HEIGHT], a[_WIDTH], a[_OUT], a[_OUT + 1]
    if height != 2 * tall or width != 2 * wide:
        fill(into, a[_PLANES] * height * width, real(0.0, f))
    step = lanes(f)
    for row in range(a[_PLANES] * tall):
        top = at(into, (row // tall * height + row % tall * 2) * width)
        for i in range(0, wide, step):
            place = row * wide + i
            upper, lower = at(top, 2 * i), at(top, width + 2 * i)
            spread_pairs(at(g, place), at(chosen, place), upper, lower, min(step, wide - i))


@part
def _rows_inside(a: Any, row: int) -> Any:
    """Return the first row of the input that a window meets, and one more than the last."""
    top = row % a[_OUT] * a[_STRIDE] - a[_PADDING]
    return max(top, 0), min(top + a[_KERNEL], a[_HEIGHT])


@part
def _columns_inside(a: Any, column: int) -> Any:
    """Return the first column of the input that a window meets, and one more than the last."""
    left = column * a[_STRIDE + 1] - a[_PADDING + 1]
    return max(left, 0), min(left + a[_KERNEL + 1], a[_WIDTH])


@kernel()
def means(a: Any, f: Any) -> None:
    """Write the mean of each window: input, result, shares; room for a row comes last.

    A share is what one value of a window counts.
    """
    x, y, shares, room = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f), pointer(a[_ROOM], f)
    width, wide = a[_WIDTH], a[_OUT + 1]
    is_whole = a[_KERNEL + 1] == width and wide == 1 and a[_PADDING + 1] == 0
    is_pair = a[_KERNEL + 1] == 2 and a[_STRIDE + 1] == 2 and a[_PADDING + 1] == 0
    for row in range(a[_PLANES] * a[_OUT]):
        result, share = at(y, row * wide), at(shares, row % a[_OUT] * wide)
        first, last = _rows_inside(a, row)
        source = at(x, (row // a[_OUT] * a[_HEIGHT] + first) * width)
        if is_whole:
            # Such rows follow each other without gaps.
            total = real(0.0, f)
            for i in range((last - first) * width):
                total += source[i]
            result[0] = total * share[0]
            continue
        fill(room, width, real(0.0, f))
        for line in range(last - first):
            for i in range(width):
                room[i] += source[line * width + i]
        if is_pair and 2 * wide <= width:
            for i in range(wide):
                result[i] = (room[2 * i] + room[2 * i + 1]) * share[i]
            continue
        for i in range(wide):
            total = real(0.0, f)
            left, right = _columns_inside(a, i)
            for j in range(left, right):
                total += room[j]
            result[i] = total * share[i]


@kernel()
def spread_means(a: Any, f: Any) -> None:
    """Spread each value evenly over its window: gradient, input's, shares; room for a row."""
    g, into, shares = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f)
    room, width, wide = pointer(a[_ROOM], f), a[_WIDTH], a[_OUT + 1]
    is_whole = a[_KERNEL + 1] == width and wide == 1 and a[_PADDING + 1] == 0
    fill(into, a[_PLANES] * a[_HEIGHT] * width, real(0.0, f))
    for row in range(a[_PLANES] * a[_OUT]):
        value, share = at(g, row * wide), at(shares, row % a[_OUT] * wide)
        first, last = _rows_inside(a, row)
        target = at(into, (row // a[_OUT] * a[_HEIGHT] + first) * width)
        if is_whole:
            same = value[0] * share[0]
            for i in range((last - first) * width):
                target[i] += same
            continue
        fill(room, width, real(0.0, f))
        for i in range(wide):
            left, right = _columns_inside(a, i)
            same = value[i] * share[i]
            for j in range(left, right):
                room[j] += same
        for line in range(last - first):
            for i in range(width):
                target[line * width + i] += room[i]


def _words(
    shape: Ints, positions: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> tuple[int, ...]:
    """Return the words that follow the operands; one dimension is taken as a row of two."""
    flat = (1,) if len(shape) == 3 else ()
    none = (0,) if flat else ()
    return (
        math.prod(shape[:2]), *flat, *shape[2:], *flat, *positions, *flat, *kernel,
        *flat, *stride, *none, *padding, *flat, *dilation, int(math.prod(kernel) <= 256),
    )  # fmt: skip


def _is_four(kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> bool:
    return kernel == stride == (2, 2) and padding == (0, 0) and dilation == (1, 1)


def _is_known(x: Operand) -> bool:
    return len(x.shape) in (3, 4) and x.dtype.kind == "f"


@lowers(_LARGEST.kernel)
def _largest(
    out: Builder,
    input: Operand,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    ceil_mode: bool,
) -> Any:
    if not _is_known(input):
        return None
    positions = _sizes(input, kernel, stride, padding, dilation, ceil_mode)  # type: ignore[arg-type]  # its shape is enough
    y = out.empty((*input.shape[:2], *positions), input.dtype)
    chosen = out.empty(y.shape, np.uint8 if math.prod(kernel) <= 256 else np.int32)
    is_four = _is_four(kernel, stride, padding, dilation) and not ceil_mode
    words = _words(input.shape, positions, kernel, stride, padding, dilation)
    run = largest_of_four if is_four else largest
    out.call(run, out.contiguous(input), y, chosen, *words, dtype=input.dtype)
    return y, chosen


def _spread(
    out: Builder,
    g: Operand,
    chosen: Operand,
    size: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
) -> Any:
    expected = np.uint8 if math.prod(kernel) <= 256 else np.int32
    if not _is_known(g) or chosen.dtype != expected:
        return None
    into = out.empty((*g.shape[:2], *size), g.dtype)
    is_four = _is_four(kernel, stride, padding, dilation)
    is_four = is_four and all(2 * n <= m for n, m in zip(g.shape[2:], size, strict=True))
    words = _words(into.shape, tuple(g.shape[2:]), kernel, stride, padding, dilation)
    run = spread_largest_of_four if is_four else spread_largest
    out.call(run, out.contiguous(g), out.contiguous(chosen), into, *words, dtype=g.dtype)
    return into


lowers(_LARGEST_BACK.kernel)(_spread)


@lowers(_LARGEST.joint)
def _largest_gradient(
    out: Builder,
    g: Any,
    needs: Any,
    chosen: Operand,
    input_shape: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
) -> Any:
    if g[0] is None:
        return None
    into = _spread(out, g[0], chosen, input_shape[2:], kernel, stride, padding, dilation)
    return None if into is None else (into,)


def _shares_of(
    out: Builder, size: Ints, positions: Ints, dtype: Any, window: tuple[Any, ...]
) -> Operand:
    kernel, stride, padding, include, divisor = window
    shares = _shares(size, positions, kernel, stride, padding, include, divisor, dtype)
    return out.constant(np.broadcast_to(shares, positions))


@lowers(_MEAN.kernel)
def _mean(
    out: Builder,
    input: Operand,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    include: bool,
    divisor: int | None,
) -> Any:
    if not _is_known(input):
        return None
    ones = (1,) * len(kernel)
    positions = _sizes(input, kernel, stride, padding, ones, ceil_mode)  # type: ignore[arg-type]  # its shape is enough
    y = out.empty((*input.shape[:2], *positions), input.dtype)
    window = (kernel, stride, padding, include, divisor)
    shares = _shares_of(out, input.shape[2:], positions, input.dtype, window)
    words = _words(input.shape, positions, kernel, stride, padding, ones)
    room = out.empty((input.shape[-1],), input.dtype)
    out.call(means, out.contiguous(input), y, shares, *words, room, dtype=input.dtype)
    return y


def _spread_mean(
    out: Builder,
    g: Operand,
    size: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    include: bool,
    divisor: int | None,
) -> Any:
    if not _is_known(g):
        return None
    into, positions = out.empty((*g.shape[:2], *size), g.dtype), tuple(g.shape[2:])
    shares = _shares_of(out, size, positions, g.dtype, (kernel, stride, padding, include, divisor))
    words = _words(into.shape, positions, kernel, stride, padding, (1,) * len(kernel))
    room = out.empty((size[-1],), g.dtype)
    out.call(spread_means, out.contiguous(g), into, shares, *words, room, dtype=g.dtype)
    return into


lowers(_MEAN_BACK.kernel)(_spread_mean)


@lowers(_MEAN.gradients["input"])
def _mean_gradient(
    out: Builder,
    g: Operand,
    input_shape: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    include: bool,
    divisor: int | None,
) -> Any:
    size = tuple(input_shape[2:])
    return _spread_mean(out, g, size, kernel, stride, padding, ceil_mode, include, divisor)
