"""Matrices whose rows are in blocks, each in a form of its own: frequent types' in another than rare ones'.

Shapes: N rows, D width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor

from ...base.native import Native
from ..kernels.affine import affine
from ..kernels.matrices import kernels_of, line_of
from .base import KERNELS, Lines, PackedWeight, Shape, dense, is_packed, line


class RowBlocks(PackedWeight):
    """Matrices of the same width below one another, each plain or packed itself; parts "0", "1" and so on."""

    form = "blocks"
    meaning = "blocks of rows in forms of their own"
    types: ClassVar = {}
    kernels = kernels_of(KERNELS, form)
    few = 1  # the kernel reads all rows anew for every text

    @classmethod
    def pack(cls, weight_ND: Tensor) -> Self:
        """A matrix as it is, in one block."""
        return cls.of([weight_ND.detach().float()])

    @classmethod
    def of(cls, blocks: Sequence[Tensor]) -> Self:
        """Of matrices of the same width, from the top."""
        rows = sum(map(len, blocks))
        return cls({str(place): block for place, block in enumerate(blocks)}, (rows, blocks[0].shape[1]))

    @classmethod
    def part_shapes(cls, shape: Shape, stored: Mapping[str, Shape]) -> dict[str, Shape]:
        rows: dict[str, int] = {}
        for name, stored_shape in stored.items():
            place, *inside = name.split(".")
            if "right" not in inside:  # the one array of a packed block that has no row for each of its own
                rows.setdefault(place, stored_shape[0])
        if sum(rows.values()) != shape[0] or set(rows) != {str(place) for place in range(len(rows))}:
            raise LookupError("blocks")
        return {place: (count, shape[1]) for place, count in rows.items()}

    def check(self) -> None:
        if any(not is_packed(block) and block.dtype != torch.float32 for block in self.blocks):
            raise ValueError("a block of its rows is not of float32")

    @property
    def compiled(self) -> bool:
        return all(block.compiled if is_packed(block) else block.is_contiguous() for block in self.blocks)

    def line(self, kernel: Native, bias_N: Tensor | None = None) -> list[int]:
        of_rows = kernel is self.kernels.rows
        every = [
            line(block, None if bias_N is None else bias_N[first:last], of_rows)
            for first, last, block in self._placed()
        ]
        address = self.__dict__.setdefault("lines", Lines()).at(every)
        return line_of(kernel, address, 0, bias_N, self.shape, len(every))

    @property
    def blocks(self) -> list[Tensor]:
        """From the top."""
        return [self.parts[str(place)] for place in range(len(self.parts))]

    def _placed(self) -> Iterator[tuple[int, int, Tensor]]:
        """First and last row of each block, and the block."""
        first = 0
        for block in self.blocks:
            yield first, first + len(block), block
            first += len(block)

    def unpacked(self) -> Tensor:
        return torch.cat([dense(block) for block in self.blocks])

    def rows(self, ids: Tensor) -> Tensor:
        out = torch.empty(*ids.shape, self.shape[1])
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < len(self):
            raise IndexError(f"rows {ids.tolist()} are not all among the {len(self):,} there are.")
        for first, last, block in self._placed():
            within = (ids >= first) & (ids < last)
            if bool(within.any()):
                own = ids[within] - first
                out[within] = block.rows(own) if is_packed(block) else block[own]
        return out

    def sliced(self, first: int, last: int) -> PackedWeight:
        found = [
            block[max(0, first - begin) : min(len(block), last - begin)]
            for begin, end, block in self._placed()
            if max(first, begin) < min(last, end)
        ]
        return self.of(found or [torch.empty(0, self.shape[1])])

    def with_parts_as(self, form: type[PackedWeight]) -> PackedWeight:
        return self.of([block.with_parts_as(form) if is_packed(block) else form.pack(block) for block in self.blocks])

    def affine(self, hidden: Tensor, bias_N: Tensor | None) -> Tensor:
        hidden = hidden.float()
        if bias_N is None:
            bias_N = hidden.new_zeros(len(self))
        return torch.cat([affine(hidden, block, bias_N[first:last]) for first, last, block in self._placed()], dim=-1)

    def products(self, hidden_MD: Tensor, bias_N: Tensor, out_MN: Tensor) -> None:
        out_MN[:] = self.affine(hidden_MD, bias_N)

    products_of_many = products
