"""Interpolated modified Kneser-Ney n-gram model (Chen & Goodman 1999, https://doi.org/10.1006/csla.1999.0128).

With c the counts of the longest n-grams, and for shorter ones the number of different words before them,

    P(w | h) = max(c(hw) - D(c(hw)), 0) / c(h.) + B(h) P(w | h without its first word),

where c(h.) sums over all w, B(h) is the mass that the discounts D1, D2, D3+ set free, and below one word stands 1 / V.
Every word has a probability above zero, and those of all words sum to one after any context.

Long n-grams that occur hardly ever take most of the memory. They can be left out as KenLM's `--prune` does: the mass
that such an n-gram had goes to B(h), so all still sums to one.

Shapes: G n-grams (nodes of the trie), C contexts, n order, T places, N tokens, B texts side by side, V vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import InputError
from ...base.files import load_tensors, save_tensors
from ...base.native import BYTES, DOUBLE, DOUBLES, FLOAT, FLOATS, INT, INTS, INTS32, UINTS, Native, address_of
from ...base.progress import Progress
from ...text import TokenFile
from . import COUNT_BINS, UNSEEN
from .checks import ARRAYS, wrong_counts
from .ngrams import WORD_BITS, WORD_MASK, NGrams, count_ngrams

GateArrays = tuple[np.ndarray, np.ndarray]
FORMAT = "seqlab kneser-ney 2"
"""What a saved model says it is."""
FALLBACK = (0.5, 1.0, 1.5)
"""D1, D2 and D3+ where a text is too small to estimate them; KenLM's `--discount_fallback` uses the same."""
BOUND = 12.0
"""Largest log-odds of a gate: no member is ever switched off beyond a share of 6e-6."""
BLOCK = 1 << 18
"""Tokens scored at a time."""
SHORTEST_PRUNED = 3
"""Shorter n-grams are never left out."""

TRIE = "seqlab.models.counts.trie"
BACKOFFS = Native(TRIE, "backoffs", (INTS, INT, INTS, DOUBLES), fastmath=())
STEP = Native(TRIE, "step", (INTS, INT, INTS, INTS, INT, INTS))
TRACE = Native(TRIE, "trace", (INT, INTS, INT, INTS, BYTES, INTS, INTS, INT, INTS))
WALK = Native(TRIE, "walk", (INTS, INT, DOUBLE, INTS, BYTES, INTS, INTS, INT, DOUBLES, INTS32), fastmath=())
DISTRIBUTIONS = {
    np.dtype(name): Native(TRIE, "distributions", (INTS, INT, DOUBLES, INT, INTS, INT, kind, INTS32), fastmath=())
    for name, kind in (("float32", FLOATS), ("float64", DOUBLES))
}
"""By the numbers that are written."""
MIXED_STEP = Native(
    TRIE, "mixed_step",
    (
        INT, INTS, INT, FLOATS, INT, INTS, INTS, INT, FLOATS, FLOATS, INT, FLOATS, FLOAT, INT, INTS, FLOATS,
    ),
)  # fmt: skip


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
    """Bytes that training takes at most, beyond the ids themselves: as if no n-gram occurred twice."""
    return 44 * tokens * order


def _sums(prefixes_g: np.ndarray, counts_g: np.ndarray, contexts: int) -> np.ndarray:
    """Sum of the counts after every context."""
    return np.bincount(prefixes_g, counts_g, minlength=contexts).astype(np.uint32)


class NGramModel:
    """P(next id | the n - 1 ids before it), the counts that a neural model has to beat, or to work with.

    A text is read as in the evaluation of the neural model: one stream, in which contexts go on across lines and
    documents, and every token is predicted exactly once, the first from `start_id`. The lines of a list are counted and
    scored each from its own beginning.

    Args:
        words_G: last word of every node of the trie (see `trie.py`), uint32.
        counts_G: c of every node, uint32.
        starts_C: node of the first continuation of every context, and the end of the last one's, uint32.
        totals_C: c(h.) of every context, those of n-grams left out included, uint32.
        discounts: D1, D2, D3+ by length of n-gram, None for FALLBACK.
        vocab_size: V, up to 2^32.
        start_id: what stands before the first token.
        prune: n-grams of SHORTEST_PRUNED words or more that occur at most so often were left out.
    """

    def __init__(
        self,
        words_G: np.ndarray,
        counts_G: np.ndarray,
        starts_C: np.ndarray,
        totals_C: np.ndarray,
        discounts: Sequence[Sequence[float] | None],
        vocab_size: int,
        start_id: int,
        prune: int = 0,
    ):
        self.words_G, self.counts_G, self.starts_C, self.totals_C = words_G, counts_G, starts_C, totals_C
        self.discounts, self.vocab_size, self.start_id, self.prune = list(discounts), vocab_size, start_id, prune
        self.discounts_n4 = np.array([[0.0, *(one or FALLBACK)] for one in discounts])

    @cached_property
    def backoffs_C(self) -> np.ndarray:
        """B(h) of every context (C,): what its continuations leave of its mass; 1 for one never continued."""
        backoffs_C = np.ones(len(self.totals_C))
        ends_n = np.cumsum([1, *self.ngrams[:-1]], dtype=np.int64)
        BACKOFFS(self._table_of(backoffs_C), self.order, ends_n, backoffs_C)
        return backoffs_C

    @classmethod
    def train(
        cls, tokens: TokenFile, vocab_size: int, start_id: int, order: int = 5, quiet: bool = True, prune: int = 0
    ) -> NGramModel:
        """Count a text. Time grows with order * tokens; memory is within `memory_bound`.

        Args:
            tokens: the text.
            vocab_size: V.
            start_id: read before the first token.
            order: n.
            prune: leave out n-grams of SHORTEST_PRUNED words or more that occur at most so often.

        Raises:
            InputError: an order below 1, a text that is empty, or ids outside the vocabulary.
        """
        if order < 1:
            raise InputError(f"the order of an n-gram model is at least 1, not {order}.")
        ngrams = count_ngrams(tokens, order, start_id, quiet)
        most = int(ngrams[0].keys_G[-1])
        if not most < vocab_size <= 2**32:
            raise InputError(f"the text has the id {most:,}, which a vocabulary of {vocab_size:,} does not hold.")
        return cls.of(ngrams, vocab_size, start_id, prune)

    @classmethod
    def of(cls, ngrams: Sequence[NGrams], vocab_size: int, start_id: int, prune: int = 0) -> NGramModel:
        """The model of counted n-grams of length 1, 2, ... n; a shorter list gives one of lower order."""
        words, counts, starts, totals = [np.zeros(1, np.uint32)], [np.zeros(1, np.uint32)], [], []
        discounts: list[tuple[float, float, float] | None] = []
        node, contexts = 1, 1
        numbers_c = np.zeros(1, np.int64)  # of the contexts among those kept
        for length, one in enumerate(ngrams, start=1):
            counts_g = one.occurrences_G if length == len(ngrams) or one.befores_G is None else one.befores_G
            discounts.append(estimate_discounts(counts_g))
            prefixes_g = numbers_c[(one.keys_G >> WORD_BITS).astype(np.int64)]
            words_g = (one.keys_G & WORD_MASK).astype(np.uint32)
            if prune and length >= SHORTEST_PRUNED:
                known_g = prefixes_g >= 0
                totals.append(_sums(prefixes_g[known_g], counts_g[known_g], contexts))
                kept_g = one.occurrences_G > prune
                prefixes_g, words_g, counts_g = prefixes_g[kept_g], words_g[kept_g], counts_g[kept_g]
                numbers_c = np.where(kept_g, np.cumsum(kept_g) - 1, -1)
            else:
                totals.append(_sums(prefixes_g, counts_g, contexts))
                numbers_c = np.arange(len(counts_g))
            places_c = np.cumsum(np.bincount(prefixes_g, minlength=contexts)[:-1], dtype=np.uint32)
            starts.append(np.concatenate([np.zeros(1, np.uint32), places_c])[:contexts] + np.uint32(node))
            words.append(words_g)
            counts.append(counts_g)
            contexts, node = len(counts_g), node + len(counts_g)
        return cls(
            np.concatenate(words),
            np.concatenate(counts),
            np.concatenate([*starts, np.array([node], np.uint32)]),
            np.concatenate(totals),
            discounts,
            vocab_size,
            start_id,
            prune,
        )

    @property
    def order(self) -> int:
        """n."""
        return len(self.discounts)

    @cached_property
    def ngrams(self) -> list[int]:
        """How many n-grams there are, by length."""
        found, first, last = [], 0, 1
        for _ in self.discounts:
            first, last = last, int(self.starts_C[last])
            found.append(last - first)
        return found

    @property
    def nbytes(self) -> int:
        """Bytes that the counts take in a file."""
        return sum(part.nbytes for part in (self.words_G, self.counts_G, self.starts_C, self.totals_C))

    @property
    def summary(self) -> dict[str, Any]:
        """Figures by length of n-gram: how many there are and the discounts; and the lengths where these are FALLBACK
        because the text is too small, or a small vocabulary saturated, for estimates."""
        return {
            "order": self.order,
            "ngrams": self.ngrams,
            "discounts": [list(one or FALLBACK) for one in self.discounts],
            "fallback_orders": [k for k, one in enumerate(self.discounts, start=1) if one is None],
            "prune": self.prune,
            "bytes": self.nbytes,
        }

    @property
    def kinds(self) -> int:
        """How many kinds of knowledge `score` and `distributions` tell apart."""
        return self.order * COUNT_BINS

    def log_probs(self, tokens: TokenFile, quiet: bool = True) -> np.ndarray:
        """Natural logarithm of the probability of every token of a text: (N,) float64.

        Raises InputError for an empty text or ids outside the vocabulary.
        """
        return self.score(tokens, quiet)[0]

    def score(self, tokens: TokenFile, quiet: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """`log_probs`, and what the counts knew before every token: (N,) int32 below `kinds`, see `trie.known`."""
        if not len(tokens):
            raise InputError("the text has no tokens to evaluate.")
        p_N, known_N = np.empty(len(tokens)), np.empty(len(tokens), np.int32)
        state_n = self.read([self.start_id])
        with Progress("evaluating n-grams", len(tokens), "tokens", quiet=quiet) as progress:
            for start in range(0, len(tokens), BLOCK):
                stop = min(start + BLOCK, len(tokens))
                self._walk(state_n, tokens, start, stop, p_N[start:stop], known_N[start:stop])
                progress.update(stop)
        return np.log(p_N, out=p_N), known_N

    def score_places(self, tokens: TokenFile, places_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`score` for the tokens at some places of a text, in ascending order, each with all that stands before it."""
        p_N, known_N = np.empty(len(places_N)), np.empty(len(places_N), np.int32)
        cuts = [0, *(np.flatnonzero(np.diff(places_N) != 1) + 1).tolist(), len(places_N)]
        for first, last in zip(cuts, cuts[1:], strict=False):
            begin, end = int(places_N[first]), int(places_N[last - 1]) + 1
            before = tokens[max(0, begin - self.order) : begin].tolist()
            state_n = self.read(before if begin >= self.order else [self.start_id, *before])
            self._walk(state_n, tokens, begin, end, p_N[first:last], known_N[first:last])
        return np.log(p_N, out=p_N), known_N

    def next_probs(self, context: Sequence[int]) -> np.ndarray:
        """Probability of every id after the ids of `context`, of which the last n - 1 matter: (V,) float64."""
        p_1V = np.empty((1, self.vocab_size))
        self.distributions(self.read(context)[None], p_1V)
        return p_1V[0]

    def distributions(self, state_Bn: np.ndarray, p_BV: np.ndarray) -> np.ndarray:
        """Write the probability of every id after every text into `p_BV`, float32 or float64.

        Returns:
            What the counts knew before each, (B,) int32.
        """
        known_B = np.empty(len(state_Bn), np.int32)
        unigram_V, kernel = self._unigram_V, DISTRIBUTIONS[p_BV.dtype]
        kernel(self._table, self.order, unigram_V, len(unigram_V), state_Bn, len(state_Bn), p_BV, known_B)
        return known_B

    def mixed_step(
        self,
        state_Bn: np.ndarray,
        ids_B: np.ndarray,
        hidden_BD: np.ndarray,
        gate: GateArrays,
        p_BV: np.ndarray,
        logarithms: bool,
    ) -> np.ndarray:
        """One token further for several texts, together with a network.

        Args:
            state_Bn: of the counts before the token.
            ids_B: the token of every text.
            hidden_BD: what the network's output layer reads after it, float32.
            gate: biases (K,) and weights (D,), float32.
            p_BV: the network's logits after the token, float32; overwritten by the probabilities of both together.
            logarithms: or by their logarithms.

        Returns:
            The states of the counts after the token.
        """
        after_Bn = np.empty_like(state_Bn)
        (bias_K, weight_D), unigram_V = gate, self._unigram_float32_V
        counted = STEP.address, self._table, self.order, unigram_V, len(unigram_V), state_Bn, ids_B, len(ids_B)
        MIXED_STEP(*counted, hidden_BD, weight_D, len(weight_D), bias_K, BOUND, int(logarithms), after_Bn, p_BV)
        return after_Bn

    @cached_property
    def _unigram_float32_V(self) -> np.ndarray:
        return self._unigram_V.astype(np.float32)

    def read(self, ids: Sequence[int]) -> np.ndarray:
        """The state after some ids: nodes of the n-grams of length 0 to n - 1 that end there, (n,) int64."""
        state_1n = np.full((1, self.order), UNSEEN, np.int64)
        state_1n[0, 0] = 0
        for id in ids[-(self.order - 1) :] if self.order > 1 else []:
            state_1n = self.step(state_1n, np.array([id], np.int64))
        return state_1n[0]

    def step(self, state_Bn: np.ndarray, ids_B: np.ndarray) -> np.ndarray:
        """The states of several texts after one more id each."""
        after_Bn = np.empty_like(state_Bn)
        STEP(self._table, self.order, state_Bn, ids_B, len(ids_B), after_Bn)
        return after_Bn

    def states_before(self, tokens: TokenFile, part: slice, state_n: np.ndarray) -> np.ndarray:
        """The states before each token of a part of a text, read after `state_n`, which moves on: (T, n) int64."""
        ids_T, fresh_T = tokens[part].astype(np.int64), self._fresh(tokens, part)
        before_Tn = np.empty((len(ids_T), self.order), np.int64)
        text = fresh_T.view(np.int8), state_n, ids_T, len(ids_T)
        TRACE(STEP.address, self._table, self.order, self._first_n, *text, before_Tn)
        return before_Tn

    @cached_property
    def _first_n(self) -> np.ndarray:
        """The state in which a text, or a line of a list, begins."""
        return self.read([self.start_id])

    @staticmethod
    def _fresh(tokens: TokenFile, part: slice) -> np.ndarray:
        """Which tokens (T,) of a part begin a line of a list; of other texts none."""
        start, stop, _ = part.indices(len(tokens))
        fresh_T = np.zeros(stop - start, bool)
        if tokens.lines:
            low, high = np.searchsorted(tokens.documents, [start, stop])
            fresh_T[tokens.documents[low:high] - start] = True
        return fresh_T

    def _table_of(self, backoffs_C: np.ndarray) -> np.ndarray:
        """Where the walks over the trie find its arrays."""
        arrays = self.words_G, self.counts_G, self.starts_C, self.totals_C, backoffs_C, self.discounts_n4
        kinds = [*[UINTS] * 4, DOUBLES, DOUBLES]
        return np.array([address_of(*one) for one in zip(arrays, kinds, strict=True)], np.int64)

    @cached_property
    def _table(self) -> np.ndarray:
        return self._table_of(self.backoffs_C)

    @cached_property
    def _unigram_V(self) -> np.ndarray:
        """Probabilities without any context (V,)."""
        unigram_V = np.full(self.vocab_size, self.backoffs_C[0] / self.vocab_size)
        counts_g = self.counts_G[self.starts_C[0] : self.starts_C[1]]
        shares_g = (counts_g - self.discounts_n4[0][np.minimum(counts_g, 3)]) / self.totals_C[0]
        unigram_V[self.words_G[self.starts_C[0] : self.starts_C[1]]] += shares_g
        return unigram_V

    def _walk(
        self, state_n: np.ndarray, tokens: TokenFile, start: int, stop: int, p_T: np.ndarray, known_T: np.ndarray
    ) -> None:
        """Probabilities of a stretch of a text read after `state_n`, which moves on."""
        part = slice(start, stop)
        ids_T = tokens[part].astype(np.int64)
        if len(ids_T) and int(ids_T.max()) >= self.vocab_size:
            raise InputError(
                f"the text has the id {int(ids_T.max()):,}, which a vocabulary of {self.vocab_size:,} does not hold; "
                "use the tokenizer the model was trained with."
            )
        lowest, fresh_T = 1.0 / self.vocab_size, self._fresh(tokens, part)
        text = fresh_T.view(np.int8), state_n, ids_T, len(ids_T)
        WALK(self._table, self.order, lowest, self._first_n, *text, p_T, known_T)

    def save(self, path: str | Path) -> None:
        """Write the counts to one file that verifies itself."""
        tensors = {"words": self.words_G, "counts": self.counts_G, "starts": self.starts_C, "totals": self.totals_C}
        about = {
            "vocab_size": self.vocab_size,
            "start_id": self.start_id,
            "discounts": self.discounts,
            "prune": self.prune,
        }
        save_tensors(path, tensors, {"format": FORMAT, "about": json.dumps(about)})

    @classmethod
    def load(cls, path: str | Path) -> NGramModel:
        """A saved model. Raises InputError for a file that is damaged or something else."""
        tensors, metadata = load_tensors(path)
        if metadata.get("format") != FORMAT:
            raise InputError(f"{path}: not an n-gram model of this version of seqlab; train it again.")
        try:
            about = json.loads(metadata["about"])
            wrong = wrong_counts(tensors, about)
        except (KeyError, TypeError, ValueError) as error:
            wrong = f"not counts ({error})"
        if wrong:
            raise InputError(f"{path}: {wrong}; the file is damaged.")
        words_G, counts_G, starts_C, totals_C = (tensors[name] for name in ARRAYS)
        numbers = about["vocab_size"], about["start_id"], about["prune"]
        return cls(words_G, counts_G, starts_C, totals_C, about["discounts"], *numbers)
