"""Word vector training stated plainly in float64: the same objectives, random numbers and updates as the compiled
kernels, one window at a time. Slow; for reading and for the tests that hold the kernels to it.

Shapes: M predictions of a window, J scored words (the target first, then K noise words), D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

MASK = (1 << 64) - 1


def softmax_loss(z_MJ: np.ndarray) -> tuple[float, np.ndarray]:
    """Sum of -log softmax(z)[:, 0] and its gradient."""
    probability = np.exp(z_MJ - z_MJ.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    gradient = probability.copy()
    gradient[:, 0] -= 1.0
    return float(-np.log(probability[:, 0]).sum()), gradient


def logistic_loss(z_MJ: np.ndarray) -> tuple[float, np.ndarray]:
    """Sum of -log s(z)[:, 0] - log s(-z)[:, 1:] and its gradient, s the logistic function."""
    sign = np.ones_like(z_MJ)
    sign[:, 0] = -1.0
    loss = np.logaddexp(0.0, sign * z_MJ).sum()
    return float(loss), sign * np.exp(-np.logaddexp(0.0, -sign * z_MJ))


Loss = Callable[[np.ndarray], tuple[float, np.ndarray]]

LOSSES: dict[str, tuple[Loss, bool]] = {
    "sampled-softmax": (softmax_loss, True),
    "negative-sampling": (logistic_loss, False),
    "nce": (logistic_loss, True),
}
"""Name -> the loss on z = scores - offsets, and whether the offsets carry the log of the expected count."""


def offsets(rows_J: np.ndarray, log_expected_V: np.ndarray, corrected: bool) -> np.ndarray:
    """What is taken from every score: log K q(w) where corrected; infinity for noise equal to the target."""
    values = log_expected_V[rows_J].astype(np.float64) if corrected else np.zeros(len(rows_J))
    values[1:][rows_J[1:] == rows_J[0]] = np.inf
    return values


def update_window(
    inputs_VD: np.ndarray,
    outputs_VD: np.ndarray,
    contexts: np.ndarray,
    rows_J: np.ndarray,
    log_expected_V: np.ndarray,
    lr: float,
    loss: str = "sampled-softmax",
    cbow: bool = False,
    corrected: bool = True,
) -> tuple[float, int]:
    """One gradient step for one centre word, in place: the contexts predict rows_J[0] against rows_J[1:].

    Returns the sum of the losses and the number of predictions.
    """
    function, log_corrected = LOSSES[loss]
    X_MD, Y_JD = inputs_VD[contexts], outputs_VD[rows_J]
    if cbow:
        X_MD = X_MD.mean(axis=0, keepdims=True)
    value, gradient_MJ = function(X_MD @ Y_JD.T - offsets(rows_J, log_expected_V, log_corrected))
    dX_MD, dY_JD = gradient_MJ @ Y_JD, gradient_MJ.T @ X_MD
    if cbow:
        dX_MD = np.repeat(dX_MD / (len(contexts) if corrected else 1), len(contexts), axis=0)
    np.add.at(inputs_VD, contexts, -lr * dX_MD)
    np.add.at(outputs_VD, rows_J, -lr * dY_JD)
    return value, len(X_MD)


class SplitMix:
    """SplitMix64 on Python integers."""

    def __init__(self, seed: int):
        self.state = seed

    def next(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, limit: int) -> int:
        return ((self.next() >> 32) * limit) >> 32

    def noise(self, alias_table: np.ndarray, count: int) -> list[int]:
        """`count` rows drawn from an alias table."""
        drawn = []
        for _ in range(count):
            random = self.next()
            row = ((random >> 32) * len(alias_table)) >> 32
            kept = (random & 0xFFFFFFFF) < alias_table[row, 0]
            drawn.append(row if kept else int(alias_table[row, 1]))
        return drawn


def documents(ids: np.ndarray, starts: np.ndarray) -> Iterator[np.ndarray]:
    """The ids of each document."""
    yield from np.split(ids, starts[1:])


def train(
    ids: np.ndarray,
    starts: np.ndarray,
    rows: np.ndarray,
    keep: np.ndarray,
    offsets: np.ndarray,
    parts: np.ndarray,
    alias_table: np.ndarray,
    log_expected: np.ndarray,
    inputs: np.ndarray,
    outputs: np.ndarray,
    window: int,
    dynamic: bool,
    corrected: bool,
    lr: float,
    seed: int,
    samples: int,
    loss: str,
    cbow: bool,
) -> tuple[float, int]:
    """What a kernel of `build_kernel(dim, samples, loss, cbow)` does, with the same arguments and random numbers."""
    random = SplitMix(seed)
    total, predictions = 0.0, 0
    noise = random.noise(alias_table, samples)
    for document in documents(ids, starts):
        kept = np.array([rows[word] for word in document if random.next() >> 32 < keep[word]], np.int64)
        parts_of = [parts[offsets[word] : offsets[word + 1]] for word in kept]
        X_ND, before_ND = np.zeros((2, len(kept), inputs.shape[1]))
        entered = gone = 0
        for centre in range(len(kept)):
            while entered < min(len(kept), centre + window + 1):
                X_ND[entered] = before_ND[entered] = inputs[parts_of[entered]].mean(axis=0)
                entered += 1
            reach = 1 + random.below(window) if dynamic else window
            positions = np.arange(max(0, centre - reach), min(len(kept), centre + reach + 1))
            contexts = positions[positions != centre]
            if len(contexts):
                scored = np.array([kept[centre], *noise])
                noise = random.noise(alias_table, samples)
                value, count = update_window(X_ND, outputs, contexts, scored, log_expected, lr, loss, cbow, corrected)
                total, predictions = total + value, predictions + count
            while gone <= (centre - window if centre + 1 < len(kept) else centre):
                np.add.at(inputs, parts_of[gone], X_ND[gone] - before_ND[gone])
                gone += 1
    return total, predictions
