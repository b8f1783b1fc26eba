"""Runs a lowering at once, on arrays, and compares what it gives with its NumPy twin."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

pytest.importorskip("numba")

from gradcore.native import machine
from gradcore.native.entry import LOWERINGS, Kernel, Operand
from gradcore.native.kernels import blas

CALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
GUARD = 16
"""Values on both sides of each array that a kernel must leave alone."""


def operand(array: Any) -> Operand:
    """Return an operand that is this array."""
    return Operand(array.shape, array.dtype, array.strides, array)


class AtOnce:
    """A builder whose calls run where they are made."""

    def __init__(self, wanted: tuple[bool, ...] = ()) -> None:
        self.wanted = wanted
        self.failed = False
        self._guarded: list[tuple[Any, Any]] = []

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Operand:
        """Return an array full of NaN (or the largest number), with guards around it."""
        dtype = np.dtype(dtype)
        size = int(np.prod(shape))
        block = np.empty(size + 2 * GUARD + 64, dtype)
        skip = -(block.ctypes.data + GUARD * dtype.itemsize) % 64 // dtype.itemsize + GUARD
        block.fill(np.nan if dtype.kind == "f" else np.iinfo(dtype).max)
        inside = block[skip : skip + size]
        self._guarded.append((block, inside))
        inside.fill(np.nan if dtype.kind == "f" else 77)
        return operand(inside.reshape(shape))

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Operand:
        made = self.empty(shape, dtype)
        made.place.fill(0)
        return made

    def constant(self, array: Any) -> Operand:
        return operand(np.ascontiguousarray(array))

    def contiguous(self, x: Operand) -> Operand:
        return x if x.is_contiguous else operand(np.ascontiguousarray(_array_of(x)))

    def view(self, x: Operand, shape: tuple[int, ...], offset: int = 0) -> Operand:
        flat = x.place.reshape(-1)[offset : offset + int(np.prod(shape))]
        return operand(flat.reshape(shape))

    def expect(self, flag: Operand) -> None:
        self.failed |= bool(flag.place.reshape(-1)[0])

    def call(self, kernel: Kernel, *words: Any, reals: Sequence[float] = (), dtype: Any) -> None:
        if kernel.needs_blas and not blas.is_available():
            pytest.skip("NumPy has no BLAS with 64-bit sizes here")
        row = np.array([w.place.ctypes.data if isinstance(w, Operand) else w for w in words])
        numbers = np.array(reals or (0.0,), dtype)
        run = CALL(machine.address(kernel, np.dtype(dtype)))
        run(row.ctypes.data, numbers.ctypes.data)

    def check_guards(self) -> None:
        """Fail if a kernel wrote outside of the arrays it was given."""
        for block, inside in self._guarded:
            start = (inside.ctypes.data - block.ctypes.data) // block.itemsize
            around = np.concatenate([block[:start], block[start + inside.size :]])
            untouched = np.isnan(around) if block.dtype.kind == "f" else around == around.max()
            assert untouched.all(), "a kernel wrote beside its array"


def _operands(item: Any) -> Any:
    if isinstance(item, np.ndarray | np.generic):
        return operand(np.asarray(item))
    if type(item) in (tuple, list):
        return type(item)([_operands(part) for part in item])
    return item


def _results(item: Any) -> list[Any]:
    items = item if type(item) in (tuple, list) else [item]
    return [_array_of(one) if isinstance(one, Operand) else one for one in items]


def _array_of(one: Operand) -> Any:
    """Return the array of an operand, which may be laid out otherwise than its memory."""
    if one.strides == one.place.strides:
        return one.place
    return as_strided(one.place, one.shape, one.strides)


class Native:
    """Calls lowerings on arrays."""

    def __init__(self) -> None:
        self.failed = False

    def __call__(self, function: Any, *arguments: Any, wanted: tuple[bool, ...] = ()) -> Any:
        """Return what the lowering of ``function`` gives, as a list; None where it declines."""
        builder = AtOnce(wanted or (True,) * 8)
        made = LOWERINGS[function](builder, *_operands(arguments))
        self.failed = builder.failed
        builder.check_guards()
        return None if made is None else _results(made)

    def agrees(self, function: Any, *arguments: Any, rtol: float, atol: float = 0.0) -> None:
        """Fail unless the lowering gives what the function itself gives, of the same dtype."""
        found = self(function, *arguments)
        assert found is not None, "the lowering declines"
        with np.errstate(all="ignore"):
            expected = function(*arguments)
        expected = list(expected) if type(expected) in (tuple, list) else [expected]
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            if theirs is None:
                assert ours is None
                continue
            assert ours.dtype == theirs.dtype
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


@pytest.fixture
def native() -> Native:
    """Call lowerings: ``native(function, *arguments)`` and ``native.agrees(...)``."""
    return Native()


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def real(request: pytest.FixtureRequest) -> Any:
    """Each dtype that kernels work in."""
    return request.param


@pytest.fixture
def numbers() -> Callable[..., Any]:
    """Draw normal values: ``numbers(shape, dtype)``."""
    generator = np.random.default_rng(7)
    return lambda shape, dtype: np.asarray(generator.standard_normal(shape), dtype)
