"""The element types, under PyTorch's names, and the rules by which two of them meet.

Used by every layer above; knows only NumPy.
"""

from typing import Any

import numpy as np

from gradcore.errors import DtypeTypeError

# As numpy.typing.NDArray[Any]; importing that costs as much as importing a tenth of gradcore.
Array = np.ndarray[Any, np.dtype[Any]]


class dtype:
    """An element type, printed as ``torch.float32``. One object each: compare with ``is``."""

    __slots__ = ("_name", "numpy", "itemsize", "is_floating_point", "is_complex", "is_signed")

    def __init__(self, name: str, numpy_name: str) -> None:
        self._name = name
        self.numpy = np.dtype(numpy_name)
        self.itemsize = self.numpy.itemsize
        self.is_floating_point = self.numpy.kind == "f"
        self.is_complex = self.numpy.kind == "c"
        self.is_signed = self.numpy.kind in "ifc"

    def __repr__(self) -> str:
        return "torch." + self._name

    def __reduce__(self) -> str:
        return "bool_" if self._name == "bool" else self._name

    def to_real(self) -> "dtype":
        """The real type of a complex one's parts; itself where it is real."""
        return {"complex64": float32, "complex128": float64}.get(self._name, self)

    def to_complex(self) -> "dtype":
        """The complex type whose parts have this type."""
        return complex128 if self._name in ("float64", "complex128") else complex64


class _Absent(dtype):
    """A dtype that NumPy lacks: scripts may name and compare it, no tensor can have it."""

    __slots__ = ()

    def __init__(self, name: str, itemsize: int) -> None:
        self._name = name
        self.itemsize = itemsize
        self.is_floating_point = self.is_signed = True
        self.is_complex = False

    @property
    def numpy(self) -> "np.dtype[Any]":  # type: ignore[override] # a slot of those that are there
        """Refuse."""
        raise DtypeTypeError(
            f"gradcore has no tensors of dtype torch.{self._name}",
            "It computes with NumPy, which has no such dtype.",
            "Use torch.float32: it holds every such value.",
        )


bool_ = dtype("bool", "bool")
uint8 = dtype("uint8", "uint8")
int8 = dtype("int8", "int8")
int16 = dtype("int16", "int16")
int32 = dtype("int32", "int32")
int64 = dtype("int64", "int64")
float16 = dtype("float16", "float16")
float32 = dtype("float32", "float32")
float64 = dtype("float64", "float64")
complex64 = dtype("complex64", "complex64")
complex128 = dtype("complex128", "complex128")
bfloat16 = _Absent("bfloat16", 2)

ALL: dict[str, dtype] = {
    item._name: item
    for item in (bool_, uint8, int8, int16, int32, int64, float16, float32, float64)
    + (complex64, complex128)
}
ALIASES: dict[str, dtype] = {
    "short": int16,
    "int": int32,
    "long": int64,
    "half": float16,
    "float": float32,
    "double": float64,
    "cfloat": complex64,
    "cdouble": complex128,
}
FROM_NUMPY: dict[Any, dtype] = {item.numpy: item for item in ALL.values()}

BOOL, INT64 = bool_.numpy, int64.numpy
FLOAT16, FLOAT32, FLOAT64 = float16.numpy, float32.numpy, float64.numpy
COMPLEX64, COMPLEX128 = complex64.numpy, complex128.numpy

_RANK = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


class _Default:
    """The dtype of new floating-point tensors; one for the process, as torch."""

    value = float32


def get_default_dtype() -> dtype:
    """Return the dtype that Python floats become."""
    return _Default.value


def set_default_dtype(d: dtype) -> None:
    """Make ``d`` the dtype that Python floats become."""
    if not (isinstance(d, dtype) and d.is_floating_point):
        raise DtypeTypeError(
            "only floating-point types are supported as the default type", "", f"Not {d!r}."
        )
    _Default.value = d
    _MIXED.clear()


def default_float() -> "np.dtype[Any]":
    """Return the NumPy form of the default dtype."""
    return _Default.value.numpy


def default_complex() -> "np.dtype[Any]":
    """Return the complex NumPy dtype whose parts have the default dtype."""
    return _Default.value.to_complex().numpy


def of(array: Any) -> dtype:
    """Return the dtype of a NumPy array (or of a NumPy dtype)."""
    found = array if isinstance(array, np.dtype) else array.dtype
    try:
        return FROM_NUMPY[found]
    except KeyError:
        raise DtypeTypeError(
            f"gradcore has no dtype for NumPy's {found}",
            "",
            "Use one of: " + ", ".join(ALL) + ".",
        ) from None


def as_numpy(kind: Any) -> "np.dtype[Any]":
    """Return the NumPy dtype of a gradcore dtype, a Python type or a NumPy dtype."""
    if isinstance(kind, dtype):
        return kind.numpy
    plain: Any = {bool: BOOL, int: INT64, float: default_float(), complex: default_complex()}
    if isinstance(kind, type) and kind in plain:
        found: np.dtype[Any] = plain[kind]
        return found
    if isinstance(kind, np.dtype) or (isinstance(kind, type) and issubclass(kind, np.generic)):
        return of(np.dtype(kind)).numpy
    raise DtypeTypeError(
        f"dtype must be torch.dtype, not {type(kind).__name__}",
        f"Got {kind!r}.",
        "Use one of: " + ", ".join("torch." + name for name in ALL) + ".",
    )


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """Return the smallest dtype both can be turned into; a float wins over any integer."""
    return FROM_NUMPY[promote(type1.numpy, type2.numpy)]


def promote(a: "np.dtype[Any]", b: "np.dtype[Any]") -> "np.dtype[Any]":
    """As ``promote_types``, on NumPy dtypes. NumPy alone would make float64 of int32 + float32."""
    if a == b:
        return a
    first, second = _RANK[a.kind], _RANK[b.kind]
    if first == second:
        return np.promote_types(a, b)
    high, low = (a, b) if first > second else (b, a)
    if high.kind == "c" and low == FLOAT64:
        return COMPLEX128
    return high


_MIXED: dict[Any, "np.dtype[Any]"] = {}


def common(x: Array, y: Array) -> "np.dtype[Any]":
    """Return the dtype of an operation on ``x`` and ``y``.

    A tensor without dimensions counts only where its kind (bool, integer, float, complex) is above
    that of the other, as torch.
    """
    x_dtype, y_dtype = x.dtype, y.dtype
    if x_dtype == y_dtype:
        return x_dtype
    key = (x_dtype, y_dtype, x.ndim == 0, y.ndim == 0)
    found = _MIXED.get(key)
    if found is None:
        found = _common(*key)
        _MIXED[key] = found
    return found


def _common(a: "np.dtype[Any]", b: "np.dtype[Any]", a_weak: bool, b_weak: bool) -> "np.dtype[Any]":
    if a_weak == b_weak:
        return promote(a, b)
    strong, weak = (b, a) if a_weak else (a, b)
    if _RANK[weak.kind] <= _RANK[strong.kind]:
        return strong
    return promote(strong, weak)


class finfo:
    """Limits of a floating-point dtype."""

    def __init__(self, type: dtype | None = None) -> None:
        chosen = type or get_default_dtype()
        if not (chosen.is_floating_point or chosen.is_complex):
            raise DtypeTypeError(
                f"finfo() takes a floating-point dtype, not {chosen}", "", "Use iinfo()."
            )
        info = np.finfo(chosen.to_real().numpy)
        self.bits = int(info.bits)
        self.eps = float(info.eps)
        self.max = float(info.max)
        self.min = float(info.min)
        self.tiny = float(info.tiny)
        self.smallest_normal = self.tiny
        self.resolution = float(info.resolution)
        self.dtype = chosen.to_real()._name

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, "
            f"tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """Limits of an integer dtype."""

    def __init__(self, type: dtype) -> None:
        if type.numpy.kind not in "iu":
            raise DtypeTypeError(
                f"iinfo() takes an integer dtype, not {type}", "", "Use finfo() for floats."
            )
        info = np.iinfo(type.numpy)
        self.bits = int(info.bits)
        self.max = int(info.max)
        self.min = int(info.min)
        self.dtype = type._name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
