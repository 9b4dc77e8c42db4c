"""Each neuron's task, from its frequencies on the two digits.

Before its ReLU a neuron is a function of x0 plus a function of x1 (its profiles). cos(2πkn/q) with
n = x0 + p·x1 has the frequency k/q on x0 and pk/q mod 1 on x1, so a neuron of a circuit for q has
that pair of frequencies, for one k. Each neuron is matched with the pair that explains most of both
profiles together.

There are two nulls: the profile on x0 with the profile on x1 of a random neuron that has another
pair, which keeps the model's frequencies but not their match; and profiles of white noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least
from miiii.analysis.harmonics.digit_split import split_digits
from miiii.analysis.harmonics.digit_waves import best_wave, fold, wave_power
from miiii.analysis.harmonics.task_harmonics import FloatArray, check_modulus
from miiii.streams import Stream, generator


@dataclass(frozen=True)
class MatchedNeurons:
    """Every neuron's task and frequencies, and their nulls. F neurons, N tasks, R draws.

    Shares and frequencies are NaN, and the task −1, where a neuron's profiles are constant.
    """

    base: int
    """p."""
    moduli: tuple[int, ...]
    """[N]: the tasks."""
    digit_share: FloatArray
    """[F, 2]: share of the neuron's variance in its profile on x0, and on x1."""
    frequency: FloatArray
    """[F, 2]: the best single frequency on x0 and on x1, cycles per digit, 1/2p to ½."""
    frequency_share: FloatArray
    """[F, 2]: share of that profile's variance that it explains."""
    task: NDArray[np.int64]
    """[F]: the task of the best matched pair, as an index into `moduli`."""
    harmonic: NDArray[np.int64]
    """[F]: its k, 1 to q/2; 0 where there is no task."""
    share: FloatArray
    """[F]: share of both profiles' variance together that the pair (k/q, pk/q mod 1) explains."""
    task_share: FloatArray
    """[F, N]: the same for the best k of every task: the neuron × task table."""
    paired_null: FloatArray
    """[R, F]: the best share of the profile on x0 and that on x1 of a random neuron with another
    task or harmonic; NaN where the drawn neuron has the same."""
    noise_null: FloatArray
    """[R, F]: the best share of two profiles of white noise, of equal norm."""

    @property
    def silent(self) -> NDArray[np.bool_]:
        """[F]: neurons without a task, their profiles being constant."""
        return self.task < 0

    @property
    def additive_share(self) -> FloatArray:
        """[F]: share of the neuron's variance that is a function of x0 plus one of x1."""
        return self.digit_share.sum(axis=1)

    @property
    def matched_frequency(self) -> FloatArray:
        """[F, 2]: k/q and pk/q of the neuron's task, folded to 0 … ½ cycles per digit."""
        modulus = np.array([*self.moduli, 1])[self.task]
        turns = np.stack([self.harmonic, self.base * self.harmonic], axis=1) % modulus[:, None]
        return np.where(self.silent[:, None], np.nan, fold(turns / modulus[:, None]))

    @property
    def margin(self) -> FloatArray:
        """[F]: `share` minus the best share of any other task; NaN with a single task."""
        if len(self.moduli) < 2:
            return np.full(len(self.task), np.nan)
        ranked = np.sort(self.task_share, axis=1)
        return ranked[:, -1] - ranked[:, -2]

    @cached_property
    def belief(self) -> FloatArray:
        """[F], 0 to 1: share of randomly paired profiles whose best share is below this neuron's.

        One minus it is a p-value of the hypothesis that the two digits' frequencies are
        independent. Where all neurons have the same pair the null is noise. 0 where there is no
        task.
        """
        null = self.paired_null[~np.isnan(self.paired_null)]
        if not null.size:
            null = self.noise_null[:, ~self.silent]
        null = np.sort(null, axis=None)
        below = np.searchsorted(null, np.nan_to_num(self.share), side="left")
        return np.where(self.silent, 0.0, below / max(len(null), 1))

    @property
    def neurons_per_task(self) -> NDArray[np.int64]:
        """[N]: how many neurons are matched with each task."""
        return np.bincount(self.task[~self.silent], minlength=len(self.moduli))

    def groups(self, belief: float = 0.0) -> tuple[NDArray[np.int64], ...]:
        """[N]: the neurons of each task, as indices, ascending.

        Args:
            belief: neurons with less belief are in no group.
        """
        chosen = (self.belief >= belief) & ~self.silent
        return tuple(
            np.flatnonzero(chosen & (self.task == index)) for index in range(len(self.moduli))
        )

    def harmonics_of(self, index: int) -> NDArray[np.int64]:
        """The harmonics k of a task that at least one neuron has, ascending."""
        return np.unique(self.harmonic[self.task == index])


def match_neurons(
    values: ArrayLike,
    base: int,
    moduli: Sequence[int],
    *,
    draws: int = 20,
    seed: int = 0,
) -> MatchedNeurons:
    """Match every neuron with a task, by the frequencies of its two digits.

    A frequency k/q that several moduli have counts for the first of them.

    Args:
        values: [p², F], neurons before the ReLU, in the canonical order.
        base: p.
        moduli: of the tasks.
        draws: R, of each null.
        seed: of the nulls.

    Raises:
        ValueError: there are not p² rows, a value is not finite, moduli are not possible or
            missing, or draws is below 1.
    """
    at_least("draws", draws, 1)
    for modulus in moduli:
        check_modulus(base, modulus)
    if not moduli:
        raise ValueError("moduli are empty: expected at least one")
    split = split_digits(values, base)
    varies = ~split.silent & ((split.digits**2).sum(axis=(0, 1)) > 0)
    profiles = split.digits[:, :, varies]
    pairs = [(index, k) for index, q in enumerate(moduli) for k in range(1, q // 2 + 1)]
    tasks, harmonics = np.array(pairs).T
    modulus = np.array(moduli)[tasks]
    frequencies = [harmonics / modulus, fold((base * harmonics % modulus) / modulus)]
    starts = np.flatnonzero(np.diff(tasks, prepend=-1))

    powers = [
        wave_power(profile, each) for profile, each in zip(profiles, frequencies, strict=True)
    ]
    norms = (profiles**2).sum(axis=1)
    shares = (powers[0] + powers[1]) / norms.sum(axis=0)
    best = shares.argmax(axis=0)
    drawn = generator(Stream.MATCHED_NEURONS, seed)
    paired, noise = [], []
    for _ in range(draws):
        order = drawn.permutation(norms.shape[1])
        together = (powers[0] + powers[1][:, order]) / (norms[0] + norms[1][order])
        paired.append(np.where(best == best[order], np.nan, together.max(axis=0)))
        noise.append(_noise_shares(drawn, base, norms.shape[1], frequencies))

    def of_all(part: NDArray[Any], other: float) -> NDArray[Any]:
        """The rows of the neurons that vary, among those of all neurons."""
        whole = np.full((len(varies), *part.shape[1:]), other, part.dtype)
        whole[varies] = part
        return whole

    waves = [best_wave(profile) for profile in split.digits]
    return MatchedNeurons(
        base=base,
        moduli=tuple(int(each) for each in moduli),
        digit_share=split.digit_share,
        frequency=np.stack([frequency for frequency, _ in waves], axis=1),
        frequency_share=np.stack([share for _, share in waves], axis=1),
        task=of_all(tasks[best], -1),
        harmonic=of_all(harmonics[best], 0),
        share=of_all(shares.max(axis=0), np.nan),
        task_share=of_all(np.maximum.reduceat(shares, starts).T, np.nan),
        paired_null=of_all(np.array(paired).T, np.nan).T,
        noise_null=of_all(np.array(noise).T, np.nan).T,
    )


def _noise_shares(
    generator: np.random.Generator, base: int, neurons: int, frequencies: Sequence[FloatArray]
) -> FloatArray:
    """[F]: the best matched share of two profiles of white noise, of equal norm."""
    noise = generator.normal(size=(2, base, neurons))
    noise -= noise.mean(axis=1, keepdims=True)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    parts = [wave_power(each, at) for each, at in zip(noise, frequencies, strict=True)]
    return ((parts[0] + parts[1]) / 2).max(axis=0)
