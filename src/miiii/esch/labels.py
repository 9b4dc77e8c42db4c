"""Labels: every text of a drawing but its key, checked against the drawing's axes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from miiii.esch import checks, ticks
from miiii.esch.patterns import Grid
from miiii.esch.ticks import Ticks, TicksLike


@dataclass(frozen=True)
class Labels:
    """Texts in the order of the places they belong to; empty where there are none.

    Attributes:
        title: above everything.
        x_label: below the panels, what their columns of cells are.
        y_label: left of the panels, what their rows of cells are.
        rows: left of each row of panels.
        columns: above each column of panels.
        panels: above each panel, in reading order.
        frames: below the title, one per frame.
        x_ticks: below panels.
        y_ticks: left of panels.
        row_scales: right of each row of panels: the value of a full mark.
        panel_scales: above each panel: the value of a full mark.
        strip_scales: right of each row of cells, per panel: the value of a full mark.
    """

    title: str
    x_label: str
    y_label: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    panels: tuple[str, ...]
    frames: tuple[str, ...]
    x_ticks: Ticks
    y_ticks: Ticks
    row_scales: tuple[str, ...] = ()
    panel_scales: tuple[str, ...] = ()
    strip_scales: tuple[tuple[ticks.Tick, ...], ...] = ()


def read(
    grid: Grid,
    *,
    title: str | None,
    x_label: str | None,
    y_label: str | None,
    row_labels: Iterable[Any] | None,
    column_labels: Iterable[Any] | None,
    panel_labels: Iterable[Any] | None,
    frame_labels: Iterable[Any] | None,
    x_ticks: TicksLike | None,
    y_ticks: TicksLike | None,
) -> Labels:
    """Check every label against the grid it belongs to.

    Raises:
        ValueError: where a list's length is not its axis's; the line names both.
    """
    rows = _texts("row_labels", row_labels)
    columns = _texts("column_labels", column_labels)
    panels = _texts("panel_labels", panel_labels)
    frames = _texts("frame_labels", frame_labels)
    if rows:
        checks.count("row_labels", len(rows), grid.rows, "row of panels (axis r)")
    if columns:
        checks.count("column_labels", len(columns), grid.columns, "column of panels (axis c)")
    if panels:
        checks.count("panel_labels", len(panels), grid.panels, "panel")
    if frames:
        if not grid.animated:
            raise ValueError("frame_labels: expected a pattern with axis t, found none")
        checks.count("frame_labels", len(frames), grid.frames, "frame (axis t)")
    return Labels(
        title="" if title is None else str(title),
        x_label="" if x_label is None else str(x_label),
        y_label="" if y_label is None else str(y_label),
        rows=rows,
        columns=columns,
        panels=panels,
        frames=frames,
        x_ticks=ticks.read("x_ticks", x_ticks, "w", grid.width, grid.panels),
        y_ticks=ticks.read("y_ticks", y_ticks, "h", grid.height, grid.panels),
    )


def _texts(name: str, labels: Iterable[Any] | None) -> tuple[str, ...]:
    """Labels as texts; a list of lists, one per row of panels, is read row by row."""
    if labels is None:
        return ()
    if isinstance(labels, str):
        raise ValueError(f"{name}: expected a list of labels, found the text {labels!r}")
    found: list[str] = []
    for label in labels:
        nested = isinstance(label, (list, tuple, np.ndarray))
        found.extend(_texts(name, label) if nested else [str(label)])
    return tuple(found)
