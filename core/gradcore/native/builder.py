"""Collects the instructions of a native program while its calls are lowered one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcore.native import basic, steps
from gradcore.native.entry import Kernel, Operand
from gradcore.native.kernels import blas
from gradcore.native.layout import Storage, broadcast, byte_size, repetition, whole

SINGLE = np.dtype(np.float32)
DOUBLE = np.dtype(np.float64)
BOOL = np.dtype(np.bool_)
INTEGER = np.dtype(np.int64)


class UnsupportedError(Exception):
    """A call cannot be lowered; it stays a call of NumPy."""


@dataclass(eq=False, slots=True)
class Element:
    """One element-wise step, worked out in ``dtype``; sources are operands or numbers."""

    what: int
    target: Operand
    sources: tuple[Any, ...]
    dtype: Any


@dataclass(eq=False, slots=True)
class Launch:
    """A kernel with its words and numbers."""

    kernel: Kernel
    words: tuple[Any, ...]
    reals: tuple[float, ...]
    dtype: Any


@dataclass(eq=False, slots=True)
class Check:
    """The program ends here if ``flag`` is not zero."""

    flag: Operand


@dataclass(eq=False, slots=True)
class PythonCall:
    """A call that stays with Python; what it gives is copied to ``results``.

    ``is_draw``: it writes random values over its first argument, whatever was there.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    results: list[Operand | None] = field(default_factory=list)
    is_single: bool = True
    is_draw: bool = False


def operands_of(item: Any) -> list[Operand]:
    """Return every operand in a nest of tuples, lists and dictionaries."""
    if isinstance(item, Operand):
        return [item]
    if isinstance(item, (tuple, list)):
        return [one for part in item for one in operands_of(part)]
    if isinstance(item, dict):
        return [one for part in item.values() for one in operands_of(part)]
    if isinstance(item, slice):
        return operands_of((item.start, item.stop, item.step))
    return []


class Table:
    """The instructions so far; a ``Builder`` for lowerings."""

    def __init__(self) -> None:
        self.instructions: list[Any] = []
        self.wanted: tuple[bool, ...] = (True,)
        self._constants: dict[int, Operand] = {}

    # --- what lowerings use

    def empty(self, shape: Sequence[int], dtype: Any) -> Operand:
        """Return a new array."""
        size = tuple(int(length) for length in shape)
        return whole(size, dtype, Storage(byte_size(size, dtype)))

    def zeros(self, shape: Sequence[int], dtype: Any) -> Operand:
        """Return a new array of zeros."""
        made = self.empty(shape, dtype)
        self.call(basic.clear, made, byte_size(made.shape, dtype), dtype=SINGLE)
        return made

    def constant(self, array: Any) -> Operand:
        """Return an array of known values."""
        array = np.ascontiguousarray(array)
        return whole(array.shape, array.dtype, Storage(array.nbytes, array))

    def contiguous(self, x: Operand) -> Operand:
        """Return ``x``, or a copy that lies row by row."""
        if x.is_contiguous:
            return x
        made = self.empty(x.shape, x.dtype)
        self.copy(made, x)
        return made

    def view(self, x: Operand, shape: Sequence[int], offset: int = 0) -> Operand:
        """Return values of a contiguous ``x`` in another shape."""
        storage, start = x.place
        return whole(tuple(shape), x.dtype, storage, start + offset * x.dtype.itemsize)

    def expect(self, flag: Operand) -> None:
        """Leave the step here if ``flag`` is not zero."""
        self.instructions.append(Check(flag))

    def call(self, kernel: Kernel, *words: Any, reals: Sequence[float] = (), dtype: Any) -> None:
        """Let a kernel run here."""
        if kernel.needs_blas and not blas.is_available():
            raise UnsupportedError
        kind = np.dtype(dtype)
        if kind not in (SINGLE, DOUBLE):
            raise UnsupportedError
        self.instructions.append(Launch(kernel, words, tuple(reals), kind))

    # --- what the lowering of NumPy's calls uses beside

    def element(self, what: int, target: Operand, *sources: Any, dtype: Any = None) -> Operand:
        """Let an element-wise step run here; returns its target."""
        kind = target.dtype if dtype is None else np.dtype(dtype)
        if kind not in (SINGLE, DOUBLE) or not target.is_contiguous:
            raise UnsupportedError
        known = (SINGLE, DOUBLE, BOOL, INTEGER)
        if any(x.dtype not in known for x in (target, *operands_of(sources))):
            raise UnsupportedError
        given = tuple(
            self._seen_in(target, x, kind) if isinstance(x, Operand) else x for x in sources
        )
        self.instructions.append(Element(what, target, given, kind))
        return target

    def _seen_in(self, target: Operand, x: Operand, dtype: Any) -> Operand:
        """Return a source in the shape of its target, laid out so that a chain can read it."""
        x = broadcast(x, target.shape)
        pattern = repetition(x)
        if pattern is not None and pattern[0] != x.size and x.dtype != dtype:
            return self._cast(x, pattern[0], dtype)
        is_apart = x.place[0] is not target.place[0]
        same = x.place == target.place and x.is_contiguous and x.dtype == target.dtype
        if pattern is not None and (is_apart or same):
            return x
        made = self.empty(x.shape, x.dtype)
        self.copy_always(made, x)
        return made

    def _cast(self, x: Operand, period: int, dtype: Any) -> Operand:
        """Return what is repeated in another dtype, repeated in the same way."""
        small = Operand((period,), x.dtype, (x.dtype.itemsize,), x.place)
        made = self.element(steps.COPY, self.empty((period,), dtype), small, dtype=dtype)
        strides = tuple(one // x.dtype.itemsize * dtype.itemsize for one in x.strides)
        return Operand(x.shape, dtype, strides, made.place)

    def copy(self, target: Operand, source: Operand) -> None:
        """Copy values of the same dtype between any two layouts."""
        source = broadcast(source, target.shape)
        if not target.size:
            return
        if target.is_contiguous and source.is_contiguous and target.dtype.kind == "f":
            self.element(steps.COPY, target, source)
        else:
            self.copy_always(target, source)

    def copy_always(self, target: Operand, source: Operand) -> None:
        """Copy by the kernel for all layouts."""
        kernels = {1: basic.copy_bytes, 4: basic.copy, 8: basic.copy}
        size = target.dtype.itemsize
        if size not in kernels or target.dtype != source.dtype:
            raise UnsupportedError
        lengths, to, out_of = _loops(target, source)
        words = [*lengths, *to, *out_of]
        kind = DOUBLE if size == 8 else SINGLE
        self.call(kernels[size], target, source, *words, dtype=kind)


def _loops(target: Operand, source: Operand) -> tuple[list[int], list[int], list[int]]:
    """Return lengths and steps (in values) of six loops, the last two those with steps of one."""
    size = target.dtype.itemsize
    axes = [
        (length, to // size, out_of // size)
        for length, to, out_of in zip(target.shape, target.strides, source.strides, strict=True)
        if length != 1
    ]
    axes.sort(key=lambda axis: -abs(axis[1]))
    merged: list[tuple[int, int, int]] = []
    for length, to, out_of in axes:
        if merged and merged[-1][1] == to * length and merged[-1][2] == out_of * length:
            merged[-1] = (merged[-1][0] * length, to, out_of)
        else:
            merged.append((length, to, out_of))
    turned = [axis for axis in merged[:-1] if axis[2] == 1]
    if turned:
        merged.remove(turned[0])
        merged.insert(len(merged) - 1, turned[0])
    if len(merged) > basic.COPY_AXES:
        raise UnsupportedError
    merged = [(1, 0, 0)] * (basic.COPY_AXES - len(merged)) + merged
    columns = [list(column) for column in zip(*merged, strict=True)]
    return columns[0], columns[1], columns[2]
