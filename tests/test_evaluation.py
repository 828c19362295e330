"""Evaluation: exact scores in the order of the text, and every part against a readable reference in float64."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest
import torch

from seqlab import api
from seqlab.base.errors import InputError
from seqlab.config import ModelConfig
from seqlab.evaluation import (
    RULES,
    Adaptation,
    Addition,
    DynamicSettings,
    Evaluator,
    Scorer,
    dynamic_log_probs,
    evaluate_source,
    evaluator_of,
    negative_log_likelihood,
    read_text,
    run_corpus,
    score_text,
    write_token_scores,
)
from seqlab.evaluation.additions.dynamic import (
    DECAY_EVERY,
    EPSILON,
    AdaptingModel,
    Dynamic,
    training_rules,
    tune_dynamic,
)
from seqlab.evaluation.exact import read_sample
from seqlab.evaluation.sources import Text
from seqlab.models import LanguageModel
from seqlab.models.counts.mixture import fit_weights
from seqlab.models.interpolated import Members
from seqlab.nn import SOFTMAXES
from seqlab.run import Run
from seqlab.text import TokenFile

pytestmark = pytest.mark.usefixtures("short_searches")
VOCABULARY = 30


def small_model(**options) -> LanguageModel:
    torch.manual_seed(0)
    model = LanguageModel(ModelConfig(**{"embed_dim": 8, "hidden_dim": 8, **options}), VOCABULARY).double().eval()
    with torch.no_grad():
        model.output.bias.normal_()
    return model


def text_of(count: int, seed: int = 1) -> TokenFile:
    """Words come in runs, so that there is something to adapt to."""
    generator = np.random.default_rng(seed)
    topics = generator.integers(VOCABULARY, size=(count // 20 + 1, 5))
    return TokenFile.of([generator.choice(topics[place // 20]) for place in range(count)])


def ids_of(tokens: TokenFile) -> torch.Tensor:
    return torch.from_numpy(tokens[:].astype(np.int64))


@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_every_token_is_scored_once_in_the_order_of_the_text(softmax):
    options = {"cutoffs": [10, 20]} if softmax == "adaptive" else {}
    model, tokens = small_model(softmax=softmax, samples=10, **options), text_of(211)
    ids = ids_of(tokens)
    inputs = torch.cat([torch.tensor([3]), ids[:-1]])
    with torch.no_grad():
        hidden_1TD, _ = model.hidden(inputs[None], model.init_state(1))
        expected = model.output.log_probs(hidden_1TD[0]).gather(1, ids[:, None])[:, 0]
    scored = read_text(model, tokens, 3, streams=1, keep_hidden=True)
    np.testing.assert_allclose(scored.log_p_N, expected, rtol=1e-9)
    torch.testing.assert_close(scored.hidden_ND, hidden_1TD[0])
    log_p_NV = model.output.log_probs(hidden_1TD[0]).detach()
    text, ranks = Scorer(Members(model), 3).read_ranked(tokens)
    np.testing.assert_allclose(text.log_p_N, scored.log_p_N, rtol=1e-9)
    assert ranks.rank_N.tolist() == [1 + sum(row > row[id]).item() for row, id in zip(log_p_NV, ids, strict=True)]
    np.testing.assert_allclose(ranks.entropy_N, -(log_p_NV.exp() * log_p_NV).sum(1), rtol=1e-9)
    for streams in (2, 5, 300):
        borders = [b * 211 // min(streams, 211) for b in range(min(streams, 211) + 1)]
        scored = read_text(model, tokens, 3, streams=streams)
        parts = [
            model.log_prob(ids[a:b], start_id=int(ids[a - 1]) if a else 3)
            for a, b in zip(borders, borders[1:], strict=False)
        ]
        sums = [scored.log_p_N[a:b].sum() for a, b in zip(borders, borders[1:], strict=False)]
        np.testing.assert_allclose(sums, parts)


def test_the_sum_over_a_text_does_not_depend_on_the_window():
    model, tokens = small_model(), text_of(211)
    expected = -read_text(model, tokens, 3, streams=1).log_p_N.sum()
    for window in (1, 7, 211, 1000):
        nats, count = negative_log_likelihood(model, tokens, 3, streams=1, window=window)
        assert count == 211
        assert nats == pytest.approx(expected)
    nats, count = negative_log_likelihood(model, tokens, 3, streams=5)
    assert (nats, count) == (pytest.approx(-read_text(model, tokens, 3, streams=5).log_p_N.sum()), 211)
    assert negative_log_likelihood(model, tokens, 3, 1, limit=50)[1] == 50


def reference_dynamic(
    model: LanguageModel,
    tokens: TokenFile,
    start_id: int,
    settings: DynamicSettings,
    statistics: list[torch.Tensor] | None = None,
) -> np.ndarray:
    """The published rule word for word, on dense exact gradients; `statistics` are the mean squared gradients of
    another text, by default those of the text so far."""
    model = small_model(**model.config.model_dump())
    parameters = list(model.parameters())
    trained = [parameter.detach().clone() for parameter in parameters]
    squares = statistics or [torch.zeros_like(parameter) for parameter in parameters]
    ids = ids_of(tokens)
    inputs = torch.cat([torch.tensor([start_id]), ids[:-1]])
    state, found = model.init_state(1), []
    for step, start in enumerate(range(0, len(ids), settings.segment), start=1):
        part = slice(start, start + settings.segment)
        hidden_1TD, state = model.hidden(inputs[None, part], [tuple(p.detach() for p in cell) for cell in state])
        logits_TV = hidden_1TD[0] @ model.output.weight.T + model.output.bias[:, 0]
        log_p_T = logits_TV.log_softmax(1).gather(1, ids[part, None])[:, 0]
        found.append(log_p_T.detach())
        gradients = torch.autograd.grad(-log_p_T.mean(), parameters)
        with torch.no_grad():
            for parameter, gradient, mean, at_first in zip(parameters, gradients, squares, trained, strict=True):
                if statistics is None:
                    mean.mul_((step - 1) / step).add_(gradient**2 / step)
                scale = mean.sqrt() + EPSILON if settings.rule == "rms" else 1.0
                parameter -= settings.lr * gradient / scale
                if step % DECAY_EVERY == 0:
                    rms = mean.sqrt() if settings.rule == "rms" else torch.ones_like(mean)
                    share = (DECAY_EVERY * settings.decay * rms / rms.mean()).clamp(max=1.0)
                    parameter += share * (at_first - parameter)
    return torch.cat(found).numpy()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("softmax", ["full", "sampled", "nce"])
def test_dynamic_evaluation_is_the_published_rule(rule, softmax):
    model, tokens = small_model(softmax=softmax, samples=10), text_of(203)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    settings = DynamicSettings(rule, lr=0.01 if rule == "rms" else 0.5, decay=0.004, segment=7)
    found = dynamic_log_probs(model, tokens, 3, settings)
    np.testing.assert_allclose(found, reference_dynamic(model, tokens, 3, settings), rtol=1e-7)
    still = dynamic_log_probs(model, tokens, 3, DynamicSettings(rule, lr=0.0, segment=7))
    np.testing.assert_allclose(still, read_text(model, tokens, 3, streams=1).log_p_N, rtol=1e-7)
    assert found.sum() > still.sum()
    assert not any(parameter.grad is not None for parameter in model.parameters())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_the_size_of_gradients_can_come_from_the_training_text():
    model, tokens, training = small_model(), text_of(150), text_of(84, seed=5)
    settings = DynamicSettings("rms", lr=0.01, decay=0.004, segment=7)
    ids, state = ids_of(training), model.init_state(1)
    inputs, squares = torch.cat([torch.tensor([3]), ids[:-1]]), [torch.zeros_like(one) for one in model.parameters()]
    for start in range(0, 84, 7):
        part = slice(start, start + 7)
        hidden_1TD, state = model.hidden(inputs[None, part], [tuple(p.detach() for p in cell) for cell in state])
        loss = torch.nn.functional.cross_entropy(model.output.logits(hidden_1TD[0]), ids[part])
        for mean, gradient in zip(squares, torch.autograd.grad(loss, list(model.parameters())), strict=True):
            mean += gradient**2 / 12
    rules = training_rules(model, training, 3, settings)
    for rule, mean in zip(rules, squares, strict=True):
        torch.testing.assert_close(rule.squares / rule.steps, mean)
    found = dynamic_log_probs(model, tokens, 3, settings, rules)
    np.testing.assert_allclose(found, reference_dynamic(model, tokens, 3, settings, squares), rtol=1e-7)
    again = dynamic_log_probs(model, tokens, 3, settings, rules)
    assert np.array_equal(found, again)


@pytest.mark.parametrize("rule", RULES)
def test_sparse_steps_are_the_dense_ones_of_the_same_noise(rule, monkeypatch):
    model, tokens = small_model(softmax="sampled"), text_of(120)
    settings = DynamicSettings(rule, lr=0.01, segment=6, samples=8)
    found = dynamic_log_probs(model, tokens, 3, settings)

    def dense_step(self):
        for parameter, one in zip(self.parameters, self.rules, strict=True):
            gradient = parameter.grad.to_dense() if parameter.grad.is_sparse else parameter.grad
            one.observe(None, gradient)
            parameter.data -= self.settings.lr * one.direction(None, gradient)
            parameter.grad = None

    monkeypatch.setattr(AdaptingModel, "_step", dense_step)
    np.testing.assert_allclose(found, dynamic_log_probs(model, tokens, 3, settings), rtol=1e-9)


@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_no_score_depends_on_later_tokens(softmax):
    options = {"cutoffs": [10, 20]} if softmax == "adaptive" else {}
    model, one = small_model(softmax=softmax, samples=10, dropout=0.3, **options).float(), text_of(200)
    other = TokenFile.of(np.concatenate([one[:117], text_of(200, seed=9)[117:]]))
    assert not np.array_equal(one[:], other[:])
    network = Scorer(Members(model), 3)
    part = Dynamic(network)
    part.settings = DynamicSettings("rms", 0.02, 0.01, segment=9, samples=12)
    first, second = (part.log_probs(network.read(tokens)) for tokens in (one, other))
    assert np.array_equal(first[:117], second[:117])
    assert not np.array_equal(first, second)


def test_dynamic_evaluation_reports_what_it_tuned():
    model, tokens = small_model(), text_of(400)
    best = tune_dynamic(model, tokens, 3, "sgd", decays=(0.01,), segment=8)
    rates = {best.lr * factor: DynamicSettings("sgd", best.lr * factor, best.decay, 8) for factor in (0.5, 1.0, 2.0)}
    likelihoods = {rate: dynamic_log_probs(model, tokens, 3, one).mean() for rate, one in rates.items()}
    assert max(likelihoods, key=likelihoods.get) == best.lr
    with pytest.raises(InputError, match="rms, sgd"):
        Dynamic(Scorer(Members(model), 3), "adam")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two runs of one corpus, one of another; texts beside them."""
    folder = tmp_path_factory.mktemp("evaluation")
    generator = random.Random(0)

    def write(name, lines):
        nouns, verbs = [f"noun{i}" for i in range(25)], [f"verb{i}" for i in range(10)]
        text = [f"the {generator.choice(nouns)} {generator.choice(verbs)} a {generator.choice(nouns)} ."] * 2
        for _ in range(lines):
            topic = generator.sample(nouns, 3)
            text += [f"the {generator.choice(topic)} {generator.choice(verbs)} a {generator.choice(topic)} ."] * 2
        (folder / name).write_text("\n".join(text) + "\n")
        return folder / name

    write("train.txt", 500)
    corpus = api.prepare(
        folder / "train.txt",
        folder / "corpus",
        valid=write("valid.txt", 200),
        test=write("test.txt", 150),
        tokenizer="whitespace",
        quiet=True,
    )
    options = {"steps": 120, "embed_dim": 16, "hidden_dim": 16, "layers": 1, "batch_size": 8, "bptt": 16, "quiet": True}
    for name, more in {"run": {"dropout": 0.2, "softmax": "sampled", "samples": 8}, "second": {"dropout": 0.0}}.items():
        api.train_language_model(corpus, folder / name, lr=0.02, **options, **more)
    other = api.prepare(folder / "valid.txt", folder / "other corpus", tokenizer="char", quiet=True)
    api.train_language_model(other, folder / "other", **{**options, "steps": 5})
    return folder


@pytest.fixture(scope="module")
def everything(home):
    lm = api.load_language_model(home / "run")
    evaluator = lm.evaluator(ensemble=[home / "second"], dynamic=True)
    return lm, evaluator, evaluator.evaluate_tokens(run_corpus(lm.run).test)


def test_every_variant_is_reported_with_what_was_tuned(home, everything):
    lm, _, (report, log_p_N, parts, _) = everything
    plain = lm.evaluate().to_json()
    rows, members = ["static", "dynamic", "ensemble", "mixture"], ["network", "counts", "weights"]
    assert [name for name, value in report.items() if isinstance(value, dict)] == [*members, *rows, "tuned_on"]
    for name, value in plain.items():
        assert report[name] == pytest.approx(value)
    assert plain["perplexity"] < min(plain["network"]["perplexity"], plain["counts"]["perplexity"])
    for row in rows:
        nats = math.log(report[row]["perplexity"])
        assert nats == pytest.approx(report[row]["nats_per_token"])
        assert report[row]["change"] == pytest.approx(100 * (report[row]["perplexity"] / plain["perplexity"] - 1))
    for row in ("ensemble", "mixture"):
        weights = report[row]["weights"]
        assert sum(weights.values()) == pytest.approx(1.0)
    assert list(report["ensemble"]["weights"]) == ["static", str(home / "second")]
    assert [*report["mixture"]["weights"], "network", "counts"] == list(parts)
    assert report["mixture"]["perplexity"] < min(report[row]["perplexity"] for row in rows[:-1]) * 1.02
    assert {"rule", "lr", "decay", "segment", "tuning_tokens"} <= report["dynamic"].keys()
    assert report["dynamic"]["statistics"] == "of the training text"
    assert report["tuned_on"] == {"text": "the run's own valid split", "tokens": len(run_corpus(lm.run).valid)}
    assert -log_p_N.mean() == pytest.approx(report["mixture"]["nats_per_token"])
    weights = np.array(list(report["mixture"]["weights"].values()))
    mixed = np.log(np.exp(np.stack(list(parts.values())[:-2], axis=1)) @ weights)
    np.testing.assert_allclose(mixed, log_p_N, rtol=1e-9)


def test_weights_come_from_the_validation_text_alone(everything):
    lm, evaluator, (report, *_) = everything
    valid = run_corpus(lm.run).valid
    passage = evaluator.scorer.read(valid)
    columns = [passage.log_p_N, *(part.log_probs(passage) for part in evaluator.additions)]
    columns[1] = passage.shares.mixed_with(columns[1])
    expected = fit_weights(np.stack(columns, axis=1))
    np.testing.assert_allclose(list(report["mixture"]["weights"].values()), expected, atol=1e-6)


def test_evaluation_leaves_run_and_model_alone(home, everything):
    lm, evaluator, _ = everything
    fresh = Run.open(home / "run").load_model()
    for (name, ours), theirs in zip(lm.model.state_dict().items(), fresh.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name
    assert not lm.model.training
    again = evaluator.evaluate_tokens(run_corpus(lm.run).test)
    assert again.report == everything[2].report


def test_without_a_text_to_tune_on_probabilities_are_averaged(home):
    run = Run.open(home / "run")
    run.record["corpus"]["path"] = str(home / "gone")
    model = run.load_members()
    evaluator = evaluator_of(run, model, Adaptation(ensemble=[home / "second"]))
    report, log_p_N, parts, _ = evaluator.evaluate_tokens(run_corpus(Run.open(home / "run")).test)
    np.testing.assert_allclose(log_p_N, np.log(np.exp(list(parts.values())[:-2]).mean(0)), rtol=1e-9)
    assert report["ensemble"]["weights"] == {"static": 0.5, str(home / "second"): 0.5}
    assert "tuned_on" not in report
    with pytest.raises(InputError, match="no longer there"):
        evaluator_of(run, model, Adaptation(dynamic=True)).tuned  # noqa: B018
    given = evaluator_of(run, model, Adaptation(dynamic="sgd"), valid=home / "valid.txt")
    own = evaluator_of(Run.open(home / "run"), model, Adaptation(dynamic="sgd"))
    test = run_corpus(Run.open(home / "run")).test
    assert given.evaluate(test)["dynamic"] == own.evaluate(test)["dynamic"]


def test_refusals_are_one_sentence(home, everything):
    lm = everything[0]
    with pytest.raises(InputError, match="the one to tune on"):
        lm.evaluate(split="valid", dynamic=True)
    with pytest.raises(InputError, match="the one to tune on"):
        lm.evaluate(home / "valid.txt", dynamic=True)
    with pytest.raises(InputError, match="is the run itself"):
        lm.evaluate(ensemble=[home / "second" / ".." / "run"])
    with pytest.raises(InputError, match="tokenizer differs"):
        lm.evaluate(ensemble=[home / "other"])
    with pytest.raises(InputError, match="Did you mean 'dynamic'"):
        lm.evaluate(dynamics=True)
    with pytest.raises(InputError, match="no test split"):
        api.load_language_model(home / "other").evaluate(split="test")


def test_scores_of_single_tokens(home, everything, tmp_path):
    lm, _, evaluation = everything
    test = run_corpus(lm.run).test
    write_token_scores(tmp_path / "t.jsonl", test, lm.tokenizer, evaluation)
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [line["position"] for line in lines] == list(range(len(test)))
    assert [line["id"] for line in lines] == test[:].tolist()
    assert [line["token"] for line in lines[:4]] == (home / "test.txt").read_text().split()[:4]
    assert sum(line["log_prob"] for line in lines) == pytest.approx(evaluation.log_p_N.sum())
    assert list(lines[0]["parts"]) == list(evaluation.additions)
    for name, log_p_N in evaluation.additions.items():
        assert [line["parts"][name] for line in lines] == pytest.approx(log_p_N.tolist())
    lm.evaluate(home / "test.txt", token_scores=tmp_path / "plain.jsonl")
    first = json.loads((tmp_path / "plain.jsonl").read_text().splitlines()[0])
    assert first.keys() == {"position", "id", "token", "log_prob", "rank", "entropy", "parts"}
    assert first["parts"].keys() == {"static", "network", "counts"}
    assert first["rank"] >= 1
    assert 0.0 < first["entropy"] < math.log(len(lm.tokenizer.vocab))
    assert (
        list(tmp_path.iterdir()) == [tmp_path / "plain.jsonl", tmp_path / "t.jsonl"]
        or len(list(tmp_path.iterdir())) == 2
    )


def test_scores_of_tokens_do_not_replace_the_text(home, everything, tmp_path):
    (tmp_path / "text.txt").write_bytes((home / "test.txt").read_bytes())
    with pytest.raises(InputError, match=r"text\.txt: is read too, and would be lost"):
        everything[0].evaluate(tmp_path / "text.txt", token_scores=tmp_path / "text.txt")
    assert (tmp_path / "text.txt").read_bytes() == (home / "test.txt").read_bytes()


def test_a_part_of_ones_own_needs_no_other_change():
    """The uniform distribution beside a network."""

    class Uniform(Addition):
        name = row = "uniform"

        def log_probs(self, passage):
            return np.full(len(passage.tokens), -math.log(VOCABULARY))

    model = small_model()
    tokens = text_of(100)
    tokens.counts = type(tokens.counts)(100, 400, 400, 100, 1, 0, VOCABULARY, "")
    found = Evaluator(Scorer(Members(model), 3), [Uniform()], Text(text_of(200, seed=4), "another")).evaluate(tokens)
    assert found["uniform"]["weights"].keys() == {"static", "uniform"}
    assert found["tuned_on"] == {"text": "another", "tokens": 200}


@pytest.mark.parametrize(
    ("made", "refused"),
    [
        (lambda valid, text: valid[3:], True),
        (lambda valid, text: text + valid[1500:2200], True),
        (lambda valid, text: text + text + valid[:100], False),
        (lambda valid, text: text + valid[:70] * 30, False),
        (lambda valid, text: text, False),
    ],
)
def test_a_text_that_shares_much_with_the_tuning_text_is_refused(home, made, refused):
    valid, text = ((home / name).read_text().split(" ") for name in ("valid.txt", "test.txt"))
    wanted = home / "shared.txt"
    wanted.write_text(" ".join(made(valid, text)))
    lm = api.load_language_model(home / "run")
    if refused:
        with pytest.raises(InputError, match="in common with the one to tune on"):
            lm.evaluate(wanted, dynamic="sgd")
        with pytest.raises(InputError, match="in common with the one to tune on"):
            lm.with_cache().evaluate(wanted)
    else:
        assert lm.with_cache().evaluate(wanted).to_json()["weights"]["cache"] > 0


def test_a_tuning_text_of_a_few_tokens_is_refused(home, tmp_path):
    run = Run.open(home / "run")
    model = run.load_members()
    (tmp_path / "short.txt").write_text("the noun1 verb1 a noun2 .\n" * 7)
    with pytest.raises(InputError, match="only 49 tokens, fewer than 50"):
        evaluator_of(run, model, Adaptation(dynamic=True), valid=tmp_path / "short.txt")


def test_parts_state_what_they_were_given(home):
    network = Scorer(Members(small_model()), 3)
    assert Dynamic(network, "sgd", seed=4).fixed() == {"rule": "sgd", "segment": 20, "samples": 1024, "seed": 4}


def test_members_by_themselves_are_scored_as_sections_of_the_whole(home):
    lm = api.load_language_model(home / "run")
    whole = lm.evaluate().to_json()
    for member in ("network", "counts"):
        alone = lm.only(member).evaluate().to_json()
        assert alone == pytest.approx(whole[member])
    assert lm.only("network").score("the noun1 verb1").log_prob != lm.score("the noun1 verb1").log_prob
    assert sum(whole["weights"].values()) == pytest.approx(1.0)
    with pytest.raises(InputError, match="need the network"):
        lm.only("counts").evaluate(dynamic=True)
    with pytest.raises(InputError, match="only"):
        lm.only("cache")


@pytest.mark.parametrize("member", [None, "network", "counts"])
def test_rank_and_entropy_are_those_of_the_model_that_scores(home, member):
    lm = api.load_language_model(home / "run")
    lm = lm.only(member) if member else lm
    scored = lm.score("the noun1 verb1 a noun2 .")
    model, ids = lm.members.model(), torch.tensor([[lm.tokenizer.start_id, *(one.id for one in scored.tokens)]])
    with torch.inference_mode():
        prefixes = [model.prefill(ids[:, :end], model.init_state(1))[0] for end in range(1, ids.shape[1] + 1)]
        log_p_TV = torch.cat(prefixes).double().log_softmax(-1)
    for one, log_p_V in zip(scored.tokens, log_p_TV, strict=False):
        assert one.log_prob == pytest.approx(float(log_p_V[one.id]), abs=1e-4)
        assert one.entropy == pytest.approx(-float((log_p_V.exp() * log_p_V).sum()), abs=1e-4)
        assert one.rank == int((log_p_V > log_p_V[one.id]).sum()) + 1


def test_a_sample_of_a_text_is_spread_over_it_and_read_with_what_stands_before():
    model, tokens = small_model(), text_of(2000)
    every = read_text(model, tokens, 3, streams=1).log_p_N
    places, scored = read_sample(model, tokens, 3, 640)
    assert len(places) == len(np.unique(places)) == 640
    assert places[0] == 0
    assert places[-1] == 1999
    assert np.diff(places).max() < 200
    np.testing.assert_allclose(scored.log_p_N, every[places], rtol=0, atol=1e-3)
    assert np.abs(scored.log_p_N[:64] - every[:64]).max() < 1e-9
    places, scored = read_sample(model, tokens, 3, 5000)
    np.testing.assert_array_equal(places, np.arange(2000))
    np.testing.assert_allclose(scored.log_p_N, every, rtol=0, atol=1e-3)


def test_scores_say_what_was_scored_and_print_like_json(home):
    lm = api.load_language_model(home / "run")
    scores = evaluate_source(lm.run, lm.evaluator())
    assert (scores.split, scores.text_name) == ("test", "test")
    assert scores.to_json() == lm.evaluate().to_json()
    assert scores.perplexity == pytest.approx(math.exp(scores.nats_per_token))
    expected = f"perplexity {scores.perplexity:.4g} · {scores.bits_per_char:.3g} bits per character"
    assert repr(scores) == f"Scores(test: {expected} · {scores.tokens:,} tokens)"
    assert [row[0] for row in scores.table().rows] == ["together", "network", "counts"]
    assert "bits per char" in scores.text()
    assert "<table>" in scores._repr_html_()
    named = evaluate_source(lm.run, lm.evaluator(dynamic="sgd"), split="valid", text=home / "test.txt")
    assert (named.split, named.text_name) == (None, str(home / "test.txt"))
    assert list(named.sections) == ["network", "counts", "static", "dynamic"]
    assert named.sections["dynamic"].perplexity == named.values["dynamic"]["perplexity"]
    assert "tuned on" in named.text()


def test_without_a_test_split_the_validation_split_is_scored_and_named(home, tmp_path):
    corpus = api.prepare(home / "train.txt", tmp_path / "corpus", tokenizer="whitespace")
    lm = api.train_language_model(corpus, tmp_path / "run", steps=2, quiet=True, hidden_dim=8, embed_dim=8)
    scores = evaluate_source(lm.run, lm.evaluator())
    assert (scores.split, scores.to_json()) == ("valid", lm.evaluate(split="valid").to_json())


@pytest.mark.parametrize("options", [{}, {"input": "characters"}])
def test_a_text_is_scored_token_by_token(home, tmp_path, options):
    corpus = api.prepare(home / "train.txt", tmp_path / "corpus", tokenizer="whitespace")
    sizes = {"steps": 2, "quiet": True, "hidden_dim": 8, "embed_dim": 8}
    lm = api.train_language_model(corpus, tmp_path / "run", **sizes, **options)
    text = " ".join([*corpus.tokenizer.decode(corpus.valid[:12]).split(), "neverseen"])
    score = score_text(lm.members, lm.tokenizer, text)
    assert score.log_prob == pytest.approx(lm.log_prob(text), rel=1e-5)
    count = len(lm.tokenizer.encode(text))
    assert len(score.tokens) == count
    assert "".join(one.text for one in score.tokens) == lm.tokenizer.decode(lm.tokenizer.encode(text))
    assert all(one.rank >= 1 and one.entropy > 0 for one in score.tokens)
    assert score.to_json()["perplexity"] == pytest.approx(math.exp(-score.log_prob / count))
    assert score.table().headers == ("token", "id", "log_prob", "rank", "entropy")
    assert score._repr_html_().count("<span") == count
    with pytest.raises(InputError, match="is empty"):
        score_text(lm.model, lm.tokenizer, "")
    with pytest.raises(InputError, match="text: must be one text, not list"):
        score_text(lm.model, lm.tokenizer, ["one", "two"])
