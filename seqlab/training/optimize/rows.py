"""Lazy optimisers for parameters whose gradients are sparse: a row without a gradient is not read or moved, and its
weight decay waits until it is touched.

Shapes: R rows of a parameter, r rows of them in a gradient, D width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import Parameter

from .dense import Kept, ParameterOptimizer

RowRule = Callable[[Tensor, list[Tensor], int], Tensor]
"""(gradient (r, D), its moments [(r, D)], changed in place, steps taken) -> what lr times is subtracted (r, D)."""


RowKernel = Callable[[Tensor, list[Tensor], Tensor, Tensor, int, float, float, Tensor], None]
"""The same compiled: (parameter (R, D), its moments [(R, D)], rows (r,), gradient (r, D), steps taken, lr, decay added
to the gradient, share of the weights that remains (r,)) -> None; changes parameter and moments in place."""

STALE = 0.01
"""Pending weight decay of a row, as a share of its weights, from which training applies it to all rows."""


class RowOptimizer(ParameterOptimizer):
    """Updates only the rows present in a sparse gradient, as torch's dense optimisers update all.

    Weight decay reaches every row. A row that is touched first shrinks by prod (1 - lr_t weight_decay idle_decay) over
    the steps t that it missed, and then decays by the rule of the optimiser; `settle` brings all rows up to date. For
    AdamW and plain gradient descent that is what they do to a row whose gradient is zero; for momentum it is so as soon
    as its velocity has settled. Adam, AdaGrad and RMSprop with decay in the gradient would move a row without any other
    gradient by lr a step, however small the decay is: dividing by the gradient's size undoes it
    (https://arxiv.org/abs/1711.05101). Steps that a row misses shrink it without that division, and leave its moments.

    The forward pass of a step reads rows before they are touched: stale by what is `pending`, which training keeps
    below `STALE`.

    Args:
        params: parameters (R, D) with sparse gradients over dimension 0, coalesced.
        lr: learning rate.
        slots: number of moment tensors a parameter keeps.
        rule: what to do with a gradient.
        weight_decay: of all rows.
        decoupled: whether the decay shrinks the weights directly (AdamW), or is added to the gradient (L2).
        kernel: the rule compiled, for float32 on the CPU.
        idle_decay: times lr and weight_decay is the share that a row without a gradient loses in a step.
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
        idle_decay: float = 1.0,
    ):
        self.slots, self.rule, self.decoupled, self.kernel = slots, rule, decoupled, kernel
        self.idle_decay = idle_decay
        super().__init__(params, lr, weight_decay)

    def begin(self, parameter: Parameter) -> Kept:
        return {"step": 0, **{f"moment{slot}": torch.zeros_like(parameter) for slot in range(self.slots)}}

    @torch.no_grad()
    def step(self) -> None:
        """One update; gradients must be coalesced."""
        for parameter in self.params:
            if parameter.grad is not None:
                self._update(parameter, self.lr, self.weight_decay)

    def _update(self, parameter: Parameter, lr: float, decay: float) -> None:
        if parameter not in self.state:
            self.state[parameter] = self.begin(parameter)
        state = self.state[parameter]
        state["step"] += 1
        rows, gradient = parameter.grad._indices()[0], parameter.grad._values()  # type: ignore[union-attr]
        kept_r = self._kept(parameter, state, rows, lr * decay) if decay else parameter.new_ones(len(rows))
        added = 0.0 if self.decoupled else decay
        if self.kernel and parameter.device.type == "cpu" and parameter.dtype == torch.float32:
            moments = [state[f"moment{slot}"] for slot in range(self.slots)]
            self.kernel(parameter, moments, rows, gradient, state["step"], lr, added, kept_r)
            return
        values = parameter.index_select(0, rows)
        if decay:
            values.mul_(kept_r[:, None])
        if added:
            gradient = gradient.add(values, alpha=added)
        moments = [state[f"moment{slot}"].index_select(0, rows) for slot in range(self.slots)]
        update = self.rule(gradient, moments, state["step"])
        for slot, moment in enumerate(moments):
            state[f"moment{slot}"].index_copy_(0, rows, moment)
        parameter.index_copy_(0, rows, values.sub_(update, alpha=lr))

    def _kept(self, parameter: Parameter, state: Kept, rows: Tensor, decay: float) -> Tensor:
        """Share (r,) that remains of `rows` after the decay they missed, and after this step's where it is decoupled.
        Notes it as applied; `decay` is that of the step."""
        if "decayed" not in state:
            state["decayed"], state["row_decayed"] = 0.0, parameter.new_zeros(len(parameter))
        before, row_decayed = state["decayed"], state["row_decayed"]
        state["decayed"] += math.log(max(1.0 - decay * (1.0 if self.decoupled else self.idle_decay), 1e-30))
        until = row_decayed.new_tensor(state["decayed"] if self.decoupled else before)
        kept_r = (until - row_decayed.index_select(0, rows)).exp_()
        row_decayed.index_fill_(0, rows, state["decayed"])
        return kept_r

    @property
    def pending(self) -> float:
        """The most weight decay that a row can have missed since all had theirs, as -log of what would remain."""
        return max((-state.get("decayed", 0.0) for state in self.state.values()), default=0.0)

    @torch.no_grad()
    def settle(self) -> None:
        """Shrink all rows by the decay that they missed."""
        for parameter, state in self.state.items():
            if state.get("decayed"):
                parameter.mul_((state["decayed"] - state["row_decayed"]).exp_()[:, None])
                state["row_decayed"].zero_()
                state["decayed"] = 0.0


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
        kept_r: Tensor,
    ) -> None:
        from .row_kernels import adam_rows as update

        weight_RD, mean_RD, square_RD, rows_r, gradient_rD, kept = (
            tensor.detach().numpy() for tensor in (parameter, *moments, rows, gradient, kept_r)
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
