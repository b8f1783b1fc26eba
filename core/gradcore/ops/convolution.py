"""Convolution in any number of dimensions, and the two operations its gradients are.

The three are each other's gradients, so every order of derivative stays within them:
``convolution`` (input, weight -> output), ``convolution_input`` (output, weight -> input; this is
also the transposed convolution) and ``convolution_weight`` (output, input -> weight).

Windows are copied out a few samples at a time, so that they stay in the cache for the matrix
product that follows.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gradcore.dtypes import Array
from gradcore.errors import DtypeError, ShapeError
from gradcore.ops.registry import T, operation
from gradcore.ops.sums import product, sum_of_columns
from gradcore.ops.tiles import band_width

Ints = tuple[int, ...]
_CHUNK = 1 << 17
"""How many window values are copied at a time: 512 KiB in float32."""
_MUCH_MORE = 3


def output_size(size: Any, kernel: int, stride: int, padding: int, dilation: int) -> Any:
    """Return the length of an axis after a window has passed over it.

    An unknown one (a name) keeps its name where the window leaves the length as it is.
    """
    if not isinstance(size, int):
        return size if stride == 1 and 2 * padding == dilation * (kernel - 1) else "?"
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def padded(x: Array, padding: Ints, value: float = 0.0) -> Array:
    """Return ``x`` with its last axes padded on both sides."""
    if not any(padding):
        return x
    lead = x.ndim - len(padding)
    shape = x.shape[:lead] + tuple(
        size + 2 * extra for size, extra in zip(x.shape[lead:], padding, strict=True)
    )
    out = np.empty(shape, x.dtype)
    inside: Any = tuple(
        slice(extra, extra + size) for size, extra in zip(x.shape[lead:], padding, strict=True)
    )
    out.fill(value)
    place: Any = (..., *inside)
    out[place] = x
    return out


def windows(x: Array, kernel: Ints, stride: Ints, dilation: Ints) -> Array:
    """Return a view of all windows over the last axes: (..., *kernel, *positions)."""
    n = len(kernel)
    sizes = tuple(
        output_size(size, k, s, 0, d)
        for size, k, s, d in zip(x.shape[-n:], kernel, stride, dilation, strict=True)
    )
    steps = x.strides[-n:]
    return as_strided(
        x,
        x.shape[:-n] + kernel + sizes,
        x.strides[:-n]
        + tuple(step * d for step, d in zip(steps, dilation, strict=True))
        + tuple(step * s for step, s in zip(steps, stride, strict=True)),
        writeable=False,
    )


class _Plan:
    """The sizes of one convolution, and its windows as matrices.

    With ``outputs``, the number of channels that come out, it may be *wide*: such a one has a
    column for each place of the padded input where a window could begin, also past the right edge.
    Then the values that one place of the kernel sees lie in one row, and are copied several times
    as fast. ``area`` counts the columns, ``inner`` finds those that count.
    """

    def __init__(
        self,
        x: Array,
        kernel: Ints,
        stride: Ints,
        padding: Ints,
        dilation: Ints,
        groups: int,
        outputs: int = 0,
    ) -> None:
        self.count, self.channels = x.shape[:2]
        self.groups = groups
        grown = padded(x, padding)
        self.view = windows(grown, kernel, stride, dilation)
        self.positions: Ints = self.view.shape[2 + len(kernel) :]
        self.area = math.prod(self.positions)
        self.depth = self.channels // groups * math.prod(kernel)
        self.dtype = x.dtype
        # A 1x1 kernel with step 1 sees the input as it is.
        self.plain = (
            math.prod(kernel) == 1 and self.positions == x.shape[2:] and x.flags.c_contiguous
        )
        self.rows = (self.positions[0], *grown.shape[3:])
        wide = math.prod(self.rows)
        self.wide = (
            outputs > 0
            and not self.plain
            and all(step == 1 for step in stride)
            and grown.flags.c_contiguous
            and _pays_to_widen(self, wide, outputs // groups)
        )
        self.inner: Any = (..., *(slice(n) for n in self.positions))
        if self.wide:
            self._widen(grown, kernel)

    def _widen(self, grown: Array, kernel: Ints) -> None:
        """Let the windows' view have all places from the first to the last as one axis."""
        n = len(kernel)
        steps = grown.strides[2:]
        last = sum((size - 1) * step for size, step in zip(self.positions, steps, strict=True))
        length = last // grown.itemsize + 1
        shape, strides = self.view.shape[: 2 + n], self.view.strides[: 2 + n]
        self.view = as_strided(grown, (*shape, length), (*strides, grown.itemsize), writeable=False)
        self.area = math.prod(self.rows)

    def rows_of_windows(self) -> Array:
        """Return each sample's only window as a row."""
        return self.view.reshape(self.count, self.depth)

    def matrices(self) -> Iterator[tuple[slice, Array]]:
        """Yield (samples, their windows as (n, groups, depth, area)), a few samples at a time."""
        per_sample = max(1, self.channels // self.groups * self.groups * self.area)
        per_sample = max(per_sample, self.groups * self.depth * self.area)
        step = max(1, min(self.count, _CHUNK // per_sample))
        if self.plain:
            step = max(1, self.count)
        buffer = None
        for start in range(0, self.count, step):
            part = slice(start, min(start + step, self.count))
            n = part.stop - part.start
            shape = (n, self.groups, self.depth, self.area)
            if self.plain:
                yield part, self.view[part].reshape(shape)
                continue
            if buffer is None or n != len(buffer):
                buffer = np.empty(shape, self.dtype)
                if self.wide:
                    target = buffer.reshape(n, *self.view.shape[1:-1], self.area)
                    target = target[..., : self.view.shape[-1]]
                else:
                    target = buffer.reshape(n, *self.view.shape[1:])
            np.copyto(target, self.view[part])
            yield part, buffer


def _pays_to_widen(plan: _Plan, wide: int, outputs: int) -> bool:
    """Tell whether it takes much less to copy and multiply columns that nobody needs.

    Each row that is copied takes some 5 ns, each value 0.1 ns, and a multiplication and addition
    0.02 ns (measured on Zen 5; elsewhere all of them are slower alike).
    """
    a_value = 5 / plan.positions[-1] + 0.1
    short = plan.depth * plan.area * a_value
    waste = 0.02 * (wide - plan.area) * plan.depth * outputs
    long = 0.1 * plan.depth * wide + outputs * plan.area * a_value + waste
    return bool(long < 0.6 * short)


def _checked(input: Array, weight: Array, bias: Array | None) -> tuple[Any, ...]:
    for other in (weight, bias):
        if other is not None and other.dtype != input.dtype:
            raise DtypeError(
                f"Input type ({input.dtype}) and weight or bias type ({other.dtype}) should be "
                "the same",
                "In `convolution`.",
                "Convert the input or the module, for instance with .float().",
                dtypes=(input.dtype, other.dtype),
            )
    return input, weight, bias


def _convolution_input(
    g: Any, weight: Any, input_shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Any:
    return convolution_input(g, weight, input_shape[2:], stride, padding, dilation, groups)


def _convolution_weight(
    g: Any, input: Any, weight_shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Any:
    return convolution_weight(g, input, weight_shape[2:], stride, padding, dilation, groups)


def _convolution_bias(g: Any) -> Any:
    if isinstance(g, np.ndarray) and g.dtype.kind == "f" and g.size:
        # Row by row first, as products with ones: faster than a reduction over several axes.
        count, channels = g.shape[:2]
        return sum_of_columns(g.reshape(count * channels, -1)).reshape(count, channels).sum(0)
    return g.sum((0, *range(2, len(g.shape))))


@operation(
    "convolution",
    inputs=3,
    gradient={
        "input": _convolution_input,
        "weight": _convolution_weight,
        "bias": _convolution_bias,
    },
    functions=False,
    adapt=_checked,
    samples=[
        (T(2, 3, 5), T(4, 3, 3), T(4), (1,), (0,), (1,), 1),
        (T(2, 2, 5, 4), T(3, 2, 3, 2), T(3), (2, 1), (1, 0), (1, 2), 1),
        (T(1, 4, 5, 5), T(6, 2, 3, 3), None, (2, 2), (1, 1), (1, 1), 2),
        (T(2, 2, 3, 3), T(4, 2, 1, 1), T(4), (1, 1), (0, 0), (1, 1), 1),
        (T(1, 2, 3, 4, 3), T(2, 2, 2, 2, 2), T(2), (1, 2, 1), (0, 1, 0), (1, 1, 1), 1),
    ],
    parity=None,
    grad_name="Convolution",
)
def convolution(
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Any:
    """Slide kernels over the input; ``weight`` is (out, in / groups, *kernel)."""
    _check_shapes(input, weight, bias, padding, dilation, groups)
    out_channels = weight.shape[0]
    plan = _Plan(input, weight.shape[2:], stride, padding, dilation, groups, out_channels)
    matrix = np.ascontiguousarray(weight).reshape(groups, out_channels // groups, plan.depth)
    row = None if bias is None else bias.reshape((-1,) + (1,) * len(plan.positions))
    if plan.area == 1 and groups == 1:
        out = product(plan.rows_of_windows(), matrix[0].T).reshape(plan.count, -1, *plan.positions)
        return out if row is None else out + row
    if plan.wide:
        return _wide_convolution(plan, matrix, row)
    out = np.empty((plan.count, out_channels, *plan.positions), input.dtype)
    cells = out.reshape(plan.count, groups, out_channels // groups, plan.area)
    for part, columns in plan.matrices():
        _multiply(matrix, columns, cells[part])
    if row is not None:
        out += row
    return out


def _multiply(matrix: Array, columns: Array, out: Array) -> None:
    """Multiply (groups, m, depth) with (n, groups, depth, area), in tiles if these are faster."""
    groups, m, depth = matrix.shape
    n, area = len(columns), columns.shape[-1]
    width = band_width(m, depth, area)
    if width == area:
        np.matmul(matrix, columns, out)
        return
    cut = columns.reshape(n, groups, depth, area // width, width).swapaxes(2, 3)
    into = out.reshape(n, groups, m, area // width, width).swapaxes(2, 3)
    np.matmul(matrix[:, None], cut, into)


def _wide_convolution(plan: _Plan, matrix: Array, row: Array | None) -> Array:
    """Multiply the columns of a wide plan, and take over those that count."""
    groups, inside = matrix.shape[:2]
    out = np.empty((plan.count, groups * inside, *plan.positions), matrix.dtype)
    room: Any = None
    for part, columns in plan.matrices():
        if room is None or len(columns) != len(room):
            room = np.empty((len(columns), groups, inside, plan.area), matrix.dtype)
            found = room.reshape(len(columns), groups * inside, *plan.rows)[plan.inner]
        _multiply(matrix, columns, room)
        if row is None:
            np.copyto(out[part], found)
        else:
            np.add(found, row, out=out[part])
    return out


def turned_border(
    size: Ints, given: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Ints | None:
    """Return the padding with which spreading is a convolution with the kernel turned round.

    None where it is not, or would be slower. ``size`` is what comes out, ``given`` what goes in.
    All ways of running ask here, since NaN and infinity spread otherwise in the other form.
    """
    border = tuple(d * (k - 1) - p for k, d, p in zip(kernel, dilation, padding, strict=True))
    # Where little comes in and much comes out, most of a convolution would be of zeros.
    is_even = math.prod(size) < _MUCH_MORE * math.prod(given)
    return border if is_even and set(stride) <= {1} and min(border, default=0) >= 0 else None


def _convolution_input_weight(
    gg: Any, g: Any, weight_shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Any:
    return convolution_weight(g, gg, weight_shape[2:], stride, padding, dilation, groups)


@operation(
    "convolution_input",
    inputs=2,
    gradient={
        "g": lambda g, weight, stride, padding, dilation, groups: convolution(
            g, weight, None, stride, padding, dilation, groups
        ),
        "weight": _convolution_input_weight,
    },
    functions=False,
    samples=[
        (T(2, 4, 3), T(4, 3, 3), (5,), (1,), (0,), (1,), 1),
        (T(1, 6, 3, 3), T(6, 2, 3, 3), (5, 5), (2, 2), (1, 1), (1, 1), 2),
        (T(1, 6, 3, 3), T(6, 2, 3, 3), (6, 6), (2, 2), (1, 1), (1, 1), 2),
    ],
    parity=None,
    grad_name="Convolution",
)
def convolution_input(
    g: Array,
    weight: Array,
    size: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Any:
    """Spread each output value over the window it came from; ``size`` is that of the input."""
    kernel = weight.shape[2:]
    border = turned_border(size, g.shape[2:], kernel, stride, padding, dilation)
    if border is not None:
        return convolution.operation.kernel(
            g, _turned(weight, groups), None, stride, border, dilation, groups
        )
    count, out_channels = g.shape[:2]
    into = weight.shape[1]
    area = math.prod(g.shape[2:])
    matrix = weight.reshape(groups, out_channels // groups, into * math.prod(kernel))
    matrix = np.ascontiguousarray(matrix.swapaxes(1, 2))
    values = np.ascontiguousarray(g).reshape(count, groups, out_channels // groups, area)
    extents = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
    out = np.zeros((count, groups * into, *extents), g.dtype)
    step = max(1, _CHUNK // max(1, groups * into * math.prod(kernel) * area))
    for start in range(0, count, step):
        part = slice(start, start + step)
        columns = np.matmul(matrix, values[part])
        _spread(out[part], columns, kernel, g.shape[2:], stride, dilation)
    inside: Any = (..., *(slice(p, p + n) for p, n in zip(padding, size, strict=True)))
    return np.ascontiguousarray(out[inside])


def _turned(weight: Array, groups: int) -> Array:
    """Swap the channels that go in with those that come out, and reverse the kernel.

    With step 1, spreading with a kernel is a convolution with the kernel so turned.
    """
    out_channels, into, *kernel = weight.shape
    apart = weight.reshape(groups, out_channels // groups, into, *kernel).swapaxes(1, 2)
    axes = tuple(range(3, apart.ndim))
    return np.flip(apart, axes).reshape(groups * into, out_channels // groups, *kernel)


def _spread(
    out: Array, columns: Array, kernel: Ints, positions: Ints, stride: Ints, dilation: Ints
) -> None:
    """Add the columns to the places their windows cover."""
    count, channels = out.shape[:2]
    columns = columns.reshape(count, channels, *kernel, *positions)
    for place in np.ndindex(*kernel):
        target = tuple(
            slice(k * d, k * d + s * (n - 1) + 1, s)
            for k, d, s, n in zip(place, dilation, stride, positions, strict=True)
        )
        out[(slice(None), slice(None), *target)] += columns[(slice(None), slice(None), *place)]


def _convolution_weight_input(
    gg: Any, g: Any, input_shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Any:
    return convolution_input(g, gg, input_shape[2:], stride, padding, dilation, groups)


@operation(
    "convolution_weight",
    inputs=2,
    gradient={
        "g": lambda gg, input, stride, padding, dilation, groups: convolution(
            input, gg, None, stride, padding, dilation, groups
        ),
        "input": _convolution_weight_input,
    },
    functions=False,
    samples=[
        (T(2, 4, 3), T(2, 3, 5), (3,), (1,), (0,), (1,), 1),
        (T(1, 6, 3, 3), T(1, 4, 5, 5), (3, 3), (2, 2), (1, 1), (1, 1), 2),
    ],
    parity=None,
    grad_name="Convolution",
)
def convolution_weight(
    g: Array,
    input: Array,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Any:
    """Correlate the output with the windows it came from."""
    plan = _Plan(input, kernel, stride, padding, dilation, groups)
    out_channels = g.shape[1]
    inside = out_channels // groups
    if plan.area == 1 and groups == 1:
        total = product(g.reshape(plan.count, -1).T, plan.rows_of_windows())
        return total.reshape(out_channels, -1, *kernel)
    values = g.reshape(plan.count, groups, inside, plan.area)
    out = np.zeros((groups, plan.depth, inside), g.dtype)
    for part, columns in plan.matrices():
        turned = values[part].swapaxes(2, 3)
        if inside < plan.depth:
            # Both as BLAS likes them best: worth turning the smaller one.
            turned = np.ascontiguousarray(turned)
        out += np.matmul(columns, turned).sum(axis=0)
    out = np.ascontiguousarray(out.swapaxes(1, 2))
    return out.reshape(out_channels, input.shape[1] // groups, *kernel)


def _check_shapes(
    input: Array,
    weight: Array,
    bias: Array | None,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> None:
    out_channels, inside = weight.shape[:2]
    if input.shape[1] != inside * groups:
        raise ShapeError(
            f"Given groups={groups}, weight of size {list(weight.shape)}, expected "
            f"input{list(input.shape)} to have {inside * groups} channels, but got "
            f"{input.shape[1]} channels instead",
            "In `convolution`.",
            f"Set in_channels={input.shape[1]}, or change what feeds it.",
            shapes=(input.shape, weight.shape),
        )
    if out_channels % groups:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{', '.join(map(str, weight.shape))}] instead",
            shapes=(input.shape, weight.shape),
        )
    if bias is not None and bias.shape != (out_channels,):
        raise ShapeError(
            f"Given weight of size {list(weight.shape)}, expected bias to be 1-dimensional with "
            f"{out_channels} elements, but got bias of size {list(bias.shape)} instead",
            shapes=(weight.shape, bias.shape),
        )
    reach = [d * (k - 1) + 1 for k, d in zip(weight.shape[2:], dilation, strict=True)]
    room = [n + 2 * p for n, p in zip(input.shape[2:], padding, strict=True)]
    if any(r > n for r, n in zip(reach, room, strict=True)):
        raise ShapeError(
            f"Calculated padded input size per channel: ({_times(room)}). "
            f"Kernel size: ({_times(reach)}). "
            "Kernel size can't be greater than actual input size",
            f"In `convolution` of shapes {input.shape} and {weight.shape}.",
            "Use a smaller kernel, or more padding.",
            shapes=(input.shape, weight.shape),
        )


def _times(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))
