"""What an autoencoder makes of lines it was not trained on, exactly: reconstruction, divergence, what the points say.

Shapes: L lines, Z latent dimensions, K samples.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..base.errors import counted, option
from ..base.progress import Progress
from ..base.results import Result, Table, line
from ..diagnosis.findings import Finding, Findings
from ..text import TokenFile
from ..text.ids.lines import line_lengths
from .lines import AT_ONCE, batches_of
from .model import SequenceAutoencoder, whole_lines
from .objective import Posterior, active_units, importance_weighted, mutual_information

SAMPLES = 500
"""Points of a line by which its likelihood is estimated (He et al. 2019, https://arxiv.org/abs/1901.05534)."""
MOST_POINTS = 2_000
"""Lines that the mutual information is estimated over at most: the work grows with their square."""
LEAST_INFORMATION = 0.5
"""Nats of mutual information below which the points say nothing of their lines: they would tell fewer than two apart.
Trainings made to collapse have 0.01 to 0.2, healthy ones 2 and more (benchmarks/LOG.md)."""
MEMORISED = 1.3
"""How many times as much as all of the training loss the reconstruction of validation lines alone may cost. Over 2,000
headings 30 passes have 1.0, 60 have 1.2, 120 have 1.5, and 376, whose samples are in the text, 2.2; names have 0.4."""


class MeasuredLines(NamedTuple):
    """What a model makes of lines, in their order.

    reconstruction_L: exact -log p(line | a point drawn of it) in nats. posterior: of the lines. points_LZ: as drawn.
    tokens_L: of each line, its end included.
    """

    reconstruction_L: np.ndarray
    posterior: Posterior
    points_LZ: Tensor
    tokens_L: np.ndarray

    @property
    def kl_L(self) -> np.ndarray:
        """KL divergence of each line from the prior, unweighted."""
        return self.posterior.kl_BZ().double().sum(1).numpy()

    @property
    def nats_L(self) -> np.ndarray:
        """-ELBO of each line; the reconstruction alone where there is no prior."""
        return np.asarray(self.reconstruction_L + self.kl_L)


@torch.no_grad()
def measure(
    model: SequenceAutoencoder,
    tokens: TokenFile,
    start_id: int,
    chosen: np.ndarray | None = None,
    after_batch: Callable[[], None] = lambda: None,
) -> MeasuredLines:
    """Read and write lines with a model in evaluation mode; the points are drawn by the same noise every time.

    Args:
        model: in evaluation mode.
        tokens: the lines.
        start_id: what the decoder reads before the first token.
        chosen: numbers of the lines to take, ascending; None takes all.
        after_batch: called after every batch, of which none takes long; it may raise to end the work.
    """
    lengths_L = line_lengths(tokens)
    chosen = np.arange(len(lengths_L)) if chosen is None else chosen
    dim = model.latent.latent_dim
    noise_LZ = torch.from_numpy(np.random.default_rng(0).standard_normal((len(chosen), dim), np.float32))
    nats_L, mean_LZ = np.empty(len(chosen)), torch.empty(len(chosen), dim)
    log_var_LZ, points_LZ = torch.empty(len(chosen), dim), torch.empty(len(chosen), dim)
    for numbers, batch in batches_of(tokens, start_id, chosen):
        rows = np.searchsorted(chosen, numbers)
        inputs_BT, targets_BT = (torch.from_numpy(ids_BT).to(model.device) for ids_BT in batch)
        read_BT = whole_lines(inputs_BT, targets_BT).clamp(min=0)
        posterior = model.posterior(read_BT, (targets_BT >= 0).sum(1))
        points_BZ = posterior.sample(noise_LZ[rows].to(model.device))
        nats_L[rows] = model.line_nats(inputs_BT, targets_BT, points_BZ).cpu().numpy()
        mean_LZ[rows], points_LZ[rows] = posterior.mean_BZ.cpu(), points_BZ.cpu()
        if posterior.log_var_BZ is not None:
            log_var_LZ[rows] = posterior.log_var_BZ.cpu()
        after_batch()
    posterior = Posterior(mean_LZ, log_var_LZ if model.variational else None)
    return MeasuredLines(nats_L, posterior, points_LZ, lengths_L[chosen])


@torch.no_grad()
def likelihoods(
    model: SequenceAutoencoder,
    tokens: TokenFile,
    start_id: int,
    chosen: np.ndarray,
    seconds: float = math.inf,
    samples: int = SAMPLES,
    quiet: bool = True,
) -> np.ndarray:
    """Importance-weighted estimates of log p(line) in nats, of the first of the lines `chosen` for as long as the time
    lasts, ten at least.

    Args:
        model: variational, in evaluation mode.
        tokens, start_id: see `measure`.
        chosen: numbers of the lines.
        seconds: that it may take.
        samples: K.
        quiet: show no progress.
    """
    began, found = time.monotonic(), list[float]()
    with Progress("likelihood", len(chosen), "lines", quiet=quiet) as progress:
        for number in chosen.tolist():
            if len(found) >= 10 and time.monotonic() - began > seconds:
                break
            [(_, batch)] = batches_of(tokens, start_id, np.array([number]))
            inputs_1T, targets_1T = (torch.from_numpy(ids).to(model.device) for ids in batch)
            read_1T = whole_lines(inputs_1T, targets_1T)
            posterior = model.posterior(read_1T, torch.tensor([read_1T.shape[1]], device=model.device))
            rng = np.random.default_rng([1, number])
            noise = rng.standard_normal((samples, 1, model.latent.latent_dim), np.float32)
            points_K1Z = posterior.sample(torch.from_numpy(noise).to(model.device))
            rows = max(1, AT_ONCE // targets_1T.shape[1])
            log_p_K = torch.cat([
                -model.line_nats(inputs_1T.expand(len(part), -1), targets_1T.expand(len(part), -1), part)
                for part in points_K1Z[:, 0].split(rows)
            ])  # fmt: skip
            found.append(float(importance_weighted(log_p_K[:, None], posterior, points_K1Z)))
            progress.update(len(found))
    return np.array(found)


@dataclass(frozen=True, repr=False)
class LineScores(Result):
    """Scores of an autoencoder on lines, in nats per line unless they say otherwise.

    Attributes:
        lines, tokens: that were scored, line ends included.
        reconstruction: -log p(line | point).
        kl: KL divergence of the points from the prior, unweighted; None for one without a prior, as all that follow.
        elbo: -(reconstruction + kl), a bound of log p(line) from below.
        iw_nll: -log p(line) estimated by SAMPLES points a line, on `iw_lines` of the lines; None where not estimated.
        iw_elbo: the ELBO on those lines.
        iw_error: standard error of `nll` for the lines on which it was not estimated.
        mutual_information: of line and point, estimated.
        active_units: dimensions that vary from line to line, of `units`.
    """

    lines: int
    tokens: int
    reconstruction: float
    units: int
    kl: float | None = None
    elbo: float | None = None
    mutual_information: float | None = None
    active_units: int | None = None
    iw_nll: float | None = None
    iw_elbo: float | None = None
    iw_error: float | None = None
    iw_lines: int = 0

    @classmethod
    def of(cls, measured: MeasuredLines) -> LineScores:
        """The scores of measured lines."""
        posterior, lines = measured.posterior, len(measured.tokens_L)
        own = cls(
            lines, int(measured.tokens_L.sum()), float(measured.reconstruction_L.mean()), posterior.mean_BZ.shape[1]
        )
        if posterior.log_var_BZ is None:
            return own
        some = slice(0, lines, max(1, -(-lines // MOST_POINTS)))
        few = Posterior(posterior.mean_BZ[some], posterior.log_var_BZ[some])
        return cls(
            **{**vars(own), "kl": float(measured.kl_L.mean()), "elbo": -float(measured.nats_L.mean())}
            | {"mutual_information": mutual_information(few, measured.points_LZ[some])}
            | {"active_units": active_units(posterior.mean_BZ)}
        )

    @property
    def variational(self) -> bool:
        """Whether there is a prior."""
        return self.kl is not None

    @property
    def nats(self) -> float:
        """-ELBO, or the reconstruction where there is no prior."""
        return self.reconstruction + (self.kl or 0.0)

    @property
    def nll(self) -> float:
        """The best upper bound of -log p(line), mean of all lines: -ELBO, less what SAMPLES points a line took off it
        on `iw_lines` of them; the reconstruction where there is no prior."""
        return self.nats if self.iw_nll is None or self.iw_elbo is None else self.nats + self.iw_nll + self.iw_elbo

    @property
    def perplexity(self) -> float:
        """Per token, by `nll`."""
        return math.exp(min(self.nll * self.lines / self.tokens, 700.0))

    def __repr__(self) -> str:
        return line("LineScores", self.facts())

    def facts(self) -> list[str]:
        """The figures in words."""
        if not self.variational:
            return [f"reconstruction {self.reconstruction:.2f} nats per line", counted(self.lines, "line")]
        weighted = ""
        if self.iw_nll is not None:
            margin = f" ± {1.96 * self.iw_error:.2g}" if self.iw_error else ""
            some = f", by {SAMPLES} points each of {self.iw_lines:,}" if self.iw_lines < self.lines else ""
            weighted = f", -log p at most {self.nll:.2f}{margin}{some}"
        return [
            f"reconstruction {self.reconstruction:.1f} + KL {self.kl:.2f} = {self.nats:.1f} nats per line",
            f"{counted(self.lines, 'line')}{weighted}",
            f"mutual information {self.mutual_information:.2f} nats",
            f"{self.active_units} of {self.units} units active",
        ]

    def table(self) -> Table:
        """A row a figure."""
        return Table(("", ""), [(key.replace("_", " "), value) for key, value in self.to_json().items()], repr(self))

    def to_json(self) -> dict[str, Any]:
        """{"reconstruction", "kl", "elbo", "iw_nll", "mutual_information", "active_units", "units", ...}; figures that
        an autoencoder without a prior does not have are left out."""
        figures = {**vars(self), "nll": self.nll if self.variational else None, "perplexity": self.perplexity}
        return {key: value for key, value in figures.items() if value is not None and (key != "iw_lines" or value)}


def collapse(scores: LineScores) -> Findings:
    """Whether the decoder does without the point, in words: judged by how much the points say of their lines, because
    free bits and batch normalisation keep the KL divergence itself up."""
    if not scores.variational:
        return Findings([], "")
    information, active = scores.mutual_information or 0.0, scores.active_units or 0
    seen = (
        f"KL {scores.kl:.2f} nats, of which {information:.2f} tell lines apart; {active} of {scores.units} units active"
    )
    if active and information >= LEAST_INFORMATION:
        return Findings([], f"The decoder uses the point: {seen}.")
    return Findings([
        Finding(
            "collapse",
            "problem",
            f"The decoder ignores the point: {seen}.",
            f"no active unit, or less than {LEAST_INFORMATION:g} nats of mutual information",
            "It learned to write lines without the point before the point meant anything.",
            "Turn on free bits (--set free_bits=0.25), anneal longer (--set anneal=0.8), hide words from the decoder "
            "(--set word_dropout=0.3), or train as a plain autoencoder first (--set pretrain=0.3).",
        )
    ])  # fmt: skip


def overfitting(scores: LineScores, training_loss: float | None) -> Finding | None:
    """Whether the lines of the training text are known by heart. Validation need not rise for that: as long as the
    divergence weighs more and more, later weights seem better.

    Args:
        scores: of validation lines.
        training_loss: at the end, nats per token, divergence and dropout included; None where it is not exact.
    """
    reconstruction = scores.reconstruction * scores.lines / scores.tokens
    if training_loss is None or reconstruction <= MEMORISED * training_loss:
        return None
    return Finding(
        "overfitting",
        "warning",
        f"It knows its training lines by heart: writing validation lines costs {reconstruction:.2f} nats per token, "
        f"where all of the training loss was {training_loss:.2f}.",
        f"over {MEMORISED:g} times as much",
        "What it writes is often one of them, and unseen lines are unlikely.",
        f"Train for less ({option('epochs', 40)} suits a short list), use more lines, or more dropout "
        f"({option('dropout', 0.5)}).",
    )


def diagnose_lines(scores: LineScores, training_loss: float | None = None) -> Findings:
    """What is wrong with an autoencoder, in words.

    Args:
        scores, training_loss: see `collapse` and `overfitting`.
    """
    found, memorised = collapse(scores), overfitting(scores, training_loss)
    return Findings([*found, *([memorised] if memorised else [])], found.verdict)
