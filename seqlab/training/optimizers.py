"""Optimisers. Dense parameters go to torch's fused ones; embedding and output rows, whose gradients are sparse, are
updated row by row ("lazily"): a row that had no gradient is not read, moved or decayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ..config import TrainingConfig
from ..models import LanguageModel

RowRule = Callable[[Tensor, list[Tensor], int], tuple[Tensor, list[Tensor]]]
Recipe = tuple[Callable[..., torch.optim.Optimizer], dict[str, Any], int, RowRule]


class RowOptimizer(torch.optim.Optimizer):
    """Updates only the rows present in a sparse gradient.

    Args:
        params: parameters (R, D) with sparse gradients over dimension 0, coalesced.
        lr: learning rate.
        slots: number of moment tensors a parameter keeps.
        rule: (gradient (r, D), moments [(r, D)], steps taken so far) -> (update to subtract after lr, new moments).
        weight_decay: decoupled decay of the rows touched.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float,
        slots: int,
        rule: RowRule,
        weight_decay: float = 0.0,
    ):
        self.slots, self.rule = slots, rule
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update; gradients must be coalesced."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["step"] = 0
                    for slot in range(self.slots):
                        state[f"moment{slot}"] = torch.zeros_like(parameter)
                state["step"] += 1
                rows, gradient = parameter.grad._indices()[0], parameter.grad._values()
                moments = [state[f"moment{slot}"].index_select(0, rows) for slot in range(self.slots)]
                update, moments = self.rule(gradient, moments, state["step"])
                for slot, moment in enumerate(moments):
                    state[f"moment{slot}"].index_copy_(0, rows, moment)
                values = parameter.index_select(0, rows)
                values.mul_(1.0 - group["lr"] * group["weight_decay"]).sub_(update, alpha=group["lr"])
                parameter.index_copy_(0, rows, values)


def sgd_rows(gradient: Tensor, moments: list[Tensor], step: int) -> tuple[Tensor, list[Tensor]]:
    """Plain gradient descent."""
    return gradient, moments


def momentum_rows(momentum: float) -> RowRule:
    """Heavy-ball momentum of the rows touched."""

    def rule(gradient: Tensor, moments: list[Tensor], step: int) -> tuple[Tensor, list[Tensor]]:
        velocity = moments[0].mul_(momentum).add_(gradient)
        return velocity, [velocity]

    return rule


def adam_rows(gradient: Tensor, moments: list[Tensor], step: int) -> tuple[Tensor, list[Tensor]]:
    """Adam (https://arxiv.org/abs/1412.6980) on the rows touched, betas 0.9 and 0.999, bias-corrected by the
    global step as torch.optim.SparseAdam does."""
    mean = moments[0].lerp_(gradient, 0.1)
    square = moments[1].mul_(0.999).addcmul_(gradient, gradient, value=0.001)
    denominator = square.div(1.0 - 0.999**step).sqrt_().add_(1e-8)
    return mean.div(denominator).div_(1.0 - 0.9**step), [mean, square]


def _sgd(config: TrainingConfig) -> Recipe:
    return torch.optim.SGD, {"weight_decay": config.weight_decay}, 0, sgd_rows


def _momentum(config: TrainingConfig) -> Recipe:
    options = {"momentum": config.momentum, "weight_decay": config.weight_decay}
    return torch.optim.SGD, options, 1, momentum_rows(config.momentum)


def _adam(config: TrainingConfig) -> Recipe:
    return torch.optim.AdamW, {"weight_decay": config.weight_decay}, 2, adam_rows


OPTIMIZERS = {"sgd": _sgd, "momentum": _momentum, "adam": _adam, "adamw": _adam}
"""name -> function of the configuration giving (torch's class, its options, row moments, row rule)."""


class Optimizer:
    """The optimisers of a model: torch's for dense parameters, a RowOptimizer for those with sparse gradients."""

    def __init__(self, model: LanguageModel, config: TrainingConfig):
        dense_class, options, slots, rule = OPTIMIZERS[config.optimizer](config)
        trained = [p for p in model.parameters() if p.requires_grad]
        sparse = {id(p) for p in model.sparse_parameters()}
        self.dense_params = [p for p in trained if id(p) not in sparse]
        self.sparse_params = [p for p in trained if id(p) in sparse]
        self.parts: list[torch.optim.Optimizer] = []
        if self.dense_params:
            self.parts.append(dense_class(self.dense_params, lr=config.lr, fused=True, **options))
        if self.sparse_params:
            decay = config.weight_decay
            self.parts.append(RowOptimizer(self.sparse_params, config.lr, slots, rule, decay))

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def clip(self, limit: float) -> tuple[float, bool]:
        """Shrink all gradients so that their joint norm is at most `limit` (Pascanu et al. 2013,
        https://arxiv.org/abs/1211.5063; 0: leave them). Returns the norm before, and whether they were shrunk."""
        values = [p.grad for p in self.dense_params if p.grad is not None]
        for parameter in self.sparse_params:
            if parameter.grad is not None:
                parameter.grad = parameter.grad.coalesce()
                values.append(parameter.grad._values())
        norm = float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(values))))
        clipped = 0 < limit < norm
        if clipped:
            torch._foreach_mul_(values, limit / norm)
        return norm, clipped

    def step(self, lr: float) -> None:
        """Update all parameters with learning rate `lr`."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = lr
            part.step()

    def arrays(self) -> dict[str, Tensor]:
        """The optimisers' state as flat tensors (a step count becomes a tensor of one number)."""
        return {
            f"{i}.{index}.{name}": torch.as_tensor(value)
            for i, part in enumerate(self.parts)
            for index, slots in part.state_dict()["state"].items()
            for name, value in slots.items()
            if value is not None
        }

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Go on from `arrays()`."""
        for i, part in enumerate(self.parts):
            state: dict[int, dict[str, Any]] = {}
            for key, tensor in arrays.items():
                owner, index, name = key.split(".", 2)
                if int(owner) == i:
                    keep_number = name == "step" and isinstance(part, RowOptimizer)
                    state.setdefault(int(index), {})[name] = int(tensor) if keep_number else tensor
            part.load_state_dict({**part.state_dict(), "state": state})
