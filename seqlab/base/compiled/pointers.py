"""Addresses in compiled code, written as numba intrinsics. A pointer is indexed as an array is, from 0 up."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types

from .simd import Codegen, primitive


@primitive
def pointer(typing: Any, address: Any, kind: Any) -> tuple[Any, Codegen]:
    """pointer(address, kind): to the numbers at an address or where another pointer points; `kind` is a constant such
    as "float32"."""
    target = types.CPointer(getattr(types, kind.literal_value))

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        wanted = context.get_value_type(target)
        convert = builder.bitcast if isinstance(address, types.CPointer) else builder.inttoptr
        return convert(values[0], wanted)

    return target(address, kind), emit


@primitive
def after(typing: Any, numbers: Any, count: Any) -> tuple[Any, Codegen]:
    """after(numbers, count): where so many numbers have been passed."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.gep(values[0], [values[1]])

    return numbers(numbers, types.int64), emit


@primitive
def room(typing: Any, count: Any, kind: Any) -> tuple[Any, Codegen]:
    """room(count, kind): for a few numbers, as long as the function runs; both are constants."""
    target = types.CPointer(getattr(types, kind.literal_value))

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        number = context.get_value_type(target).pointee
        place = cgutils.alloca_once(builder, ir.ArrayType(number, count.literal_value))
        return builder.bitcast(place, number.as_pointer())

    return target(count, kind), emit


@primitive
def call(typing: Any, address: Any, *arguments: Any) -> tuple[Any, Codegen]:
    """call(address, ...): the kernel there (`seqlab.base.native`)."""
    taken = types.BaseTuple.from_types(arguments)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        unused = cgutils.alloca_once(builder, ir.IntType(8).as_pointer())
        given = [unused, unused, *cgutils.unpack_tuple(builder, values[1], len(arguments))]
        kind = ir.FunctionType(ir.IntType(32), [one.type for one in given])
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), given)
        return context.get_dummy_value()

    return types.void(types.int64, taken), emit
