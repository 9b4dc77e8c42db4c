"""Subspaces of functions of n that are given by a basis: chosen ones, and random ones to compare.

The harmonics of tasks and pairs are subspaces too (`harmonics`, `cross_harmonics`, `dictionary`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from miiii.analysis.harmonics.fourier import basis_frequencies, fourier_basis
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
        """The part of [p², …] inside, same shape."""
        flat, shape = as_columns(values, self.base)
        return (self.functions @ (self.functions.T @ flat)).reshape(-1, *shape)


def span(functions: ArrayLike, base: int) -> BasisSubspace:
    """The span of functions of n, without their means.

    Args:
        functions: [p², M], not necessarily independent.
        base: p.

    Raises:
        ValueError: there are not p² rows, or a value is not finite.
    """
    flat, _ = as_columns(functions, base)
    left, sizes, _ = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    scale = max(float(np.abs(flat).max()), np.finfo(float).tiny) * base
    return BasisSubspace(base, left[:, sizes > 1e-10 * scale])


def sum_harmonics(base: int, frequencies: Sequence[int]) -> BasisSubspace:
    """The functions of x0 + x1 mod p with some frequencies: what addition is made of.

    They are the u_k and v_k of `trigonometric`.

    Args:
        base: p.
        frequencies: 1 … ⌊p/2⌋, cycles per p, none twice.

    Raises:
        ValueError: one is outside or twice.
    """
    chosen = sorted({int(each) for each in frequencies})
    if len(chosen) < len(frequencies) or not all(1 <= each <= base // 2 for each in chosen):
        raise ValueError(
            f"frequencies are {tuple(frequencies)}: expected each from 1 to p // 2 = {base // 2}, "
            "none twice"
        )
    numbers = np.arange(base**2)
    rows = fourier_basis(base)[np.isin(basis_frequencies(base), chosen)]
    # Every sum is that of p numbers.
    return BasisSubspace(base, rows[:, (numbers % base + numbers // base) % base].T / np.sqrt(base))


def random_subspace(base: int, dimension: int, seed: int | np.random.Generator) -> BasisSubspace:
    """A subspace of uniformly random direction among the functions of mean 0.

    The first d of its functions span a random subspace of dimension d, for any d.

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
