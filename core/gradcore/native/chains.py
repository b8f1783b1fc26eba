"""The kernel for chains of element-wise operations: one pass over memory for the whole chain.

A chain is a small program of its own. It goes through its values block by block; what one step
makes and only later steps read stays in registers, which are pieces of memory of one block each
that never leave the nearest cache.

Words: how many values, values in a block, operands, steps to do once, steps to do for each block;
then for each operand its address and by how many bytes it moves on with each value (0: a
register); then the steps, six words each: what, where to, three operands, one more number.
"""

import math
from typing import Any

from llvmlite import ir
from numba import njit
from numba.extending import intrinsic

from gradcore.native import steps
from gradcore.native.entry import kernel
from gradcore.native.kernels.functions import (
    TURNS_IN_FLOAT32,
    cosine,
    cumulative,
    erf,
    exp,
    expm1,
    log,
    log1p,
    magnitude,
    sigmoid,
    sine,
    softplus,
    tanh,
)
from gradcore.native.kernels.values import maximum, minimum, real
from gradcore.native.memory import (
    bytes_at,
    floats32_at,
    floats64_at,
    integers_at,
    pointer,
)

_helper = njit(error_model="numpy", fastmath={"contract"})


def _rounding(name: str) -> Any:
    def rounded(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = args[0].type
            full = f"llvm.{name}.{'f32' if isinstance(kind, ir.FloatType) else 'f64'}"
            function = builder.module.globals.get(full)
            if function is None:
                function = ir.Function(builder.module, ir.FunctionType(kind, [kind]), full)
            return builder.call(function, args)

        return x(x), generate

    return intrinsic(rounded)


@intrinsic
def _fmod(typing_context: Any, x: Any, y: Any) -> Any:
    """Return what is left of a division rounded to zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.frem(args[0], args[1])

    return x(x, x), generate


_floor, _ceil, _trunc, _rint = map(_rounding, ("floor", "ceil", "trunc", "rint"))


@_helper
def _remainder(x: Any, y: Any, like: Any) -> Any:
    """Return what is left of a division rounded down: it has the sign of the divisor."""
    zero = real(0.0, like)
    rest = _fmod(x, y)
    if rest == zero:
        return math.copysign(zero, y)
    return rest + y if (y < zero) != (rest < zero) and rest == rest and y == y else rest


@_helper
def _floor_divide(x: Any, y: Any, like: Any) -> Any:
    """Divide and round down, exactly: by way of the remainder, as NumPy."""
    zero, half, one = real(0.0, like), real(0.5, like), real(1.0, like)
    if y == zero:
        return x / y
    rest = _fmod(x, y)
    quotient = (x - rest) / y
    if rest != zero and (y < zero) != (rest < zero):
        quotient -= one
    if quotient == zero:
        return math.copysign(zero, x / y)
    whole = _floor(quotient)
    return whole + one if quotient - whole > half else whole


@_helper
def _one_by_one(what: Any, d: Any, x: Any, count: Any) -> None:
    if what == steps.SINH:
        for i in range(count):
            d[i] = math.sinh(x[i])
    elif what == steps.COSH:
        for i in range(count):
            d[i] = math.cosh(x[i])
    elif what == steps.TAN:
        for i in range(count):
            d[i] = math.tan(x[i])
    elif what == steps.ASIN:
        for i in range(count):
            d[i] = math.asin(x[i])
    elif what == steps.ACOS:
        for i in range(count):
            d[i] = math.acos(x[i])
    elif what == steps.ASINH:
        for i in range(count):
            d[i] = math.asinh(x[i])
    elif what == steps.ACOSH:
        for i in range(count):
            d[i] = math.acosh(x[i])
    elif what == steps.ATANH:
        for i in range(count):
            d[i] = math.atanh(x[i])


@_helper
def _two_by_two(what: Any, d: Any, x: Any, y: Any, count: Any) -> None:
    if what == steps.FLOOR_DIVIDE:
        for i in range(count):
            d[i] = _floor_divide(x[i], y[i], d)
    elif what == steps.TRUNCATED_REMAINDER:
        for i in range(count):
            d[i] = _fmod(x[i], y[i])
    elif what == steps.ATAN2:
        for i in range(count):
            d[i] = math.atan2(x[i], y[i])
    elif what == steps.HYPOT:
        for i in range(count):
            d[i] = math.hypot(x[i], y[i])
    elif what == steps.COPYSIGN:
        for i in range(count):
            d[i] = math.copysign(x[i], y[i])
    elif what == steps.KNOWN_LARGER:
        for i in range(count):
            d[i] = y[i] if x[i] != x[i] or y[i] > x[i] else x[i]
    elif what == steps.KNOWN_SMALLER:
        for i in range(count):
            d[i] = y[i] if x[i] != x[i] or y[i] < x[i] else x[i]


@_helper
def _binary(what: Any, d: Any, x: Any, y: Any, count: Any) -> None:
    if what == steps.ADD:
        for i in range(count):
            d[i] = x[i] + y[i]
    elif what == steps.SUBTRACT:
        for i in range(count):
            d[i] = x[i] - y[i]
    elif what == steps.MULTIPLY:
        for i in range(count):
            d[i] = x[i] * y[i]
    elif what == steps.DIVIDE:
        for i in range(count):
            d[i] = x[i] / y[i]
    elif what == steps.MAXIMUM:
        for i in range(count):
            d[i] = maximum(x[i], y[i])
    elif what == steps.MINIMUM:
        for i in range(count):
            d[i] = minimum(x[i], y[i])
    elif what == steps.POWER:
        for i in range(count):
            d[i] = math.pow(x[i], y[i])
    elif what == steps.REMAINDER:
        for i in range(count):
            d[i] = _remainder(x[i], y[i], d)


@_helper
def _compared(what: Any, d: Any, x: Any, y: Any, count: Any) -> None:
    one, zero = real(1.0, d), real(0.0, d)
    if what == steps.LESS:
        for i in range(count):
            d[i] = one if x[i] < y[i] else zero
    elif what == steps.LESS_EQUAL:
        for i in range(count):
            d[i] = one if x[i] <= y[i] else zero
    elif what == steps.GREATER:
        for i in range(count):
            d[i] = one if x[i] > y[i] else zero
    elif what == steps.GREATER_EQUAL:
        for i in range(count):
            d[i] = one if x[i] >= y[i] else zero
    elif what == steps.EQUAL:
        for i in range(count):
            d[i] = one if x[i] == y[i] else zero
    elif what == steps.NOT_EQUAL:
        for i in range(count):
            d[i] = one if x[i] != y[i] else zero
    elif what == steps.AND:
        for i in range(count):
            d[i] = one if (x[i] != zero) & (y[i] != zero) else zero
    elif what == steps.OR:
        for i in range(count):
            d[i] = one if (x[i] != zero) | (y[i] != zero) else zero
    elif what == steps.XOR:
        for i in range(count):
            d[i] = one if (x[i] != zero) != (y[i] != zero) else zero


@_helper
def _unary(what: Any, d: Any, x: Any, count: Any) -> None:
    one, zero = real(1.0, d), real(0.0, d)
    if what == steps.NEGATIVE:
        for i in range(count):
            d[i] = -x[i]
    elif what == steps.ABS:
        for i in range(count):
            d[i] = abs(x[i])
    elif what == steps.SQUARE:
        for i in range(count):
            d[i] = x[i] * x[i]
    elif what == steps.SQRT:
        for i in range(count):
            d[i] = math.sqrt(x[i])
    elif what == steps.RECIPROCAL:
        for i in range(count):
            d[i] = one / x[i]
    elif what == steps.SIGN:
        for i in range(count):
            s = (one if x[i] > zero else zero) - (one if x[i] < zero else zero)
            d[i] = s if x[i] == x[i] else x[i]
    elif what == steps.NOT:
        for i in range(count):
            d[i] = one if x[i] == zero else zero
    elif what == steps.COPY:
        for i in range(count):
            d[i] = x[i]


@_helper
def _smooth(what: Any, d: Any, x: Any, count: Any) -> None:
    if what == steps.EXP:
        for i in range(count):
            d[i] = exp(x[i])
    elif what == steps.EXPM1:
        for i in range(count):
            d[i] = expm1(x[i])
    elif what == steps.LOG:
        for i in range(count):
            d[i] = log(x[i])
    elif what == steps.LOG1P:
        for i in range(count):
            d[i] = log1p(x[i])
    elif what == steps.TANH:
        for i in range(count):
            d[i] = tanh(x[i])
    elif what == steps.SIGMOID:
        for i in range(count):
            d[i] = sigmoid(x[i])
    elif what == steps.SOFTPLUS:
        for i in range(count):
            d[i] = softplus(x[i])
    elif what == steps.ERF:
        for i in range(count):
            d[i] = erf(x[i])
    elif what == steps.CUMULATIVE:
        for i in range(count):
            d[i] = cumulative(x[i])


@_helper
def _turned(what: Any, d: Any, x: Any, count: Any) -> None:
    far = 0
    for i in range(count):
        far += magnitude(x[i]) > TURNS_IN_FLOAT32
    if far and what == steps.SIN:
        for i in range(count):
            d[i] = math.sin(x[i])
    elif far:
        for i in range(count):
            d[i] = math.cos(x[i])
    elif what == steps.SIN:
        for i in range(count):
            d[i] = sine(x[i])
    else:
        for i in range(count):
            d[i] = cosine(x[i])


@_helper
def _rarer(what: Any, d: Any, x: Any, count: Any) -> None:
    if what == steps.SIN or what == steps.COS:
        _turned(what, d, x, count)
    elif what == steps.ATAN:
        for i in range(count):
            d[i] = math.atan(x[i])
    elif what == steps.FLOOR:
        for i in range(count):
            d[i] = _floor(x[i])
    elif what == steps.CEIL:
        for i in range(count):
            d[i] = _ceil(x[i])
    elif what == steps.TRUNC:
        for i in range(count):
            d[i] = _trunc(x[i])
    elif what == steps.RINT:
        for i in range(count):
            d[i] = _rint(x[i])


@_helper
def _moved(what: Any, d: Any, x: Any, count: Any, like: Any) -> None:
    """Change between the chain's own dtype and those that lie in memory."""
    if what == steps.LOAD_BYTE:
        to, given = pointer(d, like), bytes_at(x)
        for i in range(count):
            to[i] = given[i]
    elif what == steps.STORE_BYTE:
        out, mask = bytes_at(d), pointer(x, like)
        for i in range(count):
            out[i] = 1 if mask[i] != 0 else 0
    elif what == steps.LOAD_SINGLE:
        to, single = pointer(d, like), floats32_at(x)
        for i in range(count):
            to[i] = single[i]
    elif what == steps.STORE_SINGLE:
        kept, held = floats32_at(d), pointer(x, like)
        for i in range(count):
            kept[i] = held[i]
    elif what == steps.LOAD_DOUBLE:
        to, double = pointer(d, like), floats64_at(x)
        for i in range(count):
            to[i] = double[i]
    elif what == steps.STORE_DOUBLE:
        wide, held = floats64_at(d), pointer(x, like)
        for i in range(count):
            wide[i] = held[i]
    elif what == steps.LOAD_INTEGER:
        to, whole = pointer(d, like), integers_at(x)
        for i in range(count):
            to[i] = whole[i]
    elif what == steps.STORE_INTEGER:
        target, held = integers_at(d), pointer(x, like)
        for i in range(count):
            target[i] = int(held[i])


@_helper
def _spread(d: Any, x: Any, period: Any, each: Any, start: Any, count: Any) -> None:
    """Repeat values: each ``each`` times, then from the beginning after ``period`` of them."""
    done = 0
    place = (start // each) % period
    rest = each - start % each
    while done < count:
        if each == 1:
            length = min(period - place, count - done)
            for i in range(length):
                d[done + i] = x[place + i]
            place = 0
        else:
            length = min(rest, count - done)
            value = x[place]
            for i in range(length):
                d[done + i] = value
            rest = each
            place = place + 1 if place + 1 < period else 0
        done += length


@_helper
def _step(a: Any, f: Any, row: Any, start: Any, count: Any) -> None:
    what = a[row]
    to, first, second = (
        steps.HEADER + 2 * a[row + 1],
        steps.HEADER + 2 * a[row + 2],
        steps.HEADER + 2 * a[row + 3],
    )
    at = a[to] + start * a[to + 1]
    from_ = a[first] + start * a[first + 1]
    beside = a[second] + start * a[second + 1]
    d, x, y = pointer(at, f), pointer(from_, f), pointer(beside, f)
    if what < steps.BINARY:
        _binary(what, d, x, y, count)
    elif what < steps.COMPARED:
        _compared(what, d, x, y, count)
    elif what < steps.UNARY:
        _unary(what, d, x, count)
    elif what < steps.MOVED:
        _moved(what, at, from_, count, f)
    elif what == steps.WHERE:
        third = steps.HEADER + 2 * a[row + 4]
        z = pointer(a[third] + start * a[third + 1], f)
        zero = real(0.0, f)
        for i in range(count):
            # Both are read in any case: a choice of two values is one instruction.
            yes, no = y[i], z[i]
            d[i] = yes if x[i] != zero else no
    elif what == steps.FILL:
        value = f[a[row + 5]]
        for i in range(count):
            d[i] = value
    elif what == steps.SPREAD:
        _spread(d, x, a[row + 3], a[row + 4], start, count)
    elif what < steps.SIN:
        _smooth(what, d, x, count)
    elif what < steps.SINH:
        _rarer(what, d, x, count)
    elif what < steps.FLOOR_DIVIDE:
        _one_by_one(what, d, x, count)
    else:
        _two_by_two(what, d, x, y, count)


@kernel()
def chain(a: Any, f: Any) -> None:
    """Run a chain: what is done once, then block by block."""
    count, block = a[0], a[1]
    row = steps.HEADER + 2 * a[2]
    for _ in range(a[3]):
        _step(a, f, row, 0, min(block, count))
        row += steps.STEP
    for start in range(0, count, block):
        for k in range(a[4]):
            _step(a, f, row + steps.STEP * k, start, min(block, count - start))
