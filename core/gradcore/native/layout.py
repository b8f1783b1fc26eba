"""Where the arrays of a program lie: pieces of memory, and views worked out without data."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.native.entry import Operand
from gradcore.replay.program import RefusalError

Shape = tuple[int, ...]


class Storage:
    """A piece of memory that a program uses.

    ``array`` is set for memory that is there already and stays where it is; ``slot`` for memory
    that may be elsewhere at each step (arguments, gradients). All others get a place in the arena
    for as long as they are needed: from the ``first`` to the ``last`` instruction that names them.
    """

    __slots__ = ("address", "array", "first", "last", "offset", "size", "slot")

    def __init__(self, size: int, array: Any = None, slot: int = -1) -> None:
        self.size = size
        self.array = array
        self.slot = slot
        self.address = address_of(array) if array is not None else 0
        self.offset = 0
        self.first = self.last = -1

    @property
    def is_temporary(self) -> bool:
        """Whether it lies in the arena."""
        return self.array is None and self.slot < 0


def laid_as(x: Any) -> Any:
    """Return a new array with the shape and the strides of an operand or an array."""
    if min(x.strides, default=0) < 0:
        raise RefusalError("is given an array that runs backwards")
    pairs = zip(x.shape, x.strides, strict=True)
    extent = x.dtype.itemsize + sum((length - 1) * stride for length, stride in pairs if length)
    memory = np.empty(-(-extent // x.dtype.itemsize), x.dtype)
    return np.lib.stride_tricks.as_strided(memory, x.shape, x.strides)


def address_of(array: Any) -> int:
    """Return where the first value of an array is."""
    address: int = array.__array_interface__["data"][0]
    return address


def row_strides(shape: Shape, itemsize: int) -> Shape:
    """Return the strides of an array that lies row by row."""
    strides = []
    step = itemsize
    for length in reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return tuple(reversed(strides))


def whole(shape: Shape, dtype: Any, storage: Storage, offset: int = 0) -> Operand:
    """Return the operand that lies row by row in a storage."""
    kind = np.dtype(dtype)
    return Operand(tuple(shape), kind, row_strides(shape, kind.itemsize), (storage, offset))


def of_array(array: Any, storage: Storage) -> Operand:
    """Return an array as operand; its first value is where ``storage`` begins."""
    return Operand(array.shape, array.dtype, array.strides, (storage, 0))


def byte_size(shape: Shape, dtype: Any) -> int:
    """Return how many bytes such an array takes."""
    size = int(np.dtype(dtype).itemsize)
    for length in shape:
        size *= length
    return size


def _shadow(x: Operand) -> Any:
    """Return an array of the operand's layout whose values nobody may look at."""
    return np.lib.stride_tricks.as_strided(np.empty(1, x.dtype), x.shape, x.strides)


def viewed(x: Operand, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Return the view (or tuple of views) that a NumPy function gives of an operand.

    Only for functions that never look at values. None: it did not give a view.
    """
    shadow = _shadow(x)
    made = function(shadow, *args, **options)
    if isinstance(made, (tuple, list)):
        return [_as_view(x, shadow, item) for item in made]
    return _as_view(x, shadow, made)


def _as_view(x: Operand, shadow: Any, made: Any) -> Operand | None:
    if not isinstance(made, np.ndarray):
        return None
    storage, offset = x.place
    offset += address_of(made) - address_of(shadow) if made.size else 0
    return Operand(made.shape, made.dtype, made.strides, (storage, offset))


def broadcast(x: Operand, shape: Shape) -> Operand:
    """Return an operand as it is seen in a larger shape."""
    missing = len(shape) - len(x.shape)
    strides = [0] * missing
    for own, length, stride in zip(x.shape, shape[missing:], x.strides, strict=True):
        strides.append(0 if own == 1 and length != 1 else stride)
    return Operand(tuple(shape), x.dtype, tuple(strides), x.place)


def repetition(x: Operand) -> tuple[int, int] | None:
    """Return (period, each): its values lie side by side, repeated as ``steps.SPREAD`` does.

    None: they lie otherwise.
    """
    step, each, period = x.dtype.itemsize, 1, 1
    pairs = [
        (length, stride)
        for length, stride in zip(reversed(x.shape), reversed(x.strides), strict=True)
        if length != 1
    ]
    while pairs and pairs[0][1] == 0:
        each *= pairs.pop(0)[0]
    while pairs and pairs[0][1] == step * period:
        period *= pairs.pop(0)[0]
    return (period, each) if all(stride == 0 for _, stride in pairs) else None
