"""Writes into a part of a tensor: as ``y[:, 0] = 0`` does.

What the step has made itself is not written to in a replay: it becomes a new value. So whatever was
computed from the old one stays what it is, in any order.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Chain = tuple[tuple[Callable[..., Any], tuple[Any, ...]], ...]
"""The functions that lead from a whole to its part, each with its arguments."""


class PartOf:
    """The part of an array that a chain of views leads to."""

    __slots__ = ("_chain",)

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def __call__(self, whole: Any) -> Any:
        """Return it, in the memory of the whole."""
        for kernel, attributes in self._chain:
            whole = kernel(whole, *attributes)
        return whole


class WritePart:
    """Writes values into that part."""

    __slots__ = ("_part",)

    def __init__(self, chain: Chain) -> None:
        self._part = PartOf(chain)

    def __call__(self, whole: Any, values: Any) -> Any:
        """Write them."""
        np.copyto(self._part(whole), values, casting="unsafe")
        return whole


class WithPart(WritePart):
    """Another whole, with such values in that part."""

    __slots__ = ()

    def __call__(self, whole: Any, values: Any) -> Any:
        """Return it, laid out as the old one."""
        return super().__call__(np.array(whole, order="K"), values)
