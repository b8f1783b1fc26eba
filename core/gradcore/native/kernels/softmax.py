"""Softmax and its logarithm along the last axis, and their gradients, row by row."""

import math
from typing import Any

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.functions import exp, log
from gradcore.native.kernels.values import at, maximum, real
from gradcore.native.memory import pointer
from gradcore.ops.every import OPERATIONS

_SOFTMAX, _LOG_SOFTMAX = OPERATIONS["softmax"], OPERATIONS["log_softmax"]


@kernel()
def softmax_rows(a: Any, f: Any) -> None:
    """Write each row's exponentials as shares of their sum."""
    rows, width = a[2], a[3]
    for r in range(rows):
        x, y = at(pointer(a[0], f), r * width), at(pointer(a[1], f), r * width)
        top = x[0]
        for j in range(width):
            top = maximum(top, x[j])
        total = real(0.0, f)
        for j in range(width):
            e = exp(x[j] - top)
            y[j] = e
            total += e
        share = real(1.0, f) / total
        for j in range(width):
            y[j] *= share


@kernel()
def softmax_slope(a: Any, f: Any) -> None:
    """Write ``(g - sum(g * y)) * y`` for each row."""
    rows, width = a[3], a[4]
    for r in range(rows):
        g, y = at(pointer(a[0], f), r * width), at(pointer(a[1], f), r * width)
        out = at(pointer(a[2], f), r * width)
        total = real(0.0, f)
        for j in range(width):
            total += g[j] * y[j]
        for j in range(width):
            out[j] = (g[j] - total) * y[j]


@kernel()
def log_softmax_rows(a: Any, f: Any) -> None:
    """Write each row less the logarithm of the sum of its exponentials."""
    rows, width = a[2], a[3]
    for r in range(rows):
        x, y = at(pointer(a[0], f), r * width), at(pointer(a[1], f), r * width)
        top = x[0]
        for j in range(width):
            top = maximum(top, x[j])
        total = real(0.0, f)
        for j in range(width):
            total += exp(x[j] - top)
        rest = log(total)
        for j in range(width):
            y[j] = (x[j] - top) - rest


@kernel()
def log_softmax_slope(a: Any, f: Any) -> None:
    """Write ``g - exp(y) * sum(g)`` for each row."""
    rows, width = a[3], a[4]
    for r in range(rows):
        g, y = at(pointer(a[0], f), r * width), at(pointer(a[1], f), r * width)
        out = at(pointer(a[2], f), r * width)
        total = real(0.0, f)
        for j in range(width):
            total += g[j]
        for j in range(width):
            out[j] = g[j] - exp(y[j]) * total


def is_last(x: Operand, dim: int) -> bool:
    """Tell whether ``dim`` is the last axis, and there are values along it."""
    return len(x.shape) > 0 and x.size > 0 and dim in (-1, len(x.shape) - 1)


def _rows(x: Operand) -> tuple[int, int]:
    return math.prod(x.shape[:-1]), x.shape[-1]


def _forward(run: Any) -> Any:
    def lowering(out: Builder, input: Operand, dim: int) -> Operand | None:
        if input.dtype.kind != "f" or not is_last(input, dim):
            return None
        y = out.empty(input.shape, input.dtype)
        out.call(run, out.contiguous(input), y, *_rows(input), dtype=input.dtype)
        return y

    return lowering


def _backward(run: Any) -> Any:
    def lowering(out: Builder, g: Operand, y: Operand, dim: int) -> Operand | None:
        if g.dtype != y.dtype or g.shape != y.shape or not is_last(y, dim):
            return None
        into = out.empty(y.shape, y.dtype)
        out.call(run, out.contiguous(g), out.contiguous(y), into, *_rows(y), dtype=y.dtype)
        return into

    return lowering


lowers(_SOFTMAX.kernel)(_forward(softmax_rows))
lowers(_SOFTMAX.gradients["input"])(_backward(softmax_slope))
lowers(_LOG_SOFTMAX.kernel)(_forward(log_softmax_rows))
lowers(_LOG_SOFTMAX.gradients["input"])(_backward(log_softmax_slope))
