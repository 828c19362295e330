"""Exact resume in every mode: killed at random moments, a run ends with the bits of one that never stopped."""

from __future__ import annotations

import random
import signal

import numpy as np
import pytest
from costs import usual

from seqlab import api
from seqlab.base.errors import InputError
from seqlab.base.files import load_tensors
from seqlab.run import Run
from seqlab.training import Trainer
from seqlab.training.watch.validation import Validator

SIZES = {"embed_dim": 10, "hidden_dim": 10, "layers": 2, "batch_size": 4, "bptt": 8}
REGULARISED = {
    "weight_drop": 0.3,
    "locked_dropout": True,
    "embedding_dropout": 0.1,
    "dropout": 0.3,
    "hidden_dropout": 0.2,
    "activation_penalty": 2.0,
    "temporal_penalty": 1.0,
}
MODES = {
    "defaults": {"epochs": 1.5, "dropout": 0.2},
    "ema-sampled": {"steps": 36, "average": "ema", "average_decay": 0.9, "softmax": "sampled", "samples": 8},
    "swa-sgd": {"steps": 36, "average": "swa", "average_start": 0.3, "optimizer": "sgd", "lr": 1.0},
    "asgd-tied-sampled": {"steps": 36, "average": "asgd", "softmax": "sampled", "samples": 8, "optimizer": "nesterov"},
    "nt-asgd": {"steps": 48, "average": "nt-asgd", "average_patience": 1, "lr": 0.5, "evaluations": 16},
    "random-bptt": {"epochs": 1, "random_bptt": True, "schedule": "one-cycle", "cell": "gru"},
    "growing-batch": {
        "epochs": 2.2,
        "batch_schedule": [[0.0, 2], [0.2, 4], [0.7, 12]],
        "batch_scaling": "linear",
        "dropout": 0.1,
    },
    "accumulate": {"steps": 30, "accumulate": 2, "dropout": 0.3, "softmax": "sampled", "samples": 8},
    "documents": {"epochs": 1.2, "reset_state": "documents", "tie": False},
    "lines": {"epochs": 2.3, "dropout": 0.2, "batch_schedule": [[0.4, 8]]},
    "windows-relu": {"steps": 30, "reset_state": "windows", "cell": "rnn-relu"},
    "penalties": {"steps": 30, "l1": 1e-5, "l2": 1e-4, "clip_value": 0.01, "softmax": "sampled", "samples": 8},
    "rmsprop-decay": {"steps": 30, "optimizer": "rmsprop", "weight_decay": 0.01, "softmax": "sampled", "samples": 8},
    "adamw-decay-ema": {
        "steps": 36,
        "weight_decay": 0.1,
        "lr": 0.02,
        "average": "ema",
        "average_decay": 0.9,
        "softmax": "sampled",
        "samples": 4,
    },
    "adagrad-plateau": {"steps": 54, "optimizer": "adagrad", "schedule": "plateau", "evaluations": 18, "patience": 4},
    "nce": {"steps": 24, "softmax": "nce", "samples": 8, "average": "ema"},
    "adaptive": {"steps": 24, "softmax": "adaptive"},
    "mixture-step": {"steps": 24, "softmax": "mixture", "mixture": 2, "schedule": "step", "optimizer": "adam"},
    "momentum-unigram": {
        "steps": 30,
        "optimizer": "momentum",
        "lr": 0.3,
        "softmax": "sampled",
        "samples": 8,
        "noise": "unigram",
        "schedule": "exponential",
    },
    "smoothing-linear": {"steps": 24, "softmax": "full", "label_smoothing": 0.1, "schedule": "linear", "warmup": 0.3},
    "adam-constant": {"steps": 24, "optimizer": "adam", "softmax": "sampled", "samples": 8, "schedule": "constant"},
    "awd-lstm": {
        **REGULARISED,
        "steps": 48,
        "average": "nt-asgd",
        "average_patience": 1,
        "optimizer": "sgd",
        "lr": 2.0,
        "evaluations": 16,
        "random_bptt": True,
    },
    "awd-documents": {
        **REGULARISED,
        "epochs": 1.2,
        "softmax": "sampled",
        "samples": 8,
        "reset_state": "documents",
        "accumulate": 2,
        "residual": True,
    },
    "characters": {
        "epochs": 1.2,
        "input": "characters",
        "embedding_dropout": 0.2,
        "softmax": "sampled",
        "samples": 8,
        "average": "ema",
    },
    "everything": {
        "epochs": 1.5,
        "average": "ema",
        "softmax": "sampled",
        "samples": 8,
        "random_bptt": True,
        "batch_schedule": [[0.5, 8]],
        "batch_scaling": "sqrt",
        "accumulate": 2,
        "reset_state": "documents",
        "l2": 1e-4,
        "dropout": 0.2,
    },
}
COUNTED = ("defaults", "documents", "lines", "awd-lstm", "everything")
"""Modes in which counts, too, are made, tuned and kept."""
MEASURED = {"seconds", "tokens_per_second"}


class Killed(Exception):
    """Stands for a power cut."""


@pytest.fixture(autouse=True)
def fewer_lines_than_steps(monkeypatch):
    """So that training is also stopped between two lines of metrics."""
    monkeypatch.setattr("seqlab.training.loop.LOG_LINES", 40)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A text of a few dozen words in documents of different lengths."""
    generator, folder = random.Random(0), tmp_path_factory.mktemp("text")
    for number in range(16):
        sentences = [
            f"the noun{generator.randrange(20)} verb{generator.randrange(9)} a noun{generator.randrange(20)} ."
            for _ in range(generator.randrange(2, 40))
        ]
        (folder / f"{number:02d}.txt").write_text("\n".join(sentences) + "\n")
    return api.prepare(str(folder), tmp_path_factory.mktemp("corpus") / "words", tokenizer="whitespace")


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """A list of a few hundred lines."""
    generator, folder = random.Random(1), tmp_path_factory.mktemp("items")
    lines = [" ".join(f"noun{generator.randrange(20)}" for _ in range(generator.randrange(1, 7))) for _ in range(240)]
    (folder / "items.txt").write_text("\n".join(lines) + "\n")
    return api.prepare(folder / "items.txt", folder / "corpus", tokenizer="word", lines="yes")


def kill_at(monkeypatch, kills: list[int], save_steps: int) -> None:
    """Save every so many steps, and die in the steps named, whichever sitting reaches them."""
    step, clock = Trainer.train_step, Trainer.look_at_the_clock

    def train_step(self):
        if self.position.step in kills:
            kills.remove(self.position.step)
            raise Killed
        step(self)

    def look_at_the_clock(self, last_save, interrupted):
        clock(self, last_save, interrupted)
        return self.position.step % save_steps == 0, False

    monkeypatch.setattr(Trainer, "train_step", train_step)
    monkeypatch.setattr(Trainer, "look_at_the_clock", look_at_the_clock)


def content(run: Run):
    """Best weights, the exact state without measured time, and the metrics likewise."""
    arrays, values = run.load_state()
    values["position"].pop("seconds")
    lines = [{key: value for key, value in line.items() if key not in MEASURED} for line in run.metrics()]
    return load_tensors(run.path / "model.safetensors")[0], arrays, values, lines


@pytest.mark.parametrize(
    "mode",
    usual(MODES, "defaults", "lines", "awd-lstm", "growing-batch", "characters", "adamw-decay-ema", "everything"),
)
def test_killed_at_random_moments_it_ends_with_the_same_bits(words, items, tmp_path, monkeypatch, mode):
    check_kills(items if mode == "lines" else words, tmp_path, monkeypatch, mode, 2)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_killed_again_and_again_it_ends_with_the_same_bits(words, items, tmp_path, monkeypatch, mode):
    check_kills(items if mode == "lines" else words, tmp_path, monkeypatch, mode, 8)


def check_kills(words, tmp_path, monkeypatch, mode, number):
    options = {**SIZES, **MODES[mode], "counts": mode in COUNTED, "quiet": True}
    kill_at(monkeypatch, [], 7)
    whole = api.train_language_model(words, tmp_path / "whole", **options).run
    steps = whole.metrics()[-1]["step"]
    kills = sorted(random.Random(mode).sample(range(1, steps), number))
    left = list(kills)
    kill_at(monkeypatch, left, 7)
    for _ in kills:
        with pytest.raises(Killed):
            api.train_language_model(words, tmp_path / "killed", **options)
    again = api.train_language_model(words, tmp_path / "killed", **options).run
    assert not left
    check_same(content(whole), content(again))
    assert len(whole.metrics()) > 10


def check_same(whole, again):
    for ours, theirs in zip(whole, again, strict=True):
        if isinstance(ours, dict) and ours and isinstance(next(iter(ours.values())), np.ndarray):
            assert ours.keys() == theirs.keys()
            for name in ours:
                np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
        else:
            assert ours == theirs


@pytest.mark.parametrize("mode", usual(["defaults", "ema-sampled", "nt-asgd"], "nt-asgd"))
def test_ctrl_c_leaves_a_validation_at_once_and_it_is_made_when_training_resumes(words, tmp_path, monkeypatch, mode):
    options = {**SIZES, **MODES[mode], "quiet": True}
    points, pressed = 0, set()
    safe_point = Validator.safe_point

    def watched(self):
        nonlocal points
        points += 1
        if points in pressed:
            signal.raise_signal(signal.SIGINT)
        safe_point(self)

    monkeypatch.setattr(Validator, "safe_point", watched)
    whole = api.train_language_model(words, tmp_path / "whole", **options).run
    first, middle, last = 1, points // 2, points
    points, pressed = 0, {first, middle + 1, last + 2}  # every stop is a window read twice
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            api.train_language_model(words, tmp_path / "stopped", **options)
    again = api.train_language_model(words, tmp_path / "stopped", **options).run
    results = [content(whole), content(again)]
    for *_, lines in results:
        for line in lines:
            line.pop("saturated", None)  # of the last window, which is not stored
    check_same(*results)


def test_other_settings_and_another_number_of_processes_are_refused(words, tmp_path, monkeypatch):
    options = {**SIZES, "steps": 20, "quiet": True}
    left = [12]
    kill_at(monkeypatch, left, 5)
    with pytest.raises(Killed):
        api.train_language_model(words, tmp_path / "run", **options)
    with pytest.raises(InputError, match=r"was started with training\.batch_schedule = \[\], not \[\(0\.5, 8\)\]"):
        api.train_language_model(words, tmp_path / "run", **options, batch_schedule=[[0.5, 8]])
    run = Run.open(tmp_path / "run")
    arrays, values = run.load_state()
    run.save_state(arrays, {**values, "processes": 2})
    with pytest.raises(InputError, match="was trained by 2 processes, not 1"):
        api.train_language_model(words, tmp_path / "run", **options)
