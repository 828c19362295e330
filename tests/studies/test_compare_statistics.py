"""Intervals along a text: against series whose variance is known, formulas by hand, and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm, ttest_ind

from seqlab.studies.compare.statistics import (
    FEWEST_BLOCKS,
    MEMORY,
    autocorrelation_time,
    between_groups,
    block_length,
    block_starts,
    drift,
    estimate,
    holm,
    needed,
)

SERIES = 300


def autoregressive(rho: float, count: int, series: int = SERIES, seed: int = 3) -> np.ndarray:
    """AR(1) series (series, count) of mean 0, whose mean has the long-run variance 1 / (1 - rho)^2 / count."""
    shocks = np.random.default_rng(seed).normal(size=(series, count + 500))
    return lfilter([1.0], [1.0, -rho], shocks, axis=1)[:, 500:]


@pytest.mark.parametrize(("rho", "count"), [(0.0, 2_000), (0.6, 4_000), (0.9, 8_000)])
def test_intervals_by_blocks_hold_what_they_promise(rho, count):
    """Of 300 series with a known mean of zero 93 to 97 % have it in their interval; the variance is right on average.
    As if independent, the interval is as much too short as the autocorrelation says."""
    found = [estimate(values) for values in autoregressive(rho, count)]
    covered = np.mean([one.interval[0] <= 0 <= one.interval[1] for one in found])
    assert 0.93 <= covered <= 0.97
    assert np.mean([one.error**2 for one in found]) == pytest.approx(1 / (1 - rho) ** 2 / count, rel=0.12)
    naive = np.mean([one.naive[0] <= 0 <= one.naive[1] for one in found])
    expected = norm.cdf(1.96 * math.sqrt((1 - rho) / (1 + rho))) * 2 - 1
    assert naive == pytest.approx(expected, abs=0.06)
    assert np.median([one.too_short for one in found]) == pytest.approx(math.sqrt((1 + rho) / (1 - rho)), rel=0.1)
    if rho:
        assert np.mean([one.p < 0.05 for one in found]) == pytest.approx(1 - covered, abs=1e-9)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_autocorrelation_time_is_that_of_the_formula(rho):
    times = [autocorrelation_time(values) for values in autoregressive(rho, 20_000, 30)]
    assert np.mean(times) == pytest.approx((1 + rho) / (1 - rho), rel=0.08)


def test_block_lengths_follow_the_root_and_the_correlation_within_what_the_text_allows():
    (independent,) = autoregressive(0.0, 10_000, 1)
    assert block_length(independent) == 100
    (dependent,) = autoregressive(0.97, 40_000, 1)
    assert 350 < block_length(dependent) < 900
    assert block_length(np.cumsum(independent)) == 10_000 // FEWEST_BLOCKS
    assert block_length(np.ones(50)) == 5


def test_blocks_are_whole_documents_where_there_are_many():
    documents = np.arange(0, 3_000, 30)
    starts, by = block_starts(3_000, 100, documents)
    assert by == "documents"
    assert set(starts.tolist()) <= set(documents.tolist())
    assert np.diff(starts).min() >= 100
    assert block_starts(3_000, 100, documents[:5])[1] == "blocks"
    assert block_starts(3_000, 1_000, documents)[1] == "blocks", "too few blocks of whole documents"
    starts, _ = block_starts(1_005, 100)
    assert len(starts) == 10
    assert set(np.diff([*starts, 1_005])) <= {100, 101}


def test_a_ratio_has_the_error_of_its_residuals():
    """Against the spread of the ratio over many texts of independent units of unequal length."""
    rng = np.random.default_rng(5)
    ratios, errors = [], []
    for _ in range(SERIES):
        weights = rng.integers(1, 20, 900).astype(float)
        values = weights * 0.3 + np.sqrt(weights) * rng.normal(size=900)
        found = estimate(values, weights)
        ratios.append(found.mean)
        errors.append(found.error)
    assert np.mean(ratios) == pytest.approx(0.3, abs=0.004)
    assert np.mean(errors) == pytest.approx(np.std(ratios), rel=0.12)


def drifting(memory: float, count: int, series: int = SERIES, seed: int = 3) -> np.ndarray:
    """Fractional Gaussian noise (series, count) of variance 1, whose mean has the variance count^(2d - 1), exactly (by
    circulant embedding)."""
    lags, power = np.arange(count + 1.0), 2 * memory + 1
    covariances = ((lags + 1) ** power - 2 * lags**power + np.abs(lags - 1) ** power) / 2
    spectrum = np.fft.fft(np.concatenate([covariances, covariances[-2:0:-1]])).real.clip(min=0)
    shocks = np.random.default_rng(seed).normal(size=(2, series, len(spectrum)))
    return np.fft.fft((shocks[0] + 1j * shocks[1]) * np.sqrt(spectrum / len(spectrum)), axis=1).real[:, :count]


def test_intervals_allow_for_a_drift_that_never_ends():
    """Of 300 series with the memory that running text is taken to have, 93 to 97 % have their mean in the interval; of
    blocks without drift far fewer do."""
    series = drifting(MEMORY, 3_000)
    assert series.mean(1).var() == pytest.approx(3_000 ** (2 * MEMORY - 1), rel=0.2)
    found = [estimate(values, memory=MEMORY) for values in series]
    assert 0.93 <= np.mean([one.interval[0] <= 0 <= one.interval[1] for one in found]) <= 0.97
    assert np.mean([one.error**2 for one in found]) == pytest.approx(3_000 ** (2 * MEMORY - 1), rel=0.15)
    assert {one.blocks for one in found} == {FEWEST_BLOCKS}
    plain = [estimate(values) for values in series]
    assert np.mean([one.interval[0] <= 0 <= one.interval[1] for one in plain]) < 0.8


def test_documents_do_not_drift():
    (values,) = autoregressive(0.0, 4_000, 1)
    documents = np.arange(0, 4_000, 40)
    by_documents = estimate(values, documents=documents, memory=MEMORY)
    assert by_documents == estimate(values, documents=documents)
    assert by_documents.by == "documents"
    assert drift(10, 0.0) == 1.0
    assert drift(10, 0.25) == pytest.approx(math.sqrt(10**-0.5 / (1 - 10**-0.5) * 9))


def test_texts_too_short_for_an_interval():
    assert estimate(np.array([1.0])) is None
    found = estimate(np.array([1.0, 2.0, 1.5]))
    assert found.blocks == 3
    assert found.mean == pytest.approx(1.5)
    equal = estimate(np.zeros(100))
    assert equal.interval == (0.0, 0.0)
    assert equal.p == 1.0
    assert needed(equal, 100) is None


def test_the_text_that_is_needed_gives_the_power_it_promises():
    rng = np.random.default_rng(2)
    values = rng.normal(0.1, 1.0, 4_000)
    found = estimate(values)
    wanted = needed(found, len(values))
    assert wanted == pytest.approx((norm.ppf(0.975) + norm.ppf(0.8)) ** 2 * found.error**2 * 4_000 / found.mean**2)
    texts = rng.normal(found.mean, found.error * math.sqrt(len(values)), (2_000, round(wanted)))
    z = texts.mean(1) / (texts.std(1, ddof=1) / math.sqrt(round(wanted)))
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.8, abs=0.03)


def test_p_values_of_several_comparisons_are_adjusted():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == [0.02]


def test_the_error_over_seeds_is_welchs():
    a, b = np.array([1.50, 1.52, 1.49, 1.51]), np.array([1.40, 1.46, 1.43])
    error, freedom = between_groups(a, b)
    expected = ttest_ind(b, a, equal_var=False)
    assert (b.mean() - a.mean()) / error == pytest.approx(expected.statistic)
    assert freedom == pytest.approx(expected.df)
    alone = between_groups(a, b[:1])
    assert alone == pytest.approx((math.sqrt(a.var(ddof=1) * (1 + 1 / 4)), 3.0))
    assert between_groups(a[:1], b[:1]) is None
    assert between_groups(np.ones(2), np.ones(2)) == (0.0, 2.0)
