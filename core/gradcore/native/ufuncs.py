"""NumPy's element-wise functions, said in steps of chains."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.native import steps
from gradcore.native.builder import BOOL, DOUBLE, INTEGER, SINGLE, Table, UnsupportedError
from gradcore.native.entry import Operand
from gradcore.native.whole import known as known_of_integers
from gradcore.native.whole import whole_numbers

FLOATS = (SINGLE, DOUBLE)


def number_of(x: Any) -> float | None:
    """Return a Python or NumPy number as float; None for anything else."""
    if isinstance(x, (bool, int, float, np.generic)) or (
        isinstance(x, np.ndarray) and x.ndim == 0 and x.dtype.kind in "fiub"
    ):
        return float(x)
    return None


def sources_of(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return operands and numbers as steps take them."""
    found: list[Any] = []
    for x in arguments:
        value = x if isinstance(x, Operand) else number_of(x)
        if value is None:
            raise UnsupportedError
        found.append(value)
    return tuple(found)


def _working_dtype(sources: tuple[Any, ...], result: Any) -> Any:
    """Return the float dtype to work in: that of the result or, for truth values, the inputs'."""
    if result in FLOATS:
        return result
    kinds = {x.dtype for x in sources if isinstance(x, Operand)}
    if result != BOOL or not kinds <= {SINGLE, DOUBLE, BOOL, INTEGER}:
        raise UnsupportedError
    # Whole numbers are exact in double precision, as far as anybody counts.
    return DOUBLE if kinds & {DOUBLE, INTEGER} else SINGLE


def target_of(table: Table, options: dict[str, Any], like: Any) -> Operand:
    """Return where a result goes: the ``out`` of the call, or a new array."""
    out = options.pop("out", None)
    if any(value is not None for value in options.values()):
        raise UnsupportedError
    if isinstance(out, tuple):
        out = out[0]
    return table.empty(like.shape, like.dtype) if out is None else out


def stored(table: Table, what: int, target: Operand, sources: tuple[Any, ...]) -> Operand:
    """Work out an element-wise step into any layout."""
    dtype = _working_dtype(sources, target.dtype)
    if target.is_contiguous:
        return table.element(what, target, *sources, dtype=dtype)
    made = table.element(what, table.empty(target.shape, target.dtype), *sources, dtype=dtype)
    table.copy(target, made)
    return target


_ELEMENTWISE = {
    np.add: steps.ADD, np.subtract: steps.SUBTRACT, np.multiply: steps.MULTIPLY,
    np.divide: steps.DIVIDE, np.maximum: steps.MAXIMUM, np.minimum: steps.MINIMUM,
    np.less: steps.LESS, np.less_equal: steps.LESS_EQUAL, np.greater: steps.GREATER,
    np.greater_equal: steps.GREATER_EQUAL, np.equal: steps.EQUAL, np.not_equal: steps.NOT_EQUAL,
    np.logical_and: steps.AND, np.logical_or: steps.OR, np.logical_xor: steps.XOR,
    np.negative: steps.NEGATIVE, np.absolute: steps.ABS, np.fabs: steps.ABS,
    np.square: steps.SQUARE, np.sqrt: steps.SQRT, np.reciprocal: steps.RECIPROCAL,
    np.sign: steps.SIGN, np.logical_not: steps.NOT, np.exp: steps.EXP, np.expm1: steps.EXPM1,
    np.log: steps.LOG, np.log1p: steps.LOG1P, np.tanh: steps.TANH, np.sin: steps.SIN,
    np.cos: steps.COS, np.arctan: steps.ATAN, np.floor: steps.FLOOR, np.ceil: steps.CEIL,
    np.trunc: steps.TRUNC, np.rint: steps.RINT, np.positive: steps.COPY,
    np.conjugate: steps.COPY, np.sinh: steps.SINH, np.cosh: steps.COSH, np.tan: steps.TAN,
    np.arcsin: steps.ASIN, np.arccos: steps.ACOS, np.arcsinh: steps.ASINH,
    np.arccosh: steps.ACOSH, np.arctanh: steps.ATANH, np.remainder: steps.REMAINDER,
    np.floor_divide: steps.FLOOR_DIVIDE, np.fmod: steps.TRUNCATED_REMAINDER,
    np.arctan2: steps.ATAN2, np.hypot: steps.HYPOT, np.copysign: steps.COPYSIGN,
    np.fmax: steps.KNOWN_LARGER, np.fmin: steps.KNOWN_SMALLER,
}  # fmt: skip
_ON_TRUTH = {
    np.bitwise_and: steps.AND, np.bitwise_or: steps.OR, np.bitwise_xor: steps.XOR,
    np.invert: steps.NOT,
}  # fmt: skip


def elementwise(
    table: Table, function: Any, arguments: tuple[Any, ...], options: dict[str, Any], like: Any
) -> Operand:
    """Lower a ufunc."""
    sources = sources_of(arguments[: function.nin])
    options = dict(options)
    if len(arguments) > function.nin:
        options["out"] = arguments[function.nin]
    target = target_of(table, options, like)
    if target.dtype == INTEGER:
        return whole_numbers(table, function, target, sources)
    if function is np.power:
        return _power(table, target, sources)
    if function in _ASKED:
        asked: Operand = _ASKED[function](table, target, *sources)
        return asked
    if function is np.logaddexp:
        return _log_add_exp(table, target, *sources)
    if function is np.exp2:
        return stored(table, steps.POWER, target, (2.0, *sources))
    if function in _SCALED:
        logarithm = table.element(steps.LOG, table.empty(like.shape, like.dtype), *sources)
        return stored(table, steps.MULTIPLY, target, (logarithm, _SCALED[function]))
    what = _ELEMENTWISE.get(function)
    if what is None and all(x.dtype == BOOL for x in (target, *sources) if isinstance(x, Operand)):
        what = _ON_TRUTH.get(function)
    if what is None:
        raise UnsupportedError
    return stored(table, what, target, sources)


_SCALED = {np.log2: 1.0 / math.log(2.0), np.log10: 1.0 / math.log(10.0)}


def _is_nan(table: Table, target: Operand, x: Any) -> Operand:
    return stored(table, steps.NOT_EQUAL, target, (x, x))


def _is_finite(table: Table, target: Operand, x: Any) -> Operand:
    # What is not finite leaves NaN if it is taken from itself.
    rest = table.element(steps.SUBTRACT, table.empty(x.shape, x.dtype), x, x)
    return stored(table, steps.EQUAL, target, (rest, rest))


def _is_infinite(table: Table, target: Operand, x: Any) -> Operand:
    size = table.element(steps.ABS, table.empty(x.shape, x.dtype), x)
    return stored(table, steps.EQUAL, target, (size, math.inf))


def _is_negative(table: Table, target: Operand, x: Any) -> Operand:
    # The sign of zero and of NaN counts, too.
    sign = table.element(steps.COPYSIGN, table.empty(x.shape, x.dtype), 1.0, x)
    return stored(table, steps.LESS, target, (sign, 0.0))


_ASKED: dict[Any, Callable[..., Any]] = {
    np.isnan: _is_nan, np.isfinite: _is_finite, np.isinf: _is_infinite, np.signbit: _is_negative
}  # fmt: skip


def _log_add_exp(table: Table, target: Operand, x: Any, y: Any) -> Operand:
    """The larger one and log(1 + exp(-distance)); two that are equal may be infinite."""
    shape, dtype = target.shape, target.dtype
    if dtype not in FLOATS:
        raise UnsupportedError

    def step(what: int, *sources: Any) -> Operand:
        return table.element(what, table.empty(shape, dtype), *sources)

    apart = step(steps.NEGATIVE, step(steps.ABS, step(steps.SUBTRACT, x, y)))
    tail = step(steps.LOG1P, step(steps.EXP, apart))
    usual = step(steps.ADD, step(steps.MAXIMUM, x, y), tail)
    same = step(steps.ADD, step(steps.COPY, x), math.log(2.0))
    return stored(table, steps.WHERE, target, (step(steps.EQUAL, x, y), same, usual))


def _power(table: Table, target: Operand, sources: tuple[Any, ...]) -> Operand:
    exponent = sources[1]
    if exponent == 2.0:
        return stored(table, steps.SQUARE, target, sources[:1])
    if exponent == 0.5:
        return stored(table, steps.SQRT, target, sources[:1])
    return stored(table, steps.POWER, target, sources)


def is_elementwise(function: Any) -> bool:
    """Tell whether a function is a ufunc that chains may know."""
    known = function in _ELEMENTWISE or function in _ON_TRUTH or function in _ASKED
    known = known or function in known_of_integers
    return known or function in _SCALED or function in (np.power, np.logaddexp, np.exp2)
