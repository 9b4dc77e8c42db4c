"""A function of n as a function of x0, plus one of x1, plus an interaction of both digits.

The three parts are orthogonal on the whole grid, so their variances add up. A neuron before its
ReLU has no interaction if the heads' attention weights are constant.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.harmonics.task_harmonics import FloatArray, as_columns

_CONSTANT = 1e-6
"""A part whose standard deviation is at most this share of the function's largest absolute value
counts as zero: it is rounding in float32."""


@dataclass(frozen=True)
class DigitSplit:
    """M functions of n, split by digit."""

    base: int
    """p."""
    mean: FloatArray
    """[M], over the p² numbers."""
    digits: FloatArray
    """[2, p, M]: the mean over the other digit for every value of x0, and of x1, without the
    overall mean."""
    interaction: FloatArray
    """[p², M]: the function minus its mean and both digits' parts."""
    variance: FloatArray
    """[M]: of the whole function, over the p² numbers; 0 where silent."""
    silent: NDArray[np.bool_]
    """[M]: functions that are constant, up to rounding."""
    additive: NDArray[np.bool_]
    """[M]: functions without interaction, up to rounding; silent ones included."""

    @property
    def digit_share(self) -> FloatArray:
        """[M, 2]: share of the variance in the part of x0, and of x1; NaN where silent."""
        return share_of(self.base * (self.digits**2).sum(axis=1).T, self.total[:, None])

    @property
    def total(self) -> FloatArray:
        """[M]: squared norm of the function without its mean, p² times its variance."""
        return self.variance * self.base**2


def split_digits(values: ArrayLike, base: int) -> DigitSplit:
    """Split functions of n by digit.

    Args:
        values: [p², M] in the canonical order; further axes count as more functions.
        base: p.

    Raises:
        ValueError: there are not p² rows, or a value is not finite.
    """
    flat, _ = as_columns(values, base)
    peak = np.maximum(flat.max(axis=0), -flat.min(axis=0))
    mean = flat.mean(axis=0)
    grid = (flat - mean).reshape(base, base, -1)
    variance = np.einsum("abm,abm->m", grid, grid) / base**2
    silent = np.sqrt(variance) <= _CONSTANT * peak
    digits = np.stack([grid.mean(axis=0), grid.mean(axis=1)])
    grid -= digits[0][None]
    grid -= digits[1][:, None]
    left = np.einsum("abm,abm->m", grid, grid) / base**2
    return DigitSplit(
        base=base,
        mean=mean,
        digits=digits,
        interaction=grid.reshape(len(flat), -1),
        variance=np.where(silent, 0, variance),
        silent=silent,
        additive=silent | (np.sqrt(left) <= _CONSTANT * peak),
    )


def share_of(power: FloatArray, total: FloatArray) -> FloatArray:
    """Power / total, NaN where the total is not above 0."""
    power, total = np.broadcast_arrays(power, total)
    return np.divide(power, total, out=np.full(power.shape, np.nan), where=total > 0)
