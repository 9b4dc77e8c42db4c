"""A measure applied to every snapshot of a run, one at a time (paper Figure 8; C9, C17, C18).

`measure_each` yields the results one by one, so that a caller can show progress or stop early;
`stack_spectra` turns spectra into arrays over the snapshots:

    stack_spectra(track(measure_each(run.snapshots, model_calibrated_spectrum)))

At p = 113 and 1,024 neurons a snapshot takes 1.6 s of one CPU core, a third of it for 199 renamings
of the digits, which `neurons.model_spectrum` does without.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.parts.calibration import CalibratedSpectrum
from miiii.analysis.parts.neurons import MeanSpectrum
from miiii.analysis.parts.significance import MULTIPLE, significant_frequencies, significant_pairs
from miiii.model.parameters import Parameters

Measured = TypeVar("Measured")


@dataclass(frozen=True)
class SpectraThroughTraining:
    """All neurons' spectrum at each of the S snapshots."""

    base: int
    """p."""
    multiple: float
    """m of the threshold μ + mσ."""
    epochs: NDArray[np.int64]
    """[S], ascending."""
    frequencies: NDArray[np.int64]
    """[K − 1]: 1 … ⌊p/2⌋, cycles per p digits."""
    power: NDArray[np.float64]
    """[S, K − 1]: a neuron's mean variance on each frequency (`fourier.power_by_frequency`),
    activation² units; the constant excluded."""
    pair_power: NDArray[np.float64]
    """[S, K, K]: the same on each pair (k1, k0); entry (0, 0) is 0."""
    variance: NDArray[np.float64]
    """[S]: variance of `power` over the frequencies, Σ_k (P_k − mean)² / (K − 1), activation⁴
    units."""
    counts: NDArray[np.int64]
    """[S]: how many frequencies are above μ + mσ (`significance.significant_frequencies`)."""
    pair_counts: NDArray[np.int64]
    """[S]: how many pairs are above μ + mσ (`significance.significant_pairs`)."""
    calibrated_counts: NDArray[np.int64] | None = None
    """[S]: how many frequencies are above all that renamed digits reach (`calibration`). The rule
    μ + mσ finds frequencies in untrained models too; this does not."""
    null_counts: NDArray[np.int64] | None = None
    """[S, R]: how many frequencies the rule finds after each renaming of the digits."""

    @property
    def share(self) -> NDArray[np.float64]:
        """[S, K − 1]: `power` / its sum, 0 to 1; 0 where no neuron has any variance."""
        total = self.power.sum(axis=1, keepdims=True)
        return np.divide(self.power, total, out=np.zeros_like(self.power), where=total > 0)


def measure_each(
    snapshots: Mapping[int, Parameters],
    measure: Callable[[Parameters], Measured],
    epochs: Iterable[int] | None = None,
) -> Iterator[tuple[int, Measured]]:
    """Apply a measure to the weights of each snapshot, in order of epoch.

    Only one snapshot is in memory at a time.

    Args:
        snapshots: epoch to weights, read at each access (`Run.snapshots`).
        measure: from weights to a result.
        epochs: of the snapshots to measure; default: all.

    Returns:
        An iterator of (epoch, result).

    Raises:
        ValueError: there are no snapshots, or none of one of the epochs (raised by the call, not by
            the iterator).
    """
    if len(snapshots) == 0:
        raise ValueError("no snapshots: expected at least one, found 0 (was `snapshots` set to 0?)")
    chosen = sorted(snapshots if epochs is None else set(epochs))
    known = set(snapshots)
    missing = [epoch for epoch in chosen if epoch not in known]
    if missing:
        raise ValueError(f"no snapshot of epoch {missing[0]}: found {sorted(known)}")
    return ((epoch, measure(snapshots[epoch])) for epoch in chosen)


def in_order(
    measured: Iterable[tuple[int, Measured]], kind: str
) -> tuple[NDArray[np.int64], list[Measured]]:
    """The epochs [S] and the results of `measure_each`.

    Args:
        measured: (epoch, result).
        kind: of results, as the message names it.

    Raises:
        ValueError: there are none, or epochs do not ascend.
    """
    pairs = list(measured)
    if not pairs:
        raise ValueError(f"no {kind} to stack: expected at least one snapshot, found 0")
    epochs = np.array([epoch for epoch, _ in pairs], np.int64)
    if (np.diff(epochs) <= 0).any():
        raise ValueError(f"epochs must ascend: found {epochs.tolist()}")
    return epochs, [result for _, result in pairs]


def stack_spectra(
    measured: Iterable[tuple[int, MeanSpectrum | CalibratedSpectrum]],
    multiple: float = MULTIPLE,
) -> SpectraThroughTraining:
    """Stack the spectra of snapshots and count the frequencies that stand out of each.

    Args:
        measured: (epoch, spectrum), ascending, as from `measure_each(…, model_spectrum)` or
            `measure_each(…, calibration.model_calibrated_spectrum)`.
        multiple: m of the threshold μ + mσ.

    Raises:
        ValueError: there are none, epochs do not ascend, spectra are of different bases, or some
            are calibrated and others are not, or at another multiple or number of renamings.
    """
    epochs, found = in_order(measured, "spectra")
    calibrated = [one for one in found if isinstance(one, CalibratedSpectrum)]
    spectra = [one.spectrum if isinstance(one, CalibratedSpectrum) else one for one in found]
    bases = sorted({spectrum.base for spectrum in spectra})
    if len(bases) > 1:
        raise ValueError(f"spectra must share one base p: found {bases}")
    if calibrated and len(calibrated) < len(found):
        raise ValueError(
            f"spectra must all be calibrated or none: found {len(calibrated)} of {len(found)}"
        )
    nulls = sorted({(one.multiple, len(one.null_counts)) for one in calibrated})
    if len(nulls) > 1 or any(used != multiple for used, _ in nulls):
        raise ValueError(
            f"spectra must be calibrated at multiple {multiple} with one number of renamings: "
            f"found (multiple, renamings) {nulls}"
        )
    power = np.stack([spectrum.frequency_power for spectrum in spectra])
    return SpectraThroughTraining(
        base=bases[0],
        multiple=float(multiple),
        epochs=epochs,
        frequencies=spectra[0].frequencies,
        power=power,
        pair_power=np.stack([spectrum.power for spectrum in spectra]),
        variance=power.var(axis=1),
        counts=np.array([significant_frequencies(one, multiple).sum() for one in spectra]),
        pair_counts=np.array([significant_pairs(one, multiple).sum() for one in spectra]),
        calibrated_counts=np.array([one.count for one in calibrated]) if calibrated else None,
        null_counts=np.stack([one.null_counts for one in calibrated]) if calibrated else None,
    )
