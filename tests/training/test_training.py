"""Training: optimisers against torch, clipping, exact evaluation, budgets, exact resume."""

from __future__ import annotations

import gc
import json
import math
import random
import signal

import numpy as np
import pytest
import torch
from programs import GROUP, Done, run_program

from seqlab import api
from seqlab.base.errors import InputError, SeqlabError
from seqlab.base.files import load_tensors
from seqlab.config import LanguageModelConfig, ModelConfig
from seqlab.embeddings import WordVectors
from seqlab.models import LanguageModel
from seqlab.run import Run
from seqlab.training import describe, start_from_vectors, suggest
from seqlab.training.machine.rate import tokens_per_second
from seqlab.training.planning import Layer, plan, resolve
from seqlab.training.presets import CorpusFacts
from seqlab.training.watch.baselines import validation_sentence

TINY = {"embed_dim": 12, "hidden_dim": 12, "layers": 1, "batch_size": 4, "bptt": 16}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A small language: sentences over a few dozen words, with structure to learn."""
    generator = random.Random(0)
    nouns, verbs = [f"noun{i}" for i in range(30)], [f"verb{i}" for i in range(12)]
    sentences = [
        f"the {generator.choice(nouns)} {generator.choice(verbs)} a {generator.choice(nouns)} ." for _ in range(1500)
    ]
    path = tmp_path_factory.mktemp("text") / "tiny.txt"
    path.write_text("\n".join(sentences) + "\n")
    return path


@pytest.fixture(scope="module")
def words(text, tmp_path_factory):
    return api.prepare(text, tmp_path_factory.mktemp("corpus") / "words", tokenizer="whitespace")


def test_training_learns_and_the_summary_is_exact(words, tmp_path):
    lm = api.train_language_model(words, tmp_path / "run", quiet=True, epochs=3, lr=0.01, **TINY)
    valid = lm.summary["valid"]
    counts = np.maximum(words.tokenizer.vocab.counts, 0.5)
    unigram = -np.log(counts / counts.sum())[words.valid[:]].mean()
    found = lm.summary["baselines"]
    assert found["unigram"] == pytest.approx(math.exp(unigram))
    assert 1 < found["kneser_ney"] < found["unigram"] < found["uniform"] == len(words.tokenizer.vocab)
    assert valid["nats_per_token"] < unigram - 0.8
    assert valid["tokens"] == len(words.valid)
    assert valid["perplexity"] == pytest.approx(math.exp(valid["nats_per_token"]))
    nats = valid["nats_per_token"] * valid["tokens"]
    assert valid["bits_per_char"] == pytest.approx(nats / words.valid.characters / math.log(2))
    assert valid["nats_per_token"] == pytest.approx(
        min(m["valid_loss"] for m in lm.run.metrics() if "valid_loss" in m), abs=0.02
    )
    reopened = api.load_language_model(tmp_path / "run")
    assert reopened.log_prob("the noun1 verb1 a noun2 .") == pytest.approx(lm.log_prob("the noun1 verb1 a noun2 ."))
    assert reopened.log_prob("the noun1 verb1 a noun2 .") > reopened.log_prob("a . verb1 the noun1 noun2")


@pytest.mark.parametrize("limit", [{"epochs": 0.5}, {"steps": 13}, {"minutes": 0.02}])
def test_budgets_are_kept(words, tmp_path, limit):
    lm = api.train_language_model(words, tmp_path / "run", quiet=True, lr=4e-3, **limit, **TINY)
    windows = -(-len(words.train) // TINY["batch_size"] // TINY["bptt"])
    if "steps" in limit:
        assert lm.summary["steps"] == 13
    elif "epochs" in limit:
        assert lm.summary["steps"] == pytest.approx(windows / 2, abs=1.5)
    else:
        assert lm.summary["seconds"] >= 1.2
    last = lm.run.metrics()[-1]
    assert last["step"] == lm.summary["steps"]
    assert last["lr"] == pytest.approx(4e-3 * 0.02, rel=0.1)


def command(source, out, *more):
    flags = "--epochs 2 --embed-dim 12 --hidden-dim 12 --layers 2 --dropout 0.2 --batch-size 4 --bptt 8".split()
    return [
        "train",
        "lm",
        str(source),
        "-o",
        str(out),
        *flags,
        *more,
    ]


KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows ends a process for any signal
DYING = """
import os, signal
kill = getattr(signal, "SIGKILL", signal.SIGTERM)
from seqlab.run import Run
from seqlab.training import loop

moment, left = {moment!r}, {number}
plain_replace, plain_log = os.replace, Run.log

def now():
    global left
    left -= 1
    return left == 0

def replace(source, target):
    if moment == "saving" and os.path.basename(target) == "latest.safetensors" and now():
        os.kill(os.getpid(), kill)
    plain_replace(source, target)

def log(self, line):
    plain_log(self, line)
    if moment != "saving" and now():
        signal.raise_signal(signal.SIGINT) if moment == "interrupt" else os.kill(os.getpid(), kill)

os.replace, Run.log = replace, log
loop.SAVE_EVERY = 1000 if moment == "interrupt" else 0
"""
"""What makes a program be killed, or get Ctrl-C, at the n-th save or line of metrics, on any machine."""


def dying(moment: str, number: int, words: list[str]) -> Done:
    return run_program(words, DYING.format(moment=moment, number=number))


@pytest.mark.xdist_group(GROUP)
def test_a_killed_process_resumes_to_bit_identical_weights(words, tmp_path):
    """The real thing once: SIGKILL between two steps and while saving; test_resume.py goes through the modes."""
    more = ("--softmax", "sampled", "--samples", "16")
    more = (*more, "--tokenizer", "whitespace", "--quiet", "--epochs", "0.5")
    whole = run_program(command(words.path, tmp_path / "whole", *more))
    assert whole.returncode == 0, whole.stderr
    for moment, number in (("saving", 40), ("logging", 12)):
        killed = dying(moment, number, command(words.path, tmp_path / "killed", *more))
        assert abs(killed.returncode) == KILL, killed.stderr
    done = run_program(command(words.path, tmp_path / "killed", *more))
    assert done.returncode == 0, done.stderr
    whole, _ = load_tensors(tmp_path / "whole" / "model.safetensors")
    again, _ = load_tensors(tmp_path / "killed" / "model.safetensors")
    assert whole.keys() == again.keys()
    for name in whole:
        np.testing.assert_array_equal(whole[name], again[name], err_msg=name)
    runs = [Run.open(tmp_path / name) for name in ("whole", "killed")]
    losses = [[m["valid_loss"] for m in run.metrics() if "valid_loss" in m] for run in runs]
    assert losses[0] == losses[1]
    assert json.loads(done.stdout.splitlines()[-1])["steps"] == runs[0].metrics()[-1]["step"]


@pytest.mark.xdist_group(GROUP)
def test_interrupt_saves_and_exits_130(words, tmp_path):
    stopped = dying("interrupt", 2, command(words.path, tmp_path / "run"))
    assert stopped.returncode == 130, stopped.stderr
    assert stopped.stderr.splitlines()[-1].startswith("seqlab: interrupted")
    _, values = Run.open(tmp_path / "run").load_state()
    assert values["position"]["step"] > 0
    assert not values["position"]["finished"]


def test_a_changed_text_or_setting_is_refused_naming_it(words, text, tmp_path):
    api.train_language_model(words, tmp_path / "run", quiet=True, steps=3, lr=0.01, **TINY)
    with pytest.raises(InputError, match=r"was started with training\.lr = 0\.01, not 0\.1"):
        api.train_language_model(words, tmp_path / "run", quiet=True, steps=3, lr=0.1, **TINY)
    other = tmp_path / "other.txt"
    other.write_text(text.read_text()[:20000])
    with pytest.raises(InputError, match="another text"):
        api.train_language_model(other, tmp_path / "run", quiet=True, steps=3, tokenizer="whitespace", **TINY)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not a language-model run"):
        api.train_language_model(words, tmp_path / "full", quiet=True, steps=3, **TINY)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine"


def test_a_diverging_loss_stops_with_advice_and_is_not_saved(words, tmp_path):
    with pytest.raises(SeqlabError, match=r"diverged.*Lower training\.lr"):
        api.train_language_model(
            words,
            tmp_path / "run",
            quiet=True,
            steps=200,
            cell="rnn-relu",
            optimizer="sgd",
            lr=1e8,
            clip=0,
            warmup=0.0,
            **TINY,
        )
    run = Run.open(tmp_path / "run")
    saved = run.load_state()
    assert saved is None or all(np.isfinite(a).all() for a in saved[0].values() if a.dtype == np.float32)


def test_plateau_lowers_the_rate_and_patience_stops_early(words, tmp_path):
    lm = api.train_language_model(
        words,
        tmp_path / "run",
        quiet=True,
        steps=4000,
        evaluations=100,
        schedule="plateau",
        plateau_factor=0.5,
        optimizer="sgd",
        lr=1e-9,
        warmup=0.0,
        weight_decay=0.5,
        patience=3,
        **TINY,
    )
    assert lm.summary["steps"] < 4000
    metrics = [m for m in lm.run.metrics() if "valid_loss" in m]
    assert metrics[-1]["lr"] <= 1e-9 * 0.5**3 * 1.001


def test_plateau_lowers_the_rate_whenever_a_validation_is_no_new_best(words, tmp_path):
    options = {"steps": 90, "evaluations": 30, "optimizer": "sgd", "lr": 30.0, "warmup": 0.0}
    plateau = {"schedule": "plateau", "plateau_factor": 0.9}
    lm = api.train_language_model(words, tmp_path / "run", quiet=True, **options, **plateau, **TINY)
    best, bad, worst, rate = math.inf, 0, 0, 30.0
    for line in (line for line in lm.run.metrics() if "valid_loss" in line):
        best, bad = min(best, line["valid_loss"]), 0 if line["valid_loss"] < best else bad + 1
        if bad:
            rate *= 0.9
        assert line["lr"] == pytest.approx(rate)
        worst = max(worst, bad)
    assert worst >= 3


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "manifest.json"])
def test_a_damaged_run_is_refused_naming_the_file(words, tmp_path, name):
    api.train_language_model(words, tmp_path / "run", quiet=True, steps=2, **TINY)
    path = tmp_path / "run" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="run"):
        api.load_language_model(tmp_path / "run")
    path.unlink()
    with pytest.raises(InputError, match="run"):
        api.load_language_model(tmp_path / "run")


@pytest.mark.parametrize("width", [5, 10, 16])
def test_vectors_start_the_embedding(words, width):
    vocab = words.tokenizer.vocab
    known = [word for word in vocab.itos if word.startswith("noun")]
    matrix = np.random.default_rng(0).standard_normal((len(known), 10)).astype(np.float32)
    torch.manual_seed(0)
    model = LanguageModel(ModelConfig(embed_dim=width, hidden_dim=8), len(vocab))
    coverage = start_from_vectors(model, words.tokenizer, WordVectors(known, matrix), freeze=True, seed=1)
    assert coverage.known_types == len(known)
    assert coverage.token_share == pytest.approx(
        sum(vocab.counts[vocab.stoi[word]] for word in known) / vocab.counts.sum()
    )
    assert not model.embedding.requires_grad
    rows = model.embedding.detach().numpy()[[vocab.stoi[word] for word in known]]
    if width >= 10:
        centred = matrix - matrix.mean(0)
        expected = centred @ centred.T
        np.testing.assert_allclose(
            rows @ rows.T / (rows @ rows.T)[0, 0], expected / expected[0, 0], rtol=1e-3, atol=1e-3
        )
    assert np.linalg.norm(rows, axis=1).mean() == pytest.approx(1, rel=1e-4)
    assert np.isfinite(model.embedding.detach().numpy()).all()


def test_frozen_vectors_stay_and_unknown_vectors_are_refused(words, tmp_path):
    known = [word for word in words.tokenizer.vocab.itos if word.startswith(("noun", "verb"))]
    matrix = np.random.default_rng(0).standard_normal((len(known), 12)).astype(np.float32)
    WordVectors(known, matrix).save(tmp_path / "vectors")
    options = {"embeddings": str(tmp_path / "vectors"), "freeze_embeddings": True, "steps": 20}
    options |= {name: value for name, value in TINY.items() if name != "embed_dim"}
    for softmax in ("full", "sampled"):
        lm = api.train_language_model(words, tmp_path / softmax, quiet=True, softmax=softmax, samples=16, **options)
        fresh = LanguageModel(lm.model.config, lm.model.vocab_size)
        start_from_vectors(fresh, words.tokenizer, WordVectors(known, matrix), True, 1)
        torch.testing.assert_close(lm.model.embedding, fresh.embedding, check_stride=False)
        assert lm.run.config.model.embed_dim == 12
    WordVectors(["zzz"], matrix[:1]).save(tmp_path / "other")
    with pytest.raises(InputError, match="none of the .* types of the text has a vector"):
        api.train_language_model(
            words, tmp_path / "x", quiet=True, **{**options, "embeddings": str(tmp_path / "other")}
        )


def test_defaults_fit_the_text(words, text, tmp_path):
    name, settings, fitted, by_passes, _ = suggest(CorpusFacts.of(words), lambda settings: 1e6)
    config = LanguageModelConfig().updated(settings).updated(fitted).updated(by_passes)
    assert config.training.minutes
    assert len(words.train) // (config.training.batch_size * config.training.bptt) >= 1
    assert f"{len(words.train):,} training tokens" in describe(name, config, words)
    tiny = tmp_path / "few.txt"
    tiny.write_text("to be or not to be, that is the question\n" * 2)
    lm = api.train_language_model(tiny, tmp_path / "run", quiet=True, minutes=0.02)
    assert lm.summary["steps"] > 0
    assert lm.generate("to", length=5, seed=1)


@pytest.mark.parametrize(
    ("budget", "said"),
    [({"minutes": 0.2083333}, ", 12 seconds"), ({"minutes": 1.0}, ", 1 minute"), ({"steps": 1500}, ", 1,500 steps")],
)
def test_a_budget_is_said_in_a_unit_that_suits_it(words, budget, said):
    config = LanguageModelConfig().updated(LanguageModelConfig.qualified({"epochs": None, **budget}))
    assert describe(None, config, words).endswith(said)


@pytest.mark.parametrize(
    ("decay", "said"), [(0.045, "dropout 0.2, weight decay 0.045, 5 steps"), (0.0, "dropout 0.2, 5 steps")]
)
def test_the_plan_names_the_weight_decay_that_was_chosen(words, decay, said):
    options = {"epochs": None, "steps": 5, "dropout": 0.2, "weight_decay": decay}
    config = LanguageModelConfig().updated(LanguageModelConfig.qualified(options))
    assert describe(None, config, words).endswith(said)


def test_what_is_given_decides_what_can_be_reached(words):
    def planned(**training):
        rate = {"hidden": []}

        def timed(config):
            rate["hidden"].append(config.model.hidden_dim)
            return 1e4

        found = resolve({"training": training, "model": {"hidden_dim": 96}}, facts=CorpusFacts.of(words), rate=timed)
        return found, rate["hidden"]

    found, timed = planned(epochs=3.0)
    assert (found.passes, timed) == (3.0, [])
    found, timed = planned(minutes=1.0)
    assert found.passes == pytest.approx(6e5 / len(words.train))
    assert set(timed) == {96}
    assert found.config.model.hidden_dim == 96
    assert found.sources["model.hidden_dim"] == "given"
    assert found.sources["model.dropout"] == "passes"


def test_the_rate_of_this_machine_is_timed_without_a_trace(words):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    config = LanguageModelConfig().updated({"training.bptt": 16, "model.hidden_dim": 32})
    rate = tokens_per_second(config, words.tokenizer.vocab)
    assert 1e2 < rate < 1e8
    assert (torch.equal(torch.get_rng_state(), state), torch.get_num_threads()) == (True, threads)


def test_a_preset_is_overridden_by_what_is_given(words):
    planned = plan(words, None, None, True, "example-2x200", {"training": {"lr": 1.5, "steps": 7}})
    config, sentence = planned.config, planned.sentence
    assert (config.training.optimizer, config.training.lr, config.model.tie) == ("sgd", 1.5, False)
    assert (config.training.steps, config.training.epochs) == (7, None)
    assert "preset example-2x200" in sentence
    with pytest.raises(InputError, match="preset: 'cahr' is not one of .* Did you mean 'char'"):
        plan(words, None, None, True, "cahr", {})


def test_two_budgets_and_wrong_names_are_refused_before_the_text_is_read(tmp_path):
    with pytest.raises(InputError, match="epochs and minutes both limit training"):
        api.train_language_model(tmp_path / "missing.txt", epochs=1, minutes=1)
    with pytest.raises(InputError, match=r"training\.optimizer: 'adma' is not one of"):
        api.train_language_model(tmp_path / "missing.txt", optimizer="adma")


def test_a_model_worse_than_word_frequencies_is_told_so():
    valid = {"nats_per_token": 7.0, "perplexity": math.exp(7.0), "bits_per_char": 3.0}
    found = {"uniform": 9000.0, "unigram": 500.0, "kneser_ney": 200.0, "order": 5}
    sentence = validation_sentence(valid, found)
    assert "(counts of 5 tokens alone: 200, token frequencies: 500)" in sentence
    assert "worse than token frequencies alone" in sentence
    together = validation_sentence({**valid, "network": {"perplexity": 300.0}, "perplexity": 150.0}, found)
    assert "150 (network alone: 300, counts of 5 tokens alone: 200, token frequencies: 500)" in together
    sampled = validation_sentence({**valid, "sample_of": 9000, "tokens": 2000, "interval": [990.0, 1200.0]}, found)
    assert "perplexity 1,097 ± 105 (" in sampled
    assert "all 9,000 validation tokens, of which 2,000 were read" in sampled
    better = validation_sentence({**valid, "perplexity": 100.0}, {"uniform": 9000.0, "unigram": 500.0})
    assert "worse" not in better
    assert "counts of" not in better


def test_a_refused_setting_leaves_no_run_behind(words, tmp_path):
    known = words.tokenizer.vocab.itos[0]
    WordVectors(["zzz"], np.ones((1, 12), np.float32)).save(tmp_path / "foreign")
    WordVectors([known], np.ones((1, 12), np.float32)).save(tmp_path / "vectors")
    options = {**TINY, "steps": 1, "quiet": True}
    api.train_language_model(words, tmp_path / "mixture", **options, softmax="mixture", mixture=2)
    out = tmp_path / "run"
    for settings, sentence in (
        ({"softmax": "adaptive", "cutoffs": [9, 5]}, "cutoffs"),
        ({"batch_size": 10**6}, r"training\.batch_size: the training text has only .* for 1,000,000 streams"),
        ({"batch_schedule": [[0.5, 4 * 10**6]]}, r"training\.batch_schedule: the training text has only"),
        ({"embeddings": str(tmp_path / "foreign")}, "types of the text has a vector"),
        ({"init": str(tmp_path / "mixture"), "mixture": 3}, "does not fit the model|what starts .* cannot have 3"),
    ):
        with pytest.raises(InputError, match=sentence):
            api.train_language_model(words, out, **{**options, **settings})
        assert not out.exists(), sentence
    api.train_language_model(words, out, **options, embeddings=str(tmp_path / "vectors"))  # the corrected command
    with pytest.raises(InputError, match=r"was started with training\.batch_size = 4, not 8"):
        api.train_language_model(words, out, **{**options, "batch_size": 8}, embeddings=str(tmp_path / "vectors"))


def test_what_starts_from_a_run_reads_text_as_it_does(text, tmp_path):
    """Upper-case words are those of the run when it lower-cases its text; what is given wins."""
    shouted = tmp_path / "shouted.txt"
    shouted.write_text(text.read_text()[:9000].upper())
    options = {"steps": 1, "quiet": True}
    first = api.train_language_model(text, tmp_path / "first", **TINY, **options, tokenizer="word", lowercase=True)
    init = str(first.run.path)
    second = api.train_language_model(shouted, tmp_path / "second", **options, init=init)
    assert (second.run.config.text.tokenizer, second.run.config.text.lowercase) == ("word", True)
    assert set(second.tokenizer.vocab.itos) <= set(first.tokenizer.vocab.itos)
    plans = [
        plan(shouted, None, None, True, None, {"text": given, "training": {"init": init, "steps": 1}}).config.text
        for given in ({"lowercase": False}, {"tokenizer": "char"})
    ]
    assert [(one.tokenizer, one.lowercase) for one in plans] == [("word", False), ("char", False)]


def test_a_batch_is_checked_with_the_size_of_the_preset(words):
    given = {"training": {"accumulate": 5, "steps": 1}}
    assert plan(words, None, None, True, "example-2x200", given).config.training.batch_size == 20
    with pytest.raises(InputError, match="accumulate = 5 does not divide a batch of 32 streams"):
        plan(words, None, None, True, "word", given)


def test_every_setting_says_where_it_came_from():
    layers = [
        Layer("settings.toml", {"training": {"lr": 0.5, "clip": 2.0}, "model": {"cell": "gru"}}),
        Layer("flag", {"training": {"lr": 0.25, "steps": 9}}),
    ]
    config, sources, name, _ = resolve(layers, facts=CorpusFacts(500, 60, "char"))
    assert name == "char-small"
    assert (config.training.lr, config.training.clip, config.model.cell) == (0.25, 2.0, "gru")
    assert sources.keys() == set(LanguageModelConfig.keys())
    expected = {
        "training.lr": "flag",
        "training.steps": "flag",
        "training.clip": "settings.toml",
        "model.cell": "settings.toml",
        "training.batch_size": "text",
        "model.hidden_dim": "preset char-small",
        "training.minutes": "default",
        "training.beta1": "default",
    }
    assert {key: sources[key] for key in expected} == expected
    assert config.training.minutes is None, "a given budget replaces the preset's"
    assert resolve({"training": {"epochs": 2}}, "word").sources["training.epochs"] == "given"
    with pytest.raises(InputError, match="unknown key 'training.stesp'"):
        resolve({"training": {"stesp": 1}})


def test_a_plan_shows_its_settings_and_writes_nothing(words):
    planned = plan(words, preset="example-2x200", given={"training": {"steps": 7}})
    assert repr(planned) == f"Plan({planned.sentence})"
    assert planned.to_json()["training"]["steps"] == 7
    rows = {key: (value, where) for key, value, where in planned.table().rows}
    assert rows["training.steps"] == ("7", "given")
    assert rows["model.hidden_dim"] == ("200", "preset example-2x200")
    assert "<table>" in planned._repr_html_()


def test_a_run_to_start_from_is_opened_once_and_named_as_the_source(words, tmp_path, monkeypatch):
    api.train_language_model(words, tmp_path / "first", steps=2, quiet=True, **TINY)
    opened, open_run = [], Run.open
    monkeypatch.setattr(Run, "open", classmethod(lambda cls, path: opened.append(str(path)) or open_run(path)))
    first = str(tmp_path / "first")
    api.train_language_model(words, tmp_path / "second", steps=2, quiet=True, init=first)
    assert opened == [first]
    planned = plan(words, given={"training": {"steps": 2, "init": first}})
    assert planned.sources["model.hidden_dim"] == f"run {first}"
    assert planned.sources["training.init"] == "given"


def test_weights_are_read_once_after_training(words, tmp_path, monkeypatch):
    loaded, load = [], Run.load_model
    monkeypatch.setattr(Run, "load_model", lambda run, device="cpu": loaded.append(run.path) or load(run, device))
    api.train_language_model(words, tmp_path / "run", steps=2, quiet=True, **TINY)
    assert loaded == [tmp_path / "run"]


def test_torch_is_left_as_it_was(words, tmp_path):
    torch.manual_seed(11)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    options = {"threads": threads + 1, "dropout": 0.1, "quiet": True, **TINY}
    lm = api.train_language_model(words, tmp_path / "run", steps=2, **options)
    lm.generate(length=3)
    lm.evaluate(split="valid")
    api.load_language_model(tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    with pytest.raises(InputError):
        api.train_language_model(words, tmp_path / "run", steps=1, **options)
    assert (torch.equal(torch.get_rng_state(), state), torch.get_num_threads()) == (True, threads)


def test_a_run_without_a_folder_leaves_nothing_behind(words):
    lm = api.train_language_model(words, steps=2, quiet=True, **TINY)
    folder = lm.run.path
    assert folder.is_dir()
    assert lm.generate(length=3, seed=1)
    del lm
    gc.collect()
    assert not folder.exists()
    assert not folder.parent.exists()


@pytest.mark.parametrize("tokenizer", ["char", "byte", "bpe"])
def test_a_text_of_one_word_trains_without_counts(tokenizer, tmp_path):
    """One validation token says nothing of how network and counts go together."""
    path = tmp_path / "text.txt"
    path.write_text("word", "utf-8")
    lm = api.train_language_model(path, tokenizer=tokenizer, steps=2, quiet=True)
    assert math.isfinite(lm.summary["valid"]["nats_per_token"])
    assert lm.run.load_counts() is None
