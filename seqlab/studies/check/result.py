"""What a check found: the command line prints it, a notebook shows it."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ...base.errors import counted
from ...base.results import Result, Table, abbreviated, line
from ...diagnosis import Findings
from ...training.planning import Plan
from .measure.figures import CheckFigures
from .rules.table import RULES

SEEN = 1e6
"""Bytes by which a step must have raised the memory in use to be told: a small model finds room in what is there."""


@dataclass(frozen=True, repr=False)
class Check(Result):
    """A training looked at before it starts.

    Attributes:
        findings: what is wrong or worth knowing, the gravest first.
        plan: what would be trained, as `train_language_model` decides it.
        figures: everything that was measured.
        seconds: that the check took, reading the text not included.
    """

    findings: Findings
    plan: Plan
    figures: CheckFigures
    seconds: float

    def __repr__(self) -> str:
        found = repr(self.findings).partition("(")[2].rstrip(")")
        return line("Check", [found, f"{len(RULES)} rules in {self.seconds:.0f} s"])

    def table(self) -> Table:
        """The parts of the model after the short training, a row each."""
        headers = (
            "layer",
            "parameters",
            "weight rms",
            "gradient norm",
            "update/weight",
            "saturated",
            "dead",
            "constant",
        )
        rows = [
            (
                layer.name,
                layer.parameters,
                *(short(value) for value in (layer.weight, layer.gradient, layer.update)),
                *(None if share is None else f"{share:.0%}" for share in (layer.saturated, layer.dead, layer.still)),
            )
            for layer in self.figures.steps.layers
        ]
        return Table(headers, rows, repr(self))

    def text(self) -> str:
        """Figures, the table of layers, and the findings in running sentences."""
        findings = [f"{finding.level}: {finding.name}\n  {finding.paragraph()}" for finding in self.findings]
        return "\n".join([*self.summary(), "", self.table().text(), "", *(findings or [self.healthy()])])

    def _repr_html_(self) -> str:
        facts = "<br>".join(map(html.escape, self.summary()))
        findings = self.findings.table().html() if len(self.findings) else f"<p>{html.escape(self.healthy())}</p>"
        return f"<p>{facts}</p>{self.table().html()}{findings}"

    def healthy(self) -> str:
        """That nothing was found, in a sentence."""
        return f"Nothing found: none of {len(RULES)} rules fired. This training is set up to learn."

    def summary(self) -> Iterator[str]:
        """The figures in lines."""
        figures = self.figures
        start, steps, reach, memorise, rates = (
            figures.start, figures.steps, figures.reach, figures.memorise, figures.rates
        )  # fmt: skip
        yield (
            f"initial loss   {start.loss:.2f} nats per token (token frequencies {start.unigram:.2f}, all types alike "
            f"{start.uniform:.2f})"
        )
        yield f"short training {steps.losses[0]:.2f} to {steps.losses[-1]:.2f} in {len(steps.losses)} steps"
        if memorise is not None:
            yield f"one batch      {memorise.first:.2f} to {memorise.last:.2f} in {memorise.steps} steps"
        if rates is not None:
            gains = ", ".join(f"{rates.lr * factor:g}: {gain:+.2f}" for factor, gain in rates.gained.items())
            yield f"rates          nats gained in {rates.steps} steps at {gains}"
        near = figures.time.get(1, 0.0)
        if near > 0:
            reaches = ", ".join(f"{back}: {size / near:.2g}" for back, size in figures.time.items())
            yield f"back in time   gradient relative to one token back, at {reaches}"
        seen = reach.measured is not None and reach.measured >= SEEN
        measured = f", {(reach.measured or 0) / 1e6:,.0f} MB measured" if seen else ""
        yield (
            f"a step         {1e3 * reach.step_seconds:,.0f} ms with {counted(reach.threads, 'thread')}; "
            f"about {reach.memory / 1e6:,.0f} MB{measured}"
        )
        yield (
            f"the budget     {abbreviated(round(reach.tokens))} tokens, {several(reach.passes)} passes, "
            f"{several(reach.tokens_per_parameter)} tokens for each of {abbreviated(reach.parameters)} parameters"
        )
        if figures.left_out:
            yield f"left out       {' and '.join(figures.left_out)}: the model is too large, or the machine too busy"

    def to_json(self) -> dict[str, Any]:
        """Plain values.

        Returns:
            {"findings": [{"name", "level", "seen", "threshold", "cause", "remedy"}], "plan": settings as
            `train lm --dry-run --json` prints them, "sentence", "text", "start", "steps", "time", "memorise", "rates",
            "reach": what was measured, "left_out": what there was no time for, "rules": names of all rules, "seconds"}.
            Numbers that are not finite are None.
        """
        figures = {name: plain(value) for name, value in asdict_of(self.figures).items()}
        return {
            "findings": self.findings.to_json(),
            "plan": self.plan.to_json(),
            "sentence": self.plan.sentence,
            **figures,
            "rules": [rule.name for rule in RULES],
            "seconds": round(self.seconds, 2),
        }


def asdict_of(figures: CheckFigures) -> dict[str, Any]:
    """All groups of figures but the configuration, as plain dictionaries."""
    names = ("text", "start", "steps", "memorise", "rates", "reach")
    groups = {name: getattr(figures, name) for name in names}
    others = {"time": figures.time, "left_out": figures.left_out}
    return {name: None if group is None else asdict(group) for name, group in groups.items()} | others


def plain(value: Any) -> Any:
    """A value as JSON takes it: keys are text, tuples lists, numbers finite."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


def short(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}"


def several(value: float) -> str:
    """A number of things: whole, or two significant digits where it is small."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
