"""Evidence: every row of results is whole, the pages made from them are up to date, and no feature lacks a row."""

from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path
from typing import get_args

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS.parent)
    return importlib.import_module("benchmarks.rows")


@pytest.fixture
def report(rows):
    return importlib.import_module("benchmarks.report")


def test_rows_are_whole(rows):
    found = rows.read()
    assert len(found) > 300
    for row in found:
        if row.peer and row.ratio and row.peer.value:
            assert row.ratio == pytest.approx(row.figure.value / row.peer.value, rel=0.05), row.id


def test_generated_pages_are_up_to_date(report):
    for path, text in report.generate().items():
        assert path.read_text("utf-8") == text, f"{path.name}: run python -m benchmarks.report"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"figure": {"metric": "speed", "value": "fast"}}, "value"),
        ({"id": "Speed"}, "id"),
        ({"surprise": 1}, "surprise"),
        ({"date": "yesterday"}, "date"),
    ],
)
def test_a_broken_row_is_named_by_file_and_line(rows, tmp_path, change, word):
    row = rows.Row(
        id="a/b",
        name="b",
        date="2026-11-28",
        machine=rows.machine(),
        command="true",
        figure=rows.Figure(metric="speed", value=1.0),
    )
    rows.append("new", [row], tmp_path)
    assert rows.read(tmp_path) == [row]
    rows.append("new", [row.model_copy(update={"note": "again"})], tmp_path)
    assert [one.note for one in rows.read(tmp_path)] == ["again"], "the same id replaces"
    broken = json.dumps({**rows.compact(row), **change})
    (tmp_path / "other.jsonl").write_text(broken + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=rf"(?s)other\.jsonl:1: .*{word}"):
        rows.read(tmp_path)


def test_an_id_is_used_once(rows, tmp_path):
    line = (rows.ROWS / "demo.jsonl").read_text("utf-8").splitlines()[0]
    (tmp_path / "demo.jsonl").write_text(f"{line}\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"demo\.jsonl:2: a second row demo/zen5"):
        rows.read(tmp_path)


def test_a_table_that_the_story_forgets_is_an_error(report, rows):
    by_table = {"demo": [row for row in rows.read() if row.table == "demo"]}
    assert "make demo" in report.log("<!-- table demo -->\n", by_table)
    with pytest.raises(ValueError, match=r"lacks the tables \['demo'\], names without rows: \['other'\]"):
        report.log("<!-- table other -->\n", by_table)


def test_this_machine_is_described(rows):
    machine = rows.machine("a note")
    assert machine.cpu
    assert (machine.cores >= 1, machine.note) == (True, "a note")
    assert set(machine.vector) <= set(rows.VECTORS.values())


def test_a_benchmark_keeps_its_figures(rows, tmp_path):
    lines = {"plain": {"speed [tokens/s]": 200.0, "memory [MB]": 3.0}, "Ours, fast": {"speed [tokens/s]": 900.04}}
    rows.record("lm/new-speed", lines, "plain", {"plain": "the peer"}, tmp_path)
    plain, ours = rows.read(tmp_path)
    assert (plain.id, ours.id) == ("lm/new-speed/plain", "lm/new-speed/ours-fast")
    assert (ours.figure.value, ours.figure.unit, ours.peer.value, ours.ratio) == (900.04, "tokens/s", 200.0, 4.5)
    assert plain.also == [rows.Figure(metric="memory", value=3.0, unit="MB")]
    assert (plain.note, ours.note) == ("the peer", "")
    assert rows.record(None, lines) == []


def named_features() -> dict[str, set[str]]:
    """Every table of the code whose entries are features, as the code has them."""
    from seqlab.config import EmbeddingsConfig, ModelConfig, TrainingConfig
    from seqlab.embeddings import LOSSES
    from seqlab.embeddings.material.noise import WORD_NOISE
    from seqlab.evaluation import Adaptation
    from seqlab.generation import RULES
    from seqlab.nn import CELLS, NOISE, SOFTMAXES
    from seqlab.schedules import BATCH_SCALING, SCHEDULES
    from seqlab.text.tokenizers.table import TOKENIZERS
    from seqlab.training import AVERAGES, OPTIMIZERS
    from seqlab.visualization.maps.projection import PROJECTIONS

    def choices(config, name: str) -> set[str]:
        return set(get_args(config.model_fields[name].annotation))

    dropout = {name for name in ModelConfig.model_fields if "drop" in name or name == "zoneout"}
    penalties = {name for name in TrainingConfig.model_fields if name in ("l1", "l2", "patience") or "clip" in name}
    penalties |= {name for name in TrainingConfig.model_fields if "penalty" in name or "decay" in name}
    return {
        "CELLS": set(CELLS),
        "SOFTMAXES": set(SOFTMAXES),
        "NOISE": set(NOISE),
        "OPTIMIZERS": set(OPTIMIZERS),
        "SCHEDULES": set(SCHEDULES),
        "BATCH_SCALING": set(BATCH_SCALING),
        "AVERAGES": set(AVERAGES),
        "RULES": set(RULES),
        "TOKENIZERS": set(TOKENIZERS),
        "PROJECTIONS": set(PROJECTIONS),
        "VECTOR_LOSSES": {*LOSSES, "softmax"},
        "VECTOR_NOISE": set(WORD_NOISE),
        "VECTOR_MODELS": choices(EmbeddingsConfig, "model"),
        "VECTOR_ENGINES": choices(EmbeddingsConfig, "engine") - {"auto"},
        "evaluation": set(Adaptation.model_fields) - {"seed"},
        "members": {"cache", "counts"},
        "dropout": dropout,
        "penalties": penalties - {"average_decay"} | {"label_smoothing"},
        **{
            name: choices(config, name)
            for config, name in (
                (ModelConfig, "input"),
                (ModelConfig, "precision"),
                (TrainingConfig, "reset_state"),
                (TrainingConfig, "output_bias"),
            )
        },
    }


TABLES = named_features()


@pytest.mark.parametrize(
    "table",
    TABLES,
)
def test_every_entry_of_a_table_has_a_row_and_a_verdict(report, rows, table):
    listed = tomllib.loads((BENCHMARKS / "features.toml").read_text("utf-8"))[table]
    there = {name for name, entry in listed.items() if entry["verdict"] != "removed"}
    assert TABLES[table] == there, "benchmarks/features.toml: measure what is new, name what is gone"
    ids = {row.id for row in rows.read()}
    for name, entry in listed.items():
        assert entry["verdict"] in report.VERDICTS, name
        assert set(entry["rows"]) <= ids, name
        assert entry["rows"] or entry["note"], f"{name}: measure it, or say why that could not be done"
        assert entry["rows"] or entry["verdict"] == "unmeasured", name


def test_features_without_a_table_have_rows_too(rows):
    listed = tomllib.loads((BENCHMARKS / "features.toml").read_text("utf-8"))
    others = {name: entry for kind in listed.keys() - TABLES.keys() for name, entry in listed[kind].items()}
    ids = {row.id for row in rows.read()}
    assert len(others) > 10
    for name, entry in others.items():
        assert set(entry["rows"]) <= ids, name
        assert entry["rows"] or (entry["verdict"] == "unmeasured" and entry["note"]), name
