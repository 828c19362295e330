"""The face of a model that generates."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class StepModel(Protocol):
    """What decoding needs of a language model: `prefill` reads some tokens (B, T), `step` one (B,), and both give the
    logits (B, V) of the next. The state is the model's own; `select` picks batch rows of it. A model whose texts begin
    in different states, such as the points of an autoencoder, has a row of each in `init_state(1)` already, and reads
    the prompt (1, T) in all of them."""

    vocab_size: int

    def init_state(self, batch: int) -> Any: ...
    def step(self, token_B: Tensor, state: Any) -> tuple[Tensor, Any]: ...
    def prefill(self, tokens_BT: Tensor, state: Any) -> tuple[Tensor, Any]: ...
    def select(self, state: Any, index_B: Tensor) -> Any: ...
