"""The run folder of a language model: its network, and the counts of the training text beside it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..base.devices import resolve_device
from ..base.errors import InputError
from ..base.files import atomic_folder, write_json
from ..base.kinds import RUN_KIND
from ..config import LanguageModelConfig
from ..diagnosis import CurveFacts, Findings, diagnose
from ..models import LanguageModel
from ..models.counts.checks import wrong_gate
from ..models.counts.gate import Gate
from ..models.counts.kneser_ney import NGramModel
from ..models.interpolated import Members
from ..models.recent.cache import KINDS, Cache
from ..nn.packed import unpack_
from ..text.ids.token_file import ITEMS
from .folder import CONFIG, COUNTS, METRICS, MODEL, TOKENIZER, RunFolder, environment


class Run(RunFolder):
    """An opened run folder of a language model.

    Attributes: see `RunFolder`.
    """

    KIND = RUN_KIND
    SETTINGS = LanguageModelConfig

    @property
    def diagnosis(self) -> Findings:
        """What the curves of its training mean, in plain words."""
        saved, output = self.load_state(), self.blueprint().output
        position = saved[1]["position"] if saved else {"finished": True} if self.compressed else {}
        return diagnose(self.metrics(), CurveFacts.of(self.config, self.tokenizer.vocab.counts, output.exact, position))

    @property
    def lead_ins(self) -> list[list[int]]:
        """What the model reads before a text without a prompt (see `text.ids.lead_ins`); nothing for a list, or in a
        run of an earlier version.

        Raises:
            InputError: they are no ids of the vocabulary.
        """
        found = self.record["corpus"].get("lead_ins") or []
        types = range(len(self.tokenizer.vocab))
        rows = [row for row in found if isinstance(row, list) and row]
        intact = len(rows) == len(found) and all(type(id) is int and id in types for row in rows for id in row)
        if not intact or len({len(row) for row in rows}) > 1:
            raise InputError(f"{self.path / CONFIG}: its lead_ins are no ids of the vocabulary; the file is damaged.")
        return found

    def new_network(self) -> LanguageModel:
        return LanguageModel(self.config.model, self.record["vocab_size"])

    def blueprint(self) -> LanguageModel:
        model = super().blueprint()
        model.output.set_counts(self.tokenizer.vocab.counts)
        return model

    def load_model(self, device: str = "cpu") -> LanguageModel:
        """The network with its best weights as float32 numbers, in evaluation mode: for whoever changes them."""
        network = self.load_members(counts=False).network
        unpack_(network)
        return network.to(resolve_device(device))

    def load_members(self, device: str = "cpu", counts: bool = True) -> Members:
        """The network with its best weights, in evaluation mode, and the counts beside it where the run has them.

        Args:
            device: of the network; only on the CPU are packed weights used as they are stored.
            counts: whether to read the counts too.
        """
        network, fitted_arrays = self.load_network()
        network.set_words(self.tokenizer.vocab.itos)
        if (place := resolve_device(device)) != "cpu":
            network = unpack_(network).to(place)
        width = network.output.width
        parts = ("gate", "cache")
        gate_arrays, cache_arrays = (
            {name: array for name, array in fitted_arrays.items() if name.startswith(f"{part}.")} for part in parts
        )
        try:
            cache = Cache.of(cache_arrays) if cache_arrays else None
            gate = Gate.of(gate_arrays) if gate_arrays else None
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{self.path / MODEL}: its gates are incomplete; the file is damaged.") from None
        counted = self.load_counts() if gate and counts else None
        fitted = [(cache.gate, KINDS)] if cache else []
        fitted += [(gate, counted.kinds)] if gate and counted else []
        for one, kinds in fitted:
            if wrong := wrong_gate(one.bias_K, one.weight_D, kinds, width):
                raise InputError(f"{self.path / MODEL}: {wrong}; the file is damaged.")
        return Members(network, counted, gate, cache=cache)

    @property
    def has_counts(self) -> bool:
        """Whether counts of the training text stand beside the network."""
        return (self.path / COUNTS).exists()

    def load_counts(self) -> NGramModel | None:
        """The counts of the training text, None where the run has none."""
        if not self.has_counts:
            return None
        counts = NGramModel.load(self.path / COUNTS)
        if counts.vocab_size != len(self.tokenizer.vocab):
            raise InputError(
                f"{self.path / COUNTS}: has {counts.vocab_size:,} types where {TOKENIZER} has "
                f"{len(self.tokenizer.vocab):,}; one of the two was replaced."
            )
        return counts

    def save_counts(self, counts: NGramModel) -> None:
        """Keep the counts of the training text."""
        counts.save(self.path / COUNTS)

    def remove_counts(self) -> None:
        """Go on without counts; the weights are to be saved without a gate first."""
        (self.path / COUNTS).unlink(missing_ok=True)


def compressed_copy(run: Run, out: str | Path, members: Members, about: Mapping[str, Any]) -> Run:
    """A run folder with other weights than the run it is made from, and without its state of training.

    Args:
        run: it is made from.
        out: the folder, which appears whole or not at all; a run that is there is replaced.
        members: with the new weights.
        about: what config.json says under "compressed".

    Raises:
        InputError: something else than a run is there.
    """
    content = [run.id, members.network.config.model_dump(), dict(about)]
    config = run.config.model_copy(update={"model": members.network.config})
    record = {
        **run.record,
        "config": config.model_dump(),
        "run": hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16],
        "compressed": dict(about),
        **environment(),
    }
    with atomic_folder(out, CONFIG) as folder:
        write_json(folder / CONFIG, record)
        for name in (TOKENIZER, ITEMS, METRICS):
            if (run.path / name).exists():
                shutil.copyfile(run.path / name, folder / name)
        made = Run(folder, config, run.tokenizer, record)
        if members.counts is not None:
            made.save_counts(members.counts)
        made.save_model(members.network, members.gate, members.cache)
        made.finish()
    return Run(Path(out), config, run.tokenizer, record)
