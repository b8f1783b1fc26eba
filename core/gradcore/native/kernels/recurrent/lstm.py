"""The long short-term memory; its gates stand as in PyTorch: enter, keep, new, leave.

After their squashing they stand apart, and in another order: enter, keep, leave, new.
"""

from typing import Any

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.blas import multiply
from gradcore.native.kernels.functions import sigmoid, tanh
from gradcore.native.kernels.recurrent.shared import (
    add_row,
    are_known,
    copy,
    given,
    sizes,
    start_gradient,
    turned,
    weight_gradients,
)
from gradcore.native.kernels.values import at, get, part, put, real
from gradcore.native.memory import pointer
from gradcore.ops.every import OPERATIONS

_LSTM = OPERATIONS["lstm_sequence"]


@part
def _cell(now: Any, before: Any, gates: Any, cells: Any, h: Any, batch: int, size: int) -> None:
    """Turn the sums of one time into gates, cells and states."""
    for b in range(batch):
        enter, keep = at(now, b * 4 * size), at(now, (b * 4 + 1) * size)
        new, leave = at(now, (b * 4 + 2) * size), at(now, (b * 4 + 3) * size)
        to_enter, to_keep = at(gates, b * size), at(gates, (batch + b) * size)
        to_leave, to_new = at(gates, (2 * batch + b) * size), at(gates, (3 * batch + b) * size)
        old, cell, state = at(before, b * size), at(cells, b * size), at(h, b * size)
        for j in range(size):
            put(to_enter, j, sigmoid(get(enter, j, 0)), 6)
        for j in range(size):
            put(to_keep, j, sigmoid(get(keep, j, 1)), 7)
        for j in range(size):
            n, o = tanh(get(new, j, 2)), sigmoid(get(leave, j, 3))
            put(to_new, j, n, 9)
            put(to_leave, j, o, 8)
            # Cells of this time and of the one before lie in one array.
            c = get(to_keep, j, 7) * get(old, j, 4) + get(to_enter, j, 6) * n
            put(cell, j, c, 4)
            put(state, j, o * tanh(c), 5)


@kernel(blas=True)
def lstm_forward(a: Any, f: Any) -> None:
    """Run along a sequence: gates, hidden, cell, turned weight, bias or 0, and what it makes.

    That is: outputs, last state, last cell, gates after their squashing, all cells. The gates
    stand as (time, gate, batch, size), the new values last. There is room for one step's sums.
    """
    gates, h, c, weight = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f), pointer(a[3], f)
    bias, outputs, active, cells = (
        pointer(a[4], f), pointer(a[5], f), pointer(a[8], f), pointer(a[9], f),
    )  # fmt: skip
    now, length, batch, size = pointer(a[10], f), a[11], a[12], a[13]
    n, wide = batch * size, 4 * size
    for s in range(length):
        t = length - 1 - s if a[14] else s
        fresh, state = at(cells, t * n), at(outputs, t * n)
        add_row(at(gates, t * n * 4), bias, now, batch, wide, a[4] != 0)
        multiply(a[15], 0, batch, wide, size, h, size, weight, wide, 1, now, wide)
        _cell(now, c, at(active, t * n * 4), fresh, state, batch, size)
        h, c = state, fresh
    copy(h, pointer(a[6], f), n)
    copy(c, pointer(a[7], f), n)


@part
def _cell_slope(
    active: Any,
    before: Any,
    cells: Any,
    into_h: Any,
    into_c: Any,
    into: Any,
    batch: int,
    size: int,
    f: Any,
) -> None:
    """Write what comes back to the sums of one time, and to the cells before it."""
    one = real(1.0, f)
    for b in range(batch):
        enter, keep = at(active, b * size), at(active, (batch + b) * size)
        leave, new = at(active, (2 * batch + b) * size), at(active, (3 * batch + b) * size)
        to_enter, to_keep = at(into, b * 4 * size), at(into, (b * 4 + 1) * size)
        to_new, to_leave = at(into, (b * 4 + 2) * size), at(into, (b * 4 + 3) * size)
        old, cell = at(before, b * size), at(cells, b * size)
        gh, gc = at(into_h, b * size), at(into_c, b * size)
        for j in range(size):
            i, k, n, o = get(enter, j, 0), get(keep, j, 1), get(new, j, 2), get(leave, j, 3)
            squashed, state = tanh(get(cell, j, 4)), get(gh, j, 5)
            down = get(gc, j, 6) + state * o * (one - squashed * squashed)
            put(to_leave, j, state * squashed * o * (one - o), 7)
            put(to_enter, j, down * n * i * (one - i), 8)
            put(to_keep, j, down * get(old, j, 4) * k * (one - k), 9)
            put(to_new, j, down * i * (one - n * n), 10)
            put(gc, j, down * k, 6)


@kernel(blas=True)
def lstm_backward(a: Any, f: Any) -> None:
    """Go back: gradients of outputs, state, cell (or 0); cell, weight, gates, cells; three results.

    These are the gradients of the gates, of the first state and of the first cell.
    """
    first, weight, active = pointer(a[3], f), pointer(a[4], f), pointer(a[5], f)
    cells, into = pointer(a[6], f), pointer(a[7], f)
    into_h, into_c = pointer(a[8], f), pointer(a[9], f)
    length, batch, size = a[10], a[11], a[12]
    n, wide = batch * size, 4 * size
    start_gradient(a[1], into_h, n, f)
    start_gradient(a[2], into_c, n, f)
    for s in range(length):
        t = s if a[13] else length - 1 - s
        if a[0]:
            g = at(pointer(a[0], f), t * n)
            for i in range(n):
                into_h[i] += g[i]
        before = first if s == length - 1 else at(cells, (t + 1 if a[13] else t - 1) * n)
        now, gates = at(into, t * n * 4), at(active, t * n * 4)
        _cell_slope(gates, before, at(cells, t * n), into_h, into_c, now, batch, size, f)
        multiply(a[14], 0, batch, size, wide, now, wide, weight, size, 0, into_h, size)


@lowers(_LSTM.kernel)
def _forward(
    out: Builder,
    gates: Operand,
    hidden: Operand,
    cell: Operand,
    weight: Operand,
    bias: Operand | None,
    reverse: bool,
) -> Any:
    if not are_known(gates, hidden, cell, weight, bias):
        return None
    kind, size = gates.dtype, hidden.shape[-1]
    outputs, cells = (out.empty((*gates.shape[:2], size), kind) for _ in range(2))
    last, last_cell = (out.empty(hidden.shape, kind) for _ in range(2))
    active = out.empty((gates.shape[0], 4, *hidden.shape), kind)
    operands = [out.contiguous(one) for one in (gates, hidden, cell)]
    operands += [turned(out, weight), given(out, bias)]
    made = outputs, last, last_cell, active, cells
    room = out.empty(gates.shape[1:], kind)
    out.call(lstm_forward, *operands, *made, room, *sizes(gates, hidden, reverse), dtype=kind)
    return made


@lowers(_LSTM.joint)
def _backward(
    out: Builder,
    g: Any,
    needs: Any,
    gates: Operand,
    hidden: Operand,
    cell: Operand,
    weight: Operand,
    bias: Operand | None,
    y: Operand,
    active: Operand,
    cells: Operand,
    reverse: bool,
) -> Any:
    if any(g[3:]) or not are_known(gates, hidden, cell, weight, bias, *g):
        return None
    into = out.empty(gates.shape, gates.dtype)
    into_h, into_c = (out.empty(hidden.shape, gates.dtype) for _ in range(2))
    words = sizes(gates, hidden, reverse)
    operands = [given(out, one) for one in g[:3]]
    operands += [out.contiguous(one) for one in (cell, weight, active, cells)]
    out.call(lstm_backward, *operands, into, into_h, into_c, *words, dtype=gates.dtype)
    return [into, into_h, into_c, *weight_gradients(out, needs[3:], into, hidden, y, words)]
