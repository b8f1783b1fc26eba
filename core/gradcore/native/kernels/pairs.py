"""Pooling of windows of 2 x 2, some sixteen windows at a time.

Rows of images are short: a loop that the compiler turns into vectors would spend them in its rest.
So these are written down as vectors, of which only the first lanes may be in use.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gradcore.native.kernels.lanes import Lanes

_BYTE = ir.IntType(8)


@intrinsic
def largest_of_pairs(
    typing_context: Any, top: Any, bottom: Any, y: Any, chosen: Any, count: Any
) -> Any:
    """Write the largest of each 2 x 2 values of two rows, and which it was; ``count`` windows."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_value_type(top.dtype)
        v = Lanes(builder, kind, args[4])
        both = builder.add(args[4], args[4])
        low, high = v.used(both), v.used(both, v.length)
        even, odd = list(range(0, 2 * v.length, 2)), list(range(1, 2 * v.length, 2))
        parts = []
        for row in args[:2]:
            further = builder.gep(row, [ir.Constant(ir.IntType(64), v.length)])
            first, second = v.load(row, low), v.load(further, high)
            parts += [v.choose(first, second, even), v.choose(first, second, odd)]
        best = parts[0]
        numbers = ir.VectorType(_BYTE, v.length)
        number = ir.Constant(numbers, None)
        for place, values in enumerate(parts[1:], 1):
            # As torch: the first of equal values, and a NaN wherever there is one.
            is_larger = builder.fcmp_ordered(">", values, best, flags=("contract",))
            is_nan = builder.fcmp_unordered("uno", values, values, flags=("contract",))
            takes = builder.or_(is_larger, is_nan)
            best = builder.select(takes, values, best)
            number = builder.select(takes, ir.Constant(numbers, [place] * v.length), number)
        mask = v.used(args[4])
        v.store(best, args[2], mask)
        v.store(number, args[3], mask)
        return context.get_dummy_value()

    return types.none(top, top, top, chosen, types.int64), generate


@intrinsic
def spread_pairs(
    typing_context: Any, g: Any, chosen: Any, top: Any, bottom: Any, count: Any
) -> Any:
    """Write each value where the largest of its window stood, and zero beside it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_value_type(g.dtype)
        v = Lanes(builder, kind, args[4])
        mask, both = v.used(args[4]), builder.add(args[4], args[4])
        low, high = v.used(both), v.used(both, v.length)
        numbers = ir.VectorType(_BYTE, v.length)
        values, number = v.load(args[0], mask), v.load(args[1], mask, numbers)
        zero = ir.Constant(v.vector, None)
        half = v.length // 2
        mixed = [i // 2 + (i % 2) * v.length for i in range(v.length)]
        for row, first in ((args[2], 0), (args[3], 2)):
            left, right = [
                builder.select(
                    builder.icmp_unsigned("==", number, ir.Constant(numbers, [k] * v.length)),
                    values,
                    zero,
                )
                for k in (first, first + 1)
            ]
            further = builder.gep(row, [ir.Constant(ir.IntType(64), v.length)])
            v.store(v.choose(left, right, mixed), row, low)
            v.store(v.choose(left, right, [i + half for i in mixed]), further, high)
        return context.get_dummy_value()

    return types.none(g, chosen, g, g, types.int64), generate
