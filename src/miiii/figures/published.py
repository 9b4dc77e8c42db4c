"""A run's epochs beside the published ones, task by task."""

import math
from typing import TYPE_CHECKING

import numpy as np

from miiii.esch.style import LIGHT, Style
from miiii.figures.styled import new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from miiii.claims.rules.published import BesidePublished

_WIDTH, _ROW, _MARGINS = 7.0, 0.15, 1.0  # inches


@styled
def published_epochs(
    beside: "BesidePublished",
    *,
    trained: int,
    reading_error: float,
    title: str = "",
    style: Style = LIGHT,
) -> "Figure":
    """A row per task on a log axis of epochs: the published epoch and that of the run.

    Args:
        beside: the epochs.
        trained: the last epoch of the run, drawn as a hairline; tasks that have not reached the
            level are crosses on it.
        reading_error: relative error of the published epochs, drawn as a bar.
    """
    from matplotlib.ticker import StrMethodFormatter

    tasks = beside.tasks
    rows = np.arange(len(tasks))
    published = np.array([task.published for task in tasks], float)
    own = np.array([task.own for task in tasks])
    reached = np.isfinite(own)
    one, other = style.palette[0], style.palette[1]
    figure = new_figure(_WIDTH, _ROW * len(tasks) + _MARGINS, layout="constrained")
    axes = figure.add_subplot()
    for row in rows[reached]:
        axes.plot([published[row], own[row]], [row, row], color=style.light_grey, zorder=0)
    axes.errorbar(
        published,
        rows,
        xerr=published * reading_error,
        fmt="s",
        color=one,
        markerfacecolor="none",
        markersize=4,
        linewidth=style.hair_width,
        label="the paper's Figure 4",
    )
    axes.plot(own[reached], rows[reached], "o", color=other, markersize=4, label="this run")
    if not reached.all():
        axes.plot(
            np.full((~reached).sum(), trained),
            rows[~reached],
            "x",
            color=other,
            markersize=4,
            label=f"this run: not by epoch {trained:,}",
        )
    axes.axvline(trained, color=style.light_grey, linewidth=style.hair_width, zorder=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_yticks(rows, [str(task.modulus) for task in tasks])
    axes.set_ylim(len(tasks) - 0.4, -0.6)
    axes.set_ylabel("modulus q")
    axes.set_xlabel("first epoch with a validation accuracy of 0.9")
    axes.legend(loc="lower left")
    if title:
        figure.suptitle(title)
    return figure


def ratio_text(ratio: float) -> str:
    """A ratio of epochs with three digits; a dash for an infinite one."""
    return "–" if math.isinf(ratio) else f"{ratio:.3g}"
