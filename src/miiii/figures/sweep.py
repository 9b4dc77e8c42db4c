"""Figures of a whole search: best so far, trade-offs between objectives, importance of settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from miiii.esch.style import LIGHT, Style
from miiii.figures.styled import new_figure, put_title, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOG_RATIO = 30.0  # largest to smallest value from which on an axis is logarithmic
_WIDTH = 7.0  # inches
DPI = 200.0
"""Resolution at which text is measured; it must be that of PNG files, else names get too little
room."""


@dataclass(frozen=True)
class Values:
    """One objective of N runs."""

    name: str
    values: NDArray[np.float64]
    """[N]"""
    smaller: bool
    """Whether a smaller value is better."""

    @property
    def logarithmic(self) -> bool:
        """Whether the axis is logarithmic: smaller is better, all are above 0, and far apart."""
        low, high = float(self.values.min()), float(self.values.max())
        return self.smaller and low > 0 and high / low >= _LOG_RATIO

    @property
    def best(self) -> int:
        """The index of the best run; of equal ones the first."""
        return int(self.values.argmin() if self.smaller else self.values.argmax())

    @property
    def label(self) -> str:
        """The name with the better direction, for an axis."""
        return f"{self.name} ({'smaller' if self.smaller else 'larger'} is better)"


@dataclass(frozen=True)
class Bars:
    """Importance of S settings for one objective."""

    title: str
    names: tuple[str, ...]
    """[S], largest first."""
    values: NDArray[np.float64]
    """[S], at least 0."""
    chance: NDArray[np.float64]
    """[S]: the values that chance reaches, in the same unit; zeros where they are not known."""
    measure: str = "divergence of the best runs from all"
    """Name of the values, for the axis."""


@styled
def best_so_far(
    objectives: Sequence[Values], lost: Sequence[int] = (), *, title: str = "", style: Style = LIGHT
) -> "Figure":
    """Each run's value, in the order in which runs ended, and the best so far as a line.

    Args:
        objectives: at least one; values in the order in which the runs ended.
        lost: for each run without a value, the number of runs with values that ended before it.
    """
    from matplotlib.ticker import MaxNLocator

    count = len(objectives[0].values)
    figure = new_figure(_WIDTH, 0.4 + 2.1 * len(objectives), layout="constrained", dpi=DPI)
    panels = figure.subplots(len(objectives), 1, sharex=True, squeeze=False)[:, 0]
    for axes, objective in zip(panels, objectives, strict=True):
        best = np.minimum if objective.smaller else np.maximum
        order = np.arange(1, count + 1)
        axes.plot(order, objective.values, "o", color=style.grey, label="a run", alpha=0.7)
        axes.step(
            order,
            best.accumulate(objective.values),
            where="post",
            color=style.foreground,
            label="best so far",
        )
        place = objective.best
        axes.plot(place + 1, objective.values[place], "o", color=style.accent, markersize=5)
        _scale(axes, objective)
        if len(lost):
            axes.plot(
                np.asarray(lost) + 0.5,
                np.full(len(lost), 0.02),
                "x",
                transform=axes.get_xaxis_transform(),
                color=style.accent,
                label="failed or given up",
            )
        axes.set_ylabel(objective.name)
        axes.set_title(objective.label)
        axes.set_xlim(0.5 - 0.01 * count, count + 0.5 + 0.01 * count)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panels[0].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.1)
    panels[-1].set_xlabel("runs that are done, in the order in which they ended")
    put_title(figure, title)
    return figure


@styled
def trade_offs(
    objectives: Sequence[Values], front: NDArray[np.bool_], *, title: str = "", style: Style = LIGHT
) -> "Figure":
    """Every pair of objectives against each other, with the Pareto front marked.

    Args:
        objectives: at least two, of the same N runs.
        front: [N], whether no run beats this one in all objectives at once.
    """
    pairs = list(combinations(objectives, 2))
    figure = new_figure(max(4.6, 3.2 * len(pairs)), 3.6, layout="constrained", dpi=DPI)
    panels = figure.subplots(1, len(pairs), squeeze=False)[0]
    for axes, (one, other) in zip(panels, pairs, strict=True):
        axes.plot(
            one.values[~front],
            other.values[~front],
            "o",
            color=style.grey,
            alpha=0.6,
            label="beaten by another run",
        )
        order = np.argsort(one.values[front])
        axes.plot(
            one.values[front][order],
            other.values[front][order],
            # With three objectives the front is a surface, not a line.
            "o-" if len(pairs) == 1 else "o",
            # A step: worse values of the first objective give no better value of the second.
            drawstyle="steps-post" if one.smaller else "steps-pre",
            linewidth=style.hair_width,
            color=style.accent,
            markersize=4.5,
            label="beaten by none",
        )
        _scale(axes, other)
        if one.logarithmic:
            axes.set_xscale("log")
        axes.set_xlabel(one.label)
        axes.set_ylabel(other.label)
    panels[0].legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.1)
    put_title(figure, title)
    return figure


@styled
def importance_bars(groups: Sequence[Bars], *, title: str = "", style: Style = LIGHT) -> "Figure":
    """Importance of each setting, a panel per objective, with a mark at the value of chance.

    Args:
        groups: at least one.
    """
    tall = max(len(group.names) for group in groups)
    figure = new_figure(
        max(4.6, 3.2 * len(groups)), 1.1 + 0.24 * tall, layout="constrained", dpi=DPI
    )
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, group in zip(panels, groups, strict=True):
        places = np.arange(len(group.names))
        real = group.values > group.chance
        axes.barh(
            places,
            group.values,
            height=0.62,
            color=[style.foreground if each else style.light_grey for each in real],
        )
        if group.chance.any():
            axes.vlines(
                group.chance, places - 0.42, places + 0.42, color=style.negative, linewidth=1.4
            )
        axes.set_yticks(places, list(group.names))
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.04 * max(group.values.max(), group.chance.max(), 1e-9))
        axes.set_title(group.title)
        axes.set_xlabel(group.measure)
    put_title(figure, title)
    return figure


def _scale(axes: "Axes", objective: Values) -> None:
    if objective.logarithmic:
        axes.set_yscale("log")
