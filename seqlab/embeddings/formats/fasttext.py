"""fastText models (.bin): Enriching Word Vectors with Subword Information, https://arxiv.org/abs/1607.04606

A word's vector is the mean of its own row and of the rows of its character n-grams, see `subwords`. The file,
little-endian: magic, version, 12 settings of 4 bytes and one of 8; sizes; entries of word, NUL, count, type; a
flag for quantisation; rows, columns and the input matrix. The output matrix that follows is for training only and is
not read. Layout: https://github.com/facebookresearch/fastText, `FastText::saveModel`.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...base.errors import InputError, counted
from ..material.subwords import LONGEST_NGRAM, Subwords, mean_rows, parts_of
from .rows import VectorFile, WordCollector, check_dim

MAGIC = struct.pack("<i", 793712314)
NEWEST_VERSION = 12
SETTINGS = struct.Struct("<2i12id")
SIZES = struct.Struct("<3i2q")
ENTRY = struct.Struct("<qb")
SHAPE = struct.Struct("<b2q")
BLOCK_WORDS = 500


class _Model(NamedTuple):
    """What a word vector needs."""

    words: list[bytes]
    counts: list[int]
    matrix: np.ndarray  # (words + buckets, D), mapped
    shortest: int
    longest: int
    buckets: int


def read_fasttext_model(path: Path) -> VectorFile:
    """The word vectors of a model, as `fasttext print-word-vectors` gives them, most frequent first, and its n-grams,
    which stay in the file.

    Labels of a supervised model are left out.

    Raises:
        InputError: a quantised model (.ftz) or a damaged file.
    """
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            model = _read_model(path, data)
        except struct.error:
            raise InputError(f"{path}: cut short inside the header of the fastText model.") from None
    words, subwords = WordCollector(path), None
    if model.longest:
        buckets = model.matrix[len(model.words) : len(model.words) + model.buckets]
        subwords = Subwords(buckets, model.shortest, model.longest)
    dim, rows = model.matrix.shape[1], _rows(model, words)
    return VectorFile(path, "fastText model", dim, words, rows, subwords=subwords, promised=len(model.words))


def _read_model(path: Path, data: mmap.mmap) -> _Model:
    _, version, dim, *settings, _ = SETTINGS.unpack_from(data, 0)
    buckets, shortest, longest = settings[7:10]
    if version > NEWEST_VERSION or version < 11:
        raise InputError(f"{path}: fastText model of version {version}; seqlab reads versions 11 and {NEWEST_VERSION}.")
    if version == 11 and settings[6] == 3:  # supervised models had no n-grams then
        longest = 0
    size, word_count, label_count, _, pruned = SIZES.unpack_from(data, SETTINGS.size)
    if min(dim, buckets + 1, word_count, label_count + 1) < 1 or size != word_count + label_count:
        raise InputError(f"{path}: the header of the fastText model makes no sense; the file is damaged.")
    check_dim(path, dim)
    if pruned > 0:
        raise _quantised(path)
    if shortest > longest or longest < 1 or buckets == 0 or pruned == 0:
        shortest = longest = 0
    elif shortest < 0 or longest > LONGEST_NGRAM:
        raise InputError(f"{path}: n-grams of {shortest} to {longest} characters; the file is damaged.")
    words, counts, position = _read_entries(path, data, size, word_count)
    if position + SHAPE.size > len(data):
        raise InputError(f"{path}: cut short after the {counted(size, 'word')}, before the matrix.")
    quantised, rows, columns = SHAPE.unpack_from(data, position)
    if quantised:
        raise _quantised(path)
    start = position + SHAPE.size
    if columns != dim or rows < word_count + (buckets if longest else 0):
        raise InputError(
            f"{path}: a matrix of {counted(rows, 'row')} and {counted(columns, 'column')} does not fit the header."
        )
    if start + 4 * rows * columns > len(data):
        raise InputError(
            f"{path}: cut short inside the matrix of {counted(rows, 'row')} of {counted(dim, 'dimension')}."
        )
    matrix = np.memmap(path, "<f4", "r", start, (rows, columns))
    return _Model(words, counts, matrix, max(1, shortest), longest, buckets)


def _quantised(path: Path) -> InputError:
    return InputError(f"{path}: is a quantised fastText model; use the full .bin or its .vec file.")


def _read_entries(path: Path, data: mmap.mmap, size: int, word_count: int) -> tuple[list[bytes], list[int], int]:
    """Words, counts and where the entries end; labels come after the words."""
    position = SETTINGS.size + SIZES.size
    words, counts = [], []
    for number in range(size):
        end = data.find(b"\0", position)
        if end < 0 or end + 1 + ENTRY.size > len(data):
            raise InputError(f"{path}: cut short inside the words, in number {number + 1:,} of {size:,}.")
        count, is_label = ENTRY.unpack_from(data, end + 1)
        if is_label != (number >= word_count):
            raise InputError(f"{path}: entry {number + 1:,} is neither word nor label; the file is damaged.")
        if not is_label:
            words.append(data[position:end])
            counts.append(count)
        position = end + 1 + ENTRY.size
    return words, counts, position


def _rows(model: _Model, words: WordCollector) -> Iterator[np.ndarray]:
    """Mean of the rows of each word, (n, D) at a time."""
    for start in range(0, len(model.words), BLOCK_WORDS):
        raw = model.words[start : start + BLOCK_WORDS]
        offsets, rows = parts_of(raw, model.shortest, model.longest, model.buckets, start, len(model.words))
        means = mean_rows(model.matrix, offsets, rows)
        counts = model.counts[start : start + BLOCK_WORDS]
        new = [
            words.add_bytes(word, "word", number, count)
            for number, (word, count) in enumerate(zip(raw, counts, strict=True), start + 1)
        ]
        yield means[np.array(new, bool)]
