"""When each rule of a check fires: figures of a healthy training, one of them changed to just beyond a threshold."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pydoc_data.topics import topics

import pytest

import seqlab
from benchmarks.check import HEALTHY
from seqlab.base.errors import in_words_of_the_shell
from seqlab.studies.check.rules.table import RULES


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "topics.txt"
    path.write_text("".join(topics.values())[:60_000], "utf-8")
    found = seqlab.check(path, quiet=True, **{**HEALTHY, "hidden_dim": 24, "steps": 500})
    assert list(found.findings) == []
    return found.figures


def changed(group, **values):
    """Figures with some of a group replaced."""
    return lambda figures: replace(figures, **{group: replace(getattr(figures, group), **values)})


def set_to(section, **values):
    """Figures with other settings."""

    def change(figures):
        settings = getattr(figures.config, section).model_copy(update=values)
        return replace(figures, config=figures.config.model_copy(update={section: settings}))

    return change


def layer(**values):
    """Figures whose cell has others."""
    return lambda figures: replace(
        figures,
        steps=replace(
            figures.steps,
            layers=tuple(replace(one, **values) if one.name == "cell1" else one for one in figures.steps.layers),
        ),
    )


def two_layers(first, second):
    def change(figures):
        (cell,) = figures.steps.cells
        cells = replace(cell, gradient=first), replace(cell, name="cell2", gradient=second)
        return replace(figures, steps=replace(figures.steps, layers=cells))

    return change


def gained(**by_name):
    """Figures of rates: what was gained at a hundredth, a tenth, the rate itself, ten and a hundred times it."""
    factors = {"hundredth": 0.01, "tenth": 0.1, "own": 1.0, "ten": 10.0, "hundred": 100.0}
    return changed("rates", gained={factor: by_name.get(name, 0.0) for name, factor in factors.items()})


def both(*changes):
    def change(figures):
        for one in changes:
            figures = one(figures)
        return figures

    return change


NAN = math.nan
CASES = [
    ("no-order", changed("text", order=0.009, unigram=1.0), changed("text", order=0.011, unigram=1.0)),
    ("leaked-validation", changed("text", overlap=0.11), changed("text", overlap=0.09)),
    ("leaked-validation", changed("text", overlap=0.5, run=0), changed("text", overlap=None)),
    ("repeated-text", changed("text", repeated=0.21), changed("text", repeated=0.19)),
    ("repeated-text", changed("text", repeated=0.5, run=0), changed("text", repeated=0.1, run=0)),
    ("unknown-tokens", changed("text", unknown=0.16), changed("text", unknown=0.14, valid_unknown=0.29)),
    ("unknown-tokens", changed("text", valid_unknown=0.31), changed("text", valid_unknown=None)),
    ("unknown-tokens", changed("text", unknown=0.5, valid_unknown=None), changed("text", unknown=0.0)),
    (
        "wrong-tokenizer",
        changed("text", tokenizer="word", white_space=0.05, characters_per_token=5.5),
        changed("text", tokenizer="word", white_space=0.05, characters_per_token=2.0),
    ),
    (
        "wrong-tokenizer",
        changed("text", tokenizer="word", tokens=2900, types=1000),
        changed("text", tokenizer="word", tokens=3100, types=1000),
    ),
    ("little-text", changed("text", tokens=19_000), changed("text", tokens=21_000)),
    ("no-validation", changed("text", valid_tokens=0), changed("text", valid_tokens=1000)),
    ("small-validation", changed("text", valid_tokens=999), changed("text", valid_tokens=0)),
    ("small-validation", changed("text", valid_tokens=999, valid_error=None), changed("text", valid_tokens=1000)),
    (
        "unlike-validation",
        changed("text", valid_unigram=3.5, unigram=3.0),
        changed("text", valid_unigram=3.4, unigram=3.0),
    ),
    ("short-windows", set_to("training", bptt=7), set_to("training", bptt=8)),
    ("short-windows", set_to("training", bptt=1), both(set_to("training", bptt=6), changed("text", line_tokens=6.0))),
    ("batch-of-one", set_to("training", batch_size=1), set_to("training", batch_size=2)),
    ("initial-loss", changed("start", loss=4.6, unigram=4.0), changed("start", loss=4.4, unigram=4.0)),
    (
        "initial-loss",
        changed("start", loss=5.6, unigram=4.0, uniform=5.0, at_unigram=False),
        changed("start", loss=5.4, unigram=4.0, uniform=5.0, at_unigram=False),
    ),
    (
        "damaged-start",
        changed("start", trained=True, loss=4.1, unigram=4.0),
        changed("start", trained=True, loss=3.9, unigram=4.0),
    ),
    ("zero-weights", changed("start", zero=("embedding",)), set_to("training", embeddings="vectors")),
    (
        "zero-weights",
        changed("start", zero=("a", "b", "c", "d", "e")),
        both(changed("start", zero=("embedding",)), set_to("training", embeddings="vectors")),
    ),
    ("zero-vectors", changed("start", zero_vectors=0.51), changed("start", zero_vectors=0.49)),
    (
        "frozen-weights",
        changed("start", frozen=("embedding", "output.bias")),
        both(changed("start", frozen=("embedding",)), set_to("training", freeze_embeddings=True)),
    ),
    ("heavy-dropout", set_to("model", dropout=0.8), set_to("model", dropout=0.7)),
    ("heavy-dropout", set_to("model", weight_drop=0.9), set_to("model", weight_drop=0.5)),
    ("heavy-smoothing", set_to("model", label_smoothing=0.4), set_to("model", label_smoothing=0.1)),
    ("heavy-decay", changed("steps", decay=0.01), changed("steps", decay=0.004)),
    ("heavy-decay", changed("steps", decay_to_gradient=1.1), changed("steps", decay_to_gradient=0.9)),
    ("diverged", changed("steps", losses=(3.0, NAN), norms=(1.0, 1.0)), changed("steps", losses=(3.0,), norms=(1.0,))),
    (
        "exploding-gradients",
        both(set_to("training", clip=0.0), changed("steps", norms=(1.0, 101.0))),
        both(set_to("training", clip=1.0), changed("steps", norms=(1.0, 101.0))),
    ),
    (
        "exploding-gradients",
        both(set_to("training", clip=0.0), lambda figures: replace(figures, time={1: 1.0, 2: 31.0})),
        both(set_to("training", clip=0.0), lambda figures: replace(figures, time={1: 1.0, 2: 29.0})),
    ),
    (
        "always-clipped",
        changed("steps", clipped=1.0, norms=(11.0, 11.0)),
        changed("steps", clipped=1.0, norms=(9.0, 9.0)),
    ),
    ("vanishing-layers", two_layers(0.009, 1.0), two_layers(0.011, 1.0)),
    (
        "vanishing-time",
        lambda figures: replace(figures, time={1: 1.0, 8: 9e-5}),
        lambda figures: replace(figures, time={1: 1.0, 8: 2e-4}),
    ),
    ("saturated", layer(saturated=0.51), layer(saturated=None)),
    ("saturated", layer(gates=(("forget", 0.6),)), layer(gates=(("forget", 0.4),))),
    ("dead-units", layer(dead=0.51), layer(dead=0.49)),
    ("constant-units", layer(still=0.51), layer(still=0.49)),
    ("rate-too-high", gained(tenth=0.5, own=0.1), gained(tenth=0.2, own=0.1)),
    ("rate-too-high", gained(hundredth=0.1, own=-math.inf), gained(hundredth=0.01, own=-0.1)),
    ("rate-too-high", gained(hundredth=0.1, own=-0.4), lambda figures: replace(figures, rates=None)),
    ("rate-too-low", gained(own=0.001, hundred=0.03), gained(own=0.01, ten=2.0, hundred=0.09)),
    (
        "cannot-memorise",
        changed("memorise", first=4.0, last=0.9, whole=True),
        changed("memorise", first=4.0, last=0.7, whole=True),
    ),
    (
        "cannot-memorise",
        changed("memorise", first=4.0, last=3.3, whole=False),
        changed("memorise", first=4.0, last=3.1, whole=False),
    ),
    ("too-large", changed("reach", tokens=190.0, parameters=1000), changed("reach", tokens=210.0, parameters=1000)),
    ("too-small", changed("reach", tokens=1.1e6, parameters=1000), changed("reach", tokens=0.9e6, parameters=1000)),
    (
        "too-much-memory",
        changed("reach", memory=91, measured=None, free=100),
        changed("reach", memory=89, measured=80, free=100),
    ),
    ("too-much-memory", changed("reach", memory=1, measured=91, free=100), changed("reach", free=None)),
]


@pytest.mark.parametrize(("name", "beyond", "within"), CASES)
def test_a_rule_fires_beyond_its_threshold_and_not_before(name, beyond, within, healthy):
    (rule,) = (one for one in RULES if one.name == name)
    finding = rule.finding(beyond(healthy))
    assert finding is not None
    assert finding.seen[0].isupper() or finding.seen[0].isdigit()
    assert finding.seen.endswith(".")
    assert not re.search(r"nan|None|  |\.\.|\{", finding.paragraph())
    assert not re.search(r"\bN\b", finding.remedy), "the value is known where a rule has fired"
    assert rule.finding(within(healthy)) is None
    assert rule.finding(healthy) is None


def test_every_rule_has_a_case():
    assert {name for name, _, _ in CASES} == {rule.name for rule in RULES}


def test_remedies_name_the_values_to_type(healthy):
    """From what was measured, in the words of the face in use."""
    remedies = {rule.name: rule for rule in RULES}

    def remedy(name, change):
        return remedies[name].finding(change(healthy)).remedy

    rate = healthy.config.training.lr
    with in_words_of_the_shell():
        high = remedy("rate-too-high", both(changed("rates", lr=0.6), gained(tenth=0.5, own=0.1)))
        assert high.startswith("Use --lr 0.02 or less, a third of the best rate tried; ")
        assert remedy("dead-units", layer(dead=0.6)).startswith(f"Use a lower rate (--lr {float(f'{rate / 3:.0e}'):g})")
        far_too_high = both(changed("rates", lr=rate), gained(hundredth=0.5, own=-0.1))
        same = f"--lr {float(f'{rate / 300:.0e}'):g}"
        assert same in remedy("rate-too-high", far_too_high)
        assert same in remedy("saturated", both(far_too_high, layer(saturated=0.6))), "remedies agree"
        assert "--hidden-dim 12," in remedy("too-large", changed("reach", tokens=1.0))
        assert "--hidden-dim 48," in remedy("too-small", changed("reach", tokens=1e12))
        assert "--layers 2," in remedy("vanishing-layers", both(set_to("model", layers=4), two_layers(0.001, 1.0)))
        assert "--batch-size 4, --bptt 8, " in remedy(
            "too-much-memory", both(set_to("training", batch_size=8, bptt=16), changed("reach", memory=91, free=100))
        )
        clipped = both(set_to("training", clip=1.0), changed("steps", clipped=1.0, norms=(11.0, 11.0)))
        assert remedy("always-clipped", clipped).startswith("Use --clip 20, twice the median, or a lower rate (--lr ")
    assert "lr=0.02 or less" in remedy("rate-too-high", both(changed("rates", lr=0.6), gained(tenth=0.5, own=0.1)))


def test_trained_models_are_not_asked_for_another_rate(healthy):
    figures = replace(healthy, rates=None)
    assert not [rule.name for rule in RULES if rule.finding(figures)]
