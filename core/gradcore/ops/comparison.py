"""Rounding, signs, comparison, logic and bits: no gradient, or a gradient of zero."""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.ops.elementwise import binary, unary
from gradcore.ops.registry import S, T, operation

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
