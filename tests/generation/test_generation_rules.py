"""Every rule against a naive float64 reference, and the promises all rules make."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.base.errors import InputError
from seqlab.generation.rules import LARGE, RULES, apply_rules, make_rule

INF = math.inf
VOCAB = 7
# Halves make ties frequent.
logit_rows = st.lists(st.integers(-8, 8).map(lambda n: n / 2), min_size=VOCAB, max_size=VOCAB)
batches = st.lists(logit_rows, min_size=1, max_size=3)
histories = st.lists(st.integers(0, VOCAB - 1), max_size=9)
extreme_rows = st.lists(
    st.sampled_from([-INF, -1e30, -5.0, -1e-30, 0.0, 2.0, 2.0, 1e30]), min_size=VOCAB, max_size=VOCAB
).filter(lambda row: max(row) > -INF)


def softmax(logits):
    weights = np.exp(np.asarray(logits, np.float64) - max(logits))
    return weights / weights.sum()


def keep(logits, ids):
    return [x if i in ids else -INF for i, x in enumerate(logits)]


def by_probability(logits):
    return sorted(range(len(logits)), key=lambda i: (-logits[i], i))


def covering(order, probs, mass):
    """The first of `order` whose probabilities add up to `mass`."""
    chosen, total = [], 0.0
    for i in order:
        if total >= mass:
            break
        chosen.append(i)
        total += probs[i]
    return chosen


def naive_ban(logits, history, value):
    return keep(logits, set(range(len(logits))) - {value})


def naive_no_repeat_ngram(logits, history, n):
    seen = {tuple(history[i : i + n]) for i in range(len(history) - n + 1)}
    tail = tuple(history[len(history) - n + 1 :])
    allowed = {i for i in range(len(logits)) if (*tail, i) not in seen}
    return keep(logits, allowed) if allowed and len(history) >= n else logits


def naive_repetition_penalty(logits, history, value):
    return [(x / value if x > 0 else x * value) if i in history else x for i, x in enumerate(logits)]


def naive_presence_penalty(logits, history, value):
    return [x - value * (i in history) for i, x in enumerate(logits)]


def naive_frequency_penalty(logits, history, value):
    return [x - value * history.count(i) for i, x in enumerate(logits)]


def naive_temperature(logits, history, value):
    if value == 0:
        return keep(logits, {by_probability(logits)[0]})
    return [x / value for x in logits]


def naive_top_k(logits, history, k):
    return keep(logits, by_probability(logits)[: int(k)])


def naive_typical(logits, history, mass):
    probs = softmax(logits)
    entropy = -sum(p * math.log(p) for p in probs)
    distance = [round(abs(-math.log(p) - entropy), 12) for p in probs]
    return keep(logits, covering(sorted(range(len(probs)), key=lambda i: (distance[i], i)), probs, mass))


def naive_top_p(logits, history, mass):
    return keep(logits, covering(by_probability(logits), softmax(logits), mass))


def naive_min_p(logits, history, share):
    probs = softmax(logits)
    return keep(logits, {i for i, p in enumerate(probs) if p >= share * max(probs)})


def naive_epsilon(logits, history, probability):
    probs = softmax(logits)
    return keep(logits, {i for i, p in enumerate(probs) if p >= probability} | {by_probability(logits)[0]})


VALUES = {
    "ban": [0, 3],
    "no_repeat_ngram": [1, 2, 3],
    "repetition_penalty": [1.3, 0.7],
    "presence_penalty": [0.6, -0.6],
    "frequency_penalty": [0.35, -0.35],
    "temperature": [0, 0.3, 1, 2.5],
    "top_k": [1, 2, 5, 100],
    "typical": [0.2137, 0.9137, 1],
    "top_p": [0.0137, 0.5137, 0.9137, 1],
    "min_p": [0, 0.0537, 0.3537, 1],
    "epsilon": [0, 0.0137, 0.1537, 1],
}


@pytest.mark.parametrize("name", VALUES)
@settings(max_examples=60, deadline=None)
@given(rows=batches, history=histories)
def test_a_rule_equals_its_naive_reference(name, rows, history):
    logits_BV = torch.tensor(rows, dtype=torch.float64)
    history_BT = torch.tensor([history] * len(rows), dtype=torch.int64).reshape(len(rows), len(history))
    for value in VALUES[name]:
        got_BV = make_rule(name, value)(logits_BV, history_BT)
        expected = [globals()[f"naive_{name}"](row, history, value) for row in rows]
        # A distribution is what counts: adding a constant to a row of logits changes nothing.
        np.testing.assert_allclose(got_BV.softmax(-1).numpy(), [softmax(row) for row in expected], atol=1e-12)


def accepted_values(name):
    """Values that the rule takes, whatever rule somebody adds."""
    found = []
    for value in (0, 1, 0.5, 2, 1e-300, 1e-30):
        try:
            found.append((value, make_rule(name, value)))
        except InputError:
            continue
    assert found, f"no test value suits the rule {name}"
    return found


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(max_examples=40, deadline=None)
@given(rows=st.lists(extreme_rows, min_size=1, max_size=3), history=histories)
def test_what_every_rule_promises(name, dtype, rows, history):
    logits_BV = torch.tensor(rows, dtype=dtype)
    history_BT = torch.tensor([history] * len(rows), dtype=torch.int64).reshape(len(rows), len(history))
    before_BV = logits_BV.clone()
    for _, rule in accepted_values(name):
        got_BV = rule(logits_BV, history_BT)
        assert torch.equal(logits_BV, before_BV)
        assert got_BV.shape == logits_BV.shape
        assert got_BV.dtype == dtype
        assert not got_BV.isnan().any()
        assert (got_BV.amax(-1) > -INF).all()
        assert (got_BV.amax(-1) < INF).all()
        assert (got_BV[logits_BV == -INF] == -INF).all()
        one_by_one = torch.cat([rule(logits_BV[i : i + 1], history_BT[i : i + 1]) for i in range(len(rows))])
        assert torch.equal(got_BV, one_by_one)


@pytest.mark.parametrize("name", RULES)
def test_nonsense_values_are_refused(name):
    for value in ("x", math.nan, -1e9, None):
        with pytest.raises(InputError, match=name):
            make_rule(name, value)


def test_an_unknown_rule_is_answered_with_a_suggestion():
    with pytest.raises(InputError, match="Did you mean 'top_p'"):
        make_rule("topp", 0.9)


@pytest.mark.parametrize("value", [1e-300, 1e-30, 1e-3])
def test_tiny_temperatures_become_greedy_without_nan(value):
    logits_BV = torch.tensor([[3.0, 5.0, -70.0, 4.5]])
    probs_BV = make_rule("temperature", value)(logits_BV, torch.zeros(1, 0, dtype=torch.int64)).softmax(-1)
    assert probs_BV.tolist() == [[0, 1, 0, 0]]


def test_equal_logits_are_kept_lowest_id_first():
    logits_BV, history_BT = torch.zeros(1, 6), torch.zeros(1, 0, dtype=torch.int64)
    for name, value in (("top_k", 2), ("top_p", 0.3), ("typical", 0.3)):
        kept = (make_rule(name, value)(logits_BV, history_BT) > -INF)[0].nonzero().flatten().tolist()
        assert kept == [0, 1]
    assert make_rule("temperature", 0)(logits_BV, history_BT)[0].argmax() == 0


@pytest.mark.parametrize("mass", [0.3137, 0.9137, 0.9999])
def test_a_wide_nucleus_is_exact_too(mass):
    generator = torch.Generator().manual_seed(0)
    flat_BV = torch.randn(3, 1000, dtype=torch.float64, generator=generator).round(decimals=1)
    flat_BV[1, 5] = 30.0
    got_BV = make_rule("top_p", mass)(flat_BV, torch.zeros(3, 0, dtype=torch.int64))
    for row, got in zip(flat_BV.tolist(), got_BV.tolist(), strict=True):
        assert got == naive_top_p(row, [], mass)


def test_order_matters_and_is_the_listed_one():
    logits_BV, history_BT = torch.tensor([[2.0, 1.5, 0.0, -1.0]]), torch.zeros(1, 0, dtype=torch.int64)
    hot, nucleus = make_rule("temperature", 4), make_rule("top_p", 0.8)
    hot_first = apply_rules([hot, nucleus], logits_BV, history_BT) > -INF
    nucleus_first = apply_rules([nucleus, hot], logits_BV, history_BT) > -INF
    assert hot_first.sum() == 3
    assert nucleus_first.sum() == 2
    names = list(RULES)
    assert names.index("repetition_penalty") < names.index("temperature") < names.index("top_p")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("decimals", [7, 1])
def test_rules_for_large_vocabularies_keep_what_sorting_keeps(dtype, decimals):
    """Rounded to a decimal there are many ties, of which the lowest ids stay."""
    torch.manual_seed(4)
    logits_BV = (3 * torch.randn(6, LARGE + 100, dtype=torch.float64)).round(decimals=decimals).to(dtype)
    logits_BV[:, 7] = -math.inf
    logits_BV[5] -= 200
    empty_BT = torch.zeros(6, 0, dtype=torch.int64)
    order_BV = logits_BV.double().sort(dim=-1, descending=True, stable=True).indices
    probs_BV = logits_BV.double().softmax(-1).gather(1, order_BV)
    before_BV = probs_BV.cumsum(-1) - probs_BV
    kept = {
        ("top_k", 40): (torch.arange(LARGE + 100) < 40).expand(6, -1),
        **{("top_p", mass): before_BV < mass for mass in (1e-3, 0.3, 0.9, 0.999)},
        **{("min_p", share): probs_BV >= share * probs_BV[:, :1] * (1 - 1e-9) for share in (0.0, 0.07)},
    }
    for (name, value), keep_BV in kept.items():
        expected_BV = torch.zeros_like(keep_BV).scatter_(1, order_BV, keep_BV)
        found_BV = make_rule(name, value)(logits_BV, empty_BT)
        assert torch.equal(found_BV, logits_BV.masked_fill(~expected_BV, -math.inf)), (name, value)
