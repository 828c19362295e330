"""A network and counts as one model: at every position the mean of their probabilities, weighted by a gate.

They know different things. Counts know every phrase of the training text from the first second; the network knows what
is like what, and learns on. Together they predict much better than either (benchmarks/SCOREBOARD.md).

Shapes: B texts side by side, T tokens, V vocabulary, n order of the counts, D width of the hidden states.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..base.errors import InputError
from .counts.gate import Gate
from .counts.kneser_ney import NGramModel
from .language_model import LanguageModel, ModelState

Member = Literal["network", "counts"]
"""One of the two by itself."""


class InterpolatedState(NamedTuple):
    """Of the network, and the counts' nodes (B, n) on the CPU."""

    network: ModelState
    nodes_Bn: Tensor


class CountingModel:
    """Counts with the face that decoding asks of a model.

    Args:
        counts: of the training text.
    """

    def __init__(self, counts: NGramModel):
        self.counts, self.vocab_size = counts, counts.vocab_size

    def init_state(self, batch: int) -> list[Tensor]:
        """The state before any token."""
        return [torch.from_numpy(self.counts.read([])).repeat(batch, 1)]

    def prefill(self, tokens_BT: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Read some tokens: log-probabilities (B, V) of the one after the last, and the state there."""
        nodes_Bn = self.count(tokens_BT, state[0])
        return self._probs(nodes_Bn).log_(), [nodes_Bn]

    def step(self, token_B: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One token further: log-probabilities (B, V) and the state."""
        return self.prefill(token_B[:, None], state)

    def count(self, tokens_BT: Tensor, nodes_Bn: Tensor) -> Tensor:
        """The nodes after some more tokens."""
        found_Bn = nodes_Bn.numpy()
        for ids_B in tokens_BT.cpu().numpy().T:
            found_Bn = self.counts.step(found_Bn, np.ascontiguousarray(ids_B))
        return torch.from_numpy(found_Bn)

    def select(self, state: list[Tensor], index_B: Tensor) -> list[Tensor]:
        """The state with batch rows reordered, dropped or repeated."""
        return [part.index_select(0, index_B) for part in state]

    def _probs(self, nodes_Bn: Tensor) -> Tensor:
        p_BV = torch.empty(len(nodes_Bn), self.vocab_size)
        self.counts.distributions(nodes_Bn.numpy(), p_BV.numpy())
        return p_BV


class InterpolatedModel(nn.Module):
    """P(next id | ids so far) of a network and counts together, with the face that decoding asks of a model.

    Args:
        network: a trained language model.
        counts: of the text it was trained on.
        gate: how much they say.
    """

    def __init__(self, network: LanguageModel, counts: NGramModel, gate: Gate):
        super().__init__()
        self.network, self.counting = network, CountingModel(counts)
        self.gate_arrays = gate.bias_K, gate.weight_D
        self.vocab_size = network.vocab_size

    @property
    def reads_characters(self) -> bool:
        """Whether the network reads words by their characters."""
        return self.network.reads_characters

    def extra_words(self, words: Sequence[str]) -> AbstractContextManager[None]:
        """Within, the network reads the ids V, V + 1, ... as `words`; the counts have not seen them."""
        return self.network.extra_words(words)

    def init_state(self, batch: int) -> InterpolatedState:
        """The state before any token."""
        return InterpolatedState(self.network.init_state(batch), *self.counting.init_state(batch))

    def prefill(self, tokens_BT: Tensor, state: InterpolatedState) -> tuple[Tensor, InterpolatedState]:
        """Read some tokens: log-probabilities (B, V) of the one after the last, and the state there."""
        hidden_BTD, network = self.network.hidden(tokens_BT, state.network)
        hidden_BD = hidden_BTD[:, -1]
        p_BV = self.network.output.logits(hidden_BD).float().softmax(-1)
        before_Bn = self.counting.count(tokens_BT[:, :-1], state.nodes_Bn)
        on_cpu = p_BV.cpu()
        ids, hidden = (part.cpu().contiguous().numpy() for part in (tokens_BT[:, -1], hidden_BD.float()))
        after_Bn = self.counting.counts.mixed_step(before_Bn.numpy(), ids, hidden, self.gate_arrays, on_cpu.numpy())
        return on_cpu.to(p_BV.device).log_(), InterpolatedState(network, torch.from_numpy(after_Bn))

    def step(self, token_B: Tensor, state: InterpolatedState) -> tuple[Tensor, InterpolatedState]:
        """One token further: log-probabilities (B, V) and the state."""
        return self.prefill(token_B[:, None], state)

    def select(self, state: InterpolatedState, index_B: Tensor) -> InterpolatedState:
        """The state with batch rows reordered, dropped or repeated."""
        return InterpolatedState(
            self.network.select(state.network, index_B), state.nodes_Bn.index_select(0, index_B.cpu())
        )


class Members(NamedTuple):
    """What a run's model is made of; a run without counts has the network alone.

    only: the member that is to be used by itself.
    """

    network: LanguageModel
    counts: NGramModel | None = None
    gate: Gate | None = None
    only: Member | None = None

    @property
    def mixed(self) -> tuple[NGramModel, Gate] | None:
        """Counts and gate where both members are used."""
        if self.only is not None or self.counts is None or self.gate is None:
            return None
        return self.counts, self.gate

    def model(self) -> LanguageModel | InterpolatedModel | CountingModel:
        """The model that decoding steps through.

        Raises:
            InputError: counts by themselves of a run that has none.
        """
        if self.only == "counts":
            return CountingModel(self.the_counts())
        return InterpolatedModel(self.network, *self.mixed).eval() if self.mixed else self.network

    def the_counts(self) -> NGramModel:
        """The counts. Raises InputError where the run has none."""
        if self.counts is None:
            raise InputError(
                "this run has no counts: they were switched off (model.counts), did not help beyond noise, or an "
                "earlier version trained it; use the network."
            )
        return self.counts


def projected(gate: Gate, hidden_MD: Tensor) -> np.ndarray:
    """Hidden states times the gate's weights, (M,) float64."""
    weight_D = torch.from_numpy(gate.weight_D).to(hidden_MD.device)
    return (hidden_MD.float() @ weight_D).double().cpu().numpy()
