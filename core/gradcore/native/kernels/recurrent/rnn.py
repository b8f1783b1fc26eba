"""The plain recurrent layer: ``h = tanh(gates + h @ weight.T + bias)``, or relu."""

from typing import Any

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.blas import multiply
from gradcore.native.kernels.functions import tanh
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
from gradcore.native.kernels.values import at, maximum, real
from gradcore.native.memory import pointer
from gradcore.ops.every import OPERATIONS

_RNN = OPERATIONS["rnn_sequence"]


@kernel(blas=True)
def rnn_forward(a: Any, f: Any) -> None:
    """Run along a sequence: gates, hidden, turned weight, bias or 0, outputs, last."""
    gates, h, weight, bias = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f), pointer(a[3], f)
    outputs, length, batch, size = pointer(a[4], f), a[6], a[7], a[8]
    n = batch * size
    for s in range(length):
        t = length - 1 - s if a[9] else s
        now = at(outputs, t * n)
        add_row(at(gates, t * n), bias, now, batch, size, a[3] != 0)
        multiply(a[10], 0, batch, size, size, h, size, weight, size, 1, now, size)
        if a[11]:
            for i in range(n):
                now[i] = maximum(now[i], real(0.0, f))
        else:
            for i in range(n):
                now[i] = tanh(now[i])
        h = now
    copy(h, pointer(a[5], f), n)


@kernel(blas=True)
def rnn_backward(a: Any, f: Any) -> None:
    """Go back: outputs' gradient or 0, last's or 0, weight, outputs, gates' and hidden's."""
    weight, y, into, into_h = pointer(a[2], f), pointer(a[3], f), pointer(a[4], f), pointer(a[5], f)
    length, batch, size = a[6], a[7], a[8]
    n, one, zero = batch * size, real(1.0, f), real(0.0, f)
    start_gradient(a[1], into_h, n, f)
    for s in range(length):
        t = s if a[9] else length - 1 - s
        now, state = at(into, t * n), at(y, t * n)
        if a[0]:
            g = at(pointer(a[0], f), t * n)
            for i in range(n):
                into_h[i] += g[i]
        if a[11]:
            for i in range(n):
                now[i] = into_h[i] * (one if state[i] > zero else zero)
        else:
            for i in range(n):
                now[i] = into_h[i] * (one - state[i] * state[i])
        multiply(a[10], 0, batch, size, size, now, size, weight, size, 0, into_h, size)


@lowers(_RNN.kernel)
def _forward(
    out: Builder,
    gates: Operand,
    hidden: Operand,
    weight: Operand,
    bias: Operand | None,
    relu: bool,
    reverse: bool,
) -> Any:
    if not are_known(gates, hidden, weight, bias):
        return None
    outputs, last = out.empty(gates.shape, gates.dtype), out.empty(hidden.shape, gates.dtype)
    operands = out.contiguous(gates), out.contiguous(hidden), turned(out, weight)
    words = (*sizes(gates, hidden, reverse), int(relu))
    out.call(rnn_forward, *operands, given(out, bias), outputs, last, *words, dtype=gates.dtype)
    return outputs, last


@lowers(_RNN.joint)
def _backward(
    out: Builder,
    g: Any,
    needs: Any,
    gates: Operand,
    hidden: Operand,
    weight: Operand,
    bias: Operand | None,
    y: Operand,
    relu: bool,
    reverse: bool,
) -> Any:
    if not are_known(gates, hidden, weight, bias, *g):
        return None
    into, into_h = out.empty(gates.shape, gates.dtype), out.empty(hidden.shape, gates.dtype)
    words = sizes(gates, hidden, reverse)
    operands = given(out, g[0]), given(out, g[1]), out.contiguous(weight), out.contiguous(y)
    out.call(rnn_backward, *operands, into, into_h, *words, int(relu), dtype=gates.dtype)
    return [into, into_h, *weight_gradients(out, needs[2:], into, hidden, y, words)]
