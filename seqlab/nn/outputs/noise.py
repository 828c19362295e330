"""Noise distributions over the vocabulary: what sampled losses draw their negatives from."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

RACE_SHARE = 8
"""Distinct samples that are more than one word in so many are drawn by a race over the whole vocabulary."""


class Draw(NamedTuple):
    """Noise words, and how often each word was expected among them."""

    ids: np.ndarray
    """(S,) int64, ascending."""
    log_expected_count: Callable[[np.ndarray], np.ndarray]
    """ids of any shape -> log of their expected count under this draw, float32."""


class Noise:
    """A distribution to draw words from.

    Args:
        vocab_size: V.
        seed: of the generator, whose state can be saved and restored.
        unique: whether the words of one draw are distinct.
        power: of the counts, where the distribution has any.
    """

    def __init__(self, vocab_size: int, seed: int = 0, unique: bool = True, power: float = 0.75):
        self.vocab_size, self.unique, self.power = vocab_size, unique, power
        self.generator = np.random.Generator(np.random.PCG64(seed))

    def set_counts(self, counts: np.ndarray) -> None:
        """Take the words' frequencies (V,) from the training text, where the distribution needs them."""

    def probabilities(self, ids: np.ndarray) -> np.ndarray:
        """P(id), float64, of the shape of `ids`."""
        raise NotImplementedError

    def draw(self, count: int) -> np.ndarray:
        """`count` ids drawn independently: (count,) int64."""
        raise NotImplementedError

    def sample(self, count: int) -> Draw:
        """`count` noise words.

        Raises:
            ValueError: they must be distinct, and are more than the vocabulary.
        """
        if not self.unique:
            ids = np.sort(self.draw(count))
            return Draw(ids, lambda some: np.log(count * self.probabilities(some)).astype(np.float32))
        if count > self.vocab_size:
            raise ValueError(f"cannot draw {count} distinct ids from a vocabulary of {self.vocab_size}")
        ids, tries = self._race(count) if count * RACE_SHARE > self.vocab_size else self._try(count)
        return Draw(ids, lambda some: self.log_inclusion(some, tries))

    def log_inclusion(self, ids: np.ndarray, tries: float) -> np.ndarray:
        """log of the probability that `tries` independent draws contain each id: float32 of the shape of `ids`."""
        with np.errstate(divide="ignore"):
            return np.log(-np.expm1(tries * np.log1p(-self.probabilities(ids)))).astype(np.float32)

    def _try(self, count: int) -> tuple[np.ndarray, float]:
        """Draw until `count` distinct ids are seen: (the ids sorted, the number of tries it took)."""
        drawn = self.draw(2 * count)
        while True:
            ids, first_seen = np.unique(drawn, return_index=True)
            if len(ids) >= count:
                break
            drawn = np.concatenate([drawn, self.draw(len(drawn))])
        kept = np.argpartition(first_seen, count - 1)[:count]
        return np.sort(ids[kept]), float(first_seen[kept].max()) + 1.0

    def _race(self, count: int) -> tuple[np.ndarray, float]:
        """The same in one pass over the vocabulary, however rare its rarest word: ids arrive as independent Poisson
        processes, continuous time standing for tries. The arrival of the first id left out ends the time: given it,
        the inclusion probabilities are exact (Duffield et al. 2007, https://doi.org/10.1145/1314690.1314696)."""
        with np.errstate(divide="ignore"):
            rates = -np.log1p(-self.probabilities(np.arange(self.vocab_size)))
        arrivals = self.generator.standard_exponential(self.vocab_size) / rates
        if count == self.vocab_size:
            return np.arange(count), np.inf
        order = np.argpartition(arrivals, count)
        return np.sort(order[:count]), float(arrivals[order[count]])

    def get_state(self) -> str:
        """The generator's state as JSON."""
        return json.dumps(self.generator.bit_generator.state)

    def set_state(self, state: str) -> None:
        """Resume from a state of `get_state`."""
        self.generator.bit_generator.state = json.loads(state)


class LogUniform(Noise):
    """P(i) = log((i + 2) / (i + 1)) / log(V + 1): Zipf's law for ids in descending frequency.

    As in Jozefowicz et al. 2016, https://arxiv.org/abs/1602.02410. Valid only for ids sorted by frequency.
    """

    def probabilities(self, ids: np.ndarray) -> np.ndarray:
        return np.log1p(1.0 / (ids + 1.0)) / np.log(self.vocab_size + 1.0)

    def draw(self, count: int) -> np.ndarray:
        uniform = self.generator.random(count)
        ids = np.exp(uniform * np.log(self.vocab_size + 1.0)).astype(np.int64) - 1
        return np.clip(ids, 0, self.vocab_size - 1, out=ids)


class Unigram(Noise):
    """P(i) proportional to count(i) ** power, unseen types counted as one half (Mikolov et al. 2013,
    https://arxiv.org/abs/1310.4546). Needs `set_counts` before it can draw; ids may be in any order."""

    def __init__(self, vocab_size: int, seed: int = 0, unique: bool = True, power: float = 0.75):
        super().__init__(vocab_size, seed, unique, power)
        self._probabilities: np.ndarray | None = None

    def set_counts(self, counts: np.ndarray) -> None:
        if counts.shape != (self.vocab_size,):
            raise ValueError(f"{len(counts)} counts for a vocabulary of {self.vocab_size}")
        weights = np.maximum(counts.astype(np.float64), 0.5) ** self.power
        self._probabilities = weights / weights.sum()
        self._cumulative = np.cumsum(self._probabilities)

    def probabilities(self, ids: np.ndarray) -> np.ndarray:
        if self._probabilities is None:
            raise ValueError("unigram noise was given no word counts; call set_counts before training")
        return self._probabilities[ids]

    def draw(self, count: int) -> np.ndarray:
        self.probabilities(np.empty(0, np.int64))
        uniform = self.generator.random(count) * self._cumulative[-1]
        return np.minimum(np.searchsorted(self._cumulative, uniform, side="right"), self.vocab_size - 1)


NOISE: dict[str, type[Noise]] = {"log-uniform": LogUniform, "unigram": Unigram}
