"""The campaign against faults, in its short form: the same trials each time. `make faults` makes all of them.

The usual tests make those of FIRST; what the others try is in tests/safety and tests/text/sources too.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("campaign")  # one process makes it, not each
ROOT = Path(__file__).resolve().parents[2]
LEAST = {
    "kills": 5,
    "calls": 9,
    "full": 8,
    "mutants": 30,
    "hostile": 12,
    "odd": 6,
    "writers": 4,
    "readers": 1,
    "soak": 0,
}
"""Trials of each part, at least."""


FIRST = ("kills", "calls", "full")


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    return campaign(",".join(FIRST), "--quick")


@pytest.fixture(scope="module")
def found_later() -> dict[str, dict[str, Any]]:
    return campaign(",".join(name for name in LEAST if name not in FIRST), "--quick")


def campaign(parts: str, *options: str) -> dict[str, dict[str, Any]]:
    """What every one of these parts has found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        if not importlib.import_module("benchmarks.faults.calls").available():
            pytest.skip("needs Linux and a C compiler")
    command = [sys.executable, "-m", "benchmarks.faults", "--only", parts, *options, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") == len(parts.split(",")), done.stderr
    return {one["part"]: one for one in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("part", FIRST)
def test_a_part_of_the_campaign_finds_no_fault(part: str, found: dict[str, dict[str, Any]]) -> None:
    assert found[part]["faults"] == {}
    assert found[part]["trials"] >= LEAST[part]


@pytest.mark.slow
def test_the_other_parts_find_no_fault(found_later: dict[str, dict[str, Any]]) -> None:
    assert {*FIRST, *found_later} == LEAST.keys()
    for part, one in found_later.items():
        assert one["faults"] == {}
        assert one["trials"] >= LEAST[part]


@pytest.mark.slow
def test_a_longer_campaign_finds_no_fault() -> None:
    found = campaign(",".join(LEAST), "--minutes", "5")
    assert {name: one["faults"] for name, one in found.items()} == {name: {} for name in LEAST}
