"""Dot products of a vector with several rows of a matrix at a time, written as a numba intrinsic that emits LLVM vector
code: a product with one vector takes as long as reading the matrix, or less than a sum over it.

Each row is a stream of its own, far from the others, so that a core has several in flight; neighbouring rows, read side
by side, take up to three times as long. The sums of a row stay in one register until its end, and those of all rows are
added together across their lanes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from .simd import INT32, INT64, Codegen, Emitter, primitive

INT8, INT16 = ir.IntType(8), ir.IntType(16)


def pair_sums(builder: Any, a: Any, b: Any, paired: int) -> Any:
    """Sums of the products of neighbours in two vectors of 16-bit integers, half as many 32-bit ones."""
    count = a.type.count
    sums, wide = ir.VectorType(INT32, count // 2), ir.VectorType(INT32, count)
    if paired:
        name = "llvm.x86.avx512.pmaddw.d.512" if count == 32 else "llvm.x86.avx2.pmadd.wd"
        add = builder.module.declare_intrinsic(name, (), ir.FunctionType(sums, [a.type, b.type]))
        return builder.call(add, [a, b])
    products = builder.mul(builder.sext(a, wide), builder.sext(b, wide))
    even, odd = (
        builder.shuffle_vector(products, products, ir.Constant(sums, list(range(first, count, 2)))) for first in (0, 1)
    )
    return builder.add(even, odd)


class _Floats:
    """Chunks of `lanes` float32 numbers, whose products are added to as many sums."""

    def __init__(self, simd: Emitter):
        self.simd, self.count = simd, simd.lanes
        self.places, self.vector, self.zero = ir.VectorType(INT32, simd.lanes), simd.vector, simd.zero

    def add(self, total: Any, pointer: Any, offset: Any, vector: Any) -> Any:
        weights = self.simd.load(self.simd.builder.gep(pointer, [offset]), 0)
        return self.simd.multiply_add(weights, vector, total)


class _Codes:
    """Chunks of twice `lanes` 8-bit codes, multiplied by 16-bit integers; two products are added to each sum."""

    def __init__(self, simd: Emitter, paired: int):
        self.simd, self.count, self.paired = simd, 2 * simd.lanes, paired
        self.places = self.vector = ir.VectorType(INT16, self.count)
        self.zero = ir.Constant(ir.VectorType(INT32, simd.lanes), None)

    def add(self, total: Any, pointer: Any, offset: Any, vector: Any) -> Any:
        builder, codes = self.simd.builder, ir.VectorType(INT8, self.count)
        place = builder.bitcast(builder.gep(pointer, [offset]), codes.as_pointer())
        weights = builder.sext(builder.load(place, align=1), self.vector)
        return builder.add(total, pair_sums(builder, weights, vector, self.paired))


@primitive
def dots(
    typing: Any, sums: Any, matrix: Any, gap: Any, hidden: Any, dim: Any, lanes: Any, paired: Any
) -> tuple[Any, Codegen]:
    """dots(sums, matrix, gap, hidden, dim, lanes, paired): products of a vector with `lanes` rows of a matrix.

    Args:
        sums: pointer to room for `lanes` sums, float32, or int32 for codes.
        matrix: pointer to the first of the rows, float32, or 8-bit codes.
        gap: numbers from the beginning of each row to that of the next.
        hidden: pointer to the vector, float32, or int16 for codes.
        dim: numbers of a row, above `lanes`, for codes above twice that.
        lanes: of a vector of sums, a constant.
        paired: 1 where the CPU adds products of neighbours in one instruction (`simd.PAIRED`), a constant.
    """
    signature = types.void(sums, matrix, types.int64, hidden, types.int64, lanes, paired)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds, (out, first, stride, vector, dim, *_) = signature.args, values
        lane_count, together = kinds[5].literal_value, kinds[6].literal_value
        simd = Emitter(context, builder, lane_count)
        kind = _Floats(simd) if kinds[1].dtype is types.float32 else _Codes(simd, together)

        def constant(value: int) -> Any:
            return ir.Constant(INT64, value)

        def vector_at(offset: Any) -> Any:
            place = builder.bitcast(builder.gep(vector, [offset]), kind.vector.as_pointer())
            return builder.load(place, align=2)

        def add_chunk(offset: Any, part: Any, totals: list[Any]) -> list[Any]:
            return [kind.add(total, start, offset, part) for start, total in zip(starts, totals, strict=True)]

        def chunk(number: Any, totals: list[Any]) -> list[Any]:
            offset = builder.mul(number, constant(kind.count))
            return add_chunk(offset, vector_at(offset), totals)

        starts = [builder.gep(first, [builder.mul(stride, constant(row))]) for row in range(lane_count)]
        times = builder.sdiv(builder.sub(dim, constant(1)), constant(kind.count))
        totals = simd.loop(times, [kind.zero] * lane_count, chunk)
        # the last chunk ends with the row; what the loop has added already counts as zero
        last = builder.sub(dim, constant(kind.count))
        added = builder.trunc(builder.sub(builder.mul(times, constant(kind.count)), last), kind.places.element)
        undefined = ir.Constant(kind.places, ir.Undefined)
        everywhere = ir.Constant(ir.VectorType(INT32, kind.count), [0] * kind.count)
        added = builder.shuffle_vector(
            builder.insert_element(undefined, added, ir.Constant(INT32, 0)), undefined, everywhere
        )
        fresh = builder.icmp_signed(">=", ir.Constant(kind.places, list(range(kind.count))), added)
        rest = builder.select(fresh, vector_at(last), ir.Constant(kind.vector, None))
        found = simd.lane_sums(add_chunk(last, rest, totals))
        builder.store(found, builder.bitcast(out, found.type.as_pointer()), align=4)
        return context.get_dummy_value()

    return signature, emit
