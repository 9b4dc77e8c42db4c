"""Lines over log epochs, each named at its right end: what the line figures share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.esch.style import Style
from miiii.esch.text import text_height, text_width, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 504.0
"""Of a figure, points; many panels side by side make it wider."""
ROWS = 600
"""Points of a line at most: more than that no page can show."""

_LEFT, _BOTTOM, _TOP, _EDGE = 46.0, 38.0, 20.0, 6.0  # room for labels, points
_LEADER, _SWATCH = 12.0, 7.0  # from the axes to a swatch of a line's colour; its length, points
_ALIKE, _ALIKE_MOST = 0.1, 1.5  # em, per line and at most, within which ends count as level
_SPACING = 1.15  # of names, em: no two touch
_MANY = 20  # names from which on they are set smaller
_SMALLEST = 6.0  # points
_NARROWEST = 120.0  # panel, points


@dataclass(frozen=True)
class Line:
    """One line of a panel."""

    name: str
    """Written at its right end."""
    epochs: NDArray[np.int64]
    """[E], ascending."""
    values: NDArray[np.float64]
    """[E]; those that are not finite are left out."""
    colour: str
    weight: float = 1.0
    """Multiple of the style's line width."""
    dashed: bool = False


def panels(
    rows: int,
    columns: int,
    names: Sequence[str],
    style: Style,
    *,
    title: str = "",
    least: float = 110.0,
) -> "tuple[Figure, list[list[Axes]], float]":
    """A figure with panels that leave room for as many names at their right ends.

    Call within `rc_context(matplotlib_style(style))`.

    Args:
        rows: of panels.
        columns: of panels.
        names: of the lines of a panel.
        style: sizes.
        title: stands above.
        least: height of a panel, points; it grows with the number of names.

    Returns:
        The figure, its axes [rows][columns], and the size of names in points.
    """
    from matplotlib.figure import Figure

    size = style.small_size if len(names) < _MANY else _SMALLEST
    height = max(least, (len(names) + 1) * _SPACING * size)
    widest = max((text_width(name, size) for name in names), default=0.0)
    right = _LEADER + _SWATCH + widest + 2 * _EDGE
    page = max(WIDTH, columns * (_LEFT + _NARROWEST + right))
    width = page / columns - _LEFT - right
    lines = wrap(title, style.title_size, page - 2 * _EDGE)
    head = text_height(len(lines), style.title_size) + _EDGE
    total = head + rows * (_TOP + height) + (rows - 1) * _EDGE + _BOTTOM
    figure = Figure(figsize=(page / 72, total / 72))
    figure.set_layout_engine("none")  # places are known: names are spread by them
    if lines:
        figure.text(
            _EDGE / page,
            1 - _EDGE / 2 / total,
            "\n".join(lines),
            size=style.title_size,
            va="top",
            parse_math=False,
        )
    axes: list[list[Axes]] = []
    for row in range(rows):
        top = head + _TOP + row * (_TOP + height + _EDGE)
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
    """Lines with their names pushed apart so that none overlap; log epochs below.

    Where values are logarithmic, those not above 0 are drawn at the lower limit.

    Args:
        axes: of a figure from `panels`.
        lines: later ones on top.
        style: colours and widths.
        size: of names, points.
        logarithmic: whether the values' axis is.
        limits: of the values; default: those of the lines, with a margin.
        epochs: first and last on the axis; default: those of the lines.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter

    low, high = limits or value_limits([line.values for line in lines], logarithmic=logarithmic)
    if logarithmic:
        axes.set_yscale("log")
    axes.set_ylim(low, high)
    _epoch_axis(axes, *(epochs or epoch_range([line.epochs for line in lines])))
    for line in lines:
        kept = log_spaced_rows(line.epochs, ROWS)
        shown = np.where(np.isfinite(line.values[kept]), line.values[kept], np.nan)
        axes.plot(
            line.epochs[kept],
            np.maximum(shown, low) if logarithmic else shown,
            color=line.colour,
            linewidth=style.line_width * line.weight,
            linestyle=_dashes(line),
            label=line.name,
        )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    _name_ends(axes, lines, style, size, (low, high), logarithmic)


def spread(wanted: ArrayLike, gap: float, low: float, high: float) -> NDArray[np.float64]:
    """Places near the wanted ones, in order, at least `gap` apart and within `low` … `high`.

    The sum of squared distances from the wanted places is the least possible. Where there is too
    little room, the gap is what fits.

    Args:
        wanted: [n], ascending.
        gap: between neighbours.
        low: of the first place.
        high: of the last place.
    """
    from scipy.optimize import isotonic_regression

    places = np.asarray(wanted, np.float64)
    if not len(places):
        return places
    gap = min(gap, (high - low) / max(len(places) - 1, 1))
    steps = gap * np.arange(len(places))
    # Places less their steps need only ascend; clipping the best solution keeps it the best.
    level = isotonic_regression(places - steps).x
    return np.clip(level, low, high - steps[-1]) + steps


def log_spaced_rows(epochs: NDArray[np.int64], most: int) -> NDArray[np.intp]:
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


def run_colours(count: int, style: Style) -> list[str]:
    """A colour per run: the palette's, twice over (the second time dashed), else a scale.

    Args:
        count: of runs.
        style: colours.
    """
    size = len(style.palette)
    if count > 2 * size:
        return task_colours(count, style)
    return [style.palette[index % size] for index in range(count)]


def value_limits(
    values: Sequence[NDArray[np.float64]], *, logarithmic: bool = False
) -> tuple[float, float]:
    """Limits of an axis that hold all finite values (where logarithmic, those above 0)."""
    every = np.concatenate([one[np.isfinite(one)] for one in values] or [np.empty(0)])
    every = every[every > 0] if logarithmic else every
    if not every.size:
        return (0.1, 1.0) if logarithmic else (0.0, 1.0)
    low, high = float(every.min()), float(every.max())
    if logarithmic:
        margin = max((high / low) ** 0.04, 1.1)
        return low / margin, high * margin
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def epoch_range(epochs: Sequence[NDArray[np.int64]]) -> tuple[int, int]:
    """The first and the last of several curves' epochs."""
    measured = [one for one in epochs if len(one)]
    first = min((int(one[0]) for one in measured), default=1)
    return first, max([first + 1, *(int(one[-1]) for one in measured)])


def _epoch_axis(axes: "Axes", first: int, last: int) -> None:
    """A log axis; epoch 0, if any, stands before it."""
    if first == 0:
        axes.set_xscale("symlog", linthresh=1, linscale=0.3, subs=range(2, 10))
    else:
        axes.set_xscale("log")
    axes.set_xlim(first, last)


def _name_ends(
    axes: "Axes",
    lines: Sequence[Line],
    style: Style,
    size: float,
    limits: tuple[float, float],
    logarithmic: bool,
) -> None:
    ends = []
    for line in lines:
        finite = np.flatnonzero(np.isfinite(line.values))
        if finite.size:
            ends.append((line, int(line.epochs[finite[-1]]), float(line.values[finite[-1]])))
    scale = np.log if logarithmic else np.asarray
    low, high = (float(scale(limit)) for limit in limits)
    figure = axes.get_figure(root=True)
    assert figure is not None
    height = axes.get_position().height * figure.get_size_inches()[1] * 72
    inside = [min(max(value, limits[0]), limits[1]) for _, _, value in ends]
    wanted = np.array([(float(scale(value)) - low) / (high - low) * height for value in inside])
    order = _from_below(wanted, min(_ALIKE * len(ends), _ALIKE_MOST) * size)
    half = size / 2
    places = spread(np.maximum.accumulate(wanted[order]), _SPACING * size, half - size, height)
    width = axes.get_position().width * figure.get_size_inches()[0] * 72
    begin, stop, name = (1 + x / width for x in (_LEADER, _LEADER + _SWATCH, _LEADER + _SWATCH + 2))
    for index, place in zip(order, places / height, strict=True):
        line, epoch, _ = ends[index]
        axes.annotate(
            "",
            xy=(epoch, inside[index]),
            xytext=(begin, place),
            textcoords="axes fraction",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": style.light_grey,
                "linewidth": style.hair_width,
                "shrinkA": 0.0,
                "shrinkB": 1.5,
            },
        )
        axes.plot(
            [begin, stop],
            [place, place],
            transform=axes.transAxes,
            clip_on=False,
            color=line.colour,
            linewidth=style.line_width * max(line.weight, 1.0),
            linestyle=_dashes(line),
            solid_capstyle="butt",
            label="_swatch",
        )
        axes.text(
            name,
            place,
            line.name,
            transform=axes.transAxes,
            ha="left",
            va="center",
            size=size,
            parse_math=False,
            weight="bold" if line.weight > 1 else "normal",
        )


def _from_below(wanted: NDArray[np.float64], alike: float) -> list[int]:
    """Lines by their ends, the lowest first; level ones in their own order, the first on top."""
    left = sorted(range(len(wanted)), key=lambda index: -wanted[index])
    order: list[int] = []
    while left:
        level = [index for index in left if wanted[left[0]] - wanted[index] <= alike]
        order += sorted(level)
        left = left[len(level) :]
    return order[::-1]


def _dashes(line: Line) -> Any:
    return (0, (3, 1.5)) if line.dashed else "-"
