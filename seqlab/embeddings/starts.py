"""Where a training starts that does not start from nothing: from vectors, or from an earlier training."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..config import EmbeddingsConfig
from ..errors import InputError
from .engines import Engine
from .parts import Parts
from .state import load_state
from .training_text import Words
from .vectors import WordVectors

SHARED_SETTINGS = ("model", "loss", "dim", "subwords", "min_ngram", "max_ngram", "buckets", "phrases")
"""Settings that a training and the one it continues must have in common."""


class Earlier(NamedTuple):
    """A training that another one continues. inputs: own rows of its V words, then n-grams. outputs: (V, D)."""

    words: list[str]
    counts: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray
    settings: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path, config: EmbeddingsConfig) -> Earlier:
        """Raises InputError where the folder keeps no state or its settings differ."""
        folder = Path(folder)
        saved = load_state(folder)
        if saved is None:
            raise InputError(
                f"{folder}: keeps no state of a training to continue; start from its vectors with --init instead."
            )
        arrays, _, origin = saved
        settings = config.model_dump()
        for key in SHARED_SETTINGS:
            if settings[key] is not None and origin.settings.get(key) != settings[key]:
                raise InputError(
                    f"{folder}: was trained with {key} = {origin.settings.get(key)!r}, not {settings[key]!r}; "
                    "use the same setting to continue."
                )
        vectors = WordVectors.load(folder)
        if vectors.counts is None or len(arrays["outputs"]) != len(vectors):
            raise InputError(f"{folder}: its state and its vectors do not belong together; it is damaged.")
        inputs = arrays["inputs"]
        if len(inputs) == len(vectors) and vectors.subwords is not None:
            inputs = np.concatenate([inputs, vectors.subwords.matrix])
        return cls(vectors.words, vectors.counts, inputs, arrays["outputs"], origin.settings)

    def settle(self, config: EmbeddingsConfig) -> EmbeddingsConfig:
        """The settings, with what was left open as it was."""
        return config.model_copy(update={key: self.settings[key] for key in ("subwords", "buckets")})


def start_from_earlier(engine: Engine, words: Words, earlier: Earlier) -> str:
    """Give the words that an earlier training knew its vectors, input and output, and the n-grams theirs."""
    arrays = {name: array.copy() for name, array in engine.arrays().items()}
    row_of = {word: row for row, word in enumerate(words.words)}
    rows = np.array([row_of[word] for word in earlier.words])
    old = len(earlier.words)
    arrays["inputs"][rows], arrays["outputs"][rows] = earlier.inputs[:old], earlier.outputs
    arrays["inputs"][len(words.words) :] = earlier.inputs[old:]
    engine.load_arrays(arrays)
    return f"continues a training: {old:,} words known, {len(words.words) - old:,} new."


def start_from_vectors(engine: Engine, parts: Parts, words: Words, vectors: WordVectors) -> str:
    """Give the words that `vectors` know these as their input vectors. Raises InputError for another width."""
    arrays = {name: array.copy() for name, array in engine.arrays().items()}
    dim = arrays["inputs"].shape[1]
    if vectors.dim != dim:
        raise InputError(f"init: its vectors have {vectors.dim} dimensions, not {dim}; use --dim {vectors.dim}.")
    known = np.array([row for row, word in enumerate(words.words) if word in vectors], np.int64)
    if not len(known):
        raise InputError("init: none of the words of this text has a vector there; is it of another language?")
    found = np.stack([vectors[words.words[row]] for row in known])
    parts.start_from(arrays["inputs"], known, found)
    engine.load_arrays(arrays)
    return f"starts from {len(known):,} known vectors, {len(words.words) - len(known):,} words are new."
