"""What is to be trained, settled before anything is written: the text, the settings from preset, person and run, the
model that training starts from, and the run folder last."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..base.devices import resolve_device
from ..base.errors import InputError
from ..base.kinds import kind_of
from ..config import LanguageModelConfig, merge
from ..embeddings import WordVectors
from ..models import LanguageModel
from ..opening import open_vectors
from ..run import Run
from ..text.ids.token_file import Corpus
from ..text.preparation.prepare import prepare
from ..text.sources.readers import Sources
from ..text.tokenizers.words import WordTokenizer
from .checks import check, check_batches
from .graphs import check_graphs
from .presets import describe, suggest
from .presets import preset as preset_settings
from .starts.from_run import architecture_of, start_from_run, start_output
from .starts.from_vectors import start_from_vectors

Source = Sources | Corpus
BUDGETS = ("epochs", "steps", "minutes")
"""Settings of how long training lasts, of which one is enough."""


class Plan(NamedTuple):
    """What is to be trained."""

    corpus: Corpus
    vectors: WordVectors | None
    """That feed the model."""
    config: LanguageModelConfig
    """A preset overridden by the run that training starts from, and by what was given."""
    sentence: str
    """For the person watching."""


def plan(source: Source, valid: Any, test: Any, quiet: bool, preset: str | None, given: Mapping[str, Any]) -> Plan:
    """Settle what is to be trained. Raises InputError for settings, a text or vectors that do not do.

    Args:
        source, valid, test: texts, see `seqlab.api.train_language_model`.
        preset: its name; None takes the one that suits the text.
        given: what the person set, as nested values.
    """
    named = preset_settings(preset) if preset else {}
    asked = resolved(named, {}, given)
    check(asked)
    device = resolve_device(asked.training.device)
    fixed: dict[str, Any] = {}
    if asked.training.init:
        origin = Run.open(asked.training.init)
        fixed = {"model": architecture_of(origin, given.get("model", {})), "text": text_settings_of(origin, given)}
        asked = resolved(named, fixed, given)
    if isinstance(source, Corpus):
        corpus = source
    else:
        corpus = prepare(source, None, asked.text, valid=valid, test=test, quiet=quiet)
    vectors = open_vectors(asked.training.embeddings) if asked.training.embeddings else None
    name, settings = (preset, named) if preset else suggest(corpus, asked.training.minutes)
    if vectors is not None:
        settings["model"]["embed_dim"] = vectors.matrix.shape[1]
    config = resolved(settings, fixed, given)
    check(config)
    check_graphs(config, device)
    with torch.device("meta"):
        LanguageModel(config.model, len(corpus.tokenizer.vocab))  # refuses sizes that do not fit, before a run is made
    return Plan(corpus, vectors, config, describe(name, config, corpus))


def resolved(settings: Mapping[str, Any], fixed: Mapping[str, Any], given: Mapping[str, Any]) -> LanguageModelConfig:
    """A preset's settings overridden by `fixed` ones and those by `given` ones, of which a budget replaces another."""
    if any(given.get("training", {}).get(budget) is not None for budget in BUDGETS):
        training = {key: value for key, value in settings.get("training", {}).items() if key not in BUDGETS}
        settings = {**settings, "training": training}
    return LanguageModelConfig.build(merge(merge(settings, fixed), given))


def text_settings_of(run: Run, given: Mapping[str, Any]) -> dict[str, Any]:
    """The text settings that give types the look of those of a run, so far as `given` names no other tokenizer."""
    kind = run.tokenizer.kind
    if isinstance(run.tokenizer, WordTokenizer) and given.get("text", {}).get("tokenizer", kind) == kind:
        return {"tokenizer": kind, "lowercase": run.tokenizer.lowercase}
    return {"tokenizer": kind}


def start(
    source: Source,
    out: str | Path | None,
    valid: Any,
    test: Any,
    quiet: bool,
    preset: str | None,
    given: Mapping[str, Any],
    processes: int = 1,
) -> tuple[Run, LanguageModel, Corpus]:
    """The run to train, new or the unfinished one at `out`, its model as training starts from it, and the text.

    A new run is written last, when nothing is left to refuse: the corrected command finds the folder free.
    """
    corpus, vectors, config, sentence = plan(source, valid, test, quiet, preset, given)
    run = reopen(Path(out), config, corpus) if out is not None else None
    if config.model.input == "characters":
        corpus = corpus.with_spelling(quiet=quiet)
    check_batches(config.training, processes, len(corpus.train))
    if not quiet:
        print(f"seqlab: {sentence}", file=sys.stderr)
    model = fresh_model(config, corpus, vectors, quiet)
    if run is None:
        path = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="seqlab-run-")) / "run"
        run = Run.create(path, config, corpus.tokenizer, {"digest": corpus.digest, **corpus.summary})
    return run, model, corpus


def fresh_model(
    config: LanguageModelConfig, corpus: Corpus, vectors: WordVectors | None, quiet: bool = True
) -> LanguageModel:
    """The model that training starts from: random, or with word vectors or another run's weights in it."""
    training, tokenizer = config.training, corpus.tokenizer
    torch.set_num_threads(training.threads or torch.get_num_threads())
    torch.manual_seed(training.seed)
    model = LanguageModel(config.model, len(tokenizer.vocab), training.seed)
    start_output(model, tokenizer.vocab.counts, training)
    model.set_words(tokenizer.vocab.itos)
    sentence = ""
    if vectors is not None:
        sentence = start_from_vectors(model, tokenizer, vectors, training.freeze_embeddings, training.seed).sentence()
    if training.init:
        sentence = start_from_run(model, tokenizer, Run.open(training.init)).sentence(training.init)
    if sentence and not quiet:
        print(f"seqlab: {sentence}", file=sys.stderr)
    return model


def reopen(path: Path, config: LanguageModelConfig, corpus: Corpus) -> Run | None:
    """The run at `path`, None where there is none. Raises InputError when it was made with another text or
    configuration."""
    if kind_of(path) != "run":
        return None
    run = Run.open(path)
    if run.record["corpus"]["digest"] != corpus.digest:
        raise InputError(
            f"{path}: was trained on another text (its corpus digest differs); "
            "use the same text to go on, or another output folder."
        )
    ours, theirs = flat(config.model_dump()), flat(run.config.model_dump())
    for key, value in ours.items():
        if value != theirs[key]:
            raise InputError(
                f"{path}: was started with {key} = {theirs[key]!r}, not {value!r}; "
                "use the same setting to go on, or another output folder."
            )
    return run


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys."""
    result: dict[str, Any] = {}
    for key, value in nested.items():
        result |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return result
