"""The table of output layers."""

from __future__ import annotations

from .adaptive import AdaptiveSoftmax
from .base import OutputLayer
from .full import FullSoftmax
from .mixture import MixtureOfSoftmaxes
from .sampled import NCE, SampledSoftmax

SOFTMAXES: dict[str, type[OutputLayer]] = {
    "full": FullSoftmax,
    "sampled": SampledSoftmax,
    "nce": NCE,
    "adaptive": AdaptiveSoftmax,
    "mixture": MixtureOfSoftmaxes,
}
