"""Text files of vectors in the dialects of many programs: read rightly, read with a note, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from seqlab_cli.main import run

import seqlab
from seqlab.base.errors import InputError
from seqlab.embeddings import WordVectors, convert_vectors, load_vectors, save_vectors
from seqlab.embeddings.formats.dialect import dialect_of, parse_header

MARK = "\ufeff"
TWO = (["the", "of"], [[0.25, -0.5, 0.75], [1.5, 2.0, -0.125]])


def read(place: Path, content: str | bytes) -> WordVectors:
    place.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_vectors(place)


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (f"{MARK}the 0.25 -0.5 0.75\nof 1.5 2.0 -0.125\n", ""),
        (f"{MARK}2 3\nthe 0.25 -0.5 0.75\nof 1.5 2.0 -0.125\n", ""),
        ("2\t3\nthe\t0.25\t-0.5\t0.75\nof\t1.5\t2.0\t-0.125\n", ""),
        ("2\t3\nthe 0.25 -0.5 0.75\nof 1.5 2.0 -0.125\n", ""),
        ("+2 +3\nthe 0.25 -0.5 0.75\nof 1.5 2.0 -0.125\n", ""),
        ("2,3\nthe,0.25,-0.5,0.75\nof,1.5,2.0,-0.125\n", ""),
        ("the\t0.25\t-0.5\t0.75\nof\t1.5\t2.0\t-0.125\n", ""),
        ("the,0.25,-0.5,0.75\r\nof,1.5,2.0,-0.125\r\n", ""),
        ("the, 0.25, -0.5, 0.75\nof, 1.5, 2.0, -0.125\n", ""),
        ('"the",0.25,-0.5,0.75\n"of",1.5,2.0,-0.125\n', "quotes"),
        ("the\t0.25 -0.5 0.75\nof\t1.5 2.0 -0.125\n", "took the tab for the end of the word"),
        ("the,0.25 -0.5 0.75\nof,1.5 2.0 -0.125\n", "took the comma for the end"),
        ("the 0.25, -0.5, 0.75\nof 1.5, 2.0, -0.125\n", "took the space for the end"),
        ("the  0.25 -0.5   0.75\nof   1.5   2.0 -0.125\n", "several spaces"),
        ("word,x,y,z\nthe,0.25,-0.5,0.75\nof,1.5,2.0,-0.125\n", "first line, which names the columns"),
        (",0,1,2\nthe,0.25,-0.5,0.75\nof,1.5,2.0,-0.125\n", "first line, which names the columns"),
        ("0\tthe\t0.25\t-0.5\t0.75\n1\tof\t1.5\t2.0\t-0.125\n", "first column, which numbers the rows"),
        ("1 the 0.25 -0.5 0.75\n2 of 1.5 2.0 -0.125\n", "first column, which numbers the rows"),
        ("2 3\nthe 0,25 -0,5 0,75\nof 1,5 2,0 -0,125\n", "decimal commas"),
        ("the 0,25 -0,5 0,75\nof 1,5 2,0 -0,125\n", "decimal commas"),
        ("the;0,25;-0,5;0,75\nof;1,5;2,0;-0,125\n", "decimal commas"),
        ("3 3\nthe 0.25 -0.5 0.75\nof 1.5 2.0 -0.125\n", "promises 3 words; the file holds 2"),
        ("1 3\nthe 0.25 -0.5 0.75\nof 1.5 2.0 -0.125\n", "promises 1 word; the file holds 2"),
    ],
)
def test_dialects_are_read_rightly_and_what_is_unusual_is_said(tmp_path: Path, content: str, note: str) -> None:
    vectors = read(tmp_path / "v", content)
    assert (vectors.words, vectors.matrix.tolist()) == TWO
    assert [note in one for one in vectors.meta["notes"]] == [True] * bool(note)


@pytest.mark.parametrize(
    ("content", "words", "note"),
    [
        ("2 2\n  1 2\na 3 4\n", [" ", "a"], ""),
        ("  1 2\na 3 4\nb 5 6\n", [" ", "a", "b"], ""),
        ("new york 1 2\na 3 4\nb 5 6\n", ["new york", "a", "b"], ""),
        ("2 2\nroute 66 1 2\na 3 4\n", ["route 66", "a"], "1 word: 'route 66' (line 2)"),
        ("2 2\na 1 2 3\nb 3 4\n", ["a 1", "b"], "one number too many"),
        ("a 1 2\nb 3 4 5\nc 6 7\n", ["a", "b 3", "c"], "1 word: 'b 3' (line 2)"),
        ("a\x1b[31m 1 2\nb 3 4\n", ["a\x1b[31m", "b"], "control characters in 1 word"),
        ('",",1,2\n"""",3,4\n', [",", '"'], "quotes"),
    ],
)
def test_odd_words_are_whole_or_said(tmp_path: Path, content: str, words: list[str], note: str) -> None:
    vectors = read(tmp_path / "v", content)
    assert vectors.words == words
    assert [note in one for one in vectors.meta["notes"]] == [True] * bool(note)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("-1 -4\na 1 2 3 4\n", "line 1: promises -1 words"),
        ("2 -4\na 1 2 3 4\n", "of -4 dimensions"),
        ("9 2\na 1 2\nb 3 4\nc 5 6\nd 5.0625 6.0625\n", "4 rows instead of the 9"),
        ("3 2\na 1 2\nb 3 4\nc 5", "line 4: 1 number instead of 2"),
        ("a\t0,1\nb\t1,5\n", "line 1: one number with a decimal comma or two"),
        ("0.1 0.2 0.3\n0.4 0.5 0.6\n", "numbers without a word"),
        ("1 1\na 1 23\n", "reads as text and as binary"),
        ("2 2\na 1_0 2\nb 3 4\n", "line 2: not a word and 2 numbers"),
        ("2 2\na 1\0 2\nb 3 4\n", "line 2: not a word and 2 numbers"),
        ("0\ta\t1\n1\tb\t2\n5\tc\t3\n2\td\t4\n", "more columns than a word"),
        ("".join(f"{row}\tw{row}\t1\n" for row in [*range(120), 7]), "line 121: not the number of the row first"),
        ("the,DET,1,2\nof,ADP,3,4\n", "more columns than a word"),
        ("a,1,2\nb,3,4\nc,5,6,7\n", "line 3: 3 numbers instead of 2"),
        ("a [1, 2]\nb [3, 4]\n", "not a file of word vectors"),
        (b"\xff\xfea\0 \x001\0", "UTF-16"),
    ],
)
def test_what_cannot_be_told_is_refused_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path / "v", content)


def test_a_header_that_is_wrong_by_a_row_leaves_the_file_usable(tmp_path: Path) -> None:
    (tmp_path / "v.vec").write_text("5 2\n" + "".join(f"w{n} {n} {n + 1}.5\n" for n in range(4)))
    report = convert_vectors(tmp_path / "v.vec", tmp_path / "all")
    assert report["words"] == 4
    assert "promises 5 words; the file holds 4" in report["notes"][0]
    assert convert_vectors(tmp_path / "v.vec", tmp_path / "some", words=3)["words"] == 3
    for promised in (19, 21):
        save_vectors(WordVectors([f"w{n}" for n in range(20)], np.ones((20, 3))), tmp_path / "v.bin")
        content = (tmp_path / "v.bin").read_bytes()
        vectors = read(tmp_path / "wrong", b"%d 3\n" % promised + content.partition(b"\n")[2])
        assert len(vectors) == 20
        assert f"promises {promised} words; the file holds 20" in vectors.meta["notes"][0]


def test_numbers_far_beyond_the_others_are_said(tmp_path: Path) -> None:
    matrix = np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32)
    matrix[7, 2] = 1e30
    for name in ("v.bin", "v.txt"):
        save_vectors(WordVectors([f"w{n}" for n in range(20)], matrix), tmp_path / name)
        assert "'w7' (1e+30)" in load_vectors(tmp_path / name).meta["notes"][0]


def test_notes_are_said_once_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "v").write_text("the\t1 2 3\nof\t3 4 6\na\t3 4 5\n")
    assert run(["neighbors", str(tmp_path / "v"), "the"]) == 0
    assert capsys.readouterr().err.count("took the tab for the end of the word") == 1


@pytest.mark.parametrize("scale", [1e-30, 1e-19, 1e18, 3e19, 1e37])
def test_cosines_of_very_long_and_very_short_vectors_are_right(scale: float) -> None:
    matrix = np.array([[1, 0, 0.5], [0.9, 0.1, 0.5], [0, 1, 0]], np.float32)
    usual, vectors = (WordVectors(list("abc"), matrix * np.float32(one)) for one in (1, scale))
    for ask in (
        lambda v: [score for _, score in v.neighbors("a")],
        lambda v: [score for _, score in v.neighbors_of_each(["a"])[0]],
        lambda v: v.similarity("a", "b"),
        lambda v: v.n_similarity(["a"], ["b", "c"]),
        lambda v: v.unit.ravel(),
    ):
        np.testing.assert_allclose(ask(vectors), ask(usual), rtol=1e-5)
    with pytest.raises(InputError, match="longer than float32 can say"):
        WordVectors(["a", "b"], np.full((2, 3), 3e38, np.float32)).neighbors("a")


def test_the_right_file_of_a_pair_is_blamed(tmp_path: Path) -> None:
    (tmp_path / "vectors.tsv").write_text("1\t2\n3\t4\n")
    (tmp_path / "metadata.tsv").write_text(f"{MARK}word\nnew york\nb\n")
    vectors = load_vectors(tmp_path / "vectors.tsv")
    assert vectors.words == ["new york", "b"]
    assert vectors.meta["notes"] == ["left out the first line of the words, a title."]
    (tmp_path / "metadata.tsv").write_text("a\tcount\nb\t7\nc\t8\n")
    with pytest.raises(InputError, match=r"metadata\.tsv: holds the words that belong to vectors\.tsv"):
        load_vectors(tmp_path / "metadata.tsv")
    (tmp_path / "metadata.tsv").write_text("a\n\nb\n")
    with pytest.raises(InputError, match=r"metadata\.tsv: .*(empty|3 words)|line 2"):
        load_vectors(tmp_path / "vectors.tsv")


def test_a_numpy_file_that_fills_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.embeddings.formats.binary.UNSUSPICIOUS", 1 << 20)
    with (tmp_path / "v.npz").open("wb") as handle:
        np.savez_compressed(handle, words=np.arange(9000).astype("U7"), matrix=np.zeros((9000, 300), np.float32))
    with pytest.raises(InputError, match="unpacks from 0.0 MB to 0.0 GB"):
        load_vectors(tmp_path / "v.npz")


# A random matrix in every dialect

word = st.one_of(
    st.sampled_from(
        ["the", "of", "a,b", "1", "2", "0.5", "-3", "new york", "x;y", '"', '"a"', "nan", "1e5", "a 7", ","]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1, max_size=3),
)
number = st.one_of(st.sampled_from([0.0, 1.0, 2.0, 3.0, -1.5, 0.25]), st.floats(-9, 9, width=32))


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(word, min_size=1, max_size=7, unique=True),
    numbers=st.lists(number, min_size=28, max_size=28),
    dim=st.integers(1, 4),
    separators=st.sampled_from([(" ", " "), ("\t", "\t"), (",", ","), (";", ";"), ("\t", " "), (",", " "), (" ", ",")]),
    header=st.sampled_from(["", " ", "\t", ","]),
    marked=st.booleans(),
    comma=st.booleans(),
    index=st.sampled_from([None, None, 0, 1]),
)
def test_a_matrix_in_any_dialect_is_read_back_refused_or_noted(
    words: list[str],
    numbers: list[float],
    dim: int,
    separators: tuple[str, str],
    header: str,
    marked: bool,
    comma: bool,
    index: int | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    after, separator = separators
    assume(not (comma and "," in separators))  # '0,5' and '0', '5' are the same
    assume(not any(after in word or word.strip(" \t") != word for word in words))  # nobody could tell
    assume(index is None or len(words) > 1)
    matrix = np.array(numbers[: dim * len(words)], np.float32).reshape(len(words), dim)
    rows = [f"{len(words)}{header}{dim}"] if header else []
    for place, (word, vector) in enumerate(zip(words, matrix, strict=True)):
        texts = [f"{value:.9g}".replace(".", "," if comma else ".") for value in vector.tolist()]
        first = [] if index is None else [str(index + place)]
        rows.append(after.join([*first, word, separator.join(texts)]))
    place = tmp_path_factory.getbasetemp() / "any"
    try:
        vectors = read(place, (MARK if marked else "") + "\n".join(rows) + "\n")
    except InputError:
        return
    same = vectors.words == words and vectors.matrix.tobytes() == matrix.tobytes()
    assert same or vectors.meta["notes"]


def test_recognition_of_mutants_ends_in_a_description_or_a_sentence() -> None:
    random = np.random.default_rng(3)
    contents = [b"3 2\na 1 2\nb 3 4\nc 5 6\n", b"a\t1\t2\nb\t3\t4\n", b'"a",1,2\n",",3,4\n', b"a;0,1;2\nb;3;0,4\n"]
    for trial in range(2000):
        content = bytearray(contents[trial % len(contents)])
        for _ in range(1 + trial % 4):
            content[random.integers(len(content))] = random.integers(256)
        try:
            dialect = dialect_of(bytes(content))
        except InputError:
            continue
        assert dialect is None or (dialect.dim > 0 and 0 < dialect.fits <= 1)
        assert dialect is None or dialect.header == parse_header(bytes(content))


def test_trainings_that_start_from_a_file_say_what_was_unusual_about_it(tmp_path, capsys):
    path, text = tmp_path / "odd.vec", tmp_path / "text.txt"
    path.write_text("3 2\none\t1,5\t0\ntwo\t0\t1\nthree\t1\t1\n", "utf-8")
    text.write_text("one two three two one three\n" * 40, "utf-8")
    said = f"{path}: read decimal commas as points."
    corpus = seqlab.prepare(text, tokenizer="word", quiet=True)
    seqlab.train_language_model(corpus, embeddings=str(path), steps=1)
    assert said in capsys.readouterr().err
    seqlab.train_embeddings(corpus, init=str(path), epochs=1, dim=2, min_count=1, subwords=False)
    assert said in capsys.readouterr().err
