"""The shares of a function's variance on the tasks' harmonics, on the number line.

For any function of n (a neuron, a direction of the residual stream, an attention weight, a logit):
the share of its variance on each task's harmonics, on the cross harmonics of two tasks, on the
functions of one digit, and on none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.harmonics.cross_harmonics import pair_harmonics
from miiii.analysis.harmonics.digit_split import share_of, split_digits
from miiii.analysis.harmonics.interaction import beyond_digits
from miiii.analysis.harmonics.task_harmonics import FloatArray, as_columns, in_chunks


@dataclass(frozen=True)
class Attribution:
    """Shares of the variance of M functions; all are NaN for a function that is constant.

    A share is |P f|² / |f|² for the orthogonal projection P on the functions named and f without
    its mean. Harmonics of different tasks are not quite orthogonal, so the tasks' shares sum to
    `explained` only within the factors `sum_bounds`.
    """

    base: int
    """p."""
    moduli: tuple[int, ...]
    """[N]: the tasks."""
    variance: FloatArray
    """[M]: mean square distance from the mean over the p² numbers; 0 where constant."""
    task: FloatArray
    """[M, N]: share on the harmonics of each task."""
    task_chance: FloatArray
    """[N]: expected share of a function without structure, (q − 1) / (p² − 1)."""
    digit: FloatArray
    """[M, 2]: share on the functions of x0, and of x1."""
    beyond: FloatArray
    """[M, N]: share on each task's interaction functions: its harmonics without the functions of
    one digit."""
    beyond_chance: FloatArray
    """[N]: expected share of each task in an interaction without structure; 0 where the modulus
    divides p."""
    pairs: tuple[tuple[int, int], ...]
    """[J]: the pairs of moduli."""
    pair: FloatArray
    """[M, J]: share on the cross harmonics of each pair. Pairs with a modulus in common are not
    orthogonal."""
    pair_chance: FloatArray
    """[J]: expected share of a function without structure, dimension / (p² − 1)."""
    explained: FloatArray
    """[M]: share on all tasks' harmonics together."""
    explained_with_digits: FloatArray
    """[M]: share on all tasks' harmonics and the functions of one digit together."""
    sum_bounds: tuple[float, float]
    """The least and the largest possible Σ `task` / `explained`."""

    @property
    def silent(self) -> NDArray[np.bool_]:
        """[M]: functions that are constant."""
        return self.variance == 0

    @property
    def unexplained(self) -> FloatArray:
        """[M]: share on no task's harmonics."""
        return 1 - self.explained

    @property
    def interaction(self) -> FloatArray:
        """[M]: share of the interaction, the part that needs both digits."""
        return 1 - self.digit.sum(axis=1)

    @property
    def beyond_interaction(self) -> FloatArray:
        """[M, N]: `beyond` as a share of the interaction; NaN where there is none."""
        interaction = np.where(self.interaction > 1e-12, self.interaction, 0)
        return share_of(self.beyond, interaction[:, None])

    def total_share(self, shares: FloatArray) -> FloatArray:
        """Shares [M, …] averaged over the functions, weighted by their variances: […]."""
        if not self.variance.sum() > 0:
            return np.full(shares.shape[1:], np.nan)
        used = ~self.silent
        return np.tensordot(self.variance[used], shares[used], 1) / self.variance.sum()


def attribute(
    values: ArrayLike,
    base: int,
    moduli: Sequence[int],
    *,
    pairs: Sequence[tuple[int, int]] = (),
) -> Attribution:
    """Compute the shares of the variance of functions of n.

    Args:
        values: [p², M] in the canonical order; further axes count as more functions.
        base: p.
        moduli: of the tasks, as in `harmonic_dictionary`.
        pairs: pairs of moduli, for shares on their cross harmonics.

    Raises:
        ValueError: there are not p² rows, a value is not finite, or moduli or pairs are not
            possible.
    """
    array, _ = as_columns(values, base)
    beyond = beyond_digits(base, moduli)
    dictionary = beyond.dictionary
    crosses = [pair_harmonics(base, *pair) for pair in pairs]
    parts: list[tuple[FloatArray, ...]] = []
    for chunk in in_chunks(array):
        split = split_digits(chunk, base)
        total = split.total
        whole, interaction = beyond.coefficients(split)
        squares = whole**2
        task = np.stack([squares[columns].sum(axis=0) for columns in dictionary.columns])
        cross = np.array([space.power(chunk) for space in crosses]).reshape(-1, chunk.shape[1])
        joint = beyond.joint_power(interaction)
        with_digits = split.base * (split.digits**2).sum(axis=(0, 1)) + joint
        parts.append(
            (
                split.variance,
                share_of(task, total).T,
                split.digit_share,
                share_of(beyond.task_power(interaction), total).T,
                share_of(cross, total).T,
                share_of(dictionary.joint_power(whole), total),
                share_of(with_digits, total),
            )
        )
    variance, task, digit, added, cross, explained, with_digits = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    numbers = base**2 - 1
    return Attribution(
        base=base,
        moduli=dictionary.moduli,
        variance=variance,
        task=task,
        task_chance=np.array([each.dimension for each in dictionary.tasks]) / numbers,
        digit=digit,
        beyond=added,
        beyond_chance=np.array(beyond.dimensions) / (base - 1) ** 2,
        pairs=tuple((first, second) for first, second in pairs),
        pair=cross,
        pair_chance=np.array([space.dimension for space in crosses]) / numbers,
        explained=explained,
        explained_with_digits=with_digits,
        sum_bounds=dictionary.sum_bounds,
    )
