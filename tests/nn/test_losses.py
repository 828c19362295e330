"""Output layers and noise against references: float64, brute force, autograd, torch's own, published formulas."""

from __future__ import annotations

import copy
import inspect
import itertools

import numpy as np
import pytest
import torch
from costs import usual
from torch.nn import functional as F

from seqlab.base.errors import InputError
from seqlab.nn import NCE, NOISE, SOFTMAXES, AdaptiveSoftmax, Draw, FullSoftmax, SampledSoftmax, choose_cutoffs
from seqlab.nn.outputs import fused
from seqlab.nn.outputs.sampled import accidental_hits
from seqlab.nn.products import fast_float32, has_bfloat16_products

V, D, N, S = 50, 5, 20, 12
COUNTS = (1000 / np.arange(1, V + 1) ** 1.2).astype(np.int64)
KNOBS = {"samples": V, "cutoffs": [10, 25], "mixture": 3, "seed": 0}
SAMPLED = [name for name, layer in SOFTMAXES.items() if "samples" in inspect.signature(layer).parameters]


def build(name, tied=True, vocab=V, dtype=torch.float64, **options):
    torch.manual_seed(1)
    taken = inspect.signature(SOFTMAXES[name]).parameters
    knobs = {key: value for key, value in {**KNOBS, **options}.items() if key in taken}
    layer = SOFTMAXES[name](vocab, D, torch.nn.Parameter(torch.randn(vocab, D)) if tied else None, **knobs).to(dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    layer.set_counts(COUNTS[:vocab])
    return layer


def data(count=N, vocab=V, dtype=torch.float64):
    generator = torch.Generator().manual_seed(7)
    hidden = torch.randn(count, D, generator=generator, dtype=dtype)
    return hidden.requires_grad_(), torch.randint(0, vocab, (count,), generator=generator)


def gradients(loss, layer, hidden):
    tensors = [hidden, *layer.parameters()]
    grads = torch.autograd.grad(loss, tensors, allow_unused=True)
    dense = (torch.zeros_like(t) if g is None else g.to_dense() for t, g in zip(tensors, grads, strict=True))
    return list(dense)


def nll(layer, hidden, targets):
    return -layer.log_probs(hidden)[torch.arange(len(targets)), targets]


@pytest.fixture(params=itertools.product(SOFTMAXES, [True, False]), ids=lambda p: f"{p[0]}-{'tied' if p[1] else 'own'}")
def layer(request):
    return build(*request.param)


@pytest.fixture(params=[V, 3 * V, 1 << 20])
def chunk(request, monkeypatch):
    monkeypatch.setattr(fused, "CHUNK", request.param)
    monkeypatch.setattr(fused, "FEWEST_ROWS", 1)


# every layer


def test_log_probs_are_a_distribution_and_logits_agree(layer):
    hidden, _ = data()
    torch.testing.assert_close(layer.log_probs(hidden).exp().sum(-1), torch.ones(N).double())
    torch.testing.assert_close(layer.logits(hidden).log_softmax(-1), layer.log_probs(hidden))
    torch.testing.assert_close(layer.log_probs(hidden.view(4, 5, D)), layer.log_probs(hidden).view(4, 5, V))


def test_training_on_the_whole_vocabulary_is_exact_gradients_included(layer, chunk):
    hidden, targets = data()
    exact = nll(layer, hidden, targets).mean()
    loss = layer(hidden, targets)
    torch.testing.assert_close(loss, exact)
    for ours, reference in zip(gradients(loss, layer, hidden), gradients(exact, layer, hidden), strict=True):
        torch.testing.assert_close(ours, reference)


def test_gradcheck(layer):
    hidden, targets = data(4)
    assert torch.autograd.gradcheck(lambda hidden: layer(hidden, targets), (hidden,))
    weight = layer.weight.detach().clone().requires_grad_()

    def of_weight(weight):
        return torch.func.functional_call(layer, {"weight": weight}, (hidden.detach(), targets))

    assert torch.autograd.gradcheck(of_weight, (weight,))


def test_exact_loss_ignores_padding_and_does_not_depend_on_the_chunk(layer, chunk):
    hidden, targets = data()
    targets[::3] = -1
    kept = targets >= 0
    with torch.inference_mode():
        total = layer.exact_loss_sum(hidden, targets)
    assert total.dtype == torch.float64
    torch.testing.assert_close(total, nll(layer, hidden[kept], targets[kept]).sum())


def test_the_loss_without_gradients_is_the_same(layer):
    hidden, targets = data()
    with torch.no_grad():
        torch.testing.assert_close(layer(hidden, targets), layer(hidden.detach().requires_grad_(), targets))


@pytest.mark.parametrize("vocab", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("name", SOFTMAXES)
def test_tiny_vocabularies(name, tied, vocab, samples):
    layer = build(name, tied, vocab, cutoffs=None, samples=samples)
    hidden, targets = data(vocab=vocab)
    loss = layer(hidden, targets)
    assert torch.isfinite(loss)
    assert all(torch.isfinite(part).all() for part in gradients(loss, layer, hidden))
    torch.testing.assert_close(layer.exact_loss_sum(hidden, targets), nll(layer, hidden, targets).sum())


@pytest.mark.parametrize("samples", [S, V])
@pytest.mark.parametrize("name", SOFTMAXES)
def test_extreme_logits_give_no_nan(name, samples):
    layer = build(name, dtype=torch.float32, samples=samples)
    hidden, targets = data(dtype=torch.float32)
    loss = layer(hidden * 1e4, targets)
    assert torch.isfinite(loss)
    assert all(torch.isfinite(part).all() for part in gradients(loss, layer, hidden))
    assert torch.isfinite(layer.exact_loss_sum(hidden.detach() * 1e4, targets))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", SOFTMAXES)
def test_the_rows_said_to_be_a_words_are_that_words(name, tied):
    layer = build(name, tied, mixture=1)
    hidden = data(1)[0].detach()
    parts = torch.bucketize(torch.arange(V), torch.tensor(layer.cutoffs, dtype=torch.int64), right=True)
    parameters, rows = dict(layer.named_parameters()), layer.word_rows()
    assert sorted(torch.cat([ids for part, ids in rows.items() if part != "bias"]).tolist()) == list(range(V))
    with torch.no_grad():
        before = layer.log_probs(hidden)[0]
        for part, ids in rows.items():
            assert len(ids) == len(parameters[part])
            for row, word in zip(parameters[part], ids.tolist(), strict=True):
                kept = row.clone()
                row += 1.0
                change = (layer.log_probs(hidden)[0] - before)[parts == parts[word]]
                row.copy_(kept)
                own = (change - change.median()).abs() > 1e-9
                assert (parts == parts[word]).nonzero().squeeze(1)[own].tolist() == [word]


@pytest.mark.parametrize("name", SOFTMAXES)
def test_a_frozen_weight_gets_no_gradient(name):
    layer = build(name)
    hidden, targets = data()
    expected = torch.autograd.grad(layer(hidden, targets), hidden)[0]
    layer.weight.requires_grad_(False)
    layer(hidden, targets).backward()
    assert layer.weight.grad is None
    torch.testing.assert_close(hidden.grad, expected)


@pytest.mark.parametrize("name", SOFTMAXES)
def test_gradients_scale_with_the_loss(name):
    layer = build(name)
    hidden, targets = data()
    whole = gradients(layer(hidden, targets), layer, hidden)
    for part, full in zip(gradients(layer(hidden, targets) / 4, layer, hidden), whole, strict=True):
        torch.testing.assert_close(part, full / 4)


def test_start_at_unigram(layer):
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if "bias" not in name:
                parameter.zero_()
    counts = COUNTS.copy()
    counts[-1] = 0
    layer.start_at_unigram(counts)
    expected = np.maximum(counts, 0.5) / np.maximum(counts, 0.5).sum()
    torch.testing.assert_close(layer.log_probs(torch.randn(1, D).double()).exp()[0], torch.from_numpy(expected))


# fused products


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["full", "mixture", "adaptive"])
def test_lower_precision_stays_close_to_float64(name, precision):
    layer = build(name, dtype=torch.float32, precision=precision)
    reference = copy.deepcopy(layer).double()
    hidden, targets = data(500, dtype=torch.float32)
    exact_hidden = hidden.detach().double().requires_grad_()
    loss, exact = layer(hidden, targets), nll(reference, exact_hidden, targets).mean()
    tolerance = 1e-5 if precision == "float32" else 1e-2
    assert float(loss.detach()) == pytest.approx(float(exact.detach()), rel=tolerance)
    pairs = zip(gradients(loss, layer, hidden), gradients(exact, reference, exact_hidden), strict=True)
    for ours, expected in pairs:
        assert float((ours - expected).norm() / expected.norm()) < tolerance


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 1e-2)])
def test_sampled_softmax_in_lower_precision_stays_close_to_float64(precision, tolerance):
    layer = build("sampled", dtype=torch.float32, samples=S, precision=precision)
    reference = copy.deepcopy(layer).double()
    hidden, targets = data(500, dtype=torch.float32)
    exact_hidden = hidden.detach().double().requires_grad_()
    draw = layer.noise.sample(S)
    loss, exact = (one.loss_with_noise(h, targets, draw) for one, h in ((layer, hidden), (reference, exact_hidden)))
    assert float(loss.detach()) == pytest.approx(float(exact.detach()), rel=tolerance)
    pairs = zip(gradients(loss, layer, hidden), gradients(exact, reference, exact_hidden), strict=True)
    for ours, expected in pairs:
        assert float((ours - expected).norm() / expected.norm()) < tolerance


def test_float32_products_are_float32():
    generator = torch.Generator().manual_seed(3)
    left, right = torch.randn(300, 200, generator=generator), torch.randn(200, 5000, generator=generator)
    with fast_float32():
        error = (left @ right).double() - left.double() @ right.double()
    assert float(error.abs().max()) < 1e-4
    if hasattr(torch.backends.mkldnn, "matmul"):
        assert torch.backends.mkldnn.matmul.fp32_precision != "bf16"
    assert isinstance(has_bfloat16_products(), bool)


@pytest.mark.parametrize("name", ["full", "adaptive", "mixture"])
def test_a_second_backward_pass_gives_the_same_gradients(name):
    layer = build(name)
    hidden, targets = data()
    loss = layer(hidden, targets)
    first, second = (torch.autograd.grad(loss, [hidden, layer.weight], retain_graph=True) for _ in range(2))
    for left, right in zip(first, second, strict=True):
        torch.testing.assert_close(left, right)


@pytest.mark.parametrize("gradient", [True, False])
def test_label_smoothing_equals_torch(gradient):
    layer = build("full", label_smoothing=0.1)
    hidden, targets = data()
    expected = F.cross_entropy(layer.logits(hidden), targets, label_smoothing=0.1)
    with torch.set_grad_enabled(gradient):
        loss = layer(hidden, targets)
    torch.testing.assert_close(loss, expected, check_stride=False)
    torch.testing.assert_close(layer.exact_loss_sum(hidden, targets), nll(layer, hidden, targets).sum())
    if gradient:
        for ours, reference in zip(gradients(loss, layer, hidden), gradients(expected, layer, hidden), strict=True):
            torch.testing.assert_close(ours, reference)


# adaptive softmax


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shrink", [1.0, 2.0])
def test_adaptive_softmax_equals_torch(tied, shrink):
    layer = build("adaptive", tied, tail_shrink=shrink)
    peer = torch.nn.AdaptiveLogSoftmaxWithLoss(D, V, [10, 25], div_value=shrink, head_bias=True).double()
    with torch.no_grad():
        layer.bias[layer.short_list :] = 0
        weight, bias = layer.head()
        peer.head.weight.copy_(weight)
        peer.head.bias.copy_(bias)
        for cluster, (down, up) in enumerate(peer.tail):
            down.weight.copy_(layer.projections[cluster].weight)
            up.weight.copy_(layer.tail(cluster)[0])
    hidden, targets = data()
    torch.testing.assert_close(layer.log_probs(hidden), peer.log_prob(hidden))
    ours = torch.autograd.grad(layer(hidden, targets), hidden)[0]
    torch.testing.assert_close(ours, torch.autograd.grad(peer(hidden, targets).loss, hidden)[0])


def test_adaptive_log_probs_are_composed_of_head_and_clusters():
    layer = build("adaptive", tied=False)
    hidden, _ = data(1)
    head = F.linear(hidden[0], *layer.head()).softmax(0)
    for word, log_prob in enumerate(layer.log_probs(hidden)[0]):
        expected = head[word] if word < layer.short_list else None
        for cluster, (low, high) in enumerate(layer.clusters):
            if low <= word < high:
                inside = F.linear(layer.projections[cluster](hidden[0]), *layer.tail(cluster)).softmax(0)
                expected = head[layer.short_list + cluster] * inside[word - low]
        torch.testing.assert_close(log_prob.exp(), expected)


def test_clusters_without_a_target_still_get_gradients():
    layer = build("adaptive", tied=False)
    hidden, _ = data()
    layer(hidden, torch.zeros(N, dtype=torch.int64)).backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


def test_tying_reaches_the_clusters_where_they_have_full_width():
    tied, narrow = build("adaptive"), build("adaptive", tail_shrink=2.0)
    own = build("adaptive", tied=False, tail_shrink=1.0)
    assert tied.weight.shape == own.weight.shape == (V, D)
    assert len(tied.tails) == 0
    assert [tuple(tail.shape) for tail in narrow.tails] == [(15, 2), (25, 1)]


def test_cutoffs_are_checked_and_chosen_by_cost():
    with pytest.raises(InputError, match=r"model\.cutoffs: must rise between 1 and 49"):
        AdaptiveSoftmax(V, D, None, cutoffs=[30, 20])
    with pytest.raises(InputError, match=r"model\.cutoffs"):
        AdaptiveSoftmax(V, D, None, cutoffs=[50])
    counts = 1e6 / np.arange(1, 33_279)
    cuts = choose_cutoffs(counts)
    assert cuts == sorted(set(cuts))
    assert 0 < cuts[0] < cuts[-1] < 33_278
    assert choose_cutoffs(np.ones(1)) == []
    steep = choose_cutoffs(counts**2)
    assert steep[0] < cuts[0]


# noise losses


def log_count(layer, draw):
    return torch.from_numpy(draw.log_expected_count(np.arange(V))).double()


def reference_sampled_loss(layer, hidden, targets, draw):
    """Position by position, draw by draw, in float64: Jean et al. 2015 as written."""
    scores = layer.logits(hidden).detach()
    q = log_count(layer, draw)
    losses = []
    for n, target in enumerate(targets.tolist()):
        words = [target] + [word for word in draw.ids.tolist() if word != target]
        logits = [float(scores[n, word] - q[word]) for word in words]
        losses.append(np.logaddexp.reduce(logits) - logits[0])
    return np.mean(losses)


def reference_nce_loss(layer, hidden, targets, draw):
    """Mnih & Teh 2012, equation 8 with k q(w) the expected count: the target is data, every noise word is noise."""
    scores = layer.logits(hidden).detach()
    q = log_count(layer, draw)
    losses = []
    for n, target in enumerate(targets.tolist()):
        is_data = torch.sigmoid(scores[n] - q).numpy()
        losses.append(-np.log(is_data[target]) - sum(np.log1p(-is_data[word]) for word in draw.ids.tolist()))
    return np.mean(losses)


REFERENCES = {"sampled": reference_sampled_loss, "nce": reference_nce_loss}


@pytest.fixture(params=itertools.product(SAMPLED, NOISE, [True, False]), ids=lambda p: f"{p[0]}-{p[1]}-{p[2]}")
def sampling(request):
    name, noise, unique = request.param
    return build(name, samples=S, noise=noise, unique_noise=unique)


def test_noise_loss_equals_the_reference_with_accidental_hits(sampling):
    hidden, targets = data()
    draw = sampling.noise.sample(S)
    targets[:6] = torch.from_numpy(draw.ids[:6])
    targets[6:9] = targets[0]
    name = next(name for name, layer in SOFTMAXES.items() if type(sampling) is layer)
    expected = REFERENCES[name](sampling, hidden, targets, draw)
    assert float(sampling.loss_with_noise(hidden, targets, draw).detach()) == pytest.approx(expected, rel=1e-6)


def test_noise_gradients_are_sparse_and_touch_only_the_rows_used(sampling):
    hidden, targets = data()
    draw = sampling.noise.sample(S)
    sampling.loss_with_noise(hidden, targets, draw).backward()
    for parameter in (sampling.weight, sampling.bias):
        used = set(parameter.grad.coalesce().indices()[0].tolist())
        assert used <= {*targets.tolist(), *draw.ids.tolist()}


def test_noise_gradient_equals_autograd_of_the_dense_formula(sampling):
    hidden, targets = data()
    draw = sampling.noise.sample(S)
    ours = gradients(sampling.loss_with_noise(hidden, targets, draw), sampling, hidden)
    scores = sampling.logits(hidden) - log_count(sampling, draw)
    drawn = torch.from_numpy(np.bincount(draw.ids, minlength=V)).double()
    target_N = scores[torch.arange(N), targets]
    if isinstance(sampling, NCE):
        loss = (F.softplus(-target_N) + (drawn * F.softplus(scores)).sum(1)).mean()
    else:
        others = drawn.log().expand(N, V).clone()
        others[torch.arange(N), targets] = 0.0
        loss = (torch.logsumexp(scores + others, 1) - target_N).mean()
    for left, right in zip(ours, gradients(loss, sampling, hidden), strict=True):
        torch.testing.assert_close(left, right)


def test_every_word_drawn_for_certain_gives_the_full_softmax():
    layer = build("sampled", samples=S)
    hidden, targets = data()
    loss, exact = layer.loss_with_noise(hidden, targets, layer.noise.sample(V)), nll(layer, hidden, targets).mean()
    torch.testing.assert_close(loss, exact)
    for ours, full in zip(gradients(loss, layer, hidden), gradients(exact, layer, hidden), strict=True):
        torch.testing.assert_close(ours, full)


@pytest.mark.parametrize(
    ("noise", "unique"), usual(itertools.product(NOISE, [True, False]), *zip(NOISE, itertools.cycle([True, False])))
)
def test_average_sampled_gradient_approaches_the_full_gradient(noise, unique):
    hidden, targets = data()
    full = build("full")
    exact = torch.autograd.grad(nll(full, hidden, targets).mean(), full.weight)[0]

    def error(samples, draws=300):
        layer = build("sampled", samples=samples, noise=noise, unique_noise=unique)
        layer.samples = samples
        total = sum(
            torch.autograd.grad(layer.loss_with_noise(hidden, targets, layer.noise.sample(samples)), layer.weight)[
                0
            ].to_dense()
            for _ in range(draws)
        )
        return float((total / draws - exact).norm() / exact.norm())

    errors = [error(samples) for samples in ((4, 16, 45) if unique else (4, 32, 512))]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.05


def test_average_nce_gradient_approaches_the_full_gradient_of_a_normalised_model():
    layer = build("nce", samples=S, unique_noise=False)
    hidden, targets = data(1)
    with torch.no_grad():
        layer.bias -= torch.logsumexp(layer.logits(hidden), 1)
    assert layer.log_normalizer(hidden)["mean"] == pytest.approx(0, abs=1e-12)
    exact = torch.autograd.grad(nll(layer, hidden, targets).mean(), layer.weight)[0]

    def error(samples):
        draws = (layer.noise.sample(samples) for _ in range(200))
        losses = (layer.loss_with_noise(hidden, targets, draw) for draw in draws)
        total = sum(torch.autograd.grad(loss, layer.weight)[0].to_dense() for loss in losses)
        return float((total / 200 - exact).norm() / exact.norm())

    errors = [error(samples) for samples in (5, 100, 2000)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.05


def test_log_normalizer_reports_mean_and_spread():
    layer = build("nce", samples=S)
    hidden, _ = data()
    log_z = torch.logsumexp(layer.logits(hidden), 1).detach()
    report = layer.log_normalizer(hidden.detach())
    assert report["mean"] == pytest.approx(float(log_z.mean()))
    assert report["std"] == pytest.approx(float(log_z.std(correction=0)))


@pytest.mark.parametrize("unique", [True, False])
@pytest.mark.parametrize("name", SAMPLED)
def test_relabelling_words_changes_nothing(name, unique):
    options = {"samples": S, "noise": "unigram", "unique_noise": unique}
    layer, other = build(name, **options), build(name, **options)
    order = np.random.default_rng(0).permutation(V)  # new id -> old id
    place = np.argsort(order)
    with torch.no_grad():
        other.weight.copy_(layer.weight[order])
        other.bias.copy_(layer.bias[order])
    other.set_counts(COUNTS[order])
    hidden, targets = data()
    draw = layer.noise.sample(S)
    np.testing.assert_allclose(other.noise.probabilities(place), layer.noise.probabilities(np.arange(V)))
    relabelled = Draw(np.sort(place[draw.ids]), lambda ids: draw.log_expected_count(order[ids]))
    loss = layer.loss_with_noise(hidden, targets, draw)
    same = other.loss_with_noise(hidden, torch.from_numpy(place)[targets], relabelled)
    torch.testing.assert_close(loss, same)
    ours, theirs = gradients(loss, layer, hidden), gradients(same, other, hidden)
    torch.testing.assert_close(ours[0], theirs[0])
    torch.testing.assert_close(ours[1][order], theirs[1])


def test_accidental_hits_are_found_for_every_target_and_copy():
    targets, noise = np.array([3, 9, 3, 1, 7, 12]), np.array([1, 3, 3, 5, 7, 7, 7, 11])
    positions, places = accidental_hits(targets, noise)
    found = set(zip(positions.tolist(), places.tolist(), strict=True))
    assert found == {(n, s) for n, s in itertools.product(range(6), range(8)) if targets[n] == noise[s]}


def test_unigram_noise_is_needed_for_training_only():
    layer = SampledSoftmax(V, D, None, samples=S, noise="unigram")
    hidden, targets = data(dtype=torch.float32)
    assert torch.isfinite(layer.exact_loss_sum(hidden.detach(), targets))
    with pytest.raises(ValueError, match="set_counts"):
        layer(hidden, targets)
    with pytest.raises(ValueError, match="3 counts for a vocabulary of 50"):
        layer.set_counts(np.ones(3))
    with pytest.raises(InputError, match=r"model\.noise: 'unigramm' is not one of"):
        SampledSoftmax(V, D, None, noise="unigramm")


def test_noise_state_of_a_layer_is_restored(sampling):
    hidden, targets = data()
    sampling(hidden, targets)
    state = sampling.get_state()
    first = sampling(hidden, targets)
    sampling.set_state(state)
    assert torch.equal(first, sampling(hidden, targets))
    assert not torch.equal(first, sampling(hidden, targets))
    assert FullSoftmax(V, D).get_state() == ""


# noise distributions


@pytest.fixture(params=NOISE)
def noise_of(request):
    def make(size, seed, **options):
        noise = NOISE[request.param](size, seed, **options)
        noise.set_counts(np.arange(size, 0, -1) ** 2)
        return noise

    return make


def test_probabilities_sum_to_one_and_describe_the_draws(noise_of):
    noise = noise_of(200, 5)
    p = noise.probabilities(np.arange(200))
    assert p.sum() == pytest.approx(1)
    draws = 200_000
    seen = np.bincount(noise.draw(draws), minlength=200)
    chi_square = ((seen - draws * p) ** 2 / (draws * p)).sum()
    assert chi_square < 199 + 5 * np.sqrt(2 * 199)


@pytest.mark.parametrize(("size", "count"), [(300, 30), (300, 60), (40, 36)])
def test_unique_samples_are_distinct_and_their_expected_count_is_right(noise_of, size, count):
    noise = noise_of(size, 6)
    rounds = 3000
    weighted, probability = np.zeros(size), np.zeros(size)
    for _ in range(rounds):
        ids, log_expected_count = noise.sample(count)
        assert (np.diff(ids) > 0).all()
        assert len(ids) == count
        weighted[ids] += np.exp(-log_expected_count(ids))
        probability += np.exp(log_expected_count(np.arange(size)))
    probability /= rounds
    assert probability.sum() == pytest.approx(count, rel=0.03)
    often = probability > 0.05
    deviation = np.sqrt((1 - probability) / probability / rounds)
    assert (np.abs(weighted / rounds - 1) < 5 * deviation + 0.05)[often].all()


def test_all_words_as_distinct_noise_are_certain(noise_of):
    ids, log_expected_count = noise_of(30, 1).sample(30)
    np.testing.assert_array_equal(ids, np.arange(30))
    np.testing.assert_array_equal(log_expected_count(ids), np.zeros(30, np.float32))


def test_repeated_samples_are_expected_as_often_as_they_come(noise_of):
    noise = noise_of(50, 6, unique=False)
    rounds, count = 2000, 80
    seen = np.zeros(50)
    for _ in range(rounds):
        ids, log_expected_count = noise.sample(count)
        assert len(ids) == count
        seen += np.bincount(ids, minlength=50)
    np.testing.assert_allclose(seen / rounds, np.exp(log_expected_count(np.arange(50))), rtol=0.1, atol=0.02)


def test_more_distinct_samples_than_words_are_refused(noise_of):
    with pytest.raises(ValueError, match="cannot draw 11 distinct ids"):
        noise_of(10, 0).sample(11)


def test_unigram_noise_takes_unseen_words_for_half_a_word():
    noise = NOISE["unigram"](3, power=1.0)
    noise.set_counts(np.array([4, 2, 0]))
    np.testing.assert_allclose(noise.probabilities(np.arange(3)), np.array([4, 2, 0.5]) / 6.5)


@pytest.mark.parametrize("count", [100, 900])
def test_noise_state_can_be_restored(noise_of, count):
    noise = noise_of(1000, 7)
    state = noise.get_state()
    first = noise.sample(count)
    noise.set_state(state)
    again = noise.sample(count)
    np.testing.assert_array_equal(first.ids, again.ids)
    np.testing.assert_array_equal(first.log_expected_count(first.ids), again.log_expected_count(again.ids))
