"""The Python API: one function a verb. `import seqlab` offers these names at the top."""

from __future__ import annotations

from .loading import line_model, load, load_autoencoder, load_language_model, load_vectors
from .pictures import draw_curves, draw_map
from .scores import compare, evaluate
from .smaller import compare_compressions, compress, export
from .studies import check, compare_batch_sizes, find_lr, tune, tune_embeddings
from .texts import corpora, inspect, prepare
from .training import train_autoencoder, train_embeddings, train_embeddings_with_report, train_language_model

__all__ = [
    "check",
    "compare",
    "compare_batch_sizes",
    "compare_compressions",
    "compress",
    "corpora",
    "draw_curves",
    "draw_map",
    "evaluate",
    "export",
    "find_lr",
    "inspect",
    "line_model",
    "load",
    "load_autoencoder",
    "load_language_model",
    "load_vectors",
    "prepare",
    "train_autoencoder",
    "train_embeddings",
    "train_embeddings_with_report",
    "train_language_model",
    "tune",
    "tune_embeddings",
]
