"""Sizes that no machine has: every command says in one sentence which is too much, and allocates nothing."""

from __future__ import annotations

import re

import pytest
from seqlab_cli.main import run

MANY = str(10**8)
"""More than any size can be."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sizes")
    words = "plum fig pear quince medlar sloe damson greengage".split()
    lines = [" ".join(words[(start * step) % 8] for step in range(1, 8)) for start in range(1, 300)]
    (folder / "text.txt").write_text("\n".join(lines) + "\n", "utf-8")
    text = str(folder / "text.txt")
    small = ["--hidden-dim", "8", "--embed-dim", "8", "--layers", "1", "--batch-size", "4", "--bptt", "8"]
    command = ["train", "lm", text, "-o", str(folder / "run"), "--tokenizer", "word", "--min-count", "1", "--lines"]
    assert run([*command, "--steps", "3", "-q", *small]) == 0
    assert run(["train", "embeddings", text, "-o", str(folder / "vectors"), "--epochs", "1", "-q"]) == 0
    return folder


LM = ["train", "lm", "{home}/text.txt", "-o", "{home}/new", "-q", "--steps", "2", "--tokenizer", "word"]
VECTORS = ["train", "embeddings", "{home}/text.txt", "-o", "{home}/new", "-q"]
GENERATE = ["generate", "{home}/run"]
MAP = ["visualize", "{home}/vectors", "-o", "{home}/map.html"]


@pytest.mark.parametrize(
    ("command", "key", "value"),
    [
        *((LM, key, MANY) for key in ("hidden-dim", "embed-dim", "layers", "batch-size", "bptt", "vocab-size")),
        (LM, "samples", str(10**12)),
        (LM, "threads", MANY),
        (LM, "steps", str(10**30)),
        *((VECTORS, key, MANY) for key in ("dim", "window", "samples", "epochs", "workers")),
        (VECTORS, "max-vocab", str(10**15)),
        *((GENERATE, key, MANY) for key in ("length", "num", "best-of", "beam", "items")),
        *((MAP, key, MANY) for key in ("words", "neighbors", "perplexity")),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else value,
)
def test_a_size_beyond_its_limit_is_named_with_the_limit(command, key, value, home, capsys):
    refused(
        home,
        [*command, f"--{key}", value],
        rf"{key.replace('-', '[-_]')}: must be [\d,to ]+( or less, not .*)?",
        capsys,
    )
    assert not (home / "new").exists()


def refused(home, command, sentence, capsys):
    """The command ends in this one sentence and exit code 2."""
    capsys.readouterr()
    assert run([part.format(home=home) for part in command]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    last = found.err.strip().split("\n")[-1]
    assert re.search(sentence, last), found.err
    assert last.startswith("seqlab: ")
    assert "Traceback" not in found.err


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ([*LM, "--hidden-dim", "60000", "--layers", "50"], "--hidden-dim"),
        ([*LM, "--batch-size", "1000", "--bptt", "1000000", "--set", "accumulate=1"], "--bptt"),
        ([*VECTORS, "--min-count", "1", "--set", "buckets=1000000000", "--dim", "10000"], "fewer buckets"),
        ([*VECTORS, "--engine", "torch", "--window", "10000", "--set", "batch_size=10000000"], "--window"),
        ([*GENERATE, "--beam", "100000", "--length", "1000000"], "--beam"),
        ([*GENERATE, "--num", "100000", "--length", "1000000", "--ignore-eos"], "--num"),
        ([*GENERATE, "--best-of", "100000", "--length", "1000000", "--ignore-eos"], "--best-of"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sizes_that_are_too_much_together_say_what_they_need(command, named, home, capsys):
    refused(home, command, rf"would need about [\d,.]+ TB of memory, of which .* are left; .*{named}", capsys)
    assert not (home / "new").exists()


@pytest.mark.parametrize("verb", [["neighbors", "plum"], ["analogy", "plum", "fig", "pear"]])
def test_more_neighbours_than_there_are_words_are_all_of_them(verb, home, capsys):
    command = [verb[0], str(home / "vectors"), *verb[1:], "-k", str(10**30)]
    assert run(command) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 8 - len(verb[1:])


def test_a_vocabulary_larger_than_the_text_takes_no_memory_for_it(home):
    command = ["data", "prepare", str(home / "text.txt"), "-o", str(home / "pieces"), "--tokenizer", "bpe"]
    assert run([*command, "--vocab-size", str(10**7), "-q"]) == 0


def test_texts_that_may_end_early_are_not_counted_at_their_longest(home, monkeypatch, capsys):
    monkeypatch.setattr("seqlab.base.resources.memory.free_memory", lambda: 2 * 10**8)
    assert run(["generate", str(home / "run"), "--num", "3000", "--length", "1000", "--seed", "1"]) == 0
    capsys.readouterr()
    command = [*GENERATE, "--num", "3000", "--length", "1000", "--ignore-eos"]
    refused(home, command, "3,000 texts of 1,000 tokens would need about .* lower --num or --length", capsys)


def test_a_vector_file_larger_than_memory_is_refused_by_its_header(home, monkeypatch, capsys):
    rows = "".join(f"w{row} {' '.join(['0.25'] * 40)}\n" for row in range(5000))
    (home / "large.vec").write_text(f"5000 40\n{rows}", "utf-8")
    monkeypatch.setattr("seqlab.base.resources.memory.free_memory", lambda: 700_000)
    needed = r"large.vec: 5,000 vectors of 40 dimensions would need about 800 kB .* of which 700 kB are left; .*--words"
    refused(home, ["neighbors", "{home}/large.vec", "w7"], needed, capsys)
