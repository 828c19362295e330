"""Sources read once into one clean UTF-8 file, with a table of chunks that end at cuts, inside documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from .cuts import last_cut, natural_cuts, next_cut

CHUNK_BYTES = 1 << 20
"""Default size of the unit of work, about; also the reason why memory does not depend on the text."""

REACH = 1 << 16
"""Characters around the wanted place in which a text is cut in two for training and validation."""


@dataclass(frozen=True)
class Chunk:
    """A stretch of a spool file: `size` bytes from `start`, inside one document."""

    path: str
    start: int
    size: int
    characters: int
    opens: bool
    """Whether a document begins here."""
    ends: bool
    """Whether the document ends here."""

    def read(self) -> str:
        with open(self.path, "rb") as handle:
            handle.seek(self.start)
            return handle.read(self.size).decode("utf-8")


class Spool:
    """Clean text on disk. `chunks` lie in order and cover it; their borders are cuts or ends of documents."""

    def __init__(self, path: Path, chunk_bytes: int = CHUNK_BYTES):
        self.path, self.chunk_bytes = path, max(1, chunk_bytes)
        self.chunks: list[Chunk] = []
        self.bytes = 0

    @property
    def characters(self) -> int:
        return sum(chunk.characters for chunk in self.chunks)

    @property
    def documents(self) -> int:
        return sum(chunk.opens for chunk in self.chunks)

    def fill(self, blocks: Iterable[tuple[bool, str]]) -> Iterator[int]:
        """Write (starts_document, text) blocks; yields the bytes written so far after each block."""
        with self.path.open("wb") as handle:
            pending, opens = "", True
            for starts, text in blocks:
                if starts and pending:
                    self._add(handle, pending, opens, ends=True)
                    pending = ""
                opens = opens or starts
                pending, opens = self._add_whole_chunks(handle, pending + text, opens)
                yield self.bytes
            if pending:
                self._add(handle, pending, opens, ends=True)
        yield self.bytes

    def _add_whole_chunks(self, handle: BinaryIO, text: str, opens: bool) -> tuple[str, bool]:
        """Write what surely ends at a cut; returns the rest (never empty) and whether it opens a document."""
        start = 0
        while len(text) - start > self.chunk_bytes:
            cut = last_cut(text, start, start + self.chunk_bytes)
            if cut == start:
                following = next_cut(text, start)
                if following is None:
                    break
                cut = following
            self._add(handle, text[start:cut], opens, ends=False)
            start, opens = cut, False
        return text[start:], opens

    def _add(self, handle: BinaryIO, text: str, opens: bool, ends: bool) -> None:
        data = text.encode("utf-8")
        handle.write(data)
        self.chunks.append(Chunk(str(self.path), self.bytes, len(data), len(text), opens, ends))
        self.bytes += len(data)

    def sample(self, parts: int = 8, characters: int = 1 << 14) -> str:
        """Stretches of the text, evenly spaced."""
        step = max(1, len(self.chunks) // parts)
        return "\n".join(chunk.read()[:characters] for chunk in self.chunks[::step][:parts])

    def split(self, fraction: float, anywhere: bool) -> tuple[list[Chunk], list[Chunk]]:
        """The chunks of the first part and of the last `fraction` of the characters.

        Several documents are cut at the document border nearest to that point, unless it is farther off than
        half of `fraction`. Otherwise the cut is at exactly int(characters * (1 - fraction)) if a text may be
        cut `anywhere`, else at a line end or between words there. The second part is empty if there is none.
        """
        characters = self.characters
        target = int(characters * (1 - fraction))
        if fraction <= 0 or target <= 0:
            return self.chunks, []
        borders = [start for start, chunk in self._placed() if chunk.opens and start]
        border = min(borders, key=lambda start: abs(start - target), default=None)
        if border is not None and abs(border - target) <= 0.5 * fraction * characters:
            target = border
        elif not anywhere:
            target = self._good_cut(target)
        first: list[Chunk] = []
        second: list[Chunk] = []
        for start, chunk in self._placed():
            if start < target < start + chunk.characters:
                head, tail = _divide(chunk, target - start)
                first.append(head)
                second.append(tail)
            else:
                (first if start < target else second).append(chunk)
        if first and second:  # the border may be one between chunks of a document
            first[-1], second[0] = replace(first[-1], ends=True), replace(second[0], opens=True)
        return first, second

    def _placed(self) -> Iterator[tuple[int, Chunk]]:
        """Every chunk with its position in characters."""
        position = 0
        for chunk in self.chunks:
            yield position, chunk
            position += chunk.characters

    def _good_cut(self, target: int) -> int:
        """A good place near `target` to end one text and begin another, whatever the chunks.

        That is after the first line end within REACH characters from `target` on, else the first natural cut
        there, else the last one before, else `target` itself.
        """
        begin, text = 0, ""
        for start, chunk in self._placed():
            if start + chunk.characters <= target - REACH or start > target + REACH:
                continue
            if chunk.opens and start <= target:
                begin, text = start, ""
            elif not text:
                begin = start
            text += chunk.read()
            if chunk.ends and start + chunk.characters > target:
                break
        at = target - begin
        line_end = text.find("\n", at - 1, at + REACH) + 1
        if 0 < line_end < len(text):
            return begin + line_end
        cuts = natural_cuts(text, max(1, at - REACH), at + REACH)
        after = [cut for cut in cuts if cut >= at]
        return begin + (after[0] if after else cuts[-1] if cuts else at)


def _divide(chunk: Chunk, at: int) -> tuple[Chunk, Chunk]:
    """`chunk` in two at a character position."""
    text = chunk.read()
    head = len(text[:at].encode("utf-8"))
    return (
        replace(chunk, size=head, characters=at, ends=False),
        replace(
            chunk, start=chunk.start + head, size=chunk.size - head, characters=len(text) - at, opens=True
        ),
    )
