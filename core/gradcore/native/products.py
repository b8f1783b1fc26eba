"""Matrix products of any layout as calls of BLAS."""

import math

from gradcore.native import basic
from gradcore.native.builder import DOUBLE, SINGLE, Table, UnsupportedError
from gradcore.native.entry import Operand
from gradcore.native.kernels.blas import block_limit
from gradcore.native.layout import broadcast

_MOST = 64
"""So many calls of BLAS may be written down for one product; beyond, its input is copied."""

_WORTH_TURNING = 48
"""From so many rows and columns on it pays to turn a matrix before it is multiplied."""

_LARGE = 10_000_000
"""From so many products on the order of a turned one matters."""


def _matrix(x: Operand) -> tuple[int, int] | None:
    """Return (whether BLAS has to turn it, row step) of the last two axes; None: copy it first."""
    rows, columns = x.shape[-2:]
    size = x.dtype.itemsize
    down, right = (stride // size for stride in x.strides[-2:])
    if columns == 1 and rows == 1:
        return 0, 1
    if (right == 1 or columns == 1) and (down >= columns or rows == 1):
        return 0, max(columns, 1) if rows == 1 else down
    if (down == 1 or rows == 1) and (right >= rows or columns == 1):
        return 1, max(rows, 1) if columns == 1 else right
    return None


def _stacks(shape: tuple[int, ...], *strides: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the axes of a stack as (length, steps ...), with neighbours that run on made one."""
    merged: list[tuple[int, ...]] = []
    for axis in zip(shape, *strides, strict=True):
        if axis[0] == 1:
            continue
        if merged and all(a == b * axis[0] for a, b in zip(merged[-1][1:], axis[1:], strict=True)):
            merged[-1] = (merged[-1][0] * axis[0], *axis[1:])
        else:
            merged.append(axis)
    return merged


def matmul(table: Table, x: Operand, y: Operand, target: Operand, beta: float = 0.0) -> Operand:
    """Let ``target = x @ y + beta * target`` run here, as NumPy's matmul."""
    if x.dtype != y.dtype or x.dtype != target.dtype or x.dtype not in (SINGLE, DOUBLE):
        raise UnsupportedError
    if not target.is_contiguous or not x.shape or not y.shape:
        raise UnsupportedError
    full = target
    if len(x.shape) == 1:
        x = table.view(table.contiguous(x), (1, *x.shape))
        full = table.view(
            full, (*full.shape[:-1], 1, *full.shape[-1:]) if len(y.shape) > 1 else (1,)
        )
    if len(y.shape) == 1:
        y = table.view(table.contiguous(y), (*y.shape, 1))
        full = table.view(full, (*full.shape, 1))
    if len(y.shape) == 2 and len(x.shape) > 2 and x.is_contiguous:
        # A stack of rows by one matrix is one product.
        x = table.view(x, (math.prod(x.shape[:-1]), x.shape[-1]))
        full = table.view(full, (x.shape[0], y.shape[-1]))
    if full.size:
        _emit(table, x, y, full, beta)
    return target


def _emit(table: Table, x: Operand, y: Operand, full: Operand, beta: float) -> None:
    """Write down the product of matrices or stacks of them, laid out as BLAS takes them fastest."""
    pair = []
    for one in (x, y):
        if _matrix(one) is None:
            one = table.contiguous(one)
        pair.append(broadcast(one, (*full.shape[:-2], *one.shape[-2:])))
    x, y = pair
    (m, k), n = x.shape[-2:], y.shape[-1]
    turn_x, turn_y = ((_matrix(one) or (0, 0))[0] for one in (x, y))
    is_turned = turn_y and m >= _WORTH_TURNING and n >= _WORTH_TURNING
    if turn_x and not turn_y and m >= 2 * n and m * n * k > _LARGE and not beta:
        # Long products with a turned first matrix are faster the wider they are.
        turned = table.empty((*full.shape[:-2], n, m), full.dtype)
        _calls(table, _turned(y), _turned(x), turned, 0.0)
        table.copy(full, _turned(turned))
    elif not is_turned:
        _calls(table, x, y, full, beta)
    elif n * k <= m * (k + n) or beta:
        # BLAS is slow where the second matrix has to be turned.
        _calls(table, x, table.contiguous(y), full, beta)
    else:
        # Fewer values move if the product is worked out turned: y.T @ x.T.
        turned = table.empty((*full.shape[:-2], n, m), full.dtype)
        _calls(table, _turned(y), table.contiguous(_turned(x)), turned, 0.0)
        table.copy(full, _turned(turned))


def _turned(x: Operand) -> Operand:
    shape = (*x.shape[:-2], x.shape[-1], x.shape[-2])
    strides = (*x.strides[:-2], x.strides[-1], x.strides[-2])
    return Operand(shape, x.dtype, strides, x.place)


def _calls(table: Table, x: Operand, y: Operand, full: Operand, beta: float) -> None:
    axes = _stacks(full.shape[:-2], full.strides[:-2], x.strides[:-2], y.strides[:-2])
    while len(axes) < 2:
        axes.insert(0, (1, 0, 0, 0))
    outermost = axes[:-2]
    if math.prod(axis[0] for axis in outermost) > _MOST:
        raise UnsupportedError
    (turn_x, row_x), (turn_y, row_y) = _matrix(x) or (0, 0), _matrix(y) or (0, 0)
    m, k, n = x.shape[-2], x.shape[-1], y.shape[-1]
    sizes = (*axes[-2], *axes[-1], m, n, k, turn_x, turn_y, row_x, row_y, n, block_limit())
    for steps in _positions(outermost):
        moved = [_moved(one, step) for one, step in zip((full, x, y), steps, strict=True)]
        table.call(basic.product, *moved, *sizes, reals=(beta,), dtype=full.dtype)


def _positions(axes: list[tuple[int, ...]]) -> list[tuple[int, int, int]]:
    """Return the offsets of target, x and y for every place in a stack."""
    places = [(0, 0, 0)]
    for length, to, first, second in axes:
        places = [
            (a + i * to, b + i * first, c + i * second) for a, b, c in places for i in range(length)
        ]
    return places


def _moved(x: Operand, offset: int) -> Operand:
    storage, start = x.place
    return Operand(x.shape, x.dtype, x.strides, (storage, start + offset))
