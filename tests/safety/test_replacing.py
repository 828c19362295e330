"""What is written appears at once, and what a killed writer left is gone after the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from seqlab.base import files
from seqlab.base.errors import InputError
from seqlab.base.files import atomic_file, atomic_folder, replacing, write_json
from seqlab.base.storage.exchange import exchange
from seqlab.base.storage.held import held

KILLED = """
import os, signal, sys
from pathlib import Path
from seqlab.base import files
from seqlab.base.files import replacing
from seqlab.base.storage import exchange
at, count = int(sys.argv[2]), 0

def watched(event, arguments):
    global count
    if event in ("open", "os.rename", "os.mkdir", "shutil.rmtree", "os.remove", "os.rmdir", "ctypes.dlsym"):
        if os.path.dirname(sys.argv[1]) in str(arguments) or event == "ctypes.dlsym":
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[3] == "two renames":
    replacing.exchange = lambda one, other: False
sys.addaudithook(watched)
with files.atomic_folder(Path(sys.argv[1]), "x") as folder:
    (folder / "x").write_text("new")
with files.atomic_file(Path(sys.argv[1]).with_suffix(".txt")) as handle:
    handle.write(b"new")
print(count)
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows cannot tell whether the owner of a folder lives")


@pytest.mark.parametrize("way", ["exchange", "two renames"])
def test_nothing_is_lost_or_left_after_a_kill_anywhere(way: str, tmp_path: Path) -> None:
    for at in range(1, 80):
        place = tmp_path / str(at)
        place.mkdir()
        path = place / "f"
        with atomic_folder(path, "x") as folder:
            (folder / "x").write_text("old")
        done = subprocess.run([sys.executable, "-c", KILLED, path, str(at), way], capture_output=True, check=False)
        if done.returncode == 0:
            assert at > 8, "every step of both was tried"
            return
        assert done.returncode == -signal.SIGKILL, done.stderr
        with atomic_file(path.with_suffix(".txt")):
            pass
        with pytest.raises(RuntimeError), atomic_folder(path, "x") as folder:
            raise RuntimeError  # what is there stays: one of the two versions
        assert (path / "x").read_text() in ("old", "new")
        assert sorted(child.name for child in place.iterdir()) == ["f", "f.txt"]
    raise AssertionError("it never ended")


def test_what_a_living_writer_holds_is_left_alone(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "f", "x") as first, atomic_folder(tmp_path / "f", "x") as second:
        assert first != second
        (second / "x").write_text("2")
        (first / "x").write_text("1")
    assert (tmp_path / "f" / "x").read_text() == "1"
    stray = tmp_path / ".f.01234567"
    stray.mkdir()
    with held(stray), atomic_folder(tmp_path / "f", "x"):
        assert stray.exists()
    with atomic_folder(tmp_path / "f", "x"):
        assert not stray.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses with another error")
def test_a_folder_that_another_writer_finishes_at_the_same_moment_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, rename = tmp_path / "f", replacing.replace

    def late(source: Path, target: Path) -> None:
        if not place.exists():
            place.mkdir()
            (place / "x").write_text("theirs")
        rename(source, target)

    monkeypatch.setattr(replacing, "replace", late)
    with atomic_folder(place, "x") as folder:
        (folder / "x").write_text("ours")
    assert (place / "x").read_text() == "ours"
    assert [child.name for child in tmp_path.iterdir()] == ["f"]


def test_only_temporary_names_of_the_same_file_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    others = [".g.01234567", ".f.0123456", ".f.old", ".01234567", ".f.0123456z", "f.01234567"]
    for name in [*others, ".f.89abcdef"]:
        Path(name).write_text("mine")
    for path in ("f", "."):
        try:
            with atomic_folder(path, "x"):
                pass
        except InputError:
            pass
    assert sorted(os.listdir()) == sorted([*others, "f"])


def test_folders_are_exchanged_where_the_system_can(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system cannot exchange")
    assert [child.name for child in (tmp_path / "a").iterdir()] == ["b"]
    assert not exchange(tmp_path / "a", tmp_path / "missing")


@pytest.mark.parametrize("deep", [1, 3])
def test_a_file_where_a_folder_should_be_is_a_sentence(deep: int, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path.joinpath("file", *"abc"[:deep])
    with pytest.raises(InputError, match=r"cannot be written, because .*file is a file"):
        write_json(path, 1)
    with pytest.raises(InputError, match=r"cannot be written, because .*file is a file"), atomic_folder(path):
        pass


def test_places_in_the_cache_are_replaced_whatever_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "odd").touch()
    for name in ("file", "folder", "new"):
        with atomic_folder(tmp_path / name, "x", overwrite=True) as folder:
            (folder / "x").touch()
        assert os.listdir(tmp_path / name) == ["x"]
    assert files.MANIFEST == "manifest.json"
