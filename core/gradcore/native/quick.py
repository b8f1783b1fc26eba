"""A native step from end to end: all guards asked at once, the kernels, and what it returns.

``Compiled`` calls this for as long as nothing has changed but the values of tensors. Whatever is
another way is left to the longer way, which knows what to do about it.
"""

from collections.abc import Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from gradcore.graph import INFERENCE, Node, TensorBase, tick, wrap
from gradcore.native.layout import address_of
from gradcore.native.machine import moving_driver
from gradcore.native.watching import DATA, Words
from gradcore.replay.program import Returned
from gradcore.replay.returned import passed, rebuilt

MISSED = object()
"""What is returned where the step was not done, and nothing has changed."""
_FREE = 2
"""How many references there are to a node that only this file has."""


def quick(step: Any, unchanged: Any, returned: Any, inputs: Sequence[Any]) -> "Quick | None":
    """Return the quick form of a native step that has just been done; None: it has none."""
    handed = step.words_of_gradients()
    is_plain = all(isinstance(x, TensorBase) for x in inputs)
    if handed is None or not is_plain or not unchanged.words.same():
        return None
    return Quick(step, unchanged, returned, inputs, [unchanged.words, *handed])


class Quick:
    """A step whose only arguments are tensors, and which is one run of kernels."""

    missed = MISSED

    def __init__(
        self, step: Any, unchanged: Any, returned: Any, inputs: Sequence[Any], words: list[Words]
    ) -> None:
        self._step, self._rest = step, unchanged.holds_rest
        self._words = Words()
        self._words.together(words)
        self._same = self._words.same
        self._kinds = [_layout(x) for x in inputs]
        self._returned = returned
        self._make = self._make_one if type(returned) is Returned else self._make_all
        self._handed = step.handed
        self._node: Node | None = None
        self._start, self._count = step.only_part()
        self._drive, self._move = step.drive, moving_driver()
        self._needs_end = step.needs_end()
        self._moving: Any = None
        if inputs:
            self._ids = np.zeros(len(inputs), np.int64)
            moving = step.moving_words(is_only_inputs=True)
            self._moving = np.array([*moving, DATA, address_of(self._ids)], np.int64)
            self._plan = address_of(self._moving)
            self._used = [number for _, number in step.inputs]

    def __call__(self, args: tuple[Any, ...]) -> Any:
        """Do the step and return what it returns, or ``MISSED``."""
        if len(args) != len(self._kinds) or not self._same() or not self._rest():
            return MISSED
        if self._moving is None:
            done = self._drive(self._start, self._count)
        else:
            arrays = self._arrays(args)
            if arrays is None:
                return MISSED
            for i, number in enumerate(self._used):
                self._ids[i] = id(arrays[number])
            self._step.forget_places()
            done = self._move(self._start, self._count, self._plan)
        if done != self._count:
            self._step.take_back()
            return MISSED
        if self._needs_end:
            self._step.end()
        return self._make()

    def _arrays(self, args: tuple[Any, ...]) -> list[Any] | None:
        """Return the arrays of arguments; None: they are of another kind."""
        arrays = []
        for x, (kind, shape, dtype, strides, is_leaf) in zip(args, self._kinds, strict=True):
            if type(x) is not kind or x._rg or (x._node is None) is not is_leaf:
                return None
            a = x._a
            if a.shape != shape or a.dtype != dtype or a.strides != strides:
                return None
            if x._vc is INFERENCE:
                return None
            arrays.append(a)
        if len(arrays) > 1 and len(set(map(id, arrays))) != len(arrays):
            return None
        return arrays

    def _make_one(self) -> Any:
        t = wrap(self._handed[0].copy())
        before = self._returned.node
        if before is not None:
            node = self._node
            if node is None or getrefcount(node) != _FREE + 1 or node.hooks is not None:
                # Whoever still has the last one keeps it.
                node = self._node = passed(before)
            else:
                node.seq = tick()
            t._node, t._port = node, self._returned.port
        return t

    def _make_all(self) -> Any:
        return rebuilt(self._returned, iter(self._handed))


def _layout(x: TensorBase) -> tuple[Any, ...]:
    a = x._a
    return type(x), a.shape, a.dtype, a.strides, x._node is None
