"""The kernels that most programs need: matrix products, sums and extremes, copies of any layout."""

from typing import Any

from numba import njit

from gradcore.native.entry import kernel
from gradcore.native.kernels.blas import gemm, gemv, multiply
from gradcore.native.kernels.values import at, maximum, minimum, real, transpose
from gradcore.native.memory import bytes_at, integers_at, pointer

COPY_AXES = 6
"""How many axes ``copy`` knows."""
_helper = njit(error_model="numpy", fastmath={"contract"})
_sums = njit(error_model="numpy", fastmath={"reassoc", "nsz", "contract"})
_BLOCK = 4096


@kernel(blas=True)
def product(a: Any, f: Any) -> None:
    """c = x @ y + beta * c, for a stack of stacks of matrices.

    Words: c, x, y; how many outer ones, steps of c, x and y from one to the next (in bytes); the
    same for inner ones; m, n, k; whether x and y are turned; row steps of x, y and c; the limit
    of one call of BLAS. Numbers: beta, which is 0 or 1.
    """
    for i in range(a[3]):
        for j in range(a[7]):
            c = pointer(a[0] + i * a[4] + j * a[8], f)
            x = pointer(a[1] + i * a[5] + j * a[9], f)
            y = pointer(a[2] + i * a[6] + j * a[10], f)
            one, m, n, k = real(1.0, f), a[11], a[12], a[13]
            if a[15]:
                gemm(a[14], 1, m, n, k, one, x, a[16], y, a[17], f[0], c, a[18])
            else:
                add = 1 if f[0] != real(0.0, f) else 0
                multiply(a[19], a[14], m, n, k, x, a[16], y, a[17], add, c, a[18])


@kernel(blas=True)
def vector_product(a: Any, f: Any) -> None:
    """c = x @ v + beta * c. Words: c, x, v, whether x is turned, m, n, row step of x, step of v."""
    c, x, v = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f)
    gemv(a[3], a[4], a[5], real(1.0, f), x, a[6], v, a[7], f[0], c, 1)


@_sums
def _total(x: Any, count: Any) -> Any:
    """Sum values that lie side by side; long rows in blocks, so that rounding stays small."""
    total = 0.0
    start = 0
    while start < count:
        end = min(start + _BLOCK, count)
        part = real(0.0, x)
        for i in range(start, end):
            part += x[i]
        total += part
        start = end
    return total


@kernel()
def sums(a: Any, f: Any) -> None:
    """Sum over the middle one of three axes. Words: y, x, outer, middle, inner."""
    y, x, outer, middle, inner = pointer(a[0], f), pointer(a[1], f), a[2], a[3], a[4]
    if inner == 1:
        for o in range(outer):
            y[o] = _total(at(x, o * middle), middle)
        return
    for o in range(outer):
        target, source = at(y, o * inner), at(x, o * middle * inner)
        for i in range(inner):
            target[i] = real(0.0, f)
        for j in range(middle):
            row = at(source, j * inner)
            for i in range(inner):
                target[i] += row[i]


@kernel()
def extremes(a: Any, f: Any) -> None:
    """Largest (or smallest) values over the middle one of three axes; the last word says which."""
    y, x, outer, middle, inner = pointer(a[0], f), pointer(a[1], f), a[2], a[3], a[4]
    for o in range(outer):
        target, source = at(y, o * inner), at(x, o * middle * inner)
        if inner == 1:
            target[0] = _extreme(source, middle, a[5])
            continue
        for i in range(inner):
            target[i] = source[i]
        for j in range(1, middle):
            row = at(source, j * inner)
            if a[5]:
                for i in range(inner):
                    target[i] = maximum(target[i], row[i])
            else:
                for i in range(inner):
                    target[i] = minimum(target[i], row[i])


@_helper
def _extreme(x: Any, count: Any, is_largest: Any) -> Any:
    best = x[0]
    if is_largest:
        for i in range(count):
            best = maximum(best, x[i])
    else:
        for i in range(count):
            best = minimum(best, x[i])
    return best


@_helper
def _copied(y: Any, x: Any, a: Any, first: Any) -> None:
    """Copy the innermost two axes, tile by tile where they are turned."""
    rows, columns = a[first + 4], a[first + 5]
    to_row, to_column = a[first + 10], a[first + 11]
    from_row, from_column = a[first + 16], a[first + 17]
    if to_column == 1 and from_column == 1:
        for i in range(rows):
            target, source = at(y, i * to_row), at(x, i * from_row)
            for j in range(columns):
                target[j] = source[j]
        return
    if to_column == 1 and from_row == 1:
        transpose(x, from_column, y, to_row, columns, rows)
        return
    for i0 in range(0, rows, 16):
        for j0 in range(0, columns, 16):
            for i in range(i0, min(i0 + 16, rows)):
                for j in range(j0, min(j0 + 16, columns)):
                    y[i * to_row + j * to_column] = x[i * from_row + j * from_column]


@_helper
def _copy_all(y: Any, x: Any, a: Any, first: Any) -> None:
    for i in range(a[first]):
        for j in range(a[first + 1]):
            for k in range(a[first + 2]):
                for m in range(a[first + 3]):
                    to = i * a[first + 6] + j * a[first + 7] + k * a[first + 8] + m * a[first + 9]
                    out_of = i * a[first + 12] + j * a[first + 13] + k * a[first + 14]
                    _copied(at(y, to), at(x, out_of + m * a[first + 15]), a, first)


@kernel()
def copy(a: Any, f: Any) -> None:
    """Copy between two layouts. Words: y, x, six lengths, six steps of y, six of x (in values)."""
    _copy_all(pointer(a[0], f), pointer(a[1], f), a, 2)


@kernel()
def copy_bytes(a: Any, f: Any) -> None:
    """Copy truth values, as ``copy``."""
    _copy_all(bytes_at(a[0]), bytes_at(a[1]), a, 2)


@kernel()
def fill(a: Any, f: Any) -> None:
    """Set values that lie side by side. Words: y, how many. Numbers: the value."""
    y, value = pointer(a[0], f), f[0]
    for i in range(a[1]):
        y[i] = value


@kernel()
def add_integer(a: Any, f: Any) -> None:
    """Add a number to integers that lie side by side. Words: y, x, how many, the number."""
    y, x = integers_at(a[0]), integers_at(a[1])
    for i in range(a[2]):
        y[i] = x[i] + a[3]


SUM, DIFFERENCE, PRODUCT, LARGER, SMALLER, QUOTIENT, REST, BOTH, EITHER, ONE_OF = range(10)


@kernel(writes=(0,))
def integers(a: Any, f: Any) -> None:
    """A function of two integers. Words: z; x and its step, y and its step; how many; which."""
    z, x, y = integers_at(a[0]), integers_at(a[1]), integers_at(a[3])
    for i in range(a[5]):
        p, q = x[i * a[2]], y[i * a[4]]
        if a[6] == SUM:
            z[i] = p + q
        elif a[6] == DIFFERENCE:
            z[i] = p - q
        elif a[6] == PRODUCT:
            z[i] = p * q
        elif a[6] == LARGER:
            z[i] = max(p, q)
        elif a[6] == SMALLER:
            z[i] = min(p, q)
        elif a[6] == QUOTIENT:
            # By zero, and where there is no such number, as NumPy.
            z[i] = 0 if q == 0 else -p if q == -1 else p // q
        elif a[6] == REST:
            z[i] = 0 if q == 0 or q == -1 else p % q
        elif a[6] == BOTH:
            z[i] = p & q
        elif a[6] == EITHER:
            z[i] = p | q
        else:
            z[i] = p ^ q


@kernel(writes=(1,))
def integer_extreme(a: Any, f: Any) -> None:
    """The largest or smallest of integers. Words: x, y, how many, whether the largest."""
    x, best = integers_at(a[0]), integers_at(a[0])[0]
    for i in range(a[2]):
        best = max(best, x[i]) if a[3] else min(best, x[i])
    integers_at(a[1])[0] = best


@kernel(writes=(1,))
def find_integers_outside(a: Any, f: Any) -> None:
    """Set a flag if an integer is below or above. Words: x, flag, how many, lowest, highest."""
    x, found = integers_at(a[0]), 0
    for i in range(a[2]):
        found |= (x[i] < a[3]) | (x[i] > a[4])
    integers_at(a[1])[0] = found


@kernel(writes=(0,))
def products(a: Any, f: Any) -> None:
    """Multiply over the middle one of three axes. Words: y, x, outer, middle, inner."""
    y, x, outer, middle, inner = pointer(a[0], f), pointer(a[1], f), a[2], a[3], a[4]
    for o in range(outer):
        target, source = at(y, o * inner), at(x, o * middle * inner)
        for i in range(inner):
            target[i] = real(1.0, f)
        for j in range(middle):
            row = at(source, j * inner)
            for i in range(inner):
                target[i] *= row[i]


@kernel(writes=(0,))
def product_slope(a: Any, f: Any) -> None:
    """For each value the product of all others along the middle axis, times ``g``.

    Words: y, x, g, outer, middle, inner.
    """
    y, x, g, outer, middle, inner = (
        pointer(a[0], f), pointer(a[1], f), pointer(a[2], f), a[3], a[4], a[5]
    )  # fmt: skip
    for o in range(outer):
        for i in range(inner):
            source, target = at(x, o * middle * inner + i), at(y, o * middle * inner + i)
            one = source[0] * real(0.0, f) + real(1.0, f)
            before = one
            for j in range(middle):
                target[j * inner] = before
                before *= source[j * inner]
            behind = one
            for k in range(middle):
                j = middle - 1 - k
                target[j * inner] = g[o * inner + i] * (target[j * inner] * behind)
                behind *= source[j * inner]


@kernel(writes=(1,))
def find_outside(a: Any, f: Any) -> None:
    """Set a flag if a value is below the first number or above the second; NaN is neither.

    Words: x, flag, how many.
    """
    x, flag = pointer(a[0], f), integers_at(a[1])
    low, high, found = f[0], f[1], 0
    for i in range(a[2]):
        found |= (x[i] < low) | (x[i] > high)
    flag[0] = found


@kernel()
def clear(a: Any, f: Any) -> None:
    """Set bytes to zero. Words: where, how many."""
    y = bytes_at(a[0])
    for i in range(a[1]):
        y[i] = 0
