"""The training loop: windows in order, carried state, clipped gradients, exact validation, exact resume."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from typing import Any

import torch

from ..base.errors import SeqlabError
from ..base.interrupts import interruptible
from ..base.progress import Progress
from ..config import TrainingConfig
from ..evaluation import evaluate_language_model
from ..models import LanguageModel, ModelState
from ..run import Run
from ..schedules import BATCH_SCALING, batch_size_at, learning_rate_factor
from ..text import Corpus
from ..text.ids.batches import StreamReader
from . import state as checkpoint
from .budget import Budget
from .distributed import World
from .graphs import GraphedWindowReader
from .optimize.averages import AVERAGES
from .optimize.optimizers import Optimizer
from .optimize.penalties import ActivationPenalty, Penalty
from .optimize.rows import STALE
from .step import WindowReader, backward, bptt_length, spread
from .watch.metrics import Activity, Window
from .watch.validation import Validator

LOWEST_PLATEAU = 1e-3
"""Share of the learning rate that the plateau schedule keeps: with less, nothing would be learnt any more."""


@dataclass
class TrainingPosition:
    """Where training stands; saved with every state."""

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
    finished: bool = False


class Trainer:
    """Trains the model of a run to the end of its budget, or from its last saved state on.

    Args:
        run: a created or opened run.
        model: freshly initialised; a saved state replaces its weights.
        corpus: train split, and a validation split to choose the best weights by (optional).
        world: the processes that train together; each reads its share of every batch.
    """

    def __init__(self, run: Run, model: LanguageModel, corpus: Corpus, quiet: bool = False, world: World | None = None):
        self.run, self.model, self.corpus = run, model, corpus
        self.world = world or World()
        self.quiet = quiet or not self.world.first
        self.config: TrainingConfig = run.config.training
        self.budget = Budget.of(self.config, len(corpus.train))
        self.position = TrainingPosition()
        batch_size = batch_size_at(0.0, self.config.batch_size, self.config.batch_schedule)
        self.reader = StreamReader(corpus.train, batch_size, corpus.tokenizer.start_id)
        self.plain_windows = WindowReader(model)
        self.windows = GraphedWindowReader(model) if self.config.cuda_graphs else self.plain_windows
        self.state: ModelState = self.zero_state()
        self.optimizer = Optimizer(model, self.config)
        self.penalty = Penalty(self.optimizer, self.config.l1, self.config.l2)
        self.activation_penalty = ActivationPenalty(
            self.config.activation_penalty, self.config.temporal_penalty, model.device
        )
        self.average = AVERAGES[self.config.average](self.optimizer, self.config)
        self.validator = Validator(model, corpus, self.average, self.config.validation_share)
        self.window = Window(list(self.optimizer.parameters), model.device)
        self.activity = Activity(model)

    def fit(self) -> dict[str, Any]:
        """Train, keep the best weights, return the summary: steps, tokens, seconds and the validation scores."""
        self.resume()
        position = self.position
        if position.finished:
            if not self.quiet:
                print(f"seqlab: {self.run.path} is finished; nothing is left to train", file=sys.stderr)
            return self.summary()
        self.model.train()
        self.started = time.monotonic() - position.seconds
        self.line_began = (position.tokens, time.monotonic())
        last_save = time.monotonic()
        with (
            interruptible() as interrupted,
            self.model.extra_words(self.corpus.train.extra_words),
            self.activity.hooked(),
            self.progress() as progress,
        ):
            progress.start_at(self.budget_done())
            while not self.done():
                self.activity.watching = self.claims_line()
                self.grow_batch()
                self.train_step()
                save_due, stop = self.look_at_the_clock(last_save, interrupted.is_set())
                validation = self.validate_if_due()
                if self.activity.watching or validation or self.done():
                    self.write_line(progress, validation)
                progress.update(self.budget_done())
                if save_due or stop:
                    self.save()
                    last_save = time.monotonic()
                if stop:
                    progress.note(f"stopped at step {position.step:,}; run the same command again to go on")
                    raise KeyboardInterrupt
        position.finished = True
        self.save()
        return self.summary()

    def train_step(self) -> None:
        """One window of all streams: gradient of the joint batch, penalties, clipping, update."""
        config, position = self.config, self.position
        self.settle(STALE)
        width = min(self.window_width(), self.reader.remaining)
        rate = self.learning_rate() * (width / config.bptt if config.random_bptt else 1.0)
        if config.reset_state == "windows":
            self.state = self.zero_state()
        self.optimizer.zero_grad()
        batch, fresh_BT = self.read(width)
        windows = self.plain_windows if self.activity.watching else self.windows
        loss, self.state = backward(
            self.model, batch, self.state, config.accumulate, fresh_BT, self.activation_penalty, windows
        )
        self.optimizer.coalesce()
        self.world.average_gradients(self.optimizer)
        if self.penalty:
            self.penalty.add_gradients(position.step)
        if self.activation_penalty:
            self.activation_penalty.end_step(self.world)
        clipping = self.optimizer.clip(config.clip, config.clip_value)
        tokens = width * self.reader.batch_size
        self.window.add(position.step, self.world.mean_(loss), tokens, clipping)
        self.average.before_step()
        self.optimizer.step(rate)
        if self.reader.advance(width):
            self.state = self.zero_state()
        position.step, position.tokens = position.step + 1, position.tokens + tokens
        self.average.after_step(self.used())

    def read(self, width: int) -> tuple[Any, Any]:
        """The next window of this process's streams, and where in it documents begin, if that is to matter."""
        rows = self.world.rows(self.reader.batch_size)
        batch = self.reader.read(width, rows)
        if self.config.reset_state != "documents":
            return batch, None
        fresh_BT = self.reader.document_starts(width, rows)
        batch.inputs_BT[fresh_BT] = self.reader.start_id
        return batch, fresh_BT

    def window_width(self) -> int:
        """Tokens to back-propagate through in the step to be taken now."""
        config = self.config
        return bptt_length(config.bptt, config.seed, self.position.step) if config.random_bptt else config.bptt

    def grow_batch(self) -> None:
        """More streams, when the batch schedule says so; those there were keep their hidden state."""
        wanted = batch_size_at(self.used(), self.config.batch_size, self.config.batch_schedule)
        if wanted != self.reader.batch_size:
            new_pass = self.reader.grow(wanted)
            self.state = self.zero_state() if new_pass else spread(self.state, self.zero_state())

    def zero_state(self) -> ModelState:
        """The hidden state of this process's streams before any token."""
        rows = self.world.rows(self.reader.batch_size)
        return self.model.init_state(rows.stop - rows.start)

    def learning_rate(self) -> float:
        """Of the step to be taken now."""
        config, used = self.config, self.used()
        factor = learning_rate_factor(config.schedule, used, config.warmup, config.final_lr)
        larger = batch_size_at(used, config.batch_size, config.batch_schedule) / config.batch_size
        return config.lr * factor * self.position.plateau * BATCH_SCALING[config.batch_scaling](larger)

    def budget_done(self) -> float:
        """What is done of the budget, in its unit."""
        return {
            "steps": self.position.step,
            "tokens": self.reader.consumed,
            "seconds": self.position.seconds,
        }[self.budget.unit]

    def used(self) -> float:
        """Share of the budget already used, in [0, 1]."""
        return min(1.0, self.budget_done() / self.budget.total)

    def done(self) -> bool:
        """Whether the budget is used up, or validation has stopped improving for too long."""
        patience = self.config.patience
        return self.used() >= 1.0 or 0 < patience <= self.position.without_improvement

    def look_at_the_clock(self, last_save: float, interrupted: bool) -> tuple[bool, bool]:
        """Note the time; whether to save, and whether to stop: the same for all processes."""
        now = time.monotonic()
        seconds, save_due = self.world.agreed(now - self.started, now - last_save >= self.config.save_every)
        self.position.seconds = seconds
        return bool(save_due), self.world.any(interrupted)

    def validate_if_due(self) -> dict[str, Any]:
        """Validate when the next share of the budget is reached; keep the weights if they are the best so far."""
        position = self.position
        if self.used() * self.config.evaluations < position.validations + 1:
            return {}
        self.check_finite()
        self.settle(0.0)
        earlier, position.validations = position.validations, int(self.used() * self.config.evaluations)
        if self.corpus.valid is None:
            self.validator.keep_untested(self.keep)
            return {}
        if not position.valid_tokens:
            position.valid_tokens = self.validator.choose_tokens(position.tokens // (position.validations - earlier))
        found = self.validator.validate(position.valid_tokens, position.best, self.keep)
        self.average.after_validation(found.get("live_valid_loss", found["valid_loss"]))
        if found["valid_loss"] < position.best:
            position.best, position.without_improvement = found["valid_loss"], 0
        else:
            position.without_improvement += 1
            patient = position.without_improvement % self.config.plateau_patience
            if self.config.schedule == "plateau" and not patient:
                position.plateau = max(LOWEST_PLATEAU, position.plateau * self.config.plateau_factor)
        return {**found, **self.validator.log_normalizer()}

    def settle(self, limit: float) -> None:
        """Charge all rows the weight decay that they missed, where one may owe more than a share `limit`; the average
        takes them as they stood until now."""
        if self.optimizer.owed > limit:
            self.average.settle()
            self.optimizer.settle()

    def keep(self) -> None:
        """The weights in the model become those of the run."""
        if self.world.first:
            self.run.save_model(self.model)

    def check_finite(self) -> None:
        """Raises SeqlabError when the loss or a gradient was not finite; called before anything is saved."""
        step = self.window.diverged()
        if step is not None:
            raise SeqlabError(
                f"the loss or its gradient was no longer finite at step {step}: training has diverged; nothing of it "
                f"was saved. Lower training.lr (now {self.config.lr:g}) or training.clip (now {self.config.clip:g}), "
                "and use another output folder."
            )

    def claims_line(self) -> bool:
        """Whether a line of metrics belongs to the step to be taken now; true once for every share of the budget."""
        due = int(self.used() * self.config.log_lines) + 1
        if due <= self.position.lines:
            return False
        self.position.lines = due
        return True

    def write_line(self, progress: Progress, validation: dict[str, Any]) -> None:
        """One line of metrics.jsonl: means over the steps since the last one."""
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
            **self.window.line(),
            **self.activity.line(),
            **validation,
        }
        if not config.clip_value:
            del line["clipped_values"]
        if self.penalty:
            line["penalty"] = self.penalty.value()
        if self.activation_penalty:
            line |= self.activation_penalty.line()
        if self.world.first:
            self.run.log(line)
        self.report(progress, line)
        self.line_began = (position.tokens, time.monotonic())

    def report(self, progress: Progress, line: dict[str, Any]) -> None:
        """Show a metrics line."""
        fields: dict[str, Any] = {"step": self.position.step}
        fields["loss" if self.model.output.exact else "training loss"] = line["loss"]
        if self.model.output.exact:
            fields["ppl"] = math.exp(min(line["loss"], 700.0))
        if math.isfinite(self.position.best):
            fields["best valid"] = self.position.best
            fields["valid ppl"] = math.exp(min(self.position.best, 700.0))
        fields["lr"] = line["lr"]
        if self.budget.unit != "tokens":
            fields["tokens per s"] = int(line["tokens_per_second"])
        progress.update(self.budget_done(), **fields)

    def progress(self) -> Progress:
        """A progress line in the unit of the budget."""
        return Progress("training", self.budget.total, self.budget.unit, self.quiet)

    def summary(self) -> dict[str, Any]:
        """Steps, tokens, seconds of the whole run; exact scores of the best weights on all of the validation text."""
        position = self.position
        result: dict[str, Any] = {
            "run": str(self.run.path),
            "steps": position.step,
            "tokens": position.tokens,
            "seconds": round(position.seconds, 2),
        }
        if self.corpus.valid is not None and self.world.first:
            best = self.run.load_model(str(self.model.device))
            start_id = self.corpus.tokenizer.start_id
            result["valid"] = evaluate_language_model(best, self.corpus.valid, start_id, quiet=self.quiet)
        return result

    def save(self) -> None:
        """Replace the run's exact state."""
        self.check_finite()
        checkpoint.save(self)

    def resume(self) -> None:
        """Go on from the run's saved state, if it has one."""
        if not self.world.first:
            torch.manual_seed(self.config.seed + self.world.rank)
        saved = checkpoint.load(self)
        if saved is not None:
            self.position = TrainingPosition(**saved)
        if self.world.first:
            self.run.rewind_metrics(self.position.step if saved is not None else -1)
