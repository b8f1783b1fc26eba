"""Large matrix products as many small ones, where NumPy's BLAS is faster at those.

For some processors OpenBLAS has kernels that multiply small matrices without copying them first.
One call of ``np.matmul`` on stacks of tiles reaches them: 100 to 115 GFLOP/s where the product of
the whole takes 70 to 95 (Zen 5). ``replay`` writes the same calls, so the bits are the same.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gradcore.dtypes import Array
from gradcore.ops.openblas import core_name

_CORES = {b"SkylakeX", b"Cooperlake", b"SapphireRapids"}
SMALL = 1_000_000
"""How large m * n * k is at most for OpenBLAS to take a product as it is."""
_LONG, _SHORT = (64, 128, 48, 32, 112, 56, 40, 28), (64, 32, 16, 50, 25, 20, 10, 8)
"""Sizes of tiles, the best first: along the axis that lies without gaps, they fill cache lines."""
_DEPTHS = (512, 480, 448, 400, 384, 360, 320, 300, 256)
"""A longer sum of a product of turned rows is cut into several of such lengths."""
_ROOM = 1 << 23
"""How many values these may have together."""
_LEAST = 512
"""So many values a tile should have at least."""
_WHOLE, _TURNED, _TILED = 90.0, 68.0, 105.0
"""Products of whole matrices, the second turned, and of tiles: in multiplications and additions a
nanosecond. With many rows, turned ones are as fast as others."""
_COPY = 0.5
"""Nanoseconds for copying a value to its turned place."""
_CALL = 3000.0


class Plan(NamedTuple):
    """How a product is cut: heights and widths of the tiles, and which factor is copied first.

    ``copied``: 0 for none, 1 for the second factor, 2 for the first: the result comes turned then.
    ``sums``: into how many sums, of as many products each, every sum of products is cut.
    """

    high: int
    wide: int
    copied: int = 0
    sums: int = 1


@cache
def has_small_kernels() -> bool:
    """Tell whether NumPy's BLAS multiplies small matrices without copying them."""
    return core_name() in _CORES


def plan_of(x: Any, y: Any) -> Plan | None:
    """Return how to cut ``x @ y``, two matrices or what describes them; None: not at all."""
    if x.dtype != np.float32 or y.dtype != np.float32:
        return None
    return _plan(*x.shape, y.shape[1], _order(x), _order(y))


def _order(a: Any) -> str:
    """Return "C" for a matrix that lies row by row, "F" for one column by column, or neither."""
    rows, columns = a.shape
    size = a.dtype.itemsize
    if a.strides == (columns * size, size):
        return "C"
    return "F" if a.strides == (size, rows * size) else ""


@cache
def _plan(m: int, k: int, n: int, x_order: str, y_order: str) -> Plan | None:
    if m * k * n <= SMALL or not x_order or not y_order or not has_small_kernels():
        return None
    work = 2.0 * m * k * n
    if y_order == "C":
        found = _turned_tiles(m, k, n) if x_order == "F" else _tiles(m, k, n, 0)
        return found if found and work / _TILED + _CALL < work / _WHOLE else None
    if x_order == "F":
        return None
    # The second factor is turned: OpenBLAS has no small kernel for that.
    as_it_is = work / (_TURNED if m <= 128 else _WHOLE)
    second = _tiles(m, k, n, 1)
    first = _tiles(n, k, m, 2)
    costs: list[tuple[float, Plan | None]] = [(as_it_is, None)]
    if second:
        costs.append((work / _TILED + _COPY * k * n + _CALL, second))
    if first:
        costs.append((work / _TILED + _COPY * m * (k + n) + _CALL, first))
    return min(costs, key=lambda one: one[0])[1]


def _tiles(m: int, k: int, n: int, copied: int) -> Plan | None:
    for wide in _LONG:
        for high in _SHORT:
            is_whole = m % high == 0 and n % wide == 0
            if is_whole and high * wide >= _LEAST and high * wide * k <= SMALL:
                return Plan(high, wide, copied)
    return None


def _turned_tiles(m: int, k: int, n: int) -> Plan | None:
    """Return the plan for a first factor that lies column by column."""
    depth = k if k <= _DEPTHS[0] else next((d for d in _DEPTHS if k % d == 0), 0)
    if not depth or (depth < k and k // depth * m * n > _ROOM):
        return None
    for high in _LONG:
        for wide in _SHORT:
            is_whole = m % high == 0 and n % wide == 0
            if is_whole and high * wide >= _LEAST and high * wide * depth <= SMALL:
                return Plan(high, wide, 0, k // depth)
    return None


@cache
def band_width(m: int, k: int, n: int) -> int:
    """Return how many of ``n`` columns should be multiplied at once with an (m, k) matrix."""
    if m * k * n <= SMALL or not has_small_kernels():
        return n
    fitting = [w for w in range(24, n) if n % w == 0 and m * k * w <= SMALL]
    return max(fitting, default=n)


def multiply(x: Array, y: Array, plan: Plan) -> Array:
    """Return ``x @ y``, cut as planned."""
    if plan.copied == 2:
        return np.ascontiguousarray(_cut(y.T, np.ascontiguousarray(x.T), plan).T)
    return _cut(x, np.ascontiguousarray(y) if plan.copied else y, plan)


def _cut(x: Array, y: Array, plan: Plan) -> Array:
    sums = () if plan.sums == 1 else (plan.sums,)
    out = np.empty((*sums, len(x), y.shape[1]), x.dtype)
    np.matmul(rows_of(x, plan), columns_of(y, plan), tiles_of(out, plan))
    return out if plan.sums == 1 else np.add.reduce(out, 0)


def rows_of(x: Array, plan: Plan) -> Array:
    """Return a view of a matrix as bands of rows: ((sums,) bands, 1, high, k)."""
    m, k = x.shape
    bands = m // plan.high
    if plan.sums > 1:
        parts = x.T.reshape(plan.sums, k // plan.sums, bands, 1, plan.high)
        return parts.transpose(0, 2, 3, 4, 1)
    if x.flags.c_contiguous:
        return x.reshape(bands, 1, plan.high, k)
    return x.T.reshape(k, bands, 1, plan.high).transpose(1, 2, 3, 0)


def columns_of(y: Array, plan: Plan) -> Array:
    """Return a view of a matrix as bands of columns: ((sums, 1,) bands, k, wide)."""
    k, n = y.shape
    if plan.sums > 1:
        parts = y.reshape(plan.sums, 1, k // plan.sums, n // plan.wide, plan.wide)
        return parts.swapaxes(2, 3)
    return y.reshape(k, n // plan.wide, plan.wide).swapaxes(0, 1)


def tiles_of(out: Array, plan: Plan) -> Array:
    """Return a view of a matrix as tiles: (bands of rows, bands of columns, high, wide)."""
    *sums, m, n = out.shape
    cut = out.reshape(*sums, m // plan.high, plan.high, n // plan.wide, plan.wide)
    return cut.swapaxes(-2, -3)


def whole_of(tiles: Array) -> Array:
    """Return the matrix of which these are the tiles: a view, if they lie in one."""
    *sums, bands, across, high, wide = tiles.shape
    return tiles.swapaxes(-2, -3).reshape(*sums, bands * high, across * wide)
