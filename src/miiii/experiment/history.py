"""A stored run's history, read without JAX: pages and lists must not wait for it."""

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
"""The fields of `History` that a stored history has rows of."""

_RAW = ("validation_raw_loss", "validation_raw_accuracy")
"""What a history has besides where a run keeps an average of its weights."""


def stored_history(directory: RunDirectory, config: Config) -> History:
    """What was measured at every epoch; of a run that keeps an average, the average's validation.

    Args:
        directory: of the run.
        config: the run's.

    Returns:
        The history; without rows where nothing was trained yet. Accuracies of runs stored before
        right answers were counted are read as the counts behind them.

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
    """How many numbers an epoch asked, where the rows do not say: of the run's own split if any."""
    train, validation, _ = config.task.split_sizes
    own = read_split(directory.path)
    if own is not None:
        train, validation = len(own["train"]), len(own["validation"])
    return epoch_sizes(train, validation, config.training.minibatches)
