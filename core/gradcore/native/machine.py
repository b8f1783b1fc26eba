"""Compiles kernels and runs tables of them: the only place that knows how numba is used.

Each kernel is compiled for one dtype when a program first needs it, and kept on disk: beside this
file, or in the user's cache folder where that may not be written. The name under which it is kept
holds a digest of every file here, since numba itself looks at one file only.
"""

import hashlib
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.caching import FunctionCache
from numba.core.errors import NumbaError

from gradcore.native.entry import Kernel
from gradcore.native.loading import LOCKS
from gradcore.native.memory import call_kernel, floats32_at, floats64_at, integers_at

Dtype = np.dtype[Any]
ROW = 3
"""How many words a row of a program has: kernel, words, numbers."""
_REALS = {"float32": types.float32, "float64": types.float64}
_FLAGS = {"reassoc", "nsz", "contract", "arcp"}
"""What the compiler may do to sums and products; NaN and infinity it has to respect."""
_DRIVE = types.int64(types.int64, types.int64)
_DRIVE_MANY = types.int64(types.int64, types.int64, types.int64)
_DRIVE_MOVED = types.int64(types.int64, types.int64, types.int64)
_READ = types.boolean(types.int64, types.int64, types.int64, types.boolean)
_lock = threading.Lock()
LOCKS.append(_lock)


@numba.njit(error_model="numpy")
def _run_rows(code: Any, count: Any) -> Any:
    """Run rows of a program; return how many were passed before a check failed, or all.

    A row without a kernel is a check: it stops the program if what its word points to is not zero.
    """
    rows = integers_at(code)
    for i in range(count):
        function = rows[3 * i]
        if function:
            call_kernel(function, rows[3 * i + 1], rows[3 * i + 2])
        elif integers_at(integers_at(rows[3 * i + 1])[0])[0]:
            return i
    return count


def _drive(code: Any, count: Any) -> Any:
    return _run_rows(code, count)


def _drive_moved(code: Any, count: Any, plan: Any) -> Any:
    """Run a program on arrays that are elsewhere than before.

    The plan's words: how many words move, for each of them where it is, which array it points into
    and how far; then where an array has the address of its values, and where the arrays are.
    """
    words = integers_at(plan)
    moving = words[0]
    data, arrays = words[1 + 3 * moving], integers_at(words[2 + 3 * moving])
    for i in range(moving):
        place = integers_at(arrays[words[2 + 3 * i]] + data)[0]
        integers_at(words[1 + 3 * i])[0] = place + words[3 + 3 * i]
    return _run_rows(code, count)


def _drive_many(code: Any, count: Any, plan: Any) -> Any:
    """Run a program many times; returns how often it was passed before a check failed.

    The plan's words: how many times, how many words move, for each of them where it is, which
    argument it points into and how far; how many arguments, where the addresses of all are; then
    where the loss lies, its bytes, and where the losses go.
    """
    words = integers_at(plan)
    times, moving = words[0], words[1]
    last = 2 + 3 * moving
    arguments, places = words[last], integers_at(words[last + 1])
    losses = floats64_at(words[last + 4])
    for step in range(times):
        for i in range(moving):
            place = places[step * arguments + words[3 + 3 * i]]
            integers_at(words[2 + 3 * i])[0] = place + words[4 + 3 * i]
        if _run_rows(code, count) != count:
            return step
        if words[last + 3] == 4:
            losses[step] = floats32_at(words[last + 2])[0]
        else:
            losses[step] = floats64_at(words[last + 2])[0]
    return times


def _read_words(places: Any, expected: Any, count: Any, is_note: Any) -> Any:
    """Tell whether words of memory are what they ought to be, or note what they are.

    The first that differs ends it: later ones may be no memory any more.
    """
    addresses, words = integers_at(places), integers_at(expected)
    for i in range(count):
        found = integers_at(addresses[i])[0]
        if is_note:
            words[i] = found
        elif found != words[i]:
            return False
    return True


@cache
def _digest() -> str:
    """Return what tells one state of the files in this folder from another."""
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def marked(function: Any) -> Any:
    """Give a function the digest as a part of its name, by which numba's cache finds it."""
    mark = f"_{_digest()}"
    if not function.__qualname__.endswith(mark):
        function.__qualname__ += mark
    return function


def _compiled(decorate: Any, function: Any) -> Any:
    """Return the compiled function, kept on disk where there is a place for it."""
    try:
        return decorate(cache=True)(marked(function))
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return decorate(cache=False)(function)
    except NumbaError:
        raise
    except Exception:
        # Files that are cut off or spoilt, or a disk that is full: numba lets all of that through.
        with suppress(Exception):
            FunctionCache(function).flush()
        return decorate(cache=False)(function)


@cache
def driver() -> Any:
    """Return ``drive(code, count)``, which runs without the interpreter's lock."""
    return _running(_DRIVE, _drive)


@cache
def many_driver() -> Any:
    """Return ``drive(code, count, plan)``, which does many steps in one go."""
    return _running(_DRIVE_MANY, _drive_many)


@cache
def moving_driver() -> Any:
    """Return ``drive(code, count, plan)``, which first takes over where arrays are."""
    return _running(_DRIVE_MOVED, _drive_moved)


@cache
def word_reader() -> Any:
    """Return ``read(places, expected, count, is_note)``, which keeps the interpreter's lock."""
    return _running(_READ, _read_words, nogil=False)


def _running(signature: Any, function: Any, nogil: bool = True) -> Any:
    def decorate(cache: bool) -> Any:
        return numba.njit(signature, nogil=nogil, error_model="numpy", cache=cache)

    with _lock:
        return _compiled(decorate, function)


def signature_of(dtype: Dtype) -> Any:
    """Return the signature of every kernel for one dtype."""
    return types.void(types.CPointer(types.int64), types.CPointer(_REALS[dtype.name]))


def driver_signatures() -> list[tuple[Any, Any]]:
    """Return the functions of the drivers, each with its signature."""
    return [
        (_drive, _DRIVE),
        (_drive_moved, _DRIVE_MOVED),
        (_drive_many, _DRIVE_MANY),
        (_read_words, _READ),
    ]


def address(kernel: Kernel, dtype: Dtype) -> int:
    """Return where the machine code of ``kernel`` for ``dtype`` is."""
    found = kernel.addresses.get(dtype.name)
    if found is not None:
        return found
    signature = signature_of(dtype)

    def decorate(cache: bool) -> Any:
        return numba.cfunc(
            signature, nopython=True, error_model="numpy", fastmath=_FLAGS, cache=cache
        )

    with _lock:
        made = kernel.addresses.get(dtype.name)
        if made is None:
            code = _compiled(decorate, kernel.function)
            _KEPT.append(code)
            made = kernel.addresses[dtype.name] = int(code.address)
    return made


_KEPT: list[Any] = []
