"""A small model of the machine's documentation, which short texts can start from: `--init starter`."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from ..base.devices import resolve_device, torch_globals_restored
from ..base.errors import InputError
from ..base.progress import notify
from ..base.storage.cache import cached, writable_cache
from ..base.storage.lock import only_trainer
from ..config import LanguageModelConfig
from ..config.presets import preset
from ..run import Run
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
    place = "starters", hashlib.sha256(f"{corpus.digest}\n{config.model_dump_json()}".encode()).hexdigest()[:32]
    for folder in cached(*place):
        if (run := _opened(folder)) is not None and run.finished:
            return run
    folder = writable_cache().joinpath(*place)
    with only_trainer(folder), torch_globals_restored():
        if not quiet:
            notify(f"training the model to start from on the documentation of this machine ({TEXT}), once")
        run = _opened(folder)
        if run is None:
            shutil.rmtree(folder, ignore_errors=True)
            about = {"digest": corpus.digest, **corpus.summary}
            run = Run.create(folder, config, corpus.tokenizer, about, corpus.items)
        model = fresh_model(run.config, corpus).to(resolve_device(run.config.training.device))
        Trainer(run, model, corpus, quiet).fit()
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
