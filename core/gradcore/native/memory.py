"""Addresses as pointers, inside of kernels, and calls of a kernel by its address."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def pointer(typing_context: Any, address: Any, like: Any) -> Any:
    """Return ``address`` as a pointer to the same kind of values as ``like`` points to."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return like(types.int64, like), generate


def _pointer_to(kind: Any) -> Any:
    def typed(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return types.CPointer(kind)(types.int64), generate

    return intrinsic(typed)


bytes_at = _pointer_to(types.uint8)
integers_at = _pointer_to(types.int64)
integers32_at = _pointer_to(types.int32)
floats32_at = _pointer_to(types.float32)
floats64_at = _pointer_to(types.float64)


@intrinsic
def width_of(typing_context: Any, like: Any) -> Any:
    """Return how many bytes one value has that ``like`` points to."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        size = context.get_abi_sizeof(context.get_data_type(like.dtype))
        return context.get_constant(types.int64, size)

    return types.int64(like), generate


@intrinsic
def call_kernel(typing_context: Any, function: Any, words: Any, reals: Any) -> Any:
    """Call the kernel at the address ``function``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = cgutils.voidptr_t
        kind = ir.FunctionType(ir.VoidType(), [place, place])
        target = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(target, [builder.inttoptr(item, place) for item in args[1:]])
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, types.int64), generate
