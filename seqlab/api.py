"""The Python API: one function a verb. `import seqlab` offers these names at the top."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from .base.errors import InputError
from .base.kinds import DESCRIPTIONS, kind_of
from .base.storage.outputs import check_folder
from .config import AutoencoderConfig, EmbeddingsConfig, LanguageModelConfig, MapConfig, TextConfig, merge, read_config
from .config.explicit import explicit
from .options import (
    AutoencoderOptions,
    EmbeddingsOptions,
    EvaluationOptions,
    LanguageModelOptions,
    MapOptions,
    TextOptions,
)

if TYPE_CHECKING:
    from .autoencoders.trained import TrainedAutoencoder
    from .catalogue.corpora import NamedCorpora
    from .compression.models import CompressedModel, CompressionStudy
    from .compression.onnx.export import Exported
    from .compression.vectors.measure import CompressedVectors
    from .embeddings import WordVectors
    from .embeddings.training.loop import Epoch
    from .evaluation import Scores
    from .studies.check.result import Check
    from .studies.compare import Comparison, LineComparison, VectorComparison
    from .studies.tune.batch_size import BatchStudy
    from .studies.tune.range_test import RangeTest
    from .studies.tune.results import Study
    from .text import Corpus, Sources
    from .text.inspection.inspection import Inspection
    from .trained import TrainedLanguageModel
    from .training.planning import Layer
    from .visualization import CurveAxis, Picture

Openable = str | Path
"""A path; a `str` that names a corpus will do where a text is wanted."""


@explicit(TextConfig)
def prepare(
    source: Sources | Corpus,
    out: str | Path | None = None,
    *,
    valid: Sources | None = None,
    test: Sources | None = None,
    workers: int | None = None,
    quiet: bool = False,
    **options: Unpack[TextOptions],
) -> Corpus:
    """Turn text into ids once; every training takes the result.

    Args:
        source: text file(s), a folder, a compressed or .jsonl file, or a name from `seqlab.corpora()`. A corpus is
            returned as it is.
        out: a folder for the corpus; None keeps it in the cache, where the same text is found again.
        valid: a validation text; None sets aside the end of the text.
        test: a test text.
        workers: processes; None uses all cores.
        quiet: show no progress.
        **options: how text becomes ids, listed below.

    Returns:
        The corpus: tokenizer and memory-mapped ids of its splits.

    Raises:
        InputError: a text that cannot be read, with file and line, or an unknown option.
    """
    from .text import prepare as prepare_corpus

    config = TextConfig().updated(options)
    return prepare_corpus(
        source, Path(out) if out else None, config, valid=valid, test=test, quiet=quiet, workers=workers
    )


def inspect(
    source: Sources,
    *,
    valid: Sources | None = None,
    test: Sources | None = None,
    field: str = "text",
    quiet: bool = False,
) -> Inspection:
    """Report what a text is like before training on it: figures, oddities, and what to mend.

    Args:
        source: what `prepare` reads.
        valid: a validation text to compare with the first: unknown words, and overlap.
        test: a test text to compare in the same way.
        field: the field of a JSON Lines record that holds its text.
        quiet: show no progress.

    Returns:
        The figures, and `findings`: plain sentences on what to mend.

    Raises:
        InputError: a source does not exist, is empty, or is not what its name says.
    """
    from .text.inspection.inspect import inspect as inspect_text

    return inspect_text(source, valid=valid, test=test, field=field, quiet=quiet)


def corpora() -> NamedCorpora:
    """List the named corpora: what they are, under which licence, and whether they are on this machine.

    A registry of your own, named in the environment variable SEQLAB_CORPORA, adds to the list.
    """
    from .catalogue.corpora import listing

    return listing()


def load(path: str | Path) -> Corpus | WordVectors | TrainedLanguageModel | TrainedAutoencoder:
    """Open whatever seqlab wrote, and word vectors of other programs.

    Args:
        path: a run folder, a folder of word vectors, a prepared corpus, or a vector file of any format that seqlab
            reads (word2vec text or binary, GloVe, fastText, .npz, Projector .tsv).

    Returns:
        A `TrainedLanguageModel`, `TrainedAutoencoder`, `WordVectors` or `Corpus`.

    Raises:
        InputError: nothing is there, a file is damaged, or it is none of these.
    """
    if not isinstance(path, str | Path):
        raise InputError(f"load: give the path of a folder or file, not {type(path).__name__}.")
    kind = kind_of(path)
    if kind == "run":
        return load_language_model(path)
    if kind == "autoencoder":
        return load_autoencoder(path)
    if kind == "corpus":
        from .text import Corpus

        return Corpus.open(path)
    if kind in ("nothing", "folder"):
        raise InputError(f"{path}: {DESCRIPTIONS[kind]}; give a run, word vectors or a prepared corpus.")
    return load_vectors(path)


def load_language_model(path: str | Path, *, device: str = "cpu") -> TrainedLanguageModel:
    """Open a language model from its run folder.

    Args:
        path: the folder.
        device: "cpu", "cuda" or "auto".

    Raises:
        InputError: no such run, or a damaged file.
    """
    from .trained import TrainedLanguageModel

    return TrainedLanguageModel.load(path, device)


def load_autoencoder(path: str | Path, *, device: str = "cpu") -> TrainedAutoencoder:
    """Open an autoencoder from its run folder.

    Args:
        path: the folder.
        device: "cpu", "cuda" or "auto".

    Raises:
        InputError: no such run, or a damaged file.
    """
    from .autoencoders.trained import TrainedAutoencoder

    return TrainedAutoencoder.load(path, device)


def load_vectors(
    path: str | Path, *, mapped: bool = False, verify: bool | Literal["once"] | None = None
) -> WordVectors:
    """Open word vectors from any file or folder that seqlab reads, or the input embedding of a language-model run.

    Args:
        path: a folder or file.
        mapped: leave the matrix of an embeddings folder in its file, shared between programs; nothing else can be
            opened so.
        verify: compare the files of an embeddings folder with their digests: True always, "once" only when they are new
            or have changed, False never. None: True, or "once" if mapped. Other formats are read and checked in full.

    Raises:
        InputError: nothing there holds vectors, or a file is damaged; file and line are named.
    """
    from .opening import open_vectors

    return open_vectors(path, mapped=mapped, verify=verify)


@explicit(EmbeddingsConfig)
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
    from .base.storage.lock import only_trainer
    from .embeddings.folder import STATE
    from .embeddings.training.checks import check
    from .embeddings.training.starts import inherited
    from .embeddings.training.train import train_embeddings as train
    from .text import prepare as prepare_corpus

    settings = EmbeddingsConfig().updated(values)
    if resume is not None:
        check(settings, resume)
        settings = EmbeddingsConfig().updated(inherited(values, resume, out))
    check(settings)
    if out is not None:
        check_folder(out, STATE)
    with only_trainer(out):
        corpus = prepare_corpus(source, None, settings.text, for_words=True, quiet=quiet)
        return train(corpus, settings, quiet, out, resume, callback)


@explicit(LanguageModelConfig)
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
    from .trained import TrainedLanguageModel
    from .training.train import train_language_model as train

    layers = language_model_layers(config, options)
    run, members, summary = train(
        source, out, valid=valid, test=test, quiet=quiet, preset=preset, given=layers, more=more
    )
    return TrainedLanguageModel(run, str(members.network.device), summary=summary, members=members)


@explicit(AutoencoderConfig)
def train_autoencoder(
    source: Sources | Corpus,
    out: str | Path | None = None,
    *,
    valid: Sources | None = None,
    test: Sources | None = None,
    baseline: str | Path | None = None,
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
        config: a TOML or JSON file of settings, or the same as nested values; options override it.
        quiet: show no progress.
        **options: settings by name, listed below, such as kind="plain", latent_dim=64 or minutes=5.

    Raises:
        InputError: a bad text or option, or a run at `out` made with another text or configuration.
        SeqlabError: training diverged.
    """
    from .autoencoders.train import train_autoencoder as train
    from .autoencoders.trained import TrainedAutoencoder

    given = merge(AutoencoderConfig.qualified(config_values(config)), AutoencoderConfig.qualified(options))
    given = merge({}, given)
    AutoencoderConfig().updated(given, origin_of(config) if config is not None else "options")
    run, model, summary = train(source, out, valid=valid, test=test, quiet=quiet, given=given, baseline=baseline)
    return TrainedAutoencoder(run, str(model.device), summary=summary, model=model)


@explicit(LanguageModelConfig)
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
    from .studies.check.check import check as look

    layers = language_model_layers(config, options)
    return look(source, valid=valid, test=test, quiet=quiet, preset=preset, given=layers)


@explicit(LanguageModelConfig)
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
    from .studies.tune.range_test import find_lr as find

    return find(source, valid=valid, preset=preset, given=language_model_layers(config, options), quiet=quiet)


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

    A range test places the learning rate; then learning rate, weight decay, dropout, width and batch size are searched,
    those that `config` sets left out: first the configuration that the text gets without a search, then points around
    it, then points around the best, all with the same small budget. The best few and the configuration without a
    search are then trained four times as long, and that decides. It needs Optuna (`pip install "seqlab[tune]"`).

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
    from .studies.tune.study import tune as search
    from .studies.tune.tunables.base import Effort
    from .studies.tune.tunables.language_model import plan_language_model

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
    from .studies.tune.study import tune as search
    from .studies.tune.tunables.base import Effort
    from .studies.tune.tunables.vectors import plan_vectors

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


def compress(
    source: str | Path | WordVectors,
    out: str | Path,
    *,
    method: str | Sequence[str] | None = None,
    retrain: float | None = None,
    target_size: float | None = None,
    max_loss: float | None = None,
    valid: Sources | None = None,
    questions: str | Path | Sequence[str | Path] = (),
    similarity: str | Path | Sequence[str | Path] = (),
    quiet: bool = False,
) -> CompressedModel | CompressedVectors:
    """Make a smaller, faster model from a trained one, or smaller word vectors, and measure what it costs.

    Args:
        source: the run folder of a language model whose training is finished; or word vectors, or the path of some.
        out: folder of the compressed run, complete or not at all; `load` opens it as any run.
        method: one, or several in order such as "prune=0.8,int8", see `seqlab settings compressions`; None is "int8",
            or with a goal whatever reaches it. Of vectors: `int8`, `int4`, `2bit`, `1bit` or `pq`, and before it
            `words=N`, `dim=N` and `buckets=N`.
        retrain: steps of training of methods that train, as a share of those that trained the run; None takes the
            usual share of each, 0 none. A training that was stopped is resumed by the same call.
        target_size: bytes of the weights at most.
        max_loss: percent by which the network's perplexity may rise; the smallest result within it is taken.
        valid: the text to score before and after on; None takes the validation text of the run.
        questions: of vectors: further sets or files of analogies to score before and after.
        similarity: of vectors: files of similarity to score.
        quiet: show no progress.

    Returns:
        Sizes and exact scores before and after; `.model()` opens the result. Of vectors also `.recall_at_10`.

    Raises:
        InputError: no such run, a method that is unknown or out of order, or no text to score on.
        SeqlabError: nothing costs as little as `max_loss`.
    """
    from .compression.models import LADDER, compress_model, compress_to
    from .embeddings import WordVectors

    if isinstance(source, WordVectors) or kind_of(source) in ("vectors", "file"):
        from .compression.vectors.compress import DEFAULT, compress_vectors

        if any(value is not None for value in (retrain, target_size, max_loss, valid)):
            raise InputError("retrain, target_size, max_loss and valid are for language models, not for word vectors.")
        sets, files = ([one] if isinstance(one, str | Path) else one for one in (questions, similarity))
        return compress_vectors(source, out, method or DEFAULT, questions=sets, similarity=files, quiet=quiet)
    if questions or similarity:
        raise InputError("questions and similarity are for word vectors, not for a language model.")
    if target_size is None and max_loss is None:
        return compress_model(source, out, method or "int8", retrain=retrain, valid=valid, quiet=quiet)
    asked = LADDER if method is None else [method if isinstance(method, str) else ",".join(method)]
    return compress_to(
        source, out, asked, target_size=target_size, max_loss=max_loss, retrain=retrain, valid=valid, quiet=quiet
    )


def compare_compressions(
    source: str | Path,
    out: str | Path,
    *,
    methods: Sequence[str] | None = None,
    retrain: float | None = None,
    valid: Sources | None = None,
    quiet: bool = False,
) -> CompressionStudy:
    """Compress a model by many methods: size, speed and perplexity of each, and which none of the others beats.

    Args:
        source: the run folder of a language model whose training is finished.
        out: the study's folder, with a run folder for each method; the same call resumes it.
        methods: each as `compress` takes it; None tries all.
        retrain: see `compress`.
        valid: see `compress`.
        quiet: see `compress`.

    Returns:
        A row a method; `.picture()` draws them.

    Raises:
        InputError: as `compress`, or the folder holds something else.
    """
    from .compression.models import SWEEP, sweep_model

    return sweep_model(source, out, methods or SWEEP, retrain=retrain, valid=valid, quiet=quiet)


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
    from .studies.tune.batch_size import compare_batch_sizes as compare_sizes

    layers = language_model_layers(config, {})
    return compare_sizes(source, steps, valid=valid, preset=preset, given=layers, quiet=quiet)


def language_model_layers(config: str | Path | Mapping[str, Any] | None, options: Mapping[str, Any]) -> list[Layer]:
    """What the person set, in ascending precedence: a configuration, then options by name."""
    from .training.planning import Layer

    return [
        Layer(origin_of(config), LanguageModelConfig.qualified(config_values(config))),
        Layer("options", LanguageModelConfig.qualified(options)),
    ]


def config_values(config: str | Path | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Nested settings from a file, or as they are given. Raises InputError for anything else."""
    if config is None:
        return {}
    if isinstance(config, str | Path):
        return read_config(config)
    if isinstance(config, Mapping):
        return config
    raise InputError(f"config: give a TOML or JSON file or nested values, not {type(config).__name__}.")


def origin_of(config: str | Path | Mapping[str, Any] | None) -> str:
    """Where settings come from, for error sentences."""
    return str(config) if isinstance(config, str | Path) else "config"


def evaluate(
    model: str | Path | TrainedLanguageModel,
    text: Sources | None = None,
    *,
    split: str | None = None,
    **options: Unpack[EvaluationOptions],
) -> Scores:
    """Exact scores of a language model on a text.

    Args:
        model: a run folder or an open model.
        text: file(s), folder or corpus name to score; None takes a split of the corpus the run was trained on.
        split: "valid" or "test"; None takes the test split, else the validation split.
        **options: what to add to the network, as for `TrainedLanguageModel.evaluate`.

    Raises:
        InputError: no such run or text.
    """
    return language_model(model).evaluate(text, split=split, **options)


def compare(
    *models: str
    | Path
    | TrainedLanguageModel
    | TrainedAutoencoder
    | WordVectors
    | Sequence[str | Path | TrainedLanguageModel],
    text: Sources | None = None,
    split: Literal["valid", "test"] | None = None,
    questions: str | Path | Sequence[str | Path] = (),
    similarity: str | Path | Sequence[str | Path] = (),
    method: Literal["add", "mul"] = "add",
    top: int = 30_000,
    quiet: bool = True,
) -> Comparison | LineComparison | VectorComparison:
    """Compare models with the first of them: how much better each is, and how sure that is.

    Language models are compared on a text, token by token (where their tokenizers differ, by stretches of text);
    differences are losses in nats, b minus a. Where one of them is a variational autoencoder, all are compared line by
    line. Word vectors are compared on questions and similarity scores.

    Args:
        *models: two or more run folders or open models, or word vectors where questions or similarity are given; a
            list of runs that differ in their seed counts as one.
        text: file(s), folder or corpus name; None takes a split of the runs' own corpus, if it is the same text.
        split: "valid" or "test"; None takes the test split, else the validation split.
        questions: for word vectors: question files, or names of shipped sets.
        similarity: for word vectors: files of human similarity scores.
        method: of analogies: "add" or "mul".
        top: analogies: search the so many most frequent words; 0 takes all.
        quiet: show no progress.

    Returns:
        A `Comparison`, with `.pairs`, `.difference`, `.interval` and `.curves()`, a `LineComparison`, or a
        `VectorComparison`.

    Raises:
        InputError: fewer than two models, or ones that cannot be compared.
    """
    from .embeddings import WordVectors
    from .studies.compare import compare_lines, compare_models, compare_vectors, grouped

    if any(isinstance(one, WordVectors) for one in models) or questions or similarity:
        named: list[tuple[str, WordVectors]] = []
        for number, one in enumerate(models, 1):
            if isinstance(one, WordVectors):
                named.append((str(one.path or f"vectors {number}"), one))
            elif isinstance(one, str | Path):
                named.append((str(one), load_vectors(one)))
            else:
                raise InputError(f"compare: give word vectors or their paths, not {type(one).__name__}.")
        return compare_vectors(named, questions, similarity, method, top)
    if any(is_autoencoder(one) for one in models):
        return compare_lines([line_model(one) for one in models], text, split, quiet=quiet)
    groups: list[list[TrainedLanguageModel]] = []
    for given in models:
        several: Sequence[Any] = given if isinstance(given, list | tuple) else [given]
        groups.append([language_model(run) for run in several])
    if all(len(group) == 1 for group in groups):
        groups = grouped([group[0] for group in groups])
    if not all(groups):
        raise InputError("compare: an empty list of runs; name at least one.")
    return compare_models(groups, text, split, quiet)


def export(
    model: str | Path | TrainedLanguageModel, out: str | Path, *, int8: bool = False, quiet: bool = False
) -> Exported:
    """Write a language model's network as an ONNX file, for programs without Python or torch.

    The file's inputs and outputs are tokens and the state; `NAME.tokens.json` and `NAME.README.md` go next to it, with
    the loop in Python and JavaScript. Counts of a run are left out.

    Args:
        model: a run folder or an open model.
        out: the file, such as "model.onnx".
        int8: matrices in int8, a quarter of the size; otherwise float32.
        quiet: show no progress.

    Returns:
        An `Exported`, with `.path`, `.bytes` and `.difference` from the run.

    Raises:
        InputError: no such run, a place that cannot be written to, or onnx and onnxruntime are not installed.
        SeqlabError: ONNX Runtime computes something else than the run; nothing is written.
    """
    from .compression.onnx.export import export as written

    return written(language_model(model).run, out, int8=int8, quiet=quiet)


def is_autoencoder(model: object) -> bool:
    """Whether it is an autoencoder, or the path of one."""
    if isinstance(model, str | Path):
        return kind_of(model) == "autoencoder"
    return type(model).__name__ == "TrainedAutoencoder"


def line_model(model: object) -> TrainedLanguageModel | TrainedAutoencoder:
    """An open model that gives lines a probability, from its folder where a path is given. Raises InputError for
    anything else."""
    from .autoencoders.trained import TrainedAutoencoder
    from .trained import TrainedLanguageModel

    opened = load(model) if isinstance(model, str | Path) else model
    if isinstance(opened, TrainedLanguageModel | TrainedAutoencoder):
        return opened
    raise InputError(f"compare: an autoencoder compares with language models, not with {type(opened).__name__}.")


def language_model(model: str | Path | TrainedLanguageModel) -> TrainedLanguageModel:
    """An open language model, from its folder where a path is given. Raises InputError for anything else."""
    from .trained import TrainedLanguageModel

    if isinstance(model, TrainedLanguageModel):
        return model
    if isinstance(model, str | Path):
        return load_language_model(model)
    raise InputError(f"give a language model or the path of its run folder, not {type(model).__name__}.")


@explicit(MapConfig)
def draw_map(
    vectors: str | Path | WordVectors | TrainedLanguageModel, *, quiet: bool = False, **options: Unpack[MapOptions]
) -> Picture:
    """Draw a map of word vectors, similar words near each other.

    Args:
        vectors: word vectors, a language model, or the path of either.
        quiet: show no progress.
        **options: which words are drawn and how, listed below.

    Returns:
        A picture: a notebook shows it, `.save("map.html")` or `.save("map.png")` writes it.

    Raises:
        InputError: not word vectors, or a word that they lack.
    """
    from .embeddings import WordVectors
    from .trained import TrainedLanguageModel

    if isinstance(vectors, TrainedLanguageModel):
        opened = vectors.vectors()
    elif isinstance(vectors, str | Path):
        opened = load_vectors(vectors)
    elif isinstance(vectors, WordVectors):
        opened = vectors
    else:
        raise InputError(f"vectors: give word vectors or the path of some, not {type(vectors).__name__}.")
    return opened.map(quiet=quiet, **options)


def draw_curves(
    runs: str | Path | TrainedLanguageModel | Iterable[str | Path | TrainedLanguageModel], *, x: CurveAxis = "tokens"
) -> Picture:
    """Draw the training curves of one or several language models: losses, learning rate, gradients, speed.

    Args:
        runs: a run folder or an open model, or several.
        x: the horizontal axis: "tokens", "steps" or "seconds".

    Returns:
        A picture: a notebook shows it, `.save("curves.png")` writes it.

    Raises:
        InputError: not a run, or one that has no metrics yet.
    """
    from .diagnosis import words_beneath
    from .run import Run
    from .trained import TrainedLanguageModel
    from .visualization import draw_curves as draw

    several = [runs] if isinstance(runs, str | Path | TrainedLanguageModel) else list(runs)
    opened = []
    for one in several:
        if not isinstance(one, str | Path | TrainedLanguageModel):
            raise InputError(f"runs: give run folders or open models, not {type(one).__name__}.")
        opened.append(one.run if isinstance(one, TrainedLanguageModel) else Run.open(one))
    words = words_beneath([(str(run.path), run.diagnosis) for run in opened])
    return draw([(str(run.path), run.history.lines) for run in opened], x=x, words=words)
