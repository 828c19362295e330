"""What a model starts from besides its random weights: word frequencies, or another run's weights, also where the
vocabulary is another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...base.errors import InputError
from ...config import TrainingConfig
from ...models import LanguageModel
from ...run import Run
from ...text import Tokenizer

ARCHITECTURE = (
    *("input", "char_size"),
    *("cell", "embed_dim", "hidden_dim", "layers", "last_dim", "residual", "tie", "softmax"),
)
"""Settings of a model that its weights decide."""


PLAIN = ("sgd", "momentum", "nesterov")
"""Optimisers whose steps are as small as the gradient."""

UNKNOWN = -1
"""Id, in the run, of a word that it does not know."""
ANYWHERE = ("embedding", "output.weight")
"""Parameters whose rows mean the same in whatever cluster of an adaptive softmax the word is."""


def start_output(model: LanguageModel, counts: np.ndarray, config: TrainingConfig) -> None:
    """Give the output layer the words' frequencies (V,) and set its biases by `output_bias`. Weights of another run
    need the log frequencies: the biases of its words have learned them."""
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
    moved_types: int = 0
    """Known types whose place in an adaptive softmax is another, its short list or a cluster."""

    def sentence(self, path: str) -> str:
        """For the person watching."""
        place = "known ones have another place in the adaptive softmax, and what depends on it starts anew"
        moved = f"; {self.moved_types:,} {place}" if self.moved_types else ""
        return (
            f"weights start from {path}: {self.known_types:,} of {self.types:,} types are carried over "
            f"({self.token_share:.1%} of the tokens), the others start anew{moved}"
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

    Clusters of an adaptive softmax are carried over where both have the same cutoffs, else they start anew. A word
    that is in another cluster than before, or in one that starts anew, has its row of the embedding and of `weight`
    carried over (where both have one), but its output bias and its row of a narrow cluster are those of a new word.

    Raises:
        InputError: the weights have other shapes, or no token is shared.
    """
    source, vocab, theirs = run.load_model(), tokenizer.vocab, run.tokenizer.vocab
    known_as_V = torch.tensor([theirs.stoi.get(token, UNKNOWN) for token in vocab.itos], dtype=torch.int64)
    known_V = known_as_V != UNKNOWN
    if not known_V.any():
        raise InputError(f"{run.path}: none of the {len(vocab):,} types of the text is in its vocabulary.")
    stays_V = _stays(known_as_V, model.output.cutoffs, source.output.cutoffs)
    weights, rows, their_rows = dict(source.named_parameters()), _word_rows(model), _word_rows(source)
    fresh = set() if model.output.cutoffs == source.output.cutoffs else _of_clusters(model)
    for name, parameter in model.named_parameters():
        if name in fresh:
            continue
        before = weights.get(name)
        if before is None or before.shape[1:] != parameter.shape[1:]:
            raise InputError(f"{run.path}: its weight {name} does not fit the model to be trained.")
        if name in rows:
            words_V = known_as_V if name in ANYWHERE else known_as_V.where(stays_V, UNKNOWN)
            places_R = _places(words_V[rows[name]], their_rows[name])
            _carry_rows(parameter, before, places_R, spread=name != "output.bias")
        elif before.shape == parameter.shape:
            parameter.data.copy_(before)
        else:
            raise InputError(f"{run.path}: its weight {name} does not fit the model to be trained.")
    share = float(vocab.counts[known_V.numpy()].sum() / max(1, vocab.counts.sum()))
    return CarriedOver(len(vocab), int(known_V.sum()), share, int((known_V & ~stays_V).sum()))


def _word_rows(model: LanguageModel) -> dict[str, Tensor]:
    """By name of a parameter of the model, the ids of the words that its rows belong to."""
    return {"embedding": torch.arange(model.vocab_size)} | {
        f"output.{name}": ids_R for name, ids_R in model.output.word_rows().items()
    }


def _of_clusters(model: LanguageModel) -> set[str]:
    """Names of the parameters that belong to clusters of the output layer."""
    return {f"output.{name}" for name, _ in model.output.named_parameters()} - {"output.weight", "output.bias"}


def _stays(known_as_V: Tensor, cutoffs: Sequence[int], their_cutoffs: Sequence[int]) -> Tensor:
    """Which known words (V,) are in the same part of the output layer as in the run, whose ids are `known_as_V`: in
    the short list, or in a cluster of the same cutoffs."""
    edges, their_edges = (torch.tensor(cuts, dtype=torch.int64) for cuts in (cutoffs, their_cutoffs))
    part_V = torch.bucketize(torch.arange(len(known_as_V)), edges, right=True)
    same_V = part_V == torch.bucketize(known_as_V, their_edges, right=True)
    if cutoffs != their_cutoffs:
        same_V &= part_V == 0
    return same_V & (known_as_V != UNKNOWN)


def _places(words_R: Tensor, their_ids: Tensor) -> Tensor:
    """Where among `their_ids` each word of `words_R` is: (R,), UNKNOWN where it is not."""
    places = {word: place for place, word in enumerate(their_ids.tolist())}
    return torch.tensor([places.get(word, UNKNOWN) for word in words_R.tolist()], dtype=torch.int64)


@torch.no_grad()
def _carry_rows(parameter: Tensor, before: Tensor, places_R: Tensor, spread: bool) -> None:
    """Take over the rows of `before` at `places_R`; with `spread` draw the others around these."""
    known_R = places_R != UNKNOWN
    known = before[places_R[known_R]]
    if spread and len(known) > 1:
        noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(known)))
        parameter.copy_(known.mean(0) + known.std(0) * noise)
    parameter[known_R] = known
