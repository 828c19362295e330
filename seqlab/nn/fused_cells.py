"""Cells that torch has a fused kernel of.

Shapes: B batch, T time, D input width, H hidden width, G gates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .cell import Cell, State, glorot_orthogonal
from .dropout import Dropout
from .products import has_bfloat16_products

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class FusedCell(Cell):
    """A cell on torch's kernels.

    Args:
        input_dim: D.
        hidden_dim: H.
        weight_drop: share of the recurrent weights that is zero in a window of training, the others scaled up
            (DropConnect as in Merity et al. 2018, https://arxiv.org/abs/1708.02182).
        cell_precision: of training on the CPU; "auto" takes bfloat16 where kernel and processor have it, "float32"
            never does, "bfloat16" always where the kernel has it. Weights, state between windows and all evaluation
            stay float32.
    """

    fused: Callable[..., nn.RNNBase]
    sequence: Callable[..., tuple[Tensor, ...]]
    """torch's kernel of a sequence, the weights given."""
    one_step: Callable[..., Tensor | State]
    """torch's kernel of a single step: no set-up, so many times faster than `fused` on one token."""
    options: ClassVar[dict[str, str]] = {}
    rounds = False
    """Whether the kernel trains in bfloat16 on the CPU."""

    def __init__(self, input_dim: int, hidden_dim: int, weight_drop: float = 0.0, cell_precision: str = "auto"):
        super().__init__(input_dim, hidden_dim)
        self.layer = type(self).fused(input_dim, hidden_dim, batch_first=True, **self.options)
        self.weight_drop = Dropout(weight_drop)
        self.rounded = self.rounds and (
            cell_precision == "bfloat16" or (cell_precision == "auto" and has_bfloat16_products())
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot input weights, orthogonal recurrent weights per gate, zero biases."""
        glorot_orthogonal(dict(self.layer.named_parameters()), self.hidden_dim)

    def forward(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        differentiated = torch.is_grad_enabled()
        if x_BTD.shape[1] == 1 and not differentiated:
            weights = (self.weight(name) for name in WEIGHTS)
            new = type(self).one_step(x_BTD[:, 0], state if self.parts > 1 else state[0], *weights)
            new_state = new if isinstance(new, tuple) else (new,)
            return new_state[0][:, None], new_state
        in_bfloat16 = self.rounded and self.training and differentiated
        if in_bfloat16 and x_BTD.device.type == "cpu" and x_BTD.dtype == torch.float32:
            y_BTH, last = self.kernel(x_BTD.bfloat16(), tuple(part_BH.bfloat16() for part_BH in state))
            return y_BTH.float(), tuple(part_BH.float() for part_BH in last)
        return self.kernel(x_BTD, state)

    def kernel(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        """The fused kernel, in the precision of `x_BTD`, with dropped weights in training."""
        packed = tuple(part_BH.unsqueeze(0).contiguous() for part_BH in state)
        hidden = packed if self.parts > 1 else packed[0]
        if x_BTD.dtype == self.weight("weight_hh").dtype and not (self.training and self.weight_drop.p):
            y_BTH, last = self.layer(x_BTD, hidden)
            last = last if isinstance(last, tuple) else (last,)
        else:
            weight_ih, weight_hh, *biases = (self.weight(name) for name in WEIGHTS)
            weights = [w.to(x_BTD.dtype) for w in (weight_ih, self.weight_drop(weight_hh), *biases)]
            y_BTH, *last = type(self).sequence(x_BTD, hidden, weights, True, 1, 0.0, self.training, False, True)
        return y_BTH, tuple(part.squeeze(0) for part in last)

    def _affine(self, x_BD: Tensor, h_BH: Tensor) -> tuple[Tensor, Tensor]:
        return (
            F.linear(x_BD, self.weight("weight_ih"), self.weight("bias_ih")),
            F.linear(h_BH, self.weight("weight_hh"), self.weight("bias_hh")),
        )

    def weight(self, name: str) -> nn.Parameter:
        """weight_ih (G H, D), weight_hh (G H, H), bias_ih or bias_hh (G H,) of the G gates in torch's order."""
        return self.layer.get_parameter(f"{name}_l0")


class TanhRNN(FusedCell):
    """Elman 1990, https://doi.org/10.1207/s15516709cog1402_1: h' = tanh(W x + U h + b)."""

    fused = nn.RNN
    sequence = torch.rnn_tanh
    one_step = torch.rnn_tanh_cell
    options: ClassVar = {"nonlinearity": "tanh"}

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        from_input, from_state = self._affine(x_BD, state[0])
        h_BH = torch.tanh(from_input + from_state)
        return h_BH, (h_BH,)


class ReluRNN(FusedCell):
    """Elman RNN with rectifiers (Le et al. 2015, https://arxiv.org/abs/1504.00941). Recurrent weights start at the
    identity, input weights are small, normal with deviation 0.001: larger ones add up over time and explode."""

    fused = nn.RNN
    sequence = torch.rnn_relu
    one_step = torch.rnn_relu_cell
    options: ClassVar = {"nonlinearity": "relu"}

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.normal_(self.weight("weight_ih"), std=1e-3)
        nn.init.eye_(self.weight("weight_hh"))

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        from_input, from_state = self._affine(x_BD, state[0])
        h_BH = torch.relu(from_input + from_state)
        return h_BH, (h_BH,)


class LSTM(FusedCell):
    """Hochreiter & Schmidhuber 1997 with forget gates (https://doi.org/10.1162/089976600300015015).

    i, f, o = sigmoid(...), g = tanh(...); c' = f c + i g; h' = o tanh(c'). The forget gate's bias starts at 1
    (Jozefowicz et al. 2015), so that a new model remembers.
    """

    fused = nn.LSTM
    sequence = torch.lstm
    rounds = True
    one_step = torch.lstm_cell
    parts = 2

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.ones_(self.weight("bias_ih").data[self.hidden_dim : 2 * self.hidden_dim])

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        h_BH, c_BH = state
        from_input, from_state = self._affine(x_BD, h_BH)
        i_BH, f_BH, g_BH, o_BH = (from_input + from_state).chunk(4, dim=1)
        c_BH = torch.sigmoid(f_BH) * c_BH + torch.sigmoid(i_BH) * torch.tanh(g_BH)
        h_BH = torch.sigmoid(o_BH) * torch.tanh(c_BH)
        return h_BH, (h_BH, c_BH)


class GRU(FusedCell):
    """Cho et al. 2014, https://arxiv.org/abs/1406.1078, with the reset gate after the product (as cuDNN has it).

    r, z = sigmoid(...); n = tanh(W x + b + r (U h + b')); h' = (1 - z) n + z h.
    """

    fused = nn.GRU
    sequence = torch.gru
    one_step = torch.gru_cell

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        (h_BH,) = state
        from_input, from_state = self._affine(x_BD, h_BH)
        r_in, z_in, n_in = from_input.chunk(3, dim=1)
        r_state, z_state, n_state = from_state.chunk(3, dim=1)
        r_BH, z_BH = torch.sigmoid(r_in + r_state), torch.sigmoid(z_in + z_state)
        n_BH = torch.tanh(n_in + r_BH * n_state)
        h_BH = (1 - z_BH) * n_BH + z_BH * h_BH
        return h_BH, (h_BH,)
