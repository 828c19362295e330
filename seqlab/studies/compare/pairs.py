"""Two models, or two groups of runs that differ in their seed, on one text.

Shapes: N tokens, U units (tokens, or stretches of text where the tokenizers differ).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.errors import counted
from ...text import Tokenizer
from .reading import TextReading
from .statistics import FEWEST_BLOCKS, MEMORY, Estimate, between_groups, estimate, needed

RULE_OF_30 = 30
"""Tokens that must change sides, one way or another, for a difference to be believed with 90 % confidence: the rule of
thumb for validation sets."""
SHOWN, APART = 5, 20
"""Tokens shown where two models differ most, and how far apart they are at least."""
BEFORE, AFTER = 40, 24
"""Characters of context shown around a token."""


@dataclass(frozen=True)
class Contrast:
    """A token, or a stretch of text, that one model predicts much better than the other.

    Attributes:
        position: of the token, or of the stretch's first token.
        before, token, after: the text.
        a, b: log-probabilities in nats.
    """

    position: int
    before: str
    token: str
    after: str
    a: float
    b: float


@dataclass(frozen=True)
class Seeds:
    """How much of a difference is due to the seeds of a few runs.

    Attributes:
        error: standard error of the difference between the groups' means, over other seeds.
        interval: 95 % interval of the difference over other seeds, on this text.
        both: over other seeds and other text of this kind.
        runs: in each group.
    """

    error: float
    interval: tuple[float, float]
    both: tuple[float, float]
    runs: tuple[int, int]


@dataclass(frozen=True)
class ModelPair:
    """One model against another on a text. Differences are losses, b minus a: below zero b is the better one.

    Attributes:
        a, b: names.
        per: what the difference is of: "token", or "character" where the tokenizers differ.
        found: the difference in nats and its interval.
        per_char: the difference in nats per character.
        tokens: of a's text.
        gained, lost: tokens that only b, and only a, has as its first choice; None where the tokens differ.
        needed: tokens of a's text on which this difference would be seen with a chance of 80 %; None for none.
        seeds: the second term, where several runs of a configuration were given.
        better_a, better_b: where the one, and the other, predicts much better.
        caveats: sentences on what the comparison does not say.
        adjusted: p among all pairs (Holm).
    """

    a: str
    b: str
    per: str
    found: Estimate
    per_char: float
    tokens: int
    gained: int | None
    lost: int | None
    needed: float | None
    seeds: Seeds | None
    better_a: list[Contrast]
    better_b: list[Contrast]
    caveats: list[str]
    adjusted: float

    @property
    def changed(self) -> int | None:
        """Tokens that changed sides."""
        return None if self.gained is None or self.lost is None else self.gained + self.lost

    @property
    def rule_of_30(self) -> bool | None:
        """Whether enough tokens changed sides; None where the tokens differ."""
        return None if self.changed is None else self.changed >= RULE_OF_30

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found = self.found
        return {
            "a": self.a,
            "b": self.b,
            "difference": found.mean,
            "per": self.per,
            "interval": list(found.interval),
            "p": found.p,
            "p_holm": self.adjusted,
            "better": ("b" if found.mean < 0 else "a") if found.certain else None,
            "difference_per_char": self.per_char,
            "interval_of_independent_tokens": list(found.naive),
            "times_too_short": found.too_short,
            "blocks": found.blocks,
            "block": found.block,
            "clusters": found.by,
            "tokens": self.tokens,
            "tokens_changed": self.changed,
            "gained": self.gained,
            "lost": self.lost,
            "rule_of_30": self.rule_of_30,
            "tokens_needed": self.needed,
            "texts_needed": None if self.needed is None else self.needed / self.tokens,
            "seeds": None if self.seeds is None else vars(self.seeds),
            "better_a": [vars(place) for place in self.better_a],
            "better_b": [vars(place) for place in self.better_b],
            "caveats": self.caveats,
        }


def compare_same_tokens(a: Sequence[TextReading], b: Sequence[TextReading]) -> ModelPair | None:
    """Compare two models, or groups of them, whose texts are the same tokens; None of a text of one token.

    Args:
        a, b: a reading for every run of a group.
    """
    first, second = a[0], b[0]
    a_N, b_N = (np.mean([one.log_p_N for one in group], axis=0) for group in (a, b))
    found = estimate(a_N - b_N, documents=first.tokens.documents, memory=MEMORY)
    if found is None:
        return None
    ids_N = first.tokens[:].astype(np.int64)
    return ModelPair(
        a=names(a),
        b=names(b),
        per="token",
        found=found,
        per_char=found.mean * len(ids_N) / max(1, first.tokens.characters),
        tokens=len(ids_N),
        gained=int((second.right_N & ~first.right_N).sum()),
        lost=int((first.right_N & ~second.right_N).sum()),
        needed=needed(found, len(ids_N)),
        seeds=of_seeds([one.nats for one in a], [one.nats for one in b], found),
        better_a=places(a_N, b_N, ids_N, first.tokenizer),
        better_b=places(b_N, a_N, ids_N, first.tokenizer, swapped=True),
        caveats=caveats(a, b, found),
        adjusted=found.p,
    )


def compare_units(
    a: Sequence[TextReading], b: Sequence[TextReading], totals_a: np.ndarray, totals_b: np.ndarray, units: Sequence[str]
) -> ModelPair | None:
    """Compare models whose tokenizers differ, by what stretches of text cost them; None of a single stretch.

    Args:
        a, b: a reading for every run of a group.
        totals_a, totals_b: (U,) log-probability of every stretch, the mean over the group.
        units: the stretches.
    """
    first = a[0]
    lengths_U = np.array([len(unit) for unit in units], np.float64)
    found = estimate(totals_a - totals_b, lengths_U, memory=MEMORY)
    if found is None:
        return None
    characters = float(lengths_U.sum())
    per_char = [[-one.log_p_N.sum() / characters for one in group] for group in (a, b)]
    return ModelPair(
        a=names(a),
        b=names(b),
        per="character",
        found=found,
        per_char=found.mean,
        tokens=len(first.tokens),
        gained=None,
        lost=None,
        needed=needed(found, len(first.tokens)),
        seeds=of_seeds(per_char[0], per_char[1], found),
        better_a=stretches(totals_a, totals_b, units),
        better_b=stretches(totals_b, totals_a, units, swapped=True),
        caveats=caveats(a, b, found),
        adjusted=found.p,
    )


def names(group: Sequence[TextReading]) -> str:
    """A run's name, or that of the first of a group and how many more there are."""
    return group[0].name + (f" and {counted(len(group) - 1, 'other seed')}" if len(group) > 1 else "")


def of_seeds(a: Sequence[float], b: Sequence[float], found: Estimate) -> Seeds | None:
    """The share of the seeds in a difference, where there are several runs of a configuration."""
    from scipy.stats import t

    between = between_groups(np.array(a), np.array(b))
    if between is None:
        return None
    error, freedom = between
    mean, half = found.mean, float(t.ppf(0.975, freedom)) * error
    whole = math.hypot(error, found.error)
    half_whole = float(t.ppf(0.975, min(freedom, found.blocks - 1 or 1))) * whole
    return Seeds(error, (mean - half, mean + half), (mean - half_whole, mean + half_whole), (len(a), len(b)))


def places(
    better_N: np.ndarray, worse_N: np.ndarray, ids_N: np.ndarray, tokenizer: Tokenizer, swapped: bool = False
) -> list[Contrast]:
    """The tokens that one model predicts better than the other by most, none near another.

    Args:
        better_N, worse_N: log-probabilities by the one that is to be better, and by the other.
        ids_N: the tokens.
        tokenizer: that spells them.
        swapped: whether the better one is b.
    """
    gain_N, found = better_N - worse_N, list[Contrast]()
    for place in np.argsort(-gain_N, kind="stable").tolist():
        if len(found) == SHOWN or gain_N[place] <= 0:
            break
        if any(abs(place - one.position) < APART for one in found):
            continue
        values = (float(better_N[place]), float(worse_N[place]))
        a, b = values[::-1] if swapped else values
        before = tokenizer.decode(ids_N[max(0, place - BEFORE) : place])
        with_token = tokenizer.decode(ids_N[max(0, place - BEFORE) : place + 1])
        whole = tokenizer.decode(ids_N[max(0, place - BEFORE) : place + 1 + AFTER])
        token, after = with_token[len(before) :], whole[len(with_token) :]
        found.append(Contrast(place, before[-BEFORE:], token, after[:AFTER], a, b))
    return found


def stretches(better_U: np.ndarray, worse_U: np.ndarray, units: Sequence[str], swapped: bool = False) -> list[Contrast]:
    """The stretches of text that one model predicts better than the other by most; arguments as for `places`."""
    gain_U, found = better_U - worse_U, list[Contrast]()
    for place in np.argsort(-gain_U, kind="stable").tolist()[:SHOWN]:
        if gain_U[place] <= 0:
            break
        values = (float(better_U[place]), float(worse_U[place]))
        a, b = values[::-1] if swapped else values
        found.append(Contrast(place, "", units[place], "", a, b))
    return found


def caveats(a: Sequence[TextReading], b: Sequence[TextReading], found: Estimate) -> list[str]:
    """What a comparison does not say."""
    first, second, told = a[0], b[0], list[str]()
    if found.blocks < FEWEST_BLOCKS:
        told.append(
            f"The text is too short: it gives {counted(found.blocks, 'block')} only, which say little about how far "
            "the difference varies."
        )
    shares = [one.tokens.unknown / len(one.tokens) for one in (first, second)]
    if abs(shares[0] - shares[1]) > 0.005:
        easier = first.name if shares[0] > shares[1] else second.name
        told.append(
            f"Unknown words are {shares[0]:.1%} of the tokens of {first.name} and {shares[1]:.1%} of those of "
            f"{second.name}: they count as one easy <unk>, which favours {easier}."
        )
    return told
