"""Objectives of a sweep: single numbers that summarise a run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from miiii.runs.thresholds import HELD

if TYPE_CHECKING:
    from miiii.runs.measured import History


@dataclass(frozen=True)
class Objective:
    """One number of a finished run."""

    key: str
    description: str
    """A few words, with the unit."""
    direction: Literal["minimize", "maximize"]
    compute: "Callable[[History, int], float]"
    """Takes the run's history and the number of epochs in its settings."""


def validation_loss(history: "History", epochs: int) -> float:
    """The last validation loss, mean over tasks; guessing gives 1 if losses are divided by ln q.

    Returns:
        ≥ 0.
    """
    del epochs
    return float(np.mean(history.validation_loss[-1], dtype=np.float64))


def solved_epoch(history: "History", epochs: int) -> float:
    """The first epoch from which all tasks hold a validation accuracy of 0.9.

    Returns:
        The epoch. If some tasks do not hold it at the end, the run's epochs times (1 + the share of
        those tasks): larger than every epoch, and smaller for the better of two such runs.
    """
    reached = history.first_reached(HELD, held=True)
    missing = sum(epoch is None for epoch in reached.values())
    if missing:
        return epochs * (1 + missing / len(reached))
    return float(max(epoch for epoch in reached.values() if epoch is not None))


def area(history: "History", epochs: int) -> float:
    """The mean validation accuracy over tasks, averaged over log epoch from 1 to the last.

    It rewards early learning as well as high final accuracy: a run that is right from epoch 1 on
    has 1.

    Returns:
        From 0 to 1.
    """
    accuracy = history.validation_accuracy.mean(axis=1, dtype=np.float64)
    epoch = history.validation_epoch.astype(np.float64)
    # Each accuracy counts from its validation to the next; before the first it counts as 0.
    ends = np.log(np.append(epoch[1:], max(epochs, epoch[-1]) + 1.0))
    lengths = ends - np.log(epoch)
    return float(accuracy @ lengths / np.log(max(epochs, epoch[-1]) + 1.0))


OBJECTIVES = {
    each.key: each
    for each in (
        Objective(
            "validation_loss",
            "last validation loss, mean over tasks (guessing: 1)",
            "minimize",
            validation_loss,
        ),
        Objective(
            "solved_epoch",
            f"epoch from which all tasks hold {HELD}; never: more than the run's epochs",
            "minimize",
            solved_epoch,
        ),
        Objective(
            "area", "mean validation accuracy over tasks and log epoch (0 to 1)", "maximize", area
        ),
    )
}
"""The objectives by name; the first is the default."""
