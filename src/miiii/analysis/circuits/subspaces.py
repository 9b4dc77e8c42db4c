"""Subspaces of functions of n that are given by a basis: those of addition, and random ones.

The harmonics of tasks are subspaces too (`task_harmonics`, `cross_harmonics`, `dictionary`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from miiii.analysis.harmonics.fourier import basis_frequencies, distinct_frequencies, fourier_basis
from miiii.analysis.harmonics.task_harmonics import FloatArray, as_columns
from miiii.streams import Stream, generator


@dataclass(frozen=True)
class BasisSubspace:
    """The span of orthonormal functions of n, each of mean 0."""

    base: int
    """p."""
    functions: FloatArray
    """[p², d]."""

    @property
    def dimension(self) -> int:
        """How many functions."""
        return self.functions.shape[1]

    def project(self, values: ArrayLike) -> FloatArray:
        """The projection of [p², …] on it, same shape."""
        flat, shape = as_columns(values, self.base)
        return (self.functions @ (self.functions.T @ flat)).reshape(-1, *shape)


def sum_harmonics(base: int, frequencies: Sequence[int]) -> BasisSubspace:
    """The functions of x0 + x1 mod p with some frequencies, u_k and v_k of `trigonometric`.

    Args:
        base: p.
        frequencies: 1 … ⌊p/2⌋, cycles per p, none twice.

    Raises:
        ValueError: one is outside or twice.
    """
    chosen = distinct_frequencies(frequencies, base)
    numbers = np.arange(base**2)
    rows = fourier_basis(base)[np.isin(basis_frequencies(base), chosen)]
    # Each value of the sum occurs p times, so the norm is √p of the row's.
    return BasisSubspace(base, rows[:, (numbers % base + numbers // base) % base].T / np.sqrt(base))


def random_subspace(base: int, dimension: int, seed: int | np.random.Generator) -> BasisSubspace:
    """A uniformly random subspace of the functions of mean 0.

    For any d, its first d functions span a uniformly random subspace of dimension d.

    Args:
        base: p.
        dimension: d, at most p² − 1.
        seed: of the draw.

    Raises:
        ValueError: the dimension is negative or above p² − 1.
    """
    if not 0 <= dimension < base**2:
        raise ValueError(f"dimension is {dimension}: expected 0 to p² − 1 = {base**2 - 1}")
    if not isinstance(seed, np.random.Generator):
        seed = generator(Stream.RANDOM_SUBSPACE, seed)
    drawn = seed.normal(size=(base**2, dimension))
    return BasisSubspace(base, np.linalg.qr(drawn - drawn.mean(axis=0))[0])
