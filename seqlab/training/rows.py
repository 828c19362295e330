"""Lazy optimisers for parameters whose gradients are sparse: a row without a gradient is not read, moved or decayed.

Shapes: R rows of a parameter, r rows of them in a gradient, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import Parameter

RowRule = Callable[[Tensor, list[Tensor], int], Tensor]
"""(gradient (r, D), its moments [(r, D)], changed in place, steps taken) -> what lr times is subtracted (r, D)."""


RowKernel = Callable[[Tensor, list[Tensor], Tensor, Tensor, int, float, float, float], None]
"""The same compiled: (parameter (R, D), its moments [(R, D)], rows (r,), gradient (r, D), steps taken, lr, decay added
to the gradient, share of the weights kept) -> None; changes parameter and moments in place."""


class RowOptimizer(torch.optim.Optimizer):
    """Updates only the rows present in a sparse gradient, as torch's dense optimisers update all.

    Args:
        params: parameters (R, D) with sparse gradients over dimension 0, coalesced.
        lr: learning rate.
        slots: number of moment tensors a parameter keeps.
        rule: what to do with a gradient.
        weight_decay: of the rows touched.
        decoupled: whether the decay shrinks the weights directly (AdamW), or is added to the gradient (L2).
        kernel: the rule compiled, for float32 on the CPU.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float,
        slots: int,
        rule: RowRule,
        weight_decay: float = 0.0,
        decoupled: bool = False,
        kernel: RowKernel | None = None,
    ):
        self.slots, self.rule, self.decoupled, self.kernel = slots, rule, decoupled, kernel
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update; gradients must be coalesced."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group["lr"], group["weight_decay"])

    def _update(self, parameter: Parameter, lr: float, decay: float) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            for slot in range(self.slots):
                state[f"moment{slot}"] = torch.zeros_like(parameter)
        state["step"] += 1
        rows, gradient = parameter.grad._indices()[0], parameter.grad._values()  # type: ignore[union-attr]
        if self.kernel and parameter.device.type == "cpu" and parameter.dtype == torch.float32:
            moments = [state[f"moment{slot}"] for slot in range(self.slots)]
            added, kept = (0.0, 1.0 - lr * decay) if self.decoupled else (decay, 1.0)
            self.kernel(parameter, moments, rows, gradient, state["step"], lr, added, kept)
            return
        values = parameter.index_select(0, rows)
        if decay and not self.decoupled:
            gradient = gradient.add(values, alpha=decay)
        moments = [state[f"moment{slot}"].index_select(0, rows) for slot in range(self.slots)]
        update = self.rule(gradient, moments, state["step"])
        for slot, moment in enumerate(moments):
            state[f"moment{slot}"].index_copy_(0, rows, moment)
        if decay and self.decoupled:
            values.mul_(1.0 - lr * decay)
        parameter.index_copy_(0, rows, values.sub_(update, alpha=lr))


def sgd_rows(gradient: Tensor, moments: list[Tensor], step: int) -> Tensor:
    """Plain gradient descent."""
    return gradient


def momentum_rows(momentum: float, nesterov: bool = False) -> RowRule:
    """Heavy-ball momentum, or Nesterov's (Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html)."""

    def rule(gradient: Tensor, moments: list[Tensor], step: int) -> Tensor:
        velocity = moments[0].mul_(momentum).add_(gradient)
        return gradient.add(velocity, alpha=momentum) if nesterov else velocity

    return rule


def adagrad_rows(gradient: Tensor, moments: list[Tensor], step: int) -> Tensor:
    """AdaGrad (Duchi et al. 2011, https://jmlr.org/papers/v12/duchi11a.html)."""
    square = moments[0].addcmul_(gradient, gradient)
    return gradient.div(square.sqrt().add_(1e-10))


def rmsprop_rows(gradient: Tensor, moments: list[Tensor], step: int) -> Tensor:
    """RMSprop (Tieleman & Hinton 2012, lecture 6.5 of Neural Networks for Machine Learning), memory 0.99."""
    square = moments[0].mul_(0.99).addcmul_(gradient, gradient, value=0.01)
    return gradient.div(square.sqrt().add_(1e-8))


def adam_rows(beta1: float, beta2: float) -> RowRule:
    """Adam (https://arxiv.org/abs/1412.6980), bias-corrected by the global step as torch.optim.SparseAdam does."""

    def rule(gradient: Tensor, moments: list[Tensor], step: int) -> Tensor:
        mean = moments[0].lerp_(gradient, 1.0 - beta1)
        square = moments[1].mul_(beta2).addcmul_(gradient, gradient, value=1.0 - beta2)
        denominator = square.div(1.0 - beta2**step).sqrt_().add_(1e-8)
        return mean.div(denominator).div_(1.0 - beta1**step)

    return rule


def adam_rows_compiled(beta1: float, beta2: float) -> RowKernel:
    """`adam_rows` in one pass, see row_kernels.py."""

    def kernel(
        parameter: Tensor,
        moments: list[Tensor],
        rows: Tensor,
        gradient: Tensor,
        step: int,
        lr: float,
        added_decay: float,
        kept: float,
    ) -> None:
        from .row_kernels import adam_rows as update

        weight_RD, mean_RD, square_RD, rows_r, gradient_rD = (
            tensor.detach().numpy() for tensor in (parameter, *moments, rows, gradient)
        )
        correction1, correction2 = 1.0 - beta1**step, 1.0 - beta2**step
        update(
            weight_RD,
            mean_RD,
            square_RD,
            rows_r,
            gradient_rD,
            float(lr),
            beta1,
            beta2,
            correction1,
            correction2,
            added_decay,
            kept,
        )

    return kernel
