"""A finished run goes on: by minutes, or by the same command with a larger budget."""

from __future__ import annotations

import numpy as np
import pytest

from seqlab import api
from seqlab.base.errors import InputError
from seqlab.base.files import load_tensors
from seqlab.run import Run
from seqlab.training import Trainer

SIZES = {
    "counts": False,
    "embed_dim": 8,
    "hidden_dim": 8,
    "layers": 1,
    "batch_size": 4,
    "bptt": 8,
    "quiet": True,
    "evaluations": 5,
}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("continue") / "text.txt"
    path.write_text("the cat sat on the mat and the dog lay on the rug while it rained\n" * 60)
    return path


def test_a_larger_budget_continues_a_finished_run_with_a_new_schedule(text, tmp_path):
    first = api.train_language_model(text, tmp_path / "run", steps=60, average="ema", **SIZES)
    shared = first.summary["valid"]["nats_per_token"]
    again = api.train_language_model(text, tmp_path / "run", steps=160, average="ema", **SIZES)
    assert again.summary["steps"] == 160
    lines = again.run.metrics()
    assert [line["step"] for line in lines] == sorted({line["step"] for line in lines})
    rates = {line["step"]: line["lr"] for line in lines}
    assert rates[58] < 1e-3, "the first schedule ended"
    assert rates[63] == pytest.approx(first.run.config.training.lr, rel=0.01), "and rose again"
    assert rates[158] < 1e-3
    assert len([line for line in lines if "valid_loss" in line]) == 10
    assert again.summary["valid"]["nats_per_token"] < shared
    assert Run.open(tmp_path / "run").config.training.steps == 160
    done = api.train_language_model(text, tmp_path / "run", steps=160, average="ema", **SIZES)
    assert done.summary["steps"] == 160


def test_a_continued_training_resumes_exactly(text, tmp_path, monkeypatch):
    options = {**SIZES, "softmax": "sampled", "samples": 8, "dropout": 0.2}
    for name in ("whole", "stopped"):
        api.train_language_model(text, tmp_path / name, steps=30, **options)
    api.train_language_model(text, tmp_path / "whole", steps=80, **options)
    look = Trainer.look_at_the_clock
    monkeypatch.setattr(Trainer, "look_at_the_clock", lambda self, *_: (True, self.position.step == 47))
    with pytest.raises(KeyboardInterrupt):
        api.train_language_model(text, tmp_path / "stopped", steps=80, **options)
    monkeypatch.setattr(Trainer, "look_at_the_clock", look)
    api.train_language_model(text, tmp_path / "stopped", steps=80, **options)
    found, expected = (load_tensors(tmp_path / name / "state/latest.safetensors")[0] for name in ("stopped", "whole"))
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_a_run_killed_before_its_first_new_step_still_goes_on(text, tmp_path, monkeypatch):
    api.train_language_model(text, tmp_path / "run", steps=10, **SIZES)

    def killed(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "warm_up", killed)
    with pytest.raises(KeyboardInterrupt):
        api.train_language_model(text, tmp_path / "run", steps=20, **SIZES)
    monkeypatch.undo()
    assert api.train_language_model(text, tmp_path / "run", steps=20, **SIZES).summary["steps"] == 20


def test_more_minutes_whatever_limited_the_run_before(text, tmp_path, capsys, monkeypatch):
    first = api.train_language_model(text, tmp_path / "run", steps=10, **{**SIZES, "hidden_dim": 12})
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)
    again = api.train_language_model(text, tmp_path / "run", more=0.01, quiet=False)
    assert "the learning rate rises and falls once more" in capsys.readouterr().err
    assert again.run.config.model.hidden_dim == 12, "what was set for the run stays"
    training = again.run.config.training
    assert (training.steps, training.epochs) == (None, None)
    assert training.minutes == pytest.approx(first.summary["seconds"] / 60 + 0.01, abs=1e-3)
    assert again.summary["steps"] > 10
    assert again.summary["seconds"] >= 60 * training.minutes - 0.01
    grown = api.train_language_model(text, tmp_path / "run", more=0.01, quiet=True)
    assert grown.summary["seconds"] >= again.summary["seconds"] + 0.59
    assert api.evaluate(tmp_path / "run")


def test_more_of_an_unfinished_run_resumes_it(text, tmp_path, monkeypatch):
    look = Trainer.look_at_the_clock
    monkeypatch.setattr(Trainer, "look_at_the_clock", lambda self, *_: (True, self.position.step == 7))
    with pytest.raises(KeyboardInterrupt):
        api.train_language_model(text, tmp_path / "run", steps=20, **SIZES)
    monkeypatch.setattr(Trainer, "look_at_the_clock", look)
    assert api.train_language_model(text, tmp_path / "run", more=1.0, quiet=True).summary["steps"] == 20


def test_what_cannot_be_continued_is_refused_before_any_work(text, tmp_path):
    with pytest.raises(InputError, match="more: continues a finished run; .*none is none"):
        api.train_language_model(text, tmp_path / "none", more=1.0)
    api.train_language_model(text, tmp_path / "run", steps=3, **SIZES)
    with pytest.raises(InputError, match="more: must be more than 0 minutes"):
        api.train_language_model(text, tmp_path / "run", more=0.0)
    with pytest.raises(InputError, match="more: says how much longer to train; leave steps out"):
        api.train_language_model(text, tmp_path / "run", more=1.0, steps=9)
    with pytest.raises(InputError, match=r"was started with training\.steps = 3, not 2"):
        api.train_language_model(text, tmp_path / "run", steps=2, **SIZES)
    with pytest.raises(InputError, match=r"was started with model\.hidden_dim = 8, not 9"):
        api.train_language_model(text, tmp_path / "run", more=1.0, hidden_dim=9)
