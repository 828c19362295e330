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
from ...base.compiled.simd import PAIRED, WORDS
from .planes import BLOCK, dot_planes

SUMS = {"contract", "reassoc"}
"""Lets LLVM fuse multiplications with additions and add in vectors; anything more could hide a NaN."""
compiled = register_jitable(fastmath=SUMS, error_model="numpy")
step: Any = njit(cache=True, nogil=True, fastmath=SUMS, error_model="numpy")

FINEST = 8191
LARGEST_SUM = 2**31 - 1


@compiled
def rounded(hidden_D: Any, largest_sum: Any, codes_P: Any) -> Any:
    """A row as integers, so small that one times a sum of codes, `largest_sum` at most, stays below 2^31. Returns what
    one of them stands for, NaN where a number of the row is NaN or infinite."""
    top, odd = np.float32(0), np.float32(0)
    for d in range(hidden_D.size):
        top = max(top, abs(hidden_D[d]))
        odd += hidden_D[d] - hidden_D[d]
    finest = min(FINEST, LARGEST_SUM // largest_sum)
    unit = top / np.float32(finest)
    inverse = np.float32(1) / unit if unit > 0 else np.float32(0)
    for d in range(hidden_D.size):
        codes_P[d] = np.int16(np.rint(hidden_D[d] * inverse))
    return unit + odd


@compiled
def products_int8(hidden_MD: Any, codes_ND: Any, scales_N: Any, bias_N: Any, out_MN: Any) -> None:
    """out = hidden W^T + b for W = scale * codes."""
    rows, width = codes_ND.shape
    hidden_codes_MD, units_M = np.empty((len(hidden_MD), width), np.int16), np.empty(len(hidden_MD), np.float32)
    for m in range(len(hidden_MD)):
        units_M[m] = rounded(hidden_MD[m], 127 * width, hidden_codes_MD[m])
    gap = rows // WORDS if width > 2 * WORDS else 0
    sums = np.empty(WORDS, np.int32)
    for n in range(gap):
        for m in range(len(hidden_MD)):
            dots(sums, codes_ND, n, gap, hidden_codes_MD, m, width, WORDS, PAIRED)
            for i in range(WORDS):
                k = n + i * gap
                out_MN[m, k] = np.float32(sums[i]) * (scales_N[k] * units_M[m]) + bias_N[k]
    for n in range(gap * WORDS, rows):
        codes_D = codes_ND[n]
        for m in range(len(hidden_MD)):
            hidden_D, total = hidden_codes_MD[m], np.int32(0)
            for d in range(codes_D.size):
                total = np.int32(total + np.int32(np.int32(codes_D[d]) * np.int32(hidden_D[d])))
            out_MN[m, n] = np.float32(total) * (scales_N[n] * units_M[m]) + bias_N[n]


@step
def multiply_int8(hidden_MD: Any, codes_ND: Any, scales_N: Any, bias_N: Any, out_MN: Any) -> None:
    """out = hidden W^T + b."""
    products_int8(hidden_MD, codes_ND, scales_N, bias_N, out_MN)


def planes_kernel(bits: int) -> Any:
    """The kernel of codes of so many bits, a constant of it."""

    @step
    def multiply(hidden_MD: Any, codes_NB: Any, scales_NG: Any, zero: Any, bias_N: Any, out_MN: Any) -> None:
        """out = hidden W^T + b for W = scale * (codes - zero), codes as `planes` has them."""
        rows, groups, row = len(hidden_MD), scales_NG.shape[1], codes_NB.shape[1]
        span = row // groups
        group, blocks = span * (8 // bits), span // BLOCK
        hidden_codes_MP, units_M = np.zeros((rows, groups * group), np.int16), np.empty(rows, np.float32)
        sums_MG = np.zeros((rows, groups), np.float32)
        for m in range(rows):
            units_M[m] = rounded(hidden_MD[m], 512 * blocks, hidden_codes_MP[m])
            for g in range(groups):
                total = 0
                for d in range(g * group, (g + 1) * group):
                    total += hidden_codes_MP[m, d]
                sums_MG[m, g] = np.float32(total) * zero
        for n in range(len(codes_NB)):
            for m in range(rows):
                hidden_P, whole = hidden_codes_MP[m], np.float32(0)
                for g in range(groups):
                    dot = dot_planes(codes_NB, n * row + g * span, hidden_P, g * group, blocks, bits, PAIRED)
                    whole += scales_NG[n, g] * (np.float32(dot) - sums_MG[m, g])
                out_MN[m, n] = whole * units_M[m] + bias_N[n]

    return multiply


def rows_kernel(bits: int) -> Any:
    """The kernel that unpacks rows of codes of so many bits."""

    @step
    def unpack(codes_NB: Any, scales_NG: Any, zero: Any, ids_R: Any, out_RD: Any) -> None:
        """out = scale * (code - zero) of some rows."""
        planes, mask = 8 // bits, 2**bits - 1
        group = codes_NB.shape[1] * planes // scales_NG.shape[1]
        for r in range(len(ids_R)):
            n = ids_R[r]
            for d in range(out_RD.shape[1]):
                block, place = d // (BLOCK * planes), d % (BLOCK * planes)
                byte = np.int32(codes_NB[n, block * BLOCK + place % BLOCK])
                code = (byte >> (place // BLOCK * bits)) & mask
                out_RD[r, d] = scales_NG[n, d // group] * (np.float32(code) - zero)

    return unpack


rows_int4, rows_ternary, rows_binary = (rows_kernel(bits) for bits in (4, 2, 1))
multiply_int4, multiply_ternary, multiply_binary = (planes_kernel(bits) for bits in (4, 2, 1))


@step
def multiply_codebook(hidden_MD: Any, codes_NB: Any, values_K: Any, bias_N: Any, out_MN: Any) -> None:
    """out = hidden W^T + b for W = values[code], two codes in a byte: a table of a byte's two values is looked into."""
    half = codes_NB.shape[1]
    low_V, high_V = np.empty(256, np.float32), np.empty(256, np.float32)
    for v in range(256):
        low_V[v], high_V[v] = values_K[v & 15], values_K[v >> 4]
    for m in range(len(hidden_MD)):
        hidden_P = np.zeros(2 * half, np.float32)
        hidden_P[: hidden_MD.shape[1]] = hidden_MD[m]
        first_B, second_B = hidden_P[:half], hidden_P[half:]
        for n in range(len(codes_NB)):
            codes_B, total = codes_NB[n], bias_N[n]
            for k in range(codes_B.size):
                total += low_V[codes_B[k]] * first_B[k] + high_V[codes_B[k]] * second_B[k]
            out_MN[m, n] = total


@step
def codebook_rows(codes_NB: Any, values_K: Any, out_ND: Any) -> None:
    """out = values[code] of all rows."""
    half = codes_NB.shape[1]
    for n in range(len(codes_NB)):
        for k in range(half):
            out_ND[n, k] = values_K[codes_NB[n, k] & 15]
        for k in range(out_ND.shape[1] - half):
            out_ND[n, half + k] = values_K[codes_NB[n, k] >> 4]


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
