"""Recurrent cells. One layer each: `forward` runs a whole sequence on torch's fused kernel, `equations` is one
readable step of the same cell; a test proves them equal for every entry of `CELLS`.

Shapes: B batch, T time, D input width, H hidden width. A state is a tuple of tensors, batch first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

State = tuple[Tensor, ...]


class Cell(nn.Module):
    """One recurrent layer on a fused kernel of torch.

    Args:
        input_dim: D.
        hidden_dim: H.
    """

    fused: Callable[..., nn.RNNBase]
    one_step: Callable[..., Tensor | State]
    """torch's kernel of a single step: no set-up, so many times faster than `fused` on one token."""
    options: ClassVar[dict[str, str]] = {}
    parts = 1
    """Tensors in a state."""

    def __init__(self, input_dim: int, hidden_dim: int):
        super().__init__()
        self.input_dim, self.hidden_dim = input_dim, hidden_dim
        self.layer = type(self).fused(input_dim, hidden_dim, batch_first=True, **self.options)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot input weights, orthogonal recurrent weights per gate, zero biases."""
        for name, parameter in self.layer.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
                continue
            for gate_HD in parameter.data.split(self.hidden_dim):
                initialise = nn.init.orthogonal_ if name.startswith("weight_hh") else nn.init.xavier_uniform_
                initialise(gate_HD)

    def init_state(self, batch: int) -> State:
        """Zero state of a batch: `parts` tensors (B, H)."""
        zeros = self.weight("weight_hh").new_zeros(batch, self.hidden_dim)
        return tuple(zeros for _ in range(self.parts))

    def forward(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        """Outputs (B, T, H) and the state after the last time step; one step is T = 1."""
        if x_BTD.shape[1] == 1 and not torch.is_grad_enabled():
            weights = (self.weight(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            new = type(self).one_step(x_BTD[:, 0], state if self.parts > 1 else state[0], *weights)
            new_state = new if isinstance(new, tuple) else (new,)
            return new_state[0][:, None], new_state
        packed = tuple(part_BH.unsqueeze(0).contiguous() for part_BH in state)
        y_BTH, last = self.layer(x_BTD, packed if self.parts > 1 else packed[0])
        last = last if isinstance(last, tuple) else (last,)
        return y_BTH, tuple(part.squeeze(0) for part in last)

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        """One time step as published: (output (B, H), new state)."""
        raise NotImplementedError

    def _affine(self, x_BD: Tensor, h_BH: Tensor) -> tuple[Tensor, Tensor]:
        return (
            F.linear(x_BD, self.weight("weight_ih"), self.weight("bias_ih")),
            F.linear(h_BH, self.weight("weight_hh"), self.weight("bias_hh")),
        )

    def weight(self, name: str) -> nn.Parameter:
        """weight_ih (G H, D), weight_hh (G H, H), bias_ih or bias_hh (G H,) of the G gates in torch's order."""
        return self.layer.get_parameter(f"{name}_l0")


class TanhRNN(Cell):
    """Elman 1990, https://doi.org/10.1207/s15516709cog1402_1: h' = tanh(W x + U h + b)."""

    fused = nn.RNN
    one_step = torch.rnn_tanh_cell
    options: ClassVar = {"nonlinearity": "tanh"}

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        from_input, from_state = self._affine(x_BD, state[0])
        h_BH = torch.tanh(from_input + from_state)
        return h_BH, (h_BH,)


class ReluRNN(Cell):
    """Elman RNN with rectifiers (Le et al. 2015, https://arxiv.org/abs/1504.00941). Recurrent weights start at the
    identity, input weights are small, normal with deviation 0.001: larger ones add up over time and explode."""

    fused = nn.RNN
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


class LSTM(Cell):
    """Hochreiter & Schmidhuber 1997 with forget gates (https://doi.org/10.1162/089976600300015015).

    i, f, o = sigmoid(...), g = tanh(...); c' = f c + i g; h' = o tanh(c'). The forget gate's bias starts at 1
    (Jozefowicz et al. 2015), so that a new model remembers.
    """

    fused = nn.LSTM
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


class GRU(Cell):
    """Cho et al. 2014, https://arxiv.org/abs/1406.1078, with the reset gate after the product (as cuDNN has it).

    r, z = sigmoid(...); n = tanh(W x + b + r (U h + b')); h' = (1 - z) n + z h.
    """

    fused = nn.GRU
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


CELLS: dict[str, type[Cell]] = {"rnn-tanh": TanhRNN, "rnn-relu": ReluRNN, "lstm": LSTM, "gru": GRU}
