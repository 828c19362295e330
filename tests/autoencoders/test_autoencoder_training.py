"""Training: what is learned, exact resume, phases, what is refused, collapse in words."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import seqlab
import seqlab.training.loop
from seqlab.autoencoders.figures import LineScores, collapse, diagnose_lines, likelihoods, measure
from seqlab.autoencoders.lines import BatchReader, batch_of, batches_of, lines_of, short_lines
from seqlab.autoencoders.objective import Posterior
from seqlab.autoencoders.planning import fresh_autoencoder, plan
from seqlab.autoencoders.run import AutoencoderRun
from seqlab.autoencoders.train import baseline_settings, train_autoencoder
from seqlab.autoencoders.trainer import AutoencoderTrainer, LineLoss, Phases
from seqlab.base.devices import torch_globals_restored
from seqlab.base.errors import InputError
from seqlab.config import AutoencoderConfig, merge
from seqlab.run import MODEL
from seqlab.text.ids.lines import line_lengths
from seqlab.training.step import backward

SMALL = {
    "model": {"hidden_dim": 12, "embed_dim": 8},
    "autoencoder": {"latent_dim": 4},
    "training": {"steps": 12, "batch_size": 16, "evaluations": 3, "threads": 1, "device": "cpu"},
}


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Two hundred made-up names, a line each."""
    rng = np.random.default_rng(0)
    syllables = ["ka", "lo", "mi", "ren", "ta", "su", "vel", "no", "da", "ri"]
    lines = {"".join(rng.choice(syllables, rng.integers(2, 5))).capitalize() for _ in range(300)}
    path = tmp_path_factory.mktemp("names") / "names.txt"
    path.write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")
    return path


def settings(**more):
    return merge(SMALL, AutoencoderConfig.qualified(more))


def trainer(path, names, given):
    corpus, config, _ = plan(str(names), quiet=True, given=given)
    model = fresh_autoencoder(config, corpus)
    run = AutoencoderRun.create(path, config, corpus.tokenizer, {"digest": corpus.digest, **corpus.summary})
    return AutoencoderTrainer(run, model, corpus, quiet=True)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"kind": "denoising", "word_dropout": 0.3, "dropout": 0.2}, marks=pytest.mark.slow),
        {"pretrain": 0.5, "inner_steps": 2, "batch_norm": 0.5, "average": "ema"},
        pytest.param({"layers": 2, "stacked": True, "kind": "plain", "optimizer": "sgd"}, marks=pytest.mark.slow),
        pytest.param({"softmax": "sampled", "samples": 8, "cell": "gru"}, marks=pytest.mark.slow),
        pytest.param({"tokenizer": "word", "input": "characters", "kind": "denoising"}, marks=pytest.mark.slow),
    ],
)
def test_a_run_that_was_stopped_ends_with_the_same_bits(given, names, tmp_path, monkeypatch):
    whole = train_autoencoder(str(names), tmp_path / "whole", quiet=True, given=settings(**given))

    class Stopped(Exception):
        pass

    step, taken = AutoencoderTrainer.train_step, []

    def stops(self, rate=None):
        if len(taken) == 7:
            self.save()
            raise Stopped
        taken.append(1)
        return step(self, rate)

    monkeypatch.setattr(AutoencoderTrainer, "train_step", stops)
    with pytest.raises(Stopped):
        train_autoencoder(str(names), tmp_path / "stopped", quiet=True, given=settings(**given))
    monkeypatch.setattr(AutoencoderTrainer, "train_step", step)
    resumed = train_autoencoder(str(names), tmp_path / "stopped", quiet=True, given=settings(**given))
    assert (tmp_path / "whole" / MODEL).read_bytes() == (tmp_path / "stopped" / MODEL).read_bytes()
    assert whole.summary["valid"]["reconstruction"] == resumed.summary["valid"]["reconstruction"]
    again = train_autoencoder(str(names), tmp_path / "stopped", quiet=True, given=settings(**given))
    assert again.summary["steps"] == 12, "a finished run is left as it is"


def test_the_report_and_the_lines_of_metrics_have_all_figures(names, tmp_path):
    trained = train_autoencoder(str(names), tmp_path / "run", quiet=True, given=settings())
    valid = trained.summary["valid"]
    assert {"reconstruction", "kl", "elbo", "iw_nll", "mutual_information", "active_units", "units"} <= set(valid)
    assert valid["elbo"] == pytest.approx(-valid["reconstruction"] - valid["kl"])
    assert valid["iw_nll"] < -valid["iw_elbo"], "more samples tighten the bound"
    assert valid["nll"] == pytest.approx(-valid["elbo"] + valid["iw_nll"] + valid["iw_elbo"])
    assert (valid["iw_error"] > 0) == (valid["iw_lines"] < valid["lines"])
    assert valid["units"] == 4
    validations = [line for line in trained.run.metrics() if "valid_loss" in line]
    assert len(validations) == 3
    for line in validations:
        nats = line["reconstruction"] + line["kl"]
        assert line["elbo"] == pytest.approx(-nats)
        assert 0 <= line["kl_weight"] <= 1
    best = min(validations, key=lambda line: line["valid_loss"])
    assert best["reconstruction"] == pytest.approx(valid["reconstruction"], rel=1e-5)
    json.dumps(trained.summary)


def test_a_batch_in_chunks_has_the_gradient_of_the_whole_batch(names):
    corpus, config, _ = plan(str(names), quiet=True, given=settings(kind="plain", dropout=0.0))
    lengths_L = line_lengths(corpus.train)
    order_L, gradients = np.argsort(lengths_L, kind="stable"), []
    batch = batch_of(corpus.train, order_L[[0, 1, 2, -2, -1]], lengths_L, corpus.tokenizer.start_id)
    with torch_globals_restored():
        for chunks in (1, 2, 9):
            model = fresh_autoencoder(config, corpus)
            loss, _ = backward(model, LineLoss(model, 1), batch, [], chunks)
            parts = [torch.tensor([float(loss)]), *(p.grad.flatten() for p in model.parameters())]
            gradients.append(torch.cat(parts).double().numpy())
    for found in gradients[1:]:
        assert np.linalg.norm(found - gradients[0]) < 0.01 * np.linalg.norm(gradients[0]), "products may be in bfloat16"


def test_every_chunk_of_a_step_has_noise_of_its_own(names):
    corpus, config, _ = plan(str(names), quiet=True, given=settings(kind="denoising", delete=0.5, dropout=0.0))
    read = []
    with torch_globals_restored():
        model = fresh_autoencoder(config, corpus)
        model.posterior = lambda ids_BT, lengths_B: (
            read.append(lengths_B.tolist()) or Posterior(ids_BT[:, :4] * 0.0, None)
        )
        loss, batch = LineLoss(model, 1), batch_of(corpus.train, np.arange(8), line_lengths(corpus.train), 0)
        tensors = [torch.from_numpy(ids_BT) for ids_BT in batch]
        for step in (0, 0, 1):
            loss.begin(step, 0.0)
            loss.read(*tensors, [])
            loss.read(*tensors, [])
    assert read[:2] == read[2:4], "a step that is taken again"
    assert read[0] != read[1] != read[4] != read[0]


def test_the_divergence_can_rise_by_passes_instead_of_the_share_of_training(names, tmp_path):
    with torch_globals_restored():
        one = trainer(tmp_path / "run", names, settings(anneal_passes=0.5, beta=0.8, batch_size=32, steps=10))
        one.fit()
    assert [one.phases.weight(0.9, passes) for passes in (0.0, 0.25, 0.5, 3.0)] == [0.0, 0.4, 0.8, 0.8]
    tokens, every = one.position.tokens, len(one.corpus.train)
    last = one.run.metrics()[-1]["kl_weight"]
    assert 0 < last == pytest.approx(min(0.8, 0.8 * (tokens - one.reader.tokens_in(0)) / every / 0.5), rel=0.2)


def test_the_encoder_can_be_narrower_than_the_decoder(names):
    for bidirectional, units in ((True, 6), (False, 12)):
        own = plan(str(names), quiet=True, given=settings(bidirectional=bidirectional)).config.autoencoder
        assert own.encoder_dim == units, "both directions together are as wide as the decoder"
    corpus, config, _ = plan(str(names), quiet=True, given=settings(encoder_dim=5))
    model = fresh_autoencoder(config, corpus)
    assert {cell.hidden_dim for cell in model.encoder.cells} == {5}
    assert {cell.hidden_dim for cell in model.decoder.cells} == {12}
    assert model.encoder.head.in_features == 10


def test_a_plain_autoencoder_learns_to_write_its_lines_again(names, tmp_path):
    given = settings(kind="plain", hidden_dim=48, latent_dim=24, steps=250, lr=1e-2, dropout=0.0, evaluations=2)
    with torch_globals_restored():
        one = trainer(tmp_path / "run", names, given)
        lines = one.corpus.train
        before = LineScores.of(measure(one.model.eval(), lines, 0)).reconstruction
        one.fit()
    after = LineScores.of(measure(one.run.load_autoencoder(), lines, one.corpus.tokenizer.start_id))
    assert after.reconstruction < 0.25 * before
    assert after.kl is None
    assert "kl" not in after.to_json()


def test_likelihoods_do_not_depend_on_how_lines_are_batched(names, tmp_path, monkeypatch):
    with torch_globals_restored():
        one = trainer(tmp_path / "run", names, settings())
    model, valid, start_id = one.model.eval(), one.corpus.valid, one.corpus.tokenizer.start_id
    together = measure(model, valid, start_id)
    chosen = np.array([1, 4, 5])
    few = measure(model, valid, start_id, chosen)
    np.testing.assert_allclose(few.kl_L, together.kl_L[chosen], rtol=1e-4)
    numbers = [number for found, _ in batches_of(valid, start_id) for number in found.tolist()]
    assert sorted(numbers) == list(range(len(valid.documents)))
    found = likelihoods(model, valid, start_id, chosen, samples=50)
    monkeypatch.setattr("seqlab.autoencoders.figures.AT_ONCE", 40)
    np.testing.assert_allclose(likelihoods(model, valid, start_id, chosen, samples=50), found, rtol=1e-5)
    np.testing.assert_allclose(found, -together.nats_L[chosen], atol=2.0)


def test_every_line_is_read_once_a_pass_and_in_another_order_next_time(names):
    corpus, _, _ = plan(str(names), quiet=True, given=settings())
    reader, orders = BatchReader(corpus.train, 16, 0, seed=3), []
    for _ in range(2):
        seen, over = [], False
        while not over:
            seen += reader.chosen_B.tolist()
            batch = reader.read(reader.remaining)
            assert (batch.targets_BT >= 0).sum() == reader.tokens_in(0)
            over = reader.advance(reader.remaining)
        assert sorted(seen) == list(range(len(corpus.train.documents)))
        orders.append(seen)
    assert orders[0] != orders[1]
    assert reader.consumed == 2 * len(corpus.train)


def test_long_and_empty_lines_are_left_out():
    lines = lines_of([np.array([1, 2, 0]), np.array([0]), np.array([3] * 9 + [0]), np.array([4, 0])])
    short = short_lines(lines, 5)
    assert short[:].tolist() == [1, 2, 0, 4, 0]
    assert short.documents.tolist() == [0, 3]
    assert short.lines
    assert short_lines(short, 5) is short


def test_stacked_training_adds_a_layer_at_a_time_and_ends_with_all(names, tmp_path):
    with torch_globals_restored():
        one = trainer(tmp_path / "run", names, settings(layers=2, stacked=True))
    model, phases = one.model, one.phases
    lower, upper = (
        [*model.encoder.cells[:2], model.decoder.cells[0]],
        [*model.encoder.cells[2:], model.decoder.cells[1]],
    )

    def learns(parts):
        return {p.requires_grad for part in parts for p in part.parameters()}

    assert phases.enter(0.1, 0)
    assert (model.encoder.depth, model.decoder.cells[1].bypassed, learns(lower)) == (1, True, {True})
    assert not phases.enter(0.2, 1)
    assert phases.enter(0.4, 2), "another model: earlier validations do not compare"
    assert (model.encoder.depth, model.decoder.cells[1].bypassed) == (2, False)
    assert (learns(lower), learns(upper)) == ({False}, {True})
    assert phases.enter(0.7, 3)
    assert learns([*lower, *upper]) == {True}
    one.fit()
    assert AutoencoderRun.open(tmp_path / "run").load_autoencoder().encoder.depth == 2


def test_only_the_encoder_learns_in_inner_steps_until_information_stops_rising(names, tmp_path):
    with torch_globals_restored():
        one = trainer(tmp_path / "run", names, settings(inner_steps=2))
        decoder = {name: p.detach().clone() for name, p in one.model.decoder.named_parameters()}
        one.model.train()
        for inner in (True, True, False):
            encoder = one.model.encoder.head.weight.detach().clone()
            one.train_step()
            same = all(torch.equal(p, decoder[name]) for name, p in one.model.decoder.named_parameters())
            assert same == inner
            assert not torch.equal(one.model.encoder.head.weight, encoder)
    phases = one.phases
    for information, lagging in ((0.5, True), (0.7, True), (0.6, False), (0.9, False)):
        phases.observe({"mutual_information": information})
        assert phases.lagging == lagging


def test_pretraining_counts_no_divergence_and_then_renews_the_decoder(names, tmp_path):
    with torch_globals_restored():
        one = trainer(tmp_path / "run", names, settings(pretrain=0.5, anneal=0.5))
        one.fit()
    weights = [line["kl_weight"] for line in one.run.metrics()]
    steps = [line["step"] for line in one.run.metrics()]
    assert all((weight == 0) == (step <= 7) for weight, step in zip(weights, steps, strict=True)), (weights, steps)
    assert one.phases.renewed
    assert Phases(one.model, one.run.config).weight(1.0, 9.0) == 1.0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"bptt": 20}, "training.bptt: lines are read whole"),
        ({"counts": True}, "model.counts"),
        ({"lines": "no"}, "text.lines"),
        ({"softmax": "nce"}, "no likelihood"),
        ({"stacked": True}, "one layer only"),
        ({"layers": 2, "last_dim": 5, "stacked": True}, "one width"),
        ({"anneal": 0}, "no time to anneal"),
        ({"anneal_passes": 2, "annealing": "cyclical"}, "does not go with annealing = 'cyclical'"),
        ({"anneal_passes": 2, "pretrain": 0.2}, "does not go with autoencoder.pretrain"),
        ({"accumulate": 3}, "does not divide a batch of 16"),
        ({"max_length": 2}, "two are needed"),
        ({"latent_dim": 0}, "latent_dim"),
        ({"epochs": 1}, "epochs and steps"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(given, words, names, tmp_path):
    with pytest.raises(InputError, match=words):
        train_autoencoder(str(names), tmp_path / "run", quiet=True, given=settings(**given))
    assert not (tmp_path / "run").exists()


def test_a_run_of_another_text_or_setting_is_not_resumed(names, tmp_path):
    train_autoencoder(str(names), tmp_path / "run", quiet=True, given=settings())
    with pytest.raises(InputError, match="latent_dim"):
        train_autoencoder(str(names), tmp_path / "run", quiet=True, given=settings(latent_dim=5))
    longer = train_autoencoder(str(names), tmp_path / "run", quiet=True, given=settings(steps=15))
    assert longer.summary["steps"] == 15, "a larger budget goes on"
    more = train_autoencoder(str(names), tmp_path / "run", quiet=True, more=0.005)
    assert more.summary["steps"] > 15, "a finished run goes on for some time, with the settings it has"
    assert more.run.config.autoencoder.latent_dim == 4
    with pytest.raises(InputError, match="continues a finished run"):
        train_autoencoder(str(names), tmp_path / "nowhere", quiet=True, more=1.0)
    started = train_autoencoder(
        str(names), tmp_path / "other", quiet=True, given=settings(kind="plain", init=str(tmp_path / "run"))
    )
    assert started.summary["steps"] == 12
    with pytest.raises(InputError, match="layers of another kind or size"):
        train_autoencoder(
            str(names), tmp_path / "wider", quiet=True, given=settings(hidden_dim=13, init=str(tmp_path / "run"))
        )


def test_short_lists_of_several_words_a_line_are_read_by_pieces(names, tmp_path):
    titles = tmp_path / "titles.txt"
    words = names.read_text("utf-8").split()
    titles.write_text("".join(f"{a} {b}\n" for a, b in zip(words, words[1:], strict=False)), encoding="utf-8")
    pieces, characters = (plan(str(path), quiet=True) for path in (titles, names))
    assert (pieces.corpus.tokenizer.kind, characters.corpus.tokenizer.kind) == ("bpe", "char")
    assert (pieces.config.text.tokenizer, pieces.config.model.dropout, pieces.config.training.lr) == ("bpe", 0.4, 3e-3)
    assert (characters.config.model.dropout, characters.config.training.lr) == (0.2, 5e-3)
    assert ("preset short-list" in pieces.sentence, "preset characters" in characters.sentence) == (True, True)
    named = plan(str(titles), quiet=True, preset="penn-treebank", given={"training": {"steps": 9}})
    assert (named.config.text.tokenizer, named.config.autoencoder.anneal_passes) == ("whitespace", 10)
    assert (named.config.training.steps, named.config.training.epochs) == (9, None), "the budget is the person's"
    chosen = plan(str(titles), quiet=True, given={"text": {"tokenizer": "char"}, "model": {"dropout": 0.1}})
    assert (chosen.corpus.tokenizer.kind, chosen.config.model.dropout) == ("char", 0.1)


def test_a_baseline_is_trained_on_the_same_lines_for_as_long(names, tmp_path):
    given = settings(max_length=9)
    trained = train_autoencoder(str(names), tmp_path / "run", quiet=True, given=given, baseline=tmp_path / "lm")
    baseline = trained.summary["baseline"]
    assert baseline["steps"] == 12
    assert baseline["valid"]["tokens"] == trained.summary["valid"]["tokens"]
    found = seqlab.compare(tmp_path / "lm", tmp_path / "run", split="valid")
    exact, bound = found.models
    assert (exact["bound"], bound["bound"]) == ("exact", "at most")
    assert found.lines >= 10
    assert found.pairs[0].found.mean == pytest.approx(bound["nats_per_line"] - exact["nats_per_line"])
    assert found.to_json()["pairs"][0]["difference"] == found.pairs[0].found.mean
    assert "nats a line" in found.text()
    if found.lines == trained.summary["valid"]["lines"]:
        nats = exact["nats_per_line"] * found.lines / baseline["valid"]["tokens"]
        assert nats == pytest.approx(baseline["valid"]["nats_per_token"], rel=1e-4)


@pytest.mark.parametrize(
    ("kl", "information", "active", "named"),
    [(0.01, 0.0, 0, True), (8.0, 0.02, 0, True), (0.2, 0.05, 1, True), (4.0, 2.5, 12, False), (1.0, 0.6, 1, False)],
)
def test_collapse_is_named_by_what_the_points_say_not_by_the_divergence(kl, information, active, named):
    found = collapse(LineScores(100, 900, 20.0, 16, kl, -20.0 - kl, information, active))
    assert bool(found.findings) == named
    assert ("ignores the point" in found.brief()) == named
    if named:
        assert "free_bits" in found.brief()


@pytest.mark.parametrize(
    ("reconstruction", "loss", "named"),
    [(31.4, 3.85, False), (31.6, 3.08, False), (30.4, 2.47, True), (37.6, 2.01, True), (37.6, None, False)],
)
def test_lines_known_by_heart_are_named(reconstruction, loss, named):
    """30, 60, 120 and 376 passes over 2,000 headings."""
    scores = LineScores(195, 1_629, reconstruction, 32, 10.0, -reconstruction - 10.0, 5.0, 32)
    found = diagnose_lines(scores, loss)
    assert [one.name for one in found] == ["overfitting"] * named
    assert ("knows its training lines by heart" in found.brief()) == named


def test_a_run_that_knows_its_lines_by_heart_says_so(names, tmp_path):
    few = tmp_path / "few.txt"
    few.write_text("\n".join(names.read_text("utf-8").splitlines()[:40]) + "\n", encoding="utf-8")
    options = settings(kind="plain", steps=250, hidden_dim=32, lr=0.02)
    run, _, summary = train_autoencoder(str(few), tmp_path / "run", quiet=True, given=options)
    assert run.training_loss == pytest.approx(run.history.last["loss"], abs=0.3)
    assert [one.name for one in run.diagnosis] == [one["name"] for one in summary["diagnosis"]] == ["overfitting"]
    sampled = settings(steps=5, softmax="sampled", samples=8)
    assert train_autoencoder(str(few), tmp_path / "sampled", quiet=True, given=sampled).run.training_loss is None


def test_a_diverging_training_is_stopped(names, tmp_path, monkeypatch):
    monkeypatch.setattr(seqlab.training.loop, "SAVE_EVERY", 1e9)
    from seqlab.base.errors import SeqlabError

    with pytest.raises(SeqlabError, match="diverged"):
        train_autoencoder(
            str(names), tmp_path / "run", quiet=True, given=settings(optimizer="sgd", lr=1e8, clip=0.0, steps=40)
        )


@pytest.mark.parametrize(
    ("batch", "tokens", "streams"), [(128, 7.0, 14), (64, 23.2, 23), (32, 7.0, 8), (4, 7.0, 4), (16, 90.0, 16)]
)
def test_a_baseline_reads_as_many_tokens_in_an_update_not_as_many_windows(batch, tokens, streams):
    """A batch of 128 names was 128 windows of 64 characters: nine times as many tokens, and a ninth of the updates."""
    settings = baseline_settings(AutoencoderConfig().updated({"training.batch_size": batch}), tokens)
    assert (settings.training.batch_size, settings.training.bptt) == (streams, 64)
