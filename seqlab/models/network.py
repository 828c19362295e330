"""What every network over tokens offers to those who train, store and watch it, whatever it is trained for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import nn

from ..nn import Cell, OutputLayer, State

ModelState = list[State]
"""A tuple of tensors a layer, each batch first."""


class Network(nn.Module, ABC):
    """A network that reads and predicts tokens.

    Attributes:
        vocab_size: V, types that it knows.
        output: makes probabilities of the last layer's values.
    """

    vocab_size: int
    output: OutputLayer

    @property
    @abstractmethod
    def layers(self) -> Sequence[Cell]:
        """All cells, from the bottom."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.output.bias.device

    @property
    @abstractmethod
    def reads_characters(self) -> bool:
        """Whether words are read by their characters, so that none is unknown on input."""

    @abstractmethod
    def set_words(self, words: Sequence[str]) -> None:
        """How the vocabulary's V words are spelt; a network that reads characters needs it before it reads."""

    @abstractmethod
    def init_state(self, batch: int) -> ModelState:
        """What is carried from one window to the next, before the first."""

    @abstractmethod
    def extra_words(self, words: Sequence[str]) -> AbstractContextManager[None]:
        """Within, the network reads the ids V, V + 1, ... as `words`, outside its vocabulary; it predicts none of them.

        Raises:
            InputError: there are such words, and the network reads vectors of its vocabulary, not characters.
        """

    @abstractmethod
    def aliases(self) -> dict[str, str]:
        """Names of `state_dict` entries that are another entry's tensor: {alias: name}."""

    @abstractmethod
    def sparse_parameters(self) -> list[nn.Parameter]:
        """The parameters whose training gradient is sparse over rows."""

    @abstractmethod
    def parameter_counts(self) -> dict[str, int]:
        """Parameters by part."""


M = TypeVar("M", bound=Network)
"""The kind of network that something is for."""
