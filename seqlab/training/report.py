"""What is reported when training ends: how long it took, exact scores of the best weights, and what counting alone
achieves on the same text."""

from __future__ import annotations

from typing import Any

from ..base.progress import notify
from ..evaluation import evaluate_language_model
from ..models import LanguageModel
from ..run import Run
from ..text import Corpus
from .loop import TrainingPosition
from .watch.baselines import baselines, validation_sentence


def report(run: Run, model: LanguageModel, corpus: Corpus, position: TrainingPosition, quiet: bool) -> dict[str, Any]:
    """Score a trained model on all of the validation and test text, and say in one sentence how good it is.

    Args:
        run: that was trained.
        model: with the run's best weights.
        corpus: it was trained on.
        position: at the end of training.
        quiet: show no progress and no sentence.

    Returns:
        {"run", "steps", "tokens", "seconds"}, and where the corpus has such splits "valid", "test" (scores as
        `seqlab evaluate --json` prints them) and "baselines" (perplexities of counts on the validation text).
    """
    summary: dict[str, Any] = {
        "run": str(run.path),
        "steps": position.step,
        "tokens": position.tokens,
        "seconds": round(position.seconds, 2),
    }
    start_id = corpus.tokenizer.start_id
    for name in ("valid", "test"):
        if name in corpus.splits:
            summary[name] = evaluate_language_model(model, corpus.splits[name], start_id, quiet=quiet)
    if "valid" in summary:
        summary["baselines"] = baselines(corpus)
        if not quiet:
            notify(validation_sentence(summary["valid"], summary["baselines"]))
    return summary
