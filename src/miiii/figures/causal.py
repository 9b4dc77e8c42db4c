"""Accuracies without circuits: matrices beside their controls, and the sharing index."""

from typing import TYPE_CHECKING, Literal

import numpy as np

from miiii import esch
from miiii.esch.style import LIGHT, Style
from miiii.figures.lines.log_axes import epoch_axis
from miiii.figures.styled import new_figure, put_title, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from miiii.analysis.circuits.causal import CausalMatrix
    from miiii.analysis.circuits.causal_inputs import HeadEffects
    from miiii.analysis.dynamics.sharing import SharingThroughTraining

CIRCUITS = {"neurons": "neurons", "harmonics": "harmonics", "embedding": "embedding frequencies"}
_WIDTH = 7.0  # inches


def causal_matrix(matrix: "CausalMatrix", *, title: str = "", style: Style = LIGHT) -> esch.Drawing:
    """Loss of accuracy, a row per removed circuit and a column per task; beside it the control.

    Args:
        matrix: scores without each circuit, and controls.
    """
    lost = matrix.base.accuracy - matrix.without.accuracy
    control = matrix.base.accuracy - matrix.control.accuracy.mean(axis=0)
    draws = len(matrix.control.accuracy)
    labels = [str(modulus) for modulus in matrix.moduli]
    return esch.draw(
        "n h w",
        np.stack([lost, control]),
        title=title,
        panel_labels=[
            f"without each task's {CIRCUITS[matrix.removed]}",
            f"without as much at random, mean of {draws}",
        ],
        x_label="task measured",
        y_label="task whose circuit is removed",
        x_ticks=_thinned(labels),
        y_ticks=labels,
        value_label="accuracy lost",
        vmax=1.0,
        columns=2,
        style=style,
    )


def kept_alone(matrix: "CausalMatrix", *, title: str = "", style: Style = LIGHT) -> esch.Drawing:
    """Sufficiency: accuracy of every task when only one task's circuit of the MLP is kept.

    Args:
        matrix: with scores in `kept`.

    Raises:
        ValueError: `kept` was not measured.
    """
    if matrix.kept is None:
        raise ValueError("matrix: expected scores with only one circuit kept, found none")
    labels = [str(modulus) for modulus in matrix.moduli]
    return esch.draw(
        "h w",
        matrix.kept.accuracy,
        title=title,
        x_label="task measured",
        y_label="task whose circuit is kept",
        x_ticks=_thinned(labels),
        y_ticks=labels,
        value_label=f"accuracy with its {CIRCUITS[matrix.removed]} alone",
        vmax=1.0,
        style=style,
    )


def head_effects(effects: "HeadEffects", *, title: str = "", style: Style = LIGHT) -> esch.Drawing:
    """Loss of accuracy without each head, and without as many random directions of all heads.

    Args:
        effects: scores without each head, and controls.
    """
    lost = effects.base.accuracy - effects.without.accuracy
    control = effects.base.accuracy - effects.control.accuracy.mean(axis=0)
    return esch.draw(
        "h w",
        np.vstack([lost, control]),
        title=title,
        x_label="task measured",
        x_ticks=_thinned([str(modulus) for modulus in effects.moduli]),
        y_ticks=[f"head {head}" for head in range(len(lost))] + ["control"],
        value_label="accuracy lost",
        vmax=1.0,
        style=style,
    )


@styled
def sharing_curve(
    sharing: "SharingThroughTraining", *, title: str = "", style: Style = LIGHT
) -> "Figure":
    """The sharing index through training, with intervals, and the losses that it is made of.

    Args:
        sharing: index at each snapshot.
    """
    names: dict[Literal["own", "others", "control"], tuple[str, str]] = {
        "own": ("without its own circuit", style.palette[0]),
        "others": ("without another's", style.palette[1]),
        "control": ("without as much at random", style.palette[2]),
    }
    figure = new_figure(_WIDTH, 4.6)
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=[3, 3, 1.4])
    put_title(figure, title)
    above.axhline(0, color=style.light_grey, linewidth=style.hair_width)
    above.axhline(1, color=style.light_grey, linewidth=style.hair_width)
    _band(above, sharing.epochs, sharing.series("index"), style.foreground, "")
    above.set_title("sharing index: 0 separate circuits, 1 one circuit for all")
    above.set_ylim(-0.4, 1.1)
    for name, (label, colour) in names.items():
        _band(middle, sharing.epochs, sharing.series(name), colour, label)
    middle.set_title("accuracy that a solved task loses")
    middle.set_ylim(-0.05, 1.05)
    middle.legend(loc="upper left")
    solved = sharing.solved.sum(axis=1)
    below.step(sharing.epochs, solved, where="post", color=style.foreground)
    below.set_title(f"solved tasks (accuracy at least {sharing.threshold:g})")
    below.set_ylim(0, len(sharing.moduli) * 1.1)
    below.set_xlabel("epoch")
    epoch_axis(below, int(sharing.epochs[0]), max(int(sharing.epochs[-1]), 2))
    return figure


def _band(axes: "Axes", epochs, series, colour: str, label: str) -> None:
    value, low, high = series.T
    axes.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(epochs, value, "o-", color=colour, markersize=2.5, label=label or None)


def _thinned(labels: list[str]) -> dict[int, str]:
    """Labels of columns; of more than 16 every second one."""
    step = 1 if len(labels) <= 16 else 2
    return {index: label for index, label in enumerate(labels) if index % step == 0}
