"""The page: texts, ticks, frames and key around the panels, at the best size of cell.

`place` sets a page for a given size of cell; `fit` finds the largest cell whose page
stays within the width and height asked for. The page then grows to hold whatever was
set, so nothing is ever clipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from miiii.esch import key
from miiii.esch.labels import Labels
from miiii.esch.layout import PAD, TICK, Layout, header_height, lay_out
from miiii.esch.patterns import Grid
from miiii.esch.scene import Box, Item, Lines, Text, bounds, moved
from miiii.esch.style import Style
from miiii.esch.text import ASCENT, HALF_CAPITAL, LEADING, text_height, wrap
from miiii.esch.ticks import Fitted

MARGIN = 4.0
NARROWEST = 216.0  # titles and keys of narrow drawings may take this much, points
SMALLEST_PITCH = 0.2
LARGEST_PITCH = 14.0
STEPS = 14  # halvings of the interval of pitches; the result is within 0.1 % of the best


@dataclass(frozen=True)
class Page:
    """A page set.

    Attributes:
        width: points.
        height: points.
        pitch: side of a cell, points.
        corners: [panel] top left corner of each panel, points.
        items: texts, ticks, frames and key.
        frame_items: [t] texts that change; empty without frame labels.
    """

    width: float
    height: float
    pitch: float
    corners: tuple[tuple[float, float], ...]
    items: tuple[Item, ...]
    frame_items: tuple[tuple[Item, ...], ...]


def fit(make: Callable[[float], Page], grid: Grid, width: float, height: float) -> Page:
    """The page with the largest cells that is at most so wide and high.

    Where text by itself needs more room than that, cells take a plain share of it and the
    page grows.
    """

    def fits(page: Page) -> bool:
        return page.width <= width + 1e-6 and page.height <= height + 1e-6

    best = make(LARGEST_PITCH)
    if fits(best):
        return best
    low, high = math.log(SMALLEST_PITCH), math.log(LARGEST_PITCH)
    found = None
    for _ in range(STEPS):
        page = make(math.exp((low + high) / 2))
        if fits(page):
            found, low = page, math.log(page.pitch)
        else:
            high = math.log(page.pitch)
    if found is not None:
        return found
    share = 0.6 * min(width / (grid.columns * grid.width), height / (grid.rows * grid.height))
    return make(min(share, LARGEST_PITCH))


def place(
    grid: Grid,
    labels: Labels,
    entries: tuple[key.Entry, ...],
    style: Style,
    pitch: float,
    gap: float,
    width: float,
) -> Page:
    """Set the page for cells of one size.

    Args:
        grid: what is drawn; only its shape is read.
        labels: the texts.
        entries: the key's; none for no key.
        style: colours and sizes.
        pitch: side of a cell, points.
        gap: least distance between panels, points.
        width: width that the page should not exceed, points.
    """
    layout = lay_out(grid, labels, style, pitch, gap)
    corners = [(layout.lefts[column], layout.tops[row]) for row, column in grid.places()]
    items = [*_frames(layout, corners, style)]
    for panel, corner in enumerate(corners):
        items += _panel_texts(layout, labels, panel, corner, style)
    block = bounds(items[:1])
    items += _column_labels(layout, labels, style)
    items += _row_texts(grid, layout, labels, style, items)
    items += _axis_labels(labels, style, block, items)

    left, top, right, bottom = bounds(items)
    text_room = max(right - left, min(width - 2 * MARGIN, NARROWEST))
    if entries:
        start = block[0] if right - block[0] >= NARROWEST else left
        room = max(text_room - (start - left), 1.0)
        items += key.place(entries, pitch, start, bottom + 2 * PAD, room, style)
    frame_items: tuple[tuple[Item, ...], ...] = ()
    if labels.frames:
        size = style.font_size
        baseline = top - PAD - 0.3 * size
        frame_items = tuple(
            (Text(left, baseline, label, size, style.grey),) for label in labels.frames
        )
        top = baseline - ASCENT * size
    lines = wrap(labels.title, style.title_size, text_room)
    above = top - PAD - text_height(len(lines), style.title_size)
    items += _block(lines, left, above, style.title_size, style.foreground)

    left, top, right, bottom = bounds([*items, *(item for frame in frame_items for item in frame)])
    shift = (MARGIN - left, MARGIN - top)
    return Page(
        # Short numbers keep files small: in PDF every height is subtracted from the page's.
        width=math.ceil(100 * (right - left + 2 * MARGIN)) / 100,
        height=math.ceil(100 * (bottom - top + 2 * MARGIN)) / 100,
        pitch=pitch,
        corners=tuple((x + shift[0], y + shift[1]) for x, y in corners),
        items=moved(items, *shift),
        frame_items=tuple(moved(frame, *shift) for frame in frame_items),
    )


def _block(
    lines: tuple[str, ...], x: float, top: float, size: float, colour: str, anchor: str = "start"
) -> list[Item]:
    """Lines of text below each other, from `top` down."""
    first = top + 0.95 * size
    return [
        Text(x, first + index * LEADING * size, line, size, colour, anchor)
        for index, line in enumerate(lines)
    ]


def _frames(layout: Layout, corners: list[tuple[float, float]], style: Style) -> list[Item]:
    """Hairlines around panels, then the ticks' lines."""
    edges: list[Box] = []
    ticks: list[Box] = []
    for panel, (x, y) in enumerate(corners):
        right, bottom = x + layout.width, y + layout.height
        edges += [(x, y, right, y), (right, y, right, bottom)]
        edges += [(right, bottom, x, bottom), (x, bottom, x, y)]
        below, beside = layout.below[panel], layout.beside[panel]
        for tick in below.ticks if below else ():
            middle = x + (tick.cell + 0.5) * layout.pitch
            ticks.append((middle, bottom, middle, bottom + TICK))
        for tick in beside.ticks if beside else ():
            middle = y + (tick.cell + 0.5) * layout.pitch
            ticks.append((x - TICK, middle, x, middle))
    found: list[Item] = [Lines(tuple(edges), style.light_grey, style.hair_width)]
    if ticks:
        found.append(Lines(tuple(ticks), style.grey, style.hair_width))
    return found


def _panel_texts(
    layout: Layout, labels: Labels, panel: int, corner: tuple[float, float], style: Style
) -> list[Item]:
    x, y = corner
    small = style.small_size
    lines = layout.headers[panel]
    top = y - header_height(len(lines), style)
    plain = lines[:-1] if labels.panel_scales else lines
    items = _block(plain, x, top, small, style.foreground)
    if labels.panel_scales:
        items += _block(lines[-1:], x, top + text_height(len(plain), small), small, style.grey)
    below, beside, strip = layout.below[panel], layout.beside[panel], layout.strips[panel]
    for tick in below.labels if below else ():
        middle = x + (tick.cell + 0.5) * layout.pitch
        start = y + layout.height + TICK + PAD / 2
        if below and below.turned:
            shifted = middle + HALF_CAPITAL * small
            items.append(Text(shifted, start, tick.label, small, style.foreground, "end", True))
        else:
            baseline = start + ASCENT * small
            items.append(Text(middle, baseline, tick.label, small, style.foreground, "middle"))
    items += _beside(beside, x - TICK - PAD / 2, y, layout.pitch, "end", style.foreground)
    items += _beside(strip, x + layout.width + PAD, y, layout.pitch, "start", style.grey)
    return items


def _beside(
    fitted: Fitted | None, x: float, y: float, pitch: float, anchor: str, colour: str
) -> list[Item]:
    if fitted is None:
        return []
    down = HALF_CAPITAL * fitted.size
    return [
        Text(x, y + (tick.cell + 0.5) * pitch + down, tick.label, fitted.size, colour, anchor)
        for tick in fitted.labels
    ]


def _column_labels(layout: Layout, labels: Labels, style: Style) -> list[Item]:
    """Above the headers of the first row; the lowest lines stand level."""
    size = style.small_size
    first_row = layout.headers[: len(layout.lefts)]
    taken = header_height(max(len(lines) for lines in first_row), style)
    items: list[Item] = []
    for text, x in zip(labels.columns, layout.lefts, strict=False):
        lines = wrap(text, size, layout.body)
        items += _block(lines, x, -taken - header_height(len(lines), style), size, style.foreground)
    return items


def _row_texts(
    grid: Grid, layout: Layout, labels: Labels, style: Style, placed: list[Item]
) -> list[Item]:
    left, _, right, _ = bounds(placed)
    items: list[Item] = []
    for row, lines in enumerate(layout.row_lines):
        top = layout.tops[row] + (layout.height - text_height(len(lines), style.font_size)) / 2
        items += _block(lines, left - 2 * PAD, top, style.font_size, style.foreground, "end")
    for row, scale in enumerate(labels.row_scales):
        middle = layout.tops[row] + layout.height / 2
        baseline = middle + HALF_CAPITAL * style.small_size
        items.append(Text(right + PAD, baseline, scale, style.small_size, style.grey))
    return items


def _axis_labels(labels: Labels, style: Style, block: Box, placed: list[Item]) -> list[Item]:
    """The labels of both axes, centred on the block of panels."""
    left = bounds(placed)[0]
    size = style.font_size
    items: list[Item] = []
    lines = wrap(labels.y_label, size, max(block[3] - block[1], NARROWEST / 4))
    for index, line in enumerate(reversed(lines)):
        x = left - 2 * PAD - 0.3 * size - index * LEADING * size
        items.append(
            Text(x, (block[1] + block[3]) / 2, line, size, style.foreground, "middle", True)
        )
    bottom = bounds([*placed, *items])[3]  # a long label may reach below the panels
    lines = wrap(labels.x_label, size, max(block[2] - block[0], NARROWEST / 2))
    middle = (block[0] + block[2]) / 2
    return items + _block(lines, middle, bottom + PAD, size, style.foreground, "middle")
