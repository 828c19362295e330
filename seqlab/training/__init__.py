"""Training a language model.

| module | contents |
| --- | --- |
| train, report | the story: plan, start, train, report |
| planning, presets | what is to be trained, where each setting came from |
| loop, budget | `Trainer`: windows in order until the budget is used up, whatever they are for |
| language_model | `LanguageModelTrainer`: the loss and the validation of a language model |
| step | `TrainingStep`: one update |
| optimize | the tables `OPTIMIZERS` and `AVERAGES`; lazy rules for sparse rows; clipping; penalties |
| watch | metrics, validation, baselines; what a step costs, counted and measured |
| state | exact state: whatever is `Stateful` survives a stop |
| machine | threads, memory, rate, trial steps; windows as CUDA graphs |
| starts | word vectors or another run to start from |
| distributed | several processes |
"""

from ..config.checks import check_batches
from ..config.checks import check_language_model as check
from .distributed import World, join
from .language_model import LanguageModelTrainer
from .loop import Trainer
from .optimize.averages import AVERAGES
from .optimize.optimizers import OPTIMIZERS, Optimizer
from .presets import describe, preset, presets, suggest
from .starts.from_run import start_from_run
from .starts.from_vectors import Coverage, start_from_vectors
from .step import PlainWindowReader, TrainingStep

__all__ = [
    "AVERAGES",
    "OPTIMIZERS",
    "Coverage",
    "LanguageModelTrainer",
    "Optimizer",
    "PlainWindowReader",
    "Trainer",
    "TrainingStep",
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
