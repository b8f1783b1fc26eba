"""Operations on each value of one tensor: exponentials, trigonometry, activations."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array
from gradcore.ops.choosing import at_least
from gradcore.ops.numbers import promoted
from gradcore.ops.registry import CALLS, FUNCTIONS, METHODS, T, operation


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
    "square",
    np.square,
    lambda g, input: g * (2 * conj(input)),
    "Return the square.",
    floats=False,
    grad_name="Pow#0",
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


def _by_slope_of_tanh(g: Any, y: Any) -> Any:
    if type(g) is not np.ndarray or not g.ndim or g.dtype is not y.dtype:
        return g * (1 - y * y)
    out = np.multiply(y, y)
    np.subtract(1, out, out)
    return np.multiply(g, out, out)


tanh = unary("tanh", np.tanh, _by_slope_of_tanh, "Return the hyperbolic tangent, in (-1, 1).")
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
    # As torch: where exp overflows, 1 / inf is the 0 that is meant.
    e = np.exp(-x)
    if type(e) is not np.ndarray:
        return 1 / (1 + e)
    np.add(e, 1, out=e)
    return np.divide(1, e, out=e)


def _by_slope_of_sigmoid(g: Any, y: Any) -> Any:
    if type(g) is not np.ndarray or not g.ndim or g.dtype is not y.dtype:
        return g * ((1 - y) * y)
    out = np.subtract(1, y)
    np.multiply(out, y, out)
    return np.multiply(g, out, out)


sigmoid = unary(
    "sigmoid",
    _sigmoid,
    _by_slope_of_sigmoid,
    "Return ``1 / (1 + exp(-input))``, in (0, 1).",
)
FUNCTIONS["expit"] = sigmoid


def _where_positive(g: Any, y: Any) -> Any:
    """Return ``g`` where ``y`` is positive, else 0, also where ``g`` is NaN or infinite."""
    if type(g) is not np.ndarray or g.dtype.kind != "f":
        return FUNCTIONS["where"](y > 0, g, 0)
    # All bits or none: np.where takes ten times as long, and a product would keep NaN.
    bits = np.dtype(f"i{g.itemsize}")
    mask = np.array(y > 0, dtype=bits)
    np.negative(mask, out=mask)
    mask &= g.view(bits)
    return mask.view(g.dtype)


relu = unary(
    "relu",
    lambda x: at_least(x, 0),
    lambda g, y: _where_positive(g, y),
    "Return the input where it is positive, else 0.",
    floats=False,
)
logit_of = unary(
    "logit",
    lambda x: np.log(x / (1 - x)),
    lambda g, input: g / (input * (1 - input)),
    "Return ``log(input / (1 - input))``.",
    [(T(2, 3, low=0.1, high=0.9),)],
)


def logit(input: Any, eps: float | None = None, *, out: Any = None) -> Any:
    """Return ``log(input / (1 - input))``; ``eps`` keeps the input off 0 and 1."""
    if eps is not None:
        input = FUNCTIONS["clamp"](input, eps, 1 - eps)
    return logit_of(input, out=out)


FUNCTIONS["logit"] = METHODS["logit"] = logit

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
