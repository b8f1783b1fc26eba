"""Convolution in one and two dimensions: windows as a matrix, a few rows of a sample at a time.

One sample's windows stay in the second cache for the matrix product that follows, whose result
already lies as it should.
"""

import math
from typing import Any

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.blas import gemm
from gradcore.native.kernels.values import at, fill, real, transpose
from gradcore.native.kernels.windows import (
    CHANNELS,
    GROUPS,
    HEIGHT,
    KERNEL,
    OUT,
    RESULTS,
    ROWS,
    SAMPLES,
    SLACK,
    WIDTH,
    add_windows,
    blank,
    pad,
    take_windows,
    unpad,
)
from gradcore.native.memory import pointer
from gradcore.ops.convolution import turned_border
from gradcore.ops.every import OPERATIONS

Ints = tuple[int, ...]
_FORWARD = OPERATIONS["convolution"]
_SPREAD, _WEIGHT = OPERATIONS["convolution_input"], OPERATIONS["convolution_weight"]
_ROOM = 1 << 18
"""Bytes of windows at a time: a part of the second cache."""


@kernel(blas=True)
def convolve(a: Any, f: Any) -> None:
    """Multiply weights with windows: input, weight, bias or 0, result, image, columns."""
    x, weight, y = pointer(a[0], f), pointer(a[1], f), pointer(a[3], f)
    image, columns = pointer(a[4], f), pointer(a[5], f)
    channels, results, wide = a[CHANNELS], a[RESULTS], a[OUT + 1]
    area, depth = a[OUT] * wide, channels * a[KERNEL] * a[KERNEL + 1]
    one, zero = real(1.0, f), real(0.0, f)
    beta = one if a[2] else zero
    blank(image, a, f)
    for block in range(a[SAMPLES] * a[GROUPS]):
        group = block % a[GROUPS]
        matrix, into = at(weight, group * results * depth), at(y, block * results * area)
        if a[2]:
            bias = at(pointer(a[2], f), group * results)
            for o in range(results):
                fill(at(into, o * area), area, bias[o])
        pad(at(x, block * channels * a[HEIGHT] * a[WIDTH]), image, a)
        for first in range(0, a[OUT], a[ROWS]):
            rows = min(a[ROWS], a[OUT] - first)
            take_windows(image, columns, first, rows, a)
            n = rows * wide
            part = at(into, first * wide)
            gemm(0, 0, results, n, depth, one, matrix, depth, columns, n, beta, part, area)


@kernel(blas=True)
def convolve_points(a: Any, f: Any) -> None:
    """Multiply weights with the input as it is: a kernel of one place and step 1."""
    x, weight, y = pointer(a[0], f), pointer(a[1], f), pointer(a[3], f)
    channels, results, area = a[CHANNELS], a[RESULTS], a[HEIGHT] * a[WIDTH]
    one, zero = real(1.0, f), real(0.0, f)
    beta = one if a[2] else zero
    for block in range(a[SAMPLES] * a[GROUPS]):
        group = block % a[GROUPS]
        matrix, into = at(weight, group * results * channels), at(y, block * results * area)
        if a[2]:
            bias = at(pointer(a[2], f), group * results)
            for o in range(results):
                fill(at(into, o * area), area, bias[o])
        source = at(x, block * channels * area)
        gemm(0, 0, results, area, channels, one, matrix, channels, source, area, beta, into, area)


@kernel(blas=True)
def spread_windows(a: Any, f: Any) -> None:
    """Give each place of the input what its windows got: gradient, weight, -, input's."""
    g, weight, into = pointer(a[0], f), pointer(a[1], f), pointer(a[3], f)
    image, columns = pointer(a[4], f), pointer(a[5], f)
    channels, results, wide = a[CHANNELS], a[RESULTS], a[OUT + 1]
    area, depth = a[OUT] * wide, channels * a[KERNEL] * a[KERNEL + 1]
    one, zero = real(1.0, f), real(0.0, f)
    for block in range(a[SAMPLES] * a[GROUPS]):
        matrix = at(weight, block % a[GROUPS] * results * depth)
        values = at(g, block * results * area)
        blank(image, a, f)
        for first in range(0, a[OUT], a[ROWS]):
            rows = min(a[ROWS], a[OUT] - first)
            n = rows * wide
            part = at(values, first * wide)
            gemm(1, 0, depth, n, results, one, matrix, depth, part, area, zero, columns, n)
            add_windows(columns, image, first, rows, a)
        unpad(image, at(into, block * channels * a[HEIGHT] * a[WIDTH]), a)


@kernel(blas=True)
def correlate(a: Any, f: Any) -> None:
    """Multiply what comes back with the windows it came from: gradient, input, room, weight's.

    BLAS is fastest on matrices as they are, so the smaller one is turned before and not by it,
    unless there are few windows.
    """
    g, x, turned, into = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f), pointer(a[3], f)
    image, columns = pointer(a[4], f), pointer(a[5], f)
    channels, results, wide = a[CHANNELS], a[RESULTS], a[OUT + 1]
    area, depth = a[OUT] * wide, channels * a[KERNEL] * a[KERNEL + 1]
    one, size = real(1.0, f), results * depth
    is_deep = depth > results
    sums = at(turned, a[ROWS] * wide * results) if is_deep else into
    fill(sums, a[GROUPS] * size, real(0.0, f))
    blank(image, a, f)
    for block in range(a[SAMPLES] * a[GROUPS]):
        total, values = at(sums, block % a[GROUPS] * size), at(g, block * results * area)
        pad(at(x, block * channels * a[HEIGHT] * a[WIDTH]), image, a)
        for first in range(0, a[OUT], a[ROWS]):
            rows = min(a[ROWS], a[OUT] - first)
            take_windows(image, columns, first, rows, a)
            n, part = rows * wide, at(values, first * wide)
            if is_deep:
                transpose(part, area, turned, results, results, n)
                gemm(0, 0, depth, results, n, one, columns, n, turned, results, one, total, results)
            else:
                gemm(0, 1, results, depth, n, one, part, area, columns, n, one, total, depth)
    if is_deep:
        for group in range(a[GROUPS]):
            total = at(sums, group * size)
            transpose(total, results, at(into, group * size), depth, depth, results)


@kernel()
def turn_weight(a: Any, f: Any) -> None:
    """Swap the channels that go in with those that come out, and reverse the kernel."""
    weight, turned = pointer(a[0], f), pointer(a[1], f)
    groups, results, channels, places = a[2], a[3], a[4], a[5]
    for g in range(groups):
        for o in range(results):
            for c in range(channels):
                source = at(weight, ((g * results + o) * channels + c) * places)
                target = at(turned, ((g * channels + c) * results + o) * places)
                for k in range(places):
                    target[places - 1 - k] = source[k]


class _Sizes:
    """The sizes of a convolution in one or two dimensions, as two-dimensional."""

    def __init__(
        self, x: Ints, weight: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
    ) -> None:
        flat = len(x) == 3
        self.samples, channels = x[0], x[1]
        self.groups = groups
        self.channels, self.results = channels // groups, weight[0] // groups
        self.size, self.kernel = _two(x[2:], 1, flat), _two(weight[2:], 1, flat)
        self.stride, self.padding = _two(stride, 1, flat), _two(padding, 0, flat)
        self.dilation = _two(dilation, 1, flat)
        self.out = tuple(
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(
                self.size, self.padding, self.dilation, self.kernel, self.stride, strict=True
            )
        )
        self.positions = self.out[1:] if flat else self.out

    def scratch(self, out: Builder, dtype: Any) -> tuple[Operand, Operand, int]:
        """Return room for an image and for its windows, and how many rows of them fit."""
        tall, wide = (n + 2 * p for n, p in zip(self.size, self.padding, strict=True))
        wide += self.stride[1] - 1
        row = self.channels * math.prod(self.kernel) * self.out[1]
        rows = min(self.out[0], max(1, _ROOM // (dtype.itemsize * max(row, 1))))
        # As many in each part, so that none is too small to be fast.
        rows = -(-self.out[0] // -(-self.out[0] // rows)) if self.out[0] else 1
        image = out.empty((self.channels * tall * wide + SLACK,), dtype)
        return image, out.empty((rows * row + SLACK,), dtype), rows

    def words(self, rows: int) -> tuple[int, ...]:
        """Return the words that follow the operands."""
        return (
            self.samples, self.groups, self.channels, *self.size, self.results, *self.kernel,
            *self.stride, *self.padding, *self.dilation, *self.out, rows,
        )  # fmt: skip

    @property
    def is_plain(self) -> bool:
        """Whether each window is one value and none is left out."""
        return self.kernel == self.stride == (1, 1) and self.padding == (0, 0)


def _two(items: Ints, before: int, flat: bool) -> tuple[int, ...]:
    return (before, *items) if flat else tuple(items)


def _are_known(x: Operand, other: Operand) -> bool:
    return len(x.shape) in (3, 4) and x.dtype == other.dtype and x.dtype.kind == "f"


@lowers(_FORWARD.kernel)
def _convolution(
    out: Builder,
    input: Operand,
    weight: Operand,
    bias: Operand | None,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Any:
    if not _are_known(input, weight):
        return None
    sizes = _Sizes(input.shape, weight.shape, stride, padding, dilation, groups)
    y = out.empty((input.shape[0], weight.shape[0], *sizes.positions), input.dtype)
    offset = 0 if bias is None else out.contiguous(bias)
    operands = out.contiguous(input), out.contiguous(weight), offset, y
    if sizes.is_plain:
        out.call(convolve_points, *operands, 0, 0, *sizes.words(0), dtype=input.dtype)
        return y
    image, columns, rows = sizes.scratch(out, input.dtype)
    out.call(convolve, *operands, image, columns, *sizes.words(rows), dtype=input.dtype)
    return y


def _input_gradient(
    out: Builder,
    g: Operand,
    weight: Operand,
    shape: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Any:
    if not _are_known(g, weight):
        return None
    channels = weight.shape[1] * groups
    into = out.empty((g.shape[0], channels, *shape), g.dtype)
    border = turned_border(shape, g.shape[2:], weight.shape[2:], stride, padding, dilation)
    if border is not None:
        turned = out.empty((channels, weight.shape[0] // groups, *weight.shape[2:]), g.dtype)
        places = math.prod(weight.shape[2:])
        words = (groups, weight.shape[0] // groups, weight.shape[1], places)
        out.call(turn_weight, out.contiguous(weight), turned, *words, dtype=g.dtype)
        sizes = _Sizes(g.shape, turned.shape, stride, border, dilation, groups)
        operands = out.contiguous(g), turned, 0, into
        if sizes.is_plain:
            out.call(convolve_points, *operands, 0, 0, *sizes.words(0), dtype=g.dtype)
            return into
        image, columns, rows = sizes.scratch(out, g.dtype)
        out.call(convolve, *operands, image, columns, *sizes.words(rows), dtype=g.dtype)
        return into
    sizes = _Sizes(into.shape, weight.shape, stride, padding, dilation, groups)
    image, columns, rows = sizes.scratch(out, g.dtype)
    operands = out.contiguous(g), out.contiguous(weight), 0, into
    out.call(spread_windows, *operands, image, columns, *sizes.words(rows), dtype=g.dtype)
    return into


@lowers(_FORWARD.gradients["input"])
def _convolution_input(
    out: Builder,
    g: Operand,
    weight: Operand,
    input_shape: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Any:
    return _input_gradient(out, g, weight, input_shape[2:], stride, padding, dilation, groups)


lowers(_SPREAD.kernel)(_input_gradient)


@lowers(_SPREAD.gradients["g"])
def _spread_g(
    out: Builder,
    g: Operand,
    weight: Operand,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Any:
    return _convolution(out, g, weight, None, stride, padding, dilation, groups)


def _weight_gradient(
    out: Builder,
    g: Operand,
    input: Operand,
    places: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Any:
    if not _are_known(g, input):
        return None
    into = out.empty((g.shape[1], input.shape[1] // groups, *places), g.dtype)
    sizes = _Sizes(input.shape, into.shape, stride, padding, dilation, groups)
    if sizes.positions != tuple(g.shape[2:]):
        return None
    image, columns, rows = sizes.scratch(out, g.dtype)
    turned = out.empty((rows * sizes.out[1] * sizes.results + into.size,), g.dtype)
    operands = out.contiguous(g), out.contiguous(input), turned, into
    out.call(correlate, *operands, image, columns, *sizes.words(rows), dtype=g.dtype)
    return into


@lowers(_FORWARD.gradients["weight"])
def _convolution_weight(
    out: Builder,
    g: Operand,
    input: Operand,
    weight_shape: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Any:
    return _weight_gradient(out, g, input, weight_shape[2:], stride, padding, dilation, groups)


lowers(_WEIGHT.kernel)(_weight_gradient)


@lowers(_SPREAD.gradients["weight"])
def _spread_weight(
    out: Builder,
    gg: Operand,
    g: Operand,
    weight_shape: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Any:
    return _weight_gradient(out, g, gg, weight_shape[2:], stride, padding, dilation, groups)


@kernel()
def channel_sums(a: Any, f: Any) -> None:
    """Write the sum of each channel over samples and places."""
    g, into = pointer(a[0], f), pointer(a[1], f)
    samples, channels, area = a[2], a[3], a[4]
    fill(into, channels, real(0.0, f))
    for block in range(samples * channels):
        values = at(g, block * area)
        total = real(0.0, f)
        for i in range(area):
            total += values[i]
        into[block % channels] += total


@lowers(_FORWARD.gradients["bias"])
def _convolution_bias(out: Builder, g: Operand) -> Any:
    if g.dtype.kind != "f":
        return None
    into = out.empty((g.shape[1],), g.dtype)
    words = (g.shape[0], g.shape[1], math.prod(g.shape[2:]))
    out.call(channel_sums, out.contiguous(g), into, *words, dtype=g.dtype)
    return into
