"""Character n-grams: Enriching Word Vectors with Subword Information, https://arxiv.org/abs/1607.04606

A word is framed by < and >, and every run of so many characters in it, the frame included, is an n-gram. An n-gram
has no row of its own: it is hashed to one of B buckets, and those have vectors. A known word's vector is the mean of
its own row and of the rows of its n-grams; that of an unknown word the mean of the latter alone. Hashing and n-grams
are those of fastText, `Dictionary::hash` and `Dictionary::computeSubwords` of
https://github.com/facebookresearch/fastText, so that its models answer the same here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.errors import InputError
from ...base.printing import quoted
from ..packed.matrix import Rows

END_OF_SENTENCE = b"</s>"
"""The one word without n-grams."""
LONGEST_NGRAM = 100
"""Characters; fastText's default is 6."""
FNV_OFFSET, FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
BLOCK_WORDS = 20_000
"""Words whose n-grams are hashed at once: some 50 MB of temporary arrays."""
BLOCK_ROWS = 1 << 15
"""Rows gathered at once for their means."""


class Subwords:
    """Vectors of hashed character n-grams, which answer for words outside the vocabulary.

    Args:
        matrix: (B, D) float32, one row a bucket; may lie in a file, or be packed.
        shortest, longest: characters of an n-gram, `<` and `>` around the word included.

    Raises InputError for a matrix without rows and for lengths that are none.
    """

    def __init__(self, matrix: Rows, shortest: int, longest: int):
        if len(matrix.shape) != 2 or not len(matrix):
            raise InputError(f"n-grams need a matrix of one row a bucket, not shape {matrix.shape}.")
        check_lengths(shortest, longest)
        self.matrix = matrix
        self.shortest, self.longest = shortest, longest

    @property
    def buckets(self) -> int:
        """B."""
        return len(self.matrix)

    def __repr__(self) -> str:
        return f"Subwords({self.buckets:,} buckets, n-grams of {self.shortest} to {self.longest} characters)"

    def with_matrix(self, matrix: Rows) -> Subwords:
        """The same n-grams with other vectors."""
        return Subwords(matrix, self.shortest, self.longest)

    def vectors(self, words: Sequence[str]) -> np.ndarray:
        """(N, D) float32: the mean of the vectors of every word's n-grams, one that occurs twice counting twice.

        Raises InputError for a word without n-grams: it is shorter than the shortest, or `</s>`, and a vector of
        zeros would pass for an answer. Also where a vector is not finite, which is not looked for before.
        """
        counts, rows = ngram_buckets(words, self.shortest, self.longest, self.buckets)
        if not counts.all():
            raise InputError(
                f"{quoted(words[int(np.argmin(counts))])} is not in the vocabulary and holds no n-grams of "
                f"{self.shortest} to {self.longest} characters to compose a vector from."
            )
        vectors = mean_rows(self.matrix, offsets_of(counts), rows)
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            raise InputError(f"the n-grams of {quoted(words[int(np.argmin(finite))])} hold NaN or infinity.")
        return vectors

    def has_ngrams(self, words: Sequence[str]) -> np.ndarray:
        """(N,) bool: which words a vector can be composed of."""
        return ngram_buckets(words, self.shortest, self.longest, self.buckets)[0] > 0


def check_lengths(shortest: int, longest: int) -> None:
    """Raise InputError unless n-grams of `shortest` to `longest` characters exist and are of a sane length."""
    if not 1 <= shortest <= longest <= LONGEST_NGRAM:
        raise InputError(
            f"n-grams of {shortest} to {longest} characters: give 1 <= shortest <= longest <= {LONGEST_NGRAM}."
        )


def offsets_of(counts: np.ndarray) -> np.ndarray:
    """(N + 1,) int64: where each of N runs of that length begins, and where the last one ends."""
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def parts_of(
    words: Sequence[str] | Sequence[bytes],
    shortest: int,
    longest: int,
    buckets: int,
    first: int = 0,
    known: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The rows whose mean is each word's vector, in a matrix of the rows of known words and then of the buckets.

    Args:
        words: V of them, or their UTF-8.
        shortest, longest: characters of an n-gram; longest 0 for none.
        buckets: rows that n-grams are hashed to.
        first, known: row of the first word, and rows before the buckets, where `words` are not all there are.

    Returns (offsets int64 (V + 1,), rows int32 (P,)): those of word i are rows[offsets[i] : offsets[i + 1]], its own
    row first, then V + bucket of each n-gram by its place and length, as often as it occurs. Raises InputError for
    lengths that are none and more rows than int32 counts.
    """
    known = len(words) if known is None else known
    if known + buckets > np.iinfo(np.int32).max:
        raise InputError(f"{known:,} words and {buckets:,} buckets are more rows than seqlab counts.")
    counts, hashed = np.zeros(len(words), np.int64), np.empty(0, np.int32)
    if longest:
        counts, hashed = ngram_buckets(words, shortest, longest, buckets)
    offsets = offsets_of(counts + 1)
    rows = np.empty(offsets[-1], np.int32)
    is_ngram = np.ones(len(rows), bool)
    is_ngram[offsets[:-1]] = False
    rows[offsets[:-1]] = np.arange(first, first + len(words), dtype=np.int32)
    rows[is_ngram] = hashed + np.int32(known)
    return offsets, rows


def mean_rows(matrix: Rows, offsets: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(N, D) float32: for each of N runs rows[offsets[i] : offsets[i + 1]], none of them empty, the mean of those
    rows of `matrix`, which may lie in a file; gathered block by block."""
    means = np.empty((len(offsets) - 1, matrix.shape[1]), np.float32)
    begin = 0
    while begin < len(means):
        end = max(begin + 1, int(np.searchsorted(offsets, offsets[begin] + BLOCK_ROWS, "right")) - 1)
        gathered = matrix[rows[offsets[begin] : offsets[end]]]
        with np.errstate(invalid="ignore", over="ignore"):  # infinity is dealt with later, by the name of its word
            means[begin:end] = np.add.reduceat(gathered, offsets[begin:end] - offsets[begin], axis=0)
        begin = end
    means /= np.diff(offsets).astype(np.float32)[:, None]
    return means


def ngram_buckets(
    words: Sequence[str] | Sequence[bytes], shortest: int, longest: int, buckets: int
) -> tuple[np.ndarray, np.ndarray]:
    """(counts (N,) int64, buckets (P,) int32): how many n-grams each word has, and the bucket of each, word after
    word. Raises InputError for lengths that are none."""
    counts, hashes = ngram_hashes(words, shortest, longest)
    return counts, (hashes % np.uint32(buckets)).astype(np.int32)


def ngram_hashes(words: Sequence[str] | Sequence[bytes], shortest: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """(counts (N,) int64, hashes (P,) uint32): how many n-grams each word has, and the hash of each, word after word.
    Raises InputError for lengths that are none."""
    check_lengths(shortest, longest)
    counts, found = [np.empty(0, np.int64)], [np.empty(0, np.uint32)]
    for start in range(0, len(words), BLOCK_WORDS):
        block = words[start : start + BLOCK_WORDS]
        raw = [word if isinstance(word, bytes) else word.encode("utf-8", "surrogatepass") for word in block]
        block_counts, hashes = _hashes(raw, shortest, longest)
        counts.append(block_counts)
        found.append(hashes)
    return np.concatenate(counts), np.concatenate(found)


def _hashes(words: Sequence[bytes], shortest: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """How many n-grams each word has, and the hash of each, word after word, by place and then by length.

    FNV-1a hashes byte by byte, so the hash of an n-gram continues that of the n-gram one character shorter.
    """
    framed = [b"" if word == END_OF_SENTENCE else b"<" + word + b">" for word in words]
    data = np.frombuffer(b"".join(framed), np.uint8)
    owner = np.repeat(np.arange(len(framed)), [len(word) for word in framed])
    starts = np.flatnonzero((data & 0xC0) != 0x80)  # first bytes of characters
    owner = owner[starts]
    characters = np.bincount(owner, minlength=len(framed))
    left = np.cumsum(characters)[owner] - np.arange(len(starts))  # characters from here to the end of the word
    exists = left[:, None] >= np.arange(shortest, longest + 1)
    if shortest == 1:  # not the frame itself
        exists[:, 0] &= (left > 1) & (left < characters[owner])
    widths = np.diff(starts, append=len(data))
    running = np.full(len(starts), FNV_OFFSET, np.uint32)
    hashes = np.empty(exists.shape, np.uint32)
    for n in range(1, min(longest, len(starts)) + 1):
        reached = len(starts) - n + 1
        _hash_character(running[:reached], data, starts[n - 1 :], widths[n - 1 :])
        if n >= shortest:
            hashes[:reached, n - shortest] = running[:reached]
    return np.bincount(owner, exists.sum(axis=1), len(framed)).astype(np.int64), hashes[exists]


def _hash_character(hashes: np.ndarray, data: np.ndarray, starts: np.ndarray, widths: np.ndarray) -> None:
    """Go on with 32-bit FNV-1a, in place, over a character of `widths` bytes at `starts`; bytes are sign-extended as
    fastText does. http://www.isthe.com/chongo/tech/comp/fnv"""
    extended = data.view(np.int8)
    for offset in range(int(widths.max(initial=0))):
        live = widths > offset if offset else slice(None)
        hashes[live] ^= extended[starts[live] + offset].astype(np.int32).view(np.uint32)
        hashes[live] *= FNV_PRIME
