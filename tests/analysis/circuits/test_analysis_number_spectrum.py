"""Spectra on the number line, of planted signals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.analysis.circuits.number_spectrum import number_spectrum

N = 121


def wave(q, k, phase=0.3):
    return np.cos(2 * np.pi * k * np.arange(N) / q - phase)


@given(st.integers(0, 2**31), st.integers(1, 4), st.sampled_from([10, 11]))
def test_power_adds_up_to_one(seed, functions, base):
    values = np.random.default_rng(seed).normal(size=(base**2, functions))
    found = number_spectrum(values, base, (2, 3))
    assert found.power.sum() == pytest.approx(1)
    assert found.variance == pytest.approx(values.var(axis=0).sum())
    assert found.frequency[-1] == (0.5 if base == 10 else (N - 1) / 2 / N)


def test_a_bin_of_the_grid_is_found_alone():
    values = 3 * np.sin(2 * np.pi * 17 * np.arange(N) / N)
    found = number_spectrum(values[:, None], 11, (3,))
    assert found.power.argmax() == 16
    assert found.power[16] == pytest.approx(1)
    assert found.variance == pytest.approx(4.5)


def test_a_tasks_harmonic_is_told_from_its_neighbours_and_weighed_by_variance():
    values = np.stack([2 * wave(7, 3), wave(5, 1), wave(5, 2)], axis=1)
    found = number_spectrum(values, 11, (5, 7))
    assert [len(shares) for shares in found.harmonic_share] == [2, 3]
    five, seven = found.harmonic_share
    assert seven.argmax() == 2
    assert seven[2] == pytest.approx(4 / 6, abs=0.03)
    assert five == pytest.approx([1 / 6, 1 / 6], abs=0.03)
    assert found.harmonic_table.shape == (2, 3)
    assert found.harmonic_table[0, 2] == 0


def test_what_one_digit_tells_is_left_out_on_request():
    digit = np.arange(N) % 11
    values = np.stack([np.cos(2 * np.pi * digit / 11), wave(7, 2)], axis=1)
    whole = number_spectrum(values, 11, (7,))
    beyond = number_spectrum(values, 11, (7,), both_digits=True)
    assert whole.power[10] == pytest.approx(0.5, abs=0.02)
    assert beyond.power[10] < 1e-9
    # A wave of 7 has parts in single digits too, so its share falls, not much.
    assert 0.8 < beyond.harmonic_share[0][1] < 1


def test_a_function_that_is_constant_is_refused():
    with pytest.raises(ValueError, match="nothing varies"):
        number_spectrum(np.ones((N, 2)), 11, (3,))
