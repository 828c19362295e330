"""A text as a trained model reads it, and what may be added to the model's own probabilities.

Shapes: N tokens, M of them, D width of the hidden states, V vocabulary.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..models.counts.gate import logistic, mix
from ..models.interpolated import Members
from ..models.recent.cache import REACH
from ..nn import fast_float32
from ..text import TokenFile
from .exact import Scored, TokenRanks, evaluating, read_text, token_ranks


class Shares(NamedTuple):
    """What the members of a model make of a text.

    network_N: log-probability of every token by the network, float64. counts_N, cache_N: by the counts and the cache,
    None where these take no part. counts_odds_N: log-odds of the counts against the network. cache_odds_N: of the cache
    against all others.
    """

    network_N: np.ndarray
    counts_N: np.ndarray | None = None
    counts_odds_N: np.ndarray | None = None
    cache_N: np.ndarray | None = None
    cache_odds_N: np.ndarray | None = None

    def mixed_with(self, network_N: np.ndarray) -> np.ndarray:
        """Log-probabilities (N,) where another network's stand in the place of this one's."""
        found_N = self.without_cache(network_N)
        if self.cache_N is not None and self.cache_odds_N is not None:
            found_N = mix(found_N, self.cache_N, self.cache_odds_N)
        return found_N

    def without_cache(self, network_N: np.ndarray) -> np.ndarray:
        """The same without the cache."""
        if self.counts_N is None or self.counts_odds_N is None:
            return network_N
        return mix(network_N, self.counts_N, self.counts_odds_N)

    @property
    def weights(self) -> dict[str, float]:
        """Mean weights of the members by name."""
        cache_N = np.zeros(1) if self.cache_odds_N is None else logistic(self.cache_odds_N)
        counts_N = np.zeros(1) if self.counts_odds_N is None else logistic(self.counts_odds_N)
        every = {"network": (1 - counts_N) * (1 - cache_N), "counts": counts_N * (1 - cache_N), "cache": cache_N}
        absent = {"counts": self.counts_N is None, "cache": self.cache_N is None}
        return {name: float(weight_N.mean()) for name, weight_N in every.items() if not absent.get(name)}


class ScoredText(NamedTuple):
    """A text and what the model as trained makes of it.

    log_p_N: log-probability of every token, float64. hidden_ND: what the output layer reads before each token, on the
    CPU, empty where not needed. quiet: whether those who work on it show no progress. shares: of the members, None for
    a model of one.
    """

    tokens: TokenFile
    log_p_N: np.ndarray
    hidden_ND: Tensor
    quiet: bool = True
    shares: Shares | None = None


class Scorer:
    """Reads texts with a trained model.

    Args:
        members: network and counts, and which of them are used.
        start_id: read before the first token.
    """

    def __init__(self, members: Members, start_id: int):
        self.members, self.start_id = members, start_id
        self.network = members.network

    def read(self, tokens: TokenFile, keep_hidden: bool = True, quiet: bool = True) -> ScoredText:
        """The text with exact scores by the model as trained, and N x D hidden states if wanted."""
        members = self.members
        if members.only == "counts":
            return self._by_counts(tokens, quiet)
        scored = self._by_network(tokens, keep_hidden or members.used_cache is not None, quiet)
        return self._scored(tokens, scored, self._others(tokens, scored, quiet), quiet)

    def read_ranked(self, tokens: TokenFile, quiet: bool = True) -> tuple[ScoredText, TokenRanks]:
        """The text with exact scores and N x D hidden states, and with ranks and entropies under the model as trained;
        every distribution is made once."""
        ids_N = torch.from_numpy(tokens[:].astype(np.int64))
        if self.members.only == "counts":
            text = self._by_counts(tokens, quiet)
            along = _Distributions(self, tokens, ids_N, text.hidden_ND, None)
            return text, token_ranks(along.log_probs, ids_N, self.network.vocab_size, quiet)
        scored = self._by_network(tokens, True, quiet, judged=False)
        others = self._others(tokens, scored, quiet)
        along = _Distributions(self, tokens, ids_N, scored.hidden_ND, others)
        ranks = token_ranks(along.log_probs, ids_N, self.network.vocab_size, quiet)
        return self._scored(tokens, scored._replace(log_p_N=along.network_N), others, quiet), ranks

    def _by_counts(self, tokens: TokenFile, quiet: bool) -> ScoredText:
        return ScoredText(tokens, self.members.the_counts().log_probs(tokens, quiet), torch.empty(0, 0), quiet)

    def _by_network(self, tokens: TokenFile, keep_hidden: bool, quiet: bool, judged: bool = True) -> Scored:
        gates = [self.members.mixed[1]] if self.members.mixed else []
        with evaluating(self.network):
            return read_text(
                self.network, tokens, self.start_id, keep_hidden=keep_hidden, quiet=quiet, gates=gates, judged=judged
            )

    def _others(self, tokens: TokenFile, scored: Scored, quiet: bool) -> Shares:
        """What the members beside the network make of a text that it has read."""
        members, shares = self.members, Shares(scored.log_p_N)
        if members.mixed is not None:
            counts, gate = members.mixed
            counts_N, known_N = counts.score(tokens)
            shares = Shares(scored.log_p_N, counts_N, gate.log_odds(known_N, scored.projected_GN[0]))
        if (cache := members.used_cache) is not None:
            ids_N, vocab_size = tokens[:].astype(np.int64), self.network.vocab_size
            cache_N, odds_N = cache.score(scored.hidden_ND.float(), ids_N, vocab_size, quiet)
            shares = shares._replace(cache_N=cache_N, cache_odds_N=odds_N)
        return shares

    @staticmethod
    def _scored(tokens: TokenFile, scored: Scored, others: Shares, quiet: bool) -> ScoredText:
        shares = others._replace(network_N=scored.log_p_N)
        if shares.counts_N is None and shares.cache_N is None:
            return ScoredText(tokens, scored.log_p_N, scored.hidden_ND, quiet)
        return ScoredText(tokens, shares.mixed_with(scored.log_p_N), scored.hidden_ND, quiet, shares)


class _Distributions:
    """Whole distributions along a text, a few positions after another, in order.

    Args:
        scorer: the model as trained.
        tokens: the text. ids_N: the same as numbers.
        hidden_ND: what the output layer reads before each.
        others: what the other members make of it; None for counts by themselves.

    Attributes:
        network_N: log-probability of every token by the network, so far as parts have been asked for.
    """

    def __init__(self, scorer: Scorer, tokens: TokenFile, ids_N: Tensor, hidden_ND: Tensor, others: Shares | None):
        self.members, self.tokens, self.ids_N = scorer.members, tokens, ids_N
        self.hidden_ND, self.others = hidden_ND, others
        members = scorer.members
        self.counts = members.the_counts() if members.only == "counts" or members.mixed else None
        self.state_n = self.counts.read([scorer.start_id]) if self.counts else np.empty(0)
        self.network_N = np.empty(len(ids_N))

    def log_probs(self, part: slice) -> Tensor:
        """(M, V)."""
        counts_MV, others = self._by_counts(part) if self.counts else None, self.others
        if counts_MV is not None and others is None:
            return counts_MV.log_()
        output, ids_M1 = self.members.network.output, self.ids_N[part, None]
        with fast_float32():
            log_p_MV = output.logits(self.hidden_ND[part].to(output.bias.device)).log_softmax(1)
        self.network_N[part] = log_p_MV.gather(1, ids_M1.to(log_p_MV.device))[:, 0].double().cpu().numpy()
        if others is None or (others.counts_N is None and others.cache_N is None):
            return log_p_MV
        p_MV = log_p_MV.float().exp().cpu()
        if counts_MV is not None and others.counts_odds_N is not None:
            p_MV.lerp_(counts_MV, torch.from_numpy(logistic(others.counts_odds_N[part])).float()[:, None])
        if cache := self.members.used_cache:
            oldest = max(0, part.start - REACH)
            read = slice(oldest, part.start + len(p_MV))
            hidden_RD, ids_R = self.hidden_ND[read].float(), self.ids_N[read].numpy()
            cache.mix_along(hidden_RD, ids_R, part.start - oldest, p_MV.numpy())
        return p_MV.log_()

    def _by_counts(self, part: slice) -> Tensor:
        assert self.counts is not None
        states_Mn = self.counts.states_before(self.tokens, part, self.state_n)
        p_MV = torch.empty(len(states_Mn), self.counts.vocab_size)
        self.counts.distributions(states_Mn, p_MV.numpy())
        return p_MV


class Addition:
    """Something that assigns probabilities to a text: beside the model's own, or instead of its network's.

    Attributes:
        name: what it is called beside other additions.
        row: the section of the report it belongs to, by default its own; additions of a row follow one another and are
            mixed together.
        alone: whether its probabilities are a network's, to be reported with the counts as such; others only help when
            mixed with the model's.
        needs_tuning: whether it cannot do without a text to tune on.
    """

    name: str
    row: str
    alone = False
    needs_tuning = True

    def fixed(self) -> dict[str, Any]:
        """The settings that are not tuned, for the report."""
        return {}

    def tune(self, valid: ScoredText) -> dict[str, Any]:
        """Choose the free values on a text other than the one that is scored; returns them, for the report."""
        return {}

    def log_probs(self, text: ScoredText) -> np.ndarray:
        """Log-probability (N,) float64 of every token; that of a token depends on no later one."""
        raise NotImplementedError
