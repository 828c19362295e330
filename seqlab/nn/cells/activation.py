"""Elman networks with activations that torch has no fused kernel of.

Elman 1990, https://doi.org/10.1207/s15516709cog1402_1: h' = f(W x + U h + b).

Shapes: B batch, T time, D input width, H hidden width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ..dropout import WeightDropout
from .base import Cell, State, glorot_orthogonal

LEAK = 0.01
"""Slope of the leaky rectifier below 0 (Maas et al. 2013)."""


class Activation(NamedTuple):
    """A function of one number whose slope is known from its value."""

    value_: Callable[[Tensor], Tensor]
    """In place."""
    backward: Callable[[Tensor, Tensor], Tensor]
    """(gradient, value) -> the gradient before the activation."""


SIGMOID = Activation(torch.sigmoid_, torch.ops.aten.sigmoid_backward)
LEAKY = Activation(
    lambda x: F.leaky_relu_(x, LEAK),
    lambda grad, value: torch.ops.aten.leaky_relu_backward(grad, value, LEAK, True),
)


class _Unrolled(torch.autograd.Function):
    """All time steps: one small product and the activation for each; the weight's gradient is one large product."""

    @staticmethod
    def forward(ctx: Any, activation: Activation, sums_TBH: Tensor, weight_HH: Tensor, start_BH: Tensor) -> Tensor:
        h_TBH = sums_TBH.clone()
        before_BH, transposed_HH = start_BH, weight_HH.t()
        for h_BH in h_TBH.unbind(0):
            before_BH = activation.value_(h_BH.addmm_(before_BH, transposed_HH))
        ctx.activation = activation
        ctx.save_for_backward(h_TBH, weight_HH, start_BH)
        return h_TBH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_TBH: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        h_TBH, weight_HH, start_BH = ctx.saved_tensors
        grad_sums_TBH = torch.empty_like(h_TBH)
        carry_BH = torch.zeros_like(start_BH)
        for t in reversed(range(len(h_TBH))):
            grad_sums_TBH[t] = ctx.activation.backward(carry_BH.add_(grad_TBH[t]), h_TBH[t])
            carry_BH = grad_sums_TBH[t] @ weight_HH
        grad_weight_HH = grad_sums_TBH[1:].flatten(0, 1).t() @ h_TBH[:-1].flatten(0, 1)
        grad_weight_HH.addmm_(grad_sums_TBH[0].t(), start_BH)
        return None, grad_sums_TBH, grad_weight_HH, carry_BH


class ActivationRNN(Cell):
    """h' = f(W x + U h + b).

    Args:
        input_dim: D.
        hidden_dim: H.
        weight_drop: share of the recurrent weights that is zero in a window of training, the others scaled up.
    """

    kept = 2.5
    activation: Activation

    def __init__(self, input_dim: int, hidden_dim: int, weight_drop: float = 0.0):
        super().__init__(input_dim, hidden_dim)
        self.weight_ih = nn.Parameter(torch.empty(hidden_dim, input_dim))
        self.weight_hh = nn.Parameter(torch.empty(hidden_dim, hidden_dim))
        self.bias_ih = nn.Parameter(torch.empty(hidden_dim))
        self.weight_drop = WeightDropout(weight_drop)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot input weights, orthogonal recurrent weights, zero biases."""
        glorot_orthogonal(dict(self.named_parameters()), self.hidden_dim)

    def forward(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        if x_BTD.shape[1] == 1 and not torch.is_grad_enabled():
            y_BH, state = self.equations(x_BTD[:, 0], state)
            return y_BH[:, None], state
        sums_TBH = F.linear(x_BTD.transpose(0, 1), self.weight_ih, self.bias_ih)
        y_TBH: Tensor = _Unrolled.apply(self.activation, sums_TBH, self.weight_drop(self.weight_hh), state[0])
        return y_TBH.transpose(0, 1), (y_TBH[-1],)

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        h_BH = F.linear(x_BD, self.weight_ih, self.bias_ih) + F.linear(state[0], self.weight_hh)
        h_BH = self.function(h_BH)
        return h_BH, (h_BH,)

    def function(self, sums: Tensor) -> Tensor:
        """The activation."""
        raise NotImplementedError


class SigmoidRNN(ActivationRNN):
    """Elman network with the logistic function."""

    output_range = (0.0, 1.0)
    activation = SIGMOID

    def function(self, sums: Tensor) -> Tensor:
        return torch.sigmoid(sums)


class LeakyRNN(ActivationRNN):
    """Elman network with leaky rectifiers, which halve the variance at every step, so that orthogonal recurrent weights
    do not explode."""

    activation = LEAKY

    def function(self, sums: Tensor) -> Tensor:
        return F.leaky_relu(sums, LEAK)
