"""The cache of recent tokens: votes, distributions and steps against the formula written out; what it gains."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import seqlab
from seqlab.base.errors import InputError
from seqlab.config import ModelConfig
from seqlab.evaluation.scored_text import Scorer
from seqlab.evaluation.tuning import tune_cache
from seqlab.generation.decoding import sample
from seqlab.models import LanguageModel
from seqlab.models.counts.gate import Gate, logistic, mix
from seqlab.models.counts.kneser_ney import NGramModel
from seqlab.models.interpolated import InterpolatedModel, Members
from seqlab.models.recent import cache as module
from seqlab.models.recent.cache import KINDS, Cache, CacheTrial, Held, Voting, odds_of, read, search
from seqlab.models.recent.kernels import FILL_BINS, LONGEST, SPREAD
from seqlab.text import TokenFile

V, START, D = 9, 8, 6


def topical(seed: int, size: int) -> np.ndarray:
    """Stretches that keep to three of the tokens, in phrases that come again."""
    random = np.random.default_rng(seed)
    ids = np.empty(size, np.int64)
    for place in range(size):
        if place % 60 == 0:
            topic = random.integers(0, V - 1, 3)
        again = place % 60 > 10 and random.random() < 0.5
        ids[place] = ids[place - 7] if again else random.choice(topic)
    return ids


def states(seed: int, size: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(size, D)).astype(np.float32))


def written_out(hidden_ND: np.ndarray, ids: list[int], i: int, settings: Voting, reach: int) -> np.ndarray:
    """P(w) before token i, (V,)."""
    votes_V = np.zeros(V)
    first = max(0, i - reach)
    for j in range(first, i):
        shared = 0
        while shared < LONGEST and j - shared - 1 >= first and ids[j - shared - 1] == ids[i - shared - 1]:
            shared += 1
        likeness = settings.theta * float(hidden_ND[i].astype(float) @ hidden_ND[j].astype(float))
        votes_V[ids[j]] += math.exp(likeness) * settings.decay ** (i - j) * settings.match**shared
    return votes_V / votes_V.sum() * (1 - SPREAD) + SPREAD / V


def made(seed: int = 3, scale: float = 1.0) -> Cache:
    random = np.random.default_rng(seed)
    bias_K, weight_D = (scale * random.normal(size=size) for size in (KINDS, D))
    return Cache(Voting(0.3, 0.97, 2.0), Gate(bias_K.astype(np.float32), weight_D.astype(np.float32)))


@pytest.fixture(scope="module")
def network() -> LanguageModel:
    torch.manual_seed(1)
    return LanguageModel(ModelConfig(embed_dim=D, hidden_dim=D, layers=1, dropout=0.0), V).eval()


@pytest.fixture(scope="module")
def counted() -> tuple[NGramModel, Gate]:
    counts = NGramModel.train(TokenFile.of(topical(1, 800)), V, START, 3)
    random = np.random.default_rng(2)
    return counts, Gate(random.normal(size=counts.kinds).astype(np.float32), random.normal(size=D).astype(np.float32))


@pytest.mark.parametrize("reach", [1, 13, 500])
@pytest.mark.parametrize("window", [16, 128])
def test_scores_are_those_of_the_formula(reach, window, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", window)
    monkeypatch.setattr(module, "REACH", reach)
    ids, hidden_ND = topical(4, 150), states(0, 150)
    settings = [Voting(0.4, 0.98, 3.0), Voting(0.0, 0.5, 1.0), Voting(1.5, 1.0, 1.0)]
    log_p_NC, known_N = read(hidden_ND, ids, settings, V)
    for i in range(1, 150):
        for column, one in enumerate(settings):
            p_V = written_out(hidden_ND.numpy(), ids.tolist(), i, one, reach)
            assert p_V.sum() == pytest.approx(1.0)
            assert math.exp(log_p_NC[i, column]) == pytest.approx(p_V[ids[i]], rel=1e-4)
        held = min(i, reach)
        assert known_N[i] % FILL_BINS == min(int(math.log2(held)), FILL_BINS - 1)
    np.testing.assert_allclose(log_p_NC[0], [-math.log(V)] * 3, rtol=1e-12)


def test_a_shorter_memory_is_that_of_a_text_without_its_beginning():
    ids, hidden_ND = topical(4, 90), states(0, 90)
    settings = Voting(0.4, 0.98, 3.0)
    reach_N = np.random.default_rng(0).integers(1, 60, 90)
    shorter_N1, known_N = read(hidden_ND, ids, [settings], V, reach_N)
    for i in (5, 40, 89):
        first = max(0, i - reach_N[i])
        alone_N1, alone_known_N = read(hidden_ND[first:], ids[first:], [settings], V)
        assert shorter_N1[i, 0] == pytest.approx(alone_N1[i - first, 0], rel=1e-5)
        assert known_N[i] == alone_known_N[i - first]


def test_distributions_along_a_text_are_the_mixture_and_sum_to_one():
    ids, hidden_ND, cache = topical(5, 120), states(1, 120), made()
    p_MV = np.random.default_rng(2).dirichlet(np.ones(V), 30).astype(np.float32)
    mixed_MV = p_MV.copy()
    cache.mix_along(hidden_ND, ids, 90, mixed_MV)
    np.testing.assert_allclose(mixed_MV.sum(1), 1.0, rtol=1e-5)
    _, odds_N = cache.score(hidden_ND, ids, V, quiet=True)
    for row, i in enumerate(range(90, 120)):
        weight = logistic(odds_N[i])
        expected_V = (1 - weight) * p_MV[row] + weight * written_out(
            hidden_ND.numpy(), ids.tolist(), i, cache.settings, 2000
        )
        np.testing.assert_allclose(mixed_MV[row], expected_V, rtol=1e-4)


@pytest.mark.parametrize("with_counts", [False, True])
@pytest.mark.parametrize("reach", [7, 2000])
def test_step_by_step_as_at_once(network, counted, with_counts, reach, monkeypatch):
    monkeypatch.setattr(module, "REACH", reach)
    monkeypatch.setattr("seqlab.evaluation.scored_text.REACH", reach)
    cache, tokens = made(), TokenFile.of(topical(6, 40))
    counts, gate = counted if with_counts else (None, None)
    members = Members(network, counts, gate, cache=cache, cached=True)
    scorer = Scorer(members, START)
    text, ranks = scorer.read_ranked(tokens)
    np.testing.assert_allclose(text.log_p_N, scorer.read(tokens).log_p_N, atol=1e-5)
    model = members.model()
    assert isinstance(model, InterpolatedModel)
    with torch.inference_mode():
        log_p_1V, state = model.prefill(torch.tensor([[START, *tokens[:3].tolist()]]), model.init_state(1))
        for place in range(3, 40):
            id = int(tokens[:][place])
            assert float(log_p_1V.exp().sum()) == pytest.approx(1.0, abs=1e-5)
            assert float(log_p_1V[0, id]) == pytest.approx(text.log_p_N[place], abs=1e-4)
            assert ranks.rank_N[place] == int((log_p_1V[0] > log_p_1V[0, id]).sum()) + 1
            assert ranks.entropy_N[place] == pytest.approx(-float((log_p_1V.exp() * log_p_1V).sum()), abs=1e-4)
            log_p_1V, state = model.step(torch.tensor([id]), state)


def test_a_state_can_be_gone_on_from_twice_and_picked_apart(network, counted):
    model = InterpolatedModel(network, counted, made()).eval()
    random = np.random.default_rng(0)
    tokens_BT = torch.from_numpy(random.integers(0, V, (3, 12)))
    with torch.inference_mode():
        _, state = model.prefill(tokens_BT, model.init_state(3))
        first, after = model.step(torch.tensor([1, 2, 3]), state)
        model.step(torch.tensor([4, 4, 4]), state)
        again, _ = model.step(torch.tensor([1, 2, 3]), state)
        torch.testing.assert_close(first, again)
        onward, _ = model.step(torch.tensor([5, 6, 7]), after)
        index_B = torch.tensor([2, 0, 0])
        picked, _ = model.step(torch.tensor([7, 5, 5]), model.select(after, index_B))
        torch.testing.assert_close(picked, onward[index_B])
        fresh, _ = model.prefill(torch.cat([tokens_BT, torch.tensor([[1, 5], [2, 6], [3, 7]])], 1), model.init_state(3))
        torch.testing.assert_close(fresh, onward)


def test_words_that_only_the_network_reads_get_no_votes():
    cache, hidden_1D = made(), states(0, 12)
    held = Held.nothing(1, D).read(torch.tensor([[START, 1, V, V + 3, 2, 1]]), hidden_1D[None, :6])
    p_1V = np.full((1, V), 1 / V, np.float32)
    cache.mix(held, hidden_1D[5:6], p_1V)
    assert p_1V.sum() == pytest.approx(1.0)
    only = Held.nothing(1, D).read(torch.tensor([[START, V, V + 3]]), hidden_1D[None, :3])
    unchanged = np.full((1, V), 1 / V, np.float32)
    cache.mix(only, hidden_1D[2:3], unchanged)
    assert (unchanged == np.float32(1 / V)).all()


def test_a_text_that_begins_is_the_models_alone(network):
    members = Members(network, cache=made(), cached=True)
    tokens = TokenFile.of(topical(6, 20))
    cached, plain = (Scorer(one, START).read(tokens) for one in (members, members._replace(cached=False)))
    assert cached.log_p_N[0] == plain.log_p_N[0]
    assert (cached.log_p_N[1:] != plain.log_p_N[1:]).all()


def test_no_score_depends_on_later_tokens(network):
    one = topical(6, 80)
    other = np.concatenate([one[:50], topical(7, 30)])
    scorer = Scorer(Members(network, cache=made(), cached=True), START)
    first, second = (scorer.read(TokenFile.of(ids)).log_p_N for ids in (one, other))
    np.testing.assert_allclose(first[:50], second[:50], rtol=1e-6)
    assert not np.array_equal(first, second)


def test_fitting_finds_what_there_is_to_find(network):
    """On a text of topics and phrases: a gain on text it was not fitted to, memories that fade, weights that grow with
    what is known; on chance nothing."""
    tokens = TokenFile.of(topical(8, 3000))
    tokens.counts = type(tokens.counts)(3000, 6000, 6000, 3000, 1, 0, V, "")
    scorer = Scorer(Members(network), START)
    cache, report = tune_cache(scorer, tokens)
    assert report["helps"]
    assert report["change"] < -20
    assert cache.settings.decay < 0.9995
    fresh = TokenFile.of(topical(9, 2000))
    text = scorer.read(fresh)
    found = Scorer(Members(network, cache=cache, cached=True), START).read(fresh)
    assert found.log_p_N.mean() > text.log_p_N.mean() + 0.2
    assert found.shares.weights["cache"] > 0.3
    bias_LF = cache.gate.bias_K.reshape(LONGEST + 1, FILL_BINS)
    assert bias_LF[4, 8] > bias_LF[1, 1]


def test_there_is_nothing_to_find_in_chance():
    ids_N, hidden_ND, log_p_N = (
        np.random.default_rng(0).integers(0, V, 4000),
        states(0, 4000),
        np.full(4000, -math.log(V)),
    )
    first_N = np.arange(4000) < 2000
    reading = CacheTrial.of(search(log_p_N, hidden_ND, ids_N, V), hidden_ND, ids_N, V)
    odds_N = odds_of(reading.gate(log_p_N, hidden_ND, first_N), reading.known_N, hidden_ND)
    assert abs(mix(log_p_N, reading.cache_N, odds_N)[~first_N].mean() + math.log(V)) < 2e-3
    assert logistic(odds_N).mean() < 0.05


def test_the_search_takes_what_is_best_on_the_text(network):
    text = Scorer(Members(network), START).read(TokenFile.of(topical(8, 1500)), keep_hidden=True)
    ids_N, hidden_ND = text.tokens[:].astype(np.int64), text.hidden_ND.float()
    found = search(text.log_p_N, hidden_ND, ids_N, V)

    def likelihood(settings: Voting) -> float:
        reading = CacheTrial.of(settings, hidden_ND, ids_N, V)
        gate = reading.gate(text.log_p_N, hidden_ND, np.ones(len(ids_N), bool))
        return float(mix(text.log_p_N, reading.cache_N, odds_of(gate, reading.known_N, hidden_ND)).mean())

    best = likelihood(found)
    others = {"theta": found.theta / 4, "decay": 0.995, "match": 8.0 if found.match < 4 else 1.0}
    for other in (found._replace(**{name: value}) for name, value in others.items()):
        assert best > likelihood(other) - 2e-3, other


def test_what_is_saved_is_what_is_read(tmp_path):
    cache = made()
    again = Cache.of(cache.arrays())
    assert again == cache
    assert again != made(4)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cached")
    words = np.array([f"word{number}" for number in range(V)])
    for name, seed, size in (("train", 11, 12_000), ("valid", 12, 4_000), ("test", 13, 3_000)):
        ids = topical(seed, size)
        (folder / f"{name}.txt").write_text("\n".join(" ".join(words[ids[at : at + 20]]) for at in range(0, size, 20)))
    corpus = seqlab.prepare(
        folder / "train.txt", valid=folder / "valid.txt", test=folder / "test.txt", tokenizer="whitespace", quiet=True
    )
    small = {"embed_dim": D, "hidden_dim": D, "layers": 1, "bptt": 10, "batch_size": 4}
    seqlab.train_language_model(corpus, folder / "run", steps=30, quiet=True, **small)
    return folder


def test_a_run_and_its_cache(home, capsys):
    lm = seqlab.load(home / "run")
    cached = lm.with_cache()
    plain, found = lm.evaluate(split="test"), cached.evaluate(split="test")
    assert found.perplexity < 0.9 * plain.perplexity
    assert found.sections["without_cache"].perplexity == pytest.approx(plain.perplexity)
    assert lm.members.cached is False
    assert cached.score("word1 word2 word1 word2 word1").log_prob != lm.score("word1 word2 word1 word2 word1").log_prob
    assert cached.generate("word1", seed=1, length=30) != lm.generate("word1", seed=1, length=30)
    assert cached.sample("word1", n=2, beam=3, length=5)[0].text
    other = lm.with_cache(home / "test.txt")
    assert other.members.cache != cached.members.cache
    with pytest.raises(InputError, match="the one to tune on"):
        cached.evaluate(split="valid")
    with pytest.raises(InputError, match="counts alone"):
        lm.only("counts").with_cache()


def test_a_run_without_a_cache_gets_one_from_its_validation_text(home):
    lm = seqlab.load(home / "run")
    run, members = lm.run, lm.members
    run.save_model(members.network, members.gate)
    run.finish()
    assert run.load_members().cache is None
    found = seqlab.load(home / "run").with_cache()
    assert found.members.cache is not None
    run.save_model(members.network, members.gate, found.members.cache)
    run.finish()
    assert run.load_members().cache == found.members.cache


def test_lists_have_no_cache(tmp_path):
    names = [f"n{number:03d}" for number in range(400)]
    (tmp_path / "names.txt").write_text("\n".join(names))
    lm = seqlab.train_language_model(
        tmp_path / "names.txt", steps=2, hidden_dim=8, lines="yes", tokenizer="char", quiet=True
    )
    with pytest.raises(InputError, match="lines of a list"):
        lm.with_cache()


def test_sampling_repeats_itself_more_with_a_cache(home):
    """What the gate says of full and empty caches holds in generation: text begins as without, and then keeps to its
    words."""
    lm = seqlab.load(home / "run")
    ids = [lm.tokenizer.start_id]
    distinct = {}
    for name, model in (("plain", lm.members.model()), ("cached", lm.with_cache().members.model())):
        drawn = sample(model, ids, 40, count=64, seed=1)
        distinct[name] = np.mean([len(set(one.ids[-20:])) for one in drawn])
    assert distinct["cached"] < distinct["plain"]
