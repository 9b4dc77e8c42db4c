"""The calibrated count of single frequencies: those above all that renamed digits reach (C9, C17).

Renaming the digits and taking all neurons' 2D spectra again would cost F p³ per draw. For single
frequencies p³ is enough, and the counts are the same. With G_f[x1, x0] the centred activations of
neuron f, b the basis functions of frequency k, and P[k1, k0] the power of a pair,

    P_k = P[k, 0] + P[0, k] + ½ Σ_{j ≥ 1} (P[k, j] + P[j, k])

sums over all frequencies of the other digit. That sum is the same in any orthonormal basis
(Parseval), hence under any renaming of the other digit, and

    P[k, 0] + ½ Σ_{j ≥ 1} P[k, j] = ½ (P[k, 0] + Σ_{j ≥ 0} P[k, j]) = Σ_{b of k} bᵀ M b,
    M = ½ Σ_f (G_f G_fᵀ + G_f 1 1ᵀ G_fᵀ / p) / (F p²),

likewise for the other digit. Renaming a digit permutes the rows and columns of its p×p matrix M.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.harmonics.fourier import (
    basis_frequencies,
    fourier_basis,
    pair_dimensions,
    power_by_frequency,
)
from miiii.analysis.parts.neurons import (
    Layer,
    MeanSpectrum,
    centred_chunks,
    checked_grids,
    mean_spectrum,
)
from miiii.analysis.parts.significance import (
    MULTIPLE,
    ROUNDING,
    above_threshold,
    frequency_density,
)
from miiii.analysis.permuting import permutations
from miiii.analysis.recording import record, to_grid
from miiii.model.parameters import Parameters

DRAWS = 199
"""Renamings: without structure, some frequency passes with probability 1 / 200."""

_BATCH = 32
"""Renamings in memory at a time, p² float64 each."""


@dataclass(frozen=True)
class CalibratedSpectrum:
    """All neurons' mean spectrum, and its single frequencies compared with renamed digits."""

    spectrum: MeanSpectrum
    """Of the activations as they are."""
    multiple: float
    """m of the rule ω > μ + mσ (`significance`)."""
    frequencies: NDArray[np.bool_]
    """[K − 1]: frequencies whose ω is above that of every frequency in every renaming."""
    null_counts: NDArray[np.int64]
    """[R]: how many frequencies the rule finds after each renaming."""

    @property
    def count(self) -> int:
        """The number of frequencies above everything that the renamings reach."""
        return int(self.frequencies.sum())


def calibrated_spectrum(
    grids: ArrayLike, multiple: float = MULTIPLE, *, draws: int = DRAWS, seed: int = 0
) -> CalibratedSpectrum:
    """Compare the single frequencies of the neurons' mean spectrum with renamed digits.

    Args:
        grids: [F, x1, x0], all neurons.
        multiple: m of the rule ω > μ + mσ.
        draws: R, renamings, each the same for all neurons.
        seed: of the renamings (`permuting.permutations`).

    Raises:
        ValueError: grids have another shape or are not finite; draws is below 1.
    """
    array = np.asarray(grids)
    spectrum = mean_spectrum(array)
    orders = permutations(spectrum.base, draws, seed).reshape(draws, spectrum.base, spectrum.base)
    over_x0, over_x1 = digit_moments(array)
    power = _renamed_power(over_x0, orders[:, 0] % spectrum.base)
    power += _renamed_power(over_x1, orders[:, :, 0] // spectrum.base)
    null = power / power_by_frequency(pair_dimensions(spectrum.base))
    return CalibratedSpectrum(
        spectrum=spectrum,
        multiple=float(multiple),
        frequencies=frequency_density(spectrum) > null.max() * ROUNDING,
        null_counts=np.array([above_threshold(drawn, multiple).sum() for drawn in null]),
    )


def model_calibrated_spectrum(
    parameters: Parameters,
    layer: Layer = "mlp_hidden",
    multiple: float = MULTIPLE,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> CalibratedSpectrum:
    """`calibrated_spectrum` of a model's neurons, after the ReLU or after W_out."""
    grids = to_grid(record(parameters, layer)[layer], parameters.base)
    return calibrated_spectrum(grids, multiple, draws=draws, seed=seed)


def digit_moments(grids: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The matrix M of each digit, computed with a few neurons in memory at a time.

    Args:
        grids: [F, x1, x0].

    Returns:
        [x0, x0] and [x1, x1], activation² units.

    Raises:
        ValueError: grids have another shape or values that are not finite.
    """
    array = checked_grids(grids)
    neurons, size = array.shape[0], array.shape[-1]
    over_x0, over_x1 = np.zeros((size, size)), np.zeros((size, size))
    for chunk in centred_chunks(array):
        # One large product per digit: with many small ones a BLAS's threads wait for each other.
        along_x0, along_x1 = chunk.reshape(-1, size), chunk.swapaxes(0, 1).reshape(size, -1)
        over_x0 += along_x0.T @ along_x0
        over_x1 += along_x1 @ along_x1.T
        for moment, other in ((over_x0, 1), (over_x1, 2)):
            sums = chunk.sum(axis=other)
            moment += sums.T @ sums / size
    scale = 2 * neurons * size**2
    return over_x0 / scale, over_x1 / scale


def _renamed_power(moment: NDArray[np.float64], names: NDArray[np.int64]) -> NDArray[np.float64]:
    """One digit's contribution to the power of single frequencies after each renaming.

    Args:
        moment: [p, p], of that digit.
        names: [R, p]; place x shows digit names[x].

    Returns:
        [R, K − 1].
    """
    size = len(moment)
    # Row k of the basis over renamed digits is column argsort(names) of the basis.
    places = np.argsort(names, axis=1)
    starts = np.flatnonzero(np.diff(basis_frequencies(size)))
    power = np.empty((len(names), size // 2))
    for start in range(0, len(names), _BATCH):
        basis = fourier_basis(size)[1:, places[start : start + _BATCH]].swapaxes(0, 1)
        forms = ((basis @ moment) * basis).sum(axis=-1)
        power[start : start + _BATCH] = np.add.reduceat(forms, starts, axis=1)
    return power
