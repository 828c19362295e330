"""Trainings of word vectors as runs: exact resume, continuing on new text, starting from vectors, held-out loss."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_embeddings import QUICK, corpus_of, topics_ids

from seqlab.base.errors import InputError
from seqlab.config import EmbeddingsConfig
from seqlab.embeddings import WordVectors, train_embeddings
from seqlab.embeddings.engines.compiled.kernels import aligned
from seqlab.embeddings.material.parts import WordParts
from seqlab.embeddings.material.words import TrainingText, choose_words, grown
from seqlab.embeddings.training import loop as trainer
from seqlab.embeddings.training.state import VectorPosition, load_state
from seqlab.text import Corpus, TokenFile

SUBWORDS = QUICK.updated({"subwords": True, "buckets": 50, "max_ngram": 4})


def with_valid(corpus: Corpus, ids: np.ndarray) -> Corpus:
    """The corpus with a validation split of words w0, w1, ..."""
    numbers = [corpus.tokenizer.vocab.stoi[f"w{i}"] for i in ids]
    corpus.splits["valid"] = TokenFile.of(numbers, np.uint16)
    return corpus


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return with_valid(corpus_of(topics_ids(20_000)), topics_ids(2_000, seed=5))


class Killed(Exception):
    pass


@pytest.mark.parametrize("config", [QUICK, SUBWORDS, QUICK.updated({"model": "cbow", "loss": "nce"})])
def test_a_killed_training_goes_on_bit_for_bit(
    config: EmbeddingsConfig, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed again and again at random moments, with a state saved before most jobs."""
    monkeypatch.setattr(trainer, "SAVE_EVERY", 1e-9)
    whole, report = train_embeddings(corpus, config, quiet=True)
    random = np.random.default_rng(3)
    left = 0
    work = trainer.VectorTrainer.work

    def mortal(self: trainer.VectorTrainer, job: Any) -> tuple[float, int]:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return work(self, job)

    monkeypatch.setattr(trainer.VectorTrainer, "work", mortal)
    for _ in range(6):
        left = int(random.integers(1, 25))
        with pytest.raises(Killed):
            train_embeddings(corpus, config, quiet=True, out=tmp_path / "v")
    saved = load_state(tmp_path / "v")
    assert saved is not None
    assert 0 < saved[1].jobs < 80
    left = 10**9
    vectors, again = train_embeddings(corpus, config, quiet=True, out=tmp_path / "v")
    assert vectors.matrix.tobytes() == whole.matrix.tobytes()
    for key in ("losses", "held_out_losses", "loss"):
        assert again[key] == report[key]
    assert WordVectors.load(tmp_path / "v").matrix.tobytes() == whole.matrix.tobytes()


def test_ctrl_c_saves_and_says_how_to_go_on(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)
    whole, _ = train_embeddings(corpus, QUICK, quiet=True)
    add, signalled = VectorPosition.add, False

    def interrupting(self: VectorPosition, epoch: int, loss: float, predictions: int) -> None:
        nonlocal signalled
        add(self, epoch, loss, predictions)
        if self.jobs == 30 and not signalled:
            signalled = True
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(VectorPosition, "add", interrupting)
    with pytest.raises(KeyboardInterrupt):
        train_embeddings(corpus, QUICK, out=tmp_path / "v")
    assert "stopped in epoch 2; run the same command again to resume" in capsys.readouterr().err
    vectors, _ = train_embeddings(corpus, QUICK, out=tmp_path / "v")
    assert "resumes at" in capsys.readouterr().err
    assert vectors.matrix.tobytes() == whole.matrix.tobytes()


def test_a_finished_training_is_not_repeated_and_another_is_refused(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = train_embeddings(corpus, QUICK, quiet=True, out=tmp_path / "v")
    written = (tmp_path / "v" / "vectors.safetensors").stat().st_mtime_ns
    second, report = train_embeddings(corpus, QUICK.updated({"workers": 2}), out=tmp_path / "v")
    assert "is finished" in capsys.readouterr().err
    assert (second.matrix == first.matrix).all()
    assert report["epochs"] == 4
    assert (tmp_path / "v" / "vectors.safetensors").stat().st_mtime_ns == written
    with pytest.raises(InputError, match=r"v: was started with dim = 16, not 17; use the same setting"):
        train_embeddings(corpus, QUICK.updated({"dim": 17}), quiet=True, out=tmp_path / "v")
    with pytest.raises(InputError, match="was trained on another text"):
        train_embeddings(corpus_of(topics_ids(3_000)), QUICK, quiet=True, out=tmp_path / "v")


def test_a_damaged_state_is_named(corpus: Corpus, tmp_path: Path) -> None:
    train_embeddings(corpus, QUICK, quiet=True, out=tmp_path / "v")
    state = tmp_path / "v" / "state" / "latest.safetensors"
    content = bytearray(state.read_bytes())
    content[-5] ^= 1
    state.write_bytes(content)
    with pytest.raises(InputError, match=r"latest\.safetensors: its content differs from its digest"):
        train_embeddings(corpus, QUICK, quiet=True, out=tmp_path / "v")


# Losses, callbacks, metrics


def test_the_held_out_loss_falls_and_changes_nothing(corpus: Corpus) -> None:
    config = QUICK.updated({"lr": 0.02})
    vectors, report = train_embeddings(corpus, config, quiet=True)
    held_out = report["held_out_losses"]
    assert len(held_out) == 4
    assert held_out == sorted(held_out, reverse=True)
    assert report["held_out_loss"] == held_out[-1]
    alone = corpus_of(topics_ids(20_000))
    plain, without = train_embeddings(alone, config, quiet=True)
    assert without["held_out_losses"] == [None] * 4
    assert plain.matrix.tobytes() == vectors.matrix.tobytes()


def test_the_held_out_loss_is_the_loss_of_its_pairs(corpus: Corpus) -> None:
    """Against the reference, on the final vectors."""
    import float64_reference as reference

    told: list[trainer.VectorTrainer] = []
    text = TrainingText.of(corpus)
    words = choose_words(text, 1)
    told.append(trainer.VectorTrainer(text, words, QUICK))
    told[0].fit(quiet=True)
    engine, valid = told[0].engine, corpus.valid
    assert valid is not None
    expected, count = reference.train(
        valid[0 : len(valid)], np.zeros(1, np.int64), engine.rows, engine.keep, engine.parts.offsets, engine.parts.rows,
        engine.alias_table, engine.log_expected, engine.inputs.astype(float), engine.outputs.astype(float),
        window=5, dynamic=True, corrected=True, lr=0.0, seed=0, samples=15, loss="sampled-softmax", cbow=False,
    )  # fmt: skip
    assert told[0].position.held_out[-1] == pytest.approx(expected / count, rel=1e-5)


def test_a_callback_hears_of_every_epoch(corpus: Corpus) -> None:
    heard: list[tuple[trainer.Epoch, WordVectors]] = []
    vectors, report = train_embeddings(
        corpus, QUICK, quiet=True, callback=lambda epoch: heard.append((epoch, epoch.vectors()))
    )
    assert [epoch.number for epoch, _ in heard] == [1, 2, 3, 4]
    assert [epoch.loss for epoch, _ in heard] == report["losses"]
    assert [epoch.held_out for epoch, _ in heard] == report["held_out_losses"]
    assert (heard[-1][1].matrix == vectors.matrix).all()
    assert not (heard[0][1].matrix == vectors.matrix).all()


def test_metrics_are_written_for_curves(corpus: Corpus, tmp_path: Path) -> None:
    _, report = train_embeddings(corpus, QUICK, quiet=True, out=tmp_path / "v")
    lines = [json.loads(line) for line in (tmp_path / "v" / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) >= 40
    assert [line["valid_loss"] for line in lines if "valid_loss" in line] == report["held_out_losses"]
    assert lines[-1]["loss"] == report["loss"]
    assert lines[-1]["tokens"] == 80_000
    tokens = [line["tokens"] for line in lines]
    assert tokens == sorted(set(tokens))


# Words, windows, memory


def test_at_most_so_many_words_get_vectors(corpus: Corpus) -> None:
    vectors, report = train_embeddings(corpus, QUICK.updated({"max_vocab": 7}), quiet=True)
    full, _ = train_embeddings(corpus, QUICK.updated({"epochs": 1}), quiet=True)
    assert vectors.words == full.words[:7]
    assert report["vocabulary"] == 7


def test_a_fixed_window_predicts_all_its_words() -> None:
    corpus = corpus_of(topics_ids(20_000))
    text = TrainingText.of(corpus)
    runs = []
    for dynamic in (True, False):
        run = trainer.VectorTrainer(
            text, choose_words(text, 1), QUICK.updated({"dynamic_window": dynamic, "epochs": 1})
        )
        run.fit(quiet=True)
        runs.append(run.position.predictions[0])
    assert runs[1] == 10 * 20_000 - 20 * 30  # each of the 20 jobs lacks 30 pairs at its borders
    assert runs[0] == pytest.approx(6 * 20_000, rel=0.02)


def test_what_does_not_fit_memory_is_refused_before_it_is_allocated(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqlab.base.resources.memory.free_memory", lambda: 10**6)
    with pytest.raises(InputError, match=r"100,120 vectors of 300 dimensions would need about 24. MB .* fewer buckets"):
        train_embeddings(corpus, QUICK.updated({"subwords": True, "buckets": 100_000, "dim": 300}), quiet=True)


def test_an_unknown_loss_or_engine_is_refused(corpus: Corpus) -> None:
    with pytest.raises(InputError, match="full softmax needs engine=.torch"):
        train_embeddings(corpus, QUICK.updated({"loss": "softmax", "engine": "cpu"}), quiet=True)
    with pytest.raises(InputError, match="engine"):
        QUICK.updated({"engine": "gpu"})


# Subwords


def test_subwords_share_what_they_learn_and_answer_unknown_words(corpus: Corpus) -> None:
    vectors, _ = train_embeddings(corpus, SUBWORDS.updated({"epochs": 8}), quiet=True)
    assert vectors.subwords is not None
    assert "w123" not in vectors
    assert np.isfinite(vectors["w123"]).all()
    parts = WordParts.of(vectors.words, SUBWORDS)
    assert parts.size == 60 + 50
    for row in (0, 17):
        rows = parts.rows[parts.offsets[row] : parts.offsets[row + 1]]
        assert rows[0] == row
        assert (rows[1:] >= 60).all()


def test_own_rows_are_set_so_that_words_have_given_vectors() -> None:
    words = ["reading", "reader", "a"]
    parts = WordParts.of(words, EmbeddingsConfig(subwords=True, buckets=20))
    random = np.random.default_rng(1)
    matrix, wanted = random.random((parts.size, 6), np.float32), random.random((2, 6), np.float32)
    other = parts.compose(matrix)[1]
    ngrams = matrix[3:].copy()
    parts.start_from(matrix, np.array([0, 2]), wanted)
    np.testing.assert_allclose(parts.compose(matrix)[[0, 2]], wanted, atol=1e-5)
    np.testing.assert_allclose(parts.compose(matrix)[1], other, atol=1e-6)
    assert (matrix[3:] == ngrams).all()


# Starting from vectors, continuing on another text


def test_training_starts_from_given_vectors(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(1)
    given = WordVectors(["w3", "w59", "elsewhere"], random.normal(size=(3, 16)).astype(np.float32))
    given.save(tmp_path / "given")
    for config in (QUICK, SUBWORDS):
        still = config.updated({"init": str(tmp_path / "given"), "lr": 1e-12, "epochs": 1})
        vectors, _ = train_embeddings(corpus, still)
        assert "starts from 2 known vectors, 58 words are new" in capsys.readouterr().err
        for word in ("w3", "w59"):
            np.testing.assert_allclose(vectors[word], given[word], atol=1e-5)
        assert np.abs(vectors["w4"]).max() <= 0.5 / 16
    with pytest.raises(InputError, match="have 16 dimensions, not 20; use dim = 16"):
        train_embeddings(corpus, QUICK.updated({"init": str(tmp_path / "given"), "dim": 20}), quiet=True)
    taken, _ = train_embeddings(corpus, QUICK.updated({"init": str(tmp_path / "given"), "dim": None}), quiet=True)
    assert taken.dim == 16
    WordVectors(["elsewhere"], np.ones((1, 16), np.float32)).save(tmp_path / "other")
    with pytest.raises(InputError, match="none of the words of this text has a vector there"):
        train_embeddings(corpus, QUICK.updated({"init": str(tmp_path / "other")}), quiet=True)


@pytest.mark.parametrize("config", [QUICK, SUBWORDS])
def test_a_training_continues_on_a_text_with_new_words(
    config: EmbeddingsConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = topics_ids(20_000)
    first, second = ids[ids < 40], ids[ids >= 30]
    old, _ = train_embeddings(corpus_of(first), config, quiet=True, out=tmp_path / "old")
    renamed = corpus_of(second)
    still, _ = train_embeddings(renamed, config.updated({"lr": 1e-12}), resume=tmp_path / "old")
    assert "continues a training: 40 words known, 20 new" in capsys.readouterr().err
    assert set(still.words) == {f"w{i}" for i in range(60)}
    for word in old.words:
        np.testing.assert_allclose(still[word], old[word], atol=1e-5)
    assert still.counts is not None
    assert old.counts is not None
    both = dict(zip(still.words, still.counts.tolist(), strict=True))
    assert both["w35"] == int((first == 35).sum() + (second == 35).sum())
    assert (np.diff(still.counts) <= 0).all()
    moved, _ = train_embeddings(renamed, config.updated({"epochs": 8}), quiet=True, resume=tmp_path / "old")
    if not config.subwords:
        assert (moved["w3"] == old["w3"]).all()
    nearest = [word for word, _ in moved.neighbors("w55", 9)]
    assert all(int(word[1:]) // 10 == 5 for word in nearest)
    with pytest.raises(InputError, match="was trained with dim = 16, not 8; use the same setting to continue"):
        train_embeddings(renamed, config.updated({"dim": 8}), quiet=True, resume=tmp_path / "old")


def test_continuing_needs_a_state(corpus: Corpus, tmp_path: Path) -> None:
    WordVectors(["a"], np.ones((1, 16), np.float32)).save(tmp_path / "v")
    with pytest.raises(InputError, match="keeps no state of a training to continue; start from its vectors with init"):
        train_embeddings(corpus, QUICK, quiet=True, resume=tmp_path / "v")


def test_a_continued_training_itself_goes_on_where_it_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = topics_ids(20_000)
    train_embeddings(corpus_of(ids[ids < 40]), QUICK, quiet=True, out=tmp_path / "old")
    second = corpus_of(ids[ids >= 30])
    whole, _ = train_embeddings(second, QUICK, quiet=True, resume=tmp_path / "old")
    heard = 0

    def stop(epoch: trainer.Epoch) -> None:
        nonlocal heard
        heard += 1
        if heard == 3:
            raise Killed

    monkeypatch.setattr(trainer, "SAVE_EVERY", 1e-9)
    with pytest.raises(Killed):
        train_embeddings(second, QUICK, quiet=True, out=tmp_path / "new", resume=tmp_path / "old", callback=stop)
    vectors, _ = train_embeddings(second, QUICK, quiet=True, out=tmp_path / "new", resume=tmp_path / "old")
    assert vectors.matrix.tobytes() == whole.matrix.tobytes()


def test_grown_vocabularies_keep_old_words_and_leave_out_rare_new_ones() -> None:
    corpus = corpus_of(np.repeat([0, 1, 2, 3], [50, 20, 3, 2]))
    text = TrainingText.of(corpus)
    words = grown(choose_words(text, 5), text, ["w2", "gone", "w0"], np.array([30, 25, 4]))
    assert words.words == ["w0", "w2", "gone", "w1"]
    assert words.counts_V.tolist() == [54, 33, 25, 20]
    assert [words.row_of_id_I[corpus.tokenizer.vocab.stoi[f"w{i}"]] for i in range(4)] == [0, 3, 1, -1]


def test_matrices_are_padded_but_never_kept_so(corpus: Corpus) -> None:
    text = TrainingText.of(corpus)
    run = trainer.VectorTrainer(text, choose_words(text, 1), QUICK.updated({"dim": 21, "epochs": 1}))
    run.fit(quiet=True)
    assert run.engine.arrays()["inputs"].shape == (60, 21)
    assert aligned(3, 32).ctypes.data % 64 == 0
    assert not run.engine.inputs[:, 21:].any()
    assert run.vectors().matrix.shape == (60, 21)


def test_the_result_is_the_input_vector_or_the_sum_with_the_output_vector(corpus: Corpus) -> None:
    text = TrainingText.of(corpus)
    runs = {}
    for model, result in (("skipgram", "auto"), ("cbow", "auto"), ("cbow", "input"), ("skipgram", "sum")):
        config = QUICK.updated({"model": model, "result": result, "epochs": 1})
        run = trainer.VectorTrainer(text, choose_words(text, 1), config)
        run.fit(quiet=True)
        arrays = run.engine.arrays()
        both, alone = arrays["inputs"] + arrays["outputs"], arrays["inputs"]
        runs[model, result] = [(run.vectors().matrix == expected).all() for expected in (alone, both)]
    assert runs["skipgram", "auto"] == runs["cbow", "input"] == [True, False]
    assert runs["cbow", "auto"] == runs["skipgram", "sum"] == [False, True]
