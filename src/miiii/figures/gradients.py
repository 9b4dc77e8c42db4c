"""Gradient norms of every weight through training (paper Figure 9), as heat strip and lines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from miiii import esch
from miiii.esch.style import LIGHT, Style
from miiii.figures.lines.end_names import Line
from miiii.figures.lines.lines import draw_lines, panels, run_colours
from miiii.figures.styled import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from miiii.analysis.parts.gradients import GradientNorms

_PAPER = {
    "token_embedding": "W_E,tok",
    "position_embedding": "W_E,pos",
    "query": "W_q",
    "key": "W_k",
    "value": "W_v",
    "output": "W_o",
    "mlp_in": "W_in",
    "mlp_out": "W_out",
    "mlp_in_bias": "b_in",
    "mlp_out_bias": "b_out",
    "unembedding": "W_U",
}


def gradient_strip(
    norms: "GradientNorms", *, title: str = "", style: Style = LIGHT
) -> esch.Drawing:
    """Paper Figure 9: a row per weight, log-spaced columns of epochs, area ∝ share of its peak.

    Args:
        norms: L2 norm of each weight / its largest value; a cell has the mean over its column.
    """
    shares = norms.strip()
    return esch.draw(
        "h w",
        shares.values.T,
        title=title,
        x_label="epoch",
        x_ticks=shares.columns.ticks,
        y_ticks=weight_labels(shares.labels),
        value_label="share of the weight's largest gradient norm",
        vmax=1.0,
        style=style,
    )


@styled
def gradient_lines(norms: "GradientNorms", *, title: str = "", style: Style = LIGHT) -> "Figure":
    """Paper Figure 9 as lines: L2 norm of each weight's gradient, and as a share of its peak.

    Both axes are logarithmic. Below, the hairline is the level of rest; a dot marks the epoch from
    which a weight stays below it.

    Args:
        norms: before the gradient filter.
    """
    names = weight_labels(norms.names)
    colours = run_colours(len(names), style)

    def lines(scale: Sequence[float]) -> list[Line]:
        return [
            Line(
                name,
                norms.epoch,
                norms.share[:, index] * scale[index],
                colours[index],
                dashed=len(style.palette) <= index < 2 * len(style.palette),
            )
            for index, name in enumerate(names)
        ]

    smoothed = "" if norms.window == 1 else f", running median of {norms.window} epochs"
    figure, ((above,), (below,)), size = panels(2, 1, names, style, title=title)
    draw_lines(above, lines(norms.peak.tolist()), style, size, logarithmic=True)
    draw_lines(below, lines([1.0] * len(names)), style, size, logarithmic=True)
    above.set_title(f"L2 norm of the gradient, before the filter{smoothed}")
    above.tick_params(labelbottom=False)
    below.set_title(
        f"as a share of each weight's largest (hairline: {norms.rest:g}; "
        "dot: below it from there on)"
    )
    below.axhline(norms.rest, color=style.light_grey, linewidth=style.hair_width, zorder=0)
    for index, epoch in enumerate(norms.settled):
        if epoch is not None:
            share = norms.share[np.searchsorted(norms.epoch, epoch), index]
            low = below.get_ylim()[0]
            below.plot(
                epoch, max(share, low), "o", color=colours[index], markersize=3.5, label="_rest"
            )
    below.set_xlabel("epoch")
    return figure


def weight_labels(names: Sequence[str]) -> list[str]:
    """The paper's names of weights; of several blocks with the block's number, from 1."""
    blocks = {name.split(".")[1] for name in names if name.startswith("blocks.")}
    labels = []
    for name in names:
        parts = name.split(".")
        label = _PAPER.get(parts[-1], name)
        numbered = len(blocks) > 1 and parts[0] == "blocks"
        labels.append(f"{label} ({int(parts[1]) + 1})" if numbered else label)
    return labels
