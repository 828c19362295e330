"""Findings as objects."""

from __future__ import annotations

from seqlab.diagnosis import Finding, Findings, diagnose_vectors

NOTE = Finding("short", "note", "The text has 12 tokens.", "fewer than 100 tokens", "", "")
PROBLEM = Finding(
    "divergence",
    "problem",
    "The loss rose from 4 to 9.",
    "the loss doubles",
    "The rate is too high.",
    "Try --lr 0.001.",
)


def test_the_gravest_finding_comes_first():
    found = Findings([NOTE, PROBLEM])
    assert [finding.name for finding in found] == ["divergence", "short"]
    assert repr(found) == "Findings(1 problem · 1 note)"
    assert repr(Findings([])) == "Findings(nothing found)"
    assert len(found) == 2


def test_a_finding_reads_as_a_paragraph():
    assert PROBLEM.paragraph() == (
        "The loss rose from 4 to 9. (Rule: the loss doubles.) The rate is too high. Try --lr 0.001."
    )
    assert NOTE.paragraph() == "The text has 12 tokens. (Rule: fewer than 100 tokens.)"


def test_findings_become_plain_values_and_rows():
    found = Findings([PROBLEM])
    assert found.to_json() == [
        {
            "name": "divergence",
            "level": "problem",
            "seen": "The loss rose from 4 to 9.",
            "threshold": "the loss doubles",
            "cause": "The rate is too high.",
            "remedy": "Try --lr 0.001.",
        }
    ]
    assert found.table().rows[0][0] == "divergence"


def test_passes_that_differ_by_chance_are_no_climb():
    losses = [2.57, 2.61, 2.64, 2.56, 2.61, 2.60, 2.45, 2.47, 2.41, 2.46, 2.47, 2.45, 2.44, 2.47]
    assert not list(diagnose_vectors(losses, [None] * len(losses)))
    climbing = [2.57, 2.41, 2.40, 2.39, 2.38, 2.38, 2.41, 2.47, 2.54]
    assert [one.name for one in diagnose_vectors(climbing, [None] * 9)] == ["rate-too-high"]
