"""A short training of a copy of the model, and what its gradients, updates and hidden units look like then.

Shapes: B streams, T time, H hidden width, P parameters.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....config import TrainingConfig
from ....evaluation.exact import evaluating
from ....models import LanguageModel
from ....schedules import batch_size_at
from ....text import Batch, Corpus
from ....text.ids.batches import StreamReader
from ....text.ids.lines import LineReader
from ....training import TrainingStep, World
from ....training.starts.from_run import PLAIN
from ....training.state import CarriedState
from ....training.step import PlainWindowReader, StepResult, next_window
from ....training.watch.costs import flops_per_token
from ....training.watch.metrics import Activity, part_of

STEPS, FEWEST_STEPS, SECONDS = 40, 8, 8.0
"""Steps of the short training: so many, fewer where they take long, but not fewer than some."""
RISE = 10
"""First steps, during which the learning rate rises to its peak; a training has longer for that."""
SLOW = 5e10
"""Floating-point operations a second that a slow machine makes in matrix products."""
WATCHED = 8
"""Last steps, whose means the figures are of."""
STILL = 1e-5
"""A unit whose standard deviation over a window is below this never changes."""


def affordable_width(model: LanguageModel, config: TrainingConfig, steps: int, seconds: float) -> int:
    """Tokens of a window with which so many steps take no longer than that on a slow machine: the training's own, but
    for large models. It is counted, not timed, so that a check does not depend on what else the machine does.

    Args:
        model: to be trained.
        config: of the training.
        steps: that are to be taken.
        seconds: that they may take.
    """
    operations = steps * config.batch_size * flops_per_token(model).training
    return max(1, min(config.bptt, int(SLOW * seconds / max(operations, 1.0))))


class ShortTraining:
    """Steps on a copy of a model, from the beginning of the text, as the training would take them.

    Args:
        model: it is copied, not touched.
        corpus: the text.
        config: of the training.
        width: most tokens of a window; None takes the training's own.
    """

    def __init__(self, model: LanguageModel, corpus: Corpus, config: TrainingConfig, width: int | None = None):
        torch.manual_seed(config.seed)
        self.config, self.width = config, width or config.bptt
        self.model = copy.deepcopy(model).train()
        batch_size = batch_size_at(0.0, config.batch_size, config.batch_schedule)
        kind = LineReader if corpus.train.lines else StreamReader
        self.reader: StreamReader = kind(corpus.train, batch_size, corpus.tokenizer.start_id, config.seed)
        self.carried = CarriedState(self.model, self.reader, World())
        self.step = TrainingStep(self.model, config, PlainWindowReader(self.model))
        self.taken = 0

    def read(self) -> tuple[Batch, np.ndarray | None]:
        """The next window, and where in it documents begin, if that is to matter."""
        return next_window(self.reader, min(self.width, self.config.bptt, self.reader.remaining), self.config)

    def take(self, lr: float) -> StepResult:
        """One window of all streams and one update, in proportion shorter where a shorter window makes the gradient
        noisier and nothing else evens that out."""
        if self.config.reset_state == "windows":
            self.carried.reset()
        batch, fresh_BT = self.read()
        if self.config.random_bptt or self.config.optimizer in PLAIN:
            lr *= batch.inputs_BT.shape[1] / self.config.bptt
        result = self.step.take(self.taken, batch, self.carried.value, lr, fresh_BT)
        self.carried.value = result.state
        if self.reader.advance(batch.inputs_BT.shape[1]):
            self.carried.reset()
        self.taken += 1
        return result


@torch.no_grad()
def exact_loss(model: LanguageModel, batch: Batch) -> float:
    """Mean exact loss of a batch read from the state before any token, without dropout, in nats per token."""
    inputs_BT, targets_BT = (torch.from_numpy(ids_BT).to(model.device) for ids_BT in batch)
    with evaluating(model):
        hidden_BTD, _ = model.hidden(inputs_BT, model.init_state(len(inputs_BT)))
        return float(model.output.exact_losses(hidden_BTD.flatten(0, 1), targets_BT.flatten()).mean())


@dataclass(frozen=True)
class LayerFigures:
    """A part of the model after the short training: the embedding, a cell, or the output layer.

    Attributes:
        name: "embedding", "cell1", ..., "output".
        parameters: numbers that it learns.
        weight: root mean square of its weights.
        gradient: norm of its gradient, a mean over the last steps.
        update: norm of a step's change relative to that of the weights, the median over its weights.
        saturated: share of the outputs near an end of their range; None where there is none.
        gates: likewise for its gates by name.
        dead: share of the rectifiers that were never above zero; None where there are none.
        still: share of the units that never change in a window; None where there are no units.
    """

    name: str
    parameters: int
    weight: float
    gradient: float
    update: float
    saturated: float | None = None
    gates: tuple[tuple[str, float], ...] = ()
    dead: float | None = None
    still: float | None = None


@dataclass(frozen=True)
class StepFigures:
    """The short training.

    Attributes:
        losses: training loss of each step.
        norms: of the joint gradient before clipping, of each step.
        clipped: share of the steps whose gradient was clipped.
        layers: what the parts of the model look like after it.
        decay: what weight decay and penalties on weights take from them in a step, relative to the weights.
        decay_to_gradient: the same relative to the gradient, where decay goes through it; 0 elsewhere.
    """

    losses: tuple[float, ...]
    norms: tuple[float, ...]
    clipped: float
    layers: tuple[LayerFigures, ...]
    decay: float
    decay_to_gradient: float

    @property
    def finite(self) -> bool:
        """Whether every loss and gradient was a number."""
        return all(map(math.isfinite, (*self.losses, *self.norms)))

    @property
    def cells(self) -> list[LayerFigures]:
        """The recurrent layers, from the bottom."""
        return [layer for layer in self.layers if layer.name.startswith("cell")]


def step_figures(training: ShortTraining, until: float = math.inf) -> StepFigures:
    """Train for some dozens of steps and look at what they do.

    Args:
        training: at its beginning; it goes on from where this ends.
        until: when the last step begins at the latest, on the monotonic clock.
    """
    model, config, optimizer = training.model, training.config, training.step.optimizer
    activity, losses, norms, clipped = Activity(model), [], [], []
    names = list(optimizer.parameters)
    norms_P, updates_P, watched = torch.zeros(len(names)), torch.zeros(len(names)), 0
    decay_to_gradient = 0.0
    began = time.monotonic()
    with activity.hooked(), outputs_of(model) as outputs:
        while training.taken < STEPS:
            now = time.monotonic()
            late = now - began > SECONDS and training.taken >= FEWEST_STEPS - 1
            last = late or (now > until and training.taken > 0) or training.taken == STEPS - 1
            watching = training.taken >= STEPS - WATCHED or last
            activity.watching = outputs.watching = last
            before = [weight.detach().clone() for weight in optimizer.parameters.values()] if watching else []
            result = training.take(config.lr * min(1.0, (training.taken + 1) / RISE))
            losses.append(float(result.loss))
            norms.append(float(result.clipping.norm))
            clipped.append(float(result.clipping.clipped))
            if watching:
                weights = list(optimizer.parameters.values())
                changes = [norm(after.detach() - one) / norm(one) for after, one in zip(weights, before, strict=True)]
                norms_P += result.clipping.norms.cpu()
                updates_P += torch.tensor(changes)
                watched += 1
            if last:
                break
        training.step.settle(0.0)
    found = activity.line()
    norms_P, updates_P = norms_P / watched, updates_P / watched
    sizes = [norm(weight.detach()) for weight in optimizer.parameters.values()]
    coupled = config.l2 * 2.0 + (0.0 if config.optimizer == "adamw" else config.weight_decay)
    gradient = float(torch.linalg.vector_norm(norms_P))
    if coupled and gradient:
        decay_to_gradient = coupled * math.hypot(*sizes) / gradient
    return StepFigures(
        losses=tuple(losses),
        norms=tuple(norms),
        clipped=float(np.mean(clipped)),
        layers=tuple(_layers(model, names, norms_P, updates_P, found, outputs.still())),
        decay=config.lr * config.weight_decay if config.optimizer == "adamw" else 0.0,
        decay_to_gradient=decay_to_gradient,
    )


def norm(tensor: Tensor) -> float:
    """Euclidean norm, never quite zero."""
    return float(torch.linalg.vector_norm(tensor)) + 1e-30


class Outputs:
    """The outputs of every cell in the last window that was watched."""

    def __init__(self) -> None:
        self.watching = False
        self.seen: dict[int, Tensor] = {}

    def still(self) -> dict[int, float]:
        """By layer, the share of the units that did not change in that window."""
        spread = {layer: y_BTH.flatten(0, 1).std(0, correction=0) for layer, y_BTH in self.seen.items()}
        return {layer: float((spread_H < STILL).float().mean()) for layer, spread_H in spread.items()}


@contextmanager
def outputs_of(model: LanguageModel) -> Iterator[Outputs]:
    """Watch the cells of a model for as long as this lasts."""
    outputs = Outputs()

    def look(layer: int, result: tuple[Any, ...]) -> None:
        if outputs.watching and result[0].shape[:2].numel() > 1:
            outputs.seen[layer] = result[0].detach().float()

    hooks = [
        cell.register_forward_hook(lambda cell, inputs, result, layer=layer: look(layer, result))
        for layer, cell in enumerate(model.layers)
    ]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def _layers(
    model: LanguageModel,
    names: list[str],
    norms_P: Tensor,
    updates_P: Tensor,
    activity: dict[str, Any],
    still: dict[int, float],
) -> Iterator[LayerFigures]:
    parts: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        parts.setdefault(part_of(name), []).append(index)
    order = sorted(parts, key=lambda part: (part == "output", part != "embedding", part))
    parameters = dict(model.named_parameters())
    for part in order:
        own = [parameters[names[index]] for index in parts[part]]
        matrices = [index for index in parts[part] if "bias" not in names[index]] or parts[part]
        count = sum(weight.numel() for weight in own)
        square = sum(float(weight.detach().double().square().sum()) for weight in own)
        layer = LayerFigures(
            name=part,
            parameters=count,
            weight=math.sqrt(square / max(1, count)),
            gradient=float(torch.linalg.vector_norm(norms_P[parts[part]])),
            update=float(updates_P[matrices].median()),
        )
        if part.startswith("cell"):
            number = int(part.removeprefix("cell")) - 1
            saturated = activity.get("saturated", {})
            gates = tuple(
                (name.partition(" ")[2], share) for name, share in saturated.items() if name.startswith(f"{part} ")
            )
            rectified = model.layers[number].rectified
            layer = replace(
                layer,
                saturated=saturated.get(part),
                gates=gates,
                dead=activity.get("dead", {}).get(part) if rectified else None,
                still=still.get(number),
            )
        yield layer
