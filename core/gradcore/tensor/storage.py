"""Blocks of memory, and how a tensor lies in its own."""

import numpy as np

from gradcore.dtypes import Array


class Storage:
    """A block of memory, told apart by its address."""

    __slots__ = ("_memory",)

    def __init__(self, memory: Array) -> None:
        self._memory = memory

    def data_ptr(self) -> int:
        """Return the address of the block."""
        address: int = self._memory.__array_interface__["data"][0]
        return address

    def nbytes(self) -> int:
        """Return the bytes of the block."""
        return self._memory.nbytes

    size = __len__ = nbytes


def memory(a: Array) -> Array:
    """Return the array that owns the memory of ``a``."""
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a


def new_block(nbytes: int) -> memoryview:
    """Return new memory that begins at a cache line.

    It is no array: arrays made on it count as owners of their part, as those of any tensor do.
    """
    # Of an array's memory, NumPy would find the array again.
    room = bytearray(max(1, nbytes) + 64)
    address: int = np.frombuffer(room, np.uint8).__array_interface__["data"][0]
    start = -address % 64
    return memoryview(room)[start : start + max(1, nbytes)]


def row_strides(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the steps of a tensor that lies row by row."""
    steps = []
    step = 1
    for size in reversed(sizes):
        steps.append(step)
        step *= max(size, 1)
    return tuple(reversed(steps))
