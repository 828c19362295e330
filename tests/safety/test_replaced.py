"""Nobody reads half of an old folder and half of a new one."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from seqlab.base.errors import InputError
from seqlab.base.files import write_manifest
from seqlab.base.storage import verified
from seqlab.base.storage.whole import read_whole
from seqlab.embeddings import WordVectors
from seqlab.embeddings import vectors as vectors_file

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(os.name == "nt", reason="a folder that is mapped cannot be replaced")
def test_loads_are_whole_while_folders_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    torn_loads = importlib.import_module("benchmarks.faults.replaced").torn_loads
    found = torn_loads(tmp_path, readers=2, loads=200)
    assert found["whole"] == 200, found
    assert found["replacements"] > 2


def folder_of(path: Path, text: str) -> Path:
    path.mkdir()
    for name in "ab":
        (path / name).write_text(text)
    write_manifest(path, ["a", "b"])
    return path


def test_a_folder_replaced_between_two_files_is_read_again(tmp_path: Path) -> None:
    path, other = folder_of(tmp_path / "f", "old"), folder_of(tmp_path / "g", "new")
    calls = []

    def read() -> list[str]:
        first = (path / "a").read_text()
        calls.append(first)
        if len(calls) == 1:
            shutil.rmtree(path)
            other.rename(path)
        return [first, (path / "b").read_text()]

    assert read_whole(path, read) == ["new", "new"]
    assert calls == ["old", "new"]


def test_an_error_of_a_folder_that_stays_is_raised_at_once(tmp_path: Path) -> None:
    calls = []

    def read() -> None:
        calls.append(1)
        raise InputError("damaged")

    for path in (folder_of(tmp_path / "f", "old"), tmp_path / "missing"):
        with pytest.raises(InputError, match="damaged"):
            read_whole(path, read)
    assert len(calls) == 2


def test_a_folder_that_has_moved_away_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    path, away = folder_of(tmp_path / "f", "old"), tmp_path / ".f.old.01234567"
    path.rename(away)

    def read() -> str:
        try:
            return (path / "a").read_text()
        except FileNotFoundError:
            away.rename(path)
            raise

    assert read_whole(path, read) == "old"


def test_mapped_vectors_are_verified_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(verified, "ALWAYS_BELOW", 0)
    monkeypatch.setattr(verified, "SETTLED", -1.0)
    verify, hashed = verified.verify_manifest, []
    monkeypatch.setattr(verified, "verify_manifest", lambda folder: hashed.append(folder) or verify(folder))
    path = tmp_path / "v"
    WordVectors(["a", "b"], np.ones((2, 3), np.float32)).save(path)
    for _ in range(3):
        WordVectors.load(path, mapped=True)
    assert len(hashed) == 1
    file = path / "vectors.safetensors"
    data, times = bytearray(file.read_bytes()), file.stat()
    data[-1] ^= 64
    file.write_bytes(data)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    for _ in range(2):
        with pytest.raises(InputError, match=r"vectors\.safetensors"):
            WordVectors.load(path, mapped=True)
    assert len(WordVectors.load(path, mapped=True, verify=False)) == 2


@pytest.mark.parametrize("damage", ["nan", "twice"])
def test_mapped_vectors_behind_a_valid_digest_are_checked_too(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors_file.WordVectors, "check_content", lambda self: None)
    words = ["a", "a" if damage == "twice" else "b"]
    matrix = np.full((2, 3), np.nan if damage == "nan" else 1.0, np.float32)
    WordVectors(words, matrix, check=False).save(tmp_path / "v")
    monkeypatch.undo()
    with pytest.raises(InputError, match="NaN|occurs more than once"):
        WordVectors.load(tmp_path / "v", mapped=True)


def test_verifying_goes_on_without_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(verified, "ALWAYS_BELOW", 0)
    monkeypatch.setattr(verified, "SETTLED", -1.0)
    WordVectors(["a", "b"], np.ones((2, 3), np.float32)).save(tmp_path / "v")
    assert len(WordVectors.load(tmp_path / "v", mapped=True)) == 2


def test_notes_of_what_was_verified_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    for name, value in (("ALWAYS_BELOW", 0), ("SETTLED", -1.0), ("MOST_NOTES", 4)):
        monkeypatch.setattr(verified, name, value)
    for number in range(20):
        (tmp_path / "a").write_text(str(number))
        verified.verified_once([tmp_path / "a"], str(number), lambda: None)
    assert len(list((tmp_path / "cache" / "verified").iterdir())) <= 4
