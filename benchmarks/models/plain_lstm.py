"""The peer: a word-level LSTM built the plain way (nn.LSTM, nn.Linear, cross-entropy, dense SGD), as the field's
standard example trains it: 2x200, untied, lr 20, clip 0.25, batch 20, bptt 35, dropout 0.2."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from torch import nn


class PlainLanguageModel(nn.Module):
    def __init__(self, vocab_size: int, width: int = 200, layers: int = 2, dropout: float = 0.2):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.lstm = nn.LSTM(width, width, layers, dropout=dropout)
        self.output = nn.Linear(width, vocab_size)
        self.dropout = nn.Dropout(dropout)
        for weight in (self.embedding.weight, self.output.weight):
            nn.init.uniform_(weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)

    def forward(self, tokens_TB, state):
        hidden_TBD, state = self.lstm(self.dropout(self.embedding(tokens_TB)), state)
        return self.output(self.dropout(hidden_TBD)), state


class PlainTrainer:
    """Windows of one epoch in order with carried state; `step` trains on one."""

    def __init__(self, ids: np.ndarray, vocab_size: int, batch: int = 20, bptt: int = 35, seed: int = 1):
        torch.manual_seed(seed)
        self.model, self.bptt, self.batch = PlainLanguageModel(vocab_size), bptt, batch
        length = len(ids) // batch
        self.data_TB = torch.from_numpy(ids[: length * batch].astype(np.int64)).view(batch, length).T.contiguous()
        self.state = None
        self.vocab_size = vocab_size

    def __len__(self) -> int:
        return math.ceil((len(self.data_TB) - 1) / self.bptt)

    def step(self, index: int, lr: float = 20.0, clip: float = 0.25) -> float:
        start = index * self.bptt
        inputs_TB = self.data_TB[start : start + self.bptt]
        targets = self.data_TB[start + 1 : start + 1 + self.bptt]
        inputs_TB = inputs_TB[: len(targets)]
        if self.state is not None:
            self.state = tuple(part.detach() for part in self.state)
        self.model.zero_grad()
        logits, self.state = self.model(inputs_TB, self.state)
        loss = nn.functional.cross_entropy(logits.view(-1, self.vocab_size), targets.reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.add_(parameter.grad, alpha=-lr)
        return float(loss)

    def epoch(self, log: bool = True) -> float:
        """Train one epoch; returns the seconds it took."""
        self.model.train()
        started = time.perf_counter()
        for index in range(len(self)):
            loss = self.step(index)
            if log and index % 200 == 0:
                print(f"plain: window {index}/{len(self)} loss {loss:.3f}", flush=True)
        return time.perf_counter() - started

    @torch.inference_mode()
    def perplexity(self, ids: np.ndarray, batch: int = 10) -> float:
        """Exact, as the example evaluates: `batch` streams, the first token of each not predicted."""
        self.model.eval()
        length = len(ids) // batch
        data_TB = torch.from_numpy(ids[: length * batch].astype(np.int64)).view(batch, length).T
        state, total, count = None, 0.0, 0
        for start in range(0, length - 1, self.bptt):
            targets = data_TB[start + 1 : start + 1 + self.bptt]
            logits, state = self.model(data_TB[start : start + len(targets)], state)
            losses = nn.functional.cross_entropy(logits.view(-1, self.vocab_size), targets.reshape(-1), reduction="sum")
            total, count = total + float(losses), count + targets.numel()
        return math.exp(total / count)
