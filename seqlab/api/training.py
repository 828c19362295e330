"""Training: word vectors, language models, autoencoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ..base.errors import InputError
from ..base.kinds import DESCRIPTIONS, kind_of
from ..base.storage.outputs import check_folder
from ..config import AutoencoderConfig, EmbeddingsConfig, LanguageModelConfig, merge
from ..config.arguments import checked
from ..config.explicit import explicit
from ..options import AutoencoderOptions, EmbeddingsOptions, LanguageModelOptions
from .given import config_values, language_model_layers, origin_of

if TYPE_CHECKING:
    from ..autoencoders.trained import TrainedAutoencoder
    from ..embeddings import WordVectors
    from ..embeddings.training.loop import Epoch
    from ..text import Corpus, Sources
    from ..trained import TrainedLanguageModel


@explicit(EmbeddingsConfig)
@checked
def train_embeddings(
    source: Sources | Corpus,
    out: str | Path | None = None,
    *,
    resume: str | Path | None = None,
    callback: Callable[[Epoch], None] | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    quiet: bool = False,
    **options: Unpack[EmbeddingsOptions],
) -> WordVectors:
    """Train word vectors on a text.

    Args:
        source: text file(s), a folder, a corpus name, or a prepared `Corpus`.
        out: a folder to save them in; the same call on an unfinished one resumes it. None keeps them in memory only.
        resume: vectors trained here, to continue from on this text: its words stay, new ones are added, and settings
            that are not given are those it was trained with.
        callback: called with an `Epoch` (number, loss, held_out, vectors() and more) after every pass.
        config: a TOML or JSON file of settings, or the same as nested values; options override it.
        quiet: show no progress.
        **options: how vectors are trained, listed below.

    Returns:
        The vectors; `.meta["report"]` says how training went.

    Raises:
        InputError: a bad text or option, or too little memory.
        SeqlabError: training diverged.
    """
    given = {**config_values(config), **EmbeddingsConfig.qualified(options)}
    return train_embeddings_with_report(source, out, quiet, given, resume, callback)[0]


def train_embeddings_with_report(
    source: Sources | Corpus,
    out: str | Path | None,
    quiet: bool,
    values: Mapping[str, Any],
    resume: str | Path | None = None,
    callback: Callable[[Epoch], None] | None = None,
) -> tuple[WordVectors, dict[str, Any]]:
    """`train_embeddings` for the command line: also returns words_per_second, seconds, loss and more."""
    from ..base.storage.lock import only_trainer
    from ..embeddings.folder import STATE
    from ..embeddings.training.checks import check
    from ..embeddings.training.starts import inherited
    from ..embeddings.training.train import train_embeddings as train
    from ..text import prepare as prepare_corpus

    settings = EmbeddingsConfig().updated(values)
    if resume is not None:
        check(settings, resume)
        settings = EmbeddingsConfig().updated(inherited(values, resume, out))
    check(settings)
    if out is not None:
        if (kind := kind_of(out)) in ("run", "autoencoder", "corpus"):
            raise InputError(f"{out}: exists and is {DESCRIPTIONS[kind]}; choose another folder for word vectors.")
        check_folder(out, STATE)
    with only_trainer(out):
        corpus = prepare_corpus(source, None, settings.text, for_words=True, quiet=quiet)
        return train(corpus, settings, quiet, out, resume, callback)


@explicit(LanguageModelConfig)
@checked
def train_language_model(
    source: Sources | Corpus,
    out: str | Path | None = None,
    *,
    valid: Sources | None = None,
    test: Sources | None = None,
    preset: str | None = None,
    more: float | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    quiet: bool = False,
    **options: Unpack[LanguageModelOptions],
) -> TrainedLanguageModel:
    """Train a language model on a text, or resume the unfinished run at `out`.

    With no options the tokenizer, the sizes and the time are chosen from the text, and reported.

    Args:
        source: text file(s), a folder, a corpus name, or a prepared `Corpus`.
        out: run folder. None makes a temporary one that goes with the returned object; its `save` makes it permanent.
        valid: text to validate on; None sets aside the end of the text.
        test: text to score once at the end.
        preset: named settings; None takes those that suit the text.
        more: minutes by which to continue the finished run at `out`; the learning rate rises and falls once more.
        config: a TOML or JSON file of settings, or the same as nested values; options override it.
        quiet: show no progress.
        **options: settings by name, listed below, such as minutes=5, hidden_dim=512 or cell="gru".

    Raises:
        InputError: a bad text or option, or a run at `out` made with another text or configuration.
        SeqlabError: training diverged.
    """
    from ..trained import TrainedLanguageModel
    from ..training.train import train_language_model as train

    layers = language_model_layers(config, options)
    run, members, summary = train(
        source, out, valid=valid, test=test, quiet=quiet, preset=preset, given=layers, more=more
    )
    return TrainedLanguageModel(run, str(members.network.device), summary=summary, members=members)


@explicit(AutoencoderConfig)
@checked
def train_autoencoder(
    source: Sources | Corpus,
    out: str | Path | None = None,
    *,
    valid: Sources | None = None,
    test: Sources | None = None,
    baseline: str | Path | None = None,
    preset: str | None = None,
    more: float | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    quiet: bool = False,
    **options: Unpack[AutoencoderOptions],
) -> TrainedAutoencoder:
    """Train an autoencoder on the lines of a text, or resume the unfinished run at `out`: every line becomes a point,
    and points become lines.

    With no options it is variational, its sizes are chosen from the text, and it trains for three minutes.

    Args:
        source: text of one item a line, a file of records, a corpus name, or a prepared `Corpus` of lines.
        out: run folder. None makes a temporary one that goes with the returned object; its `save` makes it permanent.
        valid: lines to validate on; None sets aside lines drawn at random.
        test: lines to score once at the end.
        baseline: a run folder in which a language model with the same settings is trained on the same lines for as
            long, to compare with.
        preset: named settings; None takes those that suit the text.
        more: minutes by which to continue the finished run at `out`; the learning rate rises and falls once more.
        config: a TOML or JSON file of settings, or the same as nested values; options override it.
        quiet: show no progress.
        **options: settings by name, listed below, such as kind="plain", latent_dim=64 or minutes=5.

    Raises:
        InputError: a bad text or option, or a run at `out` made with another text or configuration.
        SeqlabError: training diverged.
    """
    from ..autoencoders.train import train_autoencoder as train
    from ..autoencoders.trained import TrainedAutoencoder

    configured = AutoencoderConfig.checked(config_values(config), origin_of(config))
    given = merge(configured, AutoencoderConfig.checked(options, "options"))
    run, model, summary = train(
        source, out, valid=valid, test=test, quiet=quiet, given=given, baseline=baseline, more=more, preset=preset
    )
    return TrainedAutoencoder(run, str(model.device), summary=summary, model=model)
