"""What a rule of a check is, and how its remedy names flags."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import NamedTuple

from ....base.errors import option
from ....diagnosis import Finding
from ....diagnosis.findings import Level
from ..measure.figures import CheckFigures

FLAG = re.compile(r"\{(set )?(\w+)(?:[= ]([^}]+))?\}")


class CheckRule(NamedTuple):
    """One thing that can be wrong with a training before it begins.

    Flags in a remedy are written `{lr=0.001}`, or `{set weight_decay=0}` for a setting without a flag of its own.
    """

    name: str
    level: Level
    threshold: str
    """The rule that fires, with its number."""
    cause: str
    remedy: str
    seen: Callable[[CheckFigures], str | None]
    """What was seen, as a sentence; None where the rule does not fire."""

    def finding(self, figures: CheckFigures) -> Finding | None:
        """The finding, None where the rule does not fire."""
        sentence = self.seen(figures)
        if sentence is None:
            return None
        return Finding(self.name, self.level, sentence, self.threshold, self.cause, self.advice())

    def advice(self) -> str:
        """The remedy in the words of the face in use."""
        return FLAG.sub(lambda match: _flag(*match.groups()), self.remedy)


def _flag(through_set: str | None, name: str, value: str | None) -> str:
    in_shell = option("lr").startswith("--")
    if through_set:
        return f"--set {name}={value}" if in_shell else f"{name}={value}"
    return option(name, None if value is None else _literal(value))


def _literal(value: str) -> object:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
