"""What should be known of tasks before anything is trained on them."""

import numpy as np

from miiii.tasks.config import TaskConfig
from miiii.tasks.dataset import Dataset

LEAST_ASKED = 10
"""Numbers below which guessing between two classes gets all of them right once in 2¹⁰ or more."""
MOST = 5
"""Lines that `first_notes` gives."""


class TaskWarning(UserWarning):
    """What `miiii.start` has to say of tasks; `warnings.simplefilter` can silence it."""


def first_notes(config: TaskConfig, dataset: Dataset) -> list[str]:
    """The first lines of `task_notes`, and how many more there are."""
    notes = task_notes(config, dataset)
    more = [f"and {len(notes) - MOST} more like these"] if len(notes) > MOST else []
    return notes[:MOST] + more


def task_notes(config: TaskConfig, dataset: Dataset) -> list[str]:
    """One line for each thing that makes a task easier, harder or emptier than it looks.

    Classes that no training number has cannot be learnt; where all validation numbers are of such
    classes, accuracy is 0 by construction. A task of one class is solved by knowing it.
    """
    split = dataset.split
    notes = [
        f"{name} has {len(numbers)} number{'s' if len(numbers) != 1 else ''}: "
        "an accuracy over it says little"
        for name, numbers in (("validation", split.validation), ("training", split.train))
        if len(numbers) < LEAST_ASKED
    ]
    if config.is_regression:
        return notes
    for modulus, classes, answers in zip(
        dataset.moduli, config.class_sizes, dataset.targets.T, strict=True
    ):
        notes += _of_task(str(modulus), classes, answers, dataset)
    return notes


def _of_task(name: str, classes: int, answers: np.ndarray, dataset: Dataset) -> list[str]:
    # A number without an answer is of no class.
    of = {
        part: np.unique(chosen[chosen >= 0])
        for part, chosen in (
            ("train", answers[dataset.split.train]),
            ("validation", answers[dataset.split.validation]),
            ("all", answers),
        )
    }
    notes = []
    untrained, unused = classes - len(of["train"]), classes - len(of["all"])
    if len(of["all"]) == 1:
        notes.append(f"task {name}: every number has the same answer, so it is solved at once")
    elif untrained:
        none = f" ({unused:,} no number at all)" if unused else ""
        notes.append(
            f"task {name}: {untrained:,} of {classes:,} classes have no training number{none}"
        )
    if len(of["validation"]) and not np.isin(of["validation"], of["train"]).any():
        notes.append(
            f"task {name}: validation accuracy is 0 by construction: no validation number is of "
            "a class that training has"
        )
    return notes
