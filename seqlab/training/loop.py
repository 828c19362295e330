"""The training loop: windows in order, carried state, clipped gradients, exact validation, exact resume."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, Generic

import numpy as np
import torch
from torch import Tensor

from ..base.contents.forms import take_over
from ..base.errors import SeqlabError, option
from ..base.interrupts import Abandoned, interruptible
from ..base.printing import with_margin
from ..base.progress import Progress, notify
from ..config import TrainingConfig
from ..models.counts.gate import Gate
from ..models.network import M
from ..run import RunFolder
from ..schedules import BATCH_SCALING, batch_size_at, learning_rate_factor
from ..text import Batch, Corpus
from ..text.ids.batches import StreamReader
from ..text.ids.lines import LineReader
from .budget import Budget
from .distributed import World
from .machine.threads import Threads, most_threads
from .machine.trial import COMPILED, Trial
from .optimize.constraints import Projected
from .state import CarriedState, Checkpoint, Generators, Numbered, OutputNoise, Place, Stateful, Weights
from .step import TrainingStep, WindowReader, bptt_length, next_window
from .watch.metrics import Activity, MetricSums
from .watch.samples import TimedSample
from .watch.validation import Validator

SAVE_EVERY = 30.0
"""Seconds between two saves of the exact state: a crash loses no more, and writing them takes well under a percent."""
LOG_LINES = 500
"""Lines of metrics.jsonl, evenly spaced over the budget: more than a curve has pixels to show."""
LINE_SHARE = 0.02
"""Share of a budget of time that lines of metrics may take: a line looks at gradients and gates of every part."""
HOPELESS, HOPELESS_NATS = 2.0, 5.0
"""Times the loss of a guess among all types, and nats beyond that, which no training that learns stays above."""
LOWEST_PLATEAU = 1e-3
"""Share of the learning rate that the plateau schedule keeps: with less, nothing more would be learned."""


@dataclass
class TrainingPosition:
    """The progress of a training; saved with every state."""

    step: int = 0
    tokens: int = 0
    """Targets trained on, over all processes."""
    seconds: float = 0.0
    """Time spent training and validating, over all sittings."""
    lines: int = 0
    """Shares of the budget for which a line of metrics was written."""
    validations: int = 0
    valid_tokens: int = 0
    """Validation tokens used; chosen at the first validation, then kept, so that losses compare."""
    best: float = math.inf
    without_improvement: int = 0
    plateau: float = 1.0
    threads: int = 0
    """Of the CPU, chosen by timing steps; 0 before that."""
    finished: bool = False
    continued: int = 0
    """How often the run was given a larger budget."""
    leg: float = 0.0
    """What was done of the budget, in its unit, when it was last made larger: the schedule begins anew there."""

    def numbers(self) -> dict[str, Any]:
        """For the checkpoint."""
        return asdict(self)

    def load_numbers(self, numbers: dict[str, Any]) -> None:
        """Resume from `numbers()`."""
        take_over(self, numbers, self.numbers())


class Trainer(ABC, Generic[M]):
    """Trains the network of a run to the end of its budget, from its start or from its last saved state.

    What it is trained for, and by what it is validated, a subclass says for each kind of network.

    Args:
        run: a created or opened run.
        model: freshly initialised; a saved state replaces its weights.
        corpus: train split, and a validation split to choose the best weights by (optional).
        quiet: show no progress.
        world: the processes that train together; each reads its share of every batch.
        constraint: what the weights must be like; its allowed weights are validated and kept.
    """

    def __init__(
        self,
        run: RunFolder[M],
        model: M,
        corpus: Corpus,
        quiet: bool = False,
        world: World | None = None,
        constraint: Projected | None = None,
    ):
        self.run, self.model, self.corpus = run, model, corpus
        self.world = world or World()
        self.quiet = quiet or not self.world.first
        self.config: TrainingConfig = run.config.training
        self.budget = Budget.of(self.config, len(corpus.train))
        self.position = TrainingPosition()
        self.reader = self.new_reader()
        self.carried = CarriedState(model, self.reader, self.world)
        self.step = TrainingStep(model, self.config, self.new_windows(model), self.world, constraint)
        self.validator = self.new_validator()
        self.last_validation: dict[str, float] = {}
        self.sampling_said = False
        self.sums = MetricSums(list(self.step.optimizer.parameters), model.device)
        self.activity = Activity(model)
        self.checkpoint = Checkpoint(
            run,
            self.world,
            corpus.digest,
            {
                "model": Weights(model),
                "reader": Place(self.reader),
                "position": self.position,
                "optimizer": self.step.optimizer,
                "penalty": self.step.penalty,
                "activation_penalty": self.step.activation_penalty,
                "window": self.sums,
                "activity": self.activity,
                "average": self.step.average,
                "state": self.carried,
                "rng": Generators(self.world, model.device),
                "output": OutputNoise(model.output),
                **({"constraint": constraint} if constraint else {}),
                **({"windows": windows} if isinstance(windows := self.step.windows, Stateful) else {}),
                **self.more_parts(),
            },
        )

    def new_reader(self) -> StreamReader:
        """What reads the training text."""
        batch_size = batch_size_at(0.0, self.config.batch_size, self.config.batch_schedule)
        reader = LineReader if self.corpus.train.lines else StreamReader
        return reader(self.corpus.train, batch_size, self.corpus.tokenizer.start_id, self.config.seed)

    @abstractmethod
    def new_windows(self, model: M) -> WindowReader:
        """What makes the loss of a window: of the network, or of a copy that takes trial steps."""

    @abstractmethod
    def new_validator(self) -> Validator[M]:
        """What validates the network."""

    def fast_windows(self) -> WindowReader:
        """What makes the loss of the windows in which no hidden unit is watched."""
        return self.step.windows

    def try_validation(self, copy: M) -> None:
        """Validate a copy of the network on a few tokens, so that what this needs is compiled."""

    def more_parts(self) -> dict[str, Stateful | Numbered]:
        """Further parts of the exact state, by name."""
        return {}

    def fit(self) -> TrainingPosition:
        """Train to the end of the budget; the run keeps the best weights. Does nothing more for a finished run."""
        self.resume()
        position = self.position
        if position.finished:
            if not self.quiet:
                notify(f"{self.run.path} is finished; {option('more', 5)} trains it for five minutes more")
            return position
        self.model.train()
        threads = self.warm_up()
        self.started = time.monotonic() - position.seconds
        self.line_began, self.line_seconds = (position.tokens, time.monotonic()), 0.0
        self.sitting_began = (position.tokens, position.seconds)
        last_save = time.monotonic()
        with (
            interruptible() as interrupted,
            self.model.extra_words(self.corpus.train.extra_words),
            self.activity.hooked(),
            self.progress() as progress,
        ):
            progress.start_at(self.budget_done())
            if self.world.size == 1:  # several processes stop together, after a step
                self.validator.stop = interrupted
            stop = not self.look_back(progress)  # at a validation that was interrupted
            while not self.done() and not stop:
                self.activity.watching = self.claims_line()
                self.grow_batch()
                began, before = time.monotonic(), position.tokens
                self.train_step()
                if threads.after_step(time.monotonic() - began, position.tokens - before):
                    position.threads = threads.number
                    progress.note(f"steps had become slow or fast: now {threads.sentence()}")
                save_due, stop = self.look_at_the_clock(last_save, interrupted.is_set())
                stop = not self.look_back(progress) or stop
                progress.update(self.budget_done())
                if sample := self.sample():
                    progress.note(sample.text)
                    self.started += sample.seconds  # for the person watching, not of the training
                if save_due and not stop:
                    self.save()
                    last_save = time.monotonic()
            if not stop:
                self.check_learned()
            position.finished = not stop
            self.save()
            if stop or self.world.any(interrupted.is_set()):
                progress.note(f"stopped at step {position.step:,}; run the same command again to resume")
                raise KeyboardInterrupt
        return position

    def sample(self) -> TimedSample | None:
        """After a step: something that the network wrote, when it is due, for the person watching."""
        return None

    def look_back(self, progress: Progress) -> bool:
        """After a step: validate and write a line of metrics where they are due.

        Returns:
            Whether that was done; not when a stop was requested during the validation, which is then still due.
        """
        try:
            validation = self.validate_if_due()
        except Abandoned:
            return False
        if self.activity.watching or validation or (self.done() and self.sums.steps):
            self.write_line(progress, validation)
        if validation and not self.sampling_said:
            self.sampling_said = True
            self.say_sampling(progress)
        return True

    def say_sampling(self, progress: Progress) -> None:
        """Say what the validation figures are of, where they are of a sample."""
        used, valid = self.position.valid_tokens, self.corpus.valid
        if valid is None or used >= len(valid):
            return
        margin = "; ± is the 95 % interval for all" if self.validator.margins else ""
        progress.note(
            f"validation reads about {used:,} of {len(valid):,} validation tokens, spread over the text{margin}"
        )

    def warm_up(self) -> Threads:
        """Compile what a step needs and choose the number of threads, before the clock starts; training is as if this
        had not been. A resumed training keeps its number."""
        config, position = self.config, self.position
        one_cpu = self.world.size == 1 and self.model.device.type == "cpu"
        with self.model.extra_words(self.corpus.train.extra_words):
            trial = self.trial()
            seconds = trial.compile(self.try_validation)
            if seconds > COMPILED and not self.quiet:
                notify(f"compiled for this machine, once: {seconds:.0f} s")
            most = most_threads(config.threads) if one_cpu else 1
            threads = Threads(self.trial, 0 if config.threads else position.threads, most)
        position.threads = threads.number
        if threads.timed and not self.quiet:
            notify(threads.sentence())
        return threads

    def trial(self) -> Trial[M]:
        """A copy of the network, to take steps that leave training as it is."""
        window = self.read(min(self.window_width(), self.reader.remaining))
        return Trial(self.model, self.config, self.new_windows, *window)

    def train_step(self, rate: float | None = None) -> Tensor:
        """One window of all streams, and one update.

        Args:
            rate: learning rate; None takes that of the schedule.

        Returns:
            The loss before the update in nats per token, on the device.
        """
        config, position = self.config, self.position
        width = min(self.window_width(), self.reader.remaining)
        lr = (self.learning_rate() if rate is None else rate) * (width / config.bptt if config.random_bptt else 1.0)
        if config.reset_state == "windows":
            self.carried.reset()
        batch, fresh_BT = self.read(width)
        windows = self.step.windows if self.activity.watching else self.fast_windows()
        loss, self.carried.value, clipping = self.step.take(
            position.step, batch, self.carried.value, lr, fresh_BT, windows
        )
        tokens = self.reader.tokens_in(width)
        self.sums.add(position.step, loss, tokens, clipping)
        if self.reader.advance(width):
            self.carried.reset()
        position.step, position.tokens = position.step + 1, position.tokens + tokens
        self.step.observe(self.used())
        return loss

    def read(self, width: int) -> tuple[Batch, np.ndarray | None]:
        """The next window of this process's streams, and where in it documents begin, if that is to matter."""
        return next_window(self.reader, width, self.config, self.world.rows(self.reader.batch_size))

    def window_width(self) -> int:
        """Tokens to back-propagate through in the step to be taken now."""
        config = self.config
        return bptt_length(config.bptt, config.seed, self.position.step) if config.random_bptt else config.bptt

    def grow_batch(self) -> None:
        """Use more streams when the batch schedule says so; the earlier ones keep their hidden state."""
        wanted = batch_size_at(self.grown(), self.config.batch_size, self.config.batch_schedule)
        if wanted > self.reader.batch_size:
            self.carried.grow(self.reader.grow(wanted))

    def learning_rate(self) -> float:
        """Of the step to be taken now."""
        config, used = self.config, self.used()
        factor = learning_rate_factor(config.schedule, used, config.warmup, config.final_lr)
        larger = batch_size_at(self.grown(), config.batch_size, config.batch_schedule) / config.batch_size
        return config.lr * factor * self.position.plateau * BATCH_SCALING[config.batch_scaling](larger)

    def budget_done(self) -> float:
        """What is done of the budget, in its unit."""
        return {
            "steps": self.position.step,
            "tokens": self.reader.consumed,
            "seconds": self.position.seconds,
        }[self.budget.unit]

    def used(self) -> float:
        """Share of the budget already used, in [0, 1]; of a continued training, of what was added."""
        leg = self.position.leg
        return min(1.0, max(0.0, self.budget_done() - leg) / (self.budget.total - leg))

    def grown(self) -> float:
        """The share that the batch schedule follows: a continued training has all its streams."""
        return 1.0 if self.position.leg else self.used()

    def done(self) -> bool:
        """Whether the budget is used up, or validation has stopped improving for too long."""
        patience = self.config.patience
        return self.used() >= 1.0 or 0 < patience <= self.position.without_improvement

    def look_at_the_clock(self, last_save: float, interrupted: bool) -> tuple[bool, bool]:
        """Note the time; whether to save, and whether to stop: the same for all processes."""
        now = time.monotonic()
        seconds, save_due = self.world.agreed(now - self.started, now - last_save >= SAVE_EVERY)
        self.position.seconds = seconds
        return bool(save_due), self.world.any(interrupted)

    def validate_if_due(self) -> dict[str, Any]:
        """Validate when the next share of the budget is reached; keep the weights if they are the best so far."""
        position = self.position
        if self.used() * self.config.evaluations < position.validations + 1:
            return {}
        if self.corpus.valid is not None and not self.validation_affordable():
            return {}
        self.check_finite()
        self.step.settle(0.0)
        earlier, now = position.validations, int(self.used() * self.config.evaluations)
        if self.corpus.valid is None:
            position.validations = now
            with self.step.constraint.applied():
                self.validator.keep_untested(self.keep)
            return {}
        if not self.step.constraint.settled:
            position.validations = now
            return {}
        if not position.valid_tokens:
            position.valid_tokens = self.validator.choose_tokens(position.tokens // (now - earlier))
        with self.step.constraint.applied():
            found = self.last_validation = self.validator.validate(position.valid_tokens, position.best, self.keep)
        position.validations = now
        self.step.average.after_validation(found.get("live_valid_loss", found["valid_loss"]))
        if found["valid_loss"] < position.best:
            position.best, position.without_improvement = found["valid_loss"], 0
        else:
            position.without_improvement += 1
            if self.config.schedule == "plateau":
                position.plateau = max(LOWEST_PLATEAU, position.plateau * self.config.plateau_factor)
        return {**found, **self.validator.more()}

    def validation_affordable(self) -> bool:
        """Whether a validation that is due may be held now. A budget of time is for training: a validation waits until
        it takes no more than its share, but for the last one. Other budgets validate at fixed steps, so that the
        result does not depend on the clock."""
        if self.budget.unit != "seconds" or self.done():
            return True
        position = self.position
        tokens = position.valid_tokens or self.validator.choose_tokens(
            int(position.tokens / max(1.0, self.used() * self.config.evaluations))
        )
        affordable = self.validator.affordable(tokens, position.seconds - self.sitting_began[1], self.trained_here())
        return not self.world.any(not affordable)

    def trained_here(self) -> int:
        """Training tokens of this sitting."""
        return self.position.tokens - self.sitting_began[0]

    def keep(self, gate: Gate | None) -> None:
        """The weights in the model become those of the run, mixed with the counts by `gate`."""
        if self.world.first:
            self.run.save_model(self.model, gate)

    def check_finite(self) -> None:
        """Look at the losses and gradients of the steps since the last line; called before anything is saved.

        Raises:
            SeqlabError: one of them was not finite.
        """
        step = self.sums.diverged()
        if step is not None:
            raise SeqlabError(
                f"the loss or its gradient was no longer finite at step {step}: training has diverged; nothing of it "
                f"was saved. Lower training.lr (now {self.config.lr:g}) or training.clip (now {self.config.clip:g}), "
                "and use another output folder."
            )

    def check_learned(self) -> None:
        """Look at all validations once training is over: finite losses can be as hopeless as infinite ones.

        Raises:
            SeqlabError: the network was never better than far worse than a guess among all types; its weights are gone.
        """
        history = self.run.history
        losses = [one.get("valid_network_loss", one["valid_loss"]) for one in history.validations]
        if not losses and self.model.output.exact and "loss" in history.last:
            losses = [history.last["loss"]]
        guess = math.log(self.model.vocab_size)
        if not self.world.any(bool(losses) and min(losses) > HOPELESS * guess + HOPELESS_NATS):
            return
        if self.world.first:
            self.run.remove_model()
        raise SeqlabError(
            f"training has diverged: the network ended no better than {min(losses):.3g} nats per token, where guessing "
            f"among the {self.model.vocab_size:,} types has {guess:.3g}; its weights were not kept. Lower training.lr "
            f"(now {self.config.lr:g}) or training.clip (now {self.config.clip:g}), and use another output folder."
        )

    def claims_line(self) -> bool:
        """Whether a line of metrics belongs to the step to be taken now; true once for every share of the budget, of a
        budget of time less often where lines would take more than theirs."""
        due = int(self.used() * LOG_LINES) + 1
        if due <= self.position.lines:
            return False
        by_clock = self.budget.unit == "seconds" and self.world.size == 1
        if by_clock and time.monotonic() - self.line_began[1] < self.line_seconds / LINE_SHARE:
            return False
        self.position.lines = due
        return True

    def write_line(self, progress: Progress, validation: dict[str, Any]) -> None:
        """One line of metrics.jsonl: means over the steps since the last one."""
        started = time.monotonic()
        self.check_finite()
        position, config = self.position, self.config
        tokens, began = self.line_began
        line: dict[str, Any] = {
            "step": position.step,
            "tokens": position.tokens,
            "seconds": round(position.seconds, 3),
            "lr": self.learning_rate(),
            "tokens_per_second": round((position.tokens - tokens) / max(time.monotonic() - began, 1e-9), 1),
            "batch_size": self.reader.batch_size,
            **self.sums.line(),
            **self.activity.line(),
            **validation,
        }
        if not config.clip_value:
            del line["clipped_values"]
        if self.step.penalty:
            line["penalty"] = self.step.penalty.value()
        if self.step.activation_penalty:
            line |= self.step.activation_penalty.line()
        if self.world.first:
            self.run.log(line)
        self.report(progress, line)
        now = time.monotonic()
        self.line_began, self.line_seconds = (position.tokens, now), now - started

    def report(self, progress: Progress, line: dict[str, Any]) -> None:
        """Show a metrics line; what matters most comes first, as a narrow terminal shows no more."""
        fields: dict[str, Any] = {}
        fields["loss" if self.model.output.exact else "training loss"] = line["loss"]
        if self.model.output.exact:
            fields["ppl"] = math.exp(min(line["loss"], 700.0))
        if math.isfinite(self.position.best):
            perplexity = math.exp(min(self.position.best, 700.0))
            error = self.last_validation.get("valid_error", 0.0)
            fields["valid ppl"] = with_margin(perplexity, 1.96 * error * perplexity)
            fields |= self.validation_fields()
            fields["best valid"] = self.position.best
        fields |= {"step": self.position.step, "lr": line["lr"]}
        if self.budget.unit != "tokens":
            fields["tokens per s"] = int(line["tokens_per_second"])
        progress.update(self.budget_done(), **fields)

    def validation_fields(self) -> dict[str, Any]:
        """What the progress line says besides of the last validation."""
        return {}

    def progress(self) -> Progress:
        """A progress line in the unit of the budget."""
        return Progress("training", self.budget.total, self.budget.unit, self.quiet)

    def save(self) -> None:
        """Replace the run's exact state."""
        self.check_finite()
        self.checkpoint.save()

    def resume(self) -> None:
        """Resume from the run's saved state, if it has one."""
        if not self.world.first:
            torch.manual_seed(self.config.seed + self.world.rank)
        position, continued = self.position, self.run.record.get("continued", 0)
        resumed = self.checkpoint.load(continued)
        if position.continued < continued:
            self.begin_leg(continued)
        if self.world.first:
            self.run.rewind_metrics(self.position.step if resumed else -1)
        if not resumed:  # before any weights and metrics: where these are without a state, it was lost
            self.save()

    def begin_leg(self, continued: int) -> None:
        """The run was given a larger budget: validate and schedule over what was added."""
        position = self.position
        position.leg = self.budget_done() if position.finished else 0.0
        position.continued, position.finished = continued, False
        position.lines = position.validations = position.without_improvement = 0
        position.plateau = 1.0
