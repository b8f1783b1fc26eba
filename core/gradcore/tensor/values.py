"""A tensor's values: reading, indexing, writing, converting them."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from gradcore import device as devices
from gradcore import dtypes, graph, printing
from gradcore.dtypes import Array, dtype
from gradcore.errors import (
    ArgumentError,
    AutogradError,
    ShapeError,
    ValueRangeError,
)
from gradcore.graph import (
    TensorBase,
    tell,
    written,
)
from gradcore.ops import indexing, shape
from gradcore.ops.inplace import check_writable, finish_write
from gradcore.tensor.history import History
from gradcore.tensor.index import (
    as_index,
    as_value,
    check_broadcast,
    integers_apart,
    without_leading_ones,
)


class Values(History):
    """The part of ``Tensor`` that reads and writes its values."""

    __slots__ = ()

    # --- out of gradcore

    def item(self) -> Any:
        """Return its one value as a Python number."""
        if self._a.size != 1:
            raise AutogradError(
                f"a Tensor with {self._a.size} elements cannot be converted to Scalar",
                f"It has shape {self._a.shape}.",
                "Use tolist(), or reduce it first.",
            )
        value = self._a.item()
        if graph.journal is not None:
            value = graph.journal.looked(self, value)
        if graph.recorder is not None:
            tell("item", (self,), {}, ())
        return value

    def tolist(self) -> Any:
        """Return its values as nested lists."""
        if graph.recorder is not None:
            tell("tolist", (self,), {}, ())
        return self._a.tolist()

    def numpy(self, *, force: bool = False) -> Array:
        """Return its memory as a NumPy array."""
        if self.requires_grad and not force:
            raise AutogradError(
                "Can't call numpy() on Tensor that requires grad. "
                "Use tensor.detach().numpy() instead.",
                f"It has shape {self._a.shape}.",
            )
        if graph.recorder is not None:
            tell("numpy", (self,), {}, ())
        return self._a

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_wrap__(self, array: Array, context: Any = None, return_scalar: bool = False) -> Any:
        """Return what a function of NumPy made of this as a tensor."""
        return graph.wrap(np.asarray(array))

    def __bool__(self) -> bool:
        if self._a.size != 1:
            if self._a.size == 0:
                raise AutogradError("Boolean value of Tensor with no values is ambiguous")
            raise AutogradError(
                "Boolean value of Tensor with more than one value is ambiguous",
                f"It has shape {self._a.shape}.",
                "Use .any() or .all().",
            )
        if graph.recorder is not None:
            tell("__bool__", (self,), {}, ())
        return bool(self._a.item())

    def __float__(self) -> float:
        return float(self._only())

    def __int__(self) -> int:
        return int(self._only())

    def __complex__(self) -> complex:
        return complex(self._only())

    def _only(self) -> Any:
        if self._a.size != 1:
            raise ValueRangeError(
                "only one element tensors can be converted to Python scalars",
                f"This one has shape {self._a.shape}.",
                "Use tolist(), or reduce it first.",
            )
        return self.item()

    def __index__(self) -> int:
        if self._a.dtype.kind not in "iub" or self._a.size != 1:
            raise ArgumentError(
                "only integer tensors of a single element can be converted to an index",
                f"This one has dtype {self.dtype} and shape {self._a.shape}.",
            )
        return int(self.item())

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any().item())

    def __iter__(self) -> Iterator[Any]:
        if self._a.ndim == 0:
            raise ArgumentError("iteration over a 0-d tensor")
        return iter([indexing.pick(self, i) for i in range(self._a.shape[0])])

    def __reversed__(self) -> Any:
        return indexing.flip(self, (0,)) if self._a.ndim else self

    __hash__ = object.__hash__

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        name = type(self).__name__
        own = name if name not in ("Tensor", "Parameter", "Buffer") else "tensor"
        return printing.tensor_text(self, own + "(")

    def __format__(self, spec: str) -> str:
        if self._a.ndim == 0:
            return format(self.item(), spec) if spec else str(self.item())
        return object.__format__(self, spec)

    # --- indexing

    def __getitem__(self, index: Any) -> Any:
        key, arrays = as_index(self, index)
        if not arrays:
            return indexing.pick(self, key)
        apart = integers_apart(key)
        if apart is not None:
            return indexing.index_of(indexing.pick(self, apart[0]), apart[1])
        return indexing.index_of(self, key)

    def __setitem__(self, index: Any, value: Any) -> None:
        key, arrays = as_index(self, index)
        if not arrays:
            place = indexing.pick(self, key)
            place.copy_(without_leading_ones(as_value(value), place._a.ndim))
            return
        apart = integers_apart(key)
        if apart is not None:
            indexing.pick(self, apart[0])[apart[1]] = value
            return
        value = as_value(value)
        check_writable(self, "index_put_")
        a = self._a
        source = value._a if isinstance(value, TensorBase) else value
        op = indexing.index_put_op.operation
        finish_write(op, "index_put_", self, op.kernel(a, source, key), (self, value), (key, False))

    # --- writing

    def copy_(self, src: Any, non_blocking: bool = False) -> Self:
        """Overwrite with the values of ``src``, cast and broadcast."""
        check_writable(self, "copy_")
        a = src._a if isinstance(src, TensorBase) else np.asarray(src)
        check_broadcast(a.shape, self._a.shape)
        if a.dtype.kind == "c" and self._a.dtype.kind != "c":
            a = a.real
        finish_write(
            shape.copy.operation,
            "copy_",
            self,
            a.astype(self._a.dtype, copy=False),
            (self, src),
            (),
        )
        return self

    def _overwrite(self, public: str, values: Any) -> Self:
        """Overwrite with values that depend on no tensor."""
        check_writable(self, public)
        op = shape.overwrite.operation
        values = np.asarray(values).astype(self._a.dtype, copy=False)
        finish_write(op, public, self, values, (self,), (None,))
        return self

    def fill_(self, value: Any) -> Self:
        """Overwrite with one value."""
        if isinstance(value, TensorBase):
            if value._a.ndim:
                raise ShapeError(
                    "fill_ only supports 0-dimension value tensor but got tensor with "
                    f"{value._a.ndim} dimensions."
                )
            return self.copy_(value)
        return self._overwrite("fill_", value)

    def zero_(self) -> Self:
        """Overwrite with zeros."""
        return self._overwrite("zero_", 0)

    def set_(self, source: Any) -> Self:
        """Look at the memory of ``source`` from now on."""
        self._a = source._a
        written(self, "set_", False)
        return self

    def share_memory_(self) -> Self:
        """Return the tensor: its memory is not shared between processes."""
        return self

    def pin_memory(self) -> Self:
        """Return the tensor: there is no other device to copy to."""
        return self

    # --- conversions

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Return the tensor in another dtype (there is no other device): itself where it is so."""
        kind = kwargs.get("dtype")
        where = kwargs.get("device")
        for arg in args:
            if isinstance(arg, TensorBase):
                kind = arg._a.dtype
            elif isinstance(arg, (str, devices.device, int)) and not isinstance(arg, bool):
                where = arg
            elif isinstance(arg, (dtype, np.dtype, type)):
                kind = arg
        devices.check(where)
        wanted = self._a.dtype if kind is None else dtypes.as_numpy(kind)
        if wanted == self._a.dtype:
            return shape.clone_public(self) if kwargs.get("copy") else self
        return shape.to_dtype(self, wanted)

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """Return the name of its type, or the tensor in another dtype."""
        if dtype is None:
            return "torch." + _TYPE_NAMES[self._a.dtype.name]
        if isinstance(dtype, str):
            names = {name: key for key, name in _TYPE_NAMES.items()}
            dtype = dtypes.ALL[names[dtype.removeprefix("torch.")]]
        return self.to(dtype)

    def type_as(self, other: Any) -> Any:
        """Return the tensor in the dtype of ``other``."""
        return self.to(other._a.dtype)

    def cpu(self, memory_format: Any = None) -> Self:
        """Return the tensor: it is on the CPU."""
        return self

    def cuda(self, device: Any = None, non_blocking: bool = False) -> Any:
        """Refuse: there is no such device."""
        devices.check("cuda" if device is None else device)
        return self


_TYPE_NAMES = {
    "float32": "FloatTensor",
    "float64": "DoubleTensor",
    "float16": "HalfTensor",
    "int64": "LongTensor",
    "int32": "IntTensor",
    "int16": "ShortTensor",
    "int8": "CharTensor",
    "uint8": "ByteTensor",
    "bool": "BoolTensor",
    "complex64": "ComplexFloatTensor",
    "complex128": "ComplexDoubleTensor",
}
