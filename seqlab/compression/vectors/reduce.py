"""Fewer words, dimensions and buckets of n-grams; what is left stays float32.

Shapes: V words, D dimensions, K dimensions kept, B buckets, G n-grams.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from ...base.errors import InputError
from ...embeddings import WordVectors
from ...embeddings.material.subwords import Subwords, ngram_hashes
from ...embeddings.queries.ranking import lengths

BLOCK = 1 << 16
"""N-grams whose vectors are gathered at once."""


def first_words(vectors: WordVectors, count: int) -> WordVectors:
    """The `count` most frequent words."""
    if count < 1:
        raise InputError(f"words: {count} is no number of words to keep.")
    if count >= len(vectors):
        return vectors
    counts = None if vectors.counts is None else vectors.counts[:count]
    matrix = np.asarray(vectors.stored[:count])
    return WordVectors(vectors.words[:count], matrix, counts, vectors.meta, check=False, subwords=vectors.subwords)


def fewer_dimensions(vectors: WordVectors, dim: int) -> WordVectors:
    """Vectors projected on the `dim` directions that keep most of their cosines.

    These are principal components of the unit vectors about the origin, not about their mean: of all projections they
    change inner products least (Eckart & Young 1936, https://doi.org/10.1007/BF02288367).
    """
    if not 1 <= dim <= vectors.dim:
        raise InputError(f"dim: {dim} is not between 1 and the {vectors.dim} dimensions there are.")
    if dim == vectors.dim:
        return vectors
    matrix = np.asarray(vectors.matrix)
    moments_DD = np.zeros((vectors.dim, vectors.dim))
    for start in range(0, len(matrix), 1 << 14):
        part = matrix[start : start + (1 << 14)]
        unit = (part / lengths(part)[:, None]).astype(np.float64)
        moments_DD += unit.T @ unit
    directions_DK = np.linalg.eigh(moments_DD)[1][:, ::-1][:, :dim]
    signs_K = np.sign(directions_DK[np.abs(directions_DK).argmax(axis=0), np.arange(dim)])
    directions_DK = (directions_DK * signs_K).astype(np.float32)
    subwords = vectors.subwords and vectors.subwords.with_matrix(np.asarray(vectors.subwords.matrix) @ directions_DK)
    return WordVectors(
        vectors.words, matrix @ directions_DK, vectors.counts, vectors.meta, check=False, subwords=subwords
    )


def fewer_buckets(vectors: WordVectors, buckets: int) -> WordVectors:
    """N-grams hashed to fewer buckets: a bucket is the mean of the old vectors of the vocabulary's n-grams in it, each
    weighted by the words that have it. Known words keep their vectors."""
    grams = vectors.subwords
    if grams is None:
        raise InputError("buckets: these vectors have no n-grams.")
    if not 1 <= buckets <= grams.buckets:
        raise InputError(f"buckets: {buckets:,} is not between 1 and the {grams.buckets:,} there are.")
    if buckets == grams.buckets:
        return vectors
    hashes_P = ngram_hashes(vectors.words, grams.shortest, grams.longest)[1]
    hashes_G, weights_G = np.unique(hashes_P, return_counts=True)
    merged_BD, total_B = np.zeros((buckets, vectors.dim)), np.bincount(hashes_G % buckets, weights_G, buckets)
    for start in range(0, len(hashes_G), BLOCK):
        some, weights = hashes_G[start : start + BLOCK], weights_G[start : start + BLOCK]
        places = some % buckets, np.arange(len(some))
        merged_BD += csr_array((weights, places), (buckets, len(some))) @ grams.matrix[some % grams.buckets]
    merged = (merged_BD / np.maximum(total_B, 1)[:, None]).astype(np.float32)
    subwords = Subwords(merged, grams.shortest, grams.longest)
    return WordVectors(vectors.words, vectors.stored, vectors.counts, vectors.meta, check=False, subwords=subwords)
