"""The key: what a mark's size, fill and colour stand for.

Its marks are drawn at the panels' own size, or magnified where that is too small to see,
which the key then says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.esch.marks import Layer, Look, layers
from miiii.esch.normalise import Magnitude, Normalisation, sides
from miiii.esch.scene import Item, MarkPath, Text
from miiii.esch.style import Style
from miiii.esch.text import HALF_CAPITAL, number, text_height, text_width

SMALL = 5.0  # side of a panel's cell below which the key is magnified, points
MAGNIFIED = 8.0  # side of the key's cell then, points
GAP = 10.0  # between entries, points
INSET = 3.0  # between an entry's mark and its text, points
SHARES = (0.25, 0.5, 1.0)  # of the limit, shown where one limit holds for all

GROUPS = {
    "row": "row of panels (right of it)",
    "panel": "panel (above it)",
    "strip": "row of cells (right of it)",
}


@dataclass(frozen=True)
class Entry:
    """One entry: an optional mark in a cell of side 1, and its text."""

    layer: Layer | None
    text: str


@dataclass(frozen=True)
class Content:
    """What the drawing holds that its key must explain.

    Attributes:
        limit: value of a full mark; the largest one where groups differ.
        negative: whether there are negative values.
        cut: whether some values lie beyond the limit.
        crosses: whether some values are not finite.
    """

    limit: float
    negative: bool
    cut: bool
    crosses: bool

    @classmethod
    def of(cls, values: NDArray[np.float64], limit: NDArray[np.float64], cut: bool) -> Content:
        """Read it from the values [r, c, h, w, t] and their limits."""
        finite = np.isfinite(values)
        return cls(
            limit=float(limit.max()),
            negative=bool(np.any(values[finite] < 0)),
            cut=cut,
            crosses=not bool(finite.all()),
        )


def entries(
    content: Content,
    look: Look,
    normalise: Normalisation,
    magnitude: Magnitude,
    value_label: str,
    magnified: bool,
) -> tuple[Entry, ...]:
    """The key's entries, in order.

    Args:
        content: what there is to explain.
        look: how values become marks.
        normalise: what shares one scale.
        magnitude: what carries |value|.
        value_label: what the values are.
        magnified: whether the key's marks are larger than the panels'.
    """
    name = value_label or "value"
    quantity = f"|{name}|" if content.negative else name
    size = "side" if magnitude == "side" else "area"
    if look.shape == "circle" and magnitude == "side":
        size = "diameter"
    found = [Entry(None, f"{size} \u221d {quantity}" + (", key magnified" if magnified else ""))]
    if normalise != "drawing":
        full = _mark(1.0, 1.0, look, magnitude)
        found.append(Entry(full, f"largest {quantity} of each {GROUPS[normalise]}"))
        if content.negative:
            found.append(Entry(_mark(-1.0, 1.0, look, magnitude), "negative"))
    elif content.limit == 0:
        found.append(Entry(None, "all values are 0"))
    else:
        signs = (1.0, -1.0) if content.negative else (1.0,)
        for sign in signs:
            for share in SHARES if sign > 0 else (1.0,):
                text = number(sign * share * content.limit)
                if content.cut and share == 1:
                    text = ("\u2265 " if sign > 0 else "\u2264 ") + text
                found.append(Entry(_mark(sign * share, 1.0, look, magnitude), text))
    if content.crosses:
        found.append(Entry(_mark(np.nan, 1.0, look, magnitude), "not finite"))
    return tuple(found)


def cell_side(pitch: float) -> float:
    """Side of the key's cells, points, where the panels' cells have side `pitch`."""
    return pitch if pitch >= SMALL else MAGNIFIED


def place(
    found: tuple[Entry, ...], pitch: float, left: float, top: float, width: float, style: Style
) -> tuple[Item, ...]:
    """Set entries from left to right, in as many lines as `width` points ask for."""
    side, size = cell_side(pitch), style.small_size
    line = max(side, text_height(1, size)) + 1
    items: list[Item] = []
    x, middle = left, top + line / 2
    for entry in found:
        inset = side + INSET if entry.layer is not None else 0.0
        length = inset + text_width(entry.text, size)
        if x > left and x + length > left + width:
            x, middle = left, middle + line
        if entry.layer is not None:
            items.append(MarkPath(x, middle - side / 2, side, entry.layer))
        baseline = middle + HALF_CAPITAL * size
        items.append(Text(x + inset, baseline, entry.text, size, style.foreground))
        x += length + GAP
    return tuple(items)


def _mark(value: float, limit: float, look: Look, magnitude: Magnitude) -> Layer:
    values = np.full((1, 1, 1, 1, 1), value)
    side = sides(values, np.full_like(values, limit), magnitude)
    return layers(values[0, 0, :, :, 0], side[0, 0, :, :, 0], look)[0]
