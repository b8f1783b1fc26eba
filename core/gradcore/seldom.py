"""Functions that few programs use, and that are loaded when one asks for them."""

import math
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.errors import ArgumentError, DtypeError, ShapeError
from gradcore.graph import TensorBase, wrap
from gradcore.ops.fourier import FOURIER
from gradcore.ops.reduction import return_type
from gradcore.ops.registry import FUNCTIONS
from gradcore.ops.shape import axis

_FREXP = return_type("frexp", "mantissa", "exponent")


def frexp(input: Any) -> Any:
    """Return mantissas from 0.5 to 1 and whole exponents with ``mantissa * 2 ** exponent``."""
    if input._a.dtype.kind != "f":
        raise DtypeError("torch.frexp() only supports floating-point dtypes")
    mantissa, exponent = np.frexp(input._a)
    scale = np.ldexp(np.ones_like(mantissa), -exponent.astype(np.int64))
    found = input * wrap(scale) if input.requires_grad else wrap(mantissa)
    return _FREXP(found, wrap(exponent.astype(np.int32)))


def nonzero_static(input: Any, *, size: int, fill_value: int = -1) -> Any:
    """Return the first ``size`` positions of values that are not 0, filled up where fewer are."""
    found = np.argwhere(input._a)[:size]
    out = np.full((size, input._a.ndim), fill_value, np.int64)
    out[: len(found)] = found
    return wrap(out)


def empty_permuted(size: Any, physical_layout: Any, **options: Any) -> Any:
    """Return a tensor without values whose dimensions lie in memory in the given order."""
    kind = dtypes.as_numpy(options.get("dtype") or dtypes.get_default_dtype())
    block = np.empty([size[i] for i in physical_layout], kind)
    return wrap(block.transpose(np.argsort(physical_layout)))


def from_dlpack(ext_tensor: Any) -> Any:
    """Return a tensor on the memory of another library's array."""
    if isinstance(ext_tensor, TensorBase):
        return ext_tensor.view_as(ext_tensor)  # type: ignore[attr-defined] # from the tables
    return wrap(np.from_dlpack(ext_tensor))


# --- slopes of sampled values


def gradient(
    input: Any, *, spacing: Any = 1.0, dim: Any = None, edge_order: int = 1
) -> tuple[Any, ...]:
    """Return the slope of sampled values along each dimension, from both neighbours.

    ``spacing`` is a step, a step for each dimension, or the places of the samples.
    """
    if edge_order not in (1, 2):
        raise ShapeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    ndim = len(input.shape)
    chosen = range(ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    places = [axis(one, ndim) for one in chosen]
    steps = list(spacing) if isinstance(spacing, (list, tuple)) else [spacing] * len(places)
    if len(steps) != len(places):
        raise ShapeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length "
            f"equal to 'self.dim() = {ndim}', but got {len(steps)}"
        )
    return tuple(
        _slope(input, place, step, edge_order) for place, step in zip(places, steps, strict=True)
    )


def _slope(input: Any, place: int, step: Any, edge_order: int) -> Any:
    n = input.shape[place]
    if n < edge_order + 1:
        raise ShapeError(
            f"torch.gradient expected each dimension size to be at least {edge_order + 1}"
        )
    where = step._a.astype(np.float64) if isinstance(step, TensorBase) else np.arange(n) * step
    # One row of weights for each output: the slope of the parabola (or line) through its samples.
    weights = np.zeros((n, n))
    for i in range(n):
        if 0 < i < n - 1:
            chosen = [i - 1, i, i + 1]
        else:
            inward = 1 if i == 0 else -1
            chosen = [i + inward * k for k in range(edge_order + 1)]
        weights[i, chosen] = _slope_weights(where[chosen], where[i])
    kind = input._a.dtype if input._a.dtype.kind in "fc" else dtypes.default_float()
    turned = wrap(weights.T.astype(kind))
    moved = FUNCTIONS["movedim"](input.to(dtypes.FROM_NUMPY[kind]), place, -1)
    return FUNCTIONS["movedim"](moved @ turned, -1, place)


def _slope_weights(places: Any, at: float) -> Any:
    """Return with which weights samples give the slope of the polynomial through them."""
    found = []
    for j, own in enumerate(places):
        others = np.delete(places, j)
        products = [np.prod(at - np.delete(others, k)) for k in range(len(others))]
        found.append(sum(products) / np.prod(own - others))
    return found


# --- Fourier transforms of short frames


def stft(
    input: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Any:
    """Return the transform of short frames of a signal: (..., frequencies, frames).

    Shape: input (T) or (B, T); frames begin ``hop_length`` apart.
    """
    is_complex = input._a.dtype.kind == "c" or (window is not None and window._a.dtype.kind == "c")
    if return_complex is None and not is_complex:
        raise ShapeError(
            "stft requires the return_complex parameter be given for real inputs.",
            "",
            "Give return_complex=True; torch.view_as_real() turns the result into pairs.",
        )
    hop, shape = _hop(hop_length, n_fft), tuple(input.shape)
    signal = input if len(shape) == 2 else input.unsqueeze(0)
    if center:
        signal = _padded(signal, n_fft // 2, pad_mode)
    if not 0 < n_fft <= signal.shape[-1]:
        raise ShapeError(
            f"stft(input, n_fft={n_fft}): expected 0 < n_fft <= {signal.shape[-1]}, got "
            f"n_fft={n_fft}"
        )
    frames = signal.unfold(-1, n_fft, hop) * _window(window, win_length, n_fft, signal._a.dtype)
    half = not is_complex if onesided is None else onesided
    found = FOURIER["rfft" if half else "fft"](frames, norm="ortho" if normalized else None)
    found = found.transpose(-1, -2)
    found = found if len(shape) == 2 else found.squeeze(0)
    return FUNCTIONS["view_as_real"](found) if return_complex is False else found


def _hop(hop_length: int | None, n_fft: int) -> int:
    hop = n_fft // 4 if hop_length is None else hop_length
    if hop <= 0:
        raise ShapeError(f"stft: expected hop_length > 0, but got hop_length={hop}")
    return hop


def _padded(signal: Any, width: int, mode: str) -> Any:
    """Return a signal (B, T) with ``width`` values put before and behind it."""
    n = signal.shape[-1]
    if mode == "constant":
        none = wrap(np.zeros((signal.shape[0], width), signal._a.dtype))
        return FUNCTIONS["cat"]([none, signal, none], -1)
    if mode == "reflect" and width >= n:
        raise ShapeError(
            "Padding size should be less than the corresponding input dimension, but got: padding "
            f"({width}, {width}) at dimension 2 of input {[1, *signal.shape]}"
        )
    places = np.arange(-width, n + width)
    if mode == "reflect":
        places = np.abs(places)
        places = np.minimum(places, 2 * (n - 1) - places)
    elif mode == "replicate":
        places = np.clip(places, 0, n - 1)
    elif mode == "circular":
        places = places % n
    else:
        raise ArgumentError(f"Unrecognised padding mode {mode}")
    return signal.index_select(-1, wrap(places))


def _window(window: Any, win_length: int | None, n_fft: int, kind: Any) -> Any:
    """Return the window, in the middle of a frame."""
    length = n_fft if win_length is None else win_length
    if not 0 < length <= n_fft:
        raise ShapeError(f"expected 0 < win_length <= n_fft, but got win_length={length}")
    if window is not None and tuple(window.shape) != (length,):
        raise ShapeError(
            f"expected a 1D window tensor of size equal to win_length={length}, but got window "
            f"with size {list(window.shape)}"
        )
    given = wrap(np.ones(length, np.abs(np.zeros(1, kind)).dtype)) if window is None else window
    if length == n_fft:
        return given
    before = (n_fft - length) // 2
    fill = [wrap(np.zeros(k, given._a.dtype)) for k in (before, n_fft - length - before)]
    return FUNCTIONS["cat"]([fill[0], given, fill[1]], 0)


def istft(
    input: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Any:
    """Undo ``stft``: add the frames up where they overlap, divided by what their windows add to."""
    if input._a.dtype.kind != "c":
        raise ShapeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    hop, is_batched = _hop(hop_length, n_fft), len(input.shape) == 3
    spectrum = (input if is_batched else input.unsqueeze(0)).transpose(-1, -2)
    half = input.shape[-2] != n_fft if onesided is None else onesided
    norm = "ortho" if normalized else None
    frames = FOURIER["irfft"](spectrum, n_fft, norm=norm) if half else FOURIER["ifft"](
        spectrum, norm=norm
    )  # fmt: skip
    if not half and not return_complex:
        frames = FUNCTIONS["real"](frames)
    shape = _window(window, win_length, n_fft, frames._a.dtype)
    count = frames.shape[1]
    total = n_fft + hop * (count - 1)
    places = wrap((np.arange(count)[:, None] * hop + np.arange(n_fft)).reshape(-1))
    added = wrap(np.zeros((frames.shape[0], total), frames._a.dtype)).index_add(
        1, places, (frames * shape).reshape(frames.shape[0], -1)
    )
    weight = wrap(np.zeros(total, shape._a.dtype)).index_add(
        0, places, (shape * shape).expand(count, n_fft).reshape(-1)
    )
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - (n_fft // 2 if center else 0)
    added, weight = added[:, start : min(end, total)], weight[start : min(end, total)]
    if float(weight.detach().abs().min()) < 1e-11:
        raise ShapeError("window overlap add min: 1", "Windows leave gaps between the frames.")
    out = added / weight
    if end > total:
        fill = wrap(np.zeros((out.shape[0], end - total), out._a.dtype))
        out = FUNCTIONS["cat"]([out, fill], -1)
    return out if is_batched else out.squeeze(0)


# --- counting


def histogramdd(
    input: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False
) -> Any:
    """Return how many points lie in each box of a grid, and the grid's edges."""
    points = input._a.reshape(-1, input._a.shape[-1])
    many = points.shape[1]
    edges = [b._a if isinstance(b, TensorBase) else b for b in bins] if not isinstance(
        bins, int
    ) else [bins] * many  # fmt: skip
    spans = None if range is None else [tuple(range[2 * i : 2 * i + 2]) for i in _count(many)]
    weights = None if weight is None else weight._a.reshape(-1)
    counts, found = np.histogramdd(points, edges, spans, density, weights)
    kind = input._a.dtype
    pack = return_type("histogramdd", "hist", "bin_edges")
    return pack(wrap(counts.astype(kind)), tuple(wrap(e.astype(kind)) for e in found))


def _count(n: int) -> list[int]:
    return [*map(int, np.arange(n))]


# --- Bessel functions


def bessel_j0(input: Any) -> Any:
    """Return the Bessel function of the first kind of order 0."""
    return _bessel(input, 0)


def bessel_j1(input: Any) -> Any:
    """Return the Bessel function of the first kind of order 1."""
    return _bessel(input, 1)


def _bessel(input: Any, order: int) -> Any:
    """Take the mean of ``cos(order * t - x sin t)`` over half a turn.

    The mean over equal steps of a periodic function is exact but for terms of orders above their
    number, which are nothing once that is some tens above the size of x.
    """
    x = input._a.astype(np.float64)
    steps = 2 * (int(np.abs(x).max(initial=0.0)) + 40)
    total = np.zeros_like(x)
    for k in range(steps):
        t = 2 * math.pi * (k + 0.5) / steps
        total += np.cos(order * t - x * math.sin(t))
    kind = input._a.dtype if input._a.dtype.kind == "f" else dtypes.default_float()
    return wrap((total / steps).astype(kind))
