"""Figures of a search by setting: parallel coordinates, and a panel per setting."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from miiii.esch.style import LIGHT, Style
from miiii.esch.text import text_width
from miiii.figures.styled import new_figure, put_title, styled
from miiii.figures.sweep import DPI, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BAND = 0.62  # part of a listed value's room over which its runs are spread
_AXIS = 1.15  # inches between two axes
_COLUMNS, _MANY_COLUMNS = 4, 6  # panels side by side, at most; of several objectives
_PANEL = (1.75, 1.6)  # inches


@dataclass(frozen=True)
class Setting:
    """One setting of N runs."""

    name: str
    places: NDArray[np.float64]
    """[N]: the index in `labels`; for an interval the value."""
    labels: tuple[str, ...]
    """Of the listed values; empty for an interval."""
    limits: tuple[float, float]
    """Lowest and highest value; for listed values −½ and their number − ½."""
    log: bool = False
    """Whether its axis is logarithmic."""

    @property
    def heights(self) -> NDArray[np.float64]:
        """[N]: the places, scaled to 0 … 1."""
        low, high = self.limits
        places = self.places
        if self.log:
            low, high, places = math.log(low), math.log(high), np.log(places)
        return (places - low) / (high - low)


@styled
def parallel_coordinates(
    settings: Sequence[Setting],
    objectives: Sequence[Values],
    shaded: int = 0,
    *,
    title: str = "",
    style: Style = LIGHT,
) -> "Figure":
    """A line per run through its settings and its values; darker is better, the best is coloured.

    Runs with the same listed value are spread over a band, better runs higher.

    Args:
        settings: at least one, of N runs.
        objectives: of the same runs; better values are higher.
        shaded: index of the objective that gives the shade.
    """
    from matplotlib.collections import LineCollection

    ranks = _ranks(objectives[shaded])
    columns = [_spread(setting, ranks) for setting in settings]
    columns += [_value_heights(objective) for objective in objectives]
    table = np.stack(columns, axis=1)
    count, width = table.shape
    figure = new_figure(max(4.0, _AXIS * (width - 1) + 1.4), 3.7, layout="constrained", dpi=DPI)
    axes = figure.subplots()
    order = np.argsort(ranks)[::-1]  # the best on top
    lines = np.stack([np.broadcast_to(np.arange(width), table.shape), table], axis=2)
    axes.add_collection(
        LineCollection(
            list(lines[order]),
            colors=_shades(ranks[order], style),
            linewidths=float(np.clip(60 / count, 0.35, 1.1)),
        )
    )
    best = int(ranks.argmin())
    axes.plot(np.arange(width), table[best], "-o", color=style.accent, linewidth=1.8)
    axes.vlines(np.arange(width), 0, 1, color=style.grey, linewidth=style.hair_width)
    for place, setting in enumerate(settings):
        _setting_ticks(axes, place, setting, style)
    for place, objective in enumerate(objectives, start=len(settings)):
        _value_ticks(axes, place, objective, style)
    names = [setting.name for setting in settings]
    names += [objective.name for objective in objectives]
    axes.set_xticks(np.arange(width), [name.replace("_", "\n") for name in names])
    axes.tick_params(axis="x", length=0)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_xlim(-0.35, width - 0.65)
    axes.set_ylim(-0.04, 1.04)
    put_title(figure, title)
    return figure


@styled
def setting_slices(
    settings: Sequence[Setting],
    objectives: Sequence[Values],
    *,
    title: str = "",
    style: Style = LIGHT,
) -> "Figure":
    """A panel per setting: every run's value of an objective over its value of the setting.

    A dash marks the median of each listed value. The best run is coloured.

    Args:
        settings: at least one, of N runs.
        objectives: of the same runs; each has a row of panels, or several for many settings.
    """
    lines = math.ceil(len(settings) / (_COLUMNS if len(objectives) == 1 else _MANY_COLUMNS))
    columns = math.ceil(len(settings) / lines)
    rows = lines * len(objectives)
    widest = max((len(setting.labels) for setting in settings), default=0)
    # Many values, as of a study's experiments, need room for their names.
    width = max(_PANEL[0], 0.24 * widest if widest > 8 else 0.0)
    figure = new_figure(
        width * columns + 0.6,
        (_PANEL[1] + 0.35) * rows + 0.2,
        layout="constrained",
        dpi=DPI,
    )
    panels = figure.subplots(rows, columns, squeeze=False, sharey=False)
    for which, objective in enumerate(objectives):
        for place in range(lines * columns):
            row, column = which * lines + place // columns, place % columns
            axes = panels[row][column]
            if place >= len(settings):
                axes.set_axis_off()
                continue
            _slice(axes, settings[place], objective, 72 * width, style)
            if column == 0:
                axes.set_ylabel(objective.name)
            else:
                axes.tick_params(labelleft=False)
    put_title(figure, title)
    return figure


def _slice(axes: "Axes", setting: Setting, objective: Values, width: float, style: Style) -> None:
    places = setting.places.copy()
    for value in range(len(setting.labels)):
        own = np.flatnonzero(setting.places == value)
        if len(own):
            # Spread in the order of the runs, so that points do not cover each other.
            places[own] = value + (np.linspace(-0.3, 0.3, len(own)) if len(own) > 1 else 0.0)
            median = float(np.median(objective.values[own]))
            axes.hlines(
                median, value - 0.4, value + 0.4, color=style.negative, linewidth=1.6, zorder=3
            )
    axes.plot(
        places, objective.values, "o", color=style.grey, markersize=2.2, alpha=0.7, clip_on=False
    )
    best = objective.best
    axes.plot(places[best], objective.values[best], "o", color=style.accent, markersize=5, zorder=4)
    if objective.logarithmic:
        axes.set_yscale("log")
    if setting.labels:
        room = width / len(setting.labels)
        longest = max(text_width(label, style.small_size) for label in setting.labels)
        axes.set_xticks(
            range(len(setting.labels)), list(setting.labels), rotation=90 if longest > room else 0
        )
    elif setting.log:
        _log_ticks(axes, *setting.limits)
    axes.set_xlim(*setting.limits)
    axes.set_title(setting.name)


def _log_ticks(axes: "Axes", low: float, high: float) -> None:
    """Set a log axis; over less than two decades the ends and the middle have labels."""
    from matplotlib.ticker import FixedLocator, NullFormatter, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    if high / low < 100:
        axes.xaxis.set_major_locator(FixedLocator([low, math.sqrt(low * high), high]))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.3g}"))


def _ranks(objective: Values) -> NDArray[np.float64]:
    """[N]: 0 for the best run, 1 for the worst."""
    values = objective.values if objective.smaller else -objective.values
    return _places_in_order(values) / max(len(values) - 1, 1)


def _places_in_order(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """[N]: the place of each value when sorted, from 0; equal ones keep their order."""
    return np.argsort(np.argsort(values, kind="stable"), kind="stable")


def _spread(setting: Setting, ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights on a setting's axis, the runs of one listed value side by side."""
    heights = setting.heights.copy()
    for value in range(len(setting.labels)):
        own = np.flatnonzero(setting.places == value)
        if len(own) > 1:
            offset = _places_in_order(-ranks[own]) / (len(own) - 1) - 0.5
            heights[own] += _BAND * offset / len(setting.labels)
    return heights


def _value_heights(objective: Values) -> NDArray[np.float64]:
    """Heights on an objective's axis, the best at 1."""
    values = np.log(objective.values) if objective.logarithmic else objective.values
    span = float(np.ptp(values))
    if span == 0:
        return np.full(len(values), 0.5)
    heights = (values - values.min()) / span
    return 1 - heights if objective.smaller else heights


def _shades(ranks: NDArray[np.float64], style: Style) -> list[str]:
    """From the foreground (best) to a light grey (worst)."""
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    scale = LinearSegmentedColormap.from_list(
        "ranks", [style.foreground, style.grey, style.light_grey, style.light_grey]
    )
    return [to_hex(scale(rank)) for rank in ranks]


def _setting_ticks(axes: "Axes", place: int, setting: Setting, style: Style) -> None:
    if setting.labels:
        count = len(setting.labels)
        ticks = [((value + 0.5) / count, label) for value, label in enumerate(setting.labels)]
    else:
        values = (np.geomspace if setting.log else np.linspace)(*setting.limits, 5)
        ticks = [(n / 4, f"{value:.3g}") for n, value in enumerate(values)]
    for height, label in ticks:
        _tick(axes, place, height, label, style)


def _value_ticks(axes: "Axes", place: int, objective: Values, style: Style) -> None:
    low, high = float(objective.values.min()), float(objective.values.max())
    if low == high:
        _tick(axes, place, 0.5, f"{low:.3g}", style, right=True)
        return
    values = (np.geomspace if objective.logarithmic else np.linspace)(low, high, 5)
    for n, value in enumerate(values):
        height = 1 - n / 4 if objective.smaller else n / 4
        _tick(axes, place, height, f"{value:.3g}", style, right=True)


def _tick(
    axes: "Axes", place: int, height: float, label: str, style: Style, *, right: bool = False
) -> None:
    axes.text(
        place + (0.06 if right else -0.06),
        height,
        label,
        ha="left" if right else "right",
        va="center",
        fontsize=style.small_size,
        color=style.foreground,
        bbox={"facecolor": style.background, "edgecolor": "none", "pad": 0.8, "alpha": 0.8},
        zorder=5,
    )
