"""Folders of trainings of word vectors: never lost, never half-written, and every refusal says what to do."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqlab_cli.main import run
from test_embeddings import QUICK, corpus_of, topics_ids

from seqlab import api
from seqlab.base.errors import InputError
from seqlab.config import EmbeddingsConfig, TextConfig
from seqlab.embeddings import WordVectors, convert_vectors, load_vectors, train_embeddings
from seqlab.embeddings.material.words import TrainingText, choose_words, grown
from seqlab.embeddings.training import loop as trainer
from seqlab.embeddings.training.state import VectorPosition, load_state, save_state, write_state
from seqlab.text import Corpus, prepare

SUBWORDS = QUICK.updated({"subwords": True, "buckets": 50, "max_ngram": 4})


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return corpus_of(topics_ids(20_000))


def interrupt(corpus: Corpus, folder: Path, config: EmbeddingsConfig = QUICK, **options: Any) -> None:
    """Train for two epochs, then stop; the folder holds a state and no vectors."""

    def stop(epoch: trainer.Epoch) -> None:
        if epoch.number == 3:
            raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(trainer, "SAVE_EVERY", 1e-9)
        train_embeddings(corpus, config, quiet=True, out=folder, callback=stop, **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Path:
    """old/: a finished training. begun/: one that was interrupted."""
    folder = tmp_path_factory.mktemp("trained")
    train_embeddings(corpus, QUICK, quiet=True, out=folder / "old")
    interrupt(corpus, folder / "begun")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# What a training keeps is never lost


@pytest.mark.parametrize("name", ["old", "begun"])
def test_only_a_training_replaces_a_training(trained: Path, name: str, tmp_path: Path) -> None:
    vectors = WordVectors(["a", "b"], np.eye(2, dtype=np.float32))
    (tmp_path / "a.txt").write_text("2 2\na 1 2\nb 3 4\n")
    before = contents(trained / name)
    assert "state/latest.safetensors" in before
    for write in (lambda to: vectors.save(to), lambda to: convert_vectors(tmp_path / "a.txt", to)):
        with pytest.raises(InputError, match=rf"{name}: holds a training, which would be lost; name another folder"):
            write(trained / name)
        assert contents(trained / name) == before
    vectors.save(tmp_path / "plain")
    convert_vectors(tmp_path / "a.txt", tmp_path / "plain")
    assert load_vectors(tmp_path / "plain")["b"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("name", "record", "what"),
    [
        ("config.json", '{"kind": "language-model"}', "a language-model run"),
        ("config.json", '{"kind": "autoencoder"}', "an autoencoder's run"),
        ("corpus.json", "{}", "a prepared corpus"),
    ],
)
def test_a_run_is_called_a_run_where_vectors_are_trained(name: str, record: str, what: str, tmp_path: Path) -> None:
    """Its state was called damaged, as one of word vectors."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "latest.safetensors").write_bytes(b"of a run")
    (tmp_path / name).write_text(record)
    (tmp_path / "text.txt").write_text("some words\n")
    with pytest.raises(InputError, match=f"exists and is {what}; choose another folder for word vectors"):
        api.train_embeddings(tmp_path / "text.txt", tmp_path)
    with pytest.raises(InputError, match=f"is {what}, not word vectors, whose training alone can be continued"):
        api.train_embeddings(tmp_path / "text.txt", resume=tmp_path)
    assert (tmp_path / "state" / "latest.safetensors").read_bytes() == b"of a run"


def test_a_training_replaces_no_vectors_that_were_only_saved(corpus: Corpus, tmp_path: Path) -> None:
    WordVectors(["a"], np.ones((1, 16), np.float32)).save(tmp_path / "v")
    before = contents(tmp_path / "v")
    with pytest.raises(InputError, match="name a new folder"):
        train_embeddings(corpus, QUICK, quiet=True, out=tmp_path / "v")
    assert contents(tmp_path / "v") == before


@pytest.mark.parametrize("config", [QUICK, SUBWORDS])
@pytest.mark.parametrize("save_every", [60.0, 1e-9])
def test_a_training_killed_while_it_is_written_goes_on(
    config: EmbeddingsConfig, save_every: float, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the vectors and the last state: the folder is as it was, and the same command finishes it."""
    monkeypatch.setattr(trainer, "SAVE_EVERY", save_every)
    whole, _ = train_embeddings(corpus, config, quiet=True)

    def killed(folder: Path, arrays: Any, position: VectorPosition, origin: Any) -> None:
        if position.jobs == 80:
            assert (folder / "vectors.safetensors").is_file()
            raise Killed
        write_state(folder, arrays, position, origin)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "write_state", killed)
        with pytest.raises(Killed):
            train_embeddings(corpus, config, quiet=True, out=tmp_path / "v")
    if save_every < 60:
        assert sorted(contents(tmp_path / "v")) == ["metrics.jsonl", "state/latest.safetensors"]
        assert [path.name for path in tmp_path.iterdir()] == ["v"]
    else:
        assert list(tmp_path.iterdir()) == []
    vectors, _ = train_embeddings(corpus, config, quiet=True, out=tmp_path / "v")
    assert vectors.matrix.tobytes() == whole.matrix.tobytes()
    assert {"vectors.safetensors", "manifest.json", "metrics.jsonl"} <= contents(tmp_path / "v").keys()
    saved = load_state(tmp_path / "v")
    assert saved is not None
    assert saved[1].jobs == 80
    assert len(saved[0]["inputs"]) == 60
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


def test_ctrl_c_waits_until_a_trained_folder_is_written(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def signalled(*arguments: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        write_state(*arguments)

    monkeypatch.setattr(trainer, "write_state", signalled)
    vectors, _ = train_embeddings(corpus, QUICK, quiet=True, out=tmp_path / "v")
    assert WordVectors.load(tmp_path / "v").matrix.tobytes() == vectors.matrix.tobytes()
    assert load_state(tmp_path / "v") is not None


def test_a_finished_training_without_its_vectors_is_not_begun_anew(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained / "old", tmp_path / "v")
    (tmp_path / "v" / "vectors.safetensors").unlink()
    with pytest.raises(InputError, match=r"vectors\.safetensors: missing though its training is finished; restore it"):
        train_embeddings(corpus, QUICK, quiet=True, out=tmp_path / "v")


# What is not finished, not there or not clear


def test_an_unfinished_training_is_called_so(corpus: Corpus, trained: Path) -> None:
    begun = trained / "begun"
    told = r"begun: its training is not finished; run its own command again first\."
    for use in (
        lambda: WordVectors.load(begun),
        lambda: load_vectors(begun),
        lambda: train_embeddings(corpus, QUICK, quiet=True, resume=begun),
        lambda: train_embeddings(corpus, QUICK.updated({"init": str(begun)}), quiet=True),
        lambda: convert_vectors(begun, begun.parent / "out.txt"),
    ):
        with pytest.raises(InputError, match=told):
            use()


def test_the_folder_to_continue_has_to_be_there(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder\.$"):
        train_embeddings(corpus, QUICK, quiet=True, resume=tmp_path / "nowhere")
    (tmp_path / "a.vec").write_text("a 1 2\n", "utf-8")
    with pytest.raises(InputError, match=r"a\.vec: is a file, .* init="):
        train_embeddings(corpus, QUICK, quiet=True, resume=tmp_path / "a.vec")
    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(trained / "old", old)
    interrupt(corpus, new, resume=old)
    shutil.rmtree(old)
    with pytest.raises(InputError, match=r"old: no such folder; it is needed to resume .*new\.$"):
        train_embeddings(corpus, QUICK, quiet=True, out=new, resume=old)
    WordVectors(["a"], np.ones((1, 16), np.float32)).save(old)
    with pytest.raises(InputError, match=r"old: keeps no state .*; it is needed to resume .*new\.$"):
        train_embeddings(corpus, QUICK, quiet=True, out=new, resume=old)


def test_a_training_starts_from_one_thing(corpus: Corpus, trained: Path) -> None:
    both = QUICK.updated({"init": str(trained / "old")})
    with pytest.raises(InputError, match="resume and init: both say"):
        train_embeddings(corpus, both, quiet=True, resume=trained / "old")
    with pytest.raises(InputError, match="resume and init: both say"):
        api.train_embeddings("missing.txt", init="x", resume=trained / "old")


# Texts without words, or with too few


@pytest.mark.parametrize("kind", ["char", "byte", "bpe"])
def test_tokens_that_are_no_words_get_vectors_only_on_purpose(kind: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat .\n" * 50)
    with pytest.raises(InputError, match=f"tokenizer: {kind} does not make words; use word or whitespace"):
        api.train_embeddings(tmp_path / "text.txt", tmp_path / "v", quiet=True, tokenizer=kind)
    assert not (tmp_path / "v").exists()
    corpus = prepare(tmp_path / "text.txt", tmp_path / "corpus", TextConfig(tokenizer=kind), quiet=True)
    vectors, _ = train_embeddings(corpus, QUICK, quiet=True)
    assert vectors.meta["settings"]["text"]["tokenizer"] == kind


def test_an_epoch_without_a_prediction_has_no_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = corpus_of(np.arange(30) % 2)
    heard: list[trainer.Epoch] = []
    config = QUICK.updated({"subsample": 1e-12})
    _, report = train_embeddings(corpus, config, quiet=True, out=tmp_path / "v", callback=heard.append)
    assert report["loss"] is None
    assert report["losses"] == [epoch.loss for epoch in heard] == [None] * 4
    lines = [json.loads(line) for line in (tmp_path / "v" / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 4
    assert not any("loss" in line for line in lines)
    assert run(["curves", str(tmp_path / "v"), "-o", str(tmp_path / "c.png")]) == 2
    assert "hold no training loss to draw" in capsys.readouterr().err
    some = [{**lines[0], "loss": 2.5}, lines[1], {**lines[2], "loss": 2.0}]
    (tmp_path / "v" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in some))
    assert run(["curves", str(tmp_path / "v"), "-o", str(tmp_path / "c.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["points"] == 2


def test_a_mean_is_over_what_was_predicted() -> None:
    position = VectorPosition()
    for epoch, loss, predictions in ((0, 0.0, 0), (1, 3.0, 2), (1, 1.0, 2)):
        position.add(epoch, loss, predictions)
    assert position.means == [None, 1.0]


# Settings of a training that is continued


def test_what_nobody_sets_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    ids = topics_ids(4_000)
    (tmp_path / "first.txt").write_text(" ".join(f"W{i}" for i in ids[ids < 40]))
    (tmp_path / "second.txt").write_text(" ".join(f"W{i}" for i in ids[ids >= 30]))
    options: dict[str, Any] = {"quiet": True, "min_count": 1, "epochs": 1, "workers": 1}
    first = {"dim": 8, "model": "cbow", "window": 3, "samples": 7, "result": "input", "lowercase": True}
    api.train_embeddings(tmp_path / "first.txt", tmp_path / "old", **options, **first)
    again = api.train_embeddings(tmp_path / "second.txt", resume=tmp_path / "old", **options)
    assert set(again.words) == {f"w{i}" for i in range(60)}
    for key in ("dim", "model", "window", "samples", "result", "subwords"):
        assert again.meta["settings"][key] == WordVectors.load(tmp_path / "old").meta["settings"][key], key
    other = api.train_embeddings(tmp_path / "second.txt", resume=tmp_path / "old", window=2, **options)
    assert other.meta["settings"]["window"] == 2
    for asked, told in (({"dim": 9}, "dim = 8, not 9"), ({"model": "skipgram"}, "model = 'cbow', not 'skipgram'")):
        with pytest.raises(InputError, match=f"old: was trained with {told}; use the same setting to continue"):
            api.train_embeddings(tmp_path / "second.txt", resume=tmp_path / "old", **options, **asked)
    with pytest.raises(InputError, match="old: was trained with lowercase = True, not False"):
        api.train_embeddings(tmp_path / "second.txt", resume=tmp_path / "old", lowercase=False, **options)
    with pytest.raises(InputError, match=r"nowhere: no such folder\.$"):
        api.train_embeddings(tmp_path / "missing.txt", resume=tmp_path / "nowhere")


def test_the_text_is_cut_as_that_of_the_training_to_continue(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("The cat sat on the mat .\n" * 50)
    corpora = [
        prepare(tmp_path / "text.txt", tmp_path / f"{kind}{lowercase}", TextConfig(tokenizer=kind, lowercase=lowercase))
        for kind, lowercase in (("word", False), ("word", True), ("whitespace", False))
    ]
    train_embeddings(corpora[0], QUICK, quiet=True, out=tmp_path / "old")
    for corpus, told in zip(
        corpora[1:], ("lowercase = False, not True", "tokenizer = 'word', not 'whitespace'"), strict=True
    ):
        with pytest.raises(InputError, match=f"old: was trained with {told}; use the same setting to continue"):
            train_embeddings(corpus, QUICK, quiet=True, resume=tmp_path / "old")


def test_a_largest_vocabulary_holds_for_a_training_that_is_continued(trained: Path) -> None:
    ids = np.concatenate([topics_ids(20_000), np.repeat([60, 61, 62], [9, 30, 8])])
    corpus = corpus_of(ids)
    vectors, _ = train_embeddings(corpus, QUICK.updated({"max_vocab": 61}), quiet=True, resume=trained / "old")
    assert set(vectors.words) == {*(f"w{i}" for i in range(60)), "w61"}
    with pytest.raises(InputError, match=r"max_vocab: 50 is less than the 60 words .*; take a larger max_vocab"):
        train_embeddings(corpus, QUICK.updated({"max_vocab": 50}), quiet=True, resume=trained / "old")
    text = TrainingText.of(corpus)
    together = grown(choose_words(text, 1), text, ["w62", "gone"], np.array([1, 1]), max_vocab=4)
    assert len(together.words) == 4
    assert {"w62", "gone"} < set(together.words)


def test_a_training_of_an_earlier_version_is_continued_if_its_settings_are_todays(
    trained: Path, corpus: Corpus, tmp_path: Path
) -> None:
    for power in (0.75, 0.5):
        folder = tmp_path / str(power)
        shutil.copytree(trained / "old", folder)
        arrays, position, origin = load_state(folder) or pytest.fail("no state")
        origin.settings.update(noise_power=power, save_every=1.0)
        save_state(folder, arrays, position, origin)
        if power == 0.75:
            train_embeddings(corpus, QUICK, quiet=True, resume=folder)
        else:
            with pytest.raises(InputError, match=r"noise_power = 0\.5 is a setting that only seqlab 0\.1 has"):
                train_embeddings(corpus, QUICK, quiet=True, resume=folder)
