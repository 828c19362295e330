"""Sampling and beam search of ids, against enumeration of everything a tiny model can say."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from seqlab.base.errors import SeqlabError
from seqlab.config import ModelConfig
from seqlab.generation import beam as beam_module
from seqlab.generation import decoding
from seqlab.generation.beam import beam_search
from seqlab.generation.decoding import best, length_penalty, read_prompts, sample
from seqlab.generation.rules import LARGE, make_rule
from seqlab.models import LanguageModel

START = [1]
ALPHAS = [0.0, 0.7, 2.0, -0.5, -2.0]


def tiny_model(vocab_size=4, seed=0, cell="lstm"):
    """A float64 recurrent model with opinions: its next-token distribution depends on the whole history."""
    torch.manual_seed(seed)
    model = LanguageModel(ModelConfig(cell=cell, embed_dim=3, hidden_dim=5, layers=2, tie=False), vocab_size)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=1.2)
    return model.double().eval()


def assert_same(found, expected):
    """The same texts; the size of a batch may change the last bits of log-probabilities."""
    assert [(one.ids, one.finish) for one in found] == [(one.ids, one.finish) for one in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-12)


class Counting:
    """A model that counts what is asked of it."""

    def __init__(self, model):
        self.model, self.vocab_size = model, model.vocab_size
        self.init_state, self.select = model.init_state, model.select
        self.steps = self.prompts = self.rows = 0

    def step(self, token_B, state):
        self.steps += 1
        self.rows += len(token_B)
        return self.model.step(token_B, state)

    def prefill(self, tokens_BT, state):
        self.prompts += 1
        return self.model.prefill(tokens_BT, state)


@torch.inference_mode()
def log_probs_along(model, prompt, ids):
    """Log-probabilities (T, V) where each of `ids` was chosen, computed from scratch in one pass."""
    tokens_1T = torch.tensor([[*prompt, *ids]])
    logits_1TV, _ = model.sequence_logits(tokens_1T, model.init_state(1))
    return logits_1TV[0, len(prompt) - 1 : -1].log_softmax(-1).numpy()


@torch.inference_mode()
def enumerate_texts(model, length, eos=None, whole=None):
    """{ids: log-probability} of every text: up to `eos`, to where `whole(ids)` is true, or of `length` tokens."""
    ids_NT = torch.tensor(list(itertools.product(range(model.vocab_size), repeat=length)))
    inputs_NT = torch.cat([torch.tensor([START]).expand(len(ids_NT), -1), ids_NT[:, :-1]], 1)
    logits_NTV, _ = model.sequence_logits(inputs_NT, model.init_state(len(ids_NT)))
    chosen_NT = logits_NTV.log_softmax(-1).gather(2, ids_NT[..., None])[..., 0]
    texts = {}
    for ids, chosen in zip(ids_NT.tolist(), chosen_NT.tolist(), strict=True):
        ends = (n for n in range(1, length + 1) if ids[n - 1] == eos or (whole and whole(ids[:n])))
        end = next(ends, length)
        texts[tuple(ids[:end])] = sum(chosen[:end])
    return texts


def ranked(texts, alpha=0.0):
    return sorted(texts, key=lambda ids: -texts[ids] / length_penalty(len(ids), alpha))


# Sampling


@pytest.mark.parametrize("settings", [[], [("temperature", 0.6)], [("temperature", 1.7), ("top_k", 3)]])
def test_samples_follow_the_exact_distribution(settings):
    model, prompt = tiny_model(), [1, 3, 0]
    rules = [make_rule(*setting) for setting in settings]

    def next_probs(history):
        table = torch.from_numpy(log_probs_along(model, prompt, [*history, 0])[-1:])
        for rule in rules:
            table = rule(table, torch.zeros(1, 0, dtype=torch.int64))
        return table.softmax(-1)[0].tolist()

    count = 10_000
    drawn = sample(model, prompt, 2, count=count, seed=5, rules=rules)
    seen = np.zeros((4, 4))
    for one in drawn:
        seen[tuple(one.ids)] += 1
    expected = np.array([[first * second for second in next_probs([i])] for i, first in enumerate(next_probs([]))])
    assert seen[expected == 0].sum() == 0
    assert chisquare(seen[expected > 0], count * expected[expected > 0]).pvalue > 1e-3


def test_log_prob_rank_and_entropy_are_the_models_own():
    model, prompt = tiny_model(6), [1, 4, 2, 2]
    rules = [make_rule("temperature", 3.0), make_rule("ban", 0)]
    for one in sample(model, prompt, 9, count=4, seed=1, rules=rules):
        table = log_probs_along(model, prompt, one.ids)
        chosen = table[range(9), one.ids]
        np.testing.assert_allclose(one.log_probs, chosen, atol=1e-12)
        assert one.log_prob == pytest.approx(chosen.sum())
        assert one.ranks == (1 + (table > chosen[:, None]).sum(1)).tolist()
        np.testing.assert_allclose(one.entropies, -(np.exp(table) * table).sum(1), atol=1e-12)
        assert one.finish == "length"


def test_a_sample_does_not_depend_on_the_others(monkeypatch):
    model = tiny_model(8)
    everyone = sample(model, START, 20, count=9, seed=3)
    assert_same(sample(model, START, 20, count=2, seed=3), everyone[:2])
    assert len({tuple(one.ids) for one in everyone}) == 9
    assert sample(model, START, 20, count=1, seed=4)[0].ids != everyone[0].ids
    monkeypatch.setattr(decoding, "LARGEST_BATCH", 4)
    assert_same(sample(model, START, 20, count=9, seed=3), everyone)

    counting = Counting(model)
    stopped = sample(counting, START, 20, count=9, seed=3, ends=lambda index, token: token == 2)
    for short, full in zip(stopped, everyone, strict=True):
        end = full.ids.index(2) + 1 if 2 in full.ids else 20
        assert short.ids == full.ids[:end]
        np.testing.assert_allclose(short.log_probs, full.log_probs[:end], atol=1e-12)
        assert short.finish == ("stop" if 2 in full.ids else "length")
    most_steps = sum(min(len(one.ids), 19) for one in stopped)
    assert counting.rows <= most_steps, "rows that ended must leave the batch"


def test_temperature_zero_is_greedy():
    model = tiny_model(6, seed=2)
    ids = sample(model, START, 8, rules=[make_rule("temperature", 0)])[0].ids
    assert ids == log_probs_along(model, START, ids).argmax(1).tolist()


@torch.inference_mode()
def test_the_prompt_is_read_once_and_then_stepped():
    model = Counting(tiny_model(6))
    sample(model, [1, 2, 3, 4, 5], 10, count=3)
    assert (model.prompts, model.steps) == (1, 9)

    whole, _ = read_prompts(model.model, [[1, 2, 3, 4, 5]])
    in_parts, state = read_prompts(model.model, [[1, 2]])
    for prompt in ([3], [4, 5]):
        in_parts, state = model.model.prefill(torch.tensor([prompt]), state)
    torch.testing.assert_close(in_parts, whole)


def test_drawing_at_the_borders_stays_on_tokens_with_probability():
    logits_BV = torch.tensor([[-math.inf, 0.0, -math.inf, 0.0, -math.inf]]).expand(5, -1)
    points = torch.tensor([0.0, 0.5 - 1e-12, 0.5, 0.9, (1 - 2**-53) * decoding.BELOW_ONE], dtype=torch.float64)
    assert decoding.draw(logits_BV, points).tolist() == [1, 1, 3, 3, 3]
    wide_BV = torch.full((5, LARGE), -math.inf)
    wide_BV[:, [1, 1500]] = 0.0
    tokens, _ = decoding.choose(wide_BV, torch.zeros(5, 0, dtype=torch.int64), points, [])
    assert tokens.tolist() == [1, 1, 1500, 1500, 1500]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-13)])
def test_compiled_draws_and_figures_are_those_of_the_running_sum(dtype, tolerance):
    torch.manual_seed(3)
    logits_BV = 4 * torch.randn(20, LARGE + 77, dtype=dtype)
    allowed_BV = make_rule("top_k", 40)(logits_BV, torch.zeros(20, 0, dtype=torch.int64))
    points = torch.rand(20, dtype=torch.float64)
    for left_BV, rules in ((logits_BV, []), (allowed_BV, [make_rule("top_k", 40)])):
        sums_BV = left_BV.double().softmax(-1).cumsum(-1)
        expected = torch.searchsorted(sums_BV, points[:, None] * sums_BV[:, -1:], right=True)[:, 0]
        token_B, found_B3 = decoding.choose(logits_BV, torch.zeros(20, 0, dtype=torch.int64), points, rules)
        assert token_B.tolist() == expected.tolist()
        log_probs_BV = logits_BV.double().log_softmax(-1)
        chosen_B = log_probs_BV[range(20), token_B]
        rank_B = 1 + (log_probs_BV > chosen_B[:, None]).sum(1)
        entropy_B = -(log_probs_BV.exp() * log_probs_BV).sum(1)
        figures_B3 = torch.stack([chosen_B, rank_B, entropy_B], 1)
        torch.testing.assert_close(found_B3, figures_B3, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(decoding.describe(logits_BV, token_B), found_B3, rtol=0, atol=0)
    broken_BV = logits_BV.clone()
    broken_BV[0, 7], broken_BV[1, 7], broken_BV[2, 7] = math.nan, -broken_BV.new_tensor(math.nan), math.inf
    broken_B3 = decoding.describe(broken_BV, token_B)
    assert broken_B3[:, 0].isnan().tolist() == [*[True] * 3, *[False] * 17]


@pytest.mark.parametrize("banned", [[7], [3, 3, LARGE], list(range(LARGE + 50)), list(range(LARGE + 77))])
def test_bans_applied_while_drawing_are_those_of_the_rule(banned):
    torch.manual_seed(4)
    logits_BV, points = 4 * torch.randn(9, LARGE + 77), torch.rand(9, dtype=torch.float64)
    before_BV, history = logits_BV.clone(), torch.zeros(9, 0, dtype=torch.int64)
    rule = make_rule("ban", banned)
    found = decoding.choose(logits_BV, history, points, [rule])
    expected = decoding.choose(logits_BV, history, points, [rule, lambda logits_BV, _: logits_BV])
    assert found[0].tolist() == expected[0].tolist()
    assert torch.equal(found[1], expected[1])
    assert torch.equal(logits_BV, before_BV)
    assert len(banned) > LARGE + 50 or not set(found[0].tolist()) & set(banned)


def test_rules_see_prompt_and_text_but_not_the_start_token():
    histories = []

    def spy(logits_BV, history_BT):
        histories.append(history_BT.tolist())
        return logits_BV

    one = sample(tiny_model(), [1, 3, 0], 3, rules=[spy])[0]
    assert histories == [[[3, 0, *one.ids[:n]]] for n in range(3)]


def test_a_broken_model_is_named():
    model = tiny_model()
    torch.nn.init.constant_(model.output.bias, math.nan)
    with pytest.raises(SeqlabError, match="not a number"):
        sample(model, START, 3)


def test_best_picks_the_most_probable():
    drawn = sample(tiny_model(seed=2), START, 12, count=40, seed=0, ends=lambda index, token: token == 0)
    order = best(drawn, 3)
    assert [drawn[i].log_prob for i in order] == sorted((one.log_prob for one in drawn), reverse=True)[:3]
    scores = [one.log_prob / ((5 + len(one.ids)) / 6) ** 1.5 for one in drawn]
    assert best(drawn, 1, alpha=1.5) == [int(np.argmax(scores))]
    assert best(drawn, 1, alpha=1.5) != order[:1], "the test wants a case where the penalty matters"


# Beam search


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_wide_beam_without_end_finds_the_best_texts(cell):
    model = tiny_model(seed=4, cell=cell)
    texts = enumerate_texts(model, 5)
    found = beam_search(model, START, 5, width=4**4, count=6)
    assert [tuple(one.ids) for one in found] == ranked(texts)[:6]
    np.testing.assert_allclose([one.log_prob for one in found], [texts[tuple(one.ids)] for one in found])


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_with_an_end_finds_the_best_texts(seed, alpha):
    model = tiny_model(seed=seed)
    texts = enumerate_texts(model, 5, eos=2)
    found = beam_search(model, START, 5, width=3**5, count=5, eos_id=2, alpha=alpha)
    assert [tuple(one.ids) for one in found] == ranked(texts, alpha)[:5]
    assert [one.finish for one in found] == ["stop" if one.ids[-1] == 2 else "length" for one in found]


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0])
def test_texts_can_be_complete_before_their_length(alpha):
    model = tiny_model(seed=6)

    def complete(ids):
        return ids[-2:] == [3, 1]

    texts = enumerate_texts(model, 5, eos=2, whole=complete)
    found = beam_search(
        model, START, 5, width=3**5, count=4, eos_id=2, alpha=alpha, complete=complete
    )  # fmt: skip
    assert [tuple(one.ids) for one in found] == ranked(texts, alpha)[:4]


def test_a_beam_of_one_is_greedy():
    for seed in range(5):
        model = tiny_model(6, seed)
        greedy = sample(model, START, 10, rules=[make_rule("temperature", 0)], ends=lambda _, token: token == 2)
        assert_same(beam_search(model, START, 10, width=1, eos_id=2), greedy)


@pytest.mark.parametrize("width", [2, 3, 5])
def test_the_state_follows_its_hypothesis(width):
    """A narrow beam reorders its rows at almost every step: log-probabilities from scratch tell whether the state came
    along."""
    for seed in range(4):
        model = tiny_model(7, seed)
        found = beam_search(model, [1, 5, 6], 12, width=width, count=width)
        assert len({tuple(one.ids) for one in found}) == width
        for one in found:
            table = log_probs_along(model, [1, 5, 6], one.ids)
            np.testing.assert_allclose(one.log_probs, table[range(12), one.ids], atol=1e-12)
            np.testing.assert_allclose(one.entropies, -(np.exp(table) * table).sum(1), atol=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_stopping_early_loses_nothing(alpha, monkeypatch):
    """The search stops as soon as the result is certain: running on to the end gives the same."""
    models = [Counting(tiny_model(5, seed)) for seed in range(6)]
    early = [beam_search(m, START, 20, 3, count=2, eos_id=0, alpha=alpha) for m in models]
    steps = sum(model.steps for model in models)
    monkeypatch.setattr(beam_module.Finished, "settled", lambda *arguments: False)
    full = [beam_search(m, START, 20, 3, count=2, eos_id=0, alpha=alpha) for m in models]
    assert early == full
    all_steps = sum(model.steps for model in models) - steps
    assert steps < 0.9 * all_steps or (alpha > 1 and steps <= all_steps)


def test_asking_for_more_texts_does_not_change_the_best():
    for seed in range(6):
        model = tiny_model(5, seed)
        one = beam_search(model, START, 15, width=4, eos_id=0)
        assert_same(beam_search(model, START, 15, width=4, count=4, eos_id=0)[:1], one)


def test_rules_restrain_a_search():
    model = tiny_model(seed=4)
    texts = enumerate_texts(model, 5)
    banned = beam_search(model, START, 5, width=4**4, rules=[make_rule("ban", 3)])[0]
    assert tuple(banned.ids) == next(ids for ids in ranked(texts) if 3 not in ids)
    assert banned.log_prob == pytest.approx(texts[tuple(banned.ids)])
    fresh = beam_search(model, START, 5, width=4**4, rules=[make_rule("no_repeat_ngram", 2)])[0]
    pairs = {ids: list(itertools.pairwise(ids)) for ids in texts}
    assert tuple(fresh.ids) == next(ids for ids in ranked(texts) if len(set(pairs[ids])) == 4)


def test_equal_scores_keep_the_lowest_ids_first():
    values, positions = beam_module.largest(torch.tensor([1.0, 3.0, 3.0, -math.inf, 3.0, 2.0]), 4)
    assert (values.tolist(), positions.tolist()) == ([3, 3, 3, 2], [1, 2, 4, 5])
    values, positions = beam_module.largest(torch.tensor([-math.inf, 1.0, -math.inf]), 3)
    assert (values.tolist(), positions.tolist()) == ([1], [1])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_says_the_same():
    model = tiny_model(9)
    values = {"no_repeat_ngram": 3, "repetition_penalty": 1.2, "temperature": 0.9, "top_p": 0.9, "typical": 0.95}
    rules = [make_rule("ban", [2]), *(make_rule(name, value) for name, value in values.items())]
    drawn = sample(model, START, 20, count=6, seed=1, rules=rules, ends=lambda index, token: token == 0)
    found = beam_search(model, START, 12, width=4, count=3, eos_id=0)
    model = model.cuda()
    assert_same(sample(model, START, 20, count=6, seed=1, rules=rules, ends=lambda index, token: token == 0), drawn)
    assert_same(beam_search(model, START, 12, width=4, count=3, eos_id=0), found)
