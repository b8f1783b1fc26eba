"""The values that a step had when it was recorded, to rehearse its native form on.

Later ones may be useless for that: where training has come to rest, losses and gradients are
differences of rounding, which no two ways of computing share.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from gradcore.graph import TensorBase, wrap
from gradcore.native.layout import laid_as
from gradcore.replay.program import Program

MOST = 64 << 20
"""Copies of up to so many bytes are kept; beyond, a step is rehearsed on what is there then."""


class Early:
    """Copies of what a program reads and of its arguments, until they have served."""

    def __init__(self, program: Program, inputs: Sequence[Any]) -> None:
        self._held: list[tuple[Any, Any]] = []
        self._inputs: list[Any] | None = None
        self._leaves = [one.leaf for one in program.gradients]
        arrays = [t._a for t in program.captured.values()]
        given = [x._a for x in inputs if isinstance(x, TensorBase)]
        if sum(a.nbytes for a in arrays + given) <= MOST:
            self._held = [(a, a.copy()) for a in arrays]
            self._inputs = [_copied(x) for x in inputs]

    @contextmanager
    def values(self, inputs: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """Put the early values in the place of the present ones; gives the early arguments."""
        present = [(a, a.copy()) for a, _ in self._held]
        gradients = [
            (leaf._grad._a, leaf._grad._a.copy()) for leaf in self._leaves if leaf._grad is not None
        ]
        for a, early in self._held:
            np.copyto(a, early)
        try:
            yield inputs if self._inputs is None else self._inputs
        finally:
            for a, now in present + gradients:
                np.copyto(a, now)


def _copied(x: Any) -> Any:
    """Return a copy of an argument that lies as it does: so the program was lowered."""
    if not isinstance(x, TensorBase):
        return x
    if min(x._a.strides, default=0) < 0:
        # Lowering refuses it, and says so.
        return x
    copy = laid_as(x._a)
    np.copyto(copy, x._a)
    return wrap(copy)
