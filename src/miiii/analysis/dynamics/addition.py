"""T_nanda through training: Nanda et al.'s measures, and those of clock and pizza.

    keys = key_frequencies(run.parameters).frequencies
    measure = lambda weights: addition_measures(weights, run.dataset, keys)
    stack_addition(measure_each(run.snapshots, measure))

The key frequencies are those of the end of training, for every snapshot.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.dynamics.clock_or_pizza import ClockOrPizza, clock_or_pizza
from miiii.analysis.dynamics.snapshots import in_order
from miiii.analysis.dynamics.trigonometric import Trigonometric, trigonometric
from miiii.analysis.harmonics.task_harmonics import FloatArray
from miiii.model.parameters import Parameters
from miiii.tasks.dataset import Dataset


@dataclass(frozen=True)
class AdditionMeasures:
    """The measures of one model of T_nanda."""

    trigonometric: Trigonometric
    shape: ClockOrPizza


@dataclass(frozen=True)
class AdditionThroughTraining:
    """The measures at S snapshots. Losses: guessing costs 1; see `Trigonometric`."""

    base: int
    """p."""
    frequencies: tuple[int, ...]
    """[J]."""
    epochs: NDArray[np.int64]
    """[S], ascending."""
    loss: FloatArray
    """[S]: all inputs."""
    train_loss: FloatArray
    """[S]: the training inputs, dropout off."""
    restricted_loss: FloatArray
    """[S]."""
    excluded_loss: FloatArray
    """[S]."""
    trigonometric_loss: FloatArray
    """[S]."""
    excluded_each: FloatArray
    """[S, J]."""
    coefficients: FloatArray
    """[S, J]."""
    explained: FloatArray
    """[S]."""
    distance_irrelevance: FloatArray
    """[S]: of the correct logit, as the paper defines it."""
    wrong_distance_irrelevance: FloatArray
    """[S]: of the largest wrong logit, as in the published tables."""
    gradient_symmetricity: FloatArray
    """[S]."""
    symmetricity_error: FloatArray
    """[S]: standard error."""
    circularity: FloatArray
    """[S]."""


def addition_measures(
    parameters: Parameters,
    dataset: Dataset,
    frequencies: Sequence[int],
    *,
    triples: int = 1000,
    seed: int = 0,
) -> AdditionMeasures:
    """Measure one model of T_nanda.

    Raises:
        ValueError: as in `trigonometric.trigonometric` and `clock_or_pizza.clock_or_pizza`.
    """
    return AdditionMeasures(
        trigonometric(parameters, dataset, frequencies),
        clock_or_pizza(parameters, dataset, triples=triples, seed=seed),
    )


def stack_addition(measured: Iterable[tuple[int, AdditionMeasures]]) -> AdditionThroughTraining:
    """Stack the measures of snapshots.

    Args:
        measured: (epoch, measures), ascending, as from `snapshots.measure_each`.

    Raises:
        ValueError: there are none, epochs do not ascend, or bases or frequencies differ.
    """
    epochs, found = in_order(measured, "measures")
    rows = [vars(each.trigonometric) | vars(each.shape) for each in found]
    if len({(row["base"], row["frequencies"]) for row in rows}) > 1:
        raise ValueError("measures must be of one base and the same key frequencies")
    stacked = [field.name for field in fields(AdditionThroughTraining)][3:]
    return AdditionThroughTraining(
        base=rows[0]["base"],
        frequencies=rows[0]["frequencies"],
        epochs=epochs,
        **{name: np.array([row[name] for row in rows]) for name in stacked},
    )
