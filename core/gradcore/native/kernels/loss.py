"""Cross entropy, the negative log-likelihood and the mean square, with their gradients.

Classification losses read class numbers that only exist when a step runs. One that is out of range
sets a flag, on which the step is left to run as it is and to raise its error.
"""

from typing import Any

import numpy as np

from gradcore.native.entry import Builder, Operand, kernel, lowers
from gradcore.native.kernels.functions import exp, log, magnitude
from gradcore.native.kernels.values import at, fill, maximum, part, real
from gradcore.native.memory import integers_at, pointer
from gradcore.ops.every import OPERATIONS

_ENTROPY, _NLL = OPERATIONS["cross_entropy"], OPERATIONS["nll_loss"]
_SPREAD, _SQUARE = OPERATIONS["nll_spread"], OPERATIONS["mse_loss"]
_LOGISTIC = OPERATIONS["logistic_loss"]
_NONE, _MEAN, _SUM = 0, 1, 2
_MODES = {"none": _NONE, "mean": _MEAN, "sum": _SUM}


@part
def _shares(target: Any, weight: Any, rows: int, width: int, ignored: int, f: Any) -> Any:
    """Return how much all rows count together; each counts what the weight of its class says."""
    total = 0.0
    for r in range(rows):
        t = target[r]
        if t != ignored and 0 <= t < width:
            total += pointer(weight, f)[t] if weight else real(1.0, f)
    return total


@part
def _loss_of(loss: Any, share: Any, f: Any) -> Any:
    """Weigh a loss; one that counts nothing may be infinite and is still nothing."""
    return real(0.0, f) if share == real(0.0, f) else loss * share


@kernel(writes=(2, 3, 4))
def entropy_rows(a: Any, f: Any) -> None:
    """Write the softmax of each row, and the loss of its class: each, or their sum or mean.

    Words: scores, classes, softmax, losses, flag, rows, width, the class that does not count, what
    is wanted, and the weights of the classes (0: all count alike).
    """
    target, y, flag = integers_at(a[1]), pointer(a[3], f), integers_at(a[4])
    rows, width, ignored, mode, weight = a[5], a[6], a[7], a[8], a[9]
    flag[0] = 0
    total = 0.0
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
                if weight:
                    loss = _loss_of(loss, pointer(weight, f)[t], f)
        total += loss
        if mode == _NONE:
            y[r] = loss
    if mode == _MEAN:
        total /= _shares(target, weight, rows, width, ignored, f)
    if mode != _NONE:
        y[0] = total


@kernel(writes=(3,))
def entropy_slope(a: Any, f: Any) -> None:
    """Write the softmax less one at the class, times what each row counts."""
    g, target = pointer(a[0], f), integers_at(a[1])
    rows, width, ignored, mode, weight = a[4], a[5], a[6], a[7], a[8]
    scale, rest = g[0], real(0.0, f)
    if mode == _MEAN:
        shares = real(_shares(target, weight, rows, width, ignored, f), f)
        # The mean over nothing is NaN, and so is each row's part in it.
        scale, rest = g[0] / shares, real(0.0, f) / shares
    for r in range(rows):
        softmax, out = at(pointer(a[2], f), r * width), at(pointer(a[3], f), r * width)
        t = target[r]
        factor = rest * (g[r] if mode == _NONE else g[0])
        if t != ignored:
            factor = g[r] if mode == _NONE else scale
            if weight:
                factor *= pointer(weight, f)[t]
        for j in range(width):
            out[j] = softmax[j] * factor
        if t != ignored:
            out[t] -= factor


@kernel(writes=(2, 3))
def likelihood_rows(a: Any, f: Any) -> None:
    """Write minus the score of each row's class: each, or their sum or mean."""
    x, target, y, flag = pointer(a[0], f), integers_at(a[1]), pointer(a[2], f), integers_at(a[3])
    rows, width, ignored, mode, weight = a[4], a[5], a[6], a[7], a[8]
    flag[0] = 0
    total = 0.0
    for r in range(rows):
        t = target[r]
        loss = real(0.0, f)
        if t != ignored:
            if t < 0 or t >= width:
                flag[0] = 1
            else:
                loss = -x[r * width + t]
                if weight:
                    loss = _loss_of(loss, pointer(weight, f)[t], f)
        total += loss
        if mode == _NONE:
            y[r] = loss
    if mode == _MEAN:
        total /= _shares(target, weight, rows, width, ignored, f)
    if mode != _NONE:
        y[0] = total


@kernel(writes=(2, 3))
def likelihood_slope(a: Any, f: Any) -> None:
    """Write minus what each row counts at its class, and zero elsewhere."""
    g, target, out, flag = pointer(a[0], f), integers_at(a[1]), pointer(a[2], f), integers_at(a[3])
    rows, width, ignored, mode, weight = a[4], a[5], a[6], a[7], a[8]
    flag[0] = 0
    scale, rest = g[0], real(0.0, f)
    if mode == _MEAN:
        shares = real(_shares(target, weight, rows, width, ignored, f), f)
        # The mean over nothing is NaN, and so is each row's part in it.
        scale, rest = g[0] / shares, real(0.0, f) / shares
    fill(out, rows * width, real(0.0, f))
    for r in range(rows):
        t = target[r]
        if t == ignored:
            out[r * width] = -rest * (g[r] if mode == _NONE else g[0])
            continue
        if t < 0 or t >= width:
            flag[0] = 1
            continue
        share = g[r] if mode == _NONE else scale
        out[r * width + t] = -(share * pointer(weight, f)[t] if weight else share)


@kernel(writes=(2,))
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


@kernel(writes=(3,))
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


@kernel(writes=(2,))
def logistic(a: Any, f: Any) -> None:
    """Write the cross entropy of the sigmoid of ``x`` against ``t``."""
    x, t, y = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f)
    one = real(1.0, f)
    for i in range(a[3]):
        tail = log(one + exp(-magnitude(x[i]))) + maximum(-x[i], real(0.0, f))
        y[i] = (one - t[i]) * x[i] + tail


@kernel(writes=(3,))
def logistic_slope(a: Any, f: Any) -> None:
    """Write the sigmoid less the target, times what comes back."""
    g, x, t, out = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f), pointer(a[3], f)
    one = real(1.0, f)
    for i in range(a[4]):
        out[i] = g[i] * ((one - t[i]) - one / (one + exp(x[i])))


def _are_classes(input: Operand, target: Operand, weight: Any) -> bool:
    """Tell whether these are scores of classes, with one class number for each set of them."""
    if input.dtype.kind != "f" or not input.size or target.dtype != np.int64:
        return False
    if target.shape != (*input.shape[:1], *input.shape[2:]) and (
        len(input.shape) != 1 or target.shape != ()
    ):
        return False
    if weight is None:
        return True
    classes = input.shape[1 if len(input.shape) > 1 else 0]
    plain = isinstance(weight, Operand) and weight.is_contiguous
    return plain and weight.dtype == input.dtype and weight.shape == (classes,)


def _in_rows(out: Builder, x: Operand) -> Operand:
    """Return scores row by row, the classes last."""
    return out.contiguous(_turned(x, (0, *range(2, len(x.shape)), 1)))


def _as_given(rows: Operand) -> Operand:
    """Return what lies in rows in the order of the scores, the classes second."""
    last = len(rows.shape) - 1
    return _turned(rows, (0, last, *range(1, last)))


def _turned(x: Operand, order: tuple[int, ...]) -> Operand:
    if len(x.shape) < 3:
        return x
    shape, strides = (tuple(one[i] for i in order) for one in (x.shape, x.strides))
    return Operand(shape, x.dtype, strides, x.place)


def _row_sizes(rows: Operand) -> tuple[int, int]:
    return rows.size // rows.shape[-1], rows.shape[-1]


def _made(out: Builder, target: Operand, input: Operand, reduction: str) -> Operand:
    return out.empty(target.shape if reduction == "none" else (), input.dtype)


@lowers(_ENTROPY.kernel)
def _entropy(
    out: Builder, input: Operand, target: Operand, weight: Any, ignore_index: int, reduction: str
) -> Any:
    if not _are_classes(input, target, weight):
        return None
    rows = _in_rows(out, input)
    y, softmax = _made(out, target, input, reduction), out.empty(rows.shape, input.dtype)
    flag = out.empty((1,), np.int64)
    out.call(
        entropy_rows, rows, out.contiguous(target), softmax, y, flag,
        *_row_sizes(rows), ignore_index, _MODES[reduction], weight or 0, dtype=input.dtype,
    )  # fmt: skip
    out.expect(flag)
    return y, _as_given(softmax)


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
    if g[0] is None or any(g[1:]) or not _are_classes(input, target, weight):
        return None
    rows = _in_rows(out, softmax)
    into = out.empty(rows.shape, input.dtype)
    out.call(
        entropy_slope, out.contiguous(g[0]), out.contiguous(target), rows, into,
        *_row_sizes(rows), ignore_index, _MODES[reduction], weight or 0, dtype=input.dtype,
    )  # fmt: skip
    return _as_given(into), None, None


@lowers(_NLL.kernel)
def _likelihood(
    out: Builder, input: Operand, target: Operand, weight: Any, ignore_index: int, reduction: str
) -> Any:
    if not _are_classes(input, target, weight):
        return None
    rows, flag = _in_rows(out, input), out.empty((1,), np.int64)
    y = _made(out, target, input, reduction)
    out.call(
        likelihood_rows, rows, out.contiguous(target), y, flag,
        *_row_sizes(rows), ignore_index, _MODES[reduction], weight or 0, dtype=input.dtype,
    )  # fmt: skip
    out.expect(flag)
    return y


@lowers(_NLL.gradients["input"], _SPREAD.kernel)
def _likelihood_slope(
    out: Builder,
    g: Operand,
    target: Operand,
    weight: Any,
    input_shape: Any,
    ignore_index: int,
    reduction: str,
) -> Any:
    given = out.empty(tuple(input_shape), g.dtype)
    if not _are_classes(given, target, weight):
        return None
    into, flag = out.empty(_turned_shape(given.shape), g.dtype), out.empty((1,), np.int64)
    out.call(
        likelihood_slope, out.contiguous(g), out.contiguous(target), into, flag,
        *_row_sizes(into), ignore_index, _MODES[reduction], weight or 0, dtype=g.dtype,
    )  # fmt: skip
    out.expect(flag)
    return _as_given(into)


def _turned_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if len(shape) < 3 else (shape[0], *shape[2:], shape[1])


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
