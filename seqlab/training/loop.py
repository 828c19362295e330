"""The training loop: windows in order, carried state, clipped gradients, exact validation, exact resume."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..config import LanguageModelConfig, TrainingConfig
from ..errors import InputError, SeqlabError, choose
from ..models import LanguageModel, ModelState
from ..nn import CELLS, LOSSES
from ..progress import Progress
from ..run import Run, model_arrays
from ..schedules import SCHEDULES, learning_rate_factor
from ..text import Batches, Corpus
from .evaluation import (
    QUICK_STREAM_TOKENS,
    evaluate_language_model,
    negative_log_likelihood,
    streams_for,
)
from .optimizers import OPTIMIZERS, Optimizer

LOG_SECONDS = 1.0


@dataclass
class Position:
    """Where training stands; saved with every state."""

    step: int = 0
    seconds: float = 0.0
    """Time spent training and validating, over all sittings."""
    validations: int = 0
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
    """

    def __init__(self, run: Run, model: LanguageModel, corpus: Corpus, quiet: bool = False):
        self.run, self.model, self.corpus, self.quiet = run, model, corpus, quiet
        self.config: TrainingConfig = run.config.training
        self.batches = Batches(corpus.train, self.config.batch_size, self.config.bptt, corpus.tokenizer.start_id)
        self.optimizer = Optimizer(model, self.config)
        self.position = Position()
        self.state: ModelState = model.init_state(self.config.batch_size)
        self.total_steps = total_steps(self.config, len(self.batches))
        self.window_tokens = self.config.batch_size * self.config.bptt

    def fit(self) -> dict[str, Any]:
        """Train, keep the best weights, return the summary: steps, tokens, seconds and the validation scores."""
        self.resume()
        if self.position.finished:
            if not self.quiet:
                print(f"seqlab: {self.run.path} is finished; nothing is left to train", file=sys.stderr)
            return self.summary()
        self.model.train()
        position, started = self.position, time.monotonic()
        already = position.seconds
        last_log = last_save = started
        window: list[tuple[float, float, bool]] = []
        log_step, log_time = position.step, started
        with interruptible() as interrupted, self.progress() as progress:
            progress.start_at(self.budget_done())
            while not self.done():
                window.append(self.train_step())
                position.step += 1
                now = time.monotonic()
                position.seconds = already + now - started
                validated = self.validate_if_due()
                if validated is not None or now - last_log >= LOG_SECONDS or self.done():
                    line = self.metrics_line(window, position.step - log_step, now - log_time)
                    if validated is not None:
                        line["valid_loss"] = validated
                    self.run.log(line)
                    self.report(progress, line)
                    window, log_step, last_log = [], position.step, now
                    log_time = time.monotonic()
                    position.seconds = already + log_time - started
                if time.monotonic() - last_save >= self.config.save_every:
                    self.save()
                    last_save = time.monotonic()
                if interrupted.is_set():
                    self.save()
                    progress.note(f"stopped at step {position.step:,}; run the same command again to go on")
                    raise KeyboardInterrupt
        position.finished = True
        self.save()
        return self.summary()

    def train_step(self) -> tuple[float, float, bool]:
        """One window: forward, backward, clip, update. Returns (loss, gradient norm, whether it was clipped)."""
        index = self.position.step % len(self.batches)
        if index == 0:
            self.state = self.model.init_state(self.config.batch_size)
        batch = self.batches.window(index)
        device = self.model.device
        inputs_BT = torch.from_numpy(batch.inputs_BT).to(device, non_blocking=True)
        targets_BT = torch.from_numpy(batch.targets_BT).to(device, non_blocking=True)
        self.optimizer.zero_grad()
        loss, self.state = self.model.loss(inputs_BT, targets_BT, self.state)
        loss.backward()
        norm, clipped = self.optimizer.clip(self.config.clip)
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise SeqlabError(
                f"the loss became {value} (gradient norm {norm}) at step {self.position.step}: training has "
                f"diverged; nothing of it was saved. Lower training.lr (now {self.config.lr:g}) or training.clip "
                f"(now {self.config.clip:g}), and use another output folder."
            )
        self.optimizer.step(self.learning_rate())
        return value, norm, clipped

    def learning_rate(self) -> float:
        """Of the step to be taken now."""
        config = self.config
        factor = learning_rate_factor(config.schedule, self.used(), config.warmup, config.final_lr)
        return config.lr * factor * self.position.plateau

    def used(self) -> float:
        """Share of the budget already used, in [0, 1]."""
        if self.total_steps is not None:
            return min(1.0, self.position.step / self.total_steps)
        assert self.config.minutes is not None
        return min(1.0, self.position.seconds / (60.0 * self.config.minutes))

    def done(self) -> bool:
        """Whether the budget is used up, or validation has stopped improving for too long."""
        patience = self.config.patience
        return self.used() >= 1.0 or 0 < patience <= self.position.without_improvement

    def validate_if_due(self) -> float | None:
        """Validate when the next share of the budget is reached; keep the weights if they are the best so far."""
        position = self.position
        if self.used() * self.config.evaluations < position.validations + 1:
            return None
        position.validations = int(self.used() * self.config.evaluations)
        if self.corpus.valid is None:
            self.run.save_model(self.model)
            return None
        limit = min(len(self.corpus.valid), self.config.valid_tokens)
        start_id, streams = self.corpus.tokenizer.start_id, streams_for(limit, QUICK_STREAM_TOKENS)
        nats, tokens = negative_log_likelihood(self.model, self.corpus.valid, start_id, streams, limit)
        loss = nats / tokens
        if loss < position.best:
            position.best, position.without_improvement = loss, 0
            self.run.save_model(self.model)
        else:
            position.without_improvement += 1
            if self.config.schedule == "plateau":
                position.plateau *= self.config.plateau_factor
        return loss

    def summary(self) -> dict[str, Any]:
        """Steps, tokens, seconds of the whole run; exact scores of the best weights on all of the validation text."""
        position = self.position
        result: dict[str, Any] = {
            "run": str(self.run.path),
            "steps": position.step,
            "tokens": position.step * self.window_tokens,
            "seconds": round(position.seconds, 2),
        }
        if self.corpus.valid is not None:
            best = self.run.load_model(str(self.model.device))
            start_id = self.corpus.tokenizer.start_id
            result["valid"] = evaluate_language_model(best, self.corpus.valid, start_id, quiet=self.quiet)
        return result

    def metrics_line(self, window: list[tuple[float, float, bool]], steps: int, seconds: float) -> dict[str, Any]:
        """One line of metrics.jsonl: means over the steps since the last line."""
        losses, norms, clipped = (np.array(column, dtype=float) for column in zip(*window, strict=True))
        return {
            "step": self.position.step,
            "tokens": self.position.step * self.window_tokens,
            "seconds": round(self.position.seconds, 3),
            "loss": float(losses.mean()),
            "lr": self.learning_rate(),
            "tokens_per_second": round(steps * self.window_tokens / max(seconds, 1e-9), 1),
            "grad_norm": float(norms.mean()),
            "clipped": float(clipped.mean()),
        }

    def progress(self) -> Progress:
        """A progress line in tokens, or in seconds under a time budget."""
        if self.total_steps is not None:
            return Progress("training", self.total_steps * self.window_tokens, "tokens", self.quiet)
        assert self.config.minutes is not None
        return Progress("training", 60.0 * self.config.minutes, "seconds", self.quiet)

    def report(self, progress: Progress, line: dict[str, Any]) -> None:
        """Show a metrics line."""
        fields: dict[str, Any] = {"step": self.position.step}
        fields["sampled loss" if self.model.output.sparse else "loss"] = line["loss"]
        if not self.model.output.sparse:
            fields["ppl"] = math.exp(min(line["loss"], 700.0))
        if math.isfinite(self.position.best):
            fields["best valid"] = self.position.best
            fields["valid ppl"] = math.exp(min(self.position.best, 700.0))
        fields["lr"] = line["lr"]
        if self.total_steps is None:
            fields["tokens per s"] = int(line["tokens_per_second"])
        progress.update(self.budget_done(), **fields)

    def budget_done(self) -> float:
        """What is done of the budget, in the unit of the progress line: tokens, or seconds."""
        return self.position.seconds if self.total_steps is None else self.position.step * self.window_tokens

    def save(self) -> None:
        """Replace the run's exact state."""
        tensors = {f"model.{name}": array for name, array in model_arrays(self.model).items()}
        tensors |= {f"optimizer.{name}": t.cpu().numpy() for name, t in self.optimizer.arrays().items()}
        for layer, cell_state in enumerate(self.state):
            for part, tensor in enumerate(cell_state):
                tensors[f"state.{layer}.{part}"] = tensor.cpu().numpy()
        tensors["rng.torch"] = torch.get_rng_state().numpy()
        if self.model.device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state(self.model.device).numpy()
        self.run.save_state(
            tensors,
            {
                "position": asdict(self.position),
                "output": self.model.output.get_state(),
                "corpus": self.corpus.digest,
                "threads": torch.get_num_threads(),
            },
        )

    def resume(self) -> None:
        """Go on from the run's saved state, if it has one."""
        saved = self.run.load_state()
        if saved is None:
            self.run.rewind_metrics(-1)
            return
        arrays, values = saved
        device = self.model.device
        tensors: dict[str, Tensor] = {name: torch.from_numpy(array) for name, array in arrays.items()}
        self.model.load_state_dict(_under("model.", tensors), strict=False)
        self.optimizer.load_arrays(
            {name: t if name.endswith(".step") else t.to(device) for name, t in _under("optimizer.", tensors).items()}
        )
        self.state = [
            tuple(tensors[f"state.{layer}.{part}"].to(device) for part in range(len(cell_state)))
            for layer, cell_state in enumerate(self.state)
        ]
        torch.set_rng_state(tensors["rng.torch"])
        if "rng.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["rng.cuda"], device)
        self.model.output.set_state(values["output"])
        self.position = Position(**values["position"])
        self.run.rewind_metrics(self.position.step)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def total_steps(config: TrainingConfig, windows: int) -> int | None:
    """Steps of the budget for `windows` steps an epoch; None when time is the budget."""
    if config.steps is not None:
        return config.steps
    if config.epochs is not None:
        return max(1, math.ceil(config.epochs * windows))
    return None


def check(config: LanguageModelConfig) -> None:
    """Raises InputError for a name no table has, or two budgets. Cheap: called before any text is read."""
    choose("model.cell", config.model.cell, CELLS)
    choose("model.softmax", config.model.softmax, LOSSES)
    choose("training.optimizer", config.training.optimizer, OPTIMIZERS)
    choose("training.schedule", config.training.schedule, SCHEDULES)
    given = [name for name in ("epochs", "steps", "minutes") if getattr(config.training, name) is not None]
    if len(given) > 1:
        raise InputError(f"training: {' and '.join(given)} both limit training; give one of them.")


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turns the first Ctrl-C or SIGTERM into an event the loop looks at between steps; the second stops at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
