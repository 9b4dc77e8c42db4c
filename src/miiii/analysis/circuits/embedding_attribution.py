"""The tasks' frequencies in the digits' embeddings: regression on waves k/q over the digits.

The frequencies k/q of a task lie between the DFT bins of p digits, so each latent dimension is
fitted by least squares. Multiplying by p only reorders the k, so the set is the same for x0 (k/q)
and for x1 (pk/q). p digits resolve ⌊p/2⌋ frequencies, and the waves of a single large q span most
functions of a digit. So each share is compared with that of randomly renamed digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least, finite, share_of_one
from miiii.analysis.harmonics.digit_waves import wave_basis, wave_power
from miiii.analysis.harmonics.task_harmonics import FloatArray, as_table, check_modulus
from miiii.streams import Stream, generator


@dataclass(frozen=True)
class EmbeddingAttribution:
    """Shares of the embedding's variance over the digits, all latent dimensions together."""

    base: int
    """p."""
    moduli: tuple[int, ...]
    """[N]: the tasks."""
    share: FloatArray
    """[N]: share that all of a task's waves together explain."""
    dimension: NDArray[np.int64]
    """[N]: dimension of their span; the share by chance is dimension / (p − 1)."""
    share_null: FloatArray
    """[R, N]: `share` with the digits renamed."""
    harmonic_share: tuple[FloatArray, ...]
    """[N] of [⌊q/2⌋]: share that the single wave k/q explains, k from 1."""
    threshold: float
    """The 1 − level quantile, over renamings, of the largest share of any wave of any task."""
    level: float
    """Chance that renamed digits have any wave above `threshold`."""

    @property
    def active(self) -> tuple[NDArray[np.bool_], ...]:
        """[N] of [⌊q/2⌋]: waves whose share is above `threshold`."""
        return tuple(shares > self.threshold for shares in self.harmonic_share)

    @property
    def beyond_chance(self) -> FloatArray:
        """[N]: (share − c) / (1 − c), c being the mean of `share_null`; 0 where c is 1."""
        chance = self.share_null.mean(axis=0)
        room = 1 - chance
        gain = self.share - chance
        return np.divide(gain, room, out=np.zeros_like(gain), where=room > 1e-9)

    @property
    def harmonic_table(self) -> FloatArray:
        """[N, largest ⌊q/2⌋]: `harmonic_share`, padded with 0."""
        return as_table(self.harmonic_share)


def attribute_embedding(
    embedding: ArrayLike,
    moduli: Sequence[int],
    *,
    level: float = 0.05,
    draws: int = 199,
    seed: int = 0,
) -> EmbeddingAttribution:
    """Regress the digits' embeddings on each task's waves.

    Args:
        embedding: [p, D], a row per digit (`embeddings.digit_embeddings`).
        moduli: of the tasks.
        level: chance of a wave above the threshold where digits have no order, 0 to 1.
        draws: R, renamings of the digits.
        seed: of the renamings.

    Raises:
        ValueError: a value is not finite, all rows are the same, moduli are missing or not
            possible, or draws is below 1.
    """
    array = finite("embedding", embedding)
    share_of_one("level", level)
    at_least("draws", draws, 1)
    if array.ndim != 2 or len(array) < 3 or not moduli:
        raise ValueError(
            f"embedding has shape {array.shape} and there are {len(moduli)} moduli: "
            "expected [p, D] with p ≥ 3, and at least one modulus"
        )
    base = len(array)
    for modulus in moduli:
        check_modulus(base, modulus)
    array = array - array.mean(axis=0)
    total = float((array**2).sum())
    if not total > 0:
        raise ValueError("embedding has the same row for every digit: nothing to explain")
    frequencies = [np.arange(1.0, modulus // 2 + 1) / modulus for modulus in moduli]
    spans = [_span(each, base) for each in frequencies]

    def shares(matrix: FloatArray) -> FloatArray:
        return np.array([((span.T @ matrix) ** 2).sum() for span in spans]) / total

    def single_shares(matrix: FloatArray) -> list[FloatArray]:
        return [wave_power(matrix, each).sum(axis=1) / total for each in frequencies]

    drawn = generator(Stream.RENAMED_DIGITS, seed)
    renamed = [array[drawn.permutation(base)] for _ in range(draws)]
    largest = [max(float(each.max()) for each in single_shares(matrix)) for matrix in renamed]
    return EmbeddingAttribution(
        base=base,
        moduli=tuple(int(modulus) for modulus in moduli),
        share=shares(array),
        dimension=np.array([span.shape[1] for span in spans]),
        share_null=np.stack([shares(matrix) for matrix in renamed]),
        harmonic_share=tuple(single_shares(array)),
        threshold=float(np.quantile(largest, 1 - level, method="higher")),
        level=float(level),
    )


def _span(frequencies: FloatArray, base: int) -> FloatArray:
    """[p, d]: an orthonormal basis of the waves' span, without the constant."""
    waves = wave_basis(frequencies, base).reshape(-1, base)
    left, sizes, _ = np.linalg.svd(waves.T, full_matrices=False)
    return left[:, sizes > 1e-9 * max(sizes.max(initial=0), 1e-300)]
