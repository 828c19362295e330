"""The Python API: one function a verb. `import seqlab` offers these names at the top."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .base.errors import InputError
from .base.files import check_replaceable
from .config import EmbeddingsConfig, LanguageModelConfig, TextConfig, merge
from .embeddings import WordVectors
from .embeddings.folder import STATE as VECTORS_STATE
from .evaluation import (
    Adaptation,
    Evaluator,
    evaluator_of,
    read_source,
    write_token_scores,
)
from .generation import TextGenerator
from .models import LanguageModel
from .opening import open_vectors, vectors_of_model
from .run import Run
from .text.ids.token_file import Corpus
from .text.preparation.prepare import prepare as prepare_corpus
from .text.sources.readers import Sources
from .text.tokenizers.base import Tokenizer
from .training.planning import Source
from .training.train import train_language_model as train_run

if TYPE_CHECKING:
    from .embeddings.training.loop import Callback


class TrainedLanguageModel:
    """A language model ready to use: generates, scores, evaluates.

    Attributes:
        run: the run folder it came from.
        model: the weights.
        tokenizer: text to ids and back.
        summary: what training reported (empty for a model loaded from disk).
    """

    def __init__(
        self,
        run: Run,
        device: str = "cpu",
        summary: Mapping[str, Any] | None = None,
        model: LanguageModel | None = None,
    ):
        self.run, self.summary = run, dict(summary or {})
        self.model: LanguageModel = run.load_model(device) if model is None else model
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
            train_text: the text to count, and for dynamic evaluation to take the size of gradients from; by default
                its training split.
            token_scores: a JSON Lines file to write every token's log-probability, rank and entropy to.
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
        evaluation = evaluator.evaluate_tokens(tokens, ranked=True)
        write_token_scores(token_scores, tokens, self.tokenizer, evaluation)
        return evaluation.report

    def vectors(self) -> WordVectors:
        """The input vectors of the vocabulary's words."""
        return vectors_of_model(self.model, self.tokenizer)


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
    return open_vectors(path, mapped=mapped)


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
    from .embeddings.training.checks import (
        check as check_vectors,  # these bring numba, which nothing else here waits for
    )
    from .embeddings.training.starts import inherited
    from .embeddings.training.train import train_embeddings as train_vectors

    if resume is not None:
        check_vectors(config, resume)
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
        valid: a text to validate on; by default the end of the text is kept for it.
        test: a text to evaluate on once at the end.
        preset: a preset; by default the one that suits the text.
        values: nested configuration, as read from a file.
        **options: configuration by name, such as minutes=5, hidden_dim=512 or cell="gru".

    Raises:
        InputError: a bad text or option, or a run at `out` made with another text or configuration.
    """
    given = merge(values or {}, LanguageModelConfig.qualified(options))
    run, best, summary = train_run(source, out, valid=valid, test=test, quiet=quiet, preset=preset, given=given)
    return TrainedLanguageModel(run, summary=summary, model=best)
