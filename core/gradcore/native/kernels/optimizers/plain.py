"""Gradient descent, and the optimizers that scale it by one running mean or sum of squares."""

import math
from typing import Any

from gradcore.native.entry import kernel
from gradcore.native.kernels.optimizers.measure import (
    HEAD,
    STATISTICS,
    STRETCH,
    clear,
    conclude,
    measure_both,
)
from gradcore.native.kernels.values import at, part, real
from gradcore.native.memory import floats32_at, floats64_at, pointer

Group = dict[str, Any]

_SGD_ROW, _RMS_ROW, _ADAGRAD_ROW, _ADADELTA_ROW = 5, 7, 5, 6


def _sign(group: Group) -> float:
    return -1.0 if group["maximize"] else 1.0


def sgd_settings(group: Group) -> list[float] | None:
    """Return lr, momentum, share of the gradient in it, decay, sign, whether nesterov."""
    return [
        float(group["lr"]), float(group["momentum"]), 1.0 - group["dampening"],
        float(group["weight_decay"]), _sign(group), float(group["nesterov"]),
    ]  # fmt: skip


@part
def _sgd_part(p: Any, g: Any, n: int, s: Any, measured: bool, f: Any) -> Any:
    """Move a stretch; return the square of how far."""
    lr, decay, sign, decays = real(s[0], f), real(s[3], f), real(s[4], f), s[3] != 0.0
    moved = real(0.0, f)
    for i in range(n):
        old = p[i]
        grad = sign * g[i]
        if decays:
            grad = grad + decay * old
        new = old - lr * grad
        p[i] = new
        if measured:
            moved += (new - old) * (new - old)
    return moved


@part
def _momentum_part(p: Any, g: Any, kept: Any, n: int, s: Any, measured: bool, f: Any) -> Any:
    """Move a stretch with momentum; return the square of how far."""
    lr, momentum, rest = real(s[0], f), real(s[1], f), real(s[2], f)
    decay, sign, decays, nesterov = real(s[3], f), real(s[4], f), s[3] != 0.0, s[5] != 0.0
    moved = real(0.0, f)
    for i in range(n):
        old = p[i]
        grad = sign * g[i]
        if decays:
            grad = grad + decay * old
        way = momentum * kept[i] + rest * grad
        kept[i] = way
        if nesterov:
            way = grad + momentum * way
        new = old - lr * way
        p[i] = new
        if measured:
            moved += (new - old) * (new - old)
    return moved


@kernel()
def sgd(a: Any, f: Any) -> None:
    """Move against the gradient, or against its decaying sum."""
    s, row, measured = floats64_at(a[1]), floats64_at(a[2]), a[2] != 0
    for t in range(a[0]):
        w = HEAD + t * _SGD_ROW
        size = a[w + 4]
        if measured:
            clear(row)
        for start in range(0, size, STRETCH):
            n = min(STRETCH, size - start)
            p, g = at(pointer(a[w], f), start), at(pointer(a[w + 1], f), start)
            if s[1] != 0.0:
                moved = _momentum_part(p, g, at(pointer(a[w + 3], f), start), n, s, measured, f)
            else:
                moved = _sgd_part(p, g, n, s, measured, f)
            if measured:
                measure_both(g, p, n, moved, row, f)
        if measured:
            conclude(row)
            row = at(row, STATISTICS)


def rmsprop_settings(group: Group) -> list[float] | None:
    """Return lr, alpha, eps, momentum, decay, sign, whether centered."""
    return [
        float(group["lr"]), group["alpha"], group["eps"], float(group["momentum"]),
        float(group["weight_decay"]), _sign(group), float(group["centered"]),
    ]  # fmt: skip


@part
def _rms_part(p: Any, g: Any, square: Any, n: int, s: Any, measured: bool, f: Any) -> Any:
    """Move a stretch; return the square of how far."""
    lr, alpha, rest, tiny = real(s[0], f), real(s[1], f), real(1.0 - s[1], f), real(s[2], f)
    decay, sign, decays = real(s[4], f), real(s[5], f), s[4] != 0.0
    moved = real(0.0, f)
    for i in range(n):
        old = p[i]
        grad = sign * g[i]
        if decays:
            grad = grad + decay * old
        v = alpha * square[i] + rest * (grad * grad)
        square[i] = v
        new = old - lr * (grad / (math.sqrt(v) + tiny))
        p[i] = new
        if measured:
            moved += (new - old) * (new - old)
    return moved


@part
def _rms_whole_part(
    p: Any, g: Any, square: Any, kept: Any, mean: Any, n: int, s: Any, measured: bool, f: Any
) -> Any:
    """Move a stretch with momentum, or less the squared mean, or both."""
    lr, alpha, rest, tiny = real(s[0], f), real(s[1], f), real(1.0 - s[1], f), real(s[2], f)
    momentum, decay, sign = real(s[3], f), real(s[4], f), real(s[5], f)
    decays, moves, is_centered = s[4] != 0.0, s[3] > 0.0, s[6] != 0.0
    moved = real(0.0, f)
    for i in range(n):
        old = p[i]
        grad = sign * g[i]
        if decays:
            grad = grad + decay * old
        v = alpha * square[i] + rest * (grad * grad)
        square[i] = v
        if is_centered:
            m = mean[i] + rest * (grad - mean[i])
            mean[i] = m
            v = v - m * m
        way = grad / (math.sqrt(v) + tiny)
        if moves:
            way = momentum * kept[i] + way
            kept[i] = way
        new = old - lr * way
        p[i] = new
        if measured:
            moved += (new - old) * (new - old)
    return moved


@kernel()
def rmsprop(a: Any, f: Any) -> None:
    """Move by the gradient over the root of its mean square."""
    s, row, measured = floats64_at(a[1]), floats64_at(a[2]), a[2] != 0
    for t in range(a[0]):
        w = HEAD + t * _RMS_ROW
        floats32_at(a[w + 2])[0] += 1.0
        size = a[w + 6]
        if measured:
            clear(row)
        for start in range(0, size, STRETCH):
            n = min(STRETCH, size - start)
            p, g = at(pointer(a[w], f), start), at(pointer(a[w + 1], f), start)
            square = at(pointer(a[w + 3], f), start)
            if s[3] > 0.0 or s[6] != 0.0:
                kept, mean = at(pointer(a[w + 4], f), start), at(pointer(a[w + 5], f), start)
                moved = _rms_whole_part(p, g, square, kept, mean, n, s, measured, f)
            else:
                moved = _rms_part(p, g, square, n, s, measured, f)
            if measured:
                measure_both(g, p, n, moved, row, f)
        if measured:
            conclude(row)
            row = at(row, STATISTICS)


def adagrad_settings(group: Group) -> list[float] | None:
    """Return lr, its decay, eps, weight decay, sign."""
    return [
        float(group["lr"]), float(group["lr_decay"]), group["eps"],
        float(group["weight_decay"]), _sign(group),
    ]  # fmt: skip


@kernel()
def adagrad(a: Any, f: Any) -> None:
    """Move by the gradient over the root of the sum of its squares."""
    s, row, measured = floats64_at(a[1]), floats64_at(a[2]), a[2] != 0
    tiny, decay, sign, decays = real(s[2], f), real(s[3], f), real(s[4], f), s[3] != 0.0
    for t in range(a[0]):
        w = HEAD + t * _ADAGRAD_ROW
        step, size = floats32_at(a[w + 2]), a[w + 4]
        step[0] += 1.0
        lr = real(s[0] / (1.0 + (step[0] - 1.0) * s[1]), f)
        if measured:
            clear(row)
        for start in range(0, size, STRETCH):
            n = min(STRETCH, size - start)
            p, g = at(pointer(a[w], f), start), at(pointer(a[w + 1], f), start)
            total = at(pointer(a[w + 3], f), start)
            moved = real(0.0, f)
            for i in range(n):
                old = p[i]
                grad = sign * g[i]
                if decays:
                    grad = grad + decay * old
                v = total[i] + grad * grad
                total[i] = v
                new = old - lr * (grad / (math.sqrt(v) + tiny))
                p[i] = new
                if measured:
                    moved += (new - old) * (new - old)
            if measured:
                measure_both(g, p, n, moved, row, f)
        if measured:
            conclude(row)
            row = at(row, STATISTICS)


def adadelta_settings(group: Group) -> list[float] | None:
    """Return lr, rho, eps, weight decay, sign."""
    return [
        float(group["lr"]), float(group["rho"]), group["eps"],
        float(group["weight_decay"]), _sign(group),
    ]  # fmt: skip


@kernel()
def adadelta(a: Any, f: Any) -> None:
    """Move by the gradient times the ratio of the mean sizes of steps and gradients."""
    s, row, measured = floats64_at(a[1]), floats64_at(a[2]), a[2] != 0
    lr, rho, rest, tiny = real(s[0], f), real(s[1], f), real(1.0 - s[1], f), real(s[2], f)
    decay, sign, decays = real(s[3], f), real(s[4], f), s[3] != 0.0
    for t in range(a[0]):
        w = HEAD + t * _ADADELTA_ROW
        floats32_at(a[w + 2])[0] += 1.0
        size = a[w + 5]
        if measured:
            clear(row)
        for start in range(0, size, STRETCH):
            n = min(STRETCH, size - start)
            p, g = at(pointer(a[w], f), start), at(pointer(a[w + 1], f), start)
            square, delta = at(pointer(a[w + 3], f), start), at(pointer(a[w + 4], f), start)
            moved = real(0.0, f)
            for i in range(n):
                old = p[i]
                grad = sign * g[i]
                if decays:
                    grad = grad + decay * old
                v = rho * square[i] + rest * (grad * grad)
                square[i] = v
                way = math.sqrt(delta[i] + tiny) / math.sqrt(v + tiny) * grad
                delta[i] = rho * delta[i] + rest * (way * way)
                new = old - lr * way
                p[i] = new
                if measured:
                    moved += (new - old) * (new - old)
            if measured:
                measure_both(g, p, n, moved, row, f)
        if measured:
            conclude(row)
            row = at(row, STATISTICS)
