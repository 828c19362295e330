"""`seqlab compress VECTORS`: what is written, what it costs, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from seqlab_cli.main import run as command

import seqlab
from seqlab.base.errors import InputError
from seqlab.compression.vectors.compress import compress_vectors, steps_of
from seqlab.compression.vectors.measure import recall
from seqlab.compression.vectors.reduce import fewer_buckets, fewer_dimensions
from seqlab.embeddings import WordVectors
from seqlab.embeddings.material.subwords import Subwords, mean_rows, ngram_hashes, parts_of

SIZE, DIM = 500, 32


def made(subwords: bool = False) -> WordVectors:
    """Words of three stems and many endings, whose vectors are near a plane of 12 dimensions."""
    rng = np.random.default_rng(0)
    words = [f"{stem}{number}" for number in range(SIZE // 4) for stem in ("boat", "sail", "rope", "tide")]
    latent = rng.normal(size=(SIZE // 4, 1, 12)) + 0.4 * rng.normal(size=(SIZE // 4, 4, 12))
    matrix = latent.reshape(SIZE, 12) @ rng.normal(size=(12, DIM)) + 0.1 * rng.normal(size=(SIZE, DIM))
    grams = Subwords(rng.normal(size=(4000, DIM)).astype(np.float32), 3, 5) if subwords else None
    return WordVectors(words, matrix.astype(np.float32), np.arange(SIZE, 0, -1), subwords=grams)


def brute_recall(before: np.ndarray, after: np.ndarray) -> float:
    """Mean share of the ten nearest rows of every row that stay."""
    nearest = []
    for matrix in (before, after):
        unit = matrix.astype(np.float64) / np.linalg.norm(matrix, axis=1, keepdims=True)
        cosines = unit @ unit.T
        np.fill_diagonal(cosines, -2)
        nearest.append(np.argsort(-cosines, axis=1)[:, :10])
    return float(np.mean([len({*a} & {*b}) / 10 for a, b in zip(*nearest, strict=True)]))


@pytest.mark.parametrize(
    ("method", "smaller", "least"), [("int8", 3.5, 0.97), ("int4", 6, 0.8), ("2bit", 10, 0.5), ("1bit", 14, 0.3)]
)
def test_rows_are_smaller_and_recall_is_what_brute_force_finds(method, smaller, least, tmp_path):
    before = made()
    done = compress_vectors(before, tmp_path / "small", method, quiet=True)
    after = seqlab.load(tmp_path / "small")
    assert done.matrix_bytes_before / done.matrix_bytes > smaller
    ties = 0.01 if method == "1bit" else 0.002
    assert done.recall_at_10 == pytest.approx(brute_recall(before.matrix, after.matrix), abs=ties)
    assert done.recall_at_10 > least
    assert after.meta["compression"] == [method]
    assert after.counts.tolist() == before.counts.tolist()


def test_fewer_dimensions_are_the_best_projection_of_cosines():
    before = made()
    after = fewer_dimensions(before, 12)
    unit = (before.matrix / np.linalg.norm(before.matrix, axis=1, keepdims=True)).astype(np.float64)
    left, values, _ = np.linalg.svd(unit, full_matrices=False)
    best = (left[:, :12] * values[:12]) @ (left[:, :12] * values[:12]).T
    projected = after.matrix / np.linalg.norm(before.matrix, axis=1, keepdims=True)
    np.testing.assert_allclose(projected @ projected.T, best, atol=1e-5)
    assert recall(before, after)[0] > 0.9


def test_fewer_buckets_are_means_of_the_vocabularys_ngrams():
    before = made(subwords=True)
    after = fewer_buckets(before, 700)
    expected, total = np.zeros((700, DIM)), np.zeros(700)
    for word in before.words:
        for hashed in ngram_hashes([word], 3, 5)[1].tolist():
            expected[hashed % 700] += before.subwords.matrix[hashed % 4000]
            total[hashed % 700] += 1
    np.testing.assert_allclose(after.subwords.matrix, expected / np.maximum(total, 1)[:, None], atol=1e-5)
    assert after.matrix is before.matrix
    few = fewer_buckets(before, 4000)
    assert few is before


def test_words_composed_from_packed_ngrams_are_their_means(tmp_path):
    before = made(subwords=True)
    done = compress_vectors(before, tmp_path / "small", "buckets=1000,int8", quiet=True)
    after = seqlab.load(tmp_path / "small")
    assert (done.buckets, done.words) == (1000, SIZE)
    assert 0.3 < done.ngram_cosine < 1
    offsets, rows = parts_of([b"boatsail"], 3, 5, 1000, known=0)
    decoded = np.asarray(after.subwords.matrix)
    np.testing.assert_allclose(after["boatsail"], mean_rows(decoded, offsets[:] - [0, 1], rows[1:])[0], atol=1e-5)
    whole = compress_vectors(before, tmp_path / "all", "int8", quiet=True)
    assert whole.ngram_cosine > 0.999


def test_methods_are_combined_in_order(tmp_path):
    done = compress_vectors(made(), tmp_path / "small", "words=300, dim=16, pq=2", quiet=True)
    after = seqlab.load(tmp_path / "small")
    assert (len(after), after.dim, done.method) == (300, 16, ("words=300", "dim=16", "pq=2"))
    assert [tier.codes.shape for tier in after.stored.tiers] == [(300, 6)]
    again = compress_vectors(tmp_path / "small", tmp_path / "smaller", "words=100,1bit", quiet=True)
    assert seqlab.load(tmp_path / "smaller").meta["compression"] == ["words=300", "dim=16", "pq=2", "words=100", "1bit"]
    assert again.asked == 100


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("int7", "int7"),
        ("", "name at least one of"),
        ("int8,dim=10", "int8 has to come last"),
        ("int8,pq", "int8 has to come last"),
        ("dim", "dim needs how many are left"),
        ("dim=x", "needs a whole number"),
        ("int8=3", "int8 takes no number"),
        ("dim=33", "not between 1 and the 32 dimensions"),
        ("buckets=10", "have no n-grams"),
    ],
)
def test_a_method_that_cannot_be_is_said_and_nothing_is_written(method, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        compress_vectors(made(), tmp_path / "small", method, quiet=True)
    assert not list(tmp_path.iterdir())
    assert steps_of("int8")[0].name == "int8"


def test_the_original_and_trainings_are_never_replaced(tmp_path):
    made().save(tmp_path / "vectors")
    with pytest.raises(InputError, match="is the source itself"):
        compress_vectors(tmp_path / "vectors", tmp_path / "vectors", quiet=True)
    (tmp_path / "trained" / "state").mkdir(parents=True)
    (tmp_path / "trained" / "vectors.safetensors").write_bytes(b"")
    (tmp_path / "trained" / "state" / "latest.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="holds a training"):
        compress_vectors(tmp_path / "vectors", tmp_path / "trained", quiet=True)


@pytest.mark.parametrize("name", ["fasttext.bin", "glove.6B.100d.sample.txt"])
def test_files_of_other_programs_are_compressed(name, shared_data, tmp_path):
    done = compress_vectors(shared_data / "vectors" / name, tmp_path / "small", "int8", quiet=True)
    after = seqlab.load(tmp_path / "small")
    assert done.recall_at_10 > 0.9
    assert len(after) == done.words
    assert (after.subwords is None) == (name != "fasttext.bin")


def test_the_command_compresses_vectors_and_queries_take_them(tmp_path, capsys):
    made().save(tmp_path / "vectors")
    small = str(tmp_path / "small")
    (tmp_path / "s.txt").write_text("".join(f"boat{i}\tsail{i}\t{i % 7}\n" for i in range(30)))
    arguments = ["--similarity", str(tmp_path / "s.txt"), "--json"]
    assert command(["compress", str(tmp_path / "vectors"), "-o", small, "--method", "int8", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recall_at_10"] > 0.97
    assert found["bytes"] < found["bytes_before"]
    assert [one["kind"] for one in found["scores"]] == ["similarity"]
    assert found["scores"][0]["covered"] == 30
    for asked in (["neighbors", small, "boat1"], ["analogy", small, "boat1", "sail1", "boat2"], ["info", small]):
        assert command([*asked, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)
    assert command(["compress", str(tmp_path / "vectors"), "-o", small, "--retrain", "0"]) == 2
    assert "--retrain means nothing" in capsys.readouterr().err
    assert command(["compress", str(tmp_path / "s.txt"), "-o", small, "--method", "words=2,int9"]) == 2
    assert "int9" in capsys.readouterr().err
