"""The MLP's neurons as functions of the two digits, and their spectra (paper §4.3, Figures 6–8).

Every transform is over the whole p×p grid, of each neuron minus its mean over all p² numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import finite
from miiii.analysis.harmonics.fourier import power_by_frequency, spectrum_2d
from miiii.analysis.recording import record, to_grid
from miiii.model.parameters import Parameters

Layer = Literal["mlp_hidden", "mlp_output"]

_CHUNK = 64
_CONSTANT = 1e-6
"""A neuron whose standard deviation is at most this share of its largest absolute value counts as
constant: it is rounding in float32."""


@dataclass(frozen=True)
class NeuronGrids:
    """Each neuron's activation on each number, in the model's precision, dropout off."""

    base: int
    """p."""
    hidden: NDArray[np.floating]
    """[F, x1, x0]: after the ReLU, ReLU(x W_in) of paper Eq. 7."""
    output: NDArray[np.floating]
    """[D, x1, x0]: after W_out, as in Figures 6 and 7."""


@dataclass(frozen=True)
class NeuronSpectra:
    """Each neuron's variance on the pairs of frequencies."""

    base: int
    """p."""
    power: NDArray[np.float64]
    """[F, K, K]: variance of neuron f on (k1, k0), its centred 2D power / p². Sums over the pairs
    to `variance`; entry (0, 0) is 0. Activation² units."""
    variance: NDArray[np.float64]
    """[F]: mean over the p² numbers of (activation − mean)²."""
    silent: NDArray[np.bool_]
    """[F]: neurons that are constant over the numbers, such as a ReLU that is always off."""

    @property
    def frequency_power(self) -> NDArray[np.float64]:
        """[F, K − 1]: variance per single frequency 1 … K − 1, see `power_by_frequency`."""
        return power_by_frequency(self.power)


@dataclass(frozen=True)
class MeanSpectrum:
    """The mean spectrum of all neurons, as followed through training (Figure 8)."""

    base: int
    """p."""
    neurons: int
    """F, silent ones included."""
    power: NDArray[np.float64]
    """[K, K]: mean over neurons of `NeuronSpectra.power`; sums to a neuron's mean variance."""

    @property
    def frequencies(self) -> NDArray[np.int64]:
        """[K − 1]: 1 … ⌊p/2⌋, cycles per p digits."""
        return np.arange(1, len(self.power))

    @property
    def frequency_power(self) -> NDArray[np.float64]:
        """[K − 1]: variance per single frequency, see `power_by_frequency`."""
        return power_by_frequency(self.power)


def neuron_grids(parameters: Parameters) -> NeuronGrids:
    """Record the last block's MLP at the last position on all p² numbers.

    Raises:
        ValueError: an activation is not finite.
    """
    base = parameters.base
    recorded = record(parameters, "mlp_hidden", "mlp_output")
    return NeuronGrids(
        base, to_grid(recorded["mlp_hidden"], base), to_grid(recorded["mlp_output"], base)
    )


def neuron_spectra(grids: ArrayLike, order: NDArray[np.integer] | None = None) -> NeuronSpectra:
    """Take every neuron's 2D spectrum.

    Args:
        grids: [F, x1, x0].
        order: [p²], a permutation of the numbers to apply first, the same for all neurons.

    Raises:
        ValueError: grids have another shape or values that are not finite.
    """
    array = checked_grids(grids)
    size = array.shape[-1]
    power, variance = [], []
    for chunk in centred_chunks(array, order):
        power.append(spectrum_2d(chunk, centred=True) / size**2)
        variance.append((chunk**2).mean(axis=(1, 2)))
    variances = np.concatenate(variance)
    return NeuronSpectra(size, np.concatenate(power), variances, variances == 0)


def mean_spectrum(grids: ArrayLike, order: NDArray[np.integer] | None = None) -> MeanSpectrum:
    """The mean of all neurons' spectra, a few neurons in memory at a time.

    Args:
        grids: [F, x1, x0].
        order: as in `neuron_spectra`.

    Raises:
        ValueError: grids have another shape or values that are not finite.
    """
    array = checked_grids(grids)
    neurons, size = array.shape[0], array.shape[-1]
    total = np.zeros((size // 2 + 1,) * 2)
    for chunk in centred_chunks(array, order):
        total += spectrum_2d(chunk, centred=True).sum(axis=0)
    return MeanSpectrum(size, neurons, total / (neurons * size**2))


def model_spectrum(parameters: Parameters, layer: Layer = "mlp_hidden") -> MeanSpectrum:
    """`mean_spectrum` of a model's neurons, after the ReLU or after W_out."""
    return mean_spectrum(to_grid(record(parameters, layer)[layer], parameters.base))


def checked_grids(grids: ArrayLike) -> NDArray[np.floating]:
    """The grids as an array [F, x1, x0].

    Raises:
        ValueError: they have another shape or values that are not finite.
    """
    array = finite("grids", grids, None)
    if array.ndim != 3 or array.shape[1] != array.shape[2]:
        raise ValueError(f"grids have shape {array.shape}: expected [neurons, p, p]")
    return array


def centred_chunks(
    grids: NDArray[np.floating], order: NDArray[np.integer] | None = None
) -> Iterator[NDArray[np.float64]]:
    """A few neurons at a time, each minus its mean; constant ones are exactly zero.

    Args:
        grids: [F, x1, x0].
        order: as in `neuron_spectra`.

    Returns:
        An iterator of [at most 64, x1, x0], together all F in order.
    """
    if order is not None and not np.array_equal(np.sort(order), np.arange(grids[0].size)):
        raise ValueError(
            f"order has shape {np.shape(order)}: expected a permutation of p² = {grids[0].size}"
        )
    for start in range(0, len(grids), _CHUNK):
        chunk = grids[start : start + _CHUNK].astype(np.float64)
        if order is not None:
            chunk = chunk.reshape(len(chunk), -1)[:, order].reshape(chunk.shape)
        peak = np.abs(chunk).max(axis=(1, 2))
        chunk -= chunk.mean(axis=(1, 2), keepdims=True)
        chunk[np.sqrt((chunk**2).mean(axis=(1, 2))) <= _CONSTANT * peak] = 0
        yield chunk
