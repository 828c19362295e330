"""The table of cells: the one place where a cell gets its name."""

from __future__ import annotations

from .cell import Cell
from .fused_cells import GRU, LSTM, ReluRNN, TanhRNN

CELLS: dict[str, type[Cell]] = {"rnn-tanh": TanhRNN, "rnn-relu": ReluRNN, "lstm": LSTM, "gru": GRU}
