"""Margins of the right logits on the grid of the two digits."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from miiii import esch
from miiii.esch.style import LIGHT, Style
from miiii.figures.numbers import digit_ticks

_VECTORS = 25_000  # marks per drawing; about 0.5 MB


def margin_grids(
    margins: ArrayLike, tasks: Sequence[object], *, title: str = "", style: Style = LIGHT
) -> esch.Drawing:
    """A panel per task and a cell per input: area ∝ |margin|, outlined where it is negative.

    Args:
        margins: [p², N] in the order n = x0 + p·x1, as from `analysis.scoring.margins`.
        tasks: [N], names of the panels.

    Raises:
        ValueError: there are not p² rows, or not one column per task.
    """
    table = np.asarray(margins, np.float64)
    base = math.isqrt(len(table)) if table.ndim == 2 else 0
    if base < 1 or base**2 != len(table) or table.shape[1] != len(tasks):
        raise ValueError(
            f"margins have shape {table.shape}: expected [p², tasks] with {len(tasks)} tasks"
        )
    marked = digit_ticks(base)
    wrong = (table <= 0).sum(axis=0)
    return esch.draw(
        "n h w",
        table.T.reshape(len(tasks), base, base),
        title=title,
        panel_labels=[f"{task}: {count:,} wrong" for task, count in zip(tasks, wrong, strict=True)],
        x_label="x0",
        y_label="x1",
        x_ticks=marked,
        y_ticks=marked,
        normalise="panel",
        sign="both",
        value_label="right logit − largest other",
        vector_limit=_VECTORS,
        style=style,
    )
