"""How few frequencies hold how much of a neuron's variance (paper §4.3, §4.4; claims C6 to C8).

Periodic neurons hold theirs in a few; the same values in any other order spread over all.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least, finite, share_of_one
from miiii.analysis.neurons import neuron_spectra
from miiii.analysis.permuting import Permuted, permutations


@dataclass(frozen=True)
class FrequencyNeed:
    """How many frequencies hold a given share of a neuron's variance (paper §4.4; claim C8)."""

    share: float
    """Of the variance, 0 to 1."""
    needed: NDArray[np.int64]
    """[F]: the smallest n whose n strongest frequencies hold at least `share`; 0 where silent."""
    silent: int
    """Neurons left out of the summary: they have no variance."""
    median: float
    """Over the other neurons; NaN if there are none."""
    quartiles: tuple[float, float]
    """The first and third, over the same neurons."""


@dataclass(frozen=True)
class Periodicity:
    """Share of each neuron's variance in its few strongest pairs of frequencies (Figures 6, 7)."""

    count: int
    """How many pairs."""
    permuted: Permuted
    """What the permutations permute: digits or numbers."""
    share: NDArray[np.float64]
    """[F], 0 to 1: variance in the `count` strongest pairs / variance; NaN where silent."""
    null: NDArray[np.float64]
    """[R, F]: the same after each permutation."""
    silent: int
    """Neurons without variance, which the medians leave out."""

    @property
    def median(self) -> float:
        """Over the neurons that are not silent; NaN if all are."""
        return _median(self.share)

    @property
    def null_medians(self) -> NDArray[np.float64]:
        """[R]: the median of each permutation."""
        return np.array([_median(row) for row in self.null])


def strongest_share(power: ArrayLike, count: int) -> NDArray[np.float64]:
    """Share of each neuron's variance in its `count` strongest frequencies.

    Args:
        power: [F, …]: per pair or per single frequency.
        count: how many, at least 1.

    Returns:
        [F], 0 to 1; NaN for a neuron without variance.
    """
    ranked = _ranked(power)
    total = ranked.sum(axis=1)
    held = ranked[:, : at_least("count", count, 1)].sum(axis=1)
    return np.divide(held, total, out=np.full(len(total), np.nan), where=total > 0)


def frequency_need(power: ArrayLike, share: float = 0.9) -> FrequencyNeed:
    """Count the frequencies that each neuron needs for a share of its variance.

    Args:
        power: [F, …]: `NeuronSpectra.power` counts pairs of frequencies, `.frequency_power` single
            ones.
        share: of the variance, above 0 and at most 1.
    """
    share_of_one("share", share)
    ranked = _ranked(power)
    held = ranked.cumsum(axis=1)
    total = held[:, -1]
    # Sums that meet the share but for rounding count as meeting it.
    needed = (held < (share * (1 - 1e-12)) * total[:, None]).sum(axis=1) + 1
    needed = np.where(total > 0, needed, 0)
    active = needed[total > 0]
    low, middle, high = np.quantile(active, (0.25, 0.5, 0.75)) if active.size else (np.nan,) * 3
    silent = int((total <= 0).sum())
    return FrequencyNeed(share, needed, silent, float(middle), (float(low), float(high)))


def periodicity(
    grids: ArrayLike,
    count: int = 5,
    *,
    draws: int = 5,
    seed: int = 0,
    permuted: Permuted = "digits",
) -> Periodicity:
    """Measure how few pairs of frequencies hold how much of the neurons' variance.

    Args:
        grids: [F, x1, x0].
        count: strongest pairs to take per neuron.
        draws: R, permutations, each the same for all neurons.
        seed: of the permutations.
        permuted: what they permute (`permuting.permutations`).

    Raises:
        ValueError: grids have another shape or are not finite; count or draws is below 1.
    """
    array = np.asarray(grids)
    spectra = neuron_spectra(array)
    share = strongest_share(spectra.power, count)
    orders = permutations(spectra.base, draws, seed, permuted)
    null = [strongest_share(neuron_spectra(array, order).power, count) for order in orders]
    return Periodicity(count, permuted, share, np.stack(null), int(spectra.silent.sum()))


def _median(shares: NDArray[np.float64]) -> float:
    usable = shares[~np.isnan(shares)]
    return float(np.median(usable)) if usable.size else float("nan")


def _ranked(power: ArrayLike) -> NDArray[np.float64]:
    array = finite("power", power)
    if array.ndim < 2:
        raise ValueError(f"power has shape {array.shape}: expected [neurons, frequencies …]")
    return -np.sort(-array.reshape(len(array), -1), axis=1)
