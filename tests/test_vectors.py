"""Word vectors: queries against gensim, folders, file formats of other programs, and the two query verbs."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st
from seqlab_cli.analogy import parse_expression
from seqlab_cli.main import run

from seqlab.embeddings import WordVectors, load_vectors, save_vectors
from seqlab.errors import InputError


def random_vectors(count: int = 300, dim: int = 20, seed: int = 1) -> WordVectors:
    random = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(count)]
    return WordVectors(words, random.normal(size=(count, dim)), np.arange(count, 0, -1))


def as_gensim(vectors: WordVectors) -> KeyedVectors:
    keyed = KeyedVectors(vectors.dim)
    keyed.add_vectors(vectors.words, vectors.matrix)
    return keyed


def assert_same(ours: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> None:
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([s for _, s in ours], [s for _, s in theirs], rtol=1e-5, atol=1e-6)


@pytest.fixture
def vectors() -> WordVectors:
    return random_vectors()


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        (["w1"], []),
        (["w3", "w4"], ["w5"]),
        (["w3", "w4", "w9"], ["w5", "w6"]),
        ([("w3", 0.5), ("w7", 2.0)], [("w5", -0.3), "w8"]),
        ([], ["w2"]),
    ],
)
def test_neighbors_are_gensims(vectors: WordVectors, positive: list, negative: list) -> None:
    theirs = as_gensim(vectors).most_similar(positive=positive, negative=negative, topn=12)
    assert_same(vectors.neighbors(positive, 12, negative=negative), theirs)


def test_analogies_are_gensims_with_both_methods(vectors: WordVectors) -> None:
    keyed = as_gensim(vectors)
    for a, b, c in (("w1", "w2", "w3"), ("w10", "w20", "w30"), ("w7", "w7", "w8")):
        assert_same(vectors.analogy(a, b, c, k=7), keyed.most_similar(positive=[b, c], negative=[a], topn=7))
        assert_same(
            vectors.analogy(a, b, c, k=7, method="mul"),
            keyed.most_similar_cosmul(positive=[b, c], negative=[a], topn=7),
        )


def test_similarity_and_odd_one_out_are_gensims(vectors: WordVectors) -> None:
    keyed = as_gensim(vectors)
    assert vectors.similarity("w1", "w2") == pytest.approx(keyed.similarity("w1", "w2"), abs=1e-6)
    for words in (["w1", "w2", "w3"], ["w9", "w8", "w7", "w6", "w5"]):
        assert vectors.doesnt_match(words) == keyed.doesnt_match(words)
    with pytest.raises(InputError, match="at least two"):
        vectors.doesnt_match(["w1"])


def test_single_words_and_lists_and_weights_are_told_apart(vectors: WordVectors) -> None:
    alone = vectors.neighbors("w1", 3)
    assert alone == vectors.neighbors(["w1"], 3) == vectors.neighbors(("w1", 1.0), 3)
    assert vectors.neighbors(("w1", "w2"), 3) == vectors.neighbors(["w1", "w2"], 3)
    with pytest.raises(InputError, match="at least one word"):
        vectors.neighbors([])


def test_a_batch_answers_like_single_queries(vectors: WordVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.embeddings.vectors.BLOCK", 1000)  # three queries a block
    words = vectors.words[:50]
    for word, batch in zip(words, vectors.neighbors_of_each(words, 5), strict=True):
        assert_same(batch, vectors.neighbors(word, 5))


def test_k_is_bounded_by_the_vocabulary_and_ties_keep_the_order_of_the_words() -> None:
    vectors = WordVectors(["a", "b", "c", "d"], [[1, 0], [0, 1], [0, 2], [0, 3]])
    assert vectors.neighbors("a", 100) == [("b", 0.0), ("c", 0.0), ("d", 0.0)]
    assert [word for word, _ in vectors.neighbors("a", 2)] == ["b", "c"]
    assert vectors.neighbors("a", 0) == []
    assert vectors.neighbors(vectors.words, 3) == []


def test_zero_vectors_never_give_nan(vectors: WordVectors) -> None:
    matrix = vectors.matrix.copy()
    matrix[5] = 0
    vectors = WordVectors(vectors.words, matrix)
    scores = [score for word in ("w5", "w6") for _, score in vectors.neighbors(word, 400)]
    scores += [score for _, score in vectors.analogy("w5", "w5", "w5", k=400, method="mul")]
    scores += [vectors.similarity("w5", "w6")]
    assert np.isfinite(scores).all()
    assert vectors.similarity("w5", "w6") == 0
    assert vectors.neighbors(["w6"], 3, negative=["w6"])


def test_unknown_words_are_answered_with_suggestions() -> None:
    vectors = WordVectors(["the", "Paris", "queen", "king", "KING"], np.eye(5))
    with pytest.raises(InputError, match=r"'quene' is not among the 5 words .* Did you mean 'queen'\?"):
        vectors["quene"]
    with pytest.raises(InputError, match="Did you mean 'Paris'"):
        vectors.neighbors("paris")
    with pytest.raises(InputError, match="Did you mean 'king' or 'KING'"):
        vectors.similarity("King", "the")
    with pytest.raises(InputError, match=r"these vectors\.$"):
        vectors.analogy("xyzzy", "the", "king")
    assert "the" in vectors
    assert "nothing" not in vectors


@pytest.mark.parametrize(
    ("words", "matrix", "message"),
    [
        (["a"], np.zeros((2, 3)), "as many rows"),
        (["a", "a"], np.zeros((2, 3)), "'a' occurs more than once"),
        (["a", "b"], np.array([[0, 1], [np.nan, 0]]), "'b' holds NaN"),
        (["a"], np.zeros(3), "as many rows"),
    ],
)
def test_what_vectors_cannot_be_made_of(words: list[str], matrix: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        WordVectors(words, matrix)


@settings(max_examples=30, deadline=None)
@given(words=st.lists(st.text(), min_size=1, max_size=8, unique=True), seed=st.integers(0, 99))
def test_a_folder_keeps_every_bit_and_every_word(
    words: list[str], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("vectors") / "v"
    matrix = np.random.default_rng(seed).normal(size=(len(words), 3)).astype(np.float32)
    WordVectors(words, matrix, np.arange(len(words)), {"settings": {"dim": 3}}).save(folder)
    loaded = load_vectors(folder)
    assert loaded.words == words
    assert loaded.matrix.tobytes() == matrix.tobytes()
    assert loaded.counts is not None
    assert loaded.counts.tolist() == list(range(len(words)))
    assert loaded.meta["settings"] == {"dim": 3}


def test_odd_words_survive_a_folder(tmp_path: Path) -> None:
    words = ["new york", "\u2028", "a\nb", "\ud800", "", "\u00a0", "<unk>", "naïve", "🦊"]
    WordVectors(words, np.eye(len(words))).save(tmp_path / "v")
    assert WordVectors.load(tmp_path / "v").words == words


@pytest.mark.parametrize("name", ["vectors.safetensors", "vocab.json", "config.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
def test_a_damaged_folder_is_refused_naming_the_file(
    vectors: WordVectors, tmp_path: Path, name: str, damage: str
) -> None:
    folder = tmp_path / "v"
    vectors.save(folder)
    file = folder / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(content[:-30])
    else:
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with pytest.raises(InputError, match=name):
        load_vectors(folder)


def test_a_folder_is_replaced_whole_and_other_folders_are_refused(vectors: WordVectors, tmp_path: Path) -> None:
    vectors.save(tmp_path / "v")
    random_vectors(count=10).save(tmp_path / "v")
    assert len(load_vectors(tmp_path / "v")) == 10
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="not an embeddings folder"):
        load_vectors(tmp_path / "empty")
    with pytest.raises(InputError, match="no such file or folder"):
        load_vectors(tmp_path / "nowhere")


# Files of other programs


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.bin"])
def test_word2vec_files_are_exact_both_ways_and_gensims(vectors: WordVectors, tmp_path: Path, name: str) -> None:
    binary = name.endswith("bin")
    save_vectors(vectors, tmp_path / name)
    ours = load_vectors(tmp_path / name)
    assert ours.words == vectors.words
    assert ours.matrix.tobytes() == vectors.matrix.tobytes()
    theirs = KeyedVectors.load_word2vec_format(str(tmp_path / name), binary=binary)
    assert_same(vectors.neighbors("w1"), theirs.most_similar("w1"))
    as_gensim(vectors).save_word2vec_format(str(tmp_path / "gensim"), binary=binary)
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
    for name in ("crime-and-punishment.bin", "fasttext.bin", "toy-model.bin"):
        with pytest.raises(InputError, match=r"fastText \.bin"):
            load_vectors(folder / name)


def test_a_word_cut_inside_a_character_is_reported(shared_data: Path) -> None:
    vectors = load_vectors(shared_data / "vectors" / "utf8-incomplete.bin")
    assert vectors.words == ["meren", "zee\ufffdn", "rivieren"]
    assert vectors.meta["notes"] == ["read invalid UTF-8 as U+FFFD in 1 word: 'zee\ufffdn' (word 2)."]


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
        (b"2 2\na 1 2\n", "2 words of 2 dimensions, more than fit|1 rows instead of the 2"),
        (b"2 2\nabcdef 1.5 2.5\n", "1 rows instead of the 2 promised"),
        (b"1 2\na 1 2\nb 3 4\n", "line 3: more rows than the 1"),
        (b"2 3\nlong 1 2 3\nword 3 4\n", "line 3: 2 numbers instead of 3"),
        (b"a 1 2\nb 3\n", "line 2: 1 numbers instead of 2"),
        (b"2 2\na 1 2\nb 3 x\n", "line 3: not a word and 2 numbers"),
        (b"2 2\na 1 2\nb 3 nan\n", "'b' holds NaN"),
        (b"2 2\na 1 2\nb 3 1e99\n", "'b' holds NaN or infinity"),
        (b"2 2\na 1 2\n 3 4\n", "line 3: the word is empty"),
        (b"0 2\n", "nothing to read"),
        (b"3 0\na\nb\nc\n", "nothing to read"),
        (b"999999999999 300\na 1 2\n", "line 1: promises 999,999,999,999 words"),
        (b"3 99999999999999\na 1 2\n", "line 1: promises 3 words of 99,999,999,999,999"),
        (b"just some prose\nand more of it\n", "not a file of word vectors"),
        (b"prose\nwithout\nnumbers\n", "not a file of word vectors"),
        (b"2 2\nab " + ROW + b"\ncd " + ROW[:-1], "cut short"),
        (b"2 2\nab " + ROW + b"\nc" + ROW + b"   ", "incomplete|goes on after"),
        (b"1 2\nab " + ROW + b"cd " + ROW, "goes on after the 1 words"),
        (b"1 2\nab " + np.array([np.inf, 0], "<f4").tobytes(), "'ab' holds NaN or infinity"),
        (b"\x80\x04\x95pickle", "a Python pickle"),
        (b"\x1f\x8b\x08\x00", "compressed with gzip"),
        (b"PK\x03\x04zip", "a zip archive"),
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
            assert name == "v.txt"  # a number may lose its last digits; nothing else may
            assert survived.words == vectors.words
            assert content[length:].count(b" ") == 0


# The verbs


@pytest.fixture
def family(tmp_path: Path) -> Path:
    words = ["man", "woman", "king", "queen", "apple", "new york"]
    matrix = [[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 1, 1], [-1, -1, 0.1], [0.1, 0.1, -1]]
    WordVectors(words, np.array(matrix)).save(tmp_path / "family")
    return tmp_path / "family"


def test_neighbors_verb(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["neighbors", str(family), "king", "new york", "-k", "2"]) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    assert first.splitlines()[0].split() == ["king", "cosine"]
    assert first.splitlines()[1].split() == ["man", "0.707"]
    assert second.startswith("new york")
    assert run(["neighbors", str(family), "king", "-k", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["results"] == [{"word": "man", "score": pytest.approx(0.7071, abs=1e-4)}]
    assert [query["word"] for query in answer["queries"]] == ["king"]


def test_analogy_verb_in_every_spelling(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["man", "king", "woman"],
        ["king - man + woman"],
        ["king", "-", "man", "+", "woman"],
        ["man", "king", "woman", "--method", "mul"],
    ):
        assert run(["analogy", str(family), *arguments, "-k", "1", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["results"][0]["word"] == "queen"
    assert run(["analogy", str(family), "man", "king", "woman"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("queen")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["neighbors", "{v}", "quen"], "Did you mean 'queen'"),
        (["neighbors", "{v}/nowhere", "king"], "no such file"),
        (["analogy", "{v}", "a", "b"], "give three words"),
        (["analogy", "{v}", "king - "], "write words with"),
        (["analogy", "{v}", "man", "king", "woman", "--method", "sum"], "'sum' is none of add, mul"),
    ],
)
def test_verbs_answer_mistakes_with_one_sentence(
    family: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run([argument.replace("{v}", str(family)) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_notes_of_a_file_go_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "v").write_text("3 2\na 1 2\nb 3 4\na 5 6\n")
    assert run(["neighbors", str(tmp_path / "v"), "a"]) == 0
    captured = capsys.readouterr()
    assert "repeated word" in captured.err
    assert "repeated" not in captured.out


@pytest.mark.parametrize(
    ("text", "added", "subtracted"),
    [
        ("king - man + woman", ["king", "woman"], ["man"]),
        ("king", ["king"], []),
        ("- man + king", ["king"], ["man"]),
        ("new york - usa + state-of-the-art", ["new york", "state-of-the-art"], ["usa"]),
        ("c++ - c", ["c++"], ["c"]),
    ],
)
def test_expressions(text: str, added: list[str], subtracted: list[str]) -> None:
    assert parse_expression(text) == (added, subtracted)


@pytest.mark.parametrize("text", ["", "+", "king +", "- king", "king - - man"])
def test_expressions_that_lack_a_word(text: str) -> None:
    with pytest.raises(InputError):
        parse_expression(text)


def test_queries_load_neither_torch_nor_numba(family: Path) -> None:
    code = (
        "import sys; from seqlab_cli.main import run; "
        f"assert run(['neighbors', {str(family)!r}, 'king']) == 0; "
        "print(sorted({'torch', 'numba', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
