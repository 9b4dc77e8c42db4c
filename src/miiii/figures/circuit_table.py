"""Neurons by task: the sorted table, and the number of tasks that a neuron serves."""

from typing import TYPE_CHECKING

import numpy as np

from miiii.esch.style import LIGHT, Style
from miiii.figures.styled import new_figure, put_title, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from miiii.analysis.circuits.matching import MatchedNeurons
    from miiii.analysis.circuits.serving import ServedTasks

_WIDTH = 7.0  # inches
_MANY = 12  # tasks from which on labels are smaller


@styled
def neuron_table(
    matched: "MatchedNeurons",
    served: "ServedTasks",
    *,
    activation: str = "ReLU",
    title: str = "",
    style: Style = LIGHT,
) -> "Figure":
    """The neuron × task table twice, neurons sorted by task, then harmonic, then share.

    Above, by the digits before the ReLU: share of both digits' profiles that the best matched pair
    (k/q, pk/q) of each task explains. Below, on the number line after the ReLU: each task's
    harmonics' share of the variance that needs both digits, where it is above that of renamed
    digits.

    Args:
        matched: every neuron's task, before the ReLU.
        served: the tasks it serves, after the ReLU.
        activation: the name of the activation function.
    """
    order = np.lexsort((-np.nan_to_num(matched.share), matched.harmonic, matched.task))
    order = order[~matched.silent[order]]
    tasks = len(matched.moduli)
    panels = (
        (f"before the {activation}: share of both digits' profiles", matched.task_share),
        (
            f"after the {activation}: share of what needs both digits, if beyond renamed digits",
            np.where(served.served, served.share, 0.0),
        ),
    )
    figure = new_figure(_WIDTH, 2 * max(0.09 * tasks, 0.9) + 1.2)
    axes = figure.subplots(2, 1, sharex=True)
    put_title(figure, title)
    for panel, (heading, table) in zip(axes, panels, strict=True):
        image = panel.imshow(
            np.nan_to_num(table[order]).T,
            aspect="auto",
            interpolation="none",  # "nearest" leaves cells out of PDF and SVG files
            cmap="Greys_r" if style.background < "#7" else "Greys",
            vmin=0,
            extent=(0, len(order), tasks - 0.5, -0.5),
        )
        panel.set_title(heading)
        panel.set_yticks(range(tasks), [str(modulus) for modulus in matched.moduli])
        panel.tick_params(axis="y", labelsize=5 if tasks > _MANY else style.small_size)
        panel.set_ylabel("modulus")
        bar = figure.colorbar(image, ax=panel, pad=0.01, fraction=0.02)
        bar.outline.set_linewidth(style.hair_width)
    silent = int(matched.silent.sum())
    note = f" ({silent} silent left out)" if silent else ""
    axes[-1].set_xlabel(f"neurons, sorted by task{note}")
    return figure


@styled
def neuron_counts(
    matched: "MatchedNeurons",
    served: "ServedTasks",
    *,
    activation: str = "ReLU",
    title: str = "",
    style: Style = LIGHT,
) -> "Figure":
    """The number of neurons of each task, and the number of tasks of each neuron.

    Args:
        matched: every neuron's task, before the ReLU.
        served: the tasks it serves, after the ReLU.
        activation: the name of the activation function.
    """
    from matplotlib.ticker import MaxNLocator

    tasks = len(matched.moduli)
    by_count = served.neurons_by_count
    by_count = by_count[: max(np.flatnonzero(by_count).max(initial=1) + 1, 3)]
    figure = new_figure(_WIDTH, 2.4)
    per_task, per_neuron = figure.subplots(1, 2, width_ratios=[max(tasks, 6), 6])
    put_title(figure, title)
    place = np.arange(tasks)
    per_task.bar(
        place - 0.2,
        matched.neurons_per_task,
        width=0.4,
        color=style.foreground,
        label=f"best matched pair (before the {activation})",
    )
    per_task.bar(
        place + 0.2,
        served.neurons_per_task,
        width=0.4,
        color=style.positive,
        label=f"served (after the {activation})",
    )
    per_task.set_xticks(place, [str(modulus) for modulus in matched.moduli])
    per_task.tick_params(axis="x", labelsize=5 if tasks > _MANY else style.small_size, length=0)
    per_task.set_xlabel("modulus")
    per_task.set_ylabel("neurons")
    per_task.set_ylim(
        top=1.35 * max(matched.neurons_per_task.max(), served.neurons_per_task.max(), 1)
    )
    per_task.legend(loc="upper left")
    per_neuron.bar(np.arange(len(by_count)), by_count, color=style.positive)
    per_neuron.set_xlabel("tasks that a neuron serves")
    per_neuron.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
