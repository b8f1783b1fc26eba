"""Operations of gradcore that are a few steps or copies, and so may join longer chains.

Each lowering takes the table and what the operation's function takes, operands for arrays. It
serves where the calls of NumPy that the function makes cannot be followed, or are more.
"""

import math
from collections.abc import Callable
from typing import Any

from gradcore.native import basic, steps
from gradcore.native.builder import DOUBLE, INTEGER, SINGLE, Table, UnsupportedError
from gradcore.native.entry import Operand
from gradcore.native.layout import broadcast
from gradcore.native.numpy_calls import part
from gradcore.native.ufuncs import stored
from gradcore.ops.every import OPERATIONS
from gradcore.ops.shape import kept

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""The lowering of each such function of gradcore."""
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)


def enters(*functions: Any) -> Callable[[Any], Any]:
    """Enter the lowering below for these functions of gradcore."""

    def enter(lowering: Any) -> Any:
        for function in functions:
            FUNCTIONS[function] = lowering
        return lowering

    return enter


def kernel_of(name: str) -> Any:
    """Return the function of an operation."""
    return OPERATIONS[name].kernel


def slope_of(name: str, of: str = "input") -> Any:
    """Return the gradient function of an operation."""
    return OPERATIONS[name].gradients[of]


def is_float(x: Any) -> bool:
    """Tell whether this is an operand of real numbers that kernels know."""
    return isinstance(x, Operand) and x.dtype in (SINGLE, DOUBLE)


def step(table: Table, what: int, *sources: Any) -> Operand:
    """Return a new value of the shape and dtype of the first source."""
    first = sources[0]
    if not is_float(first):
        raise UnsupportedError
    return table.element(what, table.empty(first.shape, first.dtype), *sources)


# --- element-wise


def _unary(name: str, what: int) -> None:
    def lower(table: Table, input: Any) -> Operand:
        return step(table, what, input)

    FUNCTIONS[kernel_of(name)] = lower


for _name, _what in (("sigmoid", steps.SIGMOID), ("tanh", steps.TANH), ("erf", steps.ERF)):
    _unary(_name, _what)


@enters(slope_of("relu"))
def _relu_slope(table: Table, g: Any, y: Any) -> Operand:
    if not isinstance(g, Operand) or g.shape != y.shape or g.dtype != y.dtype:
        raise UnsupportedError
    return step(table, steps.WHERE, step(table, steps.GREATER, y, 0.0), g, 0.0)


@enters(kernel_of("gelu_normal"))
def _gelu(table: Table, input: Any) -> tuple[Operand, Operand]:
    cumulative = step(table, steps.CUMULATIVE, input)
    return step(table, steps.MULTIPLY, input, cumulative), cumulative


@enters(OPERATIONS["gelu_normal"].joint)
def _gelu_slope(table: Table, g: Any, needs: Any, input: Any, cumulative: Any) -> Any:
    if g[0] is None or g[1] is not None or g[0].shape != input.shape:
        raise UnsupportedError
    half = step(table, steps.MULTIPLY, step(table, steps.SQUARE, input), -0.5)
    density = step(table, steps.MULTIPLY, step(table, steps.EXP, half), _DENSITY)
    slope = step(table, steps.ADD, step(table, steps.MULTIPLY, density, input), cumulative)
    return (step(table, steps.MULTIPLY, slope, g[0]),)


@enters(kernel_of("logaddexp"))
def _log_add_exp(table: Table, input: Any, other: Any) -> Operand:
    # log(exp(x) + exp(0)): what softplus and its kin ask for. Two infinities need more care.
    if not is_float(input) or isinstance(other, Operand) or other != 0:
        raise UnsupportedError
    return step(table, steps.SOFTPLUS, input)


@enters(kernel_of("sub"))
def _difference(table: Table, input: Any, other: Any) -> Operand:
    return _arithmetic(table, steps.SUBTRACT, input, other)


@enters(kernel_of("rsub"))
def _reversed_difference(table: Table, input: Any, other: Any) -> Operand:
    return _arithmetic(table, steps.SUBTRACT, other, input)


def _arithmetic(table: Table, what: int, first: Any, second: Any) -> Operand:
    arrays = [x for x in (first, second) if isinstance(x, Operand)]
    if not all(map(is_float, arrays)) or len({x.dtype for x in arrays}) != 1:
        raise UnsupportedError
    if not all(isinstance(x, (Operand, int, float)) for x in (first, second)):
        raise UnsupportedError
    shape = arrays[0].shape
    if len(arrays) == 2 and arrays[0].shape != arrays[1].shape:
        shape = _common(arrays[0].shape, arrays[1].shape)
    return stored(table, what, table.empty(shape, arrays[0].dtype), (first, second))


def _common(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    length = max(len(first), len(second))
    padded = [(1,) * (length - len(shape)) + shape for shape in (first, second)]
    return tuple(b if a == 1 else a for a, b in zip(*padded, strict=True))


@enters(kernel_of("add"))
def _sum(table: Table, input: Any, other: Any) -> Operand:
    if isinstance(input, Operand) and input.dtype == INTEGER and type(other) is int:
        # A count that goes up.
        target = table.empty(input.shape, INTEGER)
        source = table.contiguous(input)
        table.call(basic.add_integer, target, source, input.size, other, dtype=SINGLE)
        return target
    return _arithmetic(table, steps.ADD, input, other)


# --- copies and views


@enters(kernel_of("view"))
def _view(table: Table, input: Operand, shape: Any) -> Operand:
    lengths = [int(one) for one in ((shape,) if isinstance(shape, int) else shape)]
    known = math.prod(one for one in lengths if one != -1)
    if -1 in lengths:
        lengths[lengths.index(-1)] = input.size // max(known, 1)
    if math.prod(lengths) != input.size:
        raise UnsupportedError
    return table.view(table.contiguous(input), lengths)


@enters(kernel_of("clone"))
def _clone(table: Table, input: Operand, memory_format: Any = None) -> Operand:
    made = table.empty(input.shape, input.dtype)
    table.copy(made, input)
    return made


@enters(slope_of("sum"))
def _sum_slope(table: Table, g: Operand, shape: Any, dim: Any, keepdim: bool) -> Operand:
    return spread(table, g, shape, dim, keepdim)


@enters(slope_of("mean"))
def _mean_slope(table: Table, g: Operand, shape: Any, dim: Any, keepdim: bool) -> Operand:
    count = math.prod(shape) // max(g.size, 1)
    share = step(table, steps.DIVIDE, g, float(max(count, 1)))
    return spread(table, share, shape, dim, keepdim)


def spread(table: Table, g: Operand, shape: Any, dim: Any, keepdim: bool) -> Operand:
    """Return what is left of a reduction as it is seen in the shape before it."""
    if not isinstance(g, Operand):
        raise UnsupportedError
    if not keepdim and len(shape):
        g = table.view(table.contiguous(g), kept(shape, dim))
    return broadcast(g, tuple(shape))


@enters(slope_of("pick"))
def _place(table: Table, g: Operand, shape: Any, index: Any) -> Operand:
    whole = table.zeros(tuple(shape), g.dtype)
    table.copy(part(whole, index), g)
    return whole


@enters(kernel_of("constant_pad_nd"))
def _pad(table: Table, input: Operand, pad: Any, value: float = 0.0) -> Operand:
    if not is_float(input):
        raise UnsupportedError
    lead = len(input.shape) - len(pad) // 2
    widths = [(0, 0)] * lead + [
        (pad[2 * i], pad[2 * i + 1]) for i in reversed(range(len(pad) // 2))
    ]
    shape, source, target = [], [], []
    for size, (left, right) in zip(input.shape, widths, strict=True):
        shape.append(size + left + right)
        source.append(slice(max(-left, 0), size - max(-right, 0)))
        target.append(slice(max(left, 0), max(left, 0) + size + min(left, 0) + min(right, 0)))
    made = table.empty(shape, input.dtype)
    table.call(basic.fill, made, made.size, reals=(float(value),), dtype=input.dtype)
    table.copy(part(made, tuple(target)), part(input, tuple(source)))
    return made


@enters(slope_of("constant_pad_nd"))
def _pad_slope(table: Table, g: Operand, pad: Any) -> Any:
    return _pad(table, g, [-width for width in pad])
