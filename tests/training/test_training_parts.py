"""The parts of the training loop: gradients of a batch, budgets, validation, metrics, weights of another run."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqlab import api
from seqlab.base.errors import InputError
from seqlab.config import LanguageModelConfig, ModelConfig, TrainingConfig
from seqlab.evaluation import read_sample
from seqlab.models import LanguageModel
from seqlab.nn import CELLS
from seqlab.nn.outputs.base import unigram_log_probs
from seqlab.run import Run
from seqlab.text import TokenFile
from seqlab.text.ids.batches import StreamReader
from seqlab.training import Optimizer, check, start_from_run
from seqlab.training.language_model import LanguageModelValidator
from seqlab.training.optimize.averages import AVERAGES
from seqlab.training.starts.fresh import fresh_model
from seqlab.training.step import PlainWindowReader, TrainingStep, backward, bptt_length, spread
from seqlab.training.watch import profile
from seqlab.training.watch.costs import flops_per_token
from seqlab.training.watch.metrics import Activity, part_of
from seqlab.training.watch.validation import Judged

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
    model = random_model(vocab=50, softmax=softmax, samples=10, precision="float32")
    reader = StreamReader(TokenFile.of(np.random.default_rng(0).integers(0, 50, 300)), 6, 0)
    batch, state = reader.read(9), model.init_state(6)
    noise = model.output.get_state()
    whole_loss, whole_state = backward(model, PlainWindowReader(model), batch, state)
    whole = gradients(model)
    model.zero_grad()
    after = model.output.get_state()
    model.output.set_state(noise)
    loss, new_state = backward(model, PlainWindowReader(model), batch, state, parts)
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
        if lr:  # 0 is a trial step's
            rates.append(lr)
        step(self, lr)

    monkeypatch.setattr(Optimizer, "step", spy)
    monkeypatch.setattr("seqlab.training.loop.LOG_LINES", 30)
    options = {"random_bptt": True, "steps": 30, "schedule": "constant", "warmup": 0.0, "lr": 0.01}
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


@pytest.mark.parametrize("average", ["none", "ema"])
def test_where_counts_decide_alone_the_later_network_is_kept(average, monkeypatch):
    """Losses are equal then; the first weights would be those of a network that has hardly learned."""
    model = random_model(vocab=50)
    corpus = SimpleNamespace(valid=TokenFile.of(np.arange(50)), tokenizer=SimpleNamespace(start_id=0))
    mean = AVERAGES[average](Optimizer(model, TrainingConfig(average=average)), TrainingConfig(average=average))
    mean.after_step(1.0)
    validator, kept = LanguageModelValidator(model, corpus, mean), []
    found = [(1.4, 2.9), (1.4, 2.2), (1.5, 2.0), (float("inf"), 2.0), (1.4, 2.1)]
    best = float("inf")
    for loss, network in found:
        judged = iter([Judged(loss, network, {"valid_loss": loss}), Judged(loss, network - 0.01, {"valid_loss": loss})])
        monkeypatch.setattr(validator, "judge", lambda tokens, judged=judged: next(judged))
        losses = validator.validate(50, best, lambda gate, network=network: kept.append(network))
        best = min(best, losses["valid_loss"])
    assert kept == [2.9, 2.2, 2.1]


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
        tokens = LanguageModelValidator(model, corpus, average, share=share).choose_tokens(100_000)
        if share in (0.05, 0.5):
            affordable = share * 100_000 * training / (models * evaluation)
            assert affordable / 2 < tokens <= affordable
            assert tokens in (2_000, 4_000, 8_000, 16_000, 32_000, 40_000)
        else:
            assert tokens == (2_000 if share < 1 else 40_000)


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
    _, scored = read_sample(lm.model, words.valid, words.tokenizer.start_id, tokens)
    assert -scored.log_p_N.mean() == pytest.approx(best["valid_network_loss"], rel=1e-6)
    assert all(one["valid_loss"] <= min(one["valid_network_loss"], one["valid_counts_loss"]) for one in lines)


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
    assert not ("saturated" in line and cell == "rnn-relu")
    gates = {"lstm": {"cell1 forget", "cell2 output"}, "gru": {"cell1 reset", "cell2 update"}}
    assert gates.get(cell, set()) <= line.get("saturated", {}).keys()


def test_the_normalisation_error_of_nce_is_reported(words, tmp_path):
    options = {"steps": 30, "lr": 0.02, "evaluations": 3, "softmax": "nce", "samples": 8}
    lm = api.train_language_model(words, tmp_path / "run", **TINY, **options)
    errors = [line["log_normalizer"] for line in lm.run.metrics() if "valid_loss" in line]
    assert len(errors) == 3
    assert all(abs(error["mean"]) < 2 and error["std"] > 0 for error in errors)


def layer_normalised(product, gain, shift):
    centred = product - product.mean(1, keepdim=True)
    return gain * centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt() + shift


def gates_by_hand(name, cell, x_BD, state):
    """Sigmoid gates of one step from the published equations."""
    weights, h_BH = {key.removeprefix("layer.").removesuffix("_l0"): p for key, p in cell.named_parameters()}, state[0]
    if name in ("lstm", "mogrifier", "gru"):
        for i, weight in enumerate(cell.rounds_QR if name == "mogrifier" else ()):
            if i % 2:
                h_BH = 2 * torch.sigmoid(x_BD @ weight.T) * h_BH
            else:
                x_BD = 2 * torch.sigmoid(h_BH @ weight.T) * x_BD
        sums = x_BD @ weights["weight_ih"].T + weights["bias_ih"] + h_BH @ weights["weight_hh"].T + weights["bias_hh"]
    elif name == "lstm-layernorm":
        sums = layer_normalised(x_BD @ weights["weight_ih"].T, weights["gain_ih"], weights["bias_ih"])
        sums = sums + layer_normalised(h_BH @ weights["weight_hh"].T, weights["gain_hh"], weights["bias_hh"])
    elif name in ("mingru", "minlstm", "qrnn", "sru"):
        seen = torch.cat([state[1], x_BD], 1) if name == "qrnn" else x_BD
        sums = seen @ weights["weight_ih"].T + weights["bias_ih"]
        if name == "sru":
            sums = torch.cat([sums[:, :8], sums[:, 8:] + weights["weight_state"] * h_BH.repeat(1, 2)], 1)
    lstm = {"input": 0, "forget": 1, "output": 3}
    places = {
        **dict.fromkeys(("lstm", "lstm-layernorm", "mogrifier"), lstm),
        "gru": {"reset": 0, "update": 1},
        "mingru": {"update": 0},
        "minlstm": {"forget": 0, "input": 1},
        "qrnn": {"forget": 1, "output": 2},
        "sru": {"forget": 1, "reset": 2},
    }
    return {gate: torch.sigmoid(sums.split(8, 1)[place]) for gate, place in places.get(name, {}).items()}


@pytest.mark.parametrize("scale", [1.0, 8.0, 300.0])
@pytest.mark.parametrize("cell", CELLS)
def test_shares_of_saturated_units_and_gates_equal_the_equations(cell, scale):
    model = random_model(cell=cell, layers=1, precision="float32")
    layer, generator = model.cells[0], torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if "bias" in name or "gain" in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
            if "weight_ih" in name or ("gain" in name and "hh" not in name):
                parameter.mul_(scale)
    activity = Activity(model)
    activity.watching = True
    tokens = torch.randint(0, 20, (3, 11), generator=generator)
    state = tuple(0.5 * torch.tanh(torch.randn(part.shape, generator=generator)) for part in model.init_state(3)[0])
    with activity.hooked():
        model.hidden(tokens, [state])
    shares = activity.line().get("saturated", {})
    outputs, gates = [], []
    with torch.no_grad():
        for x_BD in model.embedding[tokens].unbind(1):
            gates.append(gates_by_hand(cell, layer, x_BD, state))
            y_BH, state = layer.equations(x_BD, state)
            outputs.append(y_BH)
    y = torch.stack(outputs)
    found = {f"cell1 {gate}": torch.stack([step[gate] for step in gates]) for gate in gates[0]}
    expected = {gate: float(((values < 0.01) | (values > 0.99)).float().mean()) for gate, values in found.items()}
    if cell == "rnn-sigmoid":
        expected["cell1"] = float(((y < 0.01) | (y > 0.99)).float().mean())
    elif cell in ("rnn-tanh", "lstm", "lstm-layernorm", "mogrifier", "gru", "qrnn"):
        expected["cell1"] = float((y.abs() > 0.99).float().mean())
        assert float(y.abs().max()) <= 1
    assert shares == pytest.approx(expected, abs=0.006)
    if scale > 1 and expected:
        assert max(expected.values()) > 0.05


@pytest.mark.parametrize(
    ("cell", "bias", "share"), [("rnn-sigmoid", -20, 1), ("rnn-sigmoid", 0, 0), ("rnn-tanh", -9, 1)]
)
def test_both_ends_of_a_range_count(cell, bias, share):
    model = random_model(cell=cell, layers=1)
    with torch.no_grad():
        dict(model.cells[0].named_parameters())["layer.bias_ih_l0" if cell == "rnn-tanh" else "bias_ih"].fill_(bias)
    activity = Activity(model)
    activity.watching = True
    with activity.hooked():
        model.hidden(torch.randint(0, 20, (3, 11)), model.init_state(3))
    assert activity.line() == {"saturated": {"cell1": share}}


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
    first = api.train_language_model(words, tmp_path / "first", **TINY, steps=80, lr=0.03, dropout=0.0, counts=False)
    start = {
        "counts": False,
        "init": str(tmp_path / "first"),
        "steps": 1,
        "lr": 1e-9,
        "batch_size": 4,
        "bptt": 16,
        "quiet": True,
    }
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


def rows_of(model, word):
    """Every row of a word, by what it is a row of. Clusters of other cutoffs are others."""
    output = model.output
    part = sum(word >= cut for cut in output.cutoffs)
    place = f"cluster {part} of {output.cutoffs}" if part else "the short list"
    rows = {"embedding": model.embedding[word], f"bias in {place}": output.bias[word]}
    if part and len(output.tails):
        return rows | {f"tail of {place}": output.tails[part - 1][word - output.cutoffs[part - 1]]}
    return rows | {"weight": output.weight[word]}


def is_some_row(row, model):
    tables = [model.embedding, model.output.weight, *getattr(model.output, "tails", [])]
    return any(bool((table == row).all(1).any()) for table in tables if table.shape[1:] == row.shape)


@pytest.mark.parametrize(
    ("tie", "options"),
    [
        (True, {"softmax": "full"}),
        (False, {"softmax": "mixture", "mixture": 2}),
        (True, {"softmax": "adaptive", "cutoffs": [6, 16]}),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                (False, {"softmax": "full"}),
                (True, {"softmax": "sampled", "samples": 8}),
                (False, {"softmax": "sampled", "samples": 8}),
                (False, {"softmax": "nce", "samples": 8}),
                (True, {"softmax": "mixture", "mixture": 2}),
                (True, {"softmax": "adaptive"}),
                (False, {"softmax": "adaptive", "cutoffs": [6, 16]}),
            )
        ),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else ("own", "tied")[value],
)
def test_each_row_of_the_output_layer_is_carried_over_by_token(words, folder, tmp_path, options, tie):
    first = api.train_language_model(words, tmp_path / "first", **TINY, **options, tie=tie, steps=10, lr=0.03)
    source, theirs = first.run.load_model(), words.tokenizer.vocab
    for name, nouns in (("renamed", range(12, 32)), ("more", range(8, 60))):
        corpus = corpus_of(folder, name, nouns)
        vocab = corpus.tokenizer.vocab
        assert (len(vocab) == len(theirs)) == (name == "renamed")
        fresh = fresh_model(first.run.config, corpus, None)
        model = fresh_model(first.run.config.updated({"init": str(tmp_path / "first")}), corpus, origin=first.run)
        moved = 0
        for word, token in enumerate(vocab.itos):
            ours = rows_of(model, word)
            before = rows_of(source, theirs.stoi[token]) if token in theirs.stoi else {}
            moved += bool(before) and ours.keys() != before.keys()
            for part, row in ours.items():
                if part in before:
                    assert torch.equal(row, before[part]), (token, part)
                elif part.startswith("bias"):
                    assert torch.equal(row, rows_of(fresh, word)[part]), (token, part)
                else:
                    assert not is_some_row(row, source), (token, part)
        assert (moved > 0) == (options["softmax"] == "adaptive")
        same_clusters = model.output.cutoffs == source.output.cutoffs
        assert same_clusters == ("cutoffs" in options or options["softmax"] != "adaptive" or name == "renamed")
        origin = dict((source if same_clusters else fresh).output.named_parameters())
        for part, parameter in model.output.named_parameters():
            if part not in ("weight", "bias") and "tails" not in part:
                assert torch.equal(parameter, origin[part]), part
        sentence = start_from_run(model, corpus.tokenizer, first.run).sentence("it")
        assert (f"; {moved} known ones have another place in the adaptive softmax" in sentence) == (moved > 0)


@pytest.mark.parametrize(("output_bias", "zero"), [("auto", False), ("unigram", False), ("zero", True)])
def test_words_new_to_a_run_have_the_output_bias_that_was_asked_for(words, folder, tmp_path, output_bias, zero):
    corpus = corpus_of(folder, "two", range(10, 40))
    first = api.train_language_model(words, tmp_path / "first", **TINY, steps=3, optimizer="sgd")
    settings = {"init": str(tmp_path / "first"), "output_bias": output_bias}
    bias = fresh_model(first.run.config.updated(settings), corpus, origin=first.run).output.bias.detach()[:, 0]
    vocab = corpus.tokenizer.vocab
    log_probs = torch.from_numpy(unigram_log_probs(vocab.counts)).float()
    learnt = first.run.load_model().output.bias.detach()[:, 0]
    for word, token in enumerate(vocab.itos):
        known = words.tokenizer.vocab.stoi.get(token)
        expected = learnt[known] if known is not None else log_probs[word] * (not zero)
        assert float(bias[word]) == float(expected), token


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
    model = fresh_model(config, words, None)
    assert bool((model.output.bias == 0).all()) == zero


@pytest.mark.parametrize("cell", ["lstm", "lstm-layernorm", "mogrifier"])
def test_forget_gates_start_open_as_far_as_asked(cell):
    for bias in (0.0, 1.0, 2.5):
        layer = random_model(cell=cell, forget_bias=bias).cells[0]
        assert (layer.weight("bias_ih")[8:16] == bias).all()
        assert not layer.weight("bias_ih")[:8].any()
        assert not layer.weight("bias_ih")[16:].any()


def test_training_and_measuring_take_the_same_step(words, tmp_path, monkeypatch):
    steps, take = [], TrainingStep.take
    monkeypatch.setattr(TrainingStep, "take", lambda self, *a, **more: steps.append(a[0]) or take(self, *a, **more))
    lm = api.train_language_model(words, tmp_path / "run", **{**TINY, "steps": 5})
    assert steps == [0, 0, 1, 2, 3, 4], "a trial step, then training"
    monkeypatch.setattr(profile, "SECONDS", 0.0)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    measured = profile.measure(lm.run, threads + 1)
    assert steps[6:] == [*range(profile.FEWEST + 1)]
    assert measured["threads"] == threads + 1
    assert sum(measured["shares"].values()) == pytest.approx(1.0)
    assert (torch.equal(torch.get_rng_state(), state), torch.get_num_threads()) == (True, threads)
