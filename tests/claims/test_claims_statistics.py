import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from miiii.claims.statistics import (
    difference_p_value,
    exceedance,
    median_interval,
    rank_correlation,
)
from wording import naming

GENERATOR_SEED = 3


def slow_coverage(size, k):
    """Of the interval from k-th smallest to k-th largest: all 2^n ways to lie about the median."""
    covered = 0
    for below in itertools.product((False, True), repeat=size):
        # The median is inside where at least k values lie on either side of it.
        covered += k <= sum(below) <= size - k
    return covered / 2**size


@pytest.mark.parametrize("size", range(2, 13))
def test_median_interval_has_the_coverage_it_states(size):
    interval = median_interval([float(value) for value in range(size)])
    k = int(interval.low) + 1
    assert interval.high == size - k
    assert interval.coverage == pytest.approx(slow_coverage(size, k))
    if interval.coverage < 0.95:
        assert k == 1
    else:
        assert 2 * (k + 1) > size or slow_coverage(size, k + 1) < 0.95


def test_median_interval_of_two_seeds_is_their_range_at_one_half():
    interval = median_interval([3.0, 1.0])
    assert (interval.low, interval.high, interval.coverage) == (1.0, 3.0, 0.5)


def test_median_interval_leaves_out_what_is_missing_and_keeps_never():
    assert median_interval([1.0]) is None
    assert median_interval([1.0, math.nan]) is None
    assert median_interval([5.0, math.inf, math.nan]).high == math.inf


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.floats(-5, 5))
def test_exceedance_counts_the_null_and_the_observation(null, value):
    slow = (1 + len([drawn for drawn in null if drawn >= value])) / (1 + len(null))
    assert exceedance(value, null) == slow
    assert math.isnan(exceedance(math.nan, null))


def slow_difference(one, other):
    together, count = [*one, *other], 0
    observed = abs(np.mean(one) - np.mean(other))
    orders = list(itertools.permutations(range(len(together))))
    for order in orders:
        dealt = [together[i] for i in order]
        difference = abs(np.mean(dealt[: len(one)]) - np.mean(dealt[len(one) :]))
        count += difference >= observed - 1e-9
    return count / len(orders)


@given(
    st.lists(st.integers(-9, 9), min_size=1, max_size=3),
    st.lists(st.integers(-9, 9), min_size=1, max_size=3),
)
def test_difference_tries_every_way_to_deal(one, other):
    assert difference_p_value(one, other) == pytest.approx(slow_difference(one, other))


def test_two_and_two_seeds_cannot_be_more_than_a_third_sure():
    assert difference_p_value([1, 2], [100, 101]) == pytest.approx(1 / 3)
    assert math.isnan(difference_p_value([], [1.0]))
    assert math.isnan(difference_p_value([1.0, math.inf], [1.0]))


def test_large_groups_are_dealt_at_random():
    generator = np.random.default_rng(GENERATOR_SEED)
    one, other = generator.normal(size=30), generator.normal(size=30) + 0.6
    reference = stats.ttest_ind(one, other).pvalue
    assert difference_p_value(one, other) == pytest.approx(reference, rel=0.5)


def slow_spearman(one, other):
    """Pearson's r of ranks, ties sharing their mean rank."""

    def ranks(values):
        return [sum(v < x for v in values) + (values.count(x) + 1) / 2 for x in values]

    a, b = ranks(list(one)), ranks(list(other))
    a, b = [x - sum(a) / len(a) for x in a], [x - sum(b) / len(b) for x in b]
    size = math.sqrt(sum(x * x for x in a) * sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / size


@given(st.lists(st.integers(0, 6), min_size=3, max_size=5), st.randoms())
def test_rank_correlation_is_spearmans_with_its_exact_permutations(values, random):
    other = list(range(len(values)))
    random.shuffle(other)
    found = rank_correlation([values], other)
    if len(set(values)) == 1:
        assert math.isnan(found.rho)
        return
    assert found.rho == pytest.approx(slow_spearman(values, other))
    null = [abs(slow_spearman(values, order)) for order in itertools.permutations(other)]
    slow = sum(drawn >= abs(found.rho) - 1e-9 for drawn in null) / len(null)
    assert found.p_value == pytest.approx(slow)


def test_permutations_of_many_values_agree_with_the_approximation():
    generator = np.random.default_rng(GENERATOR_SEED)
    other = np.arange(40)
    values = other + 40 * generator.normal(size=40)
    reference = stats.spearmanr(values, other).pvalue
    assert rank_correlation([values], other).p_value == pytest.approx(reference, abs=0.01)


def test_rows_are_averaged_and_do_not_narrow_the_interval():
    generator = np.random.default_rng(GENERATOR_SEED)
    other = np.arange(20)
    rows = [other + 10 * generator.normal(size=20) for _ in range(3)]
    found = rank_correlation(rows, other)
    assert found.rho == pytest.approx(
        np.mean([stats.spearmanr(row, other).statistic for row in rows])
    )
    again = rank_correlation(rows * 5, other)
    assert again.rho == pytest.approx(found.rho)
    assert again.interval.high - again.interval.low == pytest.approx(
        found.interval.high - found.interval.low
    )


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Of normal pairs with correlation r, Spearman's ρ is 6/π arcsin(r/2)."""
    generator = np.random.default_rng(GENERATOR_SEED)
    for correlation in (0.0, 0.6):
        truth = 6 / np.pi * np.arcsin(correlation / 2)
        covered = 0
        for _ in range(150):
            one, noise = generator.normal(size=(2, 25))
            other = correlation * one + np.sqrt(1 - correlation**2) * noise
            interval = rank_correlation([one], other, permutations=9).interval
            covered += interval.low <= truth <= interval.high
        # 150 draws at 0.95: four standard deviations are 0.07.
        assert covered / 150 == pytest.approx(0.95, abs=0.07)


def test_epochs_that_never_came_rank_last():
    found = rank_correlation([[1.0, 2.0, 3.0, math.inf]], [5, 7, 11, 13])
    assert found.rho == pytest.approx(1.0)
    assert (found.interval.low, found.interval.high) == (1.0, 1.0)


def test_three_values_have_no_interval():
    assert rank_correlation([[1, 3, 2]], [1, 2, 3]).interval is None


def test_rows_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match=naming("rows shapes [(2,)]")):
        rank_correlation([[1, 2]], [1, 2, 3])
    with pytest.raises(ValueError, match=naming("rank correlation []")):
        rank_correlation([], [1, 2, 3])
