"""The compiled training loop: minibatched windows with shared noise (Ji et al. 2016, https://arxiv.org/abs/1604.04661).

For one centre word, all contexts share one set of K noise words. With X the contexts' input vectors (M, D) and Y the
output vectors of the centre and its noise (J = K + 1, D), the scores are X Y^T, the objective turns them into G
(M, J), and both updates use the old values: X += lr G Y, Y += lr G^T X. Rows touched fall from M (K + 2) to
M + K + 1, and three small matrix products with compile-time sizes do the work. CBOW is the same with one row: the
mean of the contexts.

Threads run this without locks over ranges of their own and share the two matrices (Hogwild,
https://arxiv.org/abs/1106.5730); one thread alone gives the same bits every time.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from ....base import numerics
from ....base.compiled import simd
from ....base.compiled.simd import (
    CACHE_LINE,
    LANES,
    add_rows,
    copy_row,
    dot_rows,
    mean_of_rows,
    padded,
    prefetch_row,
    subtract_row,
)
from ..losses import LOSSES
from .losses import FORMS, HIT, compiled

Kernel = Callable[..., tuple[float, int]]

_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
_STEP, _MIX1, _MIX2 = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_SHIFT1, _SHIFT2, _SHIFT3 = np.uint64(30), np.uint64(27), np.uint64(31)
_ONE = np.float32(1)
SLOTS = 64
"""Rows of a kernel's local block in addition to those of two windows; after as many words it is moved back."""


@compiled
def next_random(state: Any) -> Any:
    """64 random bits; `state` (1,) uint64 moves on. SplitMix64 (Steele et al. 2014, doi:10.1145/2714064.2660195)."""
    state[0] += _STEP
    z = state[0]
    z = (z ^ (z >> _SHIFT1)) * _MIX1
    z = (z ^ (z >> _SHIFT2)) * _MIX2
    return z ^ (z >> _SHIFT3)


@compiled
def random_below(limit: Any, state: Any) -> Any:
    """An integer in [0, limit), limit below 2^32, by a multiplication."""
    return np.int64(((next_random(state) >> _HALF) * np.uint64(limit)) >> _HALF)


@compiled
def keep_words(ids: Any, rows: Any, keep: Any, state: Any, kept: Any) -> int:
    """Write the rows of the ids that survive min-count and subsampling to `kept`; returns how many."""
    count = 0
    for position in range(ids.size):
        word = ids[position]
        if (next_random(state) >> _HALF) < keep[word]:
            kept[count] = rows[word]
            count += 1
    return count


@compiled
def draw_noise(alias_table: Any, state: Any, noise: Any) -> None:
    """Fill noise[1:] with rows drawn from an alias table (V, 2)."""
    for j in range(1, noise.size):
        random = next_random(state)
        row = np.int64(((random >> _HALF) * np.uint64(alias_table.shape[0])) >> _HALF)
        if (random & _LOW) >= alias_table[row, 0]:
            row = np.int64(alias_table[row, 1])
        noise[j] = row


@compiled
def aligned(rows: int, columns: int) -> Any:
    """A zero float32 matrix that starts at a cache line, so that no row of whole lines touches one line more."""
    buffer = np.zeros(rows * columns + CACHE_LINE // 4, np.float32)
    start = (-buffer.ctypes.data // 4) % (CACHE_LINE // 4)
    return buffer[start : start + rows * columns].reshape((rows, columns))


def _sources() -> int:
    """Checksum of the other files that are compiled into a kernel."""
    files = [Path(__file__).with_name("losses.py"), Path(simd.__file__), Path(numerics.__file__)]
    return zlib.crc32(b"".join(file.read_bytes() for file in files))


@lru_cache(maxsize=16)
def build_kernel(dim: int, samples: int, loss: str, cbow: bool = False, lanes: int = LANES) -> Kernel:
    """The training loop for one width, number of noise words and objective; compiled on the first call.

    Args:
        dim: D, columns of both matrices, a multiple of `lanes`.
        samples: K.
        loss: a name of LOSSES that is sampled.
        cbow: one prediction from the mean of the contexts instead of one from each.

    The result is called with

        ids: (N,) unsigned integers, a range of the corpus.
        starts: (S,) int64 offsets in ids where documents start, the first is 0; no window crosses one.
        rows, keep: per id, int32 word and uint32 probability to keep it times 2^32 (0: no word).
        offsets, parts: (V + 1,) int64 and (P,) int32; word w is the mean of the rows parts[offsets[w] : offsets[w + 1]]
            of inputs.
        alias_table, log_expected: of the noise, see noise.py.
        inputs: (rows, D) float32, updated in place; every part of a word gets the gradient of the word undivided, so
            that the word moves as far as one without n-grams does (as in fastText).
        outputs: (V, D) float32, updated in place.
        window: largest distance of a context.
        dynamic: whether the actual one is uniform on 1..window for every centre.
        corrected: whether CBOW divides its gradient by the number of contexts, as is right
            (https://arxiv.org/abs/2012.15332) and word2vec does not.
        lr, seed: float32 learning rate (0 leaves everything as it is), uint64 start of the random numbers.

    and returns the sum of the losses in nats and the number of predictions.

    A word is composed when the first window reaches it, changes in a local block, and its change is added to its
    parts when the last window has left it.
    """
    form, log_corrected = FORMS[LOSSES[loss].form], LOSSES[loss].corrected
    scored = samples + 1
    width = padded(scored, lanes)
    sources = _sources()

    @njit(nogil=True, fastmath=True, boundscheck=False, error_model="numpy", cache=True)
    def train(
        ids: Any,
        starts: Any,
        rows: Any,
        keep: Any,
        offsets: Any,
        parts: Any,
        alias_table: Any,
        log_expected: Any,
        inputs: Any,
        outputs: Any,
        window: int,
        dynamic: bool,
        corrected: bool,
        lr: Any,
        seed: Any,
    ) -> tuple[float, int]:
        _ = sources  # in the key of numba's disk cache, which otherwise watches this file only
        state = np.array([seed], np.uint64)
        kept = np.empty(ids.size, np.int64)
        noise, drawn = np.empty(scored, np.int64), np.empty(scored, np.int64)
        offsets_J = np.full(width, HIT)
        slots = 2 * window + SLOTS
        X_SD, before_SD = aligned(slots, dim), aligned(slots, dim)
        Y_JD, G_MJ = aligned(scored, dim), aligned(2 * window, width)
        mean_D, share = aligned(1, dim), np.empty(1, np.float32)
        one = np.ones(1, np.float32)
        loss_sum, predictions = 0.0, 0
        draw_noise(alias_table, state, drawn)
        for document in range(starts.size):
            end = starts[document + 1] if document + 1 < starts.size else ids.size
            count = keep_words(ids[starts[document] : end], rows, keep, state, kept)
            base, entered, gone = 0, 0, 0  # words gone .. entered - 1 are in the block, from row gone - base on
            for centre in range(count):
                while entered < min(count, centre + window + 1):
                    if entered - base == slots:
                        for i in range(entered - gone):
                            copy_row(X_SD, i, X_SD, i + gone - base, dim, lanes)
                            copy_row(before_SD, i, before_SD, i + gone - base, dim, lanes)
                        base = gone
                    word, i = kept[entered], entered - base
                    start = offsets[word]
                    mean_of_rows(X_SD, i, inputs, parts, start, offsets[word + 1] - start, dim, lanes)
                    copy_row(before_SD, i, X_SD, i, dim, lanes)
                    entered += 1
                reach = 1 + random_below(window, state) if dynamic else window
                left, right = min(reach, centre), min(reach, count - 1 - centre)
                found = left + right
                if found > 0:
                    drawn[0] = kept[centre]
                    for j in range(scored):
                        row = drawn[j]
                        noise[j] = row
                        offsets_J[j] = log_expected[row] if log_corrected else np.float32(0)
                        if j > 0 and row == drawn[0]:
                            offsets_J[j] = HIT
                        copy_row(Y_JD, j, outputs, row, dim, lanes)
                    draw_noise(alias_table, state, drawn)  # one window ahead, so that memory has time to answer
                    for j in range(1, scored):
                        prefetch_row(outputs, drawn[j], dim)
                    prefetch_row(outputs, kept[min(centre + 1, count - 1)], dim)
                    following = kept[min(centre + 2 + window, count - 1)]
                    for part in range(offsets[following], offsets[following + 1]):
                        prefetch_row(inputs, np.int64(parts[part]), dim)
                    first = centre - left - base
                    m = found
                    if cbow:
                        m = 1
                        share[0] = _ONE / np.float32(found)
                        mean_D[:] = np.float32(0)
                        add_rows(mean_D, 0, share, 0, 0, X_SD, first, left, found, dim, lanes)
                        dot_rows(G_MJ, 0, mean_D, 0, Y_JD, dim, scored, lanes)
                    else:
                        for i in range(m):
                            dot_rows(G_MJ, i, X_SD, first + i + (i >= left), Y_JD, dim, scored, lanes)
                    loss_sum += form(G_MJ, m, offsets_J, width)
                    predictions += m
                    for i in range(m):
                        for j in range(width):
                            G_MJ[i, j] *= lr
                    if cbow:
                        for j in range(scored):
                            add_rows(outputs, noise[j], G_MJ, j, width, mean_D, 0, 1, 1, dim, lanes)
                        mean_D[:] = np.float32(0)
                        add_rows(mean_D, 0, G_MJ, 0, 1, Y_JD, 0, scored, scored, dim, lanes)
                        if not corrected:
                            share[0] = _ONE
                        for i in range(found):
                            add_rows(X_SD, first + i + (i >= left), share, 0, 0, mean_D, 0, 1, 1, dim, lanes)
                    else:
                        for j in range(scored):
                            add_rows(outputs, noise[j], G_MJ, j, width, X_SD, first, left, m, dim, lanes)
                        for i in range(m):
                            row = first + i + (i >= left)
                            add_rows(X_SD, row, G_MJ, i * width, 1, Y_JD, 0, scored, scored, dim, lanes)
                last = centre - window if centre + 1 < count else centre
                while gone <= last:
                    word, i = kept[gone], gone - base
                    subtract_row(before_SD, i, X_SD, before_SD, dim, lanes)
                    for part in range(offsets[word], offsets[word + 1]):
                        add_rows(inputs, np.int64(parts[part]), one, 0, 0, before_SD, i, 1, 1, dim, lanes)
                    gone += 1
        return loss_sum, predictions

    return train
