"""Words outside the vocabulary: n-grams against gensim's, in folders, through conversions and on the command line."""

from __future__ import annotations

import json
import shutil
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqlab_cli.main import run

from seqlab.base.errors import InputError
from seqlab.base.files import save_tensors
from seqlab.embeddings import FORMATS, WordVectors, convert_vectors, load_vectors, save_vectors
from seqlab.embeddings.material.subwords import Subwords, mean_rows, parts_of

fasttext = pytest.importorskip("gensim.models.fasttext", reason="no gensim for this Python")
fasttext_inner = pytest.importorskip("gensim.models.fasttext_inner")
UNSEEN = ["unseen", "naïveté", "日本語", "x", "a b", "w1w2", "\ud800"]


def with_subwords(count: int = 60, dim: int = 7, buckets: int = 50, shortest: int = 3, longest: int = 5) -> WordVectors:
    """Composed as training does it: own rows, then buckets, and the mean over the parts of each word."""
    random = np.random.default_rng(3)
    words = [f"w{i}" for i in range(count)]
    matrix = random.normal(size=(count + buckets, dim)).astype(np.float32)
    composed = mean_rows(matrix, *parts_of(words, shortest, longest, buckets))
    subwords = Subwords(matrix[count:], shortest, longest)
    return WordVectors(words, composed, np.arange(count, 0, -1), {"settings": {"dim": dim}}, subwords=subwords)


@pytest.fixture
def vectors() -> WordVectors:
    return with_subwords()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[fasttext.FastTextKeyedVectors, Path]:
    """A small model of gensim's, and the file it writes in fastText's format."""
    random = np.random.default_rng(1)
    stems, endings = ["walk", "talk", "jump", "naïv", "größ"], ["", "s", "ed", "ing", "er"]
    words = [stem + ending for stem in stems for ending in endings]
    sentences = [[words[i] for i in random.integers(len(words), size=9)] for _ in range(200)]
    model = fasttext.FastText(
        sentences, vector_size=12, min_count=1, min_n=2, max_n=4, bucket=200, epochs=2, seed=1, workers=1
    )
    path = tmp_path_factory.mktemp("trained") / "model.bin"
    fasttext.save_facebook_model(model, str(path))
    return model.wv, path


def assert_same(ours: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> None:
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([s for _, s in ours], [s for _, s in theirs], rtol=1e-5, atol=1e-6)


# N-grams and their rows


@settings(max_examples=150, deadline=None)
@given(
    words=st.lists(
        st.text(st.characters(exclude_characters="\0<>", exclude_categories=["Cs"]), min_size=1, max_size=9),
        min_size=1,
        max_size=5,
    ),
    shortest=st.integers(1, 4),
    more=st.integers(0, 3),
)
def test_parts_are_gensims_ngrams_in_order(words: list[str], shortest: int, more: int) -> None:
    offsets, rows = parts_of(words, shortest, shortest + more, 1000)
    assert (offsets.dtype, rows.dtype) == (np.int64, np.int32)
    assert (offsets[0], offsets[-1]) == (0, len(rows))
    for number, word in enumerate(words):
        ngrams = fasttext_inner.compute_ngrams_bytes(word, shortest, shortest + more)
        expected = [len(words) + fasttext_inner.ft_hash_bytes(n) % 1000 for n in ngrams if n not in (b"<", b">")]
        assert rows[offsets[number]] == number
        assert sorted(rows[offsets[number] + 1 : offsets[number + 1]].tolist()) == sorted(expected)


def test_parts_are_blocked_and_placed_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"wörd{i}" for i in range(100)]
    whole = parts_of(words, 3, 6, 1000)
    monkeypatch.setattr("seqlab.embeddings.material.subwords.BLOCK_WORDS", 7)
    for ours, again in zip(whole, parts_of([word.encode() for word in words], 3, 6, 1000), strict=True):
        assert ours.tolist() == again.tolist()
    offsets, rows = parts_of(words[40:60], 3, 6, 1000, first=40, known=100)
    assert rows.tolist() == whole[1][whole[0][40] : whole[0][60]].tolist()
    assert (np.diff(offsets) == np.diff(whole[0])[40:60]).all()


def test_words_without_ngrams_have_their_own_row_only() -> None:
    offsets, rows = parts_of(["</s>", "ab", "abc"], 5, 6, 10)
    assert offsets.tolist() == [0, 1, 2, 4]
    assert rows[:2].tolist() == [0, 1]
    offsets, rows = parts_of(["a", "b"], 0, 0, 0)
    assert (offsets.tolist(), rows.tolist()) == ([0, 1, 2], [0, 1])
    assert [len(part) for part in parts_of([], 3, 6, 10)] == [1, 0]


def test_repeated_ngrams_count_twice() -> None:
    offsets, rows = parts_of(["aaaa"], 2, 2, 1 << 20)
    assert offsets.tolist() == [0, 6]
    assert len(set(rows.tolist())) == 4  # its own, <a, aa three times, a>


def test_means_are_those_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    matrix = random.normal(size=(40, 3)).astype(np.float32)
    offsets = np.cumsum([0, *random.integers(1, 9, size=30)])
    rows = random.integers(40, size=offsets[-1])
    expected = [matrix[rows[a:b]].astype(np.float64).mean(axis=0) for a, b in zip(offsets, offsets[1:], strict=False)]
    for block in (1, 10, 1000):
        monkeypatch.setattr("seqlab.embeddings.material.subwords.BLOCK_ROWS", block)
        np.testing.assert_allclose(mean_rows(matrix, offsets, rows), expected, atol=1e-6)


@pytest.mark.parametrize(("shortest", "longest"), [(0, 3), (4, 3), (3, 101)])
def test_lengths_that_are_none_are_refused(shortest: int, longest: int) -> None:
    with pytest.raises(InputError, match=f"n-grams of {shortest} to {longest} characters"):
        parts_of(["a"], shortest, longest, 10)
    with pytest.raises(InputError, match=f"n-grams of {shortest} to {longest} characters"):
        Subwords(np.zeros((2, 2), np.float32), shortest, longest)


def test_too_many_rows_and_empty_matrices_are_refused() -> None:
    with pytest.raises(InputError, match="more rows than"):
        parts_of(["a"], 3, 6, 1 << 31)
    with pytest.raises(InputError, match="one row a bucket"):
        Subwords(np.zeros((0, 2), np.float32), 3, 6)
    with pytest.raises(InputError, match="n-grams of 2 dimensions"):
        WordVectors(["a"], np.ones((1, 3)), subwords=Subwords(np.zeros((2, 2), np.float32), 3, 6))


# Answers


def test_unknown_words_are_gensims(trained: tuple[fasttext.FastTextKeyedVectors, Path]) -> None:
    theirs, path = trained
    ours = load_vectors(path)
    assert ours.subwords is not None
    assert (ours.subwords.shortest, ours.subwords.longest, ours.subwords.buckets) == (2, 4, 200)
    unseen = ["walker", "jumpings", "größen", "ü", "日本"]
    for word in unseen[1:]:
        assert word not in ours
        np.testing.assert_allclose(ours[word], theirs[word], rtol=1e-5, atol=1e-7)
        assert_same(ours.neighbors(word, 5), theirs.most_similar(word, topn=5))
        assert ours.similarity(word, "walk") == pytest.approx(theirs.similarity(word, "walk"), abs=1e-5)
    assert_same(ours.analogy("walk", "walked", "jumpz", 4), theirs.most_similar(["walked", "jumpz"], ["walk"], topn=4))
    assert_same(
        ours.neighbors(["walked", "jumpz"], 4, negative="walk", method="mul"),
        theirs.most_similar_cosmul(["walked", "jumpz"], ["walk"], topn=4),
    )
    groups = (["walk", "jumpz"], ["talkeds"])
    assert ours.n_similarity(*groups) == pytest.approx(theirs.n_similarity(*groups), abs=1e-5)
    assert ours.doesnt_match(["walk", "walks", "größt"]) == theirs.doesnt_match(["walk", "walks", "größt"])


@pytest.mark.parametrize("name", ["crime-and-punishment", "toy-model", "fasttext"])
def test_unknown_words_of_fasttexts_own_models(shared_data: Path, name: str) -> None:
    path = shared_data / "vectors" / f"{name}.bin"
    ours, theirs = load_vectors(path), fasttext.load_facebook_vectors(str(path))
    assert (ours.subwords is None) == (theirs.bucket == 0 or theirs.max_n == 0)
    for word in ("unseenword", "größe", "naïvely") if ours.subwords else ():
        assert word not in ours
        np.testing.assert_allclose(ours[word], theirs[word], rtol=1e-5, atol=1e-7)
        found = dict(ours.neighbors(word, 5))
        expected = {w: s for w, s in theirs.most_similar(word, topn=6) if w != "</s>"}  # gensim gives it n-grams
        for neighbor in found.keys() & expected.keys():
            assert found[neighbor] == pytest.approx(expected[neighbor], abs=1e-5)
        assert len(found.keys() & expected.keys()) >= 4


def test_every_question_takes_unknown_words(vectors: WordVectors) -> None:
    """The same as if they were in the vocabulary of other vectors."""
    assert vectors.subwords is not None
    composed = np.concatenate([vectors.matrix, vectors.subwords.vectors(UNSEEN)])
    complete = WordVectors([*vectors.words, *UNSEEN], composed)
    asked = ["w3", "unseen", "日本語", "w9"]
    np.testing.assert_allclose(vectors.vectors_of(asked), complete.vectors_of(asked), rtol=1e-6)
    for word, best in zip(asked, vectors.neighbors_of_each(asked, 4), strict=True):
        expected = [pair for pair in complete.neighbors(word, 20) if pair[0] in vectors][:4]
        assert_same(best, expected)
        assert_same(vectors.neighbors(word, 4), expected)
    assert vectors.similarity("unseen", "naïveté") == pytest.approx(complete.similarity("unseen", "naïveté"), abs=1e-6)
    assert vectors.doesnt_match(asked) == complete.doesnt_match(asked)
    known = complete.subset([*vectors.words, "unseen"])
    assert vectors.rank("unseen", "w5") == known.rank("unseen", "w5")
    assert vectors.rank("w5", "unseen") == known.rank("w5", "unseen")
    assert vectors.most_similar("unseen", topn=3) == vectors.neighbors("unseen", 3)


def test_a_word_with_no_ngram_is_refused_rather_than_answered_with_zeros(vectors: WordVectors) -> None:
    for word in ("", "</s>"):
        with pytest.raises(InputError, match="holds no n-grams of 3 to 5 characters"):
            vectors.neighbors(word)
    with pytest.raises(InputError, match="'wx' is not among"):
        WordVectors(vectors.words, vectors.matrix).neighbors("wx")


def test_ngrams_that_are_not_finite_are_refused_by_the_word(vectors: WordVectors) -> None:
    broken = WordVectors(["a"], np.ones((1, 7)), subwords=Subwords(np.full((5, 7), np.nan, np.float32), 3, 5))
    with pytest.raises(InputError, match="n-grams of 'unseen' hold NaN"):
        broken["unseen"]


def test_what_becomes_of_ngrams_when_vectors_change(vectors: WordVectors) -> None:
    np.testing.assert_array_equal(vectors.subset(5)["unseen"], vectors["unseen"])
    assert vectors.normalize().subwords is None
    changed = vectors.all_but_the_top(2)
    complete = WordVectors(vectors.words, vectors.matrix)
    mean = vectors.matrix.mean(axis=0)
    top = np.linalg.svd(complete.matrix - mean)[2][:2]
    centred = vectors["unseen"] - mean
    np.testing.assert_allclose(changed["unseen"], centred - centred @ top.T @ top, atol=1e-5)


# Folders and conversions


@pytest.mark.parametrize("mapped", [False, True])
def test_a_folder_keeps_ngrams_bit_by_bit(vectors: WordVectors, tmp_path: Path, mapped: bool) -> None:
    vectors.save(tmp_path / "v")
    back = WordVectors.load(tmp_path / "v", mapped=mapped)
    assert vectors.subwords is not None
    assert back.subwords is not None
    assert (back.subwords.shortest, back.subwords.longest) == (3, 5)
    assert back.subwords.matrix.tobytes() == vectors.subwords.matrix.tobytes()
    assert isinstance(back.subwords.matrix, np.memmap)
    assert back.meta["settings"] == {"dim": 7}
    for word in UNSEEN:
        assert back[word].tobytes() == vectors[word].tobytes()
    back.save(tmp_path / "v")  # over the file it is read from
    assert WordVectors.load(tmp_path / "v")["unseen"].tobytes() == vectors["unseen"].tobytes()
    WordVectors(["a"], np.ones((1, 2))).save(tmp_path / "v")
    assert not (tmp_path / "v" / "ngrams.safetensors").exists()
    assert WordVectors.load(tmp_path / "v").subwords is None


def test_the_file_of_ngrams_is_one_safetensors_opens(vectors: WordVectors, tmp_path: Path) -> None:
    vectors.save(tmp_path / "v")
    assert vectors.subwords is not None
    lengths = {"shortest": "3", "longest": "5"}
    save_tensors(tmp_path / "reference", {"matrix": vectors.subwords.matrix}, lengths)
    ours, theirs = (path.read_bytes() for path in (tmp_path / "v" / "ngrams.safetensors", tmp_path / "reference"))
    headers = [json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]]) for raw in (ours, theirs)]
    assert headers[0] == headers[1]
    assert ours[-vectors.subwords.matrix.nbytes :] == theirs[-vectors.subwords.matrix.nbytes :]


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("damage", ["missing", "cut", "header", "numbers"])
def test_a_damaged_file_of_ngrams_is_named(vectors: WordVectors, tmp_path: Path, damage: str, mapped: bool) -> None:
    vectors.save(tmp_path / "v")
    file = tmp_path / "v" / "ngrams.safetensors"
    content = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(content[:-4])
    else:
        content[content.index(b"matrix") if damage == "header" else -3] ^= 1
        file.write_bytes(content)
    if mapped and damage == "numbers":
        assert len(WordVectors.load(tmp_path / "v", mapped=True, verify=False)) == 60  # taken on trust
    with pytest.raises(InputError, match=r"ngrams\.safetensors"):
        WordVectors.load(tmp_path / "v", mapped=mapped)


def test_a_model_becomes_a_folder_that_answers_the_same(
    trained: tuple[fasttext.FastTextKeyedVectors, Path], tmp_path: Path
) -> None:
    model = load_vectors(trained[1])
    report = convert_vectors(trained[1], tmp_path / "v", words=10)
    assert (report["words"], report["notes"]) == (10, [])
    folder = load_vectors(tmp_path / "v")
    assert folder["größen"].tobytes() == model["größen"].tobytes()
    assert folder[model.words[12]].tobytes() != model[model.words[12]].tobytes()  # its own row was left out
    convert_vectors(tmp_path / "v", tmp_path / "w")
    assert load_vectors(tmp_path / "w")["größen"].tobytes() == model["größen"].tobytes()


@pytest.mark.parametrize("name", [name for name, kind in FORMATS.items() if kind.write and name != "seqlab"])
def test_other_formats_say_that_they_drop_ngrams(vectors: WordVectors, tmp_path: Path, name: str) -> None:
    said = save_vectors(vectors, tmp_path / "v", name)
    assert len(said) == 1
    assert "left out the n-grams" in said[0]
    vectors.save(tmp_path / "folder")
    assert convert_vectors(tmp_path / "folder", tmp_path / "w", name)["notes"] == said
    assert save_vectors(vectors, tmp_path / "again") == []
    assert save_vectors(vectors.normalize(), tmp_path / "v", name) == []


def test_conversion_never_holds_the_ngrams_in_memory(tmp_path: Path) -> None:
    big = Subwords(np.ones((4000, 500), np.float32), 3, 6)  # 8 MB
    WordVectors(["a"], np.ones((1, 500)), subwords=big).save(tmp_path / "v")
    tracemalloc.start()
    convert_vectors(tmp_path / "v", tmp_path / "w")
    assert tracemalloc.get_traced_memory()[1] < 3 << 20
    tracemalloc.stop()
    assert (tmp_path / "w" / "ngrams.safetensors").read_bytes() == (tmp_path / "v" / "ngrams.safetensors").read_bytes()


def test_ngrams_that_are_not_finite_never_reach_a_folder(
    trained: tuple[fasttext.FastTextKeyedVectors, Path], tmp_path: Path
) -> None:
    shutil.copy(trained[1], tmp_path / "model.bin")
    subwords = load_vectors(tmp_path / "model.bin").subwords
    assert subwords is not None
    used = set(parts_of(load_vectors(trained[1]).words, 2, 4, 200)[1].tolist())
    unused = next(row for row in range(200) if row + 25 not in used)
    content = bytearray(trained[1].read_bytes())
    place = content.index(subwords.matrix[unused].tobytes())
    content[place : place + 4] = struct.pack("<f", np.nan)
    (tmp_path / "broken.bin").write_bytes(content)
    with pytest.raises(InputError, match="an n-gram holds NaN"):
        convert_vectors(tmp_path / "broken.bin", tmp_path / "v")
    assert not (tmp_path / "v").exists()


# The verbs


def test_verbs_answer_unknown_words_and_say_so(
    vectors: WordVectors, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors.save(tmp_path / "v")
    assert run(["neighbors", str(tmp_path / "v"), "unseen", "w3", "-k", "2", "--json"]) == 0
    said = capsys.readouterr()
    assert "'unseen' is not in the vocabulary, and no word there has an n-gram of it" in said.err
    first, second = json.loads(said.out)["queries"]
    assert [(r["word"], pytest.approx(r["score"])) for r in first["results"]] == vectors.neighbors("unseen", 2)
    assert second["word"] == "w3"
    assert run(["analogy", str(tmp_path / "v"), "w1", "unseen", "other", "-k", "2"]) == 0
    said = capsys.readouterr().err
    assert "'unseen' is not in the vocabulary" in said
    assert "'other' is not in the vocabulary" in said
    assert run(["neighbors", str(tmp_path / "v"), "W3"]) == 0
    assert "Did you mean 'w3'?" in capsys.readouterr().err
    assert run(["neighbors", str(tmp_path / "v"), "w3"]) == 0
    assert "vocabulary" not in capsys.readouterr().err
    assert run(["neighbors", str(tmp_path / "v"), ""]) == 2
    assert "holds no n-grams" in capsys.readouterr().err
    assert run(["convert", str(tmp_path / "v"), str(tmp_path / "v.txt")]) == 0
    assert "left out the n-grams" in capsys.readouterr().err
