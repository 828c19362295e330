"""Two trainings on one folder are kept apart, and a folder's weights and state are its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from seqlab_cli.main import run as command

import seqlab
from seqlab.base.errors import InputError
from seqlab.base.storage import lock
from seqlab.base.storage.lock import FileLock, only_trainer
from seqlab.run import CONFIG, MODEL, STATE, Run

TEXT = "the cat sat on the mat . a dog ran to the cat , and the cat sat . " * 60
OPTIONS = ["--hidden-dim", "8", "--embed-dim", "8", "--batch-size", "4", "--bptt", "8"]
HOLDS = """
import sys, time
from seqlab.base.storage.lock import only_trainer
with only_trainer(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path / "text.txt"


def train(text: Path, out: Path, *options: str) -> int:
    return command(["train", "lm", str(text), "-o", str(out), *OPTIONS, *options])


def unfinished(text: Path, out: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Path:
    """A run that was stopped in the report."""
    from seqlab.training import train as story

    with monkeypatch.context() as patch:
        patch.setattr(story, "report", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        assert train(text, out, "--steps", "6", *options) == 130
    return out


@pytest.mark.parametrize("verb", ["lm", "embeddings"])
@pytest.mark.parametrize("name", ["plain", "link"])
def test_the_second_training_gets_a_sentence_and_the_lock_dies_with_its_owner(
    verb: str, name: str, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs" / "out"
    named = out
    if name == "link":
        named = tmp_path / "link"
        out.mkdir(parents=True)
        named.symlink_to(out)
    owner = subprocess.Popen([sys.executable, "-c", HOLDS, str(out)], stdout=subprocess.PIPE)
    try:
        assert owner.stdout is not None
        owner.stdout.readline()
        words = ["train", verb, str(text), "-o", str(named)]
        words += [*OPTIONS, "--steps", "2"] if verb == "lm" else ["--dim", "4", "--epochs", "1", "--min-count", "1"]
        assert command(words) == 2
        sentence = capsys.readouterr().err
        assert "another program is training there" in sentence
        assert sentence.count("\n") == 1
        owner.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        owner.wait()
        if name == "plain":
            assert command(words) == 0
            assert sorted(os.listdir(out.parent)) == ["out"]
    finally:
        owner.kill()
        owner.wait()


def test_a_lock_leaves_nothing_behind(tmp_path: Path) -> None:
    with only_trainer(tmp_path / "a" / "b" / "c"):
        assert os.listdir(tmp_path / "a" / "b") == [".c.lock"]
        with pytest.raises(InputError, match="another program"), only_trainer(tmp_path / "a" / "b" / "c"):
            pass
    assert not (tmp_path / "a").exists()
    with only_trainer(None):
        pass


def test_who_holds_a_lock_is_seen_through_a_file_open_for_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert not other.held()
    assert os.listdir(tmp_path) == []
    one.acquire()
    assert other.held()
    one.release()
    assert not other.held()
    modes, tried = [], lock._lock
    monkeypatch.setattr(lock, "_lock", lambda handle: modes.append(handle.writable()) or tried(handle))
    assert not other.held()
    assert modes == [True], "NFS locks nothing else"


def test_where_nothing_can_be_locked_both_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object) -> bool:
        raise OSError("No locks available")

    monkeypatch.setattr(lock, "_lock", fails)
    with only_trainer(tmp_path / "a"), only_trainer(tmp_path / "a"):
        pass
    (tmp_path / "file").touch()
    with only_trainer(tmp_path / "file" / "a"):
        pass


def test_what_a_killed_training_left_is_swept_and_a_folder_moved_away_comes_back(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "state").mkdir(parents=True)
    for name in (".model.safetensors.01234567", "state/.latest.safetensors.89abcdef"):
        (out / name).touch()
    (tmp_path / ".out.00000000").mkdir()
    out.rename(tmp_path / ".out.old.01234567")
    with only_trainer(out):
        assert sorted(path.name for path in out.rglob("*")) == ["state"]
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("name", [STATE, MODEL])
def test_an_unfinished_run_refuses_what_belongs_to_another(
    name: str, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = unfinished(text, tmp_path / "one", monkeypatch)
    two = unfinished(text, tmp_path / "two", monkeypatch, "--seed", "5")
    shutil.copy(two / name, one / name)
    capsys.readouterr()
    if name == STATE:
        assert train(text, one, "--steps", "6") == 2
    else:
        assert command(["generate", str(one), "--length", "3"]) == 2
    assert f"{name}: belongs to another run" in capsys.readouterr().err


def test_a_run_whose_state_is_gone_is_not_started_over_in_silence(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = unfinished(text, tmp_path / "one", monkeypatch)
    before = (one / MODEL).read_bytes()
    (one / STATE).unlink()
    assert train(text, one, "--steps", "6") == 2
    assert f"{STATE}: missing though the run has been trained" in capsys.readouterr().err
    assert (one / MODEL).read_bytes() == before


def test_weights_are_never_saved_without_a_state(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved, keep = [], Run.save_model

    def save_model(run: Run, *rest: object) -> None:
        saved.append((run.path / STATE).exists())
        keep(run, *rest)

    monkeypatch.setattr(Run, "save_model", save_model)
    assert train(text, tmp_path / "run", "--steps", "6") == 0
    assert saved
    assert all(saved)


def test_a_run_of_an_earlier_version_resumes(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = unfinished(text, tmp_path / "one", monkeypatch)
    record = json.loads((one / CONFIG).read_text())
    assert len(record.pop("run")) == 16
    (one / CONFIG).write_text(json.dumps(record))
    seqlab.base.files.write_manifest(one, ["config.json", "tokenizer.json"])
    assert train(text, one, "--steps", "6") == 0
    assert seqlab.load(one).run.id is None


@pytest.mark.parametrize("damage", ["line", "link", "dangling link"])
def test_damaged_metrics_do_not_keep_a_training_from_being_resumed(
    damage: str, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = unfinished(text, tmp_path / "one", monkeypatch)
    metrics = one / "metrics.jsonl"
    if damage == "line":
        metrics.write_bytes(b'{"step": \x00\n' + metrics.read_bytes())
    else:
        (tmp_path / "elsewhere").write_text("")
        metrics.unlink()
        metrics.symlink_to(tmp_path / ("elsewhere" if damage == "link" else "nowhere"))
    for words in (["curves", str(one), "-o", str(tmp_path / "c.html")], ["info", str(one)]):
        assert command(words) in (0, 2)
    assert train(text, one, "--steps", "6") == 0
    assert all(json.loads(line) for line in metrics.read_text().splitlines())
    assert "Traceback" not in capsys.readouterr().err
