"""Convolution, pooling and padding under the names of `torch.nn.functional`."""

from typing import Any

from gradcore.errors import ShapeError
from gradcore.graph import work_out, wrap
from gradcore.ops import convolution as conv
from gradcore.ops import pooling as pool
from gradcore.ops.padding import border_pad, constant_pad_nd
from gradcore.tensor import Tensor

Ints = tuple[int, ...]
Sizes = int | tuple[int, ...]


def ntuple(value: Any, n: int) -> Ints:
    """Return `n` sizes: a number stands for all of them."""
    if isinstance(value, (tuple, list)):
        sizes = tuple(int(item) for item in value)
        return sizes * n if len(sizes) == 1 else sizes
    return (int(value),) * n


def _with_batch(input: Tensor, n: int, name: str) -> tuple[Tensor, bool]:
    """Give an input without a batch axis one; also return whether it had one."""
    if input.dim() == n + 2:
        return input, True
    if input.dim() == n + 1:
        return input.unsqueeze(0), False
    raise ShapeError(
        f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {name}, "
        f"but got input of size: {list(input.shape)}",
        "",
        "Reshape what feeds it: (batch, channels, ...).",
        shapes=(tuple(input.shape),),
    )


def _convolve(
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sizes: tuple[Any, Any, Any],
    groups: int,
) -> Tensor:
    stride, padding, dilation = sizes
    steps, spread = ntuple(stride, n), ntuple(dilation, n)
    input, batched = _with_batch(input, n, f"conv{n}d")
    if isinstance(padding, str):
        input, extra = _named_padding(input, weight, padding, steps, spread)
    else:
        extra = ntuple(padding, n)
    out: Tensor = conv.convolution(input, weight, bias, steps, extra, spread, groups)
    return out if batched else out.squeeze(0)


def _named_padding(
    input: Tensor, weight: Tensor, padding: str, stride: Ints, dilation: Ints
) -> tuple[Tensor, Ints]:
    """Resolve "valid" and "same"; an uneven total is padded on the right beforehand."""
    n = len(stride)
    if padding == "valid":
        return input, (0,) * n
    if padding != "same":
        raise ValueError(f"Invalid padding string '{padding}', should be one of 'valid', 'same'")
    if any(step != 1 for step in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if any(total % 2 for total in totals):
        right: list[int] = []
        for total in reversed(totals):
            right += [0, total % 2]
        input = pad(input, right)
    return input, tuple(total // 2 for total in totals)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Slide kernels over (N, C, L)."""
    return _convolve(1, input, weight, bias, (stride, padding, dilation), groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Slide kernels over (N, C, H, W)."""
    return _convolve(2, input, weight, bias, (stride, padding, dilation), groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Slide kernels over (N, C, D, H, W)."""
    return _convolve(3, input, weight, bias, (stride, padding, dilation), groups)


def _transpose(
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sizes: tuple[Any, Any, Any, Any],
    groups: int,
) -> Tensor:
    stride, padding, output_padding, dilation = (ntuple(size, n) for size in sizes)
    input, batched = _with_batch(input, n, f"conv_transpose{n}d")
    if input.shape[1] != weight.shape[0]:
        raise ShapeError(
            f"Given transposed=1, weight of size {list(weight.shape)}, expected "
            f"input{list(input.shape)} to have {weight.shape[0]} channels, but got "
            f"{input.shape[1]} channels instead",
            "",
            f"Set in_channels={input.shape[1]}, or change what feeds it.",
            shapes=(tuple(input.shape), tuple(weight.shape)),
        )
    for extra, step, spread in zip(output_padding, stride, dilation, strict=True):
        if extra >= max(step, spread):
            raise RuntimeError(
                "output padding must be smaller than either stride or dilation, but got "
                f"output_padding: {extra} stride: {step} dilation: {spread}"
            )
    size = tuple(
        (length - 1) * s - 2 * p + d * (k - 1) + extra + 1
        for length, k, s, p, extra, d in zip(
            input.shape[2:],
            weight.shape[2:],
            stride,
            padding,
            output_padding,
            dilation,
            strict=True,
        )
    )
    out: Tensor = conv.convolution_input(input, weight, size, stride, padding, dilation, groups)
    if bias is not None:
        out = out + bias.reshape((-1,) + (1,) * n)
    return out if batched else out.squeeze(0)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Spread each value of (N, C, L) over a window."""
    sizes = (stride, padding, output_padding, dilation)
    return _transpose(1, input, weight, bias, sizes, groups)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Spread each value of (N, C, H, W) over a window."""
    sizes = (stride, padding, output_padding, dilation)
    return _transpose(2, input, weight, bias, sizes, groups)


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Spread each value of (N, C, D, H, W) over a window."""
    sizes = (stride, padding, output_padding, dilation)
    return _transpose(3, input, weight, bias, sizes, groups)


def _max_pool(
    n: int,
    input: Tensor,
    sizes: tuple[Any, Any, Any, Any],
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    kernel_size, stride, padding, dilation = sizes
    kernel = ntuple(kernel_size, n)
    step = kernel if stride is None or stride == [] else ntuple(stride, n)
    extra, spread = ntuple(padding, n), ntuple(dilation, n)
    input, batched = _with_batch(input, n, f"max_pool{n}d")
    out, chosen = pool.max_pool(input, kernel, step, extra, spread, ceil_mode)
    out = out if batched else out.squeeze(0)
    if not return_indices:
        return out
    flat = pool.flat_indices(chosen._a, tuple(input.shape[2:]), kernel, step, extra, spread)
    return out, wrap(flat if batched else flat[0])


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest value of each window of (N, C, L)."""
    sizes = (kernel_size, stride, padding, dilation)
    return _max_pool(1, input, sizes, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest value of each window of (N, C, H, W)."""
    sizes = (kernel_size, stride, padding, dilation)
    return _max_pool(2, input, sizes, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest value of each window of (N, C, D, H, W)."""
    sizes = (kernel_size, stride, padding, dilation)
    return _max_pool(3, input, sizes, ceil_mode, return_indices)


def _avg_pool(
    n: int,
    input: Tensor,
    sizes: tuple[Any, Any, Any],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    kernel_size, stride, padding = sizes
    kernel = ntuple(kernel_size, n)
    step = kernel if stride is None or stride == [] else ntuple(stride, n)
    input, batched = _with_batch(input, n, f"avg_pool{n}d")
    out: Tensor = pool.avg_pool(
        input, kernel, step, ntuple(padding, n), ceil_mode, count_include_pad, divisor_override
    )
    return out if batched else out.squeeze(0)


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Return the mean of each window of (N, C, L)."""
    sizes = (kernel_size, stride, padding)
    return _avg_pool(1, input, sizes, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of each window of (N, C, H, W)."""
    sizes = (kernel_size, stride, padding)
    return _avg_pool(2, input, sizes, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of each window of (N, C, D, H, W)."""
    sizes = (kernel_size, stride, padding)
    return _avg_pool(3, input, sizes, ceil_mode, count_include_pad, divisor_override)


def _output_sizes(output_size: Any, input: Tensor, n: int) -> Ints:
    given = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * n
    return tuple(
        size if wanted is None else int(wanted)
        for wanted, size in zip(given, input.shape[-n:], strict=True)
    )


def _adaptive_avg(n: int, input: Tensor, output_size: Any) -> Tensor:
    input, batched = _with_batch(input, n, f"adaptive_avg_pool{n}d")
    sizes = _output_sizes(output_size, input, n)
    out = input
    if all(size == 1 for size in sizes):
        out = input.mean(tuple(range(-n, 0)), keepdim=True)
    elif all(have % want == 0 for have, want in zip(input.shape[2:], sizes, strict=True)):
        kernel = tuple(have // want for have, want in zip(input.shape[2:], sizes, strict=True))
        out = pool.avg_pool(input, kernel, kernel, (0,) * n, False, True, None)
    else:
        for axis, want in enumerate(sizes):
            have = input.shape[2 + axis]
            matrix = work_out(pool.averaging_matrix, have, want, input._a.dtype)
            moved = out.movedim(2 + axis, -1) @ matrix.T
            out = moved.movedim(-1, 2 + axis)
    return out if batched else out.squeeze(0)


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Return the means of as many regions of (N, C, L) as asked for."""
    return _adaptive_avg(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Return the means of as many regions of (N, C, H, W) as asked for."""
    return _adaptive_avg(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Return the means of as many regions of (N, C, D, H, W) as asked for."""
    return _adaptive_avg(3, input, output_size)


def _adaptive_max(n: int, input: Tensor, output_size: Any, return_indices: bool) -> Any:
    input, batched = _with_batch(input, n, f"adaptive_max_pool{n}d")
    sizes = _output_sizes(output_size, input, n)
    indices = wrap(pool.adaptive_indices(input._a, sizes))
    out = pool.gather_flat(input, indices)
    if not batched:
        out, indices = out.squeeze(0), indices.squeeze(0)
    return (out, indices) if return_indices else out


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return the largest values of as many regions of (N, C, L) as asked for."""
    return _adaptive_max(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return the largest values of as many regions of (N, C, H, W) as asked for."""
    return _adaptive_max(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return the largest values of as many regions of (N, C, D, H, W) as asked for."""
    return _adaptive_max(3, input, output_size, return_indices)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Put the values of a maximum pool back where they came from, zero elsewhere."""
    kernel = ntuple(kernel_size, 2)
    step = kernel if stride is None else ntuple(stride, 2)
    extra = ntuple(padding, 2)
    input, batched = _with_batch(input, 2, "max_unpool2d")
    size = (
        tuple(output_size)[-2:]
        if output_size is not None
        else tuple(
            (n - 1) * s - 2 * p + k
            for n, s, p, k in zip(input.shape[2:], step, extra, kernel, strict=True)
        )
    )
    out: Tensor = pool.scatter_flat(input, indices if batched else indices.unsqueeze(0), size)
    return out if batched else out.squeeze(0)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """Return the p-norm of each window of (N, C, H, W)."""
    kernel = ntuple(kernel_size, 2)
    mean = avg_pool2d(input.pow(norm_type), kernel, stride, 0, ceil_mode)
    area = kernel[0] * kernel[1]
    result: Tensor = (mean.sign() * mean.abs().relu()).mul(area).pow(1.0 / norm_type)
    return result


_MODES = ("constant", "reflect", "replicate", "circular")


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """Pad the last axes; `pad` lists (left, right) of the last axis first."""
    widths = [int(size) for size in pad]
    if len(widths) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(widths) // 2 > input.dim():
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but "
            f"got padding length {len(widths)} and input of dimension {input.dim()}"
        )
    if mode not in _MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    n = len(widths) // 2
    pairs = [(0, 0)] * (input.dim() - n) + [
        (widths[2 * i], widths[2 * i + 1]) for i in reversed(range(n))
    ]
    if mode == "constant":
        result: Tensor = constant_pad_nd(input, widths, value or 0.0)
        return result
    return _padded_by_borders(input, pairs, mode)


def _padded_by_borders(input: Tensor, pairs: list[tuple[int, int]], mode: str) -> Tensor:
    for axis, (left, right) in enumerate(pairs):
        size = input.shape[axis]
        if mode == "reflect" and max(left, right) >= size:
            raise RuntimeError(
                "Argument #4: Padding size should be less than the corresponding input dimension, "
                f"but got: padding ({left}, {right}) at dimension {axis} of input "
                f"{list(input.shape)}"
            )
        if mode == "circular" and max(left, right) > size:
            raise RuntimeError(
                "Padding value causes wrapping around more than once: padding "
                f"({left}, {right}) of a dimension of size {size}"
            )
    # As torch: what is cut off is cut off first, and so not repeated.
    kept = [(max(left, 0), max(right, 0)) for left, right in pairs]
    if any(min(pair) < 0 for pair in pairs):
        widths = [min(width, 0) for pair in reversed(pairs) for width in pair]
        input = constant_pad_nd(input, widths, 0.0)
    result: Tensor = border_pad(input, tuple(kept), mode)
    return result
