"""Packed matrices times many rows: tiles of integer products whose sums stay in registers.

A lane holds the sum of one position, and each instruction adds two products to every lane: a pair is two neighbouring
16-bit numbers of a row, which `pmaddwd` multiplies and adds, or `vpdpwssd` where the CPU has it, at twice the rate of
float32. Codes become 16-bit numbers a tile at a time, the hidden states are rounded as in `kernels`.

Shapes: M rows, N numbers out, R rows of the matrix in a tile, G groups of a row, L numbers of a group, P pairs of a
group, B blocks of WIDTH rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from ...base.compiled.simd import PAIRED, WORDS, primitive
from .kernels import FINEST, compiled, rounded, step
from .planes import BLOCK

FLOAT = ir.FloatType()
INT16, INT32, INT64 = (ir.IntType(bits) for bits in (16, 32, 64))
TILE = 12 if WORDS == 16 else 6
"""Rows of the matrix in a tile: with twice as many sums as these the registers are full."""
WIDTH = 2 * WORDS
"""Positions of a tile: two vector registers."""
TILED = bool(PAIRED)
"""Whether the CPU has such instructions."""
MANY = 2 * WIDTH
"""Rows that are multiplied at a time: more would not stay in the nearest cache."""
SPAN = 8 * TILE
"""Numbers that are made for every row before they are written side by side."""


@primitive
def multiply_pairs(
    typing_context: Any, out: Any, rows: Any, right: Any, b: Any, pairs: Any, count: Any, lanes: Any
) -> tuple[Any, Any]:
    """out = rows @ right[b], sums in registers.

    Args:
        out: int32 (count, 2 lanes).
        rows: int16 (count, 2 pairs).
        right: int16 (B, pairs, 2 lanes, 2).
        b: which of its blocks.
        pairs: of neighbours in a row, at least 1.
        count: of rows, a constant.
        lanes: of a vector, a constant.
    """
    signature = types.void(out, rows, right, types.int64, types.int64, count, lanes)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds, pairs = signature.args, values[4]
        total, width = (kind.literal_value for kind in kinds[5:])
        sums_kind, words_kind = ir.VectorType(INT32, width), ir.VectorType(INT16, 2 * width)
        zero, undefined = ir.Constant(sums_kind, None), ir.Constant(sums_kind, ir.Undefined)
        everywhere = ir.Constant(sums_kind, [0] * width)
        name = "llvm.x86.avx512.pmaddw.d.512" if width == 16 else "llvm.x86.avx2.pmadd.wd"
        add = builder.module.declare_intrinsic(name, (), ir.FunctionType(sums_kind, [words_kind, words_kind]))

        def data(place: int) -> Any:
            return context.make_array(kinds[place])(context, builder, values[place]).data

        def at(pointer: Any, offset: Any, kind: Any) -> Any:
            return builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer())

        def constant(value: int) -> Any:
            return ir.Constant(INT64, value)

        first = builder.gep(data(2), [builder.mul(builder.mul(values[3], pairs), constant(4 * width))])
        row_length = builder.mul(pairs, constant(2))
        starts = [builder.gep(data(1), [builder.mul(row_length, constant(row))]) for row in range(total)]
        before, inside, after = builder.block, *(builder.append_basic_block(name) for name in ("pairs", "end"))
        builder.branch(inside)
        builder.position_at_end(inside)
        p, sums = builder.phi(INT64), [builder.phi(sums_kind) for _ in range(2 * total)]
        place = builder.mul(p, constant(4 * width))
        both = [
            builder.load(at(first, builder.add(place, constant(offset)), words_kind), align=2)
            for offset in (0, 2 * width)
        ]
        found = []
        for row, start in enumerate(starts):
            pair = builder.load(at(start, builder.mul(p, constant(2)), INT32), align=2)
            spread = builder.insert_element(undefined, pair, ir.Constant(INT32, 0))
            factor = builder.bitcast(builder.shuffle_vector(spread, undefined, everywhere), words_kind)
            found += [
                builder.add(sums[2 * row + half], builder.call(add, [factor, vector]))
                for half, vector in enumerate(both)
            ]
        following = builder.add(p, constant(1))
        builder.cbranch(builder.icmp_signed("<", following, pairs), inside, after)
        p.add_incoming(constant(0), before)
        p.add_incoming(following, inside)
        for total_before, value in zip(sums, found, strict=True):
            total_before.add_incoming(zero, before)
            total_before.add_incoming(value, inside)
        builder.position_at_end(after)
        for number, value in enumerate(found):
            builder.store(value, at(data(0), constant(number * width), sums_kind), align=4)
        return context.get_dummy_value()

    return signature, emit


@primitive
def write_columns(typing_context: Any, out: Any, m: Any, n: Any, sums: Any, count: Any, lanes: Any) -> tuple[Any, Any]:
    """out[m : m + 2 lanes, n : n + count] = sums.T, four rows at a time.

    Args:
        out: float32 (M, N).
        m, n: where.
        sums: float32 (count, 2 lanes).
        count: of its rows, at least 4, a constant.
        lanes: of a vector, a constant.
    """
    signature = types.void(out, types.int64, types.int64, sums, count, lanes)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args
        total, width = (kind.literal_value for kind in kinds[4:])
        row_kind, four = ir.VectorType(FLOAT, width), ir.VectorType(FLOAT, 4)
        target = context.make_array(kinds[0])(context, builder, values[0])
        stride = builder.extract_value(target.shape, 1)
        source = context.make_array(kinds[3])(context, builder, values[3]).data
        corner = builder.gep(target.data, [builder.add(builder.mul(values[1], stride), values[2])])

        def shuffled(a: Any, b: Any, places: list[int]) -> Any:
            """Of every four lanes the same places; those of `b` count from 4."""
            lanes = [4 * part + place % 4 + width * (place // 4) for part in range(width // 4) for place in places]
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, width), lanes))

        for half in range(2):
            for first in {*range(0, total - 3, 4), total - 4}:
                a, b, c, d = (
                    builder.load(
                        builder.bitcast(
                            builder.gep(source, [ir.Constant(INT64, (first + row) * 2 * width + half * width)]),
                            row_kind.as_pointer(),
                        ),
                        align=4,
                    )
                    for row in range(4)
                )
                low, high = (
                    [shuffled(x, y, places) for x, y in ((a, b), (c, d))] for places in ([0, 4, 1, 5], [2, 6, 3, 7])
                )
                for place, (pair, places) in enumerate(
                    [(low, [0, 1, 4, 5]), (low, [2, 3, 6, 7]), (high, [0, 1, 4, 5]), (high, [2, 3, 6, 7])]
                ):
                    found = shuffled(pair[0], pair[1], places)
                    for part in range(width // 4):
                        lanes = ir.Constant(ir.VectorType(INT32, 4), [4 * part + k for k in range(4)])
                        row = ir.Constant(INT64, half * width + 4 * part + place)
                        at = builder.gep(corner, [builder.add(builder.mul(row, stride), ir.Constant(INT64, first))])
                        builder.store(
                            builder.shuffle_vector(found, found, lanes), builder.bitcast(at, four.as_pointer()), align=4
                        )
        return context.get_dummy_value()

    return signature, emit


@step
def blocks_of(hidden_MD: Any, largest_sum: int, groups: int, pairs: int) -> Any:
    """Rows as integers (B G, P, WIDTH, 2), and what one of them stands for in each row (M,)."""
    rows, width = hidden_MD.shape
    blocks = np.zeros(((rows + WIDTH - 1) // WIDTH * groups, pairs, WIDTH, 2), np.int16)
    units_M, codes_D = np.empty(rows, np.float32), np.empty(width, np.int16)
    for m in range(rows):
        units_M[m] = rounded(hidden_MD[m], width, largest_sum, FINEST, codes_D)
        for d in range(width):
            block = m // WIDTH * groups + d // (2 * pairs)
            blocks[block, d // 2 % pairs, m % WIDTH, d % 2] = codes_D[d]
    return blocks, units_M


def tiles_kernel(bits: int) -> Any:
    """The kernel of codes of so many bits, a constant of it."""
    planes, mask, factor = 8 // bits, 2**bits - 1, 2 if bits == 1 else 1

    @compiled
    def write_levels(codes_B: Any, offset: Any, levels_L: Any) -> None:
        """factor code - offset of a group, 16 bits each; bytes that are signed are levels as they are."""
        if bits == 8:
            for d in range(codes_B.size):
                levels_L[d] = codes_B[d]
        else:
            for block in range(codes_B.size // BLOCK):
                for plane in range(planes):
                    place = (block * planes + plane) * BLOCK
                    for k in range(BLOCK):
                        code = (np.int16(codes_B[block * BLOCK + k]) >> np.int16(plane * bits)) & np.int16(mask)
                        levels_L[place + k] = np.int16(factor) * code - offset

    @step
    def multiply(
        blocks: Any, units_M: Any, codes_NB: Any, scales_NG: Any, zero: Any, bias_N: Any, out_MN: Any, begin: int,
        end: int,
    ) -> None:  # fmt: skip
        """Columns `begin` to `end` of out = hidden W^T + b for W = scale * (codes - zero)."""
        rows, groups, pairs = len(units_M), scales_NG.shape[1], blocks.shape[1]
        length, offset = codes_NB.shape[1] // groups, np.int16(np.float32(factor) * zero)
        tile, sums_RW = np.empty((TILE, WIDTH), np.int32), np.empty((TILE, WIDTH), np.float32)
        levels_GRL = np.zeros((groups, TILE, 2 * pairs), np.int16)
        made_MS = np.empty((len(blocks) // groups * WIDTH, SPAN), np.float32)
        for first in range(begin, end, SPAN):
            span = min(SPAN, end - first)
            for start in range(first, first + span, TILE):
                count = min(TILE, end - start)
                for r in range(count):
                    for g in range(groups):
                        write_levels(codes_NB[start + r, g * length : (g + 1) * length], offset, levels_GRL[g, r])
                for b in range(len(blocks) // groups):
                    for g in range(groups):
                        multiply_pairs(tile, levels_GRL[g], blocks, b * groups + g, pairs, TILE, WORDS)
                        for r in range(count):
                            scale = scales_NG[start + r, g]
                            for i in range(WIDTH):
                                product = scale * np.float32(tile[r, i])
                                sums_RW[r, i] = sums_RW[r, i] + product if g else product
                    write_columns(made_MS, b * WIDTH, start - first, sums_RW, TILE, WORDS)
            bias_S = bias_N[first : first + span]
            for m in range(rows):
                made_S, out_S, unit = made_MS[m, :span], out_MN[m, first : first + span], units_M[m]
                unit = unit / np.float32(factor)
                for s in range(out_S.size):
                    out_S[s] = made_S[s] * unit + bias_S[s]

    return multiply


multiply_many = {bits: tiles_kernel(bits) for bits in (8, 4, 2, 1)}
"""By the bits of a code."""
