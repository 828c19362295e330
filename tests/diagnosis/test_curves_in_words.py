"""What curves mean, in words: every rule on curves that have exactly one fault, and none on healthy ones."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seqlab.base.errors import in_words_of_the_shell
from seqlab.diagnosis import CurveFacts, diagnose, diagnose_vectors, passes_of, words_beneath
from seqlab.diagnosis.curves import ALTERNATIVES, IN_SOUND_TRAININGS
from seqlab.diagnosis.history import Curves

FACTS = CurveFacts(vocab_size=60, lr=4e-3, clip=1.0, unigram=3.3, valid_tokens=16_000)
TOKENS = 1_000
"""Of a line."""


def healthy(share: float) -> float:
    """A loss that falls like a power of the tokens read, and hardly any more at the end."""
    return 1.5 + 1.8 * math.exp(-9 * share)


def history(
    loss: Callable[[float], float] = healthy,
    valid: Callable[[float], float] | None = lambda share: healthy(share) + 0.1,
    count: int = 200,
    noise: float = 1.0,
    lr: float = 4e-3,
    **fields: Any,
) -> list[dict[str, Any]]:
    """Lines of a training: `noise` in multiples of what the tokens of a line explain; ten validations."""
    rng, lines = np.random.default_rng(7), []
    for number in range(1, count + 1):
        share = number / count
        shaken = loss(share) * (1 + noise * rng.normal() / math.sqrt(TOKENS)) if number > 1 else loss(share)
        line = {"step": number, "tokens": number * TOKENS, "seconds": number / 2, "lr": lr, "loss": shaken}
        line |= {"grad_norm": 0.3 + 0.1 * rng.random(), "clipped": 0.02}
        line |= {key: value(share) if callable(value) else value for key, value in fields.items()}
        if valid and number % (count // 10) == 0:
            line["valid_loss"] = valid(share)
        lines.append(line)
    return lines


def rising(share: float) -> float:
    """A validation loss with its lowest at 40 %."""
    return healthy(share) + 0.1 + 0.5 * max(0.0, share - 0.4)


def settled(share: float) -> float:
    return 1.5 + 1.8 * math.exp(-30 * share)


def still_falling(share: float) -> float:
    return 3.3 - 1.2 * share**0.6


FAULTS: dict[str, tuple[list[dict[str, Any]], CurveFacts, str]] = {
    "divergence": (history(lambda share: 3.3 + 4 * share), FACTS, "ended at 7.1"),
    "divergence of a number": (
        [*history(), history()[-1] | {"step": 999, "loss": math.nan}],
        FACTS,
        "no longer a finite number",
    ),
    "rate-too-high": (
        history(lambda share: healthy(share) + max(0.0, share - 0.5), rising),
        FACTS,
        "was lowest after 50% of the training",
    ),
    "rate-too-high at the start": (
        history(lambda share: healthy(share) + 0.8 * (0.005 < share < 0.15), noise=0.1),
        FACTS,
        r"rose from 3\.\d+ to 3\.\d+ nats per token before it fell",
    ),
    "rate-too-high late": (history(noise=9.0), FACTS, "still jumps by 0"),
    "rate-too-high in validation": (history(lambda share: healthy(min(0.4, share)), rising), FACTS, "stood still"),
    "rate-too-low": (
        history(lambda share: 3.3 - 0.5 * share, lambda share: 3.3 - 0.5 * share, lr=1e-5),
        FACTS,
        "of its fall came in the second half",
    ),
    "rate-too-low for sgd": (
        history(lambda share: 3.3 - 0.9 * share, lambda share: 3.3 - 0.9 * share, lr=0.01),
        replace(FACTS, optimizer="sgd"),
        "of its fall came in the second half",
    ),
    "rate-too-low to learn anything": (
        history(lambda share: 3.3 - min(0.1, share), lambda share: 3.2, lr=1e-5),
        FACTS,
        r"fell slowly, from 3\.\d+ to 3\.\d+ nats per token\.",
    ),
    "underfitting": (history(lambda share: 3.25, lambda share: 3.25), FACTS, "not much better than token frequencies"),
    "underfitting beside counts": (
        [line | {"valid_counts_loss": 1.6} for line in history(lambda share: 3.05, lambda share: 3.0)],
        replace(FACTS, dropout=0.9),
        "not much better than token frequencies",
    ),
    "overfitting": (
        history(lambda share: healthy(share) - 0.2 * share, rising),
        FACTS,
        "while the training loss fell from",
    ),
    "still-improving": (history(still_falling, still_falling), FACTS, "still lowered the network's validation loss"),
    "still-improving without validation": (history(still_falling, None), FACTS, "still lowered the training loss"),
    "saturated": (history(settled, settled), FACTS, "Since 40% of the training"),
    "noisy-validation": (history(), replace(FACTS, valid_tokens=200), "Validation reads 200 tokens"),
    "noisy-validation that is worth a note": (
        history(),
        replace(FACTS, valid_tokens=800),
        "Validation reads 800 tokens",
    ),
    "exploding-gradients": (
        history(grad_norm=lambda share: 40.0 if round(200 * share) == 150 else 0.3),
        FACTS,
        "times their median",
    ),
    "clipped-gradients": (history(clipped=0.9, grad_norm=3.0), FACTS, "90% of the steps were clipped"),
    "vanishing-gradients": (
        history(grad_norms={"embedding": 1.0, "cell1": 1e-6, "cell2": 0.01, "cell3": 0.2, "output": 1.0}),
        FACTS,
        "The gradient of the first layer is 5e-06 times",
    ),
    "dead-units": (history(dead={"cell1": 0.0, "cell2": 0.6}), FACTS, "In cell2 60% of the units"),
    "worse-than-counting": (
        [line | {"valid_counts_loss": 1.55} for line in history()],
        FACTS,
        "counting alone needs 1.550 nats per token",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_one_fault_is_one_finding_in_a_sentence(case):
    lines, facts, words = FAULTS[case]
    findings = diagnose(lines, facts)
    assert {finding.name for finding in findings} == {case.split()[0]}, findings.paragraph()
    (finding,) = findings
    assert re.search(words, finding.seen), finding.seen
    assert all(part[0].isupper() and part[-1] == "." for part in (finding.seen, finding.cause, finding.remedy))
    assert not re.search(r"nan|inf\b|  |None|\.\.", finding.paragraph())
    assert f"(Rule: {finding.threshold}.)" in findings.paragraph()


def test_a_network_behind_its_counts_adds_to_them_or_does_not():
    alone, adding = (
        [line | {"valid_counts_loss": 1.55, "valid_network_loss": line.get("valid_loss")} for line in history()],
        [line | {"valid_counts_loss": 1.7, "valid_network_loss": 1.8} for line in history()],
    )
    found = [diagnose(lines, FACTS) for lines in (alone, adding)]
    (first,), (second,) = found
    so_far = "its lowest; so far counting alone predicts as well, and a longer training helps the network."
    assert [one.brief().endswith(so_far) for one in found] == [True, False]
    assert first.cause == "So far the network knows hardly anything that counting does not."
    assert second.cause == "Counting is hard to beat in a short training; the network adds what it cannot know."


def test_every_rule_is_reached():
    """By the faults above: as many names as rules, two rules having two names each for what they see."""
    rules = [*(rule for rules in ALTERNATIVES for rule in rules), *IN_SOUND_TRAININGS]
    names = {case.split()[0] for case in FAULTS}
    assert len(names) == len(rules) + 1, "exploding has two names"


@pytest.mark.parametrize("valid", [lambda share: healthy(share) + 0.1, lambda share: healthy(share) + 0.9])
@pytest.mark.parametrize("noise", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("count", [40, 500])
def test_a_healthy_training_is_said_to_be_one(valid, noise, count):
    """Also with a gap between training and validation, which alone means nothing."""
    findings = diagnose(history(valid=valid, noise=noise, count=count), FACTS)
    assert findings.sound, findings.paragraph()
    assert findings.brief().startswith("Healthy: the training loss fell from ")
    assert "the validation loss ended at its lowest." in findings.brief()


def test_what_cannot_be_judged_is_said():
    assert diagnose(history(count=3, valid=None), FACTS).paragraph() == (
        "Too short to judge: so few steps draw no curve."
    )
    unfinished = diagnose(history(valid=None), replace(FACTS, finished=False)).brief()
    assert unfinished.startswith("Healthy so far, though the training is not finished: ")
    assert unfinished.endswith("; before its first validation nobody can see whether it overfits.")
    finished = diagnose(history(valid=None), FACTS).brief()
    assert finished.endswith("; without a validation text nobody can see whether it overfits.")
    lines = history(valid=lambda share: 1.6 + 0.02 * (share > 0.8))  # of network and counts together
    lines = [line | {"valid_network_loss": 1.7} if "valid_loss" in line else line for line in lines]
    assert "the validation loss was lowest after 10% of the training." in diagnose(lines, FACTS).verdict


def test_a_training_loss_that_is_another_quantity_is_not_compared_with_frequencies():
    """Of a sampled softmax and without validation: nothing is exact."""
    lines = history(lambda share: 3.25, None)
    assert [one.name for one in diagnose(lines, FACTS)] == ["underfitting"]
    assert not diagnose(lines, replace(FACTS, exact=False))


def test_remedies_are_flags_that_can_be_typed():
    with in_words_of_the_shell():
        assert "Try --lr 0.0004." in diagnose(FAULTS["divergence"][0], FACTS).brief()
        assert "Try --lr 10, or --clip 1." in diagnose(FAULTS["divergence"][0], replace(FACTS, lr=99, clip=0)).brief()
    assert "Try lr=0.0004." in diagnose(FAULTS["divergence"][0], FACTS).brief()


def test_remedies_for_the_size_and_the_dropout_of_a_network_are_flags_too():
    facts = replace(FACTS, hidden_dim=64, dropout=0.6)
    with in_words_of_the_shell():
        remedies = {case: diagnose(lines, facts).brief() for case, (lines, _, _) in FAULTS.items()}
    assert "with less dropout (--dropout 0.3)" in remedies["underfitting"]
    assert "or with a larger network (--hidden-dim 128)." in remedies["underfitting"]
    assert "a smaller network (--hidden-dim 32)" in remedies["overfitting"]
    assert "Try --clip 6, or --lr 0.001." in diagnosed_remedy("clipped-gradients")


def diagnosed_remedy(case):
    with in_words_of_the_shell():
        (finding,) = diagnose(*FAULTS[case][:2])
    return finding.remedy


def test_curves_measure_what_was_put_in():
    curves = Curves.of(history(lambda share: 2.0, None, count=500, noise=2.0))
    assert curves.roughness == pytest.approx(2.0, rel=0.25)
    assert curves.level(0.5, 1.0) == pytest.approx(2.0, abs=0.02)
    assert curves.path == pytest.approx(500 * 4e-3)
    straight = Curves.of(history(lambda share: 3 - share, None, noise=0.0))
    assert straight.share_of_drop(0.5) == pytest.approx(0.5, abs=0.03)


def test_a_step_that_was_logged_twice_counts_once():
    lines = history(valid=None)
    assert np.array_equal(Curves.of([*lines[:50], *lines[40:]]).loss_N, Curves.of(lines).loss_N)


@pytest.mark.parametrize(
    ("losses", "held_out", "name", "words"),
    [
        ([3.0, 2.6, 2.4], [2.8, 2.1, 2.5], "overfitting", "was lowest after epoch 2 (2.10) and ended at 2.50."),
        ([3.0, 2.6, 2.9], [], "rate-too-high", "rose from 2.600 to 2.900"),
        ([3.0, 2.6, 2.4], [2.8, 2.5, 2.3], "still-improving", "lowered the held-out loss from 2.500 to 2.300"),
    ],
)
def test_word_vectors_are_judged_by_their_passes(losses, held_out, name, words):
    (finding,) = diagnose_vectors(losses, held_out)
    assert finding.name == name
    assert words in finding.seen


def test_word_vectors_in_which_nothing_is_wrong():
    assert diagnose_vectors([3.0, 2.6], [2.5, 2.49]).brief() == (
        "Healthy: the training loss went from 3.000 to 2.600 nats per prediction in 2 epochs."
    )
    assert diagnose_vectors([None], [None]).paragraph() == ""
    lines = [{"epoch": 1, "loss": 3.0}, {"epoch": 1, "loss": 2.9, "valid_loss": 2.8}, {"epoch": 2, "loss": 2.7}, {}]
    assert passes_of(lines) == ([2.9, 2.7], [2.8, None])


def test_one_training_gets_a_paragraph_and_several_a_sentence_each():
    bad, good = diagnose(FAULTS["divergence"][0], FACTS), diagnose(history(), FACTS)
    assert words_beneath([("a", bad)]) == [bad.paragraph()]
    assert words_beneath([("a", bad), ("b", good)]) == [f"a: {bad.brief()}", f"b: {good.verdict}"]
    assert words_beneath([("a", diagnose_vectors([], []))]) == []
