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

SUMS = {"contract", "reassoc"}
"""Lets LLVM fuse multiplications with additions and add in vectors; anything more could hide a NaN."""
compiled = register_jitable(fastmath=SUMS, error_model="numpy")
step: Any = njit(cache=True, nogil=True, fastmath=SUMS, error_model="numpy")

FINEST = 8191
LARGEST_SUM = 2**31 - 1


@compiled
def rounded(hidden_D: Any, largest_code: Any, codes_P: Any) -> Any:
    """A row as integers, whose products with codes add up to less than 2^31; returns what one of them stands for, NaN
    where a number of the row is NaN or infinite."""
    top, odd = np.float32(0), np.float32(0)
    for d in range(hidden_D.size):
        top = max(top, abs(hidden_D[d]))
        odd += hidden_D[d] - hidden_D[d]
    finest = min(FINEST, LARGEST_SUM // (largest_code * hidden_D.size))
    unit = top / np.float32(finest)
    inverse = np.float32(1) / unit if unit > 0 else np.float32(0)
    for d in range(hidden_D.size):
        codes_P[d] = np.int16(np.rint(hidden_D[d] * inverse))
    return unit + odd


@step
def multiply_int8(hidden_MD: Any, codes_ND: Any, scales_N: Any, bias_N: Any, out_MN: Any) -> None:
    """out = hidden W^T + b for W = scale * codes."""
    rows, width = hidden_MD.shape
    hidden_codes_MD, units_M = np.empty((rows, width), np.int16), np.empty(rows, np.float32)
    for m in range(rows):
        units_M[m] = rounded(hidden_MD[m], 127, hidden_codes_MD[m])
    for n in range(len(codes_ND)):
        codes_D = codes_ND[n]
        for m in range(rows):
            hidden_D, total = hidden_codes_MD[m], np.int32(0)
            for d in range(codes_D.size):
                total = np.int32(total + np.int32(np.int32(codes_D[d]) * np.int32(hidden_D[d])))
            out_MN[m, n] = np.float32(total) * (scales_N[n] * units_M[m]) + bias_N[n]


@step
def multiply_planes(
    hidden_MD: Any, codes_NB: Any, scales_NG: Any, bits: int, zero: Any, bias_N: Any, out_MN: Any
) -> None:
    """out = hidden W^T + b for W = scale * (codes - zero), with several codes of `bits` bits in a byte: byte k of a
    group has code k in its lowest bits, then code k + the group's bytes, and so on."""
    rows, groups = len(hidden_MD), scales_NG.shape[1]
    span, planes = codes_NB.shape[1] // groups, 8 // bits
    group, mask = span * planes, np.uint8(2**bits - 1)
    hidden_codes_MP, units_M = np.zeros((rows, groups * group), np.int16), np.empty(rows, np.float32)
    sums_MG = np.zeros((rows, groups), np.float32)
    for m in range(rows):
        units_M[m] = rounded(hidden_MD[m], 2**bits - 1, hidden_codes_MP[m])
        for g in range(groups):
            whole_group = 0
            for d in range(g * group, (g + 1) * group):
                whole_group += hidden_codes_MP[m, d]
            sums_MG[m, g] = np.float32(whole_group) * zero
    for n in range(len(codes_NB)):
        for m in range(rows):
            whole = np.float32(0)
            for g in range(groups):
                codes_S, total = codes_NB[n, g * span : (g + 1) * span], np.int32(0)
                for plane in range(planes):
                    start, shift = g * group + plane * span, np.uint8(plane * bits)
                    hidden_S = hidden_codes_MP[m, start : start + span]
                    for s in range(codes_S.size):
                        code = np.int32((codes_S[s] >> shift) & mask)
                        total = np.int32(total + np.int32(code * np.int32(hidden_S[s])))
                whole += scales_NG[n, g] * (np.float32(total) - sums_MG[m, g])
            out_MN[m, n] = whole * units_M[m] + bias_N[n]


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
