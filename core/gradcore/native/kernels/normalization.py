"""Normalisation over the last axes (layer, group, instance norm) and over channels (batch norm)."""

import math
from typing import Any

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.values import at, fill, get, part, put, real
from gradcore.native.memory import pointer
from gradcore.ops.every import OPERATIONS

Ints = tuple[int, ...]
_NORMALIZE = OPERATIONS["normalize"]


@kernel()
def normalize_rows(a: Any, f: Any) -> None:
    """Normalise rows: input, weight or 0, bias or 0; y, normalised, inverse, mean, variance."""
    weight, bias, rows, width = pointer(a[1], f), pointer(a[2], f), a[8], a[9]
    one, share = real(1.0, f), real(1.0 / width, f)
    for r in range(rows):
        x, y = at(pointer(a[0], f), r * width), at(pointer(a[3], f), r * width)
        x_hat = at(pointer(a[4], f), r * width)
        total = real(0.0, f)
        for j in range(width):
            total += x[j]
        mean, total = total * share, real(0.0, f)
        for j in range(width):
            total += (x[j] - mean) * (x[j] - mean)
        variance = total * share
        inverse = one / math.sqrt(variance + f[0])
        pointer(a[5], f)[r], pointer(a[6], f)[r], pointer(a[7], f)[r] = inverse, mean, variance
        if a[1] and a[2]:
            for j in range(width):
                value = (get(x, j, 0) - mean) * inverse
                put(x_hat, j, value, 1)
                put(y, j, value * get(weight, j, 2) + get(bias, j, 3), 4)
            continue
        for j in range(width):
            value = (get(x, j, 0) - mean) * inverse
            put(x_hat, j, value, 1)
            put(y, j, value, 4)
        if a[1]:
            for j in range(width):
                y[j] *= weight[j]
        if a[2]:
            for j in range(width):
                y[j] += bias[j]


@part
def _row_slope(g: Any, x_hat: Any, weight: Any, into: Any, inverse: Any, width: int, f: Any) -> Any:
    """Write the gradient of one row's input."""
    share, total, slope = real(1.0 / width, f), real(0.0, f), real(0.0, f)
    for j in range(width):
        value = g[j] * weight[j]
        total += value
        slope += value * x_hat[j]
    mean, slope = total * share, slope * share
    for j in range(width):
        value = get(g, j, 0) * get(weight, j, 1)
        put(into, j, (value - mean - get(x_hat, j, 2) * slope) * inverse, 3)


@part
def _plain_slope(g: Any, x_hat: Any, into: Any, inverse: Any, width: int, f: Any) -> Any:
    """Write the gradient of one row's input, where there is no weight."""
    share, total, slope = real(1.0 / width, f), real(0.0, f), real(0.0, f)
    for j in range(width):
        total += g[j]
        slope += g[j] * x_hat[j]
    mean, slope = total * share, slope * share
    for j in range(width):
        put(into, j, (get(g, j, 0) - mean - get(x_hat, j, 2) * slope) * inverse, 3)


@kernel()
def normalize_rows_slope(a: Any, f: Any) -> None:
    """Go back: gradient, weight or 0, normalised, inverse; input's, weight's or 0, bias's or 0."""
    weight, inverse, rows, width = pointer(a[1], f), pointer(a[3], f), a[7], a[8]
    to_weight, to_bias = pointer(a[5], f), pointer(a[6], f)
    if a[5]:
        fill(to_weight, width, real(0.0, f))
    if a[6]:
        fill(to_bias, width, real(0.0, f))
    for r in range(rows):
        g, x_hat = at(pointer(a[0], f), r * width), at(pointer(a[2], f), r * width)
        into = at(pointer(a[4], f), r * width)
        if a[4] and a[1]:
            _row_slope(g, x_hat, weight, into, inverse[r], width, f)
        elif a[4]:
            _plain_slope(g, x_hat, into, inverse[r], width, f)
        if a[5]:
            for j in range(width):
                to_weight[j] += g[j] * x_hat[j]
        if a[6]:
            for j in range(width):
                to_bias[j] += g[j]


@part
def _mean_of_channel(
    x: Any, samples: int, step: int, area: int, less: Any, power: int, f: Any
) -> Any:
    """Return the mean over samples and places of one channel's values, or of their squares."""
    total = 0.0
    for n in range(samples):
        values, part = at(x, n * step), real(0.0, f)
        if power == 1:
            for i in range(area):
                part += values[i] - less
        else:
            for i in range(area):
                part += (values[i] - less) * (values[i] - less)
        total += part
    return real(total / (samples * area), f)


@kernel()
def normalize_channels(a: Any, f: Any) -> None:
    """Normalise channels: as ``normalize_rows``, then samples, channels, places."""
    samples, channels, area = a[8], a[9], a[10]
    one, zero, step = real(1.0, f), real(0.0, f), channels * area
    for c in range(channels):
        x = at(pointer(a[0], f), c * area)
        mean = _mean_of_channel(x, samples, step, area, zero, 1, f)
        variance = _mean_of_channel(x, samples, step, area, mean, 2, f)
        inverse = one / math.sqrt(variance + f[0])
        pointer(a[5], f)[c], pointer(a[6], f)[c], pointer(a[7], f)[c] = inverse, mean, variance
        weight = pointer(a[1], f)[c] if a[1] else one
        bias = pointer(a[2], f)[c] if a[2] else zero
        for n in range(samples):
            place = n * step + c * area
            source, y = at(pointer(a[0], f), place), at(pointer(a[3], f), place)
            x_hat = at(pointer(a[4], f), place)
            for i in range(area):
                value = (get(source, i, 0) - mean) * inverse
                put(x_hat, i, value, 1)
                put(y, i, value * weight + bias, 2)


@kernel()
def normalize_channels_slope(a: Any, f: Any) -> None:
    """Go back: as ``normalize_rows_slope``, then samples, channels, places."""
    samples, channels, area = a[7], a[8], a[9]
    step, share = channels * area, 1.0 / (samples * area)
    for c in range(channels):
        total, slope = 0.0, 0.0
        for n in range(samples):
            place = n * step + c * area
            g, x_hat = at(pointer(a[0], f), place), at(pointer(a[2], f), place)
            part, more = real(0.0, f), real(0.0, f)
            for i in range(area):
                part += g[i]
                more += g[i] * x_hat[i]
            total += part
            slope += more
        if a[5]:
            pointer(a[5], f)[c] = slope
        if a[6]:
            pointer(a[6], f)[c] = total
        if not a[4]:
            continue
        scale = pointer(a[3], f)[c]
        if a[1]:
            scale *= pointer(a[1], f)[c]
        mean, by_value = real(total * share, f), real(slope * share, f)
        for n in range(samples):
            place = n * step + c * area
            g, x_hat = at(pointer(a[0], f), place), at(pointer(a[2], f), place)
            into = at(pointer(a[4], f), place)
            for i in range(area):
                put(into, i, (get(g, i, 0) - mean - get(x_hat, i, 1) * by_value) * scale, 2)


@part
def _add_means(x: Any, less: Any, rows: int, width: int, power: int, into: Any, f: Any) -> None:
    """Write the mean over rows of each column's values, or of the squares of their difference."""
    fill(into, width, real(0.0, f))
    for r in range(rows):
        row = at(x, r * width)
        if power == 1:
            for j in range(width):
                into[j] += row[j]
        else:
            for j in range(width):
                into[j] += (row[j] - less[j]) * (row[j] - less[j])
    share = real(1.0 / rows, f)
    for j in range(width):
        into[j] *= share


@kernel()
def normalize_columns(a: Any, f: Any) -> None:
    """Normalise columns, as ``normalize_channels`` of one place each."""
    x, weight, bias, y, x_hat = (
        pointer(a[0], f), pointer(a[1], f), pointer(a[2], f), pointer(a[3], f), pointer(a[4], f),
    )  # fmt: skip
    inverse, mean, variance = pointer(a[5], f), pointer(a[6], f), pointer(a[7], f)
    rows, width, one = a[8], a[9], real(1.0, f)
    _add_means(x, x, rows, width, 1, mean, f)
    _add_means(x, mean, rows, width, 2, variance, f)
    for j in range(width):
        inverse[j] = one / math.sqrt(variance[j] + f[0])
    for r in range(rows):
        source, target, made = at(x, r * width), at(y, r * width), at(x_hat, r * width)
        for j in range(width):
            value = (get(source, j, 0) - get(mean, j, 1)) * get(inverse, j, 2)
            put(made, j, value, 3)
            put(target, j, value, 4)
        if a[1]:
            for j in range(width):
                target[j] *= weight[j]
        if a[2]:
            for j in range(width):
                target[j] += bias[j]


@kernel()
def normalize_columns_slope(a: Any, f: Any) -> None:
    """Go back, as ``normalize_channels_slope`` of one place each; room for two rows at the end."""
    weight, inverse = pointer(a[1], f), pointer(a[3], f)
    rows, width, share = a[7], a[8], real(1.0 / a[7], f)
    slope, total = pointer(a[10], f), at(pointer(a[10], f), a[8])
    fill(slope, 2 * width, real(0.0, f))
    for r in range(rows):
        g, x_hat = at(pointer(a[0], f), r * width), at(pointer(a[2], f), r * width)
        for j in range(width):
            put(total, j, get(total, j, 0) + get(g, j, 1), 0)
            put(slope, j, get(slope, j, 2) + get(g, j, 1) * get(x_hat, j, 3), 2)
    for j in range(width):
        if a[5]:
            pointer(a[5], f)[j] = slope[j]
        if a[6]:
            pointer(a[6], f)[j] = total[j]
    if not a[4]:
        return
    for r in range(rows):
        g, x_hat = at(pointer(a[0], f), r * width), at(pointer(a[2], f), r * width)
        into = at(pointer(a[4], f), r * width)
        for j in range(width):
            value = (
                get(g, j, 1)
                - get(total, j, 0) * share
                - get(x_hat, j, 3) * get(slope, j, 2) * share
            )
            put(into, j, value * get(inverse, j, 4), 5)
        if a[1]:
            for j in range(width):
                into[j] *= weight[j]


class _Axes:
    """Over what is normalised: the last axes, or all but the channels."""

    def __init__(self, shape: Ints, axes: Ints, place: Ints | None) -> None:
        dims = len(shape)
        axes = tuple(sorted(axis % dims for axis in axes))
        self.is_last = axes == tuple(range(dims - len(axes), dims)) and place is None
        channels = dims > 1 and axes == (0, *range(2, dims))
        self.is_channels = channels and place in (None, (1, shape[1]) + (1,) * (dims - 2))
        self.kept = tuple(1 if axis in axes else n for axis, n in enumerate(shape))
        self.words: Ints = ()
        if self.is_last:
            first = dims - len(axes)
            self.words = (math.prod(shape[:first]), math.prod(shape[first:]))
        elif self.is_channels:
            self.words = (shape[0], shape[1], math.prod(shape[2:]))
        is_flat = math.prod(shape[2:]) == 1
        self.is_columns = self.is_channels and not self.is_last and is_flat


def _or_zero(out: Builder, operand: Operand | None) -> Any:
    return 0 if operand is None else out.contiguous(operand)


def _is_known(x: Operand, parameters: tuple[Any, ...], axes: _Axes) -> bool:
    """Tell whether there is a kernel for these; a parameter must be as long as what it scales."""
    size = axes.words[1] if axes.words else 0
    return (
        x.dtype.kind == "f"
        and x.size > 0
        and (axes.is_last or axes.is_channels)
        and all(p is None or (p.size == size and p.dtype == x.dtype) for p in parameters)
    )


@lowers(_NORMALIZE.kernel)
def _normalize(
    out: Builder,
    input: Operand,
    weight: Operand | None,
    bias: Operand | None,
    axes: Ints,
    shape: Ints | None,
    eps: float,
) -> Any:
    over = _Axes(input.shape, axes, shape)
    if not _is_known(input, (weight, bias), over):
        return None
    made = [out.empty(input.shape, input.dtype) for _ in range(2)]
    made += [out.empty(over.kept, input.dtype) for _ in range(3)]
    run = normalize_rows if over.is_last else normalize_channels
    run = normalize_columns if over.is_columns else run
    operands = out.contiguous(input), _or_zero(out, weight), _or_zero(out, bias)
    out.call(run, *operands, *made, *over.words, reals=(eps,), dtype=input.dtype)
    return tuple(made)


@lowers(_NORMALIZE.joint)
def _normalize_slope(
    out: Builder,
    g: Any,
    needs: Any,
    weight: Operand | None,
    weight_shape: Any,
    bias_shape: Any,
    x_hat: Operand,
    inverse: Operand,
    axes: Ints,
    shape: Ints | None,
) -> Any:
    over = _Axes(x_hat.shape, axes, shape)
    if g[0] is None or any(one is not None for one in g[1:]):
        return None
    if not _is_known(x_hat, (weight,), over) or g[0].dtype != x_hat.dtype:
        return None
    into = out.empty(x_hat.shape, x_hat.dtype) if needs[0] else None
    to_weight = out.empty(tuple(weight_shape), x_hat.dtype) if needs[1] else None
    to_bias = out.empty(tuple(bias_shape), x_hat.dtype) if needs[2] else None
    run = normalize_rows_slope if over.is_last else normalize_channels_slope
    operands = [out.contiguous(g[0]), _or_zero(out, weight)]
    operands += [out.contiguous(x_hat), out.contiguous(inverse)]
    words: list[Any] = [0 if one is None else one for one in (into, to_weight, to_bias)]
    words += over.words
    if over.is_columns:
        run = normalize_columns_slope
        words.append(out.empty((2 * x_hat.shape[1],), x_hat.dtype))
    out.call(run, *operands, *words, dtype=x_hat.dtype)
    return [into, to_weight, to_bias]
