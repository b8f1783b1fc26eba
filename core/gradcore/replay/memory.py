"""Where the arrays of a replayed step stand: one arena, used again as soon as nobody needs a part.

A plan is made once, from the calls in their order: which results get a place, and where. Nothing
moves afterwards, so that views of such results are made once, too.
"""

import bisect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from gradcore.replay.peephole import Layout
from gradcore.replay.program import Call, Value, members

ALIGNMENT = 64


def aligned(size: int) -> int:
    """Return the size, rounded up to whole cache lines."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def place(memory: memoryview, offset: int, layout: Layout) -> Any:
    """Return an array of this layout at a place of a block."""
    return np.ndarray(layout.shape, layout.dtype, memory, offset, layout.strides)


class Arena:
    """Which parts of a growing block are free: the smallest that fits is taken."""

    def __init__(self) -> None:
        self.size = 0
        self._free: list[tuple[int, int]] = []

    def take(self, size: int) -> int:
        """Return the offset of a part that is free from now on no longer."""
        size = aligned(size)
        fitting = [(free, start) for start, free in self._free if free >= size]
        if fitting:
            free, start = min(fitting)
            self._free.remove((start, free))
            if free > size:
                bisect.insort(self._free, (start + size, free - size))
            return start
        start = self.size
        if self._free and sum(self._free[-1]) == self.size:
            # The last part reaches to the end: let it grow.
            start = self._free.pop()[0]
        self.size = start + size
        return start

    def give(self, start: int, size: int) -> None:
        """Let a part be used again."""
        size = aligned(size)
        at = bisect.bisect(self._free, (start, size))
        if at < len(self._free) and self._free[at][0] == start + size:
            size += self._free.pop(at)[1]
        if at and sum(self._free[at - 1]) == start:
            first, before = self._free.pop(at - 1)
            start, size = first, before + size
        bisect.insort(self._free, (start, size))


def last_uses(calls: list[Call], layouts: dict[Value, Layout]) -> dict[int, int]:
    """Return for each root the number of the last call that touches it."""
    last: dict[int, int] = {}
    for number, call in enumerate(calls):
        for value in members((call.arguments, call.results or (), *call.options.values())):
            if value in layouts:
                last[layouts[value].root] = number
        if call.writes in layouts:
            last[layouts[call.writes].root] = number
    return last


class Plan:
    """The places of results: ``places`` has an offset for each value that gets one."""

    def __init__(
        self,
        calls: list[Call],
        layouts: dict[Value, Layout],
        takes_buffer: Callable[[Call], bool],
        outside: Iterable[int],
    ) -> None:
        self.places: dict[Value, int] = {}
        self._layouts = layouts
        self._last = last_uses(calls, layouts)
        self._held: dict[int, tuple[int, int]] = {}
        self._arena = Arena()
        self._known = set(outside)
        for number, call in enumerate(calls):
            self._plan(number, call, takes_buffer)
        self.size = self._arena.size

    def _plan(self, number: int, call: Call, takes_buffer: Callable[[Call], bool]) -> None:
        result = call.results
        layout = self._layouts.get(result) if isinstance(result, Value) else None
        if layout is not None and layout.root not in self._known and takes_buffer(call):
            taken = self._taken_over(number, call, layout)
            if taken is None:
                taken = self._arena.take(layout.nbytes)
            self.places[result] = taken
            self._held[layout.root] = (taken, layout.nbytes)
        for value in members(call.results or ()):
            if value in self._layouts:
                self._known.add(self._layouts[value].root)
        gone = {
            self._layouts[value].root
            for value in members((call.arguments, call.results or (), *call.options.values()))
            if value in self._layouts
        }
        for root in gone:
            if self._last.get(root) == number and root in self._held:
                self._arena.give(*self._held.pop(root))

    def _taken_over(self, number: int, call: Call, layout: Layout) -> int | None:
        """Return the place of an argument that nobody needs after this call, to write over it."""
        if not is_elementwise(call.function):
            return None
        for value in members(call.arguments):
            other = self._layouts.get(value)
            if other is None or other.root not in self._held or self._last[other.root] != number:
                continue
            same = other.shape == layout.shape and other.strides == layout.strides
            if same and other.dtype.itemsize == layout.dtype.itemsize:
                place, size = self._held[other.root]
                if size == layout.nbytes:
                    del self._held[other.root]
                    return place
        return None


def is_elementwise(function: Any) -> bool:
    """Tell whether a function goes through its arguments value by value."""
    return isinstance(function, np.ufunc) and function.signature is None
