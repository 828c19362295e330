"""Word vectors: training on the CPU, queries, file formats, evaluation. Names are loaded on first use, so that
queries never wait for numba."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "LOSSES": "losses",
    "WordVectors": "vectors",
    "evaluate_analogies": "evaluation",
    "evaluate_similarity": "evaluation",
    "evaluate_vectors": "evaluation",
    "load_vectors": "formats",
    "save_vectors": "formats",
    "train_embeddings": "training",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seqlab.embeddings' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
