"""Books as they are passed on: their licences and headers left out, and lines that were wrapped at one width joined.

Both work on a stream of documents and hold a paragraph, or the beginning of a document, at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from ..scripts import FULL_WIDTH, SINGLE

Blocks = Iterable[tuple[bool, str]]

LONGEST_HEADER = 100_000
"""Characters of a document within which its header ends, if it has one."""
NARROWEST = 45
"""Characters of the widest lines below which a text is verse or a list rather than wrapped prose."""
WRAPPED = 0.8
"""Share of line ends that wrapping explains, in a text or a paragraph that is wrapped."""
GOING_ON = 0.25
"""Share of these ends behind which a line begins with a small letter, or one that has no case."""
LOOKED_AT = 1 << 18
"""Characters from which it is judged whether a document is wrapped, and at which width."""
BEGINS = re.compile(r"^\W*start of (?:the |this )?project gutenberg|^\W*end\W*the small print", re.IGNORECASE)
ENDS = re.compile(r"^\W*end of (?:the |this )?project gutenberg", re.IGNORECASE)
_NEXT_WORD = re.compile(rf"[{SINGLE}]|\S[^\s{SINGLE}]*")
_UNSPACED = re.compile(rf"[{SINGLE}{FULL_WIDTH}]")
NOTICE = re.compile(r"^\W*(?:start|end) of (?:the |this )?project gutenberg|^\W*end\W*the small print", re.I | re.M)


def without_headers(blocks: Blocks) -> Iterator[tuple[bool, str]]:
    """The documents without what stands before the mark at which an e-book of Project Gutenberg begins, and after the
    one at which it ends; documents without such marks as they are."""
    for begins, lines in _documents(blocks):
        held: list[str] | None = []
        size, starts = 0, begins
        for line in lines:
            if ENDS.match(line):
                break
            if held is None:
                yield starts, line
                starts = False
                continue
            if BEGINS.match(line):
                held = None
                continue
            held.append(line)
            size += len(line)
            if size > LONGEST_HEADER:
                yield starts, "".join(held)
                starts, held = False, None
        if held:
            yield starts, "".join(held)


def unwrapped(blocks: Blocks) -> Iterator[tuple[bool, str]]:
    """The documents with every paragraph of wrapped prose on one line; verse, lists and tables keep their lines."""
    for begins, lines in _documents(blocks):
        starts, begun, paragraph, size = begins, list[str](), list[str](), 0
        for line in lines:
            begun.append(line)
            size += len(line)
            if size >= LOOKED_AT:
                break
        width = wrap_width(begun)
        for line in chain(begun, lines):
            if line.strip():
                paragraph.append(line)
                continue
            yield starts, _joined(paragraph, width) + line
            starts, paragraph = False, []
        if paragraph:
            yield starts, _joined(paragraph, width)


def wrap_width(lines: Sequence[str]) -> int:
    """Characters at which a text is wrapped, 0 where it is not."""
    lengths = [len(line.rstrip()) for line in lines if line.strip()]
    width = int(np.quantile(lengths, 0.97)) if lengths else 0
    if width < NARROWEST:
        return 0
    pairs = [
        (line, after)
        for line, after in zip(lines, lines[1:], strict=False)
        if line.strip() and after.strip() and not line[0].isspace() and not after[0].isspace()
    ]
    if len(pairs) < 10 or _forced(pairs, width) < WRAPPED:
        return 0
    going_on = sum(after[0].isalpha() and not after[0].isupper() for _, after in pairs)
    return width if going_on >= GOING_ON * len(pairs) else 0


def _forced(pairs: Sequence[tuple[str, str]], width: int) -> float:
    """Share of line ends behind which the next word would not have fitted; without spaces it is a character."""
    words = (_NEXT_WORD.match(after.lstrip()) for _, after in pairs)
    lengths = [len(line.rstrip()) + 1 + len(word[0]) for (line, _), word in zip(pairs, words, strict=True) if word]
    return sum(length > width - 3 for length in lengths) / len(pairs)


def _joined(paragraph: list[str], width: int) -> str:
    """The lines of a paragraph, as one where wrapping explains its line ends."""
    pairs = list(zip(paragraph, paragraph[1:], strict=False))
    plain = width and pairs and not any(line[0].isspace() for line in paragraph[1:])
    if not plain or _forced(pairs, width) < WRAPPED:
        return "".join(paragraph)
    text = ""
    for line in (line.strip() for line in paragraph):
        joint = "" if not text or text.endswith(("—", "--")) or _broken(text, line) or _unspaced(text, line) else " "
        text += joint + line
    return text + ("\n" if paragraph[-1].endswith("\n") else "")


def _broken(text: str, after: str) -> bool:
    """Whether a line was broken behind the hyphen of a compound."""
    return len(text) > 1 and text[-1] == "-" and text[-2].isalpha() and after[:1].islower()


def _unspaced(text: str, after: str) -> bool:
    """Whether a line was broken between characters that no space stands between, such as ideographs."""
    return bool(_UNSPACED.match(text[-1]) and _UNSPACED.match(after))


def _documents(blocks: Blocks) -> Iterator[tuple[bool, Iterator[str]]]:
    """Every document as lines with their ends, each to be read, as far as is wanted, before the next."""
    stream = iter(blocks)
    pending: list[tuple[bool, str]] = []

    def lines(first: str) -> Iterator[str]:
        rest = first
        while True:
            *whole, rest = rest.split("\n")
            yield from (f"{line}\n" for line in whole)
            following = next(stream, None)
            if following is None or following[0]:
                pending.extend([following] if following else [])
                break
            rest += following[1]
        if rest:
            yield rest

    block = next(stream, None)
    while block is not None:
        document = lines(block[1])
        yield block[0], document
        for _ in document:
            pass
        block = pending.pop() if pending else None
