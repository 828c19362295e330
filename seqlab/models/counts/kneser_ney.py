"""Interpolated modified Kneser-Ney n-gram model (Chen & Goodman 1999, https://doi.org/10.1006/csla.1999.0128).

With c the counts of the longest n-grams, and for shorter ones the number of different words before them,

    P(w | h) = max(c(hw) - D(c(hw)), 0) / c(h.) + B(h) P(w | h without its first word),

where c(h.) sums over all w, B(h) is the mass that the discounts D1, D2, D3+ set free, and below one word stands 1 / V.
Every word has a probability above zero, and those of all words sum to one after any context.

Shapes: G n-grams of one length, C their contexts (n-grams a word shorter), T places, N tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import InputError
from ...base.files import load_tensors, save_tensors
from ...base.progress import Progress
from ...text import TokenFile
from .ngrams import WORD_BITS, WORD_MASK, NGrams, count_ngrams, ngram_keys

FORMAT = "seqlab kneser-ney 1"
"""What a saved model says it is."""
FALLBACK = (0.5, 1.0, 1.5)
"""D1, D2 and D3+ where a text is too small to estimate them; KenLM's `--discount_fallback` uses the same."""
BLOCK = 1 << 18
"""Tokens scored at a time."""
UNSEEN = -1
"""Number of an n-gram that never occurred; arrays over n-grams end in an entry for it."""


def estimate_discounts(counts_G: np.ndarray) -> tuple[float, float, float] | None:
    """D1, D2 and D3+ from how many n-grams have the counts 1 to 4.

    None where they cannot be estimated: one of the four kinds is missing, or a discount would not be positive. None
    ever exceeds the count it is taken from.
    """
    n1, n2, n3, n4 = (int(np.count_nonzero(counts_G == count)) for count in (1, 2, 3, 4))
    if not n1 * n2 * n3 * n4:
        return None
    y = n1 / (n1 + 2 * n2)
    discounts = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    return discounts if min(discounts) > 0 else None


def memory_bound(tokens: int, order: int) -> int:
    """Bytes that training takes at most, beyond the ids themselves: as if no n-gram occurred twice. At order 5 that is
    165 a token, of which WikiText-2 takes 100; the model keeps about 25 for every different n-gram."""
    return tokens * (28 * order + 25)


class Level:
    """The n-grams of one length, ready to be asked.

    estimated: whether the discounts come from the text, and not from FALLBACK.
    """

    def __init__(self, ngrams: NGrams, contexts: int):
        self.ngrams = ngrams
        discounts = estimate_discounts(ngrams.counts_G)
        self.estimated = discounts is not None
        self.discounts = discounts or FALLBACK
        prefixes_G = (ngrams.keys_G >> WORD_BITS).astype(np.int64)
        discount_G = np.array([0.0, *self.discounts])[np.minimum(ngrams.counts_G, 3)]
        totals_C = np.bincount(prefixes_G, ngrams.counts_G, minlength=contexts)
        seen_C = totals_C > 0
        totals_C[~seen_C] = 1.0
        self.backoffs_C = np.ones(contexts + 1)
        self.backoffs_C[:-1][seen_C] = (np.bincount(prefixes_G, discount_G, minlength=contexts) / totals_C)[seen_C]
        self.discounted_G = np.zeros(len(prefixes_G) + 1)
        np.subtract(ngrams.counts_G, discount_G, out=self.discounted_G[:-1])
        self.discounted_G[:-1] /= totals_C[prefixes_G]

    def find(self, contexts_T: np.ndarray, words_T: np.ndarray) -> np.ndarray:
        """Numbers of the n-grams of contexts and words, UNSEEN for those that never occurred."""
        keys_G = self.ngrams.keys_G
        if not len(keys_G):
            return np.full(len(words_T), UNSEEN)
        keys_T = ngram_keys(contexts_T, words_T)
        places_T = np.minimum(np.searchsorted(keys_G, keys_T), len(keys_G) - 1)
        return np.where(keys_G[places_T] == keys_T, places_T, UNSEEN)

    def continuations(self, context: int) -> tuple[np.ndarray, np.ndarray]:
        """The words seen after a context, and their discounted probabilities."""
        keys_G = self.ngrams.keys_G
        low, high = np.searchsorted(keys_G, ngram_keys(np.array([context, context + 1]), np.zeros(2)))
        return (keys_G[low:high] & WORD_MASK).astype(np.int64), self.discounted_G[low:high]


class NGramModel:
    """P(next id | the n - 1 ids before it), the counts that a neural model has to beat.

    A text is read as in the evaluation of the neural model: one stream, in which contexts go on across lines and
    documents, and every token is predicted exactly once, the first from `start_id`.

    Args:
        ngrams: those of length 1, 2, ... n.
        vocab_size: V, up to 2^32.
        start_id: what stands before the first token.
    """

    def __init__(self, ngrams: Sequence[NGrams], vocab_size: int, start_id: int):
        self.vocab_size, self.start_id = vocab_size, start_id
        contexts = [1, *(len(one.keys_G) for one in ngrams)]
        self.levels = [Level(one, before) for one, before in zip(ngrams, contexts, strict=False)]

    @classmethod
    def train(cls, tokens: TokenFile, vocab_size: int, start_id: int, order: int = 5, quiet: bool = True) -> NGramModel:
        """Count a text. Time grows with order * tokens; memory is within `memory_bound`.

        Raises InputError for an order below 1, a text that is empty, or ids outside the vocabulary.
        """
        if order < 1:
            raise InputError(f"the order of an n-gram model is at least 1, not {order}.")
        ngrams = count_ngrams(tokens, order, start_id, quiet)
        most = int(ngrams[0].keys_G[-1])
        if not most < vocab_size <= 2**32:
            raise InputError(f"the text has the id {most:,}, which a vocabulary of {vocab_size:,} does not hold.")
        return cls(ngrams, vocab_size, start_id)

    @property
    def order(self) -> int:
        """n."""
        return len(self.levels)

    @property
    def summary(self) -> dict[str, Any]:
        """Figures by length of n-gram: how many there are and the discounts; and the lengths where these are FALLBACK
        because the text is too small, or a small vocabulary saturated, for estimates."""
        return {
            "order": self.order,
            "ngrams": [len(level.ngrams.keys_G) for level in self.levels],
            "discounts": [list(level.discounts) for level in self.levels],
            "fallback_orders": [k for k, level in enumerate(self.levels, start=1) if not level.estimated],
        }

    def log_probs(self, tokens: TokenFile, quiet: bool = True) -> np.ndarray:
        """Natural logarithm of the probability of every token of a text: (N,) float64.

        Raises InputError for an empty text or ids outside the vocabulary.
        """
        if not len(tokens):
            raise InputError("the text has no tokens to evaluate.")
        p_N = np.empty(len(tokens))
        state = self.read([self.start_id])
        with Progress("evaluating n-grams", len(tokens), "tokens", quiet=quiet) as progress:
            for start in range(0, len(tokens), BLOCK):
                stop = min(start + BLOCK, len(tokens))
                p_N[start:stop], state = self._score(tokens[start:stop].astype(np.int64), state)
                progress.update(stop)
        return np.log(p_N, out=p_N)

    def next_probs(self, context: Sequence[int]) -> np.ndarray:
        """Probability of every id after the ids of `context`, of which the last n - 1 matter: (V,) float64."""
        state = self.read(context)
        p_V = np.full(self.vocab_size, 1.0 / self.vocab_size)
        for level, number in zip(self.levels, state.tolist(), strict=True):
            if number != UNSEEN:
                words, discounted = level.continuations(number)
                p_V *= level.backoffs_C[number]
                p_V[words] += discounted
        return p_V

    def read(self, ids: Sequence[int]) -> np.ndarray:
        """The state after some ids: numbers of the n-grams of length 0 to n - 1 that end there, (n,) int64."""
        state = np.full(self.order, UNSEEN)
        state[0] = 0
        context = np.asarray(ids[-(self.order - 1) :] if self.order > 1 else [], np.int64)
        return self._score(context, state)[1] if len(context) else state

    def _score(self, ids_T: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of a stretch of ids read after `state`, and the state after them."""
        if int(ids_T.max()) >= self.vocab_size:
            raise InputError(
                f"the text has the id {int(ids_T.max()):,}, which a vocabulary of {self.vocab_size:,} does not hold; "
                "use the tokenizer the model was trained with."
            )
        p_T = np.full(len(ids_T), 1.0 / self.vocab_size)
        ending_T = np.zeros(len(ids_T), np.int64)
        after = np.empty_like(state)
        for length, level in enumerate(self.levels):
            contexts_T = np.concatenate([state[length : length + 1], ending_T[:-1]])
            after[length] = ending_T[-1]
            ending_T = level.find(contexts_T, ids_T)
            p_T = level.discounted_G[ending_T] + level.backoffs_C[contexts_T] * p_T
        return p_T, after

    def save(self, path: str | Path) -> None:
        """Write the counts to one file that verifies itself."""
        tensors = {}
        for length, level in enumerate(self.levels, start=1):
            tensors[f"keys_{length}"], tensors[f"counts_{length}"] = level.ngrams
        numbers = {"order": self.order, "vocab_size": self.vocab_size, "start_id": self.start_id}
        save_tensors(path, tensors, {"format": FORMAT, **{name: str(value) for name, value in numbers.items()}})

    @classmethod
    def load(cls, path: str | Path) -> NGramModel:
        """A saved model. Raises InputError for a file that is damaged or something else."""
        tensors, metadata = load_tensors(path)
        if metadata.get("format") != FORMAT:
            raise InputError(f"{path}: not an n-gram model of this version of seqlab; train it again.")
        order, vocab_size, start_id = (int(metadata[name]) for name in ("order", "vocab_size", "start_id"))
        ngrams = [NGrams(tensors[f"keys_{k}"], tensors[f"counts_{k}"]) for k in range(1, order + 1)]
        return cls(ngrams, vocab_size, start_id)
