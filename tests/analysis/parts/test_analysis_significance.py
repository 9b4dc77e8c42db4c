"""Counts on literal arrays, on planted spectra, and on spectra without any structure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.parts.plain_significance import significance
from analysis.planted import noise, product, wave
from miiii.analysis.parts.neurons import MeanSpectrum, mean_spectrum
from miiii.analysis.parts.significance import (
    above_threshold,
    frequency_density,
    pair_density,
    significant_frequencies,
    significant_pairs,
    threshold,
)
from miiii.analysis.permuting import permutations
from wording import naming

SIZE = 13


def test_threshold_by_hand():
    # μ = 2, σ = √((3 · 2² + 6²) / 4) = √12.
    values = [0.0, 0, 0, 8]
    assert threshold(values, 1) == pytest.approx(2 + 12**0.5)
    assert above_threshold(values, 1).tolist() == [False, False, False, True]
    assert above_threshold(values, 2).tolist() == [False] * 4


@pytest.mark.parametrize(("strong", "expected"), [(1, 1), (5, 5), (19, 19), (20, 0), (21, 0)])
def test_how_many_of_a_hundred_equals_can_stand_out(strong, expected):
    # A share s of ones among zeros: 1 > s + 2√(s(1 − s)) exactly when s < 1/5.
    values = np.zeros(100)
    values[:strong] = 1
    assert above_threshold(values).sum() == expected


@given(value=st.floats(0, 1e6), count=st.integers(1, 200))
def test_equal_values_never_stand_out(value, count):
    assert not above_threshold(np.full(count, value)).any()


@pytest.mark.parametrize("size", [12, 13])
def test_constant_neither_counts_nor_is_counted(size):
    power = np.ones((7, 7))
    power[2, 3] = 50.0
    quiet = MeanSpectrum(size, 1, power)
    power = power.copy()
    power[0, 0] = 1e9
    loud = MeanSpectrum(size, 1, power)
    for spectrum in (quiet, loud):
        mask = significant_pairs(spectrum)
        assert mask.sum() == 1
        assert mask[2, 3]
        assert np.flatnonzero(significant_frequencies(spectrum)).tolist() in ([1, 2], [])


@pytest.mark.parametrize("size", [12, 13])
def test_without_structure_every_frequency_expects_the_same(size):
    spectrum = mean_spectrum(noise((4000, size, size)))
    np.testing.assert_allclose(pair_density(spectrum).ravel()[1:] * size**2, 1, rtol=0.12)
    np.testing.assert_allclose(frequency_density(spectrum) * size**2, 1, rtol=0.03)
    assert pair_density(spectrum)[0, 0] == 0


@pytest.mark.parametrize("permuted", ["digits", "numbers"])
def test_planted_frequencies_are_counted_and_permuted_ones_are_not(permuted):
    grids = 0.02 * noise((40, SIZE, SIZE), 3)
    for neuron, grid in enumerate(grids):
        k = (2, 5)[neuron % 2]
        grid += product(SIZE, wave(SIZE, k, neuron), wave(SIZE, k, 2 * neuron))
    result = significance(grids, 1.0, draws=5, permuted=permuted)
    found = [(2, 2), (5, 5)]
    assert [tuple(pair) for pair in np.argwhere(result.pairs)] == found
    assert [tuple(pair) for pair in np.argwhere(result.calibrated_pairs)] == found
    assert result.spectrum.frequencies[result.frequencies].tolist() == [2, 5]
    assert result.spectrum.frequencies[result.calibrated_frequencies].tolist() == [2, 5]
    assert (result.pair_count, result.frequency_count) == (2, 2)
    assert (result.calibrated_pair_count, result.calibrated_frequency_count) == (2, 2)
    assert result.null_pair_counts.shape == result.null_frequency_counts.shape == (5,)
    assert not result.pairs[0, 0]
    same = significance(grids, 1.0, draws=5, permuted=permuted)
    np.testing.assert_array_equal(result.null_pair_counts, same.null_pair_counts)


def test_structureless_neurons_pass_the_rule_but_not_the_calibrated_one():
    # One neuron of noise: its spectrum has spots above μ + 2σ, as many as its permutations have.
    alarms, counts, null = 0, [], []
    for seed in range(40):
        permuted = ("digits", "numbers")[seed % 2]
        grids = noise((1, SIZE, SIZE), seed)
        result = significance(grids, draws=9, seed=seed, permuted=permuted)
        alarms += result.calibrated_pair_count > 0
        counts.append(result.pair_count)
        null.extend(result.null_pair_counts)
    # 1 in 10 each: more than 11 of 40 has probability below 1 in 1,000.
    assert alarms <= 11
    assert np.mean(counts) > 0.5
    assert abs(np.mean(counts) - np.mean(null)) < 0.6


def test_what_depends_on_single_digits_only_is_no_frequency():
    # As in an untrained model: any function of x0 plus any function of x1. All pairs on an axis
    # stand out against permuted numbers; against renamed digits nothing should.
    alarms = 0
    for seed in range(20):
        grids = noise((30, SIZE, 1), seed) + noise((30, 1, SIZE), 100 + seed)
        against_numbers = significance(grids, draws=3, seed=seed, permuted="numbers")
        assert against_numbers.calibrated_pairs.sum() == 2 * (SIZE // 2)
        against_digits = significance(grids, draws=9, seed=seed)
        alarms += against_digits.calibrated_pair_count > 0
        assert not against_digits.calibrated_pairs[1:, 1:].any()
    # 1 in 10 each: more than 7 of 20 has probability below 1 in 1,000.
    assert alarms <= 7


@pytest.mark.parametrize("permuted", ["digits", "numbers"])
def test_permutations_are_permutations_and_follow_the_seed(permuted):
    orders = permutations(6, 3, 5, permuted)
    assert orders.shape == (3, 36)
    assert all(sorted(order) == list(range(36)) for order in orders.tolist())
    assert (orders[0] != orders[1]).any()
    np.testing.assert_array_equal(orders, permutations(6, 3, 5, permuted))
    np.testing.assert_array_equal(orders[:2], permutations(6, 2, 5, permuted))


def test_renamed_digits_stay_digits():
    for order in permutations(6, 4, 0):
        grid = order.reshape(6, 6)
        # A row of the grid shows one x1 alone, a column one x0 alone.
        assert (grid // 6 == grid[:, :1] // 6).all()
        assert (grid % 6 == grid[:1] % 6).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: significance(np.ones((1, 3, 3)), draws=0), "draws 0 1"),
        (lambda: permutations(5, 1, 0, "rows"), "'rows' digits numbers"),
        (lambda: above_threshold([1.0, np.nan]), "values 1 2"),
        (lambda: above_threshold([1.0, 2.0], np.inf), "multiple finite"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)):
        call()
