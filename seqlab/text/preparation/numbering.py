"""Chunks become ids in one pass over the text: provisional ids first, final ones when the counts are known.

Worker processes cut chunks into tokens; this process merges their types in order, writes provisional ids to a
file and counts. A vocabulary then turns into a table from provisional to final id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...base.cores import available_cores
from ...base.progress import Progress
from ..ids.spelling import SpellingWriter
from ..ids.token_file import SplitCounts, SplitWriter
from ..tokenizers.base import Tokenizer
from ..tokenizers.segmenters import smallest_dtype
from ..tokenizers.vocab import UNK
from ..workers import Workers
from .jobs import ChunkSegmenter, Segmented
from .spool import Chunk

MOST_WORKERS = 4
ALONE_BELOW = 4 << 20
"""Bytes of text below which starting worker processes costs more than it saves."""


@dataclass
class SplitNumbering:
    """A split while it becomes ids.

    counts: occurrences by provisional id, as far as the split has types. stretches: (tokens, dtype) of every
    chunk's provisional ids. documents: offsets of their first tokens, chunk by chunk.
    """

    chunks: Sequence[Chunk]
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    stretches: list[tuple[int, np.dtype]] = field(default_factory=list)
    documents: list[np.ndarray] = field(default_factory=list)
    tokens: int = 0
    words: int = 0

    def count(self, ids: np.ndarray, types: int) -> None:
        """Add provisional ids, all below `types`, to the counts."""
        if types > len(self.counts):
            room = max(types, 2 * len(self.counts))
            self.counts = np.concatenate([self.counts, np.zeros(room - len(self.counts), np.int64)])
        if types < 4 * len(ids):
            self.counts[:types] += np.bincount(ids, minlength=types)
        else:
            np.add.at(self.counts, ids, 1)

    def counts_of(self, types: int) -> np.ndarray:
        """Occurrences of the first `types` provisional ids."""
        counts = np.zeros(types, np.int64)
        known = min(types, len(self.counts))
        counts[:known] = self.counts[:known]
        return counts


class Numbering:
    """Provisional ids of the tokens of all splits, in a file, and the types they stand for.

    types: provisional id of every type, in order of first appearance.
    """

    def __init__(self, work: Path, splits: dict[str, SplitNumbering]):
        self.file, self.splits = work / "provisional.bin", splits
        self.types: dict[str, int] = {}
        self._ids: dict[int, np.ndarray] = {}
        """For every worker, the provisional ids of the types it has met."""

    def segment(self, tokenizer: Tokenizer, close: bool, workers: int | None = None, quiet: bool = False) -> None:
        """Cut all chunks into tokens; `close` puts an `<eos>` after documents that the tokenizer closes."""
        work = [(split, chunk) for split in self.splits.values() for chunk in split.chunks]
        total = sum(chunk.size for _, chunk in work)
        count = worker_count(total) if workers is None else workers
        done, continues = 0, False
        with (
            self.file.open("wb") as handle,
            Workers(count, ChunkSegmenter, tokenizer.kind, tokenizer.options, close) as pool,
            Progress("tokenizing", total / 1e6, "MB", quiet) as progress,
        ):
            results = pool.map(chunk for _, chunk in work)
            for (split, chunk), result in zip(work, results, strict=True):
                split.documents.append(_document_starts(chunk, result.ends) + split.tokens)
                split.words -= continues and result.begins_in_word
                continues = result.ends_in_word
                self._collect(split, result, handle)
                done += chunk.size
                progress.update(done / 1e6)

    def _collect(self, split: SplitNumbering, result: Segmented, handle: BinaryIO) -> None:
        types = self.types
        ids = np.fromiter((types.setdefault(token, len(types)) for token in result.types), np.uint32)
        if not result.fresh:
            ids = np.concatenate([self._ids[result.worker], ids])
        self._ids[result.worker] = ids
        tokens = ids[result.indices]
        split.count(tokens, len(types))
        dtype = smallest_dtype(len(types))
        handle.write(tokens.astype(dtype).tobytes())
        split.stretches.append((len(tokens), dtype))
        split.tokens += len(tokens)
        split.words += result.words

    def write(self, folder: Path, tokenizer: Tokenizer) -> dict[str, dict[str, Any]]:
        """Write the final ids of every split that has tokens, and how its unknown words are spelt, into `folder`;
        returns their headers."""
        final, types = tokenizer.ids_of(self.types), list(self.types)
        lacking = self._lacking(final, tokenizer.unk_id)
        dtype = np.dtype(np.uint16 if len(tokenizer.vocab) <= 1 << 16 else np.uint32)
        table = final.astype(dtype)
        headers = {}
        with self.file.open("rb") as handle:
            for name, split in self.splits.items():
                if not split.tokens:
                    continue
                writer = SplitWriter(folder, name, dtype)
                spelling = SpellingWriter(folder, name, types, lacking & (split.counts_of(len(types)) > 0))
                for tokens, dtype_of_chunk in split.stretches:
                    provisional = np.fromfile(handle, dtype_of_chunk, tokens)
                    ids = table[provisional]
                    writer.write(ids)
                    if spelling.words:
                        spelling.write(provisional[ids == tokenizer.unk_id])
                documents = np.concatenate(split.documents)
                digest = writer.close(documents)
                counts = _counts(split, final, tokenizer.unk_id, len(documents), digest)
                headers[name] = {
                    "counts": asdict(counts),
                    "dtype": dtype.name,
                    "shards": writer.shards,
                    "spelling": spelling.close(),
                }
        return headers

    def _lacking(self, final: np.ndarray, unk_id: int | None) -> np.ndarray:
        """Which types, by provisional id, the vocabulary lacks: all whose final id is that of `<unk>`, but itself."""
        lacking = np.zeros(len(final), bool) if unk_id is None else final == unk_id
        if UNK in self.types:
            lacking[self.types[UNK]] = False
        return lacking


def _document_starts(chunk: Chunk, ends: np.ndarray) -> np.ndarray:
    """Offsets of the first tokens of the documents that begin in a chunk; `ends` are the last ones', plus one."""
    inside = ends[:-1] if len(ends) and chunk.ends[-1] == chunk.characters else ends
    return np.concatenate([np.zeros(int(chunk.opens), np.int64), inside])


def _counts(split: SplitNumbering, final: np.ndarray, unk_id: int | None, documents: int, digest: str) -> SplitCounts:
    counts = split.counts_of(len(final))
    return SplitCounts(
        tokens=split.tokens,
        characters=sum(chunk.characters for chunk in split.chunks),
        bytes=sum(chunk.size for chunk in split.chunks),
        words=split.words,
        documents=documents,
        unknown=int(counts[final == unk_id].sum()) if unk_id is not None else 0,
        types=int(np.count_nonzero(np.bincount(final[counts > 0]))),
        sha256=digest,
    )


def worker_count(size: int) -> int:
    """Processes for a text of `size` bytes: none for a small one, at most MOST_WORKERS."""
    if size < ALONE_BELOW:
        return 0
    cores = available_cores()
    return min(MOST_WORKERS, cores)
