"""The tasks' harmonics without the functions of a single digit.

A harmonic k/q has a part that is a function of x0 plus one of x1: its mean over a digit does not
vanish, least of all where its frequency on that digit is near 0. Where q divides p, n mod q depends
on x0 only. Without this part a harmonic is an interaction: it needs both digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from miiii.analysis.harmonics.dictionary import Dictionary, harmonic_dictionary, whiten
from miiii.analysis.harmonics.digit_split import DigitSplit
from miiii.analysis.harmonics.task_harmonics import FloatArray


@dataclass(frozen=True)
class BeyondDigits:
    """A dictionary's functions minus their means over either digit, made orthonormal."""

    dictionary: Dictionary
    """The harmonics; C functions."""
    digit_means: FloatArray
    """[2, p, C]: every harmonic's mean over the other digit, for each value of x0 and of x1."""
    task_whitening: tuple[FloatArray, ...]
    """[N] of [q − 1, rank]: an orthonormal basis of each task's interaction functions."""
    whitening: FloatArray
    """[C, rank]: the same for all tasks together."""

    @property
    def dimensions(self) -> tuple[int, ...]:
        """[N]: dimension of each task's interaction functions; 0 where its modulus divides p."""
        return tuple(whitening.shape[1] for whitening in self.task_whitening)

    def coefficients(self, split: DigitSplit) -> tuple[FloatArray, FloatArray]:
        """Inner products of functions, and of their interactions, with the harmonics: two [C, M].

        Those of the digits' parts follow from `digit_means`, without a pass over the numbers.
        """
        interaction = self.dictionary.coefficients(split.interaction)
        parts = [
            means.T @ digit for means, digit in zip(self.digit_means, split.digits, strict=True)
        ]
        return interaction + split.base * (parts[0] + parts[1]), interaction

    def task_power(self, interaction: FloatArray) -> FloatArray:
        """Squared norm of the projection on each task's interaction functions: [C, M] to [N, M]."""
        return np.stack(
            [
                ((whitening.T @ interaction[columns]) ** 2).sum(axis=0)
                for whitening, columns in zip(
                    self.task_whitening, self.dictionary.columns, strict=True
                )
            ]
        )

    def joint_power(self, interaction: FloatArray) -> FloatArray:
        """Squared norm of the projection on those of all tasks together: [C, M] to [M]."""
        return ((self.whitening.T @ interaction) ** 2).sum(axis=0)


def beyond_digits(base: int, moduli: Sequence[int]) -> BeyondDigits:
    """Subtract the digits' part from a dictionary's harmonics; the last four are cached.

    Args:
        base: p.
        moduli: as in `harmonic_dictionary`.
    """
    return _made(int(base), tuple(int(modulus) for modulus in moduli))


@lru_cache(maxsize=4)
def _made(base: int, moduli: tuple[int, ...]) -> BeyondDigits:
    dictionary = harmonic_dictionary(base, moduli)
    means = []
    for task in dictionary.tasks:
        grid = task.functions().reshape(base, base, -1)
        means.append(np.stack([grid.mean(axis=0), grid.mean(axis=1)]))
    digit_means = np.concatenate(means, axis=2)
    stacked = digit_means.reshape(2 * base, -1)
    gram = dictionary.gram - base * (stacked.T @ stacked)
    whitening = whiten(gram)
    of_tasks = tuple(whiten(gram[columns, columns]) for columns in dictionary.columns)
    for array in (digit_means, whitening, *of_tasks):
        array.flags.writeable = False
    return BeyondDigits(dictionary, digit_means, of_tasks, whitening)
