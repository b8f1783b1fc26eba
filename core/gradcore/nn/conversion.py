"""How a Module's values change type or place; `Module` derives from this."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from gradcore.device import device as Device
from gradcore.dtypes import dtype as DType
from gradcore.tensor import Tensor

if TYPE_CHECKING:
    from gradcore.nn.module import Module
    from gradcore.nn.parameter import Parameter


class Conversion:
    """Replaces the values of Parameters and buffers, keeping the Parameter objects."""

    _parameters: "dict[str, Parameter | None]"
    _buffers: dict[str, Tensor | None]

    if TYPE_CHECKING:

        def children(self) -> "Iterator[Module]": ...

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace every Parameter's and buffer's values, keeping the Parameter objects."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for parameter in self._parameters.values():
            if parameter is None:
                continue
            gradient = parameter.grad
            if gradient is not None:
                parameter.grad = None
            parameter.data = fn(parameter.data)
            if gradient is not None:
                parameter.grad = fn(gradient.detach()).requires_grad_(gradient.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert floating point Parameters and buffers to a dtype, or move to a device."""
        dtype = _dtype_of(args, kwargs)
        if dtype is None:
            return self._apply(lambda tensor: tensor.to(*args, **kwargs))
        if not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex "
                f"dtypes, but got desired dtype={dtype}"
            )
        return self.type(dtype, floating_only=True)

    def type(self, dst_type: Any, *, floating_only: bool = False) -> Self:
        """Convert all Parameters and buffers to a dtype."""
        return self._apply(
            lambda tensor: (
                tensor.to(dst_type)
                if not floating_only or tensor.is_floating_point() or tensor.is_complex()
                else tensor
            )
        )

    def float(self) -> Self:
        """Convert floating point Parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self) -> Self:
        """Convert floating point Parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def bfloat16(self) -> Self:
        """Refuse: there are no tensors of that dtype here."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Leave the module as it is: whole training steps are compiled, by `torch.compile`."""

    def half(self) -> Self:
        """Convert floating point Parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def cpu(self) -> Self:
        """Return the module itself: it is on the CPU."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """Refuse: there is no GPU here."""
        raise AssertionError(
            "Torch not compiled with CUDA enabled.\n"
            f"  {type(self).__name__}.cuda() was called; gradcore computes on the CPU.\n"
            "  Leave the call out, or guard it with `if torch.cuda.is_available()`."
        )

    def share_memory(self) -> Self:
        """Return the module itself: there is one process."""
        return self


def _dtype_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> DType | None:
    """Return the dtype that the arguments of `Module.to` ask for, if any."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, DType):
            return value
        if isinstance(value, Tensor):
            return value.dtype
        if isinstance(value, (str, Device)):
            Device(value)
    return None
