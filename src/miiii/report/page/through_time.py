"""A run through training: the content of the page that depends on the slider.

Glossary: S snapshots, N tasks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.report.page.slider import Moving, moving_pictures
from miiii.results.paper import MissingInputError, Results
from miiii.runs.text import percent
from miiii.runs.thinning import log_spaced
from miiii.runs.thresholds import HELD, reached

STOPS = 40
"""Most epochs of the slider for runs without snapshots."""


@dataclass(frozen=True)
class ThroughTime:
    """The pictures and accuracies of a run at S epochs."""

    epochs: tuple[int, ...]
    """[S], ascending."""
    pictures: tuple[Moving, ...]
    """Empty without `pictures`, or without snapshots."""
    train_accuracy: NDArray[np.float64]
    """[S, N], shares, of the latest pass up to that epoch; NaN before the first."""
    validation_accuracy: NDArray[np.float64]
    """[S, N], shares, of the latest validation up to that epoch; NaN before the first."""
    validation_examples: int
    """Numbers of a validation."""

    @property
    def summary(self) -> tuple[str, ...]:
        """[S]: mean accuracies and the count of solved tasks, as text."""
        return tuple(
            _summary(train, validation, self.validation_examples)
            for train, validation in zip(self.train_accuracy, self.validation_accuracy, strict=True)
        )


def through_time(results: Results, *, pictures: bool = True) -> ThroughTime:
    """The content of a run at its snapshots.

    Args:
        results: of a run.
        pictures: whether the model's parts are drawn; else there are only accuracies.

    Raises:
        MissingInputError: the run is a regression, or has no history yet.
    """
    run = results.run
    if run.config.task.is_regression:
        raise MissingInputError(f"needs a task with classes: {run.name} learns a real number")
    if not len(run.history.epoch):
        raise MissingInputError(f"needs a history: run {run.name} has none yet")
    trained = range(1, int(run.history.epoch[-1]) + 1)
    epochs = tuple(run.snapshots) or tuple(log_spaced(trained, STOPS))
    train, validation = _accuracies(results, epochs)
    moving = moving_pictures(results) if pictures and len(run.snapshots) else ()
    examples = int(run.history.validation_examples[-1:].max(initial=1))
    return ThroughTime(epochs, moving, train, validation, examples)


def _accuracies(
    results: Results, epochs: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[S, N] each: the latest measured up to each epoch."""
    history = results.run.history
    found = []
    for measured, values in (
        (history.epoch, history.train_accuracy),
        (history.validation_epoch, history.validation_accuracy),
    ):
        before = np.searchsorted(measured, epochs, side="right")
        padded = np.concatenate([np.full((1, values.shape[1]), np.nan), values])
        found.append(padded[before].astype(np.float64))
    return found[0], found[1]


def _summary(train: NDArray[np.float64], validation: NDArray[np.float64], examples: int) -> str:
    if np.isnan(train).all() and np.isnan(validation).all():
        return "Nothing trained yet."
    parts = [f"mean training accuracy {percent(train.mean())}"]
    if not np.isnan(validation).any():
        solved = int(reached(validation, HELD, examples).sum())
        parts.append(f"validation {percent(validation.mean())}")
        parts.append(f"{solved} of {len(validation)} tasks at {HELD} or above")
    text = ", ".join(parts) + "."
    return text[0].upper() + text[1:]
