"""Where output goes: whatever a path is, the result appears there, or a sentence comes before the work."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from seqlab_cli.main import run as command

from seqlab.base.errors import InputError
from seqlab.base.files import atomic_file, atomic_folder, save_tensors
from seqlab.base.kinds import check_run_output
from seqlab.base.storage import inside, outputs
from seqlab.base.storage.outputs import check_file, check_folder
from seqlab.embeddings import WordVectors

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need a permission on Windows, and pipes have no path")


@pytest.fixture(scope="module")
def commands() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        return importlib.import_module("benchmarks.faults.commands")


@pytest.fixture(scope="module")
def inputs(commands: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    commands.make_inputs(folder)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "run", "--text", "text.txt", "--tokens", "text.txt"],
        ["encode", "run", "text.txt", "-o", "link"],
        ["visualize", "vectors", "--only", "text.txt", "-o", "link"],
        ["train", "embeddings", "text.txt", "-o", "text.txt"],
    ],
)
def test_a_file_that_is_read_is_not_written_over(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scores of a text took its place."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("a text of mine\n")
    Path("link").symlink_to("text.txt")
    assert command(words) == 2
    assert f"{words[-1]}: is read too, and would be lost" in capsys.readouterr().err
    assert Path("text.txt").read_text() == "a text of mine\n"


def link_to_nothing(place: Path) -> Path:
    (place / "out").symlink_to(place / "deep" / "there")
    return place / "deep" / "there"


def link_to_empty_folder(place: Path) -> Path:
    (place / "there").mkdir()
    (place / "out").symlink_to("there")
    return place / "there"


def link_to_link(place: Path) -> Path:
    (place / "there").mkdir()
    (place / "other").symlink_to("there")
    (place / "out").symlink_to("other")
    return place / "there"


def empty_folder(place: Path) -> Path:
    (place / "out").mkdir()
    return place / "out"


def unmade_parents(place: Path) -> Path:
    (place / "out").symlink_to("a/b/c")
    return place / "a" / "b" / "c"


FOLDERS = (link_to_nothing, link_to_empty_folder, link_to_link, empty_folder, unmade_parents)
STAYING = ("current folder", "mount point", "read-only parent")
WRITERS = ("train lm", "train embeddings", "data prepare", "convert to a folder")


def each_with_one(names: Sequence[str], kinds: Sequence[Any]) -> Iterator[Any]:
    """The last name, a quick one, with every kind, and every other with one; all other pairs are slow."""
    for number, name in enumerate(names):
        for at, kind in enumerate(kinds):
            usual = name == names[-1] or at == number % len(kinds)
            yield pytest.param(name, kind, marks=[] if usual else pytest.mark.slow)


@pytest.mark.parametrize(("name", "kind"), [*each_with_one(WRITERS, FOLDERS)])
def test_a_folder_is_written_where_the_path_leads(
    name: str, kind: Callable[[Path], Path], tmp_path: Path, inputs: Path, commands: ModuleType
) -> None:
    place = kind(tmp_path)
    was_link = (tmp_path / "out").is_symlink()
    with commands.in_folder(tmp_path, tmp_path / "cache"):
        for _ in range(2):  # a second start finds its own folder
            ended = commands.run_here(commands.arguments(name, inputs))
            assert ended.code == 0, ended
    assert (place / "manifest.json").is_file()
    assert (tmp_path / "out").is_symlink() == was_link
    commands.opens(tmp_path)
    assert commands.strays(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "kind"), [*each_with_one(WRITERS, ["current folder", "mount point", "read-only parent"])]
)
def test_a_folder_that_must_stay_is_filled(
    name: str, kind: str, tmp_path: Path, inputs: Path, commands: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "place" / "out"
    folder.mkdir(parents=True)
    make_stay(folder, kind, monkeypatch)
    number = folder.stat().st_ino
    command = commands.arguments(name, inputs)
    out = "." if kind == "current folder" else str(folder)
    command = [out if part == "out" else part for part in command]
    with commands.in_folder(folder if out == "." else tmp_path, tmp_path / "cache"):
        for _ in range(2):
            ended = commands.run_here(command)
            assert ended.code == 0, ended
    assert (folder / "manifest.json").is_file()
    assert folder.stat().st_ino == number
    assert os.listdir(tmp_path / "place") == ["out"]
    assert [name for name in os.listdir(folder) if name.startswith(".")] == []


def make_stay(folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "current folder":
        monkeypatch.chdir(folder)
    elif kind == "mount point":
        monkeypatch.setattr(outputs.os.path, "ismount", lambda path: Path(path).resolve() == folder)
    else:
        access = os.access
        monkeypatch.setattr(outputs.os, "access", lambda path, mode: Path(path) != folder.parent and access(path, mode))


@pytest.mark.parametrize("full", [False, True])
def test_a_folder_filled_from_inside_is_old_or_new_after_a_fault_anywhere(full: bool, tmp_path: Path) -> None:
    for at in range(1, 40):
        folder = tmp_path / str(at)
        folder.mkdir()
        if full:
            (folder / "x").write_text("old")
            (folder / "gone").mkdir()
        left, rename = [at], os.rename

        def fail(source: object, target: object, left: list[int] = left, rename: Callable = rename) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.EIO, "input/output error")
            rename(source, target)

        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setattr(inside.os, "rename", fail)
            try:
                write(Path("."))
                failed = False
            except OSError:
                failed = True
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            check_folder(".", "x")
            there = sorted(os.listdir())
            assert there in ([["gone", "x"], ["deep", "x"]] if full else [[], ["deep", "x"]])
            write(Path("."))
        assert sorted(os.listdir(folder)) == ["deep", "x"]
        assert (folder / "deep" / "y").read_text() == "2"
        if not failed:
            assert at > 3
            return
    raise AssertionError("it never ended")


@pytest.mark.parametrize("reader", ["load", "info"])
def test_a_folder_whose_filling_was_killed_is_whole_to_the_next_reader(
    reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = [WordVectors(list("ab"), np.full((2, 3), number, np.float32), meta={"n": number}) for number in (1, 2)]
    for at in range(1, 40):
        folder = tmp_path / str(at)
        folder.mkdir()
        monkeypatch.setattr(outputs.os.path, "ismount", lambda path, folder=folder: Path(path) == folder)
        versions[0].save(folder)
        left, rename = [at], os.rename

        def kill(source: object, target: object, left: list[int] = left, rename: Callable = rename) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            rename(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(inside.os, "rename", kill)
            patch.setattr(shutil, "rmtree", lambda *arguments, **options: None)
            try:
                versions[1].save(folder)
                killed = False
            except KeyboardInterrupt:
                killed = True
        if reader == "load":
            found = WordVectors.load(folder)
            assert {found.meta["n"]} == set(found.matrix.ravel().tolist())
        else:
            assert command(["info", str(folder), "--json"]) == 0
        if not killed:
            assert at > 5
            return
    raise AssertionError("it never ended")


def write(path: Path) -> None:
    with atomic_folder(path, "x") as made:
        (made / "x").write_text("1")
        (made / "deep").mkdir()
        (made / "deep" / "y").write_text("2")


@pytest.mark.parametrize("name", ["convert to text", "convert to npz", "visualize", "curves", "evaluate --tokens"])
def test_a_file_is_written_where_a_link_leads(name: str, tmp_path: Path, inputs: Path, commands: ModuleType) -> None:
    command = commands.arguments(name, inputs)
    out = next(part for part in command if part.startswith("out."))
    (tmp_path / "old").write_text("old")
    for target in ("old", "deep/new"):
        (tmp_path / out).unlink(missing_ok=True)
        (tmp_path / out).symlink_to(target)
        with commands.in_folder(tmp_path, tmp_path / "cache"):
            ended = commands.run_here(command)
            assert ended.code == 0, ended
        assert (tmp_path / out).is_symlink()
        assert len((tmp_path / target).read_bytes()) > 100
    assert commands.strays(tmp_path) == []


@pytest.mark.parametrize("format", ["word2vec", "npz", "binary", "glove"])
def test_a_pipe_gets_what_a_file_would(format: str, tmp_path: Path, inputs: Path, commands: ModuleType) -> None:
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()
    with commands.in_folder(tmp_path, tmp_path / "cache"):
        for out in ("pipe", "file"):
            ended = commands.run_here(["convert", f"{inputs}/vectors", out, "--format", format])
            assert ended.code == 0, ended
    reader.join(10)
    assert (tmp_path / "pipe").is_fifo()
    if format == "npz":  # a zip file has its sizes elsewhere where it cannot go back
        (tmp_path / "piped.npz").write_bytes(got[0])
        ended = commands.run_here(["convert", f"{tmp_path}/piped.npz", f"{tmp_path}/file2", "--format", "word2vec"])
        assert ended.code == 0, ended
    else:
        assert got == [(tmp_path / "file").read_bytes()]


@pytest.mark.parametrize("redirected", ["file", "pipe"])
def test_standard_output_gets_the_file_and_nothing_else(redirected: str, tmp_path: Path, inputs: Path) -> None:
    command = [sys.executable, "-m", "seqlab_cli.main", "convert", f"{inputs}/vectors", "/dev/stdout"]
    command += ["--format", "word2vec"]
    if redirected == "file":
        with open(tmp_path / "f", "wb") as handle:
            done = subprocess.run(command, stdout=handle, stderr=subprocess.PIPE, check=False)
        content = (tmp_path / "f").read_bytes()
    else:
        done = subprocess.run(command, capture_output=True, check=False)
        content = done.stdout
    assert done.returncode == 0, done.stderr
    assert content == (inputs / "vectors.txt").read_bytes()
    assert b"vectors" in done.stderr


def test_a_device_stays_one(tmp_path: Path, inputs: Path, commands: ModuleType) -> None:
    before = os.stat("/dev/null").st_rdev
    for format in ("word2vec", "npz"):
        ended = commands.run_here(["convert", f"{inputs}/vectors", "/dev/null", "--format", format])
        assert ended.code == 0, ended
    assert os.stat("/dev/null").st_rdev == before
    ended = commands.run_here(["convert", f"{inputs}/vectors", "/dev/full", "--format", "word2vec"])
    assert (ended.code, ended.foreign) == (1, False)
    assert "no space left" in ended.err


@pytest.mark.parametrize("name", [*WRITERS, "convert to text", "visualize", "curves", "evaluate --tokens"])
@pytest.mark.parametrize("kind", ["full disk", "file above", "another's file", "loop", "socket", "device"])
def test_what_cannot_be_written_is_a_sentence_before_the_work(
    name: str, kind: str, tmp_path: Path, inputs: Path, commands: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, folder = commands.arguments(name, inputs), name in WRITERS
    out = next(part for part in command if part.split(".")[0] == "out")
    place = tmp_path / out
    if kind == "full disk":
        monkeypatch.setattr(outputs.tempfile, "TemporaryFile", full)
    elif kind == "file above":
        (tmp_path / "file").touch()
        place = tmp_path / "file" / "deep" / out
    elif kind == "another's file":
        place.mkdir()
        (place / "thesis.txt").touch()
    elif kind == "loop":
        place.symlink_to(out)
    elif kind == "socket":
        import socket

        with socket.socket(socket.AF_UNIX) as bound, commands.in_folder(tmp_path, tmp_path / "cache"):
            bound.bind(out)
    elif folder:
        place = Path("/dev/null")
    else:
        pytest.skip("a file can go to a device")
    before = sorted(map(str, tmp_path.rglob("*")))
    ended = commands.run_here([str(place) if part == out else part for part in command])
    assert (ended.code, ended.foreign) == (2, False), ended
    assert len(ended.err.splitlines()) == 1, ended.err
    assert sorted(map(str, tmp_path.rglob("*"))) == before


def full(*arguments: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_in_a_folder_that_may_not_be_written_to_gets_new_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_text("something longer")
    number, access = path.stat().st_ino, os.access
    monkeypatch.setattr(outputs.os, "access", lambda one, mode: one != tmp_path and access(one, mode))
    check_file(path)
    with pytest.raises(RuntimeError), atomic_file(path) as handle:
        handle.write(b"half")
        raise RuntimeError
    assert path.read_text() == "something longer"
    with atomic_file(path) as handle:
        handle.write(b"new")
    assert (path.read_text(), path.stat().st_ino) == ("new", number)


def test_a_file_that_is_mounted_by_itself_gets_new_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_text("something longer")

    def busy(source: object, target: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    with atomic_file(path) as handle:
        handle.write(b"new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["f"]


def test_what_killed_starts_left_does_not_keep_a_training_out(tmp_path: Path) -> None:
    for name in (".new.01234567", "../.out.01234567"):
        (tmp_path / "out" / name).mkdir(parents=True)
    check_run_output(tmp_path / "out")
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == []


def test_equal_tensors_are_equal_bytes(tmp_path: Path) -> None:
    import numpy as np
    import safetensors.numpy

    arrays = {"b": np.arange(6.0).reshape(2, 3), "a": np.array([True]), "ä": np.zeros((0, 3), np.float16)}
    arrays |= {f"{kind}{size}": np.ones(3, f"{kind}{size}") for kind in "iu" for size in (1, 2, 4, 8)}
    for number in range(10):
        save_tensors(tmp_path / str(number), arrays, {"z": "1", "y": "ü", "x": "3"})
    assert len({(tmp_path / str(number)).read_bytes() for number in range(10)}) == 1
    found = safetensors.numpy.load_file(tmp_path / "0")
    assert {name: (array.dtype, array.shape) for name, array in found.items()} == {
        name: (array.dtype, array.shape) for name, array in arrays.items()
    }


def test_a_refusal_comes_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; name a file"):
        check_file(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").touch()
    with pytest.raises(InputError, match="other things in it"):
        check_folder(tmp_path / "a", "x")
    check_folder(tmp_path / "new" / "deep", "x")
    assert os.listdir(tmp_path) == ["a"]
