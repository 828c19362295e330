"""Fewer hidden units: every matrix really shrinks. And learning from the larger model what it knows.

Shapes: V vocabulary, E embedding, H units of a layer, D width of a layer's input, B streams, T time, S types compared.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...base.errors import InputError
from ...config import ModelConfig
from ...evaluation.sources import run_corpus
from ...models import LanguageModel, ModelState, detached
from ...nn.cells.fused import WEIGHTS, FusedCell
from ...run import Run
from ...training.step import PlainWindowReader, WindowLoss

CELLS = ("lstm", "gru", "rnn-tanh", "rnn-relu")
"""Cells whose gates are rows of two matrices and nothing else."""
MULTIPLE = 4
"""The units that are left are a multiple of it."""
STREAMS, LENGTH = 20, 500
"""Of the training text, on which the units are watched."""
COMPARED = 1024
"""Most frequent types whose probabilities teacher and student are to share, beside those of the window."""
TEACHER = 0.5
"""Share of the loss that is the distance from the teacher."""


class UnsuitedError(InputError):
    """A method that a model of this kind cannot have."""


def without_units(run: Run, model: LanguageModel, share: float) -> LanguageModel:
    """A smaller model of the units that matter most: those whose mean size times the weights that read them is largest.

    Args:
        run: the model is of; its training text shows how active a unit is.
        model: with float32 weights.
        share: of the units of every layer that is left out.

    Raises:
        UnsuitedError: a model of other cells, input or output layer.
    """
    config, left = model.config, smaller_config(model.config, share)
    active = activity(run, model)
    fused = [cell for cell in model.cells if isinstance(cell, FusedCell)]
    tied_last = config.tied and model.bridge is None
    readers: list[list[Tensor]] = [
        [cell.weight("weight_hh"), after.weight("weight_ih")] for cell, after in zip(fused, fused[1:], strict=False)
    ]
    last = model.output.weight if model.bridge is None else model.bridge.weight
    readers.append([fused[-1].weight("weight_hh"), last])
    kept = [best_units(size_H, reading, share) for size_H, reading in zip(active, readers, strict=True)]
    columns_E = kept[-1] if tied_last else torch.arange(config.embed_dim)
    smaller = LanguageModel(left, model.vocab_size)
    smaller.load_state_dict(_kept_weights(model, fused, kept, columns_E), strict=True)
    return smaller.eval()


def smaller_config(config: ModelConfig, share: float) -> ModelConfig:
    """The settings of a model without a share of its hidden units; an embedding that is tied to them shrinks too.

    Raises:
        UnsuitedError: a model of other cells, input or output layer.
    """
    plain = config.input != "characters" and config.softmax in ("full", "sampled", "nce") and not config.residual
    if config.cell not in CELLS or not plain:
        raise UnsuitedError(
            f"method: hidden units are left out of models of {', '.join(CELLS)} with embeddings, a plain softmax and "
            "no residual; use prune or low-rank for this one."
        )
    last = config.last_dim or config.hidden_dim
    changes = {"hidden_dim": units_left(config.hidden_dim, share)}
    changes |= {"last_dim": units_left(last, share)} if config.last_dim else {}
    changes |= {"embed_dim": units_left(last, share)} if config.tied and last == config.embed_dim else {}
    return config.model_copy(update=changes)


def units_left(units: int, share: float) -> int:
    """Of a layer."""
    return min(units, max(MULTIPLE, round((1 - share) * units / MULTIPLE) * MULTIPLE))


@torch.inference_mode()
def activity(run: Run, model: LanguageModel) -> list[Tensor]:
    """Mean size (H,) of the outputs of every layer on the beginning of the training text."""
    train = run_corpus(run).splits["train"]
    count = min(len(train), STREAMS * LENGTH) // STREAMS
    if count < 1:
        return [torch.ones(cell.hidden_dim) for cell in model.cells if isinstance(cell, FusedCell)]
    ids_BT = torch.from_numpy(np.asarray(train[: STREAMS * count]).astype(np.int64)).view(STREAMS, count)
    x_BTD, sizes = model.embed(ids_BT), list[Tensor]()
    for cell, state in zip(model.cells, model.init_state(STREAMS), strict=True):
        y_BTH, _ = cell(x_BTD, state)
        sizes.append(y_BTH.abs().mean((0, 1)))
        x_BTD = y_BTH
    return sizes


def best_units(size_H: Tensor, readers: list[Tensor], share: float) -> Tensor:
    """The units that are left, ascending; each reader is a matrix (rows, H)."""
    weight_H = torch.stack([reader.detach().square().sum(0) for reader in readers]).sum(0).sqrt()
    return (size_H * weight_H).topk(units_left(len(size_H), share)).indices.sort().values


def _kept_weights(
    model: LanguageModel, fused: list[FusedCell], kept: list[Tensor], columns_E: Tensor
) -> Mapping[str, Tensor]:
    """The state of the smaller model."""
    state = {name: weight.detach() for name, weight in model.state_dict().items()}
    inputs = columns_E
    for place, (cell, units_H) in enumerate(zip(fused, kept, strict=True)):
        gates = len(cell.weight("bias_ih")) // cell.hidden_dim
        rows_G = torch.cat([units_H + gate * cell.hidden_dim for gate in range(gates)])
        for name in WEIGHTS:
            key = f"cells.{place}.layer.{name}_l0"
            columns = {"weight_ih": inputs, "weight_hh": units_H}.get(name)
            state[key] = state[key][rows_G] if columns is None else state[key][rows_G][:, columns]
        inputs = units_H
    state["embedding"] = state["embedding"][:, columns_E]
    if model.bridge is not None:
        state["bridge.weight"] = state["bridge.weight"][:, kept[-1]]
    else:
        state["output.weight"] = state["output.weight"][:, kept[-1]]
    return state


class DistillingReader(PlainWindowReader):
    """Reads windows with a model and its teacher: Hinton et al. 2015, https://arxiv.org/abs/1503.02531.

    The loss is half the model's own and half the Kullback-Leibler distance from the teacher's probabilities, among the
    most frequent types and those of the window, which costs little where the vocabulary is large.

    Args:
        model: that learns.
        teacher: that is learned from.
    """

    def __init__(self, model: LanguageModel, teacher: LanguageModel):
        super().__init__(model)
        self.teacher = teacher.to(model.device).eval()
        for parameter in self.teacher.parameters():
            parameter.requires_grad_(False)
        self.state: ModelState | None = None

    def read(
        self, inputs_BT: Tensor, targets_BT: Tensor, state: ModelState, fresh_BT: np.ndarray | None = None
    ) -> WindowLoss:
        """As a plain reader, with the distance from the teacher in the loss; that reads from where it was before,
        unless the model begins anew."""
        window = super().read(inputs_BT, targets_BT, state, fresh_BT)
        begins = all(not bool(part.any()) for cell_state in state for part in cell_state)
        if begins or self.state is None or len(self.state[0][0]) != len(inputs_BT):
            self.state = self.teacher.init_state(len(inputs_BT))
        with torch.no_grad():
            reading, after = self.teacher.read(inputs_BT, self.state, fresh_BT)
            self.state = detached(after)
        frequent = torch.arange(min(COMPARED, self.model.vocab_size), device=targets_BT.device)
        types_S = torch.unique(torch.cat([frequent, targets_BT.flatten()]))
        taught = self._log_probs(self.teacher, reading.hidden_BTD, types_S)
        own = self._log_probs(self.model, window.reading.hidden_BTD, types_S)
        distance = F.kl_div(own, taught, log_target=True, reduction="batchmean")
        return window._replace(loss=(1 - TEACHER) * window.loss + TEACHER * distance)

    @staticmethod
    def _log_probs(model: LanguageModel, hidden_BTD: Tensor, types_S: Tensor) -> Tensor:
        """Log-probabilities (B T, S) among some types."""
        output = model.output
        return F.log_softmax(
            F.linear(hidden_BTD.flatten(0, 1), output.weight[types_S], output.bias[types_S, 0]), dim=-1
        )

    def arrays(self) -> dict[str, Tensor]:
        """The teacher's state."""
        return {
            f"{layer}.{index}": part
            for layer, cell_state in enumerate(self.state or [])
            for index, part in enumerate(cell_state)
        }

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Resume from `arrays()`."""
        layers = sorted({int(name.split(".")[0]) for name in arrays})
        device = self.model.device
        self.state = [
            tuple(arrays[name].to(device) for name in sorted(arrays) if name.split(".")[0] == str(layer))
            for layer in layers
        ] or None
