"""How far back in time a model's gradient reaches.

Shapes: B streams, T time.
"""

from __future__ import annotations

import torch

from ....models import ModelState
from .steps import ShortTraining

FARTHEST = 32
"""Most steps back."""


def gradients_through_time(training: ShortTraining) -> dict[int, float]:
    """Size of the gradient of a token's loss with respect to the hidden state k steps before it, by k: root mean square
    over the state of all layers and streams.

    k is 1, 2, 4 and so on, up to the window; a model that has just started forgets, one that never reaches back cannot
    learn what depends on more than a few tokens.

    Args:
        training: whose model and next window are looked at; neither changes.
    """
    model, (batch, _) = training.model, training.read()
    inputs_BT, targets_BT = (torch.from_numpy(ids_BT).to(model.device) for ids_BT in batch)
    width = inputs_BT.shape[1]
    found: dict[int, float] = {}
    with torch.random.fork_rng([model.device] if model.device.type == "cuda" else []):
        back = 1
        while back <= min(FARTHEST, width):
            state = training.carried.value
            with torch.no_grad():
                if back < width:
                    _, state = model.read(inputs_BT[:, : width - back], state)
            state = [tuple(part.detach().clone().requires_grad_() for part in layer) for layer in state]
            reading, _ = model.read(inputs_BT[:, width - back :], state)
            loss = model.output(reading.hidden_BTD[:, -1], targets_BT[:, -1])
            found[back] = _size(loss * len(inputs_BT), state)
            back *= 2
    return found


def _size(loss: torch.Tensor, state: ModelState) -> float:
    parts = [part for layer in state for part in layer]
    gradients = torch.autograd.grad(loss, parts, allow_unused=True)
    squares = sum(float(one.double().square().sum()) for one in gradients if one is not None)
    return float((squares / sum(part.numel() for part in parts)) ** 0.5)
