"""Points become lines by everything that generation offers: its rules, drawing, best-of-n and beam search.

Shapes: P points, Z latent dimensions, V vocabulary.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor

from ..config.checks import RULE_FLAGS, split_rule
from ..config.names import RESTRAINTS
from ..generation import Samples, TextGenerator
from ..generation.generator import Request
from ..generation.samples import Sample
from ..models import ModelState
from ..options import GenerationOptions
from ..text import Tokenizer
from .model import SequenceAutoencoder

SIDE_BY_SIDE = 64
"""Points whose lines are written together."""


class PointDecoder:
    """The decoder at some points, as generation takes a model: text i begins at point i mod P.

    Args:
        model: in evaluation mode.
        points_PZ: where the lines begin.
    """

    def __init__(self, model: SequenceAutoencoder, points_PZ: Tensor):
        self.decoder, self.points_PZ = model.decoder, points_PZ.to(model.device, model.output.bias.dtype)
        self.vocab_size = model.vocab_size

    def init_state(self, batch: int) -> ModelState:
        """The states at the points; `batch` has no part in it."""
        return self.decoder.at(self.points_PZ)

    def step(self, token_B: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """See `LanguageModel.step`."""
        return self.decoder.step(token_B, state)

    def prefill(self, tokens_BT: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """See `LanguageModel.prefill`; a single row is read at all points."""
        return self.decoder.prefill(tokens_BT.expand(len(state[0][0]), -1), state)

    def select(self, state: ModelState, index_B: Tensor) -> ModelState:
        """See `LanguageModel.select`."""
        return self.decoder.select(state, index_B)


def write_lines(
    model: SequenceAutoencoder,
    tokenizer: Tokenizer,
    points_PZ: np.ndarray,
    prompt: str = "",
    **options: Unpack[GenerationOptions],
) -> list[Sample]:
    """The line at each point.

    Args:
        model: in evaluation mode.
        tokenizer: of its text.
        points_PZ: the points.
        prompt: how every line begins.
        **options: of generation, see `GenerationConfig`, but not `num`: by default the likeliest token is taken every
            time, and a line ends where the model ends it, or at the longest line it was trained on.

    Raises:
        InputError: options that contradict one another, or a prompt that the model cannot read.
    """
    longest = model.latent.max_length
    settings: dict[str, Any] = {"stop_at_eos": True, **({"length": longest} if longest else {}), **options}
    names = [split_rule(entry)[0] for entry in settings.get("rules", ()) if not callable(entry)]
    shaped = [name for name in names if name not in RESTRAINTS]
    if not shaped and all(settings.get(name) is None for name in ("beam", "best_of", *RULE_FLAGS)):
        settings["temperature"] = 0.0
    together = prompt == "" and not settings.get("beam") and not settings.get("best_of")
    found: list[Sample] = []
    width = SIDE_BY_SIDE if together else 1
    for begin in range(0, len(points_PZ), width):
        points = torch.from_numpy(np.ascontiguousarray(points_PZ[begin : begin + width], np.float32))
        generator = TextGenerator(PointDecoder(model, points), tokenizer)
        seeded = {"seed": settings["seed"] + begin} if settings.get("seed") is not None else {}
        request = generator.request(prompt, **{**settings, **seeded})
        if len(points) > 1:
            found += _several(generator, request, len(points))
        else:
            found += generator.write(request)
    return found


def _several(generator: TextGenerator, request: Request, count: int) -> Samples:
    """A text for each of several points. The rules are made, so that the setting of a temperature of 0, with which
    several texts of one state would be the same, can go."""
    config = request.config.model_copy(update={"num": count, "temperature": None})
    return generator.write(request._replace(config=config))
