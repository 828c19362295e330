"""Two processes under torchrun train as one process does on the joint batch, and resume exactly."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from programs import GROUP, Program

from seqlab import api
from seqlab.base.errors import InputError
from seqlab.base.files import load_tensors
from seqlab.config import TrainingConfig
from seqlab.run import Run
from seqlab.training import World, check_batches

OPTIONS = {
    "embed_dim": 10,
    "hidden_dim": 10,
    "layers": 1,
    "batch_size": 4,
    "bptt": 8,
    "steps": 30,
    "softmax": "sampled",
    "samples": 8,
    "average": "ema",
    "l2": 1e-4,
    "activation_penalty": 2.0,
    "temporal_penalty": 1.0,
    "precision": "float32",
    "dropout": 0.0,
    "batch_schedule": [[0.5, 8]],
    "quiet": True,
}
STORY = """
from seqlab import api
from seqlab.text import Corpus
from seqlab.training import Trainer

corpus, out, options = {corpus!r}, {out!r}, {options!r}
api.train_language_model(Corpus.open(corpus), out + "/two", **options)
api.train_language_model(Corpus.open(corpus), out + "/dropout", **{{**options, "dropout": 0.3}})

step, clock = Trainer.train_step, Trainer.look_at_the_clock

class Killed(Exception):
    pass

def dies(self):
    if self.position.step == 22:
        raise Killed
    step(self)

def saves(self, last_save, interrupted):
    clock(self, last_save, interrupted)
    return self.position.step % 10 == 0, False

Trainer.train_step, Trainer.look_at_the_clock = dies, saves
try:
    api.train_language_model(Corpus.open(corpus), out + "/killed", **{{**options, "dropout": 0.3}})
except Killed:
    pass
Trainer.train_step, Trainer.look_at_the_clock = step, clock
api.train_language_model(Corpus.open(corpus), out + "/killed", **{{**options, "dropout": 0.3}})
"""
"""What each process does before it runs a command."""
COMMAND = "--hidden-dim 8 --embed-dim 8 --layers 1 --batch-size 4 --bptt 8 --steps 5 --quiet".split()
THEN = "import sys; from seqlab_cli.main import run; sys.exit(run(sys.argv[1:]))"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distributed")
    lines = [f"the noun{i % 17} verb{i % 7} a noun{i % 13} ." for i in range(500)]
    (folder / "text.txt").write_text("\n".join(lines) + "\n")
    return api.prepare(folder / "text.txt", folder / "corpus", tokenizer="whitespace")


def launched(*command):
    """What came of two processes under torchrun."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([*launch, *command], capture_output=True, text=True, env=environment, timeout=300)


def copied(story, words, monkeypatch):
    """What came of two copies of a warm process that are told what torchrun would tell them; the first one's output."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    programs = []
    for rank in ("0", "1"):
        for name, value in {**place, "RANK": rank, "LOCAL_RANK": rank}.items():
            monkeypatch.setenv(name, value)
        programs.append(Program(words, story))
    for name in (*place, "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name)
    first, second = (program.done() for program in programs)
    assert second.returncode == 0, second.stderr
    assert second.stdout == ""
    return first


@pytest.mark.xdist_group(GROUP)
@pytest.mark.parametrize("start", ["copies", pytest.param("torchrun", marks=pytest.mark.slow)])
def test_two_processes_equal_one_on_the_joint_batch_and_resume_exactly(start, corpus, tmp_path, monkeypatch):
    story = STORY.format(corpus=str(corpus.path), out=str(tmp_path), options=OPTIONS)
    words = ["train", "lm", str(corpus.path), "-o", str(tmp_path / "cli"), *COMMAND]
    if start == "copies":
        done = copied(story, words, monkeypatch)
    else:
        script = tmp_path / "story.py"
        script.write_text(story + THEN)
        done = launched(str(script), *words)
    assert done.returncode == 0, done.stderr
    assert "UserWarning" not in done.stderr
    summary = json.loads(done.stdout)  # one process alone reports
    assert summary["steps"] == 5
    api.train_language_model(corpus, tmp_path / "one", **OPTIONS)
    one, two = Run.open(tmp_path / "one"), Run.open(tmp_path / "two")
    for ours, theirs in zip(one.metrics(), two.metrics(), strict=True):
        assert ours.keys() == theirs.keys()
        for key in ours.keys() - {"seconds", "tokens_per_second", "saturated"}:
            assert ours[key] == pytest.approx(theirs[key], rel=1e-3), key
    weights = [load_tensors(run.path / "model.safetensors")[0] for run in (one, two)]
    for name in weights[0]:
        np.testing.assert_allclose(weights[0][name], weights[1][name], atol=2e-4, err_msg=name)
    whole, killed = Run.open(tmp_path / "dropout"), Run.open(tmp_path / "killed")
    for ours, theirs in (
        (whole.load_state()[0], killed.load_state()[0]),
        *[[load_tensors(run.path / "model.safetensors")[0] for run in (whole, killed)]],
    ):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    assert {"rng.torch.0", "rng.torch.1"} <= whole.load_state()[0].keys()
    finished = (two.path / "model.safetensors").read_bytes()
    again = api.train_language_model(corpus, two.path, **OPTIONS)  # one process may look at what two have finished
    assert again.summary["steps"] == OPTIONS["steps"]
    assert (two.path / "model.safetensors").read_bytes() == finished


@pytest.mark.parametrize(
    ("settings", "processes", "sentence"),
    [
        ({"batch_size": 3}, 2, r"training\.batch_size: a batch of 3 streams cannot be shared by 2 processes"),
        ({"batch_schedule": [[0.0, 1], [0.5, 4]]}, 2, r"training\.batch_schedule: a batch of 1 streams cannot be"),
        ({"batch_size": 5, "batch_schedule": [[0.5, 10]]}, 2, r"training\.batch_size: a batch of 5 streams"),
        (
            {"batch_size": 4, "accumulate": 4},
            2,
            r"accumulate = 4 does not divide a batch of 4 streams over 2",
        ),
        (
            {"batch_schedule": [[0.0, 2], [0.5, 8]], "accumulate": 2},
            2,
            r"= 2 does not divide a batch of 2 streams over 2",
        ),
    ],
)
def test_a_batch_that_processes_cannot_share_is_refused_naming_the_setting(settings, processes, sentence):
    training = TrainingConfig.build(settings)
    with pytest.raises(InputError, match=sentence):
        check_batches(training, processes)


def test_batches_that_can_be_shared_are_not_refused():
    check_batches(TrainingConfig(batch_size=8, accumulate=4), 2)
    check_batches(TrainingConfig(batch_size=5, batch_schedule=[(0.0, 4), (0.5, 8)], accumulate=2), 2, tokens=8)


REFUSED = """
import os, sys
from seqlab.base.errors import InputError
from seqlab.training import Trainer
from seqlab_cli.main import run

def fails(self):
    if self.world.rank == 1:
        raise InputError("no wish to go on.")
    return fit(self)

fit, (corpus, out) = Trainer.fit, sys.argv[1:3]
sizes = "--embed-dim 8 --hidden-dim 8 --layers 1 --batch-size 4 --bptt 8 --steps 5 --quiet".split()
train = ["train", "lm", corpus, *sizes, "-o"]
assert run([*train, out + "/refused", "--set", "accumulate=4"]) in (1, 2)
Trainer.fit = fails
assert run([*train, out + "/failed"]) in (1, 2)
Trainer.fit = fit
assert run([*train, out + "/run"]) == 0
"""


@pytest.mark.slow
def test_what_one_process_refuses_all_do_and_the_next_training_goes_well(corpus, tmp_path):
    script = tmp_path / "refused.py"
    script.write_text(REFUSED)
    done = launched(str(script), str(corpus.path), str(tmp_path))
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("seqlab: ")]
    sentences = [
        "seqlab: another process of this training has stopped; its own message says why.",
        "seqlab: another process of this training has stopped; its own message says why.",
        "seqlab: no wish to go on.",
        "seqlab: training.accumulate = 4 does not divide a batch of 4 streams over 2 processes evenly.",
    ]
    assert sorted(told) == sentences, done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["steps"] == 5
    assert not (tmp_path / "refused").exists()


def test_streams_that_cannot_be_dealt_out_evenly_are_refused():
    assert World(1, 2).rows(6) == slice(3, 6)
    with pytest.raises(InputError, match="a batch of 5 streams cannot be shared by 2 processes"):
        World(0, 2).rows(5)
