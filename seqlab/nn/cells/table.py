"""The table of cells: the one place where a cell gets its name."""

from __future__ import annotations

from .activation import LeakyRNN, SigmoidRNN
from .base import Cell
from .fused import GRU, LSTM, ReluRNN, TanhRNN
from .lstm_variants import LayerNormLSTM, MogrifierLSTM
from .parallel import QRNN, SRU, MinGRU, MinLSTM

CELLS: dict[str, type[Cell]] = {
    "rnn-tanh": TanhRNN,
    "rnn-relu": ReluRNN,
    "rnn-leaky": LeakyRNN,
    "rnn-sigmoid": SigmoidRNN,
    "lstm": LSTM,
    "lstm-layernorm": LayerNormLSTM,
    "mogrifier": MogrifierLSTM,
    "gru": GRU,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "qrnn": QRNN,
    "sru": SRU,
}
