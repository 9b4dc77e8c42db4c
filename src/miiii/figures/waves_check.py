"""The function of the cosine model beside the model's output (paper Appendix D)."""

from typing import TYPE_CHECKING

import numpy as np

from miiii import esch
from miiii.esch.style import LIGHT, Style
from miiii.esch.text import number

if TYPE_CHECKING:
    from miiii.analysis.parts.waves_fit import WavesFit

_VECTORS = 25_000  # marks per drawing; about 0.5 MB


def waves_check(fit: "WavesFit", *, title: str = "", style: Style = LIGHT) -> esch.Drawing:
    """The function, the model's output, and their difference, on all p² numbers.

    The paper has no such figure; there the reader checks the weights by eye.

    Args:
        fit: from `analysis.parts.waves_fit.waves_fit`.
    """
    ticks = sorted({0, fit.base // 2, fit.base - 1})
    return esch.draw(
        "c h w",
        np.stack([fit.target, fit.output, fit.residual]),
        title=title,
        panel_labels=[
            "cos(a) + sin(b)",
            "output of the model",
            f"error, mean square {number(fit.mean_squared_error)}",
        ],
        x_label=f"x0, where a = 2π x0 / {fit.base}",
        y_label=f"x1, where b = 2π x1 / {fit.base}",
        x_ticks=ticks,
        y_ticks=ticks,
        normalise="panel",
        value_label="value",
        sign="colour",
        vector_limit=_VECTORS,
        style=style,
    )
