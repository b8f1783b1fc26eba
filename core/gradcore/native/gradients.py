"""The gradients of a native step: their memory, and the tensors by which leaves have them.

They are handed out uncopied, and worked out in the same memory again as long as nobody but the
leaves holds what was handed out; the counts of references tell.
"""

from operator import attrgetter, is_
from sys import getrefcount
from typing import Any

import numpy as np

from gradcore.graph import wrap, written
from gradcore.native.entry import Operand
from gradcore.native.watching import Words, known
from gradcore.replay.program import Program

NOTES = 100
"""So often is it noted how tensors look; where that changes more often, it does not pay."""
_GRAD = attrgetter("_grad")
_COUNTER = attrgetter("_vc")
_SLOTS = ("_a", "_vc", "_more", "_node", "_view", "_rg")


class HandedGradients:
    """New memory and tensors for the gradients of a program."""

    def __init__(self, program: Program, operands: list[Operand]) -> None:
        self.program = program
        self.arrays = _side_by_side(operands)
        self._tensors = list(map(wrap, self.arrays))
        self._leaves = [one.leaf for one in program.gradients]
        mine = set(map(id, self._leaves))
        is_fresh = known and not program.zeroed and all(one.fresh for one in program.gradients)
        self._is_plain = is_fresh and all(one.kept for one in program.gradients)
        # Nobody gets to see gradients that the step itself takes away.
        self._is_hidden = is_fresh and not any(one.kept for one in program.gradients)
        self._others = [t for t in program.cleared if id(t) not in mine]
        self._free, self._given = Words(), Words()
        is_watched = self._is_plain or self._is_hidden
        self._notes = [NOTES, NOTES] if is_watched else [0, 0]
        if is_watched:
            self._given.slots(self._others, "_grad")
            self._given.slots(self._leaves, "_grad")
        if self._is_plain:
            self._free.references([*self.arrays, *self._tensors])
            self._free.slots(self._leaves, "_grad")
            for name in _SLOTS:
                self._given.slots(self._tensors, name)
        # Counted with no other reference alive: neither a loop's variable nor an argument.
        self._array_counts = list(map(getrefcount, self.arrays))
        self._tensor_counts = list(map(getrefcount, self._tensors))

    def are_free(self) -> bool:
        """Tell whether nobody but leaves and this object holds what was handed out last."""
        if self._is_hidden or self._free.same():
            return True
        if not self._are_unshared():
            return False
        if self._notes[0]:
            self._notes[0] -= 1
            self._free.note()
        return True

    def words(self) -> list[Words] | None:
        """Return what tells that there is nothing to do, if that is so and will be seen."""
        if self._is_hidden:
            return [self._given] if self._given.same() else None
        return [self._free, self._given] if self._free.same() and self._given.same() else None

    def _are_unshared(self) -> bool:
        if list(map(getrefcount, self.arrays)) != self._array_counts:
            return False
        counts = list(map(getrefcount, self._tensors))
        return all(
            count == alone + (leaf._grad is t)
            for count, alone, leaf, t in zip(
                counts, self._tensor_counts, self._leaves, self._tensors, strict=True
            )
        )

    def give(self) -> None:
        """Let each leaf have what has been worked out for it, or add it to what it has."""
        if self._given.same():
            return
        self.program.clear()
        if self._is_hidden:
            for leaf in self._leaves:
                leaf._grad = None
        else:
            self._store()
        if self._notes[1]:
            self._notes[1] -= 1
            self._given.note()

    def _store(self) -> None:
        tensors = self._tensors
        if all(map(is_, map(_GRAD, self._leaves), tensors)) and not any(map(_COUNTER, tensors)):
            return
        for one, t, a in zip(self.program.gradients, tensors, self.arrays, strict=True):
            leaf = one.leaf
            if one.fresh:
                t._a = a
                t._vc = t._more = t._node = t._view = None
                t._rg = False
                leaf._grad = t
            else:
                np.add(leaf._grad._a, a, out=leaf._grad._a)
                written(leaf._grad, "backward", False)


def _side_by_side(operands: list[Operand]) -> list[Any]:
    """Return new arrays for operands, in one block for each dtype."""
    sizes: dict[Any, int] = {}
    for x in operands:
        sizes[x.dtype] = sizes.get(x.dtype, 0) + x.size
    blocks = {dtype: np.empty(size, dtype) for dtype, size in sizes.items()}
    ends = dict.fromkeys(blocks, 0)
    arrays = []
    for x in operands:
        start = ends[x.dtype]
        ends[x.dtype] = start + x.size
        arrays.append(blocks[x.dtype][start : start + x.size].reshape(x.shape))
    return arrays
