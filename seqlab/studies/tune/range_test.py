"""The learning-rate range test (Smith 2015, https://arxiv.org/abs/1506.01186): a short training in which the rate rises
until the loss does, and the peak rate that the curve suggests for the schedule that will be used.

Shapes: N steps.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...base.devices import resolve_device, torch_globals_restored
from ...base.errors import InputError, SeqlabError
from ...base.kinds import kind_of
from ...base.progress import Progress
from ...base.results import Result, Table, line
from ...training import LanguageModelTrainer
from ...training.planning import Layer, Source, start
from ...visualization import Picture
from ...visualization.charts.chart import ChartPanel, Series
from ...visualization.charts.picture import ChartPicture
from .ramp import exponential_rates, ramp, smoothed

STEPS = 200
"""Steps of the ramp."""
FIRST = 0.1
"""Share of the ramp that no rate is suggested from: its smoothed loss is a mean of few steps."""
RANGES = {
    "adamw": (1e-4, 1.0),
    "adam": (1e-4, 1.0),
    "rmsprop": (1e-4, 1.0),
    "adagrad": (1e-3, 10.0),
    "momentum": (1e-2, 100.0),
    "nesterov": (1e-2, 100.0),
    "sgd": (0.1, 1000.0),
}
"""Optimiser -> lowest and highest rate that are tried."""
SHIFT, SHIFTS = 100.0, 2
"""Where the loss never fell, or still falls at the end, the range is moved by this factor, so often at most."""
RISE = 0.1
"""The edge is where the smoothed loss has risen again by this share of its fall: the rate of the lowest loss itself
moves with every seed, as the loss is flat there."""
SHARES = {
    "constant": 0.06,
    "plateau": 0.06,
    "step": 0.13,
    "exponential": 0.13,
    "linear": 0.13,
    "cosine": 0.13,
    "one-cycle": 0.13,
}
"""Schedule -> its best peak rate as a share of the edge, measured with adamw (benchmarks/LOG.md)."""
MEASURED_STEPS, LENGTH = 400, 0.5
"""Steps of the trainings that the shares were measured with; the best rate of longer ones falls with this power of
their number."""
HARDINESS = {"sgd": 5.0}
"""Optimiser -> what its share is multiplied by, if not 1: plain SGD trains well with rates near the edge."""


@dataclass(frozen=True, repr=False)
class RangeTest(Result):
    """What a range test found; rates are peak learning rates, losses training losses in nats per token.

    Attributes:
        suggestion: peak learning rate for `schedule`: `edge` times `share`.
        schedule: that the suggestion is for.
        optimizer: that the ramp used.
        share: of the edge that `schedule` trains best with in so many updates, measured.
        updates: that the budget of the settings reaches.
        edge: rate at which the smoothed loss has risen again by a tenth of its fall.
        lowest: rate of the lowest smoothed loss; it is far too high to train with.
        steepest: rate at which the smoothed loss falls fastest, by the logarithm of the rate.
        valley: rate in the middle of the longest fall of the smoothed loss, what fastai suggests.
        diverged: whether the ramp ended because the loss rose too far.
        rates: of the steps.
        losses: of the steps, the difficulty of each window evened out.
        smoothed: their exponential moving average.
    """

    suggestion: float
    schedule: str
    optimizer: str
    share: float
    updates: float
    edge: float
    lowest: float
    steepest: float
    valley: float
    diverged: bool
    rates: Sequence[float]
    losses: Sequence[float]
    smoothed: Sequence[float]

    def __repr__(self) -> str:
        facts = [f"lr {self.suggestion:.2g} for {self.optimizer}, {self.schedule}", f"{len(self.rates)} steps"]
        return line("RangeTest", facts)

    def table(self) -> Table:
        """A row a rate."""
        rows = [
            (f"suggested peak for {self.schedule}, {self.updates:,.0f} updates", self.suggestion),
            ("steepest fall of the loss", self.steepest),
            ("valley of the loss", self.valley),
            ("lowest loss", self.lowest),
            ("edge, from which the loss rises", self.edge),
        ]
        return Table(("learning rate", self.optimizer), [(name, f"{rate:.2g}") for name, rate in rows], repr(self))

    def to_json(self) -> dict[str, Any]:
        """Everything, by the names of the attributes."""
        plain = {name: list(values) for name in ("rates", "losses", "smoothed") if (values := getattr(self, name))}
        names = (
            "suggestion",
            "schedule",
            "optimizer",
            "share",
            "updates",
            "edge",
            "lowest",
            "steepest",
            "valley",
            "diverged",
        )
        return {**{name: getattr(self, name) for name in names}, "steps": len(self.rates), **plain}

    def picture(self) -> Picture:
        """The loss against the learning rate, with the suggestion marked."""
        series = [
            Series("loss of a step", self.rates, self.losses, "faint"),
            Series("smoothed", self.rates, self.smoothed),
        ]
        marks = [(self.suggestion, f"suggested, {self.schedule}"), (self.edge, "edge")]
        first, low = self.smoothed[int(FIRST * len(self.rates))], min(self.smoothed)
        room = max(first - low, 0.1)
        panel = ChartPanel(
            "training loss while the learning rate rises",
            "learning rate",
            "loss, nats per token",
            series,
            marks,
            logarithmic=True,
            span=(low - 0.3 * room, first + 0.7 * room),
        )
        caption = (
            f"A short training with {self.optimizer}; the learning rate rises by the same factor in every step. Left "
            "of the fall it is too low to learn, right of the lowest loss too high."
        )
        facts = {"suggestion": self.suggestion, "edge": self.edge, "steps": len(self.rates)}
        return ChartPicture("Learning-rate range test", caption, [panel], facts)


def find_lr(
    source: Source,
    *,
    valid: Any = None,
    preset: str | None = None,
    given: Mapping[str, Any] | Sequence[Layer] = (),
    quiet: bool = False,
) -> RangeTest:
    """Train for a few hundred steps while the learning rate rises, and suggest a peak rate; nothing is kept.

    Args:
        source, valid: texts, see `train_language_model`.
        preset: its name; None takes the one that suits the text.
        given: settings, see `seqlab.training.planning.plan`.
        quiet: show no progress.

    Raises:
        InputError: a bad text or setting, or a trained run instead of a text.
        SeqlabError: the loss fell at no rate.
    """
    for one in source if isinstance(source, list | tuple) else [source]:
        if isinstance(one, str | Path) and kind_of(one) == "run":
            raise InputError(
                f"{one}: is a trained language model; a range test needs fresh weights, so name the text it was "
                "trained on."
            )
    with torch_globals_restored():
        run, model, corpus = start(source, None, valid, None, quiet, preset, given)
        trainer = LanguageModelTrainer(run, model.to(resolve_device(run.config.training.device)), corpus, quiet=True)
        return range_test(trainer, quiet)


def range_test(trainer: LanguageModelTrainer, quiet: bool = True) -> RangeTest:
    """The range test of a training that has not begun, which is afterwards as it was.

    Args:
        trainer: a training, at its start.
        quiet: show no progress.

    Raises:
        InputError: the weights are not fresh.
        SeqlabError: the loss fell at no rate.
    """
    config, steps = trainer.config, STEPS
    if trainer.position.step or config.init:
        raise InputError(
            f"{config.init or trainer.run.path}: its weights are trained already, and a rising rate would only destroy "
            "them; test fresh weights, then continue with a third of the rate suggested or less."
        )
    low, high = RANGES[config.optimizer]
    for _ in range(1 + SHIFTS):
        rates_N, began = exponential_rates(low, high, steps), time.monotonic()
        with Progress("range test", steps, "steps", quiet) as progress:
            losses_N = ramp(trainer, rates_N, progress.update)
        if len(losses_N) <= FIRST * steps or lowest_place(smoothed(losses_N)) <= FIRST * steps:
            low, high = low / SHIFT, high / SHIFT
        elif len(losses_N) == steps and edge_place(smoothed(losses_N)) is None:
            low, high = low * SHIFT, high * SHIFT
        else:
            updates = updates_of(trainer, (time.monotonic() - began) / len(losses_N))
            return read_curve(rates_N[: len(losses_N)], losses_N, trainer, updates, len(losses_N) < steps)
    raise SeqlabError(
        f"the loss fell at no learning rate between {low:.1g} and {high:.1g}, so none can be suggested; "
        "use more text, or other settings."
    )


def read_curve(
    rates_N: np.ndarray, losses_N: np.ndarray, trainer: LanguageModelTrainer, updates: float, diverged: bool
) -> RangeTest:
    """What the curve of a ramp says about the training that is to come.

    Args:
        rates_N: learning rates of the steps.
        losses_N: training losses.
        trainer: whose optimiser and schedule are meant.
        updates: that its budget reaches.
        diverged: whether the ramp ended early.
    """
    config, smooth_N = trainer.config, smoothed(losses_N)
    place = edge_place(smooth_N)
    edge = float(rates_N[-1 if place is None else place])
    share = share_of(config.optimizer, config.schedule, updates)
    return RangeTest(
        suggestion=float(f"{share * edge:.2g}"),
        schedule=config.schedule,
        optimizer=config.optimizer,
        share=share,
        updates=updates,
        edge=edge,
        lowest=float(rates_N[lowest_place(smooth_N)]),
        steepest=float(rates_N[steepest_place(rates_N, smooth_N)]),
        valley=float(rates_N[valley_place(smooth_N)]),
        diverged=diverged,
        rates=rates_N.tolist(),
        losses=losses_N.tolist(),
        smoothed=smooth_N.tolist(),
    )


def share_of(optimizer: str, schedule: str, updates: float) -> float:
    """The best peak rate as a share of the edge.

    Args:
        optimizer: its name.
        schedule: its name.
        updates: of the training that is to come.
    """
    longer = max(1.0, updates / MEASURED_STEPS) ** -LENGTH
    return min(1.0, HARDINESS.get(optimizer, 1.0) * SHARES[schedule]) * longer


def updates_of(trainer: LanguageModelTrainer, seconds: float) -> float:
    """Updates that the budget of a training reaches, when a step takes so many seconds."""
    budget, config = trainer.budget, trainer.config
    if budget.unit == "steps":
        return budget.total
    if budget.unit == "tokens":
        return budget.total / (config.batch_size * config.bptt)
    return budget.total / max(seconds, 1e-9)


def first_place(steps: int) -> int:
    """The first step that a rate may be suggested from."""
    return min(int(FIRST * steps), steps - 1)


def lowest_place(smooth_N: np.ndarray) -> int:
    """The step of the lowest smoothed loss."""
    first = first_place(len(smooth_N))
    return first + int(smooth_N[first:].argmin())


def edge_place(smooth_N: np.ndarray) -> int | None:
    """The first step after the lowest loss at which the smoothed loss has risen by RISE of its fall; None: nowhere."""
    first, lowest = first_place(len(smooth_N)), lowest_place(smooth_N)
    limit = smooth_N[lowest] + RISE * (smooth_N[first] - smooth_N[lowest])
    above = np.flatnonzero(smooth_N[lowest:] > limit)
    return lowest + int(above[0]) if len(above) else None


def steepest_place(rates_N: np.ndarray, smooth_N: np.ndarray) -> int:
    """The step before the lowest loss at which the smoothed loss falls fastest by the logarithm of the rate: against
    the rate itself an exponential ramp looks steepest at its very beginning."""
    first, last = first_place(len(smooth_N)), lowest_place(smooth_N)
    if last - first < 2:
        return last
    return first + int(np.gradient(smooth_N[first : last + 1], np.log(rates_N[first : last + 1])).argmin())


def valley_place(smooth_N: np.ndarray) -> int:
    """The step at half of the middle third of the longest run of ever lower losses, others between them passed over."""
    best = np.ones(len(smooth_N), int)
    for place in range(1, len(smooth_N)):
        higher = smooth_N[:place] > smooth_N[place]
        if higher.any():
            best[place] = 1 + best[:place][higher].max()
    end = int(best.argmax())
    begin = end
    for place in range(end - 1, -1, -1):
        if best[place] == best[begin] - 1 and smooth_N[place] > smooth_N[begin]:
            begin = place
    return begin + (end - begin) // 2
