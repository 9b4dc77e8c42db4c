"""The Gini coefficient, a measure of inequality."""

import numpy as np
from numpy.typing import ArrayLike

from miiii.analysis.checks import finite
from miiii.analysis.harmonics.task_harmonics import FloatArray


def gini(amounts: ArrayLike, axis: int = -1) -> FloatArray:
    """Σ_i (2i − n − 1) x_i / (n Σ x) with x sorted ascending, i = 1 … n.

    0 for n equal amounts, (n − 1) / n where only one is above 0. Nanda et al. (2023) use it for the
    sparsity of the embedding's frequencies.

    Args:
        amounts: at least 0, n of them along the axis.
        axis: which.

    Returns:
        The shape without that axis, 0 to 1; NaN where all amounts are 0.

    Raises:
        ValueError: an amount is negative or not finite, or there are none.
    """
    array = np.moveaxis(np.atleast_1d(finite("amounts", amounts)), axis, -1)
    if (array < 0).any():
        raise ValueError(f"amounts must be at least 0: found {array.min():g}")
    ranked = np.sort(array, axis=-1)
    count = ranked.shape[-1]
    total = ranked.sum(axis=-1)
    weighted = ranked @ (2 * np.arange(1, count + 1) - count - 1.0)
    empty = np.full(total.shape, np.nan)
    return np.divide(weighted, count * total, out=empty, where=total > 0)
