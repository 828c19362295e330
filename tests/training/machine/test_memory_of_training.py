"""What a training is said to need, against what it takes, and sizes that are refused before anything is allocated."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from seqlab.base.errors import InputError
from seqlab.config import LanguageModelConfig
from seqlab.nn import CELLS, SOFTMAXES
from seqlab.text import prepare
from seqlab.training.machine.memory import PASSING, check_fits
from seqlab.training.planning import plan

MEASURE = """
import json, os, sys
from seqlab.base.devices import without_weights
from seqlab.config import LanguageModelConfig
from seqlab.models import LanguageModel
from seqlab.training.machine.memory import needed_bytes
from seqlab.training.train import train_language_model

def kilobytes(name):
    return int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1])

from seqlab.text import Corpus
corpus, kinds = Corpus.open(sys.argv[1]), json.loads(sys.argv[2])
budget = {"steps": 2, "evaluations": 1, "threads": 1}
while kinds and os.fork():  # each in a process of its own, whose parent has only imported
    code = os.waitstatus_to_exitcode(os.wait()[1])
    kinds = kinds[1:] if code == 0 else sys.exit(code)
if not kinds:
    sys.exit()
settings = kinds[0]
tiny = {"model": {**settings["model"], "hidden_dim": 8, "embed_dim": 8}, "training": {**budget, "batch_size": 4}}
train_language_model(corpus, quiet=True, given=tiny)  # compiles what is compiled once
config = LanguageModelConfig.build({"model": settings["model"], "training": {**budget, **settings["training"]}})
with without_weights():
    model = LanguageModel(config.model, len(corpus.tokenizer.vocab))
before = kilobytes("VmRSS")
open("/proc/self/clear_refs", "w").write("5")  # the peak from here on
train_language_model(corpus, quiet=True, given=config.model_dump())
estimate = needed_bytes(model, config.training)
print(json.dumps([1024 * (kilobytes("VmHWM") - before), estimate]), flush=True)
"""
KINDS = {
    "weights": {
        "model": {"hidden_dim": 720, "embed_dim": 720, "layers": 2},
        "training": {"batch_size": 8, "bptt": 16},
    },
    "windows": {
        "model": {"hidden_dim": 200, "layers": 2, "dropout": 0.2},
        "training": {"batch_size": 64, "bptt": 300},
    },
    "both": {
        "model": {"cell": "gru", "hidden_dim": 560, "embed_dim": 560, "tie": False},
        "training": {"batch_size": 32, "bptt": 80, "average": "ema"},
    },
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    words = [f"word{number * number % 1009}" for number in range(60_000)]
    lines = [" ".join(words[start : start + 12]) for start in range(0, len(words), 12)]
    (folder / "text.txt").write_text("\n".join(lines), "utf-8")
    text = {"tokenizer": "whitespace", "min_count": 1, "lines": "no", "valid_fraction": 0.02}
    config = LanguageModelConfig.build({"text": text}).text
    return prepare(folder / "text.txt", folder / "corpus", config, quiet=True)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak on demand")
@pytest.mark.parametrize(
    "name", [pytest.param("weights", marks=pytest.mark.slow), pytest.param("windows", marks=pytest.mark.slow), "both"]
)
def test_an_estimate_lies_between_the_peak_and_twice_that(name, corpus):
    compare_with_peak(*measured([KINDS[name]], corpus)[0])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak on demand")
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_keeps_what_it_says(cell, corpus):
    model = {"cell": cell, "hidden_dim": 384, "embed_dim": 384, "layers": 2, "tie": False}
    settings = {"model": model, "training": {"batch_size": 128, "bptt": 300}}
    compare_with_peak(*measured([settings], corpus)[0])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak on demand")
@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_every_output_layer_keeps_what_it_says(softmax, corpus):
    model = {"softmax": softmax, "hidden_dim": 384, "embed_dim": 384, "layers": 1, "tie": False}
    settings = {"model": model, "training": {"batch_size": 128, "bptt": 300}}
    compare_with_peak(*measured([settings], corpus)[0])


def measured(kinds, corpus):
    """The peak and the estimate of trainings with such settings, each in a process of its own."""
    for settings in kinds:
        settings["model"]["counts"] = False
    arguments = [sys.executable, "-c", MEASURE, str(corpus.path), json.dumps(kinds)]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


def compare_with_peak(peak, estimate):
    """What was estimated is no less than the peak, and not much more."""
    assert peak > 2e8, "too small to tell from what compiling takes"
    assert peak <= estimate, (peak, estimate)
    assert estimate - PASSING <= 2 * peak, (peak, estimate)  # what compiling takes was taken by the tiny model


def config_of(**values) -> LanguageModelConfig:
    return LanguageModelConfig().updated(LanguageModelConfig.qualified({"device": "cpu", "steps": 1, **values}))


@pytest.mark.parametrize(
    ("values", "types", "named"),
    [
        ({"hidden_dim": 65_000, "layers": 100}, 1000, "hidden_dim"),
        ({"embed_dim": 60_000}, 10**7, "vocab_size"),
        ({"batch_size": 10**6, "bptt": 10**4}, 1000, "batch_size"),
        ({"bptt": 10**6, "batch_size": 1024}, 1000, "bptt"),
        ({"softmax": "sampled", "samples": 150_000, "batch_size": 4096}, 200_000, "batch_size"),
        ({"softmax": "mixture", "mixture": 1000, "embed_dim": 4096, "hidden_dim": 4096}, 1000, "hidden_dim"),
        ({"batch_schedule": [[0.0, 1], [0.5, 10**6]], "bptt": 10**4}, 1000, "batch_size"),
    ],
)
def test_what_cannot_fit_is_refused_with_what_to_lower(values, types, named):
    with pytest.raises(InputError, match=rf"would need about [\d,.]+ [TG]B of memory, of which .* are left; .*{named}"):
        check_fits(config_of(**values), types)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_ordinary_sizes_fit_ordinary_machines(cell, softmax, monkeypatch):
    monkeypatch.setattr("seqlab.base.resources.memory.free_memory", lambda: 2 * 10**9)
    check_fits(config_of(cell=cell, softmax=softmax, hidden_dim=512, batch_size=32, bptt=64), 30_000)


def test_chunks_and_processes_share_a_window(monkeypatch):
    monkeypatch.setattr("seqlab.base.resources.memory.free_memory", lambda: 10**9)
    large = config_of(batch_size=512, bptt=512)
    with pytest.raises(InputError, match="raise accumulate"):
        check_fits(large, 1000)
    check_fits(large, 1000, processes=16)
    check_fits(large.updated({"training.accumulate": 32}), 1000)


def test_nothing_is_built_or_timed_before_memory_is_looked_at(corpus, monkeypatch):
    monkeypatch.setattr("seqlab.base.resources.memory.free_memory", lambda: 10**7)
    monkeypatch.setattr("seqlab.training.planning.tokens_per_second", lambda *_: pytest.fail("steps were timed"))
    for given in ({}, {"training": {"steps": 5}}):
        with pytest.raises(InputError, match=r"would need about .* of which 10 MB are left"):
            plan(corpus, quiet=True, given=given)
