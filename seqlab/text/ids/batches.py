"""A token file as parallel streams in order, for truncated back-propagation through time.

Shapes: B streams, T time steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np

from ...base.errors import InputError
from .spelling import StoredIds
from .token_file import TokenFile

IGNORE = -1
"""Target of a padded position: no token is to be predicted there."""


class Batch(NamedTuple):
    """inputs_BT: int64 ids to read; targets_BT: int64 ids to predict, IGNORE where there is none."""

    inputs_BT: np.ndarray
    targets_BT: np.ndarray


class Readable(StoredIds, Protocol):
    """Tokens as windows are read of them: a `TokenFile`, or its lines in another order."""

    documents: np.ndarray

    @property
    def spelt(self) -> StoredIds | None: ...


def read_window(tokens: Readable, begins: np.ndarray, stops: np.ndarray, width: int, start_id: int) -> Batch:
    """Targets [begin, stop) of every stream with the token before each as its input, padded to `width`. Inputs are
    read as `tokens.spelt` has them, where it is known."""
    inputs_BT = np.full((len(begins), width), start_id, np.int64)
    targets_BT = np.full((len(begins), width), IGNORE, np.int64)
    for row, (begin, stop) in enumerate(zip(begins.tolist(), stops.tolist(), strict=True)):
        before = min(begin, 1)  # the very first target has no token before it
        ids = tokens[begin - before : stop]
        read = ids if tokens.spelt is None else tokens.spelt[begin - before : stop]
        targets_BT[row, : stop - begin] = ids[before:]
        inputs_BT[row, 1 - before : stop - begin] = read[: stop - begin - 1 + before]
    return Batch(inputs_BT, targets_BT)


class _Streams:
    """B stretches of a token file, read window by window; the input of a target is the token before it."""

    def __init__(self, tokens: TokenFile, starts: np.ndarray, ends: np.ndarray, bptt: int, start_id: int):
        self.tokens, self.bptt, self.start_id = tokens, bptt, start_id
        self.starts, self.ends = starts, ends
        self.longest = int((ends - starts).max())

    def __len__(self) -> int:
        """Windows of one pass."""
        return -(-self.longest // self.bptt)

    def __iter__(self) -> Iterator[Batch]:
        return (self.window(number) for number in range(len(self)))

    def window(self, number: int) -> Batch:
        """The window of all streams at that place; the last one may be shorter than `bptt`."""
        if not 0 <= number < len(self):
            raise IndexError(f"window {number} of {len(self)}")
        first = number * self.bptt
        width = min(self.bptt, self.longest - first)
        begins = self.starts + first
        return read_window(self.tokens, begins, np.minimum(begins + width, self.ends), width, self.start_id)


class Batches(_Streams):
    """One pass for training: `batch_size` streams of equal length, stream b beginning at token b * (N // batch_size).

    The input of every target is the token before it in the file, `start_id` for the very first. Fewer than
    `batch_size` tokens at the end of the file are left out; InputError when the text is no longer than that.
    """

    def __init__(self, tokens: TokenFile, batch_size: int, bptt: int, start_id: int):
        length = stream_length(tokens, batch_size)
        starts = np.arange(batch_size) * length
        super().__init__(tokens, starts, starts + length, bptt, start_id)


def stream_length(tokens: StoredIds, batch_size: int) -> int:
    """Tokens of each of `batch_size` equal streams. Raises InputError when there is none for each."""
    length = len(tokens) // batch_size
    if not length:
        raise InputError(
            f"the text has only {len(tokens):,} tokens for batch_size = {batch_size}; "
            "give more text or a smaller batch_size."
        )
    return length


class StreamReader:
    """Training over many passes, in windows of any width, with a number of streams that may grow.

    A pass reads the streams of `Batches`. When they grow k-fold in the middle of a pass, what each of them has left is
    cut into k equal stretches, which become streams beside one another: nothing is read twice, and fewer than k tokens
    a stream are left out of that pass.

    Attributes:
        starts: (B,) first token of every stream.
        length: tokens of each stream.
        offset: tokens of each stream read so far.
        passes: passes finished.
    """

    def __init__(self, tokens: TokenFile, batch_size: int, start_id: int, seed: int = 0):
        """`seed` decides the order of a text that is read in one of chance."""
        self.tokens: Readable = tokens
        self.start_id, self.seed, self.passes = start_id, seed, 0
        self._begin(batch_size)

    def _begin(self, batch_size: int) -> None:
        self.length, self.offset = stream_length(self.tokens, batch_size), 0
        self.starts = np.arange(batch_size) * self.length

    @property
    def batch_size(self) -> int:
        """B."""
        return len(self.starts)

    @property
    def remaining(self) -> int:
        """Tokens each stream has left in this pass; never 0."""
        return self.length - self.offset

    @property
    def consumed(self) -> int:
        """Tokens of the text passed by so far, the few left out included: N for every pass."""
        return (self.passes + 1) * len(self.tokens) - self.batch_size * self.remaining

    def tokens_in(self, width: int) -> int:
        """Targets of a window of all streams."""
        return width * self.batch_size

    def read(self, width: int, rows: slice = slice(None)) -> Batch:
        """The next `width` (at most `remaining`) tokens of the streams `rows`."""
        begins = self.starts[rows] + self.offset
        return read_window(self.tokens, begins, begins + width, width, self.start_id)

    def document_starts(self, width: int, rows: slice = slice(None)) -> np.ndarray:
        """Which targets of `read(width, rows)` are the first of a document: (B, width) bool."""
        begins, documents = self.starts[rows] + self.offset, self.tokens.documents
        first_BT = np.zeros((len(begins), width), bool)
        edges = np.searchsorted(documents, [begins, begins + width]).T.tolist()
        for row, (low, high) in enumerate(edges):
            first_BT[row, documents[low:high] - begins[row]] = True
        return first_BT

    def advance(self, width: int) -> bool:
        """Go on by `width` tokens. Returns whether the pass ended: the streams then begin anew, elsewhere."""
        self.offset += width
        if self.remaining:
            return False
        self.passes += 1
        self._begin(self.batch_size)
        return True

    def grow(self, batch_size: int) -> bool:
        """Read `batch_size` streams, a multiple of those so far, from here on: stream b becomes the streams
        b k ... b k + k - 1. Returns whether too little was left for that, so that the next pass begins instead."""
        factor = batch_size // self.batch_size
        length = self.remaining // factor
        if not length:
            self.passes += 1
            self._begin(batch_size)
            return True
        self.starts = ((self.starts + self.offset)[:, None] + np.arange(factor) * length).ravel()
        self.length, self.offset = length, 0
        return False

    def arrays(self) -> dict[str, np.ndarray]:
        """The place in the text, for exact resume."""
        return {"starts": self.starts, "place": np.array([self.length, self.offset, self.passes])}

    def load_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from `arrays()`.

        Raises:
            ValueError: a place outside the text.
        """
        starts = arrays["starts"]
        length, offset, passes = map(int, arrays["place"])
        inside = starts.ndim == 1 and len(starts) and starts.min() >= 0 and starts.max() <= len(self.tokens) - length
        if not (inside and starts.dtype == np.int64 and 0 <= offset < length and passes >= 0):
            raise ValueError("its place is not within the text")
        self.starts, self.length, self.offset, self.passes = starts, length, offset, passes


class EvaluationBatches(_Streams):
    """Evaluation: every token is a target exactly once, in at most `batch_size` streams.

    Streams differ in length by one token at most; the shorter ones end in an IGNORE target.
    """

    def __init__(self, tokens: TokenFile, batch_size: int, bptt: int, start_id: int):
        batch_size = min(batch_size, len(tokens))
        if not batch_size:
            raise InputError("the text has no tokens to evaluate.")
        borders = np.arange(batch_size + 1) * len(tokens) // batch_size
        super().__init__(tokens, borders[:-1], borders[1:], bptt, start_id)


class SpreadBatches(_Streams):
    """Evaluation of a sample of a text: `count` tokens in stretches spread evenly over it, each read after the tokens
    that stand before it.

    Attributes:
        warm_up: those tokens, to be read first. Streams of `fresh_B` begin at the start of the text and read nothing.
    """

    def __init__(self, tokens: TokenFile, count: int, bptt: int, start_id: int, stretches: int, warm_up: int):
        count = min(count, len(tokens))
        if not count:
            raise InputError("the text has no tokens to evaluate.")
        stretches = min(stretches, count)
        lengths = np.full(stretches, count // stretches) + (np.arange(stretches) < count % stretches)
        gaps = np.arange(stretches) * (len(tokens) - count) // max(1, stretches - 1)
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]) + gaps
        super().__init__(tokens, starts, starts + lengths, bptt, start_id)
        width = min(warm_up, int(starts[1])) if stretches > 1 else 0
        begins = np.maximum(starts - width, 0)
        self.fresh_B = starts == 0
        self.warm_up = read_window(tokens, begins, starts, width, start_id) if width else None

    @property
    def places_N(self) -> np.ndarray:
        """Where in the text the tokens are, in ascending order."""
        return np.concatenate([np.arange(start, end) for start, end in zip(self.starts, self.ends, strict=True)])
