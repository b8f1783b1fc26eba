"""The OpenBLAS that NumPy brings along, for what NumPy has no call of its own.

It is found beside NumPy, is one that NumPy has loaded already, and may as well not be there.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

_PROBE = 100
"""So many values cover the vector part and the rest of a kernel's loop."""


@cache
def _paths() -> tuple[str, ...]:
    root = Path(np.__file__).parent
    found = [*root.parent.glob("numpy.libs/*openblas*"), *root.glob(".dylibs/*openblas*")]
    return tuple(os.fspath(path) for path in found)


def _libraries(kind: Callable[[str], Any]) -> Iterator[Any]:
    for path in _paths():
        try:
            yield kind(path)
        except OSError:
            continue


def core_name() -> bytes:
    """Return for which processor its kernels are; nothing where there is no OpenBLAS."""
    for library in _libraries(ctypes.CDLL):
        ask = getattr(library, "scipy_openblas_get_corename64_", None)
        if ask is not None:
            ask.restype = ctypes.c_char_p
            return bytes(ask())
    return b""


@cache
def scaled_sum(char: str) -> Callable[..., None] | None:
    """Return ``call(count, a, x, 1, b, y, 1)``, which sets y to ``a * x + b * y`` in one pass.

    ``x`` and ``y`` are addresses of values of the dtype with this character. None where there is
    none, or where what a value becomes depends on where it stands.
    """
    number = {"f": ctypes.c_float, "d": ctypes.c_double}[char]
    name = {"f": "scipy_cblas_saxpby64_", "d": "scipy_cblas_daxpby64_"}[char]
    # A PyDLL keeps the interpreter's lock: a call takes some microseconds.
    for library in _libraries(ctypes.PyDLL):
        call = getattr(library, name, None)
        if call is not None:
            size, place = ctypes.c_int64, ctypes.c_void_p
            call.argtypes = [size, number, place, size, number, place, size]
            call.restype = None
            return call if _is_even(call, np.dtype(char)) else None
    return None


def _is_even(call: Callable[..., None], kind: Any) -> bool:
    """Tell whether each value becomes the same wherever it stands, and the right one."""
    x = np.sin(np.arange(_PROBE)).astype(kind)
    y = np.cos(np.arange(_PROBE)).astype(kind)
    whole, single = y.copy(), y.copy()
    call(_PROBE, 0.3, address(x), 1, 0.9, address(whole), 1)
    for at in range(0, x.nbytes, x.itemsize):
        call(1, 0.3, address(x) + at, 1, 0.9, address(single) + at, 1)
    return whole.tobytes() == single.tobytes() and np.allclose(whole, 0.3 * x + 0.9 * y)


def address(a: Any) -> int:
    """Return where the values of an array begin."""
    place: int = a.__array_interface__["data"][0]
    return place
