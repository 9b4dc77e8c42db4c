"""Layout: where panels go, given the side of a cell and the texts that need room.

The origin is the first panel's top left corner; gutters lie at negative coordinates until
the page is closed. All lengths are points.
"""

from __future__ import annotations

from dataclasses import dataclass

from miiii.esch.labels import Labels
from miiii.esch.patterns import Grid
from miiii.esch.style import Style
from miiii.esch.text import text_height, text_width, widest_word, wrap
from miiii.esch.ticks import Fitted, fit_below, fit_beside

TICK = 2.5  # length of a tick
PAD = 3.0  # between things that belong together
ROW_LABEL = 96.0  # width at which a row's label is broken


@dataclass(frozen=True)
class Layout:
    """Places of panels and the texts fitted to them.

    Attributes:
        pitch: side of a cell.
        width: of a panel.
        height: of a panel.
        lefts: [c] left edge of each column of panels.
        tops: [r] top edge of each row of panels.
        body: width that texts above a panel may take.
        headers: [panel] lines above each panel.
        below: [panel] ticks below each panel; None where it shows none.
        beside: [panel] ticks left of each panel; None where it shows none.
        strips: [panel] scales right of each panel; None where it shows none.
        row_lines: [r] lines of each row's label.
    """

    pitch: float
    width: float
    height: float
    lefts: tuple[float, ...]
    tops: tuple[float, ...]
    body: float
    headers: tuple[tuple[str, ...], ...]
    below: tuple[Fitted | None, ...]
    beside: tuple[Fitted | None, ...]
    strips: tuple[Fitted | None, ...]
    row_lines: tuple[tuple[str, ...], ...]


def lay_out(grid: Grid, labels: Labels, style: Style, pitch: float, gap: float) -> Layout:
    """Place panels so that no text of one reaches into another.

    Args:
        grid: what is drawn; only its shape is read.
        labels: the texts.
        style: their sizes.
        pitch: side of a cell, points.
        gap: least distance between panels, points.

    Returns:
        The layout.
    """
    width, height = grid.width * pitch, grid.height * pitch
    places = grid.places()
    bottom = [row * grid.columns + column + grid.columns >= grid.panels for row, column in places]
    below = tuple(
        fit_below(labels.x_ticks.of(panel), pitch, style)
        if bottom[panel] or not labels.x_ticks.shared
        else None
        for panel in range(grid.panels)
    )
    beside = tuple(
        fit_beside(labels.y_ticks.of(panel), pitch, style)
        if column == 0 or not labels.y_ticks.shared
        else None
        for panel, (_, column) in enumerate(places)
    )
    strips = tuple(
        fit_beside(labels.strip_scales[panel], pitch, style) if labels.strip_scales else None
        for panel in range(grid.panels)
    )
    size = style.small_size
    above = (*labels.panels, *labels.columns)
    body = max([width, *(widest_word(text, size) for text in above)])
    body = max([body, *(text_width(text, size) for text in labels.panel_scales)])
    headers = tuple(_header(labels, panel, body, style) for panel in range(grid.panels))
    row_lines = tuple(wrap(text, style.font_size, ROW_LABEL) for text in labels.rows)

    over_left, over_right = _overhang(below, width, pitch)
    lefts = [0.0]
    for column in range(1, grid.columns):
        right = max(over_right, _gutter(strips, places, column - 1))
        left = max(over_left, _gutter(beside, places, column))
        lefts.append(lefts[-1] + max(width + right, body) + gap + left)
    tops = [0.0]
    for row in range(1, grid.rows):
        ticks = 0.0
        if not labels.x_ticks.shared:
            ticks = max(_depth(below[panel]) for panel, (r, _) in enumerate(places) if r == row - 1)
        lines = max(len(headers[panel]) for panel, (r, _) in enumerate(places) if r == row)
        tall = max(height, _beside_height(labels, row_lines, row - 1, style))
        tops.append(tops[-1] + tall + ticks + gap + header_height(lines, style))
    return Layout(
        pitch=pitch,
        width=width,
        height=height,
        lefts=tuple(lefts),
        tops=tuple(tops),
        body=body,
        headers=headers,
        below=below,
        beside=beside,
        strips=strips,
        row_lines=row_lines,
    )


def header_height(lines: int, style: Style) -> float:
    """Room that so many lines above a panel take."""
    return text_height(lines, style.small_size) + (PAD / 2 if lines else 0.0)


def _header(labels: Labels, panel: int, body: float, style: Style) -> tuple[str, ...]:
    lines = wrap(labels.panels[panel], style.small_size, body) if labels.panels else ()
    return (*lines, labels.panel_scales[panel]) if labels.panel_scales else lines


def _gutter(fitted: tuple[Fitted | None, ...], places: list[tuple[int, int]], column: int) -> float:
    widths = [
        fit.widest + TICK + PAD
        for fit, (_, c) in zip(fitted, places, strict=True)
        if fit is not None and fit.ticks and c == column
    ]
    return max(widths, default=0.0)


def _overhang(below: tuple[Fitted | None, ...], width: float, pitch: float) -> tuple[float, float]:
    """How far labels below panels reach beyond their left and right edges."""
    left = right = 0.0
    for fit in below:
        if fit is None:
            continue
        for tick in fit.labels:
            half = fit.size / 2 if fit.turned else text_width(tick.label, fit.size) / 2
            middle = (tick.cell + 0.5) * pitch
            left = max(left, half - middle)
            right = max(right, middle + half - width)
    return left, right


def _depth(fit: Fitted | None) -> float:
    """Room that ticks take below a panel."""
    if fit is None or not fit.ticks:
        return 0.0
    if not fit.labels:
        return TICK
    return TICK + PAD / 2 + (fit.widest if fit.turned else fit.size)


def _beside_height(
    labels: Labels, row_lines: tuple[tuple[str, ...], ...], row: int, style: Style
) -> float:
    lines = len(row_lines[row]) if row_lines else 0
    scale = text_height(1, style.small_size) if labels.row_scales else 0.0
    return max(text_height(lines, style.font_size), scale)
