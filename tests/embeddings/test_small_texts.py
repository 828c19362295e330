"""Word vectors of very small texts: what is thinned out, whether neighbours are right, what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from seqlab_cli.main import run

from seqlab.config import EmbeddingsConfig, TextConfig
from seqlab.embeddings import train_embeddings
from seqlab.embeddings.material.noise import default_subsample, keep_probabilities
from seqlab.embeddings.training.planning import resolved
from seqlab.embeddings.training.train import scarce, thinned
from seqlab.text import Corpus, prepare

NAMES = "amber birch cedar dahlia elder fern gorse hazel iris jasmine kale lilac".split()


def pairs_text(words: int, seed: int) -> str:
    """Twelve pairs of words, each pair with contexts of its own: a chain from pair to pair writes one word of each."""
    draws = np.random.default_rng(seed)
    follow = np.stack([draws.permutation(12) for _ in range(2)], 1)
    written, place = [], 0
    for _ in range(words):
        name = NAMES[place]
        written.append(name if draws.integers(2) else name[::-1])
        place = int(follow[place, draws.integers(2)])
    return "\n".join(" ".join(written[start : start + 12]) for start in range(0, words, 12)) + "\n"


def corpus_of(text: str, folder: Path) -> Corpus:
    (folder / "text.txt").write_text(text)
    config = TextConfig(tokenizer="word", valid_fraction=0.0, min_count=1)
    return prepare(folder / "text.txt", None, config, for_words=True, quiet=True)


def test_only_what_is_far_more_frequent_than_others_is_thinned_out() -> None:
    assert [default_subsample(words) for words in (1, 24, 500, 10_000, 71_000)] == [1, 1 / 24, 0.002, 1e-4, 1e-4]
    assert resolved(EmbeddingsConfig(), 17_000_000, 71_000).subsample == 1e-4
    assert resolved(EmbeddingsConfig(subsample=0), 600, 24).subsample == 0
    assert (keep_probabilities(np.full(24, 25), default_subsample(24)) == 1).all()
    zipf = 1000 // np.arange(1, 301)
    kept = keep_probabilities(zipf, default_subsample(300)) * zipf
    assert 0.4 < kept.sum() / zipf.sum() < 0.9
    assert kept[0] < 0.3 * zipf[0]


@pytest.mark.parametrize(("words", "least"), [(600, 9), (3_000, 11)])
def test_partners_of_a_small_text_are_nearest_by_default(words: int, least: int, tmp_path: Path) -> None:
    corpus = corpus_of(pairs_text(words, 1), tmp_path)
    vectors, report = train_embeddings(corpus, EmbeddingsConfig(min_count=1, workers=1), quiet=True)
    assert sum(vectors.neighbors(name, 1)[0][0] == name[::-1] for name in NAMES) >= least
    assert vectors.meta["settings"]["subsample"] == 1 / 24
    assert report["predictions"] > 100_000 * words / 600
    vectors, _ = train_embeddings(corpus, EmbeddingsConfig(min_count=1, workers=1, subsample=1e-4), quiet=True)
    assert sum(vectors.neighbors(name, 1)[0][0] == name[::-1] for name in NAMES) < 6, "what this is about"


def test_a_training_resumes_with_the_share_it_began_with(tmp_path: Path) -> None:
    corpus = corpus_of(pairs_text(600, 1), tmp_path)
    old = EmbeddingsConfig(min_count=1, workers=1, epochs=2, subsample=1e-3)
    first, _ = train_embeddings(corpus, old, quiet=True, out=tmp_path / "v")
    again, _ = train_embeddings(corpus, old.model_copy(update={"subsample": None}), quiet=True, out=tmp_path / "v")
    assert np.array_equal(first.matrix, again.matrix)


def test_hardly_any_text_is_called_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text("one two three four five six\n")
    command = ["train", "embeddings", str(tmp_path / "text.txt"), "-o", str(tmp_path / "v"), "--min-count", "1"]
    assert run([*command, "--json"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["loss"] > 0
    assert "predictions a word in every pass" in output.err
    command[4] = str(tmp_path / "nothing")
    assert run([*command, "--subsample", "1e-12", "--quiet"]) == 1
    assert "nothing was predicted, so its vectors mean nothing" in capsys.readouterr().err


def test_what_thinning_leaves_is_said_where_it_is_little() -> None:
    counts = np.full(24, 25)
    assert thinned(counts, 1 / 24) == thinned(counts, 0) == ""
    assert "leaves 5.1% of the text" in thinned(counts, 1e-4)
    assert scarce(24 * 20, 24) == ""
    assert scarce(100, 24).startswith("4.2 predictions a word in every pass: too few words")
    assert scarce(0, 24).startswith("nothing was predicted: ")


def test_the_default_is_not_followed_by_the_advice_against_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = corpus_of(pairs_text(600, 1), tmp_path)
    monkeypatch.setattr("seqlab.embeddings.training.loop.VectorTrainer.held_out_loss", rising())
    train_embeddings(corpus, EmbeddingsConfig(min_count=1, workers=1))
    assert "memorise this text" not in capsys.readouterr().err
    train_embeddings(corpus, EmbeddingsConfig(min_count=1, workers=1, epochs=51))
    assert "memorise this text" in capsys.readouterr().err


def rising() -> Callable[[object], float]:
    """A held-out loss that grows with every question."""
    losses = iter(range(1, 1000))
    return lambda trainer: float(next(losses))
