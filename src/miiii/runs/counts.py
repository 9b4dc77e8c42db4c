"""Right answers in a history: stored as counts, read as accuracies too.

A segment holds, of the splits train and validation, `{split}_correct` (right answers of every task)
and `{split}_examples` (how many numbers were asked). Runs from before that hold
`{split}_accuracy` in its place: a quotient in float32. One history is either all of one or all of
the other.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from miiii.runs.segments import index_key
from miiii.runs.thresholds import right_answers

SPLITS = ("train", "validation")

COUNTED = {"train": "train", "validation": "validation", "validation_raw": "validation"}
"""What right answers are counted of, and the split that they are counted on. `validation_raw` is
what the raw weights make of the validation numbers, where a run validates an average of them."""

Rows = dict[str, np.ndarray]


def with_accuracies(rows: Mapping[str, np.ndarray]) -> Rows:
    """Rows with `{split}_accuracy`, the only division of its count: float64, on the host.

    A count of −1 stands for what was not measured, whose accuracy is NaN.
    """
    found = dict(rows)
    for name, split in COUNTED.items():
        if f"{name}_correct" in rows:
            correct = rows[f"{name}_correct"]
            measured = np.where(correct < 0, np.nan, correct)
            found[f"{name}_accuracy"] = measured / rows[f"{split}_examples"][:, None]
    return found


def without_accuracies(rows: Mapping[str, np.ndarray]) -> Rows:
    """What is stored of rows: no accuracy that its count stands beside."""
    derived = {f"{name}_accuracy" for name in COUNTED if f"{name}_correct" in rows}
    return {key: array for key, array in rows.items() if key not in derived}


def is_counted(rows: Mapping[str, np.ndarray]) -> bool:
    """Whether no accuracy stands without its count."""
    return all(f"{s}_correct" in rows for s in SPLITS if f"{s}_accuracy" in rows)


def epoch_sizes(train: int, validation: int, updates: int) -> dict[str, int]:
    """How many numbers of every split an epoch asks.

    Args:
        train: training numbers of the run.
        validation: its validation numbers.
        updates: of an epoch, each on an equal share; fewer numbers than that are left over.
    """
    return {"train": train - train % updates, "validation": validation}


def counted(rows: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> Rows:
    """Rows of an older run as they are stored now.

    Args:
        rows: as they were stored.
        sizes: of every split, how many numbers were asked in an epoch.
    """
    found = dict(rows)
    for split in SPLITS:
        accuracy = found.pop(f"{split}_accuracy", None)
        if accuracy is None or f"{split}_correct" in rows:
            continue
        found[f"{split}_correct"] = right_answers(accuracy, sizes[split]).astype(np.int32)
        found[f"{split}_examples"] = examples_of(rows, split, sizes[split]).astype(np.int32)
    return found


def examples_of(rows: Mapping[str, np.ndarray], split: str, size: int) -> NDArray[np.int64]:
    """How many numbers every row of a split was measured on.

    Args:
        rows: of a history, of any age.
        split: train or validation.
        size: what holds where the rows do not say.
    """
    stored = rows.get(f"{split}_examples")
    if stored is not None:
        return stored.astype(np.int64)
    index = rows.get(index_key(f"{split}_accuracy"), ())
    return np.full(len(index), size, np.int64)
