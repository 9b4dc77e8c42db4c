"""What a sweep looks for: numbers that sum a run up."""

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
    what: str
    """In a few words, with its unit."""
    direction: Literal["minimize", "maximize"]
    of: "Callable[[History, int], float]"
    """From what was measured and the number of epochs that the run was given."""


def validation_loss(history: "History", epochs: int) -> float:
    """The last validation loss, mean over tasks; guessing costs 1 where losses are scaled by ln q.

    Returns:
        ≥ 0.
    """
    del epochs
    return float(np.mean(history.validation_loss[-1], dtype=np.float64))


def solved_epoch(history: "History", epochs: int) -> float:
    """The first epoch from which all tasks hold a validation accuracy of 0.9.

    Returns:
        An epoch; where it never comes, the run's epochs times one plus the share of tasks that do
        not hold it at the end, so that of two runs that fail the better one has the smaller value.
    """
    reached = history.first_reached(HELD, held=True)
    missing = sum(epoch is None for epoch in reached.values())
    if missing:
        return epochs * (1 + missing / len(reached))
    return float(max(epoch for epoch in reached.values() if epoch is not None))


def area(history: "History", epochs: int) -> float:
    """The mean validation accuracy over tasks, averaged over log epoch from 1 to the last.

    It rewards learning early as much as ending well: a run that solves everything at once has 1.

    Returns:
        From 0 to 1.
    """
    accuracy = history.validation_accuracy.mean(axis=1, dtype=np.float64)
    epoch = history.validation_epoch.astype(np.float64)
    # Every value holds until the next one comes; before the first there was nothing.
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
            f"epoch from which all tasks hold {HELD}; unsolved: more than the epochs there were",
            "minimize",
            solved_epoch,
        ),
        Objective(
            "area",
            "mean validation accuracy over tasks and log epoch (0 to 1)",
            "maximize",
            area,
        ),
    )
}
"""By name; the first is the default."""
