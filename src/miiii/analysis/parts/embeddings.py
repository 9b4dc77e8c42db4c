"""Token and positional embeddings (paper §4.4, Figures 10, 14 and 15; claims C10 and C13).

The transform is along the token axis only: each latent dimension is a signal over the digits
0 … p − 1. The answer token is no digit and is left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least, finite
from miiii.analysis.harmonics.fourier import dimensions, spectrum
from miiii.analysis.parts.significance import MULTIPLE, ROUNDING, above_threshold
from miiii.model.parameters import Parameters
from miiii.model.transformer import digit_tokens
from miiii.streams import Stream, generator


@dataclass(frozen=True)
class EmbeddingSpectrum:
    """The spectrum of the digits' embeddings, and of random matrices of the same shape."""

    base: int
    """p."""
    power: NDArray[np.float64]
    """[K, D]: per latent dimension the squared DFT coefficients of frequency k, cos and sin
    together. Sums to the squared norm of W_E,tok without the answer token."""
    row_norms: NDArray[np.float64]
    """[K]: √(Σ_D power), the norm of the embedding's part at frequency k."""
    significant: NDArray[np.bool_]
    """[K − 1]: frequencies 1 … ⌊p/2⌋ whose power per basis function is above μ + mσ over them."""
    multiple: float
    """m."""
    deviation: float
    """Standard deviation of the random matrices' normal entries."""
    random_power: NDArray[np.float64]
    """[K, D]: of the first random matrix."""
    random_row_norms: NDArray[np.float64]
    """[K]: of the first random matrix."""
    random_counts: NDArray[np.int64]
    """[R]: frequencies above the threshold in each random matrix."""
    calibrated: NDArray[np.bool_]
    """[K − 1]: frequencies 1 … ⌊p/2⌋ whose power per basis function is above that of every
    frequency of the same matrix in R renamings of its digits. Without structure, some frequency
    passes with probability 1 / (R + 1). Where most frequencies are in use, none exceeds the others
    by enough, and this counts too few."""

    @property
    def count(self) -> int:
        """The number of frequencies above the threshold."""
        return int(self.significant.sum())

    @property
    def calibrated_count(self) -> int:
        """The number of frequencies above everything that renamed digits reach."""
        return int(self.calibrated.sum())


@dataclass(frozen=True)
class PositionalEmbeddings:
    """The positions' embeddings, and the correlation of the two digits'."""

    embeddings: NDArray[np.float64]
    """[T, D]: W_E,pos of x0, x1 and the answer token, if there is one (paper Eq. 5)."""
    pearson: float
    """r of rows 0 and 1 over the D latent dimensions, −1 to 1 (Figure 10)."""


def digit_embeddings(parameters: Parameters) -> NDArray[np.float64]:
    """[p, D]: W_E,tok without the answer token.

    Where the digits have separate tokens both tables are side by side, [p, 2D]: x0's dimensions,
    then x1's.

    Raises:
        ValueError: a weight is not finite.
    """
    finite("token_embedding", parameters.token_embedding)
    return np.concatenate(np.asarray(digit_tokens(parameters), np.float64), axis=1)


def embedding_spectrum(
    embedding: ArrayLike,
    deviation: float,
    *,
    multiple: float = MULTIPLE,
    draws: int = 20,
    seed: int = 0,
) -> EmbeddingSpectrum:
    """Compute the spectrum of the digits' embeddings, and its nulls.

    Args:
        embedding: [p, D], as from `digit_embeddings`.
        deviation: the standard deviation that the embedding was initialised with
            (`model.initialise.standard_deviations`), for the random matrices.
        multiple: m of the threshold μ + mσ.
        draws: R, random matrices, and as many renamings of the digits.
        seed: of both.

    Raises:
        ValueError: the embedding is no finite matrix of at least three rows; deviation is not
            above 0; draws is below 1.
    """
    matrix = finite("embedding", embedding)
    if matrix.ndim != 2 or len(matrix) < 3:
        raise ValueError(f"embedding has shape {matrix.shape}: expected [p, width] with p ≥ 3")
    if not 0 < deviation < np.inf:
        raise ValueError(f"deviation is {deviation}: expected a finite number above 0")
    at_least("draws", draws, 1)
    drawn = generator(Stream.EMBEDDING_NULL, seed)
    base = len(matrix)
    power = spectrum(matrix, axis=0)
    random = [spectrum(drawn.normal(0, deviation, matrix.shape), axis=0) for _ in range(draws)]
    renamed = [spectrum(drawn.permutation(matrix), axis=0) for _ in range(draws)]
    limit = max(_density(each, base)[1:].max() for each in renamed)
    return EmbeddingSpectrum(
        base=base,
        power=power,
        row_norms=np.sqrt(power.sum(axis=1)),
        significant=_significant(power, base, multiple),
        multiple=float(multiple),
        deviation=float(deviation),
        random_power=random[0],
        random_row_norms=np.sqrt(random[0].sum(axis=1)),
        random_counts=np.array([_significant(drawn, base, multiple).sum() for drawn in random]),
        calibrated=_density(power, base)[1:] > limit * ROUNDING,
    )


def positional_embeddings(embeddings: ArrayLike) -> PositionalEmbeddings:
    """Correlate the embeddings of the two digit positions.

    Args:
        embeddings: [T, D], `Parameters.position_embedding`.

    Raises:
        ValueError: not two or three finite rows, or a digit's row is constant, so that r is
            undefined.
    """
    rows = finite("position_embedding", embeddings)
    if rows.ndim != 2 or len(rows) not in (2, 3):
        raise ValueError(
            f"position_embedding has shape {rows.shape}: expected [3, width], or [2, width] "
            "without an answer token"
        )
    for position, row in enumerate(rows[:2]):
        if np.ptp(row) == 0:
            raise ValueError(
                f"position_embedding of x{position} is constant: Pearson's r expects values that "
                f"differ, found {row[0]} in all {len(row)} dimensions"
            )
    first, second = rows[:2] - rows[:2].mean(axis=1, keepdims=True)
    pearson = first @ second / np.sqrt((first @ first) * (second @ second))
    return PositionalEmbeddings(rows, float(np.clip(pearson, -1, 1)))


def _density(power: NDArray[np.float64], base: int) -> NDArray[np.float64]:
    """[K]: power per basis function of each frequency."""
    return power.sum(axis=1) / dimensions(base)


def _significant(power: NDArray[np.float64], base: int, multiple: float) -> NDArray[np.bool_]:
    return above_threshold(_density(power, base)[1:], multiple)
