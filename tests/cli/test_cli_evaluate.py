"""`seqlab evaluate RUN` as a person types it."""

from __future__ import annotations

import json
import random

import pytest
from seqlab_cli.main import run

pytestmark = pytest.mark.usefixtures("short_searches")
SIZES = ["--hidden-dim", "8", "--embed-dim", "8", "--layers", "1", "--batch-size", "4", "--bptt", "8", "--quiet"]
KEYS = {"tokens", "nats_per_token", "perplexity", "nats_per_char", "bits_per_char", "bits_per_byte", "unknown_rate"}
MEMBERS = {"network", "counts", "weights"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    generator = random.Random(0)
    words = [f"{a}{b}" for a in "bcdfg" for b in ("ato", "elu", "ir")]
    for name, lines in {"train.txt": 300, "valid.txt": 60, "test.txt": 60}.items():
        text = [" ".join(generator.choices(generator.sample(words, 3), k=8)) + "." for _ in range(lines)]
        (folder / name).write_text("\n".join(text) + "\n")
    train = ["train", "lm", str(folder / "train.txt"), "--tokenizer", "word", "--no-lines", "--steps", "40", *SIZES]
    own = ["--valid", str(folder / "valid.txt"), "--test", str(folder / "test.txt")]
    for name, more in {"run": [*own, "--dropout", "0.2"], "second": [*own, "--dropout", "0"], "untested": []}.items():
        assert run([*train, "-o", str(folder / name), *more]) == 0
    return folder


def evaluate(capsys, *arguments):
    assert run(["evaluate", *map(str, arguments)]) == 0
    return capsys.readouterr()


def test_json_keeps_its_keys_and_gains_sections(home, capsys):
    plain = json.loads(evaluate(capsys, home / "run", "--split", "test", "--json").out)
    assert plain.keys() == KEYS | MEMBERS
    assert all(plain[member].keys() >= KEYS for member in ("network", "counts"))
    for member in ("network", "counts"):
        alone = json.loads(evaluate(capsys, home / "run", "--split", "test", f"--{member}-only", "--json").out)
        assert alone == pytest.approx(plain[member])
    named = json.loads(evaluate(capsys, home / "run", "--text", home / "test.txt", "--json").out)
    assert {name: named[name] for name in KEYS} == pytest.approx({name: plain[name] for name in KEYS})
    options = [
        "--dynamic",
        "--ensemble",
        home / "second",
    ]
    full = json.loads(evaluate(capsys, home / "run", "--split", "test", *options, "--json").out)
    rows = {"static", "dynamic", "ensemble", "mixture"}
    assert full.keys() == KEYS | MEMBERS | rows | {"tuned_on"}
    assert {name: full[name] for name in KEYS} == pytest.approx({name: plain[name] for name in KEYS})
    assert all(full[row].keys() >= KEYS | {"change"} for row in rows)
    cached = json.loads(evaluate(capsys, home / "run", "--split", "test", "--cache", "--json").out)
    assert cached.keys() == KEYS | MEMBERS | {"without_cache", "tuned_on"}
    assert cached["without_cache"] == pytest.approx({name: plain[name] for name in KEYS})
    assert cached["weights"].keys() == {"network", "counts", "cache"}


def test_the_table_names_every_variant_and_what_was_tuned(home, capsys):
    valid = home / "valid.txt"
    tokens = home / "new folder" / "scores.jsonl"
    options = ["--dynamic", "--dynamic-rule", "sgd", "--cache", "--valid", valid, "--tokens", tokens]
    captured = evaluate(capsys, home / "run", "--text", home / "test.txt", *options)
    lines = captured.out.splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("variant")) :]
    assert [line.split()[0] for line in table[1:5]] == ["static", "network", "counts", "without"]
    assert table[5].split()[0] == "dynamic"
    assert all(line.split()[-1].startswith(("-", "+")) for line in table[1:6])
    assert any(line.startswith(f"tuned on {valid}") for line in lines)
    assert any(line.startswith("dynamic: rule sgd, ") and ", lr " in line for line in lines)
    assert f"only 600 tokens were tuned on ({valid})" in captured.err
    assert any(line.startswith("mean weights:") and line.endswith(" cache") for line in lines)
    assert str(tokens) in captured.err
    scores = [json.loads(line) for line in tokens.read_text().splitlines()]
    assert scores[0].keys() == {"position", "id", "token", "log_prob", "rank", "entropy", "parts"}


def test_several_runs_and_texts(home, capsys):
    texts = ["--text", home / "test.txt", "--text", home / "train.txt"]
    found = json.loads(evaluate(capsys, home / "run", home / "second", *texts, "--json").out)
    assert found.keys() == {str(home / "run"), str(home / "second")}
    assert found[str(home / "run")].keys() == {str(home / "test.txt"), str(home / "train.txt")}
    by_run = json.loads(evaluate(capsys, home / "run", home / "second", "--split", "test", "--json").out)
    assert by_run[str(home / "second")].keys() == KEYS | MEMBERS
    out = evaluate(capsys, home / "run", home / "second", "--split", "test").out
    assert out.count("perplexity") >= 2
    assert f"{home / 'second'} on test:" in out


def test_a_text_that_is_stored_otherwise_is_read_by_its_field_and_encoding(home, capsys, tmp_path):
    text = "bato belu bir cato celu.\n" * 5
    (tmp_path / "plain.txt").write_text(f"caté {text}", "utf-8")
    (tmp_path / "old.txt").write_bytes(f"caté {text}".encode("cp1252"))
    (tmp_path / "table.csv").write_text(f'id,body\n7,"caté {text}"\n', "utf-8")

    def scores(name, *flags):
        return json.loads(evaluate(capsys, home / "run", "--text", tmp_path / name, *flags, "--json").out)

    plain = scores("plain.txt")
    assert scores("old.txt", "--encoding", "cp1252") == plain
    assert scores("table.csv", "--field", "body") == plain
    (tmp_path / "damaged.txt").write_bytes(f"caté {text}".encode() + b"\xff\n")
    assert scores("damaged.txt", "--errors", "replace")["tokens"] == plain["tokens"] + 2


def test_a_warning_says_that_few_tokens_were_tuned_on(home, capsys):
    few = home / "few.txt"
    few.write_text("bato belu bir cato celu. " * 40)
    for more in ([], ["--json"]):
        captured = evaluate(capsys, home / "run", "--split", "test", "--cache", "--valid", few, *more)
        assert captured.err.count("tokens were tuned on") == 1
        assert str(few) in captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--text", "test.txt", "--split", "test"], "either --text"),
        (["run"], "--split test"),
        (["run", "--split", "test", "--field", "body"], "say how --text is read"),
        (["run", "--text", "test.txt", "--field", "body"], "has no field 'body'"),
        (["run", "--text", "test.txt", "--encoding", "klingon"], "--encoding: 'klingon' is no encoding"),
        (["run", "--split", "train"], "valid or test"),
        (["run", "--split", "valid", "--cache"], "the one to tune on"),
        (
            ["run", "--split", "test", "--dynamic", "--dynamic-rule", "adam"],
            "--dynamic-rule: 'adam' is not one of rms, sgd",
        ),
        (["run", "--split", "test", "--dynamic-rule", "sgd"], "give --dynamic too"),
        (["run", "--split", "test", "--train-text", "train.txt"], "give that too"),
        (["run", "--split", "test", "--network-only", "--counts-only"], "exclude each other"),
        (["run", "--split", "test", "--counts-only", "--cache"], "goes with the whole model"),
        (["run", "--split", "test", "--ensemble", "./run"], "is the run itself"),
        (["run", "--split", "test", "--tokens", "second"], "is a folder"),
        (["run", "--split", "test", "--tokens", "test.txt/a.jsonl"], "test.txt is a file and no folder"),
        (["run", "--split", "test", "--cache", "--valid", "short.txt"], "fewer than 50"),
        (["untested", "--split", "test"], "no test split"),
        (["run", "second", "--split", "test", "--tokens", "t.jsonl"], "one of each"),
        (["run", "--split", "test", "--ensemble", "missing"], "no such run folder"),
        (["run", "--split", "test", "--dynamic", "--train-text", "missing.txt"], "missing.txt"),
    ],
)
def test_refusals(home, capsys, arguments, said, monkeypatch):
    monkeypatch.chdir(home)
    (home / "short.txt").write_text("bato belu bir.")
    assert run(["evaluate", *arguments]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
