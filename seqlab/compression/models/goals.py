"""The gentlest method that reaches a size, or the smallest that costs no more than was allowed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ...base.devices import without_weights
from ...base.errors import InputError, SeqlabError
from ...base.files import atomic_folder
from ...base.progress import notify
from ...models import LanguageModel
from ...nn.packed import FORMS, bytes_of, is_packed
from ...nn.packed.factors import Factors
from ...run import CONFIG, Run
from ...text import Sources
from .compress import Original, check_output, check_source, compress_model
from .methods import ChosenMethod, choices_of
from .pack import is_matrix
from .result import CompressedModel
from .units import UnsuitedError, smaller_config

LADDER = ("int8", "int4", "share", "ternary", "distill=0.5,int8", "distill=0.5,int4", "binary")
"""What is tried, in order of what it costs on the models measured (benchmarks/LOG.md, compression/)."""


def compress_to(
    source: str | Path | Run,
    out: str | Path,
    methods: Sequence[str] = LADDER,
    *,
    target_size: float | None = None,
    max_loss: float | None = None,
    retrain: float | None = None,
    valid: Sources | None = None,
    quiet: bool = False,
) -> CompressedModel:
    """Compress a model as far as is asked for.

    Args:
        source, out: see `compress_model`.
        methods: to try, in that order.
        target_size: bytes of the weights at most: the first method that reaches it is taken.
        max_loss: percent by which the network's perplexity may rise: the smallest result within it is taken; with a
            target size the first one within both.
        retrain, valid, quiet: see `compress_model`.

    Raises:
        InputError: as `compress_model`; or no method makes the model so small.
        SeqlabError: every method that was tried cost more than was allowed.
    """
    run = source if isinstance(source, Run) else Run.open(source)
    check_source(run)
    check_output(out)
    model = run.blueprint()
    sizes = {name: expected_bytes(model, choices_of(name)) for name in methods}
    fitting = {name: size for name, size in sizes.items() if target_size is None or size <= target_size}
    if not fitting:
        name, size = min(sizes.items(), key=lambda item: item[1])
        raise InputError(
            f"target_size: no method makes these weights smaller than {size / 1e6:.3g} MB ({name}); ask for "
            "that much, or leave out hidden units too: --method distill=0.8,int8."
        )
    if max_loss is None:
        return compress_model(run, out, next(iter(fitting)), retrain=retrain, valid=valid, quiet=quiet)
    order = list(fitting) if target_size is not None else sorted(fitting, key=lambda name: -fitting[name])
    original = Original.open(run, valid, quiet)
    found: CompressedModel | None = None
    losses: dict[str, float] = {}
    trial = Path(out).with_name(f"{Path(out).name}.trial")
    try:
        for name in order:
            try:
                tried = compress_model(original, trial, name, retrain=retrain, quiet=quiet)
            except UnsuitedError:
                continue
            losses[name] = tried.loss
            if not quiet:
                notify(f"{name}: the network's perplexity changes by {tried.loss:+.2f} %")
            if tried.loss <= max_loss:
                found = renamed(tried, out)
                if target_size is not None:
                    return found
            elif found is not None:
                break
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    if found is None:
        name = min(losses, key=lambda one: losses[one])
        raise SeqlabError(f"no method cost at most {max_loss:g} %; the best was {name} with {losses[name]:+.2f} %.")
    return found


def renamed(tried: CompressedModel, out: str | Path) -> CompressedModel:
    """A compressed run under another name; one of an earlier trial there goes."""
    with atomic_folder(out, CONFIG) as folder:
        shutil.copytree(tried.out, folder, dirs_exist_ok=True)
    return replace(tried, out=str(out))


def expected_bytes(model: LanguageModel, choices: Sequence[ChosenMethod]) -> int:
    """What the weights will take, from their shapes."""
    for choice in choices:
        if choice.method.stage == "size":
            with without_weights():
                model = LanguageModel(smaller_config(model.config, choice.strength), model.vocab_size)
    aliases, total = model.aliases(), 0
    for name, weight in model.state_dict().items():
        if name not in aliases:
            total += _bytes(tuple(weight.shape), choices) if is_matrix(weight) else weight.numel() * 4
    return total


def _bytes(shape: tuple[int, ...], choices: Sequence[ChosenMethod]) -> int:
    """Of a matrix of any numbers."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(shape, generator=generator)
    for choice in choices:
        form = choice.method.form
        if choice.name == "low-rank":
            rows, width = shape  # as if each matrix kept the share that all together keep
            rank = max(1, int(choice.strength * rows * width / (rows + width)))
            weight = Factors({"left": torch.ones(rows, rank), "right": torch.ones(rank, width)}, shape)
        elif choice.name == "prune":
            weight = FORMS["sparse"].pack(weight * (torch.rand(shape, generator=generator) > choice.strength))
        elif form is not None:
            weight = weight.with_parts_as(FORMS[form]) if is_packed(weight) else FORMS[form].pack(weight)
    return bytes_of(weight)
