"""Pooling of windows of 2 x 2, some sixteen windows at a time.

Rows of images are short: a loop that the compiler turns into vectors would spend them in its rest.
So these are written down as vectors, of which only the first lanes may be in use.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gradcore.native.kernels.values import VECTOR

_BYTE = ir.IntType(8)


class _Lanes:
    """Vectors of one dtype in the making, of which the first ``count`` lanes are in use."""

    def __init__(self, builder: Any, kind: Any, count: Any) -> None:
        self.builder = builder
        self.kind = kind
        self.length = VECTOR // (4 if isinstance(kind, ir.FloatType) else 8)
        self.bits = 32 if self.length == 16 else 64
        self.vector = ir.VectorType(kind, self.length)
        self.count = count

    def used(self, count: Any, first: int = 0) -> Any:
        """Return the mask of lanes below ``count``, the lanes counted from ``first``."""
        integer = ir.IntType(32)
        numbers = ir.VectorType(integer, self.length)
        indices = ir.Constant(numbers, [first + i for i in range(self.length)])
        limit = self.builder.trunc(count, integer)
        limits = self.spread(limit, numbers)
        return self.builder.icmp_signed("<", indices, limits)

    def spread(self, value: Any, vector: Any) -> Any:
        """Return a vector with the same value in each lane."""
        first = ir.Constant(ir.IntType(32), 0)
        single = self.builder.insert_element(ir.Constant(vector, ir.Undefined), value, first)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.length), [0] * self.length)
        return self.builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), zeros)

    def _memory(self, verb: str, vector: Any, result: Any, arguments: list[Any]) -> Any:
        bits = self.bits if vector is self.vector else 8
        letter = "f" if vector is self.vector else "i"
        name = f"llvm.masked.{verb}.v{self.length}{letter}{bits}.p0"
        function = self.builder.module.globals.get(name)
        if function is None:
            kind = ir.FunctionType(result, [item.type for item in arguments])
            function = ir.Function(self.builder.module, kind, name)
        return self.builder.call(function, arguments)

    def load(self, pointer: Any, mask: Any, vector: Any = None) -> Any:
        """Return a vector from memory; lanes outside of the mask are zero."""
        vector = vector or self.vector
        size = 1 if vector is not self.vector else self.bits // 8
        align, rest = ir.Constant(ir.IntType(32), size), ir.Constant(vector, None)
        place = self.builder.bitcast(pointer, vector.as_pointer())
        return self._memory("load", vector, vector, [place, align, mask, rest])

    def store(self, value: Any, pointer: Any, mask: Any) -> None:
        """Write the lanes of the mask."""
        size = self.bits // 8 if value.type.element == self.kind else 1
        vector = self.vector if size > 1 else value.type
        place = self.builder.bitcast(pointer, vector.as_pointer())
        align = ir.Constant(ir.IntType(32), size)
        self._memory("store", vector, ir.VoidType(), [value, place, align, mask])

    def choose(self, first: Any, second: Any, places: list[int]) -> Any:
        """Return lanes of two vectors, counted through both."""
        kind = ir.VectorType(ir.IntType(32), self.length)
        return self.builder.shuffle_vector(first, second, ir.Constant(kind, places))


@intrinsic
def lanes(typing_context: Any, f: Any) -> Any:
    """Return how many windows ``largest_of_pairs`` works on at a time."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        size = context.get_abi_sizeof(context.get_data_type(f.dtype))
        return context.get_constant(types.int64, VECTOR // size)

    return types.int64(f), generate


@intrinsic
def largest_of_pairs(
    typing_context: Any, top: Any, bottom: Any, y: Any, chosen: Any, count: Any
) -> Any:
    """Write the largest of each 2 x 2 values of two rows, and which it was; ``count`` windows."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_value_type(top.dtype)
        v = _Lanes(builder, kind, args[4])
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
        v = _Lanes(builder, kind, args[4])
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
