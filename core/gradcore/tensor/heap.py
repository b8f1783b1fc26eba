"""Keeps the memory of freed arrays in the process; called once, when tensors are first imported.

A training step allocates the arrays that the step before has freed. The C library of Linux hands
the end of its heap back to the system whenever some megabytes there are free, and the next step
gets it back page by page, filled with zeros: a tenth to a fifth of a step of a convolutional
network, a transformer or an LSTM. As much as ``_KEPT`` stays with the process instead.
"""

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = 256 << 20
_LARGEST = 32 << 20
"""Larger blocks than this go back to the system at once; the C library takes no higher limit."""
_OF_THE_USER = ("GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory() -> bool:
    """Ask the C library to keep freed memory; return whether it does.

    It is left alone where there is no such setting, or where the user has chosen one.
    """
    if sys.platform != "linux" or any(name in os.environ for name in _OF_THE_USER):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(
        library.mallopt(_MMAP_THRESHOLD, _LARGEST) and library.mallopt(_TRIM_THRESHOLD, _KEPT)
    )
