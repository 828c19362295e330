"""Penalties on weights and on activations. They act through the gradient; the loss that is reported is always the
likelihood, and they are reported separately.

Shapes: B batch, T time, H hidden width.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...models import Reading
from ..distributed import World
from .optimizers import Optimizer


class ActivationPenalty:
    """Activation and temporal activation regularisation (Merity et al. 2017, https://arxiv.org/abs/1708.01009, as used
    in AWD-LSTM, https://arxiv.org/abs/1708.02182): alpha * mean (m h_t)^2 + beta * mean (h_t - h_(t-1))^2 over the
    outputs h of the last cell in a window, m being the mask of dropout; mean squares, as in the authors' code.

    Args:
        activation: alpha.
        temporal: beta.
        device: where the sums for the report are stored.
    """

    def __init__(self, activation: float, temporal: float, device: torch.device | str = "cpu"):
        self.activation, self.temporal = activation, temporal
        self.sums = torch.zeros(3, dtype=torch.float64, device=device)
        """Of alpha's and beta's part over the steps since the last line, and the number of these."""
        self.step = torch.zeros_like(self.sums)
        """The same of the step being taken, in this process."""

    def __bool__(self) -> bool:
        return self.activation > 0 or self.temporal > 0

    def __call__(self, reading: Reading, fresh_BT: np.ndarray | None = None, share: float = 1.0) -> Tensor:
        """The penalty of a window, `share` being its part of a step's streams. Where `fresh_BT` says that the state was
        forgotten, the change counts as none."""
        activation = self.activation * reading.dropped_BTH.square().mean()
        raw_BTH = reading.raw_BTH
        change_BSH = (raw_BTH[:, 1:] - raw_BTH[:, :-1]).square()
        if fresh_BT is not None and fresh_BT[:, 1:].any():
            fresh_BS = torch.from_numpy(fresh_BT[:, 1:]).to(change_BSH.device)
            change_BSH = change_BSH.masked_fill(fresh_BS[..., None], 0.0)
        temporal = self.temporal * change_BSH.sum() / max(1, change_BSH.numel())
        parts = torch.stack([activation.detach(), temporal.detach(), activation.new_ones(())])
        self.step += parts.double() * share
        return activation + temporal

    def end_step(self, world: World) -> None:
        """All windows of a step have been penalised, in all processes."""
        self.sums += world.mean_(self.step)
        self.step.zero_()

    def line(self) -> dict[str, float]:
        """{"activation_penalty", "temporal_penalty"}: means over the steps since the last line, in the unit of the
        loss."""
        activation, temporal, steps = self.sums.tolist()
        self.sums.zero_()
        return {"activation_penalty": activation / max(steps, 1.0), "temporal_penalty": temporal / max(steps, 1.0)}

    def arrays(self) -> dict[str, Tensor]:
        """The sums so far, for exact resume."""
        return {"sums": self.sums} if self else {}

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Resume from `arrays()`."""
        self.sums = arrays.get("sums", self.sums).to(self.sums.device, copy=True)


class Penalty:
    """L1 and L2 penalties on weights: l1 * sum |w| + l2 * sum w^2, added to the gradient directly; biases (parameters
    with "bias" in their name) are left alone.

    A row of a parameter with sparse gradients is penalised when it is touched, for all steps since it was touched last:
    over time that adds up to a dense penalty, in fewer and larger amounts (rows never touched are not penalised).
    """

    def __init__(self, optimizer: Optimizer, l1: float, l2: float):
        self.optimizer, self.l1, self.l2 = optimizer, l1, l2
        self.weights = {name: p for name, p in optimizer.parameters.items() if "bias" not in name} if self else {}
        sparse = {id(p) for p in optimizer.sparse_params}
        self.dense = [p for p in self.weights.values() if id(p) not in sparse]
        self.applied = {
            id(p): torch.zeros(p.shape[0], dtype=torch.int64, device=p.device)
            for p in self.weights.values()
            if id(p) in sparse
        }
        """Steps up to which the penalty has been applied to every row of a sparse parameter."""

    def __bool__(self) -> bool:
        return self.l1 > 0 or self.l2 > 0

    @torch.no_grad()
    def add_gradients(self, step: int) -> None:
        """Add the penalties' gradients to those of the loss, in step number `step` (from 0); rows must be coalesced."""
        for parameter in self.dense:
            if parameter.grad is not None:
                parameter.grad.add_(self.gradient(parameter))
        for parameter, rows, gradient in self.optimizer.rows():
            if id(parameter) in self.applied:
                applied = self.applied[id(parameter)]
                pending = (step + 1 - applied.index_select(0, rows)).to(gradient.dtype)
                gradient.add_(self.gradient(parameter.index_select(0, rows)).mul_(pending[:, None]))
                applied.index_fill_(0, rows, step + 1)

    def gradient(self, weight: Tensor) -> Tensor:
        """Of l1 |w| + l2 w^2 at `weight`."""
        return weight.sign().mul_(self.l1).add_(weight, alpha=2.0 * self.l2)

    @torch.no_grad()
    def value(self) -> float:
        """The penalty of the weights as they are, all rows included, in the unit of the loss."""
        weights = self.weights.values()
        return float(sum(self.l1 * w.abs().sum() + self.l2 * w.square().sum() for w in weights))

    def arrays(self) -> dict[str, Tensor]:
        """Steps up to which rows have been penalised, by parameter."""
        return {name: self.applied[id(p)] for name, p in self.weights.items() if id(p) in self.applied}

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Resume from `arrays()`."""
        for name, tensor in arrays.items():
            self.applied[id(self.weights[name])].copy_(tensor)
