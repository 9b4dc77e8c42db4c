"""T_nanda through training: Nanda et al.'s measures, and whether it becomes a clock or a pizza.

    keys = key_frequencies(run.parameters).frequencies
    measure = lambda weights: addition_measures(weights, run.dataset, keys)
    stack_addition(measure_each(run.snapshots, measure))

The key frequencies are those of the end of training, for every snapshot.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.dynamics.clock_or_pizza import ClockOrPizza, clock_or_pizza
from miiii.analysis.dynamics.trigonometric import Trigonometric, trigonometric
from miiii.analysis.harmonics.task_harmonics import FloatArray
from miiii.model.parameters import Parameters
from miiii.tasks.dataset import Dataset


@dataclass(frozen=True)
class AdditionMeasures:
    """One model of T_nanda."""

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
    """[S]: the inputs trained on, dropout off."""
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
    """[S]: of the largest wrong logit, as the published tables hold it."""
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


def stack_addition(
    measured: Iterable[tuple[int, AdditionMeasures]],
) -> AdditionThroughTraining:
    """Stack the measures of snapshots.

    Args:
        measured: (epoch, measures), ascending, as from `through_training.measure_each`.

    Raises:
        ValueError: there are none, epochs do not ascend, or bases or frequencies differ.
    """
    pairs = list(measured)
    if not pairs:
        raise ValueError("no measures to stack: expected at least one snapshot, found 0")
    epochs = np.array([epoch for epoch, _ in pairs], np.int64)
    if (np.diff(epochs) <= 0).any():
        raise ValueError(f"epochs must ascend: found {epochs.tolist()}")
    waves = [each.trigonometric for _, each in pairs]
    shapes = [each.shape for _, each in pairs]
    if len({(each.base, each.frequencies) for each in waves}) > 1:
        raise ValueError("measures must be of one base and the same key frequencies")

    def stacked(records: Sequence[object], name: str) -> FloatArray:
        return np.array([getattr(each, name) for each in records])

    return AdditionThroughTraining(
        base=waves[0].base,
        frequencies=waves[0].frequencies,
        epochs=epochs,
        loss=stacked(waves, "loss"),
        train_loss=stacked(waves, "train_loss"),
        restricted_loss=stacked(waves, "restricted_loss"),
        excluded_loss=stacked(waves, "excluded_loss"),
        trigonometric_loss=stacked(waves, "trigonometric_loss"),
        excluded_each=stacked(waves, "excluded_each"),
        coefficients=stacked(waves, "coefficients"),
        explained=stacked(waves, "explained"),
        distance_irrelevance=stacked(shapes, "distance_irrelevance"),
        wrong_distance_irrelevance=stacked(shapes, "wrong_distance_irrelevance"),
        gradient_symmetricity=stacked(shapes, "gradient_symmetricity"),
        symmetricity_error=stacked(shapes, "symmetricity_error"),
        circularity=stacked(shapes, "circularity"),
    )
