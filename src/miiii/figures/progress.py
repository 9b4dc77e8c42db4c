"""Progress measures through training: losses by parts, Gini, norms and ranks; those of addition.

Losses are multiples of the loss of guessing. The restricted loss falls when the task's harmonics
predict the labels, even if only by memory of the numbers trained on. The carried loss falls only
when they predict the labels of other numbers.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from miiii.esch.style import LIGHT, Style
from miiii.figures.gradients import weight_labels
from miiii.figures.lines.end_names import Line
from miiii.figures.lines.lines import draw_lines, panels, run_colours, task_colours
from miiii.figures.styled import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from miiii.analysis.dynamics.addition import AdditionThroughTraining
    from miiii.analysis.dynamics.power import PowerThroughTraining
    from miiii.analysis.dynamics.progress import ProgressThroughTraining

FLOOR = 1e-4
"""Losses below it are drawn at it; solved tasks are far below."""

PARTS = {
    "restricted_loss": "restricted loss: the task's harmonics alone, all numbers",
    "carried_loss": "carried loss: the same, as numbers not trained on have them",
    "excluded_loss": "excluded loss: without them, numbers trained on",
}
"""Fields of the record and the titles of their panels."""


@styled
def progress_lines(
    progress: "ProgressThroughTraining", *, title: str = "", style: Style = LIGHT
) -> "Figure":
    """Restricted, carried and excluded loss: a line per task, the median task on top.

    Args:
        progress: through training.
    """
    labels = [str(modulus) for modulus in progress.moduli]
    several = len(labels) > 1
    colours = task_colours(len(labels), style)
    figure, axes, size = panels(len(PARTS), 1, [*labels, *["median"] * several], style, title=title)
    for (panel,), (name, heading) in zip(axes, PARTS.items(), strict=True):
        table = getattr(progress, name)
        lines = [
            Line(label, progress.epochs, table[:, task], colour, 0.7 if several else 1.0)
            for task, (label, colour) in enumerate(zip(labels, colours, strict=True))
        ]
        if several:
            middle = np.median(table, axis=1)
            lines.append(Line("median", progress.epochs, middle, style.foreground, 1.6))
        panel.axhline(1, color=style.light_grey, linewidth=style.hair_width)
        limits = _loss_limits([table])
        draw_lines(panel, lines, style, size, logarithmic=True, limits=limits)
        panel.set_title(heading)
        panel.set_ylabel("loss, guessing = 1")
        panel.tick_params(labelbottom=panel is axes[-1][0])
    axes[-1][0].set_xlabel("epoch")
    return figure


@styled
def structure_lines(
    progress: "ProgressThroughTraining",
    power: "PowerThroughTraining | None" = None,
    *,
    title: str = "",
    style: Style = LIGHT,
) -> "Figure":
    """Gini coefficients, norms of the weights and their effective ranks, one below the other.

    Args:
        progress: through training.
        power: of the same run's neurons, for the Gini coefficient of their powers on the tasks:
            the median neuron, with the middle half shaded. None: only the embedding's Gini.
    """
    names = weight_labels(progress.weight_names)
    colours = run_colours(len(names), style)
    epochs = progress.epochs
    unequal = [Line("embedding", epochs, progress.embedding_gini, style.positive)]
    if power is not None:
        middle = power.table_gini[:, 1]
        unequal.append(Line("neurons", power.epochs, middle, style.negative))

    def per_weight(table: NDArray[np.float64]) -> list[Line]:
        return [
            Line(name, epochs, table[:, index], colours[index], dashed=index >= len(style.palette))
            for index, name in enumerate(names)
        ]

    figure, axes, size = panels(3, 1, [*names, "embedding", "all"], style, title=title)
    above, middle_panel, below = (row[0] for row in axes)
    if power is not None:
        low, _, high = power.table_gini.T
        above.fill_between(
            power.epochs, low, high, color=style.light_grey, alpha=0.6, linewidth=0, zorder=0
        )
    draw_lines(above, unequal, style, size, limits=(-0.03, 1.03))
    above.set_title(
        "Gini: the embedding's power over frequencies"
        + (", neurons' power over tasks (shaded: middle half)" if power is not None else "")
    )
    above.set_ylabel("0: all alike")
    total = Line("all", epochs, progress.total_norm, style.foreground, 1.6)
    draw_lines(middle_panel, [*per_weight(progress.norm), total], style, size, logarithmic=True)
    middle_panel.set_title("L2 norm of the weights")
    draw_lines(below, per_weight(progress.effective_rank), style, size, logarithmic=True)
    below.set_title("effective rank: exp of the entropy of the shares σ² / Σσ²")
    below.set_xlabel("epoch")
    for panel in (above, middle_panel):
        panel.tick_params(labelbottom=False)
    return figure


@styled
def addition_lines(
    addition: "AdditionThroughTraining", *, title: str = "", style: Style = LIGHT
) -> "Figure":
    """T_nanda's losses by parts above; clock or pizza below.

    Args:
        addition: through training.
    """
    epochs = addition.epochs
    colours = style.palette
    losses = [
        Line("all inputs", epochs, addition.loss, style.foreground, 1.6),
        Line("trained on", epochs, addition.train_loss, style.grey),
        Line("restricted", epochs, addition.restricted_loss, colours[1]),
        Line("excluded", epochs, addition.excluded_loss, colours[3]),
        Line("trigonometric", epochs, addition.trigonometric_loss, colours[2], dashed=True),
    ]
    shares = [
        Line("irrelevance", epochs, addition.distance_irrelevance, colours[1]),
        Line("wrong logit's", epochs, addition.wrong_distance_irrelevance, colours[1], dashed=True),
        Line("symmetricity", epochs, addition.gradient_symmetricity, colours[3]),
        Line("explained", epochs, addition.explained, colours[2], dashed=True),
    ]
    figure, ((above,), (below,)), size = panels(
        2, 1, [line.name for line in losses], style, title=title, least=130.0
    )
    above.axhline(1, color=style.light_grey, linewidth=style.hair_width)
    limits = _loss_limits([line.values for line in losses])
    draw_lines(above, losses, style, size, logarithmic=True, limits=limits)
    above.set_title(
        f"loss; key frequencies {', '.join(map(str, addition.frequencies))} of p = {addition.base}"
        if len(addition.frequencies) <= 12
        else f"loss; {len(addition.frequencies)} key frequencies of p = {addition.base}"
    )
    above.set_ylabel("loss, guessing = 1")
    above.tick_params(labelbottom=False)
    low = min(-0.03, 1.06 * float(np.nanmin([*addition.gradient_symmetricity, 0.0])))
    draw_lines(below, shares, style, size, limits=(low, 1.06))
    below.set_title(
        "distance irrelevance (clock: 1), gradient symmetricity (pizza: 1), share of the "
        "logits that is Σ cos"
    )
    below.set_xlabel("epoch")
    return figure


def _loss_limits(tables: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Limits of a log axis that has 1, the loss of guessing, and ends at `FLOOR`."""
    values = np.concatenate([np.ravel(table) for table in tables])
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if values.size else (1.0, 1.0)
    return max(min(float(low), 0.5) / 1.1, FLOOR), max(float(high), 1.0) * 1.2
