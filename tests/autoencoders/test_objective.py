"""Losses against closed forms and float64, bounds against an enumerated likelihood, and what the decoder sees."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from costs import usual
from torch.distributions import Independent, Normal, kl_divergence

from seqlab.autoencoders.lines import noised
from seqlab.autoencoders.model import Decoder, SequenceAutoencoder
from seqlab.autoencoders.objective import (
    NormalisedMeans,
    Posterior,
    active_units,
    importance_weighted,
    log_normal,
    log_prior,
    mutual_information,
)
from seqlab.config import AutoencoderConfig
from seqlab.nn import CELLS
from seqlab.schedules import ANNEALING, kl_weight

START, END = 2, 0


def autoencoder(vocab=3, dim=1, seed=0, **settings):
    torch.manual_seed(seed)
    values = {"embed_dim": 5, "hidden_dim": 6, "layers": 1, "latent_dim": dim, **settings}
    config = AutoencoderConfig().updated(AutoencoderConfig.qualified(values))
    return SequenceAutoencoder(config, vocab).double().eval()


def posterior(lines=40, dim=3):
    generator = torch.Generator().manual_seed(1)
    mean, spread = (torch.randn(lines, dim, dtype=torch.float64, generator=generator) for _ in range(2))
    return Posterior(mean, spread)


def batch(lines):
    width = max(map(len, lines))
    targets = torch.tensor([[*line, *[-1] * (width - len(line))] for line in lines])
    inputs = torch.cat([torch.full((len(lines), 1), START), targets[:, :-1].clamp(min=0)], 1)
    return inputs, targets


def test_divergence_and_densities_are_those_of_torch():
    found = posterior()
    own = Independent(Normal(found.mean_BZ, (0.5 * found.log_var_BZ).exp()), 1)
    prior = Independent(Normal(torch.zeros_like(found.mean_BZ), torch.ones_like(found.mean_BZ)), 1)
    points = found.sample()
    torch.testing.assert_close(found.kl_BZ().sum(1), kl_divergence(own, prior))
    torch.testing.assert_close(found.log_density(points), own.log_prob(points))
    torch.testing.assert_close(log_prior(points), prior.log_prob(points))


def test_free_bits_hold_each_dimension_at_its_share():
    found, free = posterior(), 0.9
    means = found.kl_BZ().mean(0).tolist()
    assert min(means) < free < max(means), "some dimensions are above, some below"
    expected = 40 * sum(max(free, mean) for mean in means)
    assert float(found.kl_sum(free)) == pytest.approx(expected, rel=1e-12)
    mean = found.mean_BZ.clone().requires_grad_()
    Posterior(mean, found.log_var_BZ).kl_sum(free).backward()
    below = torch.tensor(means) < free
    assert (mean.grad[:, below] == 0).all()
    assert (mean.grad[:, ~below] != 0).any()


def test_normalised_means_keep_the_divergence_up():
    """The reference is the definition of https://arxiv.org/abs/2004.12585, equation 8, in float64."""
    layer, means = NormalisedMeans(3, 0.6).double(), 5 + 0.01 * posterior().mean_BZ
    layer.shift.data = torch.tensor([0.0, 0.1, -0.2], dtype=torch.float64)
    centred = (means - means.mean(0)) / (means.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(layer(means), 0.6 * centred + layer.shift)
    for _ in range(200):
        layer(means)
    quiet = layer.eval()(means)
    assert float((quiet - layer.train()(means)).detach().abs().max()) < 0.1, "evaluation uses running statistics"
    posteriors = Posterior(NormalisedMeans(3, 0.6).double()(posterior().mean_BZ), torch.zeros(40, 3).double())
    assert float(posteriors.kl_BZ().detach().sum(1).mean()) >= 3 * 0.6**2 / 2 * 0.999
    assert len(layer(means[:1])) == 1, "a single line has no statistics of its own"


@pytest.mark.parametrize("name", ANNEALING)
def test_annealing_rises_from_nothing_to_the_whole_weight(name):
    weights = [kl_weight(name, used, 0.5, 2.0) for used in np.linspace(0, 1, 201)]
    assert weights[-1] == 2.0
    if name != "none":
        assert weights[0] < 0.006
    if name == "cyclical":
        assert kl_weight(name, 0.0625, 0.5, 1.0) == 0.5
        assert [kl_weight(name, begin, 0.5, 1.0) for begin in (0.0, 0.25, 0.5, 0.75)] == [0.0] * 4
        assert [kl_weight(name, at, 0.5, 1.0) for at in (0.13, 0.2, 0.49)] == [1.0] * 3
    else:
        assert weights == sorted(weights)
        assert kl_weight(name, 0.25, 0.5, 1.0) == (1.0 if name == "none" else 0.5)


def exact_likelihoods(model, lines):
    """log p(line) by the trapezoidal rule over a point of one dimension."""
    grid = torch.linspace(-9, 9, 1001, dtype=torch.float64)[:, None]
    found = []
    for line in lines:
        inputs, targets = batch([line])
        nats = model.line_nats(inputs.expand(len(grid), -1), targets.expand(len(grid), -1), grid)
        found.append(float((log_prior(grid) - nats).logsumexp(0)) + math.log(18 / 1000))
    return torch.tensor(found, dtype=torch.float64)


def test_elbo_and_importance_weights_bound_the_likelihood_and_tighten():
    model = autoencoder(seed=3)
    for parameter in model.parameters():
        parameter.data *= 2.0
    lines = [[*words, END] for length in range(4) for words in itertools.product([1, 2], repeat=length)]
    exact = exact_likelihoods(model, lines)
    assert float(exact.exp().sum()) < 1.0, "they are probabilities of different lines"
    inputs, targets = batch(lines)
    found = model.posterior(targets.clamp(min=0), (targets >= 0).sum(1))
    noise = torch.randn(500, len(lines), 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    points = found.sample(noise)
    log_p = torch.stack([-model.line_nats(inputs, targets, one) for one in points])
    elbo = (log_p + log_prior(points) - found.log_density(points)).mean(0)
    closed = log_p.mean(0) - found.kl_BZ().sum(1)
    weighted = importance_weighted(log_p, found, points)
    few = torch.stack([
        importance_weighted(log_p[at : at + 5], found, points[at : at + 5]) for at in range(0, 500, 5)
    ]).mean(0)  # fmt: skip
    torch.testing.assert_close(elbo, closed, atol=0.25, rtol=0)
    assert (elbo < few).all()
    assert (few < exact + 0.02).all()
    torch.testing.assert_close(weighted, exact, atol=0.05, rtol=0)


def test_the_likelihoods_of_a_tiny_language_add_up_to_one():
    """All lines of at most two words, and what is left for longer ones."""
    model = autoencoder(seed=5)
    lines = [[*words, END] for length in range(9) for words in itertools.product([1, 2], repeat=length)]
    inputs, targets = batch(lines)
    origin = torch.zeros(len(lines), 1, dtype=torch.float64)
    ended = float((-model.line_nats(inputs, targets, origin)).exp().sum())
    running = [list(words) for words in itertools.product([1, 2], repeat=9)]
    inputs, targets = batch(running)
    going_on = float((-model.line_nats(inputs, targets, origin[:1].expand(len(running), 1))).exp().sum())
    assert ended + going_on == pytest.approx(1.0, abs=1e-9)


def test_mutual_information_is_the_definition_and_active_units_are_counted():
    found = posterior()
    points = found.sample()
    expected = []
    for row, point in enumerate(points):
        each = [
            float(log_normal(point, mean, log_var))
            for mean, log_var in zip(found.mean_BZ, found.log_var_BZ, strict=True)
        ]
        expected.append(each[row] - (math.log(sum(map(math.exp, each))) - math.log(len(each))))
    assert mutual_information(found, points) == pytest.approx(float(np.mean(expected)), rel=1e-9)
    assert mutual_information(Posterior(found.mean_BZ[:1].expand(40, -1), torch.zeros(40, 3).double()), points) == (
        pytest.approx(0.0, abs=1e-9)
    )
    assert active_units(torch.cat([found.mean_BZ, torch.full((40, 2), 3.0).double()], 1)) == 3


@pytest.mark.parametrize("cell", CELLS)
def test_the_decoder_never_sees_what_it_has_to_predict(cell):
    model = autoencoder(vocab=7, dim=2, cell=cell, layers=2)
    inputs, _ = batch([[1, 2, 3, 4, 5, END]])
    point = torch.randn(1, 2, dtype=torch.float64)
    before, _ = model.decoder.sequence_logits(inputs, model.decoder.at(point))
    for place in range(inputs.shape[1]):
        changed = inputs.clone()
        changed[0, place] = 6
        after, _ = model.decoder.sequence_logits(changed, model.decoder.at(point))
        torch.testing.assert_close(after[0, :place], before[0, :place])
        assert not torch.allclose(after[0, place], before[0, place])
    elsewhere, _ = model.decoder.sequence_logits(inputs, model.decoder.at(point + 1))
    assert not torch.allclose(elsewhere, before)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_padding_is_never_seen_and_both_ends_are_read(cell, bidirectional):
    model = autoencoder(vocab=9, dim=4, cell=cell, layers=2, bidirectional=bidirectional)
    lines = [[3, 4, 5, 6, 7, END], [5, 3, END]]
    _, targets = batch(lines)
    lengths = torch.tensor([6, 3])
    together = model.posterior(targets.clamp(min=0), lengths).mean_BZ
    other = model.posterior(torch.where(targets < 0, 8, targets), lengths).mean_BZ
    torch.testing.assert_close(together, other)
    for row, line in enumerate(lines):
        alone = model.posterior(torch.tensor([line]), torch.tensor([len(line)])).mean_BZ
        torch.testing.assert_close(alone, together[row : row + 1])
    for place in (0, 2):
        changed = targets.clamp(min=0).clone()
        changed[0, place] = 8
        assert not torch.allclose(model.posterior(changed, lengths).mean_BZ[0], together[0])


def test_steps_of_the_decoder_are_its_whole_sequence():
    model = autoencoder(vocab=7, dim=2, layers=2)
    inputs, _ = batch([[1, 2, 3, 4, END], [5, 5, 1, 1, END]])
    state = model.decoder.at(torch.randn(2, 2, dtype=torch.float64))
    whole, _ = model.decoder.sequence_logits(inputs, state)
    state, single = model.decoder.select(state, torch.tensor([1, 0])), []
    for place in range(inputs.shape[1]):
        logits, state = model.decoder.step(inputs[[1, 0], place], state)
        single.append(logits)
    torch.testing.assert_close(torch.stack(single, 1), whole[[1, 0]])


SAMPLED, NORMED = {"softmax": "sampled", "samples": 6}, {"batch_norm": 0.5, "free_bits": 0.0}


@pytest.mark.parametrize(
    "settings",
    usual([{}, SAMPLED, NORMED, {**SAMPLED, **NORMED}], {**SAMPLED, **NORMED}),
)
def test_gradients_are_those_of_finite_differences(settings):
    """Of a loss with the same noise words and the same point every time, the sampled softmax's included."""
    model = autoencoder(vocab=12, dim=2, layers=2, **settings).train()
    inputs, targets = batch([[3, 4, 5, END], [5, 7, END], [1, END]])
    noise = model.output.get_state()

    def loss():
        torch.manual_seed(0)
        model.output.set_state(noise)
        if model.norm is not None:
            model.norm.mean.zero_(), model.norm.var.fill_(1)
        losses = model.losses(inputs, targets, free=0.1)
        return losses.reconstruction + 0.7 * losses.kl

    loss().backward()
    rng = np.random.default_rng(0)
    for name, parameter in model.named_parameters():
        gradient = parameter.grad.to_dense() if parameter.grad.is_sparse else parameter.grad
        flat = parameter.data.view(-1)
        for place in rng.choice(len(flat), min(3, len(flat)), replace=False).tolist():
            kept = float(flat[place])
            sides = []
            for step in (1e-5, -1e-5):
                flat[place] = kept + step
                sides.append(float(loss().detach()))
            flat[place] = kept
            expected = (sides[0] - sides[1]) / 2e-5
            assert float(gradient.view(-1)[place]) == pytest.approx(expected, rel=2e-4, abs=2e-5), name


def test_hidden_words_are_hidden_from_the_decoder_in_training_only():
    torch.manual_seed(0)
    config = AutoencoderConfig().model.model_copy(update={"embed_dim": 4, "hidden_dim": 4})
    decoder = Decoder(config, 10, 2, word_dropout=0.5)
    tokens = torch.randint(10, (50, 20))
    share = float((decoder.embed(tokens) == 0).all(2).double().mean())
    assert 0.4 < share < 0.6
    seen = decoder.embed(tokens)
    kept = ~(seen == 0).all(2)
    torch.testing.assert_close(seen[kept], decoder.vectors(tokens)[kept])
    assert (decoder.eval().embed(tokens) != 0).any(2).all()
    assert (Decoder(config, 10, 2, word_dropout=1.0).embed(tokens) == 0).all()


def test_noise_deletes_and_swaps_and_leaves_the_ends():
    lines = np.full((200, 12), -1)
    for row in range(200):
        lines[row, :11] = [*range(1, 11), 0]
    ids, lengths = noised(lines, 0.3, 0.0, np.random.default_rng(0))
    assert 0.65 < (lengths - 1).mean() / 10 < 0.75
    for row in range(200):
        kept = ids[row, : lengths[row]].tolist()
        assert kept[-1] == 0
        assert kept[:-1] == sorted(kept[:-1])
    ids, lengths = noised(lines, 0.0, 0.5, np.random.default_rng(0))
    assert (lengths == 11).all()
    moved = (ids[:, :10:2] > ids[:, 1:10:2]).mean()
    assert 0.4 < moved < 0.6
    assert (np.sort(ids[:, :10], 1) == np.arange(1, 11)).all()
    ids, lengths = noised(np.array([[7, 0, -1]]), 0.99, 0.0, np.random.default_rng(0))
    assert (ids.tolist(), lengths.tolist()) == ([[7, 0, 0]], [2]), "a line keeps a token"


def test_a_decoder_that_starts_anew_forgets_its_points_and_keeps_its_words():
    model = autoencoder(vocab=9, dim=2)
    before = {name: value.clone() for name, value in model.decoder.state_dict().items()}
    fresh = {id(one) for one in model.decoder.start_anew()}
    for name, value in model.decoder.named_parameters():
        kept = name.startswith(("embedding", "output"))
        assert kept != (id(value) in fresh), name
        if "bias" not in name or "starts" in name:
            assert torch.equal(value, before[name]) == kept, name
