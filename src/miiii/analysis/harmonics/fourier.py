"""The real discrete Fourier basis of p points, on an axis and on the p×p grid (paper App. B, C).

Row 0 of the basis is the constant, rows 2k − 1 and 2k are cos and sin of k cycles per p points; an
even p ends with the alternating row (−1)^x. The rows are orthonormal, so power is conserved
(Parseval): the squares of the coefficients sum to the squares of the signal.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least, finite

FloatArray = NDArray[np.float64]


@lru_cache(maxsize=16)
def fourier_basis(size: int) -> FloatArray:
    """The real DFT matrix (paper Figure 19).

    Constant 1/√p; √(2/p)·cos(2πkx/p) and √(2/p)·sin(2πkx/p); for even p at last (−1)^x/√p.

    Args:
        size: p, at least 1.

    Returns:
        [p, p], one basis function per row, orthonormal; read-only.
    """
    highest = at_least("size", size, 1) // 2
    # Whole numbers modulo p before the division keep large angles exact.
    turns = np.outer(np.arange(highest + 1), np.arange(size)) % size
    angle = 2 * np.pi * turns / size
    basis = np.empty((2 * highest + 1, size))
    basis[0] = 1 / np.sqrt(size)
    basis[1::2] = np.sqrt(2 / size) * np.cos(angle[1:])
    basis[2::2] = np.sqrt(2 / size) * np.sin(angle[1:])
    if size % 2 == 0:
        basis = basis[:-1]
        basis[-1] = (1 - 2 * (np.arange(size) % 2)) / np.sqrt(size)
    basis.flags.writeable = False
    return basis


def basis_frequencies(size: int) -> NDArray[np.int64]:
    """The frequency of each basis row, cycles per p points: [p], 0, 1, 1, 2, 2 and so on."""
    return (np.arange(at_least("size", size, 1)) + 1) // 2


def dimensions(size: int) -> NDArray[np.int64]:
    """Basis functions per frequency: [K] = 1, 2, 2, …, and 1 for the last of an even p."""
    return np.bincount(basis_frequencies(size))


def pair_dimensions(size: int) -> NDArray[np.int64]:
    """Basis functions of the grid per pair of frequencies: [K, K], summing to p²."""
    return np.outer(dimensions(size), dimensions(size))


def distinct_frequencies(frequencies: Sequence[int], size: int) -> tuple[int, ...]:
    """Some frequencies of p points, ascending.

    Raises:
        ValueError: one is outside 1 … ⌊p/2⌋ or occurs twice.
    """
    chosen = tuple(sorted(int(each) for each in frequencies))
    if len(set(chosen)) < len(chosen) or not all(1 <= each <= size // 2 for each in chosen):
        raise ValueError(
            f"frequencies are {chosen}: expected each from 1 to p // 2 = {size // 2}, none twice"
        )
    return chosen


def coefficients(signal: ArrayLike, axis: int = -1) -> FloatArray:
    """A signal in the basis: same shape, the axis' points replaced by basis rows."""
    array = finite("signal", signal)
    moved = np.moveaxis(array, axis, -1)
    return np.moveaxis(moved @ fourier_basis(moved.shape[-1]).T, -1, axis)


def spectrum(signal: ArrayLike, axis: int = -1) -> FloatArray:
    """Power per frequency along one axis.

    Args:
        signal: p points along `axis`.
        axis: which one.

    Returns:
        The same shape with K entries on that axis: the squared coefficients of cos and sin
        together, in the signal's unit squared. They sum to the signal's squared norm.
    """
    return _per_frequency(coefficients(signal, axis) ** 2, axis)


def coefficients_2d(grid: ArrayLike) -> FloatArray:
    """Functions on the whole grid, in products of basis functions.

    Args:
        grid: […, x1, x0].

    Returns:
        […, p, p]: entry (i, j) belongs to basis row i along x1 times row j along x0.
    """
    array = _square("grid", grid)
    basis = fourier_basis(array.shape[-1])
    return _both_axes(array, basis.T)


def spectrum_2d(grid: ArrayLike, *, centred: bool = False) -> FloatArray:
    """Power per pair of frequencies over the whole grid.

    Args:
        grid: […, x1, x0].
        centred: whether each grid's mean is taken off first, so that entry (0, 0) is 0.

    Returns:
        […, K, K]: entry (k1, k0) has k1 cycles along x1 and k0 along x0, all products of cos and
        sin together. Sums to the squared norm of the (centred) grid.
    """
    power = coefficients_2d(grid) ** 2
    if centred:
        power[..., 0, 0] = 0
    return _per_frequency(_per_frequency(power, -1), -2)


def power_by_frequency(pair_power: ArrayLike) -> FloatArray:
    """The power of pairs, shared among single frequencies without the constant.

    P_k = P[k, 0] + P[0, k] + ½ Σ_{j ≥ 1} (P[k, j] + P[j, k]): a pair with one non-zero frequency
    counts for it in full, a pair with two counts half for each. So the P_k sum to the power of all
    pairs but (0, 0).

    Args:
        pair_power: […, K, K].

    Returns:
        […, K − 1], entry i being frequency i + 1, cycles per p digits.
    """
    power = _square("pair_power", pair_power)
    both = power[..., 1:, 1:]
    shared = (both.sum(axis=-1) + both.sum(axis=-2)) / 2
    return power[..., 1:, 0] + power[..., 0, 1:] + shared


def _both_axes(array: FloatArray, matrix: FloatArray) -> FloatArray:
    """matrixᵀ · array · matrix on the last two axes.

    Two large matrix products with a transposition between them: with one small product per grid the
    threads of a BLAS wait for each other most of the time.
    """
    for _ in range(2):
        product = array.reshape(-1, array.shape[-1]) @ matrix
        array = np.ascontiguousarray(product.reshape(array.shape).swapaxes(-1, -2))
    return array


def _per_frequency(squares: FloatArray, axis: int) -> FloatArray:
    moved = np.moveaxis(squares, axis, -1)
    power = moved[..., np.r_[0, 1 : moved.shape[-1] : 2]]
    sines = moved[..., 2::2]
    power[..., 1 : 1 + sines.shape[-1]] += sines
    return np.moveaxis(power, -1, axis)


def _square(name: str, values: ArrayLike) -> FloatArray:
    array = finite(name, values)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise ValueError(f"{name} has shape {array.shape}: expected two last axes of one size")
    return array
