"""A small model of the machine's documentation, which short texts can start from: `--init starter`."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path

from ..base.devices import resolve_device, torch_globals_restored
from ..base.errors import InputError
from ..base.progress import notify
from ..base.storage.cache import cached, writable_cache
from ..base.storage.lock import FolderInUse, only_trainer
from ..config import LanguageModelConfig
from ..config.presets import preset
from ..run import Run
from ..text import Corpus
from ..text.preparation.prepare import prepare
from .language_model import LanguageModelTrainer
from .starts.fresh import fresh_model

TEXT = "python-docs"
"""The corpus that every machine has."""
LOOK_EVERY = 0.5
"""Seconds between two looks at whether another program has trained the starter."""


def starter(quiet: bool = False) -> Run:
    """The run that `init = "starter"` stands for, trained when it is first asked for and then taken from the cache.

    A text of a few dozen kilobytes does not show a network which letters make words; any other text in the same script
    does, and training goes on from there.

    Args:
        quiet: show no progress.
    """
    config = LanguageModelConfig.build(preset("starter"))
    corpus = prepare(TEXT, None, config.text, quiet=quiet)
    place = "starters", hashlib.sha256(f"{corpus.digest}\n{config.model_dump_json()}".encode()).hexdigest()[:32]
    waiting = False
    while True:
        for folder in cached(*place):
            if (run := _opened(folder)) is not None and run.finished:
                return run
        try:
            return _train(writable_cache().joinpath(*place), config, corpus, quiet)
        except FolderInUse:
            if not (waiting or quiet):
                notify("another program is training the model to start from: waiting for it")
            waiting = True
            time.sleep(LOOK_EVERY)


def _train(folder: Path, config: LanguageModelConfig, corpus: Corpus, quiet: bool) -> Run:
    """Train the starter, or go on with one that was stopped. Raises FolderInUse where another program does."""
    with only_trainer(folder), torch_globals_restored():
        run = _opened(folder)
        if run is not None and run.finished:
            return run
        if not quiet:
            notify(f"training the model to start from on the documentation of this machine ({TEXT}), once")
        if run is None:
            shutil.rmtree(folder, ignore_errors=True)
            about = {"digest": corpus.digest, **corpus.summary}
            run = Run.create(folder, config, corpus.tokenizer, about, corpus.items)
        model = fresh_model(run.config, corpus).to(resolve_device(run.config.training.device))
        LanguageModelTrainer(run, model, corpus, quiet).fit()
        run.finish()
        return run


def _opened(folder: Path) -> Run | None:
    """The run there, whose training may not be finished; None where there is none, or it is damaged."""
    try:
        run = Run.open(folder)
        run.load_state()
    except InputError:
        return None
    return run
