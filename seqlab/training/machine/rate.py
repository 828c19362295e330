"""How many tokens a second this machine trains a configuration on: timed before anything of the training exists."""

from __future__ import annotations

import numpy as np
import torch

from ...base.devices import resolve_device, torch_globals_restored
from ...config import LanguageModelConfig
from ...models import LanguageModel
from ...text import Batch, Vocab
from ..step import PlainWindowReader
from .threads import most_threads
from .trial import Trial, candidates

STEPS = 0.9
"""Share of the time that training spends in steps; the rest validates, saves and logs."""


PAIRS = 8
"""Steps of each of two configurations whose times are compared."""


def tokens_per_second(config: LanguageModelConfig, vocab: Vocab) -> float:
    """Time a few steps from fresh weights, on words drawn by their frequency.

    About a second for a small model; torch's generators and threads are afterwards as they were.

    Args:
        config: whose sizes, batch and number of threads count; with 0 threads the fastest number of them.
        vocab: of the text that is to be trained on.

    Returns:
        Tokens a second, the time for validation taken off.
    """
    training = config.training
    with torch_globals_restored(training.seed, training.threads):
        trial = fresh_trial(config, vocab)
        on_cpu = resolve_device(training.device) == "cpu"
        numbers = candidates(most_threads(training.threads)) if on_cpu and not training.threads else []
        taken = trial.choose_threads(numbers or [torch.get_num_threads()])
        return STEPS * training.batch_size * trial.width / min(taken.values())


def relative_cost(config: LanguageModelConfig, usual: LanguageModelConfig, vocab: Vocab) -> float:
    """How many times as long as a step of one configuration that of another takes.

    Steps of both take turns, and the shortest of each counts, so other work on the machine hardly matters.

    Args:
        config: whose steps are timed.
        usual: what they are compared with; its number of threads is used for both.
        vocab: of the text.
    """
    training = usual.training
    with torch_globals_restored(training.seed, training.threads):
        trials = [fresh_trial(one, vocab) for one in (config, usual)]
        for trial in trials:
            trial.width = trial.batch.inputs_BT.shape[1]
            trial.take()
        pairs = [[trial.take() for trial in trials] for _ in range(PAIRS)]
        cost, usually = (min(times) for times in zip(*pairs, strict=True))
        return cost / usually


def fresh_trial(config: LanguageModelConfig, vocab: Vocab) -> Trial[LanguageModel]:
    """Steps of a model with fresh weights on words drawn by their frequency, compiled."""
    training = config.training
    model = LanguageModel(config.model, len(vocab), training.seed)
    model.output.start_at_unigram(vocab.counts)
    model.set_words(vocab.itos)
    shares = np.maximum(vocab.counts, 0.5) / np.maximum(vocab.counts, 0.5).sum()
    generator = np.random.default_rng(training.seed)
    ids_BT = generator.choice(len(vocab), (training.batch_size, training.bptt + 1), p=shares)
    model = model.to(resolve_device(training.device)).train()
    trial = Trial(model, training, PlainWindowReader, Batch(ids_BT[:, :-1], ids_BT[:, 1:]))
    trial.compile()
    return trial
