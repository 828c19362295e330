"""Scripts whose writers put no spaces between words, and texts in them that a program has cut into words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache

SINGLE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
"""Kana and ideographs; under rules 1 of the tokenizer `word` each is a token."""
KANA = r"\u3040-\u30ff"
LETTERS = {
    "Chinese": SINGLE,
    "Thai": r"\u0e01-\u0e3a\u0e40-\u0e4e",
    "Lao": r"\u0e81-\u0ecf\u0edc-\u0edf",
    "Khmer": r"\u1780-\u17d3",
    "Burmese": r"\u1000-\u103f\u1050-\u109f\ua9e0-\ua9ef\uaa60-\uaa7f",
    "Tibetan": r"\u0f00-\u0f1f\u0f35-\u0fd4",
}
"""Characters that words are spelled with, in sets of a pattern."""
LONGEST = {"Chinese": 4, "Japanese": 4}
"""Mean letters between spaces from which these part something else than words: phrases, half-lines of verse."""
LONGEST_SPELLED = 10
"""The same where letters spell sounds: Thai, Lao, Khmer and Burmese words have 4 to 7, phrases 15 and more."""
MOST = 0.5
"""Share of a text from which a script is its script."""
COUNTED = 50_000
"""Characters of a text, evenly spread, by which its script is told."""
FEWEST_GAPS = 20
GAPS_A_LINE = 2
"""Spaces in a line that has some; fewer part surnames from names, or the columns of a list."""

FULL_WIDTH = r"\u3001-\u3020\uff01-\uff0f\uff1a-\uff20"
"""Marks as wide as an ideograph, which bring their own space."""
_MARKS = rf"{FULL_WIDTH}\u2014\u2018-\u201d\u2026"


def spaceless(characters: Mapping[str, int]) -> tuple[str, int]:
    """The script without spaces that most of these characters belong to, and how many do; empty and 0: none.

    Args:
        characters: how often each occurs.
    """
    shares = dict.fromkeys([*LETTERS, "Japanese"], 0)
    for character, count in characters.items():
        if character >= "\u0e01" and (name := _script_of(character)):
            shares[name] += count
    if 10 * shares["Japanese"] > shares["Chinese"]:
        shares["Japanese"] += shares.pop("Chinese")
    else:
        shares["Chinese"] += shares.pop("Japanese")
    name = max(shares, key=shares.__getitem__)
    return (name, shares[name]) if shares[name] else ("", 0)


def script_of(sample: str) -> tuple[str, int]:
    """The same of a text, where most of it is in such a script; of a long one from every so many characters."""
    if sample.isascii():
        return "", 0
    step = len(sample) // COUNTED + 1
    counts = {character: count for character, count in Counter(sample[::step]).items() if not character.isspace()}
    name, letters = spaceless(counts)
    return (name, letters * step) if letters >= MOST * sum(counts.values()) else ("", 0)


def segmented(sample: str) -> str:
    """The script without spaces between whose words this text has them: a program has put them there. Else empty."""
    name, letters = script_of(sample)
    if not name:
        return ""
    gap = _gap("Chinese" if name == "Japanese" else name)
    found = [count for line in sample.split("\n") if (count := len(gap.findall(line)))]
    few = sum(found) < max(FEWEST_GAPS, GAPS_A_LINE * len(found))
    return "" if few or letters >= LONGEST.get(name, LONGEST_SPELLED) * sum(found) else name


@cache
def _script_of(character: str) -> str:
    if re.match(f"[{KANA}]", character):
        return "Japanese"
    return next((name for name, letters in LETTERS.items() if re.match(f"[{letters}]", character)), "")


@cache
def _gap(name: str) -> re.Pattern[str]:
    """A space between letters or marks of a script."""
    inside = f"[{LETTERS[name]}{_MARKS}]"
    return re.compile(rf"(?<={inside})[ \t\u3000]+(?={inside})")
