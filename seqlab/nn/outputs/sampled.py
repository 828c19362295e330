"""Losses that look at the target and a few noise words instead of the whole vocabulary.

Shapes: N positions, D width, V vocabulary, S noise words shared by all positions, R = N + S rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...base.errors import choose
from ..products import fast_float32, products_for
from .base import SoftmaxLayer
from .fused import LOG2_E, Computed, Fused, cross_entropy, log_normalizers
from .noise import NOISE, Draw


class CorrectedLogits(NamedTuple):
    """Logits lowered by the log of the word's expected count among the noise."""

    target_N: Tensor
    noise_NS: Tensor


class NoiseLayer(SoftmaxLayer):
    """What noise losses share: the draw, and logits whose gradients touch only the rows used.

    Args:
        vocab_size, width, weight: see `OutputLayer`.
        samples: S; a vocabulary of S words or fewer trains the exact softmax.
        noise: a name of `NOISE`; "log-uniform" needs ids in descending frequency, "unigram" needs `set_counts`.
        noise_power: exponent of the counts (unigram).
        unique_noise: whether the S words are distinct.
        precision: of the products in training, see `ModelConfig`.
        seed: of the noise.
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        weight: nn.Parameter | None = None,
        samples: int = 1024,
        noise: str = "log-uniform",
        noise_power: float = 0.75,
        unique_noise: bool = True,
        precision: str = "auto",
        seed: int = 0,
    ):
        super().__init__(vocab_size, width, weight)
        self.samples = min(samples, vocab_size)
        self.sparse = self.samples < vocab_size
        self.exact = not self.sparse
        self.precision = precision
        self.noise = choose("model.noise", noise, NOISE)(vocab_size, seed, unique_noise, noise_power)

    def set_counts(self, counts: np.ndarray) -> None:
        self.noise.set_counts(counts)

    def forward(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        if not self.sparse:
            bias_V = self.bias.squeeze(1)
            return cross_entropy(hidden_ND, self.weight, bias_V, targets_N, precision=self.precision)
        return self.loss_with_noise(hidden_ND, targets_N, self.noise.sample(self.samples))

    def multiply_adds(self) -> tuple[float, float]:
        return self.samples * self.width, self.weight.numel()

    def window_numbers(self, positions: int) -> int:
        if not self.sparse:
            return super().window_numbers(positions)
        return 2 * positions * self.samples + 4 * (positions + self.samples) * self.width

    def loss_with_noise(self, hidden_ND: Tensor, targets_N: Tensor, draw: Draw) -> Tensor:
        """The loss for given noise words."""
        raise NotImplementedError

    def rows(self, hidden_ND: Tensor, ids: np.ndarray, draw: Draw) -> tuple[Tensor, Tensor]:
        """Weight (R, D) and corrected bias (R,) of the words `ids`, with sparse gradients."""
        rows_R = torch.from_numpy(ids).to(hidden_ND.device)
        correction_R = torch.from_numpy(draw.log_expected_count(ids)).to(hidden_ND)
        weight_RD = F.embedding(rows_R, self.weight, sparse=True)
        return weight_RD, F.embedding(rows_R, self.bias, sparse=True).squeeze(1) - correction_R

    def scores(self, hidden_ND: Tensor, targets: np.ndarray, draw: Draw) -> CorrectedLogits:
        """Corrected scores of the targets and of the noise words."""
        weight_RD, bias_R = self.rows(hidden_ND, np.concatenate([targets, draw.ids]), draw)
        count = len(targets)
        target_N = torch.linalg.vecdot(hidden_ND, weight_RD[:count]) + bias_R[:count]
        with fast_float32():
            noise_NS = torch.addmm(bias_R[count:], hidden_ND, weight_RD[count:].T)
        return CorrectedLogits(target_N, noise_NS)

    def get_state(self) -> str:
        return self.noise.get_state()

    def set_state(self, state: str) -> None:
        self.noise.set_state(state)


def accidental_hits(targets: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where ascending `noise` (S,) holds a position's own target (N,): (positions, places in the noise)."""
    first, end = np.searchsorted(noise, targets), np.searchsorted(noise, targets, side="right")
    repeats = end - first
    positions = np.repeat(np.arange(len(targets)), repeats)
    within = np.arange(len(positions)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return positions, first[positions] + within


def _sampled_gradients(
    wanted: Sequence[bool],
    hidden_ND: Tensor,
    weight_RD: Tensor,
    bias_R: Tensor,
    positions: Tensor,
    places: Tensor,
    precision: str,
) -> Computed:
    """Mean of -log softmax over the target (row n) and the noise (rows N ...) and its gradients, in one pass over the
    N x S logits; noise at (positions, places) does not count. `precision` is that of the products with the noise."""
    count = len(hidden_ND)
    target_ND, noise_SD = weight_RD[:count], weight_RD[count:]
    products, grad_noise_SD = products_for(noise_SD, count, precision), torch.zeros_like(noise_SD)
    with fast_float32():
        target_N = (torch.linalg.vecdot(hidden_ND, target_ND) + bias_R[:count]) * LOG2_E
        noise_NS = products.logits(hidden_ND * LOG2_E, bias_R[count:] * LOG2_E)
        noise_NS[positions, places] = -torch.inf
        largest_N = torch.maximum(noise_NS.amax(1), target_N)
        noise_NS.sub_(largest_N[:, None]).exp2_()
        hit_N = (target_N - largest_N).exp2()
        sum_N = noise_NS.sum(1) + hit_N
        share_N1 = 1.0 / (count * sum_N[:, None])
        grad_target_N1 = hit_N[:, None] * share_N1 - 1.0 / count
        grad_hidden_ND = products.grad_hidden(noise_NS).mul_(share_N1).addcmul_(grad_target_N1, target_ND)
        products.add_grad_weight(noise_NS, hidden_ND * share_N1, grad_noise_SD)
        grad_weight_RD = torch.cat([grad_target_N1 * hidden_ND, grad_noise_SD])
        grad_bias_R = torch.cat([grad_target_N1.squeeze(1), (share_N1.T @ noise_NS).squeeze(0)])
    loss = (sum_N.log2() + largest_N - target_N).mean() / LOG2_E
    return loss, [grad_hidden_ND, grad_weight_RD, grad_bias_R]


class SampledSoftmax(NoiseLayer):
    """Softmax over the target and S noise words shared by the batch (Jean et al. 2015, https://arxiv.org/abs/1412.2007).

    Every logit, the target's included, is lowered by the log of its expected count under the noise before the
    softmax; a noise word equal to a position's target is masked there. The loss is lower than the exact one: report
    `log_probs`, never this.
    """

    def loss_with_noise(self, hidden_ND: Tensor, targets_N: Tensor, draw: Draw) -> Tensor:
        targets = targets_N.cpu().numpy()
        weight_RD, bias_R = self.rows(hidden_ND, np.concatenate([targets, draw.ids]), draw)
        hits = (torch.from_numpy(index).to(hidden_ND.device) for index in accidental_hits(targets, draw.ids))
        return Fused.apply(_sampled_gradients, hidden_ND, weight_RD, bias_R, *hits, self.precision)


class NCE(NoiseLayer):
    """Noise-contrastive estimation for language models (Mnih & Teh 2012, https://arxiv.org/abs/1206.6426).

    Logistic regression tells the target from noise words, the score of a word being its logit taken as a
    log-probability: the model learns to normalise itself. How well is what `log_normalizer` reports; `log_probs`
    normalises. Noise words equal to the target stay: the noise may well produce them.
    """

    def loss_with_noise(self, hidden_ND: Tensor, targets_N: Tensor, draw: Draw) -> Tensor:
        target_N, noise_NS = self.scores(hidden_ND, targets_N.cpu().numpy(), draw)
        return F.softplus(-target_N).mean() + F.softplus(noise_NS).sum(1).mean()

    def log_normalizer(self, hidden_ND: Tensor) -> dict[str, float]:
        """Normalisation error: "mean" and "std" of log Z over the hidden states; both 0 for a model that normalises
        itself perfectly."""
        log_z_N = log_normalizers(hidden_ND, self.weight, self.bias.squeeze(1)).double()
        return {"mean": float(log_z_N.mean()), "std": float(log_z_N.std(correction=0))}
