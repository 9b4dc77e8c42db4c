"""Waves of any frequency on one digit: the share of a profile that they explain, and the best one.

A task's frequency k/q lies between the DFT bins of p points, so waves are fitted by least squares:
A cos 2πωx + B sin 2πωx + C at x = 0 … p − 1. Frequencies ω are in cycles per digit, 0 to ½; beyond
that they repeat.
"""

import numpy as np
from numpy.typing import ArrayLike

from miiii.analysis.checks import finite
from miiii.analysis.harmonics.task_harmonics import FloatArray

_PER_BIN = 16
"""Points of the search grid per DFT bin (1/p cycles per digit)."""


def fold(frequency: ArrayLike) -> FloatArray:
    """The frequency from 0 to ½ whose waves on whole numbers are the same."""
    turn = np.asarray(frequency, np.float64) % 1
    return np.minimum(turn, 1 - turn)


def wave_basis(frequencies: ArrayLike, base: int) -> FloatArray:
    """Two orthonormal functions of the digit for each frequency, without the constant.

    Phases are from the digits' midpoint, where cos is even and sin is odd, so that the two are
    orthogonal.

    Args:
        frequencies: […], cycles per digit.
        base: p.

    Returns:
        […, 2, p]; functions that are constant on the digits (both at 0, one at ½) become zero.
    """
    digit = np.arange(base) - (base - 1) / 2
    angle = 2 * np.pi * np.asarray(frequencies, np.float64)[..., None] * digit
    functions = np.stack([np.cos(angle), np.sin(angle)], axis=-2)
    functions -= functions.mean(axis=-1, keepdims=True)
    norm = np.linalg.norm(functions, axis=-1, keepdims=True)
    seen = norm > 1e-9 * np.sqrt(base)
    return np.divide(functions, norm, out=np.zeros_like(functions), where=seen)


def wave_power(profiles: FloatArray, frequencies: ArrayLike) -> FloatArray:
    """Squared norm of the least-squares wave at each of G frequencies.

    Args:
        profiles: [p, M], each with mean 0.
        frequencies: [G], cycles per digit.

    Returns:
        [G, M].
    """
    basis = wave_basis(frequencies, len(profiles))
    inner = basis.reshape(-1, len(profiles)) @ profiles
    return (inner.reshape(len(basis), 2, -1) ** 2).sum(axis=1)


def best_wave(profiles: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """The single wave that explains most of each profile.

    Frequencies below half a cycle over the digits are left out: such a wave is only a slope.

    Args:
        profiles: [p, M], functions of one digit; their means are taken off.

    Returns:
        [M] frequency in cycles per digit, 1/2p to ½, and [M] share of the profile's variance,
        0 to 1; both NaN for a profile that is zero.

    Raises:
        ValueError: there are fewer than 3 digits, or a value is not finite.
    """
    from scipy.optimize import elementwise  # 0.3 s to import

    array = finite("profiles", profiles)
    if array.ndim != 2 or len(array) < 3:
        raise ValueError(f"profiles have shape {array.shape}: expected [p, M] with p ≥ 3")
    array = array - array.mean(axis=0)
    total = (array**2).sum(axis=0)
    varies = total > 0
    array, base = array[:, varies], len(array)
    step = 1 / (_PER_BIN * base)
    grid = np.linspace(1 / (2 * base), 0.5, int((0.5 - 1 / (2 * base)) / step) + 2)
    start = grid[wave_power(array, grid).argmax(axis=0)]
    low, high = np.maximum(start - step, grid[0]), np.minimum(start + step, 0.5)
    with np.errstate(invalid="ignore"):  # a parabola through three equal values
        best = elementwise.find_minimum(
            lambda at, column: -_power_at(array[:, column], at),
            (low, start, high),
            args=(np.arange(array.shape[1]),),
        ).x
    # At an end of the grid the bracket holds no inner minimum, so the grid point may be better.
    candidates = np.stack([start, best])
    powers = np.stack([_power_at(array, at) for at in candidates])
    frequency, share = np.full(len(total), np.nan), np.full(len(total), np.nan)
    frequency[varies] = np.take_along_axis(candidates, powers.argmax(axis=0)[None], 0)[0]
    share[varies] = powers.max(axis=0) / total[varies]
    return frequency, share


def _power_at(profiles: FloatArray, frequencies: FloatArray) -> FloatArray:
    """[M]: the power of profile m at frequency m."""
    basis = wave_basis(frequencies, len(profiles))
    return (np.einsum("mcp,pm->mc", basis, profiles) ** 2).sum(axis=1)
