"""Resampling, rearranging and padding of images and sequences."""

from typing import Any

from gradcore.nn import functional as F
from gradcore.nn.catalog import derive_error, module, sample
from gradcore.nn.functional.spatial import ntuple
from gradcore.nn.module import Module
from gradcore.tensor import Tensor


def _resized(arguments: Any, bound: Any) -> dict[str, Any]:
    space = bound["*"]
    size, factor = arguments["size"], arguments["scale_factor"]
    if size is not None:
        wanted = tuple(size) if isinstance(size, (tuple, list)) else (size,) * len(space)
        return {"space": wanted}
    factors = factor if isinstance(factor, (tuple, list)) else (factor,) * len(space)
    return {
        "space": tuple(
            int(have * times) if isinstance(have, int) else have
            for have, times in zip(space, factors, strict=True)
        )
    }


@module(
    family="vision",
    shape="(N, C, *) -> (N, C, space)",
    derive=_resized,
    summary="Makes images larger or smaller.",
    aliases=("resize", "interpolate"),
    samples=[
        sample(scale_factor=2, inputs=[(1, 2, 3, 3)]),
        sample((5, 4), mode="bilinear", align_corners=True, inputs=[(1, 2, 3, 3)]),
        sample(scale_factor=1.5, mode="bilinear", inputs=[(1, 2, 4, 4)]),
        sample(scale_factor=2, mode="bicubic", inputs=[(1, 2, 4, 4)]),
        sample(scale_factor=2, mode="linear", inputs=[(1, 2, 4)]),
        sample(3, mode="nearest-exact", inputs=[(1, 2, 4, 5)]),
    ],
)
class Upsample(Module):
    """Resample the axes after the second to another size."""

    __constants__ = ["size", "scale_factor", "mode", "align_corners", "name"]

    def __init__(
        self,
        size: int | tuple[int, ...] | None = None,
        scale_factor: float | tuple[float, ...] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor: Any = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor!r}, mode={self.mode!r}"
        return f"size={self.size!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Resample images by taking the nearest pixel."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Resample images linearly, corner to corner."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


def _shuffled(arguments: Any, bound: Any) -> dict[str, Any]:
    r = arguments["upscale_factor"]
    channels = bound["C"]
    if isinstance(channels, int) and channels % (r * r):
        raise derive_error(f"got {channels} channels, PixelShuffle needs a multiple of {r * r}")
    return {
        "C_out": channels // (r * r) if isinstance(channels, int) else channels,
        "H_out": _times(bound["H"], r),
        "W_out": _times(bound["W"], r),
    }


def _times(size: Any, factor: int) -> Any:
    return size * factor if isinstance(size, int) else size


@module(
    family="vision",
    shape="(*, C, H, W) -> (*, C_out, H_out, W_out)",
    derive=_shuffled,
    summary="Turns channels into finer pixels.",
    samples=[sample(2, inputs=[(1, 8, 2, 3)])],
)
class PixelShuffle(Module):
    """Rearrange (*, C r r, H, W) to (*, C, H r, W r)."""

    __constants__ = ["upscale_factor"]

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


def _unshuffled(arguments: Any, bound: Any) -> dict[str, Any]:
    r = arguments["downscale_factor"]
    for size in (bound["H"], bound["W"]):
        if isinstance(size, int) and size % r:
            raise derive_error(f"got an axis of {size}, PixelUnshuffle needs a multiple of {r}")
    return {
        "C_out": _times(bound["C"], r * r),
        "H_out": bound["H"] // r if isinstance(bound["H"], int) else bound["H"],
        "W_out": bound["W"] // r if isinstance(bound["W"], int) else bound["W"],
    }


@module(
    family="vision",
    shape="(*, C, H, W) -> (*, C_out, H_out, W_out)",
    derive=_unshuffled,
    summary="Turns pixels into channels.",
    samples=[sample(2, inputs=[(1, 2, 4, 6)])],
)
class PixelUnshuffle(Module):
    """Rearrange (*, C, H r, W r) to (*, C r r, H, W)."""

    __constants__ = ["downscale_factor"]

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


def _padded(n: int) -> Any:
    names = "L" if n == 1 else "DHW"[3 - n :]

    def derive(arguments: Any, bound: Any) -> dict[str, Any]:
        widths = ntuple(arguments["padding"], 2 * n)
        out = {}
        for place, name in enumerate(reversed(names)):
            size = bound[name]
            if isinstance(size, int):
                size += widths[2 * place] + widths[2 * place + 1]
                if size < 1:
                    raise derive_error(f"padding {widths} leaves nothing of {bound[name]}")
            out[f"{name}_out"] = size
        return out

    return derive


_SHAPES = {
    1: "([N], C, L) -> ([N], C, L_out)",
    2: "([N], C, H, W) -> ([N], C, H_out, W_out)",
    3: "([N], C, D, H, W) -> ([N], C, D_out, H_out, W_out)",
}


class _Pad(Module):
    """A padding layer: the widths (left, right) of the last axis first."""

    __constants__ = ["padding"]
    _mode = "constant"
    _dims = 0

    def __init__(self, padding: int | tuple[int, ...]) -> None:
        super().__init__()
        self.padding = ntuple(padding, 2 * self._dims)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    __constants__ = ["padding", "value"]

    def __init__(self, padding: int | tuple[int, ...], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | tuple[int, ...]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


_SAMPLE_SHAPES = {1: (2, 3, 4), 2: (2, 3, 4, 5), 3: (1, 2, 3, 4, 3)}


def _pad_class(base: type[_Pad], kind: str, n: int, summary: str, *more: Any) -> Any:
    """Make and enter the padding class of one kind and dimension."""
    inputs = [_SAMPLE_SHAPES[n]]
    widths = (1, 2, 0, 1, 1, 0)[: 2 * n]
    cls = type(
        f"{kind}Pad{n}d",
        (base,),
        {
            "__doc__": f"{summary} The padding lists (left, right) of the last axis first.",
            "__module__": __name__,
            "_dims": n,
        },
    )
    samples = [sample(1, *more, inputs=inputs), sample(widths, *more, inputs=inputs)]
    enter = module(
        family="padding", shape=_SHAPES[n], derive=_padded(n), summary=summary, samples=samples
    )
    return enter(cls)


class _ReflectionPad(_Pad):
    _mode = "reflect"


class _ReplicationPad(_Pad):
    _mode = "replicate"


class _CircularPad(_Pad):
    _mode = "circular"


_ZERO, _CONSTANT = "Adds a border of zeros.", "Adds a border of one value."
_REFLECT, _REPLICATE = "Mirrors the image at its border.", "Repeats the values at the border."
_CIRCULAR = "Goes on at the border with the other side."
ZeroPad1d = _pad_class(_ZeroPad, "Zero", 1, _ZERO)
ZeroPad2d = _pad_class(_ZeroPad, "Zero", 2, _ZERO)
ZeroPad3d = _pad_class(_ZeroPad, "Zero", 3, _ZERO)
ConstantPad1d = _pad_class(_ConstantPad, "Constant", 1, _CONSTANT, 0.5)
ConstantPad2d = _pad_class(_ConstantPad, "Constant", 2, _CONSTANT, 0.5)
ConstantPad3d = _pad_class(_ConstantPad, "Constant", 3, _CONSTANT, 0.5)
ReflectionPad1d = _pad_class(_ReflectionPad, "Reflection", 1, _REFLECT)
ReflectionPad2d = _pad_class(_ReflectionPad, "Reflection", 2, _REFLECT)
ReflectionPad3d = _pad_class(_ReflectionPad, "Reflection", 3, _REFLECT)
ReplicationPad1d = _pad_class(_ReplicationPad, "Replication", 1, _REPLICATE)
ReplicationPad2d = _pad_class(_ReplicationPad, "Replication", 2, _REPLICATE)
ReplicationPad3d = _pad_class(_ReplicationPad, "Replication", 3, _REPLICATE)
CircularPad1d = _pad_class(_CircularPad, "Circular", 1, _CIRCULAR)
CircularPad2d = _pad_class(_CircularPad, "Circular", 2, _CIRCULAR)
CircularPad3d = _pad_class(_CircularPad, "Circular", 3, _CIRCULAR)
