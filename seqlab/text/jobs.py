"""What a worker process does with chunks of a spool: cut them into tokens, or learn byte pairs from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .bpe import sample_blocks, train_bpe
from .spool import Chunk
from .tokenizers import TOKENIZERS
from .vocab import EOS

_SPACE = np.zeros(256, bool)
_SPACE[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = True


class Segmented(NamedTuple):
    """A chunk as tokens: distinct types in order of first appearance, and the index of each token's type.

    words: number of stretches of non-space; `begins_in_word` and `ends_in_word` tell whether the first and
    the last of them may continue in the neighbouring chunk.
    """

    types: list[str]
    indices: np.ndarray
    words: int
    begins_in_word: bool
    ends_in_word: bool


def segmenter(kind: str, options: dict[str, Any]) -> Callable[[tuple[Chunk, bool]], Segmented]:
    """A job: (chunk, close) -> Segmented; `close` puts an `<eos>` after it if the tokenizer wants one."""
    tokenizer = TOKENIZERS[kind](**options)

    def segment(item: tuple[Chunk, bool]) -> Segmented:
        chunk, close = item
        text = chunk.read()
        types, indices = tokenizer.segment(text)
        if close and tokenizer.closes(text):
            if EOS not in types:
                types.append(EOS)
            indices = np.append(indices.astype(np.uint32), np.uint32(types.index(EOS)))
        return Segmented(types, indices, count_words(text), not text[0].isspace(), not text[-1].isspace())

    return segment


def count_words(text: str) -> int:
    """`len(text.split())`, without making the words where the text is ASCII."""
    if not text.isascii():
        return len(text.split())
    space = _SPACE[np.frombuffer(text.encode("ascii"), np.uint8)]
    return int(np.count_nonzero(space[:-1] & ~space[1:])) + int(len(space) > 0 and not space[0])


def bpe_trainer(vocab_size: int, most: int) -> Callable[[tuple[str, int]], dict[str, Any]]:
    """A job: (path, end) -> options of a `BpeTokenizer` trained on `most` of the file's first `end` bytes."""

    def train(item: tuple[str, int]) -> dict[str, Any]:
        return train_bpe(sample_blocks(*item, most), vocab_size).options

    return train
