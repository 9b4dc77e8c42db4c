"""The scene: what is drawn, as plain records in points, before any file format.

Coordinates are points (1/72 inch) from the page's top left corner, y downwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from miiii.esch.marks import Layer
from miiii.esch.text import ASCENT, DESCENT, text_width

Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class MarkPath:
    """A layer of marks; (x, y) is its panel's corner, `pitch` the side of a cell."""

    x: float
    y: float
    pitch: float
    layer: Layer


@dataclass(frozen=True)
class Lines:
    """Straight segments (x0, y0, x1, y1) of one colour and width."""

    segments: tuple[Box, ...]
    colour: str
    width: float


@dataclass(frozen=True)
class Text:
    """One line of text; (x, y) is on its baseline, at its start, middle or end.

    `rotated` text reads upwards, turned about (x, y).
    """

    x: float
    y: float
    text: str
    size: float
    colour: str
    anchor: str = "start"
    rotated: bool = False


@dataclass(frozen=True)
class Picture:
    """A panel as pixels: `indices` [row, column] into `palette` [colour, 3], both uint8."""

    x: float
    y: float
    width: float
    height: float
    indices: NDArray[np.uint8]
    palette: NDArray[np.uint8]


Item: TypeAlias = MarkPath | Lines | Text | Picture


@dataclass(frozen=True)
class Timing:
    """How frames follow each other.

    Attributes:
        duration: seconds for one pass through all frames.
        loop: passes; None for no end.
        still: the frame shown where nothing moves.
    """

    duration: float
    loop: int | None
    still: int


@dataclass(frozen=True)
class Scene:
    """A page.

    Attributes:
        width: points.
        height: points.
        anchor: the first panel's top left corner; stacked scenes line up by it.
        background: colour of the page.
        font_family: CSS font list.
        title: for readers that do not see the page.
        items: what does not move, drawn first.
        frames: what is drawn on top, one entry per moment; empty where nothing moves.
        timing: how the frames follow each other; None where nothing moves.
    """

    width: float
    height: float
    anchor: tuple[float, float]
    background: str
    font_family: str
    title: str
    items: tuple[Item, ...]
    frames: tuple[tuple[Item, ...], ...] = ()
    timing: Timing | None = None

    def at(self, frame: int) -> Scene:
        """The scene as it stands at one frame, without motion."""
        if not self.frames:
            return self
        items = (*self.items, *self.frames[frame])
        return replace(self, items=items, frames=(), timing=None)

    def still(self) -> Scene:
        """The scene as it stands where nothing moves."""
        return self if self.timing is None else self.at(self.timing.still)


def moved(items: Iterable[Item], right: float, down: float) -> tuple[Item, ...]:
    """Items shifted by so many points."""
    found: list[Item] = []
    for item in items:
        if isinstance(item, Lines):
            segments = tuple(
                (a + right, b + down, c + right, d + down) for a, b, c, d in item.segments
            )
            found.append(replace(item, segments=segments))
        else:
            found.append(replace(item, x=item.x + right, y=item.y + down))
    return tuple(found)


def extent(item: Item) -> Box:
    """Left, top, right and bottom of an item. Marks stay within their panel's frame."""
    if isinstance(item, Text):
        width = text_width(item.text, item.size)
        left = {"start": 0.0, "middle": -width / 2, "end": -width}[item.anchor]
        above, below = ASCENT * item.size, DESCENT * item.size
        if item.rotated:
            return (item.x - above, item.y - left - width, item.x + below, item.y - left)
        return (item.x + left, item.y - above, item.x + left + width, item.y + below)
    if isinstance(item, Lines):
        points = np.array(item.segments, dtype=np.float64).reshape(-1, 2)
        low, high = points.min(axis=0), points.max(axis=0)
        return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    if isinstance(item, Picture):
        return (item.x, item.y, item.x + item.width, item.y + item.height)
    columns, rows = item.layer.columns, item.layer.rows
    return (
        item.x + item.pitch * float(columns.min()),
        item.y + item.pitch * float(rows.min()),
        item.x + item.pitch * float(columns.max() + 1),
        item.y + item.pitch * float(rows.max() + 1),
    )


def bounds(items: Iterable[Item]) -> Box:
    """Left, top, right and bottom of all items together."""
    boxes = np.array([extent(item) for item in items], dtype=np.float64).reshape(-1, 4)
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = boxes[:, 2:].max(axis=0)
    return (float(left), float(top), float(right), float(bottom))
