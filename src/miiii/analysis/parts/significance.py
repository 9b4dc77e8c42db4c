"""The frequencies that stand out of a spectrum (paper §4.3, Figure 8; claims C9 and C17).

The paper's rule is ω > μ + 2σ. Here ω is the power per basis function, so that a signal without
structure has the same expected ω at every frequency (a pair has one to four basis functions, see
`fourier.pair_dimensions`). μ and σ are over all frequencies without the constant. `calibration`
applies the rule to the same activations with renamed digits.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import finite
from miiii.analysis.harmonics.fourier import pair_dimensions, power_by_frequency
from miiii.analysis.parts.neurons import MeanSpectrum

MULTIPLE = 2.0
"""m of the threshold μ + mσ (paper §4.3)."""

ROUNDING = 1 + 1e-9
"""Factor on a null's maximum: a permutation that changes nothing differs by rounding only, which
must not count as exceeding it."""


def threshold(values: ArrayLike, multiple: float = MULTIPLE) -> float:
    """μ + mσ of the values, σ being the root mean square distance from μ."""
    array = finite("values", values)
    return float(array.mean() + multiple * array.std())


def above_threshold(values: ArrayLike, multiple: float = MULTIPLE) -> NDArray[np.bool_]:
    """Which values lie above their own μ + mσ; equal values never do.

    Raises:
        ValueError: a value, or the multiple, is not finite.
    """
    array = finite("values", values)
    limit = threshold(array, float(finite("multiple", multiple)))
    # The mean of equal values may be below them by rounding.
    return array > limit + 1e-12 * np.abs(array).max()


def pair_density(spectrum: MeanSpectrum) -> NDArray[np.float64]:
    """ω of every pair: its power per basis function, [K, K]."""
    return spectrum.power / pair_dimensions(spectrum.base)


def frequency_density(spectrum: MeanSpectrum) -> NDArray[np.float64]:
    """ω of every single frequency 1 … ⌊p/2⌋: its power per basis function, [K − 1]."""
    shares = power_by_frequency(pair_dimensions(spectrum.base))
    return spectrum.frequency_power / shares


def significant_pairs(spectrum: MeanSpectrum, multiple: float = MULTIPLE) -> NDArray[np.bool_]:
    """The pairs (k1, k0) above the threshold, [K, K]; (0, 0) is left out of μ and σ too."""
    mask = np.zeros(spectrum.power.size, np.bool_)
    mask[1:] = above_threshold(pair_density(spectrum).ravel()[1:], multiple)
    return mask.reshape(spectrum.power.shape)


def significant_frequencies(
    spectrum: MeanSpectrum, multiple: float = MULTIPLE
) -> NDArray[np.bool_]:
    """The single frequencies above the threshold, [K − 1]."""
    return above_threshold(frequency_density(spectrum), multiple)
