"""A recurrent language model: embedding -> cells -> output layer. Ids in, probabilities of the next id out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..base.errors import InputError, choose
from ..config import ModelConfig
from ..nn import (
    CELLS,
    SOFTMAXES,
    Cell,
    CharacterEmbedding,
    Dropout,
    LockedDropout,
    WordDropout,
    held_masks,
)
from ..nn.cells.stack import Stack, StackParts
from ..nn.characters import CHARACTER_SIZES
from ..nn.kernels.affine import FEW
from ..nn.outputs.base import SoftmaxLayer
from .network import ModelState, Network

OPTIONAL: dict[str, dict[str, str]] = {
    "softmax": {"label_smoothing": "label smoothing"},
    "cell": {
        "weight_drop": "dropped recurrent weights",
        "zoneout": "zoneout",
        "forget_bias": "forget gates whose bias could be chosen",
        "mogrifier_rounds": "rounds",
    },
}
"""Knobs that only some output layers and some cells have; all others refuse them unless they are at their default."""


def keywords_of(part: type) -> set[str]:
    """Names of the constructor's arguments that have a default, those that it passes on to a base class included."""
    names: set[str] = set()
    for base in part.__mro__:
        if "__init__" in vars(base):
            taken = inspect.signature(vars(base)["__init__"]).parameters.values()
            names |= {one.name for one in taken if one.default is not one.empty}
            if all(one.kind is not one.VAR_KEYWORD for one in taken):
                break
    return names


def knobs_of(part: type[nn.Module], kind: str, config: ModelConfig, **more: Any) -> dict[str, Any]:
    """The knobs of `config` (and `more`) that a part of the model has, those of its keyword arguments; `kind` is the
    knob that chose it.

    Raises:
        InputError: one was set that this part has not.
    """
    taken = keywords_of(part)
    for name, words in OPTIONAL[kind].items():
        default = ModelConfig.model_fields[name].default
        if getattr(config, name) != default and name not in taken:
            raise InputError(
                f"model.{name}: model.{kind} = {getattr(config, kind)!r} has no {words}; set it to {default:g}, its "
                f"default."
            )
    knobs = {**config.model_dump(), **more}
    return {name: knobs[name] for name in taken & knobs.keys()}


class Reading(NamedTuple):
    """What a model made of a window."""

    hidden_BTD: Tensor
    """What the output layer reads."""
    dropped_BTH: Tensor
    """Outputs of the last cell after dropout."""
    raw_BTH: Tensor
    """The same before dropout."""


class LanguageModel(Network):
    """P(next id | ids so far).

    Args:
        config: sizes, cell and output layer.
        vocab_size: V.
        seed: of the noise of sampled output layers.
        layer: makes a layer from input width, hidden width and the cell's knobs; None: the cell itself.

    Shapes: B batch, T time, E embedding width, H hidden width, V vocabulary. A state is one tuple a layer, each
    tensor batch first, so that `select` can reorder hypotheses.
    """

    def __init__(self, config: ModelConfig, vocab_size: int, seed: int = 0, layer: Callable[..., Cell] | None = None):
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        cell = choose("model.cell", config.cell, CELLS)
        output = choose("model.softmax", config.softmax, SOFTMAXES)
        self.embedding: nn.Parameter | None = None
        self.characters: CharacterEmbedding | None = None
        if config.input == "characters":
            self.characters = CharacterEmbedding(config.embed_dim, **CHARACTER_SIZES[config.char_size])
        else:
            self.embedding = nn.Parameter(torch.empty(vocab_size, config.embed_dim))
            nn.init.normal_(self.embedding, std=config.embed_dim**-0.5)
        last_dim = config.last_dim or config.hidden_dim
        widths = [config.embed_dim] + [config.hidden_dim] * (config.layers - 1) + [last_dim]
        knobs = knobs_of(cell, "cell", config)
        new = layer or cell
        self.cells = nn.ModuleList(new(i, o, **knobs) for i, o in zip(widths, widths[1:], strict=False))
        self.bridge: nn.Linear | None = None
        if config.tied and last_dim != config.embed_dim:
            self.bridge = nn.Linear(last_dim, config.embed_dim, bias=False)
        self.output = output(
            vocab_size,
            config.embed_dim if config.tied else last_dim,
            self.embedding if config.tied else None,
            **knobs_of(output, "softmax", config, seed=seed),
        )
        kind = LockedDropout if config.locked_dropout else Dropout
        self.word_dropout = WordDropout(config.embedding_dropout)
        self.input_dropout = kind(config.dropout_of("input"))
        names = ["hidden"] * (config.layers - 1) + ["output"]
        self.cell_dropouts = nn.ModuleList(kind(config.dropout_of(name)) for name in names)
        self._stack: Stack | None = None

    @property
    def layers(self) -> Sequence[Cell]:
        return cast("list[Cell]", list(self.cells))

    @property
    def reads_characters(self) -> bool:
        return self.characters is not None

    def set_words(self, words: Sequence[str]) -> None:
        if self.characters is not None:
            self.characters.set_words(words)

    @contextmanager
    def extra_words(self, words: Sequence[str]) -> Iterator[None]:
        if not words:
            yield
            return
        if self.characters is None:
            raise InputError("the model knows its vocabulary only; one with model.input = 'characters' reads any word.")
        with self.characters.extra_words(words):
            yield

    def word_vectors(self, words: Sequence[str] | None = None) -> Tensor:
        """Input vectors, no gradient: (V, E) of the vocabulary, or (W, E) of any `words` (as the vocabulary would spell
        them) where the model reads characters, InputError elsewhere."""
        if self.characters is not None:
            return self.characters.table() if words is None else self.characters.vectors(words)
        assert self.embedding is not None
        if words is not None:
            raise InputError("the model knows its vocabulary only; one with model.input = 'characters' reads any word.")
        return self.embedding.detach()

    def init_state(self, batch: int) -> ModelState:
        """The state before any token."""
        return [cell.init_state(batch) for cell in self.layers]

    def read(
        self, tokens_BT: Tensor, state: ModelState, fresh_BT: np.ndarray | None = None
    ) -> tuple[Reading, ModelState]:
        """Read a window. `fresh_BT` marks the tokens before which the state is zero again; the window is cut there,
        so a text of very short documents is slow. Masks that are held for a window are held across the cuts."""
        if fresh_BT is None or not fresh_BT.any():
            return self._read(tokens_BT, state)
        cuts = np.unique([0, *np.flatnonzero(fresh_BT.any(0)), fresh_BT.shape[1]]).tolist()
        pieces = []
        with held_masks(self):
            for begin, end in zip(cuts, cuts[1:], strict=False):
                piece, state = self._read(tokens_BT[:, begin:end], forget(state, fresh_BT[:, begin]))
                pieces.append(piece)
        return Reading(*(torch.cat(parts, dim=1) for parts in zip(*pieces, strict=True))), state

    def _read(self, tokens_BT: Tensor, state: ModelState) -> tuple[Reading, ModelState]:
        raw_BTH = x_BTD = self.input_dropout(self.embed(tokens_BT))
        new_state = []
        adds = self.config.residual and not CELLS[self.config.cell].own_skip
        for cell, dropout, cell_state in zip(self.cells, self.cell_dropouts, state, strict=True):
            raw_BTH, cell_state = cell(x_BTD, cell_state)
            if adds and raw_BTH.shape == x_BTD.shape:
                raw_BTH = raw_BTH + x_BTD
            x_BTD = dropout(raw_BTH)
            new_state.append(cell_state)
        hidden_BTD = x_BTD if self.bridge is None else self.bridge(x_BTD)
        return Reading(hidden_BTD, x_BTD, raw_BTH), new_state

    def embed(self, tokens_BT: Tensor) -> Tensor:
        """Input vectors (B, T, E), whole words dropped in training."""
        if self.characters is not None:
            vectors_BTE, words = self.characters(tokens_BT), len(self.characters.words_VL)
        else:
            assert self.embedding is not None
            vectors_BTE = F.embedding(tokens_BT, self.embedding, sparse=self.output.sparse)
            words = self.vocab_size
        return self.word_dropout(vectors_BTE, tokens_BT, words)

    def hidden(self, tokens_BT: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """What the output layer reads: (B, T, width of the output layer), and the state after the last token."""
        reading, state = self._read(tokens_BT, state)
        return reading.hidden_BTD, state

    def loss(
        self, inputs_BT: Tensor, targets_BT: Tensor, state: ModelState, fresh_BT: np.ndarray | None = None
    ) -> tuple[Tensor, ModelState]:
        """Mean training loss in nats per token of a window, and the state to carry on with, detached."""
        reading, state = self.read(inputs_BT, state, fresh_BT)
        return self.output(reading.hidden_BTD.flatten(0, 1), targets_BT.flatten()), detached(state)

    def sequence_logits(self, tokens_BT: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """Exact unnormalised log-probabilities (B, T, V) of each next token, and the state after the last."""
        hidden_BTD, state = self.hidden(tokens_BT, state)
        return self.output.logits(hidden_BTD), state

    def prefill(self, tokens_BT: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """Read some tokens: logits (B, V) of the one after the last, and the state there."""
        hidden_BTD, state = self.hidden(tokens_BT, state)
        return self.output.logits(hidden_BTD[:, -1]), state

    def step(self, token_B: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """One token further: (logits (B, V), state)."""
        _, logits_BV, state = self.read_one(token_B, state)
        return logits_BV, state

    def read_one(self, token_B: Tensor, state: ModelState) -> tuple[Tensor, Tensor, ModelState]:
        """Read a token of each text: what the output layer reads (B, width of the output layer), logits (B, V) of the
        next token, and the state."""
        if not (self.training or torch.is_grad_enabled()) and token_B.device.type == "cpu" and len(token_B) <= FEW:
            if self._stack is None or not self._stack.is_current():
                self._stack = Stack(self, self._stack_parts())
            if self._stack.works and len(token_B) <= self._stack.most:
                return self._stack.step(token_B, state)
        hidden_BTD, state = self.hidden(token_B[:, None], state)
        hidden_BD = hidden_BTD[:, 0]
        return hidden_BD, self.output.logits(hidden_BD), state

    def _stack_parts(self) -> StackParts | None:
        """What a compiled step has to read; None where words are read by their characters, or the output layer is more
        than a product."""
        if self.embedding is None or type(self.output).logits is not SoftmaxLayer.logits:
            return None
        bridge = None if self.bridge is None else self.bridge.weight
        return StackParts(
            self.embedding, self.layers, self.config.residual, bridge, (self.output.weight, self.output.bias)
        )

    def select(self, state: ModelState, index_B: Tensor) -> ModelState:
        """The state with batch rows reordered, dropped or repeated as `index_B` says."""
        return [tuple(part.index_select(0, index_B) for part in cell_state) for cell_state in state]

    @torch.inference_mode()
    def log_prob(self, ids_T: Tensor, start_id: int, spelt_T: Tensor | None = None) -> float:
        """Exact log-probability in nats of the sequence `ids_T` (T,), read after `start_id`, as `spelt_T` (T,) where
        the model reads `extra_words`."""
        read_T = ids_T if spelt_T is None else spelt_T
        inputs_1T = torch.cat([ids_T.new_tensor([start_id]), read_T[:-1]])[None]
        hidden_1TD, _ = self.hidden(inputs_1T, self.init_state(1))
        return float(-F.cross_entropy(self.output.logits(hidden_1TD[0]), ids_T, reduction="sum"))

    def aliases(self) -> dict[str, str]:
        return {"output.weight": "embedding"} if self.config.tied else {}

    def sparse_parameters(self) -> list[nn.Parameter]:
        if not self.output.sparse:
            return []
        inputs = [] if self.embedding is None else [self.embedding]
        return list({id(p): p for p in (*inputs, self.output.weight, self.output.bias)}.values())

    def parameter_counts(self) -> dict[str, int]:
        """Parameters by part; a tied output counts only its bias (and bridge)."""
        inputs = [self.embedding] if self.characters is None else self.characters.parameters()
        counts = {
            "embedding": sum(p.numel() for p in inputs if p is not None),
            "cells": sum(p.numel() for p in self.cells.parameters()),
        }
        counts["output"] = sum(p.numel() for p in self.parameters()) - sum(counts.values())
        return counts


def forget(state: ModelState, fresh_B: np.ndarray) -> ModelState:
    """The state with the streams of `fresh_B` at zero."""
    if not fresh_B.any():
        return state
    stale = torch.from_numpy(fresh_B).to(state[0][0].device)
    return [
        tuple(part.masked_fill(stale.view(-1, *[1] * (part.dim() - 1)), 0.0) for part in cell_state)
        for cell_state in state
    ]


def detached(state: ModelState) -> ModelState:
    """The state without what it was computed from: back-propagation ends here."""
    return [tuple(part.detach() for part in cell_state) for cell_state in state]
