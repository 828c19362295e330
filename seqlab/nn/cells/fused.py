"""Cells that torch has a fused kernel of.

Shapes: B batch, T time, D input width, H hidden width, G gates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..dropout import WeightDropout
from ..kernels.affine import FEW, affine, is_compiled
from ..kernels.gru import GRUSequence
from ..kernels.lstm import LSTMSequence, unrolled
from ..packed import is_packed
from ..products import has_bfloat16_products
from ..zoneout import Kept, Zoneout
from .base import Cell, State, glorot_orthogonal, shifted

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
WIDE, WIDE_FOR_ONE = 600, 400
"""Units from which torch's bfloat16 kernel of an LSTM falls behind single products, back-propagation above all; for one
thread it does so sooner."""


class FusedCell(Cell):
    """A cell on torch's kernels.

    Args:
        input_dim: D.
        hidden_dim: H.
        weight_drop: share of the recurrent weights that is zero in a window of training, the others scaled up
            (DropConnect as in Merity et al. 2018, https://arxiv.org/abs/1708.02182).
        precision: of training on the CPU; "auto" takes bfloat16 where kernel and CPU have it, "float32"
            never does, "bfloat16" always where the kernel has it. Weights, state between windows and all evaluation
            stay float32.
    """

    fused: Callable[..., nn.RNNBase]
    sequence: Callable[..., tuple[Tensor, ...]]
    """torch's kernel of a sequence, the weights given."""
    one_step: Callable[..., Tensor | State]
    """torch's kernel of a single step: no set-up, so many times faster than `fused` on one token."""
    options: ClassVar[dict[str, str]] = {}
    steep = False
    """Whether the cell makes so much of rounding errors that "auto" leaves it in float32."""
    rounds = False
    """Whether there is a kernel that trains in bfloat16 on the CPU."""

    def __init__(self, input_dim: int, hidden_dim: int, weight_drop: float = 0.0, precision: str = "auto"):
        super().__init__(input_dim, hidden_dim)
        self.layer = type(self).fused(input_dim, hidden_dim, batch_first=True, **self.options)
        self.weight_drop = WeightDropout(weight_drop)
        self.rounded = self.rounds and (
            precision == "bfloat16" or (precision == "auto" and not self.steep and has_bfloat16_products())
        )
        glorot_orthogonal(dict(self.layer.named_parameters()), self.hidden_dim)

    def forward(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        differentiated = torch.is_grad_enabled()
        if x_BTD.shape[1] == 1 and not differentiated:
            weight_hh = self.weight("weight_hh")
            if (is_packed(weight_hh) or is_compiled(x_BTD, weight_hh)) and not self.weight_drop.active:
                one_step = self.step_of_few if len(x_BTD) <= FEW else self.equations
                y_BH, new_state = one_step(x_BTD[:, 0], state)
                return y_BH[:, None], new_state
            weight_ih, weight_hh, *biases = (self.weight(name) for name in WEIGHTS)
            weights = (weight_ih, self.weight_drop(weight_hh), *biases)
            new = type(self).one_step(x_BTD[:, 0], state if self.parts > 1 else state[0], *weights)
            new_state = new if isinstance(new, tuple) else (new,)
            return new_state[0][:, None], new_state
        return self.rounded_kernel(x_BTD, state) if self.in_bfloat16(x_BTD) else self.kernel(x_BTD, state)

    def step_of_few(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        """One step of a few streams without gradients, for models that are not compiled as a whole (see `stack`)."""
        return self.equations(x_BD, state)

    def in_bfloat16(self, x_BTD: Tensor) -> bool:
        """Whether the products with `x_BTD` are to be made in bfloat16."""
        differentiated = self.training and torch.is_grad_enabled()
        return self.rounded and differentiated and x_BTD.device.type == "cpu" and x_BTD.dtype == torch.float32

    def kernel(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        """The fused kernel, in the precision of `x_BTD`, with dropped weights in training."""
        packed = tuple(part_BH.unsqueeze(0).contiguous() for part_BH in state)
        hidden = packed if self.parts > 1 else packed[0]
        if x_BTD.dtype == self.weight("weight_hh").dtype and not self.weight_drop.active:
            y_BTH, last = self.layer(x_BTD, hidden)
            last = last if isinstance(last, tuple) else (last,)
        else:
            weight_ih, weight_hh, *biases = (self.weight(name) for name in WEIGHTS)
            weights = [w.to(x_BTD.dtype) for w in (weight_ih, self.weight_drop(weight_hh), *biases)]
            y_BTH, *last = type(self).sequence(x_BTD, hidden, weights, True, 1, 0.0, self.training, False, True)
        return y_BTH, tuple(part.squeeze(0) for part in last)

    def rounded_kernel(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        """The same with products in bfloat16, from float32 to float32."""
        y_BTH, last = self.kernel(x_BTD.bfloat16(), tuple(part_BH.bfloat16() for part_BH in state))
        return y_BTH.float(), tuple(part_BH.float() for part_BH in last)

    def _affine(self, x: Tensor, h: Tensor, weight_hh: Tensor | None = None) -> tuple[Tensor, Tensor]:
        weight_hh = self.weight("weight_hh") if weight_hh is None else weight_hh
        return (
            affine(x, self.weight("weight_ih"), self.weight("bias_ih")),
            affine(h, weight_hh, self.weight("bias_hh")),
        )

    def weight(self, name: str) -> nn.Parameter:
        """weight_ih (G H, D), weight_hh (G H, H), bias_ih or bias_hh (G H,) of the G gates in torch's order."""
        return cast("nn.Parameter", getattr(self.layer, f"{name}_l0"))


class ElmanRNN(FusedCell):
    """Elman 1990, https://doi.org/10.1207/s15516709cog1402_1: h' = f(W x + U h + b)."""

    kept = 3.0
    fused = nn.RNN
    activation: Callable[..., Tensor]

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        from_input, from_state = self._affine(x_BD, state[0])
        h_BH = type(self).activation(from_input + from_state)
        return h_BH, (h_BH,)


class TanhRNN(ElmanRNN):
    """Elman RNN as published: h' = tanh(W x + U h + b)."""

    output_range = (-1.0, 1.0)
    activation = torch.tanh
    sequence = torch.rnn_tanh
    one_step = torch.rnn_tanh_cell
    options: ClassVar = {"nonlinearity": "tanh"}


class ReluRNN(ElmanRNN):
    """Elman RNN with rectifiers: h' = max(0, W x + U h + b). It starts orthogonal like the others: the identity with
    tiny input weights (Le et al. 2015, https://arxiv.org/abs/1504.00941) learns text far more slowly."""

    rectified = True
    activation = torch.relu
    sequence = torch.rnn_relu
    one_step = torch.rnn_relu_cell
    options: ClassVar = {"nonlinearity": "relu"}


class LSTM(FusedCell):
    """Hochreiter & Schmidhuber 1997 with forget gates (https://doi.org/10.1162/089976600300015015).

    i, f, o = sigmoid(...), g = tanh(...); c' = f c + i g; h' = o tanh(c').

    Args:
        input_dim, hidden_dim, weight_drop, precision: see `FusedCell`.
        forget_bias: what the forget gate's bias starts at. 1 (Jozefowicz et al. 2015) makes a new model remember; it
            learned more slowly on every text tried (benchmarks/LOG.md), and stacks of three hardly at all.
        zoneout: probability with which a unit of h and one of c keeps its old value in training (see zoneout.py);
            torch's kernel has no such thing, so a step is then a product and a pass of our own.

    The same kernel of our own serves bfloat16 from WIDE units on: at 1,150, AWD-LSTM's width, it takes 0.55 of the time
    of torch's.
    """

    fused = nn.LSTM
    sequence = torch.lstm
    rounds = True
    one_step = torch.lstm_cell
    parts = 2
    output_range = (-1.0, 1.0)
    stepwise = False
    """Whether torch has no kernel of the cell even without zoneout."""

    def __init__(self, input_dim: int, hidden_dim: int, forget_bias: float = 0.0, zoneout: float = 0.0, **knobs: Any):
        super().__init__(input_dim, hidden_dim, **knobs)
        nn.init.constant_(self.weight("bias_ih").data[hidden_dim : 2 * hidden_dim], forget_bias)
        self.zoneout = Zoneout(zoneout)

    def forward(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        enough = WIDE_FOR_ONE if torch.get_num_threads() == 1 else WIDE
        wide = self.hidden_dim >= enough and self.in_bfloat16(x_BTD)
        if not (self.stepwise or self.zoneout.p or wide):
            return super().forward(x_BTD, state)
        batch, length, _ = x_BTD.shape
        kept = self.zoneout((self.parts, length, batch, self.hidden_dim), state[0])
        weight_hh = self.weight_drop(self.weight("weight_hh"))
        if x_BTD.device.type != "cpu" or (length == 1 and not torch.is_grad_enabled()):
            return unrolled(lambda x_BD, before: self.equations(x_BD, before, weight_hh), x_BTD, state, kept)
        dtype = torch.bfloat16 if self.in_bfloat16(x_BTD) else x_BTD.dtype
        x_TBD = x_BTD.transpose(0, 1).to(dtype).contiguous()
        y_TBH, *last = self.swept(x_TBD, state, weight_hh, kept)
        return y_TBH.transpose(0, 1), tuple(last)

    def compiled_step(self) -> tuple[str, list[Tensor]] | None:
        return None if self.stepwise or self.zoneout.p else ("lstm", [self.weight(name) for name in WEIGHTS])

    def step_of_few(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        from ..kernels.lstm_kernels import lstm_activate

        h_BH, c_BH = torch.empty_like(state[0]), torch.empty_like(state[1])
        arrays = [state[1].contiguous(), self.sums(x_BD, state[0]), h_BH, c_BH]
        lstm_activate(*(part.numpy(force=True) for part in arrays))
        return h_BH, (h_BH, c_BH)

    def swept(self, x_TBD: Tensor, state: State, weight_hh: Tensor, kept: Kept) -> tuple[Tensor, ...]:
        """A sequence by the compiled steps, on the CPU, products in the numbers of `x_TBD`.

        Args:
            x_TBD: inputs.
            state: h and c before them.
            weight_hh: recurrent weights, dropped ones zero.
            kept: what zoneout keeps.

        Returns:
            y_TBH, the last h and the last c.
        """
        bias_G = self.weight("bias_ih") + self.weight("bias_hh")
        weights = (self.weight("weight_ih"), bias_G, weight_hh)
        weight_ih, bias_G, weight_hh = (weight.to(x_TBD.dtype) for weight in weights)
        return LSTMSequence.apply(F.linear(x_TBD, weight_ih, bias_G), *state, weight_hh, kept)

    def equations(self, x_BD: Tensor, state: State, weight_hh: Tensor | None = None) -> tuple[Tensor, State]:
        h_BH, c_BH = state
        i_BH, f_BH, g_BH, o_BH = self.sums(x_BD, h_BH, weight_hh).chunk(4, dim=1)
        c_BH = torch.sigmoid(f_BH) * c_BH + torch.sigmoid(i_BH) * torch.tanh(g_BH)
        h_BH = torch.sigmoid(o_BH) * torch.tanh(self.shown(c_BH))
        return h_BH, (h_BH, c_BH)

    def sums(self, x: Tensor, h: Tensor, weight_hh: Tensor | None = None) -> Tensor:
        """What the functions of i, f, g and o are taken of (..., G), given inputs (..., D) and the h before (..., H);
        `weight_hh` replaces the recurrent weights."""
        from_input, from_state = self._affine(x, h, weight_hh)
        return from_input + from_state

    def shown(self, c_BH: Tensor) -> Tensor:
        """What of c the output gate lets through."""
        return c_BH

    def gate_values(self, x_BTD: Tensor, state: State, y_BTH: Tensor) -> dict[str, Tensor]:
        i_BTH, f_BTH, _, o_BTH = self.sums(x_BTD, shifted(state[0], y_BTH)).sigmoid_().chunk(4, dim=2)
        return {"input": i_BTH, "forget": f_BTH, "output": o_BTH}


class GRU(FusedCell):
    """Cho et al. 2014, https://arxiv.org/abs/1406.1078, with the reset gate after the product (as cuDNN has it).

    r, z = sigmoid(...); n = tanh(W x + b + r (U h + b')); h' = (1 - z) n + z h.

    torch's kernel has no bfloat16; in training a step is then a product and a pass of our own, twice as fast.
    """

    fused = nn.GRU
    rounds = True
    sequence = torch.gru
    one_step = torch.gru_cell
    output_range = (-1.0, 1.0)

    def rounded_kernel(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        x_TBD = x_BTD.transpose(0, 1).bfloat16().contiguous()
        weight_ih, weight_hh, bias_ih, bias_hh = (self.weight(name) for name in WEIGHTS)
        bias_rz, bias_n = bias_hh.split([2 * self.hidden_dim, self.hidden_dim])
        bias_K = bias_ih + F.pad(bias_rz, (0, self.hidden_dim))
        sums_TBK = F.linear(x_TBD, weight_ih.bfloat16(), bias_K.bfloat16())
        y_TBH, last_BH = GRUSequence.apply(sums_TBK, state[0], self.weight_drop(weight_hh).bfloat16(), bias_n)
        return y_TBH.transpose(0, 1), (last_BH,)

    def compiled_step(self) -> tuple[str, list[Tensor]] | None:
        return "gru", [self.weight(name) for name in WEIGHTS]

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        (h_BH,) = state
        from_input, from_state = self._affine(x_BD, h_BH)
        r_in, z_in, n_in = from_input.chunk(3, dim=1)
        r_state, z_state, n_state = from_state.chunk(3, dim=1)
        r_BH, z_BH = torch.sigmoid(r_in + r_state), torch.sigmoid(z_in + z_state)
        n_BH = torch.tanh(n_in + r_BH * n_state)
        h_BH = (1 - z_BH) * n_BH + z_BH * h_BH
        return h_BH, (h_BH,)

    def gate_values(self, x_BTD: Tensor, state: State, y_BTH: Tensor) -> dict[str, Tensor]:
        from_input, from_state = self._affine(x_BTD, shifted(state[0], y_BTH))
        r_BTH, z_BTH, _ = torch.sigmoid(from_input + from_state).chunk(3, dim=2)
        return {"reset": r_BTH, "update": z_BTH}
