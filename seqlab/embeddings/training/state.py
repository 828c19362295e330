"""The exact state of a training of word vectors, in the folder of the vectors.

    VECTORS/state/latest.safetensors    matrices, position, settings and text; verifies itself
    VECTORS/metrics.jsonl               losses and speed, for curves

It is written during training, so that the same command resumes where it stopped, and stays in the finished folder, so
that training can continue there on another text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

from ...base.contents.forms import misfit
from ...base.errors import InputError, check_same_settings
from ...base.files import atomic_folder, load_tensors, save_tensors, write_json_lines
from ...base.storage.metrics import read_metrics as read_lines
from ...config import EmbeddingsConfig
from ..folder import STATE

METRICS = "metrics.jsonl"
FREE = ("workers", "device")
"""Settings that may differ when a training resumes. On another device it draws other random numbers from there on."""


FORM = {
    "position": {
        "jobs": int,
        "seconds": (float, int),
        "losses": [(float, int)],
        "predictions": [int],
        "held_out": [(float, int, NoneType)],
        "lines": [dict],
    },
    "origin": {"settings": dict, "text": str, "vocabulary": str},
}
"""What the text in the header of a state holds."""


@dataclass
class VectorPosition:
    """The progress of training. The lists have one entry per epoch begun (`held_out`: per epoch ended); `lines` are
    those of metrics.jsonl."""

    jobs: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    predictions: list[int] = field(default_factory=list)
    held_out: list[float | None] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def add(self, epoch: int, loss: float, predictions: int) -> None:
        """Count a job that is done."""
        if epoch == len(self.losses):
            self.losses.append(0.0)
            self.predictions.append(0)
        self.losses[epoch] += loss
        self.predictions[epoch] += predictions
        self.jobs += 1

    def check(self, jobs: int) -> None:
        """Raise ValueError where this is no position among so many jobs."""
        epochs = len(self.losses)
        if not (type(self.jobs) is int and 0 <= self.jobs <= jobs and len(self.predictions) == epochs):
            raise ValueError(f"{self.jobs!r} of {jobs:,} jobs are done")
        numbers = [*self.losses, *self.predictions, *(one for one in self.held_out if one is not None), self.seconds]
        if len(self.held_out) > epochs or not all(isinstance(one, dict) for one in self.lines):
            raise ValueError("its losses are not those of its epochs")
        if not all(type(one) in (int, float) for one in numbers):
            raise ValueError("a loss is no number")

    @property
    def means(self) -> list[float | None]:
        """Nats per prediction of every epoch; None of one in which nothing was predicted."""
        return [loss / count if count else None for loss, count in zip(self.losses, self.predictions, strict=True)]


@dataclass(frozen=True)
class Origin:
    """What a training is of: equal when it resumes."""

    settings: dict[str, Any]
    text: str
    vocabulary: str

    @classmethod
    def of(cls, config: EmbeddingsConfig, digest: str, words: Sequence[str]) -> Origin:
        settings = {key: value for key, value in config.model_dump().items() if key not in FREE}
        return cls(settings, digest, hashlib.sha256("\n".join(words).encode("utf-8", "surrogatepass")).hexdigest())

    def check(self, folder: Path, saved: Origin) -> None:
        """Raise InputError naming what differs from the training whose state `folder` holds."""
        if saved.text != self.text:
            raise InputError(
                f"{folder}: was trained on another text; use the same text to resume, or another output folder."
            )
        EmbeddingsConfig.without_removed(saved.settings, str(folder))
        check_same_settings(folder, saved.settings, self.settings)
        if saved.vocabulary != self.vocabulary:
            raise InputError(f"{folder}: was trained for other words; name another output folder.")


def save_state(folder: Path, arrays: Mapping[str, np.ndarray], position: VectorPosition, origin: Origin) -> None:
    """Replace the state in a folder, atomically; a folder without one appears with it, or not at all."""
    if (folder / STATE).is_file():
        write_state(folder, arrays, position, origin)
    else:
        with atomic_folder(folder, STATE) as new:
            write_state(new, arrays, position, origin)


def write_state(folder: Path, arrays: Mapping[str, np.ndarray], position: VectorPosition, origin: Origin) -> None:
    """Write a state into a folder that is there."""
    (folder / STATE).parent.mkdir(exist_ok=True)
    values = {"position": asdict(position), "origin": asdict(origin)}
    save_tensors(folder / STATE, arrays, {"values": json.dumps(values)})
    write_json_lines(folder / METRICS, position.lines)


def load_state(folder: Path) -> tuple[dict[str, np.ndarray], VectorPosition, Origin] | None:
    """The state in a folder, None where it has none. Raises InputError where it is damaged."""
    if not (folder / STATE).is_file():
        return None
    arrays, metadata = load_tensors(folder / STATE)
    try:
        values = json.loads(metadata["values"])
        if wrong := misfit(values, FORM):
            raise ValueError(wrong)
        return arrays, VectorPosition(**values["position"]), Origin(**values["origin"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{folder / STATE}: not a state of word vectors ({error}); it is damaged.") from None


def settings_begun_with(folder: Path) -> dict[str, Any] | None:
    """The settings of the state in a folder, from its header alone; None where it has none. Raises InputError where
    that is damaged."""
    if not (folder / STATE).is_file():
        return None
    import safetensors

    try:
        with safetensors.safe_open(folder / STATE, framework="numpy") as handle:
            settings = dict(json.loads(handle.metadata()["values"])["origin"]["settings"])
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder / STATE}: not a state of word vectors ({error}); it is damaged.") from None
    return EmbeddingsConfig.without_removed(settings, str(folder))


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl."""
    return read_lines(folder / METRICS)
