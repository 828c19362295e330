"""The Python API: one function a verb. `import seqlab` offers these names at the top."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .config import EmbeddingsConfig, LanguageModelConfig, TextConfig, merge
from .embeddings import WordVectors
from .embeddings import load_vectors as load_vector_file
from .embeddings.folder import STATE as VECTORS_STATE
from .errors import InputError
from .evaluation import (
    Adaptation,
    Evaluator,
    evaluate_language_model,
    evaluator_of,
    read_source,
    write_token_scores,
)
from .files import check_replaceable
from .generation import TextGenerator
from .models import LanguageModel
from .run import Run, is_run, resolve_device
from .text.preparation import prepare as prepare_corpus
from .text.readers import Sources
from .text.token_file import Corpus
from .text.tokenizer import Tokenizer
from .text.words import WordTokenizer
from .training import Trainer, check, check_batches, describe, join, start_from_vectors, suggest
from .training import preset as preset_settings
from .training.baselines import baselines, validation_sentence
from .training.initial import architecture_of, start_from_run, start_output

if TYPE_CHECKING:
    from .embeddings.trainer import Callback

Source = Sources | Corpus
BUDGETS = ("epochs", "steps", "minutes")


class TrainedLanguageModel:
    """A language model ready to use: generates, scores, evaluates.

    Attributes:
        run: the run folder it came from.
        model: the weights.
        tokenizer: text to ids and back.
        summary: what training reported (empty for a model loaded from disk).
    """

    def __init__(self, run: Run, device: str = "cpu", summary: Mapping[str, Any] | None = None):
        self.run, self.summary = run, dict(summary or {})
        self.model: LanguageModel = run.load_model(device)
        self.tokenizer: Tokenizer = run.tokenizer
        self.generator = TextGenerator(self.model, self.tokenizer)

    def generate(self, prompt: str = "", **options: Any) -> str:
        """The text of one sample, the prompt not included. Options as in `TextGenerator.generate`."""
        return self.generator.generate(prompt, **options)[0].text

    def log_prob(self, text: str) -> float:
        """Exact log-probability of a text in nats. Raises InputError for an empty text."""
        ids = self.tokenizer.encode(text)
        if not len(ids):
            raise InputError("text: is empty; give at least one token.")
        ids_T = torch.from_numpy(np.asarray(ids, dtype=np.int64)).to(self.model.device)
        if not self.model.reads_characters:
            return self.model.log_prob(ids_T, self.tokenizer.start_id)
        spelt, words = self.tokenizer.encode_spelt(text)
        with self.model.extra_words(words):
            return self.model.log_prob(ids_T, self.tokenizer.start_id, torch.from_numpy(spelt).to(ids_T.device))

    def evaluate(
        self,
        text: Sources | None = None,
        *,
        split: str = "test",
        valid: Sources | None = None,
        train_text: Sources | None = None,
        token_scores: str | Path | None = None,
        quiet: bool = True,
        **adaptation: Any,
    ) -> dict[str, Any]:
        """Exact scores on a text: tokens, nats_per_token, perplexity, nats_per_char, bits_per_char, bits_per_byte,
        unknown_rate. A model that reads characters reads words outside its vocabulary as they are spelt; they are
        predicted as <unk> all the same.

        Args:
            text: what to score; None takes a `split` ("valid" or "test") of the corpus the run was trained on.
            valid: the text to tune on where something is to be tuned; by default that corpus's validation split.
            train_text: the text to count; by default its training split.
            token_scores: a JSON Lines file to write every token's log-probability to.
            **adaptation: what to add, by name: temperature=True, mc_dropout=8, dynamic=True, cache=2000, counts=True,
                ensemble=[RUN, ...], seed=1 (`seqlab.evaluation.Adaptation`). Each is then a section of the result.

        Raises:
            InputError: a text or an addition that cannot be had.
        """
        evaluator = self.evaluator(valid, train_text, quiet, **adaptation)
        return self.evaluate_with(evaluator, text, split, token_scores)

    def evaluator(
        self, valid: Sources | None = None, train_text: Sources | None = None, quiet: bool = True, **adaptation: Any
    ) -> Evaluator:
        """What `evaluate` uses, tuned once for any number of texts."""
        chosen = Adaptation.of(adaptation)
        return evaluator_of(self.run, self.model, chosen, valid, train_text, quiet)

    def evaluate_with(
        self,
        evaluator: Evaluator,
        text: Sources | None = None,
        split: str = "test",
        token_scores: str | Path | None = None,
    ) -> dict[str, Any]:
        """`evaluate` with an evaluator of this model."""
        tokens = read_source(self.run, text, split, self.model.reads_characters).tokens
        if token_scores is None:
            return evaluator.evaluate(tokens)
        evaluation = evaluator.evaluate_tokens(tokens)
        write_token_scores(token_scores, tokens, self.tokenizer, evaluation)
        return evaluation.report

    def vectors(self) -> WordVectors:
        """The input vectors of the vocabulary's words."""
        vocab = self.tokenizer.vocab
        keep = np.flatnonzero(self.tokenizer.words_mask())
        matrix_VD = self.model.word_vectors().float().cpu().numpy()
        return WordVectors([vocab.itos[i] for i in keep], matrix_VD[keep], vocab.counts[keep])


def prepare(
    source: Source,
    out: str | Path | None = None,
    valid: Any = None,
    test: Any = None,
    quiet: bool = False,
    **options: Any,
) -> Corpus:
    """Text becomes ids: a corpus folder at `out`, or in the cache. Options are those of `TextConfig`."""
    if isinstance(source, Corpus):
        return source
    config = TextConfig().updated(options)
    return prepare_corpus(source, Path(out) if out else None, config, valid=valid, test=test, quiet=quiet)


def load_language_model(path: str | Path, device: str = "cpu") -> TrainedLanguageModel:
    """A trained model from its run folder."""
    return TrainedLanguageModel(Run.open(path), device)


def load_vectors(path: str | Path, mapped: bool = False) -> WordVectors:
    """Word vectors from any file or folder seqlab reads, or the input embedding of a language-model run.

    mapped: leave the matrix of an embeddings folder in its file, unchecked; nothing else can be opened so.
    """
    if not is_run(path):
        return load_vector_file(path, mapped)
    if mapped:
        raise InputError(
            f"{path}: a language-model run cannot be left in its file; save its vectors to a folder first."
        )
    return load_language_model(path).vectors()


def evaluate(run: str | Path, text: Sources | None = None, **options: Any) -> dict[str, Any]:
    """Exact scores of a language-model run on a text. Options as in `TrainedLanguageModel.evaluate`."""
    return load_language_model(run).evaluate(text, **options)


def train_embeddings(
    source: Source,
    out: str | Path | None = None,
    quiet: bool = False,
    resume: str | Path | None = None,
    callback: Callback | None = None,
    **options: Any,
) -> WordVectors:
    """Word vectors from a text.

    Args:
        out: a folder to save them in; the same call on an unfinished one goes on where it stopped.
        resume: vectors trained here, to continue from on this text; its words stay, new ones are added. Settings of
            the model, its objective and the text that are not given are those it was trained with.
        callback: called with an `Epoch` (number, loss, held_out, vectors() and more) after every pass.
        **options: those of `EmbeddingsConfig`.
    """
    return train_embeddings_with_report(source, out, quiet, options, resume, callback)[0]


def train_embeddings_with_report(
    source: Source,
    out: str | Path | None,
    quiet: bool,
    values: Mapping[str, Any],
    resume: str | Path | None = None,
    callback: Callback | None = None,
) -> tuple[WordVectors, dict[str, Any]]:
    """Word vectors, and what training reported: words_per_second, seconds, loss and more."""
    config = EmbeddingsConfig().updated(values)
    from .embeddings.engines import check as check_vectors  # these bring numba, which nothing else here waits for
    from .embeddings.starts import check_one_start, inherited
    from .embeddings.training import train_embeddings as train_vectors

    if resume is not None:
        check_one_start(config, resume)
        config = EmbeddingsConfig().updated(inherited(values, resume, out))
    check_vectors(config)
    if out is not None:
        check_replaceable(out, VECTORS_STATE)
    if isinstance(source, Corpus):
        corpus = source
    else:
        corpus = prepare_corpus(source, None, config.text, for_words=True, quiet=quiet)
    return train_vectors(corpus, config, quiet, out, resume, callback)


def train_language_model(
    source: Source,
    out: str | Path | None = None,
    valid: Any = None,
    test: Any = None,
    quiet: bool = False,
    preset: str | None = None,
    values: Mapping[str, Any] | None = None,
    **options: Any,
) -> TrainedLanguageModel:
    """Train a language model on a text, or go on with the unfinished run at `out`.

    Args:
        source: text file(s), folder, corpus name or prepared corpus.
        out: run folder; None uses a temporary one.
        valid, test: texts to validate and to test on; by default the end of the text is kept for validation.
        preset: a preset; by default the one that suits the text.
        values: nested configuration, as read from a file.
        **options: configuration by name, such as minutes=5, hidden_dim=512 or cell="gru".

    Raises:
        InputError: a bad text or option, or a run at `out` made with another text or configuration.
    """
    given = merge(values or {}, LanguageModelConfig.qualified(options))
    world = join()
    if world.size > 1 and out is None:
        raise InputError("several processes need an output folder they all can reach; name one.")
    quiet = quiet or not world.first
    with world.one_after_the_other():
        run, model, corpus = start(source, out, valid, test, quiet, preset, given, world.size)
    device = world.local_device(resolve_device(run.config.training.device))
    summary = Trainer(run, model.to(device), corpus, quiet, world).fit()
    if world.first:
        run.finish()
    world.barrier()
    trained = TrainedLanguageModel(run, device, summary if world.first else None)
    if corpus.test is not None and world.first:
        start_id = corpus.tokenizer.start_id
        trained.summary["test"] = evaluate_language_model(trained.model, corpus.test, start_id, quiet=quiet)
    if corpus.valid is not None and world.first:
        trained.summary["baselines"] = baselines(corpus)
        if not quiet:
            sentence = validation_sentence(trained.summary["valid"], trained.summary["baselines"])
            print(f"seqlab: {sentence}", file=sys.stderr)
    world.barrier()
    return trained


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


def plan(
    source: Source, valid: Any, test: Any, quiet: bool, preset: str | None, given: Mapping[str, Any]
) -> tuple[Corpus, WordVectors | None, LanguageModelConfig, str]:
    """The prepared corpus, the vectors that feed the model, the full configuration (a preset overridden by what was
    given, and by the run that training starts from), and a sentence that says what it is."""
    named = preset_settings(preset) if preset else {}
    asked = resolved(named, {}, given)
    check(asked)
    resolve_device(asked.training.device)
    fixed: dict[str, Any] = {}
    if asked.training.init:
        origin = Run.open(asked.training.init)
        fixed = {"model": architecture_of(origin, given.get("model", {})), "text": text_settings_of(origin, given)}
        asked = resolved(named, fixed, given)
    if isinstance(source, Corpus):
        corpus = source
    else:
        corpus = prepare_corpus(source, None, asked.text, valid=valid, test=test, quiet=quiet)
    vectors = load_vectors(asked.training.embeddings) if asked.training.embeddings else None
    name, settings = (preset, named) if preset else suggest(corpus, asked.training.minutes)
    if vectors is not None:
        settings["model"]["embed_dim"] = vectors.matrix.shape[1]
    config = resolved(settings, fixed, given)
    check(config)
    with torch.device("meta"):
        LanguageModel(config.model, len(corpus.tokenizer.vocab))  # refuses sizes that do not fit, before a run is made
    return corpus, vectors, config, describe(name, config, corpus)


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


def reopen(path: Path, config: LanguageModelConfig, corpus: Corpus) -> Run | None:
    """The run at `path`, None where there is none. Raises InputError when it was made with another text or
    configuration."""
    if not is_run(path):
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
