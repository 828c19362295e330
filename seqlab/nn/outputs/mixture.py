"""Mixture of softmaxes: a distribution of higher rank than the hidden state's width allows one softmax."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..kernels.affine import affine
from .base import OutputLayer
from .fused import chunk_rows, cross_entropy, exact_losses


class MixtureOfSoftmaxes(OutputLayer):
    """P = sum_k prior_k softmax(tanh(A_k hidden + a_k) W^T + b) with prior = softmax(U hidden).

    Yang et al. 2018, https://arxiv.org/abs/1711.03953. Costs K times the full softmax.

    Args:
        vocab_size, width, weight: see `OutputLayer`.
        mixture: K, the number of softmaxes.
        precision: of the products while training: auto, float32 or bfloat16.
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        weight: nn.Parameter | None = None,
        mixture: int = 4,
        precision: str = "auto",
    ):
        super().__init__(vocab_size, width, weight)
        self.mixture, self.precision = mixture, precision
        self.latent = nn.Linear(width, mixture * width)
        self.prior = nn.Linear(width, mixture, bias=False)

    def multiply_adds(self) -> tuple[float, float]:
        count = self.mixture * self.weight.numel() + self.latent.weight.numel() + self.prior.weight.numel()
        return count, count

    def window_numbers(self, positions: int) -> int:
        chunk = chunk_rows(positions * self.mixture, self.vocab_size, self.mixture)
        return 5 * positions * self.mixture * self.width + 2 * chunk * self.vocab_size

    def components(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """What the softmaxes read (..., K, D), and the log of their weights (..., K)."""
        latent = torch.tanh(self.latent(hidden)).unflatten(-1, (self.mixture, self.width))
        return latent, F.log_softmax(self.prior(hidden), dim=-1)

    def log_probs(self, hidden: Tensor) -> Tensor:
        latent, log_prior = self.components(hidden)
        total: Tensor | None = None
        for component in range(self.mixture):
            logits = affine(latent[..., component, :], self.weight, self.bias.squeeze(1))
            log_probs = F.log_softmax(logits, dim=-1) + log_prior[..., component, None]
            total = log_probs if total is None else torch.logaddexp(total, log_probs)
        assert total is not None
        return total

    def logits(self, hidden: Tensor) -> Tensor:
        return self.log_probs(hidden)

    @torch.no_grad()
    def exact_losses(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        latent_NKD, log_prior_NK = self.components(hidden_ND)
        targets_M = targets_N.repeat_interleave(self.mixture)
        losses_M = exact_losses(latent_NKD.flatten(0, 1), self.weight, self.bias.squeeze(1), targets_M)
        return -(log_prior_NK - losses_M.view(-1, self.mixture)).logsumexp(1)

    def forward(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        latent_NKD, log_prior_NK = self.components(hidden_ND)
        return cross_entropy(
            latent_NKD.flatten(0, 1),
            self.weight,
            self.bias.squeeze(1),
            targets_N,
            log_prior_NK,
            precision=self.precision,
        )
