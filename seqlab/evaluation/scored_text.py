"""A text as the network reads it, and what may be added to the network's own probabilities.

Shapes: N tokens, D width of the hidden states.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..models import LanguageModel
from ..text import TokenFile
from .exact import TokenRanks, evaluating, read_text, token_ranks


class ScoredText(NamedTuple):
    """A text and what the network as trained makes of it.

    log_p_N: log-probability of every token, float64. hidden_ND: what the output layer reads before each token, on the
    CPU, empty where not needed. quiet: whether those who work on it show no progress.
    """

    tokens: TokenFile
    log_p_N: np.ndarray
    hidden_ND: Tensor
    quiet: bool = True


class Network(NamedTuple):
    """A trained model and what it reads before the first token."""

    model: LanguageModel
    start_id: int

    def read(self, tokens: TokenFile, keep_hidden: bool = True, quiet: bool = True) -> ScoredText:
        """The text with exact scores by the network as trained, and N x D hidden states if wanted."""
        with evaluating(self.model):
            scored = read_text(self.model, tokens, self.start_id, keep_hidden=keep_hidden, quiet=quiet)
        return ScoredText(tokens, *scored, quiet)

    def ranks(self, text: ScoredText) -> TokenRanks:
        """Ranks and entropies under the network as trained, of a text read with hidden states."""
        ids_N = torch.from_numpy(text.tokens[:].astype(np.int64))
        return token_ranks(self.model.output, text.hidden_ND, ids_N, text.quiet)


class Addition:
    """Something that assigns probabilities to a text: beside the network's own, or instead of them.

    Attributes:
        name: what it is called beside other additions.
        row: the section of the report it belongs to, by default its own; additions of a row follow one another and are
            mixed together.
        alone: whether its probabilities are a model of their own, to be reported as such; others only help when mixed
            with the network's.
        needs_hidden: whether it looks at the hidden states.
        needs_tuning: whether it cannot do without a text to tune on.
    """

    name: str
    row: str
    alone = False
    needs_hidden = False
    needs_tuning = True

    def fixed(self) -> dict[str, Any]:
        """The settings that are not tuned, for the report."""
        return {}

    def tune(self, valid: ScoredText) -> dict[str, Any]:
        """Choose the free values on a text other than the one that is scored; returns them, for the report."""
        return {}

    def log_probs(self, text: ScoredText) -> np.ndarray:
        """Log-probability (N,) float64 of every token; that of a token depends on no later one."""
        raise NotImplementedError
