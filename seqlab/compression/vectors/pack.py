"""Float32 matrices packed into fewer bytes: codes and scales of every row, and codebooks.

Shapes: V rows, D dimensions, M stretches of W numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from ...base.errors import InputError
from ...base.progress import Progress
from ...embeddings.packed.matrix import ENTRIES, PackedMatrix, ProductMatrix, Rows, RowScales, ScalarMatrix, flat, pack
from ...embeddings.queries.ranking import lengths

PACKINGS = ("int8", "int4", "2bit", "1bit", "pq")
"""Ways to store a number in fewer bits."""
STEPS = {4: 0.3352, 2: 0.9957, 1: 1.5958}
"""Distance of levels, in standard deviations, with which a uniform quantiser of so many bits loses least of a normal
distribution (Max 1960, https://doi.org/10.1109/TIT.1960.1057548); the search begins there."""
ROUNDS = 6
"""Alternations of codes and scale; the error hardly falls after four."""
STRETCH = 4
"""Numbers of a byte in product quantisation: 16 times smaller."""
SAMPLE = 50_000
"""Rows, drawn by chance, that codebooks are fitted to."""
BLOCK_ROWS = 1 << 13
Made = TypeVar("Made")


def packed(matrix: Rows, method: str, *, stretch: int = STRETCH, seed: int = 1, quiet: bool = True) -> PackedMatrix:
    """A matrix in fewer bytes.

    Args:
        matrix: (V, D), finite.
        method: one of PACKINGS: bits of a number, or "pq" for product quantisation.
        stretch: W of product quantisation: numbers that share a byte.
        seed: of the rows drawn for codebooks, and of k-means.
        quiet: show no progress.

    Raises:
        InputError: a stretch that is wider than the vectors, or no dimensions.
    """
    if not matrix.shape[1]:
        raise InputError("vectors without dimensions cannot be packed.")
    if method == "pq":
        return product(matrix, stretch, seed, quiet)
    return scalar(matrix, int(method.strip("intb")), quiet)


def scalar(matrix: Rows, bits: int, quiet: bool = True) -> ScalarMatrix:
    """Every number in `bits` bits, with the scale of its row that loses least.

    With 8 bits the largest number of a row is its outermost level. With fewer, large numbers are cut off so that small
    ones keep their differences: codes and scale are fitted to one another in turn, by least squares.
    """
    top = (1 << bits) - 1

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

    scales = RowScales.of(np.concatenate(by_blocks(matrix, fit, "scales", quiet)), above=bits == 8)

    def encode(part_ND: np.ndarray, rows: slice) -> np.ndarray:
        return pack(nearest_codes(part_ND, scales.at(rows), top).astype(np.uint8), bits)

    codes_VM = np.concatenate(by_blocks(matrix, encode, "packing", quiet))
    return ScalarMatrix(codes_VM, scales, matrix.shape[1], bits)


def nearest_codes(part_ND: np.ndarray, scale_N: np.ndarray, top: int) -> np.ndarray:
    """Codes (N, D) from 0 to `top`, as float32, whose numbers are nearest."""
    safe_N1 = np.where(scale_N > 0, scale_N, 1).astype(np.float32)[:, None]
    return np.clip(np.rint((part_ND / safe_N1 + top) / 2), 0, top)


def product(matrix: Rows, stretch: int, seed: int, quiet: bool = True) -> ProductMatrix:
    """Product quantisation of the rows' directions: codebooks by k-means of unit vectors, and the scale of each row
    that loses least of it."""
    from sklearn.cluster import MiniBatchKMeans

    size, dim = matrix.shape
    if not 1 <= stretch <= dim:
        raise InputError(f"stretch: {stretch} is not between 1 and the {dim} dimensions.")
    count = -(-dim // stretch)
    rows = np.sort(np.random.default_rng(seed).permutation(size)[:SAMPLE])
    sample = padded_units(np.asarray(matrix[rows]), count * stretch)
    known = sample[sample.any(axis=1)]
    fitted = known.reshape(len(known), count, stretch)
    codebooks = np.zeros((count, ENTRIES, stretch), np.float32)
    with Progress("codebooks", count, "stretches", quiet) as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct stretches than entries, which is no fault
        for number in range(count):
            entries = min(ENTRIES, len(fitted))
            if entries:
                means = MiniBatchKMeans(entries, batch_size=4096, n_init=1, random_state=seed, max_iter=30)
                means.fit(fitted[:, number])
                codebooks[number, :entries] = means.cluster_centers_
                codebooks[number, entries:] = codebooks[number, 0]
            progress.update(number + 1)
    stored = codebooks.astype(np.float16)
    codebooks = stored.astype(np.float32)
    squares_MK = np.einsum("mkw,mkw->mk", codebooks, codebooks)

    def encode(part_ND: np.ndarray, _: slice) -> tuple[np.ndarray, np.ndarray]:
        units = padded_units(part_ND, count * stretch)
        codes = np.empty((len(units), count), np.uint8)
        for number in range(count):
            own = units[:, number * stretch : (number + 1) * stretch]
            codes[:, number] = (squares_MK[number] - 2 * own @ codebooks[number].T).argmin(axis=1)
        found = flat(codebooks[np.arange(count), codes])
        known = np.zeros_like(units)
        known[:, : part_ND.shape[1]] = part_ND
        squares = np.einsum("nd,nd->n", found, found, dtype=np.float64)
        shares = np.einsum("nd,nd->n", found, known, dtype=np.float64) / np.where(squares > 0, squares, 1)
        return codes, np.maximum(shares, 0).astype(np.float32)

    codes, scales = zip(*by_blocks(matrix, encode, "packing", quiet), strict=True)
    return ProductMatrix(np.concatenate(codes), RowScales.of(np.concatenate(scales)), stored, dim)


def padded_units(part_ND: np.ndarray, width: int) -> np.ndarray:
    """Unit vectors of rows, zeros behind them up to `width`; all-zero rows stay zero."""
    units = np.zeros((len(part_ND), width), np.float32)
    units[:, : part_ND.shape[1]] = part_ND / lengths(part_ND)[:, None]
    return units


def by_blocks(matrix: Rows, run: Callable[[np.ndarray, slice], Made], doing: str, quiet: bool) -> list[Made]:
    """What `run` makes of every block of rows (float32, and which they are) of a matrix that may be larger than
    memory."""
    made = []
    with Progress(doing, len(matrix), "vectors", quiet) as progress:
        for start in range(0, max(1, len(matrix)), BLOCK_ROWS):
            rows = slice(start, min(len(matrix), start + BLOCK_ROWS))
            made.append(run(np.asarray(matrix[rows], np.float32), rows))
            progress.update(rows.stop)
    return made
