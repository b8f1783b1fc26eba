"""Images read at places that tensors name, windows put back, as in `torch.nn.functional`."""

import itertools
import math
from typing import Any

import numpy as np

from gradcore.errors import ShapeError
from gradcore.graph import wrap
from gradcore.nn.functional.spatial import avg_pool1d, avg_pool3d, ntuple
from gradcore.nn.functional.vision import window_places
from gradcore.ops import pooling as pool
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor


def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """Return the places that affine maps send each output pixel to.

    Shape: theta (N, 2, 3) or (N, 3, 4) -> (N, H, W, 2) or (N, D, H, W, 3).
    """
    sizes = tuple(size)
    n = len(sizes) - 2
    if tuple(theta.shape[1:]) != (n, n + 1):
        raise ShapeError(
            f"Expected a batch of affine matrices of shape Nx{n}x{n + 1} for size {list(sizes)}. "
            f"Got {list(theta.shape)}.",
            "In `affine_grid`.",
        )
    axes = []
    for count in sizes[2:]:
        line = np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
        axes.append(line if align_corners else line * (count - 1) / count)
    mesh = np.meshgrid(*axes, indexing="ij")
    base = np.stack([*reversed(mesh), np.ones_like(mesh[0])], -1).reshape(-1, n + 1)
    places = wrap(base.astype(theta._a.dtype)) @ theta.mT
    result: Tensor = places.reshape(sizes[0], *sizes[2:], n)
    return result


def _reflected(x: Tensor, size: int, align_corners: bool) -> Any:
    low, high = (0.0, size - 1.0) if align_corners else (-0.5, size - 0.5)
    span = high - low
    if span <= 0:
        return x * 0.0
    away = (x - low).abs()
    extra = FUNCTIONS["fmod"](away, span)
    odd = np.floor(away._a / span) % 2 == 1
    return FUNCTIONS["where"](wrap(odd), span - extra + low, extra + low)


def _on_image(x: Tensor, size: int, padding_mode: str, align_corners: bool) -> Any:
    """Bring places on one axis into the image, where the mode says so."""
    if padding_mode == "reflection":
        x = _reflected(x, size, align_corners)
    return x if padding_mode == "zeros" else x.clamp(0, size - 1)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Read images at the places a grid names, from -1 to 1 along each axis (x first).

    Shape: (N, C, H, W) and (N, Ho, Wo, 2) -> (N, C, Ho, Wo), or one dimension more of each.
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    n = input.dim() - 2
    if grid.dim() != n + 2 or grid.shape[-1] != n or grid.shape[0] != input.shape[0]:
        raise ShapeError(
            f"grid_sampler(): expected grid to have size {n} in last dimension and the batch size "
            f"of the input, but got input with sizes {list(input.shape)} and grid with sizes "
            f"{list(grid.shape)}"
        )
    aligned = bool(align_corners)
    sizes = tuple(input.shape[2:])
    places = []
    for axis, size in enumerate(sizes):
        x = grid[..., n - 1 - axis]
        x = (x + 1) / 2 * (size - 1) if aligned else ((x + 1) * size - 1) / 2
        if mode != "bicubic":
            x = _on_image(x, size, padding_mode, aligned)
        places.append(x)
    if mode == "nearest":
        return _taken(input, [np.rint(x._a) for x in places])
    if mode == "bicubic":
        return _bicubic(input, places, padding_mode, aligned)
    return _between(input, places)


def _taken(input: Tensor, places: list[Any]) -> Tensor:
    """Read values at whole places; 0 outside the image."""
    sizes = tuple(input.shape[2:])
    inside = np.ones(places[0].shape, bool)
    flat = np.zeros(places[0].shape, np.int64)
    for place, size in zip(places, sizes, strict=True):
        inside &= (place >= 0) & (place <= size - 1)
        flat = flat * size + np.clip(np.nan_to_num(place), 0, size - 1).astype(np.int64)
    count, channels = input.shape[:2]
    shape = flat.shape[1:]
    index = np.broadcast_to(flat.reshape(count, 1, -1), (count, channels, math.prod(shape)))
    found = input.reshape(count, channels, -1).gather(2, wrap(index.copy()))
    mask = wrap(inside[:, None].astype(input._a.dtype))
    result: Tensor = found.reshape(count, channels, *shape) * mask
    return result


def _between(input: Tensor, places: list[Tensor]) -> Tensor:
    """Read values between pixels: each neighbour counts by how near it is."""
    lows = [np.floor(x._a) for x in places]
    parts = [x - wrap(low) for x, low in zip(places, lows, strict=True)]
    total: Any = 0
    for corner in itertools.product((0, 1), repeat=len(places)):
        weight: Any = 1
        for part, step in zip(parts, corner, strict=True):
            weight = weight * (part if step else 1 - part)
        found = _taken(input, [low + step for low, step in zip(lows, corner, strict=True)])
        total = total + found * weight.unsqueeze(1)
    result: Tensor = total
    return result


def _cubic_weights(t: Tensor) -> list[Any]:
    # Keys' kernel with a = -0.75, as torch.
    a = -0.75

    def near(x: Any) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Any) -> Any:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _bicubic(input: Tensor, places: list[Tensor], padding_mode: str, aligned: bool) -> Tensor:
    sizes = tuple(input.shape[2:])
    lows = [np.floor(x._a) for x in places]
    weights = [_cubic_weights(x - wrap(low)) for x, low in zip(places, lows, strict=True)]
    total: Any = 0
    for taps in itertools.product(range(4), repeat=len(places)):
        at = [
            _on_image(wrap(low + tap - 1), size, padding_mode, aligned)._a
            for low, tap, size in zip(lows, taps, sizes, strict=True)
        ]
        weight: Any = 1
        for one, tap in zip(weights, taps, strict=True):
            weight = weight * one[tap]
        total = total + _taken(input, at) * weight.unsqueeze(1)
    result: Tensor = total
    return result


def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """Add windows up in the images they came from: (N, C * area, positions) -> (N, C, H, W)."""
    size, extra = ntuple(output_size, 2), ntuple(padding, 2)
    windows = window_places(size, kernel_size, dilation, extra, stride)
    area, positions = windows.shape
    batched = input.dim() == 3
    columns = input if batched else input.unsqueeze(0)
    count, depth, given = columns.shape
    if depth % area or given != positions:
        raise ShapeError(
            f"Expected size of input's dimension 1 to be divisible by the product of kernel_size "
            f"and dimension 2 to be the number of sliding blocks {positions}, but got "
            f"{list(columns.shape)}.",
            f"In `fold` to {list(size)} with windows of {area} values.",
        )
    channels = depth // area
    height, width = size[0] + 2 * extra[0], size[1] + 2 * extra[1]
    whole = columns.new_zeros((count, channels, height * width))
    parts = columns.reshape(count, channels, area * positions)
    added = whole.index_add(2, wrap(windows.ravel()), parts)
    images = added.reshape(count, channels, height, width)
    cut: Tensor = images[:, :, extra[0] : extra[0] + size[0], extra[1] : extra[1] + size[1]]
    return cut if batched else cut.squeeze(0)


def _power_pool(n: int, pool_of: Any) -> Any:
    def call(
        input: Tensor,
        norm_type: float,
        kernel_size: Any,
        stride: Any = None,
        ceil_mode: bool = False,
    ) -> Tensor:
        kernel = ntuple(kernel_size, n)
        mean = pool_of(input.pow(norm_type), kernel, stride, 0, ceil_mode)
        positive = mean.sign() * mean.abs().relu()
        result: Tensor = positive.mul(math.prod(kernel)).pow(1.0 / norm_type)
        return result

    call.__name__ = call.__qualname__ = f"lp_pool{n}d"
    call.__doc__ = "Return the p-norm of each window."
    return call


lp_pool1d = _power_pool(1, avg_pool1d)
lp_pool3d = _power_pool(3, avg_pool3d)


def _unpool(n: int) -> Any:
    def call(
        input: Tensor,
        indices: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        output_size: Any = None,
    ) -> Tensor:
        kernel = ntuple(kernel_size, n)
        step = kernel if stride is None else ntuple(stride, n)
        extra = ntuple(padding, n)
        batched = input.dim() == n + 2
        values = input if batched else input.unsqueeze(0)
        places = indices if batched else indices.unsqueeze(0)
        if output_size is None:
            sizes = zip(values.shape[2:], step, extra, kernel, strict=True)
            size = tuple((have - 1) * s - 2 * p + k for have, s, p, k in sizes)
        else:
            size = tuple(output_size)[-n:]
        out: Tensor = pool.scatter_flat(values, places, size)
        return out if batched else out.squeeze(0)

    call.__name__ = call.__qualname__ = f"max_unpool{n}d"
    call.__doc__ = "Put the values of a maximum pool back where they came from, zero elsewhere."
    return call


max_unpool1d = _unpool(1)
max_unpool3d = _unpool(3)
