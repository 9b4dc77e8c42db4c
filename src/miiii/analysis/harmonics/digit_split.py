"""A function of n as a function of x0, plus one of x1, plus what needs both digits.

The three parts are orthogonal on the whole grid, so their variances add up. A neuron before its
ReLU is the sum of the first two as soon as the heads attend to fixed positions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.harmonics.task_harmonics import FloatArray, as_columns

_CONSTANT = 1e-6
"""A part whose standard deviation is no more than this share of the function's largest value is
rounding in float32."""


@dataclass(frozen=True)
class DigitSplit:
    """M functions of n, taken apart by digit."""

    base: int
    """p."""
    mean: FloatArray
    """[M], over the p² numbers."""
    digits: FloatArray
    """[2, p, M]: the mean over the other digit for every value of x0, and of x1, without the
    overall mean."""
    interaction: FloatArray
    """[p², M]: what is left."""
    variance: FloatArray
    """[M]: of the whole, mean square over the numbers; 0 where silent."""
    silent: NDArray[np.bool_]
    """[M]: functions that are constant, up to rounding."""
    additive: NDArray[np.bool_]
    """[M]: functions whose interaction is none, up to rounding; silent ones among them."""

    @property
    def digit_share(self) -> FloatArray:
        """[M, 2]: share of the variance that x0 alone, and x1 alone, explain; NaN where silent."""
        return share_of(self.base * (self.digits**2).sum(axis=1).T, self.total[:, None])

    @property
    def interaction_share(self) -> FloatArray:
        """[M]: share of the variance that needs both digits; NaN where silent."""
        return share_of((self.interaction**2).sum(axis=0), self.total)

    @property
    def total(self) -> FloatArray:
        """[M]: squared norm of the function without its mean, p² times its variance."""
        return self.variance * self.base**2


def split_digits(values: ArrayLike, base: int) -> DigitSplit:
    """Take functions of n apart by digit.

    Args:
        values: [p², M] in the canonical order; further axes are read as more functions.
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
    """Power / total, NaN where there is nothing to share."""
    power, total = np.broadcast_arrays(power, total)
    return np.divide(power, total, out=np.full(power.shape, np.nan), where=total > 0)
