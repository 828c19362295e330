"""Every call by which a command changes files may fail, or be the last one before a kill."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
EACH = 5
"""Trials of a command, drawn at random; `make faults` tries every call."""


@pytest.fixture(scope="module")
def calls() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        return importlib.import_module("benchmarks.faults.calls")


def test_a_command_survives_faults_and_kills_at_some_of_its_calls(calls: ModuleType) -> None:
    if not calls.available():
        pytest.skip("needs Linux and a C compiler")
    found = calls.campaign([], most=EACH)
    assert {one.command for one in found} == set(importlib.import_module("benchmarks.faults.commands").COMMANDS)
    assert [fault for one in found for fault in one.faults] == []
    assert all(one.trials == EACH and one.calls > EACH for one in found)
