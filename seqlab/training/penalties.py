"""L1 and L2 penalties on weights: l1 * sum |w| + l2 * sum w^2, added to the gradient directly.

A row of a parameter with sparse gradients is charged when it is touched, for all steps since it was touched last: over
time it pays what a dense penalty would charge, in fewer and larger parts (rows never touched pay nothing).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .optimizers import Optimizer


class Penalty:
    """The penalties of a training; biases (parameters with "bias" in their name) are left alone."""

    def __init__(self, optimizer: Optimizer, l1: float, l2: float):
        self.optimizer, self.l1, self.l2 = optimizer, l1, l2
        self.weights = {name: p for name, p in optimizer.parameters.items() if "bias" not in name} if self else {}
        sparse = {id(p) for p in optimizer.sparse_params}
        self.dense = [p for p in self.weights.values() if id(p) not in sparse]
        self.paid = {
            id(p): torch.zeros(p.shape[0], dtype=torch.int64, device=p.device)
            for p in self.weights.values()
            if id(p) in sparse
        }
        """Steps up to which every row of a sparse parameter has been charged."""

    def __bool__(self) -> bool:
        return self.l1 > 0 or self.l2 > 0

    @torch.no_grad()
    def add_gradients(self, step: int) -> None:
        """Add the penalties' gradients to those of the loss, in step number `step` (from 0); rows must be coalesced."""
        for parameter in self.dense:
            if parameter.grad is not None:
                parameter.grad.add_(self.gradient(parameter))
        for parameter, rows, gradient in self.optimizer.rows():
            if id(parameter) in self.paid:
                paid = self.paid[id(parameter)]
                due = (step + 1 - paid.index_select(0, rows)).to(gradient.dtype)
                gradient.add_(self.gradient(parameter.index_select(0, rows)).mul_(due[:, None]))
                paid.index_fill_(0, rows, step + 1)

    def gradient(self, weight: Tensor) -> Tensor:
        """Of l1 |w| + l2 w^2 at `weight`."""
        return weight.sign().mul_(self.l1).add_(weight, alpha=2.0 * self.l2)

    @torch.no_grad()
    def value(self) -> float:
        """The penalty of the weights as they are, all rows included, in the unit of the loss."""
        weights = self.weights.values()
        return float(sum(self.l1 * w.abs().sum() + self.l2 * w.square().sum() for w in weights))

    def arrays(self) -> dict[str, Tensor]:
        """What rows have paid, by parameter."""
        return {name: self.paid[id(p)] for name, p in self.weights.items() if id(p) in self.paid}

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Go on from `arrays()`."""
        for name, tensor in arrays.items():
            self.paid[id(self.weights[name])].copy_(tensor)
