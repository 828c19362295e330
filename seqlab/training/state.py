"""The exact state of training: a run that was stopped and resumed ends with the same bits as one that never was.

Whatever must survive a stop is `Stateful`: it hands out its arrays and plain values and takes them back. The checkpoint
knows nothing else about the parts it saves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ..base.errors import InputError
from ..models import ModelState, Network
from ..nn import OutputLayer
from ..run import STATE, AnyRun, model_arrays
from ..text.ids.batches import StreamReader
from .distributed import World
from .step import select, spread


@runtime_checkable
class Stateful(Protocol):
    """A part of training whose arrays are saved under its name.

    `arrays` is called in every process, since a part may gather what the processes hold; the first process saves.
    `load_arrays` gets tensors on the CPU and brings them where the part wants them.
    """

    def arrays(self) -> Mapping[str, Tensor]: ...
    def load_arrays(self, arrays: dict[str, Tensor]) -> None: ...


class Numbered(Protocol):
    """A part of training that has plain values to save, as JSON takes them."""

    def numbers(self) -> Any: ...
    def load_numbers(self, numbers: Any) -> None: ...


def has_arrays(part: Stateful | Numbered) -> TypeGuard[Stateful]:
    """Whether a part has arrays to save."""
    return hasattr(part, "load_arrays")


def has_numbers(part: Stateful | Numbered) -> TypeGuard[Numbered]:
    """Whether a part has plain values to save."""
    return hasattr(part, "load_numbers")


class Checkpoint:
    """The exact state of a run as one file.

    Args:
        run: where it is saved.
        world: the processes that train together; an unfinished training resumes with as many.
        digest: of the corpus.
        parts: name -> part, loaded in this order.
    """

    def __init__(self, run: AnyRun, world: World, digest: str, parts: Mapping[str, Stateful | Numbered]):
        self.run, self.world, self.digest, self.parts = run, world, digest, parts

    def save(self) -> None:
        """Replace the run's exact state. All processes take part, the first one writes."""
        arrays = {
            f"{name}.{key}": array
            for name, part in self.parts.items()
            if has_arrays(part)
            for key, array in part.arrays().items()
        }
        if not self.world.first:
            return
        values = {name: part.numbers() for name, part in self.parts.items() if has_numbers(part)}
        values |= {"corpus": self.digest, "threads": torch.get_num_threads(), "processes": self.world.size}
        self.run.save_state({name: array.detach().cpu().numpy() for name, array in arrays.items()}, values)

    def load(self, continued: int = 0) -> bool:
        """Bring all parts to the run's saved state. Where training is finished, only its position is loaded, and any
        number of processes may do so.

        Args:
            continued: how often the run was given a larger budget; one more than the state knows of goes on.

        Returns:
            Whether anything was saved.

        Raises:
            InputError: another number of processes trained the unfinished run.
        """
        saved = self.run.load_state()
        if saved is None:
            return False
        arrays, values = saved
        parts = self.parts
        if values["position"]["finished"] and values["position"].get("continued", 0) >= continued:
            arrays, parts = {}, {"position": self.parts["position"]}
        elif values["processes"] != self.world.size:
            raise InputError(
                f"{self.run.path}: was trained by {values['processes']} processes, not {self.world.size}; "
                "start as many."
            )
        for name, part in parts.items():
            try:
                if has_arrays(part):
                    part.load_arrays(under(f"{name}.", arrays))
                if has_numbers(part):
                    part.load_numbers(values[name])
            except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
                reason = " ".join(str(error).split()).rstrip(".")[:200]
                raise InputError(
                    f"{self.run.path / STATE}: the state does not fit its run ({name}: {reason}); "
                    "restore it, or name another output folder."
                ) from None
        return True


def under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """The arrays whose names begin with `prefix`, under the rest of their names, as tensors."""
    return {
        name.removeprefix(prefix): torch.from_numpy(array) for name, array in arrays.items() if name.startswith(prefix)
    }


class Weights:
    """The weights of a model."""

    def __init__(self, model: Network):
        self.model = model

    def arrays(self) -> dict[str, Tensor]:
        return {name: torch.from_numpy(array) for name, array in model_arrays(self.model).items()}

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        self.model.load_state_dict(arrays, strict=False)


class Place:
    """Where in the text training is."""

    def __init__(self, reader: StreamReader):
        self.reader = reader

    def arrays(self) -> dict[str, Tensor]:
        return {name: torch.from_numpy(array) for name, array in self.reader.arrays().items()}

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        self.reader.load_arrays({name: tensor.numpy() for name, tensor in arrays.items()})


class OutputNoise:
    """The generator of a sampled output layer."""

    def __init__(self, output: OutputLayer):
        self.output = output

    def numbers(self) -> str:
        return self.output.get_state()

    def load_numbers(self, numbers: str) -> None:
        self.output.set_state(numbers)


class Generators:
    """torch's generators of all processes: dropout draws from them."""

    def __init__(self, world: World, device: torch.device):
        self.world, self.device = world, device

    def arrays(self) -> dict[str, Tensor]:
        shares = {"torch": self.world.gather(torch.get_rng_state())}
        if self.device.type == "cuda":
            shares["cuda"] = self.world.gather(torch.cuda.get_rng_state(self.device))
        return {f"{name}.{rank}": share for name, parts in shares.items() for rank, share in enumerate(parts)}

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        torch.set_rng_state(arrays[f"torch.{self.world.rank}"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(arrays[f"cuda.{self.world.rank}"], self.device)


class CarriedState:
    """The hidden state that training carries from one window to the next, of this process's streams.

    Attributes:
        value: a tuple of tensors a layer, each (streams, width).
    """

    def __init__(self, model: Network, reader: StreamReader, world: World):
        self.model, self.reader, self.world = model, reader, world
        self.value: ModelState = self.zero()

    def zero(self) -> ModelState:
        """The state before any token."""
        rows = self.world.rows(self.reader.batch_size)
        return self.model.init_state(rows.stop - rows.start)

    def reset(self) -> None:
        """Forget everything read so far."""
        self.value = self.zero()

    def grow(self, new_pass: bool) -> None:
        """Follow a reader that has more streams now: those that were there keep their state, unless a new pass over the
        text began."""
        self.value = self.zero() if new_pass else spread(self.value, self.zero())

    def arrays(self) -> dict[str, Tensor]:
        """The state of all processes' streams together."""
        return {
            f"{layer}.{index}": torch.cat(self.world.gather(part))
            for layer, cell_state in enumerate(self.value)
            for index, part in enumerate(cell_state)
        }

    def load_arrays(self, arrays: dict[str, Tensor]) -> None:
        joint = [
            tuple(arrays[f"{layer}.{index}"].to(part.device) for index, part in enumerate(cell_state))
            for layer, cell_state in enumerate(self.value)
        ]
        for layer, (read, own) in enumerate(zip(joint, self.value, strict=True)):
            for part, like in zip(read, own, strict=True):
                shape = (self.reader.batch_size, *like.shape[1:])
                if part.shape != shape or part.dtype != like.dtype:
                    raise ValueError(f"layer {layer + 1} has the shape {tuple(part.shape)}, not {shape}")
        self.value = select(joint, self.world.rows(self.reader.batch_size))
