"""Every method and strength on one model: a table and a picture of size, speed and perplexity."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from ...base.devices import torch_globals_restored
from ...base.errors import InputError
from ...base.files import read_json, write_json
from ...base.kinds import kind_of
from ...base.progress import notify
from ...base.storage.outputs import check_place
from ...models import LanguageModel
from ...run import Run
from ...text import Sources
from .compress import Original, compress_model
from .methods import choices_of
from .pack import weight_bytes
from .result import CompressionStudy, Point, network_of
from .units import UnsuitedError

SWEEP = (
    "int8", "int4", "share", "prune=0.5,int8", "prune=0.8,int8", "prune=0.9,int8", "low-rank=0.5", "low-rank=0.5,int8",
    "low-rank=0.3,int8", "ternary", "binary", "prune-units=0.5", "distill=0.5", "distill=0.5,int8",
)  # fmt: skip
"""What is tried where nothing else is asked for."""
STREAMS = (1, 64)
STUDY = "compression.json"
SECONDS, BLOCKS, WARM = 1.0, 10, 3
"""Of a measurement of speed: processor time, blocks of it, and steps before."""


def sweep_model(
    source: str | Path | Run,
    out: str | Path,
    methods: Sequence[str] = SWEEP,
    *,
    retrain: float | None = None,
    valid: Sources | None = None,
    quiet: bool = False,
) -> CompressionStudy:
    """Compress a model by many methods; the same call resumes what was stopped.

    Args:
        source: the run.
        out: the study's folder: a run folder for each method, and compression.json.
        methods: each as `compress_model` takes it.
        retrain, valid, quiet: see `compress_model`.

    Raises:
        InputError: as `compress_model`; or the folder holds the study of another run.
    """
    names = [",".join(map(str, choices_of(one))) for one in methods]
    folder = Path(out)
    check_place(folder)
    if kind_of(folder) not in ("nothing", "folder"):
        raise InputError(f"{folder}: holds something else; name another folder for the study.")
    original = Original.open(source, valid, quiet)
    run = original.run
    about = {"run": run.id, "retrain": retrain, "text": original.text.name}
    if (folder / STUDY).exists() and {**read_json(folder / STUDY), "points": None} != {**about, "points": None}:
        raise InputError(f"{folder}: is a study of another run, text or retraining; name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    points = [_point("float32", original.members.network, network_of(original.scores)["perplexity"])]
    for name in names:
        place = folder / name.replace("=", "-").replace(",", "+")
        if not _made(place, name):
            try:
                compress_model(original, place, name, retrain=retrain, quiet=quiet)
            except UnsuitedError as error:
                if not quiet:
                    notify(f"{name}: left out; {error}")
                continue
        made = Run.open(place)
        facts = made.compressed or {}
        network = made.load_members(counts=False).network
        points.append(_point(name, network, facts["network"], facts["network_change"], facts["interval"]))
        write_json(folder / STUDY, {**about, "points": [asdict(point) for point in points]})
    return CompressionStudy(folder, run.path.name, points)


def _made(place: Path, name: str) -> bool:
    """Whether a method's run is there already."""
    return kind_of(place) == "run" and (Run.open(place).compressed or {}).get("method") == name


def _point(
    method: str, network: LanguageModel, perplexity: float, change: float = 0.0, interval: Sequence[float] = (0.0, 0.0)
) -> Point:
    """Measure how fast a network is."""
    speeds = {str(streams): tokens_per_second(network, streams) for streams in STREAMS}
    return Point(method, weight_bytes(network), perplexity, change, interval, speeds)


@torch.inference_mode()
def tokens_per_second(model: LanguageModel, streams: int, seconds: float = SECONDS) -> float:
    """Steps of the network, up to the logits of the next token, on one thread.

    Args:
        model: in evaluation mode, on the CPU.
        streams: texts written side by side.
        seconds: of processor time to measure for; the best of ten blocks counts, as other programs slow the others.

    Returns:
        Tokens of all streams together.
    """
    with torch_globals_restored(seed=0, threads=1):
        ids = torch.randint(0, model.vocab_size, (64, streams))
        state = model.init_state(streams)
        for place in range(WARM):  # kernels are compiled at the first
            _, state = model.step(ids[place], state)
        best = 0.0
        for _ in range(BLOCKS):
            began, count = time.process_time(), 0
            while (took := time.process_time() - began) < seconds / BLOCKS or not count:
                _, state = model.step(ids[count % len(ids)], state)
                count += 1
            best = max(best, count * streams / took)
    return best
