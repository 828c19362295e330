"""Where print puts spaces between words and marks: counted in a text, or by the usual rules where it shows nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

from ..scripts import SINGLE

START = "\n"
"""The place before the first token of a line, which takes no space after it."""
SEEN = 3
"""Occurrences in a text from which it is believed."""
PAIRED = 0.1
"""Share of a mark's occurrences that open something, and that close it, from which it counts as a pair of quotes."""

QUOTES = frozenset("\"'")
"""Marks that open and close alike where no text shows it."""

_NO_SPACE_BEFORE = set(",.;:!?)]}%…’”»،؛؟।॥՝։՜՞፣።፤፥፧፨")
_NO_SPACE_AFTER = set("([{$£€#@“‘«¿¡„‚")
_TIGHT = set("/—–_~\\\u200b") | {chr(code) for code in (*range(0x3001, 0x3020), *range(0xFF01, 0xFF66))}
"""Set without spaces on either side; full-width punctuation brings its own."""
_SECOND = "1"
"""Behind a quote: that it is the second of a pair, and closes it."""
_is_single = re.compile(f"[{SINGLE}]").match


class Spacing:
    """Decides for two tokens that follow each other whether there is a space between them.

    Tokens count by their key: a mark is itself, with every second one of a pair of quotes in a line marked as such;
    words are of four classes (`word_class`).

    paired: marks that open and close alike. pairs: (left key, right key, times with a space, times without).
    """

    def __init__(self, paired: Iterable[str] = QUOTES, pairs: Iterable[Sequence[Any]] = ()):
        self.paired = frozenset(paired)
        self.pairs = [(str(a), str(b), int(spaced), int(tight)) for a, b, spaced, tight in pairs]
        self._counts = {(a, b): spaced - tight for a, b, spaced, tight in self.pairs if spaced + tight >= SEEN}
        self._after, self._before = Counter[str](), Counter[str]()
        for a, b, spaced, tight in self.pairs:
            self._after[a] += spaced - tight
            self._before[b] += spaced - tight
        self._decided: dict[tuple[str, str], bool] = {}

    @classmethod
    def learn(cls, text: str, words_of: Callable[[str], list[str]]) -> Spacing:
        """Count in a text, whose tokens `words_of` finds in what stands between its spaces."""
        lines = [line.split() for line in text.split("\n")]
        units = Counter(chain.from_iterable(lines))
        tokens = {unit: words_of(unit) for unit in units}
        paired = _paired(units, tokens)
        classes = {unit: [word_class(token) for token in found] for unit, found in tokens.items()}
        quoting = {unit for unit, keys in classes.items() if not paired.isdisjoint(keys)}
        spaced, tight = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for line in lines:
            keyed = [classes[unit] for unit in line]
            if not quoting.isdisjoint(line):
                keys = Keys(paired)
                keyed = [[keys.next(token) for token in tokens[unit]] for unit in line]
            spaced.update((left[-1], right[0]) for left, right in pairwise(keyed))
            tight.update(chain.from_iterable(map(pairwise, (keys for keys in keyed if len(keys) > 1))))
        seen = [(a, b, spaced[a, b], tight[a, b]) for a, b in sorted({*spaced, *tight})]
        return cls(sorted(paired), [row for row in seen if row[2] + row[3] >= SEEN])

    def to_dict(self) -> dict[str, Any]:
        """Keyword arguments that make it again, as JSON has them."""
        return {"paired": sorted(self.paired), "pairs": [list(row) for row in self.pairs]}

    def between(self, left: str, right: str) -> bool:
        """Whether a space stands between two keys."""
        if left == START:
            return False
        if (left, right) not in self._decided:
            balance = self._counts.get((left, right), 0)
            self._decided[left, right] = (
                balance > 0 if balance else self._ends(left, right) and self._begins(left, right)
            )
        return self._decided[left, right]

    def _ends(self, left: str, right: str) -> bool:
        """Whether the left one takes a space after it."""
        if balance := self._after[left]:
            return balance > 0
        quote = left in self.paired
        return not (quote or left in _NO_SPACE_AFTER or left in _TIGHT or (left == right and not left.isalnum()))

    def _begins(self, left: str, right: str) -> bool:
        """Whether the right one takes a space before it."""
        if balance := self._before[right]:
            return balance > 0
        second = right.endswith(_SECOND) and right[:-1] in self.paired
        return not (second or right in _NO_SPACE_BEFORE or right in _TIGHT or left == right == "字")


class Keys:
    """Keys of the tokens of a line, one after another."""

    def __init__(self, paired: frozenset[str]):
        self.paired = paired
        self.open: set[str] = set()

    def of(self, token: str) -> str:
        """The key of a token that comes next."""
        if token in self.paired:
            return token + _SECOND if token in self.open else token
        return word_class(token)

    def next(self, token: str) -> str:
        """The same, once it has come."""
        key = self.of(token)
        if token in self.paired:
            self.open ^= {token}
        return key

    def end_line(self) -> None:
        self.open.clear()


def word_class(token: str) -> str:
    """`0`: a number. `字`: ideographs, kana. `W`: a word with a capital. `w`: another. A mark is itself."""
    if token.isalpha() and token.isascii():
        return "w" if token[0] >= "a" else "W"
    if not any(map(str.isalnum, token)):
        return token
    first = token[0]
    return "字" if _is_single(first) else "0" if first.isdigit() else "W" if first.isupper() else "w"


def _paired(units: Mapping[str, int], tokens: Mapping[str, list[str]]) -> frozenset[str]:
    """Marks that open something as often as they close it, about. units: how often each occurs."""
    opening, closing, marks = Counter[str](), Counter[str](), Counter[str]()
    for unit, count in units.items():
        if unit.isalpha() or len(tokens[unit]) == 1:
            continue
        words = [place for place, token in enumerate(tokens[unit]) if token[0].isalnum()]
        first, last = (words[0], words[-1]) if words else (0, len(tokens[unit]))
        for place, token in enumerate(tokens[unit]):
            if not token[0].isalnum():
                marks[token] += count
                opening[token] += count * (place < first)
                closing[token] += count * (place > last)
    least = {mark: max(SEEN, PAIRED * count) for mark, count in marks.items()}
    found = {mark for mark in marks if min(opening[mark], closing[mark]) >= least[mark]}
    return frozenset(found | (QUOTES - set(marks)))
