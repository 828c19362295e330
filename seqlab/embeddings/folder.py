"""The embeddings folder: vectors.safetensors, vocab.json, config.json and the manifest with their digests.

Written and read without ever having the matrix in memory twice, and opened memory-mapped on request.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import IO, Any, Literal, NamedTuple

import numpy as np

from ..base.contents.forms import check_form
from ..base.errors import InputError
from ..base.files import (
    MANIFEST,
    atomic_file,
    atomic_folder,
    load_tensors,
    read_json,
    save_tensors,
    sha256,
    tensor_digest,
    tensor_header,
    verify_manifest,
    write_json,
    write_manifest,
)
from ..base.kinds import description, kind_of
from ..base.storage.verified import verify_folder_once
from ..base.storage.whole import read_whole
from .material.subwords import Subwords
from .packed.matrix import METHOD, PackedMatrix, Rows
from .packed.product import packed_of

TENSORS, VOCAB, CONFIG = "vectors.safetensors", "vocab.json", "config.json"
NGRAMS = "ngrams.safetensors"
"""Vectors of hashed n-grams, where there are subwords; their lengths are in its header."""
STATE = "state/latest.safetensors"
"""The exact state of a training, where there is one; see state.py."""
NOT_FINISHED = "its training is not finished; run its own command again"
VOCAB_FORM = {"words": [str], "counts": ([int], NoneType)}
META_FORM = {
    "kind?": str,
    "settings?": {"text?": {"lowercase?": bool}},
    "corpus?": (str, NoneType),
    "notes?": [str],
    "report?": dict,
}
"""What vocab.json and config.json hold, so far as anything depends on it."""
LONGEST_TENSOR_HEADER = 1 << 16
"""Bytes of JSON before the arrays at most; ours are 200 to 4,000."""
MAPPED_TYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("<i1"),
}
"""What arrays are that can stay in their file."""
BLOCK_BYTES = 1 << 19
"""Rows are read and written in blocks of about this size."""


class VectorTable(NamedTuple):
    """Words (V), their vectors (V, D) float32 or packed, which may lie in a file, counts (V,) and n-grams where known,
    and JSON values."""

    words: Sequence[str]
    matrix: Rows
    counts: np.ndarray | None
    meta: Mapping[str, Any]
    subwords: Subwords | None = None


def block_rows(dim: int) -> int:
    """Rows of D float32 in one block."""
    return max(1, BLOCK_BYTES // (4 * dim)) if dim else 1


def write_rows(handle: IO[bytes], matrix: Rows) -> None:
    """Append (V, D) as little-endian float32, block by block."""
    step = block_rows(matrix.shape[1])
    for start in range(0, len(matrix), step):
        handle.write(np.ascontiguousarray(matrix[start : start + step], "<f4").tobytes())


def is_unfinished(folder: str | Path) -> bool:
    """Whether a folder holds the state of a training of vectors, and no vectors yet."""
    return kind_of(folder) == "unfinished vectors"


def write_folder(folder: str | Path, table: VectorTable, keep: Callable[[Path], None] | None = None) -> None:
    """Write an embeddings folder, atomically. The matrices may be larger than memory.

    Args:
        keep: adds to the new folder, before it appears, what a training stores next to its vectors. Only a training may
            replace a folder that contains one.

    Raises InputError when the folder holds a training and `keep` is None, or other things.
    """
    if keep is None and (Path(folder) / STATE).is_file():
        raise InputError(f"{folder}: holds a training, which would be lost; name another folder.")
    counts = None if table.counts is None else table.counts.tolist()
    with atomic_folder(folder, TENSORS, STATE) as temporary:
        names = [TENSORS, VOCAB, CONFIG]
        _write_tensors(temporary / TENSORS, table.matrix)
        if table.subwords is not None:
            lengths = {"shortest": str(table.subwords.shortest), "longest": str(table.subwords.longest)}
            _write_tensors(temporary / NGRAMS, table.subwords.matrix, lengths)
            names.append(NGRAMS)
        write_json(temporary / VOCAB, {"words": list(table.words), "counts": counts})
        write_json(temporary / CONFIG, {"kind": "embeddings", **table.meta})
        write_manifest(temporary, names)
        if keep is not None:
            keep(temporary)


def _write_tensors(path: Path, matrix: Rows, metadata: Mapping[str, str] | None = None) -> None:
    """The one-matrix file of `files.save_tensors`, in two passes over the matrix: digest, then rows. Of a packed one
    its codes, scales and codebooks."""
    metadata = metadata or {}
    if isinstance(matrix, PackedMatrix):
        save_tensors(path, matrix.tensors(), {**metadata, **matrix.header()})
        return
    written = {**metadata, "sha256": tensor_digest({"matrix": matrix}, metadata)}
    with atomic_file(path) as handle:
        handle.write(tensor_header({"matrix": ("<f4", matrix.shape)}, written))
        write_rows(handle, matrix)


Verify = bool | Literal["once"]
"""True: compare every file with its digest. "once": unless the same files passed before. False: look at sizes only."""


def read_folder(folder: str | Path, mapped: bool = False, verify: Verify | None = None) -> VectorTable:
    """Open an embeddings folder; one that is replaced meanwhile is read as it was before, or as it is after.

    Args:
        folder: its path.
        mapped: leave the matrix in its file, read-only, instead of reading it. N-grams always stay in theirs.
        verify: compare every file with its digest, which means to read all of them: True, or "once" and again when a
            file has changed. False: only sizes, and digests of all but the matrices. None: True, or "once" if mapped.

    Raises InputError naming the file that is missing or damaged, or saying that the training is not finished.
    """
    folder = Path(folder)
    return read_whole(folder, lambda: _read_folder(folder, mapped, verify))


def _read_folder(folder: Path, mapped: bool, verify: Verify | None) -> VectorTable:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder.")
    if is_unfinished(folder):
        raise InputError(f"{folder}: {NOT_FINISHED} first.")
    if not (folder / VOCAB).exists() and not (folder / TENSORS).exists():
        raise InputError(f"{folder}: {description(folder)}, not an embeddings folder (it has no {TENSORS}).")
    if verify == "once" or (verify is None and mapped):
        verify_folder_once(folder)
    elif verify is not False:
        verify_manifest(folder, later=() if mapped else (TENSORS,))
    else:
        _check_all_but_the_matrices(folder)
    matrix = _matrix_of(folder / TENSORS, *_mapped_tensors(folder / TENSORS)) if mapped else None
    vocab, meta = read_json(folder / VOCAB), read_json(folder / CONFIG)
    check_form(folder / VOCAB, vocab, VOCAB_FORM)
    check_form(folder / CONFIG, meta, META_FORM)
    try:
        if matrix is None:
            matrix = _matrix_of(folder / TENSORS, *load_tensors(folder / TENSORS))
        words, counts = list(vocab["words"]), vocab["counts"]
        counts = None if counts is None else np.asarray(counts, np.int64)
        meta = dict(meta)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{folder}: not an embeddings folder ({error}); it is damaged.") from None
    if len(matrix.shape) != 2 or len(matrix) != len(words) or (counts is not None and counts.shape != (len(words),)):
        raise InputError(f"{folder}: {len(words):,} words and a matrix of shape {matrix.shape} do not match.")
    return VectorTable(words, matrix, counts, meta, _read_subwords(folder, matrix.shape[1]))


def _read_subwords(folder: Path, dim: int) -> Subwords | None:
    """The n-grams of a folder whose manifest has been checked, or None where it has none."""
    if NGRAMS not in read_json(folder / MANIFEST)["files"]:
        return None
    tensors, metadata = _mapped_tensors(folder / NGRAMS)
    matrix = _matrix_of(folder / NGRAMS, tensors, metadata)
    try:
        subwords = Subwords(matrix, int(metadata["shortest"]), int(metadata["longest"]))
    except (KeyError, TypeError, ValueError, InputError):
        raise InputError(f"{folder / NGRAMS}: its header does not describe n-grams; the file is damaged.") from None
    if matrix.shape[1] != dim:
        raise InputError(f"{folder / NGRAMS}: {matrix.shape[1]} dimensions do not fit the {dim} of {TENSORS}.")
    return subwords


def _check_all_but_the_matrices(folder: Path) -> None:
    """Sizes of all files and digests of the small ones, as the manifest has them."""
    path = folder / MANIFEST
    if not path.exists():
        raise InputError(f"{folder}: has no {MANIFEST}; it is not complete, or not a seqlab folder.")
    try:
        files = read_json(path)["files"]
        names = [TENSORS, VOCAB, CONFIG] + ([NGRAMS] if NGRAMS in files else [])
        entries = {name: (files[name]["bytes"], files[name]["sha256"]) for name in names}
    except (KeyError, TypeError):
        raise InputError(f"{path}: not a manifest of an embeddings folder; the file is damaged.") from None
    for name, (size, digest) in entries.items():
        file = folder / name
        if not file.is_file():
            raise InputError(f"{file}: missing; the folder is incomplete, restore it or make it again.")
        if file.stat().st_size != size or (name not in (TENSORS, NGRAMS) and sha256(file) != digest):
            raise InputError(f"{file}: differs from {MANIFEST}; the file is damaged or was edited.")


def _matrix_of(path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> Rows:
    """The matrix of a file's arrays: float32, or packed."""
    try:
        return packed_of(tensors, metadata) if METHOD in metadata else tensors["matrix"]
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: its header does not describe a matrix; the file is damaged.") from None


def _mapped_tensors(path: Path) -> tuple[dict[str, np.ndarray], Mapping[str, Any]]:
    """Arrays by name as they lie in a file, and the strings of its header.

    Layout: https://github.com/huggingface/safetensors#format
    """
    size = path.stat().st_size
    with path.open("rb") as handle:
        start = handle.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        text = handle.read(min(length, LONGEST_TENSOR_HEADER))
    try:
        header = json.loads(text)
        metadata = header.pop("__metadata__")
        return {name: _mapped_array(path, entry, 8 + length, size) for name, entry in header.items()}, metadata
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path}: its header does not describe a matrix; the file is damaged.") from None


def _mapped_array(path: Path, entry: Mapping[str, Any], begin_of_data: int, size: int) -> np.ndarray:
    """One array of a file of `size` bytes, of the types that word vectors are stored in."""
    shape = tuple(map(int, entry["shape"]))
    begin, end = map(int, entry["data_offsets"])
    dtype = MAPPED_TYPES.get(entry.get("dtype", ""))
    numbers = math.prod(shape)
    if (
        dtype is None
        or min((*shape, begin)) < 0
        or end - begin != dtype.itemsize * numbers
        or begin_of_data + end > size
    ):
        raise InputError(f"{path}: its header and its size do not match; the file is damaged.")
    if not numbers:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", begin_of_data + begin, shape)
