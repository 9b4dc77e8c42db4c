"""Margins of every task on the whole domain, against the bounds that certify them."""

from typing import TYPE_CHECKING

import numpy as np

from miiii.esch.style import LIGHT, Style
from miiii.figures.styled import new_figure, put_title, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from miiii.analysis.certificate.certify import Certificate

_WIDTH, _HEIGHT = 7.0, 4.6  # inches
_REACH = 0.32  # half the width of a bound's dash, tasks
_MANY = 20  # tasks from which on text is smaller
_SMALLEST = 6.0  # points
_LEAST = 2.0  # half the width of the axis where tasks are few, tasks
_SHARES = (0.01, 0.1, 0.5, 0.9, 0.99)


@styled
def certificate_margins(
    certificate: "Certificate", *, title: str = "", style: Style = LIGHT
) -> "Figure":
    """Each task's margins over all p² numbers, and the bounds on their rounding errors.

    Above, in units of logits: the middle 98 % (thin), the middle 80 % (thick), the median (white
    dot), and the smallest margin of all (a dot; a cross where it is not above 0, with the count of
    wrong answers). Below, on a log axis: the smallest margin, the largest bound for float64, by
    which it is certified, and the largest bound for float32.

    Args:
        certificate: of a model.
    """
    tasks = certificate.tasks
    places = np.arange(len(tasks))
    figure = new_figure(_WIDTH, _HEIGHT, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.5, 1.0))
    _distributions(above, certificate, style)
    _smallest(below, certificate, style)
    below.set_xticks(places, [str(task.modulus) for task in tasks])
    middle, half = (len(tasks) - 1) / 2, max(_LEAST, len(tasks) / 2 + 0.2)
    below.set_xlim(middle - half, middle + half)
    below.set_xlabel("task q" if len(tasks) > 1 else "task")
    size = style.small_size if len(tasks) < _MANY else _SMALLEST
    for axes in (above, below):
        axes.tick_params(axis="x", length=0, labelsize=size)
    put_title(figure, title)
    return figure


def _distributions(axes: "Axes", certificate: "Certificate", style: Style) -> None:
    tasks = certificate.tasks
    places = np.arange(len(tasks))
    spread = np.array([np.quantile(task.margin[task.answered], _SHARES) for task in tasks]).T
    lowest = np.array([task.smallest_margin for task in tasks])
    axes.axhline(0, color=style.grey, linewidth=style.hair_width, zorder=0)
    axes.vlines(places, spread[0], spread[-1], color=style.grey, linewidth=style.line_width)
    axes.vlines(places, spread[1], spread[-2], color=style.foreground, linewidth=4.0)
    axes.plot(places, spread[2], "o", color=style.background, markersize=2.2, zorder=3)
    right = lowest > 0
    axes.plot(places[right], lowest[right], "o", color=style.foreground)
    axes.plot(
        places[~right], lowest[~right], "x", color=style.accent, markersize=4.5, markeredgewidth=1.2
    )
    counts = [f"{len(task.wrong):,}" for task in tasks]
    low, high = min(0.0, float(lowest.min())), float(max(spread[-1].max(), lowest.max()))
    unit = 0.05 * (high - low) or 1.0
    upright = len(tasks) < _MANY or max(len(text) for text in counts) <= 3
    row = low - 1.2 * unit
    for place in places[~right]:
        axes.text(
            place,
            row,
            counts[place],
            ha="center",
            va="top",
            rotation=0 if upright else 90,
            fontsize=style.small_size if len(tasks) < _MANY else _SMALLEST,
            color=style.accent,
        )
    axes.set_ylim(low - unit if right.all() else row - (2 if upright else 5) * unit, high + unit)
    axes.set_ylabel("logits")
    axes.set_title(
        f"margins over all {certificate.numbers:,} numbers: middle 80 % and 98 %, median, smallest"
        + (" (×: wrong, at so many numbers)" if not right.all() else ""),
        fontsize=style.small_size,
    )


def _smallest(axes: "Axes", certificate: "Certificate", style: Style) -> None:
    tasks = certificate.tasks
    places = np.arange(len(tasks))
    lowest = np.array([task.smallest_margin for task in tasks])
    right = lowest > 0
    axes.set_yscale("log")
    # Automatic limits for a single value cause a warning on some processors.
    axes.set_autoscaley_on(False)
    axes.plot(
        places[right],
        lowest[right],
        "o",
        color=style.foreground,
        label="smallest margin, where above 0",
        clip_on=False,
    )
    shown = [lowest[right]]
    for which, (name, colour) in enumerate(
        (("largest bound, float64", style.positive), ("largest bound, float32", style.negative))
    ):
        bound = np.array([task.largest_bound(which) for task in tasks])
        known = np.isfinite(bound)
        axes.hlines(
            bound[known],
            places[known] - _REACH,
            places[known] + _REACH,
            color=colour,
            linewidth=1.6 * style.line_width,
            label=name,
        )
        shown.append(bound[known])
    values = np.concatenate(shown)
    if len(values):
        axes.set_ylim(values.min() / 4, values.max() * 4)
    axes.set_ylabel("logits")
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.2, handlelength=1.4
    )
