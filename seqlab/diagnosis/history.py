"""What a training measured, as curves that rules can ask: levels over a share of the training, noise, validation.

Shapes: N lines of metrics, V of them with a validation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..config import LanguageModelConfig

Metrics = Sequence[Mapping[str, Any]]
ADAPTIVE = ("adam", "adamw")
"""Optimisers whose step moves a weight by the learning rate at most, about, whatever its gradient."""
LATE = 0.5
"""Share of the training from which on gradients and noise are looked at: the start is rough in every training."""
DIFFERENCE = 0.5
"""Standard deviation, in nats, of how much the loss of a token differs between two states of one network."""


@dataclass(frozen=True)
class CurveFacts:
    """What must be known of a language model's training beside its metrics.

    Attributes:
        vocab_size: types that the model predicts.
        lr: peak learning rate.
        optimizer: its name.
        dropout: largest share of values dropped while training; the training loss is then higher than that of the
            same network on the same text without.
        clip: norm at which gradients are clipped, 0 for never.
        exact: whether the training loss is the cross-entropy of the full softmax.
        hidden_dim: units of a layer.
        unigram: nats per token that token frequencies alone achieve, None where unknown.
        valid_tokens: that every validation read, None where unknown.
        finished: whether the budget was used up.
    """

    vocab_size: int
    lr: float
    optimizer: str = "adamw"
    dropout: float = 0.0
    clip: float = 0.0
    exact: bool = True
    hidden_dim: int = 128
    unigram: float | None = None
    valid_tokens: int | None = None
    finished: bool = True

    @classmethod
    def of(
        cls, config: LanguageModelConfig, counts_V: np.ndarray, exact: bool, position: Mapping[str, Any]
    ) -> CurveFacts:
        """The facts of a run.

        Args:
            config: of the run.
            counts_V: how often each type comes in the training text.
            exact: whether its output layer is trained by the full softmax.
            position: of its last saved state, empty before there is one.
        """
        model, training = config.model, config.training
        p_V = counts_V[counts_V > 0] / max(1, counts_V.sum())
        return cls(
            vocab_size=len(counts_V),
            lr=training.lr,
            optimizer=training.optimizer,
            dropout=model.dropout,
            clip=training.clip,
            exact=exact and not model.label_smoothing,
            hidden_dim=model.hidden_dim,
            unigram=float(-(p_V * np.log(p_V)).sum()) if len(p_V) > 1 else None,
            valid_tokens=position.get("valid_tokens") or None,
            finished=bool(position.get("finished")),
        )


@dataclass(frozen=True)
class Curves:
    """The lines of a training as arrays.

    Attributes:
        lines: of metrics, in order, those with a finite training loss.
        broken: whether a line had a loss that is not finite.
    """

    lines: Metrics
    broken: bool = False
    tokens_N: np.ndarray = field(init=False)
    loss_N: np.ndarray = field(init=False)
    span_N: np.ndarray = field(init=False)
    """Tokens that a line is a mean over."""

    def __post_init__(self) -> None:
        tokens_N = np.array([line["tokens"] for line in self.lines], np.float64)
        object.__setattr__(self, "tokens_N", tokens_N)
        object.__setattr__(self, "loss_N", np.array([line["loss"] for line in self.lines], np.float64))
        object.__setattr__(self, "span_N", np.maximum(np.diff(tokens_N, prepend=0.0), 1.0))

    @classmethod
    def of(cls, lines: Metrics) -> Curves:
        """From metrics; of a step logged twice the later line counts."""
        by_step = {line["step"]: line for line in lines if isinstance(line.get("loss"), int | float)}
        ordered = sorted(by_step.values(), key=lambda line: line["tokens"])
        finite = [line for line in ordered if math.isfinite(line["loss"])]
        return cls(finite, len(finite) < len(ordered))

    @property
    def shares_N(self) -> np.ndarray:
        """How much of the training was done at each line, in (0, 1]."""
        return self.tokens_N / max(1.0, float(self.tokens_N[-1]))

    def level(self, start: float, stop: float) -> float:
        """Mean training loss between two shares of the training; that of the nearest line where none lies there."""
        inside_N = (self.shares_N > start) & (self.shares_N <= stop)
        if not inside_N.any():
            return float(np.interp((start + stop) / 2, self.shares_N, self.loss_N))
        return float(np.average(self.loss_N[inside_N], weights=self.span_N[inside_N]))

    @property
    def late_N(self) -> np.ndarray:
        """Which lines belong to the later half."""
        return self.shares_N > LATE

    @property
    def noise(self) -> float:
        """Standard deviation of a late line's loss about its neighbours, in nats."""
        inner_N = self.loss_N[1:-1] - (self.loss_N[:-2] + self.loss_N[2:]) / 2
        late_N = self.late_N[1:-1]
        if late_N.sum() < 3:
            return 0.0
        return float(np.median(np.abs(inner_N[late_N])) / 0.6745 / math.sqrt(1.5))

    def noise_of_mean(self, share: float) -> float:
        """The same of the mean over the lines of a share of the training."""
        return self.noise / math.sqrt(max(1.0, share * len(self.lines)))

    @property
    def path(self) -> float:
        """The sum of the learning rate over all steps: by how much an adaptive optimiser can have moved a weight."""
        rates_N = np.array([line.get("lr", 0.0) for line in self.lines])
        return float((rates_N * np.diff([line["step"] for line in self.lines], prepend=0)).sum())

    @property
    def roughness(self) -> float:
        """How many times a late line's loss varies more than the choice of its tokens explains, whose losses vary
        about as much as their mean."""
        late_N = self.late_N
        expected = self.loss_N[late_N].mean() / math.sqrt(np.median(self.span_N[late_N]))
        return self.noise / max(float(expected), 1e-12)

    def share_of_drop(self, start: float) -> float:
        """How much of the whole fall of the loss came after a share of the training."""
        end = self.level(0.95, 1.0)
        drop = float(self.loss_N[0]) - end
        return (self.level(start - 0.05, start + 0.05) - end) / drop if drop > 0 else 0.0

    def late(self, key: str) -> np.ndarray:
        """Late values of a figure, empty where there are none."""
        late = [line for line, is_late in zip(self.lines, self.late_N, strict=True) if is_late]
        return np.array([line[key] for line in late if isinstance(line.get(key), int | float)], np.float64)

    def late_parts(self, key: str) -> dict[str, float]:
        """Late medians of a figure that has parts."""
        late = [line.get(key) or {} for line, is_late in zip(self.lines, self.late_N, strict=True) if is_late]
        names = dict.fromkeys(name for parts in late for name in parts)
        return {name: float(np.median([parts[name] for parts in late if name in parts])) for name in names}


@dataclass(frozen=True)
class Validations:
    """The validations of a training.

    Attributes:
        shares_V: when, as shares of the training.
        network_V: nats per token of the network alone, which the training loss compares with.
        together_V: with the counts, where the run has any.
        counts: nats per token of the counts alone.
        tokens: read by every validation, None where unknown.
    """

    shares_V: np.ndarray
    network_V: np.ndarray
    together_V: np.ndarray
    counts: float | None
    tokens: int | None

    @classmethod
    def of(cls, curves: Curves, tokens: int | None) -> Validations:
        """Those among the lines of a training."""
        rows = [
            (share, line.get("valid_network_loss", line["valid_loss"]), line["valid_loss"])
            for share, line in zip(curves.shares_N, curves.lines, strict=True)
            if isinstance(line.get("valid_loss"), int | float) and math.isfinite(line["valid_loss"])
        ]
        table_V3 = np.array(rows, np.float64).reshape(-1, 3)
        counts = next((line["valid_counts_loss"] for line in curves.lines if "valid_counts_loss" in line), None)
        return cls(table_V3[:, 0], table_V3[:, 1], table_V3[:, 2], counts, tokens)

    def __len__(self) -> int:
        return len(self.network_V)

    @property
    def noise(self) -> float:
        """By how much two validations must differ: two standard errors of their difference, on the same tokens."""
        return 2 * DIFFERENCE / math.sqrt(self.tokens or 2_000)

    def at(self, share: float) -> float:
        """The network's loss at a share of the training, between validations by interpolation."""
        return float(np.interp(share, self.shares_V, self.network_V))
