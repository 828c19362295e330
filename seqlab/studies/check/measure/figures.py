"""All that a check measured, for the rules to judge."""

from __future__ import annotations

from dataclasses import dataclass

from ....config import LanguageModelConfig
from .memorise import MemoriseFigures
from .rates import RateFigures
from .reach import ReachFigures
from .start import StartFigures
from .steps import StepFigures
from .text import TextFigures


@dataclass(frozen=True)
class CheckFigures:
    """Figures of a training that has not begun.

    Attributes:
        config: every setting of it.
        text: of the text.
        start: of the model it starts from.
        steps: of a short training.
        time: by number of steps back, the size of the gradient with respect to the hidden state there.
        memorise: of one batch that is overfitted; None where there was no time for it.
        rates: what other learning rates gain; None for a model that has been trained before, or where there was no
            time.
        reach: of the budget.
        left_out: what there was no time for, in words.
    """

    config: LanguageModelConfig
    text: TextFigures
    start: StartFigures
    steps: StepFigures
    time: dict[int, float]
    memorise: MemoriseFigures | None
    rates: RateFigures | None
    reach: ReachFigures
    left_out: tuple[str, ...] = ()
