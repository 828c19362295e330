"""The model that training starts from."""

from __future__ import annotations

import torch

from ...base.progress import notify
from ...config import LanguageModelConfig
from ...embeddings import WordVectors
from ...models import LanguageModel
from ...run import Run
from ...text import Corpus
from .from_run import start_from_run, start_output
from .from_vectors import start_from_vectors


def fresh_model(
    config: LanguageModelConfig,
    corpus: Corpus,
    vectors: WordVectors | None = None,
    origin: Run | None = None,
    quiet: bool = True,
) -> LanguageModel:
    """The model that training starts from: random, or with word vectors or another run's weights in it.

    It seeds torch's generators and sets its threads, which training then uses: call it inside
    `torch_globals_restored`.

    Args:
        config: of the run.
        corpus: the text.
        vectors: to start the embedding from.
        origin: the run whose weights are carried over.
        quiet: do not say what was carried over.
    """
    training, tokenizer = config.training, corpus.tokenizer
    assert bool(training.init) == (origin is not None), "the run to start from is opened by the plan"
    torch.set_num_threads(training.threads or torch.get_num_threads())
    torch.manual_seed(training.seed)
    model = LanguageModel(config.model, len(tokenizer.vocab), training.seed)
    start_output(model, tokenizer.vocab.counts, training)
    model.set_words(tokenizer.vocab.itos)
    sentence = ""
    if vectors is not None:
        sentence = start_from_vectors(model, tokenizer, vectors, training.freeze_embeddings, training.seed).sentence()
    if origin is not None:
        sentence = start_from_run(model, tokenizer, origin).sentence(str(origin.path))
    if sentence and not quiet:
        notify(sentence)
    return model
