"""Power and accuracy of each task on one axis of epochs, to see which comes first.

Power is the carried power: the variance of the neurons on the task's harmonics, on numbers that
were not trained on. Tasks differ in it by a factor of ten, so that each is drawn relative to its
largest.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from miiii import esch
from miiii.esch.style import LIGHT, Style
from miiii.esch.text import text_width
from miiii.figures.frequencies import snapshot_ticks
from miiii.figures.lines.log_axes import epoch_axis
from miiii.figures.styled import new_page, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from miiii.analysis.dynamics.power import PowerThroughTraining
    from miiii.analysis.dynamics.power_appearance import PowerAppearance
    from miiii.analysis.dynamics.progress import ProgressThroughTraining

_ROOM, _LARGEST = 360.0, 8.0  # points that a row of cells may take, and a cell at most
_PAGE, _LEFT, _RIGHT, _BOTTOM = 504.0, 34.0, 10.0, 34.0  # points
_WIDEST, _HEIGHT, _ABOVE, _BETWEEN = 5, 54.0, 14.0, 14.0  # panels in a row; points
_SAMPLE = 16.0  # of a line in the key, points


def power_strip(
    power: "PowerThroughTraining",
    progress: "ProgressThroughTraining",
    *,
    title: str = "",
    style: Style = LIGHT,
) -> esch.Drawing:
    """Power above, accuracy on numbers not trained on below: a row per task, a column per snapshot.

    Area ∝ share of the task's largest power; area ∝ accuracy.

    Args:
        power: of a run's neurons through training.
        progress: of the same run at the same snapshots.

    Raises:
        ValueError: snapshots or tasks differ.
    """
    _check(power, progress)
    ticks = snapshot_ticks(power.epochs)
    parts = [
        esch.draw(
            "h w",
            table.T,
            panel_labels=[heading],
            x_label="epoch" if last else None,
            y_label="modulus",
            x_ticks=ticks if last else dict.fromkeys(ticks, ""),
            y_ticks=[str(modulus) for modulus in power.moduli],
            value_label="share, or accuracy",
            vmax=1.0,
            show_key=last,
            style=style,
            cell=min(_ROOM / len(power.epochs), _LARGEST),
        )
        for table, heading, last in (
            (np.nan_to_num(power.relative), "power, as a share of the task's largest", False),
            (progress.held_out_accuracy, "accuracy on numbers not trained on", True),
        )
    ]
    return esch.stack(*parts, title=title, style=style)


@styled
def power_panels(
    power: "PowerThroughTraining",
    progress: "ProgressThroughTraining",
    appearance: "PowerAppearance",
    *,
    title: str = "",
    style: Style = LIGHT,
) -> "Figure":
    """A small panel per task with its power and its accuracy through training.

    Filled: power, as a share of the task's largest. Line: accuracy on numbers not trained on. Grey
    bar: the two snapshots between which power reaches half of its last value for good. Dashed: the
    epoch from which the validation accuracy holds.

    Args:
        power: of a run's neurons through training.
        progress: of the same run at the same snapshots.
        appearance: of the same tasks.

    Raises:
        ValueError: snapshots or tasks differ.
    """
    _check(power, progress)
    if appearance.moduli != power.moduli:
        raise ValueError(f"appearance: expected moduli {power.moduli}, found {appearance.moduli}")
    count = len(power.moduli)
    columns = min(count, _WIDEST)
    rows = -(-count // columns)
    key = 2 * style.small_size
    width = (_PAGE - _LEFT - _RIGHT - (columns - 1) * _BETWEEN) / columns
    below = key + rows * (_ABOVE + _HEIGHT) + _BOTTOM
    figure, head = new_page(title, _PAGE, below, style)
    total = head + below
    _key(figure, appearance.accuracy, head + key / 2, total, style)
    for task in range(count):
        row, column = divmod(task, columns)
        top = head + key + row * (_ABOVE + _HEIGHT) + _ABOVE
        left = _LEFT + column * (width + _BETWEEN)
        box = (left / _PAGE, 1 - (top + _HEIGHT) / total, width / _PAGE, _HEIGHT / total)
        panel = figure.add_axes(box)
        _task(panel, power, progress, appearance, task, style)
        panel.tick_params(labelleft=column == 0, labelbottom=task + columns >= count)
        if task + columns >= count:
            panel.set_xlabel("epoch")
    return figure


def _task(
    panel: "Axes",
    power: "PowerThroughTraining",
    progress: "ProgressThroughTraining",
    appearance: "PowerAppearance",
    task: int,
    style: Style,
) -> None:
    from matplotlib.ticker import FixedLocator

    epochs = power.epochs
    panel.set_ylim(0, 1.05)
    first, last = int(epochs[0]), max(int(epochs[-1]), int(epochs[0]) + 1)
    epoch_axis(panel, first, last)
    if last >= 1000:
        # A narrow panel has room for few labels.
        tens = [10.0**k for k in range(1, 20, 2) if max(first, 1) < 10**k <= last]
        panel.xaxis.set_major_locator(FixedLocator(tens))
    panel.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    by, after = appearance.half.by[task], appearance.half.after[task]
    if by is not None:
        begin = first if after is None else after
        panel.axvspan(begin, by, color=style.light_grey, linewidth=0, zorder=0, label="_half")
    shares = np.nan_to_num(power.relative[:, task])
    panel.fill_between(epochs, shares, color=style.positive, alpha=0.45, linewidth=0, label="power")
    panel.plot(
        epochs,
        progress.held_out_accuracy[:, task],
        color=style.foreground,
        linewidth=style.line_width,
        label="accuracy",
    )
    solved = appearance.solved[task]
    if solved is not None:
        panel.axvline(
            solved,
            color=style.negative,
            linewidth=style.line_width,
            linestyle=(0, (3, 1.5)),
            label="_solved",
        )
    panel.set_title(f"q = {power.moduli[task]}", size=style.small_size, pad=2.0)
    panel.tick_params(labelsize=style.small_size)


def _key(figure: "Figure", accuracy: float, down: float, total: float, style: Style) -> None:
    """The key of the marks, in one line across the page."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    at, y = _LEFT, 1 - down / total
    entries: tuple[tuple[str, str, Any, float], ...] = (
        ("power / largest", style.positive, "area", 0.45),
        ("accuracy, not trained on", style.foreground, "-", 1.0),
        ("half of last power reached", style.light_grey, "area", 1.0),
        (f"accuracy holds {accuracy:g}", style.negative, (0, (3, 1.5)), 1.0),
    )
    for name, colour, kind, alpha in entries:
        if kind == "area":
            half = style.small_size / 2 / total
            box = (at / _PAGE, y - half), _SAMPLE / _PAGE, 2 * half
            figure.add_artist(Rectangle(*box, color=colour, alpha=alpha, linewidth=0))
        else:
            ends = [at / _PAGE, (at + _SAMPLE) / _PAGE]
            figure.add_artist(
                Line2D(ends, [y, y], color=colour, linewidth=style.line_width, linestyle=kind)
            )
        at += _SAMPLE + 4
        figure.text(at / _PAGE, y, name, size=style.small_size, va="center", parse_math=False)
        at += text_width(name, style.small_size) + 14


def _check(power: "PowerThroughTraining", progress: "ProgressThroughTraining") -> None:
    if not np.array_equal(power.epochs, progress.epochs) or power.moduli != progress.moduli:
        raise ValueError(
            f"progress: expected the power's {len(power.epochs)} snapshots of "
            f"{len(power.moduli)} tasks, found {len(progress.epochs)} of {len(progress.moduli)}"
        )
