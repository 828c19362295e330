"""What every object that a person holds and that lives in a run folder can do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.results import Result
from .folder import AnyRun
from .history import History

if TYPE_CHECKING:
    from ..diagnosis import Findings
    from ..text import Tokenizer
    from ..visualization import CurveAxis, Picture


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
