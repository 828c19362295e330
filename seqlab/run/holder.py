"""What every object that a person holds and that lives in a run folder can do."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..base.errors import InputError, option
from ..base.results import Result
from ..config.arguments import checked
from .folder import AnyRun
from .history import History

if TYPE_CHECKING:
    from ..diagnosis import Findings
    from ..text import Tokenizer
    from ..visualization import CurveAxis, Picture


@checked
class RunHolder(Result):
    """A trained model in its run folder.

    Attributes:
        run: the run folder it lives in. Without `out`, training makes a temporary one that goes when this object
            does; `save` makes it permanent.
        device: "cpu", "cuda" or "auto".
        summary: what training reported (empty for one loaded from disk).
    """

    run: AnyRun

    def __init__(self, run: AnyRun, device: str = "cpu", summary: Mapping[str, Any] | None = None):
        self.run, self.device, self.summary = run, device, dict(summary or {})

    def reading_as(
        self,
        texts: Iterable[object],
        *,
        field: str | None = None,
        encoding: str | None = None,
        errors: str | None = None,
    ) -> Self:
        """The same model, which reads texts that are not stored as the training text was.

        Args:
            texts: these, None for each that is not named.
            field: of their records, or column of their table; None: that of the training text.
            encoding: of those that are not UTF-8; None: that of the training text.
            errors: what to do with invalid bytes, "strict" or "replace"; None: what was done in the training text.

        Raises:
            InputError: none of these, or no text to read.
        """
        given = {"field": field, "encoding": encoding, "errors": errors}
        named = next((name for name, value in given.items() if value is not None), None)
        if named is None:
            return self
        if all(text is None for text in texts):
            raise InputError(f"{option(named)}: says how to read a text; name the text too.")
        other = copy.copy(self)
        other.run = self.run.reading_as(field, encoding, errors)
        return other

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to ids and back."""
        return self.run.tokenizer

    @property
    def history(self) -> History:
        """The lines of metrics that training wrote: losses, learning rate, gradient norms, speed."""
        return self.run.history

    @property
    def diagnosis(self) -> Findings:
        """What training shows: findings in plain words, each with the rule that fired and what to change."""
        return self.run.diagnosis

    def curves(self, *, x: CurveAxis = "tokens") -> Picture:
        """The training curves as a picture that a notebook shows and `.save(path)` writes.

        Args:
            x: the horizontal axis: "tokens", "steps" or "seconds".
        """
        from ..visualization import draw_curves

        return draw_curves([(self.run.path.name, self.history.lines)], x=x, words=[self.diagnosis.paragraph()])

    def save(self, path: str | Path) -> Path:
        """Copy the run to a folder, complete or not at all; a run that is there is replaced.

        Returns:
            The folder: `seqlab.load` opens it, on any machine.

        Raises:
            InputError: a file or a folder with other things in it is there.
        """
        return self.run.copy_to(path)

    def to_json(self) -> dict[str, Any]:
        """The run's configuration and what training reported."""
        return {"run": str(self.run.path), "config": self.run.config.model_dump(), "summary": self.summary}

    @property
    def home(self) -> str:
        """Where the run is, in words."""
        return "temporary" if self.run.temporary else str(self.run.path)
