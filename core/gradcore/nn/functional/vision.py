"""Resampling of images and rearranging of their channels, as in `torch.nn.functional`."""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import ShapeError
from gradcore.graph import rename, work_out
from gradcore.nn.functional.spatial import ntuple
from gradcore.ops.padding import constant_pad_nd
from gradcore.tensor import Tensor

_LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resample the axes after the second to another size.

    Each axis is one matrix product (or one selection), so the gradient needs nothing new.
    """
    if mode not in ("nearest", "nearest-exact", "area", "bicubic", *_LINEAR):
        raise NotImplementedError(f"interpolate has no mode '{mode}'")
    if align_corners is not None and mode not in ("bicubic", *_LINEAR):
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear "
            "| bicubic | trilinear"
        )
    n = input.dim() - 2
    if mode in _LINEAR and _LINEAR[mode] != n:
        raise NotImplementedError(
            f"Got {input.dim()}D input, but {mode} mode needs {_LINEAR[mode] + 2}D input"
        )
    if antialias and (mode not in ("bilinear", "bicubic") or n != 2):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D "
            "tensor as input"
        )
    sizes, scales = _target_sizes(input, n, size, scale_factor, recompute_scale_factor)
    out = input
    for axis, (want, scale) in enumerate(zip(sizes, scales, strict=True)):
        have = input.shape[2 + axis]
        if mode.startswith("nearest"):
            places = work_out(_nearest, have, want, scale, mode == "nearest-exact")
            out = out.index_select(2 + axis, places)
            continue
        kind = mode if mode in ("area", "bicubic") else "linear"
        kind = "smooth " + kind if antialias else kind
        turned = work_out(_turned, kind, have, want, scale, bool(align_corners), input._a.dtype)
        product = out.movedim(2 + axis, -1) @ turned
        out = product.movedim(-1, 2 + axis)
    result: Tensor = out.contiguous()
    if mode != "area":
        style = {"nearest-exact": "NearestExact"}.get(mode, mode.capitalize())
        rename(result, f"Upsample{style}{n}D{'Aa' if antialias else ''}")
    return result


def _target_sizes(
    input: Tensor, n: int, size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    if (size is None) == (scale_factor is None):
        what = "either size or scale_factor should be defined"
        raise ValueError(
            what if size is None else "only one of size or scale_factor should be defined"
        )
    if size is not None:
        return ntuple(size, n), (None,) * n
    factors = (
        tuple(float(f) for f in scale_factor)
        if isinstance(scale_factor, (tuple, list))
        else (float(scale_factor),) * n
    )
    sizes = tuple(
        int(np.floor(have * factor)) for have, factor in zip(input.shape[2:], factors, strict=True)
    )
    return sizes, ((None,) * n if recompute else factors)


def _step(have: int, want: int, scale: float | None) -> float:
    return 1.0 / scale if scale else have / want


def _turned(
    kind: str, have: int, want: int, scale: float | None, align_corners: bool, dtype: Any
) -> Array:
    """Return the matrix of an axis as it stands on the right of a product."""
    if kind == "area":
        return _area(have, want).T.astype(dtype)
    if kind.startswith("smooth"):
        return _smooth(kind, have, want, scale, align_corners).T.astype(dtype)
    matrix = _cubic if kind == "bicubic" else _linear
    return matrix(have, want, scale, align_corners).T.astype(dtype)


def _nearest(have: int, want: int, scale: float | None, exact: bool) -> Array:
    places = np.arange(want, dtype=np.float32)
    step = np.float32(_step(have, want, scale))
    shifted = (places + np.float32(0.5)) * step if exact else places * step
    result: Array = np.minimum(np.floor(shifted).astype(np.int64), have - 1)
    return result


def _centres(have: int, want: int, scale: float | None, align_corners: bool) -> Array:
    """Return where, on the input's axis, each output value lies."""
    places = np.arange(want)
    if align_corners:
        return places * ((have - 1) / (want - 1) if want > 1 else 0.0)
    return (places + 0.5) * _step(have, want, scale) - 0.5


def _linear(have: int, want: int, scale: float | None, align_corners: bool) -> Array:
    centres = np.maximum(_centres(have, want, scale, align_corners), 0)
    low = np.minimum(np.floor(centres).astype(int), have - 1)
    high = np.minimum(low + 1, have - 1)
    part = centres - low
    matrix = np.zeros((want, have))
    rows = np.arange(want)
    np.add.at(matrix, (rows, low), 1 - part)
    np.add.at(matrix, (rows, high), part)
    return matrix


def _cubic(have: int, want: int, scale: float | None, align_corners: bool) -> Array:
    centres = _centres(have, want, scale, align_corners)
    first = np.floor(centres).astype(int)
    part = centres - first
    matrix = np.zeros((want, have))
    rows = np.arange(want)
    # Keys' kernel with a = -0.75, as torch.
    a = -0.75
    for tap in range(-1, 3):
        x = np.abs(part - tap)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((x - 5) * x + 8) * x * a - 4 * a
        places = np.clip(first + tap, 0, have - 1)
        np.add.at(matrix, (rows, places), np.where(x <= 1, near, far))
    return matrix


def _smooth(kind: str, have: int, want: int, scale: float | None, align_corners: bool) -> Array:
    """Return the matrix whose filter widens where the axis gets shorter, as in image editors."""
    step = _step(have, want, scale)
    if align_corners:
        step = (have - 1) / (want - 1) if want > 1 else 0.0
    wide = max(step, 1.0)
    reach = (2.0 if kind == "smooth bicubic" else 1.0) * wide
    matrix = np.zeros((want, have))
    for row in range(want):
        centre = step * (row + 0.5)
        first = max(int(centre - reach + 0.5), 0)
        last = min(int(centre + reach + 0.5), have)
        x = np.abs(np.arange(first, last) - centre + 0.5) / wide
        if kind == "smooth bicubic":
            # Keys' kernel with a = -0.5, as torch here.
            near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
            weights = np.where(x < 1, near, np.where(x < 2, far, 0.0))
        else:
            weights = np.maximum(1 - x, 0)
        matrix[row, first:last] = weights / weights.sum()
    return matrix


def _area(have: int, want: int) -> Array:
    matrix = np.zeros((want, have))
    for row in range(want):
        start, end = row * have // want, -(-(row + 1) * have // want)
        matrix[row, start:end] = 1.0 / (end - start)
    return matrix


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Old name of `interpolate`."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Turn groups of channels into finer pixels: (*, C r r, H, W) -> (*, C, H r, W r)."""
    r = upscale_factor
    *lead, channels, height, width = input.shape
    if channels % (r * r):
        raise ShapeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}",
            "",
            f"Give it a multiple of {r * r} channels.",
            shapes=(tuple(input.shape),),
        )
    n = len(lead)
    blocks = input.reshape(*lead, channels // (r * r), r, r, height, width)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    result: Tensor = blocks.permute(order).reshape(
        *lead, channels // (r * r), height * r, width * r
    )
    return result


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Turn pixels into groups of channels: (*, C, H r, W r) -> (*, C r r, H, W)."""
    r = downscale_factor
    *lead, channels, height, width = input.shape
    if height % r or width % r:
        raise ShapeError(
            "pixel_unshuffle expects height and width to be divisible by downscale_factor, but "
            f"got {height} x {width} and {r}",
            "",
            "Pad or crop the image first.",
            shapes=(tuple(input.shape),),
        )
    n = len(lead)
    blocks = input.reshape(*lead, channels, height // r, r, width // r, r)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    result: Tensor = blocks.permute(order).reshape(*lead, channels * r * r, height // r, width // r)
    return result


def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Mix the channels of different groups."""
    return channel_shuffle(input, groups)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Mix the channels of different groups."""
    count, channels, *space = input.shape
    grouped = input.reshape(count, groups, channels // groups, *space)
    result: Tensor = grouped.transpose(1, 2).reshape(input.shape)
    return result


def window_places(
    size: Any, kernel_size: Any, dilation: Any, extra: tuple[int, ...], stride: Any
) -> Array:
    """Return where, in the padded image, the values of each window (a column) stand."""
    kernel, spread, step = ntuple(kernel_size, 2), ntuple(dilation, 2), ntuple(stride, 2)
    wide = tuple(n + 2 * p for n, p in zip(size, extra, strict=True))
    grid = np.arange(wide[0] * wide[1]).reshape(wide)
    rows = [
        (n - d * (k - 1) - 1) // s + 1
        for n, d, k, s in zip(wide, spread, kernel, step, strict=True)
    ]
    if min(rows) < 1:
        raise ShapeError(
            f"Given an image of {list(size)}, kernel_size={kernel}, dilation={spread}, "
            f"padding={extra} and stride={step}, the shape of the array of sliding blocks is "
            f"{tuple(rows)}, but its components must be at least one.",
            "In `unfold` or `fold`.",
            "Use a smaller kernel, or more padding.",
        )
    return np.stack(
        [
            grid[
                i * spread[0] : i * spread[0] + step[0] * (rows[0] - 1) + 1 : step[0],
                j * spread[1] : j * spread[1] + step[1] * (rows[1] - 1) + 1 : step[1],
            ].ravel()
            for i in range(kernel[0])
            for j in range(kernel[1])
        ]
    )


def _all_places(*sizes: Any) -> Any:
    return window_places(*sizes).ravel()


def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Return every window of (N, C, H, W) as a column of (N, C * area, positions)."""
    extra = ntuple(padding, 2)
    batched = input.dim() == 4
    images = input if batched else input.unsqueeze(0)
    count, channels = images.shape[:2]
    shape = tuple(images.shape[2:])
    windows = window_places(shape, kernel_size, dilation, extra, stride)
    padded = _padded(images, extra).reshape(count, channels, -1)
    places = work_out(_all_places, shape, kernel_size, dilation, extra, stride)
    columns = padded.index_select(2, places)
    out: Tensor = columns.reshape(count, channels * len(windows), -1)
    return out if batched else out.squeeze(0)


def _padded(images: Tensor, extra: tuple[int, ...]) -> Tensor:
    if not any(extra):
        return images
    result: Tensor = constant_pad_nd(images, [extra[1], extra[1], extra[0], extra[0]], 0.0)
    return result
