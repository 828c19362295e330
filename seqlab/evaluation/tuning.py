"""How much the counts and the cache are to say beside a network, found on validation text; and the scores of all
together there.

The gate is fitted on part of the text and the other part is scored with it, in both directions, so that the figure is
that of a text the gate has not seen; what is kept is fitted on all of it.

Shapes: N tokens scored, S of them that gates are fitted on, D width of the hidden states.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch

from ..models import LanguageModel
from ..models.counts.gate import Gate, logistic, mix
from ..models.counts.kneser_ney import NGramModel
from ..models.interpolated import Members
from ..models.recent.cache import Cache, CacheTrial, odds_of, search
from ..text import TokenFile
from .estimates import BLOCK, TextEstimate, Yardstick, estimate, standard_error
from .exact import evaluating, first_tokens, read_sample, sample_places, scores
from .scored_text import ScoredText, Scorer

FITTED_TOKENS = 50_000
"""Validation tokens that the gate is fitted on at most."""
KEPT_TOKENS = 4 * FITTED_TOKENS
"""Tokens up to which the hidden states of a text are stored rather than a part of it read again."""
DEVIATIONS = 2.0
"""Standard errors by which the counts, or the cache, must help."""
CACHE_TOKENS = 30_000
"""Validation tokens that the cache is fitted on at most, from the start of the text."""


class Together(NamedTuple):
    """Members tuned to one another, and their scores.

    members: with the gate fitted on all of the text; without counts where these do not help beyond noise.
    report: scores as `seqlab evaluate --json` prints them, of a text the gate was not fitted on.
    """

    members: Members
    report: dict[str, Any]


def halves(count: int) -> np.ndarray:
    """Which half each of `count` consecutive tokens belongs to: (N,) of 0 and 1, blocks of BLOCK in turn, which stay
    together."""
    length = BLOCK if count >= 2 * BLOCK else max(1, count // 2)
    return np.arange(count) // length % 2


def crossed(
    network_N: np.ndarray, counts_N: np.ndarray, known_N: np.ndarray, hidden_ND: np.ndarray | None, kinds: int
) -> np.ndarray:
    """Log-odds of the counts, each half of the text with the gate of the other.

    Args:
        network_N, counts_N: log-probabilities of the tokens by each member.
        known_N, hidden_ND, kinds: see `Gate.fit`.

    Returns:
        (N,) float64.
    """
    odds_N, half_N = np.empty(len(network_N)), halves(len(network_N))
    for half in (0, 1):
        fitted, scored = half_N != half, half_N == half
        own = None if hidden_ND is None else hidden_ND[fitted]
        gate = Gate.fit(network_N[fitted], counts_N[fitted], known_N[fitted], own, kinds)
        along_N = np.zeros(scored.sum()) if hidden_ND is None else hidden_ND[scored] @ gate.weight_D
        odds_N[scored] = gate.log_odds(known_N[scored], along_N)
    return odds_N


def tune_together(
    model: LanguageModel, counts: NGramModel | None, tokens: TokenFile, start_id: int, limit: int, quiet: bool = True
) -> Together:
    """Fit how much counts say beside a network, and score both on a text.

    Args:
        model: the network.
        counts: of its training text; None where there are none.
        tokens: validation text.
        start_id: read before the first token.
        limit: tokens to score at most, spread over the text.
        quiet: show no progress.
    """
    count = min(limit, len(tokens))
    if counts is None:
        with evaluating(model):
            _, scored = read_sample(model, tokens, start_id, count, quiet=quiet)
        return Together(Members(model), _report(scored.log_p_N, tokens))
    fitted = min(count, FITTED_TOKENS)
    with evaluating(model):
        places_S, read = read_sample(model, tokens, start_id, fitted, keep_hidden=True, quiet=quiet or count > fitted)
    counts_S, known_S = counts.score_places(tokens, places_S)
    hidden_SD = read.hidden_ND.float().numpy()
    odds_S = crossed(read.log_p_N, counts_S, known_S, hidden_SD, counts.kinds)
    gate = Gate.fit(read.log_p_N, counts_S, known_S, hidden_SD, counts.kinds)
    if mix(read.log_p_N, counts_S, odds_S).mean() < counts_S.mean():
        gate = Gate.only(True, counts.kinds, hidden_SD.shape[1])
        odds_S = gate.log_odds(known_S, np.zeros(len(known_S)))
    places_N, network_N, counts_N, odds_N = places_S, read.log_p_N, counts_S, odds_S
    if count > fitted:
        with evaluating(model):
            places_N, every = read_sample(model, tokens, start_id, count, quiet=quiet, gates=[gate])
        counts_N, known_N = counts.score_places(tokens, places_N)
        network_N, odds_N = every.log_p_N, gate.log_odds(known_N, every.projected_GN[0])
        put_in_place(odds_N, places_N, odds_S, places_S)
    mixed_N = mix(network_N, counts_N, odds_N)
    gain_N = mixed_N - network_N
    if gain_N.mean() <= DEVIATIONS * standard_error(gain_N) and counts_N.mean() <= network_N.mean():
        alone = Reports(counts, tokens, counts_N)
        return Together(Members(model), {**alone.of(network_N), "counts_left_out": alone.of_counts()})
    return Together(Members(model, counts, gate), Reports(counts, tokens, counts_N).of_all(network_N, odds_N))


def unseen_odds(scorer: Scorer, text: ScoredText) -> np.ndarray:
    """Log-odds of the counts along the text that their gate was fitted on, as if it had not been: of the tokens that it
    may have been fitted on, each half has the gate of the other half.

    Args:
        scorer: of network and counts.
        text: as it was read; without hidden states the tokens in question are read again.
    """
    members, tokens, shares = scorer.members, text.tokens, text.shares
    assert members.mixed is not None
    assert shares is not None
    assert shares.counts_odds_N is not None
    counts, gate = members.mixed
    if not gate.weight_D.any() and not np.ptp(gate.bias_K):  # of one member alone, nothing was fitted
        return shares.counts_odds_N
    if len(text.hidden_ND):
        places_S = sample_places(members.network, tokens, scorer.start_id, FITTED_TOKENS)
        network_S, hidden_SD = shares.network_N[places_S], text.hidden_ND[torch.from_numpy(places_S)]
    else:
        with evaluating(members.network):
            places_S, read = read_sample(
                members.network, tokens, scorer.start_id, FITTED_TOKENS, keep_hidden=True, quiet=text.quiet
            )
        network_S, hidden_SD = read.log_p_N, read.hidden_ND
    counts_S, known_S = counts.score_places(tokens, places_S)
    odds_S = crossed(network_S, counts_S, known_S, hidden_SD.float().numpy(), counts.kinds)
    unseen_N = shares.counts_odds_N.copy()
    put_in_place(unseen_N, np.arange(len(tokens)), odds_S, places_S)
    return unseen_N


def put_in_place(odds_N: np.ndarray, places_N: np.ndarray, odds_S: np.ndarray, places_S: np.ndarray) -> None:
    """Replace the log-odds at those of `places_N` that are among `places_S`.

    Args:
        odds_N: of many places, changed in place.
        places_N: where these are in a text, ascending.
        odds_S: of others.
        places_S: where those are.
    """
    rows_S = np.searchsorted(places_N, places_S).clip(max=len(places_N) - 1)
    same_S = places_N[rows_S] == places_S
    odds_N[rows_S[same_S]] = odds_S[same_S]


def tune_cache(
    scorer: Scorer, tokens: TokenFile, limit: int = CACHE_TOKENS, quiet: bool = True
) -> tuple[Cache, dict[str, Any]]:
    """Fit a cache of recent tokens to members that are tuned to one another.

    Args:
        scorer: with the members.
        tokens: validation text, which goes on from line to line.
        limit: tokens to read at most, from its start.
        quiet: show no progress.

    Returns:
        The cache, and scores of all together on that text, each half of it with the gate of the other; with the
        "change" of the perplexity in percent, and whether the cache "helps" beyond noise.
    """
    members = scorer.members._replace(cached=False)
    text = Scorer(members, scorer.start_id).read(first_tokens(tokens, min(limit, CACHE_TOKENS)), True, quiet)
    vocab_size, hidden_ND = members.network.vocab_size, text.hidden_ND.float()
    ids_N, half_N = text.tokens[:].astype(np.int64), halves(len(text.tokens))
    settings = search(text.log_p_N, hidden_ND, ids_N, vocab_size, quiet)
    reading, odds_N = CacheTrial.of(settings, hidden_ND, ids_N, vocab_size), np.empty(len(ids_N))
    for half in (0, 1):
        other = reading.gate(text.log_p_N, hidden_ND, half_N != half)
        odds_N[half_N == half] = odds_of(other, reading.known_N, hidden_ND)[half_N == half]
    mixed_N = mix(text.log_p_N, reading.cache_N, odds_N)
    gate = reading.gate(text.log_p_N, hidden_ND, np.ones(len(ids_N), bool))
    gain_N = mixed_N - text.log_p_N
    return Cache(settings, gate), {
        **scores(-float(mixed_N.sum()), tokens, len(mixed_N)),
        "change": 100.0 * math.expm1(-float(gain_N.mean())),
        "helps": bool(gain_N.mean() > DEVIATIONS * standard_error(gain_N)),
    }


def score_together(scorer: Scorer, tokens: TokenFile, limit: int, quiet: bool = True) -> dict[str, Any]:
    """Scores of tuned members on another text.

    Args:
        scorer: with the members.
        tokens: the text.
        limit: tokens to read at most, spread over the text.
        quiet: show no progress.
    """
    members, model = scorer.members, scorer.network
    gates = [members.mixed[1]] if members.mixed else []
    with evaluating(model):
        places_N, read = read_sample(model, tokens, scorer.start_id, min(limit, len(tokens)), quiet=quiet, gates=gates)
    if members.mixed is None:
        return _report(read.log_p_N, tokens)
    counts, gate = members.mixed
    counts_N, known_N = counts.score_places(tokens, places_N)
    odds_N = gate.log_odds(known_N, read.projected_GN[0])
    return Reports(counts, tokens, counts_N).of_all(read.log_p_N, odds_N)


class Reports:
    """Scores of a text, as `seqlab evaluate --json` prints them, by a sample of it that the counts have read too.

    Args:
        counts: of the training text.
        tokens: the text.
        counts_N: log-probabilities of the sample by the counts.
    """

    def __init__(self, counts: NGramModel, tokens: TokenFile, counts_N: np.ndarray):
        self.tokens, self.counts_N, self.yardstick = tokens, counts_N, Yardstick(counts, tokens)

    def of(self, log_p_N: np.ndarray) -> dict[str, Any]:
        """Of a model, with "sample_of" and "interval" where it did not read all of the text."""
        return _scores(self.yardstick.estimate(log_p_N, self.counts_N, self.tokens), len(log_p_N), self.tokens)

    def of_counts(self) -> dict[str, Any]:
        """Of the counts alone, which read all of it."""
        return scores(self.yardstick.mean * len(self.tokens), self.tokens)

    def of_all(self, network_N: np.ndarray, odds_N: np.ndarray) -> dict[str, Any]:
        """Of network and counts together, mixed with these log-odds of the counts, of each alone, and their mean
        weights."""
        weight = float(logistic(odds_N).mean())
        return {
            **self.of(mix(network_N, self.counts_N, odds_N)),
            "network": self.of(network_N),
            "counts": self.of_counts(),
            "weights": {"network": 1.0 - weight, "counts": weight},
        }


def _report(log_p_N: np.ndarray, tokens: TokenFile) -> dict[str, Any]:
    return _scores(estimate(log_p_N, tokens), len(log_p_N), tokens)


def _scores(found: TextEstimate, count: int, tokens: TokenFile) -> dict[str, Any]:
    report = scores(found.nats * count, tokens, count)
    return report if count == len(tokens) else {**report, "sample_of": len(tokens), "interval": found.interval}
