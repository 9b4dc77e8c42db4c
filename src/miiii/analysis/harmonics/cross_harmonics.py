"""The harmonics that two moduli have only together.

A function of n mod m, m the least common multiple of q and q', is a function of n mod q, plus one
of n mod q', plus the rest: for coprime moduli the frequencies k/q + k'/q' with neither zero. A
circuit that two tasks share has power there, such as a product of their harmonics.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.harmonics.task_harmonics import (
    FloatArray,
    as_columns,
    check_modulus,
    residue_sums,
)


@dataclass(frozen=True)
class PairHarmonics:
    """Functions of n mod m that are orthogonal to those of n mod q and of n mod q'."""

    base: int
    """p."""
    moduli: tuple[int, int]
    """q and q'."""
    modulus: int
    """m, their least common multiple."""
    dimension: int
    """m − q − q' + gcd(q, q'); 0 where one divides the other."""
    counts: NDArray[np.int64]
    """[m]: how many of the p² numbers have each remainder."""
    inverse: FloatArray
    """[q + q', q + q']: pseudo-inverse of the counts of each pair of remainders, from which the
    least-squares sum of a function of n mod q and one of n mod q' follows."""

    def project(self, values: ArrayLike) -> FloatArray:
        """The part of [p², …] inside, same shape."""
        flat, shape = as_columns(values, self.base)
        return self._table(flat)[np.arange(len(flat)) % self.modulus].reshape(-1, *shape)

    def power(self, values: ArrayLike) -> FloatArray:
        """Squared norm of that part: […], in the values' unit squared."""
        flat, shape = as_columns(values, self.base)
        table = self._table(flat)
        return np.einsum("r,rm->m", self.counts.astype(float), table**2).reshape(shape)

    def _table(self, flat: FloatArray) -> FloatArray:
        """[m, M]: the part's value at each remainder."""
        sums = residue_sums(flat - flat.mean(axis=0), self.modulus)
        first, second = self.moduli
        fitted = self.inverse @ np.concatenate(
            [residue_sums(sums, first), residue_sums(sums, second)]
        )
        remainders = np.arange(self.modulus)
        separate = fitted[:first][remainders % first] + fitted[first:][remainders % second]
        return sums / self.counts[:, None] - separate


def pair_harmonics(base: int, first: int, second: int) -> PairHarmonics:
    """The cross harmonics of two moduli on p² numbers.

    Args:
        base: p.
        first: q.
        second: q', another modulus.

    Raises:
        ValueError: a modulus is outside 2 … p² − 1, the two are equal, or their least common
            multiple is not below p², so that no two numbers have the same pair of remainders.
    """
    for modulus in (first, second):
        check_modulus(base, modulus)
    if first == second:
        raise ValueError(f"a pair needs two moduli: found {first} twice")
    common = math.lcm(first, second)
    if common >= base**2:
        raise ValueError(
            f"the least common multiple of {first} and {second} is {common}: "
            f"expected less than p² = {base**2}"
        )
    counts = np.bincount(np.arange(base**2) % common, minlength=common)
    # [m, q + q']: 1 where a remainder modulo m has that remainder modulo q, and modulo q'.
    remainders = np.arange(common)[:, None]
    member = np.concatenate([remainders % each == np.arange(each) for each in (first, second)], 1)
    member = member * 1.0
    dimension = common - first - second + math.gcd(first, second)
    occurrences = member.T @ (counts[:, None] * member)
    inverse = np.linalg.pinv(occurrences, rcond=1e-10, hermitian=True)
    inverse = np.asarray(inverse, np.float64)
    return PairHarmonics(base, (first, second), common, dimension, counts, inverse)
