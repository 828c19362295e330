"""What a recurrent layer is.

Shapes: B batch, T time, D input width, H hidden width. A state is a tuple of tensors, batch first.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]


class Cell(nn.Module):
    """One recurrent layer. `forward` runs a whole sequence as fast as it can, `equations` is one readable step of the
    same cell; tests/nn/test_nn.py proves them equal, in values and gradients, for every entry of `CELLS`.

    Args:
        input_dim: D.
        hidden_dim: H.

    Knobs of a kind of cell are keyword arguments named as in `ModelConfig`.
    """

    parts = 1
    """Tensors in a state, each (B, H)."""
    kept = 9.0
    """Numbers of a unit and time step that a window of training stores until its gradients are made, measured."""
    output_range: ClassVar[tuple[float, float] | None] = None
    """Between which ends the outputs lie; a unit near either passes hardly any gradient on. None: unbounded."""
    rectified = False
    """Whether a unit whose output is 0 passes no gradient on."""
    own_skip = False
    """Whether the input already goes around the cell, so that a residual stack does not add it again."""

    def __init__(self, input_dim: int, hidden_dim: int):
        super().__init__()
        self.input_dim, self.hidden_dim = input_dim, hidden_dim

    def init_state(self, batch: int) -> State:
        """Zero state of a batch: `parts` tensors (B, H)."""
        zeros = next(self.parameters()).new_zeros(batch, self.hidden_dim)
        return tuple(zeros for _ in range(self.parts))

    def forward(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        """Outputs (B, T, H) and the state after the last time step; one step is T = 1."""
        raise NotImplementedError

    def equations(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        """One time step as published: (output (B, H), new state)."""
        raise NotImplementedError

    def compiled_step(self) -> tuple[str, list[Tensor]] | None:
        """Name and weights of the cell's compiled step, of which a model's is made (see `stack`): the matrices of input
        and state, and a bias of each. None for a cell without."""
        return None

    def gate_values(self, x_BTD: Tensor, state: State, y_BTH: Tensor) -> dict[str, Tensor]:
        """The sigmoid gates (B, T, H) by name, with all weights in place, of a sequence that began at `state` and gave
        the outputs `y_BTH`; a cell without gates has none."""
        return {}


def shifted(start_BH: Tensor, y_BTH: Tensor) -> Tensor:
    """What was there before each step (B, T, H): the start, then every output but the last."""
    return torch.cat([start_BH[:, None], y_BTH[:, :-1]], dim=1)


def glorot_orthogonal(named: dict[str, Tensor], hidden_dim: int) -> None:
    """Start weights gate by gate: Glorot for `weight_ih...`, orthogonal for `weight_hh...`, zero for `bias...`; a
    gate is `hidden_dim` rows."""
    for name, parameter in named.items():
        if name.startswith("bias"):
            nn.init.zeros_(parameter)
            continue
        for gate_HD in parameter.data.split(hidden_dim):
            initialise = nn.init.orthogonal_ if name.startswith("weight_hh") else nn.init.xavier_uniform_
            initialise(gate_HD)
