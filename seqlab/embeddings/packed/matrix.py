"""Matrices in fewer bytes than float32, with the face of a float32 array: rows by index, and products with vectors.

| class | a row is stored as | a number is |
| --- | --- | --- |
| `ScalarMatrix` | 8, 4, 2 or 1 bits a number, and a scale | scale x (2 code - 2^bits + 1) |
| `ProductMatrix` | one byte for every few coordinates, and a scale | scale x what codebooks have, turned back |

A scale is a byte too, one of 256 levels.

Questions multiply codes, so that no float32 copy of the whole is ever made. A single vector is multiplied by a compiled
kernel; with many, rows are decoded a block at a time, since decoding is then the smaller part.

Shapes: V rows, D dimensions, Q vectors, N rows asked for, M bytes of a row's codes, W numbers of a byte.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ...base.errors import InputError

BITS = (8, 4, 2, 1)
"""Bits of a number that a `ScalarMatrix` can have."""
ENTRIES = 256
"""Entries of a codebook: one for every byte."""
BLOCK_NUMBERS = 1 << 19
"""Numbers that are decoded at a time: 2 MB of float32."""
FEW = 8
"""Vectors up to which a compiled product with the codes is sooner than decoding them."""
PATIENCE = 1 << 31
"""Multiplications by decoding after which it pays to load compiled code."""
METHOD = "method"
"""In a file's header: which class its codes are of."""


class RowScales(NamedTuple):
    """Scales of rows in a byte each.

    codes_V: uint8. levels_L: float32 (256,), ascending.
    """

    codes_V: np.ndarray
    levels_L: np.ndarray

    @classmethod
    def of(cls, scales_V: np.ndarray, above: bool = False) -> RowScales:
        """The nearest levels, or the lowest ones that are not below: 0, and the others at equal ratios between the
        least and the largest scale. Where these differ by a factor of ten, so do two levels by 0.9 %."""
        levels_L = np.zeros(ENTRIES, np.float32)
        known = scales_V[scales_V > 0]
        if len(known):
            levels_L[1:] = np.geomspace(known.min(), known.max(), ENTRIES - 1)
            levels_L[[1, -1]] = known.min(), known.max()
        borders = levels_L if above else np.sqrt(levels_L * np.append(levels_L[1:], levels_L[-1]))
        codes_V = np.searchsorted(borders, scales_V).clip(max=ENTRIES - 1)
        return cls(np.where(scales_V > 0, codes_V.clip(min=1), 0).astype(np.uint8), levels_L)

    def at(self, rows: Any) -> np.ndarray:
        """Of some rows."""
        found: np.ndarray = self.levels_L[self.codes_V[rows]]
        return found


def _fit(scales: RowScales | np.ndarray, rows: int) -> bool:
    """Whether they are scales of so many rows."""
    if isinstance(scales, RowScales):
        codes_V, levels_L = scales
        return codes_V.shape == (rows,) and codes_V.dtype == np.uint8 and levels_L.shape == (ENTRIES,)
    return scales.shape == (rows,)


class PackedMatrix(ABC):
    """Rows (V, D) of numbers in fewer bytes than float32.

    Indexing gives float32 arrays, and numpy takes the whole as one (decoded anew each time).
    """

    shape: tuple[int, int]

    @property
    @abstractmethod
    def method(self) -> str:
        """Its name, such as "int8"."""

    @abstractmethod
    def tensors(self) -> dict[str, np.ndarray]:
        """The arrays by which a file stores it."""

    @abstractmethod
    def header(self) -> dict[str, str]:
        """What a file stores beside the arrays."""

    @abstractmethod
    def __getitem__(self, rows: Any) -> np.ndarray:
        """Row (D,) or rows (N, D) float32: a number, a slice, or any array of rows."""

    @abstractmethod
    def products(self, queries_QD: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
        """(Q, V) float32: dot products of vectors with the rows of a slice.

        The first questions of a process decode; once they have multiplied enough, the compiled kernel is loaded.
        """

    @abstractmethod
    def finite_rows(self) -> np.ndarray:
        """(V,) bool: whose numbers are all finite."""

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.method}, {self.shape[0]:,} x {self.shape[1]}, {self.nbytes / 1e6:,.3g} MB)"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("a packed matrix cannot be seen as an array without decoding it")
        whole_VD = np.empty(self.shape, np.float32)
        for rows in self.blocks():
            whole_VD[rows] = self[rows]
        return whole_VD if dtype is None else whole_VD.astype(dtype, copy=False)

    @property
    def size(self) -> int:
        """Numbers, V x D."""
        return self.shape[0] * self.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.tensors().values())

    def blocks(self, rows: slice = slice(None)) -> list[slice]:
        """Slices of BLOCK_NUMBERS numbers, in order."""
        start, stop, _ = rows.indices(len(self))
        step = max(1, BLOCK_NUMBERS // max(1, self.shape[1]))
        return [slice(low, min(low + step, stop)) for low in range(start, stop, step)]

    def lengths(self) -> np.ndarray:
        """(V,) Euclidean lengths of rows; 1 for all-zero ones, so that they can be divided by."""
        squares = [np.einsum("nd,nd->n", part, part, dtype=np.float64) for part in map(self.__getitem__, self.blocks())]
        norms = np.sqrt(np.concatenate([np.empty(0), *squares]))
        return np.where(norms > 0, norms, 1).astype(np.float32)


Rows = np.ndarray | PackedMatrix
"""A matrix (V, D) as word vectors store it."""


class CodedMatrix(PackedMatrix):
    """Rows of equally many bytes, each with a scale.

    Args:
        codes_VM: uint8; may lie in a file.
        scales: what the numbers of each row are multiplied by; not negative, 0 for a row of zeros. Older folders have
            float32 (V,).
        dim: D.

    Raises:
        InputError: arrays that do not belong together.
    """

    def __init__(self, codes_VM: np.ndarray, scales: RowScales | np.ndarray, dim: int):
        if codes_VM.ndim != 2 or codes_VM.dtype != np.uint8 or not _fit(scales, len(codes_VM)):
            raise InputError(f"scales do not fit codes {codes_VM.dtype} of shape {codes_VM.shape}.")
        self.codes = codes_VM
        self._scales = scales if isinstance(scales, RowScales) else np.array(scales, np.float32)
        self.shape = (len(codes_VM), dim)
        self._multiplied = 0

    @abstractmethod
    def decode(self, codes_NM: np.ndarray) -> np.ndarray:
        """Numbers (N, D) float32 of codes (N, M), before they are scaled."""

    @abstractmethod
    def multiply(self, query_D: np.ndarray, codes_VM: np.ndarray, scales_V: np.ndarray) -> np.ndarray:
        """Products (V,) of rows with one vector, by a compiled kernel."""

    def tensors(self) -> dict[str, np.ndarray]:
        if isinstance(self._scales, RowScales):
            return {"codes": self.codes, "scales": self._scales.codes_V, "levels": self._scales.levels_L}
        return {"codes": self.codes, "scales": self._scales}

    def __getitem__(self, rows: Any) -> np.ndarray:
        codes, scales = self.codes[rows], self.scales(rows)
        if codes.ndim == 1:
            return self.decode(codes[None])[0] * scales
        return self.decode(codes) * scales[:, None]

    def scales(self, rows: Any = slice(None)) -> np.ndarray:
        """Float32 scales of some rows."""
        return self._scales.at(rows) if isinstance(self._scales, RowScales) else self._scales[rows]

    def products(self, queries_QD: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        count = max(0, stop - start)
        products_QV = np.empty((len(queries_QD), count), np.float32)
        numbers = len(queries_QD) * count * self.shape[1]
        if len(queries_QD) <= FEW and self.shape[1] and self._multiplied + numbers > PATIENCE:
            scales_V = self.scales(rows)
            for products_V, query_D in zip(products_QV, queries_QD, strict=True):
                query_D = np.ascontiguousarray(query_D, np.float32)
                products_V[:] = self.multiply(query_D, self.codes[rows], scales_V)
            return products_QV
        self._multiplied += numbers
        for block in self.blocks(rows):
            np.matmul(queries_QD, self[block].T, out=products_QV[:, block.start - start : block.stop - start])
        return products_QV

    def finite_rows(self) -> np.ndarray:
        return np.isfinite(self.scales())


class ScalarMatrix(CodedMatrix):
    """Rows of 8, 4, 2 or 1 bits a number, each row with a scale of its own: a number is scale x (2 code - 2^bits + 1).

    Two or more numbers of a byte lie in order, the first in its lowest bits.

    Args:
        codes_VM: uint8, as `pack` makes them.
        scales: of each row.
        dim: D.
        bits: of a number.

    Raises:
        InputError: other bits, or codes of another width.
    """

    def __init__(self, codes_VM: np.ndarray, scales: RowScales | np.ndarray, dim: int, bits: int):
        super().__init__(codes_VM, scales, dim)
        if bits not in BITS or codes_VM.shape[1] != -(-dim * bits // 8):
            raise InputError(f"{dim} numbers of {bits} bits do not fit {codes_VM.shape[1]} bytes a row.")
        self.bits = bits

    @property
    def method(self) -> str:
        return f"int{self.bits}" if self.bits > 2 else f"{self.bits}bit"

    def decode(self, codes_NM: np.ndarray) -> np.ndarray:
        if self.bits == 8:
            return 2 * codes_NM.astype(np.float32) - 255
        return flat(self._levels[codes_NM])[:, : self.shape[1]].copy()

    def multiply(self, query_D: np.ndarray, codes_VM: np.ndarray, scales_V: np.ndarray) -> np.ndarray:
        from . import kernels

        if self.bits == 8:
            return kernels.in_parallel(kernels.multiply_bytes, codes_VM, scales_V, query_D)
        padded = np.zeros(codes_VM.shape[1] * (8 // self.bits), np.float32)
        padded[: len(query_D)] = query_D
        if self.bits == 4:
            return kernels.in_parallel(
                kernels.multiply_halves, codes_VM, scales_V, padded[::2].copy(), padded[1::2].copy()
            )
        table_M256 = padded.reshape(codes_VM.shape[1], -1) @ self._levels.T
        return kernels.in_parallel(kernels.look_up, codes_VM, scales_V, table_M256)

    @cached_property
    def _levels(self) -> np.ndarray:
        """(256, W): the numbers of every byte."""
        per_byte = 8 // self.bits
        shifts = self.bits * np.arange(per_byte)
        codes = (np.arange(ENTRIES)[:, None] >> shifts) & ((1 << self.bits) - 1)
        return (2 * codes - (1 << self.bits) + 1).astype(np.float32)

    def header(self) -> dict[str, str]:
        return {METHOD: "scalar", "dim": str(self.shape[1]), "bits": str(self.bits)}


def pack(codes_ND: np.ndarray, bits: int) -> np.ndarray:
    """Codes (N, D) of `bits` bits each as bytes (N, M), the first of a byte in its lowest bits."""
    per_byte = 8 // bits
    width = -(-codes_ND.shape[1] // per_byte)
    padded = np.zeros((len(codes_ND), width, per_byte), np.uint8)
    flat(padded)[:, : codes_ND.shape[1]] = codes_ND
    shifted = padded << (bits * np.arange(per_byte, dtype=np.uint8))
    return np.bitwise_or.reduce(shifted, axis=2, dtype=np.uint8)


def flat(numbers_NMW: np.ndarray) -> np.ndarray:
    """(N, M W) of (N, M, W), of no rows too; a view where that is possible."""
    return numbers_NMW.reshape(len(numbers_NMW), numbers_NMW.shape[1] * numbers_NMW.shape[2])


def dots(matrix: Rows, queries_QD: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
    """(Q, V) dot products of vectors with the rows of a slice."""
    if isinstance(matrix, PackedMatrix):
        return matrix.products(queries_QD, rows)
    return np.asarray(queries_QD @ matrix[rows].T)


def dot(matrix: Rows, query_D: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
    """(V,) dot products of one vector with the rows of a slice."""
    if isinstance(matrix, PackedMatrix):
        return matrix.products(query_D[None], rows)[0]
    return np.asarray(matrix[rows] @ query_D)
