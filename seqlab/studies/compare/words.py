"""A comparison of two models in words."""

from __future__ import annotations

from ...base.errors import counted
from ...base.printing import printable
from ...base.results import abbreviated
from .pairs import RULE_OF_30, ModelPair
from .statistics import POWER

MOST = 1e4
"""Multiples of a text beyond which more of it is no way to be sure."""


def sentences(pair: ModelPair, text: str) -> list[str]:
    """What was found, a sentence or two each: the difference, its intervals, tokens that changed sides, more text.

    Args:
        pair: two models.
        text: its name.
    """
    return [
        headline(pair, text),
        intervals(pair),
        *([seeds(pair)] if pair.seeds else []),
        rule_of_30(pair),
        more_text(pair),
        *pair.caveats,
    ]


def headline(pair: ModelPair, text: str) -> str:
    """Which is better, by how much, and whether that is certain."""
    found, a, b = pair.found, printable(pair.a), printable(pair.b)
    on = f"on {printable(text)} ({counted(pair.tokens, 'token')})"
    if found.mean == 0:
        return f"{b} and {a} are equally good {on}."
    better, worse = (b, a) if found.mean < 0 else (a, b)
    by = f"by {shown(found.mean)} nats per {pair.per}"
    if found.certain:
        return f"{better} is better than {worse} {by} {on}."
    return f"{better} is ahead of {worse} {by} {on}, but that may be chance."


def shown(nats: float) -> str:
    """The size of a difference, with a digit that is not zero."""
    size = abs(nats)
    return f"{size:.4f}" if size >= 0.0005 or size == 0 else f"{size:.1g}"


def span(interval: tuple[float, float]) -> str:
    """An interval of the difference b minus a, in words for b."""

    def side(value: float) -> str:
        return f"{shown(value)} {'better' if value < 0 else 'worse'}"

    low, high = interval
    if low < 0 < high:
        return f"from {side(low)} to {side(high)}"
    small, large = sorted((abs(low), abs(high)))
    return f"{shown(small)} to {shown(large)} {'better' if high <= 0 else 'worse'}"


def intervals(pair: ModelPair) -> str:
    """The interval by blocks, what it covers, and the one of independent tokens, which is too short."""
    found, units = pair.found, UNITS[pair.per]
    block = "of whole documents" if found.by == "documents" else f"of {found.block:,.0f} {units}"
    told = f"95 % interval, by {counted(found.blocks, 'block')} {block}: {printable(pair.b)} is {span(found.interval)} "
    told += f"(p = {found.p:.2g}). It is for other text of this kind and these very runs."
    if found.by == "blocks":
        told += " Blocks of a running text drift, which is allowed for."
    if found.too_short > 1.05:
        told += f" As if {units} were independent it would be {found.too_short:.1f} times too short."
    return told


UNITS = {"token": "tokens", "character": "stretches"}
"""What is independent if anything is, by what a difference is per."""


def seeds(pair: ModelPair) -> str:
    """The second term: what other seeds would change."""
    assert pair.seeds is not None
    few, many = pair.seeds.runs
    low, high = pair.seeds.both
    turned = "; another seed could turn it round" if low < 0 < high else ""
    return (
        f"Over other seeds (of {few} and {many} runs) and this text, {printable(pair.b)} is "
        f"{span(pair.seeds.interval)}; over other seeds and other text, {span(pair.seeds.both)}{turned}."
    )


def rule_of_30(pair: ModelPair) -> str:
    """Tokens that changed sides, and whether the rule agrees with the interval."""
    if pair.changed is None or pair.gained is None or pair.lost is None:
        return "The tokenizers differ, so no token can change sides, and the rule of 30 does not apply."
    met = pair.changed >= RULE_OF_30
    told = (
        f"{counted(pair.changed, 'token')} changed sides: {printable(pair.b)} alone is right about {pair.gained:,}, "
        f"{printable(pair.a)} alone about {pair.lost:,}. Rule of {RULE_OF_30} (a difference is to be believed with "
        f"90 % confidence only if at least {RULE_OF_30} samples change): {'met' if met else 'not met'}"
    )
    if met == pair.found.certain:
        return f"{told}, as the interval says."
    if met:
        why = "the rule counts changes in both directions, and takes tokens as independent"
        return f"{told}, though the interval includes zero: {why}."
    return f"{told}, though the interval excludes zero: probabilities can change without a change of the first choice."


def more_text(pair: ModelPair) -> str:
    """How much text would be needed to see this difference."""
    if pair.needed is None:
        return "There is no difference that more text could confirm."
    times, chance = pair.needed / pair.tokens, f"with a chance of {100 * POWER:.0f} %"
    if times <= 1:
        return f"This text is long enough to see a difference of this size {chance} or more."
    if times > MOST:
        return "No amount of text within reason would tell them apart."
    texts = abbreviated(round(times) if times >= 10 else times)
    how = f"{abbreviated(round(pair.needed))} tokens, {texts} texts like this one"
    return f"To see a difference of this size {chance}, at a level of 5 %, it takes {how}."
