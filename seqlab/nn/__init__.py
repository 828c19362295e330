"""Cells, noise distributions and output layers, with plain arguments."""

from .adaptive import AdaptiveSoftmax, choose_cutoffs
from .cell import Cell, State
from .cells import CELLS
from .char_cnn import CharacterEmbedding, CharCNN
from .dropout import (
    Dropout,
    DropoutLayer,
    LockedDropout,
    WeightDropout,
    WordDropout,
    held_masks,
    sampling_dropout,
)
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
    "CharCNN",
    "CharacterEmbedding",
    "Draw",
    "Dropout",
    "DropoutLayer",
    "FullSoftmax",
    "FusedCell",
    "LockedDropout",
    "LogUniform",
    "MixtureOfSoftmaxes",
    "Noise",
    "OutputLayer",
    "SampledSoftmax",
    "State",
    "Unigram",
    "WeightDropout",
    "WordDropout",
    "choose_cutoffs",
    "fast_float32",
    "held_masks",
    "sampling_dropout",
]
