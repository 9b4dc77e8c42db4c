"""A run's stored history as curves, without JAX: a page that shows them must not wait for it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.parts.curves import Curves, LossUnit, curves
from miiii.config.config import Config
from miiii.runs.counts import counted, epoch_sizes, with_accuracies
from miiii.tasks.dataset import build_dataset


def history_curves(config: Config, rows: Mapping[str, NDArray]) -> Curves:
    """Loss and accuracy of every task through training.

    Args:
        config: of the run.
        rows: its history, as `RunDirectory.history` reads it; at least one epoch. Accuracies of
            older runs are read as the counts behind them.

    Raises:
        ValueError: there is no epoch.
    """
    task = config.task
    rows = with_accuracies(counted(rows, sizes_of(config)))
    unit: LossUnit = "guessing" if config.training.task_scale == "log_classes" else "nats"
    guessing = np.log(task.class_sizes) if unit == "nats" else None
    labels = [str(modulus) for modulus in task.task_moduli]
    if task.is_regression:
        targets = build_dataset(task, config.seed).targets
        unit, guessing, labels = "squared error", np.array([np.var(targets)]), [task.task]
    return curves(
        labels,
        rows.get("epoch", ()),
        rows.get("train_loss", ()),
        rows.get("train_accuracy"),
        rows.get("validation_epoch", ()),
        rows.get("validation_loss", ()),
        rows.get("validation_accuracy"),
        unit=unit,
        guessing=guessing,
        dropout=config.training.dropout > 0,
    )


def sizes_of(config: Config) -> dict[str, int]:
    """How many numbers of train and of validation an epoch asks."""
    train, validation, _ = config.task.split_sizes
    return epoch_sizes(train, validation, config.training.minibatches)
