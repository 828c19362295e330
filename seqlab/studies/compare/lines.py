"""Autoencoders and language models on the same lines: what a point is worth.

An autoencoder has no probability of a line that could be computed, only a bound from below; so where it comes out
better than a language model it is, and where it comes out worse the bound may be to blame.

Shapes: L lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...autoencoders.figures import likelihoods
from ...autoencoders.lines import short_lines
from ...autoencoders.trained import TrainedAutoencoder
from ...base.errors import InputError, counted
from ...base.printing import printable
from ...base.results import Result, Table, line
from ...evaluation import Scorer, read_source
from ...text import Sources, TokenFile
from ...text.ids.lines import line_lengths
from ...trained import TrainedLanguageModel
from .reading import name_of
from .statistics import Estimate, estimate, holm

SECONDS = 30.0
"""That estimating likelihoods by an autoencoder may take."""


@dataclass(frozen=True)
class LinePair:
    """One model against the first. found: difference of -log p in nats a line, below zero `b` is the better one, with
    its interval; None of fewer than two lines. adjusted: p among all pairs (Holm)."""

    a: str
    b: str
    found: Estimate
    adjusted: float

    def sentence(self) -> str:
        """What was found, in words."""
        low, high = self.found.interval
        better = "better" if self.found.mean < 0 else "worse"
        sure = "" if self.found.certain else ", which may be chance"
        return (
            f"{printable(self.b)} is {better} than {printable(self.a)} by {abs(self.found.mean):.3g} nats a line "
            f"(95 % interval of the difference {low:+.3g} to {high:+.3g}){sure}."
        )


@dataclass(frozen=True, repr=False)
class LineComparison(Result):
    """Models compared on lines, all with the first.

    Attributes:
        text_name: what they were compared on.
        lines: that all were scored on.
        pairs: the first against every other.
        models: of every model {"name", "kind", "parameters", "nats_per_line", "perplexity", "bound"}.
    """

    text_name: str
    lines: int
    pairs: Sequence[LinePair]
    models: Sequence[dict[str, Any]]

    def __repr__(self) -> str:
        return line("LineComparison", [counted(self.lines, "line"), *(pair.sentence() for pair in self.pairs[:2])])

    def table(self) -> Table:
        """A row a model."""
        rows = [
            (one["name"], one["kind"], one["parameters"], one["nats_per_line"], one["perplexity"], one["bound"])
            for one in self.models
        ]
        return Table(("model", "kind", "parameters", "nats per line", "perplexity", "figure"), rows, repr(self))

    def text(self) -> str:
        """Words, and a row a model."""
        head = f"{counted(self.lines, 'line')} of {printable(self.text_name)}:"
        return "\n".join([head, *(pair.sentence() for pair in self.pairs), "", self.table().text()])

    def to_json(self) -> dict[str, Any]:
        """{"text", "lines", "pairs": [{"a", "b", "difference", "interval", "p"}], "models"}."""
        pairs = [
            {
                "a": pair.a, "b": pair.b, "difference": pair.found.mean, "interval": list(pair.found.interval),
                "p": pair.adjusted,
            }
            for pair in self.pairs
        ]  # fmt: skip
        return {"text": self.text_name, "lines": self.lines, "pairs": pairs, "models": list(self.models)}


def compare_lines(
    models: Sequence[TrainedLanguageModel | TrainedAutoencoder],
    text: Sources | None = None,
    split: str | None = None,
    seconds: float = SECONDS,
    quiet: bool = True,
) -> LineComparison:
    """Compare models that read lines, one of which at least is a variational autoencoder, with the first of them.

    All are scored on the same lines, as many as the slowest gets through; lines longer than an autoencoder was trained
    on are left out. A language model's figure is exact, that of an autoencoder estimated by importance weights.

    Args:
        models: two or more.
        text: lines; None takes a split of the models' own corpus.
        split: "valid" or "test"; None takes "test" where there is one.
        seconds: that each autoencoder may take.
        quiet: show no progress.

    Raises:
        InputError: models of different vocabularies, a language model of running text, or an autoencoder without a
            prior.
    """
    first, lengths = models[0], [longest_of(model) for model in models]
    for model in models:
        if not model.run.lines:
            raise InputError(
                f"{model.run.path}: was trained on running text, not on lines; train a language model on the lines of "
                "the autoencoder (seqlab train autoencoder TEXT -o RUN --baseline LM)."
            )
        if model.tokenizer.digest != first.tokenizer.digest:
            raise InputError(
                f"{model.run.path} and {first.run.path} do not read the same lines by the same vocabulary; train them "
                "on one text (seqlab train autoencoder TEXT -o RUN --baseline LM)."
            )
        if isinstance(model, TrainedAutoencoder) and not model.model.variational:
            raise InputError(
                f"{model.run.path}: is a {model.run.config.autoencoder.kind} autoencoder, which gives lines no "
                "probability; compare variational ones."
            )
    source = read_source(first.run, text, split)
    tokens = short_lines(source.tokens, min(lengths))
    if len(tokens.documents) < 2:
        raise InputError(f"{source.name}: has fewer than two lines of at most {min(lengths):,} tokens.")
    order = np.random.default_rng(0).permutation(len(tokens.documents))
    nats = [line_nats(model, tokens, order, seconds, quiet) for model in models]
    count = min(map(len, nats))
    some_tokens = int(line_lengths(tokens)[order[:count]].sum())
    rows = [
        {
            "name": name_of(model) if isinstance(model, TrainedLanguageModel) else str(model.run.path),
            "kind": "language model" if isinstance(model, TrainedLanguageModel) else "variational autoencoder",
            "parameters": model.run.parameters,
            "nats_per_line": float(nats_L[:count].mean()),
            "perplexity": math.exp(min(float(nats_L[:count].sum()) / some_tokens, 700.0)),
            "bound": "exact" if isinstance(model, TrainedLanguageModel) else "at most",
        }
        for model, nats_L in zip(models, nats, strict=True)
    ]
    found = [estimate(b[:count] - nats[0][:count], documents=np.arange(count)) for b in nats[1:]]
    known = [one for one in found if one is not None]
    adjusted = holm([one.p for one in known])
    names = [str(row["name"]) for row in rows]
    pairs = [LinePair(names[0], name, one, p) for name, one, p in zip(names[1:], known, adjusted, strict=True)]
    return LineComparison(source.name, count, pairs, rows)


def longest_of(model: TrainedLanguageModel | TrainedAutoencoder) -> int:
    """Tokens that a line may have for a model."""
    longest = model.run.config.autoencoder.max_length if isinstance(model, TrainedAutoencoder) else None
    return longest or int(1e9)


def line_nats(
    model: TrainedLanguageModel | TrainedAutoencoder,
    tokens: TokenFile,
    order: np.ndarray,
    seconds: float,
    quiet: bool = True,
) -> np.ndarray:
    """-log p in nats of lines in the given order: of all by a language model, of as many as the time allows by an
    autoencoder.

    Args:
        model: that reads.
        tokens: the lines.
        order: their numbers.
        seconds: that an autoencoder may take.
        quiet: show no progress.
    """
    if isinstance(model, TrainedAutoencoder):
        return -likelihoods(model.model, tokens, model.tokenizer.start_id, order, seconds, quiet=quiet)
    scored = Scorer(model.members, model.tokenizer.start_id).read(tokens, True, quiet)
    return -np.add.reduceat(scored.log_p_N, tokens.documents)[order]
