"""Dynamic evaluation (Krause et al. 2018, https://arxiv.org/abs/1709.07432): the network keeps learning from what it
has already been scored on.

The text is read as one stream in segments. A segment is scored by the exact softmax first; then the weights take one
step along the gradient of its loss, so no token's score depends on itself or on later tokens. Several streams beside
one another would break that (the first words of the second stretch would change the weights before the first stretch
is over), hence one.

What makes it cheap: the step follows the sampled softmax, whatever a plain softmax was trained with, so that it touches
a thousand rows instead of the whole vocabulary. On WikiText-2 (V = 33,278) the exact gradient took 2.7 times as long
for a perplexity 2 % lower.

Shapes: T tokens of a segment, N tokens, R rows of a parameter that a step touches.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...base.errors import choose
from ...base.progress import Progress
from ...models import LanguageModel
from ...nn import SampledSoftmax
from ...nn.outputs.base import SoftmaxLayer
from ...nn.packed import unpack_
from ...text import Batches, TokenFile
from ..exact import first_tokens, readable
from ..scored_text import Addition, ScoredText, Scorer

SEARCH_TOKENS = 20_000
"""Tokens the search for rate and decay reads, from the start of the text to tune on."""
STATISTICS_TOKENS = 20_000
"""Tokens of the training text that the size of gradients is taken from; five times as many were no better."""
DECAYS = (1e-4, 3e-4, 1e-3)
"""Decays tried, from the weakest on, as long as they help."""
SAMPLES = 1024
"""Noise words of a step; a vocabulary up to this size takes the exact gradient."""
EPSILON = 5e-4
"""Added to the root mean square of a gradient, which is that of the mean loss of a segment."""
DECAY_EVERY = 10
"""Segments whose decay is applied at once: it touches every weight, the steps do not."""


class Sgd:
    """Plain gradient steps, and the same decay for all weights."""

    first_lr = 1.0
    """Where the search for a learning rate begins."""

    def __init__(self, parameter: Tensor):
        pass

    def observe(self, rows: Tensor | None, grad: Tensor) -> None:
        """Take note of a gradient of `rows` (R, ...), or of the whole parameter (None)."""

    def direction(self, rows: Tensor | None, grad: Tensor) -> Tensor:
        """What to step against for such a gradient."""
        return grad

    def decay(self, strength: float) -> Tensor | float:
        """Share of the way back to the trained weights, of each weight."""
        return min(1.0, strength)


class Rms(Sgd):
    """Steps divided by the root of the mean squared gradient of segments; decay in proportion to it.

    Which segments: those of the training text, as published (`training_rules`), or where that is not available those of
    the text read so far.
    """

    first_lr = 0.0015

    def __init__(self, parameter: Tensor):
        self.squares, self.steps = torch.zeros_like(parameter), 0

    def observe(self, rows: Tensor | None, grad: Tensor) -> None:
        self.steps += 1
        if rows is None:
            self.squares.addcmul_(grad, grad)
        else:
            self.squares.index_add_(0, rows, grad * grad)

    def direction(self, rows: Tensor | None, grad: Tensor) -> Tensor:
        squares = self.squares if rows is None else self.squares[rows]
        return grad / (squares / max(1, self.steps)).sqrt_().add_(EPSILON)

    def decay(self, strength: float) -> Tensor | float:
        rms = (self.squares / max(1, self.steps)).sqrt_()
        return rms.mul_(strength / float(rms.mean().clamp(min=1e-30))).clamp_(max=1.0)


RULES = {"rms": Rms, "sgd": Sgd}
TUNED = ("lr", "decay")
"""The settings that are tuned; the others are given."""


@dataclass(frozen=True)
class DynamicSettings:
    """How the network adapts.

    rule: a name of RULES. decay: share of the way back to the trained weights in a segment, the mean over the weights
    of a parameter (rms). segment: tokens scored before a step.
    """

    rule: str = "rms"
    lr: float = Rms.first_lr
    decay: float = 0.0
    segment: int = 20
    samples: int = SAMPLES
    seed: int = 1


class AdaptingModel:
    """A copy of a model that learns as it reads; the model given stays as it is.

    Args:
        rules: one for each parameter, that have observed a training text and observe nothing more; None makes new
            ones, which observe what is read.
    """

    def __init__(self, model: LanguageModel, settings: DynamicSettings, rules: Sequence[Sgd] | None = None):
        self.settings, self.segments = settings, 0
        self.model = unpack_(copy.deepcopy(model).eval())
        output = self.model.output
        if isinstance(output, SoftmaxLayer):
            cheap = SampledSoftmax(
                output.vocab_size, output.width, output.weight, samples=settings.samples, seed=settings.seed
            )
            cheap.bias = output.bias
            self.model.output = cheap
        self.parameters: list[nn.Parameter] = list(self.model.parameters())
        self.trained = [parameter.detach().clone() for parameter in self.parameters]
        kind = choose("dynamic", settings.rule, RULES)
        self.observing = rules is None
        self.rules = [kind(parameter.detach()) for parameter in self.parameters] if rules is None else rules
        self.state = self.model.init_state(1)

    def read(self, inputs_1T: Tensor, targets_T: Tensor) -> Tensor:
        """Exact losses (T,) in nats of a segment; the weights have learned from it afterwards."""
        hidden_TD = self._back_propagate(inputs_1T, targets_T)
        losses_T = self.model.output.exact_losses(hidden_TD, targets_T)
        self._step()
        return losses_T

    def observe(self, inputs_1T: Tensor, targets_T: Tensor) -> None:
        """Let the rules observe the gradients of a segment; the weights stay."""
        self._back_propagate(inputs_1T, targets_T)
        for rule, _, rows, gradient in self._gradients():
            rule.observe(rows, gradient)

    def _back_propagate(self, inputs_1T: Tensor, targets_T: Tensor) -> Tensor:
        """Gradients of a segment's loss, and what the output layer read (T, D)."""
        with torch.backends.cudnn.flags(enabled=False):  # whose kernels differentiate in training mode only
            hidden_1TD, state = self.model.hidden(inputs_1T, self.state)
            self.state = [tuple(part.detach() for part in cell_state) for cell_state in state]
            self.model.output(hidden_1TD[0], targets_T).backward()
        return hidden_1TD[0].detach()

    @torch.no_grad()
    def _gradients(self) -> Iterator[tuple[Sgd, nn.Parameter, Tensor | None, Tensor]]:
        """(rule, parameter, rows, gradient) of all that has one, which is then forgotten; rows: None for all."""
        for parameter, rule in zip(self.parameters, self.rules, strict=True):
            gradient, parameter.grad = parameter.grad, None
            if gradient is not None and gradient.is_sparse:
                gradient = gradient.coalesce()
                yield rule, parameter, gradient.indices()[0], gradient.values()
            elif gradient is not None:
                yield rule, parameter, None, gradient

    @torch.no_grad()
    def _step(self) -> None:
        self.segments += 1
        for rule, parameter, rows, gradient in self._gradients():
            if self.observing:
                rule.observe(rows, gradient)
            direction = rule.direction(rows, gradient)
            if rows is None:
                parameter.add_(direction, alpha=-self.settings.lr)
            else:
                parameter.index_add_(0, rows, direction, alpha=-self.settings.lr)
        if self.settings.decay and self.segments % DECAY_EVERY == 0:
            for parameter, rule, trained in zip(self.parameters, self.rules, self.trained, strict=True):
                parameter.add_((trained - parameter) * rule.decay(self.settings.decay * DECAY_EVERY))


@contextmanager
def segments(
    model: LanguageModel, tokens: TokenFile, start_id: int, length: int, doing: str, quiet: bool
) -> Iterator[Iterator[tuple[Tensor, Tensor]]]:
    """Read a text in segments, with gradients, and show progress.

    Args:
        model: whose device the ids go to.
        tokens: the text.
        start_id: what is read before the first token.
        length: T, of a segment.
        doing: what is done with the segments, for the progress line.
        quiet: show no progress.

    Yields:
        Pairs of inputs (1, T) and targets (T,).
    """
    with (
        readable(model, tokens) as text,
        torch.enable_grad(),
        Progress(doing, len(tokens), "tokens", quiet) as progress,
    ):

        def each() -> Iterator[tuple[Tensor, Tensor]]:
            for number, batch in enumerate(Batches(text, 1, length, start_id)):
                inputs_1T, targets_1T = (torch.from_numpy(ids_BT).to(model.device) for ids_BT in batch)
                yield inputs_1T, targets_1T[0]
                progress.update(min((number + 1) * length, len(tokens)))

        yield each()


def dynamic_log_probs(
    model: LanguageModel,
    tokens: TokenFile,
    start_id: int,
    settings: DynamicSettings,
    rules: Sequence[Sgd] | None = None,
    quiet: bool = True,
) -> np.ndarray:
    """Log-probability of every token of a text (N,) float64, each by the weights adapted to the segments before its.

    Args:
        model: as trained; it stays as it is.
        tokens: the text.
        start_id: what is read before the first token.
        settings: how the network adapts.
        rules: see `AdaptingModel`.
        quiet: show no progress.
    """
    with segments(model, tokens, start_id, settings.segment, "adapting", quiet) as each:
        adapting = AdaptingModel(model, settings, rules)
        losses = [adapting.read(*segment).double() for segment in each]
    return -torch.cat(losses).cpu().numpy()


def training_rules(
    model: LanguageModel, tokens: TokenFile, start_id: int, settings: DynamicSettings, quiet: bool = True
) -> Sequence[Sgd]:
    """A rule for each parameter that has observed the gradients of a training text.

    Args:
        model: as trained; it stays as it is.
        tokens: the training text, of which STATISTICS_TOKENS are read.
        start_id: what is read before the first token.
        settings: how the network will adapt.
        quiet: show no progress.
    """
    tokens = first_tokens(tokens, STATISTICS_TOKENS)
    with segments(model, tokens, start_id, settings.segment, "observing gradients", quiet) as each:
        observing = AdaptingModel(model, settings)
        for segment in each:
            observing.observe(*segment)
    return observing.rules


def tune_dynamic(
    model: LanguageModel,
    tokens: TokenFile,
    start_id: int,
    rule: str = "rms",
    decays: tuple[float, ...] = DECAYS,
    rules: Sequence[Sgd] | None = None,
    quiet: bool = True,
    **fixed: Any,
) -> DynamicSettings:
    """The learning rate and decay under which a text is most likely.

    The rate is doubled or halved from the rule's first one as long as that helps, without decay; then the decays are
    tried with it, in their order as long as each helps.

    Args:
        model: as trained; it stays as it is.
        tokens: a text other than the one reported on.
        start_id: what is read before the first token.
        rule: a name of RULES.
        decays: to try, from the weakest on.
        rules: see `AdaptingModel`.
        quiet: show no progress.
        **fixed: other `DynamicSettings`.
    """
    kind = choose("dynamic", rule, RULES)

    def loss(settings: DynamicSettings) -> float:
        return float(-dynamic_log_probs(model, tokens, start_id, settings, rules, quiet).mean())

    best = DynamicSettings(rule=rule, lr=kind.first_lr, **fixed)
    lowest = loss(best)
    for factor in (2.0, 0.5):
        start = best
        while (found := loss(changed := DynamicSettings(**{**asdict(best), "lr": best.lr * factor}))) < lowest:
            best, lowest = changed, found
        if best != start:
            break
    for decay in decays:
        if (found := loss(changed := DynamicSettings(**{**asdict(best), "decay": decay}))) >= lowest:
            break
        best, lowest = changed, found
    return best


class Dynamic(Addition):
    """The network learning on.

    Args:
        rule: a name of RULES.
        training: the text that the network was trained on, for the size of its gradients, where available.
    """

    name = row = "dynamic"
    alone = True

    def __init__(self, scorer: Scorer, rule: str = "rms", seed: int = 1, training: TokenFile | None = None):
        choose("dynamic", rule, RULES)
        self.scorer, self.settings, self.training = scorer, DynamicSettings(rule=rule, seed=seed), training
        self.rules: Sequence[Sgd] | None = None

    def fixed(self) -> dict[str, Any]:
        given = {name: value for name, value in asdict(self.settings).items() if name not in TUNED}
        if self.settings.rule == "rms":
            given["statistics"] = "of the text itself" if self.training is None else "of the training text"
        return given

    def tune(self, valid: ScoredText) -> dict[str, Any]:
        tokens, quiet = first_tokens(valid.tokens, SEARCH_TOKENS), valid.quiet
        model, start_id = self.scorer.network, self.scorer.start_id
        if self.training is not None:
            self.rules = training_rules(model, self.training, start_id, self.settings, quiet)
        rule, seed = self.settings.rule, self.settings.seed
        self.settings = tune_dynamic(model, tokens, start_id, rule, rules=self.rules, quiet=quiet, seed=seed)
        found = {name: getattr(self.settings, name) for name in TUNED}
        return {**found, "tuning_tokens": len(tokens)}

    def log_probs(self, text: ScoredText) -> np.ndarray:
        model, start_id = self.scorer.network, self.scorer.start_id
        return dynamic_log_probs(model, text.tokens, start_id, self.settings, self.rules, text.quiet)
