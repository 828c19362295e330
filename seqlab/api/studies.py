"""Looking at a training before it starts, and searching its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ..config import EmbeddingsConfig, LanguageModelConfig
from ..config.arguments import checked
from ..config.explicit import explicit
from ..options import LanguageModelOptions
from .given import config_values, language_model_layers

if TYPE_CHECKING:
    from ..studies.check.result import Check
    from ..studies.tune.batch_size import BatchStudy
    from ..studies.tune.range_test import RangeTest
    from ..studies.tune.results import Study
    from ..text import Corpus, Sources


@explicit(LanguageModelConfig)
@checked
def check(
    source: Sources | Corpus,
    *,
    valid: Sources | None = None,
    test: Sources | None = None,
    preset: str | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    quiet: bool = False,
    **options: Unpack[LanguageModelOptions],
) -> Check:
    """Look at the training of a language model before it starts, in less than a minute: is it set up to learn?

    It takes the text, the settings and the weights that `train_language_model` would take with the same arguments,
    tries copies of the model, and writes nothing.

    Args:
        source: what `train_language_model` reads; or the folder of a run, without options, to look at its weights.
        valid: text to validate on; None sets aside the end of the text.
        test: text to score once at the end.
        preset: named settings; None takes those that suit the text.
        config: a TOML or JSON file of settings, or the same as nested values; options override it.
        quiet: show no progress.
        **options: settings by name, listed below.

    Returns:
        What was found, each finding with its rule, its likely cause and what to change; the plan; all figures.

    Raises:
        InputError: a bad text or option.
    """
    from ..studies.check.check import check as look

    layers = language_model_layers(config, options)
    return look(source, valid=valid, test=test, quiet=quiet, preset=preset, given=layers)


@explicit(LanguageModelConfig)
@checked
def find_lr(
    source: Sources | Corpus,
    *,
    valid: Sources | None = None,
    preset: str | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    quiet: bool = False,
    **options: Unpack[LanguageModelOptions],
) -> RangeTest:
    """Find a learning rate by a range test: a few hundred steps in which the rate rises until the loss does.

    It takes seconds, and tells what a search would need many trainings for. The suggestion is the peak rate for the
    optimiser and the schedule of the settings; nothing is written.

    Args:
        source: text file(s), a folder, a corpus name, or a prepared `Corpus`.
        valid: text to validate on, as for `train_language_model`, so that both train on the same text.
        preset: named settings; None takes those that suit the text.
        config: a TOML or JSON file of settings, or the same as nested values; options override it.
        quiet: show no progress.
        **options: settings by name, as for `train_language_model`, listed below.

    Returns:
        The suggestion, the curve, and what other rules read from it; `.picture()` draws it.

    Raises:
        InputError: a bad text or option, or weights that are trained already.
        SeqlabError: the loss fell at no rate.
    """
    from ..studies.tune.range_test import find_lr as find

    return find(source, valid=valid, preset=preset, given=language_model_layers(config, options), quiet=quiet)


@checked
def tune(
    source: Sources | Corpus,
    out: str | Path,
    *,
    minutes: float | None = None,
    trials: int | None = None,
    seconds_per_trial: float | None = None,
    steps_per_trial: int | None = None,
    workers: int = 1,
    grid: Mapping[str, Sequence[Any]] | None = None,
    valid: Sources | None = None,
    preset: str | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    seed: int = 1,
    quiet: bool = False,
) -> Study:
    """Search the settings that suit a language model of a text, or resume the unfinished search at `out`.

    A range test places the learning rate; then learning rate, weight decay, dropout, layers, width and batch size are
    searched, those that `config` sets left out: first the configuration that the text gets without a search, then
    points around it, then points around the best, all with the same small budget. The best few and the configuration
    without a search are then trained twice as long, and that decides. It needs Optuna (`pip install "seqlab[tune]"`).

    Args:
        source: text file(s), a folder, a corpus name, or a prepared `Corpus`.
        out: the study's folder; its `best.toml` is a `config` for `train_language_model`. The same call resumes it, and
            in another process takes part.
        minutes: for the whole search.
        trials: short trainings in all; None follows from `minutes`.
        seconds_per_trial: of a short training; None follows from `minutes`.
        steps_per_trial: instead of seconds: the search is then the same every time. Other widths and batches get as
            many steps as the same arithmetic allows.
        workers: processes that train side by side.
        grid: values to try by setting, such as {"lr": [1e-3, 3e-3]}; every combination of them, and nothing else.
        valid: text to validate on; None sets aside the end of the text.
        preset: named settings; None takes those that suit the text.
        config: settings that stay as they are: a TOML or JSON file, or nested values. Its minutes, steps or epochs are
            those of the training that the settings are for.
        seed: of the search.
        quiet: show no progress.

    Returns:
        The trials, the best of them, and what each setting was worth; `.picture()` draws it.

    Raises:
        InputError: a bad text or option, a study of another text or with other settings at `out`, or no Optuna.
    """
    from ..studies.tune.study import tune as search
    from ..studies.tune.tunables.effort import Effort
    from ..studies.tune.tunables.language_model import plan_language_model

    layers = language_model_layers(config, {})
    return search(
        partial(plan_language_model, source, valid=valid, preset=preset, given=layers),
        LanguageModelConfig,
        out,
        effort=Effort(minutes, trials, seconds_per_trial, steps_per_trial),
        workers=workers,
        grid=grid,
        seed=seed,
        quiet=quiet,
    )


@checked
def tune_embeddings(
    source: Sources | Corpus,
    out: str | Path,
    *,
    minutes: float | None = None,
    trials: int | None = None,
    seconds_per_trial: float | None = None,
    workers: int = 1,
    grid: Mapping[str, Sequence[Any]] | None = None,
    questions: str | Path | Sequence[str | Path] = (),
    config: str | Path | Mapping[str, Any] | None = None,
    seed: int = 1,
    quiet: bool = False,
) -> Study:
    """Search the settings that suit word vectors of a text, or resume the unfinished search at `out`.

    As `tune` for language models: learning rate, width, noise words and the shortest n-gram are searched by the
    held-out loss. With `questions` the share of wrong answers decides, and window and thinning are searched too: they
    decide what is predicted, so losses with different ones cannot be compared.

    Args:
        source: text file(s), a folder, a corpus name, or a prepared `Corpus`.
        out: the study's folder; its `best.toml` is a `config` for `train_embeddings`. The same call resumes it.
        minutes: for the whole search.
        trials: short trainings in all; None follows from `minutes`.
        seconds_per_trial: of a short training; None follows from `minutes`. With epochs in `config` every short trial
            makes so many passes instead, and with one thread (workers in `config`) the search is the same every time.
        workers: processes that train side by side.
        grid: values to try by setting, such as {"dim": [50, 100]}; every combination of them, and nothing else.
        questions: analogies: "english", "python-docs", or files.
        config: settings that stay as they are: a TOML or JSON file, or nested values.
        seed: of the search.
        quiet: show no progress.

    Returns:
        The trials, the best of them, and what each setting was worth; `.picture()` draws it.

    Raises:
        InputError: a bad text or option, a study of another text or with other settings at `out`, or no Optuna.
    """
    from ..studies.tune.study import tune as search
    from ..studies.tune.tunables.effort import Effort
    from ..studies.tune.tunables.vectors import plan_vectors

    sets = [questions] if isinstance(questions, str | Path) else questions
    given = config_values(config)
    return search(
        partial(
            plan_vectors,
            source,
            given=given,
            questions=[str(one) for one in sets],
            grid=list(grid or ()),
        ),
        EmbeddingsConfig,
        out,
        effort=Effort(minutes, trials, seconds_per_trial, epochs_per_trial=EmbeddingsConfig().updated(given).epochs),
        workers=workers,
        grid=grid,
        seed=seed,
        quiet=quiet,
    )


@checked
def compare_batch_sizes(
    source: Sources | Corpus,
    steps: int,
    *,
    valid: Sources | None = None,
    preset: str | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> BatchStudy:
    """Train small, large and growing batches on the same tokens of a text, and see how sharp their minima are.

    Args:
        source: text file(s), a folder, a corpus name, or a prepared `Corpus`.
        steps: updates of the small batch.
        valid: text to validate on; None sets aside the end of the text.
        preset: named settings; None takes those that suit so many steps.
        config: a TOML or JSON file of settings, or nested values; its batch_size is the small batch.
        quiet: show no progress.

    Returns:
        Loss and sharpness of every variant, and their curves; `.picture()` draws them.

    Raises:
        InputError: a bad text or setting, or a text too short for the large batch.
    """
    from ..studies.tune.batch_size import compare_batch_sizes as compare_sizes

    layers = language_model_layers(config, {})
    return compare_sizes(source, steps, valid=valid, preset=preset, given=layers, quiet=quiet)
