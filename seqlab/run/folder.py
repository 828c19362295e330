"""The run folder of a network: everything needed to use it or to resume its training, by itself.

    config.json         resolved configuration, versions, command line, the corpus's digest
    tokenizer.json
    items.npy           of a list: keys of its lines
    model.safetensors   best weights by validation, and how much the counts say beside them
    counts.safetensors  Kneser-Ney counts of the training text, where they help
    state/latest.safetensors   exact state of training; one file, so that one rename replaces it
    metrics.jsonl       one line per log step
    manifest.json       sizes and digests, written last

Tensor files carry their own digest, so a run that was killed between two writes is still whole.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import NoneType
from typing import Any, ClassVar, Generic, Literal, Self

import numpy as np

from ..base.contents.forms import check_form, misfit
from ..base.devices import nothing_drawn, without_weights
from ..base.errors import InputError
from ..base.files import (
    atomic_folder,
    json_line,
    load_tensors,
    read_json,
    save_tensors,
    tensor_shapes,
    verify_manifest,
    write_json,
    write_json_lines,
    write_manifest,
)
from ..base.kinds import a_run, description
from ..base.results import abbreviated, line
from ..base.storage.metrics import read_metrics
from ..base.storage.whole import read_whole
from ..config import LanguageModelConfig, TextConfig
from ..config.arguments import checked
from ..diagnosis import Findings
from ..models.counts.gate import Gate
from ..models.network import M
from ..models.recent.cache import Cache
from ..nn.packed import packed_in, stored_shapes
from ..text import Tokenizer, load_tokenizer
from ..text.ids.token_file import ITEMS, read_items
from .history import History
from .weights import model_arrays, set_weights

CONFIG, TOKENIZER, MODEL, COUNTS, STATE, METRICS = (
    "config.json",
    "tokenizer.json",
    "model.safetensors",
    "counts.safetensors",
    "state/latest.safetensors",
    "metrics.jsonl",
)
FITTED = ("gate.", "cache.")
"""Beginnings of the names of arrays that stand beside the weights in MODEL."""
RECORD = {
    "kind": str,
    "config": dict,
    "corpus": {"digest": str, "lines?": (bool, NoneType), "path?": str, "splits?": dict, "lead_ins?": list},
    "vocab_size": int,
    "seqlab": str,
    "run?": (str, NoneType),
    "continued?": int,
    "compressed?": {"method": str, "from": str, "bytes": int},
}
"""What config.json holds, so far as anything depends on it."""
STATE_FORM = {
    "threads": int,
    "processes?": int,
    "run?": (str, NoneType),
    "position": {
        "finished": bool,
        "step": int,
        "tokens?": int,
        "seconds?": (float, int),
        "valid_tokens?": int,
        "continued?": int,
    },
}
"""What the text in the header of a state holds, so far as anything but the training itself reads it."""


class RunFolder(ABC, Generic[M]):
    """An opened run folder, of any kind of network.

    Attributes:
        path: the folder.
        config: the resolved configuration.
        tokenizer: of the text the model was trained on.
        record: the whole of config.json.
        temporary: whether the folder goes when nothing refers to this object any more.
        reading: what differs from how the training text was read, see `reading_as`.
        first: what this is a copy of, whose temporary folder stays as long as the copy; None for no copy.
        KIND: what config.json calls such a run. SETTINGS: the class of its configuration.
    """

    KIND: ClassVar[Literal["language-model", "autoencoder"]]
    SETTINGS: ClassVar[type[LanguageModelConfig]]

    def __init__(self, path: Path, config: LanguageModelConfig, tokenizer: Tokenizer, record: dict[str, Any]):
        self.path, self.config, self.tokenizer, self.record = path, config, tokenizer, record
        self.temporary = False
        self.reading: dict[str, str] = {}
        self.first: Self | None = None

    def __repr__(self) -> str:
        model, best = self.config.model, self.history.best_perplexity
        return line(
            "Run",
            [
                str(self.path),
                f"{model.layers}x{model.hidden_dim} {model.cell}",
                f"{abbreviated(self.parameters)} parameters",
                f"{self.tokenizer.kind} {len(self.tokenizer.vocab):,} types",
                "" if best is None else f"best valid perplexity {best:.4g}",
            ],
        )

    @property
    def history(self) -> History:
        """What training measured so far, read from metrics.jsonl now."""
        return History(self.metrics())

    @cached_property
    def parameters(self) -> int:
        """Numbers that the model learns; tied ones count once."""
        return sum(weight.numel() for weight in self.blueprint().parameters())

    @property
    def lines(self) -> bool:
        """Whether the model was trained on a list, each line read from its own beginning."""
        return bool(self.record["corpus"].get("lines"))

    @cached_property
    def items(self) -> np.ndarray | None:
        """Sorted keys of the lines of the list that the model was trained on, None where it was no list."""
        return read_items(self.path / ITEMS) if (self.path / ITEMS).exists() else None

    @property
    def compressed(self) -> dict[str, Any] | None:
        """How its weights were made smaller, and from what; None for a run as it was trained. A compressed run has no
        state of training."""
        found: dict[str, Any] | None = self.record.get("compressed")
        return found

    @property
    def text_settings(self) -> TextConfig:
        """How to read another text: as the training text was read, but for `reading`."""
        return self.config.text.updated({"lines": "yes" if self.lines else "no", **self.reading})

    def reading_as(self, field: str | None = None, encoding: str | None = None, errors: str | None = None) -> Self:
        """The same run, which reads texts that are not stored as the training text was.

        Args:
            field: of their records, or column of their table; None: that of the training text.
            encoding: of those that are not UTF-8; None: that of the training text.
            errors: what to do with invalid bytes, "strict" or "replace"; None: what was done in the training text.

        Raises:
            InputError: none of these.
        """
        other, given = copy.copy(self), {"field": field, "encoding": encoding, "errors": errors}
        other.first = self
        other.reading = {name: value for name, value in given.items() if value is not None}
        other.text_settings  # noqa: B018 - refuses what is no such setting
        return other

    @property
    @abstractmethod
    def diagnosis(self) -> Findings:
        """What its training shows, in plain words."""

    @abstractmethod
    def new_network(self) -> M:
        """The network with fresh weights. Raises InputError where its settings contradict one another."""

    def blueprint(self) -> M:
        """The network without its weights, in no time and no memory. Raises InputError where its settings contradict
        one another, which those of a run do only when the file was changed."""
        try:
            with without_weights():
                return self.new_network()
        except InputError as error:
            raise InputError(f"{self.path / CONFIG}: {error}") from None

    def load_network(self) -> tuple[M, dict[str, np.ndarray]]:
        """The network with its best weights as they are stored, in evaluation mode, and the arrays of what was fitted
        to it. Raises InputError where there are none, or they are damaged."""
        self.check_trained()
        self.check_shapes()
        tensors, carried = load_tensors(self.path / MODEL)
        self.check_own(MODEL, carried.get("run"))
        fitted = {name: tensors.pop(name) for name in list(tensors) if name.startswith(FITTED)}
        with nothing_drawn():
            model = self.new_network()
        shapes = {name: tuple(part.shape) for name, part in model.state_dict().items()}
        try:
            weights = packed_in(tensors, shapes)
        except ValueError as error:
            raise InputError(f"{self.path / MODEL}: {error}; the file is damaged.") from None
        set_weights(model, weights)
        return model.eval(), fitted

    @classmethod
    def create(
        cls,
        path: str | Path,
        config: LanguageModelConfig,
        tokenizer: Tokenizer,
        corpus: Mapping[str, Any],
        items: np.ndarray | None = None,
    ) -> Self:
        """A new run, which appears whole or not at all.

        Args:
            path: an empty or missing folder.
            config: of the run.
            tokenizer: of the text.
            corpus: describes the text; its "digest" is compared on resume.
            items: keys of the lines of a list.

        Raises:
            InputError: something else is there.
        """
        path = Path(path)
        record = {
            "kind": cls.KIND,
            "config": config.model_dump(),
            "corpus": dict(corpus),
            "vocab_size": len(tokenizer.vocab),
            "run": identity(config, tokenizer, corpus),
            **environment(),
        }
        with atomic_folder(path) as folder:
            (folder / "state").mkdir()
            tokenizer.save(folder / TOKENIZER)
            write_json(folder / CONFIG, record)
            if items is not None:
                np.save(folder / ITEMS, items, allow_pickle=False)
            write_manifest(folder, [name for name in (CONFIG, TOKENIZER, ITEMS) if (folder / name).exists()])
        return cls(path, config, tokenizer, record)

    @classmethod
    def begin(
        cls,
        out: str | Path | None,
        config: LanguageModelConfig,
        tokenizer: Tokenizer,
        corpus: Mapping[str, Any],
        items: np.ndarray | None = None,
    ) -> Self:
        """`create` at `out`, or in a temporary folder that is removed when the object is garbage-collected."""
        if out is not None:
            return cls.create(out, config, tokenizer, corpus, items)
        folder = Path(tempfile.mkdtemp(prefix="seqlab-run-"))
        run = cls.create(folder / "run", config, tokenizer, corpus, items)
        run.remove_when_collected(folder)
        return run

    def extend(self, config: LanguageModelConfig) -> None:
        """Give the run a larger budget; a finished one is to be continued then. Nothing else may differ."""
        self.config, record = config, {**self.record, "config": config.model_dump()}
        self.record = {**record, "continued": record.get("continued", 0) + 1}
        names = [TOKENIZER, MODEL, STATE, METRICS, ITEMS]
        write_manifest(self.path, [name for name in names if (self.path / name).exists()])  # whole at any moment
        write_json(self.path / CONFIG, self.record)
        write_manifest(self.path, [name for name in (CONFIG, TOKENIZER, ITEMS) if (self.path / name).exists()])

    @classmethod
    @checked
    def open(cls, path: str | Path) -> Self:
        """Open and verify a run. Raises InputError saying which file is missing or damaged."""
        return read_whole(path, lambda: cls._open(Path(path)))

    @classmethod
    def _open(cls, path: Path) -> Self:
        if not path.exists():
            raise InputError(f"{path}: no such run folder.")
        if not (path / CONFIG).is_file():
            raise InputError(f"{path}: {description(path)}, not {a_run(cls.KIND)} (it has no {CONFIG}).")
        verify_manifest(path, later=(MODEL, COUNTS, STATE))
        record = read_json(path / CONFIG)
        if not isinstance(record, dict) or record.get("kind") != cls.KIND:
            raise InputError(f"{path}: {description(path)}, not {a_run(cls.KIND)}.")
        check_form(path / CONFIG, record, RECORD)
        config = cls.SETTINGS.of_record(record["config"], str(path / CONFIG))
        tokenizer = load_tokenizer(path / TOKENIZER)
        if len(tokenizer.vocab) != record["vocab_size"]:
            raise InputError(
                f"{path / CONFIG}: vocab_size = {record['vocab_size']:,} does not fit the {len(tokenizer.vocab):,} "
                f"types of {TOKENIZER}; one of the two was replaced."
            )
        return cls(path, config, tokenizer, record)

    @checked
    def copy_to(self, path: str | Path) -> Path:
        """Copy the run to a folder, complete or not at all; a run that is there is replaced.

        Raises:
            InputError: a file or a folder with other things in it is there.
        """
        path = Path(path)
        if path.resolve() != self.path.resolve():
            with atomic_folder(path, CONFIG) as temporary:
                shutil.copytree(self.path, temporary, dirs_exist_ok=True)
        return path

    def remove_when_collected(self, folder: Path) -> None:
        """Delete `folder`, which holds the run, once nothing refers to this object any more."""
        self.temporary = True
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def check_trained(self) -> None:
        """Raise InputError where there are no weights yet."""
        if not (self.path / MODEL).exists():
            raise InputError(
                f"{self.path}: has no weights yet (training stopped before its first validation); "
                "run the same train command again to resume."
            )

    def check_shapes(self) -> None:
        """Raise InputError where the stored weights are not those of the configuration, before either takes memory."""
        stored = {
            name: shape for name, shape in tensor_shapes(self.path / MODEL).items() if not name.startswith(FITTED)
        }
        fits = len(stored) >= self.config.model.layers  # or the model would be sketched for nothing
        if fits:
            sketch = self.blueprint()
            expected = {name: tuple(part.shape) for name, part in sketch.state_dict().items()}
            expected = {name: shape for name, shape in expected.items() if name not in sketch.aliases()}
            fits = stored_shapes(stored, expected) == expected
        if not fits:
            raise InputError(f"{self.path / MODEL}: its tensors do not fit {CONFIG}; one of the two was replaced.")

    @property
    def finished(self) -> bool:
        """Whether training has reached the end of its budget."""
        if self.compressed:
            return True
        saved = self.load_state()
        return saved is not None and bool(saved[1]["position"]["finished"])

    def save_model(self, model: M, gate: Gate | None = None, cache: Cache | None = None) -> None:
        """Replace the best weights, and the gate and cache fitted to them, in one rename. Tied tensors are stored
        once."""
        fitted = (gate.arrays() if gate else {}) | (cache.arrays() if cache else {})
        save_tensors(self.path / MODEL, model_arrays(model) | fitted, {"run": self.id} if self.id else None)

    def remove_model(self) -> None:
        """Forget the weights kept so far, of a training that came to nothing."""
        (self.path / MODEL).unlink(missing_ok=True)

    @property
    def id(self) -> str | None:
        """What its weights and state carry to belong to it, None in a run of an earlier version."""
        return self.record.get("run")

    def check_own(self, name: str, identity: object) -> None:
        """Raise InputError where a file carries the identity of another run."""
        if identity is not None and self.id is not None and identity != self.id:
            raise InputError(f"{self.path / name}: belongs to another run; restore the run's own, or its whole folder.")

    def save_state(self, tensors: Mapping[str, np.ndarray], values: Mapping[str, Any]) -> None:
        """Replace the exact state: arrays, and plain values stored as JSON."""
        save_tensors(self.path / STATE, tensors, {"values": json.dumps({**values, "run": self.id})})

    def load_state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """The last saved state, or None when nothing was saved yet.

        Raises:
            InputError: it is damaged, of another run, or gone though there are weights or metrics, which come after it.
        """
        if not (self.path / STATE).exists():
            metrics = self.path / METRICS
            begun = (self.path / MODEL).exists() or (metrics.is_file() and metrics.stat().st_size)
            if self.id is not None and begun and not self.compressed:
                raise InputError(
                    f"{self.path / STATE}: missing though the run has been trained; restore it, or name another output "
                    "folder."
                )
            return None
        tensors, metadata = load_tensors(self.path / STATE)
        try:
            values = json.loads(metadata["values"])
            known = not misfit(values, STATE_FORM)
        except (KeyError, TypeError, ValueError, RecursionError):
            known = False
        if not known:
            raise InputError(f"{self.path / STATE}: not the state of a run; the file is damaged.")
        self.check_own(STATE, values.get("run"))
        return tensors, values

    def log(self, line: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl."""
        with open(self.path / METRICS, "ab") as handle:
            handle.write(json_line(line))

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, without one that is still being written and damaged ones."""
        return read_metrics(self.path / METRICS)

    def rewind_metrics(self, step: int) -> None:
        """Drop what was logged after `step`, where training resumes."""
        write_json_lines(self.path / METRICS, [line for line in self.metrics() if line["step"] <= step])

    def finish(self) -> None:
        """Write the manifest of the finished run."""
        names = [CONFIG, TOKENIZER, ITEMS, MODEL, COUNTS, STATE, METRICS]
        write_manifest(self.path, [name for name in names if (self.path / name).exists()])


AnyRun = RunFolder[Any]
"""A run folder of whatever kind."""


def identity(config: LanguageModelConfig, tokenizer: Tokenizer, corpus: Mapping[str, Any]) -> str:
    """What a training is of, as a digest: equal trainings have the same, so that they end with the same bytes."""
    content = [config.model_dump(), tokenizer.digest, corpus.get("digest")]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


_installed = functools.cache(version)


def environment() -> dict[str, Any]:
    """What made the run: versions, command line, git commit of the working folder if there is one."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        commit = ""
    return {
        "seqlab": _installed("seqlab"),
        "libraries": {name: _installed(name) for name in ("torch", "numpy", "tokenizers")},
        "python": platform.python_version(),
        "git_commit": commit or None,
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
    }
