"""The parts of the training loop: gradients of a batch, budgets, validation, metrics, weights of another run."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqlab import api
from seqlab.config import LanguageModelConfig, ModelConfig, TrainingConfig
from seqlab.errors import InputError
from seqlab.evaluation import negative_log_likelihood
from seqlab.models import LanguageModel
from seqlab.run import Run
from seqlab.text import TokenFile
from seqlab.text.batches import StreamReader
from seqlab.training import Optimizer, check
from seqlab.training.averages import AVERAGES
from seqlab.training.metrics import Activity, part_of
from seqlab.training.step import backward, bptt_length, spread
from seqlab.training.validation import Validator, flops_per_token

TINY = {"embed_dim": 12, "hidden_dim": 12, "layers": 2, "batch_size": 4, "bptt": 16, "quiet": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("parts")


@pytest.fixture(scope="module")
def words(folder):
    return corpus_of(folder, "one", range(20))


def corpus_of(folder, name, nouns):
    generator = random.Random(name)
    nouns = [f"noun{i}" for i in nouns]
    lines = [f"the {generator.choice(nouns)} sees a {generator.choice(nouns)} ." for _ in range(900)]
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return api.prepare(folder / f"{name}.txt", folder / name, tokenizer="whitespace")


def random_model(vocab=20, **options):
    torch.manual_seed(0)
    return LanguageModel(ModelConfig(**{"embed_dim": 8, "hidden_dim": 8, "layers": 2, **options}), vocab)


def gradients(model):
    return {n: (p.grad.to_dense() if p.grad.is_sparse else p.grad).clone() for n, p in model.named_parameters()}


@pytest.mark.parametrize("softmax", ["full", "sampled"])
@pytest.mark.parametrize("parts", [2, 3, 6])
def test_accumulated_parts_equal_the_whole_batch(softmax, parts):
    model = random_model(vocab=50, softmax=softmax, samples=10, cell_precision="float32")
    reader = StreamReader(TokenFile.of(np.random.default_rng(0).integers(0, 50, 300)), 6, 0)
    batch, state = reader.read(9), model.init_state(6)
    noise = model.output.get_state()
    whole_loss, whole_state = backward(model, batch, state)
    whole = gradients(model)
    model.zero_grad()
    after = model.output.get_state()
    model.output.set_state(noise)
    loss, new_state = backward(model, batch, state, parts)
    torch.testing.assert_close(loss, whole_loss)
    assert model.output.get_state() == after
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, whole[name], atol=1e-6, rtol=1e-4)
    for ours, theirs in zip(new_state, whole_state, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_reset_at_documents_reads_every_document_as_if_it_stood_alone(cell):
    """Token by token exact: the losses of a text in windows sum to those of its documents read one by one."""
    model = random_model(cell=cell).double().eval()
    ids = np.random.default_rng(1).integers(0, 20, 120)
    borders = [0, 3, 4, 31, 59, 60, 97]
    tokens = TokenFile([ids], np.array(borders), TokenFile.of(ids).counts)
    start_id, expected = 5, 0.0
    for begin, end in zip(borders, [*borders[1:], len(ids)], strict=True):
        expected -= model.log_prob(torch.from_numpy(ids[begin:end]), start_id)
    reader, total, state = StreamReader(tokens, 1, start_id), 0.0, model.init_state(1)
    for _ in range(12):
        fresh_BT = reader.document_starts(10)
        batch = reader.read(10)
        batch.inputs_BT[fresh_BT] = start_id
        loss, state = model.loss(*map(torch.from_numpy, batch), state, fresh_BT)
        total += 10 * float(loss.detach())
        reader.advance(10)
    assert total == pytest.approx(expected)


def test_no_gradient_crosses_a_document_border_and_other_streams_are_untouched():
    model = random_model()
    inputs_BT, targets_BT = torch.randint(0, 20, (2, 3, 8)).unbind(0)
    fresh_BT = np.zeros((3, 8), bool)
    fresh_BT[1, 4] = True
    state = [tuple(torch.randn_like(part) for part in cell) for cell in model.init_state(3)]
    _, carried = model.loss(inputs_BT, targets_BT, state, fresh_BT)
    _, plain = model.loss(inputs_BT, targets_BT, state)
    _, late = model.loss(inputs_BT[1:2, 4:], targets_BT[1:2, 4:], model.init_state(1))
    for ours, theirs, alone in zip(carried, plain, late, strict=True):
        for part, other, short in zip(ours, theirs, alone, strict=True):
            torch.testing.assert_close(part[[0, 2]], other[[0, 2]])
            torch.testing.assert_close(part[1], short[0])


def test_streams_cut_in_pieces_keep_the_state_of_the_first():
    model = random_model()
    state = [tuple(torch.randn_like(part) for part in cell) for cell in model.init_state(2)]
    for old, new in zip(state, spread(state, model.init_state(6)), strict=True):
        for before, after in zip(old, new, strict=True):
            assert torch.equal(after[[0, 3]], before)
            assert not after[[1, 2, 4, 5]].any()


def test_random_windows_are_a_function_of_seed_and_step():
    lengths = np.array([bptt_length(70, 1, step) for step in range(4000)])
    assert (lengths == [bptt_length(70, 1, step) for step in range(4000)]).all()
    assert (lengths != [bptt_length(70, 2, step) for step in range(4000)]).any()
    long = lengths > 52
    assert long.mean() == pytest.approx(0.95, abs=0.015)
    assert lengths[long].mean() == pytest.approx(70, abs=0.5)
    assert lengths[long].std() == pytest.approx(5, abs=0.3)
    assert lengths[~long].mean() == pytest.approx(35, abs=1)
    assert (lengths >= 5).all()
    assert (lengths <= 90).all()
    assert all(1 <= bptt_length(2, 1, step) <= 22 for step in range(200))


def test_random_windows_scale_the_rate_and_count_their_tokens(words, tmp_path, monkeypatch):
    rates, step = [], Optimizer.step

    def spy(self, lr):
        rates.append(lr)
        step(self, lr)

    monkeypatch.setattr(Optimizer, "step", spy)
    options = {"random_bptt": True, "steps": 30, "schedule": "constant", "warmup": 0.0, "lr": 0.01, "log_lines": 30}
    lm = api.train_language_model(words, tmp_path / "run", **TINY, **options)
    lines = lm.run.metrics()
    widths = np.diff([0, *(line["tokens"] for line in lines)]) / TINY["batch_size"]
    assert len(set(widths)) > 5
    assert rates == pytest.approx(0.01 * widths / TINY["bptt"])
    assert lm.summary["tokens"] == lines[-1]["tokens"]


def test_a_growing_batch_scales_the_rate_and_passes_by_every_token(words, tmp_path):
    options = {"batch_schedule": [[0.0, 2], [0.5, 4]], "batch_scaling": "linear", "epochs": 1, "schedule": "constant"}
    lm = api.train_language_model(words, tmp_path / "run", **TINY, **options, warmup=0.0, lr=0.008)
    sizes = {line["batch_size"]: line["lr"] for line in reversed(lm.run.metrics())}  # of each size the first line
    assert sizes == {2: pytest.approx(0.004), 4: pytest.approx(0.008)}
    assert len(words.train) - 12 <= lm.summary["tokens"] <= len(words.train)


@pytest.mark.parametrize(("softmax", "share"), [("full", 0.05), ("sampled", 0.5), ("full", 1e-9), ("full", 1e9)])
def test_validation_takes_its_share_of_the_arithmetic(softmax, share):
    model = random_model(vocab=500, softmax=softmax, samples=16)
    ids = np.random.default_rng(0).integers(0, 500, 40_000)
    corpus = SimpleNamespace(valid=TokenFile.of(ids), tokenizer=SimpleNamespace(start_id=0))
    optimizer = Optimizer(model, TrainingConfig())
    training, evaluation = flops_per_token(model)
    weights = sum(p.numel() for n, p in model.cells.named_parameters() if "weight" in n)
    assert evaluation == 2 * (weights + 8 * 500)
    assert training == 6 * (weights + 8 * (500 if softmax == "full" else 16))
    for name, models in (("none", 1), ("ema", 2)):
        average = AVERAGES[name](optimizer, TrainingConfig())
        tokens = Validator(model, corpus, average, share).choose_tokens(100_000)
        if share in (0.05, 0.5):
            assert tokens * models * evaluation == pytest.approx(share * 100_000 * training, rel=1e-3)
        else:
            assert tokens == (5_000 if share < 1 else 40_000)


def test_the_weights_kept_are_those_of_the_best_validation(words, tmp_path):
    """Live or averaged, what lies in the run is what gave the lowest validation loss."""
    options = {"steps": 120, "average": "ema", "average_decay": 0.98, "lr": 0.05, "schedule": "constant"}
    lm = api.train_language_model(words, tmp_path / "run", **TINY, **options)
    lines = [line for line in lm.run.metrics() if "valid_loss" in line]
    for line in lines:
        assert line["valid_loss"] == min(line["live_valid_loss"], line["average_valid_loss"])
    best = min(lines, key=lambda line: line["valid_loss"])
    assert best["average_valid_loss"] < best["live_valid_loss"]
    _, values = lm.run.load_state()
    tokens = values["position"]["valid_tokens"]
    start_id = words.tokenizer.start_id
    nats, count = negative_log_likelihood(lm.model, words.valid, start_id, max(1, min(32, tokens // 1000)), tokens)
    assert nats / count == pytest.approx(best["valid_loss"], rel=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn-tanh", "rnn-relu"])
def test_metrics_show_gradients_and_units_by_part(words, tmp_path, cell):
    lm = api.train_language_model(words, tmp_path / "run", **TINY, steps=12, cell=cell, clip_value=1e-3, l2=1e-4)
    line = lm.run.metrics()[0]
    assert line["grad_norms"].keys() == {"embedding", "cell1", "cell2", "output"}
    joint = np.sqrt(sum(norm**2 for norm in line["grad_norms"].values()))
    assert line["grad_norm"] == pytest.approx(joint, rel=1e-4)
    assert 0 < line["clipped_values"] < 1
    assert line["penalty"] > 0
    assert ("dead" if cell == "rnn-relu" else "saturated") in line
    gates = {"lstm": {"cell1 forget", "cell2 output"}, "gru": {"cell1 reset", "cell2 update"}}
    assert gates.get(cell, set()) <= line.get("saturated", {}).keys()


def test_the_normalisation_error_of_nce_is_reported(words, tmp_path):
    options = {"steps": 30, "lr": 0.02, "evaluations": 3, "softmax": "nce", "samples": 8}
    lm = api.train_language_model(words, tmp_path / "run", **TINY, **options)
    errors = [line["log_normalizer"] for line in lm.run.metrics() if "valid_loss" in line]
    assert len(errors) == 3
    assert all(abs(error["mean"]) < 2 and error["std"] > 0 for error in errors)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_saturated_gates_equal_the_cell_equations(cell):
    model = random_model(cell=cell, layers=1)
    layer = model.cells[0]
    with torch.no_grad():
        layer.weight("weight_ih").mul_(30)
    activity = Activity(model)
    activity.watching = True
    tokens = torch.randint(0, 20, (3, 11))
    with activity.hooked():
        model.hidden(tokens, model.init_state(3))
    shares = activity.line()["saturated"]
    seen, state = [], model.init_state(3)[0]
    x_BTD = model.embedding[tokens]
    for t in range(11):
        from_input, from_state = layer._affine(x_BTD[:, t], state[0])
        seen.append(torch.sigmoid(from_input + from_state).chunk(4 if cell == "lstm" else 3, dim=1)[1])
        _, state = layer.equations(x_BTD[:, t], state)
    gate = torch.stack(seen)
    expected = ((gate < 0.01) | (gate > 0.99)).float().mean()
    assert 0 < float(expected) < 1
    assert shares["cell1 forget" if cell == "lstm" else "cell1 update"] == pytest.approx(float(expected), abs=0.01)


def test_dead_rectifiers_are_counted_over_all_windows_since_the_last_line():
    model = random_model(cell="rnn-relu", layers=1)
    activity = Activity(model)
    with torch.no_grad():
        model.cells[0].weight("bias_ih")[:3] = -1e3
    with activity.hooked():
        for _ in range(4):
            model.hidden(torch.randint(0, 20, (4, 30)), model.init_state(4))
    assert activity.line()["dead"]["cell1"] == pytest.approx(3 / 8)
    assert "dead" in activity.line()
    assert part_of("cells.1.layer.weight_ih_l0") == "cell2"


def test_a_run_starts_another_with_another_vocabulary(words, folder, tmp_path):
    other = corpus_of(folder, "two", range(10, 40))
    first = api.train_language_model(words, tmp_path / "first", **TINY, steps=80, lr=0.03, dropout=0.0)
    start = {"init": str(tmp_path / "first"), "steps": 1, "lr": 1e-9, "batch_size": 4, "bptt": 16, "quiet": True}
    for name, corpus in (("same", words), ("other", other)):
        second = api.train_language_model(corpus, tmp_path / name, **start)
        assert second.run.config.model == first.run.config.model
        vocab, theirs = corpus.tokenizer.vocab, words.tokenizer.vocab
        shared = [word for word in vocab.itos if word in theirs.stoi]
        assert len(shared) == len(vocab) if name == "same" else 5 < len(shared) < len(vocab)
        new, old = [vocab.stoi[word] for word in shared], [theirs.stoi[word] for word in shared]
        for part in ("embedding", "output.bias"):
            ours, before = second.model.get_parameter(part), first.model.get_parameter(part)
            torch.testing.assert_close(ours[new], before[old], atol=1e-7, rtol=1e-5)
        for ours, before in zip(second.model.cells.parameters(), first.model.cells.parameters(), strict=True):
            torch.testing.assert_close(ours, before, atol=1e-7, rtol=1e-5)
    again = Run.open(tmp_path / "same").metrics()[0]["loss"]
    assert again < first.run.metrics()[0]["loss"] - 0.5


def test_starting_from_a_run_refuses_another_architecture(words, tmp_path, capsys):
    api.train_language_model(words, tmp_path / "first", **TINY, steps=3)
    init = str(tmp_path / "first")
    with pytest.raises(InputError, match=r"has model\.hidden_dim = 12, and what starts .* cannot have 99"):
        api.train_language_model(words, tmp_path / "x", init=init, hidden_dim=99, steps=1, quiet=True)
    with pytest.raises(InputError, match="init and embeddings both start the embedding"):
        api.train_language_model(words, tmp_path / "x", init=init, embeddings="v", steps=1, quiet=True)
    with pytest.raises(InputError, match="no such run folder"):
        api.train_language_model(words, tmp_path / "x", init=str(tmp_path / "nowhere"), steps=1, quiet=True)
    capsys.readouterr()
    api.train_language_model(words, tmp_path / "second", init=init, steps=1, dropout=0.5)
    assert f"weights start from {init}: 2" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"average": "emma"}, r"training\.average: 'emma' is not one of .* Did you mean 'ema'"),
        ({"schedule": "cosinus"}, r"training\.schedule: .* Did you mean 'cosine'"),
        ({"schedule": "exponential", "final_lr": 0}, r"training\.final_lr: must be above 0"),
        ({"batch_schedule": [[0.5, 8], [0.2, 16]]}, r"training\.batch_schedule: the shares of training .* must rise"),
        ({"batch_schedule": [[0.0, 8], [0.2, 12]]}, r"each batch size must be a multiple of the one before"),
        ({"batch_size": 6, "accumulate": 4}, r"training\.accumulate = 4 does not divide a batch of 6 streams"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        check(LanguageModelConfig.build({"training": settings}))


@pytest.mark.parametrize(
    ("settings", "zero"),
    [
        ({"optimizer": "sgd", "softmax": "full"}, True),
        ({"optimizer": "nesterov", "softmax": "adaptive", "cutoffs": [5]}, True),
        ({"optimizer": "adamw", "softmax": "full"}, False),
        ({"optimizer": "sgd", "softmax": "sampled", "samples": 8}, False),
        ({"optimizer": "sgd", "softmax": "full", "output_bias": "unigram"}, False),
        ({"optimizer": "adamw", "softmax": "full", "output_bias": "zero"}, True),
    ],
)
def test_output_biases_start_at_word_frequencies_unless_plain_sgd_trains_them(words, settings, zero):
    config = LanguageModelConfig().updated(settings)
    model = api.fresh_model(config, words, None)
    assert bool((model.output.bias == 0).all()) == zero


@pytest.mark.parametrize("cell", ["lstm", "lstm-layernorm", "mogrifier"])
def test_forget_gates_start_open_as_far_as_asked(cell):
    for bias in (0.0, 1.0, 2.5):
        layer = random_model(cell=cell, forget_bias=bias).cells[0]
        assert (layer.weight("bias_ih")[8:16] == bias).all()
        assert not layer.weight("bias_ih")[:8].any()
        assert not layer.weight("bias_ih")[16:].any()
