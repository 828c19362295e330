"""Noise distributions over the vocabulary: what sampled losses draw their negatives from."""

from __future__ import annotations

import json

import numpy as np


class LogUniform:
    """P(i) = log((i + 2) / (i + 1)) / log(V + 1): Zipf's law for ids in descending frequency.

    As in Jozefowicz et al. 2016, https://arxiv.org/abs/1602.02410. Valid only for ids sorted by frequency.

    Args:
        vocab_size: V.
        seed: of the generator, whose state can be saved and restored.
    """

    def __init__(self, vocab_size: int, seed: int = 0):
        self.vocab_size = vocab_size
        self.generator = np.random.Generator(np.random.PCG64(seed))

    def probabilities(self, ids: np.ndarray) -> np.ndarray:
        """P(id), float64, of the shape of `ids`."""
        return np.log1p(1.0 / (ids + 1.0)) / np.log(self.vocab_size + 1.0)

    def draw(self, count: int) -> np.ndarray:
        """`count` ids drawn independently: (count,) int64."""
        uniform = self.generator.random(count)
        ids = np.exp(uniform * np.log(self.vocab_size + 1.0)).astype(np.int64) - 1
        return np.clip(ids, 0, self.vocab_size - 1, out=ids)

    def sample_unique(self, count: int) -> tuple[np.ndarray, int]:
        """Draw until `count` distinct ids are seen: (the ids sorted, the number of tries it took).

        Raises:
            ValueError: `count` is larger than the vocabulary.
        """
        if count > self.vocab_size:
            raise ValueError(f"cannot draw {count} distinct ids from a vocabulary of {self.vocab_size}")
        drawn = self.draw(2 * count)
        while True:
            ids, first_seen = np.unique(drawn, return_index=True)
            if len(ids) >= count:
                break
            drawn = np.concatenate([drawn, self.draw(len(drawn))])
        kept = np.argpartition(first_seen, count - 1)[:count]
        return np.sort(ids[kept]), int(first_seen[kept].max()) + 1

    def log_expected_count(self, ids: np.ndarray, tries: int) -> np.ndarray:
        """log of the probability that `tries` independent draws contain each id: float32 of the shape of `ids`."""
        return np.log(-np.expm1(tries * np.log1p(-self.probabilities(ids)))).astype(np.float32)

    def get_state(self) -> str:
        """The generator's state as JSON."""
        return json.dumps(self.generator.bit_generator.state)

    def set_state(self, state: str) -> None:
        """Go on from a state of `get_state`."""
        self.generator.bit_generator.state = json.loads(state)


NOISE = {"log-uniform": LogUniform}
