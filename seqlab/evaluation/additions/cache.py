"""Neural cache (Grave et al. 2017, https://arxiv.org/abs/1612.04426): words come again where the network is again in
the state in which it has met them.

Each of the last n hidden states h_j points to the word x_j that came then; before token i they vote for

    P_cache(w) = sum_j [x_j = w] exp(theta h_i . h_j) / sum_j exp(theta h_i . h_j),   i - n <= j < i,

which is mixed with the network's own P(w) by weights fitted on validation text.

Shapes: N tokens, D width, Q queries of a window, K keys they look at, S values of theta.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...base.errors import InputError
from ...base.progress import Progress
from ...models.counts.mixture import fit_weights, interpolate
from ...nn import fast_float32
from ..scored_text import Addition, ScoredText

WINDOW = 128
"""Queries at a time; has no influence on the result."""
LOG2_E = math.log2(math.e)
FLATNESS = tuple(2.0 ** (k / 2) for k in range(-4, 13))
"""Values of theta tried, in units of 1 / mean squared length of the hidden states."""


@torch.inference_mode()
def cache_log_probs(
    hidden_ND: Tensor, ids_N: Tensor, size: int, thetas: Sequence[float], vocab_size: int, quiet: bool = True
) -> np.ndarray:
    """log P_cache of every token for every theta: (N, S) float64, -inf where the word is not in the cache; the first
    token, before which the cache is empty, has 1 / vocab_size.

    Args:
        hidden_ND: what the output layer reads before each token.
        ids_N: the tokens.
        size: n, how many tokens back the cache reaches.
        thetas: above 0; large ones listen to the most similar states only.
    """
    log_p_NS = np.empty((len(ids_N), len(thetas)))
    words_N, query_ND = ids_N.int(), hidden_ND * LOG2_E
    with Progress("reading the cache", len(ids_N), "tokens", quiet=quiet) as progress:
        for start in range(0, len(ids_N), WINDOW):
            stop, oldest = min(start + WINDOW, len(ids_N)), max(0, start - size)
            distance_QK = torch.arange(start, stop)[:, None] - torch.arange(oldest, stop)
            with fast_float32():
                score_QK = query_ND[start:stop] @ hidden_ND[oldest:stop].T
            score_QK.masked_fill_((distance_QK <= 0) | (distance_QK > size), -math.inf)
            score_QK -= score_QK.amax(1, keepdim=True)
            other_QK = words_N[start:stop, None] != words_N[oldest:stop]
            for column, theta in enumerate(thetas):
                votes_QK = (score_QK * theta).exp2_()
                total_Q = votes_QK.sum(1)
                share_Q = votes_QK.masked_fill_(other_QK, 0.0).sum(1).double() / total_Q.double()
                log_p_NS[start:stop, column] = share_Q.log().numpy()
            progress.update(stop)
    log_p_NS[0] = -math.log(vocab_size)
    return log_p_NS


class Cache(Addition):
    """The last `size` tokens as a cache over the hidden states of the network as trained."""

    name = row = "cache"
    needs_hidden = True

    def __init__(self, size: int, vocab_size: int):
        if size < 1:
            raise InputError(f"cache: reaches at least 1 token back, not {size}.")
        self.size, self.vocab_size, self.theta = size, vocab_size, math.nan

    def fixed(self) -> dict[str, Any]:
        return {"size": self.size}

    def tune(self, valid: ScoredText) -> dict[str, Any]:
        """theta of FLATNESS under which the mixture of network and cache is most likely."""
        unit = 1.0 / max(1e-30, float(valid.hidden_ND.double().square().sum(1).mean()))
        thetas = [unit * multiple for multiple in FLATNESS]
        log_p_NS = self._log_probs(valid, thetas)
        pairs = [np.stack([valid.log_p_N, log_p_N], axis=1) for log_p_N in log_p_NS.T]
        likelihoods = [interpolate(pair_N2, fit_weights(pair_N2, 1e-5)).mean() for pair_N2 in pairs]
        self.theta = thetas[int(np.argmax(likelihoods))]
        return {"theta": self.theta}

    def log_probs(self, text: ScoredText) -> np.ndarray:
        return self._log_probs(text, [self.theta])[:, 0]

    def _log_probs(self, text: ScoredText, thetas: Sequence[float]) -> np.ndarray:
        ids_N = torch.from_numpy(text.tokens[:].astype(np.int64))
        return cache_log_probs(text.hidden_ND, ids_N, self.size, thetas, self.vocab_size, text.quiet)
