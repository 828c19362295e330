"""Where a training starts that does not start from nothing: from vectors, or from an earlier training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...base.errors import InputError, option
from ...base.kinds import DESCRIPTIONS, kind_of
from ...config import EmbeddingsConfig, merge
from ...config.checks import LOOPS_DEVICES, NO_WORDS
from ..engines.table import Engine
from ..folder import NOT_FINISHED, STATE, is_unfinished
from ..material.parts import WordParts
from ..material.words import ChosenWords
from ..vectors import WordVectors
from .state import load_state, settings_begun_with

SHARED_SETTINGS = ("model", "loss", "dim", "subwords", "min_ngram", "max_ngram", "buckets", "phrases")
TEXT_SETTINGS = ("tokenizer", "lowercase")
"""Settings, and those of the text, that a training and the one it continues must have in common."""
OBJECTIVE_SETTINGS = (
    "cbow_update",
    "result",
    "window",
    "dynamic_window",
    "samples",
    "noise",
    "subsample",
    "phrase_threshold",
)
"""Settings that may differ between the two, and are those of the earlier one where nobody sets them."""
CHOSEN = ("epochs", "dim", "subwords", "buckets", "lr", "subsample")
"""Settings that follow from the text and the minutes where nobody sets them."""


def settings_to_continue(folder: str | Path, out: str | Path | None = None) -> dict[str, Any]:
    """The settings of the finished training in `folder`. Raises InputError saying why it cannot be continued, and that
    the training in `out` needs it, where there is one that was started so."""
    folder = Path(folder)
    needed = f"it is needed to resume {out}" if out is not None and (Path(out) / STATE).is_file() else ""
    if folder.is_file():
        raise InputError(
            f"{folder}: is a file, and only the folder of a training can be continued; start from the vectors in it "
            f"with {option('init', str(folder))} instead."
        )
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder{needed and '; '}{needed}.")
    if (kind := kind_of(folder)) in ("run", "autoencoder", "corpus"):
        raise InputError(f"{folder}: is {DESCRIPTIONS[kind]}, not word vectors, whose training alone can be continued.")
    if is_unfinished(folder):
        raise InputError(f"{folder}: {NOT_FINISHED} first.")
    settings = settings_begun_with(folder)
    if settings is None:
        instead = needed or "start from its vectors with init instead"
        raise InputError(f"{folder}: keeps no state of a training to continue; {instead}.")
    return settings


def inherited(values: Mapping[str, Any], folder: str | Path, out: str | Path | None = None) -> dict[str, Any]:
    """`values` of an `EmbeddingsConfig` and, where they leave the model, its objective and its text open, the settings
    of the training in `folder` that is to be continued. Raises InputError as `settings_to_continue` does."""
    settings = settings_to_continue(folder, out)
    earlier = {key: settings[key] for key in SHARED_SETTINGS + OBJECTIVE_SETTINGS if key in settings}
    text = settings.get("text", {})
    if text.get("tokenizer") not in NO_WORDS:  # such a text comes prepared
        earlier["text"] = {key: text[key] for key in TEXT_SETTINGS if key in text}
    return merge(earlier, EmbeddingsConfig.qualified(values))


def as_begun(folder: Path, config: EmbeddingsConfig) -> EmbeddingsConfig:
    """The settings with, where they leave it open, what was chosen when the training began whose state `folder` holds:
    by the text, by the rate of the machine, and the engine, so that what began on a GPU resumes without one and the
    other way round."""
    settings = settings_begun_with(folder)
    if settings is None:
        return config
    chosen = {key: settings[key] for key in CHOSEN if key in settings and getattr(config, key) is None}
    if config.engine == "auto" and config.device in LOOPS_DEVICES and "engine" in settings:
        chosen["engine"] = settings["engine"]
    return config.updated(chosen, str(folder / STATE))


class Earlier(NamedTuple):
    """A training that another one continues. inputs: own rows of its V words, then n-grams. outputs: (V, D)."""

    words: list[str]
    counts: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray
    settings: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path, config: EmbeddingsConfig, out: Path | None = None) -> Earlier:
        """Raises InputError as `settings_to_continue` does, and where the settings differ; those of the text have to
        be those it was read with."""
        folder = Path(folder)
        theirs, ours = shared(settings_to_continue(folder, out)), shared(config.model_dump())
        for key, value in ours.items():
            if value is not None and theirs[key] != value:
                raise InputError(
                    f"{folder}: was trained with {key} = {theirs[key]!r}, not {value!r}; use the same setting to "
                    "continue."
                )
        saved = load_state(folder)
        assert saved is not None
        arrays, _, origin = saved
        vectors = WordVectors.load(folder)
        inputs, outputs = (arrays.get(name, np.empty(0)) for name in ("inputs", "outputs"))
        belong = vectors.meta.get("corpus") in (None, origin.text) and outputs.shape == vectors.stored.shape
        ngrams = (
            np.empty((0, vectors.dim), np.float32) if vectors.subwords is None else np.asarray(vectors.subwords.matrix)
        )
        if inputs.shape == vectors.stored.shape:
            inputs = np.concatenate([inputs, ngrams])
        settings = origin.settings
        belong = belong and len(ngrams) == (settings.get("buckets") if settings.get("subwords") else 0)
        if vectors.counts is None or not belong or inputs.shape != (len(vectors) + len(ngrams), vectors.dim):
            raise InputError(f"{folder}: its state and its vectors do not belong together; it is damaged.")
        return cls(vectors.words, vectors.counts, inputs, outputs, origin.settings)

    def resolve(self, config: EmbeddingsConfig) -> EmbeddingsConfig:
        """The settings, with what was left open as it was."""
        return config.model_copy(update={key: self.settings[key] for key in ("dim", "subwords", "buckets")})


def shared(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What two trainings must have in common, by its name."""
    text = settings.get("text", {})
    return {key: settings.get(key) for key in SHARED_SETTINGS} | {key: text.get(key) for key in TEXT_SETTINGS}


def start_from_earlier(engine: Engine, words: ChosenWords, earlier: Earlier) -> str:
    """Give the words that an earlier training knew its vectors, input and output, and the n-grams theirs."""
    arrays = {name: array.copy() for name, array in engine.arrays().items()}
    row_of = {word: row for row, word in enumerate(words.words)}
    rows = np.array([row_of[word] for word in earlier.words])
    old = len(earlier.words)
    arrays["inputs"][rows], arrays["outputs"][rows] = earlier.inputs[:old], earlier.outputs
    arrays["inputs"][len(words.words) :] = earlier.inputs[old:]
    engine.load_arrays(arrays)
    return f"continues a training: {old:,} words known, {len(words.words) - old:,} new."


def start_from_vectors(engine: Engine, parts: WordParts, words: ChosenWords, vectors: WordVectors) -> str:
    """Give the words that `vectors` know these as their input vectors. Raises InputError for another width."""
    arrays = {name: array.copy() for name, array in engine.arrays().items()}
    dim = arrays["inputs"].shape[1]
    if vectors.dim != dim:
        raise InputError(f"init: its vectors have {vectors.dim} dimensions, not {dim}; use dim = {vectors.dim}.")
    known = np.array([row for row, word in enumerate(words.words) if word in vectors], np.int64)
    if not len(known):
        raise InputError("init: none of the words of this text has a vector there; is it of another language?")
    found = np.stack([vectors[words.words[row]] for row in known])
    parts.start_from(arrays["inputs"], known, found)
    engine.load_arrays(arrays)
    return f"starts from {len(known):,} known vectors, {len(words.words) - len(known):,} words are new."
