"""Lists of one item a line: recognising them, cutting them into documents, reading them in any order."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqlab
from seqlab.text import TokenFile
from seqlab.text.ids.batches import IGNORE
from seqlab.text.ids.lines import LineReader, ShuffledLines, line_lengths, line_windows, some_lines
from seqlab.text.preparation.lines import LineFeatures, item_key

START = 7_000

WORDS = (
    "storm council river market festival minister school bridge team record winter train museum border price farmer "
    "doctor election harbour budget island miner driver library court teacher fire flood strike union tax garden"
).split()
VERBS = "opens faces wins loses delays plans rejects praises warns seeks blocks backs leaves visits sells".split()


def headline(random: random.Random) -> str:
    def thing() -> str:
        return " ".join(random.sample(WORDS, random.randint(1, 3)))

    place = random.choice(["in the north", "after long talks", "", "", "as prices rise for a second year", ""])
    return f"{thing()} {random.choice(VERBS)} {thing()} {place}".strip()


def headlines(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [headline(draw).capitalize() for _ in range(count)]


def names(count: int) -> list[str]:
    draw = random.Random(1)
    return sorted("".join(draw.choice("aeioulmnrst") for _ in range(draw.randint(3, 9))) for _ in range(count))


def prose(seed: int = 2) -> str:
    draw = random.Random(seed)
    sentences = (f"{headline(draw).capitalize()}, and {headline(draw)}." for _ in range(150))
    return " ".join(sentences)


def wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)


def verse() -> list[str]:
    draw = random.Random(3)
    ends = (",", "", ";", ".", ",", ":")
    return [headline(draw).capitalize() + draw.choice(ends) for _ in range(200)]


def dialogue() -> list[str]:
    draw = random.Random(4)
    return [f"{draw.choice(['Anna', 'Mr. Bell'])}: {headline(draw)}" for _ in range(100)]


LISTS = {
    "names": names(200),
    "headlines": headlines(100),
    "titles": [f"The {headline(random.Random(i)).title()}" for i in range(80)],
    "lower": [line.lower() for line in headlines(100)],
    "short messages": [f"{line} #{random.Random(i).choice(WORDS)}" for i, line in enumerate(headlines(90))],
    "Chinese names": [f"{'王李张刘'[i % 4]}{'明华芳伟丽'[i % 5]}" for i in range(60)],
    "Japanese messages": [f"明日{'山川'[i % 2] * (i % 7)}行きます。" for i in range(60)],
    "accents": ["Ærøskøbing", "Łódź", "Århus", "São Paulo", "Zürich"] * 10,
}
NO_LISTS = {
    "prose": wrapped(prose(), 72),
    "narrow prose": wrapped(prose(), 38),
    "prose without capitals": wrapped(prose().lower().replace(".", "").replace(",", ""), 60),
    "a paragraph a line": [prose(seed)[:900] for seed in range(30)],
    "sentences": [f"{line} and {line.lower()} again." for line in headlines(60)],
    "paragraphs": [line for seed in range(20) for line in ([*headlines(3, seed), ""])],
    "verse": verse(),
    "dialogue": dialogue(),
    "code": [f"value_{i} = compute(value_{i - 1});" for i in range(60)],
    "indented": [("    " if i % 3 else "") + line for i, line in enumerate(headlines(60))],
    "csv": [f"{i},{line},{i * 7}" for i, line in enumerate(headlines(60))],
    "log": [f"2026-11-28 12:{i % 60:02d}:01 INFO {line}" for i, line in enumerate(headlines(60))],
    "few": headlines(10),
    "Japanese paragraphs": [f"私は静かに{'遠く' * (i % 9)}歩いた。猫が笑った。" for i in range(60)],
    "Chinese verse": [f"{'山川风月' * (1 + i % 3)}{'，。'[i % 2]}" for i in range(60)],
    "Chinese dialogue": [f"{('小明', '老师')[i % 2]}：{'看见鸟' * (1 + i % 4)}" for i in range(60)],
    "Chinese indented": [f"\u3000\u3000{'山川风月' * (1 + i % 5)}" for i in range(60)],
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_recognised(name: str) -> None:
    assert LineFeatures.of(LISTS[name]).objection() is None


@pytest.mark.parametrize("name", NO_LISTS)
def test_other_texts_are_not_taken_for_lists(name: str) -> None:
    assert LineFeatures.of(NO_LISTS[name]).objection() is not None


def test_shared_texts_are_told_apart(shared_data: Path) -> None:
    expected = {"names/names.txt": True, "tinyshakespeare/input.txt": False, "wikitext-2/valid.txt": False}
    for name, is_list in expected.items():
        lines = (shared_data / name).read_text("utf-8").split("\n")
        assert (LineFeatures.of(lines).objection() is None) == is_list, name


def write(path: Path, lines: list[str], end: str = "\n") -> Path:
    path.write_bytes((end.join(lines) + end).encode())
    return path


@pytest.mark.parametrize("tokenizer", ["char", "byte", "word", "whitespace", "bpe"])
@pytest.mark.parametrize("chunk_bytes", [1 << 20, 100])
def test_every_line_becomes_a_document_of_one_split(tmp_path: Path, tokenizer: str, chunk_bytes: int) -> None:
    lines = list(dict.fromkeys(headlines(300)))
    path = write(tmp_path / "list.txt", [*lines[:50], "", "  ", *[f"  {line} " for line in lines[50:]]], "\r\n")
    corpus = prepared(path, tmp_path / "corpus", chunk_bytes, tokenizer=tokenizer, lines="yes", min_count=None)
    read = {}
    for name in ("train", "valid"):
        split = corpus.splits[name]
        assert split.lines
        texts = []
        for start, length in zip(split.documents, line_lengths(split), strict=True):
            ids = split[start : start + length]
            assert ids[-1] == corpus.tokenizer.eos_id
            assert (ids[:-1] != corpus.tokenizer.eos_id).all()
            texts.append(corpus.tokenizer.decode(ids[:-1]))
        read[name] = texts
    if tokenizer != "word":  # rare words are <unk> there
        assert sorted(read["train"] + read["valid"]) == sorted(lines)
        assert read["train"] == [line for line in lines if line in set(read["train"])], "in the order of the list"
    assert len(read["valid"]) == round(0.1 * len(lines))
    assert corpus.header["lines"]["items"] == len(lines)


def prepared(path: Path, out: Path, chunk_bytes: int = 1 << 20, **options: object) -> seqlab.Corpus:
    from seqlab.config import TextConfig
    from seqlab.text import prepare

    values = {name: value for name, value in options.items() if value is not None}
    return prepare(path, out, TextConfig(**values), quiet=True, chunk_bytes=chunk_bytes)


def test_validation_lines_are_a_sample_of_the_whole_list_and_of_no_training_line(tmp_path: Path) -> None:
    lines = names(2000)
    path = write(tmp_path / "names.txt", [*lines, *lines[:700]])
    corpus = prepared(path, tmp_path / "corpus")
    assert corpus.train.lines
    assert corpus.tokenizer.kind == "char"
    valid = corpus.tokenizer.decode(corpus.valid[:]).splitlines()
    train = corpus.tokenizer.decode(corpus.train[:]).splitlines()
    assert not set(valid) & set(train)
    places = np.array([lines.index(name) for name in set(valid)]) / len(lines)
    assert abs(np.median(places) - 0.5) < 0.1
    assert places.min() < 0.05
    assert places.max() > 0.95
    shuffled = random.Random(5).sample(lines, len(lines))
    other = prepared(write(tmp_path / "shuffled.txt", shuffled), tmp_path / "other")
    assert set(other.tokenizer.decode(other.valid[:]).splitlines()) == set(valid)


def test_a_list_says_so_and_can_be_read_as_one_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)
    path = write(tmp_path / "names.txt", names(400))
    corpus = seqlab.prepare(path, tmp_path / "corpus", quiet=False)
    said = capsys.readouterr().err
    assert "one item a line: 400 lines, " in said
    assert "drawn at random for validation" in said
    assert "lines='no'" in said
    whole = seqlab.prepare(path, tmp_path / "whole", lines="no", quiet=False)
    assert not whole.train.lines
    assert whole.items is None
    assert len(whole.train.documents) == 1
    assert "one item a line" not in capsys.readouterr().err
    assert set(corpus.items.tolist()) == {item_key(name) for name in names(400)}
    assert (np.diff(corpus.items.astype(object)) > 0).all()
    assert corpus.summary["lines"]
    assert not whole.summary["lines"]


def test_records_are_items_however_they_are_spelled(tmp_path: Path) -> None:
    records = [{"text": f"{line}\nand more, of it:"} for line in headlines(60)]
    path = write(tmp_path / "records.jsonl", [json.dumps(record) for record in records])
    corpus = prepared(path, tmp_path / "corpus")
    assert corpus.train.lines
    assert "\n" not in corpus.tokenizer.vocab.itos
    assert "and more, of it:" in corpus.decode(0, 200)
    longer = [json.dumps({"text": prose(seed)[:2000]}) for seed in range(30)]
    assert not prepared(write(tmp_path / "texts.jsonl", longer), tmp_path / "texts").train.lines


def test_keys_do_not_depend_on_case_or_white_space() -> None:
    assert item_key("Ann  Lee") == item_key(" ann lee\n") == item_key("ANN LEE") != item_key("Ann Leo")


def a_list(lengths: list[int], shards: int = 1) -> TokenFile:
    """Token n of the text is n."""
    ids = np.arange(sum(lengths), dtype=np.uint16)
    starts = np.cumsum([0, *lengths[:-1]]).astype(np.int64)
    tokens = TokenFile(np.array_split(ids, shards), starts, TokenFile.of(ids).counts)
    tokens.lines = True
    return tokens


@settings(max_examples=150, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=4, max_size=120),
    streams=st.integers(1, 4),
    width=st.integers(1, 50),
    shards=st.sampled_from([1, 3]),
)
def test_a_pass_reads_whole_lines_in_an_order_of_its_own(
    lengths: list[int], streams: int, width: int, shards: int
) -> None:
    tokens = a_list(lengths, shards)
    reader = LineReader(tokens, streams, START, seed=3)
    orders = []
    for number in range(2):
        parts = []
        while reader.passes == number:
            take = min(width, reader.remaining)
            batch = reader.read(take)
            parts.append(batch.targets_BT)
            again = LineReader(tokens, streams, START, seed=3)
            again.load_arrays(reader.arrays())
            np.testing.assert_array_equal(again.read(take), batch)
            reader.advance(take)
        seen = np.concatenate(parts, axis=1).ravel()
        expected = np.concatenate([np.arange(a, a + n) for a, n in shuffled(tokens, 3, number)])
        np.testing.assert_array_equal(seen, expected[: len(seen)])
        assert len(tokens) - len(seen) < streams
        assert reader.consumed == (number + 1) * len(tokens) + len(tokens) % streams
        orders.append(seen.tolist())
    if len(lengths) > 30:
        assert orders[0] != orders[1]


def shuffled(tokens: TokenFile, seed: int, number: int) -> list[tuple[int, int]]:
    """Begin and length of every line in the order of a pass."""
    lengths = line_lengths(tokens)
    order = np.random.default_rng([seed, number]).permutation(len(lengths))
    return list(zip(tokens.documents[order].tolist(), lengths[order].tolist(), strict=True))


def test_every_slice_of_shuffled_lines_is_that_of_the_whole() -> None:
    for shards in (1, 4):
        tokens = a_list([3, 1, 5, 2, 4], shards)
        order = np.array([2, 0, 4, 1, 3])
        lines = ShuffledLines(tokens, tokens.documents[order], line_lengths(tokens)[order])
        whole = [4, 5, 6, 7, 8, 0, 1, 2, 11, 12, 13, 14, 3, 9, 10]
        assert lines.documents.tolist() == [0, 5, 8, 12, 13]
        for start in range(len(whole) + 1):
            for stop in range(len(whole) + 3):
                assert lines[start:stop].tolist() == whole[start:stop]


@settings(max_examples=80, deadline=None)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=60), window=st.integers(1, 16))
def test_evaluation_sees_every_token_once_after_the_start(lengths: list[int], window: int) -> None:
    tokens = a_list(lengths)
    seen = []
    for part in line_windows(tokens, 3, window, START):
        real = part.batch.targets_BT != IGNORE
        np.testing.assert_array_equal(part.places_BT[real], part.batch.targets_BT[real])
        assert part.begins == bool(np.isin(part.batch.targets_BT, tokens.documents).any())
        seen += part.batch.targets_BT[real].tolist()
    assert sorted(seen) == list(range(len(tokens)))


def test_some_lines_are_spread_over_the_list() -> None:
    tokens = a_list([5] * 200)
    some = some_lines(tokens, 100)
    assert some.lines
    assert len(some.documents) == 20
    assert len(some) == 100
    assert some[:5].tolist() == [0, 1, 2, 3, 4]
    assert some[95:].tolist() == [995, 996, 997, 998, 999]
