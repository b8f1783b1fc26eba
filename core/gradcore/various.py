"""Functions that ask about tensors and dtypes, and the names PyTorch has beside its operations."""

import math
from typing import Any

import numpy as np

from gradcore import dtypes, graph
from gradcore.dtypes import Array, dtype
from gradcore.errors import ArgumentError, ShapeError
from gradcore.graph import TensorBase, wrap
from gradcore.ops.indexing import where
from gradcore.ops.numbers import promoted
from gradcore.ops.registry import T, composite
from gradcore.size import Size
from gradcore.tensor import Tensor


def is_tensor(obj: Any) -> bool:
    """Tell whether something is a tensor."""
    return isinstance(obj, TensorBase)


def is_floating_point(input: Any) -> bool:
    """Tell whether a tensor's values are floating-point numbers."""
    return bool(input._a.dtype.kind == "f")


def is_complex(input: Any) -> bool:
    """Tell whether a tensor's values are complex."""
    return bool(input._a.dtype.kind == "c")


def is_inference(input: Any) -> bool:
    """Tell whether a tensor was made in inference mode."""
    return bool(input.is_inference())


def is_nonzero(input: Any) -> bool:
    """Tell whether the one value of a tensor is not 0."""
    return bool(input)


def numel(input: Any) -> int:
    """Return how many values a tensor has."""
    size: int = input._a.size
    return size


def detach(input: Any) -> Any:
    """Return the same memory without history."""
    return input.detach()


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """Return the dtype that an operation on both would have."""
    first, second = (x._a if isinstance(x, TensorBase) else x for x in (tensor1, tensor2))
    if isinstance(first, np.ndarray):
        first, second = (
            promoted(first[..., None][:0], second) if first.ndim else promoted(first, second)
        )
        return dtypes.of(first)
    if isinstance(second, np.ndarray):
        return result_type(tensor2, tensor1)
    return dtypes.of(np.asarray(first + second))


def can_cast(from_: dtype, to: dtype) -> bool:
    """Tell whether a result of one dtype may be written into a tensor of another."""
    ranks = "biufc".index
    first, second = from_.numpy.kind, to.numpy.kind
    if first in "iu" and second in "iu":
        return True
    return ranks(first) <= ranks(second)


def broadcast_shapes(*shapes: Any) -> Any:
    """Return the shape that tensors of these shapes have in common."""
    given = [(item,) if isinstance(item, int) else tuple(item) for item in shapes]
    try:
        return Size(np.broadcast_shapes(*given))
    except ValueError:
        raise ShapeError(
            "Shape mismatch: objects cannot be broadcast to a single shape",
            f"The shapes are {', '.join(map(str, given))}.",
            "Each dimension must be equal or 1.",
            shapes=tuple(given),
        ) from None


def tril_indices(row: int, col: int, offset: int = 0, **options: Any) -> Any:
    """Return the positions of the lower triangle of a matrix: one row of rows, one of columns."""
    return wrap(np.stack(np.tril_indices(row, offset, col)).astype(np.int64))


def triu_indices(row: int, col: int, offset: int = 0, **options: Any) -> Any:
    """Return the positions of the upper triangle of a matrix: one row of rows, one of columns."""
    return wrap(np.stack(np.triu_indices(row, offset, col)).astype(np.int64))


def _window(name: str, shape: Any) -> Any:
    def call(window_length: int, periodic: bool = True, **options: Any) -> Any:
        n = window_length + bool(periodic)
        kind = dtypes.as_numpy(options.get("dtype") or dtypes.get_default_dtype())
        turn = 2 * math.pi * np.arange(window_length) / max(n - 1, 1)
        values = np.ones(1) if window_length == 1 else shape(turn)
        return wrap(values.astype(kind))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return a {name.partition('_')[0]} window."
    return call


hann_window = _window("hann_window", lambda turn: 0.5 - 0.5 * np.cos(turn))
hamming_window = _window("hamming_window", lambda turn: 0.54 - 0.46 * np.cos(turn))
blackman_window = _window(
    "blackman_window", lambda turn: 0.42 - 0.5 * np.cos(turn) + 0.08 * np.cos(2 * turn)
)


@composite("fill", samples=[(T(2, 3), 0.5), (T(2, 3), T())])
def fill(input: Any, value: Any) -> Any:
    """Return one value in the shape of a tensor."""
    return input.clone().fill_(value)


def _where(self: Any, condition: Any, other: Any) -> Any:
    """Return this tensor's values where ``condition`` holds, else those of ``other``."""
    return where(condition, self, other)


def _apply_(self: Any, function: Any) -> Any:
    """Overwrite each value with what a Python function returns for it."""
    values = [function(value) for value in self._a.reshape(-1).tolist()]
    return self._overwrite("apply_", np.asarray(values, self._a.dtype).reshape(self._a.shape))


def typename(obj: Any) -> str:
    """Return the name of a tensor's type, or of any object's class."""
    if isinstance(obj, Tensor):
        return str(obj.type())
    kind = obj if isinstance(obj, type) else type(obj)
    return f"{kind.__module__}.{kind.__qualname__}"


class _TensorType(type):
    """The kind of ``FloatTensor`` and its like: makes tensors, and tells which are of its dtype."""

    _make: Any
    _kind: dtype

    def __call__(cls, *data: Any) -> Any:
        return cls._make(*data)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TensorBase) and dtypes.of(instance._a) is cls._kind


def _typed(name: str, kind: dtype) -> Any:
    def make(*data: Any) -> Any:
        if len(data) == 1 and not isinstance(data[0], int):
            if isinstance(data[0], Size):
                return told("empty", np.empty(tuple(data[0]), kind.numpy))
            source = data[0]._a if isinstance(data[0], TensorBase) else data[0]
            return told("tensor", np.array(source, kind.numpy))
        if not all(isinstance(n, int) for n in data):
            raise ArgumentError(f"{name}() takes sizes or one list of values, got {data!r:.60}")
        return told("empty", np.empty(data, kind.numpy))

    def told(operation: str, array: Array) -> Any:
        made = wrap(array)
        if graph.recorder is not None:
            graph.tell(operation, (), {}, (made,))
        return made

    doc = f"Return a tensor of {kind} from values, or uninitialised from sizes."
    namespace = {"_make": staticmethod(make), "_kind": kind, "__doc__": doc, "__module__": "torch"}
    return _TensorType(name, (), namespace)


TYPED = {
    name: _typed(name, kind)
    for name, kind in {
        "FloatTensor": dtypes.float32,
        "DoubleTensor": dtypes.float64,
        "HalfTensor": dtypes.float16,
        "LongTensor": dtypes.int64,
        "IntTensor": dtypes.int32,
        "ShortTensor": dtypes.int16,
        "CharTensor": dtypes.int8,
        "ByteTensor": dtypes.uint8,
        "BoolTensor": dtypes.bool_,
    }.items()
}


class memory_format:
    """A way to lay out memory; gradcore lays out rows and takes the others as a wish."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
strided = "torch.strided"
inf, nan, pi, e = math.inf, math.nan, math.pi, math.e
newaxis = None


def get_num_threads() -> int:
    """Return 1: what runs in parallel is NumPy's own choice."""
    return 1


def set_num_threads(count: int) -> None:
    """Do nothing but check: what runs in parallel is NumPy's own choice."""
    if count < 1:
        raise ArgumentError("set_num_threads expects a positive integer", f"Got {count}.")


set_num_interop_threads = set_num_threads


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Do nothing: every operation here gives the same result each time."""


def are_deterministic_algorithms_enabled() -> bool:
    """Return True: every operation here gives the same result each time."""
    return True


def set_float32_matmul_precision(precision: str) -> None:
    """Do nothing but check: products are computed in full precision."""
    if precision not in ("highest", "high", "medium"):
        raise ArgumentError(f"{precision!r} is not one of 'highest', 'high', 'medium'")


setattr(Tensor, "where", _where)  # noqa: B010 - a method that mypy need not know
setattr(Tensor, "apply_", _apply_)  # noqa: B010 - likewise
