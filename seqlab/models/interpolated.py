"""A network, counts and a cache as one model: at every position the mean of their probabilities, weighted by gates.

They know different things. Counts know every phrase of the training text from the first second; the network knows what
is like what, and learns on; a cache of recent tokens, where it is asked for, knows the document. Together they predict
much better than any of them (benchmarks/SCOREBOARD.md).

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
from .recent.cache import Cache, Held

Member = Literal["network", "counts"]
"""One of the two by itself."""


class InterpolatedState(NamedTuple):
    """Of the network, and on the CPU the counts' nodes (B, n) and what the cache holds."""

    network: ModelState
    nodes_Bn: Tensor | None
    held: Held | None


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
    """P(next id | ids so far) of a network and others together, with the face that decoding asks of a model.

    Args:
        network: a trained language model.
        counted: counts of the text it was trained on, and how much they say.
        cache: of recent tokens.
    """

    def __init__(self, network: LanguageModel, counted: tuple[NGramModel, Gate] | None, cache: Cache | None = None):
        super().__init__()
        self.network, self.cache = network, cache
        self.counting = CountingModel(counted[0]) if counted else None
        self.gate_arrays = (counted[1].bias_K, counted[1].weight_D) if counted else None
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
        nodes_Bn = self.counting.init_state(batch)[0] if self.counting else None
        held = Held.nothing(batch, self.network.output.width) if self.cache else None
        return InterpolatedState(self.network.init_state(batch), nodes_Bn, held)

    def prefill(self, tokens_BT: Tensor, state: InterpolatedState) -> tuple[Tensor, InterpolatedState]:
        """Read some tokens: log-probabilities (B, V) of the one after the last, and the state there."""
        hidden_BTD, network = self.network.hidden(tokens_BT, state.network)
        return self._mixed(tokens_BT, hidden_BTD, self.network.output.logits(hidden_BTD[:, -1]), network, state)

    def step(self, token_B: Tensor, state: InterpolatedState) -> tuple[Tensor, InterpolatedState]:
        """One token further: log-probabilities (B, V) and the state."""
        hidden_BD, logits_BV, network = self.network.read_one(token_B, state.network)
        return self._mixed(token_B[:, None], hidden_BD[:, None], logits_BV, network, state)

    def _mixed(
        self, tokens_BT: Tensor, hidden_BTD: Tensor, logits_BV: Tensor, network: ModelState, state: InterpolatedState
    ) -> tuple[Tensor, InterpolatedState]:
        """Log-probabilities (B, V) by all members after some tokens that the network has read, and the state."""
        logits_BV = logits_BV.float()
        p_BV, hidden_BD, held = logits_BV.cpu().contiguous(), hidden_BTD[:, -1].float().cpu().contiguous(), state.held
        nodes_Bn = self._count(tokens_BT, state.nodes_Bn, hidden_BD, p_BV)
        if self.cache and held:
            p_BV = p_BV if self.counting else p_BV.softmax(-1)
            held = held.read(tokens_BT.cpu(), hidden_BTD.float().cpu())
            self.cache.mix(held, hidden_BD, p_BV.numpy())
            p_BV.log_()
        return p_BV.to(logits_BV.device), InterpolatedState(network, nodes_Bn, held)

    def _count(self, tokens_BT: Tensor, nodes_Bn: Tensor | None, hidden_BD: Tensor, p_BV: Tensor) -> Tensor | None:
        """The nodes after some tokens; the counts are mixed into the logits `p_BV`, which become probabilities where a
        cache is to be mixed in too, else their logarithms."""
        if self.counting is None or self.gate_arrays is None or nodes_Bn is None:
            return None
        before_Bn = self.counting.count(tokens_BT[:, :-1], nodes_Bn).numpy()
        ids_B, counts = tokens_BT[:, -1].cpu().contiguous().numpy(), self.counting.counts
        given = hidden_BD.numpy(), self.gate_arrays, p_BV.numpy(), self.cache is None
        return torch.from_numpy(counts.mixed_step(before_Bn, ids_B, *given))

    def select(self, state: InterpolatedState, index_B: Tensor) -> InterpolatedState:
        """The state with batch rows reordered, dropped or repeated."""
        on_cpu = index_B.cpu()
        nodes_Bn = None if state.nodes_Bn is None else state.nodes_Bn.index_select(0, on_cpu)
        held = state.held.select(on_cpu) if state.held else None
        return InterpolatedState(self.network.select(state.network, index_B), nodes_Bn, held)


class Members(NamedTuple):
    """What a run's model is made of; a run without counts has the network alone.

    cache: of recent tokens, which takes part where `cached`. only: the member that is to be used by itself.
    """

    network: LanguageModel
    counts: NGramModel | None = None
    gate: Gate | None = None
    only: Member | None = None
    cache: Cache | None = None
    cached: bool = False

    @property
    def mixed(self) -> tuple[NGramModel, Gate] | None:
        """Counts and gate where both members are used."""
        if self.only is not None or self.counts is None or self.gate is None:
            return None
        return self.counts, self.gate

    @property
    def used_cache(self) -> Cache | None:
        """The cache where it takes part."""
        return self.cache if self.cached and self.only is None else None

    def model(self) -> LanguageModel | InterpolatedModel | CountingModel:
        """The model that decoding steps through.

        Raises:
            InputError: counts by themselves of a run that has none.
        """
        if self.only == "counts":
            return CountingModel(self.the_counts())
        if self.mixed or self.used_cache:
            return InterpolatedModel(self.network, self.mixed, self.used_cache).eval()
        return self.network

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
