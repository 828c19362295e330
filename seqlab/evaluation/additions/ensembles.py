"""Several networks as one: other runs, or the many that dropout trains in a single one.

Shapes: N tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import InputError
from ...run import Run
from ..exact import read_text
from ..scored_text import Addition, Network, ScoredText


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
        self.network = Network(run.load_model(device), run.tokenizer.start_id)

    def log_probs(self, text: ScoredText) -> np.ndarray:
        return self.network.read(text.tokens, keep_hidden=False, quiet=text.quiet).log_p_N


class McDropout(Addition):
    """The mean probability over passes with dropout as in training (Gal & Ghahramani 2016,
    https://arxiv.org/abs/1506.02142)."""

    name = row = "mc_dropout"
    alone = True
    needs_tuning = False

    def __init__(self, network: Network, passes: int, seed: int = 1):
        if passes < 1:
            raise InputError(f"mc-dropout: takes at least 1 pass, not {passes}.")
        if not network.model.drops:
            raise InputError("mc-dropout: the model was trained without dropout, so all passes would be the same.")
        self.network, self.passes, self.seed = network, passes, seed

    def fixed(self) -> dict[str, Any]:
        return {"passes": self.passes, "seed": self.seed}

    def log_probs(self, text: ScoredText) -> np.ndarray:
        model, total_N = self.network.model, np.full(len(text.tokens), -np.inf)
        for number in range(self.passes):
            with model.sampling_dropout(self.seed + number):
                scored = read_text(model, text.tokens, self.network.start_id, quiet=text.quiet)
            np.logaddexp(total_N, scored.log_p_N, out=total_N)
        return total_N - np.log(self.passes)
