"""Cells, noise distributions and output layers, with plain arguments."""

from .cells import CELLS, Cell, State
from .losses import LOSSES, FullSoftmax, SampledSoftmax
from .noise import NOISE, LogUniform

__all__ = ["CELLS", "LOSSES", "NOISE", "Cell", "FullSoftmax", "LogUniform", "SampledSoftmax", "State"]
