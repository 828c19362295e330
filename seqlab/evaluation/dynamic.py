"""Dynamic evaluation (Krause et al. 2018, https://arxiv.org/abs/1709.07432): the network goes on learning from what it
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
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import choose
from ..models import LanguageModel
from ..nn import SampledSoftmax
from ..nn.output_layer import SoftmaxLayer
from ..progress import Progress
from ..text import Batches, TokenFile
from .exact import first_tokens, readable
from .passage import Network, Part, Passage

TUNING_TOKENS = 20_000
"""Tokens the search for rate and decay reads, from the start of the text to tune on."""
SAMPLES = 1024
"""Noise words of a step; a vocabulary up to this size takes the exact gradient."""
EPSILON = 1e-3
"""Added to the root mean square of a gradient, which is that of the mean loss of a segment."""
DECAY_EVERY = 10
"""Segments whose decay is applied at once: it touches every weight, the steps do not."""


class Sgd:
    """Plain gradient steps, and the same decay for all weights."""

    first_lr = 1.0
    """Where the search for a learning rate begins."""

    def __init__(self, parameter: Tensor):
        pass

    def direction(self, rows: Tensor | None, grad: Tensor) -> Tensor:
        """What to step against, for the gradient of `rows` (R, ...) or of the whole parameter (None)."""
        return grad

    def decay(self, strength: float) -> Tensor | float:
        """Share of the way back to the trained weights, of each weight."""
        return min(1.0, strength)


class Rms(Sgd):
    """Steps divided by the root of the mean squared gradient over the segments so far; decay in proportion to it.

    The published rule takes these statistics from the training text. Here they come from the text itself, of which
    only tokens already scored count: the run folder is enough, and the text's own statistics fit it.
    """

    first_lr = 0.004

    def __init__(self, parameter: Tensor):
        self.squares, self.steps = torch.zeros_like(parameter), 0

    def direction(self, rows: Tensor | None, grad: Tensor) -> Tensor:
        self.steps += 1
        if rows is None:
            squares = self.squares.addcmul_(grad, grad)
        else:
            squares = self.squares.index_add_(0, rows, grad * grad)[rows]
        return grad / (squares / self.steps).sqrt_().add_(EPSILON)

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
    """A copy of a model that learns as it reads; the model given stays as it is."""

    def __init__(self, model: LanguageModel, settings: DynamicSettings):
        self.settings, self.segments = settings, 0
        self.model = copy.deepcopy(model).eval()
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
        self.rules = [kind(parameter.detach()) for parameter in self.parameters]
        self.state = self.model.init_state(1)

    def read(self, inputs_1T: Tensor, targets_T: Tensor) -> Tensor:
        """Exact losses (T,) in nats of a segment; the weights have learned from it afterwards."""
        with torch.backends.cudnn.flags(enabled=False):  # whose kernels differentiate in training mode only
            hidden_1TD, state = self.model.hidden(inputs_1T, self.state)
            self.state = [tuple(part.detach() for part in cell_state) for cell_state in state]
            losses_T = self.model.output.exact_losses(hidden_1TD[0].detach(), targets_T)
            self.model.output(hidden_1TD[0], targets_T).backward()
        self._step()
        return losses_T

    @torch.no_grad()
    def _step(self) -> None:
        self.segments += 1
        for parameter, rule in zip(self.parameters, self.rules, strict=True):
            gradient, parameter.grad = parameter.grad, None
            if gradient is None:
                continue
            if gradient.is_sparse:
                gradient = gradient.coalesce()
                rows = gradient.indices()[0]
                parameter.index_add_(0, rows, rule.direction(rows, gradient.values()), alpha=-self.settings.lr)
            else:
                parameter.add_(rule.direction(None, gradient), alpha=-self.settings.lr)
        if self.settings.decay and self.segments % DECAY_EVERY == 0:
            for parameter, rule, trained in zip(self.parameters, self.rules, self.trained, strict=True):
                parameter.add_((trained - parameter) * rule.decay(self.settings.decay * DECAY_EVERY))


def dynamic_log_probs(
    model: LanguageModel, tokens: TokenFile, start_id: int, settings: DynamicSettings, quiet: bool = True
) -> np.ndarray:
    """Log-probability of every token of a text (N,) float64, each by the weights adapted to the segments before its."""
    parts, progress = [], Progress("adapting", len(tokens), "tokens", quiet=quiet)
    with readable(model, tokens) as text, torch.enable_grad(), progress:
        adapting = AdaptingModel(model, settings)
        for number, batch in enumerate(Batches(text, 1, settings.segment, start_id)):
            inputs_1T, targets_1T = (torch.from_numpy(ids_BT).to(model.device) for ids_BT in batch)
            parts.append(-adapting.read(inputs_1T, targets_1T[0]).double())
            progress.update(min((number + 1) * settings.segment, len(tokens)))
    return torch.cat(parts).cpu().numpy()


def tune_dynamic(
    model: LanguageModel,
    tokens: TokenFile,
    start_id: int,
    rule: str = "rms",
    decays: tuple[float, ...] = (0.0, 1e-3),
    quiet: bool = True,
    **fixed: Any,
) -> DynamicSettings:
    """The learning rate and decay under which a text, which must not be the one reported on, is most likely.

    The rate is doubled or halved from the rule's first one as long as that helps, without decay; then the decays are
    tried with it.
    """
    kind = choose("dynamic", rule, RULES)

    def loss(settings: DynamicSettings) -> float:
        return float(-dynamic_log_probs(model, tokens, start_id, settings, quiet).mean())

    best = DynamicSettings(rule=rule, lr=kind.first_lr, **fixed)
    lowest = loss(best)
    for factor in (2.0, 0.5):
        start = best
        while (found := loss(changed := DynamicSettings(**{**asdict(best), "lr": best.lr * factor}))) < lowest:
            best, lowest = changed, found
        if best != start:
            break
    for decay in decays:
        if decay and (found := loss(changed := DynamicSettings(**{**asdict(best), "decay": decay}))) < lowest:
            best, lowest = changed, found
    return best


class Dynamic(Part):
    """The network learning on, `rule` being a name of RULES."""

    name = row = "dynamic"
    alone = True

    def __init__(self, network: Network, rule: str = "rms", seed: int = 1):
        choose("dynamic", rule, RULES)
        self.network, self.settings = network, DynamicSettings(rule=rule, seed=seed)

    def fixed(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self.settings).items() if name not in TUNED}

    def tune(self, valid: Passage) -> dict[str, Any]:
        tokens, asked = first_tokens(valid.tokens, TUNING_TOKENS), self.settings
        model, start_id = self.network
        self.settings = tune_dynamic(model, tokens, start_id, asked.rule, quiet=valid.quiet, seed=asked.seed)
        found = {name: getattr(self.settings, name) for name in TUNED}
        return {**found, "tuning_tokens": len(tokens)}

    def log_probs(self, passage: Passage) -> np.ndarray:
        model, start_id = self.network
        return dynamic_log_probs(model, passage.tokens, start_id, self.settings, passage.quiet)
