"""Convolutions and transposed convolutions."""

import math
from typing import Any

from gradcore.creation import empty
from gradcore.nn import functional as F
from gradcore.nn import init
from gradcore.nn.catalog import derive_error, module, sample
from gradcore.nn.functional.spatial import ntuple
from gradcore.nn.module import Module
from gradcore.nn.parameter import Parameter
from gradcore.ops.convolution import output_size
from gradcore.tensor import Tensor

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def _spatial(n: int, arguments: Any, bound: Any) -> list[Any]:
    """Return the sizes of the axes a contract calls L, or H and W, or D, H and W."""
    return [bound[name] for name in ("L",)] if n == 1 else [bound[x] for x in "DHW"[3 - n :]]


def convolved(n: int) -> Any:
    """Return the function that computes the output sizes of an n-dimensional convolution."""

    def derive(arguments: Any, bound: Any) -> dict[str, Any]:
        kernel = ntuple(arguments["kernel_size"], n)
        stride = ntuple(arguments["stride"], n)
        dilation = ntuple(arguments["dilation"], n)
        padding = arguments["padding"]
        names = [f"{name}_out" for name in ("L" if n == 1 else "DHW"[3 - n :])]
        sizes = _spatial(n, arguments, bound)
        if padding == "same":
            return dict(zip(names, sizes, strict=True))
        extra = (0,) * n if padding == "valid" else ntuple(padding, n)
        out = [
            output_size(size, k, s, p, d)
            for size, k, s, p, d in zip(sizes, kernel, stride, extra, dilation, strict=True)
        ]
        for size, made, k in zip(sizes, out, kernel, strict=True):
            if isinstance(made, int) and made < 1:
                raise derive_error(
                    f"got an axis of {size}, too short for a kernel of {k}",
                    "Use a smaller kernel, or more padding.",
                )
        return dict(zip(names, out, strict=True))

    return derive


class _ConvNd(Module):
    """What convolutions of every dimension share."""

    __constants__ = [
        "stride",
        "padding",
        "dilation",
        "groups",
        "padding_mode",
        "output_padding",
        "in_channels",
        "out_channels",
        "kernel_size",
    ]
    _dims = 0
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        sizes: tuple[Any, Any, Any, Any],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        stride, padding, dilation, output_padding = sizes
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        n = self._dims
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = ntuple(kernel_size, n)
        self.stride = ntuple(stride, n)
        self.dilation = ntuple(dilation, n)
        self.output_padding = ntuple(output_padding, n)
        self.groups = groups
        self.padding_mode = padding_mode
        self.padding = self._checked_padding(padding)
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {set(_PADDING_MODES)}, "
                f"but got padding_mode='{padding_mode}'"
            )
        first, second = out_channels, in_channels // groups
        if self.transposed:
            first, second = in_channels, out_channels // groups
        shape = (first, second, *self.kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _checked_padding(self, padding: Any) -> Any:
        if not isinstance(padding, str):
            return ntuple(padding, self._dims)
        if padding not in ("same", "valid"):
            raise ValueError(
                f"Invalid padding string '{padding}', should be one of 'same', 'valid'"
            )
        if padding == "same" and any(step != 1 for step in self.stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
        return padding

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def _padded(self, input: Tensor) -> tuple[Tensor, Any]:
        """Pad by mode where that isn't zeros; also return the padding left to do."""
        if self.padding_mode == "zeros":
            return input, self.padding
        widths: list[int] = []
        if self.padding == "same":
            for k, d in zip(reversed(self.kernel_size), reversed(self.dilation), strict=True):
                total = d * (k - 1)
                widths += [total // 2, total - total // 2]
        elif self.padding != "valid":
            for extra in reversed(self.padding):
                widths += [extra, extra]
        return F.pad(input, widths, self.padding_mode), 0

    def extra_repr(self) -> str:
        n = len(self.kernel_size)
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        if self.padding != (0,) * n:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * n:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * n:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Convolution(_ConvNd):
    """A convolution forwards, with the constructor they all have."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | str | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        sizes = (stride, padding, dilation, 0)
        super().__init__(
            in_channels, out_channels, kernel_size, sizes, groups, bias, padding_mode, device, dtype
        )


_CONV_ALIASES = ("conv", "convolution", "filter", "kernel")


@module(
    family="convolution",
    shape="([N], in_channels, L) -> ([N], out_channels, L_out)",
    derive=convolved(1),
    summary="Slides kernels along a sequence.",
    aliases=_CONV_ALIASES,
    samples=[
        sample(2, 3, 3, inputs=[(2, 2, 6)]),
        sample(4, 6, 3, stride=2, padding=1, groups=2, bias=False, inputs=[(2, 4, 7)]),
        sample(2, 3, 4, padding="same", inputs=[(2, 6)]),
        sample(2, 3, 3, padding=2, padding_mode="circular", inputs=[(1, 2, 6)]),
    ],
)
class Conv1d(_Convolution):
    """Slide `out_channels` kernels along (N, in_channels, L).

    Attributes: weight (out_channels, in_channels / groups, kernel_size) and bias, drawn
        uniformly between -k and k with k = 1 / sqrt(fan in).
    """

    _dims = 1

    def forward(self, input: Tensor) -> Tensor:
        input, padding = self._padded(input)
        return F.conv1d(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )


@module(
    family="convolution",
    shape="([N], in_channels, H, W) -> ([N], out_channels, H_out, W_out)",
    derive=convolved(2),
    summary="Slides kernels over an image.",
    aliases=_CONV_ALIASES,
    samples=[
        sample(2, 3, 3, inputs=[(2, 2, 5, 6)]),
        sample(4, 6, (3, 2), stride=(2, 1), padding=1, groups=2, inputs=[(2, 4, 6, 5)]),
        sample(2, 3, 3, padding="same", dilation=2, bias=False, inputs=[(2, 5, 5)]),
        sample(2, 3, 1, inputs=[(2, 2, 3, 3)]),
        sample(2, 3, 3, padding=1, padding_mode="reflect", inputs=[(1, 2, 4, 4)]),
    ],
)
class Conv2d(_Convolution):
    """Slide `out_channels` kernels over (N, in_channels, H, W).

    Attributes: weight (out_channels, in_channels / groups, *kernel_size) and bias, drawn
        uniformly between -k and k with k = 1 / sqrt(fan in).
    """

    _dims = 2

    def forward(self, input: Tensor) -> Tensor:
        input, padding = self._padded(input)
        return F.conv2d(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )


@module(
    family="convolution",
    shape="([N], in_channels, D, H, W) -> ([N], out_channels, D_out, H_out, W_out)",
    derive=convolved(3),
    summary="Slides kernels through a volume.",
    aliases=_CONV_ALIASES,
    samples=[sample(2, 3, 2, inputs=[(1, 2, 3, 4, 3)])],
)
class Conv3d(_Convolution):
    """Slide `out_channels` kernels through (N, in_channels, D, H, W)."""

    _dims = 3

    def forward(self, input: Tensor) -> Tensor:
        input, padding = self._padded(input)
        return F.conv3d(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )


def transposed(n: int) -> Any:
    """Return the function that computes the output sizes of a transposed convolution."""

    def derive(arguments: Any, bound: Any) -> dict[str, Any]:
        names = "L" if n == 1 else "DHW"[3 - n :]
        columns = [
            ntuple(arguments[key], n)
            for key in ("kernel_size", "stride", "padding", "dilation", "output_padding")
        ]
        sizes = _spatial(n, arguments, bound)
        out = {}
        for name, size, k, s, p, d, extra in zip(names, sizes, *columns, strict=True):
            grown: Any = "?"
            if isinstance(size, int):
                grown = (size - 1) * s - 2 * p + d * (k - 1) + extra + 1
                if grown < 1:
                    raise derive_error(f"got an axis of {size}, of which padding leaves nothing")
            out[f"{name}_out"] = grown
        return out

    return derive


class _ConvTransposeNd(_ConvNd):
    """A transposed convolution, with the constructor they all have."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        output_padding: int | tuple[int, ...] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, ...] = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError('Only "zeros" padding mode is supported for ' + type(self).__name__)
        sizes = (stride, padding, dilation, output_padding)
        super().__init__(
            in_channels, out_channels, kernel_size, sizes, groups, bias, padding_mode, device, dtype
        )

    def _extra(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        """Return the output padding that leads to the size asked for."""
        if output_size is None:
            return self.output_padding
        n = self._dims
        wanted = tuple(output_size)[-n:]
        extra = tuple(
            want - ((size - 1) * s - 2 * p + d * (k - 1) + 1)
            for want, size, s, p, d, k in zip(
                wanted,
                input.shape[-n:],
                self.stride,
                self.padding,
                self.dilation,
                self.kernel_size,
                strict=True,
            )
        )
        if any(not 0 <= e < s for e, s in zip(extra, self.stride, strict=True)):
            raise ValueError(
                f"requested an output size of {list(output_size)}, which an input of "
                f"{list(input.shape[-n:])} does not lead to with stride={self.stride}"
            )
        return extra


@module(
    family="convolution",
    shape="([N], in_channels, L) -> ([N], out_channels, L_out)",
    derive=transposed(1),
    summary="Spreads each value along a longer sequence.",
    aliases=("deconv", "upconv"),
    samples=[
        sample(2, 3, 3, inputs=[(2, 2, 4)]),
        sample(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2, inputs=[(2, 4, 3)]),
    ],
)
class ConvTranspose1d(_ConvTransposeNd):
    """Spread each value of (N, in_channels, L) over a window."""

    _dims = 1

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        extra = self._extra(input, output_size)
        return F.conv_transpose1d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )


@module(
    family="convolution",
    shape="([N], in_channels, H, W) -> ([N], out_channels, H_out, W_out)",
    derive=transposed(2),
    summary="Spreads each value over a larger image.",
    aliases=("deconv", "upconv"),
    samples=[
        sample(2, 3, 3, inputs=[(2, 2, 3, 4)]),
        sample(4, 2, 4, stride=2, padding=1, bias=False, inputs=[(2, 4, 3, 3)]),
        sample(2, 2, 3, stride=2, output_padding=1, dilation=2, inputs=[(2, 3, 3)]),
    ],
)
class ConvTranspose2d(_ConvTransposeNd):
    """Spread each value of (N, in_channels, H, W) over a window."""

    _dims = 2

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        extra = self._extra(input, output_size)
        return F.conv_transpose2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )


@module(
    family="convolution",
    shape="([N], in_channels, D, H, W) -> ([N], out_channels, D_out, H_out, W_out)",
    derive=transposed(3),
    summary="Spreads each value through a larger volume.",
    aliases=("deconv", "upconv"),
    samples=[sample(2, 3, 2, stride=2, inputs=[(1, 2, 2, 2, 3)])],
)
class ConvTranspose3d(_ConvTransposeNd):
    """Spread each value of (N, in_channels, D, H, W) over a window."""

    _dims = 3

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        extra = self._extra(input, output_size)
        return F.conv_transpose3d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )
