"""Gradient norms of every weight through training (paper §4.3, Figure 9; claim C15)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import median_filter

from miiii.analysis.checks import finite, share_of_one
from miiii.analysis.parts.log_columns import Strip, ascending, strip


@dataclass(frozen=True)
class GradientNorms:
    """Norms as a share of each weight's peak, and the epochs from which they stay small."""

    names: tuple[str, ...]
    """[W]: the weights."""
    epoch: NDArray[np.int64]
    """[E], ascending."""
    window: int
    """Epochs of the centred running median, taken first; 1: none."""
    share: NDArray[np.float64]
    """[E, W], 0 to 1: L2 norm / its peak; 0 throughout for a weight without gradient."""
    peak: NDArray[np.float64]
    """[W]: the largest norm (of the running median)."""
    rest: float
    """The share of the peak below which a norm counts as at rest."""
    settled: tuple[int | None, ...]
    """[W]: the first epoch from which the share stays below `rest` to the end; None if it is not
    below at the last epoch."""

    def strip(self, most: int = 48) -> Strip:
        """The shares gathered into log-spaced columns of epochs, at most `most` of them."""
        return strip(self.epoch, self.share, self.names, most=most)


def gradient_norms(
    epoch: ArrayLike,
    norms: ArrayLike,
    names: Sequence[str],
    *,
    rest: float = 0.1,
    window: int = 1,
) -> GradientNorms:
    """Put the recorded norms on one scale.

    Args:
        epoch: [E], ascending.
        norms: [E, W], L2, before the gradient filter (`History.gradient_norm`).
        names: [W].
        rest: share of the peak that counts as at rest, above 0 and at most 1.
        window: odd number of epochs for a running median, against single spikes; at the ends the
            last value is repeated.

    Raises:
        ValueError: shapes do not match, there is no epoch, a norm is negative or not finite, epochs
            do not ascend, or the window is not odd.
    """
    values = finite("gradient norms", norms)
    epochs = ascending(epoch)
    if values.shape != (len(epochs), len(names)):
        raise ValueError(
            f"gradient norms have shape {values.shape}: expected "
            f"[epochs, weights] = ({epochs.size}, {len(names)})"
        )
    if values.min() < 0:
        raise ValueError(f"gradient norms must be at least 0: found {values.min()}")
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window is {window}: expected an odd number of epochs, at least 1")
    share_of_one("rest", rest)
    if window > 1:
        values = median_filter(values, size=(window, 1), mode="nearest")
    peak = values.max(axis=0)
    share = np.divide(values, peak, out=np.zeros_like(values), where=peak > 0)
    return GradientNorms(
        names=tuple(names),
        epoch=epochs,
        window=window,
        share=share,
        peak=peak,
        rest=float(rest),
        settled=tuple(_settled(epochs, column < rest) for column in share.T),
    )


def _settled(epochs: NDArray[np.int64], below: NDArray[np.bool_]) -> int | None:
    """The first epoch of the unbroken stretch at the end; None if there is none."""
    if not below[-1]:
        return None
    above = np.flatnonzero(~below)
    return int(epochs[above[-1] + 1 if above.size else 0])
