"""Text files of vectors: word2vec and fastText (header line "V D"), GloVe (no header), Embedding Projector (TSV pair).

A line contains a word and D numbers, separated by single spaces. Only ASCII spaces and line feeds separate; any other
character may be part of a word. The Projector stores tab-separated numbers in one file and the words in another:
`vectors.tsv` and `metadata.tsv`, `NAME.tsv` and `NAME_metadata.tsv`.
"""

from __future__ import annotations

import gzip
import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from ...base.errors import InputError, counted
from ...base.files import atomic_file
from ..folder import VectorTable, block_rows
from .rows import RowBuffer, VectorFile, WordCollector, capacity, check_dim, opened

LONGEST_HEADER = 100
"""Bytes of a header line at most."""
LONGEST_LINE = 1 << 25
"""Bytes of a line at most: a file without line ends is not read whole to find that out."""
WIDTH_LINES = 100
"""Lines that vote on the width of a file without header."""


class Header(NamedTuple):
    """Words and dimensions a first line promises, and where it ends."""

    words: int
    dim: int
    end: int


def parse_header(start: bytes) -> Header | None:
    """The numbers of a first line "V D", or None when the first line is something else; with a tab it is a vector."""
    line = start[:LONGEST_HEADER].partition(b"\n")[0]
    fields = line.split()
    if len(fields) != 2 or b"\t" in line or not all(field.isdigit() for field in fields):
        return None
    return Header(int(fields[0]), int(fields[1]), min(len(line) + 1, len(start)))


def check_header(path: Path, header: Header, smallest_row: int) -> None:
    """Refuse a header that promises more than the file can hold.

    Args:
        path: the file.
        header: its first line.
        smallest_row: bytes that a word and its vector need at least.

    Raises:
        InputError: the file is too small, or promises nothing.
    """
    count, dim, start = header
    if count == 0 or dim == 0:
        promised = f"{counted(count, 'word')} of {counted(dim, 'dimension')}"
        raise InputError(f"{path}: line 1: promises {promised}; there is nothing to read.")
    if count * smallest_row > capacity(path) - start:
        raise InputError(
            f"{path}: line 1: promises {counted(count, 'word')} of {counted(dim, 'dimension')}, more than fit into the "
            f"{counted(path.stat().st_size, 'byte')} of the file; it is cut short or not a file of word vectors."
        )
    check_dim(path, dim)


def read_header(path: Path, number_bytes: int, word_bytes: int) -> Header:
    """The checked header line.

    Args:
        path: the file.
        number_bytes: what a number takes at least.
        word_bytes: what a word takes at least.

    Raises:
        InputError: there is no header, or it promises more than the file can hold.
    """
    with opened(path) as handle:
        header = parse_header(handle.read(LONGEST_HEADER))
    if header is None:
        raise InputError(f"{path}: line 1: not a header of two numbers, words and dimensions.")
    check_header(path, header, number_bytes * header.dim + word_bytes)
    return header


def read_word2vec(path: Path) -> VectorFile:
    """A text file with a header line."""
    header = read_header(path, number_bytes=2, word_bytes=1)  # a space and a digit; a letter
    words = WordCollector(path)
    return VectorFile(path, "word2vec text", header.dim, words, _read_rows(path, header.dim, header, words))


def read_glove(path: Path) -> VectorFile:
    """A text file without header; most of its first lines decide how many numbers follow a word."""
    with opened(path) as handle:
        dim = _width(path, handle)
    words = WordCollector(path)
    return VectorFile(path, "GloVe", dim, words, _read_rows(path, dim, None, words))


def lines(path: Path, handle: IO[bytes], first: int = 1) -> Iterator[tuple[int, bytes]]:
    """Number and content of every line from here on, without trailing white space; blank ones left out.

    Args:
        path: for the error's sentence.
        handle: the open file.
        first: number of the line it stands at.

    Raises:
        InputError: a line longer than LONGEST_LINE.
    """
    for number in itertools.count(first):
        line = handle.readline(LONGEST_LINE)
        if not line:
            return
        if len(line) == LONGEST_LINE:
            raise InputError(f"{path}: line {number}: longer than {LONGEST_LINE >> 20} MB; not a file of word vectors.")
        stripped = line.rstrip(b" \t\r\n")
        if stripped:
            yield number, stripped


def _read_rows(path: Path, dim: int, header: Header | None, words: WordCollector) -> Iterator[np.ndarray]:
    buffer = RowBuffer(dim)
    read = 0
    with opened(path) as handle:
        if header:
            handle.readline()
        for number, line in lines(path, handle, 2 if header else 1):
            if header and read == header.words:
                raise InputError(f"{path}: line {number}: more rows than the header promises, {read:,}.")
            read += 1
            fields = line.rsplit(b" ", dim)
            vector = parse_vector(path, number, fields[1:], dim)
            if fields[0].strip(b" ") != fields[0]:
                word = fields[0].decode("utf-8", "replace")
                raise InputError(f"{path}: line {number}: spaces around the word {word!r}; one space separates.")
            if words.add_bytes(fields[0], "line", number) and buffer.push(vector):
                yield buffer.take()
    if header and read < header.words:
        raise InputError(
            f"{path}: {counted(read, 'row')} instead of the {header.words:,} promised; the file is cut short."
        )
    yield buffer.take()


def parse_vector(path: Path, number: int, fields: list[bytes], dim: int) -> np.ndarray:
    """(D,) float32 of the numbers of a line.

    Args:
        path, number: the file and the line, for the error's sentence.
        fields: the numbers as text.
        dim: D.

    Raises:
        InputError: another number of fields, or one that is no number.
    """
    if len(fields) != dim:
        raise InputError(
            f"{path}: line {number}: {counted(len(fields), 'number')} instead of {dim}; the file is damaged or cut "
            "short."
        )
    try:
        with np.errstate(over="ignore"):  # infinity is dealt with later, by the name of its word
            return np.array(fields, np.float32)
    except ValueError:
        raise InputError(
            f"{path}: line {number}: not a word and {counted(dim, 'number')} separated by single spaces."
        ) from None


def _width(path: Path, handle: IO[bytes]) -> int:
    """Numbers a line, as most of the first lines have it; words may hold spaces."""
    widths: Counter[int] = Counter()
    for _, line in itertools.islice(lines(path, handle), WIDTH_LINES):
        fields = line.split(b" ")
        numbers = sum(1 for _ in itertools.takewhile(is_number, reversed(fields)))
        widths[min(numbers, len(fields) - 1)] += 1
    width = widths.most_common(1)[0][0] if widths else 0
    if width == 0:
        raise InputError(f"{path}: not a file of word vectors; a line holds a word and numbers.")
    check_dim(path, width)
    return width


def is_number(field: bytes) -> bool:
    """Whether it reads as a number."""
    try:
        float(field)
    except ValueError:
        return False
    return True


@contextmanager
def packed_file(path: Path) -> Iterator[IO[bytes]]:
    """An `atomic_file`, compressed where the name ends in .gz; the same content gives the same bytes."""
    with ExitStack() as stack:
        handle = stack.enter_context(atomic_file(path))
        if path.suffix == ".gz":
            handle = stack.enter_context(gzip.GzipFile("", "wb", fileobj=handle, mtime=0))  # type: ignore[arg-type]
        yield handle


def check_words(path: Path, table: VectorTable, forbidden: str, format: str) -> None:
    """Refuse words that a format cannot express.

    Args:
        path: for the error's sentence.
        table: whose words are checked.
        forbidden: characters that the format separates by.
        format: its name.

    Raises:
        InputError: naming the first word that is empty or holds such a character.
    """
    for word in table.words:
        if not word or any(character in word for character in forbidden):
            raise InputError(
                f"{path}: the word {word!r} cannot be written: {format} files separate by "
                f"{' and '.join(NAMES[character] for character in forbidden)}; use a seqlab folder or .npz."
            )


NAMES = {" ": "spaces", "\n": "line ends", "\t": "tabs", "\r": "carriage returns"}


def write_word2vec(path: Path, table: VectorTable) -> None:
    """Header and rows as text, 9 significant digits: exact as float32."""
    _write_text(path, table, b"%d %d\n" % table.matrix.shape)


def write_glove(path: Path, table: VectorTable) -> None:
    """Rows as text, 9 significant digits: exact as float32.

    Raises:
        InputError: the first row would read as a header.
    """
    first = _text_row(table.words[0], table.matrix[0]) if len(table.words) else b""
    if parse_header(first):
        raise InputError(f"{path}: the row {first.decode().strip()!r} would read as a header; write word2vec instead.")
    _write_text(path, table, b"")


def _write_text(path: Path, table: VectorTable, header: bytes) -> None:
    check_words(path, table, " \n", "text")
    with packed_file(path) as handle:
        handle.write(header)
        for word, vector in zip(table.words, rows_of(table.matrix), strict=True):
            handle.write(_text_row(word, vector))


def rows_of(matrix: np.ndarray) -> Iterator[np.ndarray]:
    """Every row, read from the matrix in blocks."""
    step = block_rows(matrix.shape[1])
    for start in range(0, len(matrix), step):
        yield from np.asarray(matrix[start : start + step])


def _numbers(vector: np.ndarray, separator: bytes) -> bytes:
    return separator.join([b"%.9g"] * len(vector)) % tuple(vector.tolist())


def _text_row(word: str, vector: np.ndarray) -> bytes:
    return word.encode("utf-8", "surrogatepass") + b" " + _numbers(vector, b" ") + b"\n"


def metadata_path(path: Path) -> Path:
    """The file of words that belongs to a Projector file of vectors."""
    for part in ("vectors", "tensor"):
        if part in path.name:
            return path.with_name(path.name.replace(part, "metadata"))
    name, ending, packed = path.name.rpartition(".tsv")
    return path.with_name(f"{name}_metadata.tsv{packed}" if ending else f"{path.name}_metadata.tsv")


def read_projector(path: Path) -> VectorFile:
    """A TSV pair, given the file of vectors. Several columns of metadata have a header; the first one counts.

    Raises:
        InputError: there is no file of words.
    """
    found = [other for other in (metadata_path(path), path.with_name("metadata.tsv")) if other.is_file()]
    if not found:
        raise InputError(f"{path}: holds vectors without words; put them into {metadata_path(path).name} beside it.")
    with opened(path) as handle:
        first = next(lines(path, handle), (1, b""))[1]
    dim = len(first.split(b"\t"))
    check_dim(path, dim)
    words = WordCollector(path)
    return VectorFile(path, "Embedding Projector", dim, words, _read_pair(path, found[0], dim, words))


def _read_pair(path: Path, metadata: Path, dim: int, words: WordCollector) -> Iterator[np.ndarray]:
    buffer = RowBuffer(dim)
    with opened(path) as handle, opened(metadata) as names:
        labels = iter(lambda: names.readline(LONGEST_LINE), b"")
        label = next(labels, None)
        if label is not None and b"\t" in label:
            label = next(labels, None)
        for number, line in lines(path, handle):
            vector = parse_vector(path, number, line.split(b"\t"), dim)
            if label is None:
                raise InputError(f"{path}: line {number}: has no word in {metadata}; one file is cut short.")
            word = label.rstrip(b"\r\n").partition(b"\t")[0]
            if words.add_bytes(word, "line", number) and buffer.push(vector):
                yield buffer.take()
            label = next(labels, None)
        if label is not None and label.strip():
            raise InputError(f"{metadata}: has more words than {path} has vectors; one file is cut short.")
    yield buffer.take()


def write_projector(path: Path, table: VectorTable) -> None:
    """Vectors at `path`, words in a second file; both are complete before either appears."""
    check_words(path, table, "\t\n\r", "TSV")
    with packed_file(path) as handle, packed_file(metadata_path(path)) as names:
        for word, vector in zip(table.words, rows_of(table.matrix), strict=True):
            handle.write(_numbers(vector, b"\t") + b"\n")
            names.write(word.encode("utf-8", "surrogatepass") + b"\n")
