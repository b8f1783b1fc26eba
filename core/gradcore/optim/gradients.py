"""Where the gradients of a group's tensors lie: one after the other, if that can be had.

A replayed step leaves them so. Those that stay where they are from step to step, because they are
added up or were put there by hand, are moved once, if nobody else looks at their memory.
"""

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore.optim.moving import is_alone, moved_together, same
from gradcore.tensor import Tensor

_MOVES = 4
"""So often are kept gradients moved into one block; then they stay where they are."""


class FlatGradients:
    """Gradients of these tensors, in these arrays, which stand one after the other in ``flat``."""

    __slots__ = ("arrays", "flat", "params", "_has_single")

    def __init__(self, params: list[Any], arrays: list[Any], flat: Any) -> None:
        self.params = params
        self.arrays = arrays
        self.flat = flat
        self._has_single = any(a.size < 2 for a in arrays)

    def match(self, params: Sequence[Any], grads: Sequence[Any]) -> bool:
        """Tell whether these are exactly the gradients of these tensors."""
        return same(params, self.params, True) and self.hold(grads)

    def hold(self, grads: Sequence[Any]) -> bool:
        """Tell whether these are the arrays, for those who know the tensors."""
        return same(grads, self.arrays, self._has_single)


class Kept:
    """Gradients that are found again at the next step, moved into one block."""

    __slots__ = ("_first", "_known", "_moves")

    def __init__(self) -> None:
        self._known: FlatGradients | None = None
        self._first: Any = None
        self._moves = 0

    def find(self, params: list[Tensor], grads: list[Any]) -> FlatGradients | None:
        """Return these gradients in one block; None where they do not stand in one."""
        known = self._known
        if known is not None:
            if known.match(params, grads):
                return known
            self._known = None
        if self._moves >= _MOVES:
            return None
        if self._first is None or self._first() is not grads[0]:
            self._first = weakref.ref(grads[0])
            return None
        self._moves += 1
        self._first = None
        return self._move(params, grads)

    def _move(self, params: list[Tensor], grads: list[Any]) -> FlatGradients | None:
        tensors = [p._grad for p in params]
        kind = grads[0].dtype
        if any(t._a is not g or g.dtype != kind for t, g in zip(tensors, grads, strict=True)):
            return None
        if len(set(map(id, tensors))) != len(tensors):
            return None
        # The callers hold on to the list of arrays; it is filled anew.
        grads.clear()
        can_move = all(map(is_alone, tensors))
        flat = moved_together(tensors, kind) if can_move else None
        grads += [t._a for t in tensors]
        if flat is None:
            return None
        self._known = FlatGradients(list(params), list(grads), np.asarray(flat))
        return self._known
