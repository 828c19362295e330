"""Words of all scripts in messages and tables, and what may have been meant by one that is not there."""

from __future__ import annotations

import random
from itertools import product

import pytest

from seqlab.base.errors import close, did_you_mean, distance, folded
from seqlab.base.printing import printable, quoted, width
from seqlab.base.results import Table


@pytest.mark.parametrize(
    "word",
    ["می\u200cخواهم", "ශ්\u200dරී", "👩🏽\u200d🚀", "Donau\u00adschiff", "a\u2060b", "🏴\U000e0067\U000e007f", "x\u200f"],
)
def test_what_spells_a_word_is_printed_as_it_is(word: str) -> None:
    assert printable(word) == word
    assert printable(f"({word})") == f"({word})"
    assert quoted(word) == f"'{word}'"


@pytest.mark.parametrize(
    "text",
    ["a\x1b[2J", "\u202eabc", "a\u202eb", "a\u2066b", "\u200d", " \u200ca", "a\u200b", "a\n", "a\u2028b", "\ufeffa"],
)
def test_what_steers_a_terminal_or_stands_alone_unseen_is_escaped(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(text).encode().decode("unicode_escape") == text


def test_tables_are_aligned_by_what_a_terminal_shows() -> None:
    assert [width(text) for text in ("abc", "漢字", "می\u200cخ", "e\u0301", "हिन्दी", "👍")] == [3, 4, 3, 1, 5, 2]
    lines = Table(("word", "n"), [("漢字", 1), ("می\u200c", 22), ("e\u0301", 3)]).text().split("\n")
    assert lines == ["word   n", "漢字   1", "می\u200c    22", "e\u0301      3"]


def test_distances_equal_brute_force_and_stop_at_the_limit() -> None:
    def slow(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        best = min(slow(a[1:], b) + 1, slow(a, b[1:]) + 1, slow(a[1:], b[1:]) + (a[0] != b[0]))
        return min(best, slow(a[2:], b[2:]) + 1) if a[:2] == b[1::-1] and len(a) > 1 < len(b) else best

    draw = random.Random(1)
    words = ["".join(draw.choices("abc", k=draw.randint(0, 5))) for _ in range(25)]
    for (a, b), most in product(product(words, words), (0, 1, 2, 9)):
        assert distance(a, b, most) == min(slow(a, b), most + 1)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Natasha", "Natásha"),
        ("natasha", "Natásha"),
        ("kign", "king"),
        ("Whale", "whale"),
        ("ISTANBUL", "ıstanbul"),
        ("istanbul", "İstanbul"),
        ("elephnat", "elephant"),
        ("strase", "straße"),
        ("میخواهم", "می\u200cخواهم"),
        ("كتاب", "كِتَابٌ"),
        ("שלום", "שָׁלוֹם"),
        ("Οδυσσευς", "Ὀδυσσεύς"),
        ("объем", "объём"),
    ],
)
def test_case_accents_and_joiners_come_before_letters(typed: str, meant: str) -> None:
    assert close(typed, ["sing", "kin", "wheel", meant, "other"], 1) == [meant] or typed == "kign"
    assert meant in close(typed, ["sing", "kin", "wheel", meant, "other"], 2)
    assert did_you_mean(typed, [meant]) == f" Did you mean '{meant}'?"


def test_marks_that_are_letters_are_not_folded() -> None:
    assert folded("की") != folded("का") != folded("क")
    assert folded("Ångström ﬁ İ") == "angstrom fi i"


def test_nothing_is_suggested_that_is_not_alike() -> None:
    words = ["king", "queen", "of", "a"]
    assert close("zzqqyy", words, 2) == close("it", words, 2) == close("kangaroo", words, 2) == []
    assert close("kang", ["king", "sang", "hang"], 2) == ["king", "sang"]
