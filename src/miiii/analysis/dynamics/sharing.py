"""The sharing index at every snapshot: whether circuits merge after generalisation (C18)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.checks import share_of_one
from miiii.analysis.circuits.causal import CausalMatrix, Removed
from miiii.analysis.circuits.sharing import Measure, SharingIndex, sharing_index
from miiii.analysis.dynamics.snapshots import in_order
from miiii.analysis.harmonics.task_harmonics import FloatArray


@dataclass(frozen=True)
class SharingThroughTraining:
    """The sharing index at each of S snapshots."""

    removed: Removed
    """The kind of circuit: harmonics, neurons or frequencies of the embedding."""
    measure: Measure
    moduli: tuple[int, ...]
    """[N]."""
    epochs: NDArray[np.int64]
    """[S], ascending."""
    solved: NDArray[np.bool_]
    """[S, N]: tasks whose accuracy on the scored numbers reaches `threshold`; the index is over
    these only."""
    threshold: float
    accuracy: FloatArray
    """[S, N]: of the whole model."""
    points: tuple[SharingIndex, ...]
    """[S]."""

    def series(self, name: Literal["index", "ratio", "own", "others", "control"]) -> FloatArray:
        """[S, 3]: value, low and high of one of the fields of `SharingIndex`."""
        chosen = [getattr(point, name) for point in self.points]
        return np.array([(each.value, each.low, each.high) for each in chosen])


def stack_sharing(
    measured: Iterable[tuple[int, CausalMatrix]],
    measure: Measure = "accuracy",
    *,
    threshold: float = 0.9,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> SharingThroughTraining:
    """The sharing index of each snapshot, over the tasks that are solved there.

        stack_sharing(measure_each(run.snapshots, lambda weights: neuron_removal(weights, dataset)))

    Args:
        measured: (epoch, causal matrix), ascending, as from `snapshots.measure_each`.
        measure: of the damages.
        threshold: accuracy of the whole model from which a task counts as solved.
        level: of the intervals.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: there are none, epochs do not ascend, or matrices are of different tasks or
            kinds.
    """
    epochs, matrices = in_order(measured, "causal matrices")
    share_of_one("threshold", threshold)
    first = matrices[0]
    if any((one.moduli, one.removed) != (first.moduli, first.removed) for one in matrices):
        raise ValueError("causal matrices must be of the same tasks and of one kind of removal")
    accuracy = np.stack([matrix.base.accuracy for matrix in matrices])
    solved = accuracy >= threshold
    points = tuple(
        sharing_index(matrix, measure, tasks=done, level=level, resamples=resamples, seed=seed)
        for matrix, done in zip(matrices, solved, strict=True)
    )
    return SharingThroughTraining(
        removed=first.removed,
        measure=measure,
        moduli=first.moduli,
        epochs=epochs,
        solved=solved,
        threshold=float(threshold),
        accuracy=accuracy,
        points=points,
    )
