"""Matrix products inside of kernels, by the BLAS that NumPy brings along.

Its functions are found in NumPy's own libraries and made known to LLVM under names of ours, so
that compiled kernels can be kept on disk: they hold the name, not the address of one run.
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

from gradcore.native.kernels.values import at, part, real

# With 64-bit sizes: in wheels for Linux and Windows; Apple's; in builds of distributions.
_NAMES = ("scipy_cblas_{}64_", "cblas_{}$NEWLAPACK$ILP64", "cblas_{}64_")
_FUNCTIONS = ("sgemm", "dgemm", "sgemv", "dgemv")
_CORES = {b"SkylakeX", b"Cooperlake", b"SapphireRapids"}
"""The processors for which OpenBLAS multiplies small matrices without copying them first."""
_SMALL = 1_000_000
"""How large m * n * k is at most for it to do so."""
_BY_ROWS, _AS_IS, _TURNED = 101, 111, 112
_ENUM, _SIZE = ir.IntType(32), ir.IntType(64)


@cache
def is_available() -> bool:
    """Make NumPy's BLAS known to kernels; False where it has none with 64-bit sizes.

    A kernel that needs it must not be loaded before this has returned True.
    """
    for library in _libraries():
        for pattern in _NAMES:
            found = [getattr(library, pattern.format(name), None) for name in _FUNCTIONS]
            if all(found):
                for name, function in zip(_FUNCTIONS, found, strict=True):
                    address = ctypes.cast(function or 0, ctypes.c_void_p).value
                    binding.add_symbol(f"gradcore_{name}", address)
                return True
    return False


@cache
def block_limit() -> int:
    """Return how large m * n * k should be at most in one call; 0: as large as it is.

    Where OpenBLAS has kernels for small matrices, a large product is 10 to 30 % faster as many
    small ones (measured on Zen 4: 114 against 85 to 105 GFLOP/s).
    """
    for library in _libraries():
        ask = getattr(library, "scipy_openblas_get_corename64_", None)
        if ask is not None:
            ask.restype = ctypes.c_char_p
            return _SMALL if ask() in _CORES else 0
    return 0


def _libraries() -> list[ctypes.CDLL]:
    """Return the libraries that may hold the functions: NumPy's own, and what lies beside it."""
    # A library's symbols include those of the libraries that it was linked with (not on Windows).
    paths = [Path(np._core._multiarray_umath.__file__)]  # type: ignore[attr-defined]  # untyped
    paths += sorted(Path(np.__file__).parents[1].glob("numpy.libs/*openblas*"))
    found = []
    for path in paths:
        try:
            found.append(ctypes.CDLL(str(path)))
        except OSError:
            continue
    return found


def _call(builder: Any, name: str, arguments: list[Any]) -> None:
    name = f"gradcore_{name}"
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(ir.VoidType(), [item.type for item in arguments])
        function = ir.Function(builder.module, kind, name)
    builder.call(function, arguments)


def _name(kind: Any, routine: str) -> str:
    return ("s" if kind.dtype is types.float32 else "d") + routine


def _at_least(builder: Any, step: Any, length: Any) -> Any:
    """Return the step from row to row, which may not be less than a row, even if there is none."""
    for least in (length, length.type(1)):
        step = builder.select(builder.icmp_signed("<", step, least), least, step)
    return step


def _chosen(builder: Any, is_turned: Any, turned: Any, other: Any) -> Any:
    truth = builder.icmp_signed("!=", is_turned, is_turned.type(0))
    return builder.select(truth, turned, other)


def _transposition(builder: Any, is_turned: Any) -> Any:
    truth = builder.icmp_signed("!=", is_turned, is_turned.type(0))
    return builder.select(truth, _ENUM(_TURNED), _ENUM(_AS_IS))


_INT = types.int64


@intrinsic
def gemm(
    typing_context: Any,
    turn_a: Any,
    turn_b: Any,
    m: Any,
    n: Any,
    k: Any,
    alpha: Any,
    a: Any,
    a_row: Any,
    b: Any,
    b_row: Any,
    beta: Any,
    c: Any,
    c_row: Any,
) -> Any:
    """Set ``c = alpha * a @ b + beta * c``; matrices lie by rows, ``..._row`` apart."""
    real = a.dtype
    kinds = (_INT, _INT, _INT, _INT, _INT, real, a, _INT, a, _INT, real, a, _INT)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        turns = [_transposition(builder, item) for item in args[:2]]
        m, n, k, alpha, x, x_row, y, y_row, beta, z, z_row = args[2:]
        x_row = _at_least(builder, x_row, _chosen(builder, args[0], m, k))
        y_row = _at_least(builder, y_row, _chosen(builder, args[1], k, n))
        z_row = _at_least(builder, z_row, n)
        rest = [m, n, k, alpha, x, x_row, y, y_row, beta, z, z_row]
        _call(builder, _name(a, "gemm"), [_ENUM(_BY_ROWS), *turns, *rest])
        return context.get_dummy_value()

    return types.none(*kinds), generate


@intrinsic
def gemv(
    typing_context: Any,
    turn_a: Any,
    m: Any,
    n: Any,
    alpha: Any,
    a: Any,
    a_row: Any,
    x: Any,
    x_step: Any,
    beta: Any,
    y: Any,
    y_step: Any,
) -> Any:
    """Set ``y = alpha * a @ x + beta * y``; ``a`` has m rows and n columns before it is turned."""
    real = a.dtype
    kinds = (_INT, _INT, _INT, real, a, _INT, a, _INT, real, a, _INT)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        turn = _transposition(builder, args[0])
        m, n, alpha, x, x_row, *rest = args[1:]
        x_row = _at_least(builder, x_row, n)
        _call(builder, _name(a, "gemv"), [_ENUM(_BY_ROWS), turn, m, n, alpha, x, x_row, *rest])
        return context.get_dummy_value()

    return types.none(*kinds), generate


@part
def _even(size: int, most: int) -> int:
    """Return how large parts of ``size`` are if they are equal, and at most ``most``."""
    parts = (size + most - 1) // most
    return (size + parts - 1) // parts


@part
def multiply(
    limit: int,
    turn_a: int,
    m: int,
    n: int,
    k: int,
    a: Any,
    a_row: int,
    b: Any,
    b_row: int,
    add: int,
    c: Any,
    c_row: int,
) -> None:
    """Set ``c = a @ b``, or add that to it; in blocks of at most ``limit`` products, if not 0.

    There is no turned ``b``: small products with one are slow, so turn it beforehand.
    """
    one, zero = real(1.0, a), real(0.0, a)
    if limit == 0 or m * n * k <= limit:
        gemm(turn_a, 0, m, n, k, one, a, a_row, b, b_row, one if add else zero, c, c_row)
        return
    # Parts of equal size, so that none is too small to be fast. Rows of a turned matrix often lie
    # a power of two apart, and then few of them stay in the first cache together.
    deep = _even(k, 128 if turn_a else 256)
    wide = min(n, 64 if turn_a or deep > 128 else 128)
    high = (_even(m, max(8, limit // (wide * deep) // 8 * 8)) + 7) // 8 * 8
    for j in range(0, n, wide):
        for d in range(0, k, deep):
            beta = one if add or d else zero
            rest = at(b, d * b_row + j)
            for i in range(0, m, high):
                part = at(a, d * a_row + i) if turn_a else at(a, i * a_row + d)
                gemm(
                    turn_a, 0, min(high, m - i), min(wide, n - j), min(deep, k - d),
                    one, part, a_row, rest, b_row, beta, at(c, i * c_row + j), c_row,
                )  # fmt: skip
