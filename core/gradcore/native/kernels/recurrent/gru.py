"""The gated recurrent unit; its gates stand as in PyTorch: reset, update, new."""

from typing import Any

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.blas import multiply
from gradcore.native.kernels.functions import sigmoid, tanh
from gradcore.native.kernels.recurrent.shared import (
    are_known,
    copy,
    given,
    sizes,
    start_gradient,
    turned,
    weight_gradients,
)
from gradcore.native.kernels.values import at, fill, get, part, put, real
from gradcore.native.memory import pointer
from gradcore.ops.every import OPERATIONS

_GRU = OPERATIONS["gru_sequence"]


@part
def _unit(
    gates: Any, total: Any, now: Any, turn: Any, before: Any, h: Any, batch: int, size: int, f: Any
) -> None:
    """Turn the sums of one time into gates and states."""
    one = real(1.0, f)
    for b in range(batch):
        given_to, summed, made = (
            at(gates, b * 3 * size), at(total, b * 3 * size), at(now, b * 3 * size),
        )  # fmt: skip
        kept, old, state = at(turn, b * size), at(before, b * size), at(h, b * size)
        for j in range(2 * size):
            made[j] = sigmoid(given_to[j] + summed[j])
        from_hidden, from_input, update = (
            at(summed, 2 * size),
            at(given_to, 2 * size),
            at(made, size),
        )
        new = at(made, 2 * size)
        for j in range(size):
            part, u = get(from_hidden, j, 0), get(update, j, 1)
            put(kept, j, part, 2)
            fresh = tanh(get(from_input, j, 3) + get(made, j, 4) * part)
            put(new, j, fresh, 5)
            # States of this time and of the one before lie in one array.
            put(state, j, (one - u) * fresh + u * get(old, j, 6), 6)


@kernel(blas=True)
def gru_forward(a: Any, f: Any) -> None:
    """Run along a sequence: gates, hidden, turned weight, bias or 0, room, and what it makes.

    That is: outputs, last state, gates after their squashing, what comes from the state to `new`.
    """
    gates, h, weight, bias = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f), pointer(a[3], f)
    total, outputs, active, turn = (
        pointer(a[4], f), pointer(a[5], f), pointer(a[7], f), pointer(a[8], f),
    )  # fmt: skip
    length, batch, size = a[9], a[10], a[11]
    n, wide = batch * size, 3 * size
    for s in range(length):
        t = length - 1 - s if a[12] else s
        if a[3]:
            for b in range(batch):
                copy(bias, at(total, b * wide), wide)
        else:
            fill(total, batch * wide, real(0.0, f))
        multiply(a[13], 0, batch, wide, size, h, size, weight, wide, 1, total, wide)
        state, place = at(outputs, t * n), t * n * 3
        _unit(at(gates, place), total, at(active, place), at(turn, t * n), h, state, batch, size, f)
        h = state
    copy(h, pointer(a[6], f), n)


@part
def _unit_slope(
    active: Any,
    turn: Any,
    before: Any,
    into_h: Any,
    into: Any,
    into_turned: Any,
    kept: Any,
    batch: int,
    size: int,
    f: Any,
) -> None:
    """Write what comes back to the sums of one time, and what the state before gets directly."""
    one = real(1.0, f)
    for b in range(batch):
        reset, update = at(active, b * 3 * size), at(active, (b * 3 + 1) * size)
        new, part = at(active, (b * 3 + 2) * size), at(turn, b * size)
        to_reset, to_update = at(into, b * 3 * size), at(into, (b * 3 + 1) * size)
        to_new, old = at(into, (b * 3 + 2) * size), at(before, b * size)
        g, rest, again = at(into_h, b * size), at(kept, b * size), at(into_turned, b * 3 * size)
        for j in range(size):
            r, u, n, above = get(reset, j, 0), get(update, j, 1), get(new, j, 2), get(g, j, 3)
            fresh = above * (one - u) * (one - n * n)
            by_reset = fresh * get(part, j, 4) * r * (one - r)
            by_update = above * (get(old, j, 5) - n) * u * (one - u)
            put(to_new, j, fresh, 6)
            put(to_reset, j, by_reset, 7)
            put(to_update, j, by_update, 8)
            put(again, j, by_reset, 9)
            put(again, size + j, by_update, 10)
            put(again, 2 * size + j, fresh * r, 11)
            put(rest, j, above * u, 12)


@kernel(blas=True)
def gru_backward(a: Any, f: Any) -> None:
    """Go back: gradients of outputs and state (or 0); hidden, weight, outputs, gates, parts; room.

    Room for one state follows, and the results: the gradients of the gates, of the products with
    the state, and of the first state.
    """
    first, weight, y = pointer(a[2], f), pointer(a[3], f), pointer(a[4], f)
    active, turn, kept = pointer(a[5], f), pointer(a[6], f), pointer(a[7], f)
    into, into_turned, into_h = pointer(a[8], f), pointer(a[9], f), pointer(a[10], f)
    length, batch, size = a[11], a[12], a[13]
    n, wide = batch * size, 3 * size
    start_gradient(a[1], into_h, n, f)
    for s in range(length):
        t = s if a[14] else length - 1 - s
        if a[0]:
            g = at(pointer(a[0], f), t * n)
            for i in range(n):
                into_h[i] += g[i]
        before = first if s == length - 1 else at(y, (t + 1 if a[14] else t - 1) * n)
        place = t * n * 3
        gates, again = at(active, place), at(into_turned, place)
        part = at(turn, t * n)
        _unit_slope(gates, part, before, into_h, at(into, place), again, kept, batch, size, f)
        copy(kept, into_h, n)
        multiply(a[15], 0, batch, size, wide, again, wide, weight, size, 1, into_h, size)


@lowers(_GRU.kernel)
def _forward(
    out: Builder,
    gates: Operand,
    hidden: Operand,
    weight: Operand,
    bias: Operand | None,
    reverse: bool,
) -> Any:
    if not are_known(gates, hidden, weight, bias):
        return None
    kind, size = gates.dtype, hidden.shape[-1]
    outputs, turn = (out.empty((*gates.shape[:2], size), kind) for _ in range(2))
    last, active = out.empty(hidden.shape, kind), out.empty(gates.shape, kind)
    operands = [out.contiguous(gates), out.contiguous(hidden), turned(out, weight)]
    operands += [given(out, bias), out.empty(gates.shape[1:], kind)]
    made = outputs, last, active, turn
    out.call(gru_forward, *operands, *made, *sizes(gates, hidden, reverse), dtype=kind)
    return made


@lowers(_GRU.joint)
def _backward(
    out: Builder,
    g: Any,
    needs: Any,
    gates: Operand,
    hidden: Operand,
    weight: Operand,
    bias: Operand | None,
    y: Operand,
    active: Operand,
    from_hidden: Operand,
    reverse: bool,
) -> Any:
    if any(g[2:]) or not are_known(gates, hidden, weight, bias, *g):
        return None
    kind = gates.dtype
    into, into_turned = (out.empty(gates.shape, kind) for _ in range(2))
    into_h, kept = (out.empty(hidden.shape, kind) for _ in range(2))
    words = sizes(gates, hidden, reverse)
    operands = [given(out, one) for one in g[:2]]
    operands += [out.contiguous(one) for one in (hidden, weight, y, active, from_hidden)]
    made = kept, into, into_turned, into_h
    out.call(gru_backward, *operands, *made, *words, dtype=kind)
    return [into, into_h, *weight_gradients(out, needs[2:], into_turned, hidden, y, words)]
