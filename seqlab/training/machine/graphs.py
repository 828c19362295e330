"""Windows as CUDA graphs (https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs): the hundreds of kernels of a
window are launched once, recorded, and replayed from then on by one launch forward and one back.

Shapes: B streams, T time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from ...base.errors import InputError
from ...config import LanguageModelConfig
from ...models import LanguageModel, ModelState, Reading
from ...nn import CELLS
from ..step import PlainWindowReader, WindowLoss

GRAPHED_SOFTMAXES = ("full", "mixture")
"""Output layers that leave all their work to the device, in shapes that do not depend on the words."""


class FlatWindow(nn.Module):
    """A window from tensors to tensors, as torch records it."""

    def __init__(self, model: LanguageModel):
        super().__init__()
        self.model = model

    def forward(self, inputs_BT: Tensor, targets_BT: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """(loss, the parts of the reading, those of the state after)."""
        window = PlainWindowReader(self.model).read(inputs_BT, targets_BT, unflattened(self.model, state))
        return window.loss, *window.reading, *(part for cell_state in window.state for part in cell_state)


class GraphedWindowReader(PlainWindowReader):
    """Reads windows by replaying graphs, one for every shape, recorded at the first window of that shape.

    Recording draws nothing from the generators that training uses next. One window's gradients must be cleared before
    the next window is read, since they lie where the graph writes them.
    """

    def __init__(self, model: LanguageModel):
        super().__init__(model)
        self.graphs: dict[torch.Size, Callable[..., tuple[Tensor, ...]]] = {}

    def read(
        self, inputs_BT: Tensor, targets_BT: Tensor, state: ModelState, fresh_BT: np.ndarray | None = None
    ) -> WindowLoss:
        assert fresh_BT is None, "no recorded window forgets its state on the way"
        arguments = (inputs_BT, targets_BT, *(part for cell_state in state for part in cell_state))
        if inputs_BT.shape not in self.graphs:
            with torch.random.fork_rng([self.model.device] if self.model.device.type == "cuda" else []):
                samples = tuple(part.clone() for part in arguments)
                recorded = torch.cuda.make_graphed_callables(FlatWindow(self.model), samples)
            self.graphs[inputs_BT.shape] = cast(Callable[..., tuple[Tensor, ...]], recorded)
        loss, *rest = self.graphs[inputs_BT.shape](*arguments)
        count = len(Reading._fields)
        # torch takes all outputs for differentiable, and the next window overwrites them
        after = [part.detach().clone() for part in rest[count:]]
        return WindowLoss(loss, Reading(*rest[:count]), unflattened(self.model, after))


def unflattened(model: LanguageModel, parts: list[Tensor] | tuple[Tensor, ...]) -> ModelState:
    """The state of a model from the tensors of all its cells in a row."""
    pieces = iter(parts)
    return [tuple(next(pieces) for _ in range(cell.parts)) for cell in model.layers]


def check_graphs(config: LanguageModelConfig, device: str) -> None:
    """Refuse a configuration whose windows cannot be graphs.

    Args:
        config: that asks for graphs or not.
        device: that would record them.

    Raises:
        InputError: the device is no GPU, or windows differ by more than words.
    """
    model, training, key = config.model, config.training, "training.cuda_graphs"
    if not training.cuda_graphs:
        return
    if not device.startswith("cuda"):
        raise InputError(f"{key}: training is on {device}, and only CUDA devices record graphs; leave it out.")
    reasons = {
        f"model.softmax = {model.softmax!r} chooses words on the CPU": model.softmax not in GRAPHED_SOFTMAXES,
        "model.input = 'characters' reads words on the CPU": model.input == "characters",
        "training.random_bptt makes windows of any length": training.random_bptt,
        "training.reset_state = 'documents' cuts windows": training.reset_state == "documents",
        f"model.cell = {model.cell!r} is watched for dead units": CELLS[model.cell].rectified,
        "training.accumulate takes several windows a step": training.accumulate > 1,
    }
    for reason, found in reasons.items():
        if found:
            raise InputError(f"{key}: {reason}, which no recorded window does; leave one of the two out.")
