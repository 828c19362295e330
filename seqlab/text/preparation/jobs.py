"""What a worker process does with chunks of a spool: cut them into tokens, or learn byte pairs from them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..tokenizers.bpe import sample_blocks, train_bpe
from ..tokenizers.segmenters import Segmenter
from ..tokenizers.table import TOKENIZERS
from ..tokenizers.vocab import EOS
from .spool import Chunk

_SPACE = np.zeros(256, bool)
_SPACE[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = True


MEMORY = 32 << 20
"""Bytes that a worker's segmenter may remember before a fresh one takes over."""


class Segmented(NamedTuple):
    """A chunk as tokens.

    worker: the process. fresh: whether it starts counting types anew. types, indices: as in `Segments`.
    ends: where the tokens of each document that ends in the chunk end. words: number of stretches of non-space;
    `begins_in_word` and `ends_in_word` tell whether the first and the last of them may continue in the
    neighbouring chunk.
    """

    worker: int
    fresh: bool
    types: list[str]
    indices: np.ndarray
    ends: np.ndarray
    words: int
    begins_in_word: bool
    ends_in_word: bool


class ChunkSegmenter:
    """A job: chunk -> Segmented. With `close` an `<eos>` follows every document that the tokenizer closes."""

    def __init__(self, kind: str, options: dict[str, Any], close: bool):
        self.tokenizer, self.close = TOKENIZERS[kind](**options), close
        self.segmenter: Segmenter | None = None

    def __call__(self, chunk: Chunk) -> Segmented:
        texts, ended = chunk.documents(), len(chunk.ends)
        fresh = self.segmenter is None or self.segmenter.size > MEMORY
        if self.segmenter is None or fresh:
            self.segmenter = self.tokenizer.segmenter()
        types, indices, ends = self.segmenter.feed(texts)
        if self.close:  # `<eos>` is the first type, whatever the texts hold
            types = [EOS, *types] if fresh else types
            needs = np.zeros(len(texts), bool)
            needs[:ended] = [self.tokenizer.closes(text) for text in texts[:ended]]
            indices = np.insert(indices.astype(np.uint32) + 1, ends[needs], 0)
            ends = ends + np.cumsum(needs)
        return Segmented(
            os.getpid(),
            fresh,
            types,
            indices,
            ends[:ended],
            sum(map(count_words, texts)),
            not chunk.opens and not texts[0][0].isspace(),
            len(texts) > ended and not texts[-1][-1].isspace(),
        )


def count_words(text: str) -> int:
    """`len(text.split())`, without making the words where the text is long and ASCII."""
    if len(text) < 1000 or not text.isascii():
        return len(text.split())
    space = _SPACE[np.frombuffer(text.encode("ascii"), np.uint8)]
    return int(np.count_nonzero(space[:-1] & ~space[1:])) + int(not space[0])


def bpe_trainer(vocab_size: int, most: int) -> Callable[[tuple[str, int]], dict[str, Any]]:
    """A job: (path, end) -> options of a `BpeTokenizer` trained on `most` of the file's first `end` bytes."""

    def train(item: tuple[str, int]) -> dict[str, Any]:
        return train_bpe(sample_blocks(*item, most), vocab_size).options

    return train
