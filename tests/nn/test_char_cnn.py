"""Words from their characters: the network against a loop over words, and the model, run and texts around it."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest
import torch
from seqlab_cli.main import run as cli

from seqlab import api
from seqlab.base.errors import InputError
from seqlab.base.files import write_json, write_manifest
from seqlab.config import ModelConfig
from seqlab.embeddings import WordVectors
from seqlab.models import LanguageModel
from seqlab.nn import CharacterEmbedding, CharCNN
from seqlab.nn.characters import BEGIN, CHARACTER_SIZES, END, PAD, spell, usual_filters
from seqlab.text import Batch, Corpus, EvaluationBatches, prepare
from seqlab.text.preparation.encoding import tokenize
from seqlab.training import Optimizer
from seqlab.training.step import PlainWindowReader, backward

WORDS = ["the", "a", "naïve", "x", "sesquipedalian", "aaaa", "東京", "<unk>", "cats", "cat", "e" * 40]


def small_cnn(width=5, **options) -> CharCNN:
    torch.manual_seed(0)
    return CharCNN(width, **{"char_dim": 3, "char_filters": [(1, 2), (3, 4), (5, 3)], "char_highway": 2, **options})


def naive(cnn: CharCNN, word: str, length: int) -> np.ndarray:
    """The vector of one word in float64, in loops, from its bytes alone."""
    weights = {name: p.detach().double().numpy() for name, p in cnn.named_parameters()}
    codes = [BEGIN, *word.encode()[: length - 2], END]
    features: list[float] = []
    for index, span in enumerate(cnn.spans):
        matrix, bias = weights[f"filters.{index}.weight"], weights[f"filters.{index}.bias"]
        x = [weights["bytes.weight"][code] for code in codes]
        x += [np.zeros_like(x[0])] * max(0, span - len(x))
        for row, shift in zip(matrix, bias, strict=True):
            values = [row @ np.concatenate(x[i : i + span]) + shift for i in range(len(x) - span + 1)]
            features.append(math.tanh(max(values)))
    y = np.array(features)
    for index in range(len(cnn.highways)):
        at = f"highways.{index}."
        gate = 1 / (1 + np.exp(-(weights[at + "gate.weight"] @ y + weights[at + "gate.bias"])))
        new = np.maximum(0, weights[at + "transform.weight"] @ y + weights[at + "transform.bias"])
        y = gate * new + (1 - gate) * y
    return weights["projection.weight"] @ y + weights["projection.bias"]


def test_words_are_spelt_in_bytes_between_marks():
    rows = spell(["ab", "é", "abcdefgh", ""], 6)
    assert rows.tolist() == [
        [BEGIN, 97, 98, END, PAD, PAD],
        [BEGIN, 0xC3, 0xA9, END, PAD, PAD],
        [BEGIN, 97, 98, 99, 100, END],
        [BEGIN, END, PAD, PAD, PAD, PAD],
    ]


def test_vectors_equal_a_loop_over_words_in_float64():
    cnn = small_cnn().double()
    found = cnn(torch.from_numpy(spell(WORDS, 20)))
    for row, word in zip(found.detach().numpy(), WORDS, strict=True):
        np.testing.assert_allclose(row, naive(cnn, word, 20), rtol=1e-12, atol=1e-12)
    many = [f"{word}{number}" for number in range(60) for word in WORDS]  # more than are computed together
    whole = cnn(torch.from_numpy(spell(many, 20)))
    one = torch.cat([cnn(torch.from_numpy(spell([word], 64))) for word in many if len(word.encode()) < 18])
    kept = torch.tensor([len(word.encode()) < 18 for word in many])
    torch.testing.assert_close(whole[kept], one)


def test_gradients_are_those_of_the_function():
    cnn = small_cnn(char_filters=[(1, 2), (4, 3)], char_highway=1).double()
    rows = torch.from_numpy(spell(["the", "cats", "x"], 8))
    names = [name for name, _ in cnn.named_parameters() if name != "bytes.weight"]

    def of(table, *parameters):
        table = torch.cat([table, table.new_zeros(1, 3)])
        values = {"bytes.weight": table, **dict(zip(names, parameters, strict=True))}
        return torch.func.functional_call(cnn, values, (rows,))

    parameters = dict(cnn.named_parameters())
    inputs = [parameters["bytes.weight"].detach()[:-1].requires_grad_(), *(parameters[name] for name in names)]
    assert torch.autograd.gradcheck(of, inputs, fast_mode=True)
    cnn(rows).sum().backward()
    assert not cnn.bytes.weight.grad[PAD].any()


def test_usual_sizes_follow_the_width():
    filters = usual_filters(256)
    assert [span for span, _ in filters] == [1, 2, 3, 4, 5, 6]
    assert sum(count for _, count in filters) == pytest.approx(2 * 256, rel=0.1)
    cnn = CharCNN(10)
    dense = sum(p.numel() for part in (cnn.highways, cnn.projection) for p in part.parameters() if p.dim() > 1)
    convolutions = sum(count * span * 16 * (10 - span + 1) for span, count in usual_filters(10))
    assert cnn.multiply_adds(10) == convolutions + dense


def test_remembered_vectors_are_those_of_the_weights_as_they_are(monkeypatch):
    torch.manual_seed(0)
    layer = CharacterEmbedding(4, char_length=12).eval()
    layer.set_words(WORDS)
    computed, forward = [], CharCNN.forward

    def counting(self, bytes_WL):
        computed.append(len(bytes_WL))
        return forward(self, bytes_WL)

    monkeypatch.setattr(CharCNN, "forward", counting)
    ids = torch.tensor([[3, 1, 3], [1, 0, 3]])
    expected = layer(ids)
    assert expected.requires_grad
    assert computed == [3]
    with torch.inference_mode():
        torch.testing.assert_close(layer(ids), expected)
        torch.testing.assert_close(layer(ids[:1]), expected[:1])
    assert computed == [3, 3]  # and nothing the second time
    with torch.no_grad():
        layer(torch.tensor([[3, 5]]))
        assert computed == [3, 3, 1]
        torch.testing.assert_close(layer.table()[[3, 1]], expected[0, :2])
        assert computed == [3, 3, 1, 7]
        layer.cnn.projection.bias.add_(1.0)
        torch.testing.assert_close(layer(ids), expected + 1.0)
        assert computed[-1] == 3
    layer.train()
    assert layer.known_VE is None
    layer(ids)
    assert computed[-1] == 3
    with layer.eval().extra_words(["dog"]), torch.no_grad():
        extra = layer(torch.tensor([[len(WORDS), 3]]))
    torch.testing.assert_close(extra[0, :1], layer.vectors(["dog"]))
    with pytest.raises(RuntimeError, match="set_words"):
        CharacterEmbedding(4)(ids)


def build(**options) -> LanguageModel:
    torch.manual_seed(0)
    sizes = {"embed_dim": 6, "hidden_dim": 8, "layers": 1, "input": "characters"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CHARACTER_SIZES, "medium", {"char_dim": 4, "char_length": 12})
        model = LanguageModel(ModelConfig(**{**sizes, **options}), len(WORDS))
    model.set_words(WORDS)
    return model


@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_the_output_layer_has_its_own_weights_and_gradients_of_both_kinds_arrive(softmax):
    model = build(softmax=softmax, samples=3, embedding_dropout=0.2)
    assert model.embedding is None
    assert model.bridge is None
    assert model.output.weight.shape == (len(WORDS), 8)
    counts = model.parameter_counts()
    assert sum(counts.values()) == sum(p.numel() for p in model.parameters())
    assert counts["embedding"] == sum(p.numel() for p in model.characters.parameters())
    ids = np.random.default_rng(0).integers(0, len(WORDS), (4, 8))
    backward(model, PlainWindowReader(model), Batch(ids[:, :-1], ids[:, 1:]), model.init_state(4), 2)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.is_sparse == (softmax == "sampled" and name.startswith("output")), name
    from seqlab.config import TrainingConfig

    sparse = Optimizer(model, TrainingConfig()).sparse_params
    assert len(sparse) == (2 if softmax == "sampled" else 0)


def test_training_and_evaluation_read_the_same_vectors():
    model = build().double()
    ids = torch.randint(0, len(WORDS), (3, 7))
    with torch.no_grad():
        fast = model.eval().sequence_logits(ids, model.init_state(3))[0]
    torch.testing.assert_close(model.train().sequence_logits(ids, model.init_state(3))[0], fast)
    vectors = model.word_vectors()
    torch.testing.assert_close(vectors[4], torch.from_numpy(naive(model.characters.cnn, WORDS[4], 12)))
    torch.testing.assert_close(model.word_vectors(["dog", "the"])[1], vectors[0])
    plain = build(input="embedding")
    assert plain.word_vectors().shape == (len(WORDS), 6)
    with pytest.raises(InputError, match=r"model\.input = 'characters' reads any word"):
        plain.word_vectors(["dog"])
    with pytest.raises(InputError, match=r"model\.input = 'characters' reads any word"), plain.extra_words(["dog"]):
        pass
    with plain.extra_words([]):
        pass


@pytest.fixture(scope="module", autouse=True)
def small_networks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CHARACTER_SIZES, "medium", {"char_dim": 6, "char_filters": [(2, 8), (3, 12)]})
        yield


SIZES = {
    "input": "characters",
    "embed_dim": 10,
    "hidden_dim": 16,
    "layers": 1,
    "batch_size": 4,
    "bptt": 16,
    "quiet": True,
}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    generator, folder = random.Random(0), tmp_path_factory.mktemp("text")
    stems, others = ["walk", "talk", "jump", "look", "call"], ["home", "now", "again"]
    lines = [
        f"they {generator.choice(stems)}ed {generator.choice(others)} ."
        if generator.random() < 0.5
        else f"we are {generator.choice(stems)}ing {generator.choice(others)} ."
        for _ in range(800)
    ]
    (folder / "tiny.txt").write_text("\n".join(lines) + "\n")
    return folder / "tiny.txt"


@pytest.fixture(scope="module")
def lm(text, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    corpus = api.prepare(text, folder / "words", tokenizer="whitespace")
    return api.train_language_model(corpus, folder / "run", epochs=3, lr=0.02, **SIZES)


def test_a_run_is_saved_and_opened_again(lm, capsys):
    assert lm.summary["valid"]["perplexity"] < lm.summary["baselines"]["unigram"] / 2
    again = api.load_language_model(lm.run.path)
    assert again.log_prob("they walked home .") == pytest.approx(lm.log_prob("they walked home ."))
    assert again.generate("they walked", seed=1, length=8) == lm.generate("they walked", seed=1, length=8)
    assert again.vectors().matrix.shape[1] == 10
    assert lm.run.config.model.tie
    assert not lm.run.config.model.tied
    line = lm.run.metrics()[0]
    assert line["grad_norms"].keys() == {"embedding", "cell1", "output"}


def test_it_is_said_that_weights_are_not_tied(text, tmp_path, capsys):
    api.train_language_model(text, tmp_path / "run", **{**SIZES, "quiet": False}, steps=2, tokenizer="whitespace")
    assert "the output layer has weights of its own" in capsys.readouterr().err


def test_unknown_words_of_a_text_are_read_as_they_are_spelt(lm, tmp_path):
    """By hand: inputs are the words' own vectors, targets <unk>."""
    tokenizer = lm.tokenizer
    (tmp_path / "new.txt").write_text("they hooked home .\nwe are hooking again .\nthey walked now .\n")
    tokens = tokenize(tmp_path / "new.txt", tokenizer, spelt=True)
    plain = tokenize(tmp_path / "new.txt", tokenizer)
    size = len(tokenizer.vocab)
    assert tokens.extra_words == ["hooked", "hooking"]
    assert tokens.unknown == 2
    np.testing.assert_array_equal(tokens[:], plain[:])
    known = tokens.spelt < size
    np.testing.assert_array_equal(tokens.spelt[known], plain[:][known])
    assert tokens.spelt[~known].tolist() == [size, size + 1]
    assert plain[:][~known].tolist() == [tokenizer.unk_id] * 2
    batch = EvaluationBatches(tokens, 1, 100, tokenizer.start_id).window(0)
    assert size in batch.inputs_BT
    assert batch.targets_BT.max() < size
    model, total = lm.model, 0.0
    vectors = torch.cat([model.word_vectors(), model.word_vectors(tokens.extra_words)])
    state = model.init_state(1)
    for read, target in zip([tokenizer.start_id, *tokens.spelt.tolist()], tokens[:].tolist(), strict=False):
        with torch.no_grad():
            hidden, cell_state = model.cells[0](vectors[read][None, None], state[0])
            state = [cell_state]
            total -= float(model.output.log_probs(hidden)[0, 0, target])
    found = lm.evaluate(tmp_path / "new.txt").to_json()
    assert found["nats_per_token"] * found["tokens"] == pytest.approx(total, rel=1e-5)
    assert found["unknown_rate"] == 2 / len(tokens)
    assert lm.log_prob((tmp_path / "new.txt").read_text()) == pytest.approx(-total, rel=1e-5)


@pytest.mark.parametrize("options", [{"temperature": 0}, {"beam": 3}, {"num": 2, "repetition": None}])
def test_prompts_may_hold_unknown_words(lm, options):
    options = {"seed": 1, "length": 3, **{name: value for name, value in options.items() if value is not None}}
    found = lm.generator.generate("they hooked", rules=["repetition_penalty=1.1"], **options)
    other = lm.generator.generate("they yyyyyy", rules=["repetition_penalty=1.1"], **options)
    assert found[0].prompt == "they hooked"
    assert found[0].log_prob != other[0].log_prob
    assert len(lm.model.characters.words_VL) == len(lm.tokenizer.vocab)


def test_a_run_starts_another_with_another_vocabulary(lm, tmp_path):
    lines = ["they bark home .", "we are barking now ."] * 200
    (tmp_path / "other.txt").write_text("\n".join(lines) + "\n")
    second = api.train_language_model(
        tmp_path / "other.txt", tmp_path / "run", init=str(lm.run.path), steps=1, lr=1e-9, quiet=True
    )
    assert second.run.config.model.input == "characters"
    torch.testing.assert_close(second.model.word_vectors(["they"]), lm.model.word_vectors(["they"]), atol=1e-5, rtol=0)


def test_what_needs_an_embedding_is_refused_before_the_text_is_read(tmp_path):
    for options in ({"embeddings": "nowhere"}, {"freeze_embeddings": True}):
        with pytest.raises(InputError, match=r"model\.input = 'characters' has no embedding"):
            api.train_language_model(tmp_path / "missing.txt", tmp_path / "run", **SIZES, **options)
    from seqlab.training import start_from_vectors

    vectors = WordVectors(["a"], np.ones((1, 3), np.float32))
    with pytest.raises(InputError, match="has no embedding"):
        start_from_vectors(build(), None, vectors, False, 1)


def test_filters_wider_than_what_is_read_are_refused():
    with pytest.raises(InputError, match="char_filters: a filter of 40 characters is wider than the char_length = 32"):
        CharacterEmbedding(4, char_filters=[(2, 5), (40, 5)])


@pytest.mark.parametrize(("size", "filters", "highways"), [("small", 525, 1), ("large", 1100, 2)])
def test_sizes_have_the_filters_they_are_published_with(size, filters, highways):
    config = ModelConfig(input="characters", char_size=size, embed_dim=10, hidden_dim=8)
    cnn = LanguageModel(config, len(WORDS)).characters.cnn
    assert cnn.projection.in_features == filters
    assert len(cnn.highways) == highways
    assert cnn(torch.from_numpy(spell(WORDS, 32))).shape == (len(WORDS), 10)


# --- the unknown words of a prepared corpus ---------------------------------------------------------------


def rhymes(seed: int, lines: int) -> str:
    """Nearly all words in the middle occur once; what follows them depends on their ends alone."""
    generator, letters = random.Random(seed), "bcdfghjklmnpqrstvwxyz"
    ends = {"ed": "yes", "ing": "no"}
    rows = []
    for _ in range(lines):
        stem, end = "".join(generator.choices(letters, k=5)), generator.choice(list(ends))
        rows.append(f"so {stem}{end} {ends[end]}\n")
    return "".join(rows)


@pytest.fixture(scope="module")
def rare(tmp_path_factory):
    """A corpus of unknown words, the same as an earlier version would have made it, and a run on either."""
    folder = tmp_path_factory.mktemp("rare")
    for seed, (name, lines) in enumerate({"train": 1500, "valid": 300, "test": 300}.items()):
        (folder / f"{name}.txt").write_text(rhymes(seed, lines))
    texts = {"valid": folder / "valid.txt", "test": folder / "test.txt"}
    for name in ("new", "old"):
        api.prepare(folder / "train.txt", folder / name, tokenizer="whitespace", min_count=3, quiet=True, **texts)
    forget_spelling(folder / "old")
    for name in ("new", "old"):
        api.train_language_model(folder / name, folder / f"{name}-run", epochs=3, lr=0.02, **SIZES)
    return folder


def forget_spelling(path) -> None:
    """Make of a corpus what an earlier version would have written."""
    header = json.loads((path / "corpus.json").read_text())
    for name, split in header["splits"].items():
        del split["spelling"]
        for file in path.glob(f"{name}.unknown.*"):
            file.unlink()
    write_json(path / "corpus.json", header)
    write_manifest(path, [file.name for file in path.iterdir() if file.name != "manifest.json"])


@pytest.mark.xdist_group("rare")
def test_splits_read_unknown_words_as_given_texts_do(rare, capsys, monkeypatch):
    """`evaluate --split test` and `evaluate --text test.txt` tell the same, with and without adaptations."""
    monkeypatch.setattr("seqlab.evaluation.additions.dynamic.SEARCH_TOKENS", 150)
    command = ["evaluate", str(rare / "new-run"), "--json"]
    for options in ([], ["--dynamic", "--dynamic-rule", "sgd"]):
        assert cli([*command, "--split", "test", *options]) == 0
        split = json.loads(capsys.readouterr().out)
        given = ["--valid", str(rare / "valid.txt")] if options else []
        assert cli([*command, "--text", str(rare / "test.txt"), *given, *options]) == 0
        text = json.loads(capsys.readouterr().out)
        assert split["unknown_rate"] > 0.2
        rows = [key for key, value in split.items() if isinstance(value, dict) and "perplexity" in value]
        assert len(rows) == (2 if options else 0)
        for of_split, of_text in [(split, text), *((split[row], text[row]) for row in rows)]:
            assert of_split["perplexity"] == pytest.approx(of_text["perplexity"], rel=1e-4)
    lm = api.load_language_model(rare / "new-run")
    plain = tokenize(rare / "test.txt", lm.tokenizer)
    from seqlab.evaluation import evaluate_language_model

    unread = evaluate_language_model(lm.model, plain, lm.tokenizer.start_id, quiet=True)
    assert unread["perplexity"] > 1.05 * lm.evaluate(split="test").perplexity


@pytest.mark.xdist_group("rare")
def test_training_and_validation_read_rare_words_by_their_spelling(rare):
    """What follows a word that occurs once can be known from its end alone."""
    new, old = (api.load_language_model(rare / f"{name}-run") for name in ("new", "old"))
    assert new.run.record["corpus"]["digest"] == old.run.record["corpus"]["digest"]
    losses = [lm.run.metrics()[-1]["valid_loss"] for lm in (new, old)]
    final = [lm.evaluate(split="test").nats_per_token for lm in (new, old)]
    for read, unread in (losses, final):
        assert unread - read > 0.5 * math.log(2) / 4  # two choices, once in four tokens
    assert new.evaluate(split="valid").nats_per_token == pytest.approx(losses[0], rel=0.02)
    assert len(new.model.characters.words_VL) == len(new.tokenizer.vocab)


@pytest.mark.xdist_group("rare")
def test_a_run_that_was_stopped_reads_the_same_words(rare, tmp_path):
    whole = api.train_language_model(rare / "new", tmp_path / "whole", steps=6, lr=0.02, **SIZES)
    options = {**SIZES, "steps": 6, "lr": 0.02}
    from seqlab.training import Trainer

    original, steps = Trainer.train_step, []

    def stopping(self):
        if len(steps) == 3:
            raise KeyboardInterrupt
        steps.append(1)
        original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "train_step", stopping)
        patch.setattr("seqlab.training.loop.SAVE_EVERY", 1e-9)
        with pytest.raises(KeyboardInterrupt):
            api.train_language_model(rare / "new", tmp_path / "parts", **options)
    parts = api.train_language_model(rare / "new", tmp_path / "parts", **options)
    assert parts.run.metrics()[-1]["step"] == 6
    for name, weight in whole.model.state_dict().items():
        torch.testing.assert_close(parts.model.state_dict()[name], weight, rtol=0, atol=0)


@pytest.mark.xdist_group("rare")
def test_corpora_of_earlier_versions_read_unknown_tokens(rare, capsys):
    corpus = Corpus.open(rare / "old")
    assert not corpus.keeps_spelling
    assert corpus.with_spelling(quiet=True).train.spelt is None
    assert capsys.readouterr().err == ""
    assert cli(["evaluate", str(rare / "old-run"), "--json", "--split", "test"]) == 0
    printed = capsys.readouterr()
    assert f"{corpus.test.unknown:,} unknown tokens are read as <unk>" in printed.err
    lm = api.load_language_model(rare / "old-run")
    from seqlab.evaluation import evaluate_language_model

    plain = evaluate_language_model(lm.model, corpus.test, lm.tokenizer.start_id, quiet=True)
    assert json.loads(printed.out)["perplexity"] == plain["perplexity"]
    assert cli(["info", str(rare / "old"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"]["train"]["unknown_words"] is None
    assert cli(["info", str(rare / "new"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"]["test"]["unknown_words"] == 300


@pytest.mark.xdist_group("rare")
def test_a_cached_corpus_without_spelling_is_made_again(rare, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path))
    first = prepare(rare / "train.txt", quiet=True)
    forget_spelling(first.path)
    again = prepare(rare / "train.txt", quiet=True)
    assert again.path == first.path
    assert again.keeps_spelling
    assert again.digest == first.digest


def test_extra_words_may_be_exchanged_for_others_and_come_back():
    model = build().eval()
    size, ids = len(WORDS), torch.tensor([[len(WORDS)]])
    with torch.no_grad(), model.extra_words(["dog", "cow"]):
        dog = model.embed(ids)
        with model.extra_words(["ox"]):
            torch.testing.assert_close(model.embed(ids)[0], model.word_vectors(["ox"]))
        torch.testing.assert_close(model.embed(ids), dog)
        assert model.word_vectors().shape == (size, 6)
