"""`TextVectorizer`: word vectors as a step of a scikit-learn pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..base.errors import InputError
from ..base.kinds import kind_of
from ..text.tokenizers.table import TOKENIZERS
from .formats.run import read_run
from .formats.table import load_vectors
from .vectors import WordVectors

if TYPE_CHECKING:
    from sklearn.utils import Tags

Weighting = Literal["mean", "idf"]
WordTokenizerName = Literal["word", "whitespace"]


class TextTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A step of a pipeline that takes texts and is given a trained model."""

    def fit_transform(self, X: Iterable[str], y: Any = None, **fit_params: Any) -> np.ndarray:
        """`fit` and `transform` on the same texts, which may be read once only, such as those of a generator."""
        texts = as_texts(X)
        vectors: np.ndarray = super().fit_transform(texts, y, **fit_params)
        return vectors

    def __sklearn_clone__(self) -> Self:
        """A copy that is not fitted and shares the model: scikit-learn would copy its weights."""
        return type(self)(**self.get_params(deep=False))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        tags.target_tags.required = False
        tags.transformer_tags.preserves_dtype = []
        return tags


class TextVectorizer(TextTransformer):
    """Turns texts into the mean of their words' vectors, for a scikit-learn classifier, regressor or clustering.

    A strong and quick baseline for sorting texts: it knows from the vectors' own training text which words are alike,
    so it needs fewer labelled texts than counting words does. Weighting by inverse document frequency keeps "the" and
    "of" from drowning the rest (Arora et al. 2017, https://openreview.net/forum?id=SyK00v5xx, on why it helps).

        make_pipeline(TextVectorizer("vectors"), LogisticRegression()).fit(texts, labels)

    A word is looked up as written, then in lower case, then composed from its n-grams where the vectors have some;
    other words are left out. A text without a known word becomes zeros.

    Args:
        vectors: word vectors, or the path of any file or folder of vectors, or of a
            language-model run. Copies of this transformer (as in a grid
            search) share them; give a path where they would have to be sent to other processes.
        weighting: "mean", every occurrence counts alike; "idf", times ln((1 + n) / (1 + texts with the word)) + 1, of
            the n texts given to `fit` (as TfidfTransformer's smooth idf).
        tokenizer: how texts are cut into words: "word" (punctuation apart), "whitespace", or a function from a text to
            its words. None: as the vectors' own text was cut, where they say so, else "word".
        normalize: scale every text's vector to length 1.

    Attributes:
        vectors_: the word vectors.
        idf_: with "idf", the weight of every word of the texts given to `fit`.
        n_texts_: how many those were.
    """

    def __init__(
        self,
        vectors: WordVectors | str | Path | None = None,
        *,
        weighting: Weighting = "mean",
        tokenizer: WordTokenizerName | Callable[[str], Iterable[str]] | None = None,
        normalize: bool = False,
    ):
        self.vectors = vectors
        self.weighting = weighting
        self.tokenizer = tokenizer
        self.normalize = normalize

    def fit(self, X: Iterable[str], y: Any = None) -> Self:
        """Open the vectors and, with "idf", count in how many texts each word occurs.

        Args:
            X: texts.
            y: ignored.

        Raises:
            InputError: no vectors, an unknown weighting or tokenizer, or X is not a collection of texts.
        """
        if self.weighting not in get_args(Weighting):
            raise InputError(f"weighting: {self.weighting!r} is none of {', '.join(get_args(Weighting))}.")
        if not callable(self.tokenizer) and self.tokenizer not in (None, *get_args(WordTokenizerName)):
            names = ", ".join(get_args(WordTokenizerName))
            raise InputError(f"tokenizer: {self.tokenizer!r} is none of {names}, nor a function from a text to words.")
        texts = as_texts(X)
        self.vectors_ = self._open()
        self.n_texts_ = len(texts)
        if self.weighting == "idf":
            words, word_P, text_P = self._cut(texts)
            pairs = np.unique(text_P * max(1, len(words)) + word_P) % max(1, len(words))
            frequency = np.bincount(pairs, minlength=len(words))
            weights = np.log((1 + len(texts)) / (1 + frequency)) + 1
            self.idf_ = dict(zip(words, weights.tolist(), strict=True))
        return self

    def transform(self, X: Iterable[str]) -> np.ndarray:
        """The vectors of texts.

        Args:
            X: n texts.

        Returns:
            (n, D) float32.

        Raises:
            NotFittedError: before `fit`.
            InputError: X is not a collection of texts.
        """
        from scipy.sparse import csr_array

        check_is_fitted(self)
        texts = as_texts(X)
        words, word_P, text_P = self._cut(texts)
        known_W, vectors_WD = self._look_up(words)
        weight_W = known_W.astype(np.float32)
        if self.weighting == "idf":
            unseen = float(np.log(1 + self.n_texts_)) + 1
            weight_W *= np.fromiter((self.idf_.get(word, unseen) for word in words), np.float32, len(words))
        occurrences_NW = csr_array((weight_W[word_P], (text_P, word_P)), shape=(len(texts), len(words)))
        sums_ND: np.ndarray = occurrences_NW @ vectors_WD
        total_N = occurrences_NW.sum(axis=1)
        means_ND = sums_ND / np.where(total_N > 0, total_N, 1)[:, None]
        if self.normalize:
            norms_N = np.linalg.norm(means_ND, axis=1)
            means_ND /= np.where(norms_N > 0, norms_N, 1)[:, None]
        return means_ND.astype(np.float32, copy=False)

    def _open(self) -> WordVectors:
        if self.vectors is None:
            raise InputError("vectors: give word vectors, or the path of some.")
        if isinstance(self.vectors, str | Path):
            return read_run(self.vectors) if kind_of(self.vectors) == "run" else load_vectors(self.vectors)
        if not isinstance(self.vectors, WordVectors):
            raise InputError(f"vectors: {type(self.vectors).__name__} is neither word vectors nor a path.")
        return self.vectors

    def _cut(self, texts: Sequence[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
        """The different words (W) of texts, in the spelling they are looked up in, and for each of P occurrences the
        word and the text it is in."""
        if callable(self.tokenizer):
            lists = [list(self.tokenizer(text)) for text in texts]
            place: dict[str, int] = {}
            type_P = np.array([place.setdefault(word, len(place)) for words in lists for word in words], np.int64)
            types, sizes = list(place), [len(words) for words in lists]
        else:
            settings = self.vectors_.meta.get("settings", {}).get("text", {})
            own = settings.get("tokenizer")
            name = self.tokenizer or (own if own in get_args(WordTokenizerName) else "word")
            options: dict[str, Any] = {"lowercase": bool(settings.get("lowercase"))} if name == "word" else {}
            segments = TOKENIZERS[name](**options).segmenter().feed(texts)
            types, type_P = segments.types, segments.indices.astype(np.int64)
            sizes = np.diff(segments.ends, prepend=0).tolist()
        index = self.vectors_.index
        spelled = [word if word in index or word.lower() not in index else word.lower() for word in types]
        words: dict[str, int] = {}
        word_of_type = np.array([words.setdefault(word, len(words)) for word in spelled], np.int64)
        return list(words), word_of_type[type_P], np.repeat(np.arange(len(texts)), sizes)

    def _look_up(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Which words (W,) have a vector, and the vectors (W, D), zeros for the others."""
        vectors = self.vectors_
        known_W = np.fromiter((word in vectors for word in words), bool, len(words))
        if vectors.subwords is not None and len(words):
            known_W |= vectors.subwords.has_ngrams(words) & np.array([any(map(str.isalnum, word)) for word in words])
        vectors_WD = np.zeros((len(words), vectors.dim), np.float32)
        vectors_WD[known_W] = vectors.vectors_of([word for word, known in zip(words, known_W, strict=True) if known])
        return known_W, vectors_WD

    @property
    def _n_features_out(self) -> int:
        return self.vectors_.dim


def as_texts(texts: Any) -> list[str]:
    """Texts as a list. Raises InputError for a single text and for what is not a text."""
    if isinstance(texts, str | bytes):
        raise InputError("X: is one text; give a list of texts.")
    if hasattr(texts, "columns"):
        raise InputError(f"X: is a table; give one of its columns, such as X[{next(iter(texts.columns), '')!r}].")
    try:
        found = list(texts)
    except TypeError:
        raise InputError(f"X: {type(texts).__name__} is not a list of texts.") from None
    for number, text in enumerate(found):
        if not isinstance(text, str):
            raise InputError(f"X: item {number} is {type(text).__name__}, not a text.")
    return found
