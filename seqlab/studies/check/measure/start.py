"""The model before its first step: its loss, and weights that cannot learn.

Shapes: N tokens, V types.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ....evaluation.exact import evaluating, read_sample
from ....models import LanguageModel
from ....nn import unigram_log_probs
from ....text import Corpus

TOKENS = 2_000
"""Training tokens that the loss is of, spread over the text."""


@dataclass(frozen=True)
class StartFigures:
    """The model that training starts from.

    Attributes:
        trained: whether its weights come from another training.
        loss: exact, in nats per token of the training text, without dropout.
        unigram: cross-entropy of the token frequencies on the same tokens.
        uniform: log of the number of types.
        at_unigram: whether the output layer's biases were set to the token frequencies.
        zero: names of weights that are all zero.
        frozen: names of weights that are not trained.
        zero_vectors: share of the embedding's rows that are zero.
    """

    trained: bool
    loss: float
    unigram: float
    uniform: float
    at_unigram: bool
    zero: tuple[str, ...]
    frozen: tuple[str, ...]
    zero_vectors: float

    @property
    def expected(self) -> float:
        """Loss of a model that knows nothing yet but, where its biases say them, the token frequencies."""
        return self.unigram if self.at_unigram else self.uniform


@torch.no_grad()
def start_figures(model: LanguageModel, corpus: Corpus, trained: bool) -> StartFigures:
    """Look at a model before its first step.

    Args:
        model: as training starts from it.
        corpus: the text.
        trained: whether its weights come from another training.
    """
    log_probs_V = unigram_log_probs(corpus.tokenizer.vocab.counts)
    with evaluating(model):
        places_N, scored = read_sample(model, corpus.train, corpus.tokenizer.start_id, TOKENS)
    ids_N = np.concatenate([corpus.train[place : place + 1] for place in places_N.tolist()])
    parameters = dict(model.named_parameters())
    embedding = model.embedding
    return StartFigures(
        trained=trained,
        loss=float(-scored.log_p_N.mean()),
        unigram=float(-log_probs_V[ids_N].mean()),
        uniform=float(torch.tensor(float(model.vocab_size)).log()),
        at_unigram=bool(model.output.bias.any()),
        zero=tuple(name for name, weight in parameters.items() if is_matrix(name, weight) and not weight.any()),
        frozen=tuple(name for name, weight in parameters.items() if not weight.requires_grad),
        zero_vectors=0.0 if embedding is None else float((~embedding.any(1)).float().mean()),
    )


def is_matrix(name: str, weight: Tensor) -> bool:
    """Whether a parameter is a matrix that multiplies something; biases may well be zero."""
    return weight.dim() > 1 and "bias" not in name
