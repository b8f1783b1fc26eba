"""What stands between the brackets of ``x[...]``: from torch's reading of it to NumPy's."""

from typing import Any

import numpy as np

from gradcore import dtypes, graph
from gradcore.errors import (
    ArgumentError,
    IndexOutOfRangeError,
    ShapeError,
    ValueRangeError,
)
from gradcore.graph import (
    TensorBase,
)
from gradcore.journal import Noted
from gradcore.ops.shape import expand_error, reshape


def as_value(value: Any) -> Any:
    """Return what is to be written as a tensor, a number or an array."""
    if isinstance(value, (TensorBase, int, float, complex, np.ndarray, np.generic)):
        return value
    return np.asarray(value)


def without_leading_ones(value: Any, ndim: int) -> Any:
    """Return a value without leading dimensions of size 1 that its place has not, as torch."""
    if not isinstance(value, TensorBase) or value._a.ndim <= ndim:
        return value
    extra = value._a.ndim - ndim
    if any(n != 1 for n in value._a.shape[:extra]):
        return value
    return reshape(value, value._a.shape[extra:])


def check_broadcast(given: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Refuse values that cannot be broadcast to where they are to be written."""
    given_cut = given
    while len(given_cut) > len(wanted) and given_cut[0] == 1:
        given_cut = given_cut[1:]
    fits = len(given_cut) <= len(wanted) and all(
        a in (1, b) for a, b in zip(reversed(given_cut), reversed(wanted), strict=False)
    )
    if not fits:
        raise ShapeError(
            expand_error(given_cut, wanted),
            "The values cannot be broadcast to where they are to be written.",
            "Give values of that shape, or one value.",
            shapes=(given, wanted),
        )


def as_index(t: TensorBase, index: Any) -> tuple[Any, bool]:
    """Return a NumPy index and whether it holds arrays (so that the result is a copy)."""
    kind = type(index)
    if kind is int:
        return index, False
    if kind is slice:
        return _slice(index), False
    if kind is list and any(isinstance(part, (list, tuple, slice, TensorBase)) for part in index):
        # As torch: a list that holds more than numbers is read as a tuple.
        kind, index = tuple, tuple(index)
    if kind is tuple:
        parts = [_index_part(t, part) for part in index]
        arrays = any(isinstance(part, np.ndarray) for part in parts)
        return tuple(parts), arrays
    part = _index_part(t, index)
    return part, isinstance(part, np.ndarray)


def integers_apart(key: Any) -> tuple[Any, Any] | None:
    """Return two indices, one after the other, where numbers stand apart from arrays, else None.

    Torch takes the numbers first. NumPy would count them among the arrays, and put the arrays'
    dimensions in front where something stands between them.
    """
    if type(key) is not tuple:
        return None
    advanced = [i for i, part in enumerate(key) if isinstance(part, (int, np.ndarray))]
    has_numbers = any(isinstance(part, int) for part in key)
    if not has_numbers or advanced[-1] - advanced[0] == len(advanced) - 1:
        return None
    first: list[Any] = []
    for part in key:
        if isinstance(part, int) or part is Ellipsis:
            first.append(part)
        elif part is not None:
            is_mask = isinstance(part, np.ndarray) and part.dtype.kind == "b"
            first += [slice(None)] * (part.ndim if is_mask else 1)
    return tuple(first), tuple(part for part in key if not isinstance(part, int))


def _index_part(t: TensorBase, part: Any) -> Any:
    if part is None or part is Ellipsis:
        return part
    if isinstance(part, slice):
        return _slice(part)
    if isinstance(part, bool):
        return np.asarray(part)
    if isinstance(part, int):
        return graph.journal.indexes(part) if isinstance(part, Noted) and graph.journal else part
    if isinstance(part, TensorBase):
        if graph.journal is not None and not part._a.ndim and part._a.dtype.kind in "iu":
            return graph.journal.indexes(part)
        part = part._a
    elif isinstance(part, str):
        raise ArgumentError("new(): invalid data type 'str'", f"The index holds {part!r}.")
    elif isinstance(part, (list, tuple, range)):
        part = np.asarray([p.item() if isinstance(p, TensorBase) else p for p in part])  # type: ignore[attr-defined]  # tensors have it
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


def _bound(part: Any) -> int:
    """Return one end of a slice."""
    if graph.journal is not None and isinstance(part, (TensorBase, Noted)):
        found: int = graph.journal.indexes(part)
        return found
    return int(part)


def _slice(part: slice) -> slice:
    ends = (part.start, part.stop, part.step)
    start, stop, step = (None if x is None else _bound(x) for x in ends)
    if step is not None and step <= 0:
        raise ValueRangeError("step must be greater than zero", f"Got {step}.", "Use flip().")
    return slice(start, stop, step)
