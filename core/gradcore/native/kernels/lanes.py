"""Vectors written down as such, for rows that are too short for a loop to become vectors.

What a loop has left after whole vectors is done value by value. Rows of images are often all rest;
here their last vector is done with some of its lanes out of use.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gradcore.native.kernels.values import VECTOR


class Lanes:
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
    """Return how many values fit in a vector."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        size = context.get_abi_sizeof(context.get_data_type(f.dtype))
        return context.get_constant(types.int64, VECTOR // size)

    return types.int64(f), generate


@intrinsic
def add_lanes(typing_context: Any, target: Any, source: Any, count: Any) -> Any:
    """Add the first ``count`` values of a vector to those of another."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        v = Lanes(builder, context.get_value_type(target.dtype), args[2])
        mask = v.used(args[2])
        total = builder.fadd(v.load(args[0], mask), v.load(args[1], mask), flags=("contract",))
        v.store(total, args[0], mask)
        return context.get_dummy_value()

    return types.none(target, target, types.int64), generate
