"""Prepared corpora: token files, the spelling of unknown words, the folder and the cache, what a notebook shows."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from costs import usual
from made_texts import KINDS, WORDS, config, write

from seqlab.base.errors import InputError, SeqlabError
from seqlab.base.files import verify_manifest
from seqlab.base.storage import verified
from seqlab.config import TextConfig
from seqlab.text import Corpus, TokenFile, prepare, tokenize
from seqlab.text.ids import spelling, token_file
from seqlab.text.preparation import jobs

# --- token files ------------------------------------------------------------------------------------------


def test_slices_cross_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_file, "SHARD_TOKENS", 7)
    text = "".join(chr(97 + n % 26) for n in range(100))
    corpus = prepare(write(tmp_path / "t.txt", text), tmp_path / "c", config("char", valid_fraction=0.0))
    assert len(corpus.train.shards) == 15
    whole = corpus.tokenizer.encode(text)
    for start, stop in ((0, 100), (6, 8), (7, 14), (13, 50), (50, 13), (98, 200), (-5, 100), (0, 0)):
        np.testing.assert_array_equal(corpus.train[start:stop], whole[start:stop])
    np.testing.assert_array_equal(corpus.train[:], whole)
    with pytest.raises(IndexError):
        corpus.train[::2]


def test_many_types_need_wide_ids(tmp_path: Path) -> None:
    text = " ".join(f"w{n}" for n in range(70_000))
    corpus = prepare(write(tmp_path / "t.txt", text), tmp_path / "c", config("whitespace", valid_fraction=0.0))
    assert corpus.train.dtype == np.uint32
    assert corpus.tokenizer.decode(corpus.train[-2:]) == "w69999\n"
    np.testing.assert_array_equal(corpus.train[:-1], corpus.tokenizer.encode(text))


def test_known_tokenizer_on_another_text(tmp_path: Path) -> None:
    corpus = prepare(write(tmp_path / "t.txt", WORDS * 20), tmp_path / "c", config("word"))
    other = write(tmp_path / "o.txt", "the zebra sat.\n")
    tokens = tokenize(other, corpus.tokenizer)
    np.testing.assert_array_equal(tokens[:], corpus.tokenizer.encode("the zebra sat.\n"))
    assert (tokens.characters, tokens.words, tokens.unknown) == (15, 3, 2)
    with pytest.raises(InputError, match="white space"):
        tokenize(write(tmp_path / "s.txt", "  "), corpus.tokenizer)
    assert len(TokenFile.of([1, 2, 3])) == 3


# --- how unknown words are spelt --------------------------------------------------------------------------

RARE = "".join(f"the cat{n % 7} met don't{n % 5}x <unk> thing{n}, é{n % 90}日 again{n % 450}\n" for n in range(600))


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("kind", usual(KINDS, "word", "bpe"))
def test_spelling_does_not_depend_on_workers_and_chunks(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "t.txt", RARE)
    values: dict[str, object] = {} if kind in ("byte", "bpe") else {"min_count": 3}
    prepare(path, tmp_path / "usual", config(kind, **values))
    prepare(path, tmp_path / "small", config(kind, **values), chunk_bytes=37)
    prepare(path, tmp_path / "workers", config(kind, **values), workers=2, chunk_bytes=1000)
    monkeypatch.setattr(jobs, "MEMORY", -1)
    prepare(path, tmp_path / "forgetful", config(kind, **values), chunk_bytes=500)
    usual = files(tmp_path / "usual")
    assert ("train.unknown.json" in usual) == (kind in ("word", "whitespace"))
    for name in ("small", "workers", "forgetful"):
        assert files(tmp_path / name) == usual


@pytest.mark.parametrize("kind", ["word", "whitespace"])
def test_every_unknown_word_is_told(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In both splits, however they are sliced, as the tokenizer itself tells them."""
    monkeypatch.setattr(token_file, "SHARD_TOKENS", 701)
    monkeypatch.setattr(spelling, "BLOCK", 32)
    path = write(tmp_path / "t.txt", RARE)
    corpus = prepare(path, tmp_path / "c", config(kind, min_count=3)).with_spelling()
    for name, text in (("train", RARE[: corpus.train.characters]), ("valid", RARE[corpus.train.characters :])):
        split, tokenizer = corpus.splits[name], corpus.tokenizer
        expected, words = tokenizer.encode_spelt(text)
        assert split.spelt is not None
        names = [*tokenizer.vocab.itos, *split.extra_words]
        assert [names[id] for id in split.spelt[:]] == [[*tokenizer.vocab.itos, *words][id] for id in expected]
        assert sorted(split.extra_words) == sorted(words)
        assert len(split.extra_words) == corpus.summary["splits"][name]["unknown_words"] > 20
        known = split.spelt[:] < len(tokenizer.vocab)
        np.testing.assert_array_equal(split.spelt[:][known], split[:][known])
        assert (split[:][~known] == tokenizer.unk_id).all()
        whole, edges = split.spelt[:], np.random.default_rng(0).integers(0, len(split) + 1, (200, 2))
        for start, stop in edges.tolist():
            np.testing.assert_array_equal(split.spelt[start:stop], whole[start:stop])
        given = tokenize(write(tmp_path / f"{name}.txt", text), tokenizer, spelt=True)
        given_names = [*tokenizer.vocab.itos, *given.extra_words]
        assert given.spelt is not None
        assert [given_names[id] for id in given.spelt[:]] == [names[id] for id in whole]
    literal = corpus.tokenizer.unk_id in corpus.train.spelt[:]
    assert literal == (kind == "whitespace")


def test_without_unknown_words_nothing_is_written(tmp_path: Path) -> None:
    corpus = prepare(write(tmp_path / "t.txt", "a b <unk>\n" * 9), tmp_path / "c", config("whitespace"))
    assert corpus.train.unknown
    assert corpus.keeps_spelling
    assert not list((tmp_path / "c").glob("*.unknown.*"))
    told = corpus.with_spelling()
    assert told.train.spelt is None
    assert told.train.extra_words == []


@pytest.mark.parametrize("name", ["train.unknown.json", "train.unknown.bin"])
@pytest.mark.parametrize("damage", ["missing", "flipped", "shorter", "empty"])
@pytest.mark.parametrize("verify", [None, False])
def test_damaged_spelling_is_refused(name: str, damage: str, verify: bool | None, tmp_path: Path) -> None:
    corpus = prepare(write(tmp_path / "t.txt", RARE), tmp_path / "c", config("whitespace", min_count=3))
    file = corpus.path / name
    data = bytearray(file.read_bytes())
    data[-1] ^= 128  # the end of the list, the high bits of a number
    file.write_bytes({"flipped": data, "shorter": data[:-1]}.get(damage, b""))
    if damage == "missing":
        file.unlink()
    with pytest.raises(InputError, match=name) as caught:
        Corpus.open(corpus.path, verify).with_spelling()
    assert str(caught.value).count(". ") == 0


def test_spelling_that_does_not_fit_the_ids_is_refused(tmp_path: Path) -> None:
    corpus = prepare(write(tmp_path / "t.txt", RARE), tmp_path / "c", config("whitespace", min_count=3))
    shard, words = corpus.path / "train-00000.bin", corpus.path / "train.unknown.json"
    data = shard.read_bytes()
    shard.write_bytes(data[:-2] + np.uint16(corpus.tokenizer.unk_id).tobytes())
    with pytest.raises(InputError, match=r"train\.unknown\.bin: numbers .* unknown tokens where the ids have"):
        Corpus.open(corpus.path, verify=False).with_spelling()
    shard.write_bytes(data)
    found = json.loads(words.read_bytes())
    words.write_bytes(json.dumps(found[1:]).encode().ljust(words.stat().st_size))
    with pytest.raises(InputError, match=r"train\.unknown\.json: does not contain"):
        Corpus.open(corpus.path, verify=False).with_spelling()


# --- the folder and the cache -----------------------------------------------------------------------------


def test_cache_is_keyed_by_content_and_settings(tmp_path: Path) -> None:
    text = WORDS * 20
    first = prepare(write(tmp_path / "a.txt", text), config=config("char"))
    assert first.path.is_relative_to(tmp_path / "cache")
    moved = prepare(write(tmp_path / "b.txt", text), config=config("char"))
    assert moved.path == first.path
    paths = {
        first.path,
        prepare(tmp_path / "a.txt", config=config("byte")).path,
        prepare(tmp_path / "a.txt", config=config("char", valid_fraction=0.2)).path,
        prepare(tmp_path / "a.txt", config=config("char"), valid=tmp_path / "b.txt").path,
        prepare(write(tmp_path / "a.txt", text + "!"), config=config("char")).path,
    }
    assert len(paths) == 5


def test_a_folder_that_holds_the_text_already_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = write(tmp_path / "a.txt", WORDS * 20), tmp_path / "c"
    written = lambda: (out / "corpus.json").stat().st_mtime_ns  # noqa: E731
    prepare(path, out)
    first = written()
    again = prepare(path, out, TextConfig(), chunk_bytes=100)
    assert written() == first
    assert again.path == out
    changes = (
        lambda: prepare(path, out, config("byte")),
        lambda: prepare(path, out, for_words=True),
        lambda: prepare(write(path, WORDS * 21), out),
        lambda: (out / "tokenizer.json").write_text("{") and prepare(path, out),
    )
    for change in changes:
        before = written()
        change()
        assert written() != before


def test_damaged_cache_is_made_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", WORDS * 20)
    first = prepare(path, config=config("char"))
    (first.path / "tokenizer.json").write_text("{")
    again = prepare(path, config=config("char"))
    assert again.digest == first.digest


def test_prepared_corpus_is_just_opened(tmp_path: Path) -> None:
    corpus = prepare(write(tmp_path / "a.txt", WORDS * 20), tmp_path / "c", config("char"))
    assert prepare(tmp_path / "c").digest == corpus.digest
    assert prepare([str(tmp_path / "c")], for_words=True).path == tmp_path / "c"
    with pytest.raises(InputError, match="prepared with the char tokenizer, not word"):
        prepare(tmp_path / "c", config=config("word"))
    with pytest.raises(InputError, match="cannot be joined"):
        prepare([tmp_path / "c", tmp_path / "a.txt"])


def test_standard_input_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (WORDS * 20).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    corpus = prepare("-", config=config("char"))
    file = prepare(write(tmp_path / "a.txt", WORDS * 20), config=config("char"))
    assert corpus.path == file.path
    assert corpus.header["sources"]["train"][0]["name"] == "-"
    assert not list((tmp_path / "cache").glob(".stream*"))


def test_folder_tells_what_it_holds(tmp_path: Path) -> None:
    corpus = prepare(write(tmp_path / "a.txt", WORDS * 20), tmp_path / "c", config("char"))
    assert sorted(file.name for file in (tmp_path / "c").iterdir()) == [
        "corpus.json",
        "manifest.json",
        "tokenizer.json",
        "train-00000.bin",
        "train.documents.npy",
        "valid-00000.bin",
        "valid.documents.npy",
    ]
    assert str(tmp_path) not in (tmp_path / "c" / "corpus.json").read_text()
    assert {"tokens", "types", "chars", "words", "bytes", "documents"} < set(corpus.summary)
    moved = tmp_path / "moved"
    (tmp_path / "c").rename(moved)
    assert Corpus.open(moved, verify=True).digest == corpus.digest


@pytest.mark.parametrize(
    "name", ["corpus.json", "tokenizer.json", "train-00000.bin", "valid.documents.npy", "manifest.json"]
)
@pytest.mark.parametrize("damage", ["missing", "flipped", "shorter"])
def test_damaged_folder_is_refused(name: str, damage: str, tmp_path: Path) -> None:
    corpus = prepare(write(tmp_path / "a.txt", WORDS * 20), tmp_path / "c", config("char"))
    file = corpus.path / name
    data = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    else:
        data[len(data) // 2] ^= 1
        file.write_bytes(data if damage == "flipped" else data[:-1])
    if name == "manifest.json" and damage == "shorter":
        return  # its last byte is the newline
    with pytest.raises(InputError, match=str(corpus.path)):
        Corpus.open(corpus.path)


def test_large_corpora_are_verified_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = prepare(write(tmp_path / "a.txt", WORDS * 20), tmp_path / "c", config("char"))
    monkeypatch.setattr(verified, "ALWAYS_BELOW", 0)
    monkeypatch.setattr(verified, "SETTLED", -1.0)
    hashed = []
    monkeypatch.setattr(verified, "verify_manifest", lambda folder: hashed.append(folder) or verify_manifest(folder))
    for _ in range(3):
        Corpus.open(corpus.path)
    assert hashed == [corpus.path]
    shard = corpus.path / "train-00000.bin"
    data, times = bytearray(shard.read_bytes()), shard.stat()
    data[0] ^= 1
    shard.write_bytes(data)
    os.utime(shard, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(InputError, match="train-00000"):
        Corpus.open(corpus.path)
    Corpus.open(corpus.path, verify=False)
    shard.write_bytes(data[:-2])
    with pytest.raises(InputError, match="train-00000"):
        Corpus.open(corpus.path, verify=False)


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("", {}, r"a\.txt: the text is empty"),
        (" \n \t\n", {"tokenizer": "word", "min_count": 9}, "fewer than min_count|white space"),
        ("   ", {"tokenizer": "word"}, "contains only white space"),
        ("\n\n\n\n", {}, "contains only white space"),
        ("\n\n\n\n", {"tokenizer": "whitespace"}, "contains only white space"),
        ("a b c", {"tokenizer": "word"}, "all words occur fewer than min_count = 2 times"),
        (
            "a b c\n" * 3,
            {"tokenizer": "whitespace", "min_count": 9},
            "all words occur fewer than min_count = 9",
        ),
        ("abc", {"tokenizer": "bpe", "vocab_size": 100}, "vocab_size: bpe needs at least 257"),
        ("abc", {"tokenizer": "byte", "vocab_size": 300}, "vocab_size: the byte tokenizer"),
        ("abc", {"tokenizer": "byte", "min_count": 3}, "min_count: the byte tokenizer"),
        ("abc", {"tokenizer": "char", "lowercase": True}, "lowercase: works with the word tokenizer only"),
    ],
)
def test_wrong_input_is_one_sentence(text: str, values: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        prepare(write(tmp_path / "a.txt", text), tmp_path / "c", TextConfig().updated(values))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]  # nothing half-written


def test_foreign_folder_is_not_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", WORDS * 9)
    with pytest.raises(InputError, match="other things in it"):
        prepare(path, tmp_path)
    with pytest.raises(InputError, match="is a file"):
        prepare(path, path)
    prepare(path, tmp_path / "c", config("byte"))
    assert prepare(path, tmp_path / "c", config("char")).tokenizer.kind == "char"


def test_invalid_bytes_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"fine \xff not \xc3\x28 " * 5)
    with pytest.raises(InputError, match="line 1: invalid UTF-8 at byte offset 5"):
        prepare(tmp_path / "a.txt", tmp_path / "c")
    corpus = prepare(tmp_path / "a.txt", tmp_path / "c", config(errors="replace"))
    assert corpus.summary["replaced"] == 10


# --- results as objects -----------------------------------------------------------------------------------


def test_a_corpus_says_what_it_is_and_shows_its_text(tmp_path: Path) -> None:
    path = write(tmp_path / "book.txt", "One two three. Two three four!\n" * 4000)
    corpus = prepare(path, tmp_path / "corpus", TextConfig(tokenizer="word", min_count=1), quiet=True, workers=0)
    assert repr(corpus) == "Corpus(book.txt · word 9 types · train 32,400, valid 3,600 tokens)"
    assert repr(corpus.train) == "TokenFile(32,400 tokens · 1 document)"
    assert repr(corpus.tokenizer) == "WordTokenizer(9 types)"
    assert corpus.decode(0, 9) == "One two three. Two three four!\n"
    assert corpus.decode(0, 3, "valid") == "One two three"
    with pytest.raises(InputError, match=r"^test: the corpus has no such split; it has train, valid\.$"):
        corpus.decode(0, 9, "test")
    assert corpus.to_json() == corpus.summary
    assert corpus.to_frame()["tokens"].tolist() == [32_400, 3_600]
    assert "<td" in corpus._repr_html_()


def test_a_corpus_is_a_source_and_other_kinds_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "book.txt", "One two three.\n" * 400)
    corpus = prepare(path, tmp_path / "corpus", config("char"), quiet=True, workers=0)
    assert prepare(corpus) is corpus
    with pytest.raises(InputError, match="was prepared with the char tokenizer, not word"):
        prepare(corpus, None, config("word"))
    with pytest.raises(InputError, match="cannot be joined with other texts"):
        prepare(corpus, valid=path)
    with pytest.raises(InputError, match=r"corpus: is a prepared corpus, not a text; see it with 'seqlab info"):
        prepare(path, valid=tmp_path / "corpus")
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "vocab.json").write_text("{}")
    with pytest.raises(InputError, match="vectors: is a folder of word vectors, not a text"):
        prepare(tmp_path / "vectors")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text('{"kind": "language-model"}')
    with pytest.raises(InputError, match="run: is a language-model run, not a text"):
        prepare(tmp_path / "run")
    for wrong in (5, None, [path, 5], {path: 1}):
        with pytest.raises(
            InputError, match=r"^source: must be the path of a text or a list of .*not (int|NoneType|dict)"
        ):
            prepare(wrong)  # type: ignore[arg-type]
    for text in ("Call me Ishmael.\nSome years ago", "word " * 99):
        with pytest.raises(InputError, match="this is a text, not the name of one"):
            prepare(text)


def test_text_that_unpacks_beyond_the_room_on_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small compressed file can hold text without end."""
    source = tmp_path / "bomb.txt.gz"
    source.write_bytes(gzip.compress(b"one two three\n" * 300_000))
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=2_000_000))
    with pytest.raises(SeqlabError, match="has no room for this text"):
        prepare(source, tmp_path / "corpus", quiet=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bomb.txt.gz"]
