"""`draw`: from an array to a drawing, stage by stage.

The array is arranged as its pattern says, its values become sides of marks, the page is
set around the panels, and the marks go into place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from miiii.esch import checks, key, labels, marks, motion, page, patterns, text
from miiii.esch.drawing import Drawing
from miiii.esch.marks import Look
from miiii.esch.normalise import Magnitude, Normalisation, cut, limits, sides
from miiii.esch.panels import panel_items
from miiii.esch.patterns import Grid
from miiii.esch.scene import Scene
from miiii.esch.style import LIGHT, Style
from miiii.esch.ticks import Tick, TicksLike

WIDTH = 468.0  # points; a column of text on US letter with one-inch margins
HEIGHT = 648.0  # points; such a page's height
FULL = 0.9  # side of a full mark, cells
GAP = 8.0  # points
GUTTERS = 48.0  # points; about what labels left of the panels take
SCALE_TEXT = "\u25a0 = 0.0123"  # as wide as the value of a full mark gets
VECTOR_LIMIT = 100_000  # marks; about 2.3 MB of SVG


def draw(
    pattern: str,
    array: Any,
    *,
    title: str | None = None,
    x_label: str | None = None,
    y_label: str | None = None,
    row_labels: Iterable[Any] | None = None,
    column_labels: Iterable[Any] | None = None,
    panel_labels: Iterable[Any] | None = None,
    frame_labels: Iterable[Any] | None = None,
    x_ticks: TicksLike | None = None,
    y_ticks: TicksLike | None = None,
    value_label: str = "",
    mark: marks.Shape = "square",
    magnitude: Magnitude = "area",
    sign: marks.Sign = "outline",
    normalise: Normalisation = "drawing",
    vmax: float | None = None,
    show_key: bool = True,
    style: Style = LIGHT,
    width: float = WIDTH,
    height: float = HEIGHT,
    cell: float | None = None,
    gap: float = GAP,
    full: float = FULL,
    columns: int | None = None,
    panels: Literal["auto", "vector", "image"] = "auto",
    vector_limit: int = VECTOR_LIMIT,
    duration: float | None = None,
    loop: bool | int = True,
    still: int = -1,
) -> Drawing:
    """Draw an array as squares or circles in small multiples.

    Cell (0, 0) is at the top left. A zero is no mark; a NaN or infinity is a cross.

    Args:
        pattern: what the array's axes are, a letter each, in the array's order: `n` or
            `r` rows of panels, `c` columns of panels, `h` rows and `w` columns of cells,
            `t` time. `n` without `c` is all panels, wrapped. See `esch.patterns`.
        array: real numbers, one axis per letter. Masked entries become NaN.
        title: above everything. Texts are plain, not TeX; long ones are wrapped.
        x_label: what the columns of cells are.
        y_label: what the rows of cells are.
        row_labels: one per row of panels, left of it.
        column_labels: one per column of panels, above it.
        panel_labels: one per panel, above it; flat, or one list per row.
        frame_labels: one per frame, below the title.
        x_ticks: cells marked below panels: `[0, 5]`, `{0: "1", 5: "32"}`, a label per
            column, or a mapping per panel. See `esch.ticks`.
        y_ticks: the same, left of panels.
        value_label: what the values are, for the key.
        mark: "square" or "circle".
        magnitude: whether |value| is proportional to the mark's "area" or its "side".
        sign: negative marks are told by "outline", by "colour", or by "both".
        normalise: what shares one scale: the "drawing", a "row" of panels, a "panel", or a
            "strip", which is a row of cells. Always over all frames.
        vmax: |value| of a full mark, in the array's units; by default the largest one.
            Larger values are cut to it, and the key then says so.
        show_key: whether the key is drawn.
        style: `LIGHT`, `DARK`, or another `Style`.
        width: of the page, points; it grows only where text needs it.
        height: of the page, points; likewise.
        cell: side of a cell, points; by default the largest that fits the page.
        gap: least distance between panels, points.
        full: side of a full mark, in cells, at most 1.
        columns: columns to wrap panels into; only for `n` without `c`.
        panels: "vector", "image", or "auto": images where there are more marks than
            `vector_limit`.
        vector_limit: marks, over all frames, up to which "auto" draws vectors.
        duration: seconds for one pass through all frames; a quarter each by default.
        loop: True for no end, False for one pass, or how many.
        still: the frame shown where nothing moves; the last by default.

    Returns:
        The drawing.

    Raises:
        ValueError: on anything that does not fit together. The line names the axis or
            option, what was expected and what was found.
    """
    _check_sizes(width=width, height=height, gap=gap, cell=cell, full=full)
    panel_labels = None if panel_labels is None else list(panel_labels)
    most = _most_columns(panel_labels, normalise, style, width, gap)
    grid = patterns.arrange(pattern, array, columns, most)
    if duration is not None and not grid.animated:
        raise ValueError(f"duration: expected a pattern with axis t, found {pattern!r}")
    checks.one_of("panels", panels, ("auto", "vector", "image"))
    checks.whole("vector_limit", vector_limit, 0)
    texts = labels.read(
        grid,
        title=title,
        x_label=x_label,
        y_label=y_label,
        row_labels=row_labels,
        column_labels=column_labels,
        panel_labels=panel_labels,
        frame_labels=frame_labels,
        x_ticks=x_ticks,
        y_ticks=y_ticks,
    )
    limit = limits(grid.values, normalise, vmax)
    side = sides(grid.values, limit, magnitude)
    look = Look.of(style, mark, sign, full)
    texts = _with_scales(texts, grid, limit, normalise, look)
    content = key.Content.of(grid.values, limit, cut=vmax is not None and cut(grid.values, limit))

    def make(pitch: float) -> page.Page:
        entries: tuple[key.Entry, ...] = ()
        if show_key:
            magnified = key.cell_side(pitch) > pitch
            entries = key.entries(content, look, normalise, magnitude, value_label, magnified)
        return page.place(grid, texts, entries, style, pitch, gap, width)

    setting = page.fit(make, grid, width, height) if cell is None else make(cell)
    shown = int(np.count_nonzero(side))
    images = panels == "image" or (panels == "auto" and shown > vector_limit)
    frames = tuple(
        panel_items(grid, side, frame, setting, look, style.background, images)
        for frame in range(grid.frames)
    )
    scene = Scene(
        width=setting.width,
        height=setting.height,
        anchor=setting.corners[0],
        background=style.background,
        font_family=style.font_family,
        title=texts.title,
        items=setting.items,
    )
    if not grid.animated:
        return Drawing(replace(scene, items=(*frames[0], *setting.items)))
    changing = setting.frame_items or ((),) * grid.frames
    return Drawing(
        replace(
            scene,
            frames=tuple((*a, *b) for a, b in zip(frames, changing, strict=True)),
            timing=motion.timing(grid.frames, duration, loop, still),
        )
    )


def _check_sizes(
    *, width: float, height: float, gap: float, cell: float | None, full: float
) -> None:
    checks.positive("width", width, "points")
    checks.positive("height", height, "points")
    checks.positive("gap", gap, "points")
    if cell is not None:
        checks.positive("cell", cell, "points")
    checks.positive("full", full, "cells")
    if full > 1:
        raise ValueError(f"full: expected at most 1 cell, found {full!r}")


def _most_columns(
    panel_labels: list[Any] | None, normalise: str, style: Style, width: float, gap: float
) -> int:
    """Columns of panels that leave their labels room on the page."""
    words = [str(label) for label in panel_labels or ()]
    if normalise == "panel":
        words.append(SCALE_TEXT.replace(" ", "_"))
    widest = max((text.widest_word(word, style.small_size) for word in words), default=0.0)
    return max(int((width - GUTTERS) / (widest + gap)), 1)


def _with_scales(
    texts: labels.Labels,
    grid: Grid,
    limit: NDArray[np.float64],
    normalise: Normalisation,
    look: Look,
) -> labels.Labels:
    """Add the value of a full mark to each group that has a scale of its own."""
    sign = "\u25a0" if look.shape == "square" else "\u25cf"
    places = grid.places()
    if normalise == "row":
        values = limit[:, 0, 0, 0, 0]
        return replace(
            texts, row_scales=tuple(f"{sign} = {text.number(value)}" for value in values)
        )
    if normalise == "panel":
        values = [limit[row, column, 0, 0, 0] for row, column in places]
        return replace(
            texts, panel_scales=tuple(f"{sign} = {text.number(value)}" for value in values)
        )
    if normalise == "strip":
        strips = tuple(
            tuple(
                Tick(index, text.number(value))
                for index, value in enumerate(limit[row, column, :, 0, 0])
            )
            for row, column in places
        )
        return replace(texts, strip_scales=strips)
    return texts
