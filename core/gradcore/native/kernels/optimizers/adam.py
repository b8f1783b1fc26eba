"""Adam with its variants, and the optimizers that keep the same two means."""

import math
from typing import Any

from gradcore.native.entry import kernel
from gradcore.native.kernels.functions import magnitude
from gradcore.native.kernels.optimizers.measure import (
    HEAD,
    STATISTICS,
    STRETCH,
    clear,
    conclude,
    measure_both,
)
from gradcore.native.kernels.values import at, maximum, part, real
from gradcore.native.memory import floats32_at, floats64_at, pointer, width_of

Group = dict[str, Any]

_ADAM_ROW, _ADAMAX_ROW, _NADAM_ROW, _RADAM_ROW = 7, 6, 7, 6


def adam_settings(group: Group) -> list[float] | None:
    """Return lr, both betas, eps, decay into the gradient, factor of the values, sign."""
    lr, decay = float(group["lr"]), float(group["weight_decay"])
    decoupled = bool(group.get("decoupled_weight_decay"))
    shrink = 1 - lr * decay if decoupled else 1.0
    sign = -1.0 if group["maximize"] else 1.0
    return [
        lr,
        *map(float, group["betas"]),
        group["eps"],
        0.0 if decoupled else decay,
        shrink,
        sign,
    ]


@part
def _adam_part(
    p: Any,
    g: Any,
    mean: Any,
    square: Any,
    n: int,
    s: Any,
    factor: float,
    eps: float,
    measured: bool,
    f: Any,
) -> Any:
    """Move a stretch; return the square of how far."""
    rest1, beta2, rest2 = real(1.0 - s[1], f), real(s[2], f), real(1.0 - s[2], f)
    decay, shrink, sign = real(s[4], f), real(s[5], f), real(s[6], f)
    decays = s[4] != 0.0
    down, tiny = real(factor, f), real(eps, f)
    moved = real(0.0, f)
    for i in range(n):
        old = p[i]
        grad = sign * g[i]
        if decays:
            grad = grad + decay * old
        m = mean[i] + rest1 * (grad - mean[i])
        v = beta2 * square[i] + rest2 * (grad * grad)
        mean[i] = m
        square[i] = v
        new = shrink * old - down * (m / (math.sqrt(v) + tiny))
        p[i] = new
        if measured:
            moved += (new - old) * (new - old)
    return moved


@part
def _largest_part(
    p: Any,
    g: Any,
    mean: Any,
    square: Any,
    top: Any,
    n: int,
    s: Any,
    factor: float,
    eps: float,
    measured: bool,
    f: Any,
) -> Any:
    """Move a stretch by the largest mean square so far; return the square of how far."""
    rest1, beta2, rest2 = real(1.0 - s[1], f), real(s[2], f), real(1.0 - s[2], f)
    decay, shrink, sign = real(s[4], f), real(s[5], f), real(s[6], f)
    decays = s[4] != 0.0
    down, tiny = real(factor, f), real(eps, f)
    moved = real(0.0, f)
    for i in range(n):
        old = p[i]
        grad = sign * g[i]
        if decays:
            grad = grad + decay * old
        m = mean[i] + rest1 * (grad - mean[i])
        v = beta2 * square[i] + rest2 * (grad * grad)
        mean[i] = m
        square[i] = v
        v = maximum(top[i], v)
        top[i] = v
        new = shrink * old - down * (m / (math.sqrt(v) + tiny))
        p[i] = new
        if measured:
            moved += (new - old) * (new - old)
    return moved  # fmt: skip


@part
def _follows(a: Any, w: int, after: int, size: int, f: Any) -> bool:
    """Tell whether a tensor's arrays begin where ``size`` values of another's end."""
    bytes_on = size * width_of(f)
    for i in (0, 1, 3, 4, 5):
        if a[after + i] != a[w + i] + (bytes_on if a[w + i] else 0):
            return False
    is_as_old: bool = floats32_at(a[after + 2])[0] + 1.0 == floats32_at(a[w + 2])[0]
    return is_as_old


@kernel()
def adam(a: Any, f: Any) -> None:
    """Move by the mean gradient over the root of the mean square."""
    s, row, measured = floats64_at(a[1]), floats64_at(a[2]), a[2] != 0
    counted, factor, eps = -1.0, 0.0, 0.0
    t = 0
    while t < a[0]:
        w = HEAD + t * _ADAM_ROW
        step, size = floats32_at(a[w + 2]), a[w + 6]
        count = step[0] + 1.0
        step[0] = count
        t += 1
        while not measured and t < a[0] and _follows(a, w, HEAD + t * _ADAM_ROW, size, f):
            # One after the other in memory, and as many steps old: moved as one.
            size += a[HEAD + t * _ADAM_ROW + 6]
            floats32_at(a[HEAD + t * _ADAM_ROW + 2])[0] = count
            t += 1
        if count != counted:
            # As one pass less: m / (sqrt(v) / root + eps) is root * m / (sqrt(v) + eps * root).
            root = math.sqrt(1.0 - s[2] ** count)
            eps, factor, counted = s[3] * root, s[0] / (1.0 - s[1] ** count) * root, count
        if measured:
            clear(row)
        for start in range(0, size, STRETCH):
            n = min(STRETCH, size - start)
            p, g = at(pointer(a[w], f), start), at(pointer(a[w + 1], f), start)
            mean, square = at(pointer(a[w + 3], f), start), at(pointer(a[w + 4], f), start)
            if a[w + 5]:
                top = at(pointer(a[w + 5], f), start)
                moved = _largest_part(p, g, mean, square, top, n, s, factor, eps, measured, f)
            else:
                moved = _adam_part(p, g, mean, square, n, s, factor, eps, measured, f)
            if measured:
                measure_both(g, p, n, moved, row, f)
        if measured:
            conclude(row)
            row = at(row, STATISTICS)


@kernel()
def adamax(a: Any, f: Any) -> None:
    """Move by the mean gradient over the largest one, which decays."""
    s, row, measured = floats64_at(a[1]), floats64_at(a[2]), a[2] != 0
    rest1, beta2, tiny = real(1.0 - s[1], f), real(s[2], f), real(s[3], f)
    decay, sign, decays = real(s[4], f), real(s[6], f), s[4] != 0.0
    for t in range(a[0]):
        w = HEAD + t * _ADAMAX_ROW
        step, size = floats32_at(a[w + 2]), a[w + 5]
        step[0] += 1.0
        down = real(s[0] / (1.0 - s[1] ** step[0]), f)
        if measured:
            clear(row)
        for start in range(0, size, STRETCH):
            n = min(STRETCH, size - start)
            p, g = at(pointer(a[w], f), start), at(pointer(a[w + 1], f), start)
            mean, top = at(pointer(a[w + 3], f), start), at(pointer(a[w + 4], f), start)
            moved = real(0.0, f)
            for i in range(n):
                old = p[i]
                grad = sign * g[i]
                if decays:
                    grad = grad + decay * old
                m = mean[i] + rest1 * (grad - mean[i])
                mean[i] = m
                top[i] = maximum(top[i] * beta2, magnitude(grad) + tiny)
                new = old - down * (m / top[i])
                p[i] = new
                if measured:
                    moved += (new - old) * (new - old)
            if measured:
                measure_both(g, p, n, moved, row, f)
        if measured:
            conclude(row)
            row = at(row, STATISTICS)


def nadam_settings(group: Group) -> list[float] | None:
    """Return the numbers of `adam_settings` and the decay of the momentum."""
    shared = adam_settings(group)
    return None if shared is None else [*shared, float(group["momentum_decay"])]


@part
def _nadam_part(
    p: Any, g: Any, mean: Any, square: Any, n: int, s: Any, by: Any, measured: bool, f: Any
) -> Any:
    """Move a stretch; ``by``: factors of gradient and mean, and the correction of the square."""
    rest1, beta2, rest2 = real(1.0 - s[1], f), real(s[2], f), real(1.0 - s[2], f)
    decay, shrink, sign, tiny = real(s[4], f), real(s[5], f), real(s[6], f), real(s[3], f)
    decays = s[4] != 0.0
    by_gradient, by_mean, correction = real(by[0], f), real(by[1], f), real(by[2], f)
    moved = real(0.0, f)
    for i in range(n):
        old = p[i]
        grad = sign * g[i]
        if decays:
            grad = grad + decay * old
        m = mean[i] + rest1 * (grad - mean[i])
        v = beta2 * square[i] + rest2 * (grad * grad)
        mean[i] = m
        square[i] = v
        spread = math.sqrt(v / correction) + tiny
        new = shrink * old - by_gradient * (grad / spread) - by_mean * (m / spread)
        p[i] = new
        if measured:
            moved += (new - old) * (new - old)
    return moved


@kernel()
def nadam(a: Any, f: Any) -> None:
    """Move by the mean gradient and the gradient, each weighed by a momentum that grows."""
    s, row, measured = floats64_at(a[1]), floats64_at(a[2]), a[2] != 0
    for t in range(a[0]):
        w = HEAD + t * _NADAM_ROW
        step, product, size = floats32_at(a[w + 2]), floats32_at(a[w + 3]), a[w + 6]
        step[0] += 1.0
        count = step[0]
        now = s[1] * (1.0 - 0.5 * 0.96 ** (count * s[7]))
        then = s[1] * (1.0 - 0.5 * 0.96 ** ((count + 1.0) * s[7]))
        product[0] = product[0] * real(now, product)
        whole = product[0] * 1.0
        by = (
            s[0] * (1.0 - now) / (1.0 - whole),
            s[0] * then / (1.0 - whole * then),
            1.0 - s[2] ** count,
        )
        if measured:
            clear(row)
        for start in range(0, size, STRETCH):
            n = min(STRETCH, size - start)
            p, g = at(pointer(a[w], f), start), at(pointer(a[w + 1], f), start)
            mean, square = at(pointer(a[w + 4], f), start), at(pointer(a[w + 5], f), start)
            moved = _nadam_part(p, g, mean, square, n, s, by, measured, f)
            if measured:
                measure_both(g, p, n, moved, row, f)
        if measured:
            conclude(row)
            row = at(row, STATISTICS)


@part
def _radam_part(
    p: Any,
    g: Any,
    mean: Any,
    square: Any,
    n: int,
    s: Any,
    down: float,
    adapts: bool,
    measured: bool,
    f: Any,
) -> Any:
    """Move a stretch; ``adapts``: the mean square is known well enough to divide by."""
    rest1, beta2, rest2 = real(1.0 - s[1], f), real(s[2], f), real(1.0 - s[2], f)
    decay, shrink, sign, tiny = real(s[4], f), real(s[5], f), real(s[6], f), real(s[3], f)
    decays, factor = s[4] != 0.0, real(down, f)
    moved = real(0.0, f)
    for i in range(n):
        old = p[i]
        grad = sign * g[i]
        if decays:
            grad = grad + decay * old
        m = mean[i] + rest1 * (grad - mean[i])
        v = beta2 * square[i] + rest2 * (grad * grad)
        mean[i] = m
        square[i] = v
        way = m / (math.sqrt(v) + tiny) if adapts else m
        new = shrink * old - factor * way
        p[i] = new
        if measured:
            moved += (new - old) * (new - old)
    return moved


@kernel()
def radam(a: Any, f: Any) -> None:
    """Move as plain momentum at first, and as Adam once the mean square is known well enough."""
    s, row, measured = floats64_at(a[1]), floats64_at(a[2]), a[2] != 0
    longest = 2.0 / (1.0 - s[2]) - 1.0
    for t in range(a[0]):
        w = HEAD + t * _RADAM_ROW
        step, size = floats32_at(a[w + 2]), a[w + 5]
        step[0] += 1.0
        count = step[0]
        correction = 1.0 - s[2] ** count
        length = longest - 2.0 * count * s[2] ** count / correction
        down, adapts = s[0] / (1.0 - s[1] ** count), length > 5.0
        if adapts:
            above = (length - 4.0) * (length - 2.0) * longest
            below = (longest - 4.0) * (longest - 2.0) * length
            down *= math.sqrt(above / below) * math.sqrt(correction)
        if measured:
            clear(row)
        for start in range(0, size, STRETCH):
            n = min(STRETCH, size - start)
            p, g = at(pointer(a[w], f), start), at(pointer(a[w + 1], f), start)
            mean, square = at(pointer(a[w + 3], f), start), at(pointer(a[w + 4], f), start)
            moved = _radam_part(p, g, mean, square, n, s, down, adapts, measured, f)
            if measured:
                measure_both(g, p, n, moved, row, f)
        if measured:
            conclude(row)
            row = at(row, STATISTICS)
