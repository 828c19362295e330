"""The two tokenizers of words: `word` finds words and punctuation in any text, `whitespace` trusts spaces."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from .base import IncrementalDecoder, Tokenizer
from .boundaries import RULES, word_finder
from .segmenters import Segmenter, TokenSegmenter, UnitSegmenter
from .spacing import START, Keys, Spacing
from .unfinished import Beginnings, Unfinished, Way
from .vocab import EOS, Vocab, escape, unescape


class WholeWords(Tokenizer):
    """What both have in common: a token is a word as the text has it, and the decoder sets the spaces."""

    @abstractmethod
    def decoder(self) -> SpacingDecoder: ...

    @cached_property
    def _beginnings(self) -> Beginnings:
        entries = enumerate(self.vocab.itos)
        return Beginnings((self.plain(token), id) for id, token in entries if id not in (self.unk_id, self.eos_id))

    def unfinished(self, text: str) -> Unfinished | None:
        """The last word, with which a longer one may begin; or the space after it, which excludes marks without one."""
        stripped = text.rstrip()
        if not stripped or "\n" in text[len(stripped) :]:
            return None
        types, indices = self.segment(stripped)
        last, ids = types[indices[-1]], self.ids_of(types)[indices].tolist()
        space = stripped != text
        before = ids if space else ids[:-1]
        decoder = self.decoder()
        for id in before:
            decoder.push(id)
        if space:
            spaced = np.fromiter((id for id in range(len(self.vocab)) if decoder.takes_space(id)), np.int64)
            return Unfinished(ids, 1, [Way((), spaced, None)]) if len(spaced) else None
        words, own = self._beginnings.ids_with(self.plain(last)), self.vocab.stoi.get(last)
        if words.tolist() in ([], [own]):
            return None
        space = decoder.takes_space(words[0] if own is None else own)
        alike = np.array([id for id in words.tolist() if decoder.takes_space(id) == space])
        return Unfinished(before, space + len(self.plain(last)), [Way((), alike, own)])


class SpacingDecoder(IncrementalDecoder):
    """A decoder that sets spaces between tokens."""

    @abstractmethod
    def takes_space(self, id: int) -> bool:
        """Whether this token, if it came next, would have a space before it."""


class WordTokenizer(WholeWords):
    """Words, numbers and punctuation marks one by one; a line end is a token, at most two of them in a row.

    Words are those of UAX #29, tailored (`boundaries`). Other white space is not kept, so decoding cannot give back a
    text exactly: it spaces words and punctuation as the training text does (`spacing`).

    Args:
        lowercase: lower-case the text first.
        spaces: where the training text has spaces, as `Spacing.to_dict` has it; None: where English print has them.
        rules: which rules find the words: those of today, or the ones a file was made with.
    """

    kind = "word"
    has_unk = True

    def __init__(
        self,
        vocab: Vocab | None = None,
        lowercase: bool = False,
        rules: int = RULES,
        spaces: Mapping[str, Any] | None = None,
    ):
        super().__init__(vocab)
        self.spacing = Spacing(**spaces) if spaces else Spacing()
        self.lowercase, self.rules = lowercase, rules
        self._words = word_finder(rules)
        self._lowered = lowered if rules > 1 else str.lower

    @property
    def options(self) -> dict[str, Any]:
        spaces = {"spaces": self.spacing.to_dict()} if self.spacing.pairs else {}
        return {"lowercase": self.lowercase, "rules": self.rules, **spaces}

    def to_dict(self) -> dict[str, Any]:
        values = super().to_dict()
        if self.rules == 1:  # as the files of that time have it, whose digest it is
            del values["options"]["rules"]
        return values

    @classmethod
    def from_options(cls, vocab: Vocab, options: Mapping[str, Any]) -> Tokenizer:
        return cls(vocab, **{"rules": 1, **options})

    def segmenter(self) -> Segmenter:
        return UnitSegmenter(self._units, self._split)

    def _split(self, units: list[str]) -> list[list[str]]:
        """The words and marks of every unit."""
        words = self._words
        return [[unit] if unit == "\n" or (unit.isascii() and unit.isalpha()) else words(unit) for unit in units]

    def learn_spaces(self, text: str) -> WordTokenizer:
        """The same, which decodes with spaces where `text` has them."""
        learned = Spacing.learn(self._lowered(text) if self.lowercase else text, self._words)
        return WordTokenizer(self.vocab, **{**self.options, "spaces": learned.to_dict()})

    def _units(self, piece: str) -> list[str]:
        """Stretches of non-space, and line ends: one at the end of a line, two where blank lines follow."""
        found: list[str] = []
        ends = 0
        *lines, last = (self._lowered(piece) if self.lowercase else piece).split("\n")
        for line in lines:
            if words := line.split():
                found += words
                ends = 0
            if ends < 2:
                found.append("\n")
                ends += 1
        return found + last.split()

    def decoder(self) -> WordDecoder:
        """Decodes `<eos>` to a newline."""
        return WordDecoder(self.vocab.itos, self.spacing)


def lowered(text: str) -> str:
    """`text` in lower case. The dotted capital I of Turkish becomes an i, and leaves no dot of its own behind."""
    return (text if text.isascii() else text.replace("I\u0307", "i").replace("\u0130", "i")).lower()


class WordDecoder(SpacingDecoder):
    """Puts words and punctuation together with the spaces that print has between them."""

    def __init__(self, itos: list[str], spacing: Spacing):
        self.itos, self.spacing = itos, spacing
        self.keys = Keys(spacing.paired)
        self.previous = START

    def push(self, id: int) -> str:
        token = self.itos[id]
        if token in ("\n", EOS):
            self.previous = START
            self.keys.end_line()
            return "\n"
        key = self.keys.next(token)
        space = " " if self.spacing.between(self.previous, key) else ""
        self.previous = key
        return space + token

    def takes_space(self, id: int) -> bool:
        token = self.itos[id]
        return token not in ("\n", EOS) and self.spacing.between(self.previous, self.keys.of(token))


class WhitespaceTokenizer(WholeWords):
    """What stands between white space is a token; a line end is `<eos>`. For text that is tokenised already.

    Every line ends in one `<eos>`, blank lines and an unfinished last line of a document too. A literal
    `<unk>` is the unknown token, as in the benchmark corpora; a literal `<eos>` stays text (the vocabulary
    spells it `\\<eos>`).
    """

    kind = "whitespace"
    has_unk = True
    newline = EOS

    def segmenter(self) -> Segmenter:
        return TokenSegmenter(_tokens)

    def closes(self, text: str) -> bool:
        return not text.endswith("\n")

    def decoder(self) -> WhitespaceDecoder:
        """Joins tokens by single spaces; `<eos>` is a line end."""
        return WhitespaceDecoder(self._texts, self.eos_id)

    @cached_property
    def _texts(self) -> list[str]:
        return [self.plain(token) for token in self.vocab.itos]

    def plain(self, token: str) -> str:
        return unescape(token) if token.endswith(EOS) else token


def _tokens(piece: str) -> list[str]:
    if EOS in piece:
        piece = re.sub(rf"(?<!\S)\\*{EOS}(?!\S)", lambda match: escape(match[0]), piece)
    return piece.replace("\n", f" {EOS} ").split()


class WhitespaceDecoder(SpacingDecoder):
    def __init__(self, texts: list[str], eos_id: int | None):
        self.texts, self.eos_id = texts, eos_id
        self.line_start = True

    def takes_space(self, id: int) -> bool:
        return not self.line_start and id != self.eos_id

    def push(self, id: int) -> str:
        space = " " if self.takes_space(id) else ""
        self.line_start = id == self.eos_id
        return space + ("\n" if self.line_start else self.texts[id])
