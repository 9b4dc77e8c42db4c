"""A task that a user gives as a table of labels."""

import math
from collections.abc import Sequence

from numpy.typing import ArrayLike

from miiii.config.config import Config, replace_fields
from miiii.tasks.dataset import answered_numbers
from miiii.tasks.labels import keep_labels, kept_labels


def with_labels(config: Config, labels: ArrayLike, names: Sequence[int] | None = None) -> Config:
    """A configuration with its task replaced by the given labels.

    A run that is started with it stores the labels in its directory, so that any process can show,
    resume, draw and certify it.

    Args:
        config: where the model, the optimiser, training and the split's sizes come from.
        labels: [p²] or [p², N], whole numbers: row n holds the classes of the number
            n = x0 + p·x1, in the order of `miiii.digits(p)`; p follows from the length. A column
            with the largest label m has m + 1 classes, and at least 2. A row of −1 is a number
            without an answer: it is in no part of the split, and no accuracy counts it.
        names: [N], a number that names each task in tables and pictures, each ≥ 2 and none twice;
            default: its number of classes.

    Returns:
        A configuration with `task="custom"`.

    Example:
        >>> from miiii import digits, get_preset
        >>> x0, x1 = digits(11).T
        >>> with_labels(get_preset("tiny"), (x0 * x0 + x1 * x1) % 11).task.moduli
        (11,)

    Raises:
        ValueError: labels that are not classes or not of p² numbers; names that do not fit.
    """
    digest = keep_labels(labels)
    table = kept_labels(digest)
    classes = tuple(max(int(size), 2) for size in table.max(axis=0) + 1)
    if names is None and len(set(classes)) < len(classes):
        raise ValueError(
            f"the labels' columns have {', '.join(map(str, classes))} classes: where two have as "
            "many, give names, a different number for every task"
        )
    return replace_fields(
        config,
        task="custom",
        base=math.isqrt(len(table)),
        moduli=classes if names is None else tuple(names),
        classes=classes,
        labels=digest,
        target="remainder",
        operation="add",
        masked_tasks=(),
        split="drawn",
        unanswered=len(table) - len(answered_numbers(table)),
    )
