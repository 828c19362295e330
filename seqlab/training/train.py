"""The story of a training: plan, make or reopen the run, train, report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..base.devices import resolve_device, torch_globals_restored
from ..base.errors import InputError
from ..base.kinds import check_run_output
from ..base.progress import notify
from ..base.storage.lock import only_trainer
from ..evaluation.estimates import Yardstick
from ..models.counts.choice import count_text
from ..models.counts.kneser_ney import NGramModel
from ..models.interpolated import Members
from ..run import Run
from ..text import Corpus
from .distributed import World, join
from .language_model import LanguageModelTrainer
from .planning import Layer, Source, start
from .report import report

FEWEST_JUDGED = 10
"""Validation tokens without which nothing can be said of how network and counts go together."""


class Trained(NamedTuple):
    """What training leaves.

    run: the run folder. members: the network with its best weights, in evaluation mode, on the device that trained it,
    and the counts beside it. summary: see `report`; empty in all but the first of several processes.
    """

    run: Run
    members: Members
    summary: dict[str, Any]


def train_language_model(
    source: Source,
    out: str | Path | None = None,
    *,
    valid: Any = None,
    test: Any = None,
    quiet: bool = False,
    preset: str | None = None,
    given: Mapping[str, Any] | Sequence[Layer] = (),
    more: float | None = None,
    sample_every: float | None = None,
) -> Trained:
    """Train a language model on a text, or resume the unfinished run at `out`.

    torch's global generators and thread count are afterwards as they were.

    Args:
        source: text file(s), folder, corpus name or prepared corpus.
        out: run folder; None makes a temporary one, which is removed when the `Run` is garbage-collected.
        valid, test: texts to validate and to test on; by default the end of the text is kept for validation.
        quiet: show no progress.
        preset: its name; None takes the one that suits the text.
        given: settings, see `plan`.
        more: minutes by which to continue the finished run at `out`.
        sample_every: minutes between two samples of text that are shown while it trains.

    Raises:
        InputError: a bad text or setting, a run at `out` made with another text or configuration, or one that another
            program is training.
    """
    world = join()
    quiet = quiet or not world.first
    with world.together(), torch_globals_restored(), only_trainer(_locked(out, world)):
        with world.one_after_the_other():
            run, model, corpus = start(source, out, valid, test, quiet, preset, given, world.size, more)
        device = world.local_device(resolve_device(run.config.training.device))
        with world.one_after_the_other():
            counts = counts_of(run, corpus, quiet)
        trainer = LanguageModelTrainer(run, model.to(device), corpus, quiet, world, counts, sample_every=sample_every)
        position = trainer.fit()
        del model, trainer
        members, summary = Members(run.load_model(device)), dict[str, Any]()
        if world.first:
            members, summary = report(run, members, counts, corpus, position, quiet)
            run.finish()
            summary["diagnosis"] = run.diagnosis.to_json()
            if not quiet and (sentences := run.diagnosis.brief()):
                notify(sentences)
        world.barrier()
        if not world.first:
            members = run.load_members(device)
        world.barrier()
    return Trained(run, members, summary)


def _locked(out: str | Path | None, world: World) -> str | Path | None:
    """The run folder in the first process, which writes it, once it is known that it can be written."""
    if world.size > 1 and out is None:
        raise InputError("several processes need an output folder they all can reach; name one.")
    if out is None or not world.first:
        return None
    check_run_output(out)
    return out


def counts_of(run: Run, corpus: Corpus, quiet: bool) -> NGramModel | None:
    """The counts that stand beside the network: those the run has, else of the training text; None where they are
    switched off, cannot be judged for lack of a validation text, or did not help the finished run."""
    if not run.config.model.counts or corpus.valid is None or len(corpus.valid) < FEWEST_JUDGED:
        return None
    counts = run.load_counts()
    if counts is None and not run.finished:
        tokenizer = corpus.tokenizer
        counts = count_text(corpus.train, len(tokenizer.vocab), tokenizer.start_id, corpus.valid, quiet)
        run.save_counts(counts)
        if not quiet:
            perplexity = math.exp(Yardstick(counts, corpus.valid).mean)
            notify(
                f"counted {counts.order}-grams of the training text ({counts.nbytes / 1e6:,.1f} MB): perplexity "
                f"{perplexity:.4g} by counting alone; the network is trained to know what counts do not"
            )
    return counts
