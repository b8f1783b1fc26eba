"""Clipping of gradients inside of a native program, between backward and the optimizers."""

from collections.abc import Iterable
from itertools import repeat
from operator import attrgetter, is_
from typing import Any

import numpy as np

from gradcore.graph import TensorBase, wrap
from gradcore.native.builder import DOUBLE, SINGLE, Launch, UnsupportedError
from gradcore.native.entry import Operand
from gradcore.native.kernels.optimizers.clip import clip_norm, clip_values
from gradcore.native.layout import Storage, of_array
from gradcore.nn.utils.clip import clip_grad_norm_, clip_grad_value_
from gradcore.replay.pieces import Kept

_GRAD = attrgetter("_grad")


class Clip:
    """One call that clips gradients of this program."""

    def __init__(self, function: Any, args: tuple[Any, ...], gradients: dict[int, Operand]) -> None:
        self._kept = function if isinstance(function, Kept) else None
        self._function = function.function if isinstance(function, Kept) else function
        tensors = args[0] if args and isinstance(args[0], list) else None
        if self._function not in (clip_grad_norm_, clip_grad_value_) or tensors is None:
            raise UnsupportedError
        self._limit, self._by_norm = float(args[1]), self._function is clip_grad_norm_
        if self._by_norm and (float(args[2]) != 2.0 or args[3]):
            raise UnsupportedError
        self._absent = [t for t in tensors if id(t) not in gradients]
        self.leaves: list[TensorBase] = [t for t in tensors if id(t) in gradients]
        self._operands = [gradients[id(t)] for t in self.leaves]
        kinds = {x.dtype for x in self._operands}
        if len(kinds) != 1 or not kinds <= {SINGLE, DOUBLE} or not self.holds():
            raise UnsupportedError
        if len(set(map(id, self.leaves))) != len(self.leaves):
            raise UnsupportedError
        self._norm = np.zeros((), kinds.pop())

    def launches(self) -> Iterable[Launch]:
        """Yield the kernel that clips."""
        norm = of_array(self._norm, Storage(self._norm.nbytes, self._norm))
        words: list[Any] = [len(self._operands), norm]
        for x in self._operands:
            words += [x, x.size]
        kernel = clip_norm if self._by_norm else clip_values
        yield Launch(kernel, tuple(words), (self._limit,), self._norm.dtype)

    def holds(self) -> bool:
        """Tell whether what had no gradient still has none."""
        return all(map(is_, map(_GRAD, self._absent), repeat(None)))

    def watch(self, words: Any) -> None:
        """Let words of memory tell what ``holds`` looks up."""
        words.slots(self._absent, "_grad")

    def apply(self, arrays: dict[int, Any]) -> None:
        """Clip arrays by NumPy, which stand for the gradients of leaves with these ids."""
        own = [arrays[id(t)] for t in self.leaves]
        if not self._by_norm:
            for a in own:
                np.clip(a, -self._limit, self._limit, out=a)
            return
        norm = np.sqrt(sum(float(np.vdot(a, a)) for a in own))
        factor = self._limit / (norm + 1e-6)
        if not factor >= 1.0:
            for a in own:
                a *= a.dtype.type(factor)

    def give(self) -> None:
        """Hand out the norm where a later part of the step reads it."""
        if self._kept is not None:
            self._kept.result = wrap(self._norm.copy())
