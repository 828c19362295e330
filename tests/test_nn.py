"""Cells and output layers against references: equations, float64, brute force, published formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seqlab.nn import CELLS, LOSSES, NOISE, FullSoftmax, SampledSoftmax

B, T, D, H = 3, 7, 5, 6


@pytest.fixture(params=CELLS)
def cell(request):
    torch.manual_seed(0)
    return CELLS[request.param](D, H).double()


def random_state(cell, batch=B):
    return tuple(torch.randn_like(part) * 0.5 for part in cell.init_state(batch))


def test_fused_sequence_equals_the_equations(cell):
    x, state = torch.randn(B, T, D).double(), random_state(cell)
    y_fused, last_fused = cell(x, state)
    outputs = []
    for t in range(T):
        y, state = cell.equations(x[:, t], state)
        outputs.append(y)
    torch.testing.assert_close(y_fused, torch.stack(outputs, 1))
    for part, expected in zip(last_fused, state, strict=True):
        torch.testing.assert_close(part, expected)


@pytest.mark.parametrize("gradient", [True, False])
def test_one_step_at_a_time_equals_the_whole_sequence_from_a_carried_state(cell, gradient):
    x, state = torch.randn(B, T, D).double(), random_state(cell)
    with torch.set_grad_enabled(gradient):
        whole, last = cell(x, state)
        pieces = []
        for t in range(T):
            y, state = cell(x[:, t : t + 1], state)
            pieces.append(y)
    torch.testing.assert_close(whole, torch.cat(pieces, 1))
    for part, expected in zip(state, last, strict=True):
        assert part.shape == (B, H)
        torch.testing.assert_close(part, expected)


def test_gradients_of_the_equations_and_of_the_fused_kernel_agree(cell):
    x = torch.randn(2, 3, D).double().requires_grad_()
    state = random_state(cell, 2)
    assert torch.autograd.gradcheck(lambda x: cell(x, state)[0], (x,))
    fused = torch.autograd.grad(cell(x, state)[0].square().sum(), list(cell.parameters()))
    total = x.new_zeros(())
    carried = state
    for t in range(3):
        y, carried = cell.equations(x[:, t], carried)
        total = total + y.square().sum()
    for left, right in zip(fused, torch.autograd.grad(total, list(cell.parameters())), strict=True):
        torch.testing.assert_close(left, right)


def test_state_starts_at_zero_and_is_batch_first(cell):
    state = cell.init_state(4)
    assert len(state) == cell.parts
    assert all(part.shape == (4, H) and not part.any() for part in state)


V, N, S = 50, 20, 12


@pytest.fixture(params=LOSSES)
def layer(request):
    torch.manual_seed(1)
    layer = LOSSES[request.param](torch.nn.Parameter(torch.randn(V, D)), samples=V, seed=0).double()
    with torch.no_grad():
        layer.bias.normal_()
    return layer


def test_training_loss_over_the_whole_vocabulary_is_the_exact_one(layer):
    hidden, targets = torch.randn(N, D).double(), torch.randint(0, V, (N,))
    exact = -layer.log_probs(hidden)[torch.arange(N), targets]
    torch.testing.assert_close(layer(hidden, targets), exact.mean())
    torch.testing.assert_close(layer.exact_loss_sum(hidden, targets), exact.sum())
    torch.testing.assert_close(layer.log_probs(hidden).exp().sum(-1), torch.ones(N).double())


def test_exact_loss_ignores_padding_and_does_not_depend_on_the_block(layer, monkeypatch):
    hidden, targets = torch.randn(N, D).double(), torch.randint(0, V, (N,))
    targets[::3] = -1
    kept = targets >= 0
    expected = F.cross_entropy(layer.logits(hidden[kept]), targets[kept], reduction="sum")
    for block in (V, 3 * V, 1 << 20):
        monkeypatch.setattr("seqlab.nn.losses.EXACT_BLOCK", block)
        torch.testing.assert_close(layer.exact_loss_sum(hidden, targets), expected)


def test_bias_starts_at_the_unigram():
    layer = FullSoftmax(torch.nn.Parameter(torch.zeros(4, D)))
    layer.start_at_unigram(np.array([6, 3, 1, 0]))
    probabilities = layer.log_probs(torch.randn(1, D)).exp()[0]
    torch.testing.assert_close(probabilities, torch.tensor([6, 3, 1, 0.5]) / 10.5)


def reference_sampled_loss(layer, hidden, targets, noise, tries):
    """Position by position, word by word, in float64: Jean et al. 2015 as written."""
    log_v = np.log(layer.vocab_size + 1)

    def corrected(n, word):
        p = np.log((word + 2) / (word + 1)) / log_v
        expected_count = 1 - (1 - p) ** tries
        return float(hidden[n] @ layer.weight[word] + layer.bias[word, 0]) - np.log(expected_count)

    losses = []
    for n, target in enumerate(targets.tolist()):
        logits = [corrected(n, target)] + [corrected(n, word) for word in noise.tolist() if word != target]
        losses.append(np.logaddexp.reduce(logits) - logits[0])
    return np.mean(losses)


def sampled(samples=S, dtype=torch.float64):
    torch.manual_seed(2)
    layer = SampledSoftmax(torch.nn.Parameter(torch.randn(V, D)), samples, seed=3).to(dtype)
    with torch.no_grad():
        layer.bias.normal_()
    return layer


def test_sampled_loss_equals_the_reference_with_accidental_hits():
    layer = sampled()
    hidden = torch.randn(N, D).double()
    noise, tries = layer.noise.sample_unique(S)
    targets = torch.cat([torch.from_numpy(noise[:6]), torch.randint(0, V, (N - 6,))])
    loss = layer.loss_with_noise(hidden, targets, noise, tries)
    assert float(loss) == pytest.approx(reference_sampled_loss(layer, hidden, targets, noise, tries), abs=1e-6)


def test_sampled_gradient_is_sparse_and_equals_autograd_of_the_dense_formula():
    layer = sampled()
    hidden, targets = torch.randn(N, D).double(), torch.randint(0, V, (N,))
    noise, tries = layer.noise.sample_unique(S)
    layer.loss_with_noise(hidden, targets, noise, tries).backward()
    gradient = layer.weight.grad.coalesce()
    assert set(gradient.indices()[0].tolist()) <= {*targets.tolist(), *noise.tolist()}
    weight, bias = (p.detach().clone().requires_grad_() for p in (layer.weight, layer.bias))
    ids = torch.from_numpy(np.arange(V))
    q = torch.from_numpy(layer.noise.log_expected_count(ids.numpy(), tries)).double()
    logits = hidden @ weight.T + bias[:, 0] - q
    in_sample = torch.zeros(V, dtype=torch.bool).index_fill_(0, torch.from_numpy(noise), True)
    allowed = in_sample | F.one_hot(targets, V).bool()
    F.cross_entropy(logits.masked_fill(~allowed, -torch.inf), targets).backward()
    torch.testing.assert_close(gradient.to_dense(), weight.grad)
    torch.testing.assert_close(layer.bias.grad.to_dense(), bias.grad)


def test_average_sampled_gradient_approaches_the_full_gradient():
    hidden, targets = torch.randn(N, D, dtype=torch.float64), torch.randint(0, V, (N,))
    full = sampled()
    exact = torch.autograd.grad(F.cross_entropy(full.logits(hidden), targets), full.weight, retain_graph=False)[0]

    def mean_gradient(samples, draws=400):
        layer = sampled(samples)
        total = torch.zeros_like(layer.weight)
        for _ in range(draws):
            layer.weight.grad = None
            layer(hidden, targets).backward()
            total += layer.weight.grad.to_dense()
        return total / draws

    errors = [float((mean_gradient(samples) - exact).norm() / exact.norm()) for samples in (4, 16, 40)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.06


def test_relabelling_words_changes_nothing():
    layer = sampled()
    hidden, targets = torch.randn(N, D).double(), torch.randint(0, V, (N,))
    noise, tries = layer.noise.sample_unique(S)
    swap = np.arange(V)
    swap[[3, 4]] = [4, 3]
    with torch.no_grad():
        other = sampled()
        other.weight.copy_(layer.weight[swap])
        other.bias.copy_(layer.bias[swap])
    other.noise.probabilities = lambda ids: layer.noise.probabilities(swap[ids])
    relabelled = np.sort(swap[noise])
    torch.testing.assert_close(
        layer.loss_with_noise(hidden, targets, noise, tries),
        other.loss_with_noise(hidden, torch.from_numpy(swap[targets.numpy()]), relabelled, tries),
    )


@pytest.fixture(params=NOISE)
def noise_of(request):
    return NOISE[request.param]


def test_probabilities_sum_to_one_and_describe_the_draws(noise_of):
    noise = noise_of(200, seed=5)
    p = noise.probabilities(np.arange(200))
    assert p.sum() == pytest.approx(1)
    draws = 200_000
    seen = np.bincount(noise.draw(draws), minlength=200)
    chi_square = ((seen - draws * p) ** 2 / (draws * p)).sum()
    assert chi_square < 199 + 5 * np.sqrt(2 * 199)


def test_unique_samples_are_distinct_and_their_expected_count_is_right(noise_of):
    noise = noise_of(300, seed=6)
    rounds, count = 3000, 60
    seen, expected = np.zeros(300), np.zeros(300)
    for _ in range(rounds):
        ids, tries = noise.sample_unique(count)
        assert len(np.unique(ids)) == count
        assert tries >= count
        seen[ids] += 1
        expected += np.exp(noise.log_expected_count(np.arange(300), tries))
    assert expected.sum() / rounds == pytest.approx(count, rel=0.02)
    np.testing.assert_allclose(seen / rounds, expected / rounds, atol=0.05)


def test_noise_state_can_be_restored(noise_of):
    noise = noise_of(1000, seed=7)
    state = noise.get_state()
    first = noise.sample_unique(100)
    noise.set_state(state)
    again = noise.sample_unique(100)
    assert first[1] == again[1]
    np.testing.assert_array_equal(first[0], again[0])
