"""Small means that kernels share: constants, parts of arrays, and loops that vectorise.

``f`` in a kernel is a pointer to numbers of the dtype that it works in.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

VECTOR = 64
"""How many bytes ``copy_blocks`` moves at a time, and so how far it may read and write too far."""


@intrinsic
def real(typing_context: Any, value: Any, f: Any) -> Any:
    """Return a number in the dtype that ``f`` points to; numba takes plain ones as float64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.cast(builder, args[0], value, f.dtype)

    return f.dtype(value, f), generate


@intrinsic
def at(typing_context: Any, pointer: Any, offset: Any) -> Any:
    """Return the pointer ``offset`` values further on."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return pointer(pointer, types.int64), generate


def _extreme(name: str) -> Any:
    def of_two(typing_context: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = args[0].type
            suffix = "f32" if isinstance(kind, ir.FloatType) else "f64"
            full = f"llvm.{name}.{suffix}"
            function = builder.module.globals.get(full)
            if function is None:
                made = ir.FunctionType(kind, [kind, kind])
                function = ir.Function(builder.module, made, full)
            return builder.call(function, args, fastmath=("nsz",))

        return x(x, x), generate

    return intrinsic(of_two)


maximum = _extreme("maximum")
"""The larger of two numbers, NaN if one is NaN; also the largest of a row vectorises so."""
minimum = _extreme("minimum")
"""The smaller of two numbers, NaN if one is NaN."""


@intrinsic
def copy_block(typing_context: Any, target: Any, source: Any) -> Any:
    """Copy ``VECTOR`` bytes, wherever they lie."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        size = context.get_abi_sizeof(context.get_data_type(target.dtype))
        kind = ir.VectorType(context.get_value_type(target.dtype), VECTOR // size).as_pointer()
        into, out_of = (builder.bitcast(item, kind) for item in args)
        builder.store(builder.load(out_of, align=size), into, align=size)
        return context.get_dummy_value()

    return types.none(target, target), generate
