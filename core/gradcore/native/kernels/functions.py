"""Mathematical functions that LLVM turns into vector instructions wherever they stand in a loop.

numba calls the C library for each single value. These are written down as instructions instead,
without branches, for float32 and float64, accurate to about 2 units in the last place. NaN and
infinity come out as from NumPy. All kernels use them.

The instructions carry their own flags: a kernel that allows its sums to be reordered must not
reorder these, whose rounding steps are their meaning.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@dataclass(frozen=True)
class _Format:
    """What depends on the precision: its layout, and polynomials fitted to it.

    ``exp`` is (exp(r) - 1 - r) / r^2 on |r| <= log(2) / 2. ``log`` and ``log1p`` are
    (2 atanh(s) - 2 s) / s^3 in s^2, for arguments between sqrt(1/2) and sqrt(2), and 1 and 2.
    """

    bits: int
    fraction: int
    bias: int
    log2_high: float
    log2_low: float
    lowest: float
    highest: float
    saturated: float
    tiny: float
    exp: Sequence[float]
    log: Sequence[float]
    log1p: Sequence[float]

    @property
    def rounder(self) -> float:
        """The number whose addition rounds to an integer and leaves it in the lowest bits."""
        return 1.5 * 2.0**self.fraction


_SINGLE = _Format(
    bits=32,
    fraction=23,
    bias=127,
    log2_high=0.693359375,
    log2_low=-2.12194440054690583e-4,
    lowest=-104.0,
    highest=89.0,
    saturated=10.0,
    tiny=2.0**-126,
    exp=(
        0.49999999550098556, 0.1666657696226812, 0.04166685414319367, 0.00836320005159177,
        0.0013901305739640825,
    ),
    log=(0.6666666654944582, 0.40000125860571273, 0.285503730444791, 0.23342480385629186),
    log1p=(
        0.6666666664973684, 0.40000010900516836, 0.28570296246524124, 0.22264951347464693,
        0.17462221888883697, 0.2079657674816853,
    ),
)  # fmt: skip
_DOUBLE = _Format(
    bits=64,
    fraction=52,
    bias=1023,
    log2_high=0.6931471803691238,
    log2_low=1.9082149292705877e-10,
    lowest=-746.0,
    highest=710.0,
    saturated=20.0,
    tiny=2.0**-1022,
    exp=(
        0.5, 0.1666666666666667, 0.041666666666666644, 0.008333333333326084,
        0.0013888888888904602, 0.00019841269874957765, 2.4801587273517104e-05,
        2.755725524003201e-06, 2.7557325040173455e-07, 2.510528266413735e-08,
        2.08971751818718e-09,
    ),
    log=(
        0.6666666666666666, 0.40000000000000957, 0.2857142857075863, 0.22222222401586433,
        0.18181794608180094, 0.15386294894483485, 0.1326731515138643, 0.13101698179787263,
    ),
    log1p=(
        0.6666666666666666, 0.4000000000000017, 0.2857142857136613, 0.22222222231229458,
        0.18181817519716997, 0.15384643786124103, 0.1333256877850299, 0.11778087445610343,
        0.1037283105848502, 0.10654568795295032, 0.03665012913336989, 0.19551404457445148,
    ),
)  # fmt: skip
_ROOT_2 = 1.4142135623730951
# erf(x) / x in x^2 up to x = 1, and -log(1 - erf(x)) between 1 and 4, in single precision.
_ERF_NEAR = (
    1.1283791657266902, -0.37612625824093393, 0.11283585147028985, -0.026853811868980566,
    0.005188327559720172, -0.0008010192518014755, 7.8538576969459e-05,
)  # fmt: skip
_ERF_FAR = (
    -0.0002939648440667801, 1.1301303687691568, 0.6319970660118921, 0.10992369802276557,
    -0.02633476815292902, 0.004730032036918416, -0.0005906658672495181, 4.534913256091539e-05,
    -1.6022322678432445e-06,
)  # fmt: skip
# The normal distribution's cumulative function is (1 + tanh(x P(x^2))) / 2, as in `ops.blocked`.
_CUMULATIVE = (
    7.978849414603593e-01, 3.6333083574104696e-02, -3.259497587054414e-05, -5.53061935363147e-05,
    3.964744377304247e-06, -1.3226333569471297e-07, 1.756170613914394e-09,
)  # fmt: skip


# (sin(r) - r) / r^3 and (cos(r) - 1 + r^2 / 2) / r^4 in r^2 on |r| <= pi / 4, in single precision;
# and pi / 2 in three parts, of which the first two have so few bits that whole multiples are exact.
_SINE = (-0.16666654936689534, 0.008332177686227956, -0.0001951723466727766)
_COSINE = (0.04166664685459211, -0.0013887366909555285, 2.4438379431086264e-05)
_QUARTER_TURN = (1.5703125, 4.837512969970703e-04, 7.549789954891882e-08)
TURNS_IN_FLOAT32 = 4096.0
"""Up to this magnitude `sine` and `cosine` of a float32 are right."""


class Real:
    """A floating-point value whose instructions are being written."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = value
        self.format = _SINGLE if isinstance(value.type, ir.FloatType) else _DOUBLE

    def of(self, value: Any) -> "Real":
        """Return an instruction's result as a Real."""
        return Real(self.builder, value)

    def number(self, value: Any) -> Any:
        """Return the LLVM value of a Real or of a Python number."""
        return value.value if isinstance(value, Real) else ir.Constant(self.value.type, value)

    def _with(self, name: str, other: Any) -> "Real":
        # "contract" lets a product and a sum become one instruction, and nothing else.
        made = getattr(self.builder, name)(self.value, self.number(other), flags=("contract",))
        return self.of(made)

    def __add__(self, other: Any) -> "Real":
        return self._with("fadd", other)

    def __sub__(self, other: Any) -> "Real":
        return self._with("fsub", other)

    def __mul__(self, other: Any) -> "Real":
        return self._with("fmul", other)

    def __truediv__(self, other: Any) -> "Real":
        return self._with("fdiv", other)

    def __neg__(self) -> "Real":
        return self.of(self.builder.fneg(self.value))

    def is_(self, relation: str, other: Any) -> Any:
        """Compare; with NaN this is false, except for "!=" (and "uno": true only with NaN)."""
        compare = self.builder.fcmp_unordered if relation in ("!=", "uno") else None
        compare = compare or self.builder.fcmp_ordered
        return compare(relation, self.value, self.number(other), flags=("contract",))

    def or_if(self, condition: Any, other: Any) -> "Real":
        """Return ``other`` where the condition holds, else this."""
        return self.of(self.builder.select(condition, self.number(other), self.value))

    def bits(self) -> Any:
        """Return the value's bits as an integer."""
        return self.builder.bitcast(self.value, ir.IntType(self.format.bits))

    def from_bits(self, bits: Any) -> "Real":
        """Return an integer's bits as a value."""
        return self.of(self.builder.bitcast(bits, self.value.type))

    def integer(self, value: int) -> Any:
        """Return an integer constant as wide as the value."""
        return ir.Constant(ir.IntType(self.format.bits), value)

    def magnitude(self) -> "Real":
        """Return the absolute value."""
        return self.from_bits(
            self.builder.and_(self.bits(), self.integer((1 << (self.format.bits - 1)) - 1))
        )

    def signed_as(self, other: "Real") -> "Real":
        """Return a value that is not negative with the sign of another."""
        sign = self.integer(1 << (self.format.bits - 1))
        return self.from_bits(self.builder.or_(self.bits(), self.builder.and_(other.bits(), sign)))

    def polynomial(self, coefficients: Sequence[float]) -> "Real":
        """Return the polynomial of this value; the constant term stands first."""
        total = self.of(self.number(coefficients[-1]))
        for coefficient in reversed(coefficients[:-1]):
            total = total * self + coefficient
        return total


def _reduced(x: Real) -> tuple[Real, Any]:
    """Return (exp(r) - 1, n) with x = n log(2) + r; x must be within the format's range."""
    f = x.format
    turned = x * (1.0 / 0.6931471805599453) + f.rounder
    n = turned - f.rounder
    r = (x - n * f.log2_high) - n * f.log2_low
    whole = x.builder.sub(turned.bits(), x.of(x.number(f.rounder)).bits())
    return r * r * r.polynomial(f.exp) + r, whole


def _power_of_two(like: Real, n: Any) -> Real:
    b, f = like.builder, like.format
    return like.from_bits(b.shl(b.add(n, like.integer(f.bias)), like.integer(f.fraction)))


def _limited(x: Real, low: float, high: float) -> Real:
    """Limit a value; NaN stays."""
    x = x.or_if(x.is_("<", low), low)
    return x.or_if(x.is_(">", high), high)


def _exp(x: Real) -> Real:
    f = x.format
    more, n = _reduced(_limited(x, f.lowest, f.highest))
    # In two halves: each power of two can be represented where their product cannot.
    half = x.builder.ashr(n, x.integer(1))
    rest = x.builder.sub(n, half)
    return (more + 1.0) * _power_of_two(x, half) * _power_of_two(x, rest)


def _expm1(x: Real) -> Real:
    f = x.format
    more, n = _reduced(_limited(x, f.lowest, f.highest))
    half = x.builder.ashr(n, x.integer(1))
    rest = x.builder.sub(n, half)
    first, second = _power_of_two(x, half), _power_of_two(x, rest)
    # More than the largest power that there is has no use for the 1.
    large = x.of(x.builder.sitofp(n, x.value.type)).is_(">", float(f.bias - 1))
    near = more * first * second + (first * second - 1.0)
    return near.or_if(large, (more + 1.0) * first * second)


def _tanh(x: Real) -> Real:
    f = x.format
    within = _limited(x, -f.saturated, f.saturated)
    more, n = _reduced(within + within)
    scale = _power_of_two(x, n)
    less = more * scale + (scale - 1.0)
    # As exp(2x) - 1 over itself plus 2, which is exact near zero too.
    return less / (less + 2.0)


def _sigmoid(x: Real) -> Real:
    return x.of(x.number(1.0)) / (_exp(-x) + 1.0)


def _log(x: Real) -> Real:
    b, f = x.builder, x.format
    # Lift what is too small to be written with a leading 1.
    small = x.is_("<", f.tiny)
    lifted = x.or_if(small, x * 2.0 ** (f.fraction + 2))
    offset = b.select(small, x.integer(f.fraction + 2), x.integer(0))
    # Count from sqrt(1/2) on, so that the rest lies around 1.
    start = x.of(x.number(_ROOT_2 / 2)).bits()
    above = b.sub(lifted.bits(), start)
    n = b.ashr(above, x.integer(f.fraction))
    fraction = b.and_(above, x.integer((1 << f.fraction) - 1))
    m = x.from_bits(b.add(fraction, start))
    # An integer next to the rounder's lowest bits, read as a number: faster than converting.
    rounder = x.of(x.number(f.rounder))
    power = x.from_bits(b.add(rounder.bits(), b.sub(n, offset))) - f.rounder
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    result = s * 2.0 + (s * square * square.polynomial(f.log) + power * f.log2_low)
    result = result + power * f.log2_high
    result = result.or_if(x.is_("==", 0.0), float("-inf"))
    result = result.or_if(x.is_("<", 0.0), float("nan"))
    result = result.or_if(x.is_("uno", x), x)
    return result.or_if(x.is_("==", float("inf")), x)


def _log1p_unit(x: Real) -> Real:
    """Return log(1 + x) for x between 0 and 1."""
    s = x / (x + 2.0)
    square = s * s
    return s * 2.0 + s * square * square.polynomial(x.format.log1p)


def _log1p(x: Real) -> Real:
    up = x + 1.0
    # What rounding 1 + x lost, as a share of it.
    lost = (x - (up - 1.0)) / up
    result = _log(up) + lost
    result = result.or_if(up.is_("==", float("inf")), up)
    return result.or_if(up.is_("==", 0.0), float("-inf")).or_if(x.is_("==", 0.0), x)


def _softplus(x: Real) -> Real:
    """Return log(1 + exp(x)) without overflow."""
    above = x.or_if(x.is_("<", 0.0), 0.0)
    return above + _log1p_unit(_exp(-x.magnitude()))


def _erf(x: Real) -> Real:
    if x.format is _DOUBLE:
        return _library("erf", x)
    size = x.magnitude()
    near = x * (size * size).polynomial(_ERF_NEAR)
    within = size.or_if(size.is_(">", 4.0), 4.0)
    far = x.of(x.number(1.0)) - _exp(-within.polynomial(_ERF_FAR))
    return near.or_if(size.is_(">", 1.0), far.signed_as(x))


def _cumulative(x: Real) -> Real:
    """Return the normal distribution's cumulative function."""
    if x.format is _DOUBLE:
        return (_library("erf", x * (_ROOT_2 / 2)) + 1.0) * 0.5
    inner = x * (x * x).polynomial(_CUMULATIVE)
    return _tanh(inner) * 0.5 + 0.5


def _turned(x: Real, quarters: int) -> Real:
    """Return sin(x + quarters * pi / 2) for a float32 of no more than `TURNS_IN_FLOAT32`."""
    b, rounder = x.builder, x.format.rounder
    raised = x * (1.0 / 1.5707963267948966) + rounder
    n = raised - rounder
    r = x
    for part in _QUARTER_TURN:
        r = r - n * part
    square = r * r
    sine = (r + r * square * square.polynomial(_SINE)).or_if(r.is_("==", 0.0), r)
    cosine = x.of(x.number(1.0)) - square * 0.5 + square * square * square.polynomial(_COSINE)
    # The lowest two bits tell the quarter of the circle.
    where = b.add(raised.bits(), x.integer(quarters))
    is_odd = b.icmp_signed("!=", b.and_(where, x.integer(1)), x.integer(0))
    sign = b.shl(b.and_(where, x.integer(2)), x.integer(x.format.bits - 2))
    found = sine.or_if(is_odd, cosine)
    return found.from_bits(b.xor(found.bits(), sign))


def _sine(x: Real) -> Real:
    return _library("sin", x) if x.format is _DOUBLE else _turned(x, 0)


def _cosine(x: Real) -> Real:
    return _library("cos", x) if x.format is _DOUBLE else _turned(x, 1)


def _library(name: str, x: Real) -> Real:
    module = x.builder.module
    function = module.globals.get(name)
    if function is None:
        function = ir.Function(module, ir.FunctionType(x.value.type, [x.value.type]), name)
    return x.of(x.builder.call(function, [x.value]))


def _function(write: Callable[[Real], Real], doc: str) -> Any:
    """Return a function of one real for use in kernels; its precision is its argument's."""

    @intrinsic
    def function(typing_context: Any, x: Any) -> Any:
        if not isinstance(x, types.Float):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return write(Real(builder, arguments[0])).value

        return x(x), generate

    function.__doc__ = doc
    return function


exp = _function(_exp, "Return e to the power of x.")
expm1 = _function(_expm1, "Return exp(x) - 1, exact also near zero.")
tanh = _function(_tanh, "Return the hyperbolic tangent.")
sigmoid = _function(_sigmoid, "Return 1 / (1 + exp(-x)).")
log = _function(_log, "Return the natural logarithm.")
log1p = _function(_log1p, "Return log(1 + x), exact also near zero.")
softplus = _function(_softplus, "Return log(1 + exp(x)).")
erf = _function(_erf, "Return the error function.")
cumulative = _function(_cumulative, "Return the normal distribution's cumulative function.")
sine = _function(_sine, "Return the sine; of a float32 within `TURNS_IN_FLOAT32` only.")
cosine = _function(_cosine, "Return the cosine; of a float32 within `TURNS_IN_FLOAT32` only.")
magnitude = _function(Real.magnitude, "Return the absolute value.")


@intrinsic
def is_nan(typing_context: Any, x: Any) -> Any:
    """Tell whether a value is NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = Real(builder, arguments[0])
        return context.cast(builder, value.is_("uno", value), types.boolean, types.boolean)

    return types.boolean(x), generate
