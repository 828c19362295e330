"""Product quantisation of coordinates that principal components give, rows of frequent words in more bytes than others.

Shapes: V rows, D dimensions, K coordinates, M bytes of a row's codes, W coordinates of a byte, Q vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...base.errors import InputError
from .matrix import ENTRIES, METHOD, CodedMatrix, PackedMatrix, RowScales, ScalarMatrix

CODEBOOK = "codebook."
"""Before the width of a codebook, in a file's names of arrays."""


class Frame(NamedTuple):
    """The coordinates that the codes of some rows are of: a row is mean + coordinates x spreads x directions.

    mean_D: float32. directions_KD: int8. spreads_K: float32.
    """

    mean_D: np.ndarray
    directions_KD: np.ndarray
    spreads_K: np.ndarray

    def axes(self) -> np.ndarray:
        """(K, D) float32: what a coordinate of 1 adds to a row."""
        axes_KD: np.ndarray = self.spreads_K[:, None] * self.directions_KD.astype(np.float32)
        return axes_KD


class Tier(CodedMatrix):
    """Rows with the same frame and the same number of bytes (product quantisation: Jégou et al. 2011,
    https://doi.org/10.1109/TPAMI.2010.57): coordinates are cut into M stretches, and of each the nearest entry of a
    codebook is stored, in a byte.

    Args:
        codes_VM: uint8.
        scales: of each row.
        codebooks: of every stretch, (256, W).
        dim: D.
        frame: of the coordinates; None, in older folders, where they are the numbers themselves. Those beyond D are no
            part of a row then.

    Raises:
        InputError: arrays that do not belong together.
    """

    method = "pq"

    def __init__(
        self,
        codes_VM: np.ndarray,
        scales: RowScales | np.ndarray,
        codebooks: Sequence[np.ndarray],
        dim: int,
        frame: Frame | None = None,
    ):
        super().__init__(codes_VM, scales, dim)
        self.codebooks = [np.array(book, np.float32) for book in codebooks]
        self.bounds = np.cumsum([0, *(book.shape[-1] for book in self.codebooks)])
        coordinates = int(self.bounds[-1])
        fits = all(book.ndim == 2 and len(book) == ENTRIES for book in self.codebooks)
        if frame is None:
            fits &= coordinates >= dim
        else:
            shapes = (frame.mean_D.shape, frame.directions_KD.shape, frame.spreads_K.shape)
            fits &= shapes == ((dim,), (coordinates, dim), (coordinates,)) and frame.directions_KD.dtype == np.int8
        if not fits or len(self.codebooks) != codes_VM.shape[1]:
            raise InputError(f"codebooks of {coordinates} coordinates do not fit {codes_VM.shape[1]} bytes a row.")
        self.frame = frame
        self._axes = None if frame is None else frame.axes()

    def decode(self, codes_NM: np.ndarray) -> np.ndarray:
        coordinates_NK = np.empty((len(codes_NM), self.bounds[-1]), np.float32)
        for place, book in enumerate(self.codebooks):
            coordinates_NK[:, self.bounds[place] : self.bounds[place + 1]] = book[codes_NM[:, place]]
        if self.frame is None:
            return coordinates_NK[:, : self.shape[1]].copy()
        decoded_ND: np.ndarray = coordinates_NK @ self._axes
        decoded_ND += self.frame.mean_D
        return decoded_ND

    def multiply(self, query_D: np.ndarray, codes_VM: np.ndarray, scales_V: np.ndarray) -> np.ndarray:
        from . import kernels

        if self._axes is None:
            query_K = np.zeros(self.bounds[-1], np.float32)
            query_K[: len(query_D)] = query_D
        else:
            query_K = self._axes @ query_D
        parts = np.split(query_K, self.bounds[1:-1])
        table_M256 = np.stack([book @ part for book, part in zip(self.codebooks, parts, strict=True)])
        if self.frame is not None:
            table_M256[0] += self.frame.mean_D @ query_D
        return kernels.in_parallel(kernels.look_up, codes_VM, scales_V, table_M256)

    def finite_rows(self) -> np.ndarray:
        arrays = self.codebooks if self.frame is None else [*self.codebooks, self.frame.mean_D, self.frame.spreads_K]
        return super().finite_rows() & all(np.isfinite(array).all() for array in arrays)

    def tensors(self) -> dict[str, np.ndarray]:
        if self.frame is None:
            return {**super().tensors(), "codebooks": np.stack(self.codebooks)}
        mean_D, directions_KD, spreads_K = self.frame
        widths_M = np.diff(self.bounds).astype(np.uint8)
        frame = {"mean": mean_D, "directions": directions_KD, "spreads": spreads_K, "widths": widths_M}
        return {**super().tensors(), **frame}

    def header(self) -> dict[str, str]:
        return {METHOD: "product", "dim": str(self.shape[1])}


class ProductMatrix(PackedMatrix):
    """Rows in tiers, which follow one another. Stretches of the same width share a codebook, whatever their tier.

    Args:
        tiers: in order; at least one.
        codebooks: by width, (256, W) float16: those of the tiers.
    """

    method = "pq"

    def __init__(self, tiers: Sequence[Tier], codebooks: Mapping[int, np.ndarray]):
        self.tiers, self.codebooks = list(tiers), dict(codebooks)
        self.starts = np.cumsum([0, *map(len, self.tiers)])
        self.shape = (int(self.starts[-1]), self.tiers[0].shape[1])

    @classmethod
    def read(cls, tensors: Mapping[str, np.ndarray], dim: int) -> ProductMatrix:
        """Of the arrays of a file.

        Raises:
            KeyError: some are missing.
            InputError: they do not belong together.
        """
        named = {name: array for name, array in tensors.items() if name.startswith(CODEBOOK)}
        codebooks = {int(name.removeprefix(CODEBOOK)): array for name, array in named.items()}
        count = sum(name.endswith(".codes") for name in tensors)
        tiers = []
        for number in range(count):
            start = f"{number}."
            own = {name.removeprefix(start): array for name, array in tensors.items() if name.startswith(start)}
            frame = Frame(*(np.array(own[name]) for name in ("mean", "directions", "spreads")))
            books = [codebooks[width] for width in own["widths"].tolist()]
            tiers.append(Tier(own["codes"], RowScales(own["scales"], np.array(own["levels"])), books, dim, frame))
        if not tiers:
            raise KeyError("0.codes")
        return cls(tiers, codebooks)

    def tensors(self) -> dict[str, np.ndarray]:
        found = {f"{CODEBOOK}{width}": book for width, book in self.codebooks.items()}
        for number, tier in enumerate(self.tiers):
            found |= {f"{number}.{name}": array for name, array in tier.tensors().items()}
        return found

    def header(self) -> dict[str, str]:
        return {METHOD: "tiers", "dim": str(self.shape[1])}

    def __getitem__(self, rows: Any) -> np.ndarray:
        if isinstance(rows, int | np.integer):
            row = range(len(self))[rows]
            number = int(np.searchsorted(self.starts, row, "right")) - 1
            return self.tiers[number][row - self.starts[number]]
        if isinstance(rows, slice):
            wanted = range(len(self))[rows]
            rows_N = np.arange(wanted.start, wanted.stop, wanted.step)
        else:
            rows_N = np.arange(len(self))[rows]
        found_ND = np.empty((len(rows_N), self.shape[1]), np.float32)
        for start, tier in zip(self.starts, self.tiers, strict=False):
            own_N = (rows_N >= start) & (rows_N < start + len(tier))
            if own_N.any():
                found_ND[own_N] = tier[rows_N[own_N] - start]
        return found_ND

    def products(self, queries_QD: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
        first, last, _ = rows.indices(len(self))
        made = [np.empty((len(queries_QD), 0), np.float32)]
        for start, tier in zip(self.starts, self.tiers, strict=False):
            low, high = max(0, first - start), min(len(tier), last - start)
            if low < high:
                made.append(tier.products(queries_QD, slice(low, high)))
        return made[1] if len(made) == 2 else np.concatenate(made, axis=1)

    def finite_rows(self) -> np.ndarray:
        return np.concatenate([tier.finite_rows() for tier in self.tiers])


def packed_of(tensors: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> PackedMatrix:
    """The matrix of a file's arrays and header.

    Raises:
        KeyError, ValueError: they are none of a packed matrix; InputError is a ValueError.
    """
    dim = int(header["dim"])
    if header[METHOD] == "tiers":
        return ProductMatrix.read(tensors, dim)
    scales = RowScales(tensors["scales"], np.array(tensors["levels"])) if "levels" in tensors else tensors["scales"]
    if header[METHOD] == "scalar":
        return ScalarMatrix(tensors["codes"], scales, dim, int(header["bits"]))
    if header[METHOD] == "product":
        books = tensors["codebooks"]
        if books.ndim != 3 or not 0 <= books.shape[0] * books.shape[2] - dim < max(1, books.shape[2]):
            raise InputError(f"codebooks of shape {books.shape} do not fit {dim} numbers.")
        return Tier(tensors["codes"], scales, list(books), dim)
    raise ValueError(f"{header[METHOD]!r} is no way to pack a matrix")
