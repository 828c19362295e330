"""Vector files of other programs: both ways, against gensim, and damaged in every way; `seqlab convert`."""

from __future__ import annotations

import gzip
import itertools
import json
import shutil
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqlab_cli.main import run

import seqlab
from seqlab.base.errors import InputError
from seqlab.embeddings import FORMATS, WordVectors, convert_vectors, load_vectors, save_vectors
from seqlab.embeddings.formats.fasttext import SETTINGS, SIZES

gensim = pytest.importorskip("gensim", reason="no gensim for this Python")
KeyedVectors = gensim.models.KeyedVectors
load_facebook_vectors = gensim.models.fasttext.load_facebook_vectors
WRITABLE = [name for name, kind in FORMATS.items() if kind.write]


def random_vectors(count: int = 300, dim: int = 20, seed: int = 1) -> WordVectors:
    random = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(count)]
    return WordVectors(words, random.normal(size=(count, dim)), np.arange(count, 0, -1))


def sentence_of(function: Callable[..., object], *arguments: object) -> str:
    """The one sentence of the InputError a call raises, or an empty string; any other error passes through."""
    try:
        function(*arguments)
    except InputError as error:
        return str(error)
    return ""


def place_of(folder: Path, name: str) -> Path:
    """A path whose ending is the first of the format's."""
    return folder / f"v{next(iter(FORMATS[name].endings), '')}"


def assert_same(ours: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> None:
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([s for _, s in ours], [s for _, s in theirs], rtol=1e-5, atol=1e-6)


@pytest.fixture
def vectors() -> WordVectors:
    return random_vectors()


@pytest.mark.parametrize("name", WRITABLE)
def test_every_format_is_exact_both_ways_and_recognised(vectors: WordVectors, tmp_path: Path, name: str) -> None:
    place = place_of(tmp_path, name)
    save_vectors(vectors, place)
    back = load_vectors(place)
    assert back.words == vectors.words
    assert back.matrix.tobytes() == vectors.matrix.tobytes()
    if name in ("seqlab", "npz"):
        assert back.counts is not None
        assert back.counts.tolist() == list(range(300, 0, -1))
    before = place.read_bytes() if place.is_file() else b""
    save_vectors(vectors, place)
    assert place.is_dir() or place.read_bytes() == before


extremes = st.sampled_from([0.0, -0.0, 1e-45, -1.17549435e-38, 3.4028235e38, 1.0000001, 1 / 3, 16777217.0])


@pytest.mark.parametrize("name", WRITABLE)
@settings(max_examples=20, deadline=None)
@given(
    words=st.lists(st.text(st.characters(exclude_categories=[])), min_size=1, max_size=6, unique=True),
    numbers=st.lists(st.one_of(extremes, st.floats(width=32, allow_nan=False, allow_infinity=False)), min_size=12),
    dim=st.sampled_from([1, 2]),
)
def test_any_word_and_number_is_kept_or_refused(
    name: str, words: list[str], numbers: list[float], dim: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = place_of(tmp_path_factory.mktemp("any"), name)
    with np.errstate(over="ignore"):
        matrix = np.array(numbers[: dim * len(words)], np.float32).reshape(len(words), dim)
    refusal = sentence_of(save_vectors, WordVectors(words, matrix), place)
    if refusal:
        assert name != "seqlab"
        assert "cannot be written" in refusal or "would read as a header" in refusal
        assert list(place.parent.iterdir()) == []
        return
    back = load_vectors(place)
    assert back.words == words
    assert back.matrix.tobytes() == matrix.tobytes()


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.bin"])
def test_word2vec_files_are_exact_both_ways_and_gensims(vectors: WordVectors, tmp_path: Path, name: str) -> None:
    binary = name.endswith("bin")
    save_vectors(vectors, tmp_path / name)
    ours = load_vectors(tmp_path / name)
    assert ours.words == vectors.words
    assert ours.matrix.tobytes() == vectors.matrix.tobytes()
    theirs = KeyedVectors.load_word2vec_format(str(tmp_path / name), binary=binary)
    assert_same(vectors.neighbors("w1"), theirs.most_similar("w1"))
    theirs.save_word2vec_format(str(tmp_path / "gensim"), binary=binary)
    back = load_vectors(tmp_path / "gensim")
    assert back.words == vectors.words
    np.testing.assert_allclose(back.matrix, vectors.matrix, rtol=1e-6)


def test_words_that_word2vec_files_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'new york' cannot be written"):
        save_vectors(WordVectors(["new york"], np.ones((1, 2))), tmp_path / "v.txt")
    assert list(tmp_path.iterdir()) == []


def test_real_files_are_recognised_by_content(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "vectors"
    for name, count, dim, kind in (
        ("crime-and-punishment.vec", 291, 5, "word2vec text"),
        ("toy-model.vec", 22, 5, "word2vec text"),
        ("glove.6B.100d.sample.txt", 100, 100, "GloVe"),
        ("glove.6B.300d.sample.txt", 100, 300, "GloVe"),
        ("similarity.txt", 41, 100, "word2vec text"),
        ("similarity.bin", 41, 100, "word2vec binary"),
        ("similarity.nodims", 41, 100, "GloVe"),
    ):
        disguised = tmp_path / "vectors.dat"
        disguised.write_bytes((folder / name).read_bytes())
        vectors = load_vectors(disguised)
        assert (len(vectors), vectors.dim, vectors.meta["format"]) == (count, dim, kind), name
        assert vectors.meta["notes"] == []
    text, binary = load_vectors(folder / "similarity.txt"), load_vectors(folder / "similarity.bin")
    np.testing.assert_allclose(text.matrix, binary.matrix, rtol=1e-6)
    keyed = KeyedVectors.load_word2vec_format(str(folder / "similarity.bin"), binary=True)
    assert_same(binary.neighbors("Berlin"), keyed.most_similar("Berlin"))


def test_a_word_cut_inside_a_character_is_reported(shared_data: Path) -> None:
    vectors = load_vectors(shared_data / "vectors" / "utf8-incomplete.bin")
    assert vectors.words == ["meren", "zee\ufffdn", "rivieren"]
    assert vectors.meta["notes"] == ["read invalid UTF-8 as U+FFFD in 1 word: 'zee\ufffdn' (word 2)."]


def test_a_binary_file_that_looks_like_text_is_binary(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"2 1\na AAAA\nb ~~~~\n")
    vectors = load_vectors(tmp_path / "v")
    assert vectors.meta["format"] == "word2vec binary"
    assert vectors.matrix.tobytes() == b"AAAA~~~~"


def test_repeated_words_are_reported_and_the_first_counts(tmp_path: Path) -> None:
    (tmp_path / "v").write_text("3 2\na 1 2\nb 3 4\na 5 6\n")
    vectors = load_vectors(tmp_path / "v")
    assert vectors.words == ["a", "b"]
    assert vectors.matrix.tolist() == [[1, 2], [3, 4]]
    assert "1 repeated word: 'a' (line 4)" in vectors.meta["notes"][0]


def test_odd_words_in_text_files_stay_whole(tmp_path: Path) -> None:
    rows = ["\u00a0 1 2", ". . 3 4", "\u2028 5 6", "a\tb 7 8", "\x85 9 1"]
    (tmp_path / "header").write_text("5 2\n" + "\n".join(rows) + "\n", "utf-8", newline="")
    (tmp_path / "glove").write_text("the 0 0 \r\n" + "\r\n".join(rows), "utf-8", newline="")
    words = ["\u00a0", ". .", "\u2028", "a\tb", "\x85"]
    assert load_vectors(tmp_path / "header").words == words
    assert load_vectors(tmp_path / "glove").words == ["the", *words]


ROW = np.ones(2, "<f4").tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"2 2\na 1 2\n", "2 words of 2 dimensions, more than fit|1 row instead of the 2"),
        (b"2 2\nabcdef 1.5 2.5\n", "1 row instead of the 2 promised"),
        (b"2 3\nlong 1 2 3\nword 3 4\n", "line 3: 2 numbers instead of 3"),
        (b"a 1 2\nb 3\n", "line 2: 1 number instead of 2"),
        (b"2 2\na 1 2\nb 3 x\n", "line 3: not a word and 2 numbers"),
        (b"2 2\na 1 2\nb 3 nan\n", "'b' holds NaN"),
        (b"2 2\na 1 2\nb 3 1e99\n", "'b' holds NaN or infinity"),
        (b"2 2\na 1 2\n 3 4\n", "line 3: the word is empty"),
        (b"2 2\na\tc 1 2\nb  3 4\n", "line 3: spaces around the word 'b '"),
        (b"a\tc 1 2\n b 3 4\n", "line 2: spaces around the word ' b'"),
        (b"0 2\n", "nothing to read"),
        (b"3 0\na\nb\nc\n", "nothing to read"),
        (b"999999999999 300\na 1 2\n", "line 1: promises 999,999,999,999 words"),
        (b"3 99999999999999\na 1 2\n", "line 1: promises 3 words of 99,999,999,999,999"),
        (b"just some prose\nand more of it\n", "not a file of word vectors"),
        (b"prose\nwithout\nnumbers\n", "not a file of word vectors"),
        (b"2 2\nab " + ROW + b"\ncd " + ROW[:-1], "cut short"),
        (b"2 2\nab " + ROW + b"\nc" + ROW + b"   ", "incomplete|goes on after"),
        (b"1 2\nab " + ROW + b"cd " + ROW[:-1], "goes on after the 1 word its"),
        (b"1 2\nab " + np.array([np.inf, 0], "<f4").tobytes(), "'ab' holds NaN or infinity"),
        (b"\x80\x04\x95pickle", "a Python pickle"),
        (b"\x1f\x8b\x08\x00", "cannot be unpacked with gzip"),
        (b"PK\x03\x04zip", "cannot be read as .npz"),
        (struct.pack("<i", 793712314) + bytes(90), "fastText model of version 0"),
        (b"0.5\t1\n2\t3\n", "vectors without words"),
        (bytes(range(256)) * 20, "not a file of word vectors"),
    ],
)
def test_broken_files_get_one_sentence_and_no_memory(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "v").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(InputError, match=message) as caught:
        load_vectors(tmp_path / "v")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert str(tmp_path / "v") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    vectors = random_vectors(6, 3)
    for name in ("v.txt", "v.bin"):
        save_vectors(vectors, tmp_path / name)
        content = (tmp_path / name).read_bytes()
        for length in range(len(content) - 1):  # all but the final newline
            (tmp_path / "cut").write_bytes(content[:length])
            try:
                survived = load_vectors(tmp_path / "cut")
            except InputError:
                continue
            if survived.meta["notes"]:  # the end of a row, as of a file whose header is wrong
                assert "the file holds" in survived.meta["notes"][0]
                continue
            assert name == "v.txt"  # a number may lose its last digits; nothing else may
            assert survived.words == vectors.words
            assert content[length:].count(b" ") == 0


# Compressed files, numpy, TSV pairs, fastText models


@pytest.mark.parametrize("name", ["v.txt.gz", "v.bin.gz", "v.vec.gz", "v.glove.gz", "v.tsv.gz"])
def test_compressed_files_are_read_and_written(vectors: WordVectors, tmp_path: Path, name: str) -> None:
    save_vectors(vectors, tmp_path / name)
    content = (tmp_path / name).read_bytes()
    assert content[:2] == b"\x1f\x8b"
    assert load_vectors(tmp_path / name).matrix.tobytes() == vectors.matrix.tobytes()
    save_vectors(vectors, tmp_path / name)
    assert (tmp_path / name).read_bytes() == content
    (tmp_path / name).write_bytes(content[:-500])
    with pytest.raises(InputError, match="cannot be unpacked with gzip|cut short"):
        load_vectors(tmp_path / name)


def test_a_compressed_header_cannot_promise_more_than_gzip_can_hold(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(gzip.compress(b"9999999999 300\na 1 2\n"))
    with pytest.raises(InputError, match="promises 9,999,999,999 words"):
        load_vectors(tmp_path / "v")


def test_numpy_opens_ours_and_seqlab_opens_numpys(vectors: WordVectors, tmp_path: Path) -> None:
    save_vectors(vectors, tmp_path / "v.npz")
    with np.load(tmp_path / "v.npz") as arrays:
        assert arrays["words"].tolist() == vectors.words
        assert arrays["matrix"].tobytes() == vectors.matrix.tobytes()
        assert arrays["counts"].tolist() == list(range(300, 0, -1))
    np.savez_compressed(tmp_path / "theirs.npz", vocab=np.array(vectors.words), emb=vectors.matrix.astype(">f8"))
    back = load_vectors(tmp_path / "theirs.npz")
    assert back.words == vectors.words
    assert back.matrix.tobytes() == vectors.matrix.tobytes()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"matrix": np.ones((2, 3))}, "one array 'words' of strings"),
        ({"words": np.array(["a", "b"], object), "matrix": np.ones((2, 3))}, "object arrays are never opened"),
        ({"words": np.array(["a", "b"]), "x": np.ones((2, 3)), "y": np.ones((2, 3))}, "one array 'matrix'"),
        ({"words": np.array(["a", "b", "c"]), "matrix": np.ones((2, 3))}, "3 words and 2 vectors"),
        ({"words": np.array(["a", "b"]), "matrix": np.full((2, 3), 1e300)}, "'a' holds NaN or infinity"),
        ({"words": np.array(["a", "b"]), "matrix": np.ones((3, 2)).T}, "column by column"),
        ({"words": np.zeros(0, "U1"), "matrix": np.ones((0, 2))}, "holds no words"),
    ],
)
def test_numpy_files_that_are_not_vectors(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "v.npz", **arrays)
    with pytest.raises(InputError, match=message):
        load_vectors(tmp_path / "v.npz")


def test_a_projector_pair_may_have_several_columns_of_metadata(tmp_path: Path) -> None:
    (tmp_path / "vectors.tsv").write_text("1\t2\n3\t4\n")
    (tmp_path / "metadata.tsv").write_text("Word\tCount\nnew york\t7\nb\t3\n")
    assert load_vectors(tmp_path / "vectors.tsv").words == ["new york", "b"]
    (tmp_path / "metadata.tsv").write_text("a\n")
    with pytest.raises(InputError, match="metadata.tsv: 1 word for the 2 vectors of"):
        load_vectors(tmp_path / "vectors.tsv")
    (tmp_path / "metadata.tsv").write_text("a\nb\nc\nd\n")
    with pytest.raises(InputError, match="metadata.tsv: 4 words for the 2 vectors of"):
        load_vectors(tmp_path / "vectors.tsv")
    (tmp_path / "metadata.tsv").unlink()
    with pytest.raises(InputError, match=r"put them into metadata\.tsv"):
        load_vectors(tmp_path / "vectors.tsv")


def test_a_changed_number_in_a_numpy_file_is_noticed(vectors: WordVectors, tmp_path: Path) -> None:
    save_vectors(vectors, tmp_path / "v.npz")
    content = bytearray((tmp_path / "v.npz").read_bytes())
    content[content.index(vectors.matrix[7].tobytes())] ^= 1
    (tmp_path / "v.npz").write_bytes(content)
    with pytest.raises(InputError, match="CRC"):
        load_vectors(tmp_path / "v.npz")


@pytest.mark.parametrize("name", ["crime-and-punishment", "toy-model", "fasttext"])
def test_fasttext_models_are_gensims_and_fasttexts_own(shared_data: Path, name: str) -> None:
    ours = load_vectors(shared_data / "vectors" / f"{name}.bin")
    theirs = load_facebook_vectors(str(shared_data / "vectors" / f"{name}.bin"))
    assert ours.words == theirs.index_to_key
    assert ours.counts is not None
    assert ours.counts.tolist() == [theirs.get_vecattr(word, "count") for word in ours.words]
    rows = [row for row, word in enumerate(ours.words) if word != "</s>"]  # gensim gives it n-grams, fastText none
    np.testing.assert_allclose(ours.matrix[rows], theirs.vectors[rows], rtol=1e-5, atol=1e-6)
    printed = shared_data / "vectors" / f"{name}.vec"
    if printed.exists():
        text = load_vectors(printed)
        assert ours.words == text.words
        np.testing.assert_allclose(ours.matrix, text.matrix, rtol=1e-4, atol=1e-6)


def test_fasttext_models_that_cannot_be_read(shared_data: Path, tmp_path: Path) -> None:
    content = (shared_data / "vectors" / "toy-model.bin").read_bytes()
    whole = 0
    for length in range(4, len(content), 29):
        (tmp_path / "v").write_bytes(content[:length])
        if not sentence_of(load_vectors, tmp_path / "v"):  # only the output matrix is missing
            assert len(load_vectors(tmp_path / "v")) == 22
            whole += 1
    assert 0 < whole < 70
    entries = SETTINGS.size + SIZES.size
    first_end = content.index(b"\0", entries)
    for cut, message in (
        (30, "cut short inside the header"),
        (entries + 1, "cut short inside the words, in number 1 of 22"),
        (first_end + 3, "cut short inside the words, in number 1 of 22"),
        (len(content) // 4, "cut short inside the matrix of"),
    ):
        (tmp_path / "v").write_bytes(content[:cut])
        assert message in sentence_of(load_vectors, tmp_path / "v")
    for place, value, message in (
        (4, 99, "version 99"),
        (8, 2_000_000_000, "2,000,000,000 dimensions"),
        (64, 2_000_000_000, "makes no sense"),
        (40, 2_000_000_000, "does not fit the header"),
    ):
        (tmp_path / "v").write_bytes(content[:place] + struct.pack("<i", value) + content[place + 4 :])
        with pytest.raises(InputError, match=message):
            load_vectors(tmp_path / "v")


# Damage


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("samples")
    names = ["v.txt", "v.bin", "v.glove", "v.npz", "v.tsv", "v.txt.gz", "v.bin.gz"]
    for name in names:
        save_vectors(random_vectors(12, 3), folder / name)
    return {name: folder / name for name in names}


@pytest.mark.parametrize("name", ["v.txt", "v.bin", "v.glove", "v.npz", "v.tsv", "v.txt.gz", "v.bin.gz", "model"])
def test_damaged_files_raise_nothing_but_input_errors(
    samples: dict[str, Path], shared_data: Path, tmp_path: Path, name: str
) -> None:
    source = shared_data / "vectors" / "toy-model.bin" if name == "model" else samples[name]
    content = source.read_bytes()
    place = tmp_path / "v.tsv"
    if name == "v.tsv":
        shutil.copy(source.with_name("v_metadata.tsv"), tmp_path)
    random = np.random.default_rng(5)
    for trial in range(300):
        damaged = bytearray(content)
        for _ in range(1 + trial % 3):
            damaged[random.integers(min(len(content), 10_000 if trial % 2 else 200))] = random.integers(256)
        place.write_bytes(damaged[: random.integers(1, len(damaged))] if trial % 5 == 0 else damaged)
        assert "\n" not in sentence_of(load_vectors, place)


def test_folders_are_opened_in_their_file_where_asked_and_other_files_refuse(
    vectors: WordVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors.save(tmp_path / "v")
    for load in (load_vectors, seqlab.load_vectors):
        assert isinstance(load(tmp_path / "v", mapped=True).matrix.base, np.memmap)
        assert not isinstance(load(tmp_path / "v").matrix.base, np.memmap)
    for name in ("v.txt", "v.bin", "v.npz"):
        save_vectors(vectors, tmp_path / name)
        with pytest.raises(InputError, match="convert it to a seqlab folder first"):
            seqlab.load_vectors(tmp_path / name, mapped=True)
    monkeypatch.setattr("seqlab.opening.kind_of", lambda path: "run")
    with pytest.raises(InputError, match="save its vectors to a folder first"):
        seqlab.load_vectors(tmp_path / "v", mapped=True)


# The verb


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(WRITABLE, 2)))
def test_every_format_becomes_every_other(vectors: WordVectors, tmp_path: Path, first: str, second: str) -> None:
    source, target = place_of(tmp_path / "in", first), place_of(tmp_path / "out", second)
    save_vectors(vectors, source)
    report = convert_vectors(source, target)
    assert (report["words"], report["dim"], report["to"]) == (300, 20, FORMATS[second].title)
    back = load_vectors(target)
    assert back.words == vectors.words
    assert back.matrix.tobytes() == vectors.matrix.tobytes()
    expected = {"v", "v.tsv", "v_metadata.tsv", "v.txt", "v.bin", "v.glove", "v.vec", "v.npz"}
    assert {path.name for path in target.parent.iterdir()} <= expected


def test_a_folder_keeps_counts_and_meta_through_a_conversion(tmp_path: Path) -> None:
    vectors = WordVectors(["a b", "c"], np.eye(2), np.array([5, 3]), {"settings": {"dim": 2}})
    vectors.save(tmp_path / "v")
    convert_vectors(tmp_path / "v", tmp_path / "w", words=1)
    back = WordVectors.load(tmp_path / "w")
    assert back.words == ["a b"]
    assert back.counts is not None
    assert back.counts.tolist() == [5]
    assert back.meta["settings"] == {"dim": 2}


@pytest.mark.parametrize("ending", ["", ".bin", ".npz", ".txt", ".tsv"])
def test_conversion_holds_blocks_and_words_in_memory_but_no_matrix(tmp_path: Path, ending: str) -> None:
    words = [str(number) for number in range(500)]
    save_vectors(WordVectors(words, np.ones((500, 2000), np.float32)), tmp_path / "in.bin")  # 4 MB
    tracemalloc.start()
    convert_vectors(tmp_path / "in.bin", tmp_path / f"out{ending}")
    assert tracemalloc.get_traced_memory()[1] < 5 << 19
    tracemalloc.stop()
    assert load_vectors(tmp_path / f"out{ending}").matrix.shape == (500, 2000)


def test_convert_verb(vectors: WordVectors, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vectors.save(tmp_path / "v")
    assert run(["convert", str(tmp_path / "v"), str(tmp_path / "v.txt"), "--words", "40"]) == 0
    said = capsys.readouterr()
    assert "40 words of 20 dimensions, seqlab folder to word2vec text" in said.out
    assert (tmp_path / "v.txt").read_text().splitlines()[0] == "40 20"
    assert run(["convert", str(tmp_path / "v.txt"), str(tmp_path / "x.dat"), "--format", "glove", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["from"], report["to"], report["words"]) == ("word2vec text", "GloVe text", 40)
    assert load_vectors(tmp_path / "x.dat").words == vectors.words[:40]


def test_convert_counts_one_word_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "v").write_text("1 1\na 1\n")
    assert run(["convert", str(tmp_path / "v"), str(tmp_path / "v.bin")]) == 0
    assert "1 word of 1 dimension, word2vec text to" in capsys.readouterr().out


def test_convert_reports_what_it_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "v").write_text("4 2\na 1 2\nb 3 4\na 5 6\nc nan 1\n")
    assert run(["convert", str(tmp_path / "v"), str(tmp_path / "v.bin")]) == 2
    assert "'c' holds NaN or infinity" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"v"}
    assert run(["convert", str(tmp_path / "v"), str(tmp_path / "v.bin"), "--allow-nonfinite"]) == 0
    said = capsys.readouterr()
    assert "1 repeated word: 'a' (line 4)" in said.err
    assert "1 vector holds NaN or infinity" in said.err
    assert (tmp_path / "v.bin").read_bytes().startswith(b"3 2\na ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{t}/v.txt", "{t}/out.dat"], "no format is known by the ending .dat"),
        (["{t}/v.txt", "{t}/out", "--format", "glov"], "Did you mean 'glove'"),
        (["{t}/v.txt", "{t}/out", "--format", "fasttext-model"], "only read"),
        (["{t}/v.txt", "{t}/out.npz.gz"], "not written with gzip"),
        (["{t}/v.txt", "{t}/other"], "other things in it"),
        (["{t}/v.txt", "{t}/other", "--format", "npz"], "is a folder"),
        (["{t}/v.txt", "{t}/out", "--allow-nonfinite"], "never holds NaN"),
        (["{t}/nowhere", "{t}/out"], "no such file or folder"),
        (["{t}/spaces", "{t}/out.txt"], "'new york' cannot be written"),
    ],
)
def test_convert_answers_mistakes_with_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (tmp_path / "v.txt").write_text("a 1 2\nb 3 4\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("keep me")
    WordVectors(["new york"], np.ones((1, 2))).save(tmp_path / "spaces")
    before = sorted(tmp_path.rglob("*"))
    assert run(["convert", *(argument.replace("{t}", str(tmp_path)) for argument in arguments)]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert sorted(tmp_path.rglob("*")) == before
