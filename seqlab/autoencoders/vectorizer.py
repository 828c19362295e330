"""`LineVectorizer`: an autoencoder as a step of a scikit-learn pipeline."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..base.errors import InputError
from ..embeddings.vectorizer import TextTransformer, as_texts
from .trained import TrainedAutoencoder


class LineVectorizer(TextTransformer):
    """Turns lines into the points of an autoencoder, for a scikit-learn classifier, regressor or clustering.

    Unlike a mean of word vectors a point knows the order of the words, and `inverse_transform` writes lines again.

        make_pipeline(LineVectorizer("runs/headlines"), LogisticRegression()).fit(lines, labels)

    Args:
        autoencoder: a trained autoencoder, or the path of its run folder.

    Attributes:
        autoencoder_: the trained autoencoder.
    """

    def __init__(self, autoencoder: TrainedAutoencoder | str | Path | None = None):
        self.autoencoder = autoencoder

    def fit(self, X: Iterable[str], y: Any = None) -> Self:
        """Open the autoencoder; nothing is learned.

        Args:
            X: lines.
            y: ignored.

        Raises:
            InputError: no autoencoder, or X is not a collection of texts.
        """
        as_texts(X)
        if isinstance(self.autoencoder, str | Path):
            self.autoencoder_ = TrainedAutoencoder.load(self.autoencoder)
        elif isinstance(self.autoencoder, TrainedAutoencoder):
            self.autoencoder_ = self.autoencoder
        else:
            raise InputError("autoencoder: give a trained autoencoder, or the path of its run folder.")
        return self

    def transform(self, X: Iterable[str]) -> np.ndarray:
        """The points of lines.

        Args:
            X: n lines.

        Returns:
            (n, Z) float32.

        Raises:
            NotFittedError: before `fit`.
            InputError: X is not a collection of texts, or has a line without a token.
        """
        check_is_fitted(self)
        return self.autoencoder_.encode(as_texts(X))

    def inverse_transform(self, X: np.ndarray) -> list[str]:
        """The lines at points.

        Args:
            X: (n, Z).
        """
        check_is_fitted(self)
        return self.autoencoder_.decode(X)

    @property
    def _n_features_out(self) -> int:
        return self.autoencoder_.dim
