"""Vector files of other programs: word2vec text and binary, GloVe, fastText .vec; recognised by content, checked.

A text file holds one word and D numbers a line, separated by single spaces; word2vec and fastText put a header line
"V D" first, GloVe does not. A word2vec binary file holds the header line, then V times a word, a space and D
little-endian float32. Only ASCII spaces and line feeds separate; any other character may be part of a word.
"""

from __future__ import annotations

import itertools
import mmap
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..files import atomic_file
from .vectors import WordVectors

FASTTEXT_MAGIC = struct.pack("<i", 793712314)
OTHER_KINDS = {
    FASTTEXT_MAGIC: "a fastText .bin model; use the .vec file that lies beside it",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"PK\x03\x04": "a zip archive; unpack it first",
    **{
        b"\x80" + bytes([protocol]): "a Python pickle (gensim's own format), which seqlab never opens; write it "
        "out with save_word2vec_format"
        for protocol in range(2, 6)
    },
    b"\x93NUMPY": "a bare numpy array without words",
}
SAMPLE = 1 << 16
"""Bytes looked at to tell text from binary."""
LONGEST_HEADER = 100
"""Bytes of a header line at most."""
LONGEST_WORD = 10_000
"""Bytes within which a binary word must end."""
WIDTH_LINES = 100
"""Lines that vote on the width of a file without header."""


class _Words:
    """Words as they are read: decodes them, drops repetitions, and remembers what to report."""

    def __init__(self, path: Path):
        self.path = path
        self.rows: dict[str, int] = {}
        self.repeated: list[str] = []
        self.undecodable: list[str] = []

    def add(self, raw: bytes, where: str) -> bool:
        """Whether the word is new. Raises InputError for an empty one."""
        word = raw.decode("utf-8", "replace")
        if not word:
            raise InputError(f"{self.path}: {where}: the word is empty; the file is damaged.")
        if "\ufffd" in word and raw.decode("utf-8", "ignore") != word:
            self.undecodable.append(f"{word!r} ({where})")
        if word in self.rows:
            self.repeated.append(f"{word!r} ({where})")
            return False
        self.rows[word] = len(self.rows)
        return True

    def notes(self) -> list[str]:
        """Sentences on what was mended."""
        said = []
        if self.repeated:
            said.append(f"left out {_several(self.repeated, 'repeated word')}; the first vector of each counts.")
        if self.undecodable:
            said.append(f"read invalid UTF-8 as U+FFFD in {_several(self.undecodable, 'word')}.")
        return said


def _several(items: list[str], noun: str) -> str:
    shown = ", ".join(items[:3]) + (", ..." if len(items) > 3 else "")
    return f"{len(items):,} {noun}{'s' if len(items) > 1 else ''}: {shown}"


class _Header(NamedTuple):
    words: int
    dim: int
    end: int


def load_vectors(path: str | Path) -> WordVectors:
    """Open an embeddings folder, or a word2vec text or binary, GloVe or fastText .vec file.

    Repeated words and invalid UTF-8 are mended and reported in `meta["notes"]`. Raises InputError naming file and
    line (text) or word (binary) when a count, a width or a number is wrong, or the file is cut short; nothing is
    allocated before the header has been compared with the size of the file.
    """
    path = Path(path)
    if path.is_dir():
        return WordVectors.load(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder.")
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path}: the file is empty.")
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for magic, kind in OTHER_KINDS.items():
            if data[: len(magic)] == magic:
                raise InputError(f"{path}: is {kind}.")
        header = _read_header(data)
        if header is not None:
            _check_header(path, header, size)
        if _is_text(data, header):
            words, matrix = _read_text(path, data, header)
            kind = "GloVe" if header is None else "word2vec text"
        elif header is None:
            raise InputError(f"{path}: not a file of word vectors (no header, and not text).")
        else:
            words, matrix = _read_binary(path, data, header)
            kind = "word2vec binary"
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        bad = list(words.rows)[int(np.argmin(finite))]
        raise InputError(f"{path}: the vector of {bad!r} holds NaN or infinity.")
    return WordVectors(list(words.rows), matrix, meta={"format": kind, "notes": words.notes()})


def _read_header(data: mmap.mmap) -> _Header | None:
    """The numbers of a first line "V D", or None when the first line is something else."""
    line = data[:LONGEST_HEADER].partition(b"\n")[0]
    fields = line.split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        return None
    return _Header(int(fields[0]), int(fields[1]), min(len(line) + 1, len(data)))


def _check_header(path: Path, header: _Header, size: int) -> None:
    count, dim, start = header
    if count == 0 or dim == 0:
        raise InputError(f"{path}: line 1: promises {count} words of {dim} dimensions; there is nothing to read.")
    smallest = count * (2 * dim + 1)  # a one-letter word, then a space and a digit for every number
    if smallest > size - start:
        raise InputError(
            f"{path}: line 1: promises {count:,} words of {dim:,} dimensions, more than fit into the "
            f"{size:,} bytes of the file; it is cut short or not a file of word vectors."
        )


def _is_text(data: mmap.mmap, header: _Header | None) -> bool:
    """Whether the rows are text: their first one reads as a word and numbers, or no control bytes are about."""
    start = header.end if header else 0
    sample = data[start : start + SAMPLE]
    fields = sample.partition(b"\n")[0].split()
    dim = header.dim if header else 1
    if len(fields) > dim and all(map(_is_number, fields[-dim:])):
        return True
    return not any(byte < 32 and byte not in b"\t\n\r" for byte in sample)


def _lines(data: mmap.mmap, start: int) -> Iterator[tuple[int, bytes]]:
    """Number and content of every line from byte `start` on, without trailing white space; blank ones left out."""
    data.seek(start)
    first = 1 + data[:start].count(b"\n")
    for number, line in enumerate(iter(data.readline, b""), first):
        stripped = line.rstrip(b" \t\r\n")
        if stripped:
            yield number, stripped


def _read_text(path: Path, data: mmap.mmap, header: _Header | None) -> tuple[_Words, np.ndarray]:
    start = header.end if header else 0
    dim = header.dim if header else _width(path, data)
    count = header.words if header else sum(1 for _ in _lines(data, 0))
    matrix = np.empty((count, dim), np.float32)
    words = _Words(path)
    read = 0
    for number, line in _lines(data, start):
        where = f"line {number}"
        if read == count:
            raise InputError(f"{path}: {where}: more rows than the {count:,} the header promises.")
        read += 1
        fields = line.rsplit(b" ", dim)
        if len(fields) != dim + 1:
            raise InputError(
                f"{path}: {where}: {len(fields) - 1} numbers instead of {dim}; the file is damaged or cut short."
            )
        try:
            with np.errstate(over="ignore"):  # infinity is refused below
                vector = np.array(fields[1:], np.float32)
        except ValueError:
            raise InputError(f"{path}: {where}: not a word and {dim} numbers separated by single spaces.") from None
        if words.add(fields[0], where):
            matrix[len(words.rows) - 1] = vector
    if read < count:
        raise InputError(f"{path}: {read:,} rows instead of the {count:,} promised; the file is cut short.")
    return words, matrix[: len(words.rows)]


def _width(path: Path, data: mmap.mmap) -> int:
    """Numbers a line of a file without header, as most of its first lines have it; words may hold spaces."""
    widths: Counter[int] = Counter()
    for _, line in itertools.islice(_lines(data, 0), WIDTH_LINES):
        fields = line.split(b" ")
        numbers = sum(1 for _ in itertools.takewhile(_is_number, reversed(fields)))
        widths[min(numbers, len(fields) - 1)] += 1
    width = widths.most_common(1)[0][0] if widths else 0
    if width == 0:
        raise InputError(f"{path}: not a file of word vectors; a line holds a word and numbers.")
    return width


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _read_binary(path: Path, data: mmap.mmap, header: _Header) -> tuple[_Words, np.ndarray]:
    count, dim, position = header
    row_bytes = 4 * dim
    if count * (row_bytes + 2) > len(data) - position:
        raise InputError(
            f"{path}: promises {count:,} words of {dim:,} dimensions but is only {len(data):,} bytes long; "
            "it is cut short."
        )
    matrix = np.empty((count, dim), np.float32)
    words = _Words(path)
    for number in range(1, count + 1):
        end = data.find(b" ", position, position + LONGEST_WORD)
        if end < 0 or end + 1 + row_bytes > len(data):
            raise InputError(f"{path}: word {number:,} of {count:,} is incomplete; the file is cut short or damaged.")
        if words.add(data[position:end].lstrip(b"\n"), f"word {number:,}"):
            matrix[len(words.rows) - 1] = np.frombuffer(data, "<f4", dim, end + 1)
        position = end + 1 + row_bytes
    if data[position:].strip(b"\n"):
        raise InputError(f"{path}: goes on after the {count:,} words its header promises; the file is damaged.")
    return words, matrix[: len(words.rows)]


def save_vectors(vectors: WordVectors, path: str | Path, binary: bool | None = None) -> None:
    """Write a word2vec file, atomically: binary (bit-exact) or text (9 significant digits, exact as float32).

    binary: None chooses by the name: `.bin` is binary. Raises InputError for a word that holds a space or a line
    end, which neither format can express.
    """
    path = Path(path)
    for word in vectors.words:
        if not word or " " in word or "\n" in word:
            raise InputError(f"{path}: the word {word!r} cannot be written: word2vec files separate by spaces.")
    if binary is None:
        binary = path.suffix == ".bin"
    numbers = " ".join(["%.9g"] * vectors.dim)
    with atomic_file(path) as handle:
        handle.write(f"{len(vectors)} {vectors.dim}\n".encode())
        for word, vector in zip(vectors.words, vectors.matrix, strict=True):
            handle.write(word.encode("utf-8", "surrogatepass") + b" ")
            handle.write(vector.astype("<f4").tobytes() if binary else (numbers % tuple(vector.tolist())).encode())
            handle.write(b"\n")
