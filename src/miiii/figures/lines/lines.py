"""Panels of lines over log epochs, each line named at its right end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from miiii.esch.style import Style
from miiii.esch.text import text_width
from miiii.figures.lines.end_names import LEADER, SPACING, SWATCH, Line, name_ends
from miiii.figures.lines.log_axes import (
    epoch_axis,
    epoch_range,
    log_spaced_rows,
    log_values,
    value_limits,
)
from miiii.figures.styled import EDGE, new_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 504.0
"""Width of a figure, points; many panels side by side make it wider."""
ROWS = 600
"""Most points of a line; a page cannot show more."""

_LEFT, _BOTTOM, _TOP = 46.0, 38.0, 20.0  # room for labels, points
_MANY = 20  # names from which on they are smaller
_SMALLEST = 6.0  # points
_NARROWEST = 120.0  # panel, points


def panels(
    rows: int,
    columns: int,
    names: Sequence[str],
    style: Style,
    *,
    title: str = "",
    least: float = 110.0,
) -> "tuple[Figure, list[list[Axes]], float]":
    """A figure of panels with room for the names at their right ends.

    Call it within a function that is `styled`.

    Args:
        rows: of panels.
        columns: of panels.
        names: of the lines in a panel.
        style: sizes.
        title: stands above.
        least: smallest height of a panel, points; it grows with the number of names.

    Returns:
        The figure, its axes [rows][columns], and the size of names in points.
    """
    size = style.small_size if len(names) < _MANY else _SMALLEST
    height = max(least, (len(names) + 1) * SPACING * size)
    widest = max((text_width(name, size) for name in names), default=0.0)
    right = LEADER + SWATCH + widest + 2 * EDGE
    page = max(WIDTH, columns * (_LEFT + _NARROWEST + right))
    width = page / columns - _LEFT - right
    below = rows * (_TOP + height) + (rows - 1) * EDGE + _BOTTOM
    # The panels have fixed places, because names are placed by them.
    figure, head = new_page(title, page, below, style)
    total = head + below
    axes: list[list[Axes]] = []
    for row in range(rows):
        top = head + _TOP + row * (_TOP + height + EDGE)
        axes.append([])
        for column in range(columns):
            left = _LEFT + column * (_LEFT + width + right)
            box = (left / page, 1 - (top + height) / total, width / page, height / total)
            above = axes[0][column] if row else None
            axes[row].append(figure.add_axes(box, sharex=above))
    return figure, axes, size


def draw_lines(
    axes: "Axes",
    lines: Sequence[Line],
    style: Style,
    size: float,
    *,
    logarithmic: bool = False,
    limits: tuple[float, float] | None = None,
    epochs: tuple[int, int] | None = None,
) -> None:
    """Draw lines over log epochs, with names that do not overlap.

    On a logarithmic axis values not above 0 are drawn at the lower limit.

    Args:
        axes: of a figure from `panels`.
        lines: later ones on top.
        style: colours and widths.
        size: of names, points.
        logarithmic: whether the axis of values is.
        limits: of the values; default: those of the lines, with a margin.
        epochs: first and last on the axis; default: those of the lines.
    """
    low, high = limits or value_limits([line.values for line in lines], logarithmic=logarithmic)
    axes.set_ylim(low, high)
    if logarithmic:
        log_values(axes, low, high)
    epoch_axis(axes, *(epochs or epoch_range([line.epochs for line in lines])))
    for line in lines:
        kept = log_spaced_rows(line.epochs, ROWS)
        if line.band is not None:
            floor = low if logarithmic else -np.inf
            least, most = (np.maximum(edge[kept], floor) for edge in line.band)
            axes.fill_between(
                line.epochs[kept], least, most, color=line.colour, alpha=0.2, linewidth=0
            )
        shown = np.where(np.isfinite(line.values[kept]), line.values[kept], np.nan)
        axes.plot(
            line.epochs[kept],
            np.maximum(shown, low) if logarithmic else shown,
            color=line.colour,
            linewidth=style.line_width * line.weight,
            linestyle=line.dashes,
            label=line.name,
        )
    name_ends(axes, lines, style, size, (low, high), logarithmic)


def task_colours(count: int, style: Style) -> list[str]:
    """A colour per task in order of modulus: dark to bright, readable on the background."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if count == 1:
        return [style.foreground]
    dark = style.background < "#7"
    low, high = (0.25, 1.0) if dark else (0.0, 0.88)
    return [to_hex(colormaps["viridis"](value)) for value in np.linspace(low, high, count)]


def run_colours(count: int, style: Style) -> list[str]:
    """A colour per run: the palette, used twice (the second time dashed), or else a scale.

    Args:
        count: of runs.
        style: colours.
    """
    size = len(style.palette)
    if count > 2 * size:
        return task_colours(count, style)
    return [style.palette[index % size] for index in range(count)]
