"""How much memory generating takes, refused where the machine has less, before anything is generated.

Shapes: R rows side by side, P tokens of the prompt, L new tokens, V vocabulary.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..base.errors import counted, option
from ..base.resources.memory import check_memory
from ..config import GenerationConfig
from .decoding import rows_at_once
from .stepping import StepModel

TRACE, DRAWN = 2 * (8 + 3 * 8), 2 * 8
"""Bytes of a token of a row: id, log-probability, rank and entropy, of which a copy is made when rows change; and the
number that it is drawn by."""
KEPT = 250
"""Bytes of a token of a finished text: with its text, as Python objects, measured."""
LOGITS, SEARCHED = 24, 60
"""Bytes of a row and type: logits, probabilities and their sums in drawing; candidates in searching."""
STATES = 4
"""Copies of a state: before a step, after it, and with rows reordered."""
READER = 3_000
"""Bytes of what turns the tokens of a text into its characters."""


def check_generation_memory(model: StepModel, config: GenerationConfig, length: int, prompt: int, ends: bool) -> None:
    """Refuse texts that the machine's memory cannot hold.

    Args:
        model: to generate with.
        config: what is to be generated.
        length: L at most.
        prompt: P.
        ends: whether texts may end before L tokens. They then count by what is certain.

    Raises:
        InputError: saying how much it needs, how much is left, and what to lower.
    """
    state, tokens = bytes_of(model.init_state(1)), prompt + length
    if config.beam:
        rows = 2 * config.beam
        check_memory(
            f"a beam of {config.beam:,} and {counted(length, 'token')}",
            rows * (STATES * state + TRACE * tokens) + config.beam * SEARCHED * model.vocab_size,
            f"lower {option('beam')} or {option('length')}",
        )
        return
    count = config.best_of or config.num
    rows = rows_at_once(count, model.vocab_size)
    at_work = rows * (STATES * state + TRACE * tokens + DRAWN * length + LOGITS * model.vocab_size)
    texts = count * (READER + (0 if ends else KEPT * length))
    name = "best_of" if config.best_of else "num"
    check_memory(
        f"{counted(count, 'text')} of {counted(length, 'token')}",
        at_work + texts,
        f"lower {option(name)} or {option('length')}" if count > 1 else f"lower {option('length')}",
    )


def bytes_of(state: Any) -> int:
    """Bytes of the tensors in nested lists and tuples."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    return sum(map(bytes_of, state)) if isinstance(state, list | tuple) else 0
