"""Training a language model.

| module | what it holds |
| --- | --- |
| planning, checks | what is to be trained, settled or refused before a run is made |
| loop, budget | `Trainer`: the story of a training; how long it lasts |
| step, graphs | the gradient of one batch: in parts, across documents; as CUDA graphs |
| optimizers, rows | the table `OPTIMIZERS`; lazy rules for sparse rows; clipping |
| penalties, averages | L1 and L2; the table `AVERAGES` |
| validation, baselines | exact scores during training; what counts alone achieve |
| metrics | a line of metrics.jsonl; saturated and dead units |
| checkpoint | exact state |
| distributed | several processes |
| costs, profile | arithmetic and memory, counted; time by part and the machine's product rate, measured |
| presets, pretrained, initial | named settings; word vectors or another run to start from |
"""

from .checks import check, check_batches
from .distributed import World, join
from .loop import Trainer
from .optimize.averages import AVERAGES
from .optimize.optimizers import OPTIMIZERS, Optimizer
from .presets import describe, preset, presets, suggest
from .starts.from_run import start_from_run
from .starts.from_vectors import Coverage, start_from_vectors

__all__ = [
    "AVERAGES",
    "OPTIMIZERS",
    "Coverage",
    "Optimizer",
    "Trainer",
    "World",
    "check",
    "check_batches",
    "describe",
    "join",
    "preset",
    "presets",
    "start_from_run",
    "start_from_vectors",
    "suggest",
]
