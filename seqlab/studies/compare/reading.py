"""What every model makes of one text: log-probabilities and first choices, and what the model costs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from ...evaluation import Scorer, read_source
from ...evaluation.exact import first_tokens
from ...text import Sources, TokenFile, Tokenizer
from ...trained import TrainedLanguageModel
from ...training.watch.costs import memory

WARMED_UP = 200
"""Tokens read before the time is taken: the first ones of a program also compile its kernels and open the counts."""


@dataclass(frozen=True)
class TextReading:
    """A model's reading of a text.

    Attributes:
        name: of the model.
        tokens: the text in its tokens.
        tokenizer: of the model.
        log_p_N: log-probability of every token, in nats.
        right_N: whether a token was the model's first choice.
        seconds: that reading took, ranks of the tokens included.
    """

    name: str
    tokens: TokenFile
    tokenizer: Tokenizer
    log_p_N: np.ndarray
    right_N: np.ndarray
    seconds: float

    @property
    def nats(self) -> float:
        """Nats per token."""
        return -float(self.log_p_N.mean())

    @property
    def nats_per_char(self) -> float:
        """Nats per character of the text."""
        return -float(self.log_p_N.sum()) / max(1, self.tokens.characters)


def read_model(model: TrainedLanguageModel, text: Sources | None, split: str | None, quiet: bool) -> TextReading:
    """Read a text with a model as it stands: network and counts, or the one of them that was chosen.

    Args:
        model: whose members read.
        text: the text, None for a split of the model's own corpus.
        split: "valid" or "test"; None takes "test" where there is one.
        quiet: show no progress.
    """
    members = model.members
    source = read_source(model.run, text, split, members.network.reads_characters)
    scorer = Scorer(members, model.tokenizer.start_id)
    scorer.read_ranked(first_tokens(source.tokens, WARMED_UP))
    began = time.monotonic()
    scored, ranks = scorer.read_ranked(source.tokens, quiet)
    seconds = max(time.monotonic() - began, 1e-9)
    return TextReading(name_of(model), source.tokens, model.tokenizer, scored.log_p_N, ranks.rank_N == 1, seconds)


def name_of(model: TrainedLanguageModel) -> str:
    """The run's path, and which member or addition is meant where it is not the model as trained."""
    members = model.members
    what = f" ({members.only})" if members.only else " (with its cache)" if members.used_cache else ""
    return f"{model.run.path}{what}"


def costs(model: TrainedLanguageModel, reading: TextReading) -> dict[str, Any]:
    """Figures of a model: scores on the text, parameters, speed, memory, size on disk.

    Args:
        model: with its run.
        reading: of the text.
    """
    run, lines = model.run, model.run.metrics()
    speeds = [line["tokens_per_second"] for line in lines if line.get("tokens_per_second")]
    return {
        "name": reading.name,
        "tokens": len(reading.tokens),
        "nats_per_token": reading.nats,
        "nats_per_char": reading.nats_per_char,
        "unknown_rate": reading.tokens.unknown / len(reading.tokens),
        "parameters": run.parameters,
        "training_tokens": lines[-1]["tokens"] if lines else None,
        "training_tokens_per_second": median(speeds) if speeds else None,
        "evaluation_tokens_per_second": len(reading.tokens) / reading.seconds,
        "weights_bytes": memory(run, {})["weights"],
        "folder_bytes": sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file()),
        "seed": run.config.training.seed,
    }


def configuration(model: TrainedLanguageModel) -> tuple[Any, ...]:
    """What runs have in common that differ in nothing but their seed."""
    run = model.run
    config = run.config.model_dump()
    config["training"] = {name: value for name, value in config["training"].items() if name not in FREE}
    return repr(config), run.tokenizer.digest, run.record["corpus"].get("digest"), model.members.only


FREE = ("seed", "threads", "device")
"""Settings of a training that its configuration does not depend on."""
