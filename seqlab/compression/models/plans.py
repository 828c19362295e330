"""Where numbers can be spared: how many directions matrices and blocks of their rows keep, and how many weights.

A frequent word's row is read and compared often, so it needs all its numbers; the rows of thousands of rare words are
nearly in a subspace (blocks of rows by frequency: Chen et al. 2018, https://arxiv.org/abs/1806.06950).

Shapes: N rows, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ...nn.packed.factors import Factors
from ...nn.packed.row_blocks import RowBlocks

BLOCKS = (64, 16, 4, 1)
"""Ends of the blocks of a matrix with a row for each type, as divisors of its rows."""
FEWEST = 64
"""Rows of a block at least."""


WORTH = 1 / 3
"""Share of zeros from which a sparse matrix is smaller: what is left takes six bytes, a plain number four."""


class Block(NamedTuple):
    """Rows `first` to `last` of a matrix, and their rank; None where they stay as they are."""

    first: int
    last: int
    rank: int | None


Plan = list[Block]
"""The blocks of a matrix, from the top."""


class _Choice:
    """The rank of a block while it grows.

    shares: of the matrix's squared error that each direction more takes away, descending.
    """

    def __init__(self, first: int, last: int, width: int, shares: list[float]):
        self.first, self.last, self.shares = first, last, shares
        self.step = last - first + width
        self.most = (last - first) * width // self.step
        self.whole = (last - first) * width
        self.rank: int | None = min(1, self.most) or None

    @property
    def numbers(self) -> int:
        """That it takes."""
        return self.whole if self.rank is None else self.rank * self.step

    def next(self) -> tuple[int, float]:
        """The numbers of the next step, and the squared error that each of them takes away."""
        if self.rank is None:
            return 0, 0.0
        if self.rank < self.most:
            return self.step, self.shares[self.rank] / self.step
        return self.whole - self.numbers, sum(self.shares[self.rank :]) / max(1, self.whole - self.numbers)

    def grow(self) -> None:
        """Take it."""
        assert self.rank is not None
        self.rank = self.rank + 1 if self.rank < self.most else None


def planned_ranks(
    matrices: Mapping[str, Tensor], kept: float, importance: Callable[[str, Tensor], Tensor | None]
) -> dict[str, Plan]:
    """The blocks of every matrix: numbers go where they take away most of its squared error, relative to its own size.

    Args:
        matrices: by name.
        kept: share of their numbers that all together may take; each block has rank 1 at least.
        importance: of the rows (N, 1) of a matrix with one for each type, in descending frequency, which they are
            multiplied by; None for other matrices, which are one block.
    """
    choices: dict[str, list[_Choice]] = {}
    for name, weight in matrices.items():
        rows, importance_N1 = len(weight), importance(name, weight)
        ends = (
            [rows] if importance_N1 is None else [rows // part for part in BLOCKS if rows // part >= FEWEST] or [rows]
        )
        weighted_ND = (weight if importance_N1 is None else weight * importance_N1).double()
        total = max(float(weighted_ND.square().sum()), 1e-30)
        choices[name] = []
        for first, last in zip([0, *ends], ends, strict=False):
            block_ND = weighted_ND[first:last]
            shares = torch.linalg.eigvalsh(block_ND.T @ block_ND).flip(0).clamp(min=0) / total
            choices[name].append(_Choice(first, last, weight.shape[1], shares.tolist()))
    every = [choice for own in choices.values() for choice in own]
    left = int(kept * sum(choice.whole for choice in every)) - sum(choice.numbers for choice in every)
    while True:
        affordable = [choice for choice in every if choice.rank is not None and choice.next()[0] <= left]
        if not affordable:
            break
        best = max(affordable, key=lambda choice: choice.next()[1])
        left -= best.next()[0]
        best.grow()
    return {name: _merged([Block(one.first, one.last, one.rank) for one in own]) for name, own in choices.items()}


def _merged(blocks: Plan) -> Plan:
    """Neighbours that stay as they are become one block."""
    found = blocks[:1]
    for block in blocks[1:]:
        if block.rank is None and found[-1].rank is None:
            found[-1] = Block(found[-1].first, block.last, None)
        else:
            found.append(block)
    return found


def planned_zeros(
    matrices: Mapping[str, Tensor], zeros: float, importance: Callable[[str, Tensor], Tensor | None]
) -> dict[str, float]:
    """The share of every matrix that is left out: the weights that are least in relation to the whole of their matrix.

    A matrix of which less than `WORTH` would go stays as it is, and the others lose more: sparse, it would not be
    smaller.

    Args:
        matrices: by name.
        zeros: share of the weights of all together.
        importance: as `planned_ranks` takes it.
    """
    sizes = {}
    for name, weight in matrices.items():
        importance_N1 = importance(name, weight)
        squares_ND = (weight if importance_N1 is None else weight * importance_N1).square()
        sizes[name] = squares_ND.flatten() / squares_ND.sum().clamp(min=1e-30)
    count = round(zeros * sum(map(len, sizes.values())))
    while True:
        border = torch.cat(list(sizes.values())).kthvalue(max(1, count)).values
        shares = {name: float((size <= border).float().mean()) for name, size in sizes.items()}
        sparse = {name: size for name, size in sizes.items() if shares[name] >= WORTH}
        if len(sparse) == len(sizes) or sum(map(len, sparse.values())) <= count:
            return {name: shares.get(name, 0.0) for name in matrices}
        sizes = sparse


def in_factors(weight: Tensor, plan: Plan) -> Tensor:
    """A matrix in the form of its plan: plain, as the product of two thin ones, or in blocks of such rows."""
    blocks = [
        weight[first:last] if rank is None else Factors.of(weight[first:last], rank) for first, last, rank in plan
    ]
    return blocks[0] if len(blocks) == 1 else RowBlocks.of(blocks)
