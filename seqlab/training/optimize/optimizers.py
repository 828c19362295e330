"""Optimisers by name. Dense parameters go to torch's fused ones; embedding and output rows, whose gradients are sparse,
to the lazy ones of `rows`. All decay their weights: adamw its matrices directly, the others all of them through the
gradient (L2), rows that have none by shrinking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter

from ...config import TrainingConfig
from ...models import Network
from ..distributed import World
from .dense import AdagradUpdate, AdamUpdate, DenseOptimizer, Kept, ParameterOptimizer, RMSpropUpdate, SGDUpdate, Update
from .rows import (
    RowKernel,
    RowOptimizer,
    RowRule,
    adagrad_rows,
    adam_rows,
    adam_rows_compiled,
    momentum_rows,
    rmsprop_rows,
    sgd_rows,
)


class Recipe(NamedTuple):
    """An optimiser twice: torch's update for dense parameters, and the rule for rows."""

    dense: Update
    slots: int
    """Moment tensors the row rule keeps."""
    rule: RowRule
    decoupled: bool = False
    """Whether weight decay bypasses the gradient."""
    kernel: RowKernel | None = None
    """The rule compiled."""
    idle_decay: float = 1.0
    """How many times lr x weight decay a row without a gradient loses in a step."""

    def rows(self, params: list[Parameter], lr: float, decay: float) -> RowOptimizer:
        """The lazy optimiser of parameters with sparse gradients."""
        return RowOptimizer(params, lr, self.slots, self.rule, decay, self.decoupled, self.kernel, self.idle_decay)


def _sgd(config: TrainingConfig) -> Recipe:
    return Recipe(SGDUpdate(), 0, sgd_rows)


def _momentum(config: TrainingConfig, nesterov: bool = False) -> Recipe:
    rule = momentum_rows(config.momentum, nesterov)
    return Recipe(SGDUpdate(config.momentum, nesterov), 1, rule, idle_decay=1.0 / (1.0 - config.momentum))


def _nesterov(config: TrainingConfig) -> Recipe:
    return _momentum(config, nesterov=True) if config.momentum else _sgd(config)


def _adagrad(config: TrainingConfig) -> Recipe:
    return Recipe(AdagradUpdate(), 1, adagrad_rows)


def _rmsprop(config: TrainingConfig) -> Recipe:
    return Recipe(RMSpropUpdate(), 1, rmsprop_rows)


def _adam(config: TrainingConfig, decoupled: bool = False) -> Recipe:
    betas = (config.beta1, config.beta2)
    update, kernel = AdamUpdate(*betas, decoupled), adam_rows_compiled(*betas)
    return Recipe(update, 2, adam_rows(*betas), decoupled, kernel)


def _adamw(config: TrainingConfig) -> Recipe:
    return _adam(config, decoupled=True)


OPTIMIZERS: dict[str, Callable[[TrainingConfig], Recipe]] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adam": _adam,
    "adamw": _adamw,
}


class Clipping(NamedTuple):
    """What clipping saw and did, as tensors on the device, so that nothing waits for it."""

    norm: Tensor
    """Joint norm of the gradients before."""
    norms: Tensor
    """(parameters,) norm of each, in the order of `Optimizer.parameters`, before."""
    clipped: Tensor
    """1 if the joint norm was shrunk, else 0."""
    clipped_values: Tensor
    """Share of the gradients' elements that were cut."""


def by_decay(params: list[Parameter], decay: float, decoupled: bool) -> list[tuple[list[Parameter], float]]:
    """Parameters by their weight decay. Decoupled decay leaves biases and gains as they are: an output bias, the log
    frequency of a token at first, has no reason to shrink; a decay through the gradient reaches all, as published."""
    if not decoupled or not decay:
        return [(params, decay)] if params else []
    matrices = [p for p in params if p.numel() > max(p.shape)]
    others = [p for p in params if p.numel() <= max(p.shape)]
    return [group for group in ((matrices, decay), (others, 0.0)) if group[0]]


class Optimizer:
    """The optimisers of a model: torch's for dense parameters, a RowOptimizer for those with sparse gradients."""

    def __init__(self, model: Network, config: TrainingConfig):
        recipe = OPTIMIZERS[config.optimizer](config)
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        sparse = {id(p) for p in model.sparse_parameters()}
        self.dense_params = [p for p in trained.values() if id(p) not in sparse]
        self.sparse_params = [p for p in trained.values() if id(p) in sparse]
        names = {id(p): name for name, p in trained.items()}
        self.parameters = {names[id(p)]: p for p in [*self.dense_params, *self.sparse_params]}
        self.parts: list[ParameterOptimizer] = []
        for params, decay in by_decay(self.dense_params, config.weight_decay, recipe.decoupled):
            self.parts.append(DenseOptimizer(params, config.lr, recipe.dense, decay))
        for params, decay in by_decay(self.sparse_params, config.weight_decay, recipe.decoupled):
            self.parts.append(recipe.rows(params, config.lr, decay))

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad()

    def coalesce(self) -> None:
        """Bring every sparse gradient to one entry a row."""
        for parameter in self.sparse_params:
            if parameter.grad is not None:
                parameter.grad = parameter.grad.coalesce()

    def rows(self) -> Iterator[tuple[Parameter, Tensor, Tensor]]:
        """(parameter, rows (r,), gradient (r, D)) of every coalesced sparse gradient."""
        for parameter in self.sparse_params:
            if parameter.grad is not None:
                yield parameter, parameter.grad._indices()[0], parameter.grad._values()

    @torch.no_grad()
    def average_gradients(self, world: World) -> None:
        """Put the gradient of the joint batch into every process: dense gradients as one flat tensor, rows by gathering
        them."""
        if world.size == 1:
            return
        dense = [p.grad for p in self.dense_params if p.grad is not None]
        if dense:
            flat = world.mean_(torch.cat([gradient.flatten() for gradient in dense]))
            for gradient, part in zip(dense, flat.split([g.numel() for g in dense]), strict=True):
                gradient.copy_(part.view_as(gradient))
        for parameter, rows, values in self.rows():
            all_rows, all_values = torch.cat(world.gather(rows)), torch.cat(world.gather(values))
            joint = torch.sparse_coo_tensor(
                all_rows[None], all_values / world.size, parameter.shape, check_invariants=False
            )
            parameter.grad = joint.coalesce()

    def gradients(self) -> list[Tensor]:
        """Gradients in the order of `parameters`; of a sparse one the values, of a missing one a zero."""
        found = []
        for parameter in self.parameters.values():
            gradient = parameter.grad
            if gradient is None:
                gradient = parameter.new_zeros(())
            found.append(gradient._values() if gradient.is_sparse else gradient)
        return found

    @torch.no_grad()
    def clip(self, limit: float, value_limit: float = 0.0) -> Clipping:
        """Cut every element of the gradients at +-`value_limit`, then shrink them all so that their joint norm is at
        most `limit` (Pascanu et al. 2013, https://arxiv.org/abs/1211.5063). 0 leaves that step out."""
        self.coalesce()
        gradients = self.gradients()
        norms_P = torch.stack(torch._foreach_norm(gradients))
        norm = before = torch.linalg.vector_norm(norms_P)
        cut = clipped = torch.zeros_like(norm)
        if value_limit:
            cut = torch.stack([(g.abs() > value_limit).sum() for g in gradients]).sum() / sum(
                map(Tensor.numel, gradients)
            )
            torch._foreach_clamp_min_(gradients, -value_limit)
            torch._foreach_clamp_max_(gradients, value_limit)
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        if limit:
            clipped = (norm > limit).to(norm.dtype)
            torch._foreach_mul_(gradients, (limit / norm).clamp(max=1.0))
        return Clipping(before, norms_P, clipped, cut)

    def step(self, lr: float) -> None:
        """Update all parameters with learning rate `lr`; sparse gradients must be coalesced."""
        for part in self.parts:
            part.lr = lr
            part.step()

    @property
    def pending(self) -> float:
        """The most weight decay that a row can have pending, as a share of its weights (-log of what it keeps)."""
        return max((part.pending for part in self.parts if isinstance(part, RowOptimizer)), default=0.0)

    def settle(self) -> None:
        """Bring all rows up to date with their weight decay."""
        for part in self.parts:
            if isinstance(part, RowOptimizer):
                part.settle()

    def arrays(self) -> dict[str, Tensor]:
        """The optimisers' state as flat tensors (a number becomes a tensor of one, a fraction in float64)."""
        return {
            f"{i}.{index}.{name}": torch.as_tensor(value, dtype=torch.float64 if type(value) is float else None)
            for i, part in enumerate(self.parts)
            for index, slots in part.numbered_state().items()
            for name, value in slots.items()
            if value is not None
        }

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Resume from `arrays()`.

        Raises:
            ValueError: one has not the shape of its weights.
        """
        for i, part in enumerate(self.parts):
            state: dict[int, Kept] = {}
            for key, tensor in arrays.items():
                owner, index, name = key.split(".", 2)
                if int(owner) == i:
                    shape = part.params[int(index)].shape
                    single = tensor.numel() == 1 and not name.startswith("moment")
                    if not single and tensor.shape != (shape[:1] if name == "row_decayed" else shape):
                        raise ValueError(f"{key} has the shape {tuple(tensor.shape)}")
                    number = isinstance(part, RowOptimizer) and name in ("step", "decayed")
                    state.setdefault(int(index), {})[name] = tensor.item() if number else tensor
            part.load_numbered_state(state)
