"""How dtypes meet in an operation: tensors with numbers, tensors with each other.

Also: arrays from what users give, and the errors for what cannot be.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array
from gradcore.errors import (
    ArgumentError,
    DtypeError,
    IndexOutOfRangeError,
    ShapeError,
    UnsupportedDtypeError,
    ValueRangeError,
)
from gradcore.graph import TensorBase
from gradcore.journal import Noted

ndarray = np.ndarray
_EXACT = (float, int, bool, complex)
_PLAIN: tuple[tuple[type, Any], ...] = (
    (float, float.__float__), (int, int.__int__), (complex, complex.__complex__)
)  # fmt: skip


def number(value: Any, x: Array) -> tuple[Array, Any]:
    """Return ``x`` and a Python number such that NumPy gives the dtype torch would.

    NumPy makes float64 of an integer array and a float; torch the default dtype. A Python integer
    beyond the array's integer dtype wraps around, as torch.
    """
    if isinstance(value, np.generic):
        value = value.item()
    elif isinstance(value, Noted):
        value = value.number
    elif type(value) not in _EXACT:
        # NumPy takes only Python's own types for numbers without a dtype.
        value = next((to(value) for of, to in _PLAIN if isinstance(value, of)), value)
    kind = x.dtype.kind
    if isinstance(value, float):
        if kind in "iub":
            x = x.astype(dtypes.default_float())
    elif isinstance(value, int):
        if kind in "iu" and type(value) is int:
            info = np.iinfo(x.dtype)
            if not info.min <= value <= info.max:
                value = int(np.array(value & (2**64 - 1), np.uint64).astype(x.dtype))
        elif kind == "b" and type(value) is int:
            x = x.astype(np.int64)
    elif isinstance(value, complex):
        if kind in "iub":
            x = x.astype(dtypes.default_complex())
    else:
        raise ArgumentError(
            f"expected a tensor or a number, got {type(value).__name__}: {value!r:.60}",
            "",
            "Turn it into a tensor with torch.tensor(...) first.",
        )
    return x, value


def promoted(x: Any, y: Any) -> tuple[Any, Any]:
    """Return two arrays (one of them may be a number) in their common dtype."""
    if not isinstance(y, ndarray):
        return number(y, x)
    if not isinstance(x, ndarray):
        y, x = number(x, y)
        return x, y
    kind = dtypes.common(x, y)
    return x.astype(kind, copy=False), y.astype(kind, copy=False)


def same_dtype(x: Any, y: Any) -> tuple[Any, Any]:
    """Refuse two tensors of different dtypes, as torch's matrix products do."""
    if not (isinstance(x, ndarray) and isinstance(y, ndarray)):
        other = y if isinstance(x, ndarray) else x
        raise ArgumentError(
            f"a matrix product takes tensors, got {type(other).__name__}",
            "",
            "Use `*` to multiply by a number.",
        )
    if x.dtype != y.dtype:
        raise DtypeError(
            f"expected m1 and m2 to have the same dtype, but got: {_c_name(x)} != {_c_name(y)}",
            f"The shapes are {x.shape} and {y.shape}.",
            f"Convert one of them, for instance with .to({dtypes.of(x)}).",
            dtypes=(dtypes.of(x), dtypes.of(y)),
        )
    return x, y


_C_NAMES = {
    "float32": "float",
    "float64": "double",
    "int64": "long long",
    "int32": "int",
    "float16": "c10::Half",
    "bool": "bool",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short",
}


def _c_name(x: Array) -> str:
    return _C_NAMES.get(str(x.dtype), str(x.dtype))


def broadcast_failed(name: str, arrays: Sequence[Any], error: Exception) -> Exception:
    """Return the error to raise where NumPy refused the shapes of an element-wise operation."""
    shapes = [item.shape for item in arrays if isinstance(item, ndarray)]
    for a, b in itertools.combinations(shapes, 2):
        for dim in range(1, min(len(a), len(b)) + 1):
            if a[-dim] != b[-dim] and 1 not in (a[-dim], b[-dim]):
                place = max(len(a), len(b)) - dim
                return ShapeError(
                    f"The size of tensor a ({a[-dim]}) must match the size of tensor b "
                    f"({b[-dim]}) at non-singleton dimension {place}",
                    f"In `{name}` of shapes {a} and {b}.",
                    "Reshape one of them so that each dimension is equal or 1.",
                    shapes=(a, b),
                )
    return error


_LONG_NAMES = {
    "float32": "Float",
    "float64": "Double",
    "float16": "Half",
    "int64": "Long",
    "int32": "Int",
    "int16": "Short",
    "int8": "Char",
    "uint8": "Byte",
    "bool": "Bool",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
}


def long_name(x: Array) -> str:
    """Return the name torch's messages give a dtype, such as ``Float``."""
    return _LONG_NAMES.get(str(x.dtype), str(x.dtype))


def dtype_refused(name: str, arrays: Sequence[Any], error: Exception) -> Exception:
    """Return the error to raise where NumPy has no form of an operation for a dtype."""
    given = [item for item in arrays if isinstance(item, ndarray)]
    if "boolean negative" in str(error):
        return DtypeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    if name == "bitwise_not":
        return ArgumentError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors",
            f"The tensor has dtype {dtypes.of(given[0])}." if given else "",
        )
    if not given or "not supported for the input types" not in str(error):
        return error
    kind = dtypes.common(given[0], given[-1])
    return UnsupportedDtypeError(
        f"\"{name}_cpu\" not implemented for '{_LONG_NAMES.get(str(kind), str(kind))}'",
        f"The inputs have {', '.join(str(dtypes.of(item)) for item in given)}.",
        "Convert them first.",
        dtypes=tuple(dtypes.of(item) for item in given),
    )


def ragged_lists(data: Any, depth: int = 0) -> str:
    """Say, as torch, which of nested lists has another length than the first."""
    if not isinstance(data, (list, tuple)) or not data:
        return ""
    if isinstance(data[0], (list, tuple)):
        wanted = len(data[0])
        for item in data:
            if not isinstance(item, (list, tuple)):
                return f"expected sequence of length {wanted} at dim {depth + 1}"
            if len(item) != wanted:
                return f"expected sequence of length {wanted} at dim {depth + 1} (got {len(item)})"
        return next((found for item in data if (found := ragged_lists(item, depth + 1))), "")
    return ""


def halvings(a: Array) -> int:
    """Return how often a matrix is to be halved until a Taylor sum of it is exact."""
    size = float(np.abs(a).sum(-1).max(initial=0.0))
    return max(0, math.ceil(math.log2(size)) + 2) if size > 0 else 0


# --- values from Python, indices from users


def _plain(data: Any) -> Any:
    """Return nested data with its tensors replaced by their values."""
    if isinstance(data, TensorBase):
        if data._a.size != 1:
            raise ValueRangeError(
                "only one element tensors can be converted to Python scalars",
                f"One in the list has shape {data._a.shape}.",
                "Use torch.stack() to join tensors.",
            )
        return data._a.item()
    if isinstance(data, (list, tuple, range)):
        return [_plain(item) for item in data]
    return data


def array_from(data: Any, kind: Any = None) -> Array:
    """Return the array ``torch.tensor`` would hold for ``data``: floats in the default dtype."""
    if isinstance(data, TensorBase):
        return np.array(data._a, dtype=kind, order="C")
    if isinstance(data, (np.ndarray, np.generic)):
        given = np.array(data, dtype=kind, order="C")
        dtypes.of(given)
        return given
    plain = _plain(data)
    try:
        made = np.array(plain, dtype=None)
    except ValueError:
        raise ValueRangeError(
            ragged_lists(data) or "expected sequence of equal lengths",
            "",
            "Pad them to one length.",
        ) from None
    if made.dtype.kind == "O" and _holds_whole_numbers(made):
        raise ValueRangeError("Overflow when unpacking long long", f"Got {data!r:.60}.")
    if made.dtype.kind == "O":
        odd = next(x for x in made.reshape(-1).tolist() if not isinstance(x, (int, float)))
        raise DtypeError(
            f"Could not infer dtype of {type(odd).__name__}",
            f"tensor() takes numbers, got {data!r:.60}.",
            "Turn names and texts into numbers first.",
        )
    if made.dtype.kind in "US":
        raise ArgumentError(
            "new(): invalid data type 'str'",
            f"tensor() takes numbers, got {data!r:.60}.",
            "Turn names and texts into numbers first.",
        )
    if kind is None:
        if (made.size == 0 and made.dtype == np.float64) or (
            made.dtype.kind == "f" and not _is_numpy_inside(data)
        ):
            kind = dtypes.default_float()
        elif made.dtype.kind == "c":
            kind = dtypes.default_complex()
        elif made.dtype.kind in "iu":
            kind = np.int64
    return made.astype(kind, copy=False) if kind is not None else made


def _holds_whole_numbers(made: Array) -> bool:
    return all(isinstance(x, int) for x in made.reshape(-1).tolist())


def _is_numpy_inside(data: Any) -> bool:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return isinstance(data, (np.ndarray, np.generic))


def as_tuple(index: Any) -> tuple[Any, ...]:
    """Return an index as the tuple that it stands for."""
    return index if isinstance(index, tuple) else (index,)


def _mask_error(input: Array, index: Any) -> str:
    """Say which mask has another shape than the part of the tensor it stands for."""
    place = 0
    for i, part in enumerate(as_tuple(index)):
        if isinstance(part, np.ndarray) and part.dtype.kind == "b":
            if part.shape != input.shape[place : place + part.ndim]:
                return (
                    f"The shape of the mask {list(part.shape)} at index {i} does not match the "
                    f"shape of the indexed tensor {list(input.shape)} at index {place}"
                )
            place += part.ndim
        elif part is Ellipsis:
            return ""
        elif part is not None:
            place += 1
    return ""


def index_error(input: Array, error: Exception, index: Any = ()) -> IndexOutOfRangeError:
    """Return torch's error for NumPy's."""
    text = str(error)
    if "too many indices" in text and not input.ndim:
        text = (
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
            "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"
        )
    elif "too many indices" in text:
        text = f"too many indices for tensor of dimension {input.ndim}"
    elif "out of bounds for axis" in text:
        text = text.replace("for axis", "for dimension")
    elif "boolean index did not match" in text:
        text = _mask_error(input, index) or text
    return IndexOutOfRangeError(
        text,
        f"The tensor has shape {tuple(input.shape)}.",
        "Indices count from 0; negative ones from the end.",
    )
