"""``y = a * x + b * y`` in one pass over memory, for arrays whose places are looked up once."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.ops.openblas import address, scaled_sum

Mix = Callable[[float, Any, float, Any], None]


class Places:
    """Where the values of arrays begin, by their identity; the arrays are kept alive.

    To ask an array itself takes longer than a pass over a thousand values.
    """

    def __init__(self) -> None:
        self.known: dict[int, int] = {}
        self._arrays: dict[int, Any] = {}

    def add(self, *arrays: Any) -> None:
        """Note arrays that will be asked for at each step."""
        for a in arrays:
            if a is not None and a.flags.c_contiguous:
                self.known[id(a)] = address(a)
                self._arrays[id(a)] = a

    def forget(self, *arrays: Any) -> None:
        """Let arrays go that will not be asked for any more."""
        for a in arrays:
            self.known.pop(id(a), None)
            self._arrays.pop(id(a), None)


def mixer(kind: Any, places: Places | None) -> Mix | None:
    """Return ``mix(a, x, b, y)`` for arrays of this dtype; None where NumPy has to do it.

    ``a`` and ``b`` must not be 0: a product with 0 would be left out, and NaN with it.
    """
    call = scaled_sum(kind.char) if kind.char in "fd" else None
    if call is None:
        return None
    known: dict[int, int] = {} if places is None else places.known

    def mix(a: float, x: Any, b: float, y: Any) -> None:
        from_x, from_y = known.get(id(x)), known.get(id(y))
        if from_x is not None and from_y is not None:
            call(x.size, a, from_x, 1, b, from_y, 1)
            return
        near = np.ascontiguousarray(x)
        if y.flags.c_contiguous:
            call(x.size, a, address(near), 1, b, address(y), 1)
            return
        copied = np.ascontiguousarray(y)
        call(x.size, a, address(near), 1, b, address(copied), 1)
        np.copyto(y, copied)

    return mix
