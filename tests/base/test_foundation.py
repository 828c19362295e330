"""Errors, atomic files, configuration, schedules, progress."""

from __future__ import annotations

import io
import json
import random

import numpy as np
import pytest

from seqlab.base.errors import InputError, choose, did_you_mean
from seqlab.base.files import (
    atomic_file,
    atomic_folder,
    load_tensors,
    manifests,
    read_json,
    save_tensors,
    sha256,
    verify_manifest,
    write_json,
    write_manifest,
)
from seqlab.base.progress import Progress
from seqlab.config import EmbeddingsConfig, LanguageModelConfig, parse_set, read_config
from seqlab.schedules import SCHEDULES, learning_rate_factor


def test_did_you_mean_and_choose():
    assert did_you_mean("lsmt", ["lstm", "gru"]) == " Did you mean 'lstm'?"
    assert did_you_mean("zzz", ["lstm"]) == ""
    with pytest.raises(InputError, match=r"cell: 'lsmt' is not one of lstm, gru\. Did you mean 'lstm'\?"):
        choose("cell", "lsmt", {"lstm": 1, "gru": 2})


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(path) as handle:
        handle.write(b"new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    with atomic_file(path) as handle:
        handle.write(b"new")
    assert path.read_text() == "new"


def test_a_failed_folder_leaves_the_old_folder(tmp_path):
    path = tmp_path / "f"
    with atomic_folder(path, "x") as folder:
        (folder / "x").write_text("1")
    with pytest.raises(RuntimeError), atomic_folder(path, "x") as folder:
        (folder / "x").write_text("2")
        raise RuntimeError
    assert (path / "x").read_text() == "1"
    with atomic_folder(path, "x") as folder:
        (folder / "y").write_text("3")
    assert sorted(p.name for p in path.iterdir()) == ["y"]
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_folder_of_something_else_is_never_replaced(tmp_path):
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "thesis.txt").write_text("mine")
    (tmp_path / "note.txt").write_text("mine too")
    for name, reason in (("documents", "other things in it"), ("note.txt", "is a file")):
        with pytest.raises(InputError, match=reason), atomic_folder(tmp_path / name, "x"):
            pass
    assert (tmp_path / "documents" / "thesis.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["documents", "note.txt"]


def test_manifest_names_what_is_missing_or_changed(tmp_path):
    (tmp_path / "a").write_text("hello")
    write_manifest(tmp_path, ["a"])
    verify_manifest(tmp_path)
    (tmp_path / "a").write_text("hellO")
    with pytest.raises(InputError, match=r"a: differs from its digest"):
        verify_manifest(tmp_path)
    (tmp_path / "a").unlink()
    with pytest.raises(InputError, match="missing"):
        verify_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("[1]")
    with pytest.raises(InputError, match="manifest"):
        verify_manifest(tmp_path)


def test_a_tensor_file_is_read_once_and_all_the_same_no_damage_passes(tmp_path, monkeypatch):
    """A file of another run, of another size, or with a damaged byte is noticed when it is opened or read."""
    path = tmp_path / "t.safetensors"
    save_tensors(path, {"a": np.arange(60, dtype=np.float32)})
    write_manifest(tmp_path, [path.name])
    original, hashed = path.read_bytes(), []
    monkeypatch.setattr(manifests, "sha256", lambda path: hashed.append(path) or sha256(path))
    verify_manifest(tmp_path, later=[path.name])
    assert not hashed
    verify_manifest(tmp_path)
    assert hashed == [path]
    save_tensors(path, {"a": np.arange(1, 61, dtype=np.float32)})
    assert path.stat().st_size == len(original)
    with pytest.raises(InputError, match=r"differs from its digest in manifest\.json"):
        verify_manifest(tmp_path, later=[path.name])
    for position in range(len(original)):
        path.write_bytes(original[:position] + bytes([original[position] ^ 4]) + original[position + 1 :])
        try:
            verify_manifest(tmp_path, later=[path.name])
            loaded, _ = load_tensors(path)
        except InputError:
            continue
        np.testing.assert_array_equal(loaded["a"], np.arange(60, dtype=np.float32))  # padding of the header
    path.write_bytes(original)
    record = json.loads((tmp_path / "manifest.json").read_text())
    del record["files"][path.name]["content"]
    (tmp_path / "manifest.json").write_text(json.dumps(record))
    hashed.clear()
    verify_manifest(tmp_path, later=[path.name])
    assert hashed == [path]


def test_broken_json_names_file_and_line(tmp_path):
    (tmp_path / "a.json").write_text('{"x": 1,\n oops}')
    with pytest.raises(InputError, match=r"a\.json: line 2"):
        read_json(tmp_path / "a.json")
    write_json(tmp_path / "b.json", {"lone": "\ud800"})
    assert read_json(tmp_path / "b.json") == {"lone": "\ud800"}


def test_every_mutated_byte_of_a_tensor_file_is_noticed(tmp_path):
    path = tmp_path / "t.safetensors"
    tensors = {"a": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.array([1, 2], dtype=np.int64)}
    save_tensors(path, tensors, {"note": "x"})
    loaded, metadata = load_tensors(path)
    assert metadata == {"note": "x"}
    for name, array in tensors.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].dtype == array.dtype
    original = path.read_bytes()
    generator = random.Random(0)
    for position in generator.sample(range(len(original)), 120):
        mutant = bytearray(original)
        mutant[position] ^= 1 << generator.randrange(8)
        path.write_bytes(mutant)
        try:
            again, again_metadata = load_tensors(path)
        except InputError:
            continue
        assert again_metadata == metadata, position
        assert all(np.array_equal(again[name], tensors[name]) for name in tensors), position
    for length in (0, 5, len(original) // 2, len(original) - 1):
        path.write_bytes(original[:length])
        with pytest.raises(InputError):
            load_tensors(path)


def test_unknown_and_wrong_keys_are_one_sentence():
    with pytest.raises(InputError, match=r"unknown key 'training\.cilp'\. Did you mean 'training\.clip'\?"):
        LanguageModelConfig().updated({"training.cilp": 1})
    with pytest.raises(InputError, match=r"unknown key 'model\.lr'\. Did you mean 'training\.lr'\?"):
        LanguageModelConfig().updated({"model.lr": 1})
    with pytest.raises(InputError, match=r"my\.toml: model\.layers: .* not 0"):
        LanguageModelConfig().updated({"model": {"layers": 0}}, "my.toml")
    with pytest.raises(InputError, match="unknown key 'windwo'. Did you mean 'window'"):
        EmbeddingsConfig().updated({"windwo": 3})


def test_bare_names_are_found_in_their_section():
    config = LanguageModelConfig().updated({"lr": 0.5, "hidden_dim": 7, "text.tokenizer": "char"})
    assert (config.training.lr, config.model.hidden_dim, config.text.tokenizer) == (0.5, 7, "char")


def test_config_round_trip_through_json_and_toml(tmp_path):
    config = LanguageModelConfig().updated({"lr": 0.25, "minutes": 3})
    write_json(tmp_path / "c.json", config.model_dump())
    assert LanguageModelConfig.build(read_config(tmp_path / "c.json")) == config
    (tmp_path / "c.toml").write_text("[training]\nlr = 0.25\nminutes = 3\n")
    assert LanguageModelConfig().updated(read_config(tmp_path / "c.toml")) == config
    (tmp_path / "bad.toml").write_text("[training\n")
    with pytest.raises(InputError, match=r"bad\.toml: not valid TOML"):
        read_config(tmp_path / "bad.toml")


def test_set_values_are_typed():
    assert parse_set(["a=1", "b=0.5", "c=true", "d=text here", 'e="q"']) == {
        "a": 1,
        "b": 0.5,
        "c": True,
        "d": "text here",
        "e": "q",
    }
    with pytest.raises(InputError, match="key=value"):
        parse_set(["novalue"])


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_warm_up_and_stay_between_final_and_one(name):
    values = [learning_rate_factor(name, i / 200, 0.1, 0.05) for i in range(201)]
    assert values[0] > 0
    assert values[:20] == sorted(values[:20])
    assert values[20] == pytest.approx(1)
    assert all(0.05 - 1e-12 <= value <= 1 for value in values[20:])
    assert values[20:] == sorted(values[20:], reverse=True)
    if name in ("linear", "cosine"):
        assert values[-1] == pytest.approx(0.05)
        assert learning_rate_factor(name, 0.55, 0.1, 0.05) == pytest.approx((1 + 0.05) / 2)


def test_progress_is_plain_lines_when_not_a_terminal(monkeypatch):
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)
    monkeypatch.setattr("seqlab.base.progress.PLAIN_INTERVAL", 0.0)
    stream = io.StringIO()
    with Progress("counting", 200, "words", stream=stream) as progress:
        progress.update(50, loss=1.23456)
        progress.update(200, loss=0.5)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("counting   25%  50/200 words")
    assert "loss 1.235" in lines[0]
    assert "ETA" in lines[0]
    assert "\x1b" not in stream.getvalue()
    assert "100%" in lines[-1]
    json.dumps(progress.fields)


def test_progress_of_resumed_work_counts_only_what_was_done_since(monkeypatch):
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)
    with Progress("training", 1000, "tokens", stream=io.StringIO()) as progress:
        progress.start_at(800)
        progress.update(900)
        line = progress.line(progress.started + 10)
    assert "900/1000 tokens  10 tokens/s" in line
    assert "ETA 0:10" in line


@pytest.mark.parametrize("damage", ["9" * 5000, "[" * 100_000, '{"files": ' + "1" * 4400 + "}"])
def test_json_that_python_cannot_hold_is_a_sentence(tmp_path, damage):
    (tmp_path / "manifest.json").write_text(damage)
    with pytest.raises(InputError, match=r"manifest\.json: "):
        read_json(tmp_path / "manifest.json")
