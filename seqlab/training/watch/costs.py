"""What a language model costs, counted: arithmetic per token and memory. What it takes in time, `profile` measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ...models import LanguageModel
from ...run import MODEL, STATE, AnyRun


class Flops(NamedTuple):
    """Floating-point operations of the matrix products that one token takes."""

    training: float
    """Forward and back: three products where evaluation has one."""
    evaluation: float
    """The exact loss."""


def flops_by_part(model: LanguageModel) -> dict[str, Flops]:
    """Arithmetic of a token in the cells and in the output layer with the bridge to it; an embedding is looked up.

    A product does two operations with every weight a position meets, and back-propagation two more products like it.
    Vectors made of characters count as if every token of a window were another word, which is the most they can cost
    in training; in evaluation each word is computed once, which counts as nothing.
    """
    cells = sum(p.numel() for p in model.cells.parameters() if p.dim() > 1)
    bridge = 0 if model.bridge is None else model.bridge.weight.numel()
    training, evaluation = model.output.multiply_adds()
    words = {}
    if model.characters is not None:
        words = {"embedding": Flops(6.0 * model.characters.cnn.multiply_adds(), 0.0)}
    return words | {
        "cells": Flops(6.0 * cells, 2.0 * cells),
        "output": Flops(6.0 * (training + bridge), 2.0 * (evaluation + bridge)),
    }


def flops_per_token(model: LanguageModel) -> Flops:
    """Arithmetic of a token in all parts."""
    parts = flops_by_part(model).values()
    return Flops(sum(part.training for part in parts), sum(part.evaluation for part in parts))


def memory(run: AnyRun, state: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Bytes: of the weights, of the optimiser's moments, of an average of the weights; of the two files that store
    them. `state` holds the arrays of the run's exact state, empty where there is none yet."""
    weights = sum(p.numel() * p.element_size() for p in run.blueprint().parameters())
    if run.compressed:
        weights = run.compressed["bytes"]
    held = {
        owner: sum(array.nbytes for name, array in state.items() if name.startswith(f"{owner}."))
        for owner in ("optimizer", "average")
    }
    files = {"model_file": run.path / MODEL, "state_file": run.path / STATE}
    sizes = {name: path.stat().st_size for name, path in files.items() if path.exists()}
    return {"weights": weights, **{owner: size for owner, size in held.items() if size}, **sizes}
