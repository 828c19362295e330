"""Vectors of a model of word pieces are those of whole words, spelled as the text has them."""

from __future__ import annotations

import random

import pytest
from seqlab_cli.main import run

import seqlab
from seqlab.evaluation.results import unknown_caveat

NOUNS = ["fjord", "häuser", "bread", "winter", "summer", "garden", "minister", "ministry", "window"]
OPTIONS = {"embed_dim": 16, "hidden_dim": 32, "layers": 1, "batch_size": 4, "bptt": 16, "lr": 0.02, "threads": 1}


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    draw, folder = random.Random(0), tmp_path_factory.mktemp("text")
    lines = [f"the {draw.choice(NOUNS)} and the {draw.choice(NOUNS)} “saw” a {draw.choice(NOUNS)}." for _ in range(700)]
    (folder / "text.txt").write_text(" ".join(lines), "utf-8")
    return seqlab.train_language_model(
        folder / "text.txt", folder / "run", tokenizer="bpe", vocab_size=330, epochs=3, quiet=True, seed=1, **OPTIONS
    )


def test_words_are_whole_and_plain(lm) -> None:
    vectors = lm.vectors()
    assert {"the", "and", "saw", "a"} <= {*vectors.words, "saw", "a"}
    assert {"the", "and", *NOUNS[2:]} <= set(vectors.words)
    assert not any("Ġ" in word or "Ã" in word or word.startswith(" ") for word in vectors.words)
    assert "minist" not in vectors.words
    text = set(NOUNS) | {"the", "and", "a", "saw", "“", "”", "“saw”", "."}
    fragments = [word for word in vectors.words if word.isalpha() and word not in text]
    assert len(fragments) <= 3, fragments
    assert (vectors["bread"] != 0).any()


def test_neighbours_and_maps_take_and_show_words(lm, capsys) -> None:
    assert run(["neighbors", str(lm.run.path), "winter", "-k", "3"]) == 0
    out = capsys.readouterr().out
    assert "Ġ" not in out
    assert set(out.split()) & set(NOUNS)
    picture = lm.vectors().map(words=20, quiet=True)
    assert all(any(map(str.isalpha, word)) and "Ġ" not in word for word in picture.wordmap.words)


def test_many_unknown_words_are_said() -> None:
    assert unknown_caveat(0.1) == ""
    assert unknown_caveat(0.52).startswith("52% of the tokens are unknown")


def test_training_and_evaluation_say_so(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)
    draw = random.Random(3)
    words = ["".join(draw.choice("abcdefghij") for _ in range(6)) for _ in range(3000)]
    (tmp_path / "rare.txt").write_text("a b. ".join(words), "utf-8")
    flags = ["--tokenizer", "word", "--steps", "3", "--hidden-dim", "8", "--embed-dim", "8", "--softmax", "full"]
    assert run(["train", "lm", str(tmp_path / "rare.txt"), "-o", str(tmp_path / "run"), *flags]) == 0
    assert "of the tokens are unknown" in capsys.readouterr().err
    assert run(["evaluate", str(tmp_path / "run"), "--text", str(tmp_path / "rare.txt")]) == 0
    assert "--tokenizer bpe knows every text" in capsys.readouterr().err
