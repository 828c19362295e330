"""Word vectors: training on the CPU, queries, file formats, evaluation. Names are loaded on first use, so that
queries never wait for numba."""

from __future__ import annotations

from ..lazy import lazy_names

_HOMES = {
    "FORMATS": "formats",
    "LOSSES": "losses",
    "WordVectors": "vectors",
    "convert_vectors": "formats",
    "evaluate_analogies": "evaluation",
    "evaluate_similarity": "evaluation",
    "evaluate_vectors": "evaluation",
    "load_vectors": "formats",
    "save_vectors": "formats",
    "train_embeddings": "training",
}

__all__ = sorted(_HOMES)

__getattr__ = lazy_names(__name__, _HOMES)
