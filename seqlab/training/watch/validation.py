"""Validation during training: exact, always on the same tokens, spread over the whole validation text, and never more
than a small share of the time."""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple

from ...base.interrupts import Abandoned
from ...models.counts.gate import Gate
from ...models.network import M
from ...text import Corpus
from ..optimize.averages import Average

FEWEST_TOKENS = 2_000
"""Validation tokens used at least, however short the training: fewer could not tell two models apart."""
VALIDATION_SHARE = 0.05
"""Share of the time, or of the arithmetic, that validation takes."""


class Judged(NamedTuple):
    """What a validation found of a network in one state.

    Attributes:
        loss: that chooses the weights; of a language model with counts, of both together.
        network: loss of the network alone.
        figures: what a line of metrics says of it, "valid_loss" among it.
        gate: how network and counts are mixed; None without counts.
    """

    loss: float
    network: float
    figures: Mapping[str, float]
    gate: Gate | None = None

    def reaches(self, best: float) -> bool:
        """Whether these weights are to be kept where the lowest loss so far is `best`. Losses are equal where the
        counts are better off without any of the networks; the later one has learned more."""
        return math.isfinite(self.loss) and self.loss <= best


class Validator(ABC, Generic[M]):
    """Validates a network and its average; the weights of the better one are kept when they are the best so far.

    Args:
        model: that is trained.
        corpus: with the validation text.
        average: of the weights.
        share: of the arithmetic.
    """

    margins = False
    """Whether figures of a sample come with how surely they are known, "valid_error"."""

    def __init__(self, model: M, corpus: Corpus, average: Average, share: float | None = None):
        self.model, self.corpus, self.average = model, corpus, average
        self.share = VALIDATION_SHARE if share is None else share
        self.start_id = corpus.tokenizer.start_id
        self.seconds = 0.0
        """Spent on validation in this sitting."""
        self.last_seconds: float | None = None
        self.stop: threading.Event | None = None
        """Once set, a validation under way raises Abandoned."""

    @property
    def weight_sets(self) -> int:
        """Networks that a validation judges: the live weights, and an average beside them."""
        return 1 if type(self.average) is Average else 2

    def choose_tokens(self, trained: int) -> int:
        """Validation tokens to use, when validations are `trained` training tokens apart: FEWEST_TOKENS, twice as many,
        four times and so on up to what is affordable, or all; so runs that differ a little still compare."""
        assert self.corpus.valid is not None
        affordable = int(self.share * trained / self.relative_cost())
        doublings = max(0, int(math.log2(max(1.0, affordable / FEWEST_TOKENS))))
        tokens, every = FEWEST_TOKENS << doublings, len(self.corpus.valid)
        return every if affordable >= every else min(every, tokens)

    @abstractmethod
    def relative_cost(self) -> float:
        """Arithmetic of a validation token, in training tokens."""

    def affordable(self, tokens: int, elapsed: float, trained: int) -> bool:
        """Whether another validation of `tokens` keeps validation within its share of the time.

        Args:
            elapsed: seconds of this sitting so far.
            trained: training tokens of this sitting so far.
        """
        expected = self.last_seconds
        if expected is None:
            expected = 2.0 * tokens * self.relative_cost() * elapsed / max(1, trained)
        return self.seconds + expected <= self.share * elapsed

    @abstractmethod
    def judge(self, tokens: int) -> Judged:
        """The exact loss of the network, in its present state, on `tokens` validation tokens spread over the text;
        `safe_point` is called now and then."""

    def more(self) -> dict[str, Any]:
        """What a line of metrics says besides where a validation was held."""
        return {}

    def safe_point(self) -> None:
        """Leave the validation where a stop was requested.

        Raises:
            Abandoned: it was.
        """
        if self.stop is not None and self.stop.is_set():
            raise Abandoned

    def validate(self, tokens: int, best: float, keep: Callable[[Gate | None], None]) -> dict[str, float]:
        """Losses of the live weights and, once there is one, of the average; `keep` is called with the better of the
        two in the model, and with its gate, when it reaches `best`.

        Returns:
            The figures of the better one, and "live_valid_loss" and "average_valid_loss" where there are two.
        """
        began = time.monotonic()
        found = self._validate(tokens, best, keep)
        self.last_seconds = time.monotonic() - began
        self.seconds += self.last_seconds
        return found

    def _validate(self, tokens: int, best: float, keep: Callable[[Gate | None], None]) -> dict[str, float]:
        live = self.judge(tokens)
        if not self.average.started:
            if live.reaches(best):
                keep(live.gate)
            return dict(live.figures)
        with self.average.swapped():
            averaged = self.judge(tokens)
            better = min(live, averaged, key=lambda judged: (judged.loss, judged.network))
            if better is averaged and averaged.reaches(best):
                keep(averaged.gate)
        if better is live and live.reaches(best):
            keep(live.gate)
        return {**better.figures, "live_valid_loss": live.loss, "average_valid_loss": averaged.loss}

    def keep_untested(self, keep: Callable[[Gate | None], None]) -> None:
        """Without a validation text: `keep` the average once there is one, the live weights before."""
        if self.average.started:
            with self.average.swapped():
                keep(None)
        else:
            keep(None)
