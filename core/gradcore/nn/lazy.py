"""Layers that learn one of their sizes from the first input they see."""

from typing import Any

from gradcore.creation import tensor
from gradcore.dtypes import int64
from gradcore.errors import ShapeError
from gradcore.nn.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    _ConvNd,
)
from gradcore.nn.linear import Linear
from gradcore.nn.module import Module
from gradcore.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    _NormBase,
)
from gradcore.nn.parameter import is_lazy
from gradcore.nn.uninitialized import UninitializedBuffer, UninitializedParameter
from gradcore.tensor import Tensor

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LazyLinear",
]


class _Lazy(Module):
    """What all lazy layers share: they become ordinary ones when they are first called."""

    cls_to_become: Any = None

    def has_uninitialized_params(self) -> bool:
        """Tell whether a size is still unknown."""
        own = (*self._parameters.values(), *self._buffers.values())
        return any(is_lazy(item) for item in own)

    def initialize_parameters(self, input: Tensor) -> None:
        """Take the unknown size from an input; each kind of layer has its own way."""
        raise NotImplementedError(f"{type(self).__name__} takes its size from nothing")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.has_uninitialized_params():
            self.initialize_parameters(*args, **kwargs)
        self.__class__ = self.cls_to_become
        return self(*args, **kwargs)


class _LazyConv(_Lazy, _ConvNd):
    """A convolution that takes `in_channels` from its first input."""

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        sizes = (stride, padding, dilation, 0)
        self._begin(out_channels, kernel_size, sizes, (groups, bias, padding_mode), dtype)

    def _begin(
        self, out_channels: int, kernel_size: Any, sizes: Any, rest: Any, dtype: Any
    ) -> None:
        groups, bias, padding_mode = rest
        _ConvNd.__init__(self, 0, 0, kernel_size, sizes, groups, False, padding_mode)
        self.out_channels = out_channels
        self.weight = UninitializedParameter(dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(dtype=dtype)

    def reset_parameters(self) -> None:
        if self.in_channels:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        n = self._dims
        if input.dim() not in (n + 1, n + 2):
            raise ShapeError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {list(input.shape)}",
                shapes=(tuple(input.shape),),
            )
        self.in_channels = input.shape[-n - 1]
        if self.in_channels % self.groups:
            raise ValueError("in_channels must be divisible by groups")
        first, second = self.out_channels, self.in_channels // self.groups
        if self.transposed:
            first, second = self.in_channels, self.out_channels // self.groups
        self.weight.materialize((first, second, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class _LazyTransposed(_LazyConv):
    """A transposed convolution that takes `in_channels` from its first input."""

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        sizes = (stride, padding, dilation, output_padding)
        self._begin(out_channels, kernel_size, sizes, (groups, bias, padding_mode), dtype)


class _LazyNorm(_Lazy, _NormBase):
    """A normalising layer that takes `num_features` from its first input."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        _NormBase.__init__(self, 0, eps, momentum, False, False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = UninitializedParameter(dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(dtype=dtype)
            self.running_var = UninitializedBuffer(dtype=dtype)
            self.num_batches_tracked = tensor(0, dtype=int64)

    def reset_parameters(self) -> None:
        if self.num_features:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        self.num_features = input.shape[1]
        for table in (self._parameters, self._buffers):
            for item in table.values():
                if isinstance(item, (UninitializedParameter, UninitializedBuffer)):
                    item.materialize((self.num_features,))
        self.reset_parameters()


class _LazyInstanceNorm(_LazyNorm):
    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(eps, momentum, affine, track_running_stats, device, dtype)

    def initialize_parameters(self, input: Tensor) -> None:
        batched = input.dim() == self.cls_to_become._dims[1]
        super().initialize_parameters(input if batched else input.unsqueeze(0))


def _lazy(base: type, target: Any) -> Any:
    name = f"Lazy{target.__name__}"
    namespace = {
        "cls_to_become": target,
        "_dims": target._dims,
        "transposed": getattr(target, "transposed", False),
        "__doc__": f"A {target.__name__} that takes its number of channels from its first input.",
        "__module__": __name__,
    }
    return type(name, (base,), namespace)


LazyConv1d = _lazy(_LazyConv, Conv1d)
LazyConv2d = _lazy(_LazyConv, Conv2d)
LazyConv3d = _lazy(_LazyConv, Conv3d)
LazyConvTranspose1d = _lazy(_LazyTransposed, ConvTranspose1d)
LazyConvTranspose2d = _lazy(_LazyTransposed, ConvTranspose2d)
LazyConvTranspose3d = _lazy(_LazyTransposed, ConvTranspose3d)
LazyBatchNorm1d = _lazy(_LazyNorm, BatchNorm1d)
LazyBatchNorm2d = _lazy(_LazyNorm, BatchNorm2d)
LazyBatchNorm3d = _lazy(_LazyNorm, BatchNorm3d)
LazyInstanceNorm1d = _lazy(_LazyInstanceNorm, InstanceNorm1d)
LazyInstanceNorm2d = _lazy(_LazyInstanceNorm, InstanceNorm2d)
LazyInstanceNorm3d = _lazy(_LazyInstanceNorm, InstanceNorm3d)


class LazyLinear(Linear):
    """A Linear that takes `in_features` from its first input."""

    cls_to_become = Linear

    def __init__(
        self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(0, 0, False)
        self.weight = UninitializedParameter(dtype=dtype)
        self.out_features = out_features
        if bias:
            self.bias = UninitializedParameter(dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, once their shapes are known."""
        if not is_lazy(self.weight) and self.in_features != 0:
            super().reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        if is_lazy(self.weight):
            self.in_features = input.shape[-1]
            self.weight.materialize((self.out_features, self.in_features))
            if self.bias is not None:
                self.bias.materialize((self.out_features,))
            self.reset_parameters()
        self.__class__ = self.cls_to_become  # type: ignore[assignment]  # it is known now
        return Linear.forward(self, input)
