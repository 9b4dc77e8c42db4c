"""The spectrum on the number line: a function's power at each frequency of n.

The p² numbers resolve frequencies 1/p² apart. Two tasks' harmonics k/q are at least 1/(109·107)
apart at p = 113, so they are resolved; on the digits, with p bins of 1/p, they are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.harmonics.digit_split import split_digits
from miiii.analysis.harmonics.task_harmonics import (
    FloatArray,
    as_columns,
    as_table,
    in_chunks,
    task_harmonics,
)


@dataclass(frozen=True)
class NumberSpectrum:
    """Spectrum of M functions of n together, as shares of their summed variance."""

    base: int
    """p."""
    moduli: tuple[int, ...]
    """[N]: the tasks."""
    frequency: NDArray[np.float64]
    """[⌊p²/2⌋]: cycles per number, 1/p² to ½, the bins of the p² numbers."""
    power: NDArray[np.float64]
    """[⌊p²/2⌋]: share of the variance at each bin; they add up to 1."""
    harmonic_share: tuple[FloatArray, ...]
    """[N] of [⌊q/2⌋]: share on the harmonic k/q itself, k from 1, not on a bin near it."""
    variance: float
    """Summed over the functions, mean square over the numbers."""

    @property
    def harmonic_table(self) -> FloatArray:
        """[N, largest ⌊q/2⌋]: `harmonic_share`, padded with 0."""
        return as_table(self.harmonic_share)


def number_spectrum(
    values: ArrayLike, base: int, moduli: Sequence[int], *, both_digits: bool = False
) -> NumberSpectrum:
    """The spectrum of functions of n, all together.

    Args:
        values: [p², M] in the canonical order, such as neurons.
        base: p.
        moduli: of the tasks.
        both_digits: whether to take only the functions' interactions.

    Raises:
        ValueError: there are not p² rows, a value is not finite, a modulus is not possible, or
            nothing varies.
    """
    array, _ = as_columns(values, base)
    tasks = [task_harmonics(base, modulus) for modulus in moduli]
    count = base**2
    power = np.zeros(count // 2)
    on_harmonics = [np.zeros(modulus // 2) for modulus in moduli]
    total = 0.0
    for chunk in in_chunks(array):
        if both_digits:
            split = split_digits(chunk, base)
            chunk = np.where(split.additive, 0, split.interaction)
        chunk = chunk - chunk.mean(axis=0)
        total += float((chunk**2).sum())
        found = (np.abs(np.fft.rfft(chunk, axis=0)[1:]) ** 2).sum(axis=1) * (2 / count)
        if count % 2 == 0:
            found[-1] /= 2  # the last bin, ½, has no mirror image at a negative frequency
        power += found
        for task, shares in zip(tasks, on_harmonics, strict=True):
            shares += task.harmonic_power(chunk).sum(axis=1)
    if not total > 0:
        raise ValueError("nothing varies: expected at least one function that is not constant")
    return NumberSpectrum(
        base=base,
        moduli=tuple(int(modulus) for modulus in moduli),
        frequency=np.arange(1, count // 2 + 1) / count,
        power=power / total,
        harmonic_share=tuple(shares / total for shares in on_harmonics),
        variance=total / count,
    )
