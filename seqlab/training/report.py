"""What is reported when training ends: how long it took, exact scores of network and counts together, and what each
achieves alone on the same text."""

from __future__ import annotations

import time
from typing import Any

from ..base.progress import notify
from ..evaluation.exact import evaluating, read_sample
from ..evaluation.results import unknown_caveat
from ..evaluation.scored_text import Scorer
from ..evaluation.tuning import Together, score_together, tune_together
from ..models.counts.kneser_ney import NGramModel
from ..models.interpolated import Members
from ..run import Run
from ..text import Corpus, TokenFile
from .loop import TrainingPosition
from .watch.baselines import baselines, validation_sentence

REPORT_SHARE = 0.1
"""Share of the training time that scoring one text may take; a longer text is sampled."""
PROBE_TOKENS = 2_000
"""Validation tokens that show how fast this machine scores."""
ALWAYS_SCORED = 5_000
"""Tokens that are scored however short the training was."""


def report(
    run: Run, members: Members, counts: NGramModel | None, corpus: Corpus, position: TrainingPosition, quiet: bool
) -> tuple[Members, dict[str, Any]]:
    """Tune counts and network to one another, score them on the validation and test text, save how they are mixed, and
    say in one sentence how good they are.

    Args:
        run: that was trained.
        members: the network with the run's best weights.
        counts: of the training text, None for a network alone.
        corpus: it was trained on.
        position: at the end of training.
        quiet: show no progress and no sentence.

    Returns:
        The members as the run now holds them, and {"run", "steps", "tokens", "seconds"}, where the corpus has such
        splits also "valid", "test" (scores as `seqlab evaluate --json` prints them) and "baselines" (perplexities of
        counts on the validation text).
    """
    summary: dict[str, Any] = {
        "run": str(run.path),
        "steps": position.step,
        "tokens": position.tokens,
        "seconds": round(position.seconds, 2),
    }
    start_id = corpus.tokenizer.start_id
    valid = corpus.valid
    if valid is None:
        return members, summary
    limit = affordable_tokens(members, valid, start_id, REPORT_SHARE * position.seconds)
    together = tune_together(members.network, counts, valid, start_id, limit, quiet=quiet)
    keep_together(run, together)
    summary["valid"] = together.report
    if "test" in corpus.splits:
        summary["test"] = score_together(Scorer(together.members, start_id), corpus.splits["test"], limit, quiet)
    summary["baselines"] = baselines(corpus, summary["valid"], counts)
    if not quiet:
        notify(validation_sentence(summary["valid"], summary["baselines"]))
        if caveat := unknown_caveat(summary["valid"]["unknown_rate"]):
            notify(caveat)
    return together.members, summary


def affordable_tokens(members: Members, tokens: TokenFile, start_id: int, seconds: float) -> int:
    """How many tokens of a text can be scored in so many seconds, judging by the first few; ALWAYS_SCORED at least."""
    began = time.monotonic()
    with evaluating(members.network):
        read_sample(members.network, tokens, start_id, PROBE_TOKENS)
    return max(ALWAYS_SCORED, int(seconds * PROBE_TOKENS / (time.monotonic() - began)))


def keep_together(run: Run, together: Together) -> None:
    """The tuned gate becomes the run's, or the run goes without counts; a run that has this gate is left as it is."""
    gate, stored = together.members.gate, run.load_members(counts=False).gate
    if gate != stored:
        run.save_model(together.members.network, gate)
    if together.members.counts is None:
        run.remove_counts()
