"""Product quantisation in the bytes that lose least: principal components, wider stretches where numbers vary less, and
more bytes for frequent words.

Shapes: V rows, D dimensions, K coordinates, M bytes of a row, W coordinates of a byte, N rows of a sample.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...base.errors import InputError
from ...base.progress import Progress
from ...embeddings.packed.matrix import ENTRIES, Rows, RowScales
from ...embeddings.packed.product import Frame, ProductMatrix, Tier
from ...embeddings.queries.ranking import lengths
from .blocks import by_blocks

TIERS = (1 / 9, 4 / 9)
"""Ends of the tiers, as shares of the words; words are in descending frequency."""
ATTENTION = 0.6
"""An error of the word of rank r counts as r^-ATTENTION: frequent words are asked about and found more often."""
OVERHEAD = 0.1
"""Share of the bytes that the frames of several tiers may take."""
SAMPLE = 50_000
"""Rows, drawn by chance, that frames and codebooks are fitted to."""
ROUNDS = 40
"""Of k-means; codebooks of mini-batches err by 2 to 3 % more."""
DISTORTIONS = {
    **{1: 0.0001, 2: 0.0091, 3: 0.0447, 4: 0.0983, 5: 0.1614, 6: 0.2217},
    **{8: 0.3283, 10: 0.4162, 13: 0.5132, 16: 0.5838},
}
"""By W: the mean squared error that k-means with 256 entries leaves of W normally distributed numbers of variance 1, as
measured; the distortion-rate bound is 2^(-16 / W)."""


class Part(NamedTuple):
    """A tier before it is packed: its rows, and of their unit vectors the mean, principal directions (D, D) in rows and
    standard deviations (D,), and a sample of them (N, D)."""

    rows: slice
    mean_D: np.ndarray
    directions_DD: np.ndarray
    spreads_D: np.ndarray
    sample_ND: np.ndarray

    @classmethod
    def of(cls, matrix: Rows, rows: slice, sample: int, rng: np.random.Generator) -> Part:
        """Of some rows of a matrix; all-zero ones count for nothing."""
        chosen = rows.start + np.sort(rng.permutation(rows.stop - rows.start)[:sample])
        units_ND = unit_rows(np.asarray(matrix[chosen], np.float32))
        units_ND = units_ND[units_ND.any(axis=1)].astype(np.float64)
        mean_D = units_ND.mean(axis=0) if len(units_ND) else np.zeros(matrix.shape[1])
        centred_ND = units_ND - mean_D
        variances_D, columns_DD = np.linalg.eigh(centred_ND.T @ centred_ND / max(1, len(units_ND)))
        spreads_D = np.sqrt(np.maximum(variances_D[::-1], 0))
        return cls(rows, mean_D, columns_DD.T[::-1], spreads_D, units_ND)

    def coordinates(self, units_ND: np.ndarray) -> np.ndarray:
        """Coordinates (N, D) float32 of unit vectors, of variance 1 in the sample."""
        safe_D = np.where(self.spreads_D > 1e-9, self.spreads_D, np.inf)
        found: np.ndarray = ((units_ND - self.mean_D) @ (self.directions_DD.T / safe_D)).astype(np.float32)
        return found

    def frame(self, count: int) -> Frame:
        """Of the first `count` coordinates; directions in 8 bits."""
        directions_KD = self.directions_DD[:count]
        largest_K = np.abs(directions_KD).max(axis=1)
        codes_KD = np.rint(directions_KD / largest_K[:, None] * 127).astype(np.int8)
        spreads_K = self.spreads_D[:count] * largest_K / 127
        return Frame(self.mean_D.astype(np.float32), codes_KD, spreads_K.astype(np.float32))


def product(matrix: Rows, stretch: int, *, ranked: bool, seed: int, quiet: bool) -> ProductMatrix:
    """Product quantisation of the rows' directions, and the scale of each row that loses least of it.

    Bytes go where they save most of the squared error (reverse water-filling): within a tier, components of large
    variance share a byte with fewer others; and tiers of frequent words get more bytes a row.

    Args:
        matrix: (V, D).
        stretch: numbers for each byte that a row takes on average, scale, frames and codebooks included, unless they
            would take more than a tenth.
        ranked: whether rows are in descending frequency.
        seed: of samples and of k-means.
        quiet: show no progress.

    Raises:
        InputError: a stretch that is wider than the vectors.
    """
    size, dim = matrix.shape
    if not 1 <= stretch <= dim:
        raise InputError(f"stretch: {stretch} is not between 1 and the {dim} dimensions.")
    rng = np.random.default_rng(seed)
    whole = size * dim / stretch
    frames = 3 * (dim * dim + 6 * dim)
    ends = TIERS if ranked and frames <= OVERHEAD * whole else ()
    bounds = [0, *(round(end * size) for end in ends), size]
    pairs = list(zip(bounds, bounds[1:], strict=False))
    parts = [Part.of(matrix, slice(*pair), SAMPLE // len(pairs), rng) for pair in pairs]
    overhead = len(parts) * (dim * dim + 6 * dim + 4 * ENTRIES) + 2 * ENTRIES * sum(DISTORTIONS)
    budget = int(whole - size - min(overhead, whole / 10))
    widths = widths_of_tiers(parts, budget, min(dim, 2 * -(-dim // stretch)))
    codebooks = fitted_codebooks(parts, widths, seed, quiet)
    tiers = [encoded(matrix, part, own, codebooks, quiet) for part, own in zip(parts, widths, strict=True)]
    return ProductMatrix(tiers, codebooks)


def widths_of_tiers(parts: Sequence[Part], budget: int, most: int) -> list[list[int]]:
    """Widths of every tier's stretches, whose bytes together are within a budget where one byte a row is."""
    choices = [choices_of(part.spreads_D**2, most) for part in parts]
    weights = [float(((np.arange(part.rows.start, part.rows.stop) + 1.0) ** -ATTENTION).mean()) for part in parts]
    sizes = [part.rows.stop - part.rows.start for part in parts]
    taken = [1] * len(parts)
    left = budget - sum(sizes)
    while True:
        gains = [
            (weight * (errors[count - 1] - errors[count]) if count < len(errors) and size <= left else 0.0)
            for weight, (errors, _), count, size in zip(weights, choices, taken, sizes, strict=True)
        ]
        best = int(np.argmax(gains))
        if gains[best] <= 0:
            return [widths[count - 1] for (_, widths), count in zip(choices, taken, strict=True)]
        taken[best] += 1
        left -= sizes[best]


def choices_of(variances_D: np.ndarray, most: int) -> tuple[list[float], list[list[int]]]:
    """The least error with 1 to `most` bytes a row, and the widths of stretches that reach it.

    Args:
        variances_D: of the coordinates, descending; those behind the last stretch are lost.
        most: bytes.
    """
    dim = len(variances_D)
    sums = np.concatenate([[0.0], np.cumsum(variances_D)])
    errors_D1 = np.where(np.arange(dim + 1), np.inf, 0.0)  # of the first d coordinates in so many bytes
    options = [(width, loss) for width, loss in DISTORTIONS.items() if width <= dim]
    last: list[np.ndarray] = []
    errors: list[float] = []
    widths: list[list[int]] = []
    for _count in range(most):
        costs_OD = np.full((len(options), dim + 1), np.inf)
        for place, (width, loss) in enumerate(options):
            costs_OD[place, width:] = errors_D1[:-width] + loss * (sums[width:] - sums[:-width])
        last.append(costs_OD.argmin(axis=0))
        errors_D1 = costs_OD.min(axis=0)
        totals_D1 = errors_D1 + sums[-1] - sums
        end = int(totals_D1.argmin())
        if errors and totals_D1[end] >= errors[-1]:
            break
        errors.append(float(totals_D1[end]))
        found: list[int] = []
        for choice in reversed(last):
            found.append(options[choice[end]][0])
            end -= found[-1]
        widths.append(found[::-1])
    return errors, widths


def fitted_codebooks(
    parts: Sequence[Part], widths: Sequence[Sequence[int]], seed: int, quiet: bool
) -> dict[int, np.ndarray]:
    """Codebooks (256, W) float16 by width: k-means of all stretches that are so wide."""
    from sklearn.cluster import KMeans

    samples: dict[int, list[np.ndarray]] = {}
    for part, own in zip(parts, widths, strict=True):
        coordinates_ND = part.coordinates(part.sample_ND)
        for width, end in zip(own, np.cumsum(own), strict=True):
            samples.setdefault(width, []).append(coordinates_ND[:, end - width : end])
    rng, codebooks = np.random.default_rng(seed), {}
    with Progress("codebooks", len(samples), "codebooks", quiet) as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct stretches than entries, which is no fault
        for number, width in enumerate(sorted(samples)):
            sample = np.concatenate(samples[width])
            sample = sample[rng.permutation(len(sample))[:SAMPLE]]
            book = np.zeros((ENTRIES, width), np.float32)
            if entries := min(ENTRIES, len(sample)):
                means = KMeans(entries, init="random", n_init=1, max_iter=ROUNDS, random_state=seed).fit(sample)
                book[:entries] = means.cluster_centers_
                book[entries:] = book[0]
            codebooks[width] = book.astype(np.float16)
            progress.update(number + 1)
    return codebooks


def encoded(matrix: Rows, part: Part, widths: Sequence[int], codebooks: dict[int, np.ndarray], quiet: bool) -> Tier:
    """The rows of a tier, packed."""
    frame = part.frame(sum(widths))
    books = [codebooks[width] for width in widths]
    empty = Tier(
        np.zeros((0, len(widths)), np.uint8), RowScales.of(np.zeros(0, np.float32)), books, matrix.shape[1], frame
    )

    def encode(part_ND: np.ndarray, _: slice) -> tuple[np.ndarray, np.ndarray]:
        coordinates_ND = part.coordinates(unit_rows(part_ND))
        codes_NM = np.empty((len(part_ND), len(widths)), np.uint8)
        for place, book in enumerate(empty.codebooks):
            own = coordinates_ND[:, empty.bounds[place] : empty.bounds[place + 1]]
            codes_NM[:, place] = ((book**2).sum(axis=1) - 2 * own @ book.T).argmin(axis=1)
        found_ND = empty.decode(codes_NM)
        squares_N = np.einsum("nd,nd->n", found_ND, found_ND, dtype=np.float64)
        shares_N = np.einsum("nd,nd->n", found_ND, part_ND, dtype=np.float64) / np.where(squares_N > 0, squares_N, 1)
        return codes_NM, np.maximum(shares_N, 0).astype(np.float32)

    codes, scales = zip(*by_blocks(matrix, part.rows, encode, "packing", quiet), strict=True)
    return Tier(np.concatenate(codes), RowScales.of(np.concatenate(scales)), books, matrix.shape[1], frame)


def unit_rows(part_ND: np.ndarray) -> np.ndarray:
    """Unit vectors; all-zero rows stay zero."""
    units: np.ndarray = part_ND / lengths(part_ND)[:, None]
    return units
