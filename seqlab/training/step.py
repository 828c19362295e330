"""The gradient of one batch: in parts, across documents, across processes.

Shapes: B streams, T time.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..models import LanguageModel, ModelState
from ..nn import fast_float32
from ..text import Batch


def backward(
    model: LanguageModel, batch: Batch, state: ModelState, parts: int = 1, fresh_BT: np.ndarray | None = None
) -> tuple[Tensor, ModelState]:
    """Add the gradient of a window's mean loss to the model's, computed in `parts` equal parts of its streams.

    All parts see the same noise words, so that the parts' gradients add up to the whole batch's.

    Args:
        fresh_BT: targets before which the hidden state is forgotten.

    Returns:
        The loss in nats per token, on the device, and the state to carry on with.
    """
    device, rows = model.device, len(batch.inputs_BT)
    noise = model.output.get_state() if parts > 1 else ""
    total, states = torch.zeros((), device=device), []
    for part in np.array_split(np.arange(rows), parts):
        if part[0]:
            model.output.set_state(noise)
        streams = slice(int(part[0]), int(part[-1]) + 1)
        inputs_BT, targets_BT = (torch.from_numpy(ids_BT[streams]).to(device, non_blocking=True) for ids_BT in batch)
        fresh = None if fresh_BT is None else fresh_BT[streams]
        with fast_float32():
            loss, after = window_loss(model, inputs_BT, targets_BT, select(state, streams), fresh)
            loss = loss * (len(part) / rows)
            loss.backward()
        total = total + loss.detach()
        states.append(after)
    return total, joined(states)


def window_loss(
    model: LanguageModel, inputs_BT: Tensor, targets_BT: Tensor, state: ModelState, fresh_BT: np.ndarray | None = None
) -> tuple[Tensor, ModelState]:
    """Mean loss of a window and the state after it, detached; the state is zero again before every target that
    `fresh_BT` marks. The window is cut there, so a text of very short documents is slow."""
    if fresh_BT is None or not fresh_BT.any():
        return model.loss(inputs_BT, targets_BT, state)
    width = fresh_BT.shape[1]
    cuts = np.unique([0, *np.flatnonzero(fresh_BT.any(0)), width]).tolist()
    hidden = []
    for begin, end in zip(cuts, cuts[1:], strict=False):
        state = forget(state, fresh_BT[:, begin])
        hidden_BTD, state = model.hidden(inputs_BT[:, begin:end], state)
        hidden.append(hidden_BTD)
    loss = model.output(torch.cat(hidden, dim=1).flatten(0, 1), targets_BT.flatten())
    return loss, [tuple(part.detach() for part in cell_state) for cell_state in state]


def forget(state: ModelState, fresh_B: np.ndarray) -> ModelState:
    """The state with the streams of `fresh_B` at zero."""
    if not fresh_B.any():
        return state
    stale = torch.from_numpy(fresh_B).to(state[0][0].device)
    return [
        tuple(part.masked_fill(stale.view(-1, *[1] * (part.dim() - 1)), 0.0) for part in cell_state)
        for cell_state in state
    ]


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
