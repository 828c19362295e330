"""Which of a test's cases are usual: `make test` runs those, and `pytest -m slow` the others too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def usual(cases: Iterable[Any], *chosen: Any) -> list[Any]:
    """All cases for `parametrize`, of which those that are not chosen are slow; a tuple is a case of several names."""
    cases = list(cases)
    assert all(one in cases for one in chosen), f"not all of {chosen} are among {cases}"
    slow = {"marks": pytest.mark.slow}
    split = (case if isinstance(case, tuple) else (case,) for case in cases)
    return [pytest.param(*case, **({} if one in chosen else slow)) for one, case in zip(cases, split, strict=True)]
