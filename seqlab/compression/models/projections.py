"""The projections that retraining goes through, see `seqlab.training.optimize.constraints`, and the forms they end in.

Shapes: N rows, D width, R rank, K shared values.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...nn.packed import FORMS
from ...nn.packed.codebook import nearest_values, shared_values
from .plans import Plan

RAMP = 0.5
"""Share of a retraining over which pruning reaches its strength; the rest is for the weights that are left."""


def _weighted(weight: Tensor, importance_N1: Tensor | None) -> Tensor:
    """A matrix with its rows multiplied."""
    return weight if importance_N1 is None else weight * importance_N1


class Mask:
    """The largest weights of a matrix; ever fewer of them, as Zhu & Gupta 2017 (https://arxiv.org/abs/1710.01878) do.

    Args:
        weight: the free matrix (N, D).
        zeros: share of the weights that is zero at the end.
        importance_N1: of each row, which its weights are multiplied by when they are compared.
    """

    def __init__(self, weight: Tensor, zeros: float, importance_N1: Tensor | None = None):
        self.importance_N1 = importance_N1
        self.zeros, self.mask_ND = zeros, torch.ones_like(weight)  # a product with float32 takes a thirtieth of bool's

    def refresh(self, weight: Tensor, used: float) -> bool:
        place = min(1.0, used / RAMP)
        count = round(self.zeros * (1.0 - (1.0 - place) ** 3) * weight.numel())
        if count:
            size_ND = _weighted(weight, self.importance_N1).abs()
            self.mask_ND = (size_ND > size_ND.flatten().kthvalue(count).values).float()
        return place >= 1.0

    def project(self, weight: Tensor) -> Tensor:
        return weight * self.mask_ND

    def pass_back(self, gradient: Tensor, rows: Tensor | slice) -> Tensor:
        return gradient * self.mask_ND[rows]

    def arrays(self) -> dict[str, Tensor]:
        return {"mask": self.mask_ND.bool()}

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        self.mask_ND = arrays["mask"].float()


class Subspaces:
    """Blocks of rows, each within the directions that hold most of it: its nearest matrix of its rank.

    Args:
        weight: the free matrix (N, D).
        plan: its blocks; those without a rank are free.
        importance_N1: of each row, which its distance is multiplied by.
    """

    def __init__(self, weight: Tensor, plan: Plan, importance_N1: Tensor | None = None):
        self.importance_N1 = importance_N1
        self.blocks = [block for block in plan if block.rank is not None]
        self.bases = [weight.new_zeros(weight.shape[1], block.rank or 0) for block in self.blocks]

    def refresh(self, weight: Tensor, used: float) -> bool:
        rows_ND = _weighted(weight, self.importance_N1)
        for place, (first, last, rank) in enumerate(self.blocks):
            block_ND = rows_ND[first:last]
            gram_DD = (block_ND.T @ block_ND).double()
            self.bases[place] = torch.linalg.eigh(gram_DD).eigenvectors[:, -(rank or 0) :].float()
        return used >= RAMP

    def project(self, weight: Tensor) -> Tensor:
        return self.pass_back(weight, slice(None))

    def pass_back(self, gradient: Tensor, rows: Tensor | slice) -> Tensor:
        found = gradient.clone()
        for (first, last, _), basis_DR in zip(self.blocks, self.bases, strict=True):
            own = slice(first, last) if isinstance(rows, slice) else (rows >= first) & (rows < last)
            found[own] = (gradient[own] @ basis_DR) @ basis_DR.T
        return found

    def arrays(self) -> dict[str, Tensor]:
        return {f"basis.{place}": basis_DR for place, basis_DR in enumerate(self.bases)}

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        self.bases = [arrays[f"basis.{place}"] for place in range(len(self.blocks))]


class Levels:
    """The levels of a form of few bits.

    Args:
        form: its name.
    """

    def __init__(self, weight: Tensor, form: str):
        self.form = FORMS[form]

    def refresh(self, weight: Tensor, used: float) -> bool:
        return True

    def project(self, weight: Tensor) -> Tensor:
        return self.form.nearest(weight)

    def pass_back(self, gradient: Tensor, rows: Tensor | slice) -> Tensor:
        return gradient

    def arrays(self) -> dict[str, Tensor]:
        return {}

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        """There is nothing to resume from."""


class SharedValues:
    """The values that the weights of a matrix share.

    Args:
        weight: the free matrix (N, D).
        importance_N1: of each row, which the distances of its weights are multiplied by.
    """

    def __init__(self, weight: Tensor, importance_N1: Tensor | None = None):
        self.importance_N1 = None if importance_N1 is None else importance_N1.cpu()
        self.values_K: Tensor | None = None

    def refresh(self, weight: Tensor, used: float) -> bool:
        self.values_K = shared_values(weight.cpu(), self.values_K, self.importance_N1)
        return used >= RAMP

    def project(self, weight: Tensor) -> Tensor:
        assert self.values_K is not None
        return nearest_values(weight.cpu(), self.values_K).to(weight.device)

    def pass_back(self, gradient: Tensor, rows: Tensor | slice) -> Tensor:
        return gradient

    def arrays(self) -> dict[str, Tensor]:
        assert self.values_K is not None
        return {"values": self.values_K}

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        self.values_K = arrays["values"].cpu()
