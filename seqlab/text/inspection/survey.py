"""Figures of a text that need all of it: one pass, any size, bounded memory, several processes.

A text is read as chunks of about a megabyte. A worker turns a chunk into `Figures`; a `Survey` adds them up.
What could grow without bound (distinct words, lines, runs of words) is kept as 64-bit hashes, and where even
these are too many, only every 2nd, 4th, ... of their values: shares and numbers of types stay unbiased.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..preparation.jobs import count_words
from ..tokenizers.characters import CharTokenizer
from ..tokenizers.cuts import last_cut, next_cut
from ..tokenizers.vocab import EOS
from ..tokenizers.words import WhitespaceTokenizer, WordTokenizer
from .hash_counts import HashCounts, hash_of, hashes_of

CHUNK = 1 << 20
"""Characters of a chunk, about."""
SAMPLE, SAMPLES = 1 << 18, 16
"""Characters of a chunk, and number of chunks, that are kept as a sample of the text."""
RUN = 8
"""Words of a run by which overlap between texts is measured."""

_SEPARATOR = "\uffff"
_TAG = re.compile(r"</?(?!(?:unk|eos|s|pad)>)[A-Za-z][^<>\n]{0,200}>|&(?:amp|lt|gt|quot|nbsp|#\d+);")
_FACTORS = np.cumprod(np.full(RUN, 0x9E3779B97F4A7C15, np.uint64))


class Chunk(NamedTuple):
    """Whole documents, or a stretch of a long one.

    documents: how many begin here. resumes: the first line began in the chunk before. breaks: the last line
    goes on in the next chunk.
    """

    texts: list[str]
    documents: int
    resumes: bool
    breaks: bool


def chunks(blocks: Iterable[tuple[bool, str]], size: int = CHUNK) -> Iterator[Chunk]:
    """(starts_document, text) blocks as chunks, cut between documents, else lines, else words."""
    texts: list[str] = []
    current, begun, length, resumes = "", 0, 0, False
    for starts, text in blocks:
        if starts:
            if current:
                texts.append(current)
                length += len(current)
            if length >= size:
                yield Chunk(texts, begun, resumes, False)
                texts, begun, length, resumes = [], 0, 0, False
            current = ""
            begun += 1
        current += text
        while len(current) > size:
            cut = current.rfind("\n", 0, size) + 1 or last_cut(current, 0, size) or next_cut(current, 0) or 0
            if not cut or cut == len(current):
                break
            breaks = current[cut - 1] != "\n"
            yield Chunk([*texts, current[:cut]], begun, resumes, breaks)
            texts, begun, length, resumes, current = [], 0, 0, breaks, current[cut:]
    if current:
        texts.append(current)
    if texts:
        yield Chunk(texts, begun, resumes, False)


def parked(chunks: Iterable[Chunk], folder: Path) -> Iterator[Path]:
    """Chunks as files, removed by who takes them: a pipe comes to a standstill when both ends write much."""
    for number, chunk in enumerate(chunks):
        path = folder / str(number)
        path.write_text(json.dumps(chunk), "ascii")
        yield path


def _taken(path: Path) -> Chunk:
    chunk = Chunk(*json.loads(path.read_text("ascii")))
    path.unlink()
    return chunk


class Wanted(NamedTuple):
    """Sorted hashes of lines and of runs of words that are looked for in another text."""

    lines: np.ndarray
    runs: np.ndarray

    @classmethod
    def join(cls, several: Sequence[Wanted]) -> Wanted:
        """Everything that is wanted of one or more texts."""
        nothing = np.zeros(0, np.uint64)
        lines = np.concatenate([nothing, *(wanted.lines for wanted in several)])
        return cls(np.unique(lines), np.unique(np.concatenate([nothing, *(wanted.runs for wanted in several)])))


class Figures(NamedTuple):
    """What one chunk holds. Counts of types are pairs (types or hashes, counts)."""

    characters: int
    bytes: int
    words: int
    documents: int
    lines: int
    blank_lines: int
    head: int | None
    """Length of the rest of a line that began before; None where the chunk begins a line."""
    tail: int | None
    """Length of the beginning of a line that goes on; None where the chunk ends a line."""
    longest: tuple[int, int]
    """Length and number (from 0, in the chunk) of the longest line."""
    codes: tuple[np.ndarray, np.ndarray]
    word_types: tuple[list[str], np.ndarray]
    space_types: tuple[list[str], np.ndarray]
    space_hashes: np.ndarray
    line_hashes: np.ndarray
    repeated: list[str]
    """Lines that occur most often here."""
    runs: np.ndarray
    found: tuple[np.ndarray, np.ndarray]
    """Positions of the wanted lines and of the wanted runs that occur here."""
    decomposed: bool
    tags: int
    sample: str


def surveyor(wanted: Wanted | None) -> Callable[[Path], Figures]:
    """A job: parked chunk -> figures; without `wanted` they hold all runs of words, to be looked for."""
    characters, words, spaces = CharTokenizer(), WordTokenizer(), WhitespaceTokenizer()
    nowhere = np.zeros(0, np.int64)

    def survey(path: Path) -> Figures:
        chunk = _taken(path)
        text = "".join(chunk.texts)
        codes, indices = characters.segment(text)
        lines, head, tail = _lines(chunk)
        stripped = [line.strip() for line in lines]
        filled = [line for line in stripped if line]
        line_hashes = hashes_of(filled)
        space_types, space_indices = spaces.segment(_closed(chunk))
        type_hashes = hashes_of(space_types)
        runs, found = np.zeros(0, np.uint64), (nowhere, nowhere)
        if wanted is None or len(wanted.runs):
            runs = _runs(type_hashes[space_indices], hash_of(EOS))
        if wanted is not None:
            found = _positions(wanted.lines, line_hashes), _positions(wanted.runs, runs)
        lengths = [len(line) for line in lines]
        longest = max(range(len(lengths)), key=lengths.__getitem__, default=0)
        return Figures(
            characters=len(text),
            bytes=len(text.encode("utf-8", "surrogatepass")),
            words=count_words(" ".join(chunk.texts)) - (chunk.resumes and not text[0].isspace()),
            documents=chunk.documents,
            lines=len(lines) + (head is not None),
            blank_lines=len(stripped) - len(filled),
            head=head,
            tail=tail,
            longest=(lengths[longest] if lengths else 0, longest + (head is not None)),
            codes=(np.array([ord(code) for code in codes], np.int64), _counts(indices, len(codes))),
            word_types=_word_types(words, chunk.texts),
            space_types=(space_types, _counts(space_indices, len(space_types))),
            space_hashes=type_hashes,
            line_hashes=line_hashes,
            repeated=[line for line, count in Counter(filled).most_common(50) if count > 1 or len(filled) < 50],
            runs=runs if wanted is None else runs[:0],
            found=found,
            decomposed=not (text.isascii() or unicodedata.is_normalized("NFC", text)),
            tags=len(_TAG.findall(text)) if "<" in text or "&" in text else 0,
            sample=text[:SAMPLE],
        )

    return survey


def _lines(chunk: Chunk) -> tuple[list[str], int | None, int | None]:
    """The complete lines of a chunk, and the lengths of the incomplete ones at its head and tail."""
    lines: list[str] = []
    for text in chunk.texts:
        lines += text.split("\n")
        if text.endswith("\n"):
            lines.pop()
    if chunk.resumes and chunk.breaks and len(lines) == 1:
        return [], None, len(lines[0])
    head = len(lines.pop(0)) if chunk.resumes else None
    tail = len(lines.pop()) if chunk.breaks else None
    return lines, head, tail


def _closed(chunk: Chunk) -> str:
    """The documents of a chunk, each ending in a line end."""
    last = chunk.texts[-1] if chunk.breaks else ""
    whole = chunk.texts[: len(chunk.texts) - chunk.breaks]
    return "".join(text if text.endswith("\n") else text + "\n" for text in whole) + last


def _word_types(words: WordTokenizer, texts: list[str]) -> tuple[list[str], np.ndarray]:
    types, indices = words.segment(f" {_SEPARATOR} ".join(texts))
    counts = _counts(indices, len(types))
    if len(texts) > 1:
        counts[types.index(_SEPARATOR)] -= len(texts) - 1
    kept = np.flatnonzero(counts)
    return [types[index] for index in kept.tolist()], counts[kept]


def _counts(indices: np.ndarray, types: int) -> np.ndarray:
    return np.bincount(indices, minlength=types)


def _runs(words: np.ndarray, line_end: int) -> np.ndarray:
    """Hashes of all runs of RUN words (N,) -> (N - RUN + 1,), line ends left out."""
    words = words[words != np.uint64(line_end)]
    if len(words) < RUN:
        return np.zeros(0, np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(words, RUN)
    return windows @ _FACTORS


def _positions(sorted_hashes: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Positions in `sorted_hashes` of those that `hashes` holds."""
    if not len(sorted_hashes):
        return np.zeros(0, np.int64)
    places = np.minimum(np.searchsorted(sorted_hashes, hashes), len(sorted_hashes) - 1)
    return np.unique(places[sorted_hashes[places] == hashes])


class Types:
    """Distinct tokens of one kind: all of them as hashes, the frequent ones by name."""

    _NAMES = 1 << 16

    def __init__(self) -> None:
        self.hashes, self.names, self.tokens = HashCounts(), Counter[str](), 0

    def add(self, names: list[str], counts: np.ndarray, hashes: np.ndarray) -> None:
        self.hashes.add(hashes, counts)
        self.tokens += int(counts.sum())
        self.names.update(dict(zip(names, counts.tolist(), strict=True)))
        if len(self.names) > 2 * self._NAMES:
            self.names = Counter(dict(self.names.most_common(self._NAMES)))

    @property
    def once_share(self) -> float:
        """Share of the types that occur only once."""
        counts = self.hashes.items()[1]
        return float(np.mean(counts == 1)) if len(counts) else 0.0


class Survey:
    """The figures of a whole text, added up chunk by chunk."""

    def __init__(self, wanted: Wanted | None = None):
        self.characters = self.bytes = self.words = self.documents = 0
        self.lines = self.blank_lines = self.tags = 0
        self.decomposed = False
        self.codes: Counter[int] = Counter()
        self.types = {"word": Types(), "whitespace": Types()}
        self.line_hashes, self.runs = HashCounts(), HashCounts()
        self.repeated: dict[str, None] = {}
        """Lines that occur more than once, perhaps not all."""
        self.longest = (0, 0)
        """Length and number (from 1) of the longest line."""
        self.found_lines = np.zeros(len(wanted.lines) if wanted else 0, bool)
        self.found_runs = np.zeros(len(wanted.runs) if wanted else 0, bool)
        self._open_line = 0
        self._samples: list[str] = []
        self._chunks, self._sample_step = 0, 1

    def add(self, figures: Figures) -> None:
        self._add_lines(figures)
        self.characters += figures.characters
        self.bytes += figures.bytes
        self.words += figures.words
        self.documents += figures.documents
        self.tags += figures.tags
        self.decomposed |= figures.decomposed
        self.codes.update(dict(zip(*(array.tolist() for array in figures.codes), strict=True)))
        self.types["word"].add(*figures.word_types, hashes_of(figures.word_types[0]))
        self.types["whitespace"].add(*figures.space_types, figures.space_hashes)
        self.runs.add(figures.runs)
        self.found_lines[figures.found[0]] = True
        self.found_runs[figures.found[1]] = True
        self._add_sample(figures.sample)

    def _add_lines(self, figures: Figures) -> None:
        if figures.head is not None:
            self._note_length(self._open_line + figures.head, 0)
            self._open_line = 0
        length, number = figures.longest
        self._note_length(length, number)
        if figures.tail is not None:
            self._open_line += figures.tail
        self.lines += figures.lines
        self.blank_lines += figures.blank_lines
        self.line_hashes.add(figures.line_hashes)
        if len(self.repeated) < 4096:
            self.repeated.update(dict.fromkeys(figures.repeated))

    def _note_length(self, length: int, number: int) -> None:
        if length > self.longest[0]:
            self.longest = (length, self.lines + number + 1)

    def wanted(self) -> Wanted:
        """This text's lines and runs of words, to be looked for in another text."""
        return Wanted(self.line_hashes.items()[0], self.runs.items()[0])

    def _add_sample(self, sample: str) -> None:
        if self._chunks % self._sample_step == 0:
            self._samples.append(sample)
        self._chunks += 1
        if len(self._samples) > SAMPLES:
            self._samples = self._samples[::2]
            self._sample_step *= 2

    def sample(self, characters: int = 1 << 17) -> str:
        """Stretches of the text, evenly spaced, about `characters` in total."""
        return "".join(sample[: characters // len(self._samples)] for sample in self._samples)
