"""Float32 matrices packed into fewer bytes.

Shapes: V rows, D dimensions, N rows of a block.
"""

from __future__ import annotations

import numpy as np

from ...base.errors import InputError
from ...embeddings.packed.matrix import PackedMatrix, Rows, RowScales, ScalarMatrix, pack
from .blocks import by_blocks
from .product import product

PACKINGS = ("int8", "int4", "2bit", "1bit", "pq")
"""Ways to store a number in fewer bits."""
STEPS = {4: 0.3352, 2: 0.9957, 1: 1.5958}
"""Distance of levels, in standard deviations, with which a uniform quantiser of so many bits loses least of a normal
distribution (Max 1960, https://doi.org/10.1109/TIT.1960.1057548); the search begins there."""
ROUNDS = 6
"""Alternations of codes and scale; the error hardly falls after four."""
STRETCH = 4
"""Numbers for each byte in product quantisation: 16 times smaller."""


def packed(
    matrix: Rows, method: str, *, stretch: int = STRETCH, ranked: bool = True, seed: int = 1, quiet: bool = True
) -> PackedMatrix:
    """A matrix in fewer bytes.

    Args:
        matrix: (V, D), finite.
        method: one of PACKINGS: bits of a number, or "pq" for product quantisation.
        stretch: of product quantisation: numbers for each byte, on average.
        ranked: whether rows are in descending frequency, so that product quantisation gives the first more bytes.
        seed: of the rows drawn for codebooks, and of k-means.
        quiet: show no progress.

    Raises:
        InputError: a stretch that is wider than the vectors, or no dimensions.
    """
    if not matrix.shape[1]:
        raise InputError("vectors without dimensions cannot be packed.")
    if method == "pq":
        return product(matrix, stretch, ranked=ranked, seed=seed, quiet=quiet)
    return scalar(matrix, int(method.strip("intb")), quiet)


def scalar(matrix: Rows, bits: int, quiet: bool = True) -> ScalarMatrix:
    """Every number in `bits` bits, with the scale of its row that loses least.

    With 8 bits the largest number of a row is its outermost level. With fewer, large numbers are cut off so that small
    ones keep their differences: codes and scale are fitted to one another in turn, by least squares.
    """
    top, every = (1 << bits) - 1, slice(0, len(matrix))

    def fit(part_ND: np.ndarray, _: slice) -> np.ndarray:
        if bits == 8:
            scale_N: np.ndarray = np.abs(part_ND).max(axis=1) / np.float32(top)
            return scale_N
        scale_N = part_ND.astype(np.float64).std(axis=1) * STEPS[bits] / 2
        for _round in range(ROUNDS):
            codes_ND = nearest_codes(part_ND, scale_N, top)
            levels_ND = 2 * codes_ND - top
            fitted_N = (part_ND * levels_ND).sum(axis=1, dtype=np.float64) / (levels_ND**2).sum(axis=1)
            scale_N = np.where(part_ND.any(axis=1), fitted_N, 0)
        return scale_N.astype(np.float32)

    scales = RowScales.of(np.concatenate(by_blocks(matrix, every, fit, "scales", quiet)), above=bits == 8)

    def encode(part_ND: np.ndarray, rows: slice) -> np.ndarray:
        return pack(nearest_codes(part_ND, scales.at(rows), top).astype(np.uint8), bits)

    codes_VM = np.concatenate(by_blocks(matrix, every, encode, "packing", quiet))
    return ScalarMatrix(codes_VM, scales, matrix.shape[1], bits)


def nearest_codes(part_ND: np.ndarray, scale_N: np.ndarray, top: int) -> np.ndarray:
    """Codes (N, D) from 0 to `top`, as float32, whose numbers are nearest."""
    safe_N1 = np.where(scale_N > 0, scale_N, 1).astype(np.float32)[:, None]
    return np.clip(np.rint((part_ND / safe_N1 + top) / 2), 0, top)
