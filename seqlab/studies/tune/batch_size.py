"""Small, large and growing batches on a person's own text: equal tokens, so large batches make fewer updates.

What is known: large batches reach sharper minima, which tend to generalise worse (Keskar et al. 2017,
https://arxiv.org/abs/1609.04836); a rate in proportion to the batch makes up for some of it (Goyal et al. 2017,
https://arxiv.org/abs/1706.02677); a growing batch does what a falling rate does (Smith et al. 2018,
https://arxiv.org/abs/1711.00489).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ...base.errors import InputError, counted
from ...base.progress import notify
from ...base.results import Result, Table, line
from ...config import LanguageModelConfig
from ...config.checks import check_batches
from ...training import LanguageModelTrainer
from ...training.planning import GIVEN, Layer, Source, plan
from ...visualization import Picture
from ...visualization.charts.chart import ChartPanel, Series
from ...visualization.charts.picture import ChartPicture
from .trainings import Setup, train

LARGE = 8
"""The large batch, as a multiple of the small one."""
GROWTH = ((0.25, 2), (0.5, 4), (0.75, 8))
"""Shares of the training from which on the growing batch is so many times the small one."""
NOISE, DRAWS = 0.05, 5
"""Weight noise of the sharpness, as a share of each tensor's norm, and how often it is drawn."""
VALIDATIONS, VALIDATED = 10, 10_000


@dataclass(frozen=True)
class BatchVariant:
    """One way to choose the batch.

    Attributes:
        name: what it is called.
        batch_size: at the end of training.
        lr: peak learning rate at the end's batch size.
        steps: updates.
        seconds: of training.
        loss: best held-out loss of the network, nats per token; None where it diverged.
        sharpness: mean rise of the held-out loss in nats per token when every tensor gets Gaussian noise of NOISE of
            its norm; None where it diverged.
        tokens, losses: held-out losses along the training.
    """

    name: str
    batch_size: int
    lr: float
    steps: int
    seconds: float
    loss: float | None
    sharpness: float | None
    tokens: Sequence[int]
    losses: Sequence[float]


@dataclass(frozen=True, repr=False)
class BatchStudy(Result):
    """Batches of several sizes on one text.

    Attributes:
        variants: in the order they were trained.
    """

    variants: Sequence[BatchVariant]

    def __repr__(self) -> str:
        trained = [one for one in self.variants if one.loss is not None]
        best = min(trained, key=lambda one: one.loss or math.inf, default=None)
        return line("BatchStudy", [counted(len(self.variants), "variant"), f"best: {best.name}" if best else ""])

    def table(self) -> Table:
        """A row a variant."""
        headers = ("batch", "streams", "lr", "steps", "seconds", "loss", "sharpness")
        rows = [
            (one.name, one.batch_size, f"{one.lr:.3g}", one.steps, round(one.seconds, 1), one.loss, one.sharpness)
            for one in self.variants
        ]
        return Table(headers, rows, repr(self))

    def to_json(self) -> dict[str, Any]:
        """{"variants": the attributes of each}."""
        return {"variants": [asdict(one) for one in self.variants], "noise": NOISE, "draws": DRAWS}

    def picture(self) -> Picture:
        """Held-out loss against tokens, and against the sharpness of the minimum."""
        curves = [Series(one.name, one.tokens, one.losses, "line", place) for place, one in enumerate(self.variants)]
        minima = [
            Series("", [one.sharpness], [one.loss], "points", place)
            for place, one in enumerate(self.variants)
            if one.sharpness is not None and one.loss is not None
        ]
        panels = [
            ChartPanel("along the training", "tokens", "held-out loss, nats per token", curves),
            ChartPanel("at its end", f"rise of the loss under {NOISE:.0%} weight noise, nats", "best loss", minima),
        ]
        caption = (
            "All trainings read the same tokens; larger batches make fewer updates of them. Further left is a flatter "
            "minimum."
        )
        return ChartPicture("Batch sizes", caption, panels, {"variants": len(self.variants)})


def compare_batch_sizes(
    source: Source,
    steps: int,
    *,
    valid: Any = None,
    preset: str | None = None,
    given: Mapping[str, Any] | Sequence[Layer] = (),
    quiet: bool = False,
) -> BatchStudy:
    """Train a network with a small batch, a large one, and one that grows, with and without a rate that follows.

    Args:
        source, valid: texts, see `train_language_model`.
        steps: of the small batch; all variants read as many tokens.
        preset: its name; None takes the one that suits so many steps.
        given: settings, see `plan`; batch_size is the small batch.
        quiet: say nothing.

    Raises:
        InputError: a bad text or setting, or a text too short for the large batch.
    """
    if not steps > 0:
        raise InputError(f"steps: must be more than 0, not {steps}.")
    layers = [Layer(GIVEN, given)] if isinstance(given, Mapping) else list(given)
    planned = plan(source, valid, None, quiet, preset, [*layers, Layer(GIVEN, {"training": {"steps": steps}})])
    corpus, config = planned.corpus, planned.config
    if corpus.valid is None:
        raise InputError("held-out losses are compared, and this text has no validation part; give more text.")
    training = config.training
    passes = steps * training.batch_size * training.bptt / len(corpus.train)
    equal = {"training.epochs": passes, "training.steps": None, "training.evaluations": VALIDATIONS}
    config = config.updated({**equal, "training.batch_schedule": [], "training.patience": 0})
    chosen = [(name, config.updated(values)) for name, values in variants_of(config)]
    for _, one in chosen:
        check_batches(one.training, 1, len(corpus.train))
    setup = Setup(corpus, min(len(corpus.valid), VALIDATED), planned.vectors)
    found = []
    for name, one in chosen:
        variant = trained(setup, name, one)
        found.append(variant)
        if not quiet:
            loss = "diverged" if variant.loss is None else f"{variant.loss:.4f} nats per token"
            notify(f"{name}: {loss} after {counted(variant.steps, 'update')}")
    return BatchStudy(found)


def variants_of(config: LanguageModelConfig) -> list[tuple[str, dict[str, Any]]]:
    """What is compared: names, and the settings that differ from the small batch."""
    small, lr = config.training.batch_size, config.training.lr
    growing = [(share, factor * small) for share, factor in GROWTH]
    large = {"training.batch_size": LARGE * small}
    return [
        ("small", {}),
        ("large", large),
        ("large, linear rate", {**large, "training.lr": LARGE * lr}),
        ("large, square-root rate", {**large, "training.lr": math.sqrt(LARGE) * lr}),
        ("growing", {"training.batch_schedule": growing}),
        ("growing, linear rate", {"training.batch_schedule": growing, "training.batch_scaling": "linear"}),
    ]


def trained(setup: Setup, name: str, config: LanguageModelConfig) -> BatchVariant:
    """One variant from beginning to end."""
    lines: list[dict[str, Any]] = []
    sharp: list[float] = []

    def at_end(trainer: LanguageModelTrainer) -> None:
        lines.extend(trainer.run.history.validations)
        sharp.append(sharpness(trainer, setup.valid_tokens, config.training.seed))

    ended = train(setup, config, at_end=at_end)
    training = config.training
    last = training.batch_schedule[-1][1] if training.batch_schedule else training.batch_size
    follows = last / training.batch_size if training.batch_scaling == "linear" else 1.0
    return BatchVariant(
        name,
        last,
        training.lr * follows,
        ended.steps,
        ended.seconds,
        ended.objective if math.isfinite(ended.objective) else None,
        sharp[0] if sharp else None,
        [one["tokens"] for one in lines],
        [one["valid_loss"] for one in lines],
    )


@torch.no_grad()
def sharpness(trainer: LanguageModelTrainer, tokens: int, seed: int, noise: float = NOISE, draws: int = DRAWS) -> float:
    """Mean rise of the held-out loss when every tensor W gets Gaussian noise of norm noise x |W|.

    The weights are afterwards as they were. Noise in proportion to each tensor's norm does not call a model sharp that
    merely has large weights (Li et al. 2018, https://arxiv.org/abs/1712.09913).

    Args:
        trainer: whose model is looked at.
        tokens: of the validation text.
        seed: of the noise, the same for all models that are compared.
        noise: norm of the noise over that of the tensor.
        draws: that the mean is of.
    """
    model, generator = trainer.model, torch.Generator().manual_seed(seed)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    flat, risen = trainer.validator.judge(tokens).network, []
    try:
        for _ in range(draws):
            for name, weight in model.named_parameters():
                drawn = torch.randn(weight.shape, generator=generator).to(weight.device)
                scale = noise * before[name].norm() / drawn.norm().clamp_min(1e-12)
                weight.copy_(before[name] + scale * drawn)
            risen.append(trainer.validator.judge(tokens).network - flat)
    finally:
        for name, weight in model.named_parameters():
            weight.copy_(before[name])
    return sum(risen) / draws
