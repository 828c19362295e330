"""What every output layer offers. Two faces: `forward(hidden, targets)` is the loss that trains, `log_probs(hidden)`
and `logits(hidden)` are exact and are what evaluation and generation use.

Shapes: N positions (batch and time flattened), D width, V vocabulary. Losses are means in nats over the N positions.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..kernels.affine import affine
from .fused import chunk_rows, exact_losses


def unigram_log_probs(counts: np.ndarray) -> np.ndarray:
    """Log unigram frequency (V,) float64 of `counts` (V,), unseen types counted as one half."""
    smoothed = np.maximum(counts.astype(np.float64), 0.5)
    return np.log(smoothed / smoothed.sum())


class OutputLayer(nn.Module):
    """Distribution over the vocabulary, given a hidden state.

    Args:
        vocab_size: V.
        width: D, of the hidden states.
        weight: (V, D), possibly the embedding's own parameter (tied weights, https://arxiv.org/abs/1608.05859); None
            makes one.
        rows: of the weight where the layer makes it, if not V.
    """

    sparse = False
    """Whether `forward` reads only a few rows of weight and bias, so that their gradients are sparse."""
    exact = True
    """Whether `forward` is the exact cross-entropy."""
    cutoffs: tuple[int, ...] = ()
    """First ids of its clusters, where it has any: then all its parameters but weight and bias belong to these, and a
    word's bias is relative to its cluster."""

    def __init__(self, vocab_size: int, width: int, weight: nn.Parameter | None = None, rows: int | None = None):
        super().__init__()
        self.vocab_size, self.width = vocab_size, width
        if weight is None:
            weight = nn.Parameter(torch.empty(vocab_size if rows is None else rows, width))
            nn.init.normal_(weight, std=width**-0.5)
        self.weight = weight
        self.bias = nn.Parameter(torch.zeros(vocab_size, 1))

    def word_rows(self) -> dict[str, Tensor]:
        """By name of a parameter, the ids of the words (rows,) that its rows belong to; all rows, or it is not here."""
        ids_V = torch.arange(self.vocab_size)
        return {"weight": ids_V[: len(self.weight)], "bias": ids_V}

    def set_counts(self, counts: np.ndarray) -> None:
        """Take the words' frequencies (V,) in the training text, where training needs them (noise)."""

    def start_at_unigram(self, counts: np.ndarray) -> None:
        """Before training: `set_counts`, and the bias set to the log unigram frequency, so that the model starts at
        the unigram's perplexity and never spends steps on learning word frequencies."""
        self.set_counts(counts)
        with torch.no_grad():
            self.bias.copy_(torch.from_numpy(unigram_log_probs(counts)[:, None]))

    def logits(self, hidden: Tensor) -> Tensor:
        """Exact log-probabilities but for a constant of each position: (..., V) of hidden (..., D)."""
        raise NotImplementedError

    def log_probs(self, hidden: Tensor) -> Tensor:
        """Exact log-probabilities (..., V) of hidden (..., D)."""
        raise NotImplementedError

    def exact_losses(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        """Exact -log P(target) (N,), without holding all N x V logits; no gradient."""
        raise NotImplementedError

    def exact_loss_sum(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        """Sum of exact -log P(target) over N as float64; targets of -1 count nothing."""
        losses_N = self.exact_losses(hidden_ND, targets_N.clamp(min=0))
        return losses_N.masked_fill(targets_N < 0, 0.0).sum(dtype=torch.float64)

    def forward(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        """Mean training loss of targets (N,) in nats."""
        raise NotImplementedError

    def multiply_adds(self) -> tuple[float, float]:
        """Multiply-adds of the matrix products of one position's loss: (while training, exact)."""
        return self.weight.numel(), self.weight.numel()

    def window_numbers(self, positions: int) -> int:
        """Numbers that `forward` and its gradients take at most beyond weights, hidden states and their gradients."""
        return 3 * chunk_rows(positions, self.vocab_size) * self.vocab_size

    def get_state(self) -> str:
        """State of the layer's own randomness, so that training resumes exactly."""
        return ""

    def set_state(self, state: str) -> None:
        """Resume from a state of `get_state`."""


class SoftmaxLayer(OutputLayer):
    """A softmax of logits = hidden W^T + b; how it is trained is up to `forward`."""

    def logits(self, hidden: Tensor) -> Tensor:
        return affine(hidden, self.weight, self.bias.squeeze(1))

    def log_probs(self, hidden: Tensor) -> Tensor:
        return F.log_softmax(self.logits(hidden), dim=-1)

    def exact_losses(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        return exact_losses(hidden_ND, self.weight, self.bias.squeeze(1), targets_N)
