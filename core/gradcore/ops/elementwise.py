"""Operations on each value by itself: arithmetic, powers, exponentials, rounding, comparison."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array
from gradcore.errors import AutogradError, DtypeError
from gradcore.graph import TensorBase
from gradcore.ops.numbers import promoted
from gradcore.ops.registry import CALLS, FUNCTIONS, METHODS, OPERATIONS, S, T, composite, operation


def conj(x: Any) -> Any:
    """Return the complex conjugate; a real array, tensor or number itself, untouched."""
    if type(x) is np.ndarray:
        return x.conj() if x.dtype.kind == "c" else x
    kind = getattr(x, "dtype", None)
    if kind is None:
        return x.conjugate() if type(x) is complex else x
    if isinstance(kind, dtypes.dtype):
        return x.conj() if kind.is_complex else x
    return x.conj() if kind.kind == "c" else x


def is_complex(x: Any) -> bool:
    """Tell whether an array or tensor is complex."""
    kind = x.dtype
    return bool(kind.is_complex if isinstance(kind, dtypes.dtype) else kind.kind == "c")


def to_float(*arrays: Any) -> tuple[Any, ...]:
    """Return integer arrays in the default float dtype, others as they are."""
    return tuple(
        x.astype(dtypes.default_float())
        if isinstance(x, np.ndarray) and x.dtype.kind in "iub"
        else x
        for x in arrays
    )


def promoted_float(x: Any, y: Any) -> tuple[Any, Any]:
    """Return two arrays in their common dtype, a float one where both were integers."""
    x, y = promoted(x, y)
    x, y = to_float(x, y)
    return x, y


POSITIVE = [(T(2, 3, low=0.3),), (T(low=0.3),), (T(0, 3),)]
ANY = [(T(2, 3),), (T(),), (T(0, 3),)]
UNIT = [(T(2, 3, low=-0.9, high=0.9),), (T(low=-0.9, high=0.9),)]
PAIRS = [
    (T(2, 3), T(2, 3)),
    (T(2, 3), T(3)),
    (T(2, 1), T(4, 1, 3)),
    (T(), T(2)),
    (T(2, 3), 1.5),
    (T(0, 3), T(3)),
]


def unary(
    name: str,
    kernel: Callable[..., Any],
    gradient: Callable[..., Any] | None,
    doc: str,
    samples: Sequence[Any] = ANY,
    *,
    floats: bool = True,
    **options: Any,
) -> Any:
    """Enter an element-wise operation of one input. ``floats``: integers become floats first."""
    return operation(
        name,
        gradient={"input": gradient} if gradient is not None else None,
        methods=options.pop("methods", True),
        inplace=options.pop("inplace", True),
        kind="unary",
        adapt=to_float if floats else None,
        samples=samples,
        doc=doc,
        **options,
    )(kernel)


def binary(
    name: str,
    kernel: Callable[..., Any],
    first: Callable[..., Any] | None,
    second: Callable[..., Any] | None,
    doc: str,
    samples: Sequence[Any] = PAIRS,
    **options: Any,
) -> Any:
    """Enter an element-wise operation of two inputs, either of which may be a number."""
    gradient = {}
    if first is not None:
        gradient["input"] = first
    if second is not None:
        gradient["other"] = second
    return operation(
        name,
        inputs=2,
        gradient=gradient,
        methods=options.pop("methods", True),
        inplace=options.pop("inplace", True),
        kind="binary",
        adapt=options.pop("adapt", promoted),
        samples=samples,
        doc=doc,
        **options,
    )(kernel)


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


sub = binary("sub", _subtract, lambda g: g, lambda g: -g, "Return ``input - other``.")
mul = binary(
    "mul",
    np.multiply,
    lambda g, other: g * conj(other),
    lambda g, input: g * conj(input),
    "Return ``input * other``.",
)


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
div_floor = binary(
    "div_floor",
    np.floor_divide,
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


floor_divide = binary(
    "floor_divide",
    np.floor_divide,
    undefined("floor_divide"),
    undefined("floor_divide"),
    "Return the quotient rounded down.",
    NONZERO[:5],
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
    np.remainder,
    lambda g: g,
    lambda g, input, other: -g * div_floor(input, other),
    "Return what is left of a division rounded down; it has the sign of ``other``.",
    NONZERO[:5],
)
fmod = binary(
    "fmod",
    np.fmod,
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


def _pow(x: Any, y: Any) -> Any:
    if isinstance(y, (int, float)) and not isinstance(y, bool):
        if y == 2:
            return np.square(x)
        if isinstance(y, int) and y < 0 and x.dtype.kind in "iu":
            raise DtypeError("Integers to negative integer powers are not allowed.")
    return np.power(x, y)


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
    grad_name=lambda node: "Pow#1" if isinstance(node.kept("other"), TensorBase) else "Pow#0",
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

# --- powers, exponentials, logarithms

neg = unary("neg", np.negative, lambda g: -g, "Return ``-input``.", floats=False)
FUNCTIONS["negative"] = METHODS["negative"] = neg
unary("positive", np.positive, lambda g: g, "Return ``input``.", floats=False, inplace=False)
abs_ = unary(
    "abs",
    np.abs,
    lambda g, input: g * CALLS.sgn(input),
    "Return the absolute value.",
    floats=False,
    functions=("abs", "absolute"),
    methods=("abs", "absolute"),
)
exp = unary("exp", np.exp, lambda g, y: g * conj(y), "Return e to the power of each value.")
exp2 = unary("exp2", np.exp2, lambda g, y: g * (y * math.log(2)), "Return 2 to each value.")
expm1 = unary(
    "expm1", np.expm1, lambda g, y: g * (y + 1), "Return ``exp(input) - 1``, exact near 0."
)
log = unary(
    "log", np.log, lambda g, input: g / conj(input), "Return the natural logarithm.", POSITIVE
)
log2 = unary(
    "log2",
    np.log2,
    lambda g, input: g / (input * math.log(2)),
    "Return the logarithm to base 2.",
    POSITIVE,
)
log10 = unary(
    "log10",
    np.log10,
    lambda g, input: g / (input * math.log(10)),
    "Return the logarithm to base 10.",
    POSITIVE,
)
log1p = unary(
    "log1p",
    np.log1p,
    lambda g, input: g / (input + 1),
    "Return ``log(1 + input)``, exact near 0.",
    POSITIVE,
)
sqrt = unary("sqrt", np.sqrt, lambda g, y: g / (2 * conj(y)), "Return the square root.", POSITIVE)
rsqrt = unary(
    "rsqrt",
    lambda x, out=None: np.reciprocal(np.sqrt(x)),
    lambda g, y: g * (-0.5 * y * y * y),
    "Return one over the square root.",
    POSITIVE,
)
square = unary(
    "square", np.square, lambda g, input: g * (2 * conj(input)), "Return the square.", floats=False
)
reciprocal = unary(
    "reciprocal", np.reciprocal, lambda g, y: -g * conj(y * y), "Return ``1 / input``.", POSITIVE
)

# --- trigonometric and hyperbolic

sin = unary("sin", np.sin, lambda g, input: g * conj(CALLS.cos(input)), "Return the sine.")
cos = unary("cos", np.cos, lambda g, input: -g * conj(sin(input)), "Return the cosine.")
tan = unary("tan", np.tan, lambda g, y: g * (1 + y * y), "Return the tangent.", UNIT)
asin = unary(
    "asin",
    np.arcsin,
    lambda g, input: g * rsqrt(1 - input * input),
    "Return the arc sine.",
    UNIT,
    functions=("asin", "arcsin"),
    methods=("asin", "arcsin"),
)
acos = unary(
    "acos",
    np.arccos,
    lambda g, input: -g * rsqrt(1 - input * input),
    "Return the arc cosine.",
    UNIT,
    functions=("acos", "arccos"),
    methods=("acos", "arccos"),
)
atan = unary(
    "atan",
    np.arctan,
    lambda g, input: g / (1 + input * input),
    "Return the arc tangent.",
    functions=("atan", "arctan"),
    methods=("atan", "arctan"),
)
sinh = unary("sinh", np.sinh, lambda g, input: g * CALLS.cosh(input), "Return the hyperbolic sine.")
cosh = unary("cosh", np.cosh, lambda g, input: g * sinh(input), "Return the hyperbolic cosine.")
tanh = unary(
    "tanh", np.tanh, lambda g, y: g * (1 - y * y), "Return the hyperbolic tangent, in (-1, 1)."
)
unary(
    "asinh",
    np.arcsinh,
    lambda g, input: g * rsqrt(input * input + 1),
    "Return the inverse hyperbolic sine.",
    functions=("asinh", "arcsinh"),
    methods=("asinh", "arcsinh"),
)
unary(
    "acosh",
    np.arccosh,
    lambda g, input: g * rsqrt(input * input - 1),
    "Return the inverse hyperbolic cosine.",
    [(T(2, 3, low=1.2, high=3),)],
    functions=("acosh", "arccosh"),
    methods=("acosh", "arccosh"),
)
unary(
    "atanh",
    np.arctanh,
    lambda g, input: g / (1 - input * input),
    "Return the inverse hyperbolic tangent.",
    UNIT,
    functions=("atanh", "arctanh"),
    methods=("atanh", "arctanh"),
)
unary(
    "sinc",
    np.sinc,
    lambda g, input, y: g * _sinc_slope(input, y),
    "Return sin(pi x) / (pi x).",
    [(T(2, 3, low=0.3),)],
)


def _sinc_slope(x: Any, y: Any) -> Any:
    return FUNCTIONS["where"](x == 0, 0.0, (cos(x * math.pi) - y) / x)


rad2deg = unary(
    "rad2deg",
    lambda x: x * x.dtype.type(180 / math.pi),
    lambda g: g * (180 / math.pi),
    "Return degrees.",
)
deg2rad = unary(
    "deg2rad",
    lambda x: x * x.dtype.type(math.pi / 180),
    lambda g: g * (math.pi / 180),
    "Return radians.",
)

# --- the activations that torch has at its top level


def _sigmoid(x: Array) -> Any:
    # exp of a negative number only: no overflow on either side.
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


sigmoid = unary(
    "sigmoid",
    _sigmoid,
    lambda g, y: g * ((1 - y) * y),
    "Return ``1 / (1 + exp(-input))``, in (0, 1).",
)
FUNCTIONS["expit"] = sigmoid
relu = unary(
    "relu",
    lambda x: np.maximum(x, 0),
    lambda g, y: g * (y > 0),
    "Return the input where it is positive, else 0.",
    floats=False,
)
logit = unary(
    "logit",
    lambda x: np.log(x / (1 - x)),
    lambda g, input: g / (input * (1 - input)),
    "Return ``log(input / (1 - input))``.",
    [(T(2, 3, low=0.1, high=0.9),)],
)

_kernel: Any

# --- rounding and signs: flat everywhere, so their gradient is zero

for _name, _kernel, _doc in (
    ("floor", np.floor, "Round down."),
    ("ceil", np.ceil, "Round up."),
    ("trunc", np.trunc, "Round towards zero."),
    ("fix", np.trunc, "Round towards zero."),
):
    unary(_name, _kernel, lambda g: g * 0.0, _doc, floats=False, gradcheck=False)
sign = unary(
    "sign", np.sign, lambda g: g * 0.0, "Return -1, 0 or 1.", floats=False, gradcheck=False
)
sgn = unary(
    "sgn",
    lambda x: np.sign(x),
    lambda g: g * 0.0,
    "Return -1, 0 or 1; for a complex value the point on the unit circle.",
    floats=False,
    gradcheck=False,
)
unary("signbit", np.signbit, None, "Tell whether the sign bit is set.", floats=False, inplace=False)
frac = unary("frac", lambda x: x - np.trunc(x), lambda g: g, "Return the fraction.", floats=False)


@operation(
    "round",
    gradient={"input": lambda g: g * 0.0},
    methods=True,
    inplace=True,
    samples=[(T(2, 3),), S(T(2, 3), decimals=1)],
    gradcheck=False,
)
def round_(input: Array, decimals: int = 0) -> Any:
    """Round to the nearest; halves go to the even neighbour."""
    return np.round(input, decimals) if input.dtype.kind in "fc" else input.copy()


# --- comparison and logic: booleans, without gradient

COMPARED = [
    (T(2, 3), T(2, 3)),
    (T(2, 3), T(3)),
    (T(2, 3), 0.5),
    (T(2, 3, kind="int"), T(2, 3, kind="int")),
]
for _name, _kernel, _others, _doc in (
    ("eq", np.equal, (), "Tell where two values are equal."),
    ("ne", np.not_equal, ("not_equal",), "Tell where two values differ."),
    ("lt", np.less, ("less",), "Tell where ``input < other``."),
    ("le", np.less_equal, ("less_equal",), "Tell where ``input <= other``."),
    ("gt", np.greater, ("greater",), "Tell where ``input > other``."),
    ("ge", np.greater_equal, ("greater_equal",), "Tell where ``input >= other``."),
):
    binary(
        _name,
        _kernel,
        None,
        None,
        _doc,
        COMPARED,
        functions=(_name, *_others),
        methods=(_name, *_others),
    )
BOOLS = [(T(2, 3, kind="bool"), T(2, 3, kind="bool")), (T(2, 3, kind="bool"), T(3, kind="bool"))]
INTS = [(T(2, 3, kind="int"), T(2, 3, kind="int")), (T(2, 3, kind="int"), 3), BOOLS[0]]
for _name, _kernel, _doc in (
    ("logical_and", np.logical_and, "Tell where both are true."),
    ("logical_or", np.logical_or, "Tell where at least one is true."),
    ("logical_xor", np.logical_xor, "Tell where exactly one is true."),
):
    binary(_name, _kernel, None, None, _doc, BOOLS)
for _name, _kernel, _doc in (
    ("bitwise_and", np.bitwise_and, "Return the bits set in both."),
    ("bitwise_or", np.bitwise_or, "Return the bits set in at least one."),
    ("bitwise_xor", np.bitwise_xor, "Return the bits set in exactly one."),
):
    binary(_name, _kernel, None, None, _doc, INTS)
SHIFTS = [(T(2, 3, kind="int", low=0, high=5), T(2, 3, kind="int", low=0, high=4))]
binary("bitwise_left_shift", np.left_shift, None, None, "Shift bits left.", SHIFTS)
binary("bitwise_right_shift", np.right_shift, None, None, "Shift bits right.", SHIFTS)
binary("gcd", np.gcd, None, None, "Return the greatest common divisor.", SHIFTS)
binary("lcm", np.lcm, None, None, "Return the least common multiple.", SHIFTS)
unary("logical_not", np.logical_not, None, "Tell where false.", floats=False)
unary(
    "bitwise_not",
    np.invert,
    None,
    "Return the bits inverted.",
    [(T(2, 3, kind="int"),), (T(2, 3, kind="bool"),)],
    floats=False,
)
for _name, _kernel, _doc in (
    ("isnan", np.isnan, "Tell where the value is nan."),
    ("isinf", np.isinf, "Tell where the value is infinite."),
    ("isfinite", np.isfinite, "Tell where the value is neither infinite nor nan."),
    ("isposinf", np.isposinf, "Tell where the value is +inf."),
    ("isneginf", np.isneginf, "Tell where the value is -inf."),
    ("isreal", np.isreal, "Tell where the imaginary part is 0."),
):
    unary(_name, _kernel, None, _doc, floats=False, inplace=False)

# --- complex parts

conj_physical = unary(
    "conj_physical", np.conj, lambda g: conj(g), "Return the complex conjugate.", floats=False
)
METHODS["conj"] = FUNCTIONS["conj"] = conj_physical
METHODS["resolve_conj"] = FUNCTIONS["resolve_conj"] = lambda input: input


def _angle_back(g: Any, input: Any) -> Any:
    if not is_complex(input):
        return g * 0.0
    size = FUNCTIONS["abs"](input)
    return g * (input * 1j) / (size * size)


unary(
    "angle",
    np.angle,
    _angle_back,
    "Return the angle of a complex value; pi for negative real ones, 0 for others.",
    [(T(2, 3),), (T(2, 3, kind="complex"),)],
    inplace=False,
)
