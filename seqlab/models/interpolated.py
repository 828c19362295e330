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

    def step(self, token_B: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One token further: log-probabilities (B, V) and the state."""
        nodes_Bn = torch.from_numpy(self.counts.step(state[0].numpy(), token_B.numpy()))
        p_BV, _ = self.probs(nodes_Bn)
        return p_BV.log(), [nodes_Bn]

    def sequence_logits(self, tokens_BT: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Log-probabilities (B, T, V) of each next token, and the state after the last."""
        steps = []
        for token_B in tokens_BT.unbind(1):
            log_p_BV, state = self.step(token_B.contiguous(), state)
            steps.append(log_p_BV)
        return torch.stack(steps, 1), state

    def select(self, state: list[Tensor], index_B: Tensor) -> list[Tensor]:
        """The state with batch rows reordered, dropped or repeated."""
        return [part.index_select(0, index_B) for part in state]

    def probs(self, nodes_Bn: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (B, V), float32, and what the counts knew (B,)."""
        p_BV = torch.empty(len(nodes_Bn), self.vocab_size)
        known_B = self.counts.distributions(nodes_Bn.numpy(), p_BV.numpy())
        return p_BV, torch.from_numpy(known_B)


class InterpolatedModel(nn.Module):
    """P(next id | ids so far) of a network and counts together, with the face that decoding asks of a model.

    Args:
        network: a trained language model.
        counts: of the text it was trained on.
        gate: how much they say.
    """

    def __init__(self, network: LanguageModel, counts: NGramModel, gate: Gate):
        super().__init__()
        self.network, self.counting, self.gate = network, CountingModel(counts), gate
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

    def step(self, token_B: Tensor, state: InterpolatedState) -> tuple[Tensor, InterpolatedState]:
        """One token further: log-probabilities (B, V) and the state."""
        hidden_B1D, network = self.network.hidden(token_B[:, None], state.network)
        nodes_Bn = self._count(token_B, state.nodes_Bn)
        return self._mixed(hidden_B1D[:, 0], nodes_Bn), InterpolatedState(network, nodes_Bn)

    def sequence_logits(self, tokens_BT: Tensor, state: InterpolatedState) -> tuple[Tensor, InterpolatedState]:
        """Log-probabilities (B, T, V) of each next token, and the state after the last."""
        hidden_BTD, network = self.network.hidden(tokens_BT, state.network)
        nodes_Bn, steps = state.nodes_Bn, []
        for token_B, hidden_BD in zip(tokens_BT.unbind(1), hidden_BTD.unbind(1), strict=True):
            nodes_Bn = self._count(token_B, nodes_Bn)
            steps.append(self._mixed(hidden_BD, nodes_Bn))
        return torch.stack(steps, 1), InterpolatedState(network, nodes_Bn)

    def select(self, state: InterpolatedState, index_B: Tensor) -> InterpolatedState:
        """The state with batch rows reordered, dropped or repeated."""
        return InterpolatedState(
            self.network.select(state.network, index_B), state.nodes_Bn.index_select(0, index_B.cpu())
        )

    def _count(self, token_B: Tensor, nodes_Bn: Tensor) -> Tensor:
        return torch.from_numpy(self.counting.counts.step(nodes_Bn.numpy(), token_B.cpu().contiguous().numpy()))

    def _mixed(self, hidden_BD: Tensor, nodes_Bn: Tensor) -> Tensor:
        """Log-probabilities (B, V) where the network's output layer reads `hidden_BD`."""
        logits_BV = self.network.output.logits(hidden_BD)
        p_BV = torch.empty(logits_BV.shape)
        logits, hidden = (part.float().cpu().contiguous().numpy() for part in (logits_BV, hidden_BD))
        self.counting.counts.mixed_distributions(
            nodes_Bn.numpy(), logits, hidden, self.gate.weight_D, self.gate.bias_K, p_BV.numpy()
        )
        return p_BV.to(logits_BV.device).log_()


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
