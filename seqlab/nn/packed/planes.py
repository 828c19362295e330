"""Dot products of a hidden state with rows of several codes in a byte, written as a numba intrinsic that emits LLVM
vector code: LLVM itself makes nothing of loops as short as a group.

A block of 16 bytes has 16 codes in its lowest bits, the next 16 in the bits above them, and so on: its planes.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from ...base.compiled.dots import pair_sums
from ...base.compiled.simd import PAIRED, Codegen, Emitter, is_arm, primitive

BLOCK = 16
"""Bytes of a block: as many 16-bit numbers are a vector of AVX2."""
LOOKUP = "llvm.aarch64.neon.tbl1.v16i8" if is_arm(platform.machine()) else "llvm.x86.ssse3.pshuf.b.128"
"""LLVM's name of the instruction that looks 16 numbers below 16 up in a table of bytes."""
LOOKS_UP = bool(PAIRED or is_arm(platform.machine()))
"""Whether the CPU has it."""
TOGETHER = BLOCK // 2
"""Rows that are multiplied at a time: as many as a vector has sums."""
HALVED = TOGETHER // 2
"""The same of rows that have two sums each."""
INT8, INT16, INT32, INT64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
BYTES, SHORTS, WHOLE = (ir.VectorType(kind, count) for kind, count in ((INT8, 16), (INT16, 16), (INT32, TOGETHER)))


@primitive
def dot_planes(
    typing: Any, sums: Any, codes: Any, gap: Any, scales: Any, scale_gap: Any, hidden: Any, offsets: Any, groups: Any,
    blocks: Any, bits: Any, paired: Any,
) -> tuple[Any, Codegen]:  # fmt: skip
    """sums = sum over groups of scale (code . hidden - offset) for TOGETHER rows.

    Args:
        sums: pointer to room for TOGETHER numbers, float32.
        codes: pointer to the bytes of the first row, uint8.
        gap: bytes from the beginning of each row to that of the next.
        scales: pointer to those of the first row, float32.
        scale_gap: numbers from the scales of each row to those of the next.
        hidden: pointer to as many numbers as a row has codes, int16.
        offsets: pointer to what is taken from the products of each group, float32.
        groups: of a row.
        blocks: of a group.
        bits: of a code: 1, 2 or 4, a constant.
        paired: 1 where the CPU adds products of neighbours in one instruction (`simd.PAIRED`), a constant.
    """
    width, together = bits.literal_value, paired.literal_value
    signature = types.void(
        sums, codes, types.int64, scales, types.int64, hidden, offsets, types.int64, types.int64, bits, paired
    )

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        out, codes, gap, scales, scale_gap, hidden, offsets, groups, blocks, *_ = values
        simd, planes = Emitter(context, builder, TOGETHER), 8 // width

        def constant(value: int) -> Any:
            return ir.Constant(INT64, value)

        def load(pointer: Any, offset: Any, kind: Any, align: int) -> Any:
            return builder.load(builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer()), align=align)

        def everywhere(value: int) -> Any:
            return ir.Constant(SHORTS, [value] * BLOCK)

        starts = [builder.gep(codes, [builder.mul(gap, constant(row))]) for row in range(TOGETHER)]
        scale_starts = [builder.gep(scales, [builder.mul(scale_gap, constant(row))]) for row in range(TOGETHER)]

        def group(g: Any, totals: list[Any]) -> list[Any]:
            first = builder.mul(g, blocks)

            def block(k: Any, sums: list[Any]) -> list[Any]:
                place = builder.mul(builder.add(first, k), constant(BLOCK))
                begin = builder.mul(place, constant(planes))
                numbers = [load(hidden, builder.add(begin, constant(BLOCK * p)), SHORTS, 2) for p in range(planes)]
                found = []
                for start, total in zip(starts, sums, strict=True):
                    byte = builder.zext(load(start, place, BYTES, 1), SHORTS)
                    for plane, vector in enumerate(numbers):
                        code = builder.lshr(byte, everywhere(plane * width)) if plane else byte
                        if plane < planes - 1:
                            code = builder.and_(code, everywhere(2**width - 1))
                        total = builder.add(total, pair_sums(builder, code, vector, together))
                    found.append(total)
                return found

            sums = simd.loop(blocks, [ir.Constant(WHOLE, None)] * TOGETHER, block)
            offset = builder.insert_element(
                simd.zero, builder.fneg(builder.load(builder.gep(offsets, [g]))), ir.Constant(INT32, 0)
            )
            found = []
            for start, total, whole in zip(scale_starts, totals, sums, strict=True):
                scale = simd.splat(builder.load(builder.gep(start, [g])))
                products = builder.fadd(builder.sitofp(whole, simd.vector), offset)
                found.append(simd.multiply_add(scale, products, total))
            return found

        simd.store(simd.lane_sums(simd.loop(groups, [simd.zero] * TOGETHER, group)), out, 0)
        return context.get_dummy_value()

    return signature, emit


@primitive
def dot_values(
    typing: Any, sums: Any, codes: Any, gap: Any, table: Any, hidden: Any, rest: Any, half: Any, paired: Any
) -> tuple[Any, Codegen]:
    """Sums of value times hidden for HALVED rows, the values in two bytes: first of the upper ones, then of the lower.

    Args:
        sums: pointer to room for 2 HALVED numbers, int32.
        codes: pointer to the bytes of the first row, of which the low four bits say a value for the first half of the
            row and the high ones for the second, uint8.
        gap: bytes from the beginning of each row to that of the next.
        table: pointer to the upper bytes of 16 values, signed, and then their lower ones, int8.
        hidden: pointer to the numbers of both halves, int16.
        rest: pointer to 2 BLOCK of them for the last BLOCK bytes of a row, zero where whole blocks from the beginning
            have them, int16.
        half: bytes of a row, BLOCK at least.
        paired: 1 where the CPU adds products of neighbours in one instruction (`simd.PAIRED`), a constant.
    """
    together = paired.literal_value
    signature = types.void(sums, codes, types.int64, table, hidden, rest, types.int64, paired)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        out, codes, gap, table, hidden, rest, half, _ = arguments
        simd = Emitter(context, builder, TOGETHER)
        look_up = builder.module.declare_intrinsic(LOOKUP, (), ir.FunctionType(BYTES, [BYTES, BYTES]))

        def constant(value: int) -> Any:
            return ir.Constant(INT64, value)

        def load(pointer: Any, offset: Any, kind: Any, align: int) -> Any:
            return builder.load(builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer()), align=align)

        tables = [load(table, constant(BLOCK * part), BYTES, 1) for part in range(2)]
        starts = [builder.gep(codes, [builder.mul(gap, constant(row))]) for row in range(HALVED)]

        def add(place: Any, numbers: list[Any], totals: list[Any]) -> list[Any]:
            found = list(totals)
            for row, start in enumerate(starts):
                byte = load(start, place, BYTES, 1)
                low = builder.and_(byte, ir.Constant(BYTES, [15] * BLOCK))
                high = builder.lshr(byte, ir.Constant(BYTES, [4] * BLOCK))
                for code, vector in zip((low, high), numbers, strict=True):
                    upper, lower = (builder.call(look_up, [one, code]) for one in tables)
                    for part, value in enumerate((builder.sext(upper, SHORTS), builder.zext(lower, SHORTS))):
                        at = part * HALVED + row
                        found[at] = builder.add(found[at], pair_sums(builder, value, vector, together))
            return found

        def block(k: Any, totals: list[Any]) -> list[Any]:
            place = builder.mul(k, constant(BLOCK))
            numbers = [load(hidden, one, SHORTS, 2) for one in (place, builder.add(place, half))]
            return add(place, numbers, totals)

        whole = builder.sdiv(half, constant(BLOCK))
        totals = simd.loop(whole, [ir.Constant(WHOLE, None)] * TOGETHER, block)
        numbers = [load(rest, constant(BLOCK * part), SHORTS, 2) for part in range(2)]
        found = simd.lane_sums(add(builder.sub(half, constant(BLOCK)), numbers, totals))
        builder.store(found, builder.bitcast(out, found.type.as_pointer()), align=4)
        return context.get_dummy_value()

    return signature, emit
