"""``Tensor``: an array with a history. Its operations come from the tables of ``gradcore.ops``."""

import copy as copying
import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcore import dtypes, engine, graph
from gradcore.dtypes import Array, dtype
from gradcore.errors import (
    AutogradError,
    ShapeError,
)
from gradcore.graph import (
    INFERENCE,
    TensorBase,
    counter,
    new,
    state,
)
from gradcore.ops import arithmetic, arranging, elementwise, shape
from gradcore.ops.registry import METHODS
from gradcore.ops.tape import current_node
from gradcore.size import Size
from gradcore.tensor.heap import keep_freed_memory
from gradcore.tensor.values import Values


class Tensor(Values):
    """An n-dimensional array that remembers what it was computed from."""

    __slots__ = ("__dict__", "__weakref__")
    __array_priority__ = 1000
    __module__ = "torch"

    def __new__(cls, data: Any = (), *more: Any) -> "Tensor":
        """Make a float tensor: from sizes (``Tensor(2, 3)``, uninitialised) or from values."""
        name = "tensor"
        if more or isinstance(data, int):
            name, data = "empty", np.empty((data, *more), dtypes.default_float())
        elif isinstance(data, Size):
            name, data = "empty", np.empty(tuple(data), dtypes.default_float())
        elif not isinstance(data, TensorBase):
            data = np.array(data, dtypes.default_float())
        made: Tensor = cls._make_subclass(data)
        if graph.recorder is not None and cls is Tensor:
            graph.tell(name, (), {}, (made,))
        return made

    def __init_subclass__(cls, **options: Any) -> None:
        """Let a class of the user's own be asked by the functions that its objects are given to."""
        super().__init_subclass__(**options)
        if not cls.__module__.startswith("gradcore."):
            importlib.import_module("gradcore.overrides").enter(cls)

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Answer for a derived class: run the function, return its results as this class."""
        return importlib.import_module("gradcore.overrides").answer(cls, func, types, args, kwargs)

    def as_subclass(self, cls: Any) -> Any:
        """Return an object of a derived class on this memory."""
        return importlib.import_module("gradcore.overrides").as_subclass(self, cls)

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
    def _make_subclass(cls, data: Any, require_grad: Any = False, *more: Any) -> Any:
        """Return a leaf of this class on the memory of an array or tensor."""
        if isinstance(data, type):
            # As PyTorch writes it: torch.Tensor._make_subclass(cls, data, require_grad).
            return data._make_subclass(require_grad, *more)  # type: ignore[attr-defined] # ours
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

    # A class that says what is equal loses its hash, unless it says so.
    __hash__ = object.__hash__

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


def _rebuild(kind: Any, array: Array, requires_grad: bool, attributes: dict[str, Any]) -> Any:
    t = (kind or Tensor)._make_subclass(array)
    t._rg = requires_grad
    t.__dict__.update(attributes)
    return t


def _is_foreign(other: Any) -> bool:
    """Tell whether something can be compared with a tensor only by identity (None, a list)."""
    return not isinstance(other, (TensorBase, int, float, complex, np.ndarray, np.generic))


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


_BYTES = {"byte": dtypes.uint8, "char": dtypes.int8, "bfloat16": dtypes.bfloat16}
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
        plain = arithmetic.OPERATOR_FORMS.get(name, METHODS[name])
        setattr(Tensor, f"__{operator}__", plain)
        setattr(Tensor, f"__r{operator}__", _reflected(plain))
        if name + "_" in METHODS:
            written_form = arithmetic.OPERATOR_FORMS.get(name + "_", METHODS[name + "_"])
            setattr(Tensor, f"__i{operator}__", written_form)
    methods: Any = Tensor
    methods.__rsub__ = arithmetic.rsub
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
keep_freed_memory()
