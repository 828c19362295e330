"""A recurrent language model: embedding -> cells -> output layer. Ids in, probabilities of the next id out."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..config import ModelConfig
from ..errors import InputError, choose
from ..nn import CELLS, LOSSES, Cell, Dropout, State

ModelState = list[State]


OPTIONAL = {
    "softmax": {"label_smoothing": "label smoothing"},
    "cell": {"weight_drop": "dropped recurrent weights", "zoneout": "zoneout"},
}
"""Knobs that only some output layers and some cells have; all others refuse them."""


def knobs_of(part: type[nn.Module], kind: str, config: ModelConfig, **more: Any) -> dict[str, Any]:
    """The knobs of `config` (and `more`) that a part of the model has, those of its keyword arguments; `kind` is the
    knob that chose it.

    Raises:
        InputError: one was set that this part has not.
    """
    taken = inspect.signature(part).parameters
    for name, words in OPTIONAL[kind].items():
        if getattr(config, name) and name not in taken:
            raise InputError(f"model.{name}: model.{kind} = {getattr(config, kind)!r} has no {words}; set it to 0.")
    knobs = {**config.model_dump(), **more}
    return {name: knobs[name] for name, one in taken.items() if name in knobs and one.default is not one.empty}


class LanguageModel(nn.Module):
    """P(next id | ids so far).

    Args:
        config: sizes, cell and output layer.
        vocab_size: V.
        seed: of the noise of sampled output layers.

    Shapes: B batch, T time, E embedding width, H hidden width, V vocabulary. A state is one tuple a layer, each
    tensor batch first, so that `select` can reorder hypotheses.
    """

    def __init__(self, config: ModelConfig, vocab_size: int, seed: int = 0):
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        cell = choose("model.cell", config.cell, CELLS)
        output = choose("model.softmax", config.softmax, LOSSES)
        self.embedding = nn.Parameter(torch.empty(vocab_size, config.embed_dim))
        nn.init.normal_(self.embedding, std=config.embed_dim**-0.5)
        widths = [config.embed_dim] + [config.hidden_dim] * config.layers
        knobs = knobs_of(cell, "cell", config)
        self.cells = nn.ModuleList(cell(i, o, **knobs) for i, o in zip(widths, widths[1:], strict=False))
        self.bridge: nn.Linear | None = None
        if config.tie and config.hidden_dim != config.embed_dim:
            self.bridge = nn.Linear(config.hidden_dim, config.embed_dim, bias=False)
        self.output = output(
            vocab_size,
            config.embed_dim if config.tie else config.hidden_dim,
            self.embedding if config.tie else None,
            **knobs_of(output, "softmax", config, seed=seed),
        )
        self.dropout = Dropout(config.dropout)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.device

    def init_state(self, batch: int) -> ModelState:
        """The state before any token."""
        return [cell.init_state(batch) for cell in cast("Iterable[Cell]", self.cells)]

    def hidden(self, tokens_BT: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """What the output layer reads: (B, T, width of the output layer), and the state after the last token."""
        x_BTD = self.dropout(F.embedding(tokens_BT, self.embedding, sparse=self.output.sparse))
        new_state = []
        for cell, cell_state in zip(self.cells, state, strict=True):
            x_BTD, cell_state = cell(x_BTD, cell_state)
            x_BTD = self.dropout(x_BTD)
            new_state.append(cell_state)
        return (x_BTD if self.bridge is None else self.bridge(x_BTD)), new_state

    def loss(self, inputs_BT: Tensor, targets_BT: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """Mean training loss in nats per token of a window, and the state to carry on with, detached."""
        hidden_BTD, state = self.hidden(inputs_BT, state)
        loss = self.output(hidden_BTD.flatten(0, 1), targets_BT.flatten())
        return loss, [tuple(part.detach() for part in cell_state) for cell_state in state]

    def sequence_logits(self, tokens_BT: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """Exact unnormalised log-probabilities (B, T, V) of each next token, and the state after the last."""
        hidden_BTD, state = self.hidden(tokens_BT, state)
        return self.output.logits(hidden_BTD), state

    def step(self, token_B: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """One token further: (logits (B, V), state)."""
        logits_B1V, state = self.sequence_logits(token_B[:, None], state)
        return logits_B1V[:, 0], state

    def select(self, state: ModelState, index_B: Tensor) -> ModelState:
        """The state with batch rows reordered, dropped or repeated as `index_B` says."""
        return [tuple(part.index_select(0, index_B) for part in cell_state) for cell_state in state]

    @torch.inference_mode()
    def log_prob(self, ids_T: Tensor, start_id: int) -> float:
        """Exact log-probability in nats of the sequence `ids_T` (T,), read after `start_id`."""
        inputs_1T = torch.cat([ids_T.new_tensor([start_id]), ids_T[:-1]])[None]
        hidden_1TD, _ = self.hidden(inputs_1T, self.init_state(1))
        return float(-F.cross_entropy(self.output.logits(hidden_1TD[0]), ids_T, reduction="sum"))

    def sparse_parameters(self) -> list[nn.Parameter]:
        """The parameters whose training gradient is sparse over rows."""
        if not self.output.sparse:
            return []
        return list({id(p): p for p in (self.embedding, self.output.weight, self.output.bias)}.values())

    def parameter_counts(self) -> dict[str, int]:
        """Parameters by part; a tied output counts only its bias (and bridge)."""
        counts = {
            "embedding": self.embedding.numel(),
            "cells": sum(p.numel() for p in self.cells.parameters()),
        }
        counts["output"] = sum(p.numel() for p in self.parameters()) - sum(counts.values())
        return counts
