"""A run's history as curves. Nothing here imports JAX, so that pages with curves open quickly."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from miiii.analysis.parts.curves import Curves, LossUnit, curves
from miiii.config.config import Config
from miiii.runs.measured import History
from miiii.tasks.dataset import build_dataset


def history_curves(config: Config, history: History) -> Curves:
    """Loss and accuracy of every task through training.

    Args:
        config: of the run.
        history: of at least one epoch.

    Raises:
        ValueError: there is no epoch.
    """
    task = config.task
    unit: LossUnit = "guessing" if config.training.task_scale == "log_classes" else "nats"
    guessing = np.log(task.class_sizes) if unit == "nats" else None
    labels = [str(modulus) for modulus in task.task_moduli]
    if task.is_regression:
        targets = build_dataset(task, config.seed).targets
        unit, guessing, labels = "squared error", np.array([np.var(targets)]), [task.task]
    dropout = config.training.dropout > 0
    return curves_of(history, labels, unit=unit, guessing=guessing, dropout=dropout)


def curves_of(history: History, labels: Sequence[str], **options: Any) -> Curves:
    """A history as curves, a label per task; options as in `analysis.parts.curves.curves`.

    Raises:
        ValueError: there is no epoch.
    """
    return curves(
        labels,
        history.epoch,
        history.train_loss,
        history.train_accuracy,
        history.validation_epoch,
        history.validation_loss,
        history.validation_accuracy,
        **options,
    )
