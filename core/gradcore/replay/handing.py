"""How the gradients of a replayed step reach the leaves, without being copied.

The generated function leaves them in the same arrays each time. That is allowed only as long as
nobody else holds what the step before handed out: the counts of references tell. Where somebody
does, the arrays are his from then on, and every later step hands out copies.
"""

from sys import getrefcount
from typing import Any

import numpy as np

from gradcore.graph import wrap, written
from gradcore.replay.generate import Run, generate
from gradcore.replay.program import Program


class HandOut:
    """The function of a program, and the tensors by which its gradients are handed out."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._make(share=True)

    def _make(self, share: bool) -> None:
        generated = generate(self.program, share)
        self._run: Run = generated.run
        self.blocks = generated.blocks
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
