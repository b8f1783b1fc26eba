"""``Tensor``: an array with a history. Its operations come from the tables of ``gradcore.ops``."""

import copy as copying
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcore import device as devices
from gradcore import differentiate, dtypes, engine, graph, printing
from gradcore.dtypes import Array, dtype
from gradcore.errors import (
    ArgumentError,
    AutogradError,
    IndexOutOfRangeError,
    ShapeError,
    ValueRangeError,
)
from gradcore.graph import (
    INFERENCE,
    More,
    Node,
    RemovableHandle,
    TensorBase,
    counter,
    new,
    node_hooks,
    state,
    tell,
    wrap,
    written,
)
from gradcore.ops import arranging, elementwise, indexing, shape
from gradcore.ops.inplace import check_writable, finish_write
from gradcore.ops.registry import METHODS
from gradcore.ops.tape import current_node
from gradcore.size import Size


class Tensor(TensorBase):
    """An n-dimensional array that remembers what it was computed from."""

    __slots__ = ("__dict__", "__weakref__")
    __array_priority__ = 1000
    __module__ = "torch"

    def __new__(cls, data: Any = (), *more: Any) -> "Tensor":
        """Make a float tensor: from sizes (``Tensor(2, 3)``, uninitialised) or from values."""
        if more or isinstance(data, int):
            data = np.empty((data, *more), dtypes.default_float())
        elif isinstance(data, Size):
            data = np.empty(tuple(data), dtypes.default_float())
        elif not isinstance(data, TensorBase):
            data = np.array(data, dtypes.default_float())
        made: Tensor = cls._make_subclass(data)
        return made

    if TYPE_CHECKING:
        # What comes from the tables: every operation of ``gradcore.ops``.
        def __getattr__(self, name: str) -> Any: ...
        def __add__(self, other: Any) -> Any: ...
        def __radd__(self, other: Any) -> Any: ...
        def __iadd__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __rsub__(self, other: Any) -> Any: ...
        def __isub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __rmul__(self, other: Any) -> Any: ...
        def __imul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...
        def __rtruediv__(self, other: Any) -> Any: ...
        def __itruediv__(self, other: Any) -> Any: ...
        def __floordiv__(self, other: Any) -> Any: ...
        def __mod__(self, other: Any) -> Any: ...
        def __pow__(self, other: Any) -> Any: ...
        def __rpow__(self, other: Any) -> Any: ...
        def __matmul__(self, other: Any) -> Any: ...
        def __rmatmul__(self, other: Any) -> Any: ...
        def __neg__(self) -> Any: ...
        def __abs__(self) -> Any: ...
        def __invert__(self) -> Any: ...
        def __and__(self, other: Any) -> Any: ...
        def __or__(self, other: Any) -> Any: ...
        def __xor__(self, other: Any) -> Any: ...
        def __lt__(self, other: Any) -> Any: ...
        def __le__(self, other: Any) -> Any: ...
        def __gt__(self, other: Any) -> Any: ...
        def __ge__(self, other: Any) -> Any: ...

    @classmethod
    def _make_subclass(cls, data: Any, require_grad: bool = False) -> Any:
        """Return a leaf of this class on the memory of an array or tensor."""
        t = new(cls)
        t._a = data._a if isinstance(data, TensorBase) else np.asarray(data)
        t._node = None
        t._port = 0
        t._rg = False
        t._grad = None
        t._vc = INFERENCE if state.inference else None
        if isinstance(data, TensorBase) and data._vc is not INFERENCE:
            t._vc = counter(data)
        t._view = None
        t._more = None
        if require_grad:
            t.requires_grad = True
        return t

    # --- what it is

    @property
    def shape(self) -> Size:
        """The sizes of its dimensions."""
        return Size(self._a.shape)

    def size(self, dim: int | None = None) -> Any:
        """Return its shape, or the size of one dimension."""
        return Size(self._a.shape) if dim is None else self._a.shape[shape.axis(dim, self._a.ndim)]

    @property
    def dtype(self) -> dtype:
        """Its element type."""
        return dtypes.of(self._a)

    @property
    def device(self) -> devices.device:
        """Always the CPU."""
        return devices.CPU

    @property
    def ndim(self) -> int:
        """How many dimensions it has."""
        return self._a.ndim

    def dim(self) -> int:
        """Return how many dimensions it has."""
        return self._a.ndim

    ndimension = dim

    def numel(self) -> int:
        """Return how many values it has."""
        return self._a.size

    nelement = numel

    def element_size(self) -> int:
        """Return the bytes of one value."""
        return self._a.itemsize

    @property
    def itemsize(self) -> int:
        """The bytes of one value."""
        return self._a.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes of all values."""
        return self._a.nbytes

    def __len__(self) -> int:
        if self._a.ndim == 0:
            raise ArgumentError("len() of a 0-d tensor")
        size: int = self._a.shape[0]
        return size

    def stride(self, dim: int | None = None) -> Any:
        """Return how many values lie between neighbours of each dimension."""
        steps = tuple(step // self._a.itemsize for step in self._a.strides)
        if self._a.flags.c_contiguous:
            # NumPy leaves the stride of a dimension of size 1 open; torch does not.
            steps = _row_strides(self._a.shape)
        return steps if dim is None else steps[dim]

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Tell whether it lies in memory row by row."""
        return self._a.flags.c_contiguous

    def data_ptr(self) -> int:
        """Return the address of its first value."""
        address: int = self._a.__array_interface__["data"][0]
        return address

    def storage_offset(self) -> int:
        """Return how many values into its memory block it begins."""
        base = _memory(self._a)
        start: int = base.__array_interface__["data"][0]
        return (self.data_ptr() - start) // self._a.itemsize

    def untyped_storage(self) -> "Storage":
        """Return its memory block."""
        return Storage(_memory(self._a))

    storage = untyped_storage

    @property
    def is_cuda(self) -> bool:
        """Never."""
        return False

    is_cpu = property(lambda self: True, doc="Always.")
    is_mps = is_sparse = is_quantized = is_meta = is_nested = is_cuda
    layout = "torch.strided"

    def is_floating_point(self) -> bool:
        """Tell whether its values are floating-point numbers."""
        return self._a.dtype.kind == "f"

    def is_complex(self) -> bool:
        """Tell whether its values are complex."""
        return self._a.dtype.kind == "c"

    def is_signed(self) -> bool:
        """Tell whether its values can be negative."""
        return self._a.dtype.kind in "ifc"

    def is_inference(self) -> bool:
        """Tell whether it was made in inference mode."""
        return self._vc is INFERENCE

    def get_device(self) -> int:
        """Return -1: the CPU."""
        return -1

    def is_set_to(self, tensor: "Tensor") -> bool:
        """Tell whether it is the same memory in the same shape."""
        return (
            self.data_ptr() == tensor.data_ptr()
            and self._a.shape == tensor._a.shape
            and self._a.strides == tensor._a.strides
        )

    # --- history

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded."""
        return self._rg or (self._node if self._view is None else current_node(self)) is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        node = current_node(self)
        if node is not None:
            if not wanted:
                raise AutogradError(
                    "you can only change requires_grad flags of leaf variables. If you want to use "
                    "a computed variable in a subgraph that doesn't require differentiation use "
                    "var_no_grad = var.detach().",
                    f"The tensor comes from {node.name()}.",
                )
            return
        if wanted and self._a.dtype.kind not in "fc":
            raise AutogradError(
                "only Tensors of floating point and complex dtype can require gradients",
                f"The tensor has dtype {self.dtype} and shape {self._a.shape}.",
                "Convert it first, for instance with .float().",
            )
        if wanted and self._vc is INFERENCE and not state.inference:
            raise AutogradError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                "allowed."
            )
        self._rg = bool(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Set whether operations on it are recorded; returns the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it has no history: made by the user, or not recorded."""
        return current_node(self) is None

    @property
    def grad_fn(self) -> Node | None:
        """The node it came from, None for a leaf."""
        return current_node(self)

    @property
    def output_nr(self) -> int:
        """Which output of its node it is."""
        return self._port

    @property
    def grad(self) -> Any:
        """What backward has added up for it; None until something has."""
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is None:
            self._grad = None
            return
        if not isinstance(value, TensorBase):
            raise ArgumentError(
                f"assigned grad expected to be a Tensor or None but got grad of type "
                f"{type(value).__name__}",
                "",
                "Assign a tensor of the same shape and dtype, or None.",
            )
        if value is self:
            raise AutogradError("can't assign Variable as its own grad")
        if value._a.dtype != self._a.dtype:
            raise AutogradError(
                f"assigned grad has data of a different type: {dtypes.of(value._a)}, while the "
                f"tensor has {self.dtype}",
                "",
                "Convert the gradient first.",
            )
        if value._a.shape != self._a.shape:
            raise AutogradError(
                "assigned grad has data of a different size: "
                f"{list(value._a.shape)}, while the tensor has {list(self._a.shape)}",
                "",
                "A gradient has the shape of its tensor.",
            )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def data(self) -> Any:
        """The same memory without history; writes to it are not counted."""
        t = wrap(self._a)
        if graph.recorder is not None:
            tell("data", (self,), {}, (t,))
        return t

    @data.setter
    def data(self, value: Any) -> None:
        if not isinstance(value, TensorBase):
            raise ArgumentError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        self._a = value._a
        if graph.recorder is not None:
            tell("set_data", (value,), {}, (self,))

    @property
    def _version(self) -> int:
        """How often its memory was written in place."""
        return 0 if self._vc is None else self._vc.count

    @property
    def _base(self) -> Any:
        """The tensor it is a view of, or None."""
        return None if self._view is None else self._view.base

    def _is_view(self) -> bool:
        return self._view is not None

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add to ``grad`` of each leaf the gradient of this tensor."""
        differentiate.backward(
            (self,), None if gradient is None else (gradient,), retain_graph, create_graph, inputs
        )

    def detach(self) -> Any:
        """Return the same memory without history; in-place writes are still counted."""
        t = wrap(self._a)
        if self._vc is not INFERENCE:
            t._vc = counter(self)
        if graph.recorder is not None:
            tell("detach", (self,), {}, (t,))
        return t

    def detach_(self) -> "Tensor":
        """Cut this tensor itself off from its history."""
        if self._view is not None:
            raise AutogradError(
                "Can't detach views in-place. Use detach() instead.",
                f"The view has shape {self._a.shape}.",
            )
        self._node, self._port, self._rg = None, 0, False
        if graph.recorder is not None:
            tell("detach_", (self,), {}, (self,))
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor too, though it is not a leaf."""
        node = current_node(self)
        if node is None:
            if not self._rg:
                raise AutogradError("can't retain_grad on Tensor that has requires_grad=False")
            return
        _retain(self, node)

    @property
    def retains_grad(self) -> bool:
        """Whether ``retain_grad()`` was called."""
        return self._more is not None and self._more.retained

    def register_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(grad)`` when its gradient is known; what it returns replaces the gradient."""
        if not self.requires_grad:
            raise AutogradError(
                "cannot register a hook on a tensor that doesn't require gradient",
                f"It has shape {self._a.shape}.",
                "Call requires_grad_() first.",
            )
        node = current_node(self)
        if node is not None:
            return RemovableHandle(node_hooks(node).outputs.setdefault(self._port, {}), hook)
        more = self._extras()
        if more.hooks is None:
            more.hooks = {}
        return RemovableHandle(more.hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(tensor)`` after backward has added to its ``grad``."""
        if current_node(self) is not None:
            raise AutogradError(
                "post accumulate grad hooks cannot be registered on non-leaf tensors"
            )
        more = self._extras()
        if more.after is None:
            more.after = {}
        return RemovableHandle(more.after, hook)

    def _extras(self) -> More:
        if self._more is None:
            self._more = More()
        return self._more

    @property
    def name(self) -> str | None:
        """A name given to it, or None."""
        return None if self._more is None else self._more.name

    # --- out of gradcore

    def item(self) -> Any:
        """Return its one value as a Python number."""
        if self._a.size != 1:
            raise AutogradError(
                f"a Tensor with {self._a.size} elements cannot be converted to Scalar",
                f"It has shape {self._a.shape}.",
                "Use tolist(), or reduce it first.",
            )
        if graph.recorder is not None:
            tell("item", (self,), {}, ())
        return self._a.item()

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
        return printing.tensor_text(self)

    def __str__(self) -> str:
        return printing.tensor_text(self)

    def __format__(self, spec: str) -> str:
        if self._a.ndim == 0:
            return format(self.item(), spec) if spec else str(self.item())
        return object.__format__(self, spec)

    # --- copies

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        if current_node(self) is not None:
            raise AutogradError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment.",
                f"This one has shape {self._a.shape} and comes from {self.grad_fn}.",
                "Call detach() first.",
            )
        copied = type(self)._make_subclass(np.array(self._a, order="K"))
        memo[id(self)] = copied
        copied._rg = self._rg
        if self._grad is not None:
            copied._grad = copying.deepcopy(self._grad, memo)
        if self.__dict__:
            copied.__dict__.update(copying.deepcopy(self.__dict__, memo))
        return copied

    def __copy__(self) -> Any:
        t = type(self)._make_subclass(self._a)
        t._rg, t._node, t._port, t._vc = self._rg, self._node, self._port, counter(self)
        t.__dict__.update(self.__dict__)
        return t

    def __reduce_ex__(self, protocol: Any) -> Any:
        if current_node(self) is not None:
            raise AutogradError(
                "Only leaf tensors can be pickled",
                f"This one has shape {self._a.shape} and comes from {self.grad_fn}.",
                "Call detach() first.",
            )
        return _rebuild, (
            None if type(self) is Tensor else type(self),
            np.ascontiguousarray(self._a).reshape(self._a.shape),
            self._rg,
            dict(self.__dict__),
        )

    # --- indexing

    def __getitem__(self, index: Any) -> Any:
        key, arrays = _index(self, index)
        return indexing.index_of(self, key) if arrays else indexing.pick(self, key)

    def __setitem__(self, index: Any, value: Any) -> None:
        key, arrays = _index(self, index)
        if not arrays:
            indexing.pick(self, key).copy_(_as_value(self, value))
            return
        value = _as_value(self, value)
        check_writable(self, "index_put_")
        a = self._a
        source = value._a if isinstance(value, TensorBase) else value
        op = indexing.index_put_op.operation
        finish_write(op, "index_put_", self, op.kernel(a, source, key), (self, value), (key, False))

    # --- writing

    def copy_(self, src: Any, non_blocking: bool = False) -> "Tensor":
        """Overwrite with the values of ``src``, cast and broadcast."""
        check_writable(self, "copy_")
        a = src._a if isinstance(src, TensorBase) else np.asarray(src)
        _check_broadcast(a.shape, self._a.shape)
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

    def _overwrite(self, public: str, values: Any) -> "Tensor":
        """Overwrite with values that depend on no tensor."""
        check_writable(self, public)
        op = shape.overwrite.operation
        values = np.asarray(values).astype(self._a.dtype, copy=False)
        finish_write(op, public, self, values, (self,), (None,))
        return self

    def fill_(self, value: Any) -> "Tensor":
        """Overwrite with one value."""
        if isinstance(value, TensorBase):
            if value._a.ndim:
                raise ShapeError(
                    "fill_ only supports 0-dimension value tensor but got tensor with "
                    f"{value._a.ndim} dimensions."
                )
            return self.copy_(value)
        return self._overwrite("fill_", value)

    def zero_(self) -> "Tensor":
        """Overwrite with zeros."""
        return self._overwrite("zero_", 0)

    def set_(self, source: "Tensor") -> "Tensor":
        """Look at the memory of ``source`` from now on."""
        self._a = source._a
        written(self, "set_", False)
        return self

    def share_memory_(self) -> "Tensor":
        """Return the tensor: its memory is not shared between processes."""
        return self

    def pin_memory(self) -> "Tensor":
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

    def type_as(self, other: "Tensor") -> Any:
        """Return the tensor in the dtype of ``other``."""
        return self.to(other._a.dtype)

    def cpu(self, memory_format: Any = None) -> "Tensor":
        """Return the tensor: it is on the CPU."""
        return self

    def cuda(self, device: Any = None, non_blocking: bool = False) -> Any:
        """Refuse: there is no such device."""
        devices.check("cuda" if device is None else device)
        return self

    @property
    def T(self) -> Any:
        """The tensor with its dimensions in reverse order."""
        return shape.permute(self, tuple(range(self._a.ndim - 1, -1, -1)))

    @property
    def mT(self) -> Any:
        """The matrix (or stack of matrices) transposed."""
        if self._a.ndim < 2:
            raise ShapeError(
                "tensor.mT is only supported on matrices or batches of matrices. "
                f"Got {self._a.ndim}-D tensor."
            )
        return shape.transpose(self, -2, -1)

    @property
    def H(self) -> Any:
        """The conjugate transpose of a matrix."""
        return elementwise.conj(shape.transpose(self, -2, -1))

    mH = H  # noqa: N815 - PyTorch's name

    def adjoint(self) -> Any:
        """Return the conjugate transpose of a matrix."""
        return self.H

    @property
    def real(self) -> Any:
        """The real parts: a view of a complex tensor, a real one itself."""
        return arranging.real(self)

    @real.setter
    def real(self, value: Any) -> None:
        arranging.real(self).copy_(value)

    @property
    def imag(self) -> Any:
        """The imaginary parts of a complex tensor: a view."""
        return arranging.imag(self)

    @imag.setter
    def imag(self, value: Any) -> None:
        arranging.imag(self).copy_(value)

    def __eq__(self, other: object) -> Any:
        return NotImplemented if _is_foreign(other) else METHODS["eq"](self, other)

    def __ne__(self, other: object) -> Any:
        return NotImplemented if _is_foreign(other) else METHODS["ne"](self, other)


class Storage:
    """A block of memory, told apart by its address."""

    __slots__ = ("_memory",)

    def __init__(self, memory: Array) -> None:
        self._memory = memory

    def data_ptr(self) -> int:
        """Return the address of the block."""
        address: int = self._memory.__array_interface__["data"][0]
        return address

    def nbytes(self) -> int:
        """Return the bytes of the block."""
        return self._memory.nbytes

    size = __len__ = nbytes


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


def _memory(a: Array) -> Array:
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a


def _row_strides(sizes: tuple[int, ...]) -> tuple[int, ...]:
    steps = []
    step = 1
    for size in reversed(sizes):
        steps.append(step)
        step *= max(size, 1)
    return tuple(reversed(steps))


def _rebuild(kind: Any, array: Array, requires_grad: bool, attributes: dict[str, Any]) -> Any:
    t = (kind or Tensor)._make_subclass(array)
    t._rg = requires_grad
    t.__dict__.update(attributes)
    return t


def _retain(t: Tensor, node: Node) -> None:
    more = t._extras()
    if more.retained:
        return
    more.retained = True
    reference = weakref.ref(t)

    def keep(g: Any) -> None:
        held = reference()
        if held is not None:
            held._grad = g if held._grad is None else held._grad + g

    node_hooks(node).retained[t._port] = keep


def _is_foreign(other: Any) -> bool:
    """Tell whether something can be compared with a tensor only by identity (None, a list)."""
    return not isinstance(other, (TensorBase, int, float, complex, np.ndarray, np.generic))


def _as_value(target: Tensor, value: Any) -> Any:
    if isinstance(value, (TensorBase, int, float, complex, np.ndarray, np.generic)):
        return value
    return np.asarray(value)


def _check_broadcast(given: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    given_cut = given
    while len(given_cut) > len(wanted) and given_cut[0] == 1:
        given_cut = given_cut[1:]
    fits = len(given_cut) <= len(wanted) and all(
        a in (1, b) for a, b in zip(reversed(given_cut), reversed(wanted), strict=False)
    )
    if not fits:
        raise ShapeError(
            f"The expanded size of the tensor {list(wanted)} must match the existing size "
            f"{list(given)}: the values cannot be broadcast to where they are to be written.",
            "",
            "Give values of that shape, or one value.",
            shapes=(given, wanted),
        )


def _index(t: Tensor, index: Any) -> tuple[Any, bool]:
    """Return a NumPy index and whether it holds arrays (so that the result is a copy)."""
    kind = type(index)
    if kind is int:
        return index, False
    if kind is slice:
        return _slice(index), False
    if kind is tuple:
        parts = [_index_part(t, part) for part in index]
        arrays = any(isinstance(part, np.ndarray) for part in parts)
        return tuple(parts), arrays
    part = _index_part(t, index)
    return part, isinstance(part, np.ndarray)


def _index_part(t: Tensor, part: Any) -> Any:
    if part is None or part is Ellipsis:
        return part
    if isinstance(part, slice):
        return _slice(part)
    if isinstance(part, bool):
        return np.asarray(part)
    if isinstance(part, int):
        return part
    if isinstance(part, TensorBase):
        part = part._a
    elif isinstance(part, (list, tuple, range)):
        part = np.asarray([p._a.item() if isinstance(p, TensorBase) else p for p in part])
        if part.size == 0:
            part = part.astype(np.int64)
    elif isinstance(part, np.generic):
        part = np.asarray(part)
    if not isinstance(part, np.ndarray):
        if hasattr(part, "__index__"):
            return part.__index__()
        raise IndexOutOfRangeError(
            f"only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are "
            f"valid indices (got {type(part).__name__})"
        )
    if part.dtype.kind == "f" or part.dtype.kind == "c":
        raise IndexOutOfRangeError(
            "tensors used as indices must be long, int, byte or bool tensors",
            f"This one has dtype {dtypes.of(part)}.",
            "Convert it first, for instance with .long().",
        )
    if part.ndim == 0 and part.dtype.kind in "iu":
        return int(part)
    return part.astype(bool) if part.dtype == np.uint8 else part


def _slice(part: slice) -> slice:
    start, stop, step = (None if x is None else int(x) for x in (part.start, part.stop, part.step))
    if step is not None and step <= 0:
        raise ValueRangeError("step must be greater than zero", f"Got {step}.", "Use flip().")
    return slice(start, stop, step)


def _reflected(op: Any) -> Any:
    def call(self: Any, other: Any) -> Any:
        return op(other, self)

    return call


def _divided_by(self: Any, other: Any) -> Any:
    # As torch, also to the last bit: a product with the reciprocal.
    return elementwise.reciprocal(self) * other


def _conversion(kind: dtype) -> Any:
    def call(self: Any, memory_format: Any = None) -> Any:
        return self.to(kind)

    call.__doc__ = f"Return the tensor as {kind}."
    return call


_BYTES = {"byte": dtypes.uint8, "char": dtypes.int8}
_OPERATORS = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "pow",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}
_COMPARISONS = ("lt", "le", "gt", "ge")


def _install() -> None:
    """Give ``Tensor`` its methods from the tables."""
    for name, function in METHODS.items():
        if name not in Tensor.__dict__:
            setattr(Tensor, name, function)
    for operator, name in _OPERATORS.items():
        plain = elementwise.OPERATOR_FORMS.get(name, METHODS[name])
        setattr(Tensor, f"__{operator}__", plain)
        setattr(Tensor, f"__r{operator}__", _reflected(plain))
        if name + "_" in METHODS:
            written_form = elementwise.OPERATOR_FORMS.get(name + "_", METHODS[name + "_"])
            setattr(Tensor, f"__i{operator}__", written_form)
    methods: Any = Tensor
    methods.__rsub__ = elementwise.rsub
    methods.__rtruediv__ = _divided_by
    for name in _COMPARISONS:
        setattr(Tensor, f"__{name}__", METHODS[name])
    for operator, name in (("neg", "neg"), ("pos", "positive"), ("abs", "abs")):
        setattr(Tensor, f"__{operator}__", METHODS[name])
    methods.__invert__ = METHODS["bitwise_not"]
    for name, kind in {**dtypes.ALIASES, "bool": dtypes.bool_, **_BYTES}.items():
        setattr(Tensor, name, _conversion(kind))
    graph.use_tensor_class(Tensor)
    engine.use_fit(shape.fit_tensor)


_install()
