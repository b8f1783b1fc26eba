"""Operations between the values of two tensors: sums, products, quotients, powers, extremes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.errors import AutogradError, DtypeError
from gradcore.graph import TensorBase
from gradcore.ops.elementwise import PAIRS, binary, conj, log, promoted_float
from gradcore.ops.numbers import promoted
from gradcore.ops.registry import CALLS, FUNCTIONS, METHODS, OPERATIONS, T, composite

# --- arithmetic

add_ = binary("add", np.add, lambda g: g, lambda g: g, "Return ``input + other``.")


def _subtract(x: Any, y: Any) -> Any:
    if np.asarray(x).dtype.kind == "b" and np.asarray(y).dtype.kind == "b":
        raise DtypeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported.",
            "",
            "Use the `^` or `logical_xor()` operator instead.",
        )
    return np.subtract(x, y)


def _meet_in_difference(x: Any, y: Any) -> tuple[Any, Any]:
    """Refuse a bool tensor in a difference, as torch; two of them, the kernel refuses."""
    for one, other in ((x, y), (y, x)):
        if _is_bool(one) and not _is_bool(other):
            raise DtypeError(
                "Subtraction, the `-` operator, with a bool tensor is not supported. If you are "
                "trying to invert a mask, use the `~` or `logical_not()` operator instead.",
                "",
                "Convert it first, for instance with .float().",
            )
    return promoted(x, y)


def _is_bool(x: Any) -> bool:
    return isinstance(x, bool) or (isinstance(x, np.ndarray) and x.dtype.kind == "b")


sub = binary(
    "sub",
    _subtract,
    lambda g: g,
    lambda g: -g,
    "Return ``input - other``.",
    adapt=_meet_in_difference,
)


def _by_other(g: Any, other: Any) -> Any:
    if type(g) is np.ndarray and g.dtype.kind == "f":
        # All real: nothing to conjugate. With the function, NumPy takes less time than with `*`.
        return np.multiply(g, other)
    return g * conj(other)


def _by_input(g: Any, input: Any) -> Any:
    return _by_other(g, input)


mul = binary("mul", np.multiply, _by_other, _by_input, "Return ``input * other``.")


def _with_alpha(name: str, op: Any, inplace: Any) -> None:
    """Give ``add`` and ``sub`` their factor for the second input."""

    def call(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
        return op(input, other if alpha == 1 else other * alpha, out=out)

    def call_(self: Any, other: Any, *, alpha: Any = 1) -> Any:
        return inplace(self, other if alpha == 1 else other * alpha)

    call.__name__, call_.__name__ = name, name + "_"
    call.__doc__, call_.__doc__ = op.__doc__, inplace.__doc__
    FUNCTIONS[name] = METHODS[name] = call
    METHODS[name + "_"] = call_


OPERATOR_FORMS = {name: METHODS[name] for name in ("add", "add_", "sub", "sub_", "mul")}
_with_alpha("add", METHODS["add"], METHODS["add_"])
_with_alpha("sub", METHODS["sub"], METHODS["sub_"])
FUNCTIONS["subtract"] = METHODS["subtract"] = FUNCTIONS["sub"]
FUNCTIONS["multiply"] = METHODS["multiply"] = mul
METHODS["multiply_"], METHODS["subtract_"] = METHODS["mul_"], METHODS["sub_"]

rsub = binary(
    "rsub",
    lambda x, y: _subtract(y, x),
    lambda g: -g,
    lambda g: g,
    "Return ``other - input``.",
    PAIRS,
    adapt=_meet_in_difference,
    methods=False,
    inplace=False,
    grad_name="Rsub#1",
)
NONZERO = [
    (T(2, 3), T(2, 3, low=0.4)),
    (T(2, 3), T(3, low=0.4)),
    (T(2, 1), T(4, 1, 3, low=0.4)),
    (T(), T(2, low=0.4)),
    (T(2, 3), 1.5),
    (2.0, T(3, low=0.4)),
]
div_true = binary(
    "div",
    np.true_divide,
    lambda g, other: g / conj(other),
    lambda g, other, y: -g * conj(y / other),
    "Return ``input / other``; two integers give a float.",
    NONZERO,
    adapt=promoted_float,
    functions=("true_divide",),
    methods=("true_divide",),
    inplace=("true_divide_",),
)
_EXACT = float(1 << 29)
"""Up to here, the product of a whole number and a float32 is exact in double precision."""


def _divided(x: Any, y: Any, rounded: Any) -> tuple[Any, Any] | None:
    """Return the rounded quotient and what is left, as doubles; None where NumPy has to do it.

    For singles, both are exact so, and NumPy's own functions take ten times as long.
    """
    if type(x) is not np.ndarray or x.dtype != np.float32 or x.size < 256:
        return None
    if type(y) is np.ndarray and y.dtype != np.float32:
        return None
    y = np.asarray(y, np.float32).astype(np.float64)
    quotient = rounded(x / y)
    rest = quotient * y
    np.subtract(x, rest, out=rest)
    # Neither nan nor infinite anywhere.
    is_exact = np.abs(quotient).max() < _EXACT and np.abs(rest).max() < math.inf
    return (quotient, rest) if is_exact else None


def _floor_divide(x: Any, y: Any) -> Any:
    found = _divided(x, y, np.floor)
    return np.floor_divide(x, y) if found is None else found[0].astype(np.float32)


def _remainder(x: Any, y: Any) -> Any:
    found = _divided(x, y, np.floor)
    return np.remainder(x, y) if found is None else found[1].astype(np.float32)


def _fmod(x: Any, y: Any) -> Any:
    found = _divided(x, y, np.trunc)
    return np.fmod(x, y) if found is None else found[1].astype(np.float32)


div_floor = binary(
    "div_floor",
    _floor_divide,
    lambda g: g * 0.0,
    lambda g: g * 0.0,
    "Return the quotient rounded down.",
    NONZERO,
    functions=False,
    methods=False,
    inplace=False,
    parity=None,
    gradcheck=False,
)


def undefined(name: str) -> Callable[..., Any]:
    """Return a gradient function for an operation that PyTorch defines none for either."""

    def refuse(g: Any) -> Any:
        raise AutogradError(
            f"derivative for aten::{name} is not implemented",
            "",
            "Use another operation, or detach() the input where no gradient is wanted.",
        )

    refuse.undefined = True  # type: ignore[attr-defined] # a mark on the function
    return refuse


def _meet_in_quotient(x: Any, y: Any) -> tuple[Any, Any]:
    """Refuse a whole number divided by zero, as torch; NumPy would give 0."""
    x, y = promoted(x, y)
    kinds = [item.dtype.kind for item in (x, y) if isinstance(item, np.ndarray)]
    if kinds[0] in "iub" and not np.all(y):
        raise DtypeError("ZeroDivisionError", "Whole numbers are divided by 0.")
    return x, y


floor_divide = binary(
    "floor_divide",
    _floor_divide,
    undefined("floor_divide"),
    undefined("floor_divide"),
    "Return the quotient rounded down.",
    NONZERO[:5],
    adapt=_meet_in_quotient,
    gradcheck=False,
)
div_trunc = binary(
    "div_trunc",
    lambda x, y: _truncated(x, y),
    lambda g: g * 0.0,
    lambda g: g * 0.0,
    "Return the quotient rounded towards zero.",
    NONZERO,
    functions=False,
    methods=False,
    inplace=False,
    parity=None,
    gradcheck=False,
)


def _truncated(x: Any, y: Any) -> Any:
    if np.result_type(x, y).kind in "iu":
        quotient = np.abs(x) // np.abs(y)
        return np.where((np.asarray(x) < 0) != (np.asarray(y) < 0), -quotient, quotient)
    return np.trunc(np.true_divide(x, y))


def _div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Any = None) -> Any:
    """Return ``input / other``; with ``rounding_mode`` "floor" or "trunc", rounded."""
    if rounding_mode is None:
        return div_true(input, other, out=out)
    return {"floor": div_floor, "trunc": div_trunc}[rounding_mode](input, other, out=out)


def _div_(self: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """In-place form of ``div``."""
    if rounding_mode is None:
        return METHODS["true_divide_"](self, other)
    return self.copy_(_div(self, other, rounding_mode=rounding_mode))


composite("div", functions=("div", "divide"), methods=("div", "divide"), samples=NONZERO)(_div)
METHODS["div_"] = METHODS["divide_"] = _div_
remainder = binary(
    "remainder",
    _remainder,
    lambda g: g,
    lambda g, input, other: -g * div_floor(input, other),
    "Return what is left of a division rounded down; it has the sign of ``other``.",
    NONZERO[:5],
    adapt=_meet_in_quotient,
)
fmod = binary(
    "fmod",
    _fmod,
    lambda g: g,
    lambda g, input, other: -g * div_trunc(input, other),
    "Return what is left of a division rounded towards zero; it has the sign of ``input``.",
    NONZERO[:5],
)
POWERS = [
    (T(2, 3, low=0.3), T(2, 3)),
    (T(2, 3, low=0.3), T(3)),
    (T(2, 3), 2),
    (T(2, 3), 3.0),
    (T(2, 3, low=0.3), 0.5),
    (T(2, 3), 0),
    (T(2, 3), 1),
    (2.0, T(2, 3)),
    (T(2, 3, low=0.3), -1),
]


_ROOTS: dict[Any, Callable[..., Any]] = {
    -1: np.reciprocal,
    -2: lambda x: np.reciprocal(np.square(x)),
    0.5: np.sqrt,
    -0.5: lambda x: np.reciprocal(np.sqrt(x)),
}
"""Powers that torch, too, works out in another way."""


def _pow(x: Any, y: Any) -> Any:
    if isinstance(y, (int, float)) and not isinstance(y, bool):
        if y == 2:
            return np.square(x)
        if y == 3 and x.dtype.kind == "f":
            # As torch, which multiplies: NumPy's power takes ten times as long.
            return np.square(x) * x
        if x.dtype.kind == "f" and y in _ROOTS:
            return _ROOTS[y](x)
        if isinstance(y, int) and y < 0 and x.dtype.kind in "iu":
            raise DtypeError("Integers to negative integer powers are not allowed.")
    if isinstance(y, np.ndarray) and y.dtype.kind == "i" and (y < 0).any():
        return _whole_power(x, y)
    return np.power(x, y)


def _whole_power(x: Any, y: Any) -> Any:
    """Return whole numbers to whole powers; what lies between -1 and 1 is 0, as torch."""
    small = np.where(np.abs(x) == 1, np.where(y % 2 == 0, 1, x), 0)
    return np.where(y < 0, small, np.power(x, np.maximum(y, 0))).astype(np.result_type(x, y))


def _pow_base(g: Any, input: Any, other: Any) -> Any:
    if isinstance(other, (int, float)):
        if other == 0:
            return g * 0.0
        if other == 2:
            return g * (2.0 * conj(input))
        return g * (other * conj(power(input, other - 1)))
    # Where the exponent is 0 the slope is 0, also at 0, where other * 0 ** -1 would be nan.
    slope = other * conj(power(input, other - 1))
    return g * FUNCTIONS["where"](other == 0, 0.0, slope)


def _pow_label(node: Any) -> str:
    if not isinstance(node.kept("other"), TensorBase) and node.edges[1] is None:
        return "Pow#0"
    base = isinstance(node.kept("input"), TensorBase) or node.edges[0] is not None
    return "Pow#1" if base else "Pow#2"


def _pow_exponent(g: Any, input: Any, other: Any, y: Any) -> Any:
    if isinstance(input, (int, float)):
        return g * (y * math.log(input)) if input > 0 else g * 0.0
    # 0 ** positive stays 0 whatever the exponent does; log(0) would make it nan.
    zero = (input == 0) & (other >= 0)
    return g * FUNCTIONS["where"](zero, 0.0, y * log(input))


power = binary(
    "pow",
    _pow,
    _pow_base,
    _pow_exponent,
    "Return ``input ** other``.",
    POWERS,
    grad_name=_pow_label,
)


@composite("float_power", methods=True, samples=POWERS[:-2])
def float_power(input: Any, exponent: Any) -> Any:
    """Return ``input ** exponent`` in double precision."""
    kind = dtypes.FLOAT64
    input, exponent = (
        OPERATIONS["to_dtype"].call(x, kind) if isinstance(x, TensorBase) else float(x)
        for x in (input, exponent)
    )
    return power(input, exponent)


maximum = binary(
    "maximum",
    np.maximum,
    lambda g, input, other: g * share(input > other, input == other),
    lambda g, input, other: g * share(other > input, input == other),
    "Return the larger of two values; equal ones share the gradient.",
    samples=PAIRS[:4],
    inplace=False,
)
minimum = binary(
    "minimum",
    np.minimum,
    lambda g, input, other: g * share(input < other, input == other),
    lambda g, input, other: g * share(other < input, input == other),
    "Return the smaller of two values; equal ones share the gradient.",
    samples=PAIRS[:4],
    inplace=False,
)
fmax = binary(
    "fmax",
    np.fmax,
    lambda g, input, other: g * (input >= other),
    lambda g, input, other: g * (other > input),
    "Return the larger of two values, leaving nan out where it can.",
    samples=PAIRS[:4],
    inplace=False,
)
fmin = binary(
    "fmin",
    np.fmin,
    lambda g, input, other: g * (input <= other),
    lambda g, input, other: g * (other < input),
    "Return the smaller of two values, leaving nan out where it can.",
    samples=PAIRS[:4],
    inplace=False,
)


def share(wins: Any, ties: Any) -> Any:
    """Return 1 where ``wins``, one half where ``ties``, else 0."""
    return wins + ties * 0.5


atan2 = binary(
    "atan2",
    np.arctan2,
    lambda g, input, other: g * other / (input * input + other * other),
    lambda g, input, other: -g * input / (input * input + other * other),
    "Return the angle of the point (other, input).",
    NONZERO[:4],
    adapt=promoted_float,
    functions=("atan2", "arctan2"),
)
hypot = binary(
    "hypot",
    np.hypot,
    lambda g, input, y: g * (input / y),
    lambda g, other, y: g * (other / y),
    "Return the length of the hypotenuse.",
    NONZERO[:4],
)
logaddexp = binary(
    "logaddexp",
    np.logaddexp,
    lambda g, input, y: g * CALLS.exp(input - y),
    lambda g, other, y: g * CALLS.exp(other - y),
    "Return ``log(exp(input) + exp(other))`` without overflow.",
    PAIRS[:4],
    inplace=False,
)
logaddexp2 = binary(
    "logaddexp2",
    np.logaddexp2,
    lambda g, input, y: g * CALLS.exp2(input - y),
    lambda g, other, y: g * CALLS.exp2(other - y),
    "Return ``log2(2**input + 2**other)`` without overflow.",
    PAIRS[:4],
    inplace=False,
)
xlogy = binary(
    "xlogy",
    lambda x, y: np.where(np.isnan(y), y, np.where(np.equal(x, 0), 0, x * np.log(y))).astype(
        np.result_type(x, y)
    ),
    lambda g, input, other: g * CALLS.where((input == 0) & (other <= 0), 0.0, CALLS.log(other)),
    lambda g, input, other: g * (input / other),
    "Return ``input * log(other)``, 0 where ``input`` is 0.",
    [(T(2, 3), T(2, 3, low=0.4)), (T(2, 3), T(3, low=0.4))],
    adapt=promoted_float,
)
copysign = binary(
    "copysign",
    np.copysign,
    lambda g, input, y: g * CALLS.sign(input) * CALLS.sign(y),
    lambda g: g * 0.0,
    "Return ``input`` with the sign of ``other``.",
    NONZERO[:4],
    adapt=promoted_float,
    gradcheck=False,
)
binary(
    "nextafter",
    np.nextafter,
    undefined("nextafter"),
    undefined("nextafter"),
    "Return the next float towards ``other``.",
    PAIRS[:2],
    gradcheck=False,
)
binary(
    "heaviside",
    np.heaviside,
    undefined("heaviside"),
    undefined("heaviside"),
    "Return 0 below zero, 1 above, ``other`` at zero.",
    PAIRS[:2],
    gradcheck=False,
)
