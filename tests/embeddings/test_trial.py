"""Trials: the faster engine where there is a GPU, and what minutes reach; engines and clocks are made up."""

from __future__ import annotations

from itertools import chain, repeat
from typing import Any

import numpy as np
import pytest
import torch
from test_embeddings import QUICK, corpus_of, topics_ids

from seqlab.base.errors import InputError
from seqlab.config import EmbeddingsConfig
from seqlab.embeddings import train_embeddings
from seqlab.embeddings.engines.table import possible_engines
from seqlab.embeddings.material.words import TrainingText, choose_words
from seqlab.embeddings.training import loop, planning, trial
from seqlab.embeddings.training.loop import VectorTrainer
from seqlab.embeddings.training.planning import PASSES, default_epochs, resolved, sizes, within_minutes
from seqlab.embeddings.training.trial import Choice, choose_engine

CONFIG = QUICK.updated({"engine": "auto", "workers": 2})


class Machine:
    """A clock, and engines that take a given number of seconds for every thousand tokens of one thread."""

    def __init__(self, **seconds: float):
        self.seconds, self.now = seconds, 0.0
        self.built: list[str] = []

    def clock(self) -> float:
        return self.now

    def build(self, words: Any, config: EmbeddingsConfig, parts: Any) -> Any:
        self.built.append(config.engine)
        return PretendedEngine(self, config.engine)


class PretendedEngine:
    """Trains on nothing, and lets time pass."""

    def __init__(self, machine: Machine, name: str):
        self.machine, self.name, self.concurrent = machine, name, name == "cpu"

    def compile(self) -> None:
        self.machine.now += 1_000  # must not count

    def run(self, ids: np.ndarray, starts: np.ndarray, lr: float, seed: int) -> tuple[float, int]:
        if self.machine.seconds[self.name] < 0:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate ...")
        threads = 2 if self.concurrent else 1
        self.machine.now += self.machine.seconds[self.name] * len(ids) / 1_000 / threads
        return 0.0, 0


def chosen(machine: Machine, config: EmbeddingsConfig = CONFIG) -> Choice:
    text = TrainingText.of(corpus_of(topics_ids(20_000)))
    words = choose_words(text, 1)
    return choose_engine(text, words, resolved(config, text.words, len(words.words)), machine.build, machine.clock)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**9, 10**9))


@pytest.mark.parametrize(("cpu", "torch_", "best"), [(0.1, 0.02, "torch"), (0.1, 0.06, "cpu"), (0.1, 0.05, "cpu")])
def test_the_faster_engine_is_used_and_the_compiled_one_where_both_are_as_fast(
    gpu: None, cpu: float, torch_: float, best: str
) -> None:
    """Two threads of the compiled loops do 20,000 tokens a second."""
    machine = Machine(cpu=cpu, torch=torch_)
    choice = chosen(machine)
    assert choice.engine == best
    assert f"cpu 20,000, torch {1_000 / torch_:,.0f}; the {best} engine is used" in choice.sentence
    assert machine.built == ["cpu", "torch"]


def test_a_gpu_that_fails_is_no_reason_to_stop(gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    choice = chosen(Machine(cpu=0.1, torch=-1))
    assert choice.engine == "cpu"
    assert "torch failed (CUDA out of memory.)" in choice.sentence
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1_000, 10**9))
    machine = Machine(cpu=0.1, torch=0.01)
    assert chosen(machine).engine == "cpu"
    assert machine.built == ["cpu"]


def test_compiled_loops_that_fail_are_an_error(gpu: None) -> None:
    with pytest.raises(RuntimeError):
        chosen(Machine(cpu=-1, torch=0.1))


@pytest.mark.parametrize(
    ("settings", "engines"),
    [
        ({}, ("cpu", "torch")),
        ({"device": "cpu"}, ("cpu",)),
        ({"engine": "cpu"}, ("cpu",)),
        ({"engine": "torch"}, ("torch",)),
        ({"device": "cuda"}, ("torch",)),
        ({"loss": "softmax"}, ("torch",)),
    ],
)
def test_nothing_is_tried_where_the_settings_decide(
    gpu: None, settings: dict[str, Any], engines: tuple[str, ...]
) -> None:
    config = CONFIG.updated(settings)
    assert possible_engines(config) == engines
    if len(engines) == 1:
        machine = Machine()
        assert chosen(machine, config) == Choice(engines[0], "")  # type: ignore[arg-type]
        assert machine.built == []


def test_without_a_gpu_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert chosen(Machine()) == Choice("cpu", "")


def test_a_trial_leaves_no_trace_in_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both engines are really built and run, torch on the CPU; the vectors are those of a training that named its
    engine."""
    config = CONFIG.updated({"workers": 1, "epochs": 1})
    plain, _ = train_embeddings(corpus_of(topics_ids(5_000)), config.updated({"engine": "cpu"}), quiet=True)
    monkeypatch.setattr(trial, "possible_engines", lambda config: ("cpu", "torch"))
    monkeypatch.setattr(trial, "SECONDS", 1e-3)
    measure, tokens = trial.speed, []

    def speed(engine: Any, *rest: Any) -> float:
        tokens.append(measure(engine, *rest))
        return {"cpu": 2.0, "torch": 1.0}[engine.name]

    monkeypatch.setattr(trial, "speed", speed)
    tried, report = train_embeddings(corpus_of(topics_ids(5_000)), config, quiet=True)
    assert report["engine"] == tried.meta["settings"]["engine"] == "cpu"
    assert tried.matrix.tobytes() == plain.matrix.tobytes()
    assert len(tokens) == 2
    assert min(tokens) > 0


def test_a_device_that_does_not_exist_is_refused_before_any_trial() -> None:
    with pytest.raises(InputError, match="device 'tpu9' is not available here"):
        train_embeddings(corpus_of(topics_ids(200)), CONFIG.updated({"device": "tpu9"}), quiet=True)


# Minutes


def reached(minutes: float, rate: float, **settings: Any) -> tuple[EmbeddingsConfig, str, int]:
    """Settings and sentence for a text of 20,000 words, and how many trainings were timed."""
    text = TrainingText.of(corpus_of(topics_ids(20_000)))
    asked = EmbeddingsConfig(minutes=minutes, min_count=1).updated(settings)
    timed: list[EmbeddingsConfig] = []

    def choose(text: Any, words: Any, config: EmbeddingsConfig, timed_too: bool = False, **_: Any) -> Choice:
        timed.append(config)
        return Choice("cpu", "", rate)

    config, choice, sentence = within_minutes(asked, text, choose_words(text, 1), choose)
    assert choice.rate == rate
    return config, sentence, len(timed)


WORDS = 20_000


@pytest.mark.parametrize("size", sizes(WORDS))
def test_minutes_choose_the_first_size_that_gets_its_share_of_passes(size: dict[str, Any]) -> None:
    passes = size["share"] * default_epochs(WORDS) + 0.5
    config, sentence, timed = reached(1, passes * WORDS / PASSES / 60)
    assert config.epochs == pytest.approx(passes)
    suiting = [one["share"] * default_epochs(WORDS) <= passes for one in sizes(WORDS)]
    first = sizes(WORDS)[suiting.index(True)]
    assert (config.dim, config.subwords, timed) == (first["dim"], first["subwords"], suiting.index(True) + 1)
    assert config.lr == first.get("lr", 0.05)
    assert f"width {config.dim}, n-grams {'on' if config.subwords else 'off'}" in sentence


def test_more_minutes_than_a_text_is_worth_end_sooner() -> None:
    config, sentence, _ = reached(60, 1e6)
    assert config.epochs == default_epochs(WORDS)
    assert "more would make them no better" in sentence


def test_cbow_keeps_its_own_rate_and_goes_without_ngrams() -> None:
    config, _, _ = reached(1e-3, 1e5, model="cbow")
    assert (config.dim, config.subwords, config.lr) == (sizes(WORDS)[-1]["dim"], False, 0.2)


def test_every_text_has_a_size_that_needs_no_passes() -> None:
    for words in (0, 10**6, 10**9):
        assert sizes(words)[-1]["share"] == 0
        assert resolved(EmbeddingsConfig(), words, 10).dim == sizes(words)[0]["dim"]


def test_what_is_set_stays_and_is_not_timed_twice() -> None:
    config, _, timed = reached(1e-3, 1e5, dim=33, subwords=False, lr=0.3)
    assert (config.dim, config.subwords, config.lr, timed) == (33, False, 0.3, 1)
    assert config.epochs == pytest.approx(PASSES * 60e-3 * 1e5 / 20_000)


def test_the_trial_measures_the_rate_of_the_only_engine() -> None:
    text = TrainingText.of(corpus_of(topics_ids(20_000)))
    words = choose_words(text, 1)
    machine = Machine(cpu=0.1, torch=1)
    choice = choose_engine(
        text, words, CONFIG.updated({"engine": "cpu", "epochs": 1}), machine.build, machine.clock, True
    )
    assert (choice.engine, choice.sentence) == ("cpu", "")
    assert choice.rate == pytest.approx(20_000)


def test_minutes_resume_with_what_was_chosen_first(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed training goes on bit for bit, whatever the machine would reach now; other minutes are refused."""
    corpus, config = corpus_of(topics_ids(20_000)), CONFIG.updated({"epochs": None, "minutes": 0.01, "workers": 1})
    rates = chain([3e5], repeat(1e9))
    choose = lambda *_, **__: Choice("cpu", "", next(rates))  # noqa: E731
    monkeypatch.setattr(planning, "choose_engine", choose)
    work, left = VectorTrainer.work, 60

    def mortal(self: VectorTrainer, job: Any) -> tuple[float, int]:
        nonlocal left
        left -= 1
        if not left:
            raise RuntimeError
        return work(self, job)

    monkeypatch.setattr(VectorTrainer, "work", mortal)
    monkeypatch.setattr(loop, "SAVE_EVERY", 1e-9)
    with pytest.raises(RuntimeError):
        train_embeddings(corpus, config, quiet=True, out=tmp_path / "v")
    vectors, report = train_embeddings(corpus, config, quiet=True, out=tmp_path / "v")
    assert report["epochs"] == pytest.approx(PASSES * 0.6 * 3e5 / 20_000)
    plain, _ = train_embeddings(corpus, config.updated({"minutes": None, "epochs": report["epochs"]}), quiet=True)
    assert vectors.matrix.tobytes() == plain.matrix.tobytes()
    with pytest.raises(InputError, match=r"was started with minutes = 0\.01, not 0\.02"):
        train_embeddings(corpus, config.updated({"minutes": 0.02}), quiet=True, out=tmp_path / "v")
