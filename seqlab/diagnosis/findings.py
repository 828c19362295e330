"""A finding: what was seen, the threshold that fired, the likely cause, and what to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..base.errors import counted
from ..base.results import Result, Table, line

Level = Literal["problem", "warning", "note"]
"""A problem keeps a training from learning, a warning costs some of what it could reach, a note is worth knowing."""
LEVELS: tuple[Level, ...] = ("problem", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing that a diagnosis found.

    Attributes:
        name: a short name that scripts may rely on, such as "overfitting".
        level: how much it matters.
        seen: what was seen, as a sentence with its figures.
        threshold: the rule that fired, with its number.
        cause: the likely cause.
        remedy: what to change, with the flag to type where there is one.
    """

    name: str
    level: Level
    seen: str
    threshold: str
    cause: str
    remedy: str

    def paragraph(self) -> str:
        """All of it in running sentences."""
        return " ".join(part for part in (self.seen, f"(Rule: {self.threshold}.)", self.cause, self.remedy) if part)


@dataclass(frozen=True, repr=False)
class Findings(Result):
    """Findings, the gravest first.

    Attributes:
        findings: in order of their level.
        verdict: what there is to say of the whole where nothing is wrong; "" where the findings say it all.
    """

    findings: Sequence[Finding]
    verdict: str = ""

    def __post_init__(self) -> None:
        ordered = sorted(self.findings, key=lambda finding: LEVELS.index(finding.level))
        object.__setattr__(self, "findings", ordered)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        counts = [(level, sum(finding.level == level for finding in self)) for level in LEVELS]
        return line("Findings", [counted(count, level) for level, count in counts if count] or ["nothing found"])

    def table(self) -> Table:
        """A row a finding."""
        headers = ("finding", "level", "seen", "threshold", "cause", "remedy")
        return Table(headers, [tuple(asdict(finding).values()) for finding in self], repr(self))

    @property
    def sound(self) -> bool:
        """Whether there is no problem and no warning among them."""
        return all(finding.level == "note" for finding in self)

    def paragraph(self) -> str:
        """All of it in running sentences, the verdict first where nothing is wrong."""
        first = [self.verdict] if self.verdict and self.sound else []
        return " ".join(first + [finding.paragraph() for finding in self])

    def brief(self) -> str:
        """A sentence or two: the verdict where nothing is wrong, else the gravest finding and what to change."""
        if self.verdict and self.sound:
            return self.verdict
        return f"{self.findings[0].seen} {self.findings[0].remedy}" if self.findings else ""

    def text(self) -> str:
        """What the command line prints: the paragraph."""
        return self.paragraph()

    def to_json(self) -> list[dict[str, Any]]:
        """A dictionary a finding, with the attributes as keys."""
        return [asdict(finding) for finding in self]


def words_beneath(several: Sequence[tuple[str, Findings]]) -> list[str]:
    """What to write beneath a picture of curves: all of it for one training, of several a sentence or two each.

    Args:
        several: pairs of a name and its findings.
    """
    if len(several) == 1:
        return [paragraph] if (paragraph := several[0][1].paragraph()) else []
    return [f"{name}: {brief}" for name, findings in several if (brief := findings.brief())]
