"""Scaled dot-product attention, some queries of one head at a time, so that scores stay in cache.

Queries, keys and values are read where they lie; results lie as the queries do, so that heads are
put together again without a copy.
"""

from typing import Any

import numpy as np

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.blas import block_limit, multiply
from gradcore.native.kernels.functions import exp
from gradcore.native.kernels.values import at, fill, maximum, part, real, transpose
from gradcore.native.memory import integers_at, pointer
from gradcore.ops.every import OPERATIONS

_ATTENTION = OPERATIONS["attention"]
_BLOCK = 64
"""Queries at a time."""
# Words after ten operands: sizes, and then for each operand its steps from one batch, head and
# place to the next.
_BATCH, _HEADS, _QUERIES, _KEYS, _WIDTH, _DEPTH, _CAUSAL, _LIMIT, _STEPS = range(10, 19)


@part
def _of_head(a: Any, f: Any, number: int, head: int) -> Any:
    """Return where one head of an operand begins."""
    steps = _STEPS + 3 * number
    batch, within = head // a[_HEADS], head % a[_HEADS]
    return at(pointer(a[number], f), batch * a[steps] + within * a[steps + 1])


@part
def _row_weights(row: Any, bias: Any, is_biased: bool, n: int, keys: int, f: Any) -> None:
    """Turn the first ``n`` products into weights; the rest gets none."""
    factor = f[0]
    if is_biased:
        for j in range(n):
            row[j] = row[j] * factor + bias[j]
    else:
        for j in range(n):
            row[j] *= factor
    top = row[0]
    for j in range(n):
        top = maximum(top, row[j])
    total = real(0.0, f)
    for j in range(n):
        e = exp(row[j] - top)
        row[j] = e
        total += e
    share = real(1.0, f) / total
    for j in range(n):
        row[j] *= share
    # Zero, or NaN as everywhere in a row that holds one.
    fill(at(row, n), keys - n, total * real(0.0, f))


@kernel(blas=True)
def attend(a: Any, f: Any) -> None:
    """Mix values: queries, keys, values, bias or 0, result, weights, room for turned keys."""
    queries, keys, width, depth = a[_QUERIES], a[_KEYS], a[_WIDTH], a[_DEPTH]
    turned, limit = pointer(a[6], f), a[_LIMIT]
    for head in range(a[_BATCH] * a[_HEADS]):
        q, k, v = _of_head(a, f, 0, head), _of_head(a, f, 1, head), _of_head(a, f, 2, head)
        y, weights = _of_head(a, f, 4, head), _of_head(a, f, 5, head)
        q_row, v_row, y_row = a[_STEPS + 2], a[_STEPS + 8], a[_STEPS + 14]
        bias, bias_row = _of_head(a, f, 3, head), a[_STEPS + 11]
        transpose(k, a[_STEPS + 5], turned, keys, keys, width)
        for first in range(0, queries, _BLOCK):
            rows = min(_BLOCK, queries - first)
            seen = min(keys, first + rows) if a[_CAUSAL] else keys
            block, part = at(weights, first * keys), at(q, first * q_row)
            multiply(limit, 0, rows, seen, width, part, q_row, turned, keys, 0, block, keys)
            for r in range(first, first + rows):
                n = min(keys, r + 1) if a[_CAUSAL] else keys
                _row_weights(at(weights, r * keys), at(bias, r * bias_row), a[3] != 0, n, keys, f)
            into = at(y, first * y_row)
            multiply(limit, 0, rows, depth, seen, block, keys, v, v_row, 0, into, y_row)


@part
def _row_slope(slope: Any, weights: Any, n: int, factor: Any, f: Any) -> None:
    """Turn what came back to weights into what goes back to the products."""
    total = real(0.0, f)
    for j in range(n):
        total += slope[j] * weights[j]
    for j in range(n):
        slope[j] = (slope[j] - total) * weights[j] * factor


@part
def _clear(x: Any, row: int, rows: int, width: int, f: Any) -> None:
    for r in range(rows):
        fill(at(x, r * row), width, real(0.0, f))


@kernel(blas=True)
def attend_slope(a: Any, f: Any) -> None:
    """Go back: queries, keys, values, gradient, weights; theirs; room for values and slopes."""
    queries, keys, width, depth = a[_QUERIES], a[_KEYS], a[_WIDTH], a[_DEPTH]
    turned, slope, limit = pointer(a[8], f), pointer(a[9], f), a[_LIMIT]
    q_row, k_row, g_row = a[_STEPS + 2], a[_STEPS + 5], a[_STEPS + 11]
    to_q_row, to_k_row, to_v_row = a[_STEPS + 17], a[_STEPS + 20], a[_STEPS + 23]
    for head in range(a[_BATCH] * a[_HEADS]):
        q, k, v = _of_head(a, f, 0, head), _of_head(a, f, 1, head), _of_head(a, f, 2, head)
        g, weights = _of_head(a, f, 3, head), _of_head(a, f, 4, head)
        to_q, to_k = _of_head(a, f, 5, head), _of_head(a, f, 6, head)
        to_v = _of_head(a, f, 7, head)
        _clear(to_k, to_k_row, keys, width, f)
        _clear(to_v, to_v_row, keys, depth, f)
        transpose(v, a[_STEPS + 8], turned, keys, keys, depth)
        for first in range(0, queries, _BLOCK):
            rows = min(_BLOCK, queries - first)
            seen = min(keys, first + rows) if a[_CAUSAL] else keys
            block, back = at(weights, first * keys), at(g, first * g_row)
            multiply(limit, 0, rows, seen, depth, back, g_row, turned, keys, 0, slope, keys)
            for r in range(rows):
                _row_slope(at(slope, r * keys), at(block, r * keys), seen, f[0], f)
            into, part = at(to_q, first * to_q_row), at(q, first * q_row)
            multiply(limit, 0, rows, width, seen, slope, keys, k, k_row, 0, into, to_q_row)
            multiply(limit, 1, seen, width, rows, slope, keys, part, q_row, 1, to_k, to_k_row)
            multiply(limit, 1, seen, depth, rows, block, keys, back, g_row, 1, to_v, to_v_row)


def _sizes(query: Operand, key: Operand, value: Operand) -> tuple[int, ...]:
    """Return the sizes of attention, with two leading axes whatever there are."""
    lead = (1, 1, *query.shape[:-2])[-2:]
    return (*lead, query.shape[-2], key.shape[-2], query.shape[-1], value.shape[-1])


@kernel(writes=(1,))
def find_unfinite(a: Any, f: Any) -> None:
    """Set a flag if a value is NaN or infinite.

    Words: x, flag, batches, heads, rows, width, and the steps of x from one of the first three to
    the next.
    """
    flag, bad = integers_at(a[1]), 0
    for b in range(a[2]):
        for h in range(a[3]):
            for r in range(a[4]):
                x = at(pointer(a[0], f), b * a[6] + h * a[7] + r * a[8])
                for i in range(a[5]):
                    # What is not finite leaves NaN if it is taken from itself.
                    rest = x[i] - x[i]
                    bad |= rest != rest
    flag[0] = bad


def _expect_finite(out: Builder, *operands: Operand) -> None:
    """Leave the step to NumPy where what a causal mask hides would show: zero times NaN is NaN."""
    for x in operands:
        flag = out.empty((1,), np.int64)
        sizes = (1,) * (4 - len(x.shape)) + x.shape
        out.call(find_unfinite, x, flag, *sizes, *_steps(x), dtype=x.dtype)
        out.expect(flag)


def _steps(operand: Any, is_bias: bool = False) -> tuple[int, ...]:
    """Return from one batch, head and row to the next, in values; 0 for what is repeated.

    BLAS wants to be told a step between rows even where there is only one.
    """
    if not isinstance(operand, Operand):
        return (0, 0, 0)
    size = operand.dtype.itemsize
    strides = [
        0 if length == 1 else step // size
        for length, step in zip(operand.shape, operand.strides, strict=True)
    ]
    batch, head, row, _ = [0] * (4 - len(strides)) + strides
    return batch, head, row if row or is_bias else operand.shape[-1]


def _is_known(*operands: Operand) -> bool:
    """Tell whether all have the same leading axes, at most two, and values to work on."""
    first = operands[0]
    return (
        2 <= len(first.shape) <= 4
        and first.dtype.kind == "f"
        and all(x.dtype == first.dtype and x.size > 0 for x in operands)
        and all(x.shape[:-2] == first.shape[:-2] for x in operands)
    )


def _by_rows(out: Builder, x: Operand) -> Operand:
    """Return ``x`` if rows of BLAS can be read from it, else a copy."""
    size = x.dtype.itemsize
    along = x.shape[-1] == 1 or x.strides[-1] == size
    down = x.shape[-2] == 1 or x.strides[-2] >= x.shape[-1] * size
    if along and down and all(step >= 0 for step in x.strides):
        return x
    return out.contiguous(x)


def _laid_as(out: Builder, shape: tuple[int, ...], like: Operand) -> Operand:
    """Return a new array whose axes follow each other in memory as those of ``like`` do."""
    last = len(shape) - 1
    order = sorted(range(last), key=lambda axis: -like.strides[axis])
    made = out.empty(tuple(shape[axis] for axis in (*order, last)), like.dtype)
    strides = [0] * last + [like.dtype.itemsize]
    step = shape[-1] * like.dtype.itemsize
    for axis in reversed(order):
        strides[axis] = step
        step *= shape[axis]
    return Operand(shape, like.dtype, tuple(strides), made.place)


@lowers(_ATTENTION.kernel)
def _attention(
    out: Builder,
    query: Operand,
    key: Operand,
    value: Operand,
    bias: Operand | None,
    causal: bool,
    factor: float,
) -> Any:
    if not _is_known(query, key, value):
        return None
    given: list[Any] = [_by_rows(out, one) for one in (query, key, value)]
    scores = (*query.shape[:-1], key.shape[-2])
    if bias is None or causal:
        given.append(0)
    elif bias.dtype != query.dtype or not _fits(bias.shape, scores):
        return None
    else:
        given.append(out.contiguous(bias))
    if causal:
        _expect_finite(out, *given[:3])
    y = _laid_as(out, (*query.shape[:-1], value.shape[-1]), query)
    weights = out.empty(scores, query.dtype)
    turned = out.empty((key.shape[-2] * key.shape[-1],), query.dtype)
    operands = [*given, y, weights, turned, 0, 0, 0]
    words = (*_sizes(query, key, value), int(causal), block_limit())
    steps = [step for i, one in enumerate(operands[:6]) for step in _steps(one, i == 3)]
    out.call(attend, *operands, *words, *steps, reals=(factor,), dtype=query.dtype)
    return y, weights


def _fits(shape: tuple[int, ...], scores: tuple[int, ...]) -> bool:
    """Tell whether a bias broadcasts to the scores, with a value of its own for each key."""
    padded = (1,) * (len(scores) - len(shape)) + shape
    return (
        len(shape) <= len(scores)
        and len(shape) >= 1
        and padded[-1] == scores[-1]
        and all(n in (1, m) for n, m in zip(padded, scores, strict=True))
    )


@lowers(_ATTENTION.joint)
def _attention_slope(
    out: Builder,
    g: Any,
    needs: Any,
    query: Operand,
    key: Operand,
    value: Operand,
    bias: Operand | None,
    weights: Operand,
    causal: bool,
    factor: float,
) -> Any:
    if needs[3] or g[0] is None or not _is_known(query, key, value, g[0], weights):
        return None
    kind = query.dtype
    given = [_by_rows(out, one) for one in (query, key, value, g[0])]
    if causal:
        _expect_finite(out, given[3])
    given.append(out.contiguous(weights))
    made = [_laid_as(out, one.shape, one) for one in (query, key, value)]
    turned = out.empty((key.shape[-2] * value.shape[-1],), kind)
    slope = out.empty((min(_BLOCK, query.shape[-2]) * key.shape[-2],), kind)
    operands = [*given, *made, turned, slope]
    words = (*_sizes(query, key, value), int(causal), block_limit())
    steps = [step for one in operands[:8] for step in _steps(one)]
    out.call(attend_slope, *operands, *words, *steps, reals=(factor,), dtype=kind)
    return [*made, None]
