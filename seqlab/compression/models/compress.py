"""The story of a compression: open the run, score it, change its weights, score them, write a run folder."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...base.errors import InputError
from ...base.kinds import check_run_output, kind_of
from ...base.progress import notify
from ...evaluation import Evaluator
from ...evaluation.estimates import standard_error
from ...evaluation.scored_text import Scorer
from ...evaluation.sources import Text, read_source
from ...models.interpolated import Members
from ...run import Run, compressed_copy
from ...text import Sources
from .apply import applied
from .methods import choices_of
from .pack import weight_bytes
from .result import CompressedModel


class Original(NamedTuple):
    """A run that is to be compressed, scored once for any number of compressions.

    scores: exact ones on `text`. log_p_N: the network's log-probability of every token there.
    """

    run: Run
    members: Members
    text: Text
    scores: dict[str, Any]
    log_p_N: np.ndarray

    @classmethod
    def open(cls, source: str | Path | Run, valid: Sources | None = None, quiet: bool = False) -> Original:
        """Open and score a run. Raises InputError where it cannot be compressed, or there is no text to score on."""
        run = source if isinstance(source, Run) else Run.open(source)
        check_source(run)
        text = read_source(run, valid, "valid", run.blueprint().reads_characters)
        members = run.load_members()
        if not quiet:
            notify(f"{run.path}: scoring before")
        return cls(run, members, text, *scores_of(run, members, text, quiet))


def compress_model(
    source: str | Path | Run | Original,
    out: str | Path,
    method: str | Sequence[str] = "int8",
    *,
    retrain: float | None = None,
    valid: Sources | None = None,
    quiet: bool = False,
) -> CompressedModel:
    """Make a smaller run folder from a finished run.

    Args:
        source: the run.
        out: folder of the compressed run, which appears whole or not at all.
        method: one, or several in order, see `methods.choices_of`.
        retrain: steps of training of methods that train, as a share of those that trained the run; None takes the
            usual share of each, 0 none.
        valid: the text to score both on; by default the validation split of the run's corpus.
        quiet: show no progress.

    Raises:
        InputError: no such run, one that is compressed already, an unknown method, or no text to score on.
    """
    choices = choices_of(method)
    check_output(out)
    original = source if isinstance(source, Original) else Original.open(source, valid, quiet)
    run, members, text = original.run, original.members, original.text
    work = Path(out).with_name(f"{Path(out).name}.work")
    for place, choice in enumerate(choices):
        members = applied(run, members, choice, work / f"{place + 1}-{choice}", retrain, quiet)
    if not quiet:
        notify(f"{', '.join(map(str, choices))}: scoring after")
    scores, log_p_N = scores_of(run, members, text, quiet)
    found = CompressedModel(
        out=str(out),
        method=",".join(map(str, choices)),
        bytes=weight_bytes(members.network),
        bytes_before=weight_bytes(original.members.network),
        scores=scores,
        scores_before=original.scores,
        text_name=text.split or text.name,
        interval=change_interval(original.log_p_N, log_p_N),
    )
    compressed_copy(run, out, members, {"from": str(run.path), "from_run": run.id, **found.record()})
    shutil.rmtree(work, ignore_errors=True)
    return found


def check_source(run: Run) -> None:
    """Raise InputError where a run cannot be compressed."""
    if run.compressed:
        raise InputError(
            f"{run.path}: is compressed already ({run.compressed['method']}); compress the run it was made from, "
            f"{run.compressed['from']}, with all methods in one list."
        )
    if not run.finished:
        raise InputError(f"{run.path}: its training is not finished; run the same train command again first.")


def check_output(out: str | Path) -> None:
    """Raise InputError where a compressed run cannot be written, or something else would be lost."""
    check_run_output(out)
    if kind_of(out) == "run" and not Run.open(out).compressed:
        raise InputError(f"{out}: holds a trained run, which would be lost; name another folder.")


def scores_of(run: Run, members: Members, text: Text, quiet: bool) -> tuple[dict[str, Any], np.ndarray]:
    """Exact scores on all of a text, and the network's log-probability of every token (N,)."""
    found = Evaluator(Scorer(members, run.tokenizer.start_id), quiet=quiet).evaluate_tokens(text.tokens)
    return found.report, found.additions.get("network", found.log_p_N)


def change_interval(before_N: np.ndarray, after_N: np.ndarray) -> tuple[float, float]:
    """95 % interval of the change of the perplexity, in percent: both read the same tokens, whose differences are taken
    by blocks, as neighbours are alike."""
    lost_N = before_N - after_N
    mean, error = float(lost_N.mean()), standard_error(lost_N)
    return 100.0 * math.expm1(mean - 1.96 * error), 100.0 * math.expm1(mean + 1.96 * error)
