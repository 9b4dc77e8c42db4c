"""Several runs in one picture: losses and accuracies, mean over tasks (paper Figure 24).

The figure compares runs at several λ with one control each: λ = 0 at a learning rate that is 1 + λ
times as large. There are two forms, lines and heat strips with a row per run.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from miiii import esch
from miiii.esch.style import LIGHT, Style
from miiii.figures.lines.end_names import Line
from miiii.figures.lines.lines import draw_lines, panels, run_colours
from miiii.figures.lines.log_axes import epoch_range, value_limits
from miiii.figures.styled import styled
from miiii.figures.training import UNITS, accuracy_strip, loss_strip, split_heading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from miiii.analysis.parts.curves import Curves, CurveStrips, SeedCurves


@styled
def comparison_lines(
    runs: "Mapping[str, Curves | SeedCurves]", *, title: str = "", style: Style = LIGHT
) -> "Figure":
    """Paper Figure 24: training and validation, loss (log axis) and below it accuracy.

    Args:
        runs: name to curves, at least one; regressions have losses only. For several seeds the mean
            is a line, and the range from the lowest to the highest is shaded.

    Raises:
        ValueError: there is no run, or losses are of different units.
    """
    chosen = list(runs.values())
    units = sorted({run.unit for run in chosen})
    if len(units) != 1:
        raise ValueError(f"runs: expected losses of one unit, found {', '.join(units) or 'none'}")
    measures = ["loss", "accuracy"][: 1 if chosen[0].regression else 2]
    rows = [(measure, split) for measure in measures for split in ("train", "validation")]
    epochs = epoch_range([one for run in chosen for one in (run.epoch, run.validation_epoch)])
    dropout = all(run.dropout for run in chosen)
    figure, axes, size = panels(len(rows), 1, list(runs), style, title=title, least=86.0)
    for (measure, split), (panel,) in zip(rows, axes, strict=True):
        lines = _run_lines(runs, split, measure, style)
        logarithmic = measure == "loss"
        limits = (-0.03, 1.03)
        if logarithmic:
            seen = [each for line in lines for each in (line.values, *(line.band or ()))]
            limits = value_limits(seen, logarithmic=True)
        draw_lines(panel, lines, style, size, logarithmic=logarithmic, limits=limits, epochs=epochs)
        panel.set_title(f"{split_heading(split, dropout)}, mean over tasks")
        panel.set_ylabel(UNITS[units[0]] if logarithmic else "accuracy")
        panel.tick_params(labelbottom=panel is axes[-1][0])
    axes[-1][0].set_xlabel("epoch")
    return figure


def comparison_strip(
    strips: "CurveStrips", *, title: str = "", style: Style = LIGHT
) -> esch.Drawing:
    """Paper Figure 24 as heat strips: a row per run, mean over its tasks.

    Args:
        strips: of several runs, from `analysis.parts.curves.mean_strips`.
    """
    if strips.train_accuracy is None:
        return loss_strip(strips, title=title, style=style)
    losses = loss_strip(strips, style=style)
    return esch.stack(losses, accuracy_strip(strips, style=style), title=title, style=style)


def _run_lines(
    runs: "Mapping[str, Curves | SeedCurves]", split: str, measure: str, style: Style
) -> list[Line]:
    colours = run_colours(len(runs), style)
    lines = []
    for index, (name, run) in enumerate(runs.items()):
        drawn = run.over_tasks(split, measure)
        dashed = len(style.palette) <= index < len(runs) <= 2 * len(style.palette)
        lines.append(
            Line(name, drawn.epochs, drawn.values, colours[index], dashed=dashed, band=drawn.band)
        )
    return lines
