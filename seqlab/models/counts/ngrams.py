"""Counts of all n-grams of a text by sorting (after Heafield et al. 2013, https://aclanthology.org/P13-2121).

An n-gram is numbered by its rank among those of its length, ordered by (number of its prefix, last word). So two
integers, both below 2^32, name an n-gram of any length, one 64-bit key holds them, and the continuations of one
context lie side by side.

Shapes: T places of a text, P of them where an n-gram of some length begins, G different n-grams of that length.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...base.errors import InputError
from ...base.interrupts import in_background
from ...base.progress import Progress
from ...text import TokenFile

WORD_BITS = np.uint64(32)
WORD_MASK = np.uint64(0xFFFFFFFF)
MOST_TOKENS = 2**32 - 2
"""Longest text: the numbers of n-grams fit 32 bits, and -1 stands for one never seen."""


class NGrams(NamedTuple):
    """The different n-grams of one length.

    keys_G: uint64, ascending: number of the prefix * 2^32 + last word.
    occurrences_G: uint32, how often each occurs; of single words where they are predicted.
    befores_G: uint32, how many different words come before each, of those that begin a line of a list how often each
    occurs; of the longest n-grams None.
    """

    keys_G: np.ndarray
    occurrences_G: np.ndarray
    befores_G: np.ndarray | None = None


class Ranking(NamedTuple):
    """Equal keys numbered in ascending order: keys_G, how often and where (anywhere) each occurs, numbers_P."""

    keys_G: np.ndarray
    occurrences_G: np.ndarray
    places_G: np.ndarray
    numbers_P: np.ndarray


def ngram_keys(prefixes: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Keys of n-grams from the numbers of their prefixes and their last words."""
    return (prefixes.astype(np.uint64) << WORD_BITS) | words.astype(np.uint64)


def rank(prefixes_P: np.ndarray, words_P: np.ndarray) -> Ranking:
    """Number the different n-grams."""
    keys_P = ngram_keys(prefixes_P, words_P)
    order_P = in_background(np.argsort, keys_P)
    keys_P = keys_P[order_P]
    new_P = np.ones(len(keys_P), bool)
    np.not_equal(keys_P[1:], keys_P[:-1], out=new_P[1:])
    keys_G = keys_P[new_P]
    del keys_P  # as large as the text, like the arrays to come
    numbers_P = np.empty(len(order_P), np.uint32)
    numbers_P[order_P] = np.cumsum(new_P, dtype=np.uint32) - np.uint32(1)
    places_G = order_P[new_P]
    del order_P
    occurrences_G = np.diff(np.flatnonzero(new_P), append=len(new_P)).astype(np.uint32)
    return Ranking(keys_G, occurrences_G, places_G, numbers_P)


def count_ngrams(tokens: TokenFile, order: int, start_id: int, quiet: bool = True) -> list[NGrams]:
    """The n-grams of length 1 to `order` of a text that is read after `start_id`, which itself is never predicted.

    The text is one stream: n-grams go on across lines and documents, as the state of a recurrent model does. What
    stands before the start counts as one more different word.

    Of a list every line stands by itself, after the `start_id` that ends the one before: no n-gram goes on beyond the
    end of its line, and nothing comes before those that begin one (Chen & Goodman 1999; KenLM does the same of `<s>`).

    Raises InputError for a text that is empty or too long.
    """
    if not 0 < len(tokens) <= MOST_TOKENS:
        raise InputError(f"n-grams are counted in texts of 1 to {MOST_TOKENS:,} tokens, not {len(tokens):,}.")
    text_T = np.empty(len(tokens) + 1, np.uint32)
    text_T[0], text_T[1:] = start_id, tokens[:]
    found: list[NGrams] = []
    numbers_T = np.zeros(len(text_T), np.uint32)  # of the n-gram that begins at each place, by length in turn
    begins_P: slice | np.ndarray = np.arange(len(text_T)) if tokens.lines else slice(None)
    begin_lines_G = np.zeros(0, bool)
    with Progress("counting n-grams", order * len(tokens), "tokens", quiet=quiet) as progress:
        for length in range(1, order + 1):
            begins_P = _longer(begins_P, text_T, length, start_id)
            ranking = rank(numbers_T[begins_P], text_T[length - 1 :][begins_P])
            if isinstance(begins_P, np.ndarray):
                ranking = ranking._replace(places_G=begins_P[ranking.places_G])
            if length > 1:
                suffixes_G = numbers_T[ranking.places_G + 1]
                befores_G = np.bincount(suffixes_G, minlength=len(found[-1].keys_G)).astype(np.uint32)
                if tokens.lines:
                    befores_G = np.where(begin_lines_G, found[-1].occurrences_G, befores_G)
                elif length > 2 and len(befores_G):
                    befores_G[numbers_T[0]] += 1
                found[-1] = found[-1]._replace(befores_G=befores_G)
            found.append(NGrams(ranking.keys_G, ranking.occurrences_G))
            numbers_T[begins_P] = ranking.numbers_P
            if tokens.lines:
                begin_lines_G = (length > 1) & (text_T[ranking.places_G] == start_id)
            if length == 1:
                ranking.occurrences_G[numbers_T[0]] -= 1
            del ranking  # its places are not needed again, and the next one takes most memory
            progress.update(length * len(tokens))
    return found


def _longer(begins_P: slice | np.ndarray, text_T: np.ndarray, length: int, start_id: int) -> slice | np.ndarray:
    """Where n-grams of this length begin, among the places where shorter ones do: places of the lines of a list, whose
    ends cannot be inside an n-gram, or a slice of another text."""
    if isinstance(begins_P, slice):
        return slice(max(0, len(text_T) - length + 1))
    begins_P = begins_P[begins_P <= len(text_T) - length]
    return begins_P if length < 3 else begins_P[text_T[begins_P + (length - 2)] != start_id]
