"""A stored run's history, read without JAX, so that pages and lists open fast."""

import numpy as np

from miiii.config.config import Config
from miiii.runs.counts import counted, epoch_sizes, with_accuracies
from miiii.runs.directory import RunDirectory
from miiii.runs.measured import History
from miiii.runs.splits import read_split

_MEASURED = (
    *("epoch", "train_loss", "train_accuracy", "train_examples", "gradient_norm"),
    *("validation_epoch", "validation_loss", "validation_accuracy", "validation_examples"),
)
"""Fields of `History` that every stored history has."""

_RAW = ("validation_raw_loss", "validation_raw_accuracy")
"""Further fields of a run that keeps an average of its weights."""


def stored_history(directory: RunDirectory, config: Config) -> History:
    """The measurements of every epoch; validation is of the average where a run keeps one.

    Returns:
        The history; without rows where no epoch was trained. Older runs stored accuracies, not
        counts of right answers; they are rounded to the nearest count.

    Raises:
        DamagedFileError: a file of the history, or of the run's own split, cannot be read.
    """
    rows = directory.history()
    moduli, names = config.task.task_moduli, config.model.weight_names
    if not rows:
        tasks, none = np.zeros((0, len(moduli))), np.zeros(0, np.int64)
        weights = np.zeros((0, len(names)))
        measured = (none, tasks, tasks, weights, none, tasks, tasks, none, none)
        return History(moduli, names, *measured)
    rows = with_accuracies(counted(rows, _sizes(directory, config)))
    return History(moduli, names, **{key: rows[key] for key in (*_MEASURED, *_RAW) if key in rows})


def _sizes(directory: RunDirectory, config: Config) -> dict[str, int]:
    """How many numbers an epoch counts answers of, for rows that do not store it."""
    train, validation, _ = config.task.split_sizes
    own = read_split(directory.path)
    if own is not None:
        train, validation = len(own["train"]), len(own["validation"])
    return epoch_sizes(train, validation, config.training.minibatches)
