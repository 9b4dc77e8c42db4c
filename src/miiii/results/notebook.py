"""Runs and histories as HTML for notebooks.

`Run._repr_html_` imports this module by name when a notebook calls it, so that opening a run does
not import what draws.
"""

import numpy as np

from miiii import esch, markup
from miiii.analysis.parts.curves import curve_strips
from miiii.experiment.run import Run
from miiii.figures.training import accuracy_strip
from miiii.results.curves import curves_of
from miiii.runs.listing import ending_text
from miiii.runs.measured import History
from miiii.runs.text import percent
from miiii.runs.thresholds import SOLVED, dated


def accuracy_drawing(history: History) -> esch.Drawing | None:
    """Accuracy of each task through training, a row per task; None without accuracies."""
    if not len(history.epoch) or not _classifies(history):
        return None
    made = curves_of(history, [str(modulus) for modulus in history.moduli], dropout=True)
    return accuracy_strip(*curve_strips(made))


def history_svg(history: History) -> str | None:
    """The accuracies as SVG; None without accuracies."""
    drawing = accuracy_drawing(history)
    return None if drawing is None else drawing.svg


def history_html(history: History) -> str:
    """Last accuracies and losses of the tasks, and their accuracies through training."""
    epochs = len(history.epoch)
    if not epochs:
        return markup.heading("History", "nothing was trained or saved yet")
    parts = [markup.heading("History", f"{epochs:,} epochs, {len(history.moduli)} tasks")]
    parts.append(_tasks(history))
    drawing = accuracy_drawing(history)
    if drawing is not None:
        parts.append(drawing._repr_html_())
    return "".join(parts)


def run_html(run: Run) -> str:
    """Name, state, tasks, accuracies and settings."""
    status, config = run.status, run.config
    where = (
        f"{status.get('state')}, epoch {status.get('epoch', 0):,} of "
        f"{config.training.epochs:,}, seed {config.seed} ({run.path})"
    )
    if ending := ending_text(status):
        where += f"; {ending}"
    settings = markup.folded("settings", config._repr_html_())
    return markup.heading(f"Run {run.name}", where) + history_html(run.history) + settings


def _classifies(history: History) -> bool:
    """Whether the run learns classes; the cosine model has modulus 1."""
    return history.moduli != (1,)


def _tasks(history: History) -> str:
    classes = _classifies(history)
    solved = history.first_reached(SOLVED)
    rows = []
    for column, modulus in enumerate(history.moduli):
        train, validation, first = "–", "–", "–"
        if classes:
            train = _share(history.train_accuracy, column)
            validation = _share(history.validation_accuracy, column)
            if (epoch := solved[modulus]) is not None:
                accuracies = history.validation_accuracy[:, column]
                first = dated(epoch, history.validation_epoch, accuracies)
        loss = _number(history.validation_loss, column)
        rows.append((modulus, train, validation, loss, first))
    head = ("task", "training", "validation", "validation loss", f"first ≥ {SOLVED}")
    return markup.table(head, rows)


def _share(values: np.ndarray, column: int) -> str:
    return percent(values[-1, column] if len(values) else None, "–")


def _number(values: np.ndarray, column: int) -> str:
    return f"{values[-1, column]:.3g}" if len(values) else "–"
