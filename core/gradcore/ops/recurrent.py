"""Recurrent layers over whole sequences, one operation for each kind.

Going step by step through small operations, a sequence would spend its time in the tape. So one
operation runs one layer in one direction, and its gradient goes back through time by itself. For
a second derivative (``create_graph``), the gradient is instead taken of the plain form below,
which is made of ordinary operations and says what the fused form computes.

``gates`` is the input already multiplied by its weights: (time, batch, gates * hidden).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcore.differentiate import grad
from gradcore.dtypes import Array
from gradcore.graph import TensorBase
from gradcore.modes import enable_grad
from gradcore.ops.linear import linear
from gradcore.ops.registry import FUNCTIONS, T, operation
from gradcore.ops.sums import product, sum_of_rows


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


def lstm_projected(
    gates: Any,
    hidden: Any,
    cell: Any,
    weight: Any,
    bias: Any,
    projection: Any,
    reverse: bool = False,
) -> Any:
    """Run an LSTM whose hidden state is a product of what its gates let out; step by step."""

    def step(now: Any, states: Any, turned: Any) -> Any:
        leaving, kept = _lstm_step(now, states, turned)
        return linear(leaving, projection), kept

    return _plain(step, gates, (hidden, cell), weight, bias, reverse)


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
    weight = product(flat.T, before.reshape(-1, before.shape[-1])) if needs[0] else None
    return weight, (sum_of_rows(flat) if needs[1] else None)


class _Columns:
    """A matrix that many small ones are multiplied with, cut into columns that lie together.

    OpenBLAS multiplies without copying the matrices first where these are small.
    """

    def __init__(self, matrix: Array) -> None:
        depth, width = matrix.shape
        self._width = next((n for n in (32, 48, 24, 40, 16) if width % n == 0), width)
        parts = matrix.reshape(depth, width // self._width, self._width)
        self._parts = np.ascontiguousarray(parts.swapaxes(0, 1))
        self._count = len(self._parts)

    def multiply(self, rows: Array, out: Array) -> None:
        """Set ``out`` to the product of rows and the matrix."""
        cut = out.reshape(len(out), self._count, self._width).swapaxes(0, 1)
        np.matmul(rows, self._parts, cut)


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


_STORED = [0, 1, 3, 2]
"""The order in which a step's gates are stored, (gate, batch, hidden): the new values last, so
that those that pass through a sigmoid stand together, each without gaps."""
_CHUNK = 1 << 17
"""So many values are worked on at once where one step of time need not wait for another."""


def _by_gate(values: Array) -> Array:
    """Return a view of (time, batch, 4 * hidden) as (time, 4, batch, hidden)."""
    time, batch, width = values.shape
    return values.reshape(time, batch, 4, width // 4).swapaxes(1, 2)


def _chunks(length: int, size: int, reverse: bool) -> Iterator[slice]:
    """Yield stretches of time, in the order in which they are gone through."""
    step = max(1, _CHUNK // max(1, size))
    starts = range(0, length, step)
    for start in reversed(starts) if reverse else starts:
        yield slice(start, min(start + step, length))


def _times(part: slice, reverse: bool) -> range:
    times = range(part.start, part.stop)
    return times[::-1] if reverse else times


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
    into_h, into_c = _zeros_or(g[1], hidden), _zeros_or(g[2], cell)
    into = np.empty(gates.shape, gates.dtype)
    length, count, size = y.shape
    target, before = _by_gate(into), _previous(cells, cell, reverse)
    room, back = np.empty((4, count, size), y.dtype), _Columns(weight)
    one, change = np.array(1, cell.dtype), np.empty_like(cell)
    for part in _chunks(length, room.size, not reverse):
        leaving, squashed = active[part, 2], np.tanh(cells[part])
        # What leaves goes through tanh; the slope of a sigmoid is s - s s, that of tanh 1 - t t.
        through = np.multiply(squashed, squashed)
        np.subtract(one, through, through)
        np.multiply(through, leaving, through)
        slopes = np.multiply(active[part], active[part])
        np.subtract(active[part, :3], slopes[:, :3], slopes[:, :3])
        np.subtract(one, slopes[:, 3], slopes[:, 3])
        for time in _times(part, not reverse):
            place = time - part.start
            enter, keep, _, new = active[time]
            slope = slopes[place]
            if g[0] is not None:
                np.add(into_h, g[0][time], into_h)
            np.multiply(through[place], into_h, change)
            np.add(into_c, change, into_c)
            np.multiply(into_c, new, room[0])
            np.multiply(into_c, before[time], room[1])
            np.multiply(into_h, squashed[place], room[2])
            np.multiply(into_c, enter, room[3])
            np.multiply(room[:2], slope[:2], target[time, :2])
            np.multiply(room[2], slope[2], target[time, 3])
            np.multiply(room[3], slope[3], target[time, 2])
            np.multiply(into_c, keep, into_c)
            back.multiply(into[time], into_h)
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
    length, batch, width = gates.shape
    size = width // 4
    outputs = np.empty((length, batch, size), gates.dtype)
    cells = np.empty_like(outputs)
    active = np.empty((length, 4, batch, size), gates.dtype)
    given = _by_gate(gates)
    turned = np.ascontiguousarray(weight.reshape(4, size, size).swapaxes(1, 2)[_STORED])
    if bias is not None:
        shift = np.repeat(bias.reshape(4, 1, size)[_STORED], batch, 1)
    half, room = np.array(0.5, gates.dtype), np.empty((4, batch, size), gates.dtype)
    squeezed = room[:3]
    h, c = hidden, cell
    for time in _order(length, reverse):
        now, fresh = active[time], cells[time]
        enter, keep, leave, new = now
        np.matmul(h, turned, room)
        np.add(room[:2], given[time, :2], room[:2])
        np.add(room[2], given[time, 3], room[2])
        np.add(room[3], given[time, 2], room[3])
        if bias is not None:
            np.add(room, shift, room)
        # sigmoid(x) is tanh(x / 2) / 2 + 1 / 2: one tanh serves all four gates.
        np.multiply(squeezed, half, squeezed)
        np.tanh(room, now)
        np.multiply(now[:3], half, now[:3])
        np.add(now[:3], half, now[:3])
        np.multiply(keep, c, fresh)
        np.multiply(enter, new, room[0])
        np.add(fresh, room[0], fresh)
        c, h = fresh, outputs[time]
        np.tanh(c, h)
        np.multiply(h, leave, h)
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
