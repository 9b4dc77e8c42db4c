"""The Fourier basis against direct sums, numpy.fft, planted waves and Parseval."""

import cmath
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.planted import noise, product, wave
from miiii.analysis.harmonics import fourier
from wording import naming

SIZES = [1, 2, 3, 4, 7, 10, 11, 12]


def slow_spectrum(signal):
    """Power per frequency by complex sums: |X_k|² and its mirror image's, over p."""
    size = len(signal)
    power = [0.0] * (size // 2 + 1)
    for k in range(size):
        total = sum(
            value * cmath.exp(-2j * math.pi * k * x / size) for x, value in enumerate(signal)
        )
        power[min(k, size - k)] += abs(total) ** 2 / size
    return power


def slow_spectrum_2d(grid):
    size = len(grid)
    power = [[0.0] * (size // 2 + 1) for _ in range(size // 2 + 1)]
    for k1 in range(size):
        for k0 in range(size):
            total = 0j
            for x1 in range(size):
                for x0 in range(size):
                    turns = (k1 * x1 + k0 * x0) / size
                    total += grid[x1][x0] * cmath.exp(-2j * math.pi * turns)
            power[min(k1, size - k1)][min(k0, size - k0)] += abs(total) ** 2 / size**2
    return power


@pytest.mark.parametrize("size", SIZES)
def test_basis_is_orthonormal_and_ordered(size):
    basis = fourier.fourier_basis(size)
    np.testing.assert_allclose(basis @ basis.T, np.eye(size), atol=1e-13)
    assert not basis.flags.writeable
    frequencies = fourier.basis_frequencies(size)
    for row, k in zip(basis, frequencies, strict=True):
        assert np.argmax(slow_spectrum(row)) == k
    assert fourier.dimensions(size).sum() == size
    assert fourier.pair_dimensions(size).sum() == size**2


def test_basis_of_three_and_four_by_hand():
    half, third = math.sqrt(1 / 2), math.sqrt(1 / 3)
    a, b = math.sqrt(2 / 3), math.sqrt(1 / 6)
    three = [[third] * 3, [a, -b, -b], [0, half, -half]]
    np.testing.assert_allclose(fourier.fourier_basis(3), three, atol=1e-15)
    four = [[0.5] * 4, [half, 0, -half, 0], [0, half, 0, -half], [0.5, -0.5, 0.5, -0.5]]
    np.testing.assert_allclose(fourier.fourier_basis(4), four, atol=1e-15)
    assert fourier.dimensions(4).tolist() == [1, 2, 1]


@pytest.mark.parametrize("size", SIZES)
def test_spectrum_agrees_with_the_slow_sum(size):
    signal = noise(size)
    np.testing.assert_allclose(fourier.spectrum(signal), slow_spectrum(signal.tolist()))


@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_grid_spectrum_agrees_with_the_slow_sum(size):
    grid = noise((size, size))
    slow = slow_spectrum_2d(grid.tolist())
    np.testing.assert_allclose(fourier.spectrum_2d(grid), slow)
    slow[0][0] = 0.0
    np.testing.assert_allclose(fourier.spectrum_2d(grid, centred=True), slow)


@pytest.mark.parametrize("size", [11, 12])
def test_grid_spectrum_agrees_with_numpy_fft(size):
    grids = noise((3, size, size))
    squares = np.abs(np.fft.fft2(grids)) ** 2 / size**2
    expected = np.zeros((3, size // 2 + 1, size // 2 + 1))
    for k1 in range(size):
        for k0 in range(size):
            expected[:, min(k1, size - k1), min(k0, size - k0)] += squares[:, k1, k0]
    np.testing.assert_allclose(fourier.spectrum_2d(grids), expected)


@given(size=st.integers(1, 24), seed=st.integers(0, 2**32 - 1), axis=st.integers(0, 1))
def test_parseval_on_an_axis(size, seed, axis):
    signal = noise((size, size + 3) if axis == 0 else (4, size), seed)
    power = fourier.spectrum(signal, axis)
    assert power.shape[axis] == size // 2 + 1
    np.testing.assert_allclose(power.sum(axis), (signal**2).sum(axis))


@given(size=st.integers(1, 16), seed=st.integers(0, 2**32 - 1))
def test_parseval_on_the_grid(size, seed):
    grids = 3 + noise((2, size, size), seed)
    np.testing.assert_allclose(
        fourier.spectrum_2d(grids).sum((1, 2)), (grids**2).sum((1, 2)), rtol=1e-10
    )
    centred = fourier.spectrum_2d(grids, centred=True)
    variance = grids.var(axis=(1, 2)) * size**2
    np.testing.assert_allclose(centred.sum((1, 2)), variance, atol=1e-9)
    np.testing.assert_allclose(
        fourier.power_by_frequency(centred).sum(-1), centred.sum((1, 2)), atol=1e-9
    )


@pytest.mark.parametrize(("size", "k1", "k0"), [(11, 2, 5), (12, 0, 3), (13, 4, 0), (12, 6, 1)])
def test_planted_product_is_one_pair(size, k1, k0):
    grid = 1.5 + product(size, wave(size, k1, 0.0), wave(size, k0, 0.3))
    power = fourier.spectrum_2d(grid, centred=True)
    assert np.unravel_index(power.argmax(), power.shape) == (k1, k0)
    assert power[k1, k0] == pytest.approx(power.sum())


def test_power_by_frequency_by_hand():
    pairs = np.array([[9.0, 1, 2], [3, 4, 5], [6, 7, 8]])
    # 1: (1,0) 3, (0,1) 1, (1,1) 4, half of (1,2) and (2,1). 2: 6 + 2 + 8 + the other halves.
    np.testing.assert_allclose(fourier.power_by_frequency(pairs), [14, 22])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fourier.spectrum([1.0, np.nan, np.inf]), "2 of 3 nan (1,)"),
        (lambda: fourier.spectrum([]), "shape (0,)"),
        (lambda: fourier.spectrum_2d(np.ones((2, 3))), "(2,3) last axes"),
        (lambda: fourier.coefficients_2d([1.0, 2.0]), "(2,) last axes"),
        (lambda: fourier.fourier_basis(0), "0 1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
