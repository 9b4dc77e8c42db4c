"""Accuracy and loss of every task through training (paper Figures 4, 5, 17 and 18).

There are two forms. Lines: one per task, named at its right end, with the mean on top. Heat strips:
a row per task and log-spaced columns of epochs; the area of a square is the value. One run or
several are side by side, with training above and validation below. After the end of a run its strip
is blank, and its heading has the last epoch.

In strips a loss is a multiple of the loss of guessing, cut at 2 (as the key notes). Solved tasks
have no squares, tasks at chance have squares of half a cell, and a full square is worse than
guessing, which only overfitting makes. The lines show losses above the cut.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from miiii import esch
from miiii.esch.style import LIGHT, Style
from miiii.figures.lines.end_names import Line
from miiii.figures.lines.lines import draw_lines, panels, task_colours
from miiii.figures.lines.log_axes import epoch_range, value_limits
from miiii.figures.styled import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from miiii.analysis.parts.curves import Curves, CurveStrips

LOSS_CUT = 2.0
"""Loss of a full square of a heat strip, as a multiple of the loss of guessing."""

UNITS = {
    "guessing": "loss, guessing = 1",
    "nats": "cross-entropy in nats",
    "squared error": "mean squared error",
}
"""Axis labels of the units of losses."""


def accuracy_lines(
    *runs: "Curves", names: Sequence[str] = (), title: str = "", style: Style = LIGHT
) -> "Figure":
    """Paper Figure 4, and with a second run beside it Figure 5.

    Args:
        runs: at least one.
        names: one per run, above it; may be left out for a single run.

    Raises:
        ValueError: a run is a regression, which has no accuracy, or names do not match runs.
    """
    _check(runs, names)
    if any(run.train_accuracy is None for run in runs):
        raise ValueError("runs: expected classifications, found a regression: it has no accuracy")
    return _lines(runs, names, "accuracy", title, style)


def loss_lines(
    *runs: "Curves", names: Sequence[str] = (), title: str = "", style: Style = LIGHT
) -> "Figure":
    """Paper Figure 17, and with a second run beside it Figure 18; losses on a log axis.

    Args:
        runs: at least one.
        names: one per run, above it; may be left out for a single run.

    Raises:
        ValueError: runs have different units, or names do not match runs.
    """
    _check(runs, names)
    units = sorted({run.unit for run in runs})
    if len(units) > 1:
        raise ValueError(f"runs: expected losses of one unit, found {', '.join(units)}")
    return _lines(runs, names, "loss", title, style)


def accuracy_strip(
    *runs: "CurveStrips", names: Sequence[str] = (), title: str = "", style: Style = LIGHT
) -> esch.Drawing:
    """Paper Figures 4 and 5 as heat strips: area ∝ accuracy, a full square is 1.

    Args:
        runs: at least one, on the same columns, of `analysis.parts.curves.curve_strips`; or of
            `mean_strips` for a row per run.
        names: one per run, above it; may be left out for a single run.

    Raises:
        ValueError: a run is a regression, which has no accuracy; names do not match runs; or runs
            differ in their tasks or columns.
    """
    _check(runs, names)
    training = [run.train_accuracy for run in runs]
    if any(values is None for values in training):
        raise ValueError("runs: expected classifications, found a regression: it has no accuracy")
    validation = [run.validation_accuracy for run in runs]
    return _strip(runs, training, validation, names, "accuracy", 1.0, title, style)


def loss_strip(
    *runs: "CurveStrips", names: Sequence[str] = (), title: str = "", style: Style = LIGHT
) -> esch.Drawing:
    """Paper Figures 17 and 18 as heat strips: area ∝ loss / loss of guessing, cut at 2.

    Args:
        runs: at least one, on the same columns.
        names: one per run, above it; may be left out for a single run.

    Raises:
        ValueError: names do not match runs, or runs differ in their tasks or columns.
    """
    _check(runs, names)
    training = [run.train_loss for run in runs]
    validation = [run.validation_loss for run in runs]
    label = "loss, guessing = 1"
    return _strip(runs, training, validation, names, label, LOSS_CUT, title, style)


@styled
def _lines(
    runs: "Sequence[Curves]", names: Sequence[str], measure: str, title: str, style: Style
) -> "Figure":
    several = max(len(run.labels) for run in runs) > 1
    written = [*max((run.labels for run in runs), key=len), *(["mean"] if several else [])]
    epochs = epoch_range([one for run in runs for one in (run.epoch, run.validation_epoch)])
    figure, axes, size = panels(2, len(runs), written, style, title=title)
    for row, split in enumerate(("train", "validation")):
        tables = [getattr(run, f"{split}_{measure}") for run in runs]
        limits = value_limits(tables, logarithmic=True) if measure == "loss" else (-0.03, 1.03)
        for column, (run, table) in enumerate(zip(runs, tables, strict=True)):
            panel = axes[row][column]
            if measure == "loss" and np.ptp(run.guessing) == 0:
                cost = float(run.guessing[0])
                panel.axhline(cost, color=style.light_grey, linewidth=style.hair_width)
            draw_lines(
                panel,
                _task_lines(run, split, table, style),
                style,
                size,
                logarithmic=measure == "loss",
                limits=limits,
                epochs=epochs,
            )
            heading = split_heading(split, run.dropout)
            panel.set_title(f"{names[column]}: {heading}" if names else heading)
            panel.tick_params(labelbottom=row == 1)
        axes[row][0].set_ylabel(UNITS[runs[0].unit] if measure == "loss" else "accuracy")
    for panel in axes[1]:
        panel.set_xlabel("epoch")
    return figure


def _task_lines(run: "Curves", split: str, table: NDArray[np.float64], style: Style) -> list[Line]:
    epochs = run.epoch if split == "train" else run.validation_epoch
    several = len(run.labels) > 1
    colours = task_colours(len(run.labels), style)
    lines = [
        Line(label, epochs, table[:, task], colours[task], 0.6 if several else 1.0)
        for task, label in enumerate(run.labels)
    ]
    if several:
        lines.append(Line("mean", epochs, table.mean(axis=1), style.foreground, 1.6))
    return lines


def _strip(
    runs: "Sequence[CurveStrips]",
    training: Sequence[NDArray[np.float64] | None],
    validation: Sequence[NDArray[np.float64] | None],
    names: Sequence[str],
    value_label: str,
    limit: float,
    title: str,
    style: Style,
) -> esch.Drawing:
    first = runs[0]
    for run in runs[1:]:
        if run.labels != first.labels:
            raise ValueError(
                f"runs: expected the same rows in each, found {len(first.labels)} and others"
            )
        if not np.array_equal(run.columns.last, first.columns.last):
            raise ValueError("runs: expected the same columns in each (gather them in one call)")
    shown = [("train", training)]
    if all(values is not None for values in validation):
        shown.append(("validation", validation))
    end = int(first.columns.last[-1])
    headings = [
        (f"{names[column]}: " if names else "")
        + split_heading(split, run.dropout)
        + (f" (to epoch {run.until[0]:,})" if (run.until < end).all() else "")
        for split, _ in shown
        for column, run in enumerate(runs)
    ]
    values = np.array(
        [
            [_ended(run, table) for run, table in zip(runs, tables, strict=True)]
            for _, tables in shown
        ]
    )
    some_ended = not all((run.until < end).all() or (run.until == end).all() for run in runs)
    return esch.draw(
        "r c h w",
        values,
        title=title,
        x_label="epoch",
        y_label=first.rows if first.rows == "modulus" else None,
        panel_labels=headings,
        x_ticks=first.columns.ticks,
        y_ticks=[
            f"{label} (to {until:,})" if some_ended and until < end else label
            for label, until in zip(first.labels, first.until.tolist(), strict=True)
        ],
        value_label=value_label,
        vmax=limit,
        style=style,
    )


def _ended(run: "CurveStrips", table: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """[N, C] of a panel, with 0 (no mark) in columns after the end of the run."""
    assert table is not None
    return np.where(run.columns.first[:, None] > run.until, 0.0, table).T


def split_heading(split: str, dropout: bool) -> str:
    """Heading of a panel of training or validation values."""
    return "validation" if split == "validation" else f"training{', dropout on' * dropout}"


def _check(runs: Sequence[object], names: Sequence[str]) -> None:
    if not runs:
        raise ValueError("runs: expected at least one, found 0")
    if len(names) != len(runs) and (names or len(runs) > 1):
        raise ValueError(f"names: expected {len(runs)}, one per run; found {len(names)}")
