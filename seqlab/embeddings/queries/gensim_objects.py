"""gensim's KeyedVectors from word vectors, and word vectors from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...base.errors import InputError
from ..material.subwords import Subwords, parts_of
from .lexicon import Lexicon

if TYPE_CHECKING:
    from gensim.models import KeyedVectors


def to_gensim(lexicon: Lexicon) -> KeyedVectors:
    """See `WordVectors.to_gensim`."""
    try:
        from gensim.models import KeyedVectors
        from gensim.models.fasttext import FastTextKeyedVectors
    except ImportError:
        raise InputError("to_gensim() needs gensim, which is not installed here: pip install gensim.") from None
    subwords = lexicon.subwords
    if subwords is None:
        keyed = KeyedVectors(lexicon.dim)
    else:
        keyed = FastTextKeyedVectors(lexicon.dim, subwords.shortest, subwords.longest, subwords.buckets)
        keyed.vectors_ngrams = np.asarray(subwords.matrix)
        keyed.vectors_vocab = own_rows(lexicon, subwords)
    keyed.index_to_key, keyed.key_to_index = list(lexicon.words), dict(lexicon.index)
    keyed.vectors = lexicon.matrix
    if subwords is not None:
        keyed.recalc_char_ngram_buckets()
    if lexicon.counts is not None:
        keyed.expandos["count"] = lexicon.counts.copy()
    return keyed


def own_rows(lexicon: Lexicon, subwords: Subwords) -> np.ndarray:
    """(V, D) rows of the words themselves, whose mean with the rows of their n-grams is each word's vector."""
    offsets, rows = parts_of(lexicon.words, subwords.shortest, subwords.longest, subwords.buckets, known=0)
    sizes_V = np.diff(offsets).astype(np.float32)
    own_VD = lexicon.matrix * sizes_V[:, None]
    is_ngram = np.ones(len(rows), bool)
    is_ngram[offsets[:-1]] = False
    owner = np.repeat(np.arange(len(sizes_V)), np.diff(offsets) - 1)
    step = max(1, BLOCK // lexicon.dim)
    ngrams = rows[is_ngram]
    for start in range(0, len(ngrams), step):
        np.subtract.at(own_VD, owner[start : start + step], subwords.matrix[ngrams[start : start + step]])
    return own_VD


BLOCK = 1 << 22
"""Numbers gathered at once: 16 MB of float32."""


def from_gensim(keyed: Any) -> tuple[list[str], np.ndarray, np.ndarray | None, Subwords | None]:
    """Words, matrix, counts and n-grams of a KeyedVectors; see `WordVectors.from_gensim`."""
    keyed = getattr(keyed, "wv", keyed)
    try:
        words, matrix = list(keyed.index_to_key), np.array(keyed.vectors, np.float32)
    except (AttributeError, TypeError):
        raise InputError(
            f"{type(keyed).__name__}: not gensim's KeyedVectors, nor a model that has them as wv."
        ) from None
    odd = next((word for word in words if not isinstance(word, str)), None)
    if odd is not None:
        raise InputError(f"{odd!r} is not a word; vectors of other keys, such as documents, cannot be word vectors.")
    counts = getattr(keyed, "expandos", {}).get("count")
    subwords = None
    if getattr(keyed, "vectors_ngrams", None) is not None and keyed.bucket:
        subwords = Subwords(np.asarray(keyed.vectors_ngrams, np.float32), keyed.min_n, keyed.max_n)
    return words, matrix, None if counts is None else np.asarray(counts, np.int64), subwords
