"""Kinds of LSTM that torch has no kernel of.

Shapes: B batch, T time, D input width, H hidden width, G = 4 H (gates i, f, g, o).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..kernels.lstm import LayerNormSequence, MogrifierSequence
from ..zoneout import Kept
from .base import State
from .fused import LSTM


class LayerNormLSTM(LSTM):
    """Ba et al. 2016, https://arxiv.org/abs/1607.06450 (equations 20 to 22).

    i, f, g, o = LN(W x) + LN(U h), jointly over all gates as published; c' = sigmoid(f) c + sigmoid(i) tanh(g);
    h' = sigmoid(o) tanh(LN(c')). The state keeps c' itself. `bias_ih` and `bias_hh` are the shifts of the first two
    normalisations, which make a further bias superfluous.
    """

    stepwise = True
    steep = True
    kept = 16.0

    def __init__(self, input_dim: int, hidden_dim: int, **knobs: Any):
        super().__init__(input_dim, hidden_dim, **knobs)
        self.gain_ih = nn.Parameter(torch.ones(4 * hidden_dim))
        self.gain_hh = nn.Parameter(torch.ones(4 * hidden_dim))
        self.gain_cell = nn.Parameter(torch.ones(hidden_dim))
        self.bias_cell = nn.Parameter(torch.zeros(hidden_dim))

    def sums(self, x: Tensor, h: Tensor, weight_hh: Tensor | None = None) -> Tensor:
        product = F.linear(h, self.weight("weight_hh") if weight_hh is None else weight_hh)
        from_state = F.layer_norm(product, product.shape[-1:], self.gain_hh, self.weight("bias_hh"))
        product = F.linear(x, self.weight("weight_ih"))
        return F.layer_norm(product, product.shape[-1:], self.gain_ih, self.weight("bias_ih")) + from_state

    def shown(self, c_BH: Tensor) -> Tensor:
        return F.layer_norm(c_BH, c_BH.shape[1:], self.gain_cell, self.bias_cell)

    def swept(self, x_TBD: Tensor, state: State, weight_hh: Tensor, kept: Kept) -> tuple[Tensor, ...]:
        product_TBG = F.linear(x_TBD, self.weight("weight_ih").to(x_TBD.dtype))
        shift_G = self.weight("bias_ih") + self.weight("bias_hh")
        x_TBG = F.layer_norm(product_TBG, product_TBG.shape[2:], self.gain_ih, shift_G)
        gains = self.gain_hh, self.gain_cell, self.bias_cell
        return LayerNormSequence.apply(x_TBG, *state, weight_hh.to(x_TBD.dtype), *gains, kept)


class MogrifierLSTM(LSTM):
    """Melis et al. 2019, https://arxiv.org/abs/1909.01792: input and state modulate one another before an LSTM's step.

    Round 1, 3, ...: x = 2 sigmoid(Q h) x; round 2, 4, ...: h = 2 sigmoid(R x) h, each round with a matrix of its own.
    Without rounds it is the LSTM.

    Args:
        input_dim, hidden_dim, knobs: see `LSTM`.
        mogrifier_rounds: r.
    """

    stepwise = True

    def __init__(self, input_dim: int, hidden_dim: int, mogrifier_rounds: int = 5, **knobs: Any):
        super().__init__(input_dim, hidden_dim, **knobs)
        self.kept = 10.0 + 2.0 * mogrifier_rounds
        shapes = (input_dim, hidden_dim), (hidden_dim, input_dim)
        self.rounds_QR = nn.ParameterList(torch.empty(shapes[i % 2]) for i in range(mogrifier_rounds))
        for weight in self.rounds_QR:
            nn.init.xavier_uniform_(weight)

    def sums(self, x: Tensor, h: Tensor, weight_hh: Tensor | None = None) -> Tensor:
        for i, weight in enumerate(self.rounds_QR):
            if i % 2 == 0:
                x = 2 * torch.sigmoid(F.linear(h, weight)) * x
            else:
                h = 2 * torch.sigmoid(F.linear(x, weight)) * h
        return super().sums(x, h, weight_hh)

    def swept(self, x_TBD: Tensor, state: State, weight_hh: Tensor, kept: Kept) -> tuple[Tensor, ...]:
        if not len(self.rounds_QR):
            return super().swept(x_TBD, state, weight_hh, kept)
        bias_G = self.weight("bias_ih") + self.weight("bias_hh")
        weights = (self.weight("weight_ih"), weight_hh, bias_G, *self.rounds_QR)
        weight_ih, weight_hh, bias_G, *rounds = (weight.to(x_TBD.dtype) for weight in weights)
        return MogrifierSequence.apply(x_TBD, *state, weight_ih, weight_hh, bias_G, kept, *rounds)
