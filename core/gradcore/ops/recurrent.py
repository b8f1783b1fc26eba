"""Recurrent layers over whole sequences, one operation for each kind.

Going step by step through small operations, a sequence would spend its time in the tape. So one
operation runs one layer in one direction, and its gradient goes back through time by itself. For
a second derivative (``create_graph``), the gradient is instead taken of the plain form below,
which is made of ordinary operations and says what the fused form computes.

``gates`` is the input already multiplied by its weights: (time, batch, gates * hidden).
"""

from typing import Any

import numpy as np

from gradcore.differentiate import grad
from gradcore.dtypes import Array
from gradcore.graph import TensorBase
from gradcore.modes import enable_grad
from gradcore.ops.linear import linear
from gradcore.ops.registry import FUNCTIONS, T, operation


def _order(length: int, reverse: bool) -> range:
    return range(length - 1, -1, -1) if reverse else range(length)


def _plain(
    step: Any, gates: Any, states: tuple[Any, ...], weight: Any, bias: Any, reverse: bool
) -> Any:
    """Run a sequence step by step in ordinary operations."""
    outputs: list[Any] = [None] * gates.shape[0]
    for time in _order(gates.shape[0], reverse):
        states = step(gates[time], states, linear(states[0], weight, bias))
        outputs[time] = states[0]
    return (FUNCTIONS["stack"](outputs, 0), *states)


def _rnn_step(gates: Any, states: Any, turned: Any, relu: bool) -> Any:
    total = gates + turned
    return ((FUNCTIONS["relu"](total) if relu else FUNCTIONS["tanh"](total)),)


def _lstm_step(gates: Any, states: Any, turned: Any) -> Any:
    enter, keep, new, leave = (gates + turned).chunk(4, -1)
    cell = keep.sigmoid() * states[1] + enter.sigmoid() * new.tanh()
    return leave.sigmoid() * cell.tanh(), cell


def _gru_step(gates: Any, states: Any, turned: Any) -> Any:
    from_input, from_hidden = gates.chunk(3, -1), turned.chunk(3, -1)
    reset = (from_input[0] + from_hidden[0]).sigmoid()
    update = (from_input[1] + from_hidden[1]).sigmoid()
    new = (from_input[2] + reset * from_hidden[2]).tanh()
    return ((1 - update) * new + update * states[0],)


def _through_plain(step: Any, inputs: tuple[Any, ...], g: Any, needs: Any, reverse: bool) -> Any:
    """Return the gradients as tensors that can be differentiated again."""
    gates, *states, weight, bias = inputs
    wanted = [x for x, need in zip(inputs, needs, strict=True) if need]
    with enable_grad():
        outputs = _plain(step, gates, tuple(states), weight, bias, reverse)
        pairs = [(y, gy) for y, gy in zip(outputs, g, strict=False) if gy is not None]
        found = iter(
            grad(
                [y for y, _ in pairs],
                wanted,
                [gy for _, gy in pairs],
                create_graph=True,
                allow_unused=True,
            )
        )
    return [next(found) if need else None for need in needs]


def _is_tensor(g: Any) -> bool:
    return any(isinstance(item, TensorBase) for item in g)


def _zeros_or(g: Any, like: Array) -> Array:
    return np.zeros_like(like) if g is None else g.copy()


def _previous(states: Array, first: Array, reverse: bool) -> Array:
    """Return, for each time, the state before it."""
    if reverse:
        return np.concatenate([states[1:], first[None]])
    return np.concatenate([first[None], states[:-1]])


def _weight_gradients(into_turned: Array, before: Array, needs: Any) -> Any:
    """Return the gradients of weight and bias from those of ``h @ weight.T + bias``."""
    flat = into_turned.reshape(-1, into_turned.shape[-1])
    weight = flat.T @ before.reshape(-1, before.shape[-1]) if needs[0] else None
    return weight, (flat.sum(0) if needs[1] else None)


# --- RNN


def _rnn_gradient(
    g: Any,
    needs: Any,
    gates: Any,
    hidden: Any,
    weight: Any,
    bias: Any,
    y: Any,
    relu: bool,
    reverse: bool,
) -> Any:
    if _is_tensor(g):
        inputs = (gates, hidden, weight, bias)

        def step(now: Any, states: Any, turned: Any) -> Any:
            return _rnn_step(now, states, turned, relu)

        return _through_plain(step, inputs, g[:2], needs, reverse)
    into_h = _zeros_or(g[1], hidden)
    into_total = np.empty_like(gates)
    slope = (y > 0).astype(y.dtype) if relu else 1 - y * y
    for time in reversed(_order(len(gates), reverse)):
        if g[0] is not None:
            into_h += g[0][time]
        np.multiply(into_h, slope[time], out=into_total[time])
        into_h = into_total[time] @ weight
    into_weight, into_bias = _weight_gradients(into_total, _previous(y, hidden, reverse), needs[2:])
    return [into_total, into_h, into_weight, into_bias]


_SEQUENCE = (T(3, 2, 4), T(2, 4), T(4, 4), T(4))


@operation(
    "rnn_sequence",
    inputs=4,
    outputs=("y", "last"),
    joint=_rnn_gradient,
    functions=False,
    samples=[(*_SEQUENCE, False, False), (T(3, 2, 4), T(2, 4), T(4, 4), None, False, True)],
    parity=None,
    grad_name="Rnn",
)
def rnn_sequence(
    gates: Array, hidden: Array, weight: Array, bias: Array | None, relu: bool, reverse: bool
) -> Any:
    """Run ``h = tanh(gates + h @ weight.T + bias)`` (or relu) along a sequence."""
    outputs = np.empty_like(gates)
    turned = np.ascontiguousarray(weight.T)
    h = hidden
    for time in _order(len(gates), reverse):
        total = np.matmul(h, turned, out=outputs[time])
        if bias is not None:
            total += bias
        total += gates[time]
        h = np.maximum(total, 0, out=total) if relu else np.tanh(total, out=total)
    return outputs, h.copy()


# --- LSTM


def _per_gate(values: tuple[float, ...], hidden: Array) -> Array:
    """Return an array over batch and gates with one value for each gate."""
    row = np.repeat(np.array(values, hidden.dtype), hidden.shape[-1])
    return np.ascontiguousarray(np.broadcast_to(row, (*hidden.shape[:-1], row.size)))


def _lstm_gradient(
    g: Any,
    needs: Any,
    gates: Any,
    hidden: Any,
    cell: Any,
    weight: Any,
    bias: Any,
    y: Any,
    active: Any,
    cells: Any,
    reverse: bool,
) -> Any:
    if _is_tensor(g):
        inputs = (gates, hidden, cell, weight, bias)
        return _through_plain(_lstm_step, inputs, g[:3], needs, reverse)
    size = hidden.shape[-1]
    into_h, into_c = _zeros_or(g[1], hidden), _zeros_or(g[2], cell)
    before = _previous(cells, cell, reverse)
    into = np.empty_like(gates)
    is_squashed = _per_gate((1, 1, 0, 1), hidden)
    is_new = _per_gate((0, 0, 1, 0), hidden)
    square, slope = np.empty_like(is_new), np.empty_like(is_new)
    squashed, change = np.empty_like(cell), np.empty_like(cell)
    for time in reversed(_order(len(gates), reverse)):
        if g[0] is not None:
            into_h += g[0][time]
        now, step = into[time], active[time]
        np.tanh(cells[time], out=squashed)
        np.multiply(squashed, squashed, out=change)
        np.subtract(1, change, out=change)
        change *= step[:, 3 * size :]
        change *= into_h
        into_c += change
        np.multiply(into_h, squashed, out=now[:, 3 * size :])
        np.multiply(into_c, step[:, 2 * size : 3 * size], out=now[:, :size])
        np.multiply(into_c, before[time], out=now[:, size : 2 * size])
        np.multiply(into_c, step[:, :size], out=now[:, 2 * size : 3 * size])
        # The slope of a sigmoid is s (1 - s), that of tanh 1 - t t: one form for all four gates.
        np.multiply(step, step, out=square)
        np.multiply(step, is_squashed, out=slope)
        slope += is_new
        slope -= square
        now *= slope
        into_c *= step[:, size : 2 * size]
        np.matmul(now, weight, out=into_h)
    into_weight, into_bias = _weight_gradients(into, _previous(y, hidden, reverse), needs[3:])
    return [into, into_h, into_c, into_weight, into_bias]


_LSTM = (T(3, 2, 8), T(2, 2), T(2, 2), T(8, 2), T(8))


@operation(
    "lstm_sequence",
    inputs=5,
    outputs=("y", "last", "last_cell", "active", "cells"),
    visible=3,
    joint=_lstm_gradient,
    functions=False,
    samples=[(*_LSTM, False), (T(3, 2, 8), T(2, 2), T(2, 2), T(8, 2), None, True)],
    parity=None,
    grad_name="Lstm",
)
def lstm_sequence(
    gates: Array, hidden: Array, cell: Array, weight: Array, bias: Array | None, reverse: bool
) -> Any:
    """Run an LSTM along a sequence; the gates stand as in PyTorch: enter, keep, new, leave."""
    size = hidden.shape[-1]
    outputs = np.empty((*gates.shape[:2], size), gates.dtype)
    cells = np.empty_like(outputs)
    # sigmoid(x) is tanh(x / 2) / 2 + 1 / 2: one tanh serves all four gates.
    half, shift = _per_gate((0.5, 0.5, 1, 0.5), hidden), _per_gate((0.5, 0.5, 0, 0.5), hidden)
    scale = np.repeat(np.array((0.5, 0.5, 1, 0.5), gates.dtype), size)
    active = gates * scale if bias is None else gates + bias
    if bias is not None:
        active *= scale
    turned = np.multiply(weight.T, scale, order="C")
    room, part = np.empty_like(half), np.empty_like(cell)
    h, c = hidden, cell
    for time in _order(len(gates), reverse):
        now = active[time]
        now += np.matmul(h, turned, out=room)
        np.tanh(now, out=now)
        now *= half
        now += shift
        fresh = np.multiply(now[:, size : 2 * size], c, out=cells[time])
        fresh += np.multiply(now[:, :size], now[:, 2 * size : 3 * size], out=part)
        c = fresh
        h = np.tanh(c, out=outputs[time])
        h *= now[:, 3 * size :]
    return outputs, h.copy(), c.copy(), active, cells


# --- GRU


def _sigmoid_slope(y: Array, out: Array) -> Array:
    """Return the slope of a sigmoid whose value is ``y``."""
    np.multiply(y, y, out=out)
    return np.subtract(y, out, out=out)


def _gru_gradient(
    g: Any,
    needs: Any,
    gates: Any,
    hidden: Any,
    weight: Any,
    bias: Any,
    y: Any,
    active: Any,
    from_hidden: Any,
    reverse: bool,
) -> Any:
    if _is_tensor(g):
        inputs = (gates, hidden, weight, bias)
        return _through_plain(_gru_step, inputs, g[:2], needs, reverse)
    size = hidden.shape[-1]
    into_h = _zeros_or(g[1], hidden)
    before = _previous(y, hidden, reverse)
    into, into_turned = np.empty_like(gates), np.empty_like(gates)
    part, slope, back = np.empty_like(hidden), np.empty_like(hidden), np.empty_like(hidden)
    for time in reversed(_order(len(gates), reverse)):
        if g[0] is not None:
            into_h += g[0][time]
        now, turned = into[time], into_turned[time]
        reset = active[time][:, :size]
        update = active[time][:, size : 2 * size]
        new = active[time][:, 2 * size :]
        np.subtract(before[time], new, out=part)
        part *= into_h
        np.multiply(part, _sigmoid_slope(update, slope), out=now[:, size : 2 * size])
        np.subtract(1, update, out=part)
        part *= into_h
        np.multiply(new, new, out=slope)
        np.subtract(1, slope, out=slope)
        part *= slope
        now[:, 2 * size :] = part
        np.multiply(part, reset, out=turned[:, 2 * size :])
        part *= from_hidden[time]
        np.multiply(part, _sigmoid_slope(reset, slope), out=now[:, :size])
        turned[:, : 2 * size] = now[:, : 2 * size]
        into_h *= update
        into_h += np.matmul(turned, weight, out=back)
    into_weight, into_bias = _weight_gradients(into_turned, before, needs[2:])
    return [into, into_h, into_weight, into_bias]


@operation(
    "gru_sequence",
    inputs=4,
    outputs=("y", "last", "active", "from_hidden"),
    visible=2,
    joint=_gru_gradient,
    functions=False,
    samples=[
        (T(3, 2, 6), T(2, 2), T(6, 2), T(6), False),
        (T(3, 2, 6), T(2, 2), T(6, 2), None, True),
    ],
    parity=None,
    grad_name="Gru",
)
def gru_sequence(
    gates: Array, hidden: Array, weight: Array, bias: Array | None, reverse: bool
) -> Any:
    """Run a GRU along a sequence; the gates stand as in PyTorch: reset, update, new."""
    size = hidden.shape[-1]
    outputs = np.empty((*gates.shape[:2], size), gates.dtype)
    from_hidden = np.empty_like(outputs)
    # sigmoid(x) is tanh(x / 2) / 2 + 1 / 2.
    scale = np.repeat(np.array((0.5, 0.5, 1), gates.dtype), size)
    active = gates * scale
    if bias is not None:
        active[..., : 2 * size] += bias[: 2 * size] * scale[: 2 * size]
    turned = np.multiply(weight.T, scale, order="C")
    room, part = np.empty_like(active[0]), np.empty_like(hidden)
    h = hidden
    for time in _order(len(gates), reverse):
        total = np.matmul(h, turned, out=room)
        now, own = active[time], from_hidden[time]
        both, new = now[:, : 2 * size], now[:, 2 * size :]
        both += total[:, : 2 * size]
        np.tanh(both, out=both)
        both *= 0.5
        both += 0.5
        if bias is None:
            np.copyto(own, total[:, 2 * size :])
        else:
            np.add(total[:, 2 * size :], bias[2 * size :], out=own)
        new += np.multiply(now[:, :size], own, out=part)
        np.tanh(new, out=new)
        # (1 - update) * new + update * h
        last, h = h, outputs[time]
        np.subtract(last, new, out=h)
        h *= now[:, size : 2 * size]
        h += new
    return outputs, h.copy(), active, from_hidden
