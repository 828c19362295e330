"""Where words begin and end, by the rules of UAX #29 (https://www.unicode.org/reports/tr29/), tailored.

RULES numbers the rules that a tokenizer was made with: those of its file hold for as long as it is used.

The choices that differ from the annex:

- White space of any kind separates and is dropped; a mark behind it stands alone.
- Hyphens (U+002D, U+2010, U+2011) and apostrophes join letters and digits on both sides: `mother-in-law`, `90's`.
- A full stop between letters separates: `os.path`, and sentences without a space between them.
- Thai, Lao, Khmer, Burmese and their like, which only a dictionary can cut, are cut where their writers put spaces,
  and not at every letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache

from ...base.errors import InputError
from ..scripts import SINGLE

RULES = 2
"""Of new tokenizers. 1: Python's `\\w` and marks, which cut words at joiners; read for the files that have it."""
TABLES_PAY = 50_000
"""Characters of texts beyond ASCII from which it is likely that many more come, and tables pay for being made."""
NONE = "\ud800"
"""A member for a set that has none; no text holds it."""


def word_finder(rules: int) -> Callable[[str], list[str]]:
    """What finds all words and marks of a text, the one after the other.

    Raises InputError for rules of a later version.
    """
    if rules not in (1, RULES):
        raise InputError(f"its words follow rules {rules!r}, of which this seqlab knows 1 to {RULES}; update seqlab.")
    return _first_pattern().findall if rules == 1 else _Finder()


class _Finder:
    """Words by the rules of today, by whichever of the patterns is faster: they find the same."""

    def __init__(self) -> None:
        self.read = 0
        """Characters of texts beyond ASCII."""

    def __call__(self, text: str) -> list[str]:
        if text.isascii():
            return _ascii_pattern().findall(text)
        self.read += len(text)
        tables = self.read > TABLES_PAY and max(text) <= "\uffff"
        words = (_basic_pattern() if tables else _full_pattern()).findall(text)
        return _with_pictures(words) if "\u200d" in text else words


def _with_pictures(words: list[str]) -> list[str]:
    """The same, with every picture that follows a joiner as part of the word before it (WB3c)."""
    import regex

    found: list[str] = []
    for word in words:
        if found and found[-1][-1] == "\u200d" and regex.match(r"\p{Extended_Pictographic}", word):
            found[-1] += word
        else:
            found.append(word)
    return found


@cache
def _ascii_pattern() -> re.Pattern[str]:
    """For ASCII text, which needs no tables."""
    names = {"ALetter": "A-Za-z", "Numeric": "0-9", "ExtendNumLet": "_", "MidLetter": ":", "MidNum": ",;"}
    return re.compile(_annex(lambda name: names.get(name.removeprefix("WB="), NONE)))


@cache
def _full_pattern() -> re.Pattern[str]:
    """For any text."""
    import regex

    pattern: re.Pattern[str] = regex.compile(_annex(lambda name: rf"\p{{{name}}}"))
    return pattern


@cache
def _basic_pattern() -> re.Pattern[str]:
    """The same for characters up to U+FFFF: Python's own engine, up to six times faster there once it has tables."""
    import regex

    basic = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x10000)]))

    def members(name: str) -> str:
        runs = (match[0] for match in regex.finditer(rf"\p{{{name}}}+", basic))
        return "".join(f"{re.escape(run[0])}-{re.escape(run[-1])}" for run in runs) or NONE

    return re.compile(_annex(cache(members)))


def _annex(members: Callable[[str], str]) -> str:
    """The pattern of a word or mark. members: a property -> what a set of characters in a pattern spells it as."""
    aletter, hebrew, number, extend = (
        members(f"WB={name}") for name in ("ALetter", "Hebrew_Letter", "Numeric", "ExtendNumLet")
    )
    rest = f"[{members('WB=Extend')}{members('WB=Format')}\u200d]*+"  # WB4: belongs to what it follows
    letter, joined = f"[{aletter}{hebrew}]", f"[{aletter}{hebrew}{number}{extend}]"
    between = "\u2018\u2019\u2024\ufe52\uff07\uff0e"  # MidNumLet but for the full stop
    inner = rf"[-\u2010\u2011'\u2019]{rest}(?={joined})"
    alphabetic = (
        rf"[{hebrew}]{rest}(?:\"{rest}(?=[{hebrew}])|{inner}|'{rest})"  # WB7a-c
        rf"|{letter}{rest}(?:[{members('WB=MidLetter')}{between}]{rest}(?={letter})|{inner})?+"  # WB5-7, 9
    )
    numeric = rf"[{number}]{rest}(?:[{members('WB=MidNum')}{between}.']{rest}(?=[{number}])|{inner})?+"  # WB8, 10-12
    extending = rf"(?:[{extend}]{rest}(?:{inner})?+)++"  # WB13a, b
    run = rf"(?:(?:{alphabetic}|{numeric})++|(?:[{members('WB=Katakana')}]{rest})++)"  # WB13
    unspaced = rf"(?:(?![{number}])[{members('LB=SA')}]{rest})++"
    flag = rf"(?:[{members('WB=Regional_Indicator')}]{rest}){{2}}"  # WB15, 16
    return rf"(?=[{members('WB=Katakana')}]|{joined}){run}?+(?:{extending}{run}?+)*+|{unspaced}|{flag}|\S{rest}"


@cache
def _first_pattern() -> re.Pattern[str]:
    blocks = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))
    marks = "".join(chr(code) for block in blocks for code in block if unicodedata.category(chr(code))[0] == "M")
    letter = rf"[^\W{SINGLE}]|[{marks}]"
    return re.compile(rf"(?:{letter})+(?:['’-](?:{letter})+|(?<=\d)[.,](?=\d)(?:{letter})+)*|[^\s]")
