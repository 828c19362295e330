"""The torch engine of word vectors: objectives, updates and windows against float64 references, and what it learns."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import float64_reference as reference
import numpy as np
import pytest
import torch
from costs import usual
from scipy.stats import chisquare
from test_embeddings import QUICK, SAMPLED, corpus_of

from seqlab.base.compiled.simd import padded
from seqlab.base.errors import InputError
from seqlab.config import EmbeddingsConfig
from seqlab.embeddings import LOSSES, train_embeddings
from seqlab.embeddings.engines.compiled.engine import CpuEngine
from seqlab.embeddings.engines.table import build_engine
from seqlab.embeddings.engines.torch import engine as torch_engine
from seqlab.embeddings.engines.torch.engine import TorchEngine
from seqlab.embeddings.engines.torch.losses import FORMS, full_losses, offsets, sampled_losses
from seqlab.embeddings.engines.torch.windows import WindowSampler
from seqlab.embeddings.material.noise import keep_probabilities, unigram_noise
from seqlab.embeddings.material.parts import WordParts
from seqlab.embeddings.material.words import ChosenWords
from seqlab.embeddings.training.checks import memory_needed
from seqlab.embeddings.training.loop import Epoch

VOCABULARY = 40
COUNTS = (1000 / np.arange(1, VOCABULARY + 1)).astype(np.int64)
SMALL = EmbeddingsConfig(dim=8, window=3, samples=4, subsample=0, batch_size=32, device="cpu")
MODELS: dict[str, dict[str, Any]] = {
    "skipgram": {},
    "cbow": {"model": "cbow"},
    "cbow as in word2vec": {"model": "cbow", "cbow_update": "word2vec"},
}
START = np.zeros(1, np.int64)


def engine_of(dtype: torch.dtype = torch.float64, parts: WordParts | None = None, **knobs: Any) -> TorchEngine:
    """A small engine whose two matrices hold random numbers."""
    engine = TorchEngine(COUNTS, np.arange(VOCABULARY), SMALL.updated(knobs), parts, dtype)
    random = np.random.default_rng(5)
    start = {name: random.normal(scale=0.5, size=array.shape) for name, array in engine.arrays().items()}
    engine.load_arrays({name: array.astype(engine.arrays()[name].dtype) for name, array in start.items()})
    return engine


def windows_of(batch: int, seed: int = 1, samples: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Contexts, mask (some windows empty) and scored words, with repeated contexts and accidental hits among them."""
    random = np.random.default_rng(seed)
    contexts, scored = random.integers(9, size=(batch, 6)), random.integers(9, size=(batch, samples + 1))
    mask = random.random((batch, 6)) < 0.6
    mask[0] = batch == 1
    return torch.as_tensor(contexts), torch.as_tensor(mask), torch.as_tensor(scored)


def scored_like(loss: str, row_J: np.ndarray) -> tuple[str, np.ndarray, bool]:
    """What the reference is asked: the full softmax is a sampled one with all other words as noise."""
    if LOSSES[loss].sampled:
        return loss, row_J, LOSSES[loss].corrected
    return "sampled-softmax", np.array([row_J[0], *np.delete(np.arange(VOCABULARY), row_J[0])]), False


# Objectives


def brute_force(loss: str, z: list[float]) -> float:
    if "softmax" in loss:
        return -math.log(math.exp(z[0]) / sum(math.exp(value) for value in z))
    likelihood = 1 / (1 + math.exp(-z[0]))
    for value in z[1:]:
        likelihood *= 1 - 1 / (1 + math.exp(-value))
    return -math.log(likelihood)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_equal_their_definition(loss: str) -> None:
    z = torch.as_tensor(np.random.default_rng(3).normal(scale=3, size=(5, 3, 7)))
    z[:, :, 4] = -torch.inf
    expected = [[brute_force(loss, row) for row in window] for window in z.tolist()]
    np.testing.assert_allclose(FORMS[LOSSES[loss].form](z), expected, rtol=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [0.1, 3.0, 40.0])
def test_gradients_equal_the_reference(loss: str, scale: float) -> None:
    z = torch.as_tensor(np.random.default_rng(3).normal(scale=scale, size=(5, 16))).requires_grad_()
    value = FORMS[LOSSES[loss].form](z).sum()
    value.backward()
    expected, gradient = reference.LOSSES[scored_like(loss, np.zeros(1, int))[0]][0](z.detach().numpy())
    assert value.item() == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(z.grad, gradient, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_autograd_holds_against_finite_differences(loss: str) -> None:
    z = torch.as_tensor(np.random.default_rng(3).normal(size=(3, 5))).requires_grad_()
    assert torch.autograd.gradcheck(FORMS[LOSSES[loss].form], z)


def test_offsets_correct_every_column_and_leave_hits_out() -> None:
    log_expected = torch.as_tensor([0.5, 1.5, 2.5])
    scored = torch.as_tensor([[1, 0, 1, 2], [0, 1, 1, 2]])
    inf = torch.inf
    assert offsets(scored, log_expected, True).tolist() == [[1.5, 0.5, inf, 2.5], [0.5, 1.5, 1.5, 2.5]]
    assert offsets(scored, log_expected, False).tolist() == [[0, 0, inf, 0], [0, 0, 0, 0]]


@pytest.fixture
def small_model() -> tuple[torch.Tensor, torch.Tensor]:
    """Hidden vectors (1, D) and output vectors (V, D)."""
    random = np.random.default_rng(5)
    return torch.as_tensor(random.normal(size=(1, 4))), torch.as_tensor(random.normal(size=(60, 4))).requires_grad_()


def full_gradient(hidden: torch.Tensor, outputs: torch.Tensor, target: int) -> torch.Tensor:
    return torch.autograd.grad(full_losses(hidden, outputs, torch.tensor([target])).sum(), outputs)[0]


def test_all_other_words_as_noise_give_the_full_softmax(small_model: tuple[torch.Tensor, torch.Tensor]) -> None:
    hidden, outputs = small_model
    scored = torch.tensor([[7, *[row for row in range(60) if row != 7]]])
    flat = offsets(scored, torch.zeros(60), corrected=True)
    losses = sampled_losses(hidden[None], outputs[scored], flat, LOSSES["sampled-softmax"])
    assert losses.item() == pytest.approx(full_losses(hidden, outputs, torch.tensor([7])).item(), rel=1e-12)
    gradient = torch.autograd.grad(losses.sum(), outputs)[0]
    np.testing.assert_allclose(gradient, full_gradient(hidden, outputs, 7), atol=1e-12)


def test_the_mean_sampled_gradient_approaches_the_full_one(small_model: tuple[torch.Tensor, torch.Tensor]) -> None:
    hidden, outputs = small_model
    noise = unigram_noise(np.arange(60, 0, -1), 0.75)
    random = np.random.default_rng(2)

    def error(samples: int) -> float:
        drawn = torch.as_tensor(random.choice(60, (4_000, samples), p=noise))
        scored = torch.cat([torch.full((4_000, 1), 59), drawn], dim=1)
        taken = offsets(scored, torch.as_tensor(np.log(samples * noise)), corrected=True)
        losses = sampled_losses(hidden.expand(4_000, 1, 4), outputs[scored], taken, LOSSES["sampled-softmax"])
        mean = torch.autograd.grad(losses.mean(), outputs)[0]
        return float((mean - full_gradient(hidden, outputs, 59)).abs().max())

    few, some, many = error(2), error(16), error(128)
    assert few > 2 * some > 4 * many


# Updates


def reference_updates(engine: TorchEngine, batch: tuple[torch.Tensor, ...], lr: float) -> tuple[Any, float, int]:
    """Matrices, sum of losses and predictions after the windows of a batch one after the other."""
    arrays = {name: array.astype(np.float64) for name, array in engine.arrays().items()}
    config, log_expected = engine.config, engine.sampler.log_expected_V.double().numpy()
    total, predictions = 0.0, 0
    for contexts, mask, scored in zip(*(tensor.numpy() for tensor in batch), strict=True):
        if mask.any():
            loss, rows, corrected = scored_like(config.loss, scored)
            value, count = reference.update_window(
                arrays["inputs"],
                arrays["outputs"],
                contexts[mask],
                rows,
                log_expected if corrected else np.zeros(VOCABULARY),
                lr,
                loss,
                config.model == "cbow",
                config.cbow_update == "corrected",
            )
            total, predictions = total + value, predictions + count
    return arrays, total, predictions


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 2e-6), (torch.float64, 1e-12)])
def test_one_window_moves_as_in_the_reference(loss: str, model: str, dtype: torch.dtype, rtol: float) -> None:
    for seed in range(5):
        engine = engine_of(dtype, loss=loss, **MODELS[model])
        batch = windows_of(1, seed)
        expected, value, count = reference_updates(engine, batch, 0.05)
        total, predictions = engine.update(*batch, 0.05)
        assert predictions.item() == count
        assert total.dtype == torch.float64
        assert total.item() == pytest.approx(value, rel=rtol)
        for name, array in engine.arrays().items():
            np.testing.assert_allclose(array, expected[name], atol=rtol)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", SAMPLED)
def test_windows_that_share_no_rows_move_as_one_after_the_other(loss: str, model: str) -> None:
    engine = engine_of(loss=loss, **MODELS[model])
    rows = np.random.default_rng(1).permutation(VOCABULARY)
    contexts, scored = torch.as_tensor(rows[:36].reshape(6, 6)), torch.as_tensor(rows[:30].reshape(6, 5))
    batch = contexts, windows_of(6)[1], scored
    expected, value, count = reference_updates(engine, batch, 0.05)
    total, predictions = engine.update(*batch, 0.05)
    assert (total.item(), predictions.item()) == (pytest.approx(value), count)
    for name, array in engine.arrays().items():
        np.testing.assert_allclose(array, expected[name], atol=1e-12)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_moves_by_the_sum_of_its_windows_at_the_old_values(loss: str, model: str) -> None:
    engine = engine_of(loss=loss, **MODELS[model])
    engine.largest_step = math.inf
    before, batch = engine.arrays(), windows_of(20)
    moved = {name: np.zeros_like(array) for name, array in before.items()}
    for window in range(20):
        alone, _, _ = reference_updates(engine, tuple(tensor[window : window + 1] for tensor in batch), 0.1)
        for name in moved:
            moved[name] += alone[name] - before[name]
    engine.update(*batch, 0.1)
    for name, array in engine.arrays().items():
        np.testing.assert_allclose(array - before[name], moved[name], atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_renaming_words_changes_nothing(loss: str) -> None:
    engine, renamed = engine_of(loss=loss), engine_of(loss=loss)
    name_V = torch.as_tensor(np.random.default_rng(1).permutation(VOCABULARY))
    for matrix in (renamed.inputs, renamed.outputs, renamed.sampler.log_expected_V):
        matrix[name_V] = matrix.clone()
    contexts, mask, scored = windows_of(20)
    first, second = (
        engine.update(contexts, mask, scored, 0.1),
        renamed.update(name_V[contexts], mask, name_V[scored], 0.1),
    )
    assert second[0].item() == pytest.approx(first[0].item(), rel=1e-12)
    np.testing.assert_allclose(renamed.inputs[name_V], engine.inputs, atol=1e-12)
    np.testing.assert_allclose(renamed.outputs[name_V], engine.outputs, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_row_of_many_windows_moves_by_at_most_the_largest_step(loss: str) -> None:
    batch = torch.full((30, 1), 3), torch.ones(30, 1, dtype=torch.bool), torch.arange(5).expand(30, 5)
    once, often = engine_of(loss=loss), engine_of(loss=loss)
    before = once.arrays()
    once.update(*(tensor[:1] for tensor in batch), 0.1)
    often.largest_step = 1.0
    often.update(*batch, 0.1)
    for name, row in (("inputs", 3), ("outputs", 0)):
        moved, single = often.arrays()[name] - before[name], once.arrays()[name] - before[name]
        np.testing.assert_allclose(moved[row], 10 * single[row], atol=1e-12)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_the_full_softmax_in_pieces_is_the_same(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, pieces = engine_of(loss="softmax", model=model), engine_of(loss="softmax", model=model)
    first = whole.update(*windows_of(20), 0.1)
    monkeypatch.setattr(torch_engine, "FULL_SCORES", 13 * VOCABULARY)
    second = pieces.update(*windows_of(20), 0.1)
    assert first[0].item() == pytest.approx(second[0].item())
    for name, array in pieces.arrays().items():
        np.testing.assert_allclose(array, whole.arrays()[name], atol=1e-12)


# Against the compiled loops


def drawn_windows(ids: np.ndarray, engine: CpuEngine, seed: int) -> list[tuple[torch.Tensor, ...]]:
    """The windows of one document that the compiled loops draw when they keep every word: contexts, mask, scored."""
    random, config = reference.SplitMix(seed), engine.config
    noise = random.noise(engine.alias_table, config.samples)
    for _ in ids:
        random.next()
    windows = []
    for centre in range(len(ids)):
        reach = 1 + random.below(config.window)
        contexts = [ids[place] for place in range(len(ids)) if 0 < abs(place - centre) <= reach]
        scored = [ids[centre], *noise]
        noise = random.noise(engine.alias_table, config.samples)
        windows.append((torch.as_tensor([contexts]), torch.ones(1, len(contexts)).bool(), torch.as_tensor([scored])))
    return windows


@pytest.mark.parametrize("loss", SAMPLED)
@pytest.mark.parametrize("model", MODELS)
def test_both_engines_move_alike_given_the_same_windows_and_noise(loss: str, model: str) -> None:
    """A document of distinct words, window after window, so that no row is moved while it waits in another window."""
    samples = 12 if "cbow" in model else 15
    config = SMALL.updated({"dim": 16, "samples": samples, "loss": loss, "subwords": False, **MODELS[model]})
    names = [f"w{row}" for row in range(VOCABULARY)]
    words = ChosenWords(names, COUNTS, np.arange(VOCABULARY, dtype=np.int32))
    cpu, gpu = CpuEngine(words, config, WordParts.of(names, config)), TorchEngine(COUNTS, words.row_of_id_I, config)
    random = np.random.default_rng(5)
    start = {
        name: random.normal(scale=0.5, size=array.shape).astype(np.float32) for name, array in cpu.arrays().items()
    }
    for engine in (cpu, gpu):
        engine.load_arrays(start)
    ids, seed = np.arange(2, 32, 2), 7
    total, predictions = cpu.run(ids.astype(np.uint16), START, 0.05, seed)
    results = [gpu.update(*window, 0.05) for window in drawn_windows(ids.tolist(), cpu, seed)]
    assert predictions == sum(int(count) for _, count in results) >= 15
    assert total == pytest.approx(sum(value.item() for value, _ in results), rel=1e-5)
    for name, array in cpu.arrays().items():
        assert np.abs(array - start[name]).max() > 0.01
        np.testing.assert_allclose(array, gpu.arrays()[name], atol=2e-6)


# Which engine, where


def test_the_engine_follows_settings_and_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Chosen:
        def __init__(self, *arguments: Any):
            pass

    monkeypatch.setattr(torch_engine, "TorchEngine", Chosen)
    words = ChosenWords(["a", "b"], np.array([2, 1]), np.arange(2, dtype=np.int32))
    small = EmbeddingsConfig(dim=16, samples=15, subwords=False)

    def chosen(**knobs: str) -> str:
        config = small.updated(knobs)
        return "torch" if isinstance(build_engine(words, config, WordParts.of(words.words, config)), Chosen) else "cpu"

    for gpu in (False, True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda gpu=gpu: gpu)
        assert chosen() == "cpu"  # a trial may say otherwise where there is a GPU
        assert chosen(device="cpu") == chosen(engine="cpu") == "cpu"
        assert chosen(device="cuda") == chosen(engine="torch") == chosen(engine="torch", device="cpu") == "torch"
        assert chosen(loss="softmax") == "torch"


def test_a_device_is_never_ignored() -> None:
    corpus = corpus_of(topics_ids(200).astype(int))
    with pytest.raises(InputError, match="device 'tpu9' is not available here; use auto, cpu or cuda"):
        train_embeddings(corpus, QUICK.updated({"device": "tpu9"}), quiet=True)
    with pytest.raises(InputError, match="device: 'cuda' needs engine=.torch.; the compiled loops run on the CPU only"):
        train_embeddings(corpus, QUICK.updated({"device": "cuda", "engine": "cpu"}), quiet=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_missing_is_said() -> None:
    with pytest.raises(InputError, match="device 'cuda' is not available here"):
        train_embeddings(corpus_of(topics_ids(200).astype(int)), QUICK.updated({"device": "cuda"}), quiet=True)


def test_what_does_not_fit_the_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.device] = []

    def mem_get_info(device: torch.device) -> tuple[int, int]:
        asked.append(device)
        return 10**6, 10**9

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", mem_get_info)
    config = EmbeddingsConfig(dim=100, subwords=False, engine="torch")
    assert memory_needed(1_000, config) == 2 * 4 * 2_000 * padded(100)
    with pytest.raises(
        InputError, match=r"4,000 vectors of 100 dimensions would need about 1\.\d MB of GPU memory, of which 1\.0 MB"
    ):
        memory_needed(2_000, config)
    assert {device.type for device in asked} == {"cuda"}
    assert memory_needed(2_000, config.updated({"device": "cpu"})) == memory_needed(
        2_000, config.updated({"engine": "cpu"})
    )
    assert len(asked) == 2


# Whole trainings


def test_a_torch_training_that_was_stopped_goes_on_bit_for_bit_on_any_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun with the torch engine, as where there is a GPU, it goes on with it where nothing else is asked."""
    corpus = corpus_of(topics_ids(5_000).astype(int))
    monkeypatch.setattr("seqlab.embeddings.training.loop.SAVE_EVERY", 1e-9)
    begun = QUICK.updated({"engine": "torch", "device": "cpu", "batch_size": 128})
    whole, report = train_embeddings(corpus, begun, quiet=True)
    assert report["engine"] == "torch"

    class Killed(Exception):
        pass

    def stop(epoch: Epoch) -> None:
        if epoch.number == 3:
            raise Killed

    with pytest.raises(Killed):
        train_embeddings(corpus, begun, quiet=True, out=tmp_path / "v", callback=stop)
    assert not (tmp_path / "v" / "vectors.safetensors").exists()
    with pytest.raises(InputError, match="v: was started with engine = 'torch', not 'cpu'"):
        train_embeddings(corpus, begun.updated({"engine": "cpu"}), quiet=True, out=tmp_path / "v")
    left_open = begun.updated({"engine": "auto", "device": "auto" if not torch.cuda.is_available() else "cpu"})
    vectors, again = train_embeddings(corpus, left_open, quiet=True, out=tmp_path / "v")
    assert vectors.matrix.tobytes() == whole.matrix.tobytes()
    assert again["losses"] == report["losses"]
    assert vectors.meta["settings"]["engine"] == "torch"


# Subwords

OVERLAPPING = WordParts(
    np.arange(0, 2 * VOCABULARY + 2, 2), np.arange(2 * VOCABULARY, dtype=np.int32) // 2 * 7 % 50, 50
)
OVERLAPPING.rows[1::2] = (OVERLAPPING.rows[1::2] + 1) % 50


def test_a_word_is_the_mean_of_its_parts_and_each_gets_its_whole_gradient() -> None:
    engine, plain = engine_of(parts=OVERLAPPING), engine_of()
    engine.largest_step = plain.largest_step = math.inf
    parts_V = OVERLAPPING.rows.reshape(VOCABULARY, 2)
    before = engine.inputs.numpy().copy()
    words = before[parts_V].mean(axis=1)
    np.testing.assert_allclose(engine.vectors(), words, atol=1e-6)
    contexts = torch.as_tensor([[5, 0], [5, 6]])
    np.testing.assert_allclose(engine.input_rows(contexts), words[contexts], atol=1e-12)
    plain.load_arrays({"inputs": words, "outputs": engine.arrays()["outputs"]})
    batch = windows_of(10)
    first, second = engine.update(*batch, 0.1), plain.update(*batch, 0.1)
    assert first[0].item() == pytest.approx(second[0].item())
    expected = before.copy()
    np.add.at(expected, parts_V, (plain.inputs.numpy() - words)[:, None])
    np.testing.assert_allclose(engine.inputs, expected, atol=1e-12)
    np.testing.assert_allclose(engine.outputs, plain.outputs, atol=1e-12)


def test_parts_of_different_lengths_are_composed() -> None:
    lengths = np.arange(VOCABULARY) % 5 + 1
    bounds = np.concatenate([[0], lengths.cumsum()])
    rows = np.random.default_rng(1).integers(50, size=bounds[-1]).astype(np.int32)
    engine = engine_of(parts=WordParts(bounds, rows, 50))
    matrix = engine.inputs.numpy()
    expected = [matrix[part].mean(axis=0) for part in np.split(rows, bounds[1:-1])]
    np.testing.assert_allclose(engine.input_rows(torch.arange(VOCABULARY)), expected, atol=1e-12)


# Windows


def sampler_of(**knobs: Any) -> WindowSampler:
    row_of_id = np.arange(VOCABULARY + 3) - 3
    row_of_id[:3] = -1
    return WindowSampler(COUNTS, row_of_id, SMALL.updated(knobs), torch.device("cpu"), torch.float32)


def test_words_are_kept_at_their_rates_and_others_never() -> None:
    sampler = sampler_of(subsample=1e-2)
    ids = np.tile(np.arange(VOCABULARY + 3, dtype=np.uint16), 5_000)
    rows, documents = sampler.keep(ids, np.array([0, 100_000]), torch.Generator().manual_seed(1))
    keep = keep_probabilities(COUNTS, 1e-2)
    assert keep.min() < 0.3
    assert keep.max() == 1
    kept = np.bincount(rows, minlength=VOCABULARY)
    np.testing.assert_allclose(kept / 5_000, keep, atol=5 * 0.5 / 5_000**0.5)
    assert (kept[keep == 1] == 5_000).all()
    assert documents.unique().tolist() == [1, 2]
    assert (documents == 1).float().mean().item() == pytest.approx(100_000 / len(ids), abs=0.01)


@pytest.mark.parametrize("dynamic", [True, False])
def test_windows_hold_what_lies_within_their_reach(dynamic: bool) -> None:
    sampler = sampler_of(dynamic_window=dynamic, window=4)
    ids = np.random.default_rng(1).integers(3, VOCABULARY + 3, 8_000).astype(np.uint32)
    rows = torch.as_tensor(ids.astype(np.int64) - 3)
    random = torch.Generator().manual_seed(1)
    centres = torch.arange(4, 7_996)
    contexts, mask = sampler.contexts(rows, torch.zeros_like(rows), centres, random)
    expected = np.stack([rows.numpy()[4 + d : 7_996 + d] for d in (-4, -3, -2, -1, 1, 2, 3, 4)], axis=1)
    assert (contexts.numpy() == expected).all()
    reach = mask[:, :4].sum(1)
    assert (reach == mask[:, 4:].sum(1)).all()
    for offset in range(1, 5):
        assert (mask[:, 4 - offset] == (reach >= offset)).all()
        assert (mask[:, 3 + offset] == (reach >= offset)).all()
    counts = np.bincount(reach, minlength=5)[1:]
    if dynamic:
        assert chisquare(counts).pvalue > 1e-3
    else:
        assert counts.tolist() == [0, 0, 0, len(centres)]


def test_no_window_crosses_a_document() -> None:
    sampler = sampler_of(dynamic_window=False, window=5, batch_size=7)
    ids = np.arange(30, dtype=np.uint16) + 3
    starts = np.array([0, 1, 4, 20, 20])
    document = np.searchsorted(starts, np.arange(30), side="right")
    seen = []
    for contexts, mask, scored in sampler.batches(ids, starts, 1):
        assert len(contexts) <= 7
        for row_M, mask_M, centre in zip(contexts.numpy(), mask.numpy(), scored[:, 0].tolist(), strict=True):
            inside = [row for row in range(30) if 0 < abs(row - centre) <= 5 and document[row] == document[centre]]
            assert sorted(row_M[mask_M]) == inside
            seen.append(centre)
    assert sorted(seen) == list(range(30))


def test_noise_has_its_distribution() -> None:
    sampler = sampler_of()
    drawn = sampler.noise((20_000, 10), torch.Generator().manual_seed(1))
    noise = unigram_noise(COUNTS, 0.75)
    assert chisquare(np.bincount(drawn.flatten(), minlength=VOCABULARY), noise * drawn.numel()).pvalue > 1e-3
    np.testing.assert_allclose(sampler.log_expected_V, np.log(SMALL.samples * noise), rtol=1e-6)


def test_ranges_without_words_train_nothing() -> None:
    engine = engine_of()
    before = engine.arrays()
    for ids in (np.zeros(0, np.uint16), np.zeros(1, np.uint16)):
        assert engine.run(ids, START, 0.1, 1) == (0.0, 0)
    np.testing.assert_array_equal(engine.inputs, before["inputs"])


# Training


def topics_ids(count: int, seed: int = 1) -> np.ndarray:
    """Stretches of 20 words, each from one of 4 topics of 10 words."""
    random = np.random.default_rng(seed)
    topics = np.repeat(random.integers(4, size=count // 20), 20)
    return (topics * 10 + random.integers(10, size=len(topics))).astype(np.uint16)


def topics_engine(parts: WordParts | None = None, **knobs: Any) -> TorchEngine:
    config = SMALL.updated({"dim": 16, "batch_size": 128, **knobs})
    return TorchEngine(np.full(VOCABULARY, 500), np.arange(VOCABULARY), config, parts)


@pytest.mark.parametrize(
    ("loss", "model"),
    usual(
        itertools.product(LOSSES, ["skipgram", "cbow"]), ("sampled-softmax", "skipgram"), ("negative-sampling", "cbow")
    ),
)
def test_training_finds_the_topics_of_a_text(loss: str, model: str) -> None:
    engine, ids = topics_engine(loss=loss, model=model, batch_size=32), topics_ids(5_000)
    losses = []
    for epoch in range(6):
        lr = (0.05 if model == "skipgram" else 0.15) * (1 - epoch / 6)
        total, predictions = engine.run(ids, START, lr, epoch)
        losses.append(total / predictions)
    assert losses[-1] < losses[0]
    vectors = engine.vectors()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = np.argsort(-vectors @ vectors.T, axis=1)[:, :10]
    assert (nearest // 10 == np.arange(VOCABULARY)[:, None] // 10).all()


def test_words_of_one_part_each_train_as_words_do() -> None:
    ids = topics_ids(2_000)
    alone = WordParts(np.arange(VOCABULARY + 1), np.arange(VOCABULARY, dtype=np.int32), VOCABULARY + 1)
    plain, composed = topics_engine(), topics_engine(alone)
    composed.load_arrays({"inputs": np.vstack([plain.inputs, np.zeros(16)]), "outputs": plain.arrays()["outputs"]})
    assert plain.run(ids, START, 0.1, 1) == pytest.approx(composed.run(ids, START, 0.1, 1), rel=1e-6)
    np.testing.assert_allclose(plain.vectors(), composed.vectors(), atol=1e-5)


def test_a_seed_decides_everything() -> None:
    ids = topics_ids(4_000)
    results = []
    for start, seed in ((1, 7), (1, 7), (1, 8), (2, 7)):
        engine = topics_engine(seed=start)
        results.append((engine.run(ids, START, 0.1, seed), engine.vectors().tobytes()))
    assert results[0] == results[1]
    assert len({matrix for _, matrix in results}) == 3


@pytest.mark.parametrize("loss", LOSSES)
def test_evaluating_trains_nothing_and_tells_the_loss(loss: str) -> None:
    engine, ids = topics_engine(loss=loss), topics_ids(4_000)
    engine.run(ids, START, 0.1, 1)
    before = engine.arrays()
    value, predictions = engine.evaluate(ids, START, 2)
    assert predictions > 10_000
    for name, array in engine.arrays().items():
        assert array.tobytes() == before[name].tobytes()
    assert engine.run(ids, START, 0.0, 2) == (pytest.approx(value, rel=1e-6), predictions)


def test_training_goes_on_exactly_where_it_stopped() -> None:
    ids = topics_ids(4_000)
    first, second = topics_engine(), topics_engine(seed=9)
    first.run(ids, START, 0.1, 1)
    second.load_arrays(first.arrays())
    assert first.run(ids, START, 0.1, 2) == second.run(ids, START, 0.1, 2)
    for name, array in first.arrays().items():
        assert array.tobytes() == second.arrays()[name].tobytes()
    with pytest.raises(InputError, match=r"inputs: expected shape \(40, 16\), not \(3, 16\)"):
        second.load_arrays(first.arrays() | {"inputs": np.zeros((3, 16), np.float32)})


def test_wrong_settings_are_answered() -> None:
    with pytest.raises(InputError, match="Did you mean 'softmax'"):
        topics_engine(loss="softmx")
    with pytest.raises(InputError, match="device 'tpu' is not available here; use auto, cpu or cuda"):
        topics_engine(device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="device 'cuda' is not available here"):
            topics_engine(device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_gpu_does_what_the_cpu_does(loss: str, model: str) -> None:
    cpu, gpu = (engine_of(torch.float32, device=device, loss=loss, **MODELS[model]) for device in ("cpu", "cuda"))
    batch = windows_of(200)
    expected, result = cpu.update(*batch, 0.01), gpu.update(*(tensor.cuda() for tensor in batch), 0.01)
    assert result[0].item() == pytest.approx(expected[0].item(), rel=1e-5)
    assert result[1].item() == expected[1].item()
    for name, array in gpu.arrays().items():
        np.testing.assert_allclose(array, cpu.arrays()[name], atol=1e-5)
    ids = topics_ids(4_000)
    total, predictions = gpu.run(ids, START, 0.01, 1)
    expected_total, expected_predictions = cpu.run(ids, START, 0.01, 1)
    assert predictions == pytest.approx(expected_predictions, rel=0.02)
    assert total / predictions == pytest.approx(expected_total / expected_predictions, rel=0.05)
