"""The softmax over the whole vocabulary, trained exactly."""

from __future__ import annotations

from torch import Tensor, nn

from .base import SoftmaxLayer
from .fused import cross_entropy


class FullSoftmax(SoftmaxLayer):
    """Cross-entropy over the whole vocabulary, chunked and fused (`seqlab.nn.outputs.fused`).

    Args:
        vocab_size, width, weight: see `OutputLayer`.
        label_smoothing: share of the target's probability spread evenly over the vocabulary while training.
        precision: of the products while training: auto, float32 or bfloat16.
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        weight: nn.Parameter | None = None,
        label_smoothing: float = 0.0,
        precision: str = "auto",
    ):
        super().__init__(vocab_size, width, weight)
        self.label_smoothing, self.precision = label_smoothing, precision

    def forward(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        return cross_entropy(
            hidden_ND,
            self.weight,
            self.bias.squeeze(1),
            targets_N,
            precision=self.precision,
            smoothing=self.label_smoothing,
        )
