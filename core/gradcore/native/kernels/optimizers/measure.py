"""Statistics of values while they are in the cache, and the layout that optimizers share.

The words of an optimizer's kernel are: how many tensors, the address of its settings (float64),
that of the statistics (float64, ``STATISTICS`` numbers a tensor; 0: none are wanted), and then for
each tensor: values, gradient, count of steps (float32, or 0), its other state, and its size. State
that the settings leave without use may be 0.

Statistics are, for the gradient and then for the values after the step: sum, norm, smallest,
largest, how many are zero, how many are not finite; and then the norm of the step itself.
"""

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from gradcore.native.kernels.functions import magnitude
from gradcore.native.kernels.values import at, larger, maximum, minimum, part, real, smaller

HEAD = 3
"""Words before those of the first tensor."""
STRETCH = 1024
"""How many values are moved before they are measured: so few stay in the first cache."""
STATISTICS = 16
GRADIENT, VALUE, STEP = 0, 6, 12

_SUM, _SQUARES, _LOW, _HIGH, _ZEROS, _BAD = range(6)


@intrinsic
def is_single(typing_context: Any, f: Any) -> Any:
    """Tell whether ``f`` points to float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(types.boolean, f.dtype is types.float32)

    return types.boolean(f), generate


@part
def clear(row: Any) -> None:
    """Set the statistics of one tensor to those of no values."""
    for i in range(STATISTICS):
        row[i] = 0.0
    for first in (GRADIENT, VALUE):
        row[first + _LOW] = np.inf
        row[first + _HIGH] = -np.inf


@part
def measure(x: Any, n: int, row: Any, f: Any) -> None:
    """Add ``n`` values to six statistics; what stands for the norm is its square until the end."""
    zero, one = real(0.0, f), real(1.0, f)
    total, squares, zeros = zero, zero, zero
    low = high = x[0]
    for i in range(n):
        v = x[i]
        total += v
        squares += v * v
        low = smaller(low, v)
        high = larger(high, v)
        zeros += one if v == zero else zero
    exact = np.float64(squares)
    if not exact < np.inf:
        _measure_odd(x, n, row, f)
        return
    row[_SUM] += total
    # Squares of what is tiny or huge in single precision say zero or infinity.
    if is_single(f) and (exact < 1e-28 or exact > 1e30) and zeros < n:
        exact = _exact_squares(x, n)
    row[_SQUARES] += exact
    row[_LOW] = minimum(row[_LOW], np.float64(low))
    row[_HIGH] = maximum(row[_HIGH], np.float64(high))
    row[_ZEROS] += zeros


@part
def _exact_squares(x: Any, n: int) -> float:
    exact = np.float64(0.0)
    for i in range(n):
        exact += np.float64(x[i]) * np.float64(x[i])
    return exact


@part
def _measure_odd(x: Any, n: int, row: Any, f: Any) -> None:
    """Measure values that may be NaN or infinite, or whose squares overflow."""
    zero, one = real(0.0, f), real(1.0, f)
    total, zeros, fine = zero, zero, zero
    low = high = x[0]
    for i in range(n):
        v = x[i]
        total += v
        low = minimum(low, v)
        high = maximum(high, v)
        zeros += one if v == zero else zero
        fine += one if magnitude(v) < real(np.inf, f) else zero
    row[_SUM] += total
    row[_SQUARES] += _exact_squares(x, n)
    row[_LOW] = minimum(row[_LOW], np.float64(low))
    row[_HIGH] = maximum(row[_HIGH], np.float64(high))
    row[_ZEROS] += zeros
    row[_BAD] += n - fine


@part
def conclude(row: Any) -> None:
    """Turn sums of squares into norms."""
    for i in (GRADIENT + _SQUARES, VALUE + _SQUARES, STEP):
        row[i] = math.sqrt(row[i])


@part
def measure_both(g: Any, p: Any, n: int, moved: Any, row: Any, f: Any) -> None:
    """Add a stretch to the statistics of one tensor; ``moved`` is the square of the step."""
    measure(g, n, at(row, GRADIENT), f)
    measure(p, n, at(row, VALUE), f)
    row[STEP] += moved
