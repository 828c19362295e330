"""Mixtures of a network and counts, whose weight depends on more and more of what is known before each token.

A weight may depend on anything that the context decides: what the counts know of it, the hidden state, the network's
distribution as a whole. It may not depend on what either model says of the one word that came, which is known to an
evaluation, but not to a mixture: such weights would differ from word to word, and the probabilities not sum to one.

Shapes: N tokens, M members, F features, K buckets. log_p_NM: of every token by every member.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .knowledge import Known
from .networks import Read

ROUNDS = 60
"""Of expectation maximisation in buckets: all converge to less than 1e-4 nats well before."""


def loss(log_p_NM: np.ndarray, weight_NM: np.ndarray) -> float:
    """Mean -log of the mixture in nats."""
    with np.errstate(divide="ignore"):
        return float(-np.logaddexp.reduce(log_p_NM + np.log(weight_NM), axis=1).mean())


def flat_weights(log_p_NM: np.ndarray) -> np.ndarray:
    """The members' weights (M,) under which the text is most likely."""
    members = log_p_NM.shape[1]
    even_M = np.full(members, 1.0 / members)
    return bucket_weights(log_p_NM, np.zeros(len(log_p_NM), np.int64), 1, even_M, 0.0)[0]


def bucket_weights(
    log_p_NM: np.ndarray, bucket_N: np.ndarray, buckets: int, start_M: np.ndarray, strength: float
) -> np.ndarray:
    """The members' weights in every bucket (K, M), as if each had seen `strength` more tokens at weights `start_M`."""
    p_NM = np.exp(log_p_NM - log_p_NM.max(1, keepdims=True))
    size_K1 = np.bincount(bucket_N, minlength=buckets)[:, None]
    weight_KM = np.tile(start_M, (buckets, 1))
    for _ in range(ROUNDS):
        share_NM = weight_KM[bucket_N] * p_NM
        share_NM /= share_NM.sum(1, keepdims=True)
        mass_KM = np.stack([np.bincount(bucket_N, share_N, minlength=buckets) for share_N in share_NM.T], 1)
        mass_KM += strength * start_M
        weight_KM = np.divide(mass_KM, size_K1 + strength, out=weight_KM, where=size_K1 + strength > 0)
    return weight_KM


def buckets(known: Known, order: int, counts: int = 16) -> tuple[np.ndarray, int]:
    """The bucket of every token: the longest level that saw its context, and log2 of how often; and how many there
    are."""
    log_N = np.minimum(np.log2(np.maximum(known.count_N, 1)).astype(np.int64), counts - 1)
    return (known.order_N.astype(np.int64) - 1) * counts + log_N, order * counts


class Gate:
    """The members' weights as a softmax of features and a bucket, fitted by L-BFGS.

    Args:
        l2: penalty on the squared weights, in nats per token.
        bucket_l2: the same on the buckets' offsets.
    """

    def __init__(self, l2: float, bucket_l2: float = 1e-4):
        self.l2, self.bucket_l2 = l2, bucket_l2

    def fit(self, log_p_NM: np.ndarray, x_NF: np.ndarray, bucket_N: np.ndarray, buckets: int) -> Gate:
        """Fit to a text; features are standardised by it."""
        self.mean_F, self.scale_F = x_NF.mean(0), x_NF.std(0) + 1e-6
        members = log_p_NM.shape[1]
        self.w_FM = torch.zeros(x_NF.shape[1], members, requires_grad=True)
        self.offset_KM = torch.zeros(buckets, members, requires_grad=True)
        self.bias_M = torch.zeros(members, requires_grad=True)
        parameters = [self.w_FM, self.offset_KM, self.bias_M]
        x, bucket = self._inputs(x_NF, bucket_N)
        log_p = torch.from_numpy(log_p_NM).float()
        search = torch.optim.LBFGS(parameters, max_iter=30, history_size=10, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            search.zero_grad()
            value = -(self._log_weights(x, bucket) + log_p).logsumexp(1).mean()
            value = value + self.l2 * self.w_FM.square().sum() + self.bucket_l2 * self.offset_KM.square().sum()
            value.backward()
            return value

        search.step(closure)
        return self

    def _inputs(self, x_NF: np.ndarray, bucket_N: np.ndarray) -> tuple[Tensor, Tensor]:
        standard_NF = np.clip((x_NF - self.mean_F) / self.scale_F, -5.0, 5.0)
        return torch.from_numpy(standard_NF).float(), torch.from_numpy(bucket_N)

    def _log_weights(self, x_NF: Tensor, bucket_N: Tensor) -> Tensor:
        return (x_NF @ self.w_FM + self.offset_KM[bucket_N] + self.bias_M).log_softmax(1)

    @torch.inference_mode()
    def weights(self, x_NF: np.ndarray, bucket_N: np.ndarray) -> np.ndarray:
        """The members' weights (N, M)."""
        return self._log_weights(*self._inputs(x_NF, bucket_N)).exp().double().numpy()


def features(kind: str, net: Read | None, known: Known) -> np.ndarray:
    """(N, F) for the gate. hidden: the hidden state; entropy: of the network's distribution, and its peak; counts: what
    these know, as numbers; summary: both of these; both: summary and hidden."""
    log_count_N = np.log1p(known.count_N)
    ratio_N = log_count_N - np.log1p(known.types_N)
    counts = [known.backoff_N, np.log(known.peak_N + 1e-3), known.order_N, log_count_N, ratio_N]
    if kind == "none":
        return np.zeros((len(known.order_N), 1))
    if kind == "counts" or net is None:
        return np.stack(counts, 1)
    if kind == "hidden":
        return net.hidden_ND
    entropy = [net.entropy_N, net.peak_N]
    if kind == "entropy":
        return np.stack(entropy, 1)
    summary_NF = np.stack([*entropy, *counts], 1)
    return summary_NF if kind == "summary" else np.concatenate([net.hidden_ND, summary_NF], 1)
