"""Sources read once into one clean UTF-8 file, with a table of chunks that end at cuts or ends of documents."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...base.errors import SeqlabError
from ...base.resources.disk import room
from ..tokenizers.cuts import last_cut, natural_cuts, next_cut

CHUNK_BYTES = 1 << 20
"""Default size of the unit of work, about; also the reason why memory does not depend on the text."""
REACH = 1 << 16
"""Characters around the wanted place in which a text is cut in two for training and validation."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """A stretch of a spool file: `size` bytes from `start`. It may hold many documents or a part of one.

    opens: whether a document begins where the chunk does. ends: (D,) int64 positions in characters, within the
    chunk, at which documents end; another begins there unless the chunk is at its end.
    """

    path: str
    start: int
    size: int
    characters: int
    opens: bool
    ends: np.ndarray

    def read(self) -> str:
        with open(self.path, "rb") as handle:
            handle.seek(self.start)
            return handle.read(self.size).decode("utf-8")

    def documents(self) -> list[str]:
        """The text by document; the first and the last may be parts."""
        text, ends = self.read(), self.ends.tolist()
        if not ends or ends[-1] < len(text):
            ends.append(len(text))
        return [text[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def closed(self) -> Chunk:
        """The same text, as if a document ended where it does."""
        return replace(self, ends=np.union1d(self.ends, [self.characters]))

    def divide(self, at: int) -> tuple[Chunk, Chunk]:
        """Two chunks, cut at a position in characters."""
        text = self.read()
        head = len(text[:at].encode("utf-8"))
        first = replace(self, size=head, characters=at, ends=self.ends[self.ends <= at])
        second = replace(
            self,
            start=self.start + head,
            size=self.size - head,
            characters=len(text) - at,
            opens=at in self.ends,
            ends=self.ends[self.ends > at] - at,
        )
        return first, second


class Spool:
    """Clean text on disk. `chunks` lie in order and cover it; their borders are cuts or ends of documents."""

    def __init__(self, path: Path, chunk_bytes: int = CHUNK_BYTES):
        self.path, self.chunk_size = path, max(1, chunk_bytes)
        self.chunks: list[Chunk] = []
        self.bytes = 0
        self._opens = True
        """Whether the next chunk begins a document."""

    @property
    def characters(self) -> int:
        return sum(chunk.characters for chunk in self.chunks)

    @property
    def documents(self) -> int:
        return sum(len(chunk.ends) for chunk in self.chunks)

    def fill(self, blocks: Iterable[tuple[bool, str]]) -> Iterator[int]:
        """Write (starts_document, text) blocks; yields the bytes written so far, now and then.

        Raises SeqlabError before the disk is full, as a small compressed file can hold text without end.
        """
        pending: list[str] = []
        size = 0
        ends: list[int] = []  # of documents, within what is pending
        limit = room(self.path.parent)
        with self.path.open("wb") as handle:
            for starts, text in blocks:
                if starts and size:
                    ends.append(size)
                pending.append(text)
                size += len(text)
                if size > self.chunk_size:
                    rest, ends = self._write_chunks(handle, "".join(pending), ends, last=False)
                    pending, size = [rest], len(rest)
                    if self.bytes > limit:
                        raise SeqlabError(
                            f"{self.path.parent}: has no room for this text, of which {self.bytes / 1e9:.1f} GB are "
                            "read so far; free some, or prepare a part of it."
                        )
                    yield self.bytes
            if size:
                self._write_chunks(handle, "".join(pending), [*ends, size], last=True)
        yield self.bytes

    def _write_chunks(self, handle: BinaryIO, text: str, ends: list[int], last: bool) -> tuple[str, list[int]]:
        """Write all chunks that are sure to end at a cut; returns what is left of text (never empty) and ends."""
        start = 0
        while len(text) - start > self.chunk_size or (last and start < len(text)):
            cut = self._chunk_end(text, start, ends, last)
            if cut is None:
                break
            data = text[start:cut].encode("utf-8")
            handle.write(data)
            inside = ends[bisect_right(ends, start) : bisect_right(ends, cut)]
            chunk_ends = np.array(inside, np.int64) - start
            self.chunks.append(Chunk(str(self.path), self.bytes, len(data), cut - start, self._opens, chunk_ends))
            self.bytes += len(data)
            self._opens = cut in inside[-1:]
            start = cut
        return text[start:], [end - start for end in ends[bisect_right(ends, start) :]]

    def _chunk_end(self, text: str, start: int, ends: list[int], last: bool) -> int | None:
        """The last cut or end of a document within the chunk size, else the first after it; None: not known yet."""
        limit = min(start + self.chunk_size, len(text))
        if last and limit == len(text):
            return limit
        later = bisect_right(ends, limit)
        begin = max(start, ends[later - 1]) if later else start  # of the document that holds `limit`
        stop = ends[later] if later < len(ends) else len(text)
        cut = last_cut(text, begin, limit, stop)
        if cut > start:
            return cut
        following = next_cut(text, start, stop)
        return following or (stop if later < len(ends) else None)

    def sample(self, parts: int = 8, characters: int = 1 << 14) -> str:
        """So many stretches of so many characters, evenly spaced; the whole of a text that is no longer."""
        if self.characters <= parts * characters:
            return "".join(chunk.read() for chunk in self.chunks)
        begins = (part * self.characters // parts for part in range(parts))
        return "\n".join(self._stretch(begin, begin + characters) for begin in begins)

    def _stretch(self, begin: int, end: int) -> str:
        overlapping = [one for one in self._placed() if one[0] < end and begin < one[0] + one[1].characters]
        return "".join(chunk.read()[max(0, begin - start) : end - start] for start, chunk in overlapping)

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
        border = self._document_end(target)
        if 0 < border < characters and abs(border - target) <= 0.5 * fraction * characters:
            target = border
        elif not anywhere:
            target = self._good_cut(target)
        first: list[Chunk] = []
        second: list[Chunk] = []
        for start, chunk in self._placed():
            if start < target < start + chunk.characters:
                head, tail = chunk.divide(target - start)
                first.append(head)
                second.append(tail)
            else:
                (first if start < target else second).append(chunk)
        if first and second:  # the border may be inside a document
            first[-1], second[0] = first[-1].closed(), replace(second[0], opens=True)
        return first, second

    def _placed(self) -> Iterator[tuple[int, Chunk]]:
        """Every chunk with its position in characters."""
        position = 0
        for chunk in self.chunks:
            yield position, chunk
            position += chunk.characters

    def _document_end(self, target: int) -> int:
        """Position in characters of the document end nearest to `target`."""
        best = 0
        for start, chunk in self._placed():
            if len(chunk.ends):
                nearest = int(chunk.ends[np.abs(chunk.ends + start - target).argmin()]) + start
                best = min(best, nearest, key=lambda position: abs(position - target))
        return best

    def _good_cut(self, target: int) -> int:
        """A good place near `target` to end one text and begin another, whatever the chunks.

        That is after the first line end within REACH characters from `target` on, else the first natural cut
        there, else the last one before, else `target` itself; inside its document.
        """
        begin, text, ends = 0, "", [0]
        for start, chunk in self._placed():
            if start + chunk.characters <= target - REACH or start > target + REACH:
                continue
            begin = begin if text else start
            ends += (chunk.ends + len(text)).tolist()
            text += chunk.read()
        at = target - begin
        low = max(end for end in ends if end <= at)
        high = min((end for end in ends if end > at), default=len(text))
        line_end = text.find("\n", max(low, at - 1), min(high - 1, at + REACH)) + 1
        if line_end:
            return begin + line_end
        cuts = natural_cuts(text, max(low + 1, at - REACH), min(high - 1, at + REACH))
        after = [cut for cut in cuts if cut >= at]
        return begin + (after[0] if after else cuts[-1] if cuts else at)
