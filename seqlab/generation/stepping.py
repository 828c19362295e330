"""The face of a model that generates."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class StepModel(Protocol):
    """What decoding needs of a language model: `prefill` reads some tokens (B, T), `step` one (B,), and both give the
    logits (B, V) of the next. The state is the model's own; `select` picks batch rows of it."""

    vocab_size: int

    def init_state(self, batch: int) -> Any: ...
    def step(self, token_B: Tensor, state: Any) -> tuple[Tensor, Any]: ...
    def prefill(self, tokens_BT: Tensor, state: Any) -> tuple[Tensor, Any]: ...
    def select(self, state: Any, index_B: Tensor) -> Any: ...
