"""A cache of recent tokens: words come again, the likelier the more the network's state is again as it was when they
came, the shorter ago that was, and the longer the words before them are the same.

Each of the last REACH tokens x_j votes for itself. Before token i,

    P(w) = sum_j [x_j = w] v_ij / sum_j v_ij,   v_ij = exp(theta h_i . h_j) decay^(i - j) match^(shared context),

where h_j is what the output layer read before x_j. The first factor by itself is the neural cache of Grave et al. 2017
(https://arxiv.org/abs/1612.04426), the second a decaying cache (Clarkson & Robinson 1997,
https://doi.org/10.1109/ICASSP.1997.596049), the third stands for the longest match of compressors. All three together
predict better than any of them (benchmarks/LOG.md). How much the cache says is decided at every position by a gate as
of the counts (`gate.py`): by how long a context it has met, how many tokens it holds, and the hidden state.

Shapes: N tokens of a text, D width of the hidden states, B texts side by side, T tokens, K tokens held, C settings, V
vocabulary, M positions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from ...base.progress import Progress
from ...nn import fast_float32
from ..counts.gate import Gate
from ..counts.kneser_ney import BOUND
from ..counts.mixture import fit_weights, interpolate
from . import FILL_BINS, LONGEST, SPREAD

REACH = 2000
"""Tokens looked back on: twice as many gained 1 % on WikiText-2, at twice the cost."""
KINDS = (LONGEST + 1) * FILL_BINS
"""What a cache can know before a token, see `kernels.kind`."""
WINDOW = 128
"""Tokens at a time; has no influence on the result."""
SEARCH_TOKENS = 8_000
"""Tokens that theta, decay and match are chosen on at most."""
FLATNESS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Values of theta tried, in units of 1 / mean squared length of the hidden states."""
DECAYS = (0.9, 0.97, 0.99, 0.995, 0.998, 0.999, 0.9995)
MATCHES = (1.0, 2.0, 4.0, 8.0)


class Voting(NamedTuple):
    """How recent tokens vote, see above."""

    theta: float
    decay: float
    match: float

    def logarithms(self) -> np.ndarray:
        """As the kernels read them, (3,) float32."""
        return np.array([self.theta, math.log(self.decay), math.log(self.match)], np.float32)


def read(
    hidden_ND: Tensor,
    ids_N: np.ndarray,
    settings: Sequence[Voting],
    vocab_size: int,
    reach_N: np.ndarray | None = None,
    quiet: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """What caches make of a text.

    Args:
        hidden_ND: what the output layer reads before each token, float32 on the CPU.
        ids_N: the tokens, int64.
        settings: of each cache.
        vocab_size: V.
        reach_N: how many tokens the cache before each token holds at most; by default REACH.
        quiet: show no progress.

    Returns:
        Log-probabilities (N, C) float64 of every token by every cache, -log V of the first token; and what the caches
        know before each (N,) int32, the kind.
    """
    from .kernels import score

    p_NC, known_N = np.empty((len(ids_N), len(settings))), np.empty(len(ids_N), np.int32)
    if reach_N is None:
        reach_N = np.full(len(ids_N), REACH)
    settings_C3 = np.stack([one.logarithms() for one in settings])
    with Progress("reading the cache", len(ids_N), "tokens", quiet=quiet) as progress:
        for start in range(0, len(ids_N), WINDOW):
            part = slice(start, min(start + WINDOW, len(ids_N)))
            oldest, dots_QK = dots(hidden_ND, part)
            score(ids_N, start, dots_QK, oldest, reach_N[part], settings_C3, p_NC[part], known_N[part])
            progress.update(part.stop)
    p_NC *= 1.0 - SPREAD
    p_NC += SPREAD / vocab_size
    p_NC[:1] = 1.0 / vocab_size
    return np.log(p_NC, out=p_NC), known_N


def dots(hidden_ND: Tensor, part: slice) -> tuple[int, np.ndarray]:
    """The oldest token that a part of a text looks back on, and the products of its hidden states with those from there
    on."""
    oldest = max(0, part.start - REACH)
    with fast_float32():
        return oldest, (hidden_ND[part] @ hidden_ND[oldest : part.stop].T).numpy()


def odds_of(gate: Gate, known_N: np.ndarray, hidden_ND: Tensor) -> np.ndarray:
    """Log-odds (N,) of the cache; it says nothing before the first token."""
    odds_N = gate.log_odds(known_N, hidden_ND.numpy() @ gate.weight_D)
    odds_N[:1] = -np.inf
    return odds_N


@dataclass(frozen=True)
class Cache:
    """A cache of recent tokens, fitted to a model and a text.

    Attributes:
        settings: how its tokens vote.
        gate: how much it says beside the model.
    """

    settings: Voting
    gate: Gate

    def score(
        self, hidden_ND: Tensor, ids_N: np.ndarray, vocab_size: int, quiet: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log-probability of every token of a text, and the log-odds of the cache there: (N,) float64 both; arguments
        as of `read`."""
        log_p_N1, known_N = read(hidden_ND, ids_N, [self.settings], vocab_size, quiet=quiet)
        return log_p_N1[:, 0], odds_of(self.gate, known_N, hidden_ND)

    def mix_along(self, hidden_RD: Tensor, ids_R: np.ndarray, start: int, p_MV: np.ndarray) -> None:
        """Mix the cache into the distributions of the last positions of a stretch of text, float32.

        Args:
            hidden_RD, ids_R: as of `read`.
            start: the first of these positions; what stands up to REACH tokens before it belongs to the stretch.
            p_MV: their distributions.
        """
        from .kernels import mix_along

        oldest, dots_MK = dots(hidden_RD, slice(start, len(ids_R)))
        projected_M = hidden_RD[start:].numpy() @ self.gate.weight_D
        mix_along(ids_R, start, dots_MK, oldest, REACH, *self._gated, projected_M, np.float32(BOUND), p_MV)

    def mix(self, held: Held, hidden_BD: Tensor, p_BV: np.ndarray) -> None:
        """Mix what several texts hold into their distributions, float32; `hidden_BD` is what the output layer read."""
        from .kernels import mix_rows

        first = max(0, held.count - REACH)
        dots_BK = torch.bmm(held.keys_BCD[:, first : held.count], hidden_BD[:, :, None])[:, :, 0].numpy()
        projected_B = hidden_BD.numpy() @ self.gate.weight_D
        mix_rows(held.ids_BC.numpy(), first, dots_BK, *self._gated, projected_B, np.float32(BOUND), p_BV)

    @cached_property
    def _gated(self) -> tuple[np.ndarray, np.ndarray]:
        return self.settings.logarithms(), self.gate.bias_K

    def arrays(self) -> dict[str, np.ndarray]:
        """By name, to be saved."""
        return {
            "cache.settings": np.array(self.settings),
            "cache.bias": self.gate.bias_K,
            "cache.weight": self.gate.weight_D,
        }

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> Self:
        """From `arrays()`."""
        return cls(Voting(*arrays["cache.settings"].tolist()), Gate(arrays["cache.bias"], arrays["cache.weight"]))


def search(
    log_p_N: np.ndarray,
    hidden_ND: Tensor,
    ids_N: np.ndarray,
    vocab_size: int,
    quiet: bool = True,
    given: Mapping[str, float] | None = None,
) -> Voting:
    """Settings under which the start of a text is most likely beside a model, found one after another.

    Args:
        log_p_N: of every token by the model.
        hidden_ND, ids_N, vocab_size, quiet: as of `read`.
        given: settings that stay as they are, by name.
    """
    given = given or {}
    log_p_N, hidden_ND, ids_N = log_p_N[:SEARCH_TOKENS], hidden_ND[:SEARCH_TOKENS], ids_N[:SEARCH_TOKENS]
    unit = 1.0 / max(1e-30, float(hidden_ND.double().square().sum(1).mean()))
    best = Voting(8.0 * unit, 0.998, 4.0)._replace(**given)
    thetas = [unit * multiple for multiple in FLATNESS]
    for name, values in (("theta", thetas), ("decay", DECAYS), ("match", MATCHES), ("theta", thetas)):
        if name in given:
            continue
        settings = [best._replace(**{name: value}) for value in values]
        caches_NC, _ = read(hidden_ND, ids_N, settings, vocab_size, quiet=quiet)
        pairs = [np.stack([log_p_N, cache_N], axis=1) for cache_N in caches_NC.T]
        likelihoods = [interpolate(pair_N2, fit_weights(pair_N2, 1e-5)).mean() for pair_N2 in pairs]
        best = settings[int(np.argmax(likelihoods))]
    return best


class CacheTrial(NamedTuple):
    """What one cache makes of a text, with all that stands before a token and with less.

    cache_N, shorter_N: log-probabilities of the tokens. known_N, shorter_known_N: what it knows before them.
    """

    cache_N: np.ndarray
    known_N: np.ndarray
    shorter_N: np.ndarray
    shorter_known_N: np.ndarray

    @classmethod
    def of(cls, settings: Voting, hidden_ND: Tensor, ids_N: np.ndarray, vocab_size: int) -> Self:
        """Of a text, as of `read`; how much less is drawn by chance, the same every time."""
        random = np.random.default_rng(1)
        reach_N = np.exp2(random.uniform(0.0, math.log2(REACH), len(ids_N))).astype(np.int64)
        full_N1, known_N = read(hidden_ND, ids_N, [settings], vocab_size)
        shorter_N1, shorter_known_N = read(hidden_ND, ids_N, [settings], vocab_size, reach_N)
        return cls(full_N1[:, 0], known_N, shorter_N1[:, 0], shorter_known_N)

    def gate(self, log_p_N: np.ndarray, hidden_ND: Tensor, chosen_N: np.ndarray) -> Gate:
        """The gate under which some tokens of the text are most likely beside a model: each with all that stands before
        it, and every other one once more with less, so that the gate knows what a cache is worth that begins to fill.

        Args:
            log_p_N: of every token by the model; the text is one that it was not trained on.
            hidden_ND: what the output layer read before each.
            chosen_N: which tokens.
        """
        first, second = np.flatnonzero(chosen_N[1:]) + 1, np.flatnonzero(chosen_N[1:])[::2] + 1
        both = np.concatenate([first, second])
        return Gate.fit(
            log_p_N[both],
            np.concatenate([self.cache_N[first], self.shorter_N[second]]),
            np.concatenate([self.known_N[first], self.shorter_known_N[second]]),
            hidden_ND.numpy()[both],
            KINDS,
        )


@dataclass(frozen=True)
class Held:
    """What the caches of several texts hold, in buffers that grow.

    keys_BCD, ids_BC: hidden states before the tokens, and the tokens; of `count` columns the last REACH count.
    pending_BD: what the output layer read last; the token that comes next has it as its key. used: columns written.
    """

    keys_BCD: Tensor
    ids_BC: Tensor
    count: int
    pending_BD: Tensor | None
    used: list[int]

    @classmethod
    def nothing(cls, batch: int, width: int) -> Held:
        """Before any token."""
        return cls(torch.empty(batch, 0, width), torch.empty(batch, 0, dtype=torch.int64), 0, None, [0])

    def read(self, tokens_BT: Tensor, hidden_BTD: Tensor) -> Held:
        """After some more tokens, which the network read to get these hidden states; float32 on the CPU."""
        if self.pending_BD is None:  # the first token of all was predicted by nothing
            keys_BTD, ids_BT = hidden_BTD[:, :-1], tokens_BT[:, 1:]
        else:
            keys_BTD, ids_BT = torch.cat([self.pending_BD[:, None], hidden_BTD[:, :-1]], 1), tokens_BT
        grown = self._with_room(ids_BT.shape[1])
        end = grown.count + ids_BT.shape[1]
        grown.keys_BCD[:, grown.count : end], grown.ids_BC[:, grown.count : end] = keys_BTD, ids_BT
        grown.used[0] = end
        return replace(grown, count=end, pending_BD=hidden_BTD[:, -1])

    def _with_room(self, more: int) -> Held:
        """With room for so many more columns, that no other text shares."""
        if self.used[0] == self.count and self.count + more <= self.ids_BC.shape[1]:
            return self
        kept = min(self.count, REACH)
        capacity = 2 * (kept + more)
        keys_BCD = self.keys_BCD.new_empty(len(self.ids_BC), capacity, self.keys_BCD.shape[2])
        ids_BC = self.ids_BC.new_empty(len(self.ids_BC), capacity)
        keys_BCD[:, :kept], ids_BC[:, :kept] = (
            part[:, self.count - kept : self.count] for part in (self.keys_BCD, self.ids_BC)
        )
        return replace(self, keys_BCD=keys_BCD, ids_BC=ids_BC, count=kept, used=[kept])

    def select(self, index_B: Tensor) -> Held:
        """With rows reordered, dropped or repeated."""
        pending_BD = None if self.pending_BD is None else self.pending_BD.index_select(0, index_B)
        keys_BCD, ids_BC = (part.index_select(0, index_B) for part in (self.keys_BCD, self.ids_BC))
        return Held(keys_BCD, ids_BC, self.count, pending_BD, [self.count])
