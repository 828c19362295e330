"""Several networks as one: other runs, or the many that dropout trains in a single one.

Shapes: N tokens.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...base.errors import InputError
from ...run import Run
from ..scored_text import Addition, ScoredText, Scorer


class Member(Addition):
    """Another run of the same vocabulary."""

    row = "ensemble"
    needs_tuning = False

    def __init__(self, path: Path, tokenizer_digest: str, device: str = "cpu"):
        run = Run.open(path)
        if run.tokenizer.digest != tokenizer_digest:
            raise InputError(
                f"{path}: its tokenizer differs from the other run's, so their probabilities cannot be averaged; "
                "train both on the same prepared corpus."
            )
        self.name = str(path)
        self.scorer = Scorer(run.load_members(device), run.tokenizer.start_id)

    def log_probs(self, text: ScoredText) -> np.ndarray:
        return self.scorer.read(text.tokens, keep_hidden=False, quiet=text.quiet).log_p_N
