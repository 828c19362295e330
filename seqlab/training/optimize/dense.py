"""torch's optimisers of dense parameters by their functions: making one of their classes loads torch's compiler, which
takes more than a second of every start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import adagrad, adam, adamw, rmsprop, sgd

Kept = dict[str, Any]
"""What an optimiser keeps of one parameter, by the names that torch gives it."""


class ParameterOptimizer:
    """Updates parameters by their gradients.

    Attributes:
        params: in the order that numbers them in a saved state.
        lr: learning rate of the next step.
        weight_decay: of all parameters.
        state: what is kept of each parameter that had a gradient.
    """

    def __init__(self, params: Iterable[Parameter], lr: float, weight_decay: float = 0.0):
        self.params, self.lr, self.weight_decay = list(params), lr, weight_decay
        self.state: defaultdict[Parameter, Kept] = defaultdict(dict)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.params:
            parameter.grad = None

    def begin(self, parameter: Parameter) -> Kept:
        """What is kept of a parameter before its first gradient."""
        raise NotImplementedError

    def step(self) -> None:
        """One update of the parameters that have a gradient."""
        raise NotImplementedError

    def numbered_state(self) -> dict[int, Kept]:
        """The state by number of the parameter."""
        return {number: self.state[one] for number, one in enumerate(self.params) if one in self.state}

    def load_numbered_state(self, state: Mapping[int, Kept]) -> None:
        """Resume from `numbered_state()`; its tensors go where those of a fresh state are."""
        self.state.clear()
        for number, kept in state.items():
            parameter = self.params[number]
            fresh = self.begin(parameter)
            for name, value in kept.items():
                if isinstance(value, Tensor):
                    value = value.to(fresh.get(name, parameter))
                self.state[parameter][name] = value


class Update(Protocol):
    """One of torch's updates."""

    def begin(self, parameter: Parameter) -> Kept:
        """What is kept of a parameter before its first gradient."""

    def take(
        self, params: list[Tensor], grads: list[Tensor], kept: Sequence[Kept], lr: float, weight_decay: float
    ) -> None:
        """Change parameters and what is kept of them, in place.

        Args:
            params: to change.
            grads: of each.
            kept: of each, as `begin` or an earlier update left it.
            lr: learning rate.
            weight_decay: as the optimiser means it.
        """


class DenseOptimizer(ParameterOptimizer):
    """Updates whole parameters.

    Args:
        params, lr, weight_decay: see `ParameterOptimizer`.
        update: how.
    """

    def __init__(self, params: Iterable[Parameter], lr: float, update: Update, weight_decay: float = 0.0):
        super().__init__(params, lr, weight_decay)
        self.update = update

    def begin(self, parameter: Parameter) -> Kept:
        return self.update.begin(parameter)

    @torch.no_grad()
    def step(self) -> None:
        params = [one for one in self.params if one.grad is not None]
        for one in params:
            if one not in self.state:
                self.state[one] = self.begin(one)
        grads = [one.grad for one in params if one.grad is not None]
        if params:
            self.update.take(list(params), grads, [self.state[one] for one in params], self.lr, self.weight_decay)


class SGDUpdate:
    """Gradient descent, with momentum or Nesterov's."""

    def __init__(self, momentum: float = 0.0, nesterov: bool = False):
        self.momentum, self.nesterov = momentum, nesterov

    def begin(self, parameter: Parameter) -> Kept:
        return {"momentum_buffer": torch.zeros_like(parameter)} if self.momentum else {}

    def take(
        self, params: list[Tensor], grads: list[Tensor], kept: Sequence[Kept], lr: float, weight_decay: float
    ) -> None:
        sgd.sgd(
            params,
            grads,
            [one["momentum_buffer"] for one in kept] if self.momentum else [],
            fused=True,
            lr=lr,
            weight_decay=weight_decay,
            momentum=self.momentum,
            nesterov=self.nesterov,
            dampening=0.0,
            maximize=False,
        )


class AdamUpdate:
    """Adam; AdamW where the decay is decoupled."""

    def __init__(self, beta1: float, beta2: float, decoupled: bool = False):
        self.beta1, self.beta2 = beta1, beta2
        self.update = adamw.adamw if decoupled else adam.adam

    def begin(self, parameter: Parameter) -> Kept:
        step = torch.zeros((), dtype=torch.float32, device=parameter.device)
        return {"step": step, "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}

    def take(
        self, params: list[Tensor], grads: list[Tensor], kept: Sequence[Kept], lr: float, weight_decay: float
    ) -> None:
        means, squares, steps = ([one[name] for one in kept] for name in ("exp_avg", "exp_avg_sq", "step"))
        self.update(
            params,
            grads,
            means,
            squares,
            [],
            steps,
            fused=True,
            lr=lr,
            weight_decay=weight_decay,
            beta1=self.beta1,
            beta2=self.beta2,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )


class AdagradUpdate:
    """AdaGrad."""

    def begin(self, parameter: Parameter) -> Kept:
        return {"step": torch.tensor(0.0), "sum": torch.zeros_like(parameter)}

    def take(
        self, params: list[Tensor], grads: list[Tensor], kept: Sequence[Kept], lr: float, weight_decay: float
    ) -> None:
        sums, steps = ([one[name] for one in kept] for name in ("sum", "step"))
        adagrad.adagrad(
            params,
            grads,
            sums,
            steps,
            foreach=True,
            lr=lr,
            weight_decay=weight_decay,
            lr_decay=0.0,
            eps=1e-10,
            maximize=False,
        )


class RMSpropUpdate:
    """RMSprop, memory 0.99."""

    def begin(self, parameter: Parameter) -> Kept:
        return {"step": torch.tensor(0.0), "square_avg": torch.zeros_like(parameter)}

    def take(
        self, params: list[Tensor], grads: list[Tensor], kept: Sequence[Kept], lr: float, weight_decay: float
    ) -> None:
        squares, steps = ([one[name] for one in kept] for name in ("square_avg", "step"))
        rmsprop.rmsprop(
            params,
            grads,
            squares,
            [],
            [],
            steps,
            foreach=True,
            lr=lr,
            weight_decay=weight_decay,
            alpha=0.99,
            eps=1e-8,
            momentum=0.0,
            centered=False,
        )
