"""What a text holds besides its tokens: characters, lines, markup. One pass, a chunk at a time, bounded memory."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..preparation.spool import Chunk

_TAG = re.compile(
    r"</?(?!(?:unk|eos|s|pad)>)[A-Za-z][\w:.-]{0,60}(?:\s[^<>\n]{0,200}=[^<>\n]{0,200})?\s?/?>"
    r"|&(?:amp|lt|gt|quot|nbsp|#\d+);"
)


class ChunkLook(NamedTuple):
    """What one chunk holds.

    codes, counts: its distinct code points and how often each occurs. line_ends: positions in characters behind its
    lines. feeds: (lines,) bool, whether a line ends in a line feed; the last of a document may not.
    """

    characters: int
    codes: np.ndarray
    counts: np.ndarray
    line_ends: np.ndarray
    feeds: np.ndarray
    tags: int
    decomposed: bool


def looker() -> Callable[[Chunk], ChunkLook]:
    """A job for `Workers`: chunk -> ChunkLook."""

    def look(chunk: Chunk) -> ChunkLook:
        text = chunk.read()
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        counts = np.bincount(codes)
        used = np.flatnonzero(counts)
        line_ends = np.union1d(np.flatnonzero(codes == 10) + 1, chunk.ends)  # the end of a document ends a line too
        return ChunkLook(
            len(text),
            used,
            counts[used],
            line_ends,
            codes[line_ends - 1] == 10,
            len(_TAG.findall(text)) if "<" in text or "&" in text else 0,
            not (text.isascii() or unicodedata.is_normalized("NFC", text)),
        )

    return look


class Look:
    """What a whole text holds, added up chunk by chunk.

    Attributes:
        codes: occurrences of every code point.
        longest: characters and number (from 1) of the longest line.
        tags: tags and entities of HTML or XML.
        decomposed: whether some letters and their accents are separate code points (not Unicode NFC).
    """

    def __init__(self) -> None:
        self.codes: Counter[int] = Counter()
        self.lines = self.tags = 0
        self.longest = (0, 0)
        self.decomposed = False
        self._begun = 0
        """Characters of the last line that came in earlier chunks."""

    def add(self, chunk: ChunkLook) -> None:
        """Add the next chunk."""
        self.codes.update(dict(zip(chunk.codes.tolist(), chunk.counts.tolist(), strict=True)))
        self.tags += chunk.tags
        self.decomposed |= chunk.decomposed
        if len(chunk.line_ends):
            lengths = np.diff(chunk.line_ends, prepend=-self._begun) - chunk.feeds
            place = int(lengths.argmax())
            self.longest = max(self.longest, (int(lengths[place]), self.lines + place + 1), key=lambda line: line[0])
            self.lines += len(lengths)
            self._begun = -int(chunk.line_ends[-1])
        self._begun += chunk.characters
