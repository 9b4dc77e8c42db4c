"""Notes on a task's data, for before it is trained on."""

import numpy as np

from miiii.tasks.config import TaskConfig
from miiii.tasks.dataset import Dataset

_FEWEST = 10
"""Of fewer numbers, guesses between two classes are all right with probability 2⁻⁹ or more."""
MOST = 5
"""Notes that `first_notes` gives in full."""


class TaskWarning(UserWarning):
    """A note on a task from `miiii.start`; `warnings.simplefilter` can silence it."""


def first_notes(config: TaskConfig, dataset: Dataset) -> list[str]:
    """The first notes of `task_notes`, then a line with the number of the others."""
    notes = task_notes(config, dataset)
    more = [f"and {len(notes) - MOST} more like these"] if len(notes) > MOST else []
    return notes[:MOST] + more


def task_notes(config: TaskConfig, dataset: Dataset) -> list[str]:
    """One line for each property of the data that makes an accuracy easier or harder to reach.

    A class without a training number cannot be learnt; where all validation numbers are of such
    classes, accuracy is 0 by construction. A task with one class is solved by a constant.
    """
    split = dataset.split
    notes = [
        f"{name} has {len(numbers)} number{'s' if len(numbers) != 1 else ''}: "
        "an accuracy over it says little"
        for name, numbers in (("validation", split.validation), ("training", split.train))
        if len(numbers) < _FEWEST
    ]
    if config.is_regression:
        return notes
    for modulus, classes, answers in zip(
        dataset.moduli, config.class_sizes, dataset.targets.T, strict=True
    ):
        # The classes that occur; an answer of −1 is no class.
        trained, validated, present = (
            np.unique(chosen[chosen >= 0])
            for chosen in (answers[split.train], answers[split.validation], answers)
        )
        untrained, unused = classes - len(trained), classes - len(present)
        if len(present) == 1:
            notes.append(
                f"task {modulus}: every number has the same answer, so it is solved at once"
            )
        elif untrained:
            absent = f" ({unused:,} no number at all)" if unused else ""
            notes.append(
                f"task {modulus}: {untrained:,} of {classes:,} classes have no training number"
                f"{absent}"
            )
        if len(validated) and not np.isin(validated, trained).any():
            notes.append(
                f"task {modulus}: validation accuracy is 0 by construction: no validation number "
                "is of a class that training has"
            )
    return notes
