"""The starter: trained once, then taken from the cache; short texts start from it with settings of their own."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from seqlab.base.errors import InputError
from seqlab.base.storage.lock import only_trainer
from seqlab.config import LanguageModelConfig
from seqlab.config.presets import preset
from seqlab.run import Run
from seqlab.training import starter as starters
from seqlab.training.train import train_language_model

DOCS = "".join(f"The function {n} returns the square of its argument, and raises an error.\n\n" for n in range(300))
TEXT = "".join(f"The king of city {n} returns to the square, and an error raises him.\n\n" for n in range(200))


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A text to train on, where the starter is a short training on a short text."""
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "docs.txt").write_text(DOCS)
    (tmp_path / "book.txt").write_text(TEXT)
    monkeypatch.setattr(starters, "TEXT", str(tmp_path / "docs.txt"))
    short = preset("starter")
    short["training"]["steps"] = 8
    monkeypatch.setattr(starters, "preset", lambda name: short)
    return tmp_path / "book.txt"


def test_the_starter_is_trained_once_and_again_where_it_is_damaged(small: Path) -> None:
    first = starters.starter(quiet=True)
    written = (first.path / "model.safetensors").stat().st_mtime_ns
    assert first.finished
    assert "cache" in str(first.path)
    assert (starters.starter(quiet=True).path / "model.safetensors").stat().st_mtime_ns == written
    (first.path / "config.json").write_text("{")
    assert starters.starter(quiet=True).finished


def test_who_comes_second_waits_for_the_starter(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = starters.starter(quiet=True).path
    shutil.rmtree(folder)
    waited: list[float] = []
    with contextlib.ExitStack() as held:
        held.enter_context(only_trainer(folder))

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            held.close()

        monkeypatch.setattr(starters, "time", SimpleNamespace(sleep=sleep))
        assert starters.starter(quiet=True).finished
    assert waited == [starters.LOOK_EVERY]


def test_a_text_starts_from_its_weights_with_dropout_and_counts(small: Path, tmp_path: Path) -> None:
    given = {"training": {"init": "starter", "steps": 1, "lr": 1e-9}}
    run = train_language_model(small, tmp_path / "run", quiet=True, given=given).run
    origin = starters.starter(quiet=True)
    assert run.config.training.init == "starter"
    assert (run.config.model.dropout, run.config.model.counts) == (0.3, True)
    assert run.config.model.hidden_dim == origin.config.model.hidden_dim == 256
    ours, theirs = run.load_model(), origin.load_model()
    for token in "ring":
        ids = run.tokenizer.vocab.stoi[token], origin.tokenizer.vocab.stoi[token]
        difference = ours.embedding[ids[0]] - theirs.embedding[ids[1]]
        assert difference.abs().max() < 1e-6
    again = train_language_model(small, tmp_path / "run", quiet=True, given=given).run  # finished: nothing to do
    assert again.config == run.config
    longer = {"training": {"init": "starter", "steps": 2, "lr": 1e-9}}
    assert train_language_model(small, tmp_path / "run", quiet=True, given=longer).run.config.training.steps == 2


def test_its_sizes_and_its_tokenizer_are_what_they_are(small: Path, tmp_path: Path) -> None:
    for given, words in (
        ({"training": {"init": "starter"}, "text": {"tokenizer": "word"}}, "model of characters"),
        ({"training": {"init": "starter"}, "model": {"hidden_dim": 64}}, "hidden_dim"),
    ):
        with pytest.raises(InputError, match=words):
            train_language_model(small, tmp_path / "run", quiet=True, given=given)
    assert not (tmp_path / "run").exists()


def test_a_folder_of_that_name_is_given_as_a_path(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"training": {"steps": 1}, "model": {"embed_dim": 8, "hidden_dim": 8, "layers": 1}}
    train_language_model(small, "starter", quiet=True, given=given)
    given = {"training": {"init": "./starter", "steps": 1}}
    run = train_language_model(small, tmp_path / "run", quiet=True, given=given).run
    assert run.config.model.hidden_dim == 8
    assert Run.open(tmp_path / "starter").config.training.init is None


def test_the_two_presets_fit_each_other() -> None:
    starter, start = (LanguageModelConfig.build(preset(name)).model for name in ("starter", "from-starter"))
    different = {"dropout", "counts"}
    assert starter.model_dump(exclude=different) == start.model_dump(exclude=different)
