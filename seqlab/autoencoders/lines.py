"""Lines as batches: the lines of a text that are short enough, in another order every pass, and with noise.

Shapes: L lines, B lines of a batch, T tokens of the longest of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from ..base.errors import InputError, option
from ..base.printing import printable
from ..text import Batch, Corpus, TokenFile
from ..text.ids.batches import StreamReader
from ..text.ids.lines import line_lengths, read_rows

LONGEST, SHARE = 100, 0.95
"""Tokens that lines are of at most by default, and the share of lines that fit where that is less."""
POOL = 50
"""Batches whose lines are sorted by length together: little padding, and still another company every pass."""
AT_ONCE = 4096
"""Tokens of a batch that is only evaluated."""


def longest_line(train: TokenFile, wanted: int | None) -> int:
    """Tokens that lines may have: what was asked for, else as many as 19 of 20 lines have, 100 at most."""
    return wanted or max(2, min(LONGEST, int(np.quantile(line_lengths(train), SHARE, method="higher"))))


def short_lines(tokens: TokenFile, longest: int) -> TokenFile:
    """The lines of at most so many tokens, ends included, that hold more than their end. Their characters, bytes, words
    and unknown words are taken to be as many for a token as elsewhere."""
    lengths_L = line_lengths(tokens)
    chosen = np.flatnonzero((lengths_L > 1) & (lengths_L <= longest))
    if len(chosen) == len(lengths_L):
        return tokens
    starts = tokens.documents[chosen].tolist()
    places = [slice(start, start + length) for start, length in zip(starts, lengths_L[chosen].tolist(), strict=True)]
    short = lines_of([tokens[place] for place in places], tokens.dtype)
    if tokens.spelt is not None and places:
        short.spelt, short.extra_words = np.concatenate([tokens.spelt[one] for one in places]), tokens.extra_words
    share, counts = len(short) / len(tokens), tokens.counts
    scaled = {name: round(share * getattr(counts, name)) for name in ("characters", "bytes", "words", "unknown")}
    short.counts = replace(short.counts, **scaled)
    return short


def lines_of(lines: list[np.ndarray], dtype: np.dtype | type = np.uint32) -> TokenFile:
    """A token file of lines that are given by their ids, ends included."""
    lengths_L = np.array([len(one) for one in lines], np.int64)
    ids = np.concatenate(lines).astype(dtype) if lines else np.zeros(0, dtype)
    counts = replace(TokenFile.of(ids).counts, documents=len(lines))
    tokens = TokenFile([ids], np.concatenate([[0], np.cumsum(lengths_L)[:-1]])[: len(lines)], counts)
    tokens.lines = True
    return tokens


def short_corpus(corpus: Corpus, longest: int, source: str) -> Corpus:
    """A corpus without its empty and its long lines.

    Raises:
        InputError: hardly a line is left, or there is no validation text.
    """
    splits = {name: short_lines(split, longest) for name, split in corpus.splits.items()}
    for name in ("train", "valid"):
        if name in splits and len(splits[name].documents) < 2:
            where = "the text" if name == "train" else "its validation text"
            raise InputError(
                f"{printable(source)}: {where} has {len(splits[name].documents)} lines of at most {longest:,} tokens, "
                f"where two are needed; give a longer text, or a larger {option('max_length')}."
            )
    short = Corpus(corpus.path, corpus.header, corpus.tokenizer, splits)
    vars(short)["digest"] = corpus.digest  # it is that text still: what is left out follows from the settings
    return short


class BatchReader(StreamReader):
    """Training over many passes of a list, a window being a batch of whole lines of about one length; the order of the
    lines is one of chance that seed and pass decide.

    Attributes:
        place: batches of this pass that were read.
    """

    def __init__(self, tokens: TokenFile, batch_size: int, start_id: int, seed: int = 0):
        self.list, self.lengths_L = tokens, line_lengths(tokens)
        self.read_tokens = 0
        super().__init__(tokens, min(batch_size, len(self.lengths_L)), start_id, seed)

    def _begin(self, batch_size: int) -> None:
        self.wanted, self.place = batch_size, 0
        rng = np.random.default_rng([self.seed, self.passes])
        order_L, pooled = rng.permutation(len(self.lengths_L)), []
        for begin in range(0, len(order_L), POOL * batch_size):
            pool = order_L[begin : begin + POOL * batch_size]
            pooled.append(pool[np.argsort(self.lengths_L[pool], kind="stable")])
        order_L = np.concatenate(pooled)
        self.batches = [order_L[at : at + batch_size] for at in range(0, len(order_L), batch_size)]
        rng.shuffle(self.batches)

    @property
    def chosen_B(self) -> np.ndarray:
        """The lines of the next batch."""
        return self.batches[self.place]

    @property
    def batch_size(self) -> int:
        return len(self.chosen_B)

    @property
    def remaining(self) -> int:
        return int(self.lengths_L[self.chosen_B].max())

    @property
    def consumed(self) -> int:
        return self.read_tokens

    def tokens_in(self, width: int) -> int:
        return int(self.lengths_L[self.chosen_B].sum())

    def read(self, width: int, rows: slice = slice(None)) -> Batch:
        return batch_of(self.list, self.chosen_B, self.lengths_L, self.start_id)

    def advance(self, width: int) -> bool:
        self.read_tokens += self.tokens_in(width)
        self.place += 1
        if self.place < len(self.batches):
            return False
        self.passes += 1
        self._begin(self.wanted)
        return True

    def arrays(self) -> dict[str, np.ndarray]:
        return {"place": np.array([self.passes, self.place, self.read_tokens])}

    def load_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        passes, place, read_tokens = arrays["place"].tolist()
        self.passes, self.read_tokens = passes, read_tokens
        self._begin(self.wanted)
        if not 0 <= place < len(self.batches):
            raise ValueError(f"there is no batch {place + 1} of {len(self.batches)}")
        self.place = place


def batch_of(tokens: TokenFile, chosen_B: np.ndarray, lengths_L: np.ndarray, start_id: int) -> Batch:
    """Whole lines side by side, padded to the longest."""
    starts_B, lengths_B = tokens.documents[chosen_B], lengths_L[chosen_B]
    return read_rows(tokens, starts_B, lengths_B, 0, int(lengths_B.max()), start_id)


def batches_of(
    tokens: TokenFile, start_id: int, chosen: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Lines for evaluation, each once: (numbers of the lines, the batch), long ones first."""
    lengths_L = line_lengths(tokens)
    chosen = np.arange(len(lengths_L)) if chosen is None else chosen
    order = chosen[np.argsort(-lengths_L[chosen], kind="stable")]
    while len(order):
        count = max(1, AT_ONCE // int(lengths_L[order[0]]))
        yield order[:count], batch_of(tokens, order[:count], lengths_L, start_id)
        order = order[count:]


def noised(
    targets_BT: np.ndarray, delete: float, swap: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Lines with tokens deleted and neighbours swapped, but for their ends (Hill et al. 2016,
    https://arxiv.org/abs/1602.03483): what an encoder reads that learns to be robust.

    Args:
        targets_BT: ids, negative behind the ends of the lines.
        delete: chance of each token to be left out; a line keeps one at least.
        swap: chance of each pair of neighbours, taken from the left without overlap, to change places.
        rng: where chance comes from.

    Returns:
        ids_BT, 0 behind their ends, and lengths_B.
    """
    ids_BT, lengths_B = np.zeros_like(targets_BT), np.zeros(len(targets_BT), np.int64)
    for row, line in enumerate(targets_BT):
        *words, end = line[line >= 0].tolist()
        kept = [word for word, chance in zip(words, rng.random(len(words)), strict=True) if chance >= delete]
        kept = kept or words[:1]
        for at in range(0, len(kept) - 1, 2):
            if rng.random() < swap:
                kept[at], kept[at + 1] = kept[at + 1], kept[at]
        ids_BT[row, : len(kept) + 1], lengths_B[row] = [*kept, end], len(kept) + 1
    return ids_BT, lengths_B
