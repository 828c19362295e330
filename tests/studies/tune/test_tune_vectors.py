"""Studies of word vectors: one search with those of language models, judged by held-out loss or by questions."""

from __future__ import annotations

import json
import random
import tomllib
from pathlib import Path

import pytest
from seqlab_cli.main import run

import seqlab
from seqlab.config import EmbeddingsConfig
from seqlab.embeddings.training.loop import VectorTrainer
from seqlab.embeddings.training.planning import plan
from seqlab.studies.tune.record import StudyRecord
from seqlab.studies.tune.tunables.base import Measured
from seqlab.studies.tune.tunables.vectors import TunableVectors

SET = ("workers=1", "device=cpu", "dim=8", "min_count=1", "valid_fraction=0.2")
EPOCHS = ["--set", "epochs=1", "--quiet", "--json"]


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    draw = random.Random(5)
    nouns, verbs = ["baker", "potter", "miller", "weaver"], ["sees", "meets", "thanks", "hears"]
    lines = [f"the {draw.choice(nouns)} {draw.choice(verbs)} the {draw.choice(nouns)} ." for _ in range(400)]
    path = tmp_path_factory.mktemp("tune") / "book.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def questions(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "trades.txt"
    path.write_text(": trades\nbaker sees potter meets\nmiller thanks weaver hears\npotter sees baker hears\n")
    return path


def arguments(text, folder, *more: str) -> list[str]:
    settings = [part for one in SET for part in ("--set", one)]
    return ["tune", str(text), "--vectors", "-o", str(folder), *settings, *EPOCHS, *more]


def opened(text, **about) -> TunableVectors:
    """Word vectors of the text, as a study with equal passes has them."""
    config = EmbeddingsConfig().updated({"workers": 1, "device": "cpu", "dim": 8, "min_count": 1, "epochs": 1.0})
    config = config.updated({"text.valid_fraction": 0.2})
    corpus = seqlab.prepare(text, tokenizer="word", valid_fraction=0.2, quiet=True)
    resolved = plan(corpus, config, quiet=True).config
    return TunableVectors(corpus, resolved, {"questions": [], "equal_passes": True, **about})


def test_a_study_by_held_out_loss_and_its_preset(text, tmp_path, capsys):
    folder = tmp_path / "s"
    asked = arguments(text, folder, "--trials", "4", "--set", "samples=15")  # every other number compiles a kernel
    assert run(asked) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["stage"] for one in found["trials"][:4]] == ["default", "coarse", "refine", "refine"]
    assert {one["stage"] for one in found["trials"][4:]} == {"long"}
    assert set(found["trials"][0]["values"]) == {"lr", "min_ngram"}, "dim and samples were set"
    long = [one for one in found["trials"] if one["stage"] == "long"]
    assert found["best"]["objective"] == min(one["objective"] for one in long)
    assert long[0]["values"] == found["trials"][0]["values"]
    written = tomllib.loads((folder / "best.toml").read_text("utf-8"))
    assert (written["dim"], written["samples"]) == (8, 15)
    assert "epochs" not in written
    assert written["text"]["valid_fraction"] == 0.2
    for key, value in found["best"]["values"].items():
        assert written[key] == value
    command = ["train", "embeddings", str(text), "-o", str(tmp_path / "v"), "--config", str(folder / "best.toml")]
    assert run([*command, "--epochs", "1", "-q"]) == 0
    assert seqlab.load(tmp_path / "v").dim == 8
    capsys.readouterr()
    assert run(asked) == 0
    assert json.loads(capsys.readouterr().out) == found, "a finished study is shown again"


def test_a_trial_is_the_training_with_its_values(text):
    tunable = opened(text)
    values = {"lr": 0.1, "min_ngram": 3}
    ended = tunable.train(values, 2.0, lambda rung, loss: None)
    planned = plan(tunable.corpus, tunable.config.updated({**values, "epochs": 2.0}), quiet=True)
    trainer = VectorTrainer(planned.text, planned.words, planned.config)
    trainer.fit(quiet=True)
    assert ended.objective == trainer.held_out_loss()


def test_other_numbers_of_noise_words_are_judged_alike(text):
    """With more noise words the same vectors have a higher loss, so all are judged with as many as the default has."""
    tunable = opened(text)
    usual, more = tunable.config.samples, 3 * tunable.config.samples
    ended = tunable.train({"samples": more}, 1.0, lambda rung, loss: None)
    planned = plan(tunable.corpus, tunable.config.updated({"samples": more}), quiet=True)
    trained = VectorTrainer(planned.text, planned.words, planned.config)
    trained.fit(quiet=True)
    judge = VectorTrainer(planned.text, planned.words, planned.config.model_copy(update={"samples": usual}))
    judge.engine.load_arrays(trained.engine.arrays())
    assert ended.objective == judge.held_out_loss()
    assert trained.held_out_loss() > ended.objective + 0.5


def test_only_questions_can_judge_what_is_predicted(text, questions):
    by_loss = {one.key for one in opened(text).dimensions(Measured(1.0), set())}
    by_questions = {one.key for one in opened(text, questions=["q"]).dimensions(Measured(1.0), set())}
    assert by_loss == {"lr", "dim", "samples", "min_ngram"}
    assert by_questions == by_loss | {"window", "subsample"}
    plain = opened(text)
    plain.config = plain.config.updated({"loss": "negative-sampling", "subwords": False})
    assert {one.key for one in plain.dimensions(Measured(1.0), {"dim"})} == {"lr"}


def test_a_grid_judged_by_questions(text, questions, tmp_path, capsys):
    command = arguments(text, tmp_path / "s", "--questions", str(questions), "--grid", "window=2,5")
    assert run(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["values"] for one in found["trials"]] == [{"window": 2}, {"window": 5}]
    assert all(0.0 <= one["objective"] <= 100.0 for one in found["trials"])
    record = StudyRecord.load(tmp_path / "s")
    assert record.judged_by == ("wrong answers", "% of the questions")


def test_with_seconds_wider_vectors_get_fewer_passes(text, monkeypatch):
    tunable = opened(text, equal_passes=False)
    rates = {8: 1000.0, 16: 400.0}
    monkeypatch.setattr(TunableVectors, "_rate", lambda self, values: rates[values.get("dim", 8)])
    assert tunable.cost({"dim": 16, "lr": 0.1}) == 2.5
    assert tunable.cost({"dim": 8, "lr": 0.1}) == 1.0


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--grid", "window=2,5"], "window: decides what is predicted"),
        (["--trials", "4", "--steps-per-trial", "5"], "--steps-per-trial: goes with language models"),
        (["--trials", "4", "--seconds-per-trial", "5"], "give --seconds-per-trial or epochs, not both"),
        (["--trials", "4", "--dropout", "0.1"], "--dropout: goes with language models"),
        (["--trials", "4", "--questions", "none.txt"], "none.txt"),
        (["--trials", "4", "--set", "init=v"], "init: a study trains fresh vectors"),
        (["--grid", "hidden_dim=2,5"], "hidden_dim"),
        (["--trials", "4", "--set", "lr=0.1", "--set", "samples=5", "--set", "min_ngram=4"], "every setting"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_no_study(text, tmp_path, capsys, more, sentence):
    assert run(arguments(text, tmp_path / "s", *more)) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "s" / "study.json").exists()


def test_questions_need_vectors(text, tmp_path, capsys):
    command = ["tune", str(text), "-o", str(tmp_path / "s"), "--trials", "4", "--questions", "english"]
    assert run([*command, "--steps-per-trial", "5"]) == 2
    assert "--questions: go with --vectors" in capsys.readouterr().err
