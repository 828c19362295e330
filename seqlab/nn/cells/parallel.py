"""Cells that are parallel in time: gates see no hidden state, so one product serves all time steps, and what is left is
a recurrence that is linear in the cell's value, c' = keep c + (1 - keep) new, unit by unit.

Shapes: B batch, T time, D input width, H hidden width, K = H times the gates.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..kernels.sweeps import linear_recurrence, sweep
from ..products import has_bfloat16_products
from .base import Cell, State, glorot_orthogonal

FEW = 1024
"""Positions below which reading without gradients, such as a prompt, is over before numba would be loaded."""


class ParallelCell(Cell):
    """c' = keep c + (1 - keep) new.

    Args:
        input_dim: D.
        hidden_dim: H.
        precision: of the product with the input in training on the CPU; "auto" takes bfloat16 where the CPU
            has it, "float32" never does, "bfloat16" always. The recurrence stays float32, as does all evaluation.
    """

    kernel: str
    """Name of the compiled sweep over time, see kernels/sweep_kernels.py."""
    gates: int
    inputs = 1
    """Time steps a gate sees."""

    def __init__(self, input_dim: int, hidden_dim: int, precision: str = "auto"):
        super().__init__(input_dim, hidden_dim)
        self.weight_ih = nn.Parameter(torch.empty(self.gates * hidden_dim, self.inputs * input_dim))
        self.bias_ih = nn.Parameter(torch.empty(self.gates * hidden_dim))
        self.rounded = precision == "bfloat16" or (precision == "auto" and has_bfloat16_products())
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot weights per gate; gates start open for what the cell remembers."""
        glorot_orthogonal({"weight_ih": self.weight_ih, "bias_ih": self.bias_ih}, self.hidden_dim)

    def forward(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        differentiated = torch.is_grad_enabled()
        if x_BTD.shape[1] == 1 and not differentiated:
            y_BH, state = self.equations(x_BTD[:, 0], state)
            return y_BH[:, None], state
        on_cpu = x_BTD.device.type == "cpu"
        rounded = self.rounded and self.training and differentiated and on_cpu and x_BTD.dtype == torch.float32
        sums_BTK = self.sums(x_BTD, state, torch.bfloat16 if rounded else x_BTD.dtype)
        few = not differentiated and x_BTD.shape[:2].numel() < FEW
        over_time = self.compiled if on_cpu and not few else self.uncompiled
        y_BTH, last_BH = over_time(sums_BTK, x_BTD, state[0])
        return y_BTH, (last_BH, *self.rest(x_BTD))

    def sums(self, x_BTD: Tensor, state: State, dtype: torch.dtype) -> Tensor:
        """W x + b (B, T, K) of all time steps, multiplied in `dtype`."""
        return F.linear(x_BTD.to(dtype), self.weight_ih.to(dtype), self.bias_ih.to(dtype))

    def compiled(self, sums_BTK: Tensor, x_BTD: Tensor, c_BH: Tensor) -> tuple[Tensor, Tensor]:
        """(outputs (B, T, H), last c (B, H)) in one sweep on the CPU."""
        return sweep(self.kernel, sums_BTK, c_BH)

    def uncompiled(self, sums_BTK: Tensor, x_BTD: Tensor, c_BH: Tensor) -> tuple[Tensor, Tensor]:
        """The same on any device, in log T rounds."""
        keep_BTH, new_BTH = self.keep_and_new(sums_BTK)
        c_BTH = linear_recurrence(keep_BTH, (1 - keep_BTH) * new_BTH, c_BH)
        return self.output(c_BTH, sums_BTK), c_BTH[:, -1]

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        sums_BK = self.sums(x_BD[:, None], state, x_BD.dtype)[:, 0]
        keep_BH, new_BH = self.keep_and_new(sums_BK)
        c_BH = keep_BH * state[0] + (1 - keep_BH) * new_BH
        return self.output(c_BH, sums_BK), (c_BH, *self.rest(x_BD[:, None]))

    def keep_and_new(self, sums: Tensor) -> tuple[Tensor, Tensor]:
        """keep and new (..., H) of sums (..., K)."""
        raise NotImplementedError

    def output(self, c: Tensor, sums: Tensor) -> Tensor:
        """What the cell shows of its value c (..., H)."""
        return c

    def rest(self, x_BTD: Tensor) -> State:
        """The state other than c after the inputs `x_BTD`."""
        return ()


class MinGRU(ParallelCell):
    """Feng et al. 2024, https://arxiv.org/abs/2410.01201: z = sigmoid(W x + b); h' = (1 - z) h + z (W' x + b').

    The bias of z starts at -1, so that a new model remembers.
    """

    kernel, gates = "mingru", 2
    kept = 3.0

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.constant_(self.bias_ih.data[: self.hidden_dim], -1.0)

    def keep_and_new(self, sums: Tensor) -> tuple[Tensor, Tensor]:
        z, new = sums.chunk(2, dim=-1)
        return 1 - torch.sigmoid(z), new

    def gate_values(self, x_BTD: Tensor, state: State, y_BTH: Tensor) -> dict[str, Tensor]:
        z_BTH, _ = self.sums(x_BTD, state, x_BTD.dtype).chunk(2, dim=2)
        return {"update": torch.sigmoid(z_BTH)}


class MinLSTM(ParallelCell):
    """Feng et al. 2024, https://arxiv.org/abs/2410.01201: f, i = sigmoid(...), n = W x + b; c' = (f c + i n) / (f + i).

    Biases of f and i start at 1 and -1, so that a new model remembers.
    """

    kernel, gates = "minlstm", 3
    kept = 4.0

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.constant_(self.bias_ih.data[: self.hidden_dim], 1.0)
        nn.init.constant_(self.bias_ih.data[self.hidden_dim : 2 * self.hidden_dim], -1.0)

    def keep_and_new(self, sums: Tensor) -> tuple[Tensor, Tensor]:
        f, i, new = sums.chunk(3, dim=-1)
        return torch.sigmoid(F.logsigmoid(f) - F.logsigmoid(i)), new  # f / (f + i), also where both vanish

    def gate_values(self, x_BTD: Tensor, state: State, y_BTH: Tensor) -> dict[str, Tensor]:
        f_BTH, i_BTH, _ = self.sums(x_BTD, state, x_BTD.dtype).sigmoid_().chunk(3, dim=2)
        return {"forget": f_BTH, "input": i_BTH}


class QRNN(ParallelCell):
    """Bradbury et al. 2016, https://arxiv.org/abs/1611.01576, with filters two steps wide and fo-pooling.

    z = tanh(...), f, o = sigmoid(...) of the inputs x and x before; c' = f c + (1 - f) z; h' = o c'. The state is c
    and the last input, (B, D). The bias of f starts at 1, so that a new model remembers.
    """

    kernel, gates, inputs = "qrnn", 3, 2
    kept = 7.0
    parts = 2
    output_range = (-1.0, 1.0)

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.constant_(self.bias_ih.data[self.hidden_dim : 2 * self.hidden_dim], 1.0)

    def init_state(self, batch: int) -> State:
        """Zeros (B, H) and (B, D)."""
        return (*super().init_state(batch)[:1], self.weight_ih.new_zeros(batch, self.input_dim))

    def sums(self, x_BTD: Tensor, state: State, dtype: torch.dtype) -> Tensor:
        x_BTD = x_BTD.to(dtype)
        before_BTD = torch.cat([state[1].to(dtype)[:, None], x_BTD[:, :-1]], dim=1)
        return super().sums(torch.cat([before_BTD, x_BTD], dim=2), state, dtype)

    def rest(self, x_BTD: Tensor) -> State:
        return (x_BTD[:, -1].clone(),)

    def keep_and_new(self, sums: Tensor) -> tuple[Tensor, Tensor]:
        z, f, _ = sums.chunk(3, dim=-1)
        return torch.sigmoid(f), torch.tanh(z)

    def output(self, c: Tensor, sums: Tensor) -> Tensor:
        return torch.sigmoid(sums.chunk(3, dim=-1)[2]) * c

    def gate_values(self, x_BTD: Tensor, state: State, y_BTH: Tensor) -> dict[str, Tensor]:
        _, f_BTH, o_BTH = self.sums(x_BTD, state, x_BTD.dtype).sigmoid_().chunk(3, dim=2)
        return {"forget": f_BTH, "output": o_BTH}


class SRU(ParallelCell):
    """Lei et al. 2018, https://arxiv.org/abs/1709.02755.

    f = sigmoid(W_f x + v_f c + b_f), r = sigmoid(W_r x + v_r c + b_r); c' = f c + (1 - f) W x;
    h' = r c' + (1 - r) a x with a = sqrt(3), which keeps the variance of the highway. Inputs of another width than H
    take the highway through a matrix. The bias of f starts at 1, so that a new model remembers.
    """

    kernel, gates = "sru", 3
    kept = 6.0
    HIGHWAY = 3**0.5
    own_skip = True

    def __init__(self, input_dim: int, hidden_dim: int, precision: str = "auto"):
        super().__init__(input_dim, hidden_dim, precision)
        self.weight_state = nn.Parameter(torch.empty(2 * hidden_dim))
        nn.init.uniform_(self.weight_state, -0.5, 0.5)
        self.highway = nn.Linear(input_dim, hidden_dim, bias=False) if input_dim != hidden_dim else nn.Identity()

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.constant_(self.bias_ih.data[self.hidden_dim : 2 * self.hidden_dim], 1.0)

    def compiled(self, sums_BTK: Tensor, x_BTD: Tensor, c_BH: Tensor) -> tuple[Tensor, Tensor]:
        return sweep(self.kernel, sums_BTK, c_BH, self.weight_state, self.skip(x_BTD))

    def uncompiled(self, sums_BTK: Tensor, x_BTD: Tensor, c_BH: Tensor) -> tuple[Tensor, Tensor]:
        """The same on any device, one step after the other: through v the recurrence is not linear."""
        outputs = []
        for sums_BK, skip_BH in zip(sums_BTK.unbind(1), self.skip(x_BTD).unbind(1), strict=True):
            y_BH, c_BH = self.step(sums_BK, skip_BH, c_BH)
            outputs.append(y_BH)
        return torch.stack(outputs, dim=1), c_BH

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        y_BH, c_BH = self.step(self.sums(x_BD, state, x_BD.dtype), self.skip(x_BD), state[0])
        return y_BH, (c_BH,)

    def step(self, sums_BK: Tensor, skip_BH: Tensor, c_BH: Tensor) -> tuple[Tensor, Tensor]:
        """(output, new c) of one time step."""
        new_BH = sums_BK.chunk(3, dim=1)[0]
        f_BH, r_BH = self.forget_and_reset(sums_BK, c_BH)
        c_BH = f_BH * c_BH + (1 - f_BH) * new_BH
        return r_BH * c_BH + (1 - r_BH) * skip_BH, c_BH

    def forget_and_reset(self, sums: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """f and r (..., H) of sums (..., K) and the value before (..., H)."""
        _, f, r = sums.chunk(3, dim=-1)
        v_forget_H, v_reset_H = self.weight_state.chunk(2)
        return torch.sigmoid(f + v_forget_H * c), torch.sigmoid(r + v_reset_H * c)

    def gate_values(self, x_BTD: Tensor, state: State, y_BTH: Tensor) -> dict[str, Tensor]:
        sums_BTK, c_BH, before = self.sums(x_BTD, state, x_BTD.dtype), state[0], []
        for sums_BK, skip_BH in zip(sums_BTK.unbind(1), self.skip(x_BTD).unbind(1), strict=True):
            before.append(c_BH)
            _, c_BH = self.step(sums_BK, skip_BH, c_BH)
        f_BTH, r_BTH = self.forget_and_reset(sums_BTK, torch.stack(before, dim=1))
        return {"forget": f_BTH, "reset": r_BTH}

    def skip(self, x: Tensor) -> Tensor:
        """What the highway carries (..., H)."""
        skip: Tensor = self.HIGHWAY * self.highway(x)
        return skip
