"""What a path is, by the files that seqlab writes: the one place that knows."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from .errors import InputError
from .files import read_json
from .storage.outputs import check_place, place_of
from .storage.whole import recover

Kind = Literal["run", "autoencoder", "vectors", "unfinished vectors", "corpus", "folder", "file", "nothing"]

DESCRIPTIONS: dict[Kind, str] = {
    "run": "a language-model run",
    "autoencoder": "an autoencoder's run",
    "vectors": "a folder of word vectors",
    "unfinished vectors": "a folder of word vectors whose training is not finished",
    "corpus": "a prepared corpus",
    "folder": "a folder that seqlab did not write",
    "file": "a file",
    "nothing": "no file or folder",
}
RUN_KIND: Literal["language-model"] = "language-model"
AUTOENCODER_KIND: Literal["autoencoder"] = "autoencoder"
"""The "kind" that config.json of a run names."""
RUNS: dict[str, Kind] = {RUN_KIND: "run", AUTOENCODER_KIND: "autoencoder"}


def a_run(kind: Literal["language-model", "autoencoder"]) -> str:
    """A run whose config.json names this kind, in words."""
    return DESCRIPTIONS[RUNS[kind]]


def kind_of(path: str | Path) -> Kind:
    """What is at `path`, judged by names of files and the kind that a configuration names; nothing else is read.

    Raises:
        InputError: the folder's config.json is damaged.
    """
    path = Path(path)
    if not path.is_dir():
        return "file" if path.exists() else "nothing"
    recover(path)
    if (path / "corpus.json").is_file():
        return "corpus"
    if (path / "vectors.safetensors").exists() or (path / "vocab.json").exists():
        return "vectors"
    if (path / "config.json").is_file():
        record = read_json(path / "config.json")
        kind = record.get("kind") if isinstance(record, dict) else None
        return RUNS.get(kind, "folder") if isinstance(kind, str) else "folder"
    return "unfinished vectors" if (path / "state" / "latest.safetensors").is_file() else "folder"


def description(path: str | Path) -> str:
    """What is at `path`, in words for a sentence: "a prepared corpus"."""
    return DESCRIPTIONS[kind_of(path)]


def check_run_output(path: str | Path, wanted: Kind = "run") -> None:
    """Make sure that a model can be trained into a folder, before any work is done for it.

    Args:
        path: the folder.
        wanted: the kind of run that may be there, to be resumed.

    Raises:
        InputError: something else is there, or nothing can be written there.
    """
    check_place(path)
    kind, place = kind_of(path), place_of(path)
    if kind not in ("nothing", wanted) and (kind != "folder" or any(place.iterdir())):
        what = DESCRIPTIONS[wanted]
        raise InputError(f"{path}: exists and is {description(path)}, not {what}; choose another output folder.")
