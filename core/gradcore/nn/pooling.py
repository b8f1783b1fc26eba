"""Pooling layers."""

from typing import Any

from gradcore.nn import functional as F
from gradcore.nn.catalog import derive_error, module, sample
from gradcore.nn.functional.spatial import ntuple
from gradcore.nn.module import Module
from gradcore.ops.pooling import pooled_size
from gradcore.tensor import Tensor


def _names(n: int) -> str:
    return "L" if n == 1 else "DHW"[3 - n :]


def pooled(n: int) -> Any:
    """Return the function that computes the output sizes of an n-dimensional pooling."""

    def derive(arguments: Any, bound: Any) -> dict[str, Any]:
        kernel = ntuple(arguments["kernel_size"], n)
        given = arguments["stride"]
        stride = kernel if given is None else ntuple(given, n)
        padding = ntuple(arguments["padding"], n)
        dilation = ntuple(arguments.get("dilation", 1), n)
        out = {}
        for name, k, s, p, d in zip(_names(n), kernel, stride, padding, dilation, strict=True):
            size = pooled_size(bound[name], k, s, p, d, arguments["ceil_mode"])
            if isinstance(size, int) and size < 1:
                raise derive_error(
                    f"got an axis of {bound[name]}, too short for a window of {k}",
                    "Use a smaller kernel_size, or pool less often before.",
                )
            out[f"{name}_out"] = size
        return out

    return derive


_SHAPES = {
    1: "([N], C, L) -> ([N], C, L_out)",
    2: "([N], C, H, W) -> ([N], C, H_out, W_out)",
    3: "([N], C, D, H, W) -> ([N], C, D_out, H_out, W_out)",
}


class _MaxPoolNd(Module):
    __constants__ = [
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "return_indices",
        "ceil_mode",
    ]

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )

    def _settings(self) -> tuple[Any, ...]:
        return (
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


_MAX_SUMMARY = "Keeps the largest value of each window."


@module(
    family="pooling",
    shape=_SHAPES[1],
    derive=pooled(1),
    summary=_MAX_SUMMARY,
    samples=[
        sample(2, inputs=[(2, 3, 6)]),
        sample(3, stride=2, padding=1, ceil_mode=True, inputs=[(2, 3, 6)]),
    ],
)
class MaxPool1d(_MaxPoolNd):
    """Return the largest value of each window of (N, C, L)."""

    def forward(self, input: Tensor) -> Any:
        return F.max_pool1d(input, *self._settings())


@module(
    family="pooling",
    shape=_SHAPES[2],
    derive=pooled(2),
    summary=_MAX_SUMMARY,
    aliases=("maxpool", "downsample"),
    samples=[
        sample(2, inputs=[(2, 3, 4, 6)]),
        sample((3, 2), stride=(2, 1), padding=1, dilation=1, inputs=[(2, 3, 5, 5)]),
        sample(3, stride=2, ceil_mode=True, inputs=[(3, 6, 6)]),
    ],
)
class MaxPool2d(_MaxPoolNd):
    """Return the largest value of each window of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Any:
        return F.max_pool2d(input, *self._settings())


@module(
    family="pooling",
    shape=_SHAPES[3],
    derive=pooled(3),
    summary=_MAX_SUMMARY,
    samples=[sample(2, inputs=[(1, 2, 4, 4, 4)])],
)
class MaxPool3d(_MaxPoolNd):
    """Return the largest value of each window of (N, C, D, H, W)."""

    def forward(self, input: Tensor) -> Any:
        return F.max_pool3d(input, *self._settings())


_AVG_SUMMARY = "Takes the mean of each window."


class _AvgPoolNd(Module):
    __constants__ = ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"]
    kernel_size: Any
    stride: Any
    padding: Any

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


@module(
    family="pooling",
    shape=_SHAPES[1],
    derive=pooled(1),
    summary=_AVG_SUMMARY,
    samples=[sample(2, inputs=[(2, 3, 6)]), sample(3, 2, 1, inputs=[(2, 3, 6)])],
)
class AvgPool1d(_AvgPoolNd):
    """Return the mean of each window of (N, C, L)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = ntuple(kernel_size, 1)
        self.stride = ntuple(stride if stride is not None else kernel_size, 1)
        self.padding = ntuple(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )


class _AvgPool(_AvgPoolNd):
    __constants__ = [
        "kernel_size",
        "stride",
        "padding",
        "ceil_mode",
        "count_include_pad",
        "divisor_override",
    ]

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def _settings(self) -> tuple[Any, ...]:
        return (
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


@module(
    family="pooling",
    shape=_SHAPES[2],
    derive=pooled(2),
    summary=_AVG_SUMMARY,
    aliases=("avgpool", "mean"),
    samples=[
        sample(2, inputs=[(2, 3, 4, 6)]),
        sample(3, 2, 1, True, False, inputs=[(2, 3, 5, 5)]),
        sample((2, 3), divisor_override=4, inputs=[(3, 4, 6)]),
    ],
)
class AvgPool2d(_AvgPool):
    """Return the mean of each window of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(input, *self._settings())


@module(
    family="pooling",
    shape=_SHAPES[3],
    derive=pooled(3),
    summary=_AVG_SUMMARY,
    samples=[sample(2, inputs=[(1, 2, 4, 4, 4)])],
)
class AvgPool3d(_AvgPool):
    """Return the mean of each window of (N, C, D, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool3d(input, *self._settings())


def adapted(n: int) -> Any:
    """Return the function that computes the output sizes of an adaptive pooling."""

    def derive(arguments: Any, bound: Any) -> dict[str, Any]:
        given = arguments["output_size"]
        wanted = given if isinstance(given, (tuple, list)) else (given,) * n
        return {
            f"{name}_out": bound[name] if size is None else size
            for name, size in zip(_names(n), wanted, strict=True)
        }

    return derive


class _AdaptiveNd(Module):
    __constants__ = ["output_size"]

    def __init__(self, output_size: int | tuple[int | None, ...] | None) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


_ADAPTIVE_AVG = "Takes means so that the output has a given size, whatever the input's."


@module(
    family="pooling",
    shape=_SHAPES[1],
    derive=adapted(1),
    summary=_ADAPTIVE_AVG,
    samples=[sample(3, inputs=[(2, 2, 6)]), sample(4, inputs=[(2, 2, 7)])],
)
class AdaptiveAvgPool1d(_AdaptiveNd):
    """Return the means of `output_size` regions of (N, C, L)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)


@module(
    family="pooling",
    shape=_SHAPES[2],
    derive=adapted(2),
    summary=_ADAPTIVE_AVG,
    aliases=("global average", "gap"),
    samples=[
        sample(1, inputs=[(2, 3, 4, 4)]),
        sample((2, None), inputs=[(2, 3, 4, 5)]),
        sample((3, 2), inputs=[(2, 3, 7, 5)]),
    ],
)
class AdaptiveAvgPool2d(_AdaptiveNd):
    """Return the means of `output_size` regions of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)


@module(
    family="pooling",
    shape=_SHAPES[3],
    derive=adapted(3),
    summary=_ADAPTIVE_AVG,
    samples=[sample(2, inputs=[(1, 2, 3, 4, 5)])],
)
class AdaptiveAvgPool3d(_AdaptiveNd):
    """Return the means of `output_size` regions of (N, C, D, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool3d(input, self.output_size)


class _AdaptiveMaxNd(Module):
    __constants__ = ["output_size", "return_indices"]

    def __init__(
        self, output_size: int | tuple[int | None, ...] | None, return_indices: bool = False
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


_ADAPTIVE_MAX = "Keeps largest values so that the output has a given size."


@module(
    family="pooling",
    shape=_SHAPES[1],
    derive=adapted(1),
    summary=_ADAPTIVE_MAX,
    samples=[sample(3, inputs=[(2, 2, 7)])],
)
class AdaptiveMaxPool1d(_AdaptiveMaxNd):
    """Return the largest values of `output_size` regions of (N, C, L)."""

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


@module(
    family="pooling",
    shape=_SHAPES[2],
    derive=adapted(2),
    summary=_ADAPTIVE_MAX,
    samples=[sample((2, 3), inputs=[(2, 3, 5, 6)]), sample(1, inputs=[(3, 4, 4)])],
)
class AdaptiveMaxPool2d(_AdaptiveMaxNd):
    """Return the largest values of `output_size` regions of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class MaxUnpool2d(Module):
    """Put the values of a maximum pool back where they came from."""

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
    ) -> None:
        super().__init__()
        self.kernel_size = ntuple(kernel_size, 2)
        self.stride = ntuple(stride if stride is not None else kernel_size, 2)
        self.padding = ntuple(padding, 2)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return F.max_unpool2d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
