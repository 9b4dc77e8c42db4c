"""The calibrated count as its definition has it: every permuted spectrum is taken anew."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.harmonics.fourier import pair_dimensions
from miiii.analysis.parts.neurons import MeanSpectrum, mean_spectrum
from miiii.analysis.parts.significance import (
    MULTIPLE,
    ROUNDING,
    frequency_density,
    pair_density,
    significant_frequencies,
    significant_pairs,
)
from miiii.analysis.permuting import Permuted, permutations


@dataclass(frozen=True)
class Significance:
    """Which frequencies stand out, by the rule and against permuted inputs."""

    spectrum: MeanSpectrum
    """All neurons' mean spectrum that was judged."""
    multiple: float
    """m of ω > μ + mσ."""
    permuted: Permuted
    """What the permutations permute."""
    pairs: NDArray[np.bool_]
    """[K, K]: pairs (k1, k0) with ω > μ + mσ over all pairs but (0, 0)."""
    frequencies: NDArray[np.bool_]
    """[K − 1]: the same rule over the single frequencies 1 … ⌊p/2⌋."""
    null_pair_counts: NDArray[np.int64]
    """[R]: how many pairs the rule finds after each permutation."""
    null_frequency_counts: NDArray[np.int64]
    """[R]: the same for single frequencies."""
    calibrated_pairs: NDArray[np.bool_]
    """[K, K]: pairs whose ω is above that of every pair in every permutation; where digits are
    permuted, ω as a multiple of its mean over the pairs of its kind (on x0 alone, x1 alone, both).
    Were the inputs' order without meaning, any would get there with probability 1 / (R + 1)."""
    calibrated_frequencies: NDArray[np.bool_]
    """[K − 1]: single frequencies whose ω is above that of every one in every permutation."""

    @property
    def pair_count(self) -> int:
        """Pairs above the threshold."""
        return int(self.pairs.sum())

    @property
    def frequency_count(self) -> int:
        """Single frequencies above the threshold: the paper's count."""
        return int(self.frequencies.sum())

    @property
    def calibrated_pair_count(self) -> int:
        """Pairs above everything that the permutations reached."""
        return int(self.calibrated_pairs.sum())

    @property
    def calibrated_frequency_count(self) -> int:
        """Single frequencies above everything that the permutations reached."""
        return int(self.calibrated_frequencies.sum())


def significance(
    grids: ArrayLike,
    multiple: float = MULTIPLE,
    *,
    draws: int = 20,
    seed: int = 0,
    permuted: Permuted = "digits",
) -> Significance:
    """Judge the neurons' mean spectrum by the rule, and the rule by permuted inputs.

    Args:
        grids: [F, x1, x0], all neurons.
        multiple: m of ω > μ + mσ.
        draws: R, permutations, each the same for all neurons.
        seed: of the permutations.
        permuted: what they permute.

    Raises:
        ValueError: grids have another shape or are not finite; draws is below 1.
    """
    array = np.asarray(grids)
    spectrum = mean_spectrum(array)
    orders = permutations(spectrum.base, draws, seed, permuted)
    null = [mean_spectrum(array, order) for order in orders]
    # Renaming digits leaves each kind of pair its power, so pairs are judged within their kind.
    scale = _mean_of_kind(spectrum) if permuted == "digits" else np.ones_like(spectrum.power)
    pair_limit = max((pair_density(drawn) / scale).max() for drawn in null)
    frequency_limit = max(frequency_density(drawn).max() for drawn in null)
    return Significance(
        spectrum=spectrum,
        multiple=float(multiple),
        permuted=permuted,
        pairs=significant_pairs(spectrum, multiple),
        frequencies=significant_frequencies(spectrum, multiple),
        null_pair_counts=np.array([significant_pairs(drawn, multiple).sum() for drawn in null]),
        null_frequency_counts=np.array(
            [significant_frequencies(drawn, multiple).sum() for drawn in null]
        ),
        calibrated_pairs=pair_density(spectrum) / scale > pair_limit * ROUNDING,
        calibrated_frequencies=frequency_density(spectrum) > frequency_limit * ROUNDING,
    )


def _mean_of_kind(spectrum: MeanSpectrum) -> NDArray[np.float64]:
    """[K, K]: mean ω of the pair's kind: on x0 alone, on x1 alone, or on both digits."""
    power, sizes = spectrum.power, pair_dimensions(spectrum.base)
    scale = np.empty_like(power)
    for kind in ((slice(1), slice(1, None)), (slice(1, None), slice(1)), (slice(1, None),) * 2):
        scale[kind] = power[kind].sum() / sizes[kind].sum()
    # A kind that has nothing but rounding is not to be blown up; the constant has no power at all.
    scale[0, 0] = 1
    least = 1e-9 * power.sum() / sizes.sum()
    return np.maximum(scale, least) if least > 0 else np.ones_like(scale)
