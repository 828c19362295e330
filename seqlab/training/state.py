"""The exact state of training, so that a run that was stopped ends with the bits of one that never was."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..base.errors import InputError
from ..run import model_arrays
from .step import select

if TYPE_CHECKING:
    from .loop import Trainer

PARTS = ("optimizer", "penalty", "activation_penalty", "window", "activity")
"""Attributes of a trainer whose `arrays()` are saved and loaded as they are."""


def save(trainer: Trainer) -> None:
    """Replace the run's exact state. All processes take part, the first one writes."""
    world, device = trainer.world, trainer.model.device
    states = [[world.gather(part) for part in cell_state] for cell_state in trainer.state]
    generators = {"rng.torch": world.gather(torch.get_rng_state())}
    if device.type == "cuda":
        generators["rng.cuda"] = world.gather(torch.cuda.get_rng_state(device))
    if not world.first:
        return
    tensors = {f"model.{name}": array for name, array in model_arrays(trainer.model).items()}
    tensors |= {f"reader.{name}": array for name, array in trainer.reader.arrays().items()}
    for owner in (*PARTS, "average"):
        tensors |= {f"{owner}.{name}": _numpy(t) for name, t in getattr(trainer, owner).arrays().items()}
    for layer, parts in enumerate(states):
        tensors |= {f"state.{layer}.{part}": _numpy(torch.cat(shares)) for part, shares in enumerate(parts)}
    for name, shares in generators.items():
        tensors |= {f"{name}.{rank}": _numpy(share) for rank, share in enumerate(shares)}
    values = {
        "position": asdict(trainer.position),
        "average": trainer.average.numbers(),
        "output": trainer.model.output.get_state(),
        "corpus": trainer.corpus.digest,
        "threads": torch.get_num_threads(),
        "processes": world.size,
    }
    trainer.run.save_state(tensors, values)


def load(trainer: Trainer) -> dict[str, Any] | None:
    """Bring a trainer to the run's saved state, unless that is the end of training, which any number of processes may
    look at. Returns the saved position, or None when nothing was saved yet.

    Raises:
        InputError: another number of processes trained the unfinished run.
    """
    saved = trainer.run.load_state()
    if saved is None:
        return None
    arrays, values = saved
    position: dict[str, Any] = values["position"]
    if position["finished"]:
        return position
    world, device = trainer.world, trainer.model.device
    if values["processes"] != world.size:
        raise InputError(
            f"{trainer.run.path}: was trained by {values['processes']} processes, not {world.size}; start as many."
        )
    trainer.model.load_state_dict(_under("model.", _tensors(arrays)), strict=False)
    trainer.reader.load_arrays(_under("reader.", arrays))
    on_device = {
        name: t if name.startswith("optimizer.") and name.endswith(".step") else t.to(device)
        for name, t in _tensors(arrays).items()
        if not name.startswith("rng.")
    }
    for owner in PARTS:
        getattr(trainer, owner).load_arrays(_under(f"{owner}.", on_device))
    trainer.average.load(_under("average.", on_device), values["average"])
    joint = [
        tuple(on_device[f"state.{layer}.{part}"] for part in range(len(cell_state)))
        for layer, cell_state in enumerate(trainer.state)
    ]
    trainer.state = select(joint, world.rows(trainer.reader.batch_size))
    torch.set_rng_state(torch.from_numpy(arrays[f"rng.torch.{world.rank}"]))
    if device.type == "cuda":
        torch.cuda.set_rng_state(torch.from_numpy(arrays[f"rng.cuda.{world.rank}"]), device)
    trainer.model.output.set_state(values["output"])
    return position


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _under(prefix: str, items: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): item for name, item in items.items() if name.startswith(prefix)}
