"""What the weights must be like while they are trained: sparse, of low rank, of a few levels.

A step looks at the nearest weights that are allowed, and its gradient changes the free ones behind them: through a mask
or a subspace by the chain rule, past levels as if they were not there (the straight-through estimator: Bengio et al.
2013, https://arxiv.org/abs/1308.3432). What is validated and stored are the allowed ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import Parameter


class Projection(Protocol):
    """The way from a free matrix to the nearest one that is allowed."""

    def refresh(self, weight: Tensor, used: float) -> bool:
        """Look at the free matrix anew, after a share `used` of training; whether that was the last time."""

    def project(self, weight: Tensor) -> Tensor:
        """The allowed matrix."""

    def pass_back(self, gradient: Tensor, rows: Tensor | slice) -> Tensor:
        """The gradient of some rows of the free matrix, from that of the allowed one."""

    def arrays(self) -> Mapping[str, Tensor]:
        """What it has learned, to be saved."""

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Resume from `arrays()`."""


class Constraint:
    """No constraint, and what a training asks of one."""

    settled = True
    """Whether weights can be judged: they are what they are to be at the end."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within, the model has allowed weights."""
        yield

    def after_step(self, used: float) -> None:
        """Take note of a step, after a share `used` of training."""


class Projected(Constraint):
    """Some matrices of a model, each behind a projection.

    Args:
        weights: the free matrices by name, which training changes.
        projection: makes the projection of a matrix, from its name and numbers.
        every: steps between two looks at the free matrices.
    """

    def __init__(self, weights: Mapping[str, Parameter], projection: Callable[[str, Tensor], Projection], every: int):
        self.weights, self.every, self.steps, self.settled = dict(weights), every, 0, False
        self.projections = {name: projection(name, weight.detach()) for name, weight in self.weights.items()}
        self._refresh(0.0)

    def after_step(self, used: float) -> None:
        self.steps += 1
        if not self.settled and (self.steps % self.every == 0 or used >= 1.0):
            self._refresh(used)

    @torch.no_grad()
    def _refresh(self, used: float) -> None:
        found = [part.refresh(self.weights[name].detach(), used) for name, part in self.projections.items()]
        self.settled = all(found)

    @contextmanager
    def applied(self) -> Iterator[None]:
        with torch.no_grad():
            free = {name: weight.detach().clone() for name, weight in self.weights.items()}
            for name, weight in self.weights.items():
                weight.copy_(self.projections[name].project(free[name]))
        try:
            yield
        finally:
            with torch.no_grad():
                for name, weight in self.weights.items():
                    weight.copy_(free[name])
                    self._pass_back(self.projections[name], weight)

    @staticmethod
    def _pass_back(projection: Projection, weight: Parameter) -> None:
        """Turn the gradient of allowed numbers into that of free ones."""
        if weight.grad is None:
            return
        if weight.grad.is_sparse:
            weight.grad = weight.grad.coalesce()
            values = weight.grad._values()
            values.copy_(projection.pass_back(values, weight.grad._indices()[0]))
        else:
            weight.grad.copy_(projection.pass_back(weight.grad, slice(None)))

    def arrays(self) -> dict[str, Tensor]:
        """What the projections have learned, by matrix."""
        return {
            f"{name}/{key}": array for name, part in self.projections.items() for key, array in part.arrays().items()
        }

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Resume from `arrays()`."""
        for name, part in self.projections.items():
            start = f"{name}/"
            own = {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}
            part.load_arrays({key: array.to(self.weights[name].device) for key, array in own.items()})

    def numbers(self) -> dict[str, int | bool]:
        """Its place, as JSON takes it."""
        return {"steps": self.steps, "settled": self.settled}

    def load_numbers(self, numbers: Mapping[str, int | bool]) -> None:
        """Resume from `numbers()`."""
        self.steps, self.settled = int(numbers["steps"]), bool(numbers["settled"])
