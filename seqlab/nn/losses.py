"""The table of output layers."""

from __future__ import annotations

from .adaptive import AdaptiveSoftmax
from .full_softmax import FullSoftmax
from .mixture import MixtureOfSoftmaxes
from .output_layer import OutputLayer
from .sampled import NCE, SampledSoftmax

LOSSES: dict[str, type[OutputLayer]] = {
    "full": FullSoftmax,
    "sampled": SampledSoftmax,
    "nce": NCE,
    "adaptive": AdaptiveSoftmax,
    "mixture": MixtureOfSoftmaxes,
}
