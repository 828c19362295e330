"""Packed matrices times a few rows, compiled: each byte of the matrix is read once.

Products of codes are made in integers, of which a CPU makes twice as many at a time as of float32. The hidden states
are rounded to 14 bits for that, a hundred times finer than the codes; with fewer where the sums of a wide matrix would
not fit in 32 bits.

Shapes: M rows, D width (P padded), N numbers out, G groups of a row, K stored numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from ...base.compiled.dots import dots
from ...base.compiled.pointers import after, call, pointer, room
from ...base.compiled.simd import PAIRED
from ..kernels.matrices import ALIGNED, BIAS, FUNCTION, LENGTH, ROWS, SCALES, WEIGHT, WIDTH
from .base import FIELDS, WIDEST
from .planes import BLOCK, HALVED, LOOKS_UP, TOGETHER, dot_planes, dot_values

SUMS = {"contract", "reassoc"}
"""Lets LLVM fuse multiplications with additions and add in vectors; anything more could hide a NaN."""
compiled = register_jitable(fastmath=SUMS, error_model="numpy")
step: Any = njit(cache=True, nogil=True, fastmath=SUMS, error_model="numpy")

FINEST = 8191
LARGEST_SUM = 2**31 - 1
VALUES, TABLE, LARGEST_VALUE = 16, 32, 2**15 - 1
"""Of a codebook: how many there are, the bytes of a table of them, and the largest in it."""


@compiled
def rounded(hidden_D: Any, width: int, largest_sum: int, finest: int, codes_P: Any) -> Any:
    """A row as integers up to `finest`, and so small that one times a sum of codes, `largest_sum` at most, stays below
    2^31. Returns what one of them stands for, NaN where a number of the row is NaN or infinite."""
    top, odd = np.float32(0), np.float32(0)
    for d in range(width):
        size = abs(hidden_D[d])
        top = size if size > top else top
        odd += hidden_D[d] - hidden_D[d]
    most = LARGEST_SUM // largest_sum
    unit = top / np.float32(most if most < finest else finest)
    inverse = np.float32(1) / unit if unit > 0 else np.float32(0)
    for d in range(width):
        codes_P[d] = np.int16(np.rint(hidden_D[d] * inverse))
    return unit + odd


def products_int8(matrix_F: Any, hidden_MD: Any, texts: int, out_MN: Any, scratch: Any) -> None:
    """out = hidden W^T + b for W = scale * code, as `kernels.matrices` has it.

    Args:
        matrix_F: the line of W and b.
        hidden_MD: a few positions.
        texts: M.
        out_MN: the result.
        scratch: as many numbers as `scratch_size` says.
    """
    codes_ND, scales_N = pointer(matrix_F[WEIGHT], "int8"), pointer(matrix_F[SCALES], "float32")
    bias_N, rows, width = pointer(matrix_F[BIAS], "float32"), matrix_F[ROWS], matrix_F[WIDTH]
    units_M, numbers_MD = scratch, pointer(after(scratch, texts), "int16")
    for m in range(texts):
        units_M[m] = rounded(after(hidden_MD, m * width), width, 127 * width, FINEST, after(numbers_MD, m * width))
    gap = rows // TOGETHER if width > 2 * TOGETHER else 0
    sums = room(TOGETHER, "int32")
    for n in range(gap):
        for m in range(texts):
            dots(sums, after(codes_ND, n * width), gap * width, after(numbers_MD, m * width), width, TOGETHER, PAIRED)
            for i in range(TOGETHER):
                k = n + i * gap
                out_MN[m * rows + k] = np.float32(sums[i]) * (scales_N[k] * units_M[m]) + bias_N[k]
    for n in range(gap * TOGETHER, rows):
        for m in range(texts):
            total = np.int32(0)
            for d in range(width):
                total += np.int32(codes_ND[n * width + d]) * np.int32(numbers_MD[m * width + d])
            out_MN[m * rows + n] = np.float32(total) * (scales_N[n] * units_M[m]) + bias_N[n]


def rows_int8(matrix_F: Any, ids_R: Any, count: int, out_RD: Any) -> None:
    """Some rows.

    Args:
        matrix_F: the line of the matrix.
        ids_R: which rows.
        count: of them.
        out_RD: the result.
    """
    codes_ND, scales_N = pointer(matrix_F[WEIGHT], "int8"), pointer(matrix_F[SCALES], "float32")
    width = matrix_F[WIDTH]
    for r in range(count):
        scale = scales_N[ids_R[r]]
        for d in range(width):
            out_RD[r * width + d] = np.float32(codes_ND[ids_R[r] * width + d]) * scale


def planes_kernels(bits: int, zero: float) -> Any:
    """The kernels of codes of so many bits: W = scale * (code - zero)."""
    planes, mask, middle = 8 // bits, 2**bits - 1, np.float32(zero)

    def products(matrix_F: Any, hidden_MD: Any, texts: int, out_MN: Any, scratch: Any) -> None:
        """out = hidden W^T + b, as `kernels.matrices` has it; the codes as `planes` has them."""
        codes, scales = pointer(matrix_F[WEIGHT], "uint8"), pointer(matrix_F[SCALES], "float32")
        bias_N, rows, width = pointer(matrix_F[BIAS], "float32"), matrix_F[ROWS], matrix_F[WIDTH]
        length = matrix_F[LENGTH]
        groups, blocks = (width + length - 1) // length, length // (BLOCK * planes)
        row, numbers = groups * blocks * BLOCK, groups * length
        units_M, offsets_MG = scratch, after(scratch, texts)
        numbers_MP = pointer(after(offsets_MG, texts * groups), "int16")
        for m in range(texts):
            numbers_P = after(numbers_MP, m * numbers)
            units_M[m] = rounded(after(hidden_MD, m * width), width, 512 * blocks, FINEST, numbers_P)
            for d in range(width, numbers):
                numbers_P[d] = np.int16(0)
            for g in range(groups):
                total = np.int32(0)
                for d in range(g * length, (g + 1) * length):
                    total += np.int32(numbers_P[d])
                offsets_MG[m * groups + g] = np.float32(total) * middle
        sums, gap = room(TOGETHER, "float32"), rows // TOGETHER
        for one in range(gap + rows - gap * TOGETHER):
            # rows that are left over are multiplied one by one: eight times the same
            n, apart, made = (one, gap, TOGETHER) if one < gap else (gap * TOGETHER + one - gap, 0, 1)
            for m in range(texts):
                dot_planes(
                    sums, after(codes, n * row), apart * row, after(scales, n * groups), apart * groups,
                    after(numbers_MP, m * numbers), after(offsets_MG, m * groups), groups, blocks, bits, PAIRED,
                )  # fmt: skip
                for i in range(made):
                    k = n + i * apart
                    out_MN[m * rows + k] = sums[i] * units_M[m] + bias_N[k]

    def rows(matrix_F: Any, ids_R: Any, count: int, out_RD: Any) -> None:
        """Some rows.

        Args:
            matrix_F: the line of the matrix.
            ids_R: which rows.
            count: of them.
            out_RD: the result.
        """
        codes, scales = pointer(matrix_F[WEIGHT], "uint8"), pointer(matrix_F[SCALES], "float32")
        width, length = matrix_F[WIDTH], matrix_F[LENGTH]
        groups = (width + length - 1) // length
        row = groups * length // planes
        for r in range(count):
            codes_B, scales_G = after(codes, ids_R[r] * row), after(scales, ids_R[r] * groups)
            for d in range(width):
                block, place = d // (BLOCK * planes), d % (BLOCK * planes)
                code = (np.int32(codes_B[block * BLOCK + place % BLOCK]) >> (place // BLOCK * bits)) & mask
                out_RD[r * width + d] = scales_G[d // length] * (np.float32(code) - middle)

    return products, rows


products_int4, rows_int4 = planes_kernels(4, 8.0)
products_ternary, rows_ternary = planes_kernels(2, 1.0)
products_binary, rows_binary = planes_kernels(1, 0.5)


def products_codebook(matrix_F: Any, hidden_MD: Any, texts: int, out_MN: Any, scratch: Any) -> None:
    """out = hidden W^T + b for W = values[code], two codes in a byte; the values are rounded to 16 bits.

    Args:
        matrix_F: the line of W and b.
        hidden_MD: a few positions.
        texts: M.
        out_MN: the result.
        scratch: as many numbers as `scratch_size` says.
    """
    codes_NB, values_K = pointer(matrix_F[WEIGHT], "uint8"), pointer(matrix_F[SCALES], "float32")
    bias_N, rows, width = pointer(matrix_F[BIAS], "float32"), matrix_F[ROWS], matrix_F[WIDTH]
    half = (width + 1) // 2
    numbers_K, table = room(VALUES, "int16"), room(TABLE, "int8")
    unit = rounded(values_K, VALUES, 1, LARGEST_VALUE, numbers_K)
    for k in range(VALUES):
        table[k], table[VALUES + k] = np.int8(numbers_K[k] >> 8), np.int8(numbers_K[k] & 255)
    units_M, numbers_MP = scratch, pointer(after(scratch, texts), "int16")
    rest_MR = after(numbers_MP, texts * 2 * half)
    looks_up = LOOKS_UP and half >= BLOCK
    for m in range(texts):
        numbers_P, rest_R = after(numbers_MP, m * 2 * half), after(rest_MR, m * 2 * BLOCK)
        numbers_P[2 * half - 1] = np.int16(0)
        units_M[m] = unit * rounded(after(hidden_MD, m * width), width, 256 * width, FINEST, numbers_P)
        for r in range(2 * BLOCK if looks_up else 0):
            k = half - BLOCK + r % BLOCK
            rest_R[r] = numbers_P[r // BLOCK * half + k] if k >= half // BLOCK * BLOCK else np.int16(0)
    gap, sums = rows // HALVED if looks_up else 0, room(TOGETHER, "int32")
    for n in range(gap):
        for m in range(texts):
            numbers_P, rest_R = after(numbers_MP, m * 2 * half), after(rest_MR, m * 2 * BLOCK)
            dot_values(sums, after(codes_NB, n * half), gap * half, table, numbers_P, rest_R, half, PAIRED)
            for i in range(HALVED):
                k = n + i * gap
                total = np.float32(256) * np.float32(sums[i]) + np.float32(sums[HALVED + i])
                out_MN[m * rows + k] = total * units_M[m] + bias_N[k]
    for n in range(gap * HALVED, rows):
        for m in range(texts):
            numbers_P, total = after(numbers_MP, m * 2 * half), np.float32(0)
            for k in range(half):
                code = codes_NB[n * half + k]
                total += np.float32(numbers_K[code & 15]) * np.float32(numbers_P[k])
                total += np.float32(numbers_K[code >> 4]) * np.float32(numbers_P[half + k])
            out_MN[m * rows + n] = total * units_M[m] + bias_N[n]


def rows_codebook(matrix_F: Any, ids_R: Any, count: int, out_RD: Any) -> None:
    """Some rows.

    Args:
        matrix_F: the line of the matrix.
        ids_R: which rows.
        count: of them.
        out_RD: the result.
    """
    codes_NB, values_K = pointer(matrix_F[WEIGHT], "uint8"), pointer(matrix_F[SCALES], "float32")
    width = matrix_F[WIDTH]
    half = (width + 1) // 2
    for r in range(count):
        codes_B = after(codes_NB, ids_R[r] * half)
        for k in range(half):
            out_RD[r * width + k] = values_K[codes_B[k] & 15]
        for k in range(width - half):
            out_RD[r * width + half + k] = values_K[codes_B[k] >> 4]


def products_factors(matrix_F: Any, hidden_MD: Any, texts: int, out_MN: Any, scratch: Any) -> None:
    """out = (hidden right^T) left^T + b, by the kernels of both.

    Args:
        matrix_F: the line of the matrix; where its numbers would lie are the lines of right and left.
        hidden_MD: a few positions.
        texts: M.
        out_MN: the result.
        scratch: as many numbers as `scratch_size` says.
    """
    right_F = pointer(matrix_F[WEIGHT], "int64")
    left_F = after(right_F, FIELDS)
    free = after(scratch, (texts * right_F[ROWS] + ALIGNED - 1) // ALIGNED * ALIGNED)
    call(right_F[FUNCTION], right_F, hidden_MD, texts, scratch, free)
    call(left_F[FUNCTION], left_F, scratch, texts, out_MN, free)


def rows_factors(matrix_F: Any, ids_R: Any, count: int, out_RD: Any) -> None:
    """Some rows, each a sum of the rows of right.

    Args:
        matrix_F: the line of the matrix.
        ids_R: which rows.
        count: of them.
        out_RD: the result.
    """
    right_F = pointer(matrix_F[WEIGHT], "int64")
    left_F, width = after(right_F, FIELDS), matrix_F[WIDTH]
    narrow_K, right_D, place = room(WIDEST, "float32"), room(WIDEST, "float32"), room(1, "int64")
    for r in range(count):
        place[0] = ids_R[r]
        call(left_F[FUNCTION], left_F, place, np.int64(1), narrow_K)
        for d in range(width):
            out_RD[r * width + d] = np.float32(0)
        for k in range(right_F[ROWS]):
            place[0] = k
            call(right_F[FUNCTION], right_F, place, np.int64(1), right_D)
            for d in range(width):
                out_RD[r * width + d] += narrow_K[k] * right_D[d]


def products_blocks(matrix_F: Any, hidden_MD: Any, texts: int, out_MN: Any, scratch: Any) -> None:
    """out = hidden W^T + b of blocks of rows, by the kernel of each.

    Args:
        matrix_F: the line of the matrix; where its numbers would lie are the lines of the blocks.
        hidden_MD: a few positions.
        texts: M.
        out_MN: the result.
        scratch: as many numbers as `scratch_size` says.
    """
    blocks_XF, rows, width, first = pointer(matrix_F[WEIGHT], "int64"), matrix_F[ROWS], matrix_F[WIDTH], 0
    for x in range(matrix_F[LENGTH]):
        block_F = after(blocks_XF, x * FIELDS)
        for m in range(texts):
            out_N = after(out_MN, m * rows + first)
            call(block_F[FUNCTION], block_F, after(hidden_MD, m * width), np.int64(1), out_N, scratch)
        first += block_F[ROWS]


def rows_blocks(matrix_F: Any, ids_R: Any, count: int, out_RD: Any) -> None:
    """Some rows, by the kernels of their blocks.

    Args:
        matrix_F: the line of the matrix.
        ids_R: which rows.
        count: of them.
        out_RD: the result.
    """
    blocks_XF, width, place = pointer(matrix_F[WEIGHT], "int64"), matrix_F[WIDTH], room(1, "int64")
    for r in range(count):
        first = 0
        for x in range(matrix_F[LENGTH]):
            block_F = after(blocks_XF, x * FIELDS)
            if first <= ids_R[r] < first + block_F[ROWS]:
                place[0] = ids_R[r] - first
                call(block_F[FUNCTION], block_F, place, np.int64(1), after(out_RD, r * width))
            first += block_F[ROWS]


@step
def write_codes(numbers_L: Any, middles_K: Any, codes_L: Any) -> None:
    """How many of 15 borders each number is above."""
    for i in range(numbers_L.size):
        code = np.int32(0)
        for k in range(15):
            code += np.int32(numbers_L[i] > middles_K[k])
        codes_L[i] = np.uint8(code)


@step
def write_values(numbers_L: Any, middles_K: Any, values_K: Any, out_L: Any) -> None:
    """The one of 16 values between whose borders each number lies."""
    for i in range(numbers_L.size):
        value = values_K[0]
        for k in range(15):
            value = values_K[k + 1] if numbers_L[i] > middles_K[k] else value
        out_L[i] = value


@step
def multiply_sparse(
    hidden_MD: Any, values_K: Any, columns_K: Any, starts_S: Any, scales_N: Any, bias_N: Any, out_MN: Any
) -> None:
    """out = hidden W^T + b for W of a few numbers a row."""
    for n in range(len(scales_N)):
        values, columns = values_K[starts_S[n] : starts_S[n + 1]], columns_K[starts_S[n] : starts_S[n + 1]]
        for m in range(len(hidden_MD)):
            hidden_D, total = hidden_MD[m], np.float32(0)
            for k in range(values.size):
                total += np.float32(values[k]) * hidden_D[np.intp(columns[k])]
            out_MN[m, n] = total * scales_N[n] + bias_N[n]


@step
def sparse_rows(values_K: Any, columns_K: Any, starts_S: Any, scales_N: Any, ids_R: Any, out_RD: Any) -> None:
    """Write some rows into zeros."""
    for r in range(len(ids_R)):
        n = ids_R[r]
        for k in range(starts_S[n], starts_S[n + 1]):
            out_RD[r, columns_K[k]] = np.float32(values_K[k]) * scales_N[n]
