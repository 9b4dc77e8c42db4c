"""Accuracy and loss of every task through training (paper Figures 4 and 17), as lines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.esch.style import LIGHT, Style, matplotlib_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def accuracy_curves(
    train_epoch: ArrayLike,
    train_accuracy: ArrayLike,
    validation_epoch: ArrayLike,
    validation_accuracy: ArrayLike,
    labels: Sequence[str],
    *,
    title: str = "",
    style: Style = LIGHT,
) -> "Figure":
    """Paper Figure 4: training above, validation below, epochs on a log axis.

    Args:
        train_epoch: [E], from 1.
        train_accuracy: [E, N], shares.
        validation_epoch: [M].
        validation_accuracy: [M, N], shares.
        labels: [N], a name per task (its modulus).
        title: stands above the picture.
        style: colours and fonts.
    """
    curves = (
        ("training (dropout on)", train_epoch, train_accuracy),
        ("validation", validation_epoch, validation_accuracy),
    )
    return _stacked(curves, labels, "accuracy", title, style, limits=(-0.03, 1.03))


def loss_curves(
    train_epoch: ArrayLike,
    train_loss: ArrayLike,
    validation_epoch: ArrayLike,
    validation_loss: ArrayLike,
    labels: Sequence[str],
    *,
    unit: str = "loss, guessing = 1",
    title: str = "",
    style: Style = LIGHT,
) -> "Figure":
    """Paper Figure 17: training above, validation below, both axes logarithmic.

    Args:
        train_epoch: [E], from 1.
        train_loss: [E, N].
        validation_epoch: [M].
        validation_loss: [M, N].
        labels: [N], a name per task (its modulus).
        unit: what the loss is measured in.
        title: stands above the picture.
        style: colours and fonts.
    """
    curves = (
        ("training (dropout on)", train_epoch, train_loss),
        ("validation", validation_epoch, validation_loss),
    )
    return _stacked(curves, labels, unit, title, style, logarithmic=True)


def _stacked(
    curves: Sequence[tuple[str, ArrayLike, ArrayLike]],
    labels: Sequence[str],
    unit: str,
    title: str,
    style: Style,
    *,
    limits: tuple[float, float] | None = None,
    logarithmic: bool = False,
) -> "Figure":
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    colours = task_colours(len(labels), style)
    with rc_context(matplotlib_style(style)):
        figure = Figure(figsize=(7.0, 5.4), layout="constrained")
        rows = figure.subplots(2, 1, sharex=True)
        for axes, (name, epochs, values) in zip(rows, curves, strict=True):
            _lines(axes, np.asarray(epochs), np.asarray(values), labels, colours, style)
            axes.set_title(name)
            axes.set_ylabel(unit)
            axes.set_xscale("log")
            if logarithmic:
                axes.set_yscale("log")
            if limits:
                axes.set_ylim(*limits)
        rows[-1].set_xlabel("epoch")
        rows[-1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        last = max((np.max(epochs, initial=1) for _, epochs, _ in curves), default=1)
        rows[-1].set_xlim(0.9, max(last, 2) * 1.1)
        handles, names = rows[-1].get_legend_handles_labels()
        figure.legend(
            handles,
            names,
            loc="outside right upper",
            ncols=1 if len(names) <= 18 else 2,
            title="task" if len(labels) == 1 else "modulus",
            handlelength=1.0,
        )
        if title:
            figure.suptitle(title, x=0.01, ha="left", wrap=True)
    return figure


def _lines(
    axes: "Axes",
    epochs: NDArray[np.float64],
    values: NDArray[np.float64],
    labels: Sequence[str],
    colours: list[str],
    style: Style,
) -> None:
    """One line per task and their mean on top; thinned evenly along the log axis."""
    kept = log_spaced_rows(epochs, 600)
    many = len(labels) > 1
    for column, (label, colour) in enumerate(zip(labels, colours, strict=True)):
        axes.plot(
            epochs[kept],
            values[kept, column],
            color=colour,
            label=label,
            linewidth=style.line_width * (0.7 if many else 1.0),
        )
    if many and len(epochs):
        axes.plot(
            epochs[kept],
            values[kept].mean(axis=1),
            color=style.foreground,
            linewidth=style.line_width * 1.6,
            label="mean",
        )


def log_spaced_rows(epochs: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Indices of at most `most` rows, about evenly spaced in log epoch, first and last included."""
    if len(epochs) <= most:
        return np.arange(len(epochs))
    wanted = np.geomspace(max(epochs[0], 1), epochs[-1], most)
    return np.unique(np.clip(np.searchsorted(epochs, wanted), 0, len(epochs) - 1))


def task_colours(count: int, style: Style) -> list[str]:
    """A colour per task in order of modulus: dark to bright, readable on the background."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if count == 1:
        return [style.foreground]
    dark = style.background < "#7"
    low, high = (0.25, 1.0) if dark else (0.0, 0.88)
    return [to_hex(colormaps["viridis"](value)) for value in np.linspace(low, high, count)]
