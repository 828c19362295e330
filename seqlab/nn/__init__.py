"""Cells, noise distributions and output layers, with plain arguments."""

from .cells.base import Cell, State
from .cells.fused import GRU, LSTM, FusedCell
from .cells.table import CELLS
from .characters import CharacterEmbedding, CharCNN
from .dropout import (
    Dropout,
    DropoutLayer,
    LockedDropout,
    WeightDropout,
    WordDropout,
    held_masks,
)
from .outputs.adaptive import AdaptiveSoftmax, choose_cutoffs
from .outputs.base import OutputLayer, unigram_log_probs
from .outputs.full import FullSoftmax
from .outputs.mixture import MixtureOfSoftmaxes
from .outputs.noise import NOISE, Draw, LogUniform, Noise, Unigram
from .outputs.sampled import NCE, SampledSoftmax
from .outputs.table import SOFTMAXES
from .products import fast_float32

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "NCE",
    "NOISE",
    "SOFTMAXES",
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
    "unigram_log_probs",
]
