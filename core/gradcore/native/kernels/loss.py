"""Cross entropy, the negative log-likelihood and the mean square, with their gradients.

Classification losses read class numbers that only exist when a step runs. One that is out of range
sets a flag, on which the step is left to run as it is and to raise its error.
"""

from typing import Any

import numpy as np

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.functions import exp, log, magnitude
from gradcore.native.kernels.values import at, maximum, real
from gradcore.native.memory import integers_at, pointer
from gradcore.ops.every import OPERATIONS

_ENTROPY, _NLL = OPERATIONS["cross_entropy"], OPERATIONS["nll_loss"]
_SPREAD, _SQUARE = OPERATIONS["nll_spread"], OPERATIONS["mse_loss"]
_LOGISTIC = OPERATIONS["logistic_loss"]
_NONE, _MEAN, _SUM = 0, 1, 2
_MODES = {"none": _NONE, "mean": _MEAN, "sum": _SUM}


@kernel()
def entropy_rows(a: Any, f: Any) -> None:
    """Write the softmax of each row, and the loss of its class: each, or their sum or mean."""
    target, y, flag = integers_at(a[1]), pointer(a[3], f), integers_at(a[4])
    rows, width, ignored, mode = a[5], a[6], a[7], a[8]
    flag[0] = 0
    count, total = 0, 0.0
    for r in range(rows):
        x, softmax = at(pointer(a[0], f), r * width), at(pointer(a[2], f), r * width)
        top = x[0]
        for j in range(width):
            top = maximum(top, x[j])
        whole = real(0.0, f)
        for j in range(width):
            e = exp(x[j] - top)
            softmax[j] = e
            whole += e
        share = real(1.0, f) / whole
        for j in range(width):
            softmax[j] *= share
        t = target[r]
        loss = real(0.0, f)
        if t != ignored:
            if t < 0 or t >= width:
                flag[0] = 1
            else:
                loss = log(whole) - (x[t] - top)
                count += 1
        total += loss
        if mode == _NONE:
            y[r] = loss
    if mode != _NONE:
        y[0] = total / count if mode == _MEAN else total


@kernel()
def entropy_slope(a: Any, f: Any) -> None:
    """Write the softmax less one at the class, times what each row counts."""
    g, target = pointer(a[0], f), integers_at(a[1])
    rows, width, ignored, mode = a[4], a[5], a[6], a[7]
    count = 0
    for r in range(rows):
        count += target[r] != ignored
    scale = g[0]
    if mode == _MEAN:
        scale = g[0] / real(count, f)
    for r in range(rows):
        softmax, out = at(pointer(a[2], f), r * width), at(pointer(a[3], f), r * width)
        t = target[r]
        factor = real(0.0, f)
        if t != ignored:
            factor = g[r] if mode == _NONE else scale
        for j in range(width):
            out[j] = softmax[j] * factor
        if t != ignored:
            out[t] -= factor


@kernel()
def likelihood_rows(a: Any, f: Any) -> None:
    """Write minus the score of each row's class: each, or their sum or mean."""
    x, target, y, flag = pointer(a[0], f), integers_at(a[1]), pointer(a[2], f), integers_at(a[3])
    rows, width, ignored, mode = a[4], a[5], a[6], a[7]
    flag[0] = 0
    count, total = 0, 0.0
    for r in range(rows):
        t = target[r]
        loss = real(0.0, f)
        if t != ignored:
            if t < 0 or t >= width:
                flag[0] = 1
            else:
                loss = -x[r * width + t]
                count += 1
        total += loss
        if mode == _NONE:
            y[r] = loss
    if mode != _NONE:
        y[0] = total / count if mode == _MEAN else total


@kernel()
def likelihood_slope(a: Any, f: Any) -> None:
    """Write minus what each row counts at its class, and zero elsewhere."""
    g, target, out = pointer(a[0], f), integers_at(a[1]), pointer(a[2], f)
    rows, width, ignored, mode = a[3], a[4], a[5], a[6]
    count = 0
    for r in range(rows):
        count += target[r] != ignored
    scale = g[0]
    if mode == _MEAN:
        scale = g[0] / real(count, f)
    zero = real(0.0, f)
    for i in range(rows * width):
        out[i] = zero
    for r in range(rows):
        t = target[r]
        if t != ignored:
            out[r * width + t] = -(g[r] if mode == _NONE else scale)


@kernel()
def squares(a: Any, f: Any) -> None:
    """Write the squared difference of two arrays: each, or their sum or mean."""
    x, t, y, n, mode = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f), a[3], a[4]
    if mode == _NONE:
        for i in range(n):
            y[i] = (x[i] - t[i]) * (x[i] - t[i])
        return
    total = 0.0
    # Parts summed in the dtype itself, which is fast; the parts in float64, which is exact enough.
    for start in range(0, n, 1024):
        part = real(0.0, f)
        for i in range(start, min(start + 1024, n)):
            part += (x[i] - t[i]) * (x[i] - t[i])
        total += part
    y[0] = total / n if mode == _MEAN else total


@kernel()
def squares_slope(a: Any, f: Any) -> None:
    """Write twice the difference times what comes back; ``f[0]`` holds its sign."""
    g, x, t = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f)
    out, n, mode = pointer(a[3], f), a[4], a[5]
    two = real(2.0, f) * f[0]
    if mode == _NONE:
        for i in range(n):
            out[i] = (two * g[i]) * (x[i] - t[i])
        return
    scale = two * g[0]
    if mode == _MEAN:
        scale = scale / real(n, f)
    for i in range(n):
        out[i] = scale * (x[i] - t[i])


@kernel()
def logistic(a: Any, f: Any) -> None:
    """Write the cross entropy of the sigmoid of ``x`` against ``t``."""
    x, t, y = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f)
    one = real(1.0, f)
    for i in range(a[3]):
        tail = log(one + exp(-magnitude(x[i]))) + maximum(-x[i], real(0.0, f))
        y[i] = (one - t[i]) * x[i] + tail


@kernel()
def logistic_slope(a: Any, f: Any) -> None:
    """Write the sigmoid less the target, times what comes back."""
    g, x, t, out = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f), pointer(a[3], f)
    one = real(1.0, f)
    for i in range(a[4]):
        out[i] = g[i] * ((one - t[i]) - one / (one + exp(x[i])))


def _are_plain(input: Operand, target: Operand, weight: Any) -> bool:
    """Tell whether these are rows of scores, each with one class number, that count alike."""
    return (
        weight is None
        and len(input.shape) == 2
        and input.size > 0
        and input.dtype.kind == "f"
        and target.dtype == np.int64
        and target.shape == input.shape[:1]
    )


def _made(out: Builder, input: Operand, reduction: str) -> Operand:
    return out.empty(input.shape[:1] if reduction == "none" else (), input.dtype)


@lowers(_ENTROPY.kernel)
def _entropy(
    out: Builder, input: Operand, target: Operand, weight: Any, ignore_index: int, reduction: str
) -> Any:
    if not _are_plain(input, target, weight):
        return None
    y, softmax = _made(out, input, reduction), out.empty(input.shape, input.dtype)
    flag = out.empty((1,), np.int64)
    out.call(
        entropy_rows, out.contiguous(input), out.contiguous(target), softmax, y, flag,
        *input.shape, ignore_index, _MODES[reduction], dtype=input.dtype,
    )  # fmt: skip
    out.expect(flag)
    return y, softmax


@lowers(_ENTROPY.joint)
def _entropy_slope(
    out: Builder,
    g: Any,
    needs: Any,
    input: Operand,
    target: Operand,
    weight: Any,
    softmax: Operand,
    ignore_index: int,
    reduction: str,
) -> Any:
    if g[0] is None or any(g[1:]) or not _are_plain(input, target, weight):
        return None
    into = out.empty(input.shape, input.dtype)
    out.call(
        entropy_slope, out.contiguous(g[0]), out.contiguous(target), out.contiguous(softmax), into,
        *input.shape, ignore_index, _MODES[reduction], dtype=input.dtype,
    )  # fmt: skip
    return into, None, None


@lowers(_NLL.kernel)
def _likelihood(
    out: Builder, input: Operand, target: Operand, weight: Any, ignore_index: int, reduction: str
) -> Any:
    if not _are_plain(input, target, weight):
        return None
    y, flag = _made(out, input, reduction), out.empty((1,), np.int64)
    out.call(
        likelihood_rows, out.contiguous(input), out.contiguous(target), y, flag,
        *input.shape, ignore_index, _MODES[reduction], dtype=input.dtype,
    )  # fmt: skip
    out.expect(flag)
    return y


@lowers(_NLL.gradients["input"])
def _likelihood_slope(
    out: Builder,
    g: Operand,
    target: Operand,
    weight: Any,
    input_shape: Any,
    ignore_index: int,
    reduction: str,
) -> Any:
    into = out.empty(tuple(input_shape), g.dtype)
    if not _are_plain(into, target, weight):
        return None
    out.call(
        likelihood_slope, out.contiguous(g), out.contiguous(target), into,
        *into.shape, ignore_index, _MODES[reduction], dtype=g.dtype,
    )  # fmt: skip
    return into


def _are_alike(x: Operand, t: Operand) -> bool:
    return x.shape == t.shape and x.dtype == t.dtype and x.dtype.kind == "f" and x.size > 0


@lowers(_SQUARE.kernel)
def _squares(out: Builder, input: Operand, target: Operand, reduction: str) -> Any:
    if not _are_alike(input, target):
        return None
    y = out.empty(input.shape if reduction == "none" else (), input.dtype)
    mode = _MODES[reduction]
    x, t = out.contiguous(input), out.contiguous(target)
    out.call(squares, x, t, y, input.size, mode, dtype=input.dtype)
    return y


def _squares_slope(sign: float) -> Any:
    def lowering(out: Builder, g: Operand, input: Operand, target: Operand, reduction: str) -> Any:
        if not _are_alike(input, target) or g.dtype != input.dtype:
            return None
        into = out.empty(input.shape, input.dtype)
        arrays = [out.contiguous(one) for one in (g, input, target)]
        words = (into, input.size, _MODES[reduction])
        out.call(squares_slope, *arrays, *words, reals=(sign,), dtype=input.dtype)
        return into

    return lowering


lowers(_SQUARE.gradients["input"])(_squares_slope(1.0))
lowers(_SQUARE.gradients["target"])(_squares_slope(-1.0))


@lowers(_LOGISTIC.kernel)
def _logistic(out: Builder, input: Operand, target: Operand, pos_weight: Any = None) -> Any:
    if pos_weight is not None or not _are_alike(input, target):
        return None
    y = out.empty(input.shape, input.dtype)
    x, t = out.contiguous(input), out.contiguous(target)
    out.call(logistic, x, t, y, input.size, dtype=input.dtype)
    return y


@lowers(_LOGISTIC.gradients["input"])
def _logistic_slope(
    out: Builder, g: Operand, input: Operand, target: Operand, pos_weight: Any
) -> Any:
    if pos_weight is not None or not _are_alike(input, target) or not _are_alike(g, input):
        return None
    into = out.empty(input.shape, input.dtype)
    arrays = [out.contiguous(one) for one in (g, input, target)]
    out.call(logistic_slope, *arrays, into, input.size, dtype=input.dtype)
    return into
