"""What a worker process does with chunks of a spool: cut them into tokens, or learn byte pairs from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .bpe import sample_blocks, train_bpe
from .spool import Chunk
from .tokenizer import Tokenizer
from .tokenizers import TOKENIZERS
from .vocab import EOS

_SPACE = np.zeros(256, bool)
_SPACE[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = True


class Segmented(NamedTuple):
    """A chunk as tokens: types and indices as in `Segments`.

    ends: where the tokens of each document that ends in the chunk end. words: number of stretches of non-space;
    `begins_in_word` and `ends_in_word` tell whether the first and the last of them may continue in the
    neighbouring chunk.
    """

    types: list[str]
    indices: np.ndarray
    ends: np.ndarray
    words: int
    begins_in_word: bool
    ends_in_word: bool


def segmenter(kind: str, options: dict[str, Any], close: bool) -> Callable[[Chunk], Segmented]:
    """A job: chunk -> Segmented; `close` puts an `<eos>` after every document that its tokenizer closes."""
    tokenizer = TOKENIZERS[kind](**options)

    def segment(chunk: Chunk) -> Segmented:
        texts = chunk.documents()
        ended = len(chunk.ends)
        types, indices, ends = tokenizer.segment_all(texts)
        if close:
            types, indices, ends = _closed(tokenizer, texts[:ended], types, indices, ends)
        return Segmented(
            types,
            indices,
            ends[:ended],
            sum(map(count_words, texts)),
            not chunk.opens and not texts[0][0].isspace(),
            len(texts) > ended and not texts[-1][-1].isspace(),
        )

    return segment


def _closed(
    tokenizer: Tokenizer, ended: list[str], types: list[str], indices: np.ndarray, ends: np.ndarray
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The same tokens with an `<eos>` after the texts that have `ended` and need one."""
    needs = np.zeros(len(ends), np.int64)
    needs[: len(ended)] = [tokenizer.closes(text) for text in ended]
    if not needs.any():
        return types, indices, ends
    types = types if EOS in types else [*types, EOS]
    wide = indices if len(types) <= np.iinfo(indices.dtype).max else indices.astype(np.uint32)
    indices = np.insert(wide, ends[needs > 0], types.index(EOS))
    return types, indices, ends + np.cumsum(needs)


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
