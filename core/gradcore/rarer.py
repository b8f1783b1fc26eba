"""Functions and methods that few programs use, and switches that change nothing here."""

import importlib
import math
from typing import Any

import numpy as np

from gradcore import dtypes, graph
from gradcore.device import device
from gradcore.errors import ArgumentError, DtypeError, ShapeError
from gradcore.graph import TensorBase, wrap, written
from gradcore.ops.reduction import return_type
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor
from gradcore.tensor.storage import Storage, memory

# --- functions


def range_(start: Any = 0, end: Any = None, step: Any = 1, **options: Any) -> Any:
    """Return values from start to end, the end included (an old form of ``arange``)."""
    if end is None:
        start, end = 0, start
    kind = dtypes.as_numpy(options.get("dtype") or dtypes.get_default_dtype())
    count = math.floor((end - start) / step) + 1
    return wrap((start + step * np.arange(count)).astype(kind))


def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Any:
    """Return a tensor on the memory of a Python buffer."""
    made = wrap(np.frombuffer(buffer, dtypes.as_numpy(dtype), count, offset))
    return made.requires_grad_() if requires_grad else made


def histogram(
    input: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False
) -> Any:
    """Return how many values lie in each bin, and the edges of the bins."""
    edges = bins._a if isinstance(bins, TensorBase) else int(bins)
    values = input._a.reshape(-1)
    weights = None if weight is None else weight._a.reshape(-1)
    counts, found = np.histogram(values, edges, range, density=density, weights=weights)
    kind = input._a.dtype
    return _HISTOGRAM(wrap(counts.astype(kind)), wrap(found.astype(kind)))


_HISTOGRAM = return_type("histogram", "hist", "bin_edges")


def empty_strided(size: Any, stride: Any, **options: Any) -> Any:
    """Return a tensor without values whose dimensions lie in given steps."""
    kind = dtypes.as_numpy(options.get("dtype") or dtypes.get_default_dtype())
    reach = sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
    block = np.empty(max(reach, 0) if math.prod(size) else 0, kind)
    steps = tuple(step * block.itemsize for step in stride)
    return wrap(np.lib.stride_tricks.as_strided(block, tuple(size), steps))


def is_signed(input: Any) -> bool:
    """Tell whether a tensor's values can be negative."""
    return bool(input.is_signed())


def is_storage(obj: Any) -> bool:
    """Tell whether something is a block of memory."""
    return isinstance(obj, Storage)


def is_conj(input: Any) -> bool:
    """Return False: conjugates are computed at once."""
    return False


def resolve(input: Any) -> Any:
    """Return the tensor: nothing is put off here."""
    return input


def index_reduce(
    input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True
) -> Any:
    """Return a copy with slices of ``source`` multiplied, averaged or compared in."""
    shape = [1] * source.dim()
    shape[dim] = -1
    places = index.reshape(shape).expand(source.shape)
    return FUNCTIONS["scatter_reduce"](
        input, dim, places, source, reduce, include_self=include_self
    )


# --- switches


def set_default_device(where: Any) -> None:
    """Do nothing but check: everything is on the CPU."""
    if where is not None and device(where).type != "cpu":
        raise ArgumentError(f"gradcore has no device {str(where)!r}", "", "Leave it at 'cpu'.")


def get_default_device() -> device:
    """Return the CPU."""
    return device("cpu")


def set_default_tensor_type(kind: Any) -> None:
    """Make the dtype of a tensor type that of new floating-point tensors."""
    name = kind if isinstance(kind, str) else kind.__name__
    chosen = {"FloatTensor": dtypes.float32, "DoubleTensor": dtypes.float64}
    found = chosen.get(name.rpartition(".")[2])
    if found is None:
        raise ArgumentError(
            f"only floating-point types are supported as the default type, not {name}"
        )
    dtypes.set_default_dtype(found)


def set_flush_denormal(mode: bool) -> bool:
    """Return False: NumPy keeps denormal numbers."""
    return False


def get_float32_matmul_precision() -> str:
    """Return "highest": products are computed in full precision."""
    return "highest"


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Return False: everything is computed in the dtype it is given in."""
    return False


# --- methods


def _resize_(self: Any, *sizes: Any, memory_format: Any = None) -> Any:
    """Give the tensor another shape on its own memory, longer where that is too short."""
    shape = tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    count = math.prod(shape)
    flat = memory(self._a)
    if flat.dtype != self._a.dtype or not flat.flags.c_contiguous:
        flat = np.ascontiguousarray(self._a)
    flat = flat.reshape(-1)[self.storage_offset() if flat.size != self._a.size else 0 :]
    if flat.size < count:
        flat = np.concatenate([flat, np.empty(count - flat.size, flat.dtype)])
    self._a = flat[:count].reshape(shape)
    written(self, "resize_", False)
    return self


def _resize_as_(self: Any, other: Any, memory_format: Any = None) -> Any:
    """Give the tensor the shape of another."""
    return _resize_(self, tuple(other.shape))


def _view_dtype(self: Any, kind: Any) -> Any:
    """Return the same memory read as another dtype."""
    wanted = dtypes.as_numpy(kind)
    a = self._a
    if wanted == a.dtype:
        return self.view_as(self)
    if self.requires_grad:
        raise DtypeError(
            "view(dtype) of a tensor that requires grad has no gradient here",
            "",
            "Call detach() first.",
        )
    if a.ndim == 0 and wanted.itemsize != a.itemsize:
        raise ShapeError(
            f"self.dim() cannot be 0 to view {dtypes.of(a)} as {dtypes.of(wanted)} (different "
            "element sizes)"
        )
    try:
        made = wrap(a.view(wanted))
    except ValueError as error:
        raise ShapeError(
            f"view(dtype): the last dimension cannot be read as {dtypes.of(wanted)}: {error}"
        ) from None
    made._vc = graph.counter(self)
    return made


def _new_empty_strided(self: Any, size: Any, stride: Any, **options: Any) -> Any:
    """As ``empty_strided``, in the dtype of this tensor."""
    options.setdefault("dtype", self.dtype)
    return empty_strided(size, stride, **options)


def _not(self: Any) -> bool:
    """Return False: memory is neither pinned nor shared between processes."""
    return False


def _index_reduce_(self: Any, *args: Any, **kwargs: Any) -> Any:
    """In-place form of ``index_reduce``."""
    return self.copy_(index_reduce(self, *args, **kwargs))


def _dim_order(self: Any, **_: Any) -> tuple[int, ...]:
    """Return the dimensions from the widest steps to the narrowest."""
    steps = self.stride()
    return tuple(sorted(range(len(steps)), key=lambda i: -steps[i]))


_METHODS = {
    "resize_": _resize_,
    "resize_as_": _resize_as_,
    "_view_dtype": _view_dtype,
    "new_empty_strided": _new_empty_strided,
    "is_pinned": _not,
    "is_shared": _not,
    "is_conj": is_conj,
    "is_neg": is_conj,
    "is_nonzero": lambda self: bool(self),
    "resolve_neg": resolve,
    "to_dense": resolve,
    "index_reduce": index_reduce,
    "index_reduce_": _index_reduce_,
    "histogram": histogram,
    "dim_order": _dim_order,
    "polygamma": lambda self, n: FUNCTIONS["polygamma"](n, self),
}


def _seldom(name: str) -> Any:
    """Return a method whose function is loaded when it is first called."""

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module("gradcore.seldom"), name)(self, *args, **kwargs)

    call.__name__ = call.__qualname__ = name
    return call


_METHODS |= {name: _seldom(name) for name in ("frexp", "istft", "nonzero_static", "stft")}
for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)

NAMES = {
    "range": range_,
    "frombuffer": frombuffer,
    "histogram": histogram,
    "empty_strided": empty_strided,
    "is_signed": is_signed,
    "is_storage": is_storage,
    "is_conj": is_conj,
    "is_neg": is_conj,
    "resolve_neg": resolve,
    "index_reduce": index_reduce,
    "set_default_device": set_default_device,
    "get_default_device": get_default_device,
    "set_default_tensor_type": set_default_tensor_type,
    "set_flush_denormal": set_flush_denormal,
    "get_float32_matmul_precision": get_float32_matmul_precision,
    "is_autocast_enabled": is_autocast_enabled,
}
"""What stands in the module ``gradcore``."""
