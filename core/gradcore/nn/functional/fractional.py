"""Fractional max pooling: windows of one size whose distances are drawn."""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import ShapeError
from gradcore.graph import work_out
from gradcore.nn.functional.spatial import ntuple
from gradcore.ops.registry import FUNCTIONS
from gradcore.random import draw, uniform_array
from gradcore.tensor import Tensor


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Return the largest value of windows of (N, C, H, W) that lie at drawn places."""
    settings = (kernel_size, output_size, output_ratio, return_indices)
    return _pooled(2, input, *settings, _random_samples)


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Return the largest value of windows of (N, C, D, H, W) that lie at drawn places."""
    settings = (kernel_size, output_size, output_ratio, return_indices)
    return _pooled(3, input, *settings, _random_samples)


def _pooled(
    n: int,
    input: Tensor,
    kernel_size: Any,
    output_size: Any,
    output_ratio: Any,
    return_indices: bool,
    samples: Tensor | None,
) -> Any:
    name = f"fractional_max_pool{n}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    kernel, space = ntuple(kernel_size, n), tuple(input.shape[-n:])
    if output_size is None:
        is_one = isinstance(output_ratio, float)
        ratios = (output_ratio,) * n if is_one else tuple(output_ratio)
        sizes = tuple(int(have * part) for have, part in zip(space, ratios, strict=True))
    else:
        sizes = ntuple(output_size, n)
    for have, window, want in zip(space, kernel, sizes, strict=True):
        if want + window - 1 > have:
            raise ShapeError(
                f"{name}: pool size ({window}) too large relative to input size ({have})",
                f"The output is to have {want} positions there.",
                "Ask for fewer, or take smaller windows.",
                shapes=(tuple(input.shape),),
            )
    batched = input if input.dim() == n + 2 else input.unsqueeze(0)
    if samples is None:
        planes = (*batched.shape[:2], n)
        drawn: Any = draw(uniform_array, planes, batched._a.dtype, generator=None)
    else:
        drawn = samples
    places = work_out(_places, batched, drawn, kernel, sizes)
    shape = tuple(batched.shape)
    flat = batched.reshape(*shape[:2], -1)
    values = FUNCTIONS["gather"](flat, 2, places.reshape(*shape[:2], -1))
    values = values.reshape(*shape[:2], *sizes)
    if input.dim() != n + 2:
        values, places = values.squeeze(0), places.squeeze(0)
    return (values, places) if return_indices else values


def _places(a: Array, samples: Array, kernel: Any, sizes: Any) -> Array:
    """Return where in its plane the largest value of each window stands, counted row by row."""
    n = len(kernel)
    space = a.shape[2:]
    out = np.empty((*a.shape[:2], *sizes), np.int64)
    for plane in np.ndindex(a.shape[:2]):
        # As torch: in two dimensions the first number is drawn for the columns.
        numbers = samples[plane][::-1] if n == 2 else samples[plane]
        starts = [
            _starts(float(number), have, want, window)
            for number, have, want, window in zip(numbers, space, sizes, kernel, strict=True)
        ]
        spans = [s[:, None] + np.arange(k) for s, k in zip(starts, kernel, strict=True)]
        # Outputs first, windows behind them: (out_0, out_1, ..., k_0 * k_1 * ...).
        axes = [span.reshape(_slots(n, j, span)) for j, span in enumerate(spans)]
        windows = a[plane][tuple(axes)].reshape(*sizes, -1)
        spots = np.ravel_multi_index(np.broadcast_arrays(*axes), space).reshape(*sizes, -1)
        # The first nan of a window, else its largest value.
        best = np.where(np.isnan(windows).any(-1), np.isnan(windows).argmax(-1), windows.argmax(-1))
        out[plane] = np.take_along_axis(spots, best[..., None], -1)[..., 0]
    return out


def _slots(n: int, j: int, span: Array) -> list[int]:
    """Return the shape in which the positions of one dimension stand among all outputs' ones."""
    shape = [1] * (2 * n)
    shape[j], shape[n + j] = span.shape
    return shape


def _starts(number: float, have: int, want: int, window: int) -> Array:
    """Return where the windows of one dimension begin."""
    starts = np.full(want, have - window, np.int64)
    if want > 1:
        apart = (have - window) / (want - 1)
        steps = np.arange(want - 1)
        starts[:-1] = ((steps + number) * apart).astype(np.int64) - int(number * apart)
    return starts
