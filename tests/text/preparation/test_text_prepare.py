"""Preparing a text: the anchors' counts, one result whatever the chunks, workers and splits."""

from __future__ import annotations

import json
import operator
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from costs import usual
from hypothesis import given, settings
from hypothesis import strategies as st
from made_texts import KINDS, WORDS, config, write

from seqlab.base.errors import InputError, SeqlabError
from seqlab.catalogue import corpora
from seqlab.text import Corpus, load_tokenizer, prepare
from seqlab.text.preparation import jobs
from seqlab.text.preparation.spool import Spool
from seqlab.text.tokenizers.bpe import sample_blocks
from seqlab.text.tokenizers.cuts import LIMIT
from seqlab.text.workers import Workers

# --- the anchors ------------------------------------------------------------------------------------------


def test_wikitext2_has_its_published_counts(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "wikitext-2"
    corpus = prepare(folder / "train.txt", tmp_path / "c", valid=folder / "valid.txt", test=folder / "test.txt")
    assert corpus.tokenizer.kind == "whitespace"
    assert corpus.valid is not None
    assert corpus.test is not None
    assert (len(corpus.train), len(corpus.valid), len(corpus.test)) == (2_088_628, 217_646, 245_569)
    assert len(corpus.tokenizer.vocab) == corpus.summary["types"] == 33_278
    assert {"<unk>", "<eos>"} < set(corpus.tokenizer.vocab.itos)
    assert (np.diff(corpus.tokenizer.vocab.counts) <= 0).all()
    counts = np.bincount(corpus.train[:], minlength=33_278)
    np.testing.assert_array_equal(counts, corpus.tokenizer.vocab.counts)
    assert corpus.summary["tokens"] == 2_088_628
    assert corpus.train.dtype == np.uint16
    assert corpus.train.unknown == counts[corpus.tokenizer.unk_id]
    text = (folder / "valid.txt").read_text("utf-8")
    np.testing.assert_array_equal(corpus.tokenizer.encode(text), corpus.valid[:])
    assert corpus.valid.characters == len(text)
    assert corpus.valid.bytes == len(text.encode())
    assert corpus.valid.words == len(text.split())


def test_tiny_shakespeare_is_split_as_usual(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "tinyshakespeare" / "input.txt"
    corpus = prepare(path, tmp_path / "c")
    assert corpus.tokenizer.kind == "char"
    assert corpus.valid is not None
    assert (len(corpus.train), len(corpus.valid)) == (1_003_854, 111_540)
    assert (corpus.summary["types"], len(corpus.tokenizer.vocab)) == (65, 66)
    assert corpus.tokenizer.eos_id is None
    both = np.concatenate([corpus.train[:], corpus.valid[:]])
    assert corpus.tokenizer.decode(both) == path.read_text("utf-8")


def test_whitespace_without_validation_text_is_cut_at_a_line_end(shared_data: Path, tmp_path: Path) -> None:
    corpus = prepare(shared_data / "wikitext-2" / "valid.txt", tmp_path / "c")
    assert corpus.summary["tokens"] == 217_646
    assert corpus.train[-1:] == corpus.tokenizer.eos_id


# --- one result, however it is computed -------------------------------------------------------------------

pieces_of_text = st.lists(
    st.one_of(
        st.sampled_from(
            ["the", " ", " ", "\n", "cat,", "\n\n", "<unk>", "<eos>", "é", "日", "don't", "\x1c", "\u3000"]
        ),
        st.text(max_size=4),
    ),
    min_size=1,
    max_size=60,
)


def contents(corpus: Corpus) -> dict[str, tuple[list[int], list[int], object]]:
    return {name: (split[:].tolist(), split.documents.tolist(), split.counts) for name, split in corpus.splits.items()}


@pytest.mark.parametrize("kind", usual(KINDS, "word", "bpe"))
@settings(max_examples=12, deadline=None)
@given(parts=pieces_of_text, chunk=st.integers(1, 40), long=st.sampled_from(["", "a", " ", "é"]))
def test_ids_do_not_depend_on_the_chunks(
    kind: str, parts: list[str], chunk: int, long: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("chunks")
    text = "x y x " + "".join(parts) + long * (LIMIT + 500) + "".join(parts)
    path = write(folder / "t.txt", text)
    settings = config(kind, vocab_size=270) if kind == "bpe" else config(kind)
    if kind in ("word", "whitespace", "char"):
        settings = config(kind, min_count=1)
    results = [prepare(path, folder / str(size), settings, chunk_bytes=size) for size in (chunk, 1 << 20)]
    assert contents(results[0]) == contents(results[1])
    assert results[0].digest == results[1].digest
    corpus = results[0]
    assert (np.diff(corpus.tokenizer.vocab.counts) <= 0).all()
    clean = text.replace("\r\n", "\n").replace("\r", "\n")
    split = corpus.train.characters
    for part, ids in ((clean[:split], corpus.train), (clean[split:], corpus.valid)):
        expected = corpus.tokenizer.encode(part).tolist()
        if kind == "whitespace" and part and corpus.tokenizer.closes(part):
            expected.append(corpus.tokenizer.eos_id)
        assert expected == ([] if ids is None else ids[:].tolist())
        if ids is not None:
            assert ids.counts.words == len(part.split())
            assert ids.unknown == (0 if corpus.tokenizer.unk_id is None else expected.count(corpus.tokenizer.unk_id))
    if corpus.valid is not None:  # a part of contains only white space may have no tokens
        assert corpus.summary["chars"] == len(clean)
        assert corpus.summary["bytes"] == len(clean.encode())


@pytest.mark.parametrize("kind", usual(KINDS, "word", "bpe"))
@settings(max_examples=8, deadline=None)
@given(documents=st.lists(pieces_of_text.map("".join), min_size=2, max_size=12), chunk=st.integers(1, 300))
def test_many_small_documents_do_not_depend_on_the_chunks(
    kind: str, documents: list[str], chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("documents")
    documents = [f"x {text}" for text in documents]
    path = folder / "d.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in documents))
    values = {} if kind in ("byte", "bpe") else {"min_count": 1}
    settings = config(kind, valid_fraction=0.0, **values, **({"vocab_size": 262} if kind == "bpe" else {}))
    results = [prepare(path, folder / str(size), settings, chunk_bytes=size) for size in (chunk, 1 << 20)]
    assert contents(results[0]) == contents(results[1])
    corpus = results[0]
    cleaned = [text.replace("\r\n", "\n").replace("\r", "\n") for text in documents]
    expected = [corpus.tokenizer.encode(text).tolist() for text in cleaned]
    for ids, text in zip(expected, cleaned, strict=True):
        ids += [corpus.tokenizer.eos_id] if corpus.tokenizer.closes(text) else []
    starts = corpus.train.documents.tolist()
    assert [corpus.train[a:b].tolist() for a, b in zip(starts, [*starts[1:], None], strict=True)] == expected
    assert corpus.train.words == sum(len(text.split()) for text in cleaned)


@pytest.mark.parametrize("kind", usual(KINDS, "word", "bpe"))
def test_workers_give_what_one_process_gives(kind: str, tmp_path: Path) -> None:
    text = "".join(f"line {n % 997} says word{n % 313}, 日本 and é!\n" for n in range(3000))
    path = write(tmp_path / "t.txt", text)
    alone = prepare(path, tmp_path / "alone", config(kind), workers=0)
    together = prepare(path, tmp_path / "together", config(kind), workers=2, chunk_bytes=5000)
    assert contents(alone) == contents(together)
    assert alone.digest == together.digest


@pytest.mark.parametrize("kind", KINDS)
def test_forgetful_workers_give_the_same(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that may remember nothing from chunk to chunk numbers types anew."""
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps({"text": f"{n} {WORDS} {n}"}) + "\n" for n in range(40)))
    usual = prepare(path, tmp_path / "usual", config(kind), workers=0, chunk_bytes=200)
    monkeypatch.setattr(jobs, "MEMORY", -1)
    forgetful = prepare(path, tmp_path / "forgetful", config(kind), workers=0, chunk_bytes=200)
    assert contents(usual) == contents(forgetful)


def test_workers_need_no_guarded_main_script(tmp_path: Path) -> None:
    """A script without `if __name__ == "__main__"` is not run again by its workers."""
    write(tmp_path / "t.txt", WORDS * 50)
    write(
        tmp_path / "script.py",
        "print('once')\nfrom seqlab.text import prepare\n"
        "print(len(prepare('t.txt', 'c', workers=2, chunk_bytes=100).train) > 0)\n",
    )
    result = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.split() == ["once", "True"]


def test_workers_take_large_items_in_turn() -> None:
    """Items and results far larger than a pipe holds do not wait for each other; every process works in order."""
    items = [[b"x" * 1_000_000, number] for number in range(12)]
    with Workers(3, partial, list) as pool:
        assert list(pool.map(items)) == items
    with Workers(2, partial, operator.iadd, []) as pool:  # the list grows in the worker
        results = list(pool.map([[number] for number in range(6)]))
    assert results == [[0], [1], [0, 2], [1, 3], [0, 2, 4], [1, 3, 5]]


def test_failing_workers_are_reported() -> None:
    with (
        pytest.raises(SeqlabError, match="worker process ended unexpectedly"),
        Workers(1, partial, os._exit) as pool,
    ):
        list(pool.map([3]))
    with (
        pytest.raises(SeqlabError, match="worker process failed .*ValueError"),
        Workers(2, partial, int) as pool,
    ):
        assert list(pool.map(["1", "2", "3", "x"])) == [1, 2, 3]
    with (
        pytest.raises(InputError, match="nowhere: no such file"),
        Workers(1, partial, load_tokenizer) as pool,
    ):
        list(pool.map(["nowhere"]))


# --- documents and splits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_several_documents_are_closed_and_cut_at_a_border(kind: str, tmp_path: Path) -> None:
    texts = [f"document {n} " + WORDS for n in range(20)]
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    corpus = prepare(
        path, tmp_path / "c", config(kind, lines="no", **({} if kind in ("byte", "bpe") else {"min_count": 1}))
    )
    eos = corpus.tokenizer.eos_id
    assert eos is not None
    assert corpus.valid is not None
    assert (len(corpus.train.documents), len(corpus.valid.documents)) == (18, 2)
    assert corpus.summary["documents"] == 20
    ends = [*corpus.train.documents[1:], len(corpus.train)]
    for text, start, end in zip(texts, corpus.train.documents, ends, strict=False):
        ids = corpus.train[int(start) : int(end)].tolist()
        assert ids == [*corpus.tokenizer.encode(text).tolist(), eos]
    assert corpus.valid[-1:] == eos


def test_single_text_has_no_end_of_document(tmp_path: Path) -> None:
    for kind in ("char", "byte", "word", "bpe"):
        corpus = prepare(write(tmp_path / "t.txt", WORDS * 20), tmp_path / kind, config(kind))
        assert corpus.tokenizer.eos_id is None
        assert corpus.summary["documents"] == 1


def test_unequal_documents_are_cut_inside(tmp_path: Path) -> None:
    """No document border lies near the wanted place."""
    for name, count in (("a", 1), ("b", 99)):
        write(tmp_path / f"{name}.txt", (WORDS + "\n") * count)
    corpus = prepare([tmp_path / "a.txt", tmp_path / "b.txt"], tmp_path / "c", config("word"))
    assert corpus.valid is not None
    share = corpus.valid.characters / corpus.summary["chars"]
    assert 0.08 < share < 0.11


def test_vocabulary_comes_from_the_training_split_only(tmp_path: Path) -> None:
    train, valid = (
        write(tmp_path / "t.txt", "a b a b c\n" * 10),
        write(tmp_path / "v.txt", "a zebra\nzebra q\n"),
    )
    corpus = prepare(train, tmp_path / "c", config("whitespace"), valid=valid, test=valid)
    assert "zebra" not in corpus.tokenizer.vocab
    assert corpus.valid is not None
    assert corpus.valid.unknown == 3
    assert corpus.valid.counts.types == 3
    assert corpus.train.unknown == 0
    assert corpus.tokenizer.vocab.itos[-1] == "<unk>"
    assert corpus.summary["splits"]["test"]["tokens"] == 6


@pytest.fixture
def named_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus `hobbit` of three splits whose entry suggests bytes."""
    splits = {name: [write(tmp_path / f"{name}.raw", f"{name} {WORDS}\n" * 9)] for name in ("train", "valid", "test")}
    monkeypatch.setattr(corpora, "names", lambda: ["hobbit"])
    monkeypatch.setattr(corpora, "splits", lambda name: splits)
    monkeypatch.setattr(corpora, "resolve", lambda name: splits["train"] if name == "hobbit" else None)
    monkeypatch.setattr(corpora, "describe", lambda name: {"tokenizer": "byte"})


def test_named_corpus_brings_its_splits_and_tokenizer(
    named_corpus: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = prepare("hobbit")
    assert corpus.tokenizer.kind == "byte"
    assert corpus.tokenizer.decode(corpus.splits["test"][:5]) == "test "
    assert prepare("hobbit", for_words=True).tokenizer.kind in ("word", "whitespace")
    assert prepare("hobbit", config=config("char")).tokenizer.kind == "char"
    own = prepare("hobbit", valid=write(tmp_path / "mine.txt", "mine"))
    assert own.valid is not None
    assert own.tokenizer.decode(own.valid[:]) == "mine"
    with pytest.raises(InputError, match="Did you mean 'hobbit'"):
        prepare("hobit")
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "hobbit", "a file of that name wins. " * 9)
    assert prepare("hobbit").tokenizer.kind == "char"


def test_settings_must_fit_the_chosen_tokenizer(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", "x1=(2); " * 400_000)  # no prose, which would be read by words
    with pytest.raises(InputError, match="min_count: the bpe tokenizer"):
        prepare(path, tmp_path / "c", config(min_count=3))


@pytest.mark.parametrize(
    ("text", "fraction"), [("ab", 0.5), ("a", 0.5), ("a b", 0.9), ("word " * 9, 0.3), ("x" * 9000, 0.1)]
)
@pytest.mark.parametrize("kind", ["word", "char"])
def test_tiny_texts_are_split(text: str, fraction: float, kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", text)
    corpus = prepare(path, tmp_path / "c", config(kind, valid_fraction=fraction, min_count=1))
    assert sum(split.characters for split in corpus.splits.values()) == len(text)
    if kind == "char" and len(text) > 1:
        assert corpus.train.characters == (int(len(text) * (1 - fraction)) or len(text))


def test_words_for_vectors_keep_rare_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", "Common common rare. Common!")
    corpus = prepare(path, tmp_path / "c", config(valid_fraction=0.0), for_words=True)
    assert corpus.tokenizer.kind == "word"
    assert "rare" in corpus.tokenizer.vocab
    assert corpus.valid is None
    assert "rare" not in prepare(path, tmp_path / "d", config("word", valid_fraction=0.0)).tokenizer.vocab
    lower = prepare(path, tmp_path / "e", config(lowercase=True, valid_fraction=0.0))
    assert lower.tokenizer.vocab.itos[0] == "common"


def test_every_kind_keeps_to_its_vocabulary_size(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", WORDS * 50)
    for kind, size in (("char", 8), ("word", 5), ("whitespace", 5), ("bpe", 262)):
        assert len(prepare(path, tmp_path / kind, config(kind, vocab_size=size)).tokenizer.vocab) == size


# --- the parts --------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text("ab é\n", min_size=1, max_size=30), min_size=1, max_size=5), size=st.integers(1, 9))
def test_spool_covers_the_text_with_chunks(
    texts: list[str], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Chunks lie one after another, end at cuts or at ends of documents, and tell where documents begin and end."""
    spool = Spool(tmp_path_factory.mktemp("spool") / "t", size)
    blocks = [(number == 0, text[number : number + 3]) for text in texts for number in range(0, len(text), 3)]
    list(spool.fill(blocks))
    assert [chunk.start for chunk in spool.chunks] == np.cumsum([0, *(c.size for c in spool.chunks)])[:-1].tolist()
    assert spool.documents == len(texts)
    assert spool.characters == sum(map(len, texts))
    documents: list[str] = []
    open_document = False
    for chunk in spool.chunks:
        assert chunk.opens != open_document
        for number, part in enumerate(chunk.documents()):
            if number or chunk.opens:
                documents.append("")
            elif not part[0].isspace():
                assert documents[-1][-1].isspace() is False
                assert len(documents[-1]) % LIMIT == 0
            documents[-1] += part
        open_document = len(chunk.ends) == 0 or chunk.ends[-1] < chunk.characters
    assert documents == texts
    assert not open_document


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text("ab \n", min_size=1, max_size=30), min_size=1, max_size=8),
    size=st.integers(1, 40),
    fraction=st.floats(0.05, 0.9),
    anywhere=st.booleans(),
)
def test_split_does_not_depend_on_the_chunks(
    texts: list[str], size: int, fraction: float, anywhere: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    parts = []
    for chunk_bytes in (size, 1 << 20):
        spool = Spool(tmp_path_factory.mktemp("spool") / "t", chunk_bytes)
        list(spool.fill((True, text) for text in texts))
        halves = spool.split(fraction, anywhere)
        parts.append(["".join(chunk.read() for chunk in half) for half in halves])
        for half in halves:
            assert not half or (half[0].opens and half[-1].ends[-1] == half[-1].characters)
    assert parts[0] == parts[1]
    first, whole = parts[0][0], "".join(texts)
    assert "".join(parts[0]) == whole
    target = int(len(whole) * (1 - fraction))
    if target and len(first) not in np.cumsum([len(text) for text in texts]):
        assert not anywhere or len(first) == target


def test_sample_of_a_large_text_spreads_over_it(tmp_path: Path) -> None:
    text = "".join(f"{n:07d} é " for n in range(100_000))
    path = write(tmp_path / "t.txt", text)
    blocks = list(sample_blocks(str(path), path.stat().st_size, 1 << 18))
    assert len(blocks) == 4
    assert all(block in text for block in blocks)
    starts = sorted(text.index(block) / len(text) for block in blocks)
    assert starts[0] < 0.3
    assert starts[-1] > 0.6
    assert list(sample_blocks(str(path), 19, 1 << 18)) == ["0000000 é 0000001 "]
