"""Small means that kernels share: constants, parts of arrays, and loops that vectorise.

``f`` in a kernel is a pointer to numbers of the dtype that it works in.
"""

from typing import Any

from llvmlite import ir
from numba import njit, types
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


def _extreme(name: str, flags: tuple[str, ...] = ("nsz",)) -> Any:
    def of_two(typing_context: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = args[0].type
            suffix = "f32" if isinstance(kind, ir.FloatType) else "f64"
            full = f"llvm.{name}.{suffix}"
            function = builder.module.globals.get(full)
            if function is None:
                made = ir.FunctionType(kind, [kind, kind])
                function = ir.Function(builder.module, made, full)
            return builder.call(function, args, fastmath=flags)

        return x(x, x), generate

    return intrinsic(of_two)


maximum = _extreme("maximum")
"""The larger of two numbers, NaN if one is NaN; also the largest of a row vectorises so."""
minimum = _extreme("minimum")
"""The smaller of two numbers, NaN if one is NaN."""
larger = _extreme("maxnum", ("nnan", "nsz"))
"""The larger of two numbers, anything if one is NaN: one instruction."""
smaller = _extreme("minnum", ("nnan", "nsz"))
"""The smaller of two numbers, anything if one is NaN."""


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


_ARRAYS = 16


def _tell_apart(builder: Any, instruction: Any, number: int) -> None:
    """Let LLVM know that this access never meets one of an array with another number."""
    module = builder.module
    domain = module.add_metadata(["gradcore arrays"])
    scopes = [module.add_metadata([f"gradcore array {i}", domain]) for i in range(_ARRAYS)]
    others = [scope for i, scope in enumerate(scopes) if i != number]
    instruction.set_metadata("alias.scope", module.add_metadata([scopes[number]]))
    instruction.set_metadata("noalias", module.add_metadata(others))


@intrinsic(prefer_literal=True)
def get(typing_context: Any, pointer: Any, index: Any, number: Any) -> Any:
    """Return a value of the array that has this literal ``number`` in this function.

    A loop over many arrays does not become vectors, because LLVM would have to compare them all
    to see that they do not overlap. Arrays read and written by number are told not to: those with
    different numbers must never share memory, in the whole kernel.
    """
    if not isinstance(number, types.IntegerLiteral):
        return None
    place = number.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        load = builder.load(builder.gep(args[0], [args[1]]))
        _tell_apart(builder, load, place)
        return load

    return pointer.dtype(pointer, types.int64, number), generate


@intrinsic(prefer_literal=True)
def put(typing_context: Any, pointer: Any, index: Any, value: Any, number: Any) -> Any:
    """Set a value of the array that has this literal ``number``; see ``get``."""
    if not isinstance(number, types.IntegerLiteral):
        return None
    place = number.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        store = builder.store(args[2], builder.gep(args[0], [args[1]]))
        _tell_apart(builder, store, place)
        return context.get_dummy_value()

    return types.none(pointer, types.int64, pointer.dtype, number), generate


FLAGS = {"reassoc", "nsz", "contract", "arcp"}
"""What the compiler may do to sums and products in helpers; as in kernels, never to NaN."""

part = njit(error_model="numpy", fastmath=FLAGS, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Makes a function one that kernels may call; nothing else can, which saves compiling it twice."""


@part
def fill(x: Any, n: int, value: Any) -> None:
    """Set ``n`` values."""
    for i in range(n):
        x[i] = value


@part
def transpose(x: Any, x_row: int, y: Any, y_row: int, rows: int, columns: int) -> None:
    """Write the transpose of ``rows`` x ``columns`` values, whose rows lie ``x_row`` apart.

    Some rows at a time: what is written of a line of memory is then written together.
    """
    for first in range(0, rows, 16):
        count = min(16, rows - first)
        for j in range(columns):
            source, target = at(x, first * x_row + j), at(y, j * y_row + first)
            if count == 16:
                for i in range(16):
                    target[i] = source[i * x_row]
            else:
                for i in range(count):
                    target[i] = source[i * x_row]
