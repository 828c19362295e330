"""`seqlab check`: it takes the plan of a training, measures what it says, and leaves nothing behind."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from pydoc_data.topics import topics
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from seqlab_cli.main import run

import seqlab
from seqlab.base.devices import torch_globals_restored
from seqlab.base.errors import in_words_of_the_shell
from seqlab.studies.check import check as checking
from seqlab.studies.check.check import check_model
from seqlab.studies.check.measure import rates
from seqlab.studies.check.measure.steps import SLOW, ShortTraining, affordable_width, exact_loss, step_figures
from seqlab.studies.check.measure.text import order_of
from seqlab.studies.check.measure.through_time import gradients_through_time
from seqlab.studies.check.rules.table import RULES
from seqlab.training.planning import Layer, plan
from seqlab.training.starts.fresh import fresh_model
from seqlab.training.watch.costs import flops_per_token

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guide" / "check.md"
SMALL = {"tokenizer": "char", "embed_dim": 24, "hidden_dim": 32, "layers": 2, "tie": False, "lr": 0.01}
SMALL |= {"batch_size": 8, "bptt": 16, "steps": 2000, "threads": 1}


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("text") / "topics.txt"
    path.write_text("".join(topics.values())[:40_000], "utf-8")
    return str(path)


@pytest.fixture(scope="module")
def checked(text) -> seqlab.Check:
    return seqlab.check(text, quiet=True, **SMALL)


def qualified(options):
    from seqlab.config import LanguageModelConfig

    return [Layer("options", LanguageModelConfig.qualified(options))]


@pytest.fixture
def briefly(monkeypatch):
    """Few steps at every rate: for what is not about rates."""
    monkeypatch.setattr(rates, "STEPS", rates.FEWEST)


@pytest.fixture(scope="module")
def planned(text):
    return plan(text, quiet=True, given=qualified(SMALL))


def test_a_healthy_training_has_no_findings(checked):
    assert list(checked.findings) == []
    assert "Nothing found: none of" in checked.text()
    assert repr(checked).startswith("Check(nothing found · ")


def test_the_plan_is_the_training_s_own(checked, text, capsys, monkeypatch):
    assert checked.plan.to_json() == plan(text, quiet=True, given=qualified(SMALL)).to_json()
    flags = [part for key, value in SMALL.items() for part in flag(key, value)]
    assert run(["train", "lm", text, "--dry-run", "--json", *flags]) == 0
    assert json.loads(capsys.readouterr().out) == checked.plan.to_json()


def flag(name, value):
    name = f"--{name.replace('_', '-')}"
    return [f"--no-{name[2:]}"] if value is False else [name, str(value)]


def test_the_model_is_the_one_that_training_starts_from(checked, planned, text, tmp_path):
    """The loss of its first step is that of the training's first step, to the last bit."""
    with torch_globals_restored():
        model = fresh_model(planned.config, planned.corpus)
        first = ShortTraining(model, planned.corpus, planned.config.training)
        assert float(first.take(1e-3 * planned.config.training.lr / 0.02).loss) == checked.figures.steps.losses[0]
    lm = seqlab.train_language_model(text, tmp_path / "run", quiet=True, **{**SMALL, "steps": 1, "counts": False})
    assert lm.history.lines[0]["loss"] == pytest.approx(checked.figures.steps.losses[0], rel=1e-6)


def test_nothing_is_left_behind(planned, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = fresh_model(planned.config, planned.corpus)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    torch.manual_seed(7)
    state, threads, numpy_state = torch.get_rng_state(), torch.get_num_threads(), np.random.get_state()[1].copy()
    noise = model.output.get_state()
    check_model(model, planned.corpus, planned)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert model.output.get_state() == noise
    assert not any(cell._forward_hooks for cell in model.cells)
    assert all(weight.grad is None for weight in model.parameters())
    assert os.listdir(tmp_path) == []


def test_a_check_says_the_same_twice(checked, text):
    again = seqlab.check(text, quiet=True, **SMALL)
    assert again.figures.steps == checked.figures.steps
    assert again.figures.rates == checked.figures.rates
    assert again.figures.memorise == checked.figures.memorise
    assert again.figures.text == checked.figures.text


def test_the_initial_loss_is_that_of_token_frequencies(checked, planned):
    start = checked.figures.start
    ids = planned.corpus.train[:]
    shares = np.bincount(ids, minlength=checked.figures.text.types) / len(ids)
    assert checked.figures.text.unigram == pytest.approx(-(shares[shares > 0] * np.log(shares[shares > 0])).sum(), 1e-3)
    assert start.loss == pytest.approx(start.unigram, abs=0.05)
    assert start.uniform == pytest.approx(math.log(checked.figures.text.types))
    assert (start.at_unigram, start.expected) == (True, start.unigram)


def test_biases_that_start_at_zero_have_another_expectation(text, briefly):
    found = seqlab.check(text, quiet=True, **{**SMALL, "output_bias": "zero", "softmax": "mixture"})
    start = found.figures.start
    assert (start.at_unigram, start.expected) == (False, start.uniform)
    assert start.loss == pytest.approx(start.uniform, abs=0.1)
    assert "initial-loss" not in [finding.name for finding in found.findings]


def test_updates_and_gradients_are_those_of_the_steps(planned):
    """Against weights compared by hand after the same steps."""
    with torch_globals_restored():
        model, config = fresh_model(planned.config, planned.corpus), planned.config.training
        figures = step_figures(ShortTraining(model, planned.corpus, config))
        by_hand = ShortTraining(model, planned.corpus, config)
        changes, norms = [], []
        for number in range(40):
            before = by_hand.model.cells[1].layer.weight_hh_l0.detach().clone()
            result = by_hand.take(config.lr * min(1.0, (number + 1) / 10))
            after = by_hand.model.cells[1].layer.weight_hh_l0.detach()
            changes.append(float((after - before).norm() / before.norm()))
            norms.append(float(result.clipping.norm))
    assert figures.norms == tuple(norms)
    (cell,) = (layer for layer in figures.layers if layer.name == "cell2")
    other = by_hand.model.cells[1]
    assert cell.parameters == sum(weight.numel() for weight in other.parameters())
    assert min(changes[-8:]) / 3 < cell.update < 3 * max(changes[-8:])
    squares = sum(float(weight.detach().square().sum()) for weight in other.parameters())
    assert cell.weight == pytest.approx(math.sqrt(squares / cell.parameters), rel=1e-4)


def test_gradients_through_time_are_those_of_autograd(planned):
    """A plain recurrence whose gradient is known: h' = tanh(W x + U h + b), two steps back."""
    with torch_globals_restored():
        options = qualified({**SMALL, "cell": "rnn-tanh", "layers": 1})
        other = plan(planned.corpus, quiet=True, given=options)
        training = ShortTraining(fresh_model(other.config, other.corpus), other.corpus, other.config.training)
        found = gradients_through_time(training)
        batch, model = training.read()[0], training.model
        inputs_BT, targets_BT = map(torch.from_numpy, batch)
        cell, (start_BH,) = model.cells[0], training.carried.value[0]
        with torch.no_grad():
            _, ((h_BH,),) = model.read(inputs_BT[:, :-2], [(start_BH,)])
        h_BH = h_BH.detach().requires_grad_()
        state = (h_BH,)
        for t in (-2, -1):
            y_BH, state = cell.equations(model.embed(inputs_BT[:, t]), state)
        loss = torch.nn.functional.cross_entropy(model.output.logits(y_BH), targets_BT[:, -1], reduction="sum")
        (gradient_BH,) = torch.autograd.grad(loss, h_BH)
    assert list(found) == [1, 2, 4, 8, 16]
    assert found[2] == pytest.approx(float(gradient_BH.square().mean().sqrt()), rel=1e-3)


def test_one_batch_is_memorised_and_the_rate_is_in_the_middle(checked):
    assert checked.figures.memorise.left < 0.2
    gained = checked.figures.rates.gained
    assert {0.01, 0.1, 1.0, 10.0, 100.0} <= gained.keys()
    assert gained[1.0] > 10 * gained[0.01]
    assert gained[1.0] > gained[100.0]


def test_the_order_of_a_text_is_known_where_it_was_made():
    """A chain that repeats a letter nine times in ten: log 4 less the entropy of one step."""
    generator = np.random.default_rng(0)
    stay, others = generator.random(200_000) < 0.9, generator.integers(1, 4, 200_000)
    ids = np.cumsum(np.where(stay, 0, others)) % 4
    step = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1 / 3))
    assert order_of(ids, 4) == pytest.approx(math.log(4) - step, abs=0.02)
    assert order_of(generator.permutation(ids), 4) < 0.001
    assert order_of(ids[:1], 4) == 0.0


def test_a_budget_reaches_what_it_says(checked, planned, briefly):
    reach, tokens = checked.figures.reach, 2000 * 8 * 16
    assert (reach.tokens, reach.steps) == (tokens, 2000)
    assert reach.passes == pytest.approx(tokens / len(planned.corpus.train))
    assert reach.parameters == sum(
        weight.numel() for weight in fresh_model(planned.config, planned.corpus).parameters()
    )
    assert reach.memory >= 16 * reach.parameters  # weights, gradients and Adam's two moments
    by_time = seqlab.check(planned.corpus, quiet=True, **{**SMALL, "steps": None, "minutes": 2.0}).figures.reach
    assert by_time.tokens == pytest.approx(120 * by_time.tokens_per_second)


def test_a_run_is_expected_to_know_its_text(text, tmp_path, capsys, briefly):
    out = tmp_path / "run"
    lm = seqlab.train_language_model(text, out, quiet=True, **{**SMALL, "steps": 150, "counts": False})
    found = seqlab.check(out, quiet=True)
    assert found.figures.start.trained
    assert found.figures.start.loss < found.figures.start.unigram
    assert found.figures.rates is None
    assert found.plan.to_json() == lm.run.config.model_dump()
    with pytest.raises(seqlab.InputError, match="has its own text and settings"):
        seqlab.check(out, quiet=True, lr=0.1)
    assert run(["check", str(out), "--lr", "0.1"]) == 2
    assert "check a text" in capsys.readouterr().err
    started = seqlab.check(text, quiet=True, init=str(out), batch_size=8, bptt=16, steps=100)
    assert started.figures.start.trained
    assert not {"damaged-start", "initial-loss"} & {finding.name for finding in started.findings}


@pytest.mark.parametrize(
    "options",
    [
        {"softmax": "sampled", "samples": 16},
        {"softmax": "nce", "samples": 16},
        {"softmax": "adaptive", "cutoffs": [20]},
        {"softmax": "full", "tie": True, "weight_drop": 0.2, "zoneout": 0.1, "locked_dropout": True, "dropout": 0.2},
        {"reset_state": "windows", "average": "ema", "activation_penalty": 1.0, "random_bptt": True},
        {"cell": "qrnn", "optimizer": "momentum", "lr": 0.5, "accumulate": 2, "l2": 1e-7},
    ],
    ids=lambda options: next(iter(options.values())),
)
def test_every_output_layer_and_odd_setting_can_be_checked(options, planned, briefly):
    options = {"hidden_dim": 16, "embed_dim": 16, **options}
    found = seqlab.check(planned.corpus, quiet=True, **{**SMALL, **options})
    problems = {finding.name for finding in found.findings if finding.level == "problem"}
    assert problems <= {"rate-too-low"}  # which the few steps may look like
    assert found.figures.rates.gained.keys() >= set(rates.FACTORS)


@pytest.mark.parametrize("content", ["ab\n", "to be or not to be\n" * 3])
def test_a_tiny_text_can_be_checked(content, tmp_path, recwarn, briefly):
    path = tmp_path / "tiny.txt"
    path.write_text(content, "utf-8")
    found = seqlab.check(path, quiet=True, hidden_dim=8, minutes=0.1)
    assert "little-text" in [finding.name for finding in found.findings]
    json.dumps(found.to_json(), allow_nan=False)
    assert not [one for one in recwarn if "std()" in str(one.message)]


def test_a_list_of_lines_and_a_model_of_spelling_can_be_checked(tmp_path, briefly):
    path = tmp_path / "titles.txt"
    path.write_text("".join(f"{one.title()}\n" for one in sorted(topics)) * 12, "utf-8")
    options = {"hidden_dim": 16, "embed_dim": 16, "layers": 1, "steps": 50, "batch_size": 4, "bptt": 8, "threads": 1}
    listed = seqlab.check(path, quiet=True, lines="yes", tokenizer="char", **options)
    assert (listed.figures.text.run, listed.figures.text.line_tokens is not None) == (0, True)
    words = tmp_path / "words.txt"
    words.write_text("".join(topics.values())[:20_000], "utf-8")
    options |= {"tokenizer": "word", "input": "characters", "char_size": "small", "tie": False}
    spelt = seqlab.check(words, quiet=True, **options)
    assert spelt.figures.start.zero_vectors == 0.0
    assert "zero-weights" not in [finding.name for finding in spelt.findings]


def test_the_command_prints_what_python_returns(text, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = [part for key, value in {**SMALL, "lr": 1.0}.items() for part in flag(key, value)]
    assert run(["check", text, "--quiet", "--json", *flags]) == 0
    said = json.loads(capsys.readouterr().out)
    found = said["findings"][0]
    assert set(found) == {"name", "level", "seen", "threshold", "cause", "remedy"}
    assert "rate-too-high" in [one["name"] for one in said["findings"]]
    assert said["plan"]["training"]["lr"] == 1.0
    assert {"text", "start", "steps", "time", "memorise", "rates", "reach"} <= said.keys()
    assert run(["check", text, "--quiet", *flags]) == 0
    printed = capsys.readouterr()
    assert "problem: rate-too-high\n  In 24 steps at 1 the loss" in printed.out
    assert "--lr" in printed.out
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.txt"], "nowhere.txt"),
        (["TEXT", "--cell", "lsmt"], "Did you mean 'lstm'?"),
        (["TEXT", "--epochs", "1", "--minutes", "2"], "both limit training"),
        (["TEXT", "--batch-size", "100000", "--steps", "5"], "batch_size"),
        (["TEXT", "-o", "x"], "o"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence, text, capsys):
    assert run(["check", "--quiet", *(text if one == "TEXT" else one for one in arguments)]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1


def table_of_rules() -> str:
    lines = ["| name | level | it fires on | likely cause | what to change |", "| --- | --- | --- | --- | --- |"]
    with in_words_of_the_shell():
        for rule in RULES:
            cells = (f"`{rule.name}`", rule.level, rule.threshold, rule.cause, rule.advice())
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def test_the_guide_shows_the_table_of_rules():
    """Written by SEQLAB_WRITE=1."""
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition("<!-- rules -->\n")
    _, _, after = rest.partition("<!-- /rules -->")
    wanted = f"{before}<!-- rules -->\n{table_of_rules()}\n<!-- /rules -->{after}"
    if os.environ.get("SEQLAB_WRITE"):
        PAGE.write_text(wanted, "utf-8")
    assert PAGE.read_text("utf-8") == wanted


def test_rules_have_names_of_their_own_and_whole_sentences():
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.cause.endswith("."), rule.name
        assert rule.advice().endswith("."), rule.name
        assert "{" not in rule.advice(), rule.name
    with in_words_of_the_shell():
        advice = {rule.name: rule.advice() for rule in RULES}
    assert "--clip 1" in advice["exploding-gradients"]
    assert "--set weight_decay=0" in advice["heavy-decay"]


def test_exact_loss_is_that_of_the_logits(planned):
    with torch_globals_restored():
        training = ShortTraining(fresh_model(planned.config, planned.corpus), planned.corpus, planned.config.training)
        batch, _ = training.read()
        inputs_BT, targets_BT = map(torch.from_numpy, batch)
        training.model.eval()
        logits_BTV, _ = training.model.sequence_logits(inputs_BT, training.model.init_state(len(inputs_BT)))
        wanted = torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())
        assert exact_loss(training.model, batch) == pytest.approx(float(wanted.detach()), rel=1e-5)


def test_windows_are_cut_for_large_models_only_and_not_by_the_clock(planned):
    model, config = fresh_model(planned.config, planned.corpus), planned.config.training
    assert affordable_width(model, config, 8, 8.0) == config.bptt
    per_token = flops_per_token(model).training
    five_tokens = 8 * config.batch_size * per_token * 5.5 / SLOW
    assert affordable_width(model, config, 8, five_tokens) == 5
    assert affordable_width(model, config, 10**9, 1e-9) == 1


# A large model, or a busy machine


def test_what_there_is_no_time_for_is_left_out_and_named(planned, monkeypatch):
    """The ends of all parts lie in the past, as they would on a machine that is far too slow."""
    for name in ("STEPS_END", "MEMORISE_END", "RATES_END"):
        monkeypatch.setattr(checking, name, -1.0)
    model = fresh_model(planned.config, planned.corpus, None)
    found = check_model(model, planned.corpus, planned)
    figures = found.figures
    assert len(figures.steps.losses) == 2
    assert figures.steps.finite
    assert figures.memorise is None
    assert figures.rates is None
    assert figures.left_out == ("one batch", "rates")
    assert "left out       one batch and rates: the model is too large, or the machine too busy" in found.text()
    assert found.to_json()["memorise"] is None
    assert found.to_json()["left_out"] == ["one batch", "rates"]
    assert list(found.findings) == []


def test_rates_that_were_tried_in_time_are_judged_though_farther_ones_are_not(planned, monkeypatch):
    """A clock that passes the end once all usual rates are through: each of their steps is a second."""
    model = fresh_model(planned.config, planned.corpus, None)
    ticks = iter(range(10**6))
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    monkeypatch.setattr(rates, "SECONDS", 1e9)
    monkeypatch.setattr(rates, "farther", lambda gained: [1000.0])
    steps = rates.STEPS * len(rates.FACTORS)
    late = rates.rate_figures(model, planned.corpus, planned.config.training, 16, until=steps + 40.0)
    assert set(late.gained) == set(rates.FACTORS)
    early = rates.rate_figures(model, planned.corpus, planned.config.training, 16, until=0.0)
    assert early is None
