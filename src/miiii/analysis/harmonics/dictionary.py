"""The harmonics of all tasks together: {1, cos 2πkn/q, sin 2πkn/q} on n = 0 … p² − 1.

For the primes below p = 113 they are 1 + Σ(q − 1) = 1,452 functions on 12,769 numbers. Two
different fractions k/q differ by more than the resolution 1/p², so they are nearly orthogonal; the
singular values say how nearly. All is computed from sums over remainders (`task_harmonics`); only
`Dictionary.functions` makes the [p², 1,452] matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular

from miiii.analysis.harmonics.task_harmonics import (
    FloatArray,
    TaskHarmonics,
    as_columns,
    residue_sums,
    task_harmonics,
)

_RANK = 1e-9
"""Directions whose squared singular value is below this share of the largest are dependent, up to
rounding: they come from fractions k/q that two moduli have in common."""


@dataclass(frozen=True)
class Dictionary:
    """The tasks' harmonics side by side, C = Σ(q − 1) functions; made by `harmonic_dictionary`.

    The basis of each task is orthonormal and orthogonal to the constant; functions of different
    tasks are not quite orthogonal. Arrays are read-only.
    """

    base: int
    """p."""
    tasks: tuple[TaskHarmonics, ...]
    """[N]: one per modulus."""
    gram: FloatArray
    """[C, C]: inner products of all functions; the identity within a task."""
    singular_values: NDArray[np.float64]
    """[C]: of the C functions side by side, descending; all are 1 for orthogonal functions."""
    whitening: FloatArray
    """[C, rank − 1]: a joint orthonormal basis, as combinations of the functions."""

    @property
    def moduli(self) -> tuple[int, ...]:
        """[N]."""
        return tuple(task.modulus for task in self.tasks)

    @property
    def size(self) -> int:
        """Functions with the constant: 1 + Σ(q − 1)."""
        return 1 + len(self.gram)

    @property
    def rank(self) -> int:
        """Dimension of their span, the constant included."""
        return 1 + self.dimension

    @property
    def dimension(self) -> int:
        """Dimension of their span without the constant."""
        return self.whitening.shape[1]

    @property
    def condition(self) -> float:
        """Largest singular value / smallest one within the rank."""
        return float(self.singular_values[0] / self.singular_values[self.dimension - 1])

    @property
    def sum_bounds(self) -> tuple[float, float]:
        """The least and the largest value of Σ_q |P_q f|² / |P f|², P the joint projection.

        Σ_q |P_q f|² = |Bᵀf|² for the side-by-side basis B, so the bounds are the squares of B's
        smallest (within the rank) and largest singular value.
        """
        values = self.singular_values
        return float(values[self.dimension - 1] ** 2), float(values[0] ** 2)

    @cached_property
    def columns(self) -> tuple[slice, ...]:
        """[N]: the places of each task's functions among the C."""
        ends = np.cumsum([task.dimension for task in self.tasks])
        return tuple(
            slice(int(end) - task.dimension, int(end))
            for task, end in zip(self.tasks, ends, strict=True)
        )

    def coefficients(self, values: ArrayLike) -> FloatArray:
        """Inner products of [p², …] with the C functions, task by task: [C, …]."""
        flat, shape = as_columns(values, self.base)
        parts = [task.table.T @ residue_sums(flat, task.modulus) for task in self.tasks]
        return np.concatenate(parts).reshape(-1, *shape)

    def joint_power(self, coefficients: FloatArray) -> FloatArray:
        """Squared norm of functions on all tasks' harmonics together, by `coefficients`: [M]."""
        return ((self.whitening.T @ coefficients) ** 2).sum(axis=0)

    def project(self, values: ArrayLike) -> FloatArray:
        """The part of [p², …] in the span of all harmonics, without the mean."""
        flat, shape = as_columns(values, self.base)
        weights = self.whitening @ (self.whitening.T @ self.coefficients(flat))
        numbers = np.arange(self.base**2)
        part = np.zeros_like(flat)
        for task, columns in zip(self.tasks, self.columns, strict=True):
            part += (task.table @ weights[columns])[numbers % task.modulus]
        return part.reshape(-1, *shape)

    def functions(self) -> FloatArray:
        """The joint orthonormal basis with the constant first: [p², rank]."""
        joint = np.empty((self.base**2, self.rank))
        joint[:, 0] = 1 / self.base
        joint[:, 1:] = np.concatenate([task.functions() for task in self.tasks], axis=1) @ (
            self.whitening
        )
        return joint


def harmonic_dictionary(base: int, moduli: Sequence[int]) -> Dictionary:
    """The dictionary of some moduli; the last four are cached.

    Where moduli have common factors they share harmonics: the rank is then below the number of
    functions, and a shared harmonic's variance counts for each of its tasks.

    Args:
        base: p.
        moduli: q of each task, in the tasks' order, from 2 to p² − 1, none twice.

    Raises:
        ValueError: there are none, one occurs twice, or one is out of its limits.
    """
    return _made(int(base), tuple(int(modulus) for modulus in moduli))


@lru_cache(maxsize=4)
def _made(base: int, moduli: tuple[int, ...]) -> Dictionary:
    if not moduli or len(set(moduli)) < len(moduli):
        raise ValueError(f"moduli are {moduli}: expected at least one, and none twice")
    tasks = tuple(task_harmonics(base, modulus) for modulus in moduli)
    gram = _gram(base, tasks)
    singular_values = np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[::-1], 0))
    whitening = whiten(gram)
    for array in (gram, singular_values, whitening):
        array.flags.writeable = False
    return Dictionary(base, tasks, gram, singular_values, whitening)


def whiten(gram: FloatArray) -> FloatArray:
    """W with WᵀGW = 1 on the range of G: it makes functions with inner products G orthonormal.

    Args:
        gram: G, [C, C]; the functions have norm about 1 or less.

    Returns:
        [C, rank]: upper triangular where G clearly has full rank (a quarter of the time of an
        eigendecomposition), else from the eigenvectors.
    """
    try:
        factor = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        factor = np.zeros((1, 1))
    # A squared diagonal entry is a function's squared distance from the span of those before it.
    # Below 1e-6 the triangular solve would amplify rounding; dependence is then judged by `_RANK`.
    if (np.diagonal(factor) ** 2).min(initial=1) > 1e-6:
        return solve_triangular(factor, np.eye(len(gram)), lower=True).T
    values, vectors = np.linalg.eigh(gram)
    kept = values > _RANK * max(values[-1], 1.0)
    return vectors[:, kept] / np.sqrt(values[kept])


def _gram(base: int, tasks: tuple[TaskHarmonics, ...]) -> FloatArray:
    """Inner products, from the exact count of numbers with each pair of remainders."""
    numbers = np.arange(base**2)
    rows = []
    for task in tasks:
        # [q, C]: sums of every function over the numbers of each remainder modulo q.
        remainder = numbers % task.modulus
        blocks = []
        for other in tasks:
            pairs = remainder * other.modulus + numbers % other.modulus
            counts = np.bincount(pairs, minlength=task.modulus * other.modulus)
            blocks.append(counts.reshape(task.modulus, other.modulus) @ other.table)
        rows.append(task.table.T @ np.concatenate(blocks, axis=1))
    gram = np.concatenate(rows)
    return (gram + gram.T) / 2
