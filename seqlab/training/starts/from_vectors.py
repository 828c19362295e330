"""Word vectors feed a language model: its embedding (and tied output) starts from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ...base.errors import InputError
from ...embeddings import WordVectors
from ...models import LanguageModel
from ...text import Tokenizer


@dataclass(frozen=True)
class Coverage:
    """How much of a vocabulary the vectors knew."""

    types: int
    known_types: int
    token_share: float
    """Share of the training tokens whose type was known."""
    projection: str

    def sentence(self) -> str:
        """For the person watching."""
        return (
            f"embeddings: {self.known_types:,} of {self.types:,} types start from the vectors "
            f"({self.token_share:.1%} of the tokens){self.projection}"
        )


def fit_width(matrix_VD: np.ndarray, width: int, generator: np.random.Generator) -> tuple[np.ndarray, str]:
    """Vectors (V, D) brought to `width`: the leading principal directions when narrower, a random orthonormal lift,
    which keeps every inner product, when wider. Returns them and a word on what was done."""
    dim = matrix_VD.shape[1]
    if width == dim:
        return matrix_VD, ""
    if width < dim:
        _, _, directions = np.linalg.svd(matrix_VD - matrix_VD.mean(0), full_matrices=False)
        return matrix_VD @ directions[:width].T, f"; projected from {dim} to {width} dimensions"
    basis, _ = np.linalg.qr(generator.standard_normal((width, dim)))
    return matrix_VD @ basis.T, f"; lifted from {dim} to {width} dimensions"


def start_from_vectors(
    model: LanguageModel, tokenizer: Tokenizer, vectors: WordVectors, freeze: bool, seed: int
) -> Coverage:
    """Overwrite the model's embedding with word vectors.

    A type is looked up as written, then in lower case. Vectors are centred and scaled to a mean norm of 1, the scale
    of a fresh embedding; types without a vector are drawn from a Gaussian with the vectors' mean and covariance.

    Args:
        model: with an embedding of its own.
        tokenizer: whose types have rows in it.
        vectors: of any width; projected to that of the embedding where they differ.
        freeze: leave the embedding untrained.
        seed: of what is drawn.

    Raises:
        InputError: no type of the vocabulary has a vector, or the model has no embedding.
    """
    embedding = model.embedding
    if embedding is None:
        raise InputError("training.embeddings: a model with model.input = 'characters' has no embedding to start.")
    vocab = tokenizer.vocab
    rows = [vectors.index.get(word, vectors.index.get(word.lower(), -1)) for word in vocab.itos]
    row_V = np.array(rows, dtype=np.int64)
    known_V = row_V >= 0
    if not known_V.any():
        raise InputError(
            f"training.embeddings: none of the {len(vocab):,} types of the text has a vector; "
            "the vectors are of another language or the tokenizer is not a word tokenizer."
        )
    generator = np.random.Generator(np.random.PCG64(seed))
    used_KD, projection = fit_width(
        vectors.stored[row_V[known_V]].astype(np.float64), model.config.embed_dim, generator
    )
    used_KD = used_KD - used_KD.mean(0)
    used_KD /= np.linalg.norm(used_KD, axis=1).mean() + 1e-12
    covariance = np.cov(used_KD, rowvar=False) if len(used_KD) > 1 else np.eye(used_KD.shape[1])
    values_VD = generator.multivariate_normal(
        np.zeros(used_KD.shape[1]), np.atleast_2d(covariance), size=len(vocab), method="svd"
    )
    values_VD[known_V] = used_KD
    with torch.no_grad():
        embedding.copy_(torch.from_numpy(values_VD))
    embedding.requires_grad_(not freeze)
    counts = vocab.counts
    return Coverage(len(vocab), int(known_V.sum()), float(counts[known_V].sum() / max(1, counts.sum())), projection)
