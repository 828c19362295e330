"""What rules see in a model and in its first steps: a sentence where they fire, None elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

from ....base.results import abbreviated
from ..measure.figures import CheckFigures

FAR = 0.5
ZERO_VECTORS = 0.5
DROPPED = 0.8
SMOOTHED = 0.4
DECAYED, DECAY_TO_GRADIENT = 0.01, 1.0
LARGE_NORM, GROWTH = 100.0, 30.0
VANISHED_IN_LAYERS = 0.01
VANISHED_IN_TIME, STEPS_BACK = 1e-4, 8
SATURATED = 0.5
DEAD, STILL = 0.5, 0.5
KEPT, KEPT_EARLY = 0.2, 0.8
LOST, GAINED, FAR_MORE, AT_LEAST = 0.0, 3.0, 10.0, 0.02
FEWEST_TOKENS, MOST_TOKENS = 0.2, 1_000.0
MEMORY = 0.9
ALWAYS_CLIPPED, FAR_ABOVE = 0.9, 10.0


def initial_loss(figures: CheckFigures) -> str | None:
    start = figures.start
    if start.trained or start.loss <= start.expected + FAR:
        return None
    what = "token frequencies" if start.at_unigram else "the number of types"
    return f"The loss before the first step is {start.loss:.2f} nats per token; {what} alone give {start.expected:.2f}."


def damaged_start(figures: CheckFigures) -> str | None:
    start = figures.start
    if not start.trained or start.loss <= start.unigram:
        return None
    return (
        f"The model that training starts from has a loss of {start.loss:.2f} nats per token on this text; token "
        f"frequencies alone give {start.unigram:.2f}."
    )


def zero_weights(figures: CheckFigures) -> str | None:
    names = [name for name in figures.start.zero if name != "embedding" or not figures.config.training.embeddings]
    return f"All numbers of {listed(names)} are zero." if names else None


def zero_vectors(figures: CheckFigures) -> str | None:
    share = figures.start.zero_vectors
    return f"{share:.0%} of the input vectors are zero." if share > ZERO_VECTORS else None


def frozen(figures: CheckFigures) -> str | None:
    allowed = ["embedding"] * figures.config.training.freeze_embeddings
    names = [name for name in figures.start.frozen if name not in allowed]
    return f"Not trained: {listed(names)}." if names else None


def heavy_dropout(figures: CheckFigures) -> str | None:
    model = figures.config.model
    shares = {f"{place}_dropout": model.dropout_of(place) for place in ("input", "hidden", "output")}
    shares |= {name: getattr(model, name) for name in ("embedding_dropout", "weight_drop", "zoneout")}
    high = {name: share for name, share in shares.items() if share >= DROPPED}
    if not high:
        return None
    return f"Most values are dropped: {listed([f'{name} {share:g}' for name, share in high.items()])}."


def heavy_smoothing(figures: CheckFigures) -> str | None:
    share = figures.config.model.label_smoothing
    if share < SMOOTHED:
        return None
    return f"Label smoothing gives {share:.0%} of every target's probability to other types."


def heavy_decay(figures: CheckFigures) -> str | None:
    steps = figures.steps
    if steps.decay >= DECAYED:
        return f"Every step takes {steps.decay:.1%} of every weight."
    if steps.decay_to_gradient > DECAY_TO_GRADIENT:
        return f"Weight decay pulls at the weights {steps.decay_to_gradient:.1f} times as strongly as the loss does."
    return None


def diverged(figures: CheckFigures) -> str | None:
    steps = figures.steps
    sound = [math.isfinite(loss) and math.isfinite(size) for loss, size in zip(steps.losses, steps.norms, strict=True)]
    return None if all(sound) else f"The loss or its gradient is no longer a number in step {sound.index(False) + 1}."


def exploding(figures: CheckFigures) -> str | None:
    training, steps = figures.config.training, figures.steps
    if training.clip or training.clip_value:
        return None
    largest, usual = max(steps.norms), median(steps.norms)
    if not (largest > LARGE_NORM or growth(figures) > GROWTH):
        return None
    return (
        f"Nothing clips the gradients; their largest norm in {len(steps.norms)} steps is {largest:,.3g}, the median "
        f"{usual:,.3g}{grown(figures)}."
    )


def always_clipped(figures: CheckFigures) -> str | None:
    clip, steps = figures.config.training.clip, figures.steps
    usual = median(steps.norms)
    if not clip or steps.clipped <= ALWAYS_CLIPPED or usual <= FAR_ABOVE * clip:
        return None
    return f"{steps.clipped:.0%} of the steps are clipped, from a median norm of {usual:,.3g} to {clip:g}."


def growth(figures: CheckFigures) -> float:
    """How many times as large the gradient is at its largest, back in time, as one step back."""
    near = figures.time.get(1, 0.0)
    return max(figures.time.values(), default=0.0) / near if near > 0 else 0.0


def grown(figures: CheckFigures) -> str:
    """That it grows back in time, if it does."""
    return f"; back in time it grows {growth(figures):,.3g} times" if growth(figures) > GROWTH else ""


def vanishing_layers(figures: CheckFigures) -> str | None:
    sizes = [cell.gradient / math.sqrt(cell.parameters) for cell in figures.steps.cells]
    largest = max(sizes, default=0.0)
    if not largest > 0 or sizes[0] >= VANISHED_IN_LAYERS * largest:
        return None
    return (
        f"A weight of the first layer gets {sizes[0] / largest:.2g} of the gradient that one of layer "
        f"{sizes.index(largest) + 1} gets."
    )


def vanishing_time(figures: CheckFigures) -> str | None:
    near, far = figures.time.get(1), figures.time.get(STEPS_BACK)
    if near is None or far is None or not near > 0 or far >= VANISHED_IN_TIME * near:
        return None
    return f"{STEPS_BACK} tokens back the gradient is {far / near:.1g} of that one token back."


def saturated(figures: CheckFigures) -> str | None:
    shares = {layer.name: layer.saturated for layer in figures.steps.cells}
    shares |= {f"{layer.name}'s {gate} gate": share for layer in figures.steps.cells for gate, share in layer.gates}
    return high_shares("Within 0.01 of an end of their range", shares, SATURATED)


def dead(figures: CheckFigures) -> str | None:
    return high_shares("Never above zero", {layer.name: layer.dead for layer in figures.steps.cells}, DEAD)


def still(figures: CheckFigures) -> str | None:
    return high_shares("The same at every token", {layer.name: layer.still for layer in figures.steps.cells}, STILL)


def high_shares(what: str, shares: Mapping[str, float | None], limit: float) -> str | None:
    """A sentence on the shares above a limit, None where there are none."""
    high = [f"{share:.0%} of {name}" for name, share in shares.items() if share is not None and share > limit]
    return f"{what}: {listed(high)}." if high else None


def rate_too_high(figures: CheckFigures) -> str | None:
    rates = figures.rates
    if rates is None:
        return None
    own = rates.gained[1.0]
    if rates.lower < AT_LEAST or (own > LOST and rates.lower < GAINED * own):
        return None
    change = (
        f"falls by {own:.2f}" if own >= 0 else f"rises by {-own:.2f}" if math.isfinite(own) else "is no longer a number"
    )
    return (
        f"In {rates.steps} steps at {rates.lr:g} the loss {change}; at {rates.best:g} it falls by "
        f"{max(rates.gained.values()):.2f} nats."
    )


def rate_too_low(figures: CheckFigures) -> str | None:
    rates = figures.rates
    if rates is None:
        return None
    own = rates.gained[1.0]
    if rates.far_higher < max(AT_LEAST, FAR_MORE * own):
        return None
    return (
        f"In {rates.steps} steps at {rates.lr:g} the loss falls by {own:.3f} nats; at {rates.best:g} by "
        f"{max(rates.gained.values()):.2f}."
    )


def cannot_memorise(figures: CheckFigures) -> str | None:
    figure = figures.memorise
    if figure is None:
        return None
    if figure.left <= (KEPT if figure.whole else KEPT_EARLY):
        return None
    return (
        f"After {figure.steps} steps on the same {figure.tokens} tokens the loss is still {figure.last:.2f} nats per "
        f"token, of {figure.first:.2f} at first."
    )


def too_large(figures: CheckFigures) -> str | None:
    reach = figures.reach
    if reach.tokens_per_parameter >= FEWEST_TOKENS:
        return None
    return (
        f"The budget reaches about {abbreviated(round(reach.tokens))} tokens in {reach.steps:,.0f} steps, for "
        f"{abbreviated(reach.parameters)} parameters: {reach.tokens_per_parameter:.2g} tokens for each."
    )


def too_small(figures: CheckFigures) -> str | None:
    reach = figures.reach
    if reach.tokens_per_parameter <= MOST_TOKENS:
        return None
    return (
        f"The budget reaches about {abbreviated(round(reach.tokens))} tokens for {abbreviated(reach.parameters)} "
        f"parameters: {reach.tokens_per_parameter:,.0f} tokens for each."
    )


def too_much_memory(figures: CheckFigures) -> str | None:
    reach = figures.reach
    needed = max(reach.memory, reach.measured or 0)
    if reach.free is None or needed <= MEMORY * reach.free:
        return None
    return f"Training needs about {needed / 1e6:,.0f} MB; {reach.free / 1e6:,.0f} MB are free."


def listed(names: Sequence[str]) -> str:
    """Names in a sentence, the first few of many."""
    shown = list(names[:3]) + [f"{len(names) - 3} more"] * (len(names) > 3)
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
