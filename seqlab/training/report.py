"""What is reported when training ends: how long it took, exact scores of network and counts together, and what each
achieves alone on the same text."""

from __future__ import annotations

import time
from typing import Any

from ..base.progress import notify
from ..evaluation.exact import evaluating, read_sample
from ..evaluation.results import unknown_caveat
from ..evaluation.scored_text import Scorer
from ..evaluation.tuning import score_together, tune_cache, tune_together
from ..models.counts.kneser_ney import NGramModel
from ..models.interpolated import Members
from ..run import Run
from ..text import Corpus, TokenFile
from .loop import TrainingPosition
from .watch.baselines import baselines, unlike_sentence, validation_sentence

REPORT_SHARE = 0.06
"""Share of the training time that scoring one text may take; a longer text is sampled."""
PROBE_TOKENS = 2_000
"""Validation tokens that show how fast this machine scores."""
ALWAYS_SCORED = 5_000
"""Tokens that are scored however short the training was."""
GATE_SECONDS = 5e-5
"""What fitting the counts' gate takes for a token beyond scoring it, on a slow core."""
CACHE_SHARE = 0.04
"""Share of the training time that fitting the cache may take; where that is too little for FEWEST_FITTED tokens, it is
fitted when somebody asks for it."""
CACHE_SECONDS = 1.5e-4
"""What fitting it takes for a token beyond scoring, on a slow core."""
FEWEST_FITTED = 2_500


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
        splits also "valid", "test" (scores as `seqlab evaluate --json` prints them), "cache" (the same with a cache of
        recent tokens, on the start of the validation text; not of a list of lines) and "baselines" (perplexities of
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
    seconds_per_token = scoring_time(members, valid, start_id)
    limit = max(ALWAYS_SCORED, int(REPORT_SHARE * position.seconds / (seconds_per_token + GATE_SECONDS)))
    together = tune_together(members.network, counts, valid, start_id, limit, quiet=quiet)
    scorer, members = Scorer(together.members, start_id), together.members
    summary["valid"] = together.report
    fitted = int(CACHE_SHARE * position.seconds / (seconds_per_token + CACHE_SECONDS))
    if min(len(valid), fitted) >= FEWEST_FITTED and not valid.lines:
        cache, summary["cache"] = tune_cache(scorer, valid, fitted, quiet)
        members = members._replace(cache=cache if summary["cache"]["helps"] else None)
    keep_members(run, members)
    if "test" in corpus.splits:
        summary["test"] = score_together(scorer, corpus.splits["test"], limit, quiet)
    summary["baselines"] = baselines(corpus, summary["valid"], counts)
    if not quiet:
        notify(validation_sentence(summary["valid"], summary["baselines"], summary.get("cache")))
        unlike = unlike_sentence(corpus.tokenizer.vocab.counts, summary["baselines"]["unigram"])
        for caveat in filter(None, (unlike, unknown_caveat(summary["valid"]["unknown_rate"]))):
            notify(caveat)
    return members, summary


def scoring_time(members: Members, tokens: TokenFile, start_id: int) -> float:
    """Seconds that scoring a token of a text takes here, judging by the first few."""
    began = time.monotonic()
    with evaluating(members.network):
        places_N, _ = read_sample(members.network, tokens, start_id, PROBE_TOKENS)
    return (time.monotonic() - began) / len(places_N)


def keep_members(run: Run, members: Members) -> None:
    """The tuned gate and cache become the run's, or the run goes without counts; a run that has these is left as it
    is."""
    stored = run.load_members(counts=False)
    if (members.gate, members.cache) != (stored.gate, stored.cache):
        run.save_model(members.network, members.gate, members.cache)
    if members.counts is None:
        run.remove_counts()
