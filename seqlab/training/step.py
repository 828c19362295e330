"""One step of training: the gradient of a batch (in chunks, across documents, across processes), penalties, clipping,
update, average.

Shapes: B streams, T time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..config import TrainingConfig
from ..models import LanguageModel, ModelState, Network, Reading, detached
from ..nn import fast_float32
from ..text import Batch
from ..text.ids.batches import StreamReader
from .distributed import World
from .optimize.averages import AVERAGES
from .optimize.constraints import Constraint
from .optimize.optimizers import Clipping, Optimizer
from .optimize.penalties import ActivationPenalty, Penalty
from .optimize.rows import STALE


def next_window(
    reader: StreamReader, width: int, config: TrainingConfig, rows: slice = slice(None)
) -> tuple[Batch, np.ndarray | None]:
    """The next window of the streams, from which the reader does not move on.

    Args:
        reader: of the text.
        width: T.
        config: whether documents begin anew.
        rows: which of the streams.

    Returns:
        The batch, and fresh_BT: where in it documents begin, None where that does not matter.
    """
    batch = reader.read(width, rows)
    if config.reset_state != "documents":
        return batch, None
    fresh_BT = reader.document_starts(width, rows)
    batch.inputs_BT[fresh_BT] = reader.start_id
    return batch, fresh_BT


class WindowLoss(NamedTuple):
    """What a model makes of a window in training."""

    loss: Tensor
    """In nats per token, to be differentiated."""
    reading: Reading
    state: ModelState
    """To carry on with, detached."""


class WindowReader(ABC):
    """Makes the loss of windows: what a network is trained for."""

    @abstractmethod
    def read(
        self, inputs_BT: Tensor, targets_BT: Tensor, state: ModelState, fresh_BT: np.ndarray | None = None
    ) -> WindowLoss:
        """Forward through network and output layer.

        Args:
            inputs_BT, targets_BT: ids of a window.
            state: before it.
            fresh_BT: targets before which the hidden state is forgotten.
        """

    def share(self, targets_BT: np.ndarray, streams: slice) -> float:
        """How much the loss of some of a window's streams weighs in that of all of them."""
        return (streams.stop - streams.start) / len(targets_BT)


class PlainWindowReader(WindowReader):
    """The loss of a language model's own output layer."""

    def __init__(self, model: LanguageModel):
        self.model = model

    def read(
        self, inputs_BT: Tensor, targets_BT: Tensor, state: ModelState, fresh_BT: np.ndarray | None = None
    ) -> WindowLoss:
        reading, after = self.model.read(inputs_BT, state, fresh_BT)
        loss = self.model.output(reading.hidden_BTD.flatten(0, 1), targets_BT.flatten())
        return WindowLoss(loss, reading, detached(after))


class StepResult(NamedTuple):
    """What a step leaves."""

    loss: Tensor
    """Mean of the joint batch in nats per token, on the device."""
    state: ModelState
    """To carry on with."""
    clipping: Clipping


class TrainingStep:
    """One update of a network. The training loop, `seqlab info --measure` and the benchmarks all take this step.

    Args:
        model: to be trained; its trainable parameters are looked up now.
        config: optimiser, penalties, clipping, average, chunks of a batch.
        windows: makes the loss.
        world: the processes whose gradients are averaged.
        constraint: what the weights must be like.
    """

    def __init__(
        self,
        model: Network,
        config: TrainingConfig,
        windows: WindowReader,
        world: World | None = None,
        constraint: Constraint | None = None,
    ):
        self.model, self.config, self.windows, self.world = model, config, windows, world or World()
        self.constraint = constraint or Constraint()
        self.optimizer = Optimizer(model, config)
        self.penalty = Penalty(self.optimizer, config.l1, config.l2)
        self.activation_penalty = ActivationPenalty(config.activation_penalty, config.temporal_penalty, model.device)
        self.average = AVERAGES[config.average](self.optimizer, config)

    def take(
        self,
        number: int,
        batch: Batch,
        state: ModelState,
        lr: float,
        fresh_BT: np.ndarray | None = None,
        windows: WindowReader | None = None,
        mark: Callable[[str], None] = lambda phase: None,
    ) -> StepResult:
        """Update the weights by one batch; `observe` comes next.

        Args:
            number: of the step, from 0.
            batch: this process's streams.
            state: what it has carried so far.
            lr: learning rate of the step.
            fresh_BT: targets before which the hidden state is forgotten.
            windows: makes the loss of this step, instead of what makes it usually.
            mark: called with "gradient", "clipping" and "update" when each phase has ended.
        """
        config, optimizer = self.config, self.optimizer
        self.settle(STALE)
        optimizer.zero_grad()
        penalty = self.activation_penalty
        with self.constraint.applied():
            loss, state = backward(
                self.model, windows or self.windows, batch, state, config.accumulate, fresh_BT, penalty
            )
        mark("gradient")
        optimizer.coalesce()
        optimizer.average_gradients(self.world)
        if self.penalty:
            self.penalty.add_gradients(number)
        if penalty:
            penalty.end_step(self.world)
        clipping = optimizer.clip(config.clip, config.clip_value)
        mark("clipping")
        loss = self.world.mean_(loss)
        self.average.before_step()
        optimizer.step(lr)
        mark("update")
        return StepResult(loss, state, clipping)

    def observe(self, used: float) -> None:
        """Let average and constraint observe the weights, when a share `used` of training is over."""
        self.average.after_step(used)
        self.constraint.after_step(used)

    def settle(self, limit: float) -> None:
        """Apply pending weight decay to all rows, if some row has more than a share `limit` pending; the average takes
        the rows as they were until now."""
        if self.optimizer.pending > limit:
            self.average.settle()
            self.optimizer.settle()


def backward(
    model: Network,
    windows: WindowReader,
    batch: Batch,
    state: ModelState,
    chunks: int = 1,
    fresh_BT: np.ndarray | None = None,
    penalty: ActivationPenalty | None = None,
) -> tuple[Tensor, ModelState]:
    """Add the gradient of a window's mean loss to the model's, computed in `chunks` equal chunks of its streams.

    All chunks see the same noise words, so that their gradients add up to the whole batch's.

    Args:
        fresh_BT: targets before which the hidden state is forgotten.
        penalty: on activations; part of the gradient, not of the loss that is returned.

    Returns:
        The loss in nats per token, on the device, and the state to carry on with.
    """
    device, rows = model.device, len(batch.inputs_BT)
    noise = model.output.get_state() if chunks > 1 else ""
    total, states = torch.zeros((), device=device), []
    for chunk in np.array_split(np.arange(rows), min(chunks, rows)):
        if chunk[0]:
            model.output.set_state(noise)
        streams = slice(int(chunk[0]), int(chunk[-1]) + 1)
        share = windows.share(batch.targets_BT, streams)
        inputs_BT, targets_BT = (torch.from_numpy(ids_BT[streams]).to(device, non_blocking=True) for ids_BT in batch)
        fresh = None if fresh_BT is None else fresh_BT[streams]
        with fast_float32():
            window = windows.read(inputs_BT, targets_BT, select(state, streams), fresh)
            loss = window.loss + penalty(window.reading, fresh, share) if penalty else window.loss
            (loss * share).backward()
        total = total + window.loss.detach() * share
        states.append(window.state)
    return total, joined(states)


def select(state: ModelState, streams: slice) -> ModelState:
    """The state of some streams."""
    return [tuple(part[streams] for part in cell_state) for cell_state in state]


def joined(states: list[ModelState]) -> ModelState:
    """The states of parallel streams as one state."""
    if len(states) == 1:
        return states[0]
    return [tuple(torch.cat(parts) for parts in zip(*layers, strict=True)) for layers in zip(*states, strict=True)]


def spread(state: ModelState, zero: ModelState) -> ModelState:
    """The state of streams cut into several: the first stretch of each keeps its state, the others start at `zero`."""

    def spread_part(old: Tensor, new: Tensor) -> Tensor:
        new = new.clone()
        new[:: len(new) // len(old)] = old
        return new

    return [tuple(map(spread_part, *layers)) for layers in zip(state, zero, strict=True)]


def bptt_length(bptt: int, seed: int, step: int) -> int:
    """A random window (Merity et al. 2018, https://arxiv.org/abs/1708.02182): normal around `bptt`, in one of twenty
    steps around half of it, standard deviation 5; a pure function of seed and step. Never more than `bptt` + 20."""
    generator = np.random.default_rng([seed, step])
    centre = bptt if generator.random() < 0.95 else bptt / 2
    return min(max(round(generator.normal(centre, 5.0)), min(5, bptt)), bptt + 20)
