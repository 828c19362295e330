"""Small, large and growing batches: what is equal between them, and how sharp a minimum is."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from seqlab_cli.main import run

import seqlab
from seqlab.base.devices import torch_globals_restored
from seqlab.base.errors import InputError
from seqlab.evaluation.exact import read_sample
from seqlab.studies.tune.batch_size import LARGE, sharpness
from seqlab.training import LanguageModelTrainer
from seqlab.training.planning import start

SMALL = {"embed_dim": 8, "hidden_dim": 16, "layers": 1, "batch_size": 4, "bptt": 8, "threads": 1, "lr": 0.01}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("batch") / "text.txt"
    path.write_text("the cat sat on the mat and the dog lay on the rug while it rained\n" * 200)
    return path


@pytest.fixture(scope="module")
def found(text):
    return seqlab.compare_batch_sizes(text, 64, config=SMALL, quiet=True)


def test_all_variants_read_the_same_tokens_and_large_batches_make_fewer_updates(found):
    by_name = {one.name: one for one in found.variants}
    small, large, growing = by_name["small"], by_name["large"], by_name["growing"]
    assert small.steps == pytest.approx(64, abs=2)
    assert large.steps == pytest.approx(small.steps / LARGE, abs=2)
    assert large.steps < growing.steps < small.steps
    ends = [one.tokens[-1] for one in found.variants]
    assert max(ends) - min(ends) <= LARGE * 4 * 8, "up to one window of the large batch"
    assert by_name["large, linear rate"].lr == pytest.approx(LARGE * 0.01)
    assert by_name["growing, linear rate"].lr == pytest.approx(LARGE * 0.01)
    assert by_name["growing"].lr == 0.01
    assert [one.batch_size for one in found.variants] == [4, *[4 * LARGE] * 5]


def test_the_result_shows_itself(found, tmp_path):
    assert repr(found).startswith("BatchStudy(6 variants · best: ")
    assert json.loads(json.dumps(found.to_json()))["variants"][0]["name"] == "small"
    assert found.to_frame().shape == (6, 7)
    assert found.picture().save(tmp_path / "batches.png").stat().st_size > 5_000


def trainer_of(text) -> LanguageModelTrainer:
    given = {"model": {"embed_dim": 8, "hidden_dim": 16, "layers": 1, "counts": False}}
    training = {"batch_size": 4, "bptt": 8, "threads": 1, "lr": 0.01, "steps": 60, "device": "cpu"}
    run_, model, corpus = start(text, None, quiet=True, given={**given, "training": training})
    return LanguageModelTrainer(run_, model, corpus, quiet=True)


def test_sharpness_is_the_mean_rise_under_noise_and_leaves_the_weights(text):
    with torch_globals_restored():
        trainer = trainer_of(text)
        trainer.fit()
        model, valid = trainer.model, trainer.corpus.valid
        before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
        measured = sharpness(trainer, 300, seed=5, noise=0.1, draws=3)
        for name, weight in model.named_parameters():
            assert torch.equal(weight, before[name]), name

        def loss() -> float:
            model.eval()
            with torch.no_grad():
                return -float(np.mean(read_sample(model, valid, trainer.reader.start_id, 300)[1].log_p_N))

        flat, generator, rises = loss(), torch.Generator().manual_seed(5), []
        for _ in range(3):
            with torch.no_grad():
                for name, weight in model.named_parameters():
                    drawn = torch.randn(weight.shape, generator=generator)
                    weight.copy_(before[name] + 0.1 * before[name].norm() * drawn / drawn.norm().clamp_min(1e-12))
            rises.append(loss() - flat)
        assert measured == pytest.approx(np.mean(rises), abs=1e-5)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.copy_(before[name])
        assert sharpness(trainer, 300, seed=5, noise=0.0) == pytest.approx(0.0, abs=1e-6)
        assert sharpness(trainer, 300, seed=5, noise=0.5) > sharpness(trainer, 300, seed=5, noise=0.05) > 0.0


def test_the_command(text, tmp_path, capsys):
    settings = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
    picture = tmp_path / "batches.html"
    command = ["tune", str(text), "--study", "batch-size", *settings, "--steps-per-trial", "32", "-q"]
    assert run([*command, "-o", str(picture), "--json"]) == 0
    variants = json.loads(capsys.readouterr().out)["variants"]
    assert [one["name"] for one in variants][:2] == ["small", "large"]
    assert picture.stat().st_size > 100_000
    assert run(command[:4]) == 2
    assert "--steps-per-trial 2000" in capsys.readouterr().err


def test_a_text_too_short_for_the_large_batch_is_refused(tmp_path):
    (tmp_path / "short.txt").write_text("the cat sat on the mat\n" * 3)
    with pytest.raises(InputError):
        seqlab.compare_batch_sizes(tmp_path / "short.txt", 10, config={**SMALL, "batch_size": 64}, quiet=True)
