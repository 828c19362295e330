"""Applying a method to the members of a model.

Shapes: N rows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ...evaluation.sources import run_corpus
from ...models import LanguageModel
from ...models.interpolated import Members
from ...nn.packed import FORMS, unpack_
from ...run import Run, set_weights
from ...training.optimize.constraints import Projection
from ...training.step import PlainWindowReader
from .methods import ChosenMethod
from .pack import matrices, pack_
from .plans import Plan, in_factors, planned_ranks, planned_zeros
from .projections import Levels, Mask, SharedValues, Subspaces
from .retrain import retrained, with_counts
from .units import DistillingReader, without_units

ROWS_OF_TYPES = ("embedding", "output.weight")
"""Matrices with a row for each type."""
FREQUENCY = 0.3
"""Power of a type's count that its row is weighted with. Four fifths of the embedding left out cost 16 % on WikiText-2
so, without training, and 56 % where all rows count alike; powers from 0.15 to 0.4 are about as good."""


def applied(
    run: Run, members: Members, choice: ChosenMethod, folder: Path, retrain: float | None, quiet: bool
) -> Members:
    """The members after a method.

    Args:
        run: they are of.
        members: to change; their network is left as it is.
        choice: the method.
        folder: of its training, which is resumed there.
        retrain: steps, as a share of those of the run; None takes what the method takes.
        quiet: show no progress.

    Raises:
        InputError: a method that this model cannot have, or its text is gone.
    """
    method = choice.method
    share = method.retrain if retrain is None or not method.retrain else retrain
    if choice.name in ("int8", "int4"):
        network = copy.deepcopy(members.network)
        pack_(network, choice.name)
        return members._replace(network=network)
    train = partial(retrained, run, folder=folder, share=share, rate=method.rate, quiet=quiet)
    network = unpack_(copy.deepcopy(members.network))
    if method.stage == "size":
        smaller = without_units(run, network, choice.strength)
        if not share:
            return with_counts(run, members, smaller, run_corpus(run).valid, quiet)
        windows = partial(DistillingReader, teacher=network) if choice.name == "distill" else PlainWindowReader
        return train(members=members, model=smaller, windows=windows)
    weights, rows = matrices(network), partial(importance, run)
    plans = planned_ranks(weights, choice.strength, rows) if choice.name == "low-rank" else {}
    zeros = planned_zeros(weights, choice.strength, rows) if choice.name == "prune" else {}
    make = _projection(run, choice, plans, zeros)
    if share:
        members = train(members=members, model=network, projection=make)
        network = members.network
    else:
        allow_(network, make)
    packed = {
        name: in_factors(weight, plans[name]) if plans else FORMS[str(method.form)].pack(weight)
        for name, weight in matrices(network).items()
        if zeros.get(name, 1.0)
    }
    set_weights(network, packed)
    return members._replace(network=network)


def _projection(
    run: Run, choice: ChosenMethod, plans: Mapping[str, Plan], zeros: Mapping[str, float]
) -> Callable[[str, Tensor], Projection]:
    """Makes the projection of a matrix, whose rank or share of zeros is planned."""

    def make(name: str, weight: Tensor) -> Projection:
        if choice.name == "prune":
            return Mask(weight, zeros[name], importance(run, name, weight))
        if choice.name == "low-rank":
            return Subspaces(weight, plans[name], importance(run, name, weight))
        if choice.name == "share":
            return SharedValues(weight, importance(run, name, weight))
        return Levels(weight, str(choice.method.form))

    return make


def importance(run: Run, name: str, weight: Tensor) -> Tensor | None:
    """How much the rows (N, 1) of a matrix matter, where each is of a type: those of frequent types are read, and
    compared with, more often."""
    counts = run.tokenizer.vocab.counts
    if name not in ROWS_OF_TYPES or len(weight) != len(counts):
        return None
    return torch.from_numpy(counts).clamp(min=1).to(weight)[:, None] ** FREQUENCY


def allow_(network: LanguageModel, make: Callable[[str, Tensor], Projection]) -> None:
    """Give a model the allowed weights nearest to its own, without training."""
    allowed = {}
    for name, weight in matrices(network).items():
        projection = make(name, weight)
        projection.refresh(weight, 1.0)
        allowed[name] = projection.project(weight)
    set_weights(network, allowed)
