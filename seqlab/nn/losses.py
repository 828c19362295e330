"""Output layers. Each has two faces: `forward(hidden, targets)` is the loss that trains, `logits(hidden)` and
`log_probs(hidden)` are exact and are what evaluation and generation use.

Shapes: N positions (batch and time flattened), D width, V vocabulary, S noise samples, R rows. Losses are means in
nats over the N positions.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .noise import LogUniform

EXACT_BLOCK = 1 << 22
"""Logits evaluated at once: 16 MB of float32, measured fastest (twice that leaves the cache: 1.7 times slower)."""


class FullSoftmax(nn.Module):
    """Softmax over the whole vocabulary: logits = hidden W^T + b, loss = cross-entropy.

    Args:
        weight: (V, D), possibly the embedding's own parameter (tied weights,
            https://arxiv.org/abs/1608.05859).
    """

    sparse = False
    """Whether `forward` reads only a few rows of the weight, so that its gradient is sparse."""

    def __init__(self, weight: nn.Parameter, samples: int = 0, seed: int = 0):
        super().__init__()
        self.weight = weight
        self.bias = nn.Parameter(torch.zeros(weight.shape[0], 1))

    @property
    def vocab_size(self) -> int:
        """V."""
        return self.weight.shape[0]

    def start_at_unigram(self, counts: np.ndarray) -> None:
        """Set the bias to the log unigram frequency of `counts` (V,), unseen types counted as one half.

        The model then starts at the unigram's perplexity and never spends steps on learning word frequencies.
        """
        smoothed = np.maximum(counts.astype(np.float64), 0.5)
        with torch.no_grad():
            self.bias.copy_(torch.from_numpy(np.log(smoothed / smoothed.sum())[:, None]))

    def logits(self, hidden: Tensor) -> Tensor:
        """Exact unnormalised log-probabilities (..., V) of hidden (..., D)."""
        return F.linear(hidden, self.weight, self.bias.squeeze(1))

    def log_probs(self, hidden: Tensor) -> Tensor:
        """Exact log-probabilities (..., V) of hidden (..., D)."""
        return F.log_softmax(self.logits(hidden), dim=-1)

    def exact_loss_sum(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        """Sum of exact -log P(target) over N, without holding all N x V logits; targets of -1 count nothing."""
        rows = max(1, EXACT_BLOCK // self.vocab_size)
        total = hidden_ND.new_zeros((), dtype=torch.float64)
        for hidden, targets in zip(hidden_ND.split(rows), targets_N.split(rows), strict=True):
            losses = F.cross_entropy(self.logits(hidden), targets, reduction="none", ignore_index=-1)
            total += losses.sum(dtype=torch.float64)
        return total

    def forward(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        return F.cross_entropy(self.logits(hidden_ND), targets_N)

    def get_state(self) -> str:
        """State of the layer's own randomness (none here), so that training resumes exactly."""
        return ""

    def set_state(self, state: str) -> None:
        """Go on from a state of `get_state`."""


class SampledSoftmax(FullSoftmax):
    """Softmax over the target and S noise words shared by the batch (Jean et al. 2015, https://arxiv.org/abs/1412.2007).

    Every logit, the target's included, is lowered by the log of its expected count under the noise before the
    softmax; a noise word equal to a position's target is masked there. Noise words are distinct and log-uniform, so
    ids must be in descending frequency. Gradients touch only the rows used. The loss is lower than the exact one:
    report `log_probs`, never this.

    Args:
        weight: (V, D).
        samples: S; a vocabulary of S words or fewer makes the loss exact.
        seed: of the noise.
    """

    sparse = True

    def __init__(self, weight: nn.Parameter, samples: int = 1024, seed: int = 0):
        super().__init__(weight)
        self.samples = min(samples, self.vocab_size)
        self.sparse = self.samples < self.vocab_size
        self.noise = LogUniform(self.vocab_size, seed)

    def forward(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        if not self.sparse:
            return super().forward(hidden_ND, targets_N)
        noise_S, tries = self.noise.sample_unique(self.samples)
        return self.loss_with_noise(hidden_ND, targets_N, noise_S, tries)

    def loss_with_noise(self, hidden_ND: Tensor, targets_N: Tensor, noise_S: np.ndarray, tries: int) -> Tensor:
        """The loss for given distinct, sorted noise ids (S,), which `tries` independent draws contained."""
        device = hidden_ND.device
        targets = targets_N.cpu().numpy()
        rows_R = torch.from_numpy(np.concatenate([targets, noise_S])).to(device)
        correction_R = torch.from_numpy(self.noise.log_expected_count(np.concatenate([targets, noise_S]), tries)).to(
            device, hidden_ND.dtype
        )
        weight_RD = F.embedding(rows_R, self.weight, sparse=True)
        bias_R = F.embedding(rows_R, self.bias, sparse=True).squeeze(1) - correction_R
        count = len(targets)
        target_N = torch.linalg.vecdot(hidden_ND, weight_RD[:count]) + bias_R[:count]
        noise_NS = torch.addmm(bias_R[count:], hidden_ND, weight_RD[count:].T)
        place = np.minimum(np.searchsorted(noise_S, targets), len(noise_S) - 1)
        hits = np.flatnonzero(noise_S[place] == targets)
        noise_NS[torch.from_numpy(hits).to(device), torch.from_numpy(place[hits]).to(device)] = -torch.inf
        return (torch.logaddexp(torch.logsumexp(noise_NS, dim=1), target_N) - target_N).mean()

    def get_state(self) -> str:
        return self.noise.get_state()

    def set_state(self, state: str) -> None:
        self.noise.set_state(state)


LOSSES: dict[str, type[FullSoftmax]] = {"full": FullSoftmax, "sampled": SampledSoftmax}
