"""A token file as parallel streams in order, for truncated back-propagation through time.

Shapes: B streams, T time steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .token_file import TokenFile

IGNORE = -1
"""Target of a padded position: no token is to be predicted there."""


class Batch(NamedTuple):
    """inputs_BT: int64 ids to read; targets_BT: int64 ids to predict, IGNORE where there is none."""

    inputs_BT: np.ndarray
    targets_BT: np.ndarray


class _Streams:
    """B stretches of a token file, read window by window; the input of a target is the token before it."""

    def __init__(self, tokens: TokenFile, starts: np.ndarray, ends: np.ndarray, bptt: int, start_id: int):
        self.tokens, self.bptt, self.start_id = tokens, bptt, start_id
        self.starts, self.ends = starts.tolist(), ends.tolist()
        self.longest = max(end - start for start, end in zip(self.starts, self.ends, strict=True))

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
        inputs_BT = np.full((len(self.starts), width), self.start_id, np.int64)
        targets_BT = np.full((len(self.starts), width), IGNORE, np.int64)
        for row, (start, end) in enumerate(zip(self.starts, self.ends, strict=True)):
            begin, stop = start + first, min(start + first + width, end)
            before = min(begin, 1)  # the very first target has no token before it
            ids = self.tokens[begin - before : stop]
            targets_BT[row, : stop - begin] = ids[before:]
            inputs_BT[row, 1 - before : stop - begin] = ids[: stop - begin - 1 + before]
        return Batch(inputs_BT, targets_BT)


class Batches(_Streams):
    """Training: `batch_size` streams of equal length, stream b beginning at token b * (N // batch_size).

    The input of every target is the token before it in the file, `start_id` for the very first. Fewer than
    `batch_size` tokens at the end of the file are left out; InputError when the text is no longer than that.
    """

    def __init__(self, tokens: TokenFile, batch_size: int, bptt: int, start_id: int):
        length = len(tokens) // batch_size
        if not length:
            raise InputError(
                f"the text has only {len(tokens):,} tokens for batch_size = {batch_size}; "
                "give more text or a smaller batch_size."
            )
        starts = np.arange(batch_size) * length
        super().__init__(tokens, starts, starts + length, bptt, start_id)


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
