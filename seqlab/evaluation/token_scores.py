"""Scores of single tokens as JSON Lines."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..base.files import atomic_file
from ..text import TokenFile, Tokenizer
from .evaluator import Evaluation

BLOCK = 1 << 16
"""Tokens turned into text at a time."""


def write_token_scores(path: str | Path, tokens: TokenFile, tokenizer: Tokenizer, evaluation: Evaluation) -> None:
    """Write a JSON Lines file of a text's tokens, to look at single ones; it is replaced whole.

    A line has position, id, token, log_prob in nats (of the last row of the report), rank (1: the favourite) and
    entropy (nats) under the network as trained where `evaluation` has them, and under "parts" what the network and
    every addition gave, null for a probability of zero.

    Args:
        path: the file.
        tokens: the text.
        tokenizer: that spells them.
        evaluation: of the text.
    """
    ranks = evaluation.ranks
    itos, every = tokenizer.vocab.itos, {"log_prob": evaluation.log_p_N, **evaluation.additions}
    with atomic_file(path) as handle:
        for start in range(0, len(tokens), BLOCK):
            ids = tokens[start : start + BLOCK].tolist()
            columns = {name: _plain(log_p_N[start : start + BLOCK]) for name, log_p_N in every.items()}
            for row, number in enumerate(ids):
                line: dict[str, Any] = {"position": start + row, "id": number, "token": itos[number]}
                line["log_prob"], *parts = (column[row] for column in columns.values())
                if ranks is not None:
                    line["rank"] = int(ranks.rank_N[start + row])
                    line["entropy"] = float(ranks.entropy_N[start + row])
                if len(parts) > 1:
                    line["parts"] = dict(zip(evaluation.additions, parts, strict=True))
                handle.write((json.dumps(line, ensure_ascii=False) + "\n").encode())


def _plain(log_p: np.ndarray) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in log_p.tolist()]
