"""The harmonics of one modulus on the number line n = 0 … p² − 1.

The task n mod q is solved by functions of n mod q. Without the constant they are spanned by
cos(2πkn/q) and sin(2πkn/q), 1 ≤ k ≤ q/2: q − 1 functions, here made orthonormal and orthogonal to
the constant. Frequencies are in cycles per number.

On p² numbers the residues do not occur equally often, so the cosines and sines themselves are only
nearly orthogonal. But the classes of n mod q share no number: averaging over each class is the
exact least-squares projection on the functions of n mod q, and takes one pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import finite

FloatArray = NDArray[np.float64]


class FunctionSubspace(Protocol):
    """A set of functions of n closed under sums and multiples, orthogonal to the constant."""

    @property
    def base(self) -> int:
        """p: the functions live on p² numbers."""
        ...

    @property
    def dimension(self) -> int:
        """How many orthonormal functions span it."""
        ...

    def project(self, values: ArrayLike) -> FloatArray:
        """The projection of [p², …] on it, same shape."""
        ...


@dataclass(frozen=True)
class TaskHarmonics:
    """An orthonormal basis of the functions of n mod q with mean 0: q − 1 functions."""

    base: int
    """p."""
    modulus: int
    """q."""
    counts: NDArray[np.int64]
    """[q]: how many of the p² numbers have each remainder."""
    table: FloatArray
    """[q, q − 1]: each function's value at each remainder. Columns 2k − 2 and 2k − 1 are the
    orthonormal functions nearest to cos(2πkn/q) and sin(2πkn/q); an even q ends with cos(πn)."""

    @property
    def dimension(self) -> int:
        """Functions of the basis, q − 1."""
        return self.modulus - 1

    def functions(self) -> FloatArray:
        """The basis on the number line: [p², q − 1]."""
        return self.table[np.arange(self.base**2) % self.modulus]

    def coefficients(self, values: ArrayLike) -> FloatArray:
        """Inner products of [p², …] with the basis: [q − 1, …]."""
        flat, shape = as_columns(values, self.base)
        return (self.table.T @ residue_sums(flat, self.modulus)).reshape(self.dimension, *shape)

    def project(self, values: ArrayLike) -> FloatArray:
        """The projection of [p², …] on the basis, same shape: class means without the mean."""
        flat, shape = as_columns(values, self.base)
        sums = residue_sums(flat, self.modulus)
        means = sums / self.counts[:, None] - sums.sum(axis=0) / len(flat)
        return means[np.arange(self.base**2) % self.modulus].reshape(-1, *shape)

    def harmonic_power(self, values: ArrayLike) -> FloatArray:
        """Squared norm on each harmonic k = 1 … ⌊q/2⌋, cos and sin together: [⌊q/2⌋, …]."""
        squares = self.coefficients(values) ** 2
        return np.add.reduceat(squares, np.arange(0, self.dimension, 2), axis=0)


def task_harmonics(base: int, modulus: int) -> TaskHarmonics:
    """Make the cosines and sines of n mod q orthonormal on p² numbers by the smallest change.

    Args:
        base: p.
        modulus: q, any whole number from 2 to p² − 1.

    Raises:
        ValueError: the modulus is outside.
    """
    check_modulus(base, modulus)
    numbers = base**2
    counts = np.bincount(np.arange(numbers) % modulus, minlength=modulus)
    # Angles come from whole numbers modulo q, so that they are exact for any n.
    turns = np.outer(np.arange(modulus), np.arange(1, modulus // 2 + 1)) % modulus
    angle = 2 * np.pi * turns / modulus
    # cos 1, sin 1, cos 2, sin 2, …; for an even q the last sine, which is 0, is cut off.
    raw = np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(modulus, -1)[:, : modulus - 1]
    raw -= counts @ raw / numbers
    # B (BᵀB)^(−1/2) is the orthonormal basis nearest to B (Löwdin). BᵀB has full rank, since every
    # class has a number.
    values, vectors = np.linalg.eigh(raw.T @ (counts[:, None] * raw))
    table = raw @ (vectors / np.sqrt(values)) @ vectors.T
    counts.flags.writeable = table.flags.writeable = False
    return TaskHarmonics(base, modulus, counts, table)


def residue_sums(values: FloatArray, modulus: int) -> FloatArray:
    """Sums over the numbers of each remainder: [p², M] to [q, M]."""
    whole = len(values) // modulus
    used = whole * modulus
    sums = values[:used].reshape(whole, modulus, values.shape[1]).sum(axis=0)
    sums[: len(values) - used] += values[used:]
    return sums


def as_columns(values: ArrayLike, base: int) -> tuple[FloatArray, tuple[int, ...]]:
    """Functions of n as float64 columns [p², M], and the shape of the axes that M joins.

    Raises:
        ValueError: a value is not finite, or there are not p² rows.
    """
    array = finite("values", values)
    if array.ndim == 0 or len(array) != base**2:
        raise ValueError(
            f"values have shape {array.shape}: expected p² = {base**2} rows for base p = {base}"
        )
    return array.reshape(len(array), -1), array.shape[1:]


def in_chunks(functions: FloatArray) -> Iterator[FloatArray]:
    """The columns of [p², M], 256 at a time: 26 MB of float64 at p = 113."""
    for start in range(0, functions.shape[1], 256):
        yield functions[:, start : start + 256]


def as_table(rows: Sequence[FloatArray]) -> FloatArray:
    """[N, longest]: rows of several lengths as one table, padded with zeros."""
    longest = max(map(len, rows))
    return np.stack([np.pad(row, (0, longest - len(row))) for row in rows])


def check_modulus(base: int, modulus: int) -> None:
    """Refuse a modulus whose harmonics are not independent on p² numbers.

    Raises:
        ValueError: it is below 2 or not below p².
    """
    if not 2 <= modulus < base**2:
        raise ValueError(f"modulus is {modulus}: expected 2 to p² − 1 = {base**2 - 1}")
