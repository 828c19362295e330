"""A small model of the machine's documentation, which short texts can start from: `--init starter`."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from ..base.devices import resolve_device, torch_globals_restored
from ..base.errors import InputError
from ..base.files import cache_folder
from ..base.kinds import kind_of
from ..base.progress import notify
from ..config import LanguageModelConfig
from ..config.presets import preset
from ..run import Run
from ..text import Corpus
from ..text.preparation.prepare import prepare
from .loop import Trainer
from .starts.fresh import fresh_model

TEXT = "python-docs"
"""The corpus that every machine has."""


def starter(quiet: bool = False) -> Run:
    """The run that `init = "starter"` stands for, trained when it is first asked for and then taken from the cache.

    A text of a few dozen kilobytes does not show a network which letters make words; any other text in the same script
    does, and training goes on from there.

    Args:
        quiet: show no progress.
    """
    config = LanguageModelConfig.build(preset("starter"))
    corpus = prepare(TEXT, None, config.text, quiet=quiet)
    key = hashlib.sha256(f"{corpus.digest}\n{config.model_dump_json()}".encode()).hexdigest()
    folder = cache_folder() / "starters" / key[:32]
    try:
        run = Run.open(folder) if kind_of(folder) == "run" else None
        if run is not None and run.finished:
            return run
    except InputError:  # a damaged one is made again
        shutil.rmtree(folder)
        run = None
    if not quiet:
        notify(
            f"training the model to start from, once, on the documentation of this machine ({TEXT}); it is kept in the "
            "cache"
        )
    with torch_globals_restored():
        return _trained(run or _created(folder, config, corpus), corpus, quiet)


def _created(folder: Path, config: LanguageModelConfig, corpus: Corpus) -> Run:
    return Run.create(folder, config, corpus.tokenizer, {"digest": corpus.digest, **corpus.summary}, corpus.items)


def _trained(run: Run, corpus: Corpus, quiet: bool) -> Run:
    model = fresh_model(run.config, corpus).to(resolve_device(run.config.training.device))
    Trainer(run, model, corpus, quiet).fit()
    run.finish()
    return run
