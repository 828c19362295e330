"""Text files of vectors: word2vec and fastText (header line "V D"), GloVe (no header), Embedding Projector (TSV pair).

A line contains a word and D numbers, separated by single spaces. Only ASCII spaces and line feeds separate; any other
character may be part of a word. The Projector stores tab-separated numbers in one file and the words in another:
`vectors.tsv` and `metadata.tsv`, `NAME.tsv` and `NAME_metadata.tsv`.
"""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np

from ...base.errors import InputError, counted
from ...base.files import atomic_file
from ..folder import VectorTable, block_rows
from ..packed.matrix import Rows
from .dialect import (
    BYTE_ORDER_MARK,
    LONGEST_HEADER,
    MOST_LINES,
    NUMBER,
    STANDARD,
    Dialect,
    Header,
    dialect_of,
    parse_header,
)
from .rows import RowBuffer, VectorFile, WordCollector, capacity, check_dim, opened

LONGEST_LINE = 1 << 25
"""Bytes of a line at most: a file without line ends is not read whole to find that out."""
SAMPLE = 1 << 16
"""Bytes looked at to recognise a format and its dialect, more where they are less than two lines."""
MOST_MISSING = 10
"""Rows, or one in a hundred of those promised, by which a header may be wrong."""


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
    if count < 1 or dim < 1:
        promised = f"{counted(count, 'word')} of {counted(dim, 'dimension')}"
        raise InputError(f"{path}: line 1: promises {promised}; there is nothing to read.")
    if (count - may_miss(count)) * smallest_row > capacity(path) - start:
        raise InputError(
            f"{path}: line 1: promises {counted(count, 'word')} of {counted(dim, 'dimension')}, more than fit into the "
            f"{counted(path.stat().st_size, 'byte')} of the file; it is cut short or not a file of word vectors."
        )
    check_dim(path, dim)


def may_miss(promised: int) -> int:
    """Rows by which a header may promise too many."""
    return min(max(MOST_MISSING, promised // 100), promised // 2)


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
        header = parse_header(handle.read(2 * LONGEST_HEADER))
    if header is None:
        raise InputError(f"{path}: line 1: not a header of two numbers, words and dimensions.")
    check_header(path, header, number_bytes * header.dim + word_bytes)
    return header


def sample_of(path: Path) -> tuple[bytes, bool]:
    """The first bytes of a file, unpacked, and whether they are all of it: SAMPLE, or two lines if those are longer."""
    with opened(path) as handle:
        sample = handle.read(SAMPLE)
        while len(sample) % SAMPLE == 0 and sample.count(b"\n") < 2 and len(sample) < 2 * LONGEST_LINE:
            if not (block := handle.read(len(sample))):
                return sample, True
            sample += block
        return sample, not handle.read(1)


def skip_mark(handle: IO[bytes]) -> None:
    """Go to the first byte behind a byte order mark."""
    if handle.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
        handle.seek(0)


def read_word2vec(path: Path) -> VectorFile:
    """A text file with a header line."""
    header = read_header(path, number_bytes=2, word_bytes=1)  # a space and a digit; a letter
    dialect = _dialect(path) or Dialect(STANDARD, header.dim, header)
    return _file(path, "word2vec text", dialect)


def read_glove(path: Path) -> VectorFile:
    """A text file without header; most of its first lines decide how many numbers follow a word.

    Raises:
        InputError: its lines are not words and numbers, or too long a vector.
    """
    dialect = _dialect(path)
    if dialect is None:
        raise InputError(
            f"{path}: not a file of word vectors; a line holds a word and numbers. For a text there are 'seqlab data "
            "inspect' and 'seqlab train embeddings'."
        )
    check_dim(path, dialect.dim)
    return _file(path, "GloVe", dialect)


def _dialect(path: Path) -> Dialect | None:
    try:
        return dialect_of(*sample_of(path))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _file(path: Path, format: str, dialect: Dialect) -> VectorFile:
    words = WordCollector(path)
    words.said += dialect.notes
    promised = dialect.header.words if dialect.header else 0
    return VectorFile(path, format, dialect.dim, words, _read_rows(path, dialect, words), promised=promised)


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


def _read_rows(path: Path, dialect: Dialect, words: WordCollector) -> Iterator[np.ndarray]:
    buffer = RowBuffer(dialect.dim)
    header, split, number = dialect.header, dialect.splitter(), 0
    separator = dialect.layout.separator or b" "
    plain = dialect.layout == STANDARD and dialect.row_numbers is dialect.inner_numbers is None
    row = -1
    with opened(path) as handle:
        skip_mark(handle)
        first = 2 if header or dialect.titles else 1
        if first == 2:
            handle.readline()
        for row, (number, line) in enumerate(lines(path, handle, first)):
            word, fields = split(line)
            if not plain:
                word, fields = _without_extras(path, number, dialect, word, fields, row)
            vector = parse_vector(path, number, fields, dialect.dim, line[len(word) :] if plain else b"?")
            if word != b" " and word.strip(b" ") != word:
                shown = word.decode("utf-8", "replace")
                raise InputError(f"{path}: line {number}: spaces around the word {shown!r}; one space separates.")
            if separator in word and NUMBER.fullmatch(word.rpartition(separator)[2]):
                if separator != b" ":
                    raise wrong_count(path, number, dialect.dim + 1, dialect.dim)
                words.numbered.append(f"{word.decode('utf-8', 'replace')!r} (line {number})")
            if words.add_bytes(word, "line", number) and buffer.push(vector):
                yield buffer.take()
        if header and row + 1 != header.words:
            words.said.append(wrong_header(path, header.words, row + 1, _ends_whole(handle, number)))
    yield buffer.take()


def _without_extras(
    path: Path, number: int, dialect: Dialect, head: bytes, fields: list[bytes], row: int
) -> tuple[bytes, list[bytes]]:
    """Word and numbers of a line without row numbers and quotes."""
    if dialect.inner_numbers is not None and fields:
        if fields[0] != b"%d" % (dialect.inner_numbers + row):
            raise InputError(f"{path}: line {number}: the column after the words does not go on counting the rows.")
        fields = fields[1:]
    word = dialect.word(head, row)
    if word is None:
        expected = "quotes around the word" if dialect.row_numbers is None else "the number of the row first"
        raise InputError(f"{path}: line {number}: not {expected}, as in the lines before; the file is damaged.")
    return word, fields


def _ends_whole(handle: IO[bytes], lines_read: int) -> bool:
    """Whether the last byte of a file is the end of a line."""
    handle.seek(max(0, handle.tell() - 1))
    return lines_read > 0 and handle.read(1) == b"\n"


def wrong_header(path: Path, promised: int, there: int, whole: bool = True) -> str:
    """A note on a header that is wrong by some rows.

    Args:
        path: the file.
        promised: rows in the header.
        there: rows in the file.
        whole: whether the file's last row has its end.

    Raises:
        InputError: so many are missing that the file is cut short, or its end is.
    """
    missing = promised - there
    if missing > may_miss(promised) or missing >= there or (missing > 0 and not whole):
        raise InputError(
            f"{path}: {counted(there, 'row')} instead of the {promised:,} promised; the file is cut short."
        )
    return f"its first line promises {counted(promised, 'word')}; the file holds {there:,}, and all of them were read."


def parse_vector(path: Path, number: int, fields: list[bytes], dim: int, raw: bytes) -> np.ndarray:
    """(D,) float32 of the numbers of a line.

    Args:
        path, number: the file and the line, for the error's sentence.
        fields: the numbers as text.
        dim: D.
        raw: the same with what separates them, so that one look at all shows that every character belongs to a number.

    Raises:
        InputError: another number of fields, or one that is no number.
    """
    if len(fields) != dim:
        raise wrong_count(path, number, len(fields), dim)
    try:
        if raw.translate(None, DIGITS) and not all(map(NUMBER.fullmatch, fields)):
            raise ValueError
        with np.errstate(over="ignore"):  # infinity is dealt with later, by the name of its word
            return np.array(fields, np.float32)
    except ValueError:
        raise InputError(
            f"{path}: line {number}: not a word and {counted(dim, 'number')} separated by single spaces."
        ) from None


def wrong_count(path: Path, number: int, there: int, dim: int) -> InputError:
    """The error of a line with too few or too many numbers.

    Args:
        path: the file.
        number: of the line, from 1.
        there: numbers that the line holds.
        dim: numbers that it should hold.
    """
    return InputError(f"{path}: line {number}: {counted(there, 'number')} instead of {dim}; the file is damaged.")


DIGITS = b"0123456789+-.eE \t,;"


@contextmanager
def packed_file(path: Path) -> Iterator[IO[bytes]]:
    """An `atomic_file`, compressed where the name ends in .gz; the same content gives the same bytes."""
    with atomic_file(path) as file, _packing(path, file) as handle:
        yield handle


@contextmanager
def _packing(path: Path, file: IO[bytes]) -> Iterator[IO[bytes]]:
    """What writes to a file as its name says; `file` stays open."""
    if path.suffix != ".gz":
        yield file
        return
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as handle:
        yield cast("IO[bytes]", handle)


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
        InputError: without a header the rows would be read in another way.
    """
    first = list(zip(table.words[:MOST_LINES], rows_of(table.matrix[:MOST_LINES]), strict=True))
    sample = b"".join(_text_row(word, vector) for word, vector in first)
    try:
        dialect = None if parse_header(sample) else dialect_of(sample)
    except InputError:
        dialect = None
    if dialect is None or dialect[:7] != Dialect(STANDARD, table.matrix.shape[1])[:7]:
        shown = sample.partition(b"\n")[0].decode("utf-8", "replace")
        raise InputError(
            f"{path}: rows such as {shown[:80]!r} would read as a header or in another way; write word2vec instead."
        )
    _write_text(path, table, b"")


def _write_text(path: Path, table: VectorTable, header: bytes) -> None:
    check_words(path, table, " \n", "text")
    with packed_file(path) as handle:
        handle.write(header)
        for word, vector in zip(table.words, rows_of(table.matrix), strict=True):
            handle.write(_text_row(word, vector))


def rows_of(matrix: Rows) -> Iterator[np.ndarray]:
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


def vectors_path(path: Path) -> Path | None:
    """The file of vectors that belongs to a Projector file of words, None where there is none."""
    if "metadata" not in path.name:
        return None
    names = [path.name.replace("metadata", part) for part in ("vectors", "tensors", "tensor")]
    names.append(path.name.replace("_metadata", ""))
    return next((other for name in names if name != path.name and (other := path.with_name(name)).is_file()), None)


def read_projector(path: Path) -> VectorFile:
    """A TSV pair, given the file of vectors. Several columns of metadata have a header, a single one may have; the
    first column counts.

    Raises:
        InputError: there is no file of words, or it has another number of them.
    """
    found = [other for other in (metadata_path(path), path.with_name("metadata.tsv")) if other.is_file()]
    if not found:
        raise InputError(f"{path}: holds vectors without words; put them into {metadata_path(path).name} beside it.")
    with opened(path) as handle:
        skip_mark(handle)
        first = next(lines(path, handle), (1, b""))[1]
        rows = 1 + sum(1 for _ in lines(path, handle))
    dim = len(first.split(b"\t"))
    check_dim(path, dim)
    names = WordCollector(found[0])
    words, titled, note = _metadata_shape(found[0], rows)
    if words - titled != rows:
        raise InputError(
            f"{found[0]}: {counted(words - titled, 'word')} for the {counted(rows, 'vector')} of {path}; one of the "
            "two is cut short, or they do not belong together."
        )
    names.said += note
    return VectorFile(
        path, "Embedding Projector", dim, names, _read_pair(path, found[0], dim, names, titled), promised=rows
    )


def _metadata_shape(path: Path, rows: int) -> tuple[int, bool, list[str]]:
    """Lines of a file of words to the last that is not blank, whether the first one is a header, and a note on it."""
    with opened(path) as handle:
        skip_mark(handle)
        count, several_columns = 0, False
        for number, line in enumerate(iter(lambda: handle.readline(LONGEST_LINE), b""), 1):
            several_columns = several_columns or (number == 1 and b"\t" in line)
            count = number if line.strip(b"\r\n") else count
    single = not several_columns and count == rows + 1
    return count, several_columns or single, ["left out the first line of the words, a title."] * single


def _read_pair(path: Path, metadata: Path, dim: int, words: WordCollector, titled: bool) -> Iterator[np.ndarray]:
    buffer = RowBuffer(dim)
    with opened(path) as handle, opened(metadata) as names:
        skip_mark(handle)
        skip_mark(names)
        if titled:
            names.readline(LONGEST_LINE)
        for place, (number, line) in enumerate(lines(path, handle), 2 if titled else 1):
            vector = parse_vector(path, number, line.split(b"\t"), dim, line)
            word = names.readline(LONGEST_LINE).rstrip(b"\r\n").partition(b"\t")[0]
            if words.add_bytes(word, "line", place) and buffer.push(vector):
                yield buffer.take()
    yield buffer.take()


def write_projector(path: Path, table: VectorTable) -> None:
    """Vectors at `path`, words in a second file; both are complete before either appears."""
    check_words(path, table, "\t\n\r", "TSV")
    second = metadata_path(path)
    with atomic_file(path) as file, atomic_file(second) as second_file:
        with _packing(path, file) as handle, _packing(second, second_file) as names:
            for word, vector in zip(table.words, rows_of(table.matrix), strict=True):
                handle.write(_numbers(vector, b"\t") + b"\n")
                names.write(word.encode("utf-8", "surrogatepass") + b"\n")
        file.flush()  # a disk that is full says so before one of them has taken the place of an earlier one
        second_file.flush()
