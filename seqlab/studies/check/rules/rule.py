"""What a rule of a check is, and how its remedy names flags."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ....base.errors import option
from ....diagnosis import Finding
from ....diagnosis.findings import Level
from ..measure.figures import CheckFigures

FLAG = re.compile(r"\{(set )?(\w+)(?:[= ]([^}]+))?\}")


class CheckRule(NamedTuple):
    """One thing that can be wrong with a training before it begins.

    Flags in a remedy are written `{lr=0.001}`, or `{set weight_decay=0}` for a setting without a flag of its own;
    `{lr N}` where the value follows from what was measured.
    """

    name: str
    level: Level
    threshold: str
    """The rule that fires, with its number."""
    cause: str
    remedy: str
    seen: Callable[[CheckFigures], str | None]
    """What was seen, as a sentence; None where the rule does not fire."""
    values: Callable[[CheckFigures], Mapping[str, object]] = lambda figures: {}
    """By setting, the value that the remedy names where the rule fires."""

    def finding(self, figures: CheckFigures) -> Finding | None:
        """The finding, None where the rule does not fire."""
        sentence = self.seen(figures)
        if sentence is None:
            return None
        remedy = self.advice(self.values(figures))
        return Finding(self.name, self.level, sentence, self.threshold, self.cause, remedy)

    def advice(self, values: Mapping[str, object] | None = None) -> str:
        """The remedy in the words of the face in use.

        Args:
            values: by setting; they take the place of those that the remedy is written with.
        """
        known = values or {}
        return FLAG.sub(lambda match: _flag(match[1], match[2], known.get(match[2], match[3])), self.remedy)


def _flag(through_set: str | None, name: str, value: object) -> str:
    in_shell = option("lr").startswith("--")
    if through_set:
        return f"--set {name}={value}" if in_shell else f"{name}={value}"
    return option(name, _literal(value) if isinstance(value, str) else value)


def _literal(value: str) -> object:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
