"""`seqlab compare` on small trained runs: against two evaluations, by hand, and as a person types it."""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import replace

import numpy as np
import pytest
from seqlab_cli.main import run

import seqlab
from seqlab.base.errors import InputError
from seqlab.evaluation import Scorer
from seqlab.studies.compare import grouped
from seqlab.studies.compare.pairs import ModelPair, compare_same_tokens
from seqlab.studies.compare.reading import TextReading
from seqlab.studies.compare.units import UNIT, token_counts, units_of
from seqlab.studies.compare.words import sentences, span
from seqlab.text import TokenFile, tokenize
from seqlab.text.tokenizers.characters import CharTokenizer
from seqlab.text.tokenizers.vocab import Vocab

SMALL = {"hidden_dim": 16, "embed_dim": 8, "batch_size": 4, "bptt": 16, "layers": 1, "lr": 0.01, "quiet": True}
WORDS = "the old boat left the harbour before the rain came over the quiet bay and nobody saw its lamp".split()


def story(lines: int, seed: int) -> str:
    """Sentences of a small vocabulary, a paragraph of eight a time."""
    rng, found = random.Random(seed), []
    for number in range(lines):
        found.append(" ".join(rng.choices(WORDS, k=rng.randint(4, 12))).capitalize() + ".")
        found += [""] * (number % 8 == 7)
    return "\n".join(found) + "\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """text.txt, other.txt, and runs on text.txt: a1, a2 (other seed), b1, b2 (wider), bpe, word."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "text.txt").write_text(story(300, 1), "utf-8")
    (folder / "other.txt").write_text(story(80, 2), "utf-8")
    kinds = {
        "a1": {"seed": 1},
        "a2": {"seed": 2},
        "b1": {"seed": 1, "hidden_dim": 24},
        "b2": {"seed": 2, "hidden_dim": 24},
        "bpe": {"tokenizer": "bpe", "vocab_size": 300},
        "word": {"tokenizer": "word", "min_count": 1},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQLAB_CACHE", str(folder / "cache"))
        for name, options in kinds.items():
            options = {"tokenizer": "char", "steps": 40, **SMALL, **options}
            seqlab.train_language_model(folder / "text.txt", folder / name, **options)
        yield folder


@pytest.fixture
def other(home):
    return home / "other.txt"


def test_the_difference_is_that_of_two_evaluations(home, other):
    found = seqlab.compare(home / "a1", home / "b1", text=other)
    a, b = (seqlab.evaluate(home / name, other) for name in ("a1", "b1"))
    assert found.difference == pytest.approx(b.nats_per_token - a.nats_per_token, abs=1e-6)
    (pair,) = found.pairs
    assert pair.per_char == pytest.approx(b.nats_per_char - a.nats_per_char, abs=1e-6)
    assert pair.found.interval[0] < found.difference < pair.found.interval[1]
    assert [one["nats_per_token"] for one in found.models] == pytest.approx([a.nats_per_token, b.nats_per_token])
    assert pair.seeds is None


def test_tokens_change_sides_where_one_first_choice_is_right(home, other, tmp_path):
    """Against the ranks that evaluation writes, token by token."""
    ranks, log_p = [], []
    for name in ("a1", "b1"):
        out = tmp_path / f"{name}.jsonl"
        seqlab.load_language_model(home / name).evaluate(other, token_scores=out)
        rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
        ranks.append(np.array([row["rank"] == 1 for row in rows]))
        log_p.append(np.array([row["log_prob"] for row in rows]))
    (pair,) = seqlab.compare(home / "a1", home / "b1", text=other).pairs
    assert pair.gained == (ranks[1] & ~ranks[0]).sum()
    assert pair.lost == (ranks[0] & ~ranks[1]).sum()
    best = pair.better_b[0]
    assert best.position == (log_p[1] - log_p[0]).argmax()
    assert (best.a, best.b) == pytest.approx((log_p[0][best.position], log_p[1][best.position]), abs=1e-5)
    text = other.read_text("utf-8")
    assert best.token == text[best.position]
    assert best.before == text[max(0, best.position - 40) : best.position]
    assert text[best.position + 1 :].startswith(best.after)


@pytest.mark.parametrize("names", [("a1", "bpe"), ("bpe", "word"), ("word", "a1")])
def test_tokenizers_that_differ_are_compared_per_character(names, home, other):
    found = seqlab.compare(*(home / name for name in names), text=other)
    a, b = (seqlab.evaluate(home / name, other) for name in names)
    (pair,) = found.pairs
    assert pair.per == "character"
    assert found.difference == pytest.approx(b.nats_per_char - a.nats_per_char, rel=2e-3)
    assert pair.rule_of_30 is None
    assert "the rule of 30 does not apply" in found.text()
    assert all(len(place.token) >= UNIT for place in pair.better_b)


def test_units_cut_no_token_of_any_tokenizer(home, other):
    text = other.read_text("utf-8") + "\n\nA last  line,   with\tspaces.\n\n\n"
    for document in (text, text * 3, "x" * 500, "short"):
        units = units_of(document)
        assert "".join(units) == document
        assert all(len(unit) >= UNIT for unit in units) or len(units) == 1
    other.with_name("spaced.txt").write_text(text, "utf-8")
    for name in ("a1", "bpe", "word"):
        tokenizer = seqlab.load_language_model(home / name).tokenizer
        tokens = tokenize(other.with_name("spaced.txt"), tokenizer)
        counts = token_counts([units_of(text)], tokenizer, tokens, name)
        assert counts.sum() == len(tokens)
        assert counts.min() > 0
    with pytest.raises(InputError, match="reads this text in another way"):
        token_counts([units_of(text[5:])], tokenizer, tokens, name)


def test_runs_that_differ_in_their_seed_are_one_group_with_a_term_of_its_own(home, other):
    runs = [home / name for name in ("a1", "a2", "b1", "b2")]
    found = seqlab.compare(*runs, text=other)
    assert found.to_json() == seqlab.compare(runs[:2], runs[2:], text=other).to_json() | {
        "models": found.to_json()["models"]
    }
    (pair,) = found.pairs
    nats = [seqlab.evaluate(one, other).nats_per_token for one in runs]
    assert found.difference == pytest.approx(np.mean(nats[2:]) - np.mean(nats[:2]), abs=1e-6)
    expected = np.sqrt(np.var(nats[:2], ddof=1) / 2 + np.var(nats[2:], ddof=1) / 2)
    assert pair.seeds.error == pytest.approx(expected, rel=1e-3)
    assert pair.seeds.runs == (2, 2)
    low, high = pair.seeds.both
    assert low < min(pair.seeds.interval[0], pair.found.interval[0])
    assert high > max(pair.seeds.interval[1], pair.found.interval[1])
    assert "Over other seeds (of 2 and 2 runs) and this text" in found.text()
    models = [seqlab.load_language_model(one) for one in runs]
    assert [len(group) for group in grouped(models[:2])] == [1, 1], "seeds of one configuration are compared"
    assert [len(group) for group in grouped([models[0], models[2]])] == [1, 1]


def test_the_speed_of_a_model_is_not_that_of_its_first_tokens(home, other, monkeypatch):
    """The first reading takes half a second longer, as where kernels are compiled."""
    read, called = Scorer.read_ranked, []

    def slow_at_first(self, *arguments, **options):
        called.append(time.sleep(0.5 * (not called)))
        return read(self, *arguments, **options)

    monkeypatch.setattr(Scorer, "read_ranked", slow_at_first)
    found = seqlab.compare(home / "a1", home / "b1", text=other)
    first, second = (one["evaluation_tokens_per_second"] for one in found.models)
    assert first > second / 3


def test_several_models_are_all_compared_with_the_first_and_adjusted(home, other):
    found = seqlab.compare(home / "a1", home / "b1", home / "bpe", text=other)
    assert [pair.b for pair in found.pairs] == [str(home / "b1"), str(home / "bpe")]
    assert all(pair.adjusted >= pair.found.p for pair in found.pairs)
    assert len(found.table().rows) == 2
    assert "p (Holm)" in found.text()
    assert repr(found).startswith("Comparison(3 models · ")


def test_without_a_text_the_runs_own_is_taken_if_it_is_the_same(home):
    found = seqlab.compare(home / "a1", home / "b1")
    assert found.pairs[0].tokens == seqlab.load_language_model(home / "a1").evaluate(split="valid").tokens
    assert found.text_name == "their own test or validation text"
    with pytest.raises(InputError, match="have no test or validation text in common"):
        seqlab.compare(home / "a1", home / "bpe")


def test_a_member_can_be_compared_with_the_whole(home, other):
    lm = seqlab.load_language_model(home / "a1")
    found = seqlab.compare(lm.only("network"), lm, text=other)
    assert found.pairs[0].a.endswith("a1 (network)")
    same = seqlab.compare(lm, lm, text=other)
    assert same.difference == 0.0
    assert "are equally good" in repr(same)
    assert "no difference that more text could confirm" in same.text()


def test_the_command_prints_words_and_one_json_object(home, other, tmp_path, capsys):
    command = ["compare", str(home / "a1"), str(home / "b1"), "--text", str(other)]
    assert run([*command, "-o", str(tmp_path / "curves.svg")]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"(is better than|is ahead of) .* by (0\.\d{4}|\de-\d\d) nats per token on ", printed)
    assert "95 % interval, by " in printed
    assert "Rule of 30 (a difference is to be believed with 90 % confidence only if at least 30 samples" in printed
    assert "Where " in printed
    assert " is better by most:" in printed
    assert "nats per token" in (tmp_path / "curves.svg").read_text("utf-8")
    assert run([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    (pair,) = report["pairs"]
    assert {"a", "b", "difference", "interval", "p", "tokens_changed", "rule_of_30"} <= set(pair)
    assert pair["difference"] == pytest.approx(seqlab.compare(home / "a1", home / "b1", text=other).difference)
    assert report["models"][1]["parameters"] == seqlab.load_language_model(home / "b1").run.parameters


def test_with_takes_all_runs_up_to_the_next_option(home, other, capsys):
    a, b = [[str(home / name) for name in names] for names in (("a1", "a2"), ("b1", "b2"))]
    assert run(["compare", *a, "--with", *b, "--text", str(other), "--json"]) == 0
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    assert pair["seeds"]["runs"] == [2, 2]
    assert pair["b"] == f"{b[0]} and 1 other seed"


def test_a_text_that_is_stored_otherwise_is_read_by_its_column_and_encoding(home, other, tmp_path, capsys):
    """The refusal of such a text names these options, which compare did not have."""
    rows = [f"1;{line}" for line in other.read_text("utf-8").split("\n") if line]
    (tmp_path / "old.csv").write_bytes("\r\n".join(["id;né", *rows, ""]).encode("cp1252"))
    (tmp_path / "new.csv").write_text("\n".join(["id;né", *rows, ""]), "utf-8")
    reading = ["--field", "né", "--encoding", "cp1252", "--json"]
    assert run(["compare", *map(str, (home / "a1", home / "bpe")), "--text", str(tmp_path / "old.csv"), *reading]) == 0
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    found = seqlab.compare(home / "a1", home / "bpe", text=tmp_path / "new.csv", field="né")
    assert pair["difference"] == found.difference
    with pytest.raises(InputError, match=r"old\.csv: line 1: invalid UTF-8 .*encoding='cp1252'"):
        seqlab.compare(home / "a1", home / "bpe", text=tmp_path / "old.csv", field="né", errors="strict")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a1"], "a1: name another model to compare it with."),
        (["a1", "b1", "--encoding", "cp1252"], "say how --text is read"),
        (["a1", "gone"], "no such run folder"),
        (["a1", "text.txt"], "text.txt: is "),
        (["a1", "b1", "--text", "gone.txt"], "gone.txt"),
        (["a1", "b1", "--text", "other.txt", "--split", "valid"], "not both"),
        (["a1", "b1", "-o", "curves.txt"], "the name of a picture ends in"),
        (["a1", "b1", "--questions", "english"], ""),
        (["a1", "b1", "--questions", "english", "--text", "other.txt"], "are of language models"),
        (["a1", "--with"], "--with"),
        (["a1", "b1", "--cache", "--network-only"], "--cache goes with the whole model"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(arguments, sentence, home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    assert run(["compare", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1


# By hand


def reading(name: str, text: str, log_p: list[float], right: list[bool]) -> TextReading:
    tokenizer = CharTokenizer(Vocab(sorted(set(text))))
    return TextReading(
        name, TokenFile.of(tokenizer.encode(text)), tokenizer, np.array(log_p), np.array(right), seconds=1.0
    )


def taking_turns(gain: float, *, turn: int = 1_000, documents: int = 2_000, unknown: float = 0.0) -> ModelPair:
    """Two models that are better by half a nat in turns, and the second by `gain` in all of a text.

    Args:
        gain: in nats per token.
        turn: tokens that each is better in.
        documents: tokens of a document.
        unknown: share of the tokens that the second does not know.
    """
    text, place = "abcdefgh" * 250, np.arange(2_000)
    a = reading("A", text, [-2.0] * 2_000, [False] * 2_000)
    b = reading("B", text, (gain - 2.0 + np.where(place // turn % 2, -0.5, 0.5)).tolist(), [False] * 2_000)
    a.tokens.documents = place[::documents]
    b.tokens.counts = replace(b.tokens.counts, unknown=round(2_000 * unknown))
    found = compare_same_tokens([a], [b])
    assert found is not None
    return found


def pair_of(gain: float, noise: float, changed: int, count: int = 2_000) -> ModelPair:
    """Two models of which the second is better by `gain`, with `changed` tokens that it alone has right."""
    rng = np.random.default_rng(1)
    text = "abcdefgh" * (count // 8)
    base = -2.0 + 0.1 * rng.normal(size=count)
    right = np.arange(count) < changed
    a = reading("A", text, base.tolist(), [False] * count)
    b = reading("B", text, (base + gain + noise * rng.normal(size=count)).tolist(), right.tolist())
    found = compare_same_tokens([a], [b])
    assert found is not None
    return found


def test_figures_of_four_tokens_by_hand():
    a = reading("A", "abca", [-1.0, -2.0, -3.0, -1.0], [True, False, False, True])
    b = reading("B", "abca", [-1.5, -1.0, -1.0, -1.0], [False, True, False, True])
    found = compare_same_tokens([a], [b])
    assert found.found.mean == pytest.approx((0.5 - 1.0 - 2.0 + 0.0) / 4)
    assert (found.gained, found.lost, found.changed) == (1, 1, 2)
    assert found.better_b[0].token == "c"
    assert found.better_a[0].token == "a"
    assert not found.rule_of_30


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (
            pair_of(0.2, 0.3, 200),
            ["B is better than A by 0.1980", "met, as the interval says", "is long enough to see"],
        ),
        (pair_of(0.0, 1.0, 200), ["but that may be chance", "met, though the interval includes zero"]),
        (
            pair_of(0.02, 1.0, 200),
            ["To see a difference of this size with a chance of 80 %, at a level of 5 %, it takes "],
        ),
        (pair_of(0.2, 0.3, 3), ["not met, though the interval excludes zero", "Blocks of a running text drift"]),
        (pair_of(0.0, 1.0, 3), ["not met, as the interval says"]),
        (pair_of(-0.2, 0.3, 3), ["A is better than B by 0.20", " worse (p = "]),
        (pair_of(0.3, 0.1, 3, 8), ["The text is too short: it gives 8 blocks only"]),
        (taking_turns(1e-4), ["by 0.0001 nats", "No amount of text within reason would tell them apart."]),
        (taking_turns(0.1, turn=1, documents=50), ["by 40 blocks of whole documents: B is "]),
        (
            taking_turns(0.1, unknown=0.1),
            ["Unknown words are 0.0% of the tokens of A and 10.0% of those of B", "favours B."],
        ),
    ],
)
def test_every_sentence_is_reached(pair, words):
    told = sentences(pair, "a.txt")
    assert all(any(word in sentence for sentence in told) for word in words), told
    assert all(sentence[0].isupper() or sentence[0].isdigit() for sentence in told)
    assert all(sentence.endswith(".") for sentence in told)


def test_intervals_in_words():
    assert span((-0.3, -0.1)) == "0.1000 to 0.3000 better"
    assert span((0.1, 0.3)) == "0.1000 to 0.3000 worse"
    assert span((-0.1, 0.3)) == "from 0.1000 better to 0.3000 worse"
