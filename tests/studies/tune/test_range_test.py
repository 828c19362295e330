"""The learning-rate range test: against brute force, against curves of known shape, and without a trace."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from costs import usual
from seqlab_cli.main import run

import seqlab
from seqlab import api
from seqlab.base.devices import torch_globals_restored
from seqlab.base.errors import InputError, SeqlabError
from seqlab.base.files import load_tensors
from seqlab.schedules import SCHEDULES
from seqlab.studies.tune import range_test as tested
from seqlab.studies.tune.ramp import climb, exponential_rates, ramp, smoothed
from seqlab.training import OPTIMIZERS, LanguageModelTrainer
from seqlab.training.planning import start
from seqlab.training.state import has_arrays, has_numbers

SIZES = {"embed_dim": 8, "hidden_dim": 8, "layers": 2, "batch_size": 4, "bptt": 8, "quiet": True, "threads": 1}
REGULARISED = {"dropout": 0.3, "weight_drop": 0.2, "average": "ema", "activation_penalty": 1.0, "weight_decay": 0.1}
MODES = {
    "sampled": {"softmax": "sampled", "samples": 8, "steps": 30, **REGULARISED},
    "documents": {"reset_state": "documents", "steps": 20, "dropout": 0.1},
    "characters": {"input": "characters", "tie": False, "tokenizer": "word", "steps": 12, "dropout": 0.2},
    "lists": {"lines": "yes", "steps": 12, "optimizer": "momentum"},
    "random windows": {"random_bptt": True, "steps": 12, "optimizer": "adagrad", "l2": 1e-4},
}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("range") / "text.txt"
    path.write_text("the cat sat on the mat and the dog lay on the rug while it rained\n" * 60)
    return path


@pytest.fixture
def short(monkeypatch):
    """A ramp of fewer steps: for what is not about the suggestion."""
    monkeypatch.setattr(tested, "STEPS", 80)


def trainer_of(text, **options) -> LanguageModelTrainer:
    given = seqlab.config.LanguageModelConfig.qualified({**SIZES, **options} | {"device": "cpu"})
    given.pop("quiet")
    run, model, corpus = start(text, None, quiet=True, given=seqlab.config.merge({}, given))
    return LanguageModelTrainer(run, model, corpus, quiet=True)


def bits_of(trainer: LanguageModelTrainer) -> dict[str, object]:
    """Everything that a training goes on with."""
    found: dict[str, object] = {}
    for name, part in trainer.checkpoint.parts.items():
        if has_arrays(part):
            found |= {f"{name}.{key}": array.clone().numpy() for key, array in part.arrays().items()}
        if has_numbers(part):
            found[name] = json.dumps(part.numbers())
    return found


# What the curve says


def test_the_average_equals_its_definition():
    losses = [4.0, 2.0, 3.0]
    weights = [[1.0], [0.9 * 0.1, 0.1], [0.81 * 0.1, 0.9 * 0.1, 0.1]]
    expected = [np.dot(w, losses[: len(w)]) / sum(w) for w in weights]
    assert smoothed(losses, 0.9) == pytest.approx(expected)


def test_rates_rise_by_the_same_factor():
    rates = exponential_rates(1e-4, 1.0, 5)
    assert rates == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])


@pytest.mark.parametrize("curvature", [0.2, 3.0, 50.0])
def test_on_a_quadratic_the_lowest_loss_is_near_the_best_rate_of_brute_force(curvature):
    """Noisy gradient descent on curvature x^2 / 2: best at 1 / curvature, unstable from twice that on."""

    def descent(rates, noise: float = 0.0) -> np.ndarray:
        x, draw = [1.0], np.random.default_rng(1)

        def step(rate: float) -> float:
            loss = 1.0 + 0.5 * curvature * x[0] ** 2
            x[0] -= rate * curvature * (x[0] + noise * draw.normal())
            return loss

        return climb(step, np.asarray(rates))

    grid = np.geomspace(0.01, 10.0, 301) / curvature
    last = [losses[-1] if len(losses := descent([rate] * 4)) == 4 else math.inf for rate in grid]
    best = grid[np.argmin(last)]
    assert best == pytest.approx(1.0 / curvature, rel=0.1)
    rates = exponential_rates(1e-3 / curvature, 1e3 / curvature, 300)
    losses = descent(rates, 0.05)
    assert len(losses) < 300, "it stops when the loss diverges"
    assert rates[len(losses) - 1] > 2.0 / curvature
    smooth = smoothed(losses)
    assert best / 2 < rates[tested.lowest_place(smooth)] < 2.5 * best
    assert 2 * best < rates[tested.edge_place(smooth)] < 5 * best


def test_the_steepest_place_is_that_of_the_logarithm_of_the_rate():
    """A logistic fall around 0.01 and a rise from 0.3 on; against the rate itself it looks steepest far to the left."""
    rates = exponential_rates(1e-4, 1.0, 400)
    losses = 3.0 - 1.5 / (1.0 + (rates / 0.01) ** -2) + (rates / 0.3) ** 4
    assert rates[tested.steepest_place(rates, losses)] == pytest.approx(0.01, rel=0.05)
    assert rates[tested.lowest_place(losses)] == pytest.approx(rates[losses.argmin()])
    edge, first = tested.edge_place(losses), losses[tested.first_place(len(losses))]
    limit = losses.min() + tested.RISE * (first - losses.min())
    assert losses[edge - 1] <= limit < losses[edge]
    assert edge > losses.argmin()
    assert rates[np.gradient(losses, rates).argmin()] < 0.007


def test_the_valley_is_the_middle_of_the_longest_fall():
    losses = np.array([3.0, 3.1, 3.0, 2.5, 2.7, 2.0, 1.5, 1.4, 1.0, 2.0, 5.0])

    def longest(losses) -> tuple[int, int]:
        """By trying every subsequence."""
        best: list[int] = []
        for bits in range(1 << len(losses)):
            chosen = [i for i in range(len(losses)) if bits >> i & 1]
            if len(chosen) > len(best) and all(losses[a] > losses[b] for a, b in zip(chosen, chosen[1:], strict=False)):
                best = chosen
        return best[0], best[-1]

    first, last = longest(losses.tolist())
    assert last == 8
    assert abs(tested.valley_place(losses) - (first + last) / 2) <= 1


def test_a_suggestion_is_known_for_every_schedule_and_a_range_for_every_optimiser():
    assert set(tested.SHARES) == set(SCHEDULES)
    assert set(tested.RANGES) == set(OPTIMIZERS)
    assert set(tested.HARDINESS) <= set(OPTIMIZERS)


# Without a trace


@pytest.mark.parametrize("mode", MODES)
def test_every_bit_of_the_training_is_put_back(text, mode):
    with torch_globals_restored():
        trainer = trainer_of(text, **MODES[mode])
        before = bits_of(trainer)
        losses = ramp(trainer, exponential_rates(1e-3, 0.1, 25))
        assert len(losses) == 25
        after = bits_of(trainer)
    assert after.keys() == before.keys()
    for name, value in before.items():
        assert np.array_equal(after[name], value) if isinstance(value, np.ndarray) else after[name] == value, name


def test_a_training_after_a_range_test_has_the_bits_of_one_without(text, tmp_path, monkeypatch):
    options = {**SIZES, **MODES["sampled"]}
    api.train_language_model(text, tmp_path / "without", **options)
    resume = LanguageModelTrainer.resume

    def with_range_test(self) -> None:
        resume(self)
        ramp(self, exponential_rates(1e-3, 0.1, 20))

    monkeypatch.setattr(LanguageModelTrainer, "resume", with_range_test)
    api.train_language_model(text, tmp_path / "with", **options)
    (found, _), (expected, _) = (
        load_tensors(tmp_path / name / "state/latest.safetensors") for name in ("with", "without")
    )
    for name, array in expected.items():
        assert np.array_equal(found[name], array, equal_nan=True), name


def test_an_interrupted_ramp_puts_everything_back_too(text):
    def stop(done: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with torch_globals_restored():
        trainer = trainer_of(text, steps=10)
        before = bits_of(trainer)
        with pytest.raises(KeyboardInterrupt):
            ramp(trainer, exponential_rates(1e-3, 0.1, 20), stop)
        after = bits_of(trainer)
    for name, value in before.items():
        assert np.array_equal(after[name], value) if isinstance(value, np.ndarray) else after[name] == value, name


# As a person meets it


@pytest.mark.parametrize("optimizer", usual(["adamw", "sgd"], "adamw"))
def test_find_lr_suggests_a_rate_that_learns(text, optimizer):
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    options = {**SIZES, "optimizer": optimizer, "steps": 40, "device": "cpu"}
    found = seqlab.find_lr(text, **options)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert found.suggestion == pytest.approx(found.share * found.edge, rel=0.05)
    assert repr(found).startswith("RangeTest(lr ")
    low, high = tested.RANGES[optimizer]
    assert low < found.steepest <= found.lowest < found.edge <= high
    nats = [
        seqlab.train_language_model(text, **{**options, "counts": False, "lr": lr}).summary["valid"]["nats_per_token"]
        for lr in (found.suggestion, found.suggestion / 30)
    ]
    assert nats[0] < nats[1] - 0.05
    assert json.loads(json.dumps(found.to_json()))["suggestion"] == found.suggestion
    assert found.to_frame().shape == (5, 2)


def test_the_suggestion_follows_the_schedule(text, short):
    found = {
        name: seqlab.find_lr(text, **SIZES, steps=40, device="cpu", schedule=name) for name in ("constant", "cosine")
    }
    assert found["constant"].edge == found["cosine"].edge
    assert found["constant"].suggestion < found["cosine"].suggestion


def test_a_longer_training_gets_a_lower_rate_and_passes_are_counted_in_updates(text, short):
    found = {
        name: seqlab.find_lr(text, **SIZES, device="cpu", **{name: value})
        for name, value in (("steps", 400), ("epochs", 100), ("minutes", 1000))
    }
    updates = {name: one.updates for name, one in found.items()}
    assert updates["steps"] == 400
    tokens = len(seqlab.prepare(text, quiet=True).train)
    assert updates["epochs"] == pytest.approx(100 * tokens / (SIZES["batch_size"] * SIZES["bptt"]))
    assert found["epochs"].share == pytest.approx(found["steps"].share * (400 / updates["epochs"]) ** 0.5)
    assert updates["minutes"] > 10_000


@pytest.fixture(scope="module")
def found(text):
    return seqlab.find_lr(text, **SIZES, steps=40, device="cpu")


@pytest.mark.parametrize("kind", usual(["png", "html", "svg"], "svg"))
def test_the_picture_is_drawn(found, tmp_path, kind):
    picture = found.picture()
    path = picture.save(tmp_path / f"lr.{kind}")
    assert path.stat().st_size > 5_000
    assert picture.to_json()["suggestion"] == found.suggestion
    if kind == "svg":
        assert "suggested, cosine" in path.read_text("utf-8")


def small_set() -> list[str]:
    return [part for key in ("embed_dim", "hidden_dim", "layers", "bptt") for part in ("--set", f"{key}={SIZES[key]}")]


def test_the_command(text, tmp_path, capsys, short):
    picture = tmp_path / "lr.png"
    command = ["tune", str(text), "--find-lr", *small_set(), "--batch-size", "4", "--schedule", "one-cycle"]
    assert run([*command, "-o", str(picture), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schedule"] == "one-cycle"
    assert found["suggestion"] > 0
    assert len(found["rates"]) == len(found["losses"]) == len(found["smoothed"]) == found["steps"]
    assert picture.stat().st_size > 5_000
    assert run(command) == 0
    assert "suggested peak for one-cycle" in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == [picture], "nothing but the picture is written"


def test_the_next_command_reads_the_text_as_this_one_did(tmp_path, capsys, short):
    table = tmp_path / "my table.csv"
    lines = [f"{number},the cat number {number} sat on mat {number % 7}" for number in range(300)]
    table.write_text("\n".join(["id,the text", *lines]) + "\n")
    assert run(["tune", str(table), "--find-lr", *small_set(), "--batch-size", "4", "--field", "the text"]) == 0
    assert f"seqlab train lm '{table}' --field 'the text' -o runs/book --lr " in capsys.readouterr().err


def test_trained_weights_are_refused(text, tmp_path, capsys):
    seqlab.train_language_model(text, tmp_path / "run", **SIZES, steps=2)
    assert run(["tune", str(tmp_path / "run"), "--find-lr"]) == 2
    assert "needs fresh weights, so name the text" in capsys.readouterr().err
    with pytest.raises(InputError, match="weights are trained already"):
        seqlab.find_lr(text, init=tmp_path / "run", quiet=True, steps=4)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--find-lr", "-o", "lr.gif"], "the name of a picture ends in"),
        (["--find-lr", "--schedule", "cosinus"], "schedule"),
        (["--find-lr", "--preset", "worrd"], "worrd"),
        (["--find-lr", "--set", "training.lrr=1"], "lrr"),
    ],
)
def test_mistakes_are_one_sentence(text, capsys, more, sentence):
    assert run(["tune", str(text), *more]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert len(err.strip().splitlines()) == 1


def test_a_loss_that_falls_at_no_rate_is_said(text, monkeypatch):
    monkeypatch.setattr(tested, "ramp", lambda trainer, rates, after: np.linspace(2.0, 3.0, len(rates)))
    with pytest.raises(SeqlabError, match="fell at no learning rate between"):
        seqlab.find_lr(text, **SIZES, steps=4)


def test_the_range_moves_where_the_loss_still_falls_at_its_end(text, monkeypatch):
    tried = []

    def curve(trainer, rates, after) -> np.ndarray:
        tried.append((rates[0], rates[-1]))
        return 3.0 - 1.5 / (1.0 + (rates / 8.0) ** -2) + (rates / 20.0) ** 4

    monkeypatch.setattr(tested, "ramp", curve)
    found = seqlab.find_lr(text, **SIZES, steps=4)
    assert tried == [(1e-4, 1.0), (1e-2, 100.0)]
    assert 8.0 < found.lowest < 40.0
