"""No id, offset or length of a corpus reaches a compiled loop unchecked, whatever its digests say."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from crafted import crafted_corpus, id_beyond, wrong_documents
from seqlab_cli.main import run

from seqlab.base.errors import InputError
from seqlab.config import TextConfig
from seqlab.text import Corpus, prepare
from seqlab.text.ids import token_file

COMMANDS = (
    ["train", "lm", "--steps", "2", "-o", "out"],
    ["train", "embeddings", "--epochs", "1", "-o", "out"],
    ["data", "prepare", "-o", "out"],
    ["info"],
)
CORPORA, QUICK, EACH = 200, 20, 20
"""All of them, those of a quick run, and of one test."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Several documents, shards and splits."""
    folder = tmp_path_factory.mktemp("corpus")
    draw = random.Random(1)
    for number in range(8):
        (folder / f"{number}.txt").write_text(" ".join(draw.choice("abcdefgh") * 3 for _ in range(400)) + ".\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_file, "SHARD_TOKENS", 1000)
        names = [folder / f"{number}.txt" for number in range(8)]
        config = TextConfig().updated({"tokenizer": "word", "lines": "no"})
        return prepare(names, folder / "corpus", config, valid=folder / "1.txt")


@pytest.mark.parametrize(
    "first", [pytest.param(first, marks=[pytest.mark.slow] * (first >= QUICK)) for first in range(0, CORPORA, EACH)]
)
def test_ids_beyond_the_vocabulary_are_refused(
    first: int, corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    types = len(corpus.tokenizer.vocab)
    for seed in range(first, first + EACH):
        folder = crafted_corpus(corpus.path, Path(f"corpus-{seed}"), id_beyond(seed, types))
        verb, *options = COMMANDS[seed % len(COMMANDS)]
        words = (
            [verb, options.pop(0), str(folder), *options] if options and options[0][0] != "-" else [verb, str(folder)]
        )
        assert run(words) == 2, (seed, words)
        sentence = capsys.readouterr().err
        assert f"which the vocabulary of {types} types does not hold" in sentence
        assert sentence.count("\n") == 1
        assert not Path("out").exists()


@pytest.mark.parametrize("kind", ["negative", "beyond", "huge", "descending"])
def test_documents_outside_the_text_are_refused(kind: str, corpus: Corpus, tmp_path: Path) -> None:
    folder = crafted_corpus(corpus.path, tmp_path / "c", wrong_documents(kind))
    with pytest.raises(InputError, match=r"train\.documents\.npy: .*; the file is damaged"):
        Corpus.open(folder)


@pytest.mark.parametrize("offset", [1, -1])
def test_lines_without_a_token_are_refused(offset: int, tmp_path: Path) -> None:
    """Of a list every line is read for itself; a length of 0 would be divided by."""
    (tmp_path / "names.txt").write_text("\n".join(f"name{n % 97} no{n}" for n in range(500)))
    corpus = prepare(tmp_path / "names.txt", tmp_path / "c", TextConfig().updated({"lines": "yes"}))

    def change(folder: Path, header: dict[str, object]) -> None:
        documents = np.load(folder / "train.documents.npy")
        place = 7 if offset < 0 else 0
        documents[place] = documents[6] if offset < 0 else 1
        np.save(folder / "train.documents.npy", documents)

    folder = crafted_corpus(corpus.path, tmp_path / "crafted", change)
    with pytest.raises(InputError, match=r"train\.documents\.npy: "):
        Corpus.open(folder)


def test_a_smaller_vocabulary_behind_a_valid_digest_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    def change(folder: Path, header: dict[str, object]) -> None:
        tokenizer = corpus.tokenizer
        vocab = type(tokenizer.vocab)(tokenizer.vocab.itos[:-3], tokenizer.vocab.counts[:-3])
        tokenizer.with_vocab(vocab).save(folder / "tokenizer.json")

    folder = crafted_corpus(corpus.path, tmp_path / "c", change)
    with pytest.raises(InputError, match="does not hold"):
        Corpus.open(folder, verify=False)
    assert json.loads((folder / "corpus.json").read_text())["digest"] != corpus.digest


@pytest.mark.parametrize("count", [-1, 2**62, 2**53])
def test_counts_that_no_text_has_are_refused(count: int, corpus: Corpus, tmp_path: Path) -> None:
    """Their sum would overflow, and noise and subsampling be drawn from what is no distribution."""
    vocab = corpus.tokenizer.vocab
    counts = [*vocab.counts.tolist()[:-1], count]
    with pytest.raises(InputError, match="counts are not those of a text"):
        crafted_corpus(
            corpus.path,
            tmp_path / "c",
            lambda folder, header: corpus.tokenizer.with_vocab(type(vocab)(vocab.itos, counts)).save(
                folder / "tokenizer.json"
            ),
        )
