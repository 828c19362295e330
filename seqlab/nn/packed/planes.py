"""The dot product of a hidden state with several codes in a byte, written as a numba intrinsic that emits LLVM vector
code: LLVM itself makes nothing of loops as short as a group.

A block of 16 bytes has 16 codes in its lowest bits, the next 16 in the bits above them, and so on: its planes. A code
stays where it is in its byte, so a plane's sum is too large by a power of 2, which is shifted out at the end.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from ...base.compiled.dots import pair_sums
from ...base.compiled.simd import primitive

BLOCK = 16
"""Bytes of a block: as many 16-bit numbers are a vector of AVX2."""
PAIRS = BLOCK // 2
INT8, INT16, INT32, INT64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
BYTES, SHORTS, SUMS = (ir.VectorType(kind, count) for kind, count in ((INT8, BLOCK), (INT16, BLOCK), (INT32, PAIRS)))


@primitive
def dot_planes(
    typing_context: Any, codes: Any, first: Any, hidden: Any, start: Any, blocks: Any, bits: Any, paired: Any
) -> Any:
    """Sum of code times hidden over some blocks, at least one.

    Args:
        codes: uint8, C-contiguous.
        first: place of the first byte in it.
        hidden: int16, C-contiguous.
        start: place of the first number in it.
        blocks: how many.
        bits: of a code: 1, 2 or 4, a constant.
        paired: 1 where the CPU adds products of neighbours in one instruction (`simd.PAIRED`), a constant.
    """
    width, together = bits.literal_value, paired.literal_value
    planes = 8 // width
    signature = types.int32(codes, types.int64, hidden, types.int64, types.int64, bits, paired)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        codes, first, hidden, start, blocks = arguments[:5]
        code_type, _, hidden_type = signature.args[:3]
        bytes_at = builder.gep(context.make_array(code_type)(context, builder, codes).data, [first])
        hidden_at = builder.gep(context.make_array(hidden_type)(context, builder, hidden).data, [start])
        before, inside, after = builder.block, *(builder.append_basic_block(name) for name in ("blocks", "end"))
        builder.branch(inside)
        builder.position_at_end(inside)
        k, sums = builder.phi(INT64), [builder.phi(SUMS) for _ in range(planes)]

        def load(pointer: Any, step: int, offset: int, kind: Any, align: int) -> Any:
            place = builder.add(builder.mul(k, ir.Constant(INT64, step)), ir.Constant(INT64, offset))
            return builder.load(builder.bitcast(builder.gep(pointer, [place]), kind.as_pointer()), align=align)

        block, added = load(bytes_at, BLOCK, 0, BYTES, 1), []
        for plane, total in enumerate(sums):
            mask = ir.Constant(BYTES, [(2**width - 1) << (plane * width)] * BLOCK)
            numbers = load(hidden_at, BLOCK * planes, BLOCK * plane, SHORTS, 2)
            codes_in_place = builder.zext(builder.and_(block, mask), SHORTS)
            added.append(builder.add(total, pair_sums(builder, codes_in_place, numbers, together)))
        following = builder.add(k, ir.Constant(INT64, 1))
        builder.cbranch(builder.icmp_signed("<", following, blocks), inside, after)
        k.add_incoming(ir.Constant(INT64, 0), before)
        k.add_incoming(following, inside)
        for total, value in zip(sums, added, strict=True):
            total.add_incoming(ir.Constant(SUMS, None), before)
            total.add_incoming(value, inside)
        builder.position_at_end(after)
        vector = added[0]
        for plane in range(1, planes):
            shift = ir.Constant(SUMS, [plane * width] * PAIRS)
            vector = builder.add(vector, builder.ashr(added[plane], shift))
        lanes = PAIRS
        while lanes > 1:
            lanes //= 2
            upper = ir.Constant(SUMS, [i + lanes if i < lanes else 0 for i in range(PAIRS)])
            vector = builder.add(vector, builder.shuffle_vector(vector, vector, upper))
        return builder.extract_element(vector, ir.Constant(INT32, 0))

    return signature, emit
