"""What the curves of a language model's training mean: a rule a finding, and one sentence where nothing is wrong.

Training and validation loss are never subtracted from one another: with dropout, label smoothing or a sampled softmax
the training loss is another quantity. Rules look at how each of them changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..base.errors import option
from .findings import Finding, Findings, Level
from .history import ADAPTIVE, CurveFacts, Curves, Metrics, Validations

FEWEST_LINES = 6
"""Lines of metrics from which on curves are judged."""
RISE = 0.15
"""Share of the fall of the training loss that it may climb back."""
PEAK = 1.05
"""How far above its start the training loss may be: an output layer that begins at the token frequencies starts low."""
ROUGH = 5.0
"""How many times a late loss may vary more than its tokens explain; healthy trainings were measured at 0.3 to 2."""
EVEN = 0.35
"""Share of the fall of the loss that the second half of a training may have; a straight line has 0.5."""
SHORTEST_PATH = 0.1
"""By how much an adaptive optimiser must be able to move a weight over a training: weights begin at about 0.05."""
FEWEST_STEPS = 100
NEAR_UNIGRAM = 0.95
"""Share of the loss of token frequencies above which a network has learned hardly more than those."""
LEARNED = 0.2
"""Share of what counting gains over token frequencies that a network must gain."""
OVERFITTED = 0.005
"""Share of its lowest by which the validation loss must have risen, however well it is known."""
MEMORISED = 0.1
"""By how much the training loss must have fallen meanwhile, in rises of the validation loss; of a network that is
merely unsettled, both stand still or rise."""
GAIN = 0.01
"""Share of the validation loss by which the last quarter of a training must improve it to be worth more time."""
ERROR = 0.03
"""Standard error of a validation loss, as a share of it, above which it is worth a sentence."""
FEW_VALID = 300
CLIPPED = 0.5
SPIKES = 30.0
"""How many times its median a late gradient norm may be."""
VANISHED = 1e-3
"""Share of the last layer's gradient norm that the first layer must have."""
DEAD = 0.3


class Training(NamedTuple):
    """What a rule looks at."""

    curves: Curves
    valid: Validations
    facts: CurveFacts


Rule = Callable[[Training], Finding | None]


def diagnose(lines: Metrics, facts: CurveFacts) -> Findings:
    """Say what the curves of a language model's training mean.

    Args:
        lines: of metrics, as `Run.history` has them.
        facts: of the training.

    Returns:
        Findings, the gravest first, and a verdict in one sentence for a training in which nothing is wrong.
    """
    curves = Curves.of(lines)
    if len(curves.lines) < FEWEST_LINES and not curves.broken:
        return Findings([], "Too short to judge: so few steps draw no curve.")
    training = Training(curves, Validations.of(curves, facts.valid_tokens), facts)
    found = [finding for rules in ALTERNATIVES if (finding := first(rules, training))]
    if all(finding.level == "note" for finding in found):
        found += [finding for rule in IN_SOUND_TRAININGS if (finding := rule(training))]
    return Findings(found, verdict(training))


def first(rules: Sequence[Rule], training: Training) -> Finding | None:
    """Of rules that explain one another, the first that fires."""
    return next(filter(None, (rule(training) for rule in rules)), None)


def verdict(training: Training) -> str:
    """What there is to say of a training in which nothing is wrong."""
    curves, valid, facts = training
    begun = "Healthy" if facts.finished else "Healthy so far, though the training is not finished"
    if not curves.lines:
        return ""
    fell = f"the training loss fell from {curves.loss_N[0]:.3g} to {curves.level(0.95, 1.0):.3g} nats per token"
    if not len(valid):
        without = "without a validation text" if facts.finished else "before its first validation"
        return f"{begun}: {fell}; {without} nobody can see whether it overfits."
    best = float(valid.together_V.min())
    ended = "ended at its lowest" if valid.together_V[-1] - best <= valid.noise else "was lowest"
    where = "" if ended != "was lowest" else f" after {valid.shares_V[valid.together_V.argmin()]:.0%} of the training"
    counted = "; so far counting alone predicts as well, and a longer training helps the network"
    return f"{begun}: {fell}, and the validation loss {ended}{where}{counted if adds_nothing(valid) else ''}."


def adds_nothing(valid: Validations) -> bool:
    """Whether the network is behind counting, and both together no better beyond noise."""
    if valid.counts is None or not len(valid) or float(valid.network_V.min()) <= valid.counts:
        return False
    return valid.counts - float(valid.together_V.min()) <= valid.noise


def nats(loss: float) -> str:
    """A loss with its perplexity."""
    return f"{loss:.3f} nats per token (perplexity {math.exp(min(loss, 700.0)):.4g})"


def rounded(value: float) -> float:
    """With one digit, as a person would type it."""
    short = float(f"{value:.0e}")
    return int(short) if short.is_integer() else short


def lower(facts: CurveFacts, factor: float = 3.0) -> str:
    """A smaller rate to type."""
    return option("lr", rounded(facts.lr / factor))


def diverged(training: Training) -> Finding | None:
    """The loss ended above its start, or is no number."""
    curves, _, facts = training
    if curves.broken:
        seen = "The training loss is no longer a finite number."
    elif (end := curves.level(0.95, 1.0)) > 1.05 * curves.loss_N[0]:
        seen = f"The training loss ended at {end:.3g} nats per token, above the {curves.loss_N[0]:.3g} it began with."
    else:
        return None
    cause = f"The updates are too large: learning rate {facts.lr:g}" + ("." if facts.clip else ", no clipping.")
    remedy = f"Try {lower(facts, 10)}" + ("." if facts.clip else f", or {option('clip', 1)}.")
    return Finding("divergence", "problem", seen, "the last 5% lie more than 5% above the first loss", cause, remedy)


def rate_too_high(training: Training) -> Finding | None:
    """The loss climbs back, or varies far more from line to line than the choice of tokens explains."""
    curves, valid, facts = training
    tenths = [curves.level(i / 10, (i + 1) / 10) for i in range(10)]
    lowest = min(tenths)
    rise, drop = tenths[-1] - lowest, float(curves.loss_N[0]) - lowest
    risen = len(valid) > 1 and valid.network_V[-1] - valid.network_V.min() > valid.noise
    if drop > 0 and rise > max(RISE * drop, 4 * curves.noise_of_mean(0.1)) and (risen or len(valid) < 2):
        when = (tenths.index(lowest) + 1) / 10
        seen = f"The training loss was lowest after {when:.0%} of the training ({lowest:.3g}) and rose to "
        seen += f"{tenths[-1]:.3g} nats per token."
        rule = f"it climbs back more than {RISE:.0%} of its fall, and validation with it"
    elif len(valid) > 2 and valid.shares_V[valid.network_V.argmin()] < 0.75 and risen and not memorised(training):
        seen = f"The network's validation loss rose from {valid.network_V.min():.3f} to {valid.network_V[-1]:.3f} nats "
        seen += "per token while the training loss stood still."
        rule = f"validation ends more than {valid.noise:.2g} nats above its lowest, and the training loss fell less"
    elif (peak := max(tenths)) > PEAK * curves.loss_N[0] and tenths[-1] < peak:
        seen = f"The training loss rose from {curves.loss_N[0]:.3g} to {peak:.3g} nats per token before it fell."
        rule = f"a tenth of the training lies over {PEAK - 1:.0%} above the first loss"
    elif curves.roughness > ROUGH:
        seen = f"Late in the training its loss still jumps by {curves.noise:.2g} nats from line to line."
        rule = f"{ROUGH:g} times what the choice of {int(np.median(curves.span_N)):,} tokens explains; "
        rule += f"here {curves.roughness:.0f} times"
    else:
        return None
    remedy = f"Try {lower(facts)}, a falling rate ({option('schedule', 'cosine')}), or a larger batch."
    return Finding("rate-too-high", "warning", seen, rule, f"The learning rate {facts.lr:g} is too high.", remedy)


def rate_too_low(training: Training) -> Finding | None:
    """The loss falls in an almost straight line, and the optimiser could hardly have moved a weight."""
    curves, _, facts = training
    steps, share = curves.lines[-1]["step"], curves.share_of_drop(0.5)
    gain, noise = curves.level(0.45, 0.55) - curves.level(0.95, 1.0), curves.noise_of_mean(0.05)
    even, little = share > EVEN and gain > 2 * noise, near_unigram(training) is not None
    adaptive = facts.optimizer in ADAPTIVE
    if steps < FEWEST_STEPS or not (even or (little and adaptive)) or (adaptive and curves.path >= SHORTEST_PATH):
        return None
    rule = f"over {EVEN:.0%} of the fall in the second half" if even else "hardly better than token frequencies"
    if adaptive:
        rule += f", and the sum of the rates over the steps, {curves.path:.2g}, is below {SHORTEST_PATH}"
    seen = f"The training loss fell slowly, from {curves.loss_N[0]:.3f} to {curves.level(0.95, 1.0):.3f} nats per token"
    seen += f": {share:.0%} of its fall came in the second half." if even else "."
    cause = f"The learning rate {facts.lr:g} is too low for {steps:,} steps."
    remedy = f"Try {option('lr', rounded(10 * facts.lr))}."
    return Finding("rate-too-low", "warning", seen, rule, cause, remedy)


def underfitting(training: Training) -> Finding | None:
    """Validation is hardly better than token frequencies."""
    curves, _, facts = training
    if (end := near_unigram(training)) is None:
        return None
    seen = f"The network reached {nats(end)}, not much better than token frequencies, which need {facts.unigram:.3f}."
    cause = "It had too few updates, or is too small or too much regularised to learn from context."
    less = f", with less dropout ({option('dropout', rounded(facts.dropout / 2))})" if facts.dropout >= 0.4 else ""
    faster = option("lr", rounded(3 * facts.lr))
    remedy = f"Train longer ({option('more', minutes(curves))}){less}, at a higher rate ({faster}), or "
    remedy += f"with a larger network ({option('hidden_dim', 2 * facts.hidden_dim)})."
    rule = f"its loss is over {NEAR_UNIGRAM:.0%} of that of token frequencies, or it gains under {LEARNED:.0%} of what "
    rule += "counting gains"
    return Finding("underfitting", "warning", seen, rule, cause, remedy)


def near_unigram(training: Training) -> float | None:
    """The best loss of a network that is hardly better than token frequencies; None of any other."""
    curves, valid, facts = training
    if facts.unigram is None or not (len(valid) or facts.exact):
        return None
    ends = [curves.level(0.95, 1.0)] if facts.exact else []  # the frequencies are those of the training text
    end = min([*ends, *valid.network_V.tolist()])
    needed = NEAR_UNIGRAM * facts.unigram
    if valid.counts is not None and len(valid):
        needed = min(needed, facts.unigram - LEARNED * (facts.unigram - valid.counts))
    return end if end > needed else None


def minutes(curves: Curves) -> float:
    """As many as the training has had, at least half a one, as a person would type it."""
    return rounded(max(0.5, curves.lines[-1].get("seconds", 0.0) / 60))


def overfitting(training: Training) -> Finding | None:
    """Validation rises after its best, by more than noise, while the training loss falls; a gap alone is none."""
    curves, valid, facts = training
    if len(valid) < 3:
        return None
    best = int(valid.network_V.argmin())
    rise, when = float(valid.network_V[-1] - valid.network_V[best]), float(valid.shares_V[best])
    if rise <= max(valid.noise, OVERFITTED * valid.network_V[best]) or not memorised(training):
        return None
    before, after = curves.level(when - 0.05, when + 0.05), curves.level(0.9, 1.0)
    seen = (
        f"The network's validation loss was lowest after {when:.0%} of the training ({valid.network_V[best]:.3f}) and "
        f"rose to {valid.network_V[-1]:.3f}, while the training loss fell from {before:.3f} to {after:.3f}."
    )
    rule = f"validation ends more than {valid.noise:.2g} nats, two standard errors, above its lowest"
    cause = "From then on the network memorised the training text. The run keeps the weights that validated best."
    more = f"{option('dropout', rounded(min(0.7, facts.dropout + 0.2)))}"
    smaller = option("hidden_dim", max(1, facts.hidden_dim // 2))
    remedy = f"Try {more}, a smaller network ({smaller}), more text, or stopping earlier ({option('patience', 3)})."
    return Finding("overfitting", "warning", seen, rule, cause, remedy)


def memorised(training: Training) -> bool:
    """Whether the training loss went on falling since validation was at its best."""
    curves, valid, _ = training
    best = int(valid.network_V.argmin())
    rise, when = float(valid.network_V[-1] - valid.network_V[best]), float(valid.shares_V[best])
    fall = curves.level(when - 0.05, when + 0.05) - curves.level(0.9, 1.0)
    return fall > max(MEMORISED * rise, 2 * curves.noise_of_mean(0.1))


def still_improving(training: Training) -> Finding | None:
    """The last quarter still gained."""
    curves, valid, facts = training
    if not facts.finished:
        return None
    if len(valid) >= 2 and valid.shares_V[0] < 0.75:
        end, gain, noise = float(valid.network_V[-1]), valid.at(0.75) - float(valid.network_V[-1]), valid.noise
        what = "the network's validation loss"
    else:
        end = curves.level(0.9, 1.0)
        gain, noise = curves.level(0.65, 0.75) - end, 2 * curves.noise_of_mean(0.1)
        what = "the training loss"
    if gain <= max(GAIN * end, noise):
        return None
    seen = f"The last quarter of the training still lowered {what} by {gain:.3f} nats per token"
    seen += f" (perplexity by {-math.expm1(-gain):.0%})."
    cause = "The time ran out before the network had learned what it can; a little of this is the end of the schedule."
    remedy = f"Continue with {option('more', minutes(curves))}."
    rule = f"the last quarter gains over {GAIN:.0%} of the loss, and more than noise ({noise:.2g})"
    return Finding("still-improving", "note", seen, rule, cause, remedy)


def saturated(training: Training) -> Finding | None:
    """Nothing was gained for most of the training."""
    curves, valid, facts = training
    if len(valid) < 4 or valid.shares_V[0] > 0.4:
        return None
    gain = valid.at(0.4) - float(valid.network_V[-1])
    learned = curves.level(0.35, 0.45) - curves.level(0.9, 1.0)
    if abs(gain) > valid.noise / 2 or learned > 2 * GAIN * curves.level(0.9, 1.0):
        return None
    seen = f"Since 40% of the training the network's validation loss has changed by only {abs(gain):.3f} nats."
    cause = "This network has learned what it can from this text at this rate."
    larger = option("hidden_dim", 2 * facts.hidden_dim)
    remedy = f"A larger network may reach more ({larger}); {option('patience', 3)} would have stopped sooner."
    rule = f"less than one standard error ({valid.noise / 2:.2g}), and the training loss stands still too"
    return Finding("saturated", "note", seen, rule, cause, remedy)


def noisy_validation(training: Training) -> Finding | None:
    """So few validation tokens that their loss is known only roughly."""
    _, valid, _ = training
    if not len(valid) or valid.tokens is None or 1 / math.sqrt(valid.tokens) <= ERROR:
        return None
    error = float(valid.network_V[-1]) / math.sqrt(valid.tokens)
    seen = f"Validation reads {valid.tokens:,} tokens, so its loss has a standard error of about {error:.2g} nats."
    rule = f"over {ERROR:.0%} of the loss, tokens varying about as much as their mean"
    cause = "Smaller differences between runs, or between moments of this one, may be chance."
    remedy = f"Validate on a longer text: {option('valid', 'FILE')}."
    level: Level = "warning" if valid.tokens < FEW_VALID else "note"
    return Finding("noisy-validation", level, seen, rule, cause, remedy)


def exploding(training: Training) -> Finding | None:
    """Late gradient norms with huge spikes, or most steps clipped."""
    curves, _, facts = training
    norms, clipped = curves.late("grad_norm"), curves.late("clipped")
    if len(norms) and np.median(norms) > 0 and norms.max() > SPIKES * np.median(norms):
        ratio = norms.max() / np.median(norms)
        seen = f"Late gradient norms reach {norms.max():.3g}, {ratio:.0f} times their median."
        clip = rounded(float(np.median(norms)) * 2)
        remedy = f"Try {option('clip', clip)}, or {lower(facts)}."
        rule = f"over {SPIKES:g} times the median"
        cause = "A few windows have gradients so large that they throw the weights off course."
        return Finding("exploding-gradients", "warning", seen, rule, cause, remedy)
    if not facts.clip or not len(clipped) or clipped.mean() <= CLIPPED:
        return None
    seen = f"In the second half {clipped.mean():.0%} of the steps were clipped to a gradient norm of {facts.clip:g}."
    cause = "Clipping, more than the learning rate, then decides the size of the updates."
    remedy = f"Try {option('clip', rounded(2 * float(np.median(norms))))}, or {lower(facts)}."
    return Finding("clipped-gradients", "note", seen, f"over {CLIPPED:.0%} of the steps", cause, remedy)


def vanishing(training: Training) -> Finding | None:
    """The first layer gets hardly any gradient."""
    curves, _, _ = training
    norms = curves.late_parts("grad_norms")
    cells = sorted((name for name in norms if name.startswith("cell")), key=lambda name: int(name[4:]))
    if len(cells) < 2 or norms[cells[0]] >= VANISHED * norms[cells[-1]]:
        return None
    ratio = norms[cells[0]] / max(norms[cells[-1]], 1e-30)
    seen = f"The gradient of the first layer is {ratio:.1g} times that of layer {len(cells)}."
    cause = "It vanishes on the way down, so the first layers stay as they were drawn."
    remedy = f"Take fewer layers ({option('layers', max(1, len(cells) // 2))}), or {option('cell', 'lstm')}."
    return Finding("vanishing-gradients", "warning", seen, f"less than {VANISHED:g} times", cause, remedy)


def dead_units(training: Training) -> Finding | None:
    """Rectifiers that are never above zero."""
    curves, _, facts = training
    dead = {name: share for name, share in curves.late_parts("dead").items() if share > DEAD}
    if not dead:
        return None
    name, share = max(dead.items(), key=lambda one: one[1])
    seen = f"In {name} {share:.0%} of the units are always zero."
    cause = "Large steps pushed them where no gradient reaches them."
    return Finding("dead-units", "warning", seen, f"over {DEAD:.0%}", cause, f"Try {lower(facts)}.")


def worse_than_counting(training: Training) -> Finding | None:
    """Counting n-grams does as well as, or better than, the network."""
    curves, valid, _ = training
    if valid.counts is None or not len(valid) or (network := float(valid.network_V.min())) <= valid.counts:
        return None
    together = float(valid.together_V.min())
    seen = f"On the validation text counting alone needs {valid.counts:.3f} nats per token, the network {network:.3f}, "
    seen += f"both together {together:.3f}."
    if adds_nothing(valid):
        cause = "So far the network knows hardly anything that counting does not."
    else:
        cause = "Counting is hard to beat in a short training; the network adds what it cannot know."
    remedy = f"A longer training helps the network: {option('more', minutes(curves))}."
    return Finding("worse-than-counting", "note", seen, "the network alone is behind counting", cause, remedy)


ALTERNATIVES: tuple[tuple[Rule, ...], ...] = (
    (diverged, rate_too_high, rate_too_low, underfitting, still_improving, saturated),
    (overfitting,),
    (noisy_validation,),
    (exploding,),
    (vanishing,),
    (dead_units,),
)
"""Rules; of those of a line, which explain one another, the first that fires counts."""
IN_SOUND_TRAININGS: tuple[Rule, ...] = (worse_than_counting,)
"""Rules whose finding would only repeat a problem or a warning."""
