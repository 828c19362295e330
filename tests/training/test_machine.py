"""What happens before the clock of a training starts: compiling and the choice of threads, which change nothing."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
import torch

from seqlab import api
from seqlab.base.files import load_tensors
from seqlab.text import Batch
from seqlab.training import Trainer
from seqlab.training.machine import threads as machine_threads
from seqlab.training.machine.threads import Threads, most_threads
from seqlab.training.machine.trial import Trial, candidates
from seqlab.training.train import train_language_model
from seqlab.training.watch.samples import SampleWriter

SIZES = {"embed_dim": 8, "hidden_dim": 8, "layers": 2, "batch_size": 4, "bptt": 8, "quiet": True}
REGULARISED = {"dropout": 0.3, "weight_drop": 0.2, "average": "ema", "activation_penalty": 1.0, "weight_decay": 0.1}
MODES = {
    "sampled": {"softmax": "sampled", "samples": 8, "steps": 30, **REGULARISED},
    "documents": {"reset_state": "documents", "steps": 20, "dropout": 0.1},
    "characters": {"input": "characters", "tie": False, "tokenizer": "word", "steps": 12, "dropout": 0.2},
}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("machine") / "text.txt"
    path.write_text("the cat sat on the mat and the dog lay on the rug while it rained\n" * 60)
    return path


class FakeTrial:
    """Steps whose times are given by number of threads."""

    def __init__(self, seconds):
        self.of = seconds

    def choose_threads(self, numbers):
        found = {threads: self.of[threads] for threads in numbers}
        torch.set_num_threads(min(found, key=found.get))
        return found


@pytest.fixture
def restored():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("mode", MODES)
def test_trial_steps_leave_no_trace(text, tmp_path, monkeypatch, mode):
    """With trial steps before and in the middle of training, every bit is as without any."""
    options = {**SIZES, **MODES[mode], "threads": 1}
    train_step = Trainer.train_step

    def with_trials(self):
        if self.position.step % 10 == 5:
            self.trial().take()
        train_step(self)

    monkeypatch.setattr(Trainer, "train_step", with_trials)
    api.train_language_model(text, tmp_path / "with", **options)
    monkeypatch.setattr(Trainer, "train_step", train_step)
    monkeypatch.setattr(Trainer, "warm_up", lambda self: Threads(self.trial, 1, 1))
    api.train_language_model(text, tmp_path / "without", **options)
    (found, _), (expected, _) = (
        load_tensors(tmp_path / name / "state/latest.safetensors") for name in ("with", "without")
    )
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert np.array_equal(found[name], array, equal_nan=True), name


def test_compiling_is_not_training_time(text, tmp_path, monkeypatch, capsys):
    def slow(self, score):
        time.sleep(3.0)
        return 3.0

    monkeypatch.setattr(Trial, "compile", slow)
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)
    lm = api.train_language_model(text, tmp_path / "run", **{**SIZES, "quiet": False}, steps=2)
    assert lm.summary["seconds"] < 3.0
    assert "compiled for this machine, once: 3 s" in capsys.readouterr().err


def test_the_fewest_threads_within_a_tenth_of_the_fastest_are_used(restored, monkeypatch):
    times = {1: 0.10, 2: 0.06, 4: 0.041, 6: 0.040}
    trial = Trial.__new__(Trial)
    trial.batch, trial.width = Batch(np.zeros((2, 8)), np.zeros((2, 8))), 4
    monkeypatch.setattr(Trial, "take", lambda self: 1.0)
    monkeypatch.setattr(Trial, "seconds", lambda self, threads: times[threads])
    assert trial.choose_threads(candidates(6)) == times
    assert torch.get_num_threads() == 4
    assert trial.width == 1, "a slow step is timed on a shorter window"


def test_candidates():
    assert [candidates(most) for most in (1, 2, 4, 6)] == [[1], [1, 2], [1, 2, 4], [1, 2, 4, 6]]


def test_threads_are_timed_again_when_steps_become_slow_and_when_that_may_be_over(restored, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(machine_threads.time, "monotonic", lambda: now[0])
    quiet, busy = {1: 0.10, 2: 0.06}, {1: 0.12, 2: 2.0}
    times = dict(quiet)
    threads = Threads(lambda: FakeTrial(times), 0, 2)
    assert threads.number == 2
    assert threads.sentence() == "2 threads (a step with 1: 100 ms, 2: 60 ms)"
    assert not any(threads.after_step(0.06, 100) for _ in range(50))
    times.update(busy)
    changed = [threads.after_step(2.0, 100) for _ in range(5)]
    assert changed == [False] * 4 + [True]
    assert threads.number == 1
    assert not any(threads.after_step(0.12, 100) for _ in range(50))
    times.update(quiet)
    now[0] = 121.0
    assert threads.after_step(0.12, 100)
    assert threads.number == 2
    assert not any(threads.after_step(seconds, 100) for seconds in [*[0.06] * 30, 9.0, *[0.06] * 30]), "one slow step"


def test_a_longer_window_is_not_a_slow_step(restored):
    threads = Threads(lambda: pytest.fail("timed"), 2, 2)
    assert not any(threads.after_step(0.01 * width, width) for width in [4] * 30 + [400] * 30)


def test_the_number_of_threads_is_saved_and_kept(text, tmp_path, monkeypatch):
    options = {**SIZES, "steps": 30}
    monkeypatch.setattr("seqlab.training.loop.most_threads", lambda threads: 1 if threads else 2)
    monkeypatch.setattr(Trial, "choose_threads", lambda self, numbers: torch.set_num_threads(2) or {1: 2.0, 2: 1.0})
    real = Trainer.look_at_the_clock
    monkeypatch.setattr(Trainer, "look_at_the_clock", lambda self, *args: (True, self.position.step == 10))
    with pytest.raises(KeyboardInterrupt):
        api.train_language_model(text, tmp_path / "run", **options)
    monkeypatch.setattr(Trainer, "look_at_the_clock", real)
    monkeypatch.setattr(Trial, "choose_threads", lambda self, numbers: pytest.fail("its number is saved"))
    lm = api.train_language_model(text, tmp_path / "run", **options)
    saved = lm.run.load_state()
    assert saved is not None
    assert (saved[1]["threads"], saved[1]["position"]["threads"]) == (2, 2)


def test_a_number_that_was_named_is_not_questioned(monkeypatch):
    monkeypatch.setattr(machine_threads, "available_cores", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert (most_threads(3), most_threads(0)) == (1, 4)


def test_samples_are_shown_while_training_and_leave_no_trace(text, tmp_path, monkeypatch, capsys):
    after_step = SampleWriter.after_step
    monkeypatch.setattr(SampleWriter, "after_step", lambda self, _, step: after_step(self, 6.0 * step, step))
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)
    model = {"embed_dim": 8, "hidden_dim": 8, "layers": 1, "dropout": 0.3, "softmax": "sampled", "samples": 8}
    given = {"training": {"steps": 25, "batch_size": 4, "bptt": 8, "threads": 1}, "model": model}
    train_language_model(text, tmp_path / "with", given=given, sample_every=1.0)
    shown = capsys.readouterr().err
    assert [int(step) for step in re.findall(r"a sample at step (\d+):", shown)] == [10, 20]
    train_language_model(text, tmp_path / "without", given=given)
    assert "a sample" not in capsys.readouterr().err
    found, expected = (load_tensors(tmp_path / name / "state/latest.safetensors")[0] for name in ("with", "without"))
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
