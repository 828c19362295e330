"""A study: what is searched, what is kept when it is stopped, and what it hands over."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from programs import GROUP, Program, run_program
from seqlab_cli.main import run

import seqlab
from seqlab.config import LanguageModelConfig
from seqlab.studies.tune import journal, results, search, study, trainings
from seqlab.studies.tune.record import StudyRecord
from seqlab.studies.tune.results import read_study
from seqlab.studies.tune.search import FEWEST
from seqlab.studies.tune.space import Dimension
from seqlab.studies.tune.study import number_of, seconds_of
from seqlab.studies.tune.tunables import language_model
from seqlab.studies.tune.tunables.base import Ended, Measured
from seqlab.studies.tune.tunables.effort import Effort
from seqlab.studies.tune.tunables.language_model import TunableLanguageModel

pytestmark = pytest.mark.xdist_group(GROUP)  # and one process makes the study that most tests look at
SMALL = {"embed_dim": 8, "hidden_dim": 8, "layers": 1, "counts": False, "batch_size": 8, "bptt": 8, "threads": 1}
FIXED = {**{name: value for name, value in SMALL.items() if name != "hidden_dim"}, "device": "cpu"}
SET = [part for key, value in FIXED.items() for part in ("--set", f"{key}={str(value).lower()}")]
TRIAL = ["--steps-per-trial", "6", "--quiet", "--json"]


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    draw = random.Random(5)
    nouns, verbs = ["baker", "potter", "miller", "weaver"], ["sees", "meets", "thanks", "hears"]
    lines = [f"the {draw.choice(nouns)} {draw.choice(verbs)} the {draw.choice(nouns)} ." for _ in range(1200)]
    path = tmp_path_factory.mktemp("tune") / "book.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def arguments(text, folder, *more: str) -> list[str]:
    return ["tune", str(text), "-o", str(folder), *SET, *TRIAL, *more]


def objectives(found: dict) -> list[tuple[str, float | None]]:
    """Values and objective of every trial that was not interrupted, whatever their order."""
    kept = [one for one in found["trials"] if one["state"] != "interrupted"]
    return sorted((json.dumps([one["stage"], one["values"]], sort_keys=True), one["objective"]) for one in kept)


# The space


configured = TunableLanguageModel.configured


def dimensions(config: LanguageModelConfig, suggestion: float = 1e-2, fixed=(), tokens: int = 10**6) -> list[Dimension]:
    """The space around a configuration, for a text of so many tokens."""
    corpus = SimpleNamespace(train=range(tokens))
    return TunableLanguageModel(corpus, config).dimensions(
        Measured(100.0, SimpleNamespace(suggestion=suggestion)), set(fixed)
    )


def test_the_space_holds_the_configuration_and_the_suggestion():
    config = LanguageModelConfig.build({"model": {"dropout": 0.2}, "training": {"lr": 4e-3, "minutes": 1}})
    for suggestion in (1e-4, 4e-3, 0.5):
        lr, decay, dropout, layers, width, batch = dimensions(config, suggestion)
        assert lr.low <= min(4e-3, suggestion) / 2 <= max(4e-3, suggestion) * 2 <= lr.high
        assert config.training.weight_decay in decay.choices
        assert dropout.low <= 0.2 <= dropout.high
        assert layers.choices == (1, 2, 3)
        assert config.model.hidden_dim in width.choices
        assert config.training.batch_size in batch.choices


def test_what_a_person_sets_is_not_searched(text, tmp_path, capsys):
    config = LanguageModelConfig.build({"training": {"minutes": 1}})
    keys = {one.key for one in dimensions(config, fixed=["training.lr", "model.dropout"])}
    assert keys == {"training.weight_decay", "model.layers", "model.hidden_dim", "training.batch_size"}
    assert dimensions(config, fixed={"training.lr", *keys, "model.dropout"}) == []
    everything = [part for one in ("lr=0.01", "weight_decay=0", "dropout=0", "hidden_dim=8") for part in ("--set", one)]
    assert run([*arguments(text, tmp_path / "s", "--trials", "2"), *everything]) == 2
    assert "every setting that is searched is fixed" in capsys.readouterr().err


def test_a_short_text_gets_no_batch_that_it_cannot_fill():
    config = LanguageModelConfig.build({"training": {"minutes": 1, "batch_size": 8, "bptt": 32}})
    (batch,) = [one for one in dimensions(config, tokens=1_500) if one.name == "batch_size"]
    assert batch.choices == (2, 4, 8)


def test_a_third_of_the_time_of_a_search_is_for_long_trials():
    seconds = seconds_of(Effort(minutes=20), 1, target=3600.0)
    assert 24 * seconds * 1.15 == pytest.approx(1200)
    assert number_of(Effort(minutes=20), 1, seconds, 0.0) == 16
    assert seconds_of(Effort(minutes=20), 2, target=3600.0) == pytest.approx(2 * seconds)
    assert seconds_of(Effort(minutes=20), 1, target=60.0) == 30.0, "a long trial is no longer than the training to come"
    assert number_of(Effort(minutes=20), 1, 30.0, 0.0) > 24
    assert number_of(Effort(minutes=1), 1, seconds_of(Effort(minutes=1), 1, 3600.0), 10.0) == FEWEST
    assert seconds_of(Effort(minutes=20, seconds_per_trial=7.0), 1, 0.0) == 7.0


# Budgets that cost the same


def test_with_steps_other_sizes_get_as_many_as_the_same_arithmetic_allows(text):
    corpus = seqlab.prepare(text, tokenizer="word", quiet=True)
    config = LanguageModelConfig.build(
        {
            "model": {"embed_dim": 8, "hidden_dim": 16, "layers": 1, "tie": False},
            "training": {"steps": 8, "batch_size": 8},
        }
    )
    tunable = TunableLanguageModel(corpus, config, {"by_arithmetic": True})
    assert tunable.cost({"training.lr": 0.5, "model.hidden_dim": 16}) == 1.0
    assert tunable.cost({"training.batch_size": 32}) == 4.0
    types = len(corpus.tokenizer.vocab)

    def weights(width: int) -> int:
        """In the products of an LSTM and its softmax."""
        return 4 * width * (8 + width) + width * types

    assert tunable.cost({"model.hidden_dim": 32}) == pytest.approx(weights(32) / weights(16))


def test_with_seconds_the_time_of_steps_is_compared_side_by_side(text):
    """Sixteen times the streams and eight times the width: many times the time, however busy the machine is."""
    corpus = seqlab.prepare(text, tokenizer="word", quiet=True)
    config = LanguageModelConfig.build(
        {
            "model": {"embed_dim": 8, "hidden_dim": 32, "layers": 1},
            "training": {"steps": 8, "batch_size": 4, "threads": 1},
        }
    )
    tunable = TunableLanguageModel(corpus, config, {"by_arithmetic": False})
    assert tunable.cost({"training.lr": 0.5}) == 1.0
    assert tunable.cost({"training.batch_size": 64, "model.hidden_dim": 256}) > 4.0


def test_a_tied_embedding_follows_the_width():
    tied = LanguageModelConfig.build({"model": {"tie": True}, "training": {"steps": 1}})
    assert configured(tied, {"model.hidden_dim": 128}).model.embed_dim == 128
    free = LanguageModelConfig.build({"model": {"tie": False}, "training": {"steps": 1}})
    assert configured(free, {"model.hidden_dim": 128}).model.embed_dim == free.model.embed_dim


# A whole study


@pytest.fixture(scope="module")
def finished(text, tmp_path_factory):
    """A small study from beginning to end, with what it printed."""
    folder = tmp_path_factory.mktemp("studies") / "book"
    done = run_program(arguments(text, folder, "--trials", "10"))
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_a_study_tries_the_default_first_then_points_around_it_then_around_the_best_then_the_best_for_longer(finished):
    folder, found = finished
    stages = [one["stage"] for one in found["trials"]]
    assert stages == ["default", *["coarse"] * 4, *["refine"] * 5, *["long"] * 4]
    assert found["trials"][0]["values"]["training.lr"] == StudyRecord.load(folder).base.training.lr
    assert "training.batch_size" not in found["trials"][0]["values"], "it was set"
    short, long = found["trials"][:10], found["trials"][10:]
    assert long[0]["values"] == short[0]["values"], "the configuration without a search is trained for longer too"
    others = [one for one in short[1:] if one["state"] == "finished" and one["values"] != short[0]["values"]]
    ranked = [one["values"] for one in sorted(others, key=lambda one: one["objective"])]
    assert [one["values"] for one in long[1:]] == ranked[:3]
    assert found["best"]["objective"] == min(one["objective"] for one in long if one["state"] == "finished")
    assert found["default"]["objective"] == long[0]["objective"]
    assert (short[0]["steps"], long[0]["steps"]) == (6, 12)
    assert found["suggestion"] > 0
    assert {one["state"] for one in found["trials"]} <= {"finished", "given up", "diverged"}
    assert (folder / "report.html").stat().st_size > 100_000
    assert "Learning-rate range test" in (folder / "range-test.html").read_text("utf-8")


def test_a_trial_is_the_training_with_its_values(finished, text):
    """Trained once more by hand, to the same bits."""
    folder, found = finished
    record = StudyRecord.load(folder)
    one = found["trials"][2]
    corpus = seqlab.Corpus.open(record.corpus)
    config = configured(record.base, one["values"])
    config = config.updated({"training.steps": one["steps"]})
    again = trainings.train(trainings.Setup(corpus, record.about["valid_tokens"]), config)
    assert again.objective == one["objective"]


def test_the_best_preset_trains_the_best_configuration(finished, text, tmp_path):
    folder, found = finished
    content = (folder / "best.toml").read_text("utf-8")
    assert "\n\n\n" not in content
    written = tomllib.loads(content)
    for key, value in found["best"]["values"].items():
        section, _, name = key.partition(".")
        assert written[section][name] == value
    command = ["train", "lm", str(text), "-o", str(tmp_path / "run"), "--config", str(folder / "best.toml")]
    assert run([*command, "--steps", "3", "-q"]) == 0
    config = seqlab.load(tmp_path / "run").run.config
    expected = configured(StudyRecord.load(folder).base, found["best"]["values"])
    assert config.model == expected.model
    assert (config.training.lr, config.training.steps) == (expected.training.lr, 3)


@pytest.mark.slow
def test_the_same_study_gives_the_same_trials(finished, text, tmp_path, capsys):
    assert run(arguments(text, tmp_path / "again", "--trials", "10")) == 0
    assert objectives(json.loads(capsys.readouterr().out)) == objectives(finished[1])


def test_a_finished_study_is_shown_again_and_goes_on_where_more_is_asked(finished, text, tmp_path, capsys):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    assert run(arguments(text, folder, "--trials", "10")) == 0
    assert objectives(json.loads(capsys.readouterr().out)) == objectives(finished[1])
    assert run(arguments(text, folder, "--trials", "12")) == 0
    more = json.loads(capsys.readouterr().out)
    begun = len(finished[1]["trials"])
    assert more["trials"][:begun] == finished[1]["trials"]
    short = [one for one in more["trials"] if one["stage"] != "long"]
    assert len(short) == 12
    long = [json.dumps(one["values"]) for one in more["trials"] if one["stage"] == "long"]
    assert len(set(long)) == len(long) <= 6, "only the best that were not trained for longer yet"


def test_another_text_or_other_settings_are_refused(finished, text, tmp_path, capsys):
    folder = finished[0]
    other = tmp_path / "other.txt"
    other.write_text(text.read_text() + "the baker sees the end .\n" * 50)
    assert run(arguments(other, folder, "--trials", "10")) == 2
    assert "studies another text" in capsys.readouterr().err
    assert run(arguments(text, folder, "--trials", "10", "--schedule", "linear")) == 2
    assert "begun with training.schedule = nothing, not linear" in capsys.readouterr().err
    assert run(arguments(text, folder, "--trials", "10", "--search-seed", "2")) == 2
    assert "seed = 1, not 2" in capsys.readouterr().err


def test_the_result_as_an_object(finished):
    folder, found = finished
    result = read_study(folder, StudyRecord.load(folder))
    assert repr(result).startswith(f"Study({folder} · 10 of 10 trials · 4 of them longer · best ")
    assert len(result.to_frame()) == 14
    assert json.loads(json.dumps(result.to_json()))["best"] == found["best"]
    panels = result.picture().page().data["panels"]
    assert [panel["title"] for panel in panels] == [one.name for one in result.record.dimensions]
    shown = sum(len(one["x"]) for one in panels[0]["series"])
    assert shown == sum(one["state"] == "finished" for one in found["trials"])


def test_with_minutes_budgets_follow_from_the_measured_rate(text, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "SHORTEST", 0.1)
    found = seqlab.tune(text, tmp_path / "s", minutes=0.03, workers=1, config=nested(), quiet=True)
    record = found.record
    assert record.length == 0.1
    assert record.limit == pytest.approx(1.8)
    assert record.trials >= FEWEST
    short = [one for one in found.trials if one.stage != "long" and one.state == "finished"]
    assert short[0].steps == max(1, round(record.amount))
    longer = {json.dumps(one.values): one.steps for one in found.trials if one.stage == "long"}
    assert len(longer) >= 2, "the default and the best are trained for longer even where time is up"
    assert longer[json.dumps(short[0].values)] == max(1, round(2 * record.amount))


def ended(stage: str, value: float, seconds: float, **params) -> SimpleNamespace:
    """A finished trial as Optuna has it."""
    attributes = {"stage": stage, "elapsed": seconds}
    return SimpleNamespace(params=params, value=value, user_attrs=attributes, state=SimpleNamespace(name="COMPLETE"))


def test_the_time_of_a_study_is_kept(finished):
    """Ten seconds a trial: half of the time for short ones, then the default and the best, then more while time is
    left."""
    import optuna

    points = [{"lr": 0.1 * number} for number in range(9)]
    record = replace(StudyRecord.load(finished[0]), points=points, trials=9, seconds=0.0)
    short = [ended("default" if not number else "coarse", 2.0 - number, 10.0, **points[number]) for number in range(5)]

    def following(limit: float, trials: list, running: list = ()) -> tuple:
        return search.next_point(optuna, replace(record, limit=limit), trials, list(running))

    assert following(1000.0, short) == (points[5], "coarse")
    assert following(1000.0, [*short, ended("coarse", math.inf, 10.0, **points[5])]) == (points[6], "coarse")
    assert following(100.0, short) == (points[0], "long"), "half of the time is used up"
    assert following(100.0, short, [short[4]]) == (None, "wait")
    long = [ended("long", 1.0, 40.0, **points[0])]
    assert following(100.0, [*short, *long]) == (points[4], "long")
    long.append(ended("long", 1.0, 40.0, **points[4]))
    assert following(100.0, [*short, *long]) == (None, "")
    record = replace(record, trials=5)
    assert following(160.0, [*short, *long]) == (points[3], "long")
    long += [ended("long", 1.0, 40.0, **points[number]) for number in (3, 2)]
    assert following(160.0, [*short, *long]) == (None, "")


# Trials that end otherwise


def test_a_trial_that_diverges_is_shown_and_never_the_best(text, tmp_path, capsys, monkeypatch):
    train = trainings.train

    def exploding(setup, config, after_validation):
        if config.training.lr > 0.01:
            return Ended(math.inf, 2, 128, 0.1, "the loss was no longer finite at step 2")
        return train(setup, config, after_validation)

    monkeypatch.setattr(language_model, "train", exploding)
    assert run([*arguments(text, tmp_path / "s"), "--grid", "lr=0.001,0.005,0.5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["state"] for one in found["trials"]] == ["finished", "finished", "diverged"]
    assert found["trials"][2]["objective"] is None
    assert found["best"]["values"]["training.lr"] < 0.1
    json.loads(json.dumps(found), parse_constant=pytest.fail)


def test_a_real_divergence_is_caught(text, tmp_path, capsys):
    options = ["--grid", "lr=0.01,1e8", "--set", "clip=0", "--set", "cell=rnn-relu", "--set", "optimizer=sgd"]
    assert run([*arguments(text, tmp_path / "s"), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["state"] for one in found["trials"]] == ["finished", "diverged"]


def test_an_unpromising_trial_is_given_up_at_an_equal_share_of_its_budget(text, tmp_path, monkeypatch):
    seen: dict[int, list[int]] = {}

    def scripted(setup, config, after_validation):
        number = len(seen)
        seen[number] = []
        for rung in range(1, trainings.RUNGS + 1):
            seen[number].append(rung)
            after_validation(rung, (1.0 if number < 5 else 2.0) + 0.1 / rung)
        return Ended(1.0 + 0.01 * number, 6, 100, 0.1)

    monkeypatch.setattr(language_model, "train", scripted)
    found = seqlab.tune(text, tmp_path / "s", trials=10, steps_per_trial=6, config=nested(), quiet=True)
    stages = [one.stage for one in found.trials]
    assert all(len(seen[number]) == trainings.RUNGS for number, stage in enumerate(stages) if stage != "refine")
    given_up = [one for one in found.trials if one.state == "given up"]
    assert given_up, "worse than the median of the others at the same rung"
    assert all(seen[one.number] == [1] for one in given_up)


def nested() -> dict:
    return seqlab.config.merge({}, LanguageModelConfig.qualified(FIXED))


def test_networks_are_told_apart_where_the_counts_would_decide_alone(text, tmp_path, capsys):
    """Beside the counts of this text, both networks are worth nothing after so few steps."""
    command = [*arguments(text, tmp_path / "s"), "--grid", "lr=1e-5,1e-2", "--set", "counts=true"]
    assert run(command) == 0
    found = json.loads(capsys.readouterr().out)
    losses = {one["values"]["training.lr"]: one["objective"] for one in found["trials"]}
    assert losses[1e-2] < losses[1e-5] - 0.01
    assert found["best"]["values"] == {"training.lr": 1e-2}
    assert found["warnings"] == [
        "lr 0.01 lies at the highest end of what was tried (1e-05 to 0.01); the best may lie "
        "beyond, so widen the search"
    ]
    assert "counts = true" in (tmp_path / "s" / "best.toml").read_text("utf-8")


def test_trials_that_all_end_alike_say_nothing(text, tmp_path, capsys):
    command = [*arguments(text, tmp_path / "s"), "--grid", "weight_decay=1e-12,2e-12"]
    assert run(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["trials"][0]["objective"] == found["trials"][1]["objective"]
    assert "all trials ended with the same loss" in found["warnings"][0]


# A grid


def test_a_grid_tries_every_combination_once(text, tmp_path, capsys):
    command = [*arguments(text, tmp_path / "s"), "--grid", "lr=1e-3,1e-2", "--grid", "dropout=0,0.2"]
    assert run(command) == 0
    found = json.loads(capsys.readouterr().out)
    pairs = [(one["values"]["training.lr"], one["values"]["model.dropout"]) for one in found["trials"]]
    assert sorted(pairs) == [(1e-3, 0), (1e-3, 0.2), (1e-2, 0), (1e-2, 0.2)]
    assert {one["stage"] for one in found["trials"]} == {"grid"}
    assert found["suggestion"] is None
    assert found["default"] is None


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["lr"], "write a setting and its values"),
        (["lr="], "write a setting and its values"),
        (["lr=1e-3", "lr=1e-2"], "is there twice"),
        (["lrr=1,2"], "lrr"),
        (["dropout=0,7"], "dropout"),
    ],
)
def test_mistakes_of_a_grid_are_one_sentence(text, tmp_path, capsys, values, sentence):
    options = [part for one in values for part in ("--grid", one)]
    assert run([*arguments(text, tmp_path / "s"), *options]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "s").exists()


# Mistakes


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ([], "say how long to search: --minutes 10, or --trials 20"),
        (["--trials", "4"], "say how long a trial is"),
        (["--trials", "0", "--steps-per-trial", "5"], "--trials: must be more than 0"),
        (["--minutes", "1", "--steps-per-trial", "5", "--seconds-per-trial", "5"], "not both"),
        (["--minutes", "1", "--workers", "0"], "--workers: must be more than 0"),
        (["--trials", "4", "--steps-per-trial", "5", "--preset", "chur"], "chur"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(text, tmp_path, capsys, more, sentence):
    assert run(["tune", str(text), "-o", str(tmp_path / "s"), "-q", *more]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "s").exists()


def test_a_folder_with_other_things_is_refused(text, tmp_path, capsys):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "letter.txt").write_text("mine")
    assert run(arguments(text, tmp_path / "s", "--trials", "2")) == 2
    assert "is a folder with other things in it" in capsys.readouterr().err


def test_without_optuna_one_sentence_says_what_to_install(text, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert run(arguments(text, tmp_path / "s", "--trials", "2")) == 2
    assert 'pip install "seqlab[tune]"' in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


# Stopped, killed, and several at once


def begun(text, folder, trials: int, *more: str) -> Program:
    return Program(arguments(text, folder, "--trials", str(trials), *more))


def wait_for_trials(folder: Path, number: int) -> None:
    """Until so many trials are in the journal."""
    for _ in range(1200):
        path = folder / journal.JOURNAL
        if path.exists() and path.read_text().count('"op_code":6') >= number:
            return
        time.sleep(0.05)
    raise AssertionError("the study does not get on")


def test_a_study_that_is_killed_again_and_again_ends_as_one_that_was_not(finished, text, tmp_path):
    folder = tmp_path / "s"
    for wanted in (1, 6):
        process = begun(text, folder, 10)
        wait_for_trials(folder, wanted)
        process.send_signal(signal.SIGKILL)
        process.done()
    _, out, err = begun(text, folder, 10).done()
    found = json.loads(out)
    assert not err
    assert objectives(found) == objectives(finished[1])
    assert any(one["state"] == "interrupted" for one in found["trials"])
    assert not list((folder / "workers").iterdir()) or all(
        not journal.lives(folder, one.name) for one in (folder / "workers").iterdir()
    )


def test_trials_much_shorter_than_the_training_they_are_for_are_said(finished):
    """On tiny Shakespeare settings that were best after 45 seconds lost to the default after 120."""
    folder, _ = finished
    record = replace(StudyRecord.load(folder), limit=600.0, length=22.5)
    assert not any("training that the settings are for" in one for one in read_study(folder, record).warnings)
    assert not results.too_short(replace(record, target=60.0))
    said = read_study(folder, replace(record, target=120.0)).warnings[-1]
    assert "had 45 seconds, and the training that the settings are for has 120" in said
    assert "about 27 minutes" in said


def test_a_line_that_was_cut_off_is_mended(finished, text, tmp_path, capsys):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    with open(folder / journal.JOURNAL, "ab") as handle:
        handle.write(b'{"op_code":6,"worker_id":"x","tri')
    assert run(arguments(text, folder, "--trials", "10")) == 0
    assert objectives(json.loads(capsys.readouterr().out)) == objectives(finished[1])


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no interrupt to one process")
def test_an_interrupt_is_answered_and_the_study_resumes(finished, text, tmp_path):
    folder = tmp_path / "s"
    process = begun(text, folder, 10)
    wait_for_trials(folder, 2)
    process.send_signal(signal.SIGINT)
    stopped = process.done()
    assert stopped.returncode == 130
    assert "Traceback" not in stopped.stderr
    again = begun(text, folder, 10).done()
    assert objectives(json.loads(again.stdout)) == objectives(finished[1])


def test_two_processes_and_two_commands_share_one_study_without_a_duplicate(finished, text, tmp_path):
    folder = tmp_path / "s"
    first = begun(text, folder, 10, "--workers", "2")
    wait_for_trials(folder, 1)
    second = begun(text, folder, 10)
    outputs = [process.done() for process in (first, second)]
    assert [one.returncode for one in outputs] == [0, 0], outputs
    found = read_study(folder, StudyRecord.load(folder))
    kept = [one for one in found.trials if one.state != "interrupted"]
    assert len(kept) == 10 + 4
    assert len({json.dumps([one.stage, one.values], sort_keys=True) for one in kept}) == len(kept)
    coarse = [one.values for one in kept if one.stage in ("default", "coarse")]
    assert coarse[:5] == [one["values"] for one in finished[1]["trials"][:5]], "the same points come first"


def test_another_machine_takes_part_with_a_copy_of_the_text_of_its_own(finished, text, tmp_path, capsys, monkeypatch):
    """It has the folder, and the text somewhere else: so do the processes that it starts."""
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    record = json.loads((folder / "study.json").read_text("utf-8"))
    (folder / "study.json").write_text(json.dumps(record | {"corpus": "/elsewhere"}), "utf-8")
    monkeypatch.setattr(search, "notify", pytest.fail)  # which would say that a worker ended early
    assert run(arguments(text, folder, "--trials", "11", "--workers", "2")) == 0
    kept = [one for one in json.loads(capsys.readouterr().out)["trials"] if one["stage"] != "long"]
    assert len(kept) == 11


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        ({"value": 2.5}, "trial 3 of 10 (refine): 2.5000 nats per token with lr 0.01; best 2.2500"),
        ({"value": 2.5, "stage": "long"}, "long trial 1 (long): 2.5000 nats per token with lr 0.01; best 2.5000"),
        (
            {"value": math.inf, "diverged": "the loss was no longer finite at step 2"},
            "trial 3 of 10 (refine): the loss was no longer finite at step 2 with lr 0.01; best 2.2500",
        ),
        ({"value": math.inf}, "trial 3 of 10 (refine): diverged with lr 0.01; best 2.2500"),
        (
            {"value": 2.6, "state": "PRUNED"},
            "trial 3 of 10 (refine): given up (others were better after as much training) with lr 0.01; best 2.2500",
        ),
    ],
)
def test_every_sentence_on_a_trial(finished, trial, words):
    state = SimpleNamespace(name=trial.pop("state", "COMPLETE"))
    value, attributes = trial.pop("value"), {"stage": "refine", **trial}
    last = SimpleNamespace(params={"training.lr": 0.01}, value=value, user_attrs=attributes, state=state)
    before = SimpleNamespace(
        params={}, value=2.25, user_attrs={"stage": "coarse"}, state=SimpleNamespace(name="COMPLETE")
    )
    study_of = SimpleNamespace(get_trials=lambda deepcopy: [before, last])
    assert search.sentence(study_of, 2, last, StudyRecord.load(finished[0])) == words


def test_the_winner_is_trained_into_the_folder(finished, text, tmp_path, capsys):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    assert run(arguments(text, folder, "--trials", "10", "--train", "0.02")) == 0
    lm = seqlab.load(folder / "run")
    assert lm.run.finished
    assert lm.run.config.model.hidden_dim == finished[1]["best"]["values"].get("model.hidden_dim", 8)
