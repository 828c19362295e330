"""Training the network of the study, alone or together with the counts, and reading texts with it.

Together means: the softmax is over logits + log P(word | context) of the counts, in training with the occurrence to be
predicted left out of them, so that the network learns what the counts do not know and does not learn to trust counts
of what it is being shown.

Shapes: B streams, T time, N places of a window or text, D width, V vocabulary, S noise words.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seqlab.evaluation.exact import CHUNK, streams_for, whole_windows
from seqlab.models import LanguageModel, ModelState, detached
from seqlab.nn import fast_float32
from seqlab.nn.outputs.sampled import NoiseLayer, accidental_hits
from seqlab.schedules import learning_rate_factor
from seqlab.text import TokenFile
from seqlab.text.ids.batches import StreamReader
from seqlab.training.planning import plan
from seqlab.training.starts.fresh import fresh_model
from seqlab.training.step import PlainWindowReader, TrainingStep, WindowLoss, WindowReader

from .knowledge import Places, Tables, additions

SMALL = 1024
"""Vocabularies up to this size have the log P of all their words kept."""
LOOKS = 4
"""Validations of a training; the best weights are kept."""


@dataclass
class TrainedNetwork:
    """A trained network and what it took. seconds: of CPU time."""

    model: LanguageModel
    steps: int
    tokens: int
    seconds: float
    look_losses: list[float] = field(default_factory=list)


@dataclass
class Read:
    """What a network makes of a text: log P of every token, the hidden states, entropy and the largest log P of each
    distribution. seconds: of CPU time. log_p_NV: of all words, for small vocabularies."""

    log_p_N: np.ndarray
    hidden_ND: np.ndarray
    entropy_N: np.ndarray
    peak_N: np.ndarray
    seconds: float
    log_p_NV: np.ndarray | None = None


class CountedWindows(PlainWindowReader):
    """Reads windows by the product of network and counts.

    Args:
        places: of the training text. share: of log P of the counts that is added.
    """

    def __init__(self, model: LanguageModel, tables: Tables, places: Places, share: float = 1.0):
        super().__init__(model)
        self.tables, self.places, self.share = tables, places, share
        self.at_N = np.zeros(0, np.int64)
        self.seconds = 0.0

    def read(
        self, inputs_BT: Tensor, targets_BT: Tensor, state: ModelState, fresh_BT: np.ndarray | None = None
    ) -> WindowLoss:
        reading, after = self.model.read(inputs_BT, state, fresh_BT)
        loss = self.loss(reading.hidden_BTD.flatten(0, 1), targets_BT.flatten())
        return WindowLoss(loss, reading, detached(after))

    def loss(self, hidden_ND: Tensor, targets_N: Tensor) -> Tensor:
        """The loss of the window at `at_N`: of all words, or of the target and the noise words."""
        output = self.model.output
        seen = Places(*(part[self.at_N] for part in self.places))
        own_N = np.empty(len(targets_N))
        if not (isinstance(output, NoiseLayer) and output.sparse):
            added_NV = np.zeros((len(targets_N), output.vocab_size), np.float32)
            self.fill(seen, np.arange(output.vocab_size), added_NV, own_N)
            added_NV[np.arange(len(own_N)), seen.words_N] = own_N
            logits_NV = output.logits(hidden_ND) + self.share * torch.from_numpy(added_NV)
            return F.cross_entropy(logits_NV, targets_N)
        draw = output.noise.sample(output.samples)
        added_NS = np.zeros((len(targets_N), len(draw.ids)), np.float32)
        self.fill(seen, draw.ids, added_NS, own_N)
        targets = targets_N.numpy()
        scores = output.scores(hidden_ND, targets, draw)
        if self.share != 1.0:
            added_NS, own_N = added_NS * self.share, own_N * self.share
        added_NS[accidental_hits(targets, draw.ids)] = -np.inf
        noise_NS = scores.noise_NS + torch.from_numpy(added_NS)
        target_N = scores.target_N + torch.from_numpy(own_N.astype(np.float32))
        return (torch.logaddexp(noise_NS.logsumexp(1), target_N) - target_N).mean()

    def fill(self, seen: Places, words_S: np.ndarray, out_NS: np.ndarray, own_N: np.ndarray) -> None:
        """`additions` without the occurrences themselves, timed."""
        began = time.process_time()
        additions(self.tables, seen, True, words_S, out_NS, own_N)
        self.seconds += time.process_time() - began


class MixedWindows(PlainWindowReader):
    """Reads windows by the mixture of network and counts, whose weight the network learns with everything else: a
    logistic function of the hidden state and an offset by bucket.

    Args:
        log_p_N: of the training text, by counts without the occurrence itself. bucket_N: of what they know. own: share
        of the network's own loss that is added, without which it would learn nothing where the counts know better.
    """

    def __init__(self, model: LanguageModel, log_p_N: np.ndarray, bucket_N: np.ndarray, buckets: int, own: float):
        super().__init__(model)
        self.log_p_N, self.bucket_N, self.own = log_p_N.astype(np.float32), bucket_N, own
        self.at_N = np.zeros(0, np.int64)
        model.gate = torch.nn.Linear(model.output.width, 1)
        model.gate_offsets = torch.nn.Parameter(torch.zeros(buckets))
        torch.nn.init.zeros_(model.gate.weight)
        torch.nn.init.constant_(model.gate.bias, 1.0)

    def read(
        self, inputs_BT: Tensor, targets_BT: Tensor, state: ModelState, fresh_BT: np.ndarray | None = None
    ) -> WindowLoss:
        reading, after = self.model.read(inputs_BT, state, fresh_BT)
        hidden_ND, output = reading.hidden_BTD.flatten(0, 1), self.model.output
        targets_N = targets_BT.flatten()
        if not (isinstance(output, NoiseLayer) and output.sparse):
            loss_N = F.cross_entropy(output.logits(hidden_ND), targets_N, reduction="none")
        else:
            draw, targets = output.noise.sample(output.samples), targets_N.numpy()
            scores = output.scores(hidden_ND, targets, draw)
            hits = np.zeros(scores.noise_NS.shape, np.float32)
            hits[accidental_hits(targets, draw.ids)] = -np.inf
            noise_N = (scores.noise_NS + torch.from_numpy(hits)).logsumexp(1)
            loss_N = torch.logaddexp(noise_N, scores.target_N) - scores.target_N
        logit_N = gate_logits(self.model, hidden_ND, torch.from_numpy(self.bucket_N[self.at_N]))
        counts_N = torch.from_numpy(self.log_p_N[self.at_N])
        mixed_N = -torch.logaddexp(F.logsigmoid(-logit_N) - loss_N, F.logsigmoid(logit_N) + counts_N)
        return WindowLoss((mixed_N + self.own * loss_N).mean(), reading, detached(after))


def gate_logits(model: LanguageModel, hidden_ND: Tensor, bucket_N: Tensor) -> Tensor:
    """Logits (N,) of the weight of the counts that `MixedWindows` trains."""
    return model.gate(hidden_ND).squeeze(1) + model.gate_offsets[bucket_N]


@torch.inference_mode()
def gate_weights(model: LanguageModel, hidden_ND: np.ndarray, bucket_N: np.ndarray) -> np.ndarray:
    """Weights (N,) of the counts by the gate that `MixedWindows` trained."""
    logit_N = gate_logits(model, torch.from_numpy(hidden_ND), torch.from_numpy(bucket_N))
    return logit_N.sigmoid().double().numpy()


def train(
    corpus: Any,
    steps: int,
    windows: Callable[[LanguageModel], WindowReader] = PlainWindowReader,
    bias_V: np.ndarray | None = None,
    look: Callable[[LanguageModel], float] | None = None,
    given: dict[str, dict[str, Any]] | None = None,
) -> TrainedNetwork:
    """Train by the default preset for so many steps, in the training loop's order and with its learning rate.

    Args:
        windows: makes the reader of windows.
        bias_V: what the output bias starts at; by default the log unigram frequencies.
        look: validation loss; the weights with the lowest of LOOKS are kept.
        given: settings that override the preset's.
    """
    given = given or {}
    settings = {**given, "training": {"threads": 1, **given.get("training", {}), "steps": steps}}
    config = plan(corpus, quiet=True, given=settings).config
    model = fresh_model(config, corpus)
    if bias_V is not None:
        with torch.no_grad():
            model.output.bias.copy_(torch.from_numpy(bias_V)[:, None])
    training, reader_of = config.training, windows(model)
    reader = StreamReader(corpus.train, training.batch_size, corpus.tokenizer.start_id)
    step, state = TrainingStep(model, training, reader_of), model.init_state(training.batch_size)
    found, best, tokens = TrainedNetwork(model, steps, 0, 0.0), (math.inf, {}), 0
    model.train()
    for number in range(steps):
        began = time.process_time()
        width = min(training.bptt, reader.remaining)
        factor = learning_rate_factor(training.schedule, number / steps, training.warmup, training.final_lr)
        if isinstance(reader_of, (CountedWindows, MixedWindows)):
            reader_of.at_N = (reader.starts[:, None] + reader.offset + np.arange(width)).ravel()
        batch = reader.read(width)
        state = step.take(number, batch, state, training.lr * factor).state
        if reader.advance(width):
            state = model.init_state(training.batch_size)
        step.observe((number + 1) / steps)
        tokens += batch.inputs_BT.size
        found.seconds += time.process_time() - began
        if look is not None and (number + 1) * LOOKS // steps > number * LOOKS // steps:
            step.settle(0.0)
            model.eval()
            with step.average.swapped() if step.average.started else torch.no_grad():
                loss = look(model)
                if loss < best[0]:
                    best = loss, {name: one.clone() for name, one in model.state_dict().items()}
            found.look_losses.append(round(loss, 4))
            model.train()
    step.settle(0.0)
    if best[1]:
        model.load_state_dict(best[1])
    model.eval()
    found.tokens = tokens
    return found


@torch.inference_mode()
def read(
    model: LanguageModel,
    tokens: TokenFile,
    start_id: int,
    added: tuple[Tables, Places] | None = None,
    share: float = 1.0,
    streams: int | None = None,
    base_V: np.ndarray | None = None,
    at_K: np.ndarray | None = None,
) -> Read:
    """Read a text and score it exactly by the full softmax; with `added` by the product with those counts.

    Args:
        at_K: the tokens to score; by default all.
        added: tables of the counts, and the places of this text.
        share: of log P of the counts that is added.
        base_V: added to all logits, such as -log u where the bias already holds the unigram.
    """
    began, count = time.process_time(), len(tokens)
    hidden_ND = torch.empty(count, model.output.width)
    for places_M, hidden_MD, _ in whole_windows(model, tokens, start_id, streams or streams_for(count)):
        hidden_ND[torch.from_numpy(places_M)] = hidden_MD
    at_K = np.arange(count) if at_K is None else at_K
    ids_N = torch.from_numpy(np.asarray(tokens[:], np.int64)[at_K])
    hidden_ND, count = hidden_ND[torch.from_numpy(at_K)], len(at_K)
    base = None if base_V is None else torch.from_numpy(base_V.astype(np.float32))
    log_p_N, entropy_N, peak_N = np.empty(count), np.empty(count), np.empty(count)
    words_V = np.arange(model.output.vocab_size)
    dense_NV = np.empty((count, len(words_V)), np.float32) if len(words_V) <= SMALL else None
    rows = max(1, CHUNK // len(words_V))
    for start in range(0, count, rows):
        part = slice(start, start + rows)
        with fast_float32():
            logits_MV = model.output.logits(hidden_ND[part])
        if base is not None:
            logits_MV = logits_MV + base
        if added is not None:
            added_MV, own = np.zeros(logits_MV.shape, np.float32), np.empty(len(logits_MV))
            seen = Places(*(one[at_K[part]] for one in added[1]))
            additions(added[0], seen, False, words_V, added_MV, own)
            logits_MV = logits_MV.add_(torch.from_numpy(added_MV), alpha=share)
        own_M = logits_MV.gather(1, ids_N[part, None]).squeeze(1)
        largest_M1 = logits_MV.amax(1, keepdim=True)
        p_MV = logits_MV.sub_(largest_M1).exp()
        sum_M = p_MV.sum(1)
        log_z_M = sum_M.log()
        log_p_N[part] = (own_M - largest_M1.squeeze(1) - log_z_M).double().numpy()
        entropy_N[part] = (log_z_M - torch.linalg.vecdot(p_MV, logits_MV) / sum_M).double().numpy()
        peak_N[part] = -log_z_M.double().numpy()
        if dense_NV is not None:
            dense_NV[part] = (logits_MV - log_z_M[:, None]).numpy()
    return Read(log_p_N, hidden_ND.numpy(), entropy_N, peak_N, time.process_time() - began, dense_NV)
