"""Vector files of other programs, both ways: recognised by content, checked, read and written in blocks.

`FORMATS` is the table: the name of each, the endings of its files, how it is read and written.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...base.contents.signatures import kind_of_bytes
from ...base.errors import InputError, choose, counted
from ...base.resources.memory import check_memory
from ...base.storage.outputs import check_file, check_folder, scratch
from ...base.storage.streams import parked_as, reads_once
from ..folder import STATE, TENSORS, VectorTable, Verify, block_rows, read_folder, write_folder
from ..material.subwords import Subwords
from ..queries.lexicon import noun_by
from ..vectors import WordVectors
from . import fasttext
from .binary import LONGEST_WORD, read_npz, read_word2vec_binary, write_npz, write_word2vec_binary
from .dialect import BYTE_ORDER_MARK, NUMBER, OTHER_MARKS, Header, dialect_of, parse_header
from .fasttext import read_fasttext_model
from .rows import VectorFile, WordCollector, opened, several
from .text import (
    SAMPLE,
    read_glove,
    read_projector,
    read_word2vec,
    sample_of,
    vectors_path,
    write_glove,
    write_projector,
    write_word2vec,
)

WILD = 10_000
"""A vector's largest number is odd where it is so many times the usual one."""
FROM_GENSIM = "write gensim's own vectors out with save_word2vec_format"
"""What to do with a pickle, which seqlab never opens."""


class Format(NamedTuple):
    """A kind of file: title, endings of its name, reader, and writer unless it is only read."""

    title: str
    endings: tuple[str, ...]
    read: Callable[[Path], VectorFile]
    write: Callable[[Path, VectorTable], None] | None


def read_seqlab(path: Path) -> VectorFile:
    """An embeddings folder; the matrix stays in its file, checked against its digest."""
    table = read_folder(path, mapped=True, verify=True)
    words = WordCollector(path)
    step = block_rows(table.matrix.shape[1])

    def blocks() -> Any:
        for start in range(0, len(table.words), step):
            rows = slice(start, start + step)
            counts = None if table.counts is None else table.counts[rows].tolist()
            yield words.add_block(table.words[rows], start + 1, np.asarray(table.matrix[rows]), counts)

    meta = {key: value for key, value in table.meta.items() if key not in ("kind", "notes", "compression")}
    return VectorFile(path, "seqlab folder", table.matrix.shape[1], words, blocks(), meta, table.subwords)


FORMATS = {
    "seqlab": Format("seqlab folder", (), read_seqlab, write_folder),
    "word2vec": Format("word2vec text", (".txt", ".w2v"), read_word2vec, write_word2vec),
    "binary": Format("word2vec binary", (".bin",), read_word2vec_binary, write_word2vec_binary),
    "glove": Format("GloVe text", (".glove",), read_glove, write_glove),
    "fasttext": Format("fastText text", (".vec",), read_word2vec, write_word2vec),
    "fasttext-model": Format("fastText model", (), read_fasttext_model, None),
    "npz": Format("numpy arrays", (".npz",), read_npz, write_npz),
    "projector": Format("Embedding Projector TSV pair", (".tsv",), read_projector, write_projector),
}
PACKED = ("word2vec", "binary", "glove", "fasttext", "projector")
"""Formats that may be compressed with gzip."""


def recognise(path: str | Path) -> str:
    """What lies at a path, by its content.

    Returns:
        A name in `FORMATS`.

    Raises:
        InputError: nothing is there, or it is of none of them.
    """
    path = Path(path)
    if path.is_dir():
        return "seqlab"
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder.")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty.")
    with opened(path) as handle:
        sample = handle.read(SAMPLE)
    if sample[:4] == b"PK\x03\x04":
        return "npz"
    if sample[:4] == fasttext.MAGIC:
        return "fasttext-model"
    if kind := kind_of_bytes(sample):
        pickled = f"; {FROM_GENSIM}" if "pickle" in kind.title else ""
        raise InputError(f"{path}: is {kind.title}, not a file of word vectors{pickled}.")
    if sample.startswith(OTHER_MARKS):
        raise InputError(f"{path}: is UTF-16 text; save it as UTF-8.")
    if (vectors := vectors_path(path)) is not None:
        raise InputError(f"{path}: holds the words that belong to {vectors.name}; name that file.")
    header = parse_header(sample)
    if _is_projector(path, sample, header):
        return "projector"
    if _is_text(path, sample, header):
        return "word2vec" if header else "glove"
    if header is None:
        raise InputError(f"{path}: not a file of word vectors (no header, and not text).")
    return "binary"


def _is_projector(path: Path, sample: bytes, header: Header | None) -> bool:
    """Whether all first lines consist of so many numbers, separated by tabs."""
    lines = [line.rstrip() for line in sample.removeprefix(BYTE_ORDER_MARK).split(b"\n")[:-1] or [sample]]
    rows = [line.split(b"\t") for line in lines if line]
    if not rows or not all(map(NUMBER.fullmatch, rows[0])) or (len(rows[0]) == 1 and ".tsv" not in path.suffixes):
        return False
    return header is None or len(rows) == 1 or (len(rows[1]) == 2 and all(map(NUMBER.fullmatch, rows[1])))


def _is_text(path: Path, sample: bytes, header: Header | None) -> bool:
    """Whether the rows are text: most of the first lines read as a word and numbers, or else they are neither the rows
    of a binary file nor hold control bytes.

    Raises:
        InputError: they may be either.
    """
    rows = sample[header.end :] if header else sample
    is_binary = header is not None and _is_binary(rows, header, len(sample) < SAMPLE)
    if is_binary and len(sample) == SAMPLE and _CONTROLS.search(rows):  # no text has so many words just there
        return False
    try:
        dialect = dialect_of(*sample_of(path))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if dialect and dialect.fits >= 0.5:
        if is_binary and not (dialect.clean and dialect.fits == 1):
            raise InputError(f"{path}: reads as text and as binary alike; convert it with the program that wrote it.")
        return True
    return not is_binary and not _CONTROLS.search(rows)


_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _is_binary(rows: bytes, header: Header, complete: bool) -> bool:
    """Whether a word and its bytes follow each other to the end of the file, or of what is known of it."""
    position = 0
    for _ in range(header.words):
        end = rows.find(b" ", position, position + LONGEST_WORD)
        if end < 0 or not rows[position:end].strip(b"\n"):
            return not complete and position > 0 and end < 0
        position = end + 1 + 4 * header.dim
        if position >= len(rows):
            return not complete or position == len(rows)
    return not complete or not rows[position:].strip(b"\n")


def load_vectors(path: str | Path, *, mapped: bool = False, verify: Verify | None = None) -> WordVectors:
    """Open an embeddings folder or a file of any of `FORMATS`, text and word2vec binary also compressed with gzip.

    Repeated words and invalid UTF-8 are mended and reported in `meta["notes"]`. Nothing is allocated before the header
    has been compared with the size of the file. N-grams of a fastText model or a folder stay in their file, which must
    not be written to while they are in use; replacing it is safe.

    Args:
        path: file or folder.
        mapped: leave the matrix of a folder in its file, as `WordVectors.load` does. Other formats are refused.
        verify: how a folder is verified, as of `WordVectors.load`.

    Returns:
        The vectors.

    Raises:
        InputError: naming file and line (text) or word (binary) where a count, a width or a number is wrong, or the
            file is cut short.
    """
    if reads_once(path):
        with parked_as(path) as place:
            vectors = load_vectors(place, mapped=mapped)
            vectors.path = Path(path)
            return vectors
    path = Path(path)
    name = recognise(path)
    if name == "seqlab":
        return WordVectors.load(path, mapped=mapped, verify=verify)
    if mapped:
        raise InputError(
            f"{path}: {FORMATS[name].title} cannot be left in its file; convert it to a seqlab folder first."
        )
    source = FORMATS[name].read(path)
    _check_memory(source)
    rows = _MemoryRows(source.dim)
    _collect(source, rows.append, None, allow_nonfinite=False)
    counts = np.array(source.words.counts, np.int64) if source.words.counts else None
    meta = {"format": source.format, "notes": source.words.notes()}
    vectors = WordVectors(list(source.words.rows), rows.matrix(), counts, meta, subwords=source.subwords)
    vectors.path = path
    return vectors


def _check_memory(source: VectorFile) -> None:
    """Refuse vectors that memory cannot hold, before any of it is taken."""
    check_memory(
        f"{source.path}: {counted(source.promised, 'vector')} of {counted(source.dim, 'dimension')}",
        4 * source.promised * source.dim,
        "convert them to a seqlab folder with 'seqlab convert', and keep fewer with --words, or open the folder with "
        "mapped=True",
    )


class _MemoryRows:
    """A matrix that grows in place by half its size."""

    def __init__(self, dim: int):
        self.rows = np.empty((0, dim), np.float32)
        self.filled = 0

    def append(self, block: np.ndarray) -> None:
        needed = self.filled + len(block)
        if needed > len(self.rows):
            self.rows.resize((max(needed, len(self.rows) * 3 // 2), self.rows.shape[1]), refcheck=False)
        self.rows[self.filled : needed] = block
        self.filled = needed

    def matrix(self) -> np.ndarray:
        self.rows.resize((self.filled, self.rows.shape[1]), refcheck=False)
        return self.rows


def _collect(
    source: VectorFile, append: Callable[[np.ndarray], Any], limit: int | None, allow_nonfinite: bool
) -> tuple[int, int]:
    """Send the rows of the first `limit` words to `append`; (rows, rows that hold NaN or infinity)."""
    done = nonfinite = 0
    peaks: list[np.ndarray] = []
    for block in source.blocks:
        block = block if limit is None else block[: limit - done]
        peaks_N = np.abs(block).max(axis=1, initial=0)
        bad = np.flatnonzero(~np.isfinite(peaks_N))
        if len(bad) and not allow_nonfinite:
            word = next(itertools.islice(source.words.rows, done + int(bad[0]), None))
            raise InputError(f"{source.path}: the vector of {word!r} holds NaN or infinity.")
        append(block)
        peaks.append(peaks_N)
        done += len(block)
        nonfinite += len(bad)
        if done == limit:
            break
    if done == 0:
        raise InputError(f"{source.path}: holds no words.")
    _note_wild(source.words, np.concatenate(peaks))
    return done, nonfinite


def _note_wild(words: WordCollector, peaks_V: np.ndarray) -> None:
    """Note the words whose vectors hold a number far beyond those of all others: one changed bit can do that."""
    limit = WILD * np.median(peaks_V.astype(np.float64))
    wild = np.flatnonzero(np.isfinite(peaks_V) & (peaks_V > limit))
    if limit > 0 and len(wild):
        names = list(words.rows)
        shown = several([f"{names[row]!r} ({peaks_V[row]:.2g})" for row in wild], "vector")
        words.said.append(f"numbers {WILD:,} times as large as usual in {shown}; the file may be damaged.")


def format_of(path: str | Path, format: str | None = None) -> str:
    """The format to write a file in.

    Args:
        path: whose ending decides; none means a seqlab folder.
        format: a name in `FORMATS`, which decides instead.

    Raises:
        InputError: an unknown ending or format, or one that is not written so.
    """
    path = Path(path)
    if format is not None:
        choose("format", format, FORMATS)
        name = format
    else:
        ending = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
        endings = {ending: name for name, kind in FORMATS.items() for ending in kind.endings}
        if ending and ending not in endings:
            raise InputError(
                f"{path}: no format is known by the ending {ending}; name a format or use one of "
                f"{', '.join(endings)}, or none for a seqlab folder."
            )
        name = endings[ending] if ending else "seqlab"
    _writer(name)
    if path.suffix == ".gz" and name not in PACKED:
        raise InputError(f"{path}: {FORMATS[name].title} is not written with gzip.")
    if path.is_dir() and name != "seqlab":
        raise InputError(f"{path}: is a folder; name a file, or convert to a seqlab folder.")
    return name


def save_vectors(vectors: WordVectors, path: str | Path, format: str | None = None) -> list[str]:
    """Write a file of any format of `FORMATS`, atomically.

    Binary formats are bit-exact; text has 9 significant digits, which is exact as float32.

    Args:
        vectors: to write.
        path: file or folder.
        format: a name in `FORMATS`; None goes by the ending of `path`.

    Returns:
        Sentences on what the format cannot hold and was left out.

    Raises:
        InputError: a word that the format cannot express, such as one with spaces, or an ending that says nothing.
    """
    path = Path(path)
    name = format_of(path, format)
    _check_target(path, name)
    _writer(name)(path, VectorTable(vectors.words, vectors.matrix, vectors.counts, vectors.meta, vectors.subwords))
    return _left_out(name, vectors.subwords)


def _check_target(path: Path, name: str) -> None:
    """Raise InputError where nothing can be written at `path`, before any work is done for it."""
    if name == "seqlab":
        check_folder(path, TENSORS, STATE)
    else:
        check_file(path)


def _left_out(name: str, subwords: Subwords | None) -> list[str]:
    """A sentence on n-grams that the format has no place for."""
    if subwords is None or name == "seqlab":
        return []
    return [
        f"left out the n-grams, which {FORMATS[name].title} cannot hold: other words than those in the file will be "
        "unknown; a seqlab folder keeps them."
    ]


def _writer(name: str) -> Callable[[Path, VectorTable], None]:
    write = FORMATS[name].write
    if write is None:
        raise InputError(f"format: {name} is only read, not written.")
    return write


def convert_vectors(
    source: str | Path,
    target: str | Path,
    format: str | None = None,
    words: int | None = None,
    allow_nonfinite: bool = False,
) -> dict[str, Any]:
    """Read vectors of any format and write them in another, in memory for the words and a few blocks of rows only.

    The rows pass through an unnamed temporary file next to `target`, which needs room for 4 V D bytes more. A seqlab
    folder stores the n-grams of a fastText model or of another folder, whatever `words` leaves out.

    Args:
        source: file or folder, recognised by content.
        target: file or folder to write, replaced atomically.
        format: a name in `FORMATS`; None goes by the ending of `target`.
        words: keep the first so many; what follows in the source is not looked at.
        allow_nonfinite: pass NaN and infinity on instead of refusing them; a seqlab folder never contains them.

    Returns:
        {"from", "to", "words", "noun", "dim", "nonfinite", "notes"}; the noun is what has a vector.

    Raises:
        InputError: as `load_vectors` and `save_vectors` raise it.
    """
    source, target = Path(source), Path(target)
    if words is not None and words < 1:
        raise InputError(f"words: {words} is less than one.")
    name = format_of(target, format)
    if name == "seqlab" and allow_nonfinite:
        raise InputError(
            f"{target}: a seqlab folder never holds NaN or infinity, so that every question has an answer; name a file "
            "of another format to pass them on, or do not allow them, to be told which word has them."
        )
    _check_target(target, name)
    with parked_as(source) as place:
        return _convert(place, target, name, words, allow_nonfinite)


def _convert(source: Path, target: Path, name: str, words: int | None, allow_nonfinite: bool) -> dict[str, Any]:
    opened_source = FORMATS[recognise(source)].read(source)
    with tempfile.TemporaryFile(dir=scratch(target)) as rows:
        count, nonfinite = _collect(opened_source, lambda block: rows.write(_bytes(block)), words, allow_nonfinite)
        rows.flush()
        kept = opened_source.words
        matrix = np.memmap(rows, "<f4", "r", 0, (count, opened_source.dim))
        counts = np.array(kept.counts[:count], np.int64) if kept.counts else None
        meta = opened_source.meta or {"format": opened_source.format}
        if name == "seqlab":
            _check_ngrams(opened_source)
        _writer(name)(target, VectorTable(list(kept.rows)[:count], matrix, counts, meta, opened_source.subwords))
    return {
        "from": opened_source.format,
        "to": FORMATS[name].title,
        "words": count,
        "noun": noun_by(opened_source.meta or {}),
        "dim": opened_source.dim,
        "nonfinite": nonfinite,
        "notes": kept.notes() + _left_out(name, opened_source.subwords),
    }


def _check_ngrams(source: VectorFile) -> None:
    """Raise InputError when a vector of an n-gram holds NaN or infinity."""
    matrix = source.subwords.matrix if source.subwords else np.empty((0, 1), np.float32)
    step = block_rows(matrix.shape[1])
    for start in range(0, len(matrix), step):
        if not np.isfinite(matrix[start : start + step]).all():
            raise InputError(f"{source.path}: the vector of an n-gram holds NaN or infinity; the file is damaged.")


def _bytes(block: np.ndarray) -> bytes:
    return np.ascontiguousarray(block, "<f4").tobytes()
