"""Training what is left of a model: in a run folder of its own, so that it resumes exactly where it was stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from ...base.devices import resolve_device, torch_globals_restored
from ...base.errors import InputError
from ...base.progress import notify
from ...config import LanguageModelConfig
from ...evaluation.sources import run_corpus
from ...evaluation.tuning import FITTED_TOKENS, tune_together
from ...models import LanguageModel
from ...models.interpolated import Members
from ...run import Run
from ...text import Corpus, TokenFile
from ...training.language_model import LanguageModelTrainer
from ...training.optimize.constraints import Projected, Projection
from ...training.step import PlainWindowReader, WindowReader
from .pack import matrices

LOOKS = 40
"""Times that a retraining looks at the free weights anew."""
VALIDATIONS = 4


def retrained(
    run: Run,
    members: Members,
    model: LanguageModel,
    folder: Path,
    *,
    share: float,
    rate: float,
    projection: Callable[[str, torch.Tensor], Projection] | None = None,
    windows: Callable[[LanguageModel], WindowReader] = PlainWindowReader,
    quiet: bool = False,
) -> Members:
    """Train a model for some more steps on the text of its run.

    Args:
        run: the model was made from, whose settings of training are taken.
        members: of the run; its counts are mixed with the result again.
        model: to train, on the CPU.
        folder: of the retraining; what was stopped there is resumed.
        share: steps, as a share of those that trained the run.
        rate: learning rate, as a share of the run's.
        projection: the way of every matrix to what is allowed; None for free training.
        windows: makes what makes the loss, given the model.
        quiet: show no progress.

    Returns:
        The best weights, which are allowed ones, and the counts with a gate fitted to them.

    Raises:
        InputError: the run's text is gone.
    """
    corpus = run_corpus(run)
    if model.reads_characters:
        corpus = corpus.with_spelling(quiet=quiet)
    config = retraining_config(run, model, share, rate)
    kept = _folder(run, config, corpus, folder)
    with torch_globals_restored(seed=config.training.seed, threads=config.training.threads):
        model = model.to(resolve_device(config.training.device))
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        weights = {name: model.get_parameter(name) for name in matrices(model)}
        assert config.training.steps is not None
        every = max(1, config.training.steps // LOOKS)
        constraint = Projected(weights, projection, every) if projection else None
        LanguageModelTrainer(
            kept, model, corpus, quiet, counts=members.counts, constraint=constraint, windows=windows
        ).fit()
    return with_counts(run, members, kept.load_model(), corpus.valid, quiet)


def with_counts(run: Run, members: Members, network: LanguageModel, valid: TokenFile | None, quiet: bool) -> Members:
    """A network that has changed, and the counts of its run mixed with it anew; its cache has to be fitted again."""
    if valid is None or members.counts is None:
        return Members(network)
    return tune_together(network, members.counts, valid, run.tokenizer.start_id, FITTED_TOKENS, quiet).members


def retraining_config(run: Run, model: LanguageModel, share: float, rate: float) -> LanguageModelConfig:
    """The settings of a retraining: those of the run, for a share of its steps at a share of its rate."""
    trained = run.history.last.get("step", 0)
    training = run.config.training
    changes = {
        "steps": max(1, round(share * trained)),
        "lr": training.lr * rate,
        **dict.fromkeys(("epochs", "minutes", "init", "embeddings")),
        **{"schedule": "cosine", "average": "none", "patience": 0, "batch_schedule": [], "cuda_graphs": False},
        **{"evaluations": VALIDATIONS, "freeze_embeddings": False, "accumulate": 1},
    }
    values = run.config.model_dump()
    values["training"] |= changes
    values["model"] = model.config.model_dump()
    return LanguageModelConfig.build(values)


def _folder(run: Run, config: LanguageModelConfig, corpus: Corpus, folder: Path) -> Run:
    """The run folder of a retraining, begun or new."""
    about = {**run.record["corpus"], "start": run.id}
    try:
        begun = Run.open(folder)
        begun.load_state()
        if begun.config == config and begun.record["corpus"] == about:
            return begun
    except InputError:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not run.history.lines:
        notify(f"{run.path}: has no metrics of its training, so retraining takes a single step")
    return Run.create(folder, config, run.tokenizer, about, corpus.items)
