"""Every planted fault of benchmarks/check.py is named, on a tiny text; the campaign there has larger ones and healthy
trainings."""

from __future__ import annotations

from pydoc_data.topics import topics

import pytest
from costs import usual

from benchmarks.check import FAULTS, planted
from seqlab.studies.check import check as checking
from seqlab.studies.check.rules.table import RULES

TEXT = "".join(topics.values())[:40_000]
UNPLANTED = {
    *("no-validation", "little-text", "always-clipped", "too-much-memory"),
    *("constant-units", "saturated", "cannot-memorise"),
}
"""Rules that no fault is to be named by: notes, what needs a full machine, and what other findings bring with them."""


USUAL = (
    *("rate x 100", "rate / 1000", "huge weights", "sigmoid stack", "dead rectifiers", "frozen layer", "dropout 0.95"),
    *("validation in the training text", "shuffled text", "vocabulary of <unk>", "text four times", "weight decay 50"),
)
"""One for each kind of measurement; that every rule fires where it should is tested in test_check_rules.py."""
OF_RATES = {"rate-too-high", "rate-too-low"}
"""Rules that need the short trainings at several rates, most of a check's time."""


@pytest.mark.parametrize("name", usual(FAULTS, *USUAL))
def test_a_planted_fault_is_named(name, monkeypatch):
    if not OF_RATES & set(FAULTS[name].expected):
        monkeypatch.setattr(checking, "RATES_END", 0.0)
        monkeypatch.setattr(checking, "MEMORISE_END", 0.0)
    check_named(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not OF_RATES & set(fault.expected)])
def test_a_planted_fault_is_named_by_a_whole_check(name):
    check_named(name)


def check_named(name):
    found = {finding.name: finding for finding in planted(name, TEXT, 1).findings}
    named = [found[one] for one in FAULTS[name].expected if one in found]
    assert named, f"{name}: {sorted(found)}"
    for finding in named:
        assert finding.seen.endswith(".")
        assert finding.threshold
        assert finding.cause
        assert finding.remedy


def test_every_rule_has_a_fault():
    assert {rule.name for rule in RULES} - {one for fault in FAULTS.values() for one in fault.expected} == UNPLANTED
