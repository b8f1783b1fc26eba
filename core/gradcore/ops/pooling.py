"""Pooling in any number of dimensions.

A maximum is taken by moving one kernel place at a time over the whole input, which keeps the
inner loops long. What a maximum chose is kept as the number of the kernel place, so that its
gradient is ``max_unpool`` and the gradient of that ``max_choose``.
"""

import math
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import ShapeError
from gradcore.ops.mosaic import are_tiles, spread_over_tiles, sums_of_tiles
from gradcore.ops.registry import T, operation

Ints = tuple[int, ...]


def pooled_size(
    size: Any, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> Any:
    """Return the length of an axis after pooling; of an unknown one often nothing is known."""
    if not isinstance(size, int):
        return size if stride == 1 and 2 * padding == dilation * (kernel - 1) else "?"
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    out = -(-room // stride) if ceil_mode else room // stride
    # With ceil_mode the last window must still begin inside the input or its left padding.
    if ceil_mode and out * stride >= size + padding:
        out -= 1
    return out + 1


def _places(kernel: Ints, positions: Ints, stride: Ints, dilation: Ints) -> Any:
    """Yield, for each kernel place, the slices of a padded input that it meets."""
    for place in np.ndindex(*kernel):
        yield (
            slice(None),
            slice(None),
            *(
                slice(k * d, k * d + s * (n - 1) + 1, s)
                for k, d, s, n in zip(place, dilation, stride, positions, strict=True)
            ),
        )


def _extents(kernel: Ints, positions: Ints, stride: Ints, dilation: Ints) -> Ints:
    return tuple(
        d * (k - 1) + s * (n - 1) + 1
        for k, d, s, n in zip(kernel, dilation, stride, positions, strict=True)
    )


def _grown(x: Array, padding: Ints, extents: Ints, value: float) -> Array:
    """Pad ``x`` on the left and, as far as the windows reach, on the right."""
    shape = x.shape[2:]
    wanted = tuple(max(e, p + n) for e, p, n in zip(extents, padding, shape, strict=True))
    if wanted == shape and not any(padding):
        return x
    out = np.full(x.shape[:2] + wanted, value, x.dtype)
    inside: Any = (..., *(slice(p, p + n) for p, n in zip(padding, shape, strict=True)))
    out[inside] = x
    return out


def _lowest(dtype: Any) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _sizes(
    input: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
) -> Ints:
    for k, p in zip(kernel, padding, strict=True):
        if p * 2 > k:
            raise ShapeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, "
                f"kernel_size={k}",
                "In a pooling layer.",
                f"Set padding={k // 2} or less.",
                shapes=(input.shape,),
            )
    sizes = tuple(
        pooled_size(n, k, s, p, d, ceil_mode)
        for n, k, s, p, d in zip(input.shape[2:], kernel, stride, padding, dilation, strict=True)
    )
    if any(size < 1 for size in sizes):
        given = "x".join(map(str, input.shape[1:]))
        made = "x".join(map(str, (input.shape[1], *sizes)))
        raise ShapeError(
            f"Given input size: ({given}). Calculated output size: ({made}). "
            "Output size is too small",
            f"In a pooling layer with kernel_size={kernel}.",
            "Use a smaller kernel, or pool less often before.",
            shapes=(input.shape,),
        )
    return sizes


def _max_pool_gradient(
    g: Any,
    needs: Any,
    chosen: Any,
    input_shape: Any,
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
) -> Any:
    return (max_unpool(g[0], chosen, input_shape[2:], kernel, stride, padding, dilation),)


@operation(
    "max_pool",
    outputs=("y", "chosen"),
    gradient=None,
    joint=_max_pool_gradient,
    functions=False,
    samples=[
        (T(2, 3, 5), (2,), (2,), (0,), (1,), False),
        (T(2, 2, 5, 5), (3, 2), (2, 1), (1, 1), (1, 2), False),
        (T(1, 2, 5, 5), (2, 2), (2, 2), (0, 0), (1, 1), True),
    ],
    parity=None,
    grad_name="MaxPool2DWithIndices",
)
def max_pool(
    input: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
) -> Any:
    """Return the largest value of each window, and which kernel place it stood at."""
    positions = _sizes(input, kernel, stride, padding, dilation, ceil_mode)
    lowest = _lowest(input.dtype)
    if kernel == stride == (2, 2) and padding == (0, 0) and dilation == (1, 1) and not ceil_mode:
        x = input
        best, chosen = _largest_of_four(x, positions)
    else:
        x = _grown(input, padding, _extents(kernel, positions, stride, dilation), lowest)
        best, chosen = _largest_of_any(x, kernel, positions, stride, dilation)
    top = np.maximum.reduce(best, axis=None, initial=lowest)
    if top != top:
        # As torch: in a window with nan, the last nan is the largest.
        for number, slices in enumerate(_places(kernel, positions, stride, dilation)):
            np.copyto(chosen, number, where=np.isnan(x[slices]))
    return best, chosen


def _largest_of_any(
    x: Array, kernel: Ints, positions: Ints, stride: Ints, dilation: Ints
) -> tuple[Array, Array]:
    """Pool windows of any kind; the first of equal values is chosen."""
    chosen = np.zeros(x.shape[:2] + positions, np.uint8 if _few(kernel) else np.int32)
    best: Any = None
    for number, slices in enumerate(_places(kernel, positions, stride, dilation)):
        values = x[slices]
        if best is None:
            best = values.copy()
            continue
        larger = values > best
        np.maximum(best, values, out=best)
        np.copyto(chosen, number, where=larger)
    return best, chosen


def _largest_of_four(x: Array, positions: Ints) -> tuple[Array, Array]:
    """Pool windows of 2 x 2: first the columns, then the rows, so that of equal values the first
    of a window is chosen.

    Every comparison is made on values without gaps: NumPy is several times faster on those.
    """
    height, width = positions
    near = x[..., : 2 * height, : 2 * width]
    left, right = near[..., 0::2].copy(), near[..., 1::2].copy()
    from_right = _is_chosen(right, left)
    shape = (*x.shape[:2], height, 2, width)
    wide = np.maximum(left, right, out=left).reshape(shape)
    from_right = from_right.reshape(shape)
    top, bottom = wide[..., 0, :].copy(), wide[..., 1, :].copy()
    chosen, below = from_right[..., 0, :].copy(), from_right[..., 1, :].copy()
    from_bottom = _is_chosen(bottom, top)
    # By bits, chosen = where(from_bottom, below, chosen): np.where would branch at each value.
    below ^= chosen
    below &= from_bottom
    chosen ^= below
    # Shifting by one, which NumPy does value by value.
    from_bottom += from_bottom
    chosen |= from_bottom
    return np.maximum(top, bottom, out=top), chosen


def _is_chosen(later: Array, first: Array) -> Any:
    """Return 1 where the later of two values is the larger one, or a nan, as torch; else 0."""
    found = np.less_equal(later, first)
    return np.logical_not(found, out=found).view(np.uint8)


def _few(kernel: Ints) -> bool:
    return math.prod(kernel) <= 256


def _max_unpool_g(
    gg: Any, chosen: Any, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> Any:
    return max_choose(gg, chosen, kernel, stride, padding, dilation)


@operation(
    "max_unpool",
    inputs=2,
    gradient={"g": _max_unpool_g},
    functions=False,
    samples=[
        (
            T(1, 2, 2),
            T(1, 2, 2, kind="int", values=[[[0, 1], [1, 1]]]),
            (5,),
            (2,),
            (2,),
            (0,),
            (1,),
        )
    ],
    parity=None,
)
def max_unpool(
    g: Array, chosen: Array, size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Any:
    """Put each value where the maximum of its window came from, and add up."""
    positions = g.shape[2:]
    extents = tuple(
        max(e, p + n)
        for e, p, n in zip(
            _extents(kernel, positions, stride, dilation), padding, size, strict=True
        )
    )
    # Windows that do not overlap meet each place once: set it, there is nothing to add to.
    disjoint = stride == kernel and all(d == 1 for d in dilation)
    whole = disjoint and extents == tuple(n * k for n, k in zip(positions, kernel, strict=True))
    out = (np.empty if whole else np.zeros)(g.shape[:2] + extents, g.dtype)
    for number, slices in enumerate(_places(kernel, positions, stride, dilation)):
        if disjoint:
            _keep_where(chosen == number, g, out[slices])
        else:
            out[slices] += _keep_where(chosen == number, g, np.empty_like(g))
    return _trimmed(out, padding, size)


def _keep_where(mask: Array, g: Array, out: Array) -> Array:
    """Write ``g`` where the mask is true, else 0, also where ``g`` is infinite or nan."""
    if g.dtype.kind not in "fi" or g.dtype.itemsize > 8:
        out[...] = np.where(mask, g, 0)
        return out
    # All bits or none: np.where takes ten times as long.
    bits, signs = np.dtype(f"i{g.itemsize}"), mask.view(np.int8)
    np.negative(signs, out=signs)
    np.bitwise_and(g.view(bits), signs, out=out.view(bits))
    return out


def _trimmed(x: Array, padding: Ints, size: Ints) -> Array:
    if x.shape[2:] == size:
        return x
    inside: Any = (..., *(slice(p, p + n) for p, n in zip(padding, size, strict=True)))
    return np.ascontiguousarray(x[inside])


def _max_choose_input(
    g: Any, chosen: Any, input_shape: Any, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> Any:
    return max_unpool(g, chosen, input_shape[2:], kernel, stride, padding, dilation)


@operation(
    "max_choose",
    inputs=2,
    gradient={"input": _max_choose_input},
    functions=False,
    samples=[
        (T(1, 2, 5), T(1, 2, 2, kind="int", values=[[[0, 1], [1, 1]]]), (2,), (2,), (0,), (1,))
    ],
    parity=None,
)
def max_choose(
    input: Array, chosen: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Any:
    """Return the value at the chosen place of each window."""
    positions = chosen.shape[2:]
    x = _grown(input, padding, _extents(kernel, positions, stride, dilation), 0.0)
    out = np.zeros(chosen.shape, input.dtype)
    for number, slices in enumerate(_places(kernel, positions, stride, dilation)):
        np.copyto(out, x[slices], where=chosen == number)
    return out


def flat_indices(
    chosen: Array, size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Array:
    """Turn numbers of kernel places into PyTorch's indices into the flattened input."""
    place = np.unravel_index(chosen.astype(np.int64), kernel)
    flat = np.zeros(chosen.shape, np.int64)
    for axis, n in enumerate(size):
        shape = [1] * chosen.ndim
        shape[2 + axis] = -1
        start = np.arange(chosen.shape[2 + axis]).reshape(shape) * stride[axis] - padding[axis]
        flat = flat * n + start + place[axis] * dilation[axis]
    return flat


def _avg_pool_input(
    g: Any,
    input_shape: Any,
    kernel: Any,
    stride: Any,
    padding: Any,
    ceil_mode: Any,
    include: Any,
    divisor: Any,
) -> Any:
    return avg_unpool(g, input_shape[2:], kernel, stride, padding, ceil_mode, include, divisor)


@operation(
    "avg_pool",
    gradient={"input": _avg_pool_input},
    functions=False,
    samples=[
        (T(2, 3, 6), (2,), (2,), (0,), False, True, None),
        (T(2, 2, 5, 5), (3, 2), (2, 1), (1, 1), False, False, None),
        (T(1, 2, 5, 5), (2, 2), (2, 2), (1, 1), True, True, None),
    ],
    parity=None,
    grad_name="AvgPool2D",
)
def avg_pool(
    input: Array,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    include: bool,
    divisor: int | None,
) -> Any:
    """Return the mean of each window; ``include``: padding counts as values."""
    ones = (1,) * len(kernel)
    positions = _sizes(input, kernel, stride, padding, ones, ceil_mode)
    if are_tiles(input, input.shape[2:], kernel, stride, padding):
        total = sums_of_tiles(input, kernel, positions)
        total *= input.dtype.type(1.0 / (divisor or math.prod(kernel)))
        return total
    x = _grown(input, padding, _extents(kernel, positions, stride, ones), 0.0)
    out = np.zeros(input.shape[:2] + positions, input.dtype)
    for slices in _places(kernel, positions, stride, ones):
        out += x[slices]
    out *= _shares(input.shape[2:], positions, kernel, stride, padding, include, divisor, x.dtype)
    return out


@operation(
    "avg_unpool",
    gradient={
        "g": lambda gg, kernel, stride, padding, ceil_mode, include, divisor: avg_pool(
            gg, kernel, stride, padding, ceil_mode, include, divisor
        )
    },
    functions=False,
    samples=[(T(2, 3, 3), (6,), (2,), (2,), (0,), False, True, None)],
    parity=None,
)
def avg_unpool(
    g: Array,
    size: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    include: bool,
    divisor: int | None,
) -> Any:
    """Spread each value evenly over its window."""
    ones = (1,) * len(kernel)
    positions = g.shape[2:]
    extents = tuple(
        max(e, p + n)
        for e, p, n in zip(_extents(kernel, positions, stride, ones), padding, size, strict=True)
    )
    if are_tiles(g, size, kernel, stride, padding):
        share = g * g.dtype.type(1.0 / (divisor or math.prod(kernel)))
        return spread_over_tiles(share, kernel)
    shares = g * _shares(size, positions, kernel, stride, padding, include, divisor, g.dtype)
    out = np.zeros(g.shape[:2] + extents, g.dtype)
    for slices in _places(kernel, positions, stride, ones):
        out[slices] += shares
    return _trimmed(out, padding, size)


def _shares(
    size: Ints,
    positions: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    include: bool,
    divisor: int | None,
    dtype: Any,
) -> Any:
    """Return one over the number of values each window counts."""
    if divisor is not None:
        return dtype.type(1.0 / divisor)
    counts: Any = 1
    for axis, (n, out, k, s, p) in enumerate(
        zip(size, positions, kernel, stride, padding, strict=True)
    ):
        start = np.arange(out) * s - p
        # A window counts at most up to the right padding, which ceil_mode may reach beyond.
        end = np.minimum(start + k, n + p)
        if not include:
            start, end = np.maximum(start, 0), np.minimum(end, n)
        shape = [1] * len(size)
        shape[axis] = -1
        counts = counts * (end - start).reshape(shape)
    return (1.0 / counts).astype(dtype)


def adaptive_regions(size: int, out: int) -> list[tuple[int, int]]:
    """Return the start and end of each of ``out`` regions that cover an axis."""
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def averaging_matrix(size: int, out: int, dtype: Any) -> Array:
    """Return the (out, size) matrix that takes the mean of each adaptive region."""
    matrix = np.zeros((out, size), dtype)
    for row, (start, end) in enumerate(adaptive_regions(size, out)):
        matrix[row, start:end] = 1.0 / (end - start)
    return matrix


def _gather_flat_input(g: Any, indices: Any, input_shape: Any) -> Any:
    return scatter_flat(g, indices, input_shape[2:])


@operation(
    "gather_flat",
    inputs=2,
    gradient={"input": _gather_flat_input},
    functions=False,
    samples=[(T(1, 2, 2, 2), T(1, 2, 3, kind="int", values=[[[0, 3, 3], [1, 2, 0]]]))],
    parity=None,
    grad_name="AdaptiveMaxPool2D",
)
def gather_flat(input: Array, indices: Array) -> Any:
    """Take values by their index into the flattened axes after the second."""
    lead = input.shape[:2]
    flat = input.reshape(*lead, -1)
    taken = np.take_along_axis(flat, indices.reshape(*lead, -1), axis=2)
    return taken.reshape(indices.shape)


@operation(
    "scatter_flat",
    inputs=2,
    gradient={"g": lambda gg, indices: gather_flat(gg, indices)},
    functions=False,
    samples=[(T(1, 2, 3), T(1, 2, 3, kind="int", values=[[[0, 3, 3], [1, 2, 0]]]), (2, 2))],
    parity=None,
)
def scatter_flat(g: Array, indices: Array, size: Ints) -> Any:
    """Add values up at their index into the flattened axes after the second."""
    lead = g.shape[:2]
    area = math.prod(size)
    rows = np.arange(math.prod(lead))[:, None] * area
    flat = (indices.reshape(rows.shape[0], -1) + rows).ravel()
    out = np.zeros(rows.shape[0] * area, g.dtype)
    np.add.at(out, flat, g.ravel())
    return out.reshape(*lead, *size)


def adaptive_indices(input: Array, sizes: Ints) -> Array:
    """Return where the largest value of each adaptive region stands, in the flattened axes."""
    shape = input.shape[2:]
    flat = np.arange(math.prod(shape)).reshape(shape)
    lead = input.shape[:2]
    out = np.empty((*lead, *sizes), np.int64)
    regions = [adaptive_regions(n, size) for n, size in zip(shape, sizes, strict=True)]
    for place in np.ndindex(*sizes):
        inside: Any = tuple(slice(*regions[axis][i]) for axis, i in enumerate(place))
        within: Any = (..., *inside)
        best = input[within].reshape(*lead, -1).argmax(-1)
        target: Any = (..., *place)
        out[target] = flat[inside].ravel()[best]
    return out
