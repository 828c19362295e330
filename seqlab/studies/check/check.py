"""The story of a check: plan as training does, build its model, try it for a minute, judge."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...base.devices import resolve_device, torch_globals_restored
from ...base.errors import InputError
from ...base.kinds import kind_of
from ...base.progress import notify
from ...config.checks import check_batches
from ...diagnosis import Findings
from ...evaluation.sources import run_corpus
from ...models import LanguageModel
from ...run import Run, flat
from ...text import Corpus
from ...training.planning import Layer, Plan, Source, plan
from ...training.presets import describe
from ...training.starts.fresh import fresh_model
from .measure import rates
from .measure.figures import CheckFigures
from .measure.memorise import memorise
from .measure.rates import rate_figures
from .measure.reach import reach_figures
from .measure.start import start_figures
from .measure.steps import FEWEST_STEPS, SECONDS, ShortTraining, affordable_width, step_figures
from .measure.text import text_figures
from .measure.through_time import gradients_through_time
from .result import Check
from .rules.table import RULES

STEPS_END, MEMORISE_END, RATES_END = 22.0, 35.0, 50.0
"""Seconds after which the short training, the one batch and the rates end, whatever they have reached: a large model
or a busy machine makes a check less thorough, not longer."""


def check(
    source: Source,
    *,
    valid: Any = None,
    test: Any = None,
    quiet: bool = False,
    preset: str | None = None,
    given: Mapping[str, Any] | Sequence[Layer] = (),
) -> Check:
    """Look at a training before it starts: is it set up to learn?

    It plans as `train_language_model` does, with the same text, settings, seeds and weights, and tries copies of the
    model for less than a minute: what a large model or a busy machine leaves no time for is left out, and named.
    Nothing is written but the cached text; torch's generators and threads are afterwards as they were.

    Args:
        source: what `train_language_model` reads, or the folder of a run, whose best weights are looked at.
        valid, test, quiet, preset, given: see `train_language_model`.

    Raises:
        InputError: a bad text or setting, or a run together with settings.
    """
    run = run_at(source)
    if run is not None and (valid is not None or test is not None or preset or any(layer_values(given))):
        raise InputError(f"{run.path}: a run has its own text and settings; leave the others out, or check a text.")
    with torch_globals_restored():
        planned = plan(source, valid, test, quiet, preset, given) if run is None else plan_of(run)
        config, corpus = planned.config, planned.corpus
        if config.model.input == "characters":
            corpus = corpus.with_spelling(quiet=quiet)
        check_batches(config.training, 1, len(corpus.train))
        model = fresh_model(config, corpus, planned.vectors, planned.origin) if run is None else run.load_model()
        if not quiet:
            notify(planned.sentence, "looking at it for less than a minute")
        device = resolve_device(config.training.device)
        return check_model(model.to(device), corpus, planned, trained=run is not None or planned.origin is not None)


def check_model(model: LanguageModel, corpus: Corpus, planned: Plan, trained: bool = False) -> Check:
    """Look at a model that is to be trained; the model itself is not.

    Args:
        model: as training would start from it, on the training's device.
        corpus: the text it would be trained on.
        planned: with the settings of the training.
        trained: whether its weights come from another training.
    """
    config = planned.config
    training = config.training
    began = time.monotonic()
    with torch_globals_restored(training.seed, training.threads), model.extra_words(corpus.train.extra_words):
        start = start_figures(model, corpus, trained)
        reach = reach_figures(model, corpus, config)
        width = affordable_width(model, training, FEWEST_STEPS, SECONDS)
        short = ShortTraining(model, corpus, training, width)
        steps = step_figures(short, began + STEPS_END)
        rate_width = affordable_width(model, training, len(rates.FACTORS) * rates.FEWEST, SECONDS)
        time_back = gradients_through_time(short)
        memorised = memorise(model, corpus, training, began + MEMORISE_END)
        gained = None if trained else rate_figures(model, corpus, training, rate_width, began + RATES_END)
        missing = {"one batch": memorised is None, "rates": gained is None and not trained}
        figures = CheckFigures(
            config=config,
            text=text_figures(corpus),
            start=start,
            steps=steps,
            time=time_back,
            memorise=memorised,
            rates=gained,
            reach=reach,
            left_out=tuple(name for name, absent in missing.items() if absent),
        )
    found = Findings([finding for rule in RULES if (finding := rule.finding(figures)) is not None])
    return Check(found, planned, figures, time.monotonic() - began)


def run_at(source: Source) -> Run | None:
    """The run that a source is the folder of, None where it is a text."""
    path = source[0] if isinstance(source, list | tuple) and len(source) == 1 else source
    return Run.open(path) if isinstance(path, str | Path) and kind_of(path) == "run" else None


def plan_of(run: Run) -> Plan:
    """What a run was trained with, as a plan."""
    corpus, config = run_corpus(run), run.config
    sources = dict.fromkeys(flat(config.model_dump()), f"run {run.path}")
    return Plan(corpus, None, None, config, sources, describe(None, config, corpus))


def layer_values(given: Mapping[str, Any] | Sequence[Layer]) -> list[Mapping[str, Any]]:
    """What the person set, layer by layer, empty ones left out."""
    layers = [given] if isinstance(given, Mapping) else [layer.values for layer in given]
    return [values for values in layers if values]
