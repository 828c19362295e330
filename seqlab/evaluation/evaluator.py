"""The story of an evaluation: read the text, tune the additions on validation text, mix, report.

Shapes: N tokens of the text, M tokens of the text to tune on, P probabilities mixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from ..base.errors import InputError
from ..models.counts.mixture import fit_weights, interpolate
from ..text import TokenFile
from .exact import TokenRanks, evaluate_language_model, first_tokens, scores
from .scored_text import Addition, ScoredText, Scorer
from .sources import Text
from .tuning import CACHE_TOKENS, KEPT_TOKENS, unseen_odds

TUNING_TOKENS = 50_000
"""Tokens that weights are tuned on at most, from the start of the validation text."""
FEW_TUNING_TOKENS = 1_000
"""A shorter text to tune on deserves a warning: what is tuned then fits that text more than any other."""
STRETCH = 64
"""Consecutive tokens by which one text is recognised in another; a power of 2."""
SHARED = 0.1
"""Share of either text from which on one counts as tuned on the other."""
BLOCK = 1 << 20
"""Tokens of a text that are looked up at a time."""
STATIC, MIXTURE = "static", "mixture"


class Evaluation(NamedTuple):
    """What `Evaluator.evaluate_tokens` returns.

    report: scores as for `--json`. log_p_N: log-probability of every token under the last row of the report.
    additions: the same under the model as trained, under each addition alone, -inf where that gives a token no
    probability, and under each member of the model. ranks: of every token under the model, where requested.
    """

    report: dict[str, Any]
    log_p_N: np.ndarray
    additions: dict[str, np.ndarray]
    ranks: TokenRanks | None = None


class Evaluator:
    """A model with additions; they are tuned once, however many texts follow.

    Args:
        scorer: the model as trained.
        additions: in the order of the report.
        valid: the text to tune on; None where nothing needs one: mixtures are then plain averages.
    """

    def __init__(
        self, scorer: Scorer, additions: Sequence[Addition] = (), valid: Text | None = None, quiet: bool = True
    ):
        self.scorer, self.additions, self.valid, self.quiet = scorer, list(additions), valid, quiet
        self._valid_log_p: dict[str, np.ndarray] = {}

    def evaluate(self, tokens: TokenFile, fitted: bool = False) -> dict[str, Any]:
        """Scores of a text: those of the model as trained, of each of its members, and a section for each variant.

        Args:
            tokens: the text.
            fitted: whether it is the one that the gate of network and counts was fitted on. Each half of it then has
                the gate of the other half, as a text that the gate has not seen.
        """
        members = self.scorer.members
        if not self.additions and members.only != "counts" and not (members.mixed or members.used_cache):
            return evaluate_language_model(members.network, tokens, self.scorer.start_id, quiet=self.quiet)
        return self.evaluate_tokens(tokens, fitted=fitted).report

    def evaluate_tokens(self, tokens: TokenFile, ranked: bool = False, fitted: bool = False) -> Evaluation:
        """The same with the log-probability of every token, and if `ranked` its rank and entropy."""
        self._refuse_tuning_text(tokens)
        tuned = self.tuned
        if ranked:
            text, ranks = self.scorer.read_ranked(tokens, self.quiet)
        else:
            stored = fitted and self.scorer.members.mixed is not None and len(tokens) <= KEPT_TOKENS
            text, ranks = self.scorer.read(tokens, stored, self.quiet), None
        if fitted and text.shares is not None and text.shares.counts_odds_N is not None:
            shares = text.shares._replace(counts_odds_N=unseen_odds(self.scorer, text))
            text = text._replace(shares=shares, log_p_N=shares.mixed_with(shares.network_N))
        log_p = {STATIC: text.log_p_N}
        static = scores(-float(text.log_p_N.sum()), tokens)
        report: dict[str, Any] = {**static, **member_scores(text)}
        if self.valid and self.scorer.members.used_cache:
            report["tuned_on"] = self._tuned_on(CACHE_TOKENS)
        if not self.additions:
            return Evaluation(report, text.log_p_N, {**log_p, **_by_member(text)}, ranks)
        report[STATIC] = {**static, "change": 0.0}
        for row, members in groupby(self.additions, attrgetter("row")):
            additions, section = list(members), dict[str, Any]()
            log_p |= {addition.name: addition.log_probs(text) for addition in additions}
            if additions[0].alone and text.shares is not None:
                log_p[additions[0].name] = text.shares.mixed_with(log_p[additions[0].name])
            row_N = log_p[additions[0].name]
            if not additions[0].alone:
                row_N, section["weights"] = self._mixed(log_p, [STATIC, *(addition.name for addition in additions)])
            section |= {name: value for addition in additions for name, value in tuned[addition.name].items()}
            report[row] = {**self._scores(row_N, tokens, static), **section}
        if len({addition.row for addition in self.additions}) > 1:
            row_N, weights = self._mixed(log_p, list(log_p))
            report[MIXTURE] = {**self._scores(row_N, tokens, static), "weights": weights}
        if self.valid:
            report["tuned_on"] = self._tuned_on(TUNING_TOKENS)
        return Evaluation(report, row_N, {**log_p, **_by_member(text)}, ranks)

    def _tuned_on(self, most: int) -> dict[str, Any]:
        assert self.valid is not None
        return {"text": self.valid.name, "tokens": min(most, len(self.valid.tokens))}

    @cached_property
    def tuned(self) -> dict[str, dict[str, Any]]:
        """By addition, its settings: those requested, and those tuned on the validation text."""
        if self.valid is None:
            return {addition.name: addition.fixed() for addition in self.additions}
        return {addition.name: {**addition.fixed(), **addition.tune(self._valid_text)} for addition in self.additions}

    @cached_property
    def _valid_text(self) -> ScoredText:
        assert self.valid is not None
        return self.scorer.read(first_tokens(self.valid.tokens, TUNING_TOKENS), True, self.quiet)

    def _mixed(self, log_p: Mapping[str, np.ndarray], names: list[str]) -> tuple[np.ndarray, dict[str, float]]:
        """Log-probabilities (N,) of the mixture of some additions, with the weights of the validation text."""
        if self.valid is None:
            weights_P = np.full(len(names), 1.0 / len(names))
        else:
            weights_P = fit_weights(np.stack([self._valid(name) for name in names], axis=1))
        mixed_N = interpolate(np.stack([log_p[name] for name in names], axis=1), weights_P)
        return mixed_N, dict(zip(names, weights_P.tolist(), strict=True))

    def _valid(self, name: str) -> np.ndarray:
        """Log-probabilities (M,) of the validation text by an addition."""
        if name not in self._valid_log_p:
            additions = {addition.name: addition for addition in self.additions}
            text = self._valid_text
            log_p_M = text.log_p_N if name == STATIC else additions[name].log_probs(text)
            if name != STATIC and additions[name].alone and text.shares is not None:
                log_p_M = text.shares.mixed_with(log_p_M)
            self._valid_log_p[name] = log_p_M
        return self._valid_log_p[name]

    @staticmethod
    def _scores(log_p_N: np.ndarray, tokens: TokenFile, static: Mapping[str, Any]) -> dict[str, Any]:
        """Scores, and the change of the perplexity in percent of the static one's."""
        found = scores(-float(log_p_N.sum()), tokens)
        return {**found, "change": 100.0 * (found["perplexity"] / static["perplexity"] - 1.0)}

    def _refuse_tuning_text(self, tokens: TokenFile) -> None:
        """Raise InputError where the text is, or shares much with, the one to tune on: its scores would be those of a
        text seen."""
        if self.valid is None:
            return
        tuning = first_tokens(self.valid.tokens, TUNING_TOKENS)
        count = min(len(tokens), len(tuning))
        if np.array_equal(tokens[:count], tuning[:count]):
            found = "is the one to tune on"
        elif (common := shared_stretches(tuning, tokens)) and common >= SHARED * (count - STRETCH + 1):
            found = f"has {common + STRETCH - 1:,} tokens or more in common with the one to tune on"
        else:
            return
        raise InputError(
            f"the text to evaluate {found} ({self.valid.name}); name another of the two (valid is the text to tune on)."
        )


def _by_member(text: ScoredText) -> dict[str, np.ndarray]:
    """Log-probabilities (N,) of every token by each member alone; nothing for a model of one."""
    if text.shares is None:
        return {}
    every = {"network": text.shares.network_N, "counts": text.shares.counts_N, "cache": text.shares.cache_N}
    return {name: log_p_N for name, log_p_N in every.items() if log_p_N is not None}


def member_scores(text: ScoredText) -> dict[str, Any]:
    """The same scores by the network and by the counts alone, and of both without the cache where this takes part; and
    the mean weights of all. Nothing for a model of one."""
    shares = text.shares
    if shares is None:
        return {}
    every = {"network": shares.network_N, "counts": shares.counts_N}
    if shares.cache_N is not None and shares.counts_N is not None:
        every["without_cache"] = shares.without_cache(shares.network_N)
    found = {name: scores(-float(log_p_N.sum()), text.tokens) for name, log_p_N in every.items() if log_p_N is not None}
    return {**found, "weights": shares.weights}


def shared_stretches(tuning: TokenFile, tokens: TokenFile) -> int:
    """How many different stretches of STRETCH tokens of a short text occur in another one of any length, judging by
    64-bit hashes. Lines that come again and again, which all texts of a kind may share, count once."""
    known = np.unique(stretch_hashes(tuning[:]))
    found = np.zeros(len(known), bool)
    for start in range(0, len(tokens) if len(known) else 0, BLOCK):
        hashes = stretch_hashes(tokens[start : start + BLOCK + STRETCH - 1])
        places = np.searchsorted(known, hashes).clip(max=len(known) - 1)
        found[places[known[places] == hashes]] = True
    return int(found.sum())


def stretch_hashes(ids_N: np.ndarray) -> np.ndarray:
    """A hash (N - STRETCH + 1,) uint64 of the STRETCH tokens from every place on, empty for a shorter text: a
    polynomial modulo 2^64, doubled in length until it spans the stretch."""
    hashes, factor, length = spread(ids_N.astype(np.uint64)), 0x9E3779B97F4A7C15, 1
    if len(ids_N) < STRETCH:
        return hashes[:0]
    while length < STRETCH:
        hashes = hashes[:-length] * np.uint64(factor) + hashes[length:]
        factor, length = factor * factor % 2**64, 2 * length
    return hashes


def spread(numbers: np.ndarray) -> np.ndarray:
    """Each number's bits spread over 64 (the finaliser of MurmurHash3, one to one)."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        numbers = (numbers ^ (numbers >> np.uint64(33))) * np.uint64(factor)
    return numbers ^ (numbers >> np.uint64(33))
