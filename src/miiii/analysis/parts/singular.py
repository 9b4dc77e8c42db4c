"""Singular values and vectors of the token embedding (paper §4.4, Figures 11–13; C11 and C12).

M = U Σ Vᵀ with M = W_E,tok without the answer token: the left vectors are signals over the digits.
A component's variance is σ².
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least, finite, share_of_one
from miiii.analysis.harmonics.fourier import spectrum
from miiii.streams import Stream, generator


@dataclass(frozen=True)
class SingularSpectrum:
    """The embedding's C = min(p, D) components, strongest first."""

    base: int
    """p."""
    centred: bool
    """Whether the mean over the digits was subtracted from each latent dimension first."""
    values: NDArray[np.float64]
    """[C]: σ, descending."""
    left: NDArray[np.float64]
    """[C, p]: row c is the left vector of σ_c, a unit vector over the digits; its largest entry by
    size is positive (an SVD leaves the sign open)."""
    variance_share: NDArray[np.float64]
    """[C]: σ² / Σσ²."""
    frequency: NDArray[np.int64]
    """[C]: the frequency k ≥ 1 with most of the left vector's power, cycles per p digits."""
    frequency_share: NDArray[np.float64]
    """[C], 0 to 1: that frequency's power (cos and sin) / the vector's power, its mean included."""
    random_share: NDArray[np.float64]
    """[R]: the same share for unit vectors of random direction."""
    random_values: NDArray[np.float64]
    """[C]: σ of a matrix of this shape with independent normal entries, scaled to the same Σσ²."""

    def components_for(self, share: float) -> int:
        """The smallest number of leading components with at least that share of Σσ².

        Raises:
            ValueError: the share is not above 0 and at most 1.
        """
        share_of_one("share", share)
        # A sum that is below the share only by rounding counts as reaching it.
        held = np.cumsum(self.variance_share)
        return int((held < share * (1 - 1e-12) * held[-1]).sum()) + 1

    @property
    def half(self) -> int:
        """Components for 50 % of the variance."""
        return self.components_for(0.5)

    @property
    def nine_tenths(self) -> int:
        """Components for 90 % of the variance."""
        return self.components_for(0.9)


def strongest_frequency(vectors: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Each vector's frequency with the most power, and its share of the vector's power.

    Args:
        vectors: […, p], p ≥ 2, none of them zero.

    Returns:
        […] frequency 1 … ⌊p/2⌋ and […] share, 0 to 1. A constant vector has share 0.

    Raises:
        ValueError: a vector is zero, not finite, or shorter than 2.
    """
    power = spectrum(finite("vectors", vectors))
    if power.shape[-1] < 2:
        raise ValueError(f"vectors have shape {np.shape(vectors)}: expected at least 2 points")
    total = power.sum(axis=-1)
    if not (total > 0).all():
        raise ValueError("vectors must not be zero: expected power above 0, found 0")
    return power[..., 1:].argmax(axis=-1) + 1, power[..., 1:].max(axis=-1) / total


def singular_spectrum(
    embedding: ArrayLike, *, centred: bool = False, draws: int = 1000, seed: int = 0
) -> SingularSpectrum:
    """Decompose the digits' embeddings.

    Args:
        embedding: [p, D], as from `embeddings.digit_embeddings`.
        centred: whether to subtract the mean over the digits first. The paper does not.
        draws: R, random vectors for `random_share`.
        seed: of the random vectors and of the random matrix.

    Raises:
        ValueError: the embedding is no finite matrix of at least three rows, or is zero; draws is
            below 1.
    """
    matrix = finite("embedding", embedding)
    if matrix.ndim != 2 or len(matrix) < 3:
        raise ValueError(f"embedding has shape {matrix.shape}: expected [p, width] with p ≥ 3")
    at_least("draws", draws, 1)
    if centred:
        matrix = matrix - matrix.mean(axis=0)
    left, values, _ = np.linalg.svd(matrix, full_matrices=False)
    if not values[0] > 0:
        raise ValueError("embedding is zero: expected at least one singular value above 0")
    left = left.T
    largest = np.abs(left).argmax(axis=1)
    left = left * np.sign(left[np.arange(len(left)), largest])[:, None]
    frequency, share = strongest_frequency(left)
    drawn = generator(Stream.SINGULAR_NULL, seed)
    random = drawn.normal(size=(draws, len(matrix)))
    structureless = drawn.normal(size=matrix.shape)
    if centred:
        structureless = structureless - structureless.mean(axis=0)
    scale = np.linalg.norm(values) / np.linalg.norm(structureless)
    return SingularSpectrum(
        base=len(matrix),
        centred=centred,
        values=values,
        left=left,
        variance_share=values**2 / (values**2).sum(),
        frequency=frequency,
        frequency_share=share,
        random_share=strongest_frequency(random)[1],
        random_values=scale * np.linalg.svd(structureless, compute_uv=False),
    )
