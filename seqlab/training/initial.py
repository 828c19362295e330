"""What a model starts from beside its random weights: word frequencies, or another run's weights, also where the
vocabulary is another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..config import TrainingConfig
from ..errors import InputError
from ..models import LanguageModel
from ..run import Run
from ..text import Tokenizer

ARCHITECTURE = (
    *("input", "char_dim", "char_filters", "char_highway"),
    *("cell", "embed_dim", "hidden_dim", "layers", "last_dim", "residual", "tie", "softmax"),
)
"""Settings of a model that its weights decide."""


PLAIN = ("sgd", "momentum", "nesterov")
"""Optimisers whose steps are as small as the gradient."""


def start_output(model: LanguageModel, counts: np.ndarray, config: TrainingConfig) -> None:
    """Tell the output layer the words' frequencies (V,) and set its biases by `output_bias`. Weights of another run
    want the log frequencies: the biases of its words have learnt them."""
    slow = config.optimizer in PLAIN and model.output.exact and not config.init
    if config.output_bias == "zero" or (config.output_bias == "auto" and slow):
        model.output.set_counts(counts)
    else:
        model.output.start_at_unigram(counts)


@dataclass(frozen=True)
class CarriedOver:
    """How much of a vocabulary the run knew."""

    types: int
    known_types: int
    token_share: float
    """Share of the training tokens whose type was known."""

    def sentence(self, path: str) -> str:
        """For the person watching."""
        return (
            f"weights start from {path}: {self.known_types:,} of {self.types:,} types are carried over "
            f"({self.token_share:.1%} of the tokens), the others start anew"
        )


def architecture_of(run: Run, given: Mapping[str, Any]) -> dict[str, Any]:
    """The model settings of a run, to be used by what starts from it.

    Raises:
        InputError: `given` model settings ask for another architecture.
    """
    theirs = run.config.model.model_dump()
    for key in ARCHITECTURE:
        if key in given and given[key] != theirs.get(key):
            raise InputError(
                f"{run.path}: has model.{key} = {theirs.get(key)!r}, and what starts from its weights cannot have "
                f"{given[key]!r}; leave that setting out."
            )
    return theirs


def start_from_run(model: LanguageModel, tokenizer: Tokenizer, run: Run) -> CarriedOver:
    """Overwrite a fresh model with the best weights of `run`: cells whole, embedding and output rows by token.

    Rows of tokens the run did not know are drawn around the mean of those it knew, with their spread; their output
    bias stays at the log unigram frequency.

    Raises:
        InputError: the weights have other shapes, or no token is shared.
    """
    source, vocab, theirs = run.load_model(), tokenizer.vocab, run.tokenizer.vocab
    new = torch.tensor([i for i, token in enumerate(vocab.itos) if token in theirs.stoi], dtype=torch.int64)
    if not len(new):
        raise InputError(f"{run.path}: none of the {len(vocab):,} types of the text is in its vocabulary.")
    old = torch.tensor([theirs.stoi[vocab.itos[i]] for i in new.tolist()], dtype=torch.int64)
    weights = source.state_dict()
    with torch.no_grad():
        for name, parameter in model.state_dict(keep_vars=True).items():
            before = weights.get(name)
            by_token = name == "embedding" or name.startswith("output.")
            if before is None or before.shape[1:] != parameter.shape[1:]:
                raise InputError(f"{run.path}: its weight {name} does not fit the model to be trained.")
            if by_token and len(before) == len(theirs) and len(parameter) == len(vocab):
                _carry_rows(parameter, before, new, old, spread=not name.endswith("bias"))
            elif before.shape == parameter.shape:
                parameter.copy_(before)
            else:
                raise InputError(f"{run.path}: its weight {name} does not fit the model to be trained.")
    counts = vocab.counts
    return CarriedOver(len(vocab), len(new), float(counts[new.numpy()].sum() / max(1, counts.sum())))


def _carry_rows(parameter: Tensor, before: Tensor, new: Tensor, old: Tensor, spread: bool) -> None:
    known = before.index_select(0, old)
    if spread and len(known) > 1:
        noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(known)))
        parameter.copy_(known.mean(0) + known.std(0) * noise)
    parameter.index_copy_(0, new, known)
