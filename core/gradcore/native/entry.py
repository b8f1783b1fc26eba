"""How a native kernel is written down, and how it says which gradcore function it replaces.

A kernel is a function ``(a, f)`` in the part of Python that numba compiles. ``a`` points to
int64 words: addresses of arrays (made pointers by ``gradcore.native.memory``), sizes, flags. ``f``
points to numbers of the dtype it works in, and tells that dtype by its own type, so that one
function serves float32 and float64. A kernel allocates nothing and raises nothing.

A *lowering* runs once, when a program is made: it is given what the gradcore function would be
given, with an ``Operand`` in place of each array, and says by a ``Builder`` which kernels are to
run. It returns None where it does not know the case, which then stays with NumPy::

    @kernel()
    def softmax_rows(a, f):
        x, y, rows, width = pointer(a[0], f), pointer(a[1], f), a[2], a[3]
        ...

    @lowers(OPERATIONS["softmax"].kernel)
    def softmax(out, input, dim):
        if dim not in (-1, len(input.shape) - 1):
            return None
        y = out.empty(input.shape, input.dtype)
        out.call(softmax_rows, out.contiguous(input), y, rows, width)
        return y
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True, eq=False, slots=True)
class Operand:
    """An array of a program before it has its place: what a lowering decides by.

    ``strides`` are in bytes, as NumPy's. ``place`` is the builder's own.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    strides: tuple[int, ...]
    place: Any = None

    @property
    def size(self) -> int:
        """How many values it has."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def is_contiguous(self) -> bool:
        """Whether it lies row by row, without gaps."""
        step = self.dtype.itemsize
        for length, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if length != 1 and stride != step and self.size:
                return False
            step *= length
        return True


@dataclass(frozen=True, eq=False, slots=True)
class Kernel:
    """A function ``(a, f)``, compiled when first asked for, once for each dtype.

    ``writes`` are the places of the words whose arrays it writes; None: any of them may be.
    """

    function: Callable[[Any, Any], None]
    needs_blas: bool = False
    writes: tuple[int, ...] | None = None
    addresses: dict[str, int] = field(default_factory=dict)


class Builder(Protocol):
    """What a lowering works with. Operands it makes live as long as they are needed."""

    wanted: tuple[bool, ...]
    """Which results the replaced call is asked for; the others may be returned as None."""

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Operand:
        """Return a new array, row by row, aligned to 64 bytes: a result, or scratch."""

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Operand:
        """Return a new array that is all zero each time this point is reached."""

    def constant(self, array: Any) -> Operand:
        """Return an array of known values, which no kernel may write."""

    def contiguous(self, x: Operand) -> Operand:
        """Return ``x``, or a copy of it that lies row by row."""

    def view(self, x: Operand, shape: tuple[int, ...], offset: int = 0) -> Operand:
        """Return values of a contiguous ``x`` from the ``offset``-th on, in another shape."""

    def copy(self, target: Operand, source: Operand) -> None:
        """Copy values of one dtype between any two layouts."""

    def expect(self, flag: Operand) -> None:
        """Leave the step here if ``flag``, one int64, is not zero: it is then run as it is."""

    def call(self, kernel: Kernel, *words: Any, reals: Sequence[float] = (), dtype: Any) -> None:
        """Let ``kernel`` run here: ``words`` are operands and integers, ``dtype`` its own."""


Lowering = Callable[..., Any]
LOWERINGS: dict[Any, Lowering] = {}
"""The lowering of each gradcore function that has one."""


def kernel(
    *, blas: bool = False, writes: tuple[int, ...] | None = None
) -> Callable[[Callable[[Any, Any], None]], Kernel]:
    """Make a kernel of the function below; ``blas``: it calls NumPy's BLAS."""
    return lambda function: Kernel(function, blas, writes)


def lowers(*functions: Any) -> Callable[[Lowering], Lowering]:
    """Enter the lowering below for these gradcore functions (kernels or gradient functions)."""

    def enter(lowering: Lowering) -> Lowering:
        for function in functions:
            LOWERINGS[function] = lowering
        return lowering

    return enter
