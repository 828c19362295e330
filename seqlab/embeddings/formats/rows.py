"""What every reader of a vector file shares: words as they are collected, blocks of rows, opened files, limits.

A reader yields blocks (n, D) of float32 and adds the word of each row to `WordCollector`; a file of any size is read in
bounded memory, except for its words.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from ...base.errors import InputError
from ..folder import block_rows
from ..material.subwords import Subwords

GZIP_MAGIC = b"\x1f\x8b"
DEFLATE_RATIO = 1032
"""A deflated byte becomes at most so many, https://www.zlib.net/zlib_tech.html"""
LARGEST_DIM = 1_000_000
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class WordCollector:
    """The words of a file as they are read: decodes them, drops repetitions, and remembers what to report."""

    def __init__(self, path: Path):
        self.path = path
        self.rows: dict[str, int] = {}
        self.counts: list[int] = []
        self.repeated: list[str] = []
        self.undecodable: list[str] = []
        self.numbered: list[str] = []
        self.controls: list[str] = []
        self.said: list[str] = []

    def __len__(self) -> int:
        return len(self.rows)

    def add_bytes(self, raw: bytes, unit: str, number: int, count: int | None = None) -> bool:
        """Add a word as it stands in the file.

        Args:
            raw: its bytes, UTF-8.
            unit: what words are numbered by: "line" or "word".
            number: of the word, from 1.
            count: its occurrences, where known.

        Returns:
            Whether the word is new.

        Raises:
            InputError: it is empty.
        """
        if not raw:
            raise InputError(f"{self.path}: {unit} {number}: the word is empty; the file is damaged.")
        try:
            word = raw.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            word = raw.decode("utf-8", "replace")
            self.undecodable.append(f"{word!r} ({unit} {number})")
        return self.add(word, unit, number, count)

    def add(self, word: str, unit: str, number: int, count: int | None = None) -> bool:
        """Add a word.

        Args:
            word: the word.
            unit, number, count: see `add_bytes`.

        Returns:
            Whether the word is new.
        """
        if word in self.rows:
            self.repeated.append(f"{word!r} ({unit} {number})")
            return False
        self.rows[word] = len(self.rows)
        if not word.isprintable() and CONTROL.search(word):
            self.controls.append(f"{word!r} ({unit} {number})")
        if count is not None:
            self.counts.append(count)
        return True

    def add_block(
        self, words: Sequence[str], first: int, matrix: np.ndarray, counts: Sequence[int] | None = None
    ) -> np.ndarray:
        """Add a word for each row of a matrix.

        Args:
            words: n of them.
            first: number of the first.
            matrix: (n, D).
            counts: of the words, where known.

        Returns:
            The rows whose words are new.
        """
        known = counts if counts is not None else [None] * len(words)
        pairs = zip(words, known, strict=True)
        new = [self.add(word, "word", number, count) for number, (word, count) in enumerate(pairs, first)]
        return matrix if all(new) else matrix[np.array(new, bool)]

    def notes(self) -> list[str]:
        """Sentences on what was mended, and on what is odd."""
        said = list(self.said)
        if self.numbered:
            said.append(f"took a number for the end of {several(self.numbered, 'word')}; is it one number too many?")
        if self.controls:
            said.append(f"control characters in {several(self.controls, 'word')}.")
        if self.repeated:
            said.append(f"left out {several(self.repeated, 'repeated word')}; the first vector of each counts.")
        if self.undecodable:
            said.append(f"read invalid UTF-8 as U+FFFD in {several(self.undecodable, 'word')}.")
        return said


def several(items: Sequence[str], noun: str) -> str:
    """ "4 words: a, b, c, ..." """
    shown = ", ".join(items[:3]) + (", ..." if len(items) > 3 else "")
    return f"{len(items):,} {noun}{'s' if len(items) > 1 else ''}: {shown}"


@dataclass
class VectorFile:
    """A vector file that is being read: run through `blocks` once, then `words` is complete. N-grams stay in it.
    `promised` is the number of its rows, where it says so beforehand."""

    path: Path
    format: str
    dim: int
    words: WordCollector
    blocks: Iterator[np.ndarray]
    meta: Mapping[str, Any] = field(default_factory=dict)
    subwords: Subwords | None = None
    promised: int = 0


class RowBuffer:
    """One block (n, D) that rows are copied into one at a time."""

    def __init__(self, dim: int):
        self.rows = np.empty((block_rows(dim), dim), np.float32)
        self.filled = 0

    def push(self, vector: np.ndarray) -> bool:
        """Whether the block is full now."""
        self.rows[self.filled] = vector
        self.filled += 1
        return self.filled == len(self.rows)

    def take(self) -> np.ndarray:
        """The rows so far, valid until the next `push`."""
        filled, self.filled = self.filled, 0
        return self.rows[:filled]


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading from its start, unpacked where its content is gzip.

    Raises:
        InputError: the packed content is damaged.
    """
    with path.open("rb") as plain:
        packed = plain.read(2) == GZIP_MAGIC
        plain.seek(0)
        if not packed:
            yield plain
            return
        try:
            with gzip.GzipFile(fileobj=plain, mode="rb") as unpacked:
                yield cast(IO[bytes], unpacked)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{path}: cannot be unpacked with gzip ({error}); it is damaged or cut short.") from None


def capacity(path: Path) -> int:
    """Bytes the file can hold at most, once unpacked."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        return size * DEFLATE_RATIO if handle.read(2) == GZIP_MAGIC else size


def check_dim(path: Path, dim: int) -> None:
    """Refuse a width that no vectors have.

    Raises:
        InputError: more than LARGEST_DIM dimensions.
    """
    if dim > LARGEST_DIM:
        raise InputError(f"{path}: vectors of {dim:,} dimensions; seqlab reads at most {LARGEST_DIM:,}.")
