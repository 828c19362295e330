"""Binary files of vectors: word2vec's, and numpy's .npz.

A word2vec binary file contains the header line "V D", then V times a word, a space and D little-endian float32. An .npz
file contains the arrays `words` (V,) and `matrix` (V, D), and `counts` (V,) where known; other names are accepted where
there is just one array of strings and one of two dimensions. Nothing is ever unpickled. Arrays are read in blocks, not
by numpy.load, which would need the whole matrix in memory to convert a file, after their sizes have been checked.
"""

from __future__ import annotations

import itertools
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ...base.errors import InputError, counted
from ...base.files import atomic_file
from ..folder import BLOCK_BYTES, VectorTable, block_rows, write_rows
from .dialect import Header
from .rows import DEFLATE_RATIO, RowBuffer, VectorFile, WordCollector, check_dim, opened
from .text import check_words, packed_file, read_header, rows_of, wrong_header

LONGEST_WORD = 10_000
"""Bytes within which a word must end."""
CHUNK = 1 << 16
"""Bytes read at once, in addition to the current vector."""
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, OSError)
WORDS, MATRIX, COUNTS = "words.npy", "matrix.npy", "counts.npy"
UNSUSPICIOUS = 1 << 28
"""Bytes that an array may unpack to, however small it is packed."""
MOST_PACKED = 100
"""Vectors that differ are packed to no smaller a share."""
EPOCH = (1980, 1, 1, 0, 0, 0)


def read_word2vec_binary(path: Path) -> VectorFile:
    """word2vec's own binary format, also compressed with gzip as it is often handed out."""
    header = read_header(path, number_bytes=4, word_bytes=2)
    words = WordCollector(path)
    rows = _read_rows(path, header, words)
    return VectorFile(path, "word2vec binary", header.dim, words, rows, promised=header.words)


def _read_rows(path: Path, header: Header, words: WordCollector) -> Iterator[np.ndarray]:
    count, dim, start = header
    row_bytes = 4 * dim
    buffer = RowBuffer(dim)
    too_long = f"goes on after the {counted(count, 'word')} its header promises"
    with opened(path) as handle:
        handle.seek(start)
        data, position = b"", 0
        for number in itertools.count(1):
            end = data.find(b" ", position, position + LONGEST_WORD)
            if end < 0 or end + 1 + row_bytes > len(data):
                data, position = data[position:] + handle.read(CHUNK + row_bytes), 0
                end = data.find(b" ", 0, LONGEST_WORD)
            if end < 0 or end + 1 + row_bytes > len(data):
                if not data[position:].strip(b"\n"):
                    break
                where = f"word {number:,} of {count:,} is incomplete" if number <= count else too_long
                raise InputError(f"{path}: {where}; the file is cut short or damaged.")
            word = data[position:end].lstrip(b"\n")
            if words.add_bytes(word, "word", number) and buffer.push(np.frombuffer(data, "<f4", dim, end + 1)):
                yield buffer.take()
            position = end + 1 + row_bytes
    if number - 1 != count:
        words.said.append(wrong_header(path, count, number - 1))
    yield buffer.take()


def write_word2vec_binary(path: Path, table: VectorTable) -> None:
    """Header, words and bit-exact vectors."""
    check_words(path, table, " \n", "word2vec")
    with packed_file(path) as handle:
        handle.write(b"%d %d\n" % table.matrix.shape)
        for word, vector in zip(table.words, rows_of(table.matrix), strict=True):
            handle.write(word.encode("utf-8", "surrogatepass") + b" " + vector.astype("<f4").tobytes() + b"\n")


class _Member(NamedTuple):
    """An array inside an .npz file."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def read_npz(path: Path) -> VectorFile:
    """Words and matrix of an .npz file.

    Raises:
        InputError: its arrays are ambiguous, or do not fit each other.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [_member(archive, info) for info in archive.infolist() if info.filename.endswith(".npy")]
    except InputError:
        raise
    except (*ZIP_ERRORS, ValueError) as error:
        raise _damaged(path, error) from None
    strings = _pick(path, members, WORDS, [m for m in members if len(m.shape) == 1 and m.dtype.kind in "US"], "strings")
    matrix = _pick(
        path, members, MATRIX, [m for m in members if len(m.shape) == 2 and m.dtype.kind in "fiu"], "vectors (V, D)"
    )
    counts = next((m for m in members if m.name == COUNTS and m.shape == strings.shape and m.dtype.kind in "iu"), None)
    if strings.shape[0] != matrix.shape[0]:
        raise InputError(
            f"{path}: {counted(strings.shape[0], 'word')} and {counted(matrix.shape[0], 'vector')} do not match."
        )
    check_dim(path, matrix.shape[1])
    words = WordCollector(path)
    rows = _read_npz_rows(path, strings, matrix, counts, words)
    return VectorFile(path, "npz", matrix.shape[1], words, rows, promised=matrix.shape[0])


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: cannot be read as .npz ({str(error).splitlines()[0] if str(error) else 'cut short'}).")


def _pick(path: Path, members: list[_Member], name: str, fitting: list[_Member], what: str) -> _Member:
    """The member of that name, or the only one that fits."""
    named = [member for member in fitting if member.name == name] or fitting
    if len(named) != 1:
        arrays = ", ".join(f"{m.name.removesuffix('.npy')} {m.shape} {m.dtype}" for m in members) or "no arrays"
        raise InputError(
            f"{path}: needs one array {name.removesuffix('.npy')!r} of {what}; it holds {arrays} (object arrays are "
            "never opened: save strings as dtype str)."
        )
    return named[0]


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    with archive.open(info) as handle:
        shape, dtype = _array_header(handle)
        needed = math.prod(shape) * dtype.itemsize
        if dtype.kind in "US" and dtype.itemsize > 4 * LONGEST_WORD:
            raise InputError(
                f"{archive.filename}: {info.filename} holds words longer than {LONGEST_WORD:,} characters."
            )
        if dtype.kind != "O" and (info.file_size < needed or needed > DEFLATE_RATIO * max(1, info.compress_size)):
            raise InputError(f"{archive.filename}: {info.filename} promises shape {shape}, more than the file holds.")
        if dtype.kind in "fiu" and needed > max(UNSUSPICIOUS, MOST_PACKED * info.compress_size):
            raise InputError(
                f"{archive.filename}: {info.filename} unpacks from {info.compress_size / 1e6:.1f} MB to "
                f"{needed / 1e9:.1f} GB, as no vectors do; the file is made to fill memory."
            )
    return _Member(info.filename, shape, dtype)


def _array_header(handle: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(handle)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(handle)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(handle)
    else:
        raise ValueError(f"array format {version} is unknown")
    if fortran and len(shape) > 1:
        raise ValueError("the matrix lies column by column; save it with numpy.ascontiguousarray")
    if min(shape, default=0) < 0:
        raise ValueError(f"shape {shape}")
    return shape, dtype


def _read_npz_rows(
    path: Path, strings: _Member, matrix: _Member, counts: _Member | None, words: WordCollector
) -> Iterator[np.ndarray]:
    step = max(1, min(block_rows(matrix.shape[1]), BLOCK_BYTES // max(1, strings.dtype.itemsize)))
    try:
        with zipfile.ZipFile(path) as archive:
            blocks = [_blocks(archive, member, step) for member in (strings, matrix, *([counts] if counts else []))]
            for block, (names, rows, *occurrences) in enumerate(zip(*blocks, strict=True)):
                texts = [
                    name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names.tolist()
                ]
                known = occurrences[0].tolist() if occurrences else None
                with np.errstate(over="ignore"):
                    yield words.add_block(texts, block * step + 1, rows.astype(np.float32, copy=False), known)
    except InputError:
        raise
    except (*ZIP_ERRORS, ValueError) as error:
        raise _damaged(path, error) from None


def _blocks(archive: zipfile.ZipFile, member: _Member, step: int) -> Iterator[np.ndarray]:
    """The rows of a member, `step` at a time."""
    row_shape = member.shape[1:]
    row_bytes = member.dtype.itemsize * math.prod(row_shape)
    with archive.open(member.name) as handle:
        _array_header(handle)
        for start in range(0, member.shape[0], step):
            rows = min(step, member.shape[0] - start)
            data = handle.read(rows * row_bytes)
            if len(data) < rows * row_bytes:
                raise EOFError
            yield np.frombuffer(data, member.dtype).reshape(rows, *row_shape)
        if handle.read(1):  # also has zipfile compare the checksum
            raise ValueError(f"{member.name} goes on after its last row")


def write_npz(path: Path, table: VectorTable) -> None:
    """The arrays `words`, `matrix` and `counts`, as numpy.load opens them, block by block; always the same bytes.

    Raises:
        InputError: a word that arrays of strings cannot hold.
    """
    for word in table.words:
        if word.endswith("\0") or len(word) > LONGEST_WORD:
            raise InputError(
                f"{path}: the word {word[:40]!r} cannot be written: arrays of strings drop a final NUL and "
                f"seqlab keeps them below {LONGEST_WORD:,} characters; use a seqlab folder."
            )
    width = max(1, max(map(len, table.words), default=1))
    step = block_rows(width)
    with atomic_file(path) as handle, zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED) as archive:
        with _new_member(archive, WORDS, f"<U{width}", (len(table.words),)) as member:
            for start in range(0, len(table.words), step):
                member.write(np.array(table.words[start : start + step], f"<U{width}").tobytes())
        with _new_member(archive, MATRIX, "<f4", table.matrix.shape) as member:
            write_rows(member, table.matrix)
        if table.counts is not None:
            with _new_member(archive, COUNTS, "<i8", table.counts.shape) as member:
                member.write(table.counts.astype("<i8").tobytes())


def _new_member(archive: zipfile.ZipFile, name: str, descr: str, shape: tuple[int, ...]) -> IO[bytes]:
    member = archive.open(zipfile.ZipInfo(name, EPOCH), "w", force_zip64=True)
    np.lib.format.write_array_header_1_0(member, {"descr": descr, "fortran_order": False, "shape": shape})
    return member
