"""Gives the instructions of a program their memory and writes them down as numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcore.native.builder import Check, Launch, PythonCall
from gradcore.native.entry import Operand
from gradcore.native.fusing import touched
from gradcore.native.layout import Storage, address_of
from gradcore.native.machine import ROW, address

_ALIGNED = 64


@dataclass(slots=True)
class Segment:
    """Rows of kernels that run in one go, and the call of Python that follows them, if any."""

    start: int
    count: int
    call: Any = None


class Layout:
    """A program as numbers: rows of kernels, their words, and the memory that they name.

    ``moving`` holds for each slot the words that hold an address in it, with its offset.
    """

    def __init__(self, instructions: list[Any]) -> None:
        self.arena = _placed(instructions)
        self.kept: list[Any] = [instructions]
        self.moving: dict[int, list[tuple[int, int]]] = {}
        self.segments: list[Segment] = []
        self.words = np.zeros(0, np.int64)
        self.rows = np.zeros((0, ROW), np.int64)
        self._write(instructions)

    def _write(self, instructions: list[Any]) -> None:
        words: list[int] = []
        rows: list[tuple[int, int, int]] = []
        start = 0
        for one in instructions:
            if isinstance(one, PythonCall):
                self.segments.append(Segment(start, len(rows) - start, one))
                start = len(rows)
            elif isinstance(one, Check):
                rows.append((0, len(words), 0))
                self._put(words, one.flag)
            else:
                rows.append((address(one.kernel, one.dtype), len(words), self._reals(one)))
                for word in one.words:
                    self._put(words, word)
        self.segments.append(Segment(start, len(rows) - start))
        self.words = np.array(words, np.int64)
        self.rows = np.array(rows, np.int64).reshape(len(rows), ROW)
        self.rows[:, 1] = self.rows[:, 1] * self.words.itemsize + address_of(self.words)

    def _reals(self, one: Launch) -> int:
        reals = np.array(one.reals or (0.0,), one.dtype)
        self.kept.append(reals)
        return address_of(reals)

    def _put(self, words: list[int], word: Any) -> None:
        if not isinstance(word, Operand):
            words.append(int(word))
            return
        storage, offset = word.place
        if storage.slot >= 0:
            self.moving.setdefault(storage.slot, []).append((len(words), offset))
            words.append(0)
            return
        words.append(storage.address + offset)

    def move(self, slot: int, place: int) -> None:
        """Let a slot's memory be at ``place`` from now on."""
        words = self.words
        for word, offset in self.moving.get(slot, ()):
            words[word] = place + offset


def _placed(instructions: list[Any]) -> Any:
    """Give temporary memory its place in one block, used again as soon as it may be."""
    found: list[Storage] = []
    for number, one in enumerate(instructions):
        for operand in touched(one):
            storage: Storage = operand.place[0]
            if storage.is_temporary:
                if storage.first < 0:
                    storage.first = number
                    found.append(storage)
                storage.last = number
    end = 0
    placed: list[Storage] = []
    # The largest first: small ones fill the gaps.
    for storage in sorted(found, key=lambda one: -one.size):
        near = [one for one in placed if one.first <= storage.last and storage.first <= one.last]
        storage.offset = _gap(storage.size, sorted(near, key=lambda one: one.offset))
        placed.append(storage)
        end = max(end, storage.offset + storage.size)
    arena = np.zeros(end + 2 * _ALIGNED, np.uint8)
    start = -address_of(arena) % _ALIGNED + address_of(arena)
    for storage in found:
        storage.address = start + storage.offset
    return arena


def _gap(size: int, near: list[Storage]) -> int:
    """Return the first offset at which ``size`` bytes are free between the given ones."""
    start = 0
    for one in near:
        if one.offset - start >= size:
            break
        start = max(start, one.offset + one.size)
        start += -start % _ALIGNED
    return start


def array_of(x: Operand, arena: Any) -> Any:
    """Return an operand, whose place is settled, as an array."""
    storage, offset = x.place
    owner = arena if storage.array is None else storage.array
    return _on(owner, storage.address + offset, x)


def _on(owner: Any, place: int, x: Operand) -> Any:
    """Return an array at an address, which keeps its owner alive."""
    return np.asarray(_Memory(owner, place, x))


class _Memory:
    """Tells NumPy where an array lies."""

    def __init__(self, owner: Any, place: int, x: Operand) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "version": 3,
            "data": (place, False),
            "shape": x.shape,
            "strides": x.strides,
            "typestr": x.dtype.str,
        }
