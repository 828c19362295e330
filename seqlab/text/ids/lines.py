"""The lines of a list: in another order every pass for training, each from its own beginning for evaluation.

Training lays the shuffled lines end to end and reads them as it reads any text: no window is cut and nothing is padded,
so a list trains as fast as prose. Before every line stands another one by chance, so the model learns to forget it at
`<eos>`; that measured better than a state set to zero at every line (benchmarks/LOG.md, 'Lists').

Shapes: L lines, B rows, T time steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from .batches import IGNORE, Batch, StreamReader
from .spelling import StoredIds
from .token_file import TokenFile


def line_lengths(tokens: TokenFile) -> np.ndarray:
    """(L,) tokens of every line, its `<eos>` included."""
    return np.diff(tokens.documents, append=len(tokens))


class ShuffledLines:
    """A list with its lines in another order; only the tokens that are read are looked up.

    Attributes:
        documents: (L,) where each line begins in this order.
        spelt: the same order of the ids for a model that reads characters, None where there are none.
    """

    def __init__(self, ids: StoredIds, starts_L: np.ndarray, lengths_L: np.ndarray, spelt: StoredIds | None = None):
        """`starts_L`, `lengths_L`: where the lines begin in `ids`, in the order to be read, and their lengths."""
        self.ids, self.starts_L, self.lengths_L = ids, starts_L, lengths_L
        self.documents = np.concatenate([[0], np.cumsum(lengths_L)[:-1]])
        self.spelt = None if spelt is None else ShuffledLines(spelt, starts_L, lengths_L)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: slice) -> np.ndarray:
        start, stop, _ = index.indices(len(self))
        if start >= stop:
            return self.ids[0:0]
        low, high = np.searchsorted(self.documents, [start, stop - 1], "right").tolist()
        starts, lengths = self.starts_L[low - 1 : high].copy(), self.lengths_L[low - 1 : high].copy()
        skipped, missing = start - int(self.documents[low - 1]), int(self.documents[high - 1]) + int(lengths[-1]) - stop
        starts[0] += skipped
        lengths[0] -= skipped
        lengths[-1] -= missing
        if isinstance(self.ids, TokenFile) and len(self.ids.shards) == 1:  # one look-up, not one for every line
            places = np.arange(stop - start) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
            return self.ids.shards[0][places]
        return np.concatenate([self.ids[a : a + n] for a, n in zip(starts.tolist(), lengths.tolist(), strict=True)])


class LineReader(StreamReader):
    """Training over many passes of a list, its lines in an order of chance that `seed` and pass decide."""

    def __init__(self, tokens: TokenFile, batch_size: int, start_id: int, seed: int = 0):
        self.list, self.lengths_L = tokens, line_lengths(tokens)
        super().__init__(tokens, batch_size, start_id, seed)

    def _begin(self, batch_size: int) -> None:
        self._shuffle()
        super()._begin(batch_size)

    def _shuffle(self) -> None:
        order_L = np.random.default_rng([self.seed, self.passes]).permutation(len(self.lengths_L))
        starts_L, lengths_L = self.list.documents[order_L], self.lengths_L[order_L]
        self.tokens = ShuffledLines(self.list, starts_L, lengths_L, self.list.spelt)

    def load_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        super().load_arrays(arrays)
        self._shuffle()


def read_rows(
    tokens: TokenFile, starts_B: np.ndarray, lengths_B: np.ndarray, offset: int, width: int, start_id: int
) -> Batch:
    """The targets [offset, offset + width) of lines side by side, IGNORE behind their ends; every line is read from
    `start_id` on."""
    inputs_BT = np.full((len(starts_B), width), start_id, np.int64)
    targets_BT = np.full((len(starts_B), width), IGNORE, np.int64)
    read = tokens if tokens.spelt is None else tokens.spelt
    before = min(offset, 1)
    for row, (start, length) in enumerate(zip(starts_B.tolist(), lengths_B.tolist(), strict=True)):
        count = min(length - offset, width)
        if count > 0:
            begin = start + offset
            targets_BT[row, :count] = tokens[begin : begin + count]
            inputs_BT[row, 1 - before : count] = read[begin - before : begin + count - 1]
    return Batch(inputs_BT, targets_BT)


class LineWindow(NamedTuple):
    """A window of lines. places_BT: where in the text its targets are. begins: whether the state is to begin anew."""

    batch: Batch
    places_BT: np.ndarray
    begins: bool


def line_windows(tokens: TokenFile, streams: int, window: int, start_id: int) -> Iterator[LineWindow]:
    """Every line of a list for evaluation, each token once: lines of about one length side by side, longest first, so
    that next to nothing is padding. Of lines as long as a `window`, `streams` come together; of shorter ones, more."""
    lengths_L = line_lengths(tokens)
    order_L = np.argsort(-lengths_L, kind="stable")
    begin = 0
    while begin < len(order_L):
        count = max(1, streams * window // min(int(lengths_L[order_L[begin]]), window))
        rows = order_L[begin : begin + count]
        begin += count
        starts_B, lengths_B = tokens.documents[rows], lengths_L[rows]
        for offset in range(0, int(lengths_B[0]), window):
            width = min(window, int(lengths_B[0]) - offset)
            batch = read_rows(tokens, starts_B, lengths_B, offset, width, start_id)
            yield LineWindow(batch, starts_B[:, None] + np.arange(offset, offset + width), offset == 0)


def chosen_lines(tokens: TokenFile, limit: int) -> np.ndarray:
    """Lines evenly spaced over a list, at least one and of about `limit` tokens together."""
    lines = len(tokens.documents)
    count = min(lines, max(1, int(lines * limit / max(1, len(tokens)))))
    return np.unique(np.linspace(0, lines - 1, count).astype(np.int64))


def places_of_lines(tokens: TokenFile, chosen: np.ndarray) -> np.ndarray:
    """Where in a list the tokens of some of its lines are, in ascending order."""
    starts, lengths = tokens.documents[chosen], line_lengths(tokens)[chosen]
    return np.arange(int(lengths.sum())) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)


def some_lines(tokens: TokenFile, limit: int) -> TokenFile:
    """About `limit` tokens of a list: the `chosen_lines`."""
    lengths_L, chosen = line_lengths(tokens), chosen_lines(tokens, limit)
    parts = [
        slice(start, start + length) for start, length in zip(tokens.documents[chosen], lengths_L[chosen], strict=True)
    ]
    some = TokenFile.of(np.concatenate([tokens[part] for part in parts]))
    some.lines, some.documents = True, np.concatenate([[0], np.cumsum(lengths_L[chosen])[:-1]])
    if tokens.spelt is not None:
        some.spelt = np.concatenate([tokens.spelt[part] for part in parts])
        some.extra_words = tokens.extra_words
    return some
