"""Waves on a digit against least squares, and planted neurons given back their task."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.planted import noise
from miiii import digits
from miiii.analysis.circuits.matching import match_neurons
from miiii.analysis.harmonics.digit_waves import best_wave, fold, wave_basis, wave_power
from wording import naming

BASE, MODULI = 31, (2, 3, 7, 11, 13)
X0, X1 = digits(BASE).T


def neuron(k, q, strength=(1.0, 1.0), phases=(0.3, -1.1)):
    """A neuron before its ReLU, of a circuit for n mod q."""
    over_x0 = np.cos(2 * np.pi * k * X0 / q + phases[0])
    return strength[0] * over_x0 + strength[1] * np.cos(2 * np.pi * k * BASE * X1 / q + phases[1])


def wave_share(profile, frequency):
    """By least squares on cos, sin and a constant."""
    digit = np.arange(len(profile))
    angle = 2 * np.pi * frequency * digit
    design = np.stack([np.cos(angle), np.sin(angle), np.ones(len(profile))], axis=1)
    residual = profile - design @ np.linalg.lstsq(design, profile, rcond=1e-9)[0]
    return 1 - (residual**2).sum() / ((profile - profile.mean()) ** 2).sum()


@given(
    base=st.integers(3, 24),
    frequency=st.floats(0.02, 0.5) | st.sampled_from([0.0, 0.25, 1 / 3, 0.5]),
)
def test_wave_power_is_least_squares(base, frequency):
    profile = noise((base, 1), 5)
    profile -= profile.mean()
    share = wave_power(profile, [frequency])[0, 0] / (profile**2).sum()
    assert share == pytest.approx(wave_share(profile[:, 0], frequency), abs=1e-7)
    basis = wave_basis(frequency, base)
    inner = basis @ basis.T
    np.testing.assert_allclose(inner, np.diag(np.round(np.diag(inner))), atol=1e-9)


@pytest.mark.parametrize("base", [30, 31])
def test_the_best_wave_is_found_between_bins(base):
    frequencies = np.array([1 / base, 0.1234567, 0.25, 0.3791, 0.499, 0.5])
    digit = np.arange(base)[:, None]
    profiles = 5 + np.cos(2 * np.pi * frequencies * digit + np.linspace(0, 1, 6))
    found, share = best_wave(profiles)
    np.testing.assert_allclose(found[:4], frequencies[:4], atol=1e-7)
    np.testing.assert_allclose(found[4:], frequencies[4:], atol=2e-3)
    np.testing.assert_allclose(share, 1, atol=1e-6)
    noisy = profiles + 0.1 * noise(profiles.shape)
    np.testing.assert_allclose(best_wave(noisy)[0][:4], frequencies[:4], atol=0.05 / base)


def test_the_best_wave_is_better_than_any_on_a_fine_grid():
    profiles = noise((17, 6), 2)
    found, share = best_wave(profiles)
    grid = np.linspace(1 / 34, 0.5, 400)
    brute = np.array([[wave_share(profile, at) for at in grid] for profile in profiles.T])
    assert (share >= brute.max(axis=1) - 1e-9).all()
    np.testing.assert_allclose(share, brute.max(axis=1), atol=5e-3)
    np.testing.assert_allclose(
        share, [wave_share(profile, at) for profile, at in zip(profiles.T, found, strict=True)]
    )
    silent = best_wave(np.column_stack([profiles[:, 0], np.ones(17)]))
    assert np.isnan(silent[0]).tolist() == np.isnan(silent[1]).tolist() == [False, True]


def test_frequencies_fold_to_what_whole_numbers_can_tell():
    np.testing.assert_allclose(fold([0.2, 0.8, 1.3, -0.1, 0.5, 3.0]), [0.2, 0.2, 0.3, 0.1, 0.5, 0])


@pytest.mark.parametrize("level", [0.0, 0.1])
def test_planted_neurons_get_their_task_and_harmonic(level):
    planted = [(1, 2), (1, 3), (2, 7), (3, 7), (5, 11), (4, 13), (6, 13)] * 6
    generator = np.random.default_rng(0)
    clean = np.stack(
        [neuron(k, q, (1, 0.8), generator.uniform(0, 6, 2)) for k, q in planted], axis=1
    )
    values = 3 + clean + level * clean.std() * noise(clean.shape, 8)
    result = match_neurons(values, BASE, MODULI, draws=10)
    found = [(k, result.moduli[i]) for k, i in zip(result.harmonic, result.task, strict=True)]
    assert found == planted
    assert result.neurons_per_task.tolist() == [6, 6, 12, 6, 12]
    assert result.share.min() > 0.98
    assert result.additive_share.min() > 0.96
    for (k, q), matched in zip(planted, result.matched_frequency, strict=True):
        np.testing.assert_allclose(matched, fold([k / q, k * BASE / q]))
    # The best free frequencies are the matched ones, but near ½, where waves are hard to tell.
    clear = result.matched_frequency.max(axis=1) < 0.45
    near = np.abs(result.frequency - result.matched_frequency)[clear]
    assert near.max() < 0.1 / BASE
    # Paired at random, the frequencies do not match.
    assert np.nanmedian(result.paired_null) < 0.8
    assert np.median(result.noise_null) < 0.5
    assert np.median(result.belief) > 0.95
    groups = result.groups()
    assert [len(group) for group in groups] == result.neurons_per_task.tolist()
    assert sorted(np.concatenate(groups)) == list(range(len(planted)))
    assert result.harmonics_of(2).tolist() == [2, 3]
    np.testing.assert_allclose(result.task_share.max(axis=1), result.share)
    assert (result.margin > 0.1).all()


def test_shares_of_a_matched_pair_are_those_of_the_two_profiles():
    result = match_neurons(noise((BASE**2, 4), 3), BASE, (7, 11), draws=2)
    values = noise((BASE**2, 4), 3).reshape(BASE, BASE, 4)
    over_x0, over_x1 = values.mean(axis=0), values.mean(axis=1)
    for index in range(4):
        first, second = over_x0[:, index], over_x1[:, index]
        powers = first.var(), second.var()
        brute = {
            (i, k): (
                powers[0] * wave_share(first, k / q) + powers[1] * wave_share(second, k * BASE / q)
            )
            / sum(powers)
            for i, q in enumerate((7, 11))
            for k in range(1, q // 2 + 1)
        }
        best = max(brute, key=brute.__getitem__)
        assert (result.task[index], result.harmonic[index]) == best
        assert result.share[index] == pytest.approx(brute[best])
        for task in range(2):
            expected = max(share for (i, _), share in brute.items() if i == task)
            assert result.task_share[index, task] == pytest.approx(expected)


def test_noise_is_not_believed():
    result = match_neurons(noise((BASE**2, 300), 4), BASE, MODULI)
    assert 0.35 < np.median(result.belief) < 0.65
    assert np.median(result.share) == pytest.approx(np.median(result.noise_null), abs=0.03)
    assert sum(len(group) for group in result.groups(belief=0.95)) < 40


def test_a_single_circuit_is_believed_against_noise():
    values = np.stack([neuron(3, 7, phases=(i, -i)) for i in range(8)], axis=1)
    result = match_neurons(values, BASE, (7,))
    assert np.isnan(result.paired_null).all()
    assert result.belief.tolist() == [1.0] * 8
    assert np.isnan(result.margin).all()


def test_constant_neurons_have_no_task():
    values = np.stack([neuron(2, 7), np.ones(BASE**2), np.zeros(BASE**2)], axis=1)
    result = match_neurons(values, BASE, MODULI)
    assert result.task.tolist() == [2, -1, -1]
    assert result.harmonic.tolist() == [2, 0, 0]
    assert result.silent.tolist() == [False, True, True]
    assert np.isnan(result.matched_frequency).any(axis=1).tolist() == [False, True, True]
    assert result.belief[1:].tolist() == [0, 0]
    assert result.neurons_per_task.tolist() == [0, 0, 1, 0, 0]
    assert [len(group) for group in result.groups()] == [0, 0, 1, 0, 0]


def test_a_modulus_that_divides_the_base_needs_one_digit_only():
    x0 = np.arange(100) % 10
    values = np.cos(2 * np.pi * 2 * x0 / 5)[:, None]
    result = match_neurons(values, 10, (3, 5))
    assert (result.task[0], result.harmonic[0]) == (1, 2)
    assert result.share[0] == pytest.approx(1)
    assert result.matched_frequency[0].tolist() == [0.4, 0]
    assert np.isnan(result.frequency[0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: match_neurons(np.ones((24, 2)), 5, (2,)), "p² 25 rows"),
        (lambda: match_neurons(np.ones((25, 2)), 5, ()), "moduli empty"),
        (lambda: match_neurons(np.ones((25, 2)), 5, (1,)), "modulus 1 2"),
        (lambda: match_neurons(np.ones((25, 2)), 5, (2,), draws=0), "draws 0"),
        (lambda: best_wave(np.ones((2, 3))), "(2,3) [p,M] p ≥ 3"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
