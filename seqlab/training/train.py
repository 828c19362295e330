"""The story of a training: plan, make or reopen the run, train, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..base.devices import resolve_device, torch_globals_restored
from ..base.errors import InputError
from ..models import LanguageModel
from ..run import Run
from .distributed import join
from .loop import Trainer
from .planning import Layer, Source, start
from .report import report


class Trained(NamedTuple):
    """What training leaves.

    run: the run folder. model: its best weights, in evaluation mode, on the device that trained them. summary: see
    `report`; empty in all but the first of several processes.
    """

    run: Run
    model: LanguageModel
    summary: dict[str, Any]


def train_language_model(
    source: Source,
    out: str | Path | None = None,
    *,
    valid: Any = None,
    test: Any = None,
    quiet: bool = False,
    preset: str | None = None,
    given: Mapping[str, Any] | Sequence[Layer] = (),
    more: float | None = None,
) -> Trained:
    """Train a language model on a text, or resume the unfinished run at `out`.

    torch's global generators and thread count are afterwards as they were.

    Args:
        source: text file(s), folder, corpus name or prepared corpus.
        out: run folder; None makes a temporary one, which is removed when the `Run` is garbage-collected.
        valid, test: texts to validate and to test on; by default the end of the text is kept for validation.
        quiet: show no progress.
        preset: its name; None takes the one that suits the text.
        given: settings, see `plan`.
        more: minutes by which to continue the finished run at `out`.

    Raises:
        InputError: a bad text or setting, or a run at `out` made with another text or configuration.
    """
    world = join()
    if world.size > 1 and out is None:
        raise InputError("several processes need an output folder they all can reach; name one.")
    quiet = quiet or not world.first
    with torch_globals_restored():
        with world.one_after_the_other():
            run, model, corpus = start(source, out, valid, test, quiet, preset, given, world.size, more)
        device = world.local_device(resolve_device(run.config.training.device))
        position = Trainer(run, model.to(device), corpus, quiet, world).fit()
        del model
        if world.first:
            run.finish()
        world.barrier()
        best = run.load_model(device)
        summary = report(run, best, corpus, position, quiet) if world.first else {}
        world.barrier()
    return Trained(run, best, summary)
