"""How the gradients of a replayed step reach the leaves, without being copied.

The generated function leaves them in the same arrays each time. That is allowed only as long as
nobody else holds what the step before handed out: the counts of references tell. Where somebody
does, the arrays are his from then on, and every later step hands out copies.
"""

from sys import getrefcount
from typing import Any

import numpy as np

from gradcore.graph import wrap, written
from gradcore.optim.gradients import FlatGradients
from gradcore.optim.optimizer import Optimizer
from gradcore.replay.generate import Run, generate, stepped
from gradcore.replay.program import Program


class HandOut:
    """The function of a program, and the tensors by which its gradients are handed out."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._make(share=True)

    def _make(self, share: bool) -> None:
        generated = generate(self.program, share)
        self._run: Run = generated.run
        leaves = [one.leaf for one in self.program.gradients]
        pairs = zip(leaves, generated.gradients, strict=True)
        self._shared = [(leaf, wrap(a), a) for leaf, a in pairs if a is not None]
        self._tensors = [t for _, t, _ in self._shared]
        self._arrays = [a for _, _, a in self._shared]
        self._leaves = [leaf for leaf, _, _ in self._shared]
        self._others = [
            (one, number)
            for number, one in enumerate(self.program.gradients)
            if generated.gradients[number] is None
        ]
        self._known = [
            (
                optimizer,
                _known(optimizer, dict(zip(map(id, self._leaves), self._shared, strict=True))),
            )
            for optimizer in stepped(self.program)
        ]
        del generated, pairs
        # How often each is referred to while nobody but this object knows of it.
        self._array_counts = list(map(getrefcount, self._arrays))
        self._tensor_counts = list(map(getrefcount, self._tensors))

    def ready(self) -> Run:
        """Return the function, made anew if what it would write to is held by somebody else."""
        if not self._is_free():
            self._make(share=False)
        return self._run

    def _is_free(self) -> bool:
        counts = list(map(getrefcount, self._tensors))
        if list(map(getrefcount, self._arrays)) != self._array_counts:
            return False
        for leaf, t, count, alone in zip(
            self._leaves, self._tensors, counts, self._tensor_counts, strict=True
        ):
            if count != alone + (leaf._grad is t):
                return False
        return True

    def know(self, now: bool) -> None:
        """Tell the optimizers, or let them forget, that the gradients stand in a block."""
        for optimizer, known in self._known:
            optimizer.known_gradients = known if now else ()

    def give(self, gradients: list[Any]) -> None:
        """Store what arrived at each leaf, or add it to what is there."""
        for leaf, t, a in self._shared:
            t._a = a
            t._vc = t._more = t._node = t._view = None
            t._rg = False
            leaf._grad = t
        for one, number in self._others:
            g, held = gradients[number], one.leaf._grad
            if one.fresh:
                one.leaf._grad = wrap(np.array(g, order="C"))
            else:
                np.add(held._a, g, out=held._a)
                written(held, "backward", False)


def _known(optimizer: Optimizer, shared: dict[int, Any]) -> list[FlatGradients]:
    """Return which gradients of an optimizer's groups stand one after the other."""
    known = []
    for group in optimizer.param_groups:
        members = [p for p in group["params"] if id(p) in shared]
        arrays = [shared[id(p)][2] for p in members]
        flat = _joined(arrays)
        if flat is not None:
            known.append(FlatGradients(members, arrays, flat))
    return known


def _joined(arrays: list[Any]) -> Any:
    """Return one array over all these, if they stand one after the other in one memory."""
    if not arrays or any(a.base is not arrays[0].base for a in arrays):
        return None
    first = end = np.lib.array_utils.byte_bounds(arrays[0])[0]
    for a in arrays:
        low, high = np.lib.array_utils.byte_bounds(a)
        if low != end or a.dtype != arrays[0].dtype:
            return None
        end = high
    memory = np.frombuffer(arrays[0].base, np.uint8)
    start = first - np.lib.array_utils.byte_bounds(memory)[0]
    return memory[start : start + end - first].view(arrays[0].dtype)
