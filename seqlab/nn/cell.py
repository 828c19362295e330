"""What a recurrent layer is.

Shapes: B batch, T time, D input width, H hidden width. A state is a tuple of tensors, batch first.
"""

from __future__ import annotations

from torch import Tensor, nn

State = tuple[Tensor, ...]


class Cell(nn.Module):
    """One recurrent layer. `forward` runs a whole sequence as fast as it can, `equations` is one readable step of the
    same cell; tests/test_nn.py proves them equal, in values and gradients, for every entry of `CELLS`.

    Args:
        input_dim: D.
        hidden_dim: H.

    Knobs of a kind of cell are keyword arguments named as in `ModelConfig`.
    """

    parts = 1
    """Tensors in a state, each (B, H)."""

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
