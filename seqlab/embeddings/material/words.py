"""What word vectors are trained on: the ids of a corpus, which of them are words, and which words get vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...base.errors import InputError, counted, option
from ...text import Corpus, TokenFile, Vocab


class TrainingText(NamedTuple):
    """Ids with their vocabulary; phrases make one out of another.

    vocab: every id; counts are of `train`.
    is_word: (I,) bool, which ids are neither control tokens nor white space.
    train, valid: the splits; `valid` may be None.
    digest: of everything above.
    """

    vocab: Vocab
    is_word: np.ndarray
    train: TokenFile
    valid: TokenFile | None
    digest: str

    @classmethod
    def of(cls, corpus: Corpus) -> TrainingText:
        tokenizer = corpus.tokenizer
        return cls(tokenizer.vocab, tokenizer.words_mask(), corpus.train, corpus.valid, corpus.digest)

    @property
    def words(self) -> int:
        """Words of the training split, repetitions included."""
        return int(self.vocab.counts[self.is_word].sum())


class ChosenWords(NamedTuple):
    """The words that get vectors, in descending frequency. V rows, I ids of the text."""

    words: list[str]
    counts_V: np.ndarray
    row_of_id_I: np.ndarray


def choose_words(text: TrainingText, min_count: int, max_vocab: int | None = None) -> ChosenWords:
    """Words seen `min_count` times or more, the `max_vocab` most frequent of them; control tokens and white space
    are none. Raises InputError when fewer than two are left."""
    vocab, is_word = text.vocab, text.is_word
    ids = np.flatnonzero(is_word & (vocab.counts >= min_count))
    ids = ids[np.argsort(-vocab.counts[ids], kind="stable")][:max_vocab]
    if len(ids) < 2:
        most = int(vocab.counts[is_word].max()) if is_word.any() else 0
        different = counted(int(is_word.sum()), "different word")
        if min_count <= 1:
            raise InputError(f"the text has {different}; vectors need two or more that occur beside one another.")
        raise InputError(
            f"the text has {different}, of which {len(ids)} occur {min_count} times or more (the most frequent one "
            f"{counted(most, 'time')}); take a smaller {option('min_count')} or a longer text."
        )
    rows = np.full(len(vocab), -1, np.int32)
    rows[ids] = np.arange(len(ids))
    return ChosenWords([vocab.itos[id] for id in ids], vocab.counts[ids], rows)


def grown(
    words: ChosenWords, text: TrainingText, old_words: list[str], old_counts: np.ndarray, max_vocab: int | None = None
) -> ChosenWords:
    """`words` of a text together with all `old_words` of an earlier training, counts added up, in descending
    frequency. A word known before stays however rare it is in this text; of the others the most frequent enter, until
    there are `max_vocab` words. Raises InputError when the old ones alone are more."""
    if max_vocab is not None and max_vocab < len(old_words):
        raise InputError(
            f"max_vocab: {max_vocab:,} is less than the {len(old_words):,} words of the training to continue, which "
            "all stay; take a larger max_vocab."
        )
    vocab = text.vocab
    together = list(dict.fromkeys([*old_words, *words.words]))[:max_vocab]
    ids = np.array([vocab.stoi.get(word, -1) for word in together])
    ids[(ids >= 0) & ~text.is_word[ids]] = -1
    counts = np.where(ids >= 0, vocab.counts[ids], 0)
    counts[: len(old_words)] += old_counts
    order = np.argsort(-counts, kind="stable")
    here = np.flatnonzero(ids[order] >= 0)
    rows = np.full(len(vocab), -1, np.int32)
    rows[ids[order][here]] = here
    return ChosenWords([together[place] for place in order], counts[order], rows)
