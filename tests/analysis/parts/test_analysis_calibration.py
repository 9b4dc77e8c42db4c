"""The cheap calibrated count against the plain one, which takes every spectrum again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.parts.plain_significance import significance
from analysis.planted import additive_model, noise, product, wave
from miiii.analysis.dynamics.snapshots import measure_each, stack_spectra
from miiii.analysis.parts.calibration import (
    calibrated_spectrum,
    digit_moments,
    model_calibrated_spectrum,
)
from miiii.analysis.parts.neurons import model_spectrum
from miiii.analysis.parts.significance import significant_frequencies
from wording import naming


@settings(deadline=None, max_examples=25)
@given(
    size=st.integers(3, 14),
    neurons=st.integers(1, 70),
    draws=st.integers(1, 40),
    seed=st.integers(0, 999),
    multiple=st.floats(0, 3),
)
def test_it_is_the_plain_count(size, neurons, draws, seed, multiple):
    # On one digit, on the other, and on both; a constant offset must not matter.
    grids = noise((neurons, size, 1), seed) + 5 * noise((neurons, 1, size), seed + 1) ** 2
    grids = grids + noise((neurons, size, size), seed + 2) * wave(size, 1) + 3
    plain = significance(grids, multiple, draws=draws, seed=seed)
    cheap = calibrated_spectrum(grids, multiple, draws=draws, seed=seed)
    np.testing.assert_array_equal(cheap.frequencies, plain.calibrated_frequencies)
    np.testing.assert_array_equal(cheap.null_counts, plain.null_frequency_counts)
    np.testing.assert_array_equal(cheap.spectrum.power, plain.spectrum.power)
    assert cheap.count == plain.calibrated_frequency_count
    assert cheap.multiple == multiple


def test_planted_frequencies_are_found_and_nothing_else():
    size = 23
    grids = 0.1 * noise((40, size, size))
    for neuron, grid in enumerate(grids):
        k = (2, 7, 11)[neuron % 3]
        grid += product(size, 2 + wave(size, k, neuron), 1 + wave(size, k, 2 * neuron))
    found = calibrated_spectrum(grids)
    assert np.flatnonzero(found.frequencies).tolist() == [1, 6, 10]
    assert len(found.null_counts) == 199


def test_without_structure_the_rule_counts_and_the_calibrated_count_does_not():
    # As in an untrained model: any function of x0 plus any function of x1.
    size, alarms, counted = 23, 0, 0
    for seed in range(40):
        grids = noise((20, size, 1), seed) + noise((20, 1, size), 100 + seed)
        found = calibrated_spectrum(grids, seed=seed, draws=19)
        alarms += found.count > 0
        counted += (significance(grids, draws=1).frequency_count > 0) + found.null_counts.any()
    # 1 in 20 each: more than 8 of 40 has probability below 1 in 1,000.
    assert alarms <= 8
    assert counted > 20


def test_second_moments_by_hand():
    # One neuron, [x1, x0]; it is centred by itself.
    grid = np.array([[1.0, 2, 6], [0, 0, 0], [0, 0, 0]]) + 4
    centred = grid - grid.mean()
    found_x0, found_x1 = digit_moments(grid[None])
    over_x1, over_x0 = np.zeros((3, 3)), np.zeros((3, 3))
    for a in range(3):
        for b in range(3):
            over_x1[a, b] = centred[a] @ centred[b] + centred[a].sum() * centred[b].sum() / 3
            column_a, column_b = centred[:, a], centred[:, b]
            over_x0[a, b] = column_a @ column_b + column_a.sum() * column_b.sum() / 3
    np.testing.assert_allclose(found_x1, over_x1 / 18, atol=1e-12)
    np.testing.assert_allclose(found_x0, over_x0 / 18, atol=1e-12)


def test_calibrated_counts_through_training_of_a_model_that_gains_a_frequency():
    size = 23
    flat = np.full(size, 2.0)
    ragged = 2 + np.random.default_rng(3).random(size)
    snapshots = {
        0: additive_model(size, flat, flat),
        1: additive_model(size, ragged, ragged[::-1].copy()),
        8: additive_model(size, 2 + wave(size, 3), 2 + wave(size, 5)),
    }
    result = stack_spectra(measure_each(snapshots, model_calibrated_spectrum))
    plain = stack_spectra(measure_each(snapshots, model_spectrum))
    assert result.calibrated_counts is not None
    assert result.calibrated_counts.tolist() == [0, 0, 2]
    assert result.null_counts is not None
    assert result.null_counts.shape == (3, 199)
    assert result.null_counts[1].any()
    np.testing.assert_array_equal(result.pair_power, plain.pair_power)
    np.testing.assert_array_equal(result.counts, plain.counts)
    assert plain.calibrated_counts is None
    assert plain.null_counts is None


def test_refusals():
    grids = noise((3, 5, 5))
    with pytest.raises(ValueError, match=naming("draws 0 1")):
        calibrated_spectrum(grids, draws=0)
    with pytest.raises(ValueError, match=r"shape \(5, 5\): expected \[neurons, p, p\]"):
        digit_moments(grids[0])
    judged = calibrated_spectrum(grids, draws=2)
    with pytest.raises(ValueError, match=naming("calibrated 1 2")):
        stack_spectra([(0, judged), (1, judged.spectrum)])
    with pytest.raises(ValueError, match=r"multiple 1.0 .* found .* \[\(2.0, 2\)\]"):
        stack_spectra([(0, judged)], 1.0)
    with pytest.raises(ValueError, match=r"\[\(2.0, 2\), \(2.0, 3\)\]"):
        stack_spectra([(0, judged), (1, calibrated_spectrum(grids, draws=3))])


@pytest.mark.parametrize(("planted", "by_rule"), [(1, 1), (11, 11), (12, 0), (40, 0)])
def test_the_rule_has_a_ceiling_and_the_calibrated_count_none(planted, by_rule):
    """At most a fifth of 56 lie above their own μ + 2σ (Cantelli): 11 equal ones, not 12."""
    size = 113
    chosen = np.random.default_rng(0).permutation(np.arange(1, size // 2 + 1))[:planted]
    turns = 2 * np.pi * chosen[:, None] * np.arange(size) / size
    waves = np.concatenate([np.cos(turns), np.sin(turns)])[:, None]
    found = calibrated_spectrum(np.broadcast_to(waves, (2 * planted, size, size)), draws=5)
    assert significant_frequencies(found.spectrum).sum() == by_rule
    assert np.flatnonzero(found.frequencies).tolist() == sorted(chosen - 1)
