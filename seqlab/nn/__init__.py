"""Cells, noise distributions and output layers, with plain arguments."""

from .adaptive import AdaptiveSoftmax, choose_cutoffs
from .cell import Cell, State
from .cells import CELLS
from .dropout import Dropout
from .full_softmax import FullSoftmax
from .fused_cells import GRU, LSTM, FusedCell
from .losses import LOSSES
from .mixture import MixtureOfSoftmaxes
from .noise import NOISE, Draw, LogUniform, Noise, Unigram
from .output_layer import OutputLayer
from .products import fast_float32
from .sampled import NCE, SampledSoftmax

__all__ = [
    "CELLS",
    "GRU",
    "LOSSES",
    "LSTM",
    "NCE",
    "NOISE",
    "AdaptiveSoftmax",
    "Cell",
    "Draw",
    "Dropout",
    "FullSoftmax",
    "FusedCell",
    "LogUniform",
    "MixtureOfSoftmaxes",
    "Noise",
    "OutputLayer",
    "SampledSoftmax",
    "State",
    "Unigram",
    "choose_cutoffs",
    "fast_float32",
]
