"""Products of one vector with packed rows, compiled: codes are read once, and nothing is written but the products.

| codes | kernel | reads, for D = 100 |
| --- | --- | --- |
| 8 bits | `multiply_bytes`: codes become floats in registers | 100 bytes a row; float32 reads 400 |
| 4 bits | `multiply_halves`: two codes a byte, likewise | 50 bytes |
| 2 and 1 bits, codebooks | `look_up`: a table has the product of every byte of every place | 25, 13, M bytes |

Shapes: V rows, D dimensions, M bytes of a row's codes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ...base.compiled.cached import njit
from ...base.cores import available_cores

ENOUGH = 1 << 25
"""Bytes of codes for each thread: one takes a few milliseconds for so many, and starting another a millisecond."""


def in_parallel(
    kernel: Callable[..., None], codes_VM: np.ndarray, scales_V: np.ndarray, *query: np.ndarray
) -> np.ndarray:
    """Products (V,) float32 of all rows, by threads that share them."""
    codes_VM = codes_VM.view(np.ndarray)
    codes_VM.flags.writeable = False  # as memory maps are: one type, one compilation
    products_V = np.empty(len(codes_VM), np.float32)
    workers = 1 + codes_VM.size // ENOUGH
    if workers > 1:
        workers = min(workers, available_cores())
    if workers == 1:
        kernel(codes_VM, scales_V, products_V, *query)
        return products_V
    bounds = np.linspace(0, len(codes_VM), workers + 1).astype(np.int64)
    with ThreadPoolExecutor(workers) as pool:
        slices = [slice(low, high) for low, high in zip(bounds, bounds[1:], strict=False)]
        list(pool.map(lambda rows: kernel(codes_VM[rows], scales_V[rows], products_V[rows], *query), slices))
    return products_V


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def multiply_bytes(codes_VD: Any, scales_V: Any, products_V: Any, query_D: Any) -> None:
    """Products of codes of 8 bits, whose numbers are 2 code - 255; four rows at once, which share the vector's numbers
    and hide the latency of their sums."""
    size, dim = codes_VD.shape
    shift = np.float32(0)
    for d in range(dim):
        shift += query_D[d]
    shift *= np.float32(127.5)
    two = np.float32(2)
    for v in range(0, size - 3, 4):
        first, second, third, fourth = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for d in range(dim):
            number = query_D[d]
            first += np.float32(codes_VD[v, d]) * number
            second += np.float32(codes_VD[v + 1, d]) * number
            third += np.float32(codes_VD[v + 2, d]) * number
            fourth += np.float32(codes_VD[v + 3, d]) * number
        products_V[v] = two * (first - shift) * scales_V[v]
        products_V[v + 1] = two * (second - shift) * scales_V[v + 1]
        products_V[v + 2] = two * (third - shift) * scales_V[v + 2]
        products_V[v + 3] = two * (fourth - shift) * scales_V[v + 3]
    for v in range(size - size % 4, size):
        total = np.float32(0)
        for d in range(dim):
            total += np.float32(codes_VD[v, d]) * query_D[d]
        products_V[v] = two * (total - shift) * scales_V[v]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def multiply_halves(codes_VM: Any, scales_V: Any, products_V: Any, low_M: Any, high_M: Any) -> None:
    """Products of codes of 4 bits, whose numbers are 2 code - 15; `low_M` and `high_M` are the vector's numbers for the
    low and the high half of each byte. Four rows at once."""
    size, bytes_ = codes_VM.shape
    shift = np.float32(0)
    for m in range(bytes_):
        shift += low_M[m] + high_M[m]
    shift *= np.float32(7.5)
    two = np.float32(2)
    for v in range(0, size - 3, 4):
        first, second, third, fourth = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for m in range(bytes_):
            low, high = low_M[m], high_M[m]
            first += np.float32(codes_VM[v, m] & 15) * low + np.float32(codes_VM[v, m] >> 4) * high
            second += np.float32(codes_VM[v + 1, m] & 15) * low + np.float32(codes_VM[v + 1, m] >> 4) * high
            third += np.float32(codes_VM[v + 2, m] & 15) * low + np.float32(codes_VM[v + 2, m] >> 4) * high
            fourth += np.float32(codes_VM[v + 3, m] & 15) * low + np.float32(codes_VM[v + 3, m] >> 4) * high
        products_V[v] = two * (first - shift) * scales_V[v]
        products_V[v + 1] = two * (second - shift) * scales_V[v + 1]
        products_V[v + 2] = two * (third - shift) * scales_V[v + 2]
        products_V[v + 3] = two * (fourth - shift) * scales_V[v + 3]
    for v in range(size - size % 4, size):
        total = np.float32(0)
        for m in range(bytes_):
            total += np.float32(codes_VM[v, m] & 15) * low_M[m] + np.float32(codes_VM[v, m] >> 4) * high_M[m]
        products_V[v] = two * (total - shift) * scales_V[v]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def look_up(codes_VM: Any, scales_V: Any, products_V: Any, table_M256: Any) -> None:
    """Products as sums of a table's entries, one for each byte; four sums at once, for their latency."""
    bytes_ = codes_VM.shape[1]
    for v in range(codes_VM.shape[0]):
        first, second, third, fourth = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        m = 0
        while m + 4 <= bytes_:
            first += table_M256[m, codes_VM[v, m]]
            second += table_M256[m + 1, codes_VM[v, m + 1]]
            third += table_M256[m + 2, codes_VM[v, m + 2]]
            fourth += table_M256[m + 3, codes_VM[v, m + 3]]
            m += 4
        while m < bytes_:
            first += table_M256[m, codes_VM[v, m]]
            m += 1
        products_V[v] = (first + second + third + fourth) * scales_V[v]
