"""The gradient of one batch: in parts, across documents, across processes.

Shapes: B streams, T time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..models import LanguageModel, ModelState, Reading, detached
from ..nn import fast_float32
from ..text import Batch
from .optimize.penalties import ActivationPenalty


class Window(NamedTuple):
    """What a model made of a window in training."""

    loss: Tensor
    """In nats per token, to be differentiated."""
    reading: Reading
    state: ModelState
    """To carry on with, detached."""


class WindowReader:
    """Reads windows with a model."""

    def __init__(self, model: LanguageModel):
        self.model = model

    def read(
        self, inputs_BT: Tensor, targets_BT: Tensor, state: ModelState, fresh_BT: np.ndarray | None = None
    ) -> Window:
        """Forward through model and output layer; `fresh_BT`: targets before which the hidden state is forgotten."""
        reading, after = self.model.read(inputs_BT, state, fresh_BT)
        loss = self.model.output(reading.hidden_BTD.flatten(0, 1), targets_BT.flatten())
        return Window(loss, reading, detached(after))


def backward(
    model: LanguageModel,
    batch: Batch,
    state: ModelState,
    parts: int = 1,
    fresh_BT: np.ndarray | None = None,
    penalty: ActivationPenalty | None = None,
    reader: WindowReader | None = None,
) -> tuple[Tensor, ModelState]:
    """Add the gradient of a window's mean loss to the model's, computed in `parts` equal parts of its streams.

    All parts see the same noise words, so that the parts' gradients add up to the whole batch's.

    Args:
        fresh_BT: targets before which the hidden state is forgotten.
        penalty: on activations; part of the gradient, not of the loss that is returned.
        reader: of the model's windows; by default a plain one.

    Returns:
        The loss in nats per token, on the device, and the state to carry on with.
    """
    device, rows, reader = model.device, len(batch.inputs_BT), reader or WindowReader(model)
    noise = model.output.get_state() if parts > 1 else ""
    total, states = torch.zeros((), device=device), []
    for part in np.array_split(np.arange(rows), parts):
        if part[0]:
            model.output.set_state(noise)
        streams, share = slice(int(part[0]), int(part[-1]) + 1), len(part) / rows
        inputs_BT, targets_BT = (torch.from_numpy(ids_BT[streams]).to(device, non_blocking=True) for ids_BT in batch)
        fresh = None if fresh_BT is None else fresh_BT[streams]
        with fast_float32():
            window = reader.read(inputs_BT, targets_BT, select(state, streams), fresh)
            loss = window.loss + penalty(window.reading, fresh, share) if penalty else window.loss
            (loss * share).backward()
        total = total + window.loss.detach() * share
        states.append(window.state)
    return total, joined(states)


def select(state: ModelState, streams: slice) -> ModelState:
    """The state of some streams."""
    return [tuple(part[streams] for part in cell_state) for cell_state in state]


def joined(states: list[ModelState]) -> ModelState:
    """The states of streams beside one another as one."""
    if len(states) == 1:
        return states[0]
    return [tuple(torch.cat(parts) for parts in zip(*layers, strict=True)) for layers in zip(*states, strict=True)]


def spread(state: ModelState, zero: ModelState) -> ModelState:
    """The state of streams cut into several: the first stretch of each goes on, the others start at `zero`."""

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
