"""Word vectors: training on the CPU, queries, file formats, evaluation. Names are loaded on first use, so that
queries never wait for numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_names

if TYPE_CHECKING:
    from .engines.losses import LOSSES as LOSSES
    from .evaluation.evaluate import evaluate_analogies as evaluate_analogies
    from .evaluation.evaluate import evaluate_similarity as evaluate_similarity
    from .evaluation.evaluate import evaluate_vectors as evaluate_vectors
    from .formats.table import FORMATS as FORMATS
    from .formats.table import convert_vectors as convert_vectors
    from .formats.table import load_vectors as load_vectors
    from .formats.table import save_vectors as save_vectors
    from .training.train import train_embeddings as train_embeddings
    from .vectorizer import TextVectorizer as TextVectorizer
    from .vectors import WordVectors as WordVectors

_HOMES = {
    "FORMATS": "formats.table",
    "LOSSES": "engines.losses",
    "TextVectorizer": "vectorizer",
    "WordVectors": "vectors",
    "convert_vectors": "formats.table",
    "evaluate_analogies": "evaluation.evaluate",
    "evaluate_similarity": "evaluation.evaluate",
    "evaluate_vectors": "evaluation.evaluate",
    "load_vectors": "formats.table",
    "save_vectors": "formats.table",
    "train_embeddings": "training.train",
}

__all__ = sorted(_HOMES)

if not TYPE_CHECKING:  # a module-level __getattr__ would let type checkers believe in any name
    __getattr__ = lazy_names(__name__, _HOMES)
