"""Run folders: everything needed to use a model or to resume its training, by itself."""

from .folder import CONFIG, COUNTS, METRICS, MODEL, STATE, TOKENIZER, AnyRun, RunFolder
from .history import History, flat
from .holder import RunHolder
from .language_model import Run, compressed_copy
from .weights import model_arrays, set_weights

__all__ = [
    "CONFIG",
    "COUNTS",
    "METRICS",
    "MODEL",
    "STATE",
    "TOKENIZER",
    "AnyRun",
    "History",
    "Run",
    "RunFolder",
    "RunHolder",
    "compressed_copy",
    "flat",
    "model_arrays",
    "set_weights",
]
