"""Compiles kernels in a process of its own, which leaves them on disk.

The compiler is Python: in a thread it would hold the interpreter's lock against the training for
many seconds. ``python -m gradcore.native.fill MODULE:NAME:DTYPE ...`` is that process; ``fill``
starts it and waits, for those kernels that are not on disk yet.
"""

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
from numba.core.caching import FunctionCache

from gradcore.native import machine
from gradcore.native.entry import Kernel
from gradcore.native.machine import Dtype

DRIVERS = "drivers"


def fill(kernels: Iterable[tuple[Kernel, Dtype]] = ()) -> None:
    """Put the drivers and ``kernels`` on disk, where they are not there yet.

    What goes wrong shows when the kernels are then compiled in this process.
    """
    names = [] if _are_drivers_kept() else [DRIVERS]
    names += [name for kernel, dtype in kernels if (name := _missing(kernel, dtype))]
    if not names:
        return
    command = [sys.executable, "-m", "gradcore.native.fill", *dict.fromkeys(names)]
    roots = [path for path in sys.path if path and os.path.isdir(path)]
    try:
        process = subprocess.Popen(
            command,
            # Never written to: its end tells the process that this one is gone.
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(roots)},
        )
    except OSError:
        return  # no processes here: the kernels are compiled in this one
    with process:
        process.wait()


def _are_drivers_kept() -> bool:
    return all(_is_kept(function, signature) for function, signature in machine.driver_signatures())


def _missing(kernel: Kernel, dtype: Dtype) -> str:
    """Return the name of a kernel that is to be compiled; nothing if it is there, or has none."""
    function = kernel.function
    if dtype.name in kernel.addresses or _is_kept(function, machine.signature_of(dtype)):
        return ""
    module, name = function.__module__, function.__name__
    is_named = getattr(sys.modules.get(module), name, None) is kernel
    return f"{module}:{name}:{dtype.name}" if is_named else ""


def _is_kept(function: Any, signature: Any) -> bool:
    """Tell whether numba has machine code of a function on disk."""
    try:
        index = FunctionCache(machine.marked(function))._cache_file._load_index()
    except (AttributeError, OSError, RuntimeError):
        # No place for a cache, or a numba with another one: nothing is gained by filling it.
        return True
    except Exception:
        # A file that is cut off or spoilt: it is made anew.
        return False
    return any(key[0] == signature for key in index)


def main(names: list[str]) -> None:
    """Compile what is named, as long as the process that asked for it lives."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    machine.driver()
    machine.moving_driver()
    machine.many_driver()
    machine.word_reader()
    for name in names:
        if name != DRIVERS:
            module, attribute, dtype = name.split(":")
            kernel = getattr(importlib.import_module(module), attribute)
            machine.address(kernel, np.dtype(dtype))


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
