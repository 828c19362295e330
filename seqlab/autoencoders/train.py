"""The story of a training: plan, make or reopen the run, train, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..base.devices import resolve_device, torch_globals_restored
from ..base.kinds import check_run_output
from ..base.progress import notify
from ..base.storage.lock import only_trainer
from ..config import AutoencoderConfig, LanguageModelConfig
from ..evaluation.estimates import mean_error
from ..evaluation.exact import readable
from ..text import Corpus, TokenFile
from ..training.planning import Source
from ..training.train import train_language_model
from .figures import LineScores, diagnose_lines, likelihoods, measure
from .model import SequenceAutoencoder
from .planning import start
from .run import AutoencoderRun
from .trainer import AutoencoderTrainer

FEWEST_STREAMS = 8
"""Streams of a language model to compare with, where a batch has as many lines: fewer are slow."""
LIKELIHOOD_SHARE, LIKELIHOOD_SECONDS = 0.1, 5.0
"""Share of the training time that estimating likelihoods may take, and seconds that it always may."""


class TrainedRun(NamedTuple):
    """What training leaves. summary: see `report`."""

    run: AutoencoderRun
    model: SequenceAutoencoder
    summary: dict[str, Any]


def train_autoencoder(
    source: Source,
    out: str | Path | None = None,
    *,
    valid: Any = None,
    test: Any = None,
    quiet: bool = False,
    given: Mapping[str, Any] | None = None,
    baseline: str | Path | None = None,
    more: float | None = None,
    preset: str | None = None,
) -> TrainedRun:
    """Train an autoencoder on the lines of a text, or resume the unfinished run at `out`.

    torch's global generators and thread count are afterwards as they were.

    Args:
        source: text of one item a line, file of records, corpus name or prepared corpus.
        out: run folder; None makes a temporary one, which is removed when the `AutoencoderRun` is garbage-collected.
        valid, test: lines to validate and to test on; by default lines drawn at random are kept for validation.
        quiet: show no progress.
        given: settings, nested.
        baseline: a folder in which a language model with the decoder's settings is trained on the same lines for as
            long, to compare with.
        more: minutes by which to continue the finished run at `out`.
        preset: name of settings; None takes those that suit the text.

    Raises:
        InputError: a bad text or setting, a run at `out` made with another text or configuration, or one that another
            program is training.
    """
    if out is not None:
        check_run_output(out, "autoencoder")
    if baseline is not None:
        check_run_output(baseline)
    with torch_globals_restored(), only_trainer(out):
        run, model, corpus = start(source, out, valid, test, quiet, given, more, preset)
        device = resolve_device(run.config.training.device)
        position = AutoencoderTrainer(run, model.to(device), corpus, quiet).fit()
        best = run.load_autoencoder(device)
        summary: dict[str, Any] = {
            "run": str(run.path), "steps": position.step, "tokens": position.tokens,
            "seconds": round(position.seconds, 2),
        }  # fmt: skip
        seconds = max(LIKELIHOOD_SECONDS, LIKELIHOOD_SHARE * position.seconds)
        summary |= report(best, corpus, seconds, quiet, run.training_loss)
        run.finish()
    if baseline is not None:
        settings = baseline_settings(run.config, len(corpus.train) / len(corpus.train.documents))
        if not quiet:
            notify("training a language model of the decoder's size for as long, to compare with")
        trained = train_language_model(corpus, baseline, quiet=quiet, given=settings.model_dump())
        summary["baseline"] = trained.summary
    return TrainedRun(run, best, summary)


def baseline_settings(config: AutoencoderConfig, line_tokens: float) -> LanguageModelConfig:
    """The settings of a language model as large as the decoder that reads about as many tokens in an update.

    Args:
        config: of the autoencoder.
        line_tokens: of a line on average.
    """
    values = config.model_dump()
    settings = LanguageModelConfig.build({section: values[section] for section in ("text", "model", "training")})
    streams = round(config.training.batch_size * line_tokens / settings.training.bptt)
    most = config.training.batch_size
    return settings.updated({"training.batch_size": min(most, max(FEWEST_STREAMS, streams)), "training.accumulate": 1})


def report(
    model: SequenceAutoencoder, corpus: Corpus, seconds: float, quiet: bool, training_loss: float | None
) -> dict[str, Any]:
    """Score the validation and test lines.

    Args:
        model: with its best weights, in evaluation mode.
        corpus: of lines.
        seconds: that estimating likelihoods may take.
        quiet: show no progress and no sentences.
        training_loss: see `overfitting` in `figures`.

    Returns:
        {"valid", "test"} as far as there are such splits, scores as `LineScores.to_json` has them, and "diagnosis".
    """
    start_id, found = corpus.tokenizer.start_id, dict[str, Any]()
    for name in ("valid", "test"):
        if name not in corpus.splits:
            continue
        scores = score_lines(model, corpus.splits[name], start_id, seconds, quiet)
        found[name] = scores.to_json()
        if not quiet:
            notify(f"{name}: {', '.join(scores.facts())}")
        if name == "valid":
            diagnosis = diagnose_lines(scores, training_loss)
            found["diagnosis"] = diagnosis.to_json()
            if not quiet and (words := diagnosis.brief()):
                notify(words)
    return found


def score_lines(
    model: SequenceAutoencoder, tokens: TokenFile, start_id: int, seconds: float, quiet: bool = True
) -> LineScores:
    """Scores of all lines, and the likelihood of as many of them, drawn evenly, as the time allows."""
    with readable(model, tokens) as lines:
        measured = measure(model, lines, start_id)
        scores = LineScores.of(measured)
        if not model.variational:
            return scores
        order = np.random.default_rng(0).permutation(scores.lines)
        log_p = likelihoods(model, lines, start_id, order, seconds, quiet=quiet)
    nats_S = measured.nats_L[order[: len(log_p)]]
    return replace(
        scores,
        iw_nll=-float(log_p.mean()),
        iw_elbo=-float(nats_S.mean()),
        iw_error=mean_error(nats_S + log_p, scores.lines),
        iw_lines=len(log_p),
    )
