"""The paper's own curves as numbers, and a run's epochs beside them.

The ledger, the tables and the drawing take the values read off the published figures from here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from miiii.claims.rules.paper import FIRST_FOUR
from miiii.claims.statistics import RankCorrelation, rank_correlation

PUBLISHED_BASE = 113

PUBLISHED_FIRST: dict[int, int] = {
    2: 338,
    3: 474,
    5: 4_983,
    7: 10_915,
    11: 17_086,
    **dict.fromkeys((13, 17, 19), 21_377),
    **dict.fromkeys((23, 43), 23_912),
    **dict.fromkeys((29, 31, 41, 47, 53, 73), 26_746),
    **dict.fromkeys((37, 61), 29_917),
    **dict.fromkeys((59, 67, 71, 79, 83, 89, 101, 103, 107, 109), 33_463),
    97: 37_430,
}
"""Per modulus the first epoch with a validation accuracy of at least 0.9, read off the squares of
the paper's Figure 4. Its columns of epochs are log-spaced, so that each is known to about ±6 %."""

PUBLISHED_LEVEL = 0.9
"""The validation accuracy that these epochs reach."""

READING_ERROR = 0.06
"""Relative error of an epoch: half of the width of a column of the figure."""

PUBLISHED_EPOCHS = 65_536
"""Epochs of the published run."""

LAST_EPOCHS = 20_000
"""Last epochs of the paper's training, in which its text expects circuits to merge."""

RISE_AND_FALL_EPOCH = 16_000
"""Near this epoch the published Figure 8 shows its count of significant frequencies rise and fall
again; read by eye."""

LEAST_TASKS = 4
"""Least number of tasks for a rank correlation: fewer have no interval."""


@dataclass(frozen=True)
class TaskBeside:
    """One task's epoch in a run and in the published figure."""

    modulus: int
    published: int
    own: float
    """The run's first epoch at `PUBLISHED_LEVEL`; infinite if the run has not reached it."""

    @property
    def ratio(self) -> float:
        """`own` / `published`."""
        return self.own / self.published


@dataclass(frozen=True)
class BesidePublished:
    """A run's epochs beside those of the paper's Figure 4."""

    tasks: tuple[TaskBeside, ...]
    """Ascending moduli."""
    correlation: RankCorrelation | None
    """Of both epochs over the tasks that the run has reached; None for fewer than `LEAST_TASKS`."""
    correlation_later: RankCorrelation | None
    """The same without 2, 3, 5 and 7, whose order most runs share."""

    @property
    def reached(self) -> tuple[TaskBeside, ...]:
        """The tasks that have reached the level."""
        return tuple(task for task in self.tasks if math.isfinite(task.own))


def beside_published(first_reached: Mapping[int, int | None]) -> BesidePublished | None:
    """Set a run's epochs beside the published ones.

    Args:
        first_reached: per modulus the first epoch at `PUBLISHED_LEVEL`; None if never.

    Returns:
        None unless the run's tasks are the published ones.
    """
    if set(first_reached) != set(PUBLISHED_FIRST):
        return None
    tasks = tuple(
        TaskBeside(modulus, PUBLISHED_FIRST[modulus], math.inf if epoch is None else float(epoch))
        for modulus, epoch in sorted(first_reached.items())
    )
    reached = [task for task in tasks if math.isfinite(task.own)]
    later = [task for task in reached if task.modulus not in FIRST_FOUR]
    return BesidePublished(tasks, _correlation(reached), _correlation(later))


def _correlation(tasks: list[TaskBeside]) -> RankCorrelation | None:
    if len(tasks) < LEAST_TASKS:
        return None
    return rank_correlation([[task.own for task in tasks]], [task.published for task in tasks])
