"""Network and counts as one model: weights that are fitted as they should be, exact sums, step by step as at once."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from seqlab.base.errors import SeqlabError
from seqlab.config import ModelConfig
from seqlab.generation.decoding import sample
from seqlab.models import LanguageModel
from seqlab.models.counts.choice import count_text
from seqlab.models.counts.gate import Gate, logistic, mix
from seqlab.models.counts.kneser_ney import NGramModel
from seqlab.models.counts.mixture import fit_weights, interpolate
from seqlab.models.interpolated import CountingModel, InterpolatedModel, projected
from seqlab.text import TokenFile

V, START = 7, 6


def text(seed: int, size: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    ids = random.integers(0, V, size)
    for place in range(2, size):
        if random.random() < 0.6:
            ids[place] = (ids[place - 1] + 2 * ids[place - 2]) % V
    return ids


@pytest.fixture(scope="module")
def members() -> tuple[LanguageModel, NGramModel, Gate]:
    torch.manual_seed(1)
    network = LanguageModel(ModelConfig(embed_dim=8, hidden_dim=8, layers=1, dropout=0.0), V).eval()
    counts = NGramModel.train(TokenFile.of(text(1, 800)), V, START, 3)
    random = np.random.default_rng(2)
    gate = Gate(random.normal(size=counts.kinds).astype(np.float32), random.normal(size=8).astype(np.float32))
    return network, counts, gate


def along(model, tokens_BT: torch.Tensor) -> torch.Tensor:
    """Log-probabilities (B, T, V) after every beginning of some texts, each read from scratch."""
    every = [
        model.prefill(tokens_BT[:, : end + 1], model.init_state(len(tokens_BT))) for end in range(tokens_BT.shape[1])
    ]
    return torch.stack([log_p_BV for log_p_BV, _ in every], 1)


# --- the gate -----------------------------------------------------------------------------------------------


def scored(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Members of which either is good, depending on the kind and on a hidden value."""
    random = np.random.default_rng(seed)
    known_N, hidden_ND = random.integers(0, 4, count), random.normal(size=(count, 3)).astype(np.float32)
    odds_N = np.array([-3.0, -1.0, 1.0, 3.0])[known_N] + 2.0 * hidden_ND[:, 1]
    by_counts_N = random.random(count) < logistic(odds_N)
    good_N, bad_N = np.log(random.uniform(0.3, 0.9, count)), np.log(random.uniform(0.001, 0.1, count))
    return np.where(by_counts_N, bad_N, good_N), np.where(by_counts_N, good_N, bad_N), known_N, hidden_ND


def test_the_gate_finds_what_the_weights_depend_on_and_beats_one_weight():
    network_N, counts_N, known_N, hidden_ND = scored(1, 20_000)
    gate = Gate.fit(network_N, counts_N, known_N, hidden_ND, 4)
    assert (np.diff(gate.bias_K) > 1.0).all()
    assert 1.5 < gate.weight_D[1] < 3.5
    assert np.abs(gate.weight_D[[0, 2]]).max() < 0.1
    network_N, counts_N, known_N, hidden_ND = scored(2, 20_000)
    mixed_N, weight_N = gate.mixed(network_N, counts_N, known_N, hidden_ND @ gate.weight_D)
    np.testing.assert_allclose(np.exp(mixed_N), (1 - weight_N) * np.exp(network_N) + weight_N * np.exp(counts_N))
    pair_N2 = np.stack([network_N, counts_N], axis=1)
    assert mixed_N.mean() > interpolate(pair_N2, fit_weights(pair_N2)).mean() + 0.1


def test_a_gate_of_little_text_stays_close_to_one_weight():
    network_N, counts_N, known_N, hidden_ND = scored(3, 40)
    gate = Gate.fit(network_N, counts_N, known_N, hidden_ND, 100)
    unseen = np.delete(gate.bias_K, np.unique(known_N))
    assert unseen.std() < 1e-6
    assert np.abs(gate.bias_K - unseen[0]).max() < 3.0


def test_a_member_that_is_always_worse_gets_no_weight_and_costs_nothing():
    network_N = np.log(np.random.default_rng(4).uniform(0.1, 0.9, 5000))
    known_N, hidden_ND = np.zeros(5000, np.int64), np.random.default_rng(5).normal(size=(5000, 4)).astype(np.float32)
    for other in (network_N - 3.0, network_N - 30.0):
        gate = Gate.fit(network_N, other, known_N, hidden_ND, 3)
        mixed_N, weight_N = gate.mixed(network_N, other, known_N, hidden_ND @ gate.weight_D)
        assert weight_N.mean() < 0.01
        assert mixed_N.mean() > network_N.mean() - 1e-3
        swapped = Gate.fit(other, network_N, known_N, hidden_ND, 3)
        assert swapped.mixed(other, network_N, known_N, hidden_ND @ swapped.weight_D)[1].mean() > 0.99


def test_mixing_is_exact_for_any_odds():
    network_N, counts_N = np.log([0.3, 1e-30, 0.5]), np.log([0.01, 0.2, 1e-300])
    odds_N = np.array([0.0, 30.0, -700.0])
    expected = [math.log(0.155), math.log(0.2), math.log(0.5)]
    np.testing.assert_allclose(mix(network_N, counts_N, odds_N), expected, rtol=1e-12)


# --- the model ----------------------------------------------------------------------------------------------


def test_probabilities_are_those_of_the_members_mixed_and_sum_to_one(members):
    network, counts, gate = members
    model = InterpolatedModel(network, (counts, gate))
    ids = text(3, 40)
    tokens = TokenFile.of(ids)
    counts_N, known_N = counts.score(tokens)
    with torch.inference_mode():
        inputs_1T = torch.from_numpy(np.concatenate([[START], ids[:-1]]))[None]
        hidden_1TD, _ = network.hidden(inputs_1T, network.init_state(1))
        network_N = network.output.logits(hidden_1TD[0]).double().log_softmax(-1)[range(40), ids].numpy()
        expected, _ = gate.mixed(network_N, counts_N, known_N, projected(gate, hidden_1TD[0]))
        log_p_TV = along(model, inputs_1T)[0]
    np.testing.assert_allclose(log_p_TV[range(40), ids], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(log_p_TV.exp().sum(-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("kind", ["counts", "both"])
def test_one_step_after_another_is_the_whole_sequence_for_any_batch(members, kind):
    network, counts, gate = members
    model = CountingModel(counts) if kind == "counts" else InterpolatedModel(network, (counts, gate))
    tokens_BT = torch.from_numpy(np.stack([np.concatenate([[START], text(seed, 12)]) for seed in (4, 5, 6)]))
    with torch.inference_mode():
        whole_BTV, (_, last) = along(model, tokens_BT), model.prefill(tokens_BT, model.init_state(3))
        state = model.init_state(3)
        for place, token_B in enumerate(tokens_BT.unbind(1)):
            logits_BV, state = model.step(token_B, state)
            torch.testing.assert_close(logits_BV, whole_BTV[:, place], rtol=1e-4, atol=1e-5)
        order_B = torch.tensor([2, 0])
        token_B = torch.tensor([1, 3])
        picked, _ = model.step(token_B, model.select(state, order_B))
        again, _ = model.step(token_B, model.select(last, order_B))
    torch.testing.assert_close(picked, again, rtol=1e-4, atol=1e-5)


def test_the_probabilities_of_all_texts_of_a_length_sum_to_one(members):
    model = InterpolatedModel(members[0], members[1:])
    total = 0.0
    with torch.inference_mode():
        for ids in itertools.product(range(V), repeat=3):
            log_p_1TV = along(model, torch.tensor([[START, *ids[:2]]]))
            total += math.exp(sum(float(log_p_1TV[0, place, word]) for place, word in enumerate(ids)))
    assert total == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_network_that_is_no_longer_finite_is_noticed(members, value):
    torch.manual_seed(2)
    network = LanguageModel(ModelConfig(embed_dim=8, hidden_dim=8, layers=1, dropout=0.0), V).eval()
    with torch.no_grad():
        network.output.bias[3] = value
    model = InterpolatedModel(network, members[1:])
    with pytest.raises(SeqlabError, match="not a number"):
        sample(model, [START], 5)


# --- which counts -------------------------------------------------------------------------------------------


def test_the_counts_that_predict_best_are_chosen():
    ids, held_out = TokenFile.of(text(7, 4000)), TokenFile.of(text(8, 1000))
    chosen = count_text(ids, V, START, held_out)
    others = [NGramModel.train(ids, V, START, order, prune=prune) for order in (3, 5, 7, 9) for prune in (0, 1)]
    best = max(other.log_probs(held_out).mean() for other in others)
    assert chosen.log_probs(held_out).mean() == pytest.approx(best, rel=1e-9)
    assert count_text(ids, V, START).order == 9


def test_counts_that_would_be_too_large_lose_their_rare_ngrams(monkeypatch):
    ids, held_out = TokenFile.of(text(9, 4000)), TokenFile.of(text(10, 500))
    whole = NGramModel.train(ids, V, START, 9)
    monkeypatch.setattr("seqlab.models.counts.choice.LARGEST", whole.nbytes // 10)
    assert count_text(ids, V, START, held_out).nbytes <= whole.nbytes // 10
    monkeypatch.setattr("seqlab.models.counts.choice.MEMORY", 1000 * 200)
    assert int(count_text(ids, V, START).totals_C[0]) <= 1000


def test_lines_of_a_list_are_scored_each_from_its_own_beginning():
    counts = NGramModel.train(TokenFile.of(text(1, 800)), V, START, 4)
    lines = [text(seed, size) for seed, size in ((2, 5), (3, 1), (4, 9))]
    together = TokenFile.of(np.concatenate(lines))
    together.lines, together.documents = True, np.array([0, 5, 6])
    expected = np.concatenate([counts.log_probs(TokenFile.of(line)) for line in lines])
    np.testing.assert_array_equal(counts.log_probs(together), expected)
    np.testing.assert_array_equal(counts.score_places(together, np.arange(5, 15))[0], expected[5:])
    states_Tn = counts.states_before(together, slice(0, 15), counts.read([START]))
    for start in (0, 5, 6):
        np.testing.assert_array_equal(states_Tn[start], counts.read([START]))
