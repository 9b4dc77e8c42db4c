"""Stacking: several drawings on one page, lined up by their first panels."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from miiii.esch import checks
from miiii.esch.drawing import Drawing
from miiii.esch.page import MARGIN
from miiii.esch.scene import Item, Scene, Text, moved
from miiii.esch.style import LIGHT, Style
from miiii.esch.text import LEADING, text_height, wrap


def stack(
    *drawings: Drawing,
    direction: Literal["down", "right"] = "down",
    title: str | None = None,
    gap: float = 6.0,
    style: Style = LIGHT,
) -> Drawing:
    """Put drawings on one page, below each other or side by side.

    The left edges (or the tops) of their first panels are brought into line.

    Args:
        drawings: at least one. Those that move must share frames and timing.
        direction: "down" or "right".
        title: above all of them.
        gap: between drawings, points.
        style: gives the title its colour and size.

    Returns:
        One drawing.

    Raises:
        ValueError: no drawings, or backgrounds or timings differ.
    """
    if not drawings:
        raise ValueError("drawings: expected at least 1, found 0")
    checks.one_of("direction", direction, ("down", "right"))
    checks.positive("gap", gap, "points")
    scenes = [drawing.scene for drawing in drawings]
    timings = {(scene.timing, len(scene.frames)) for scene in scenes if scene.timing}
    if len(timings) > 1:
        raise ValueError(f"drawings: expected one timing on axis t, found {len(timings)}")
    backgrounds = sorted({scene.background for scene in scenes})
    if len(backgrounds) > 1:
        raise ValueError(f"drawings: expected one background, found {', '.join(backgrounds)}")

    places = _places(scenes, direction, gap)
    width = max(x + scene.width for (x, _), scene in zip(places, scenes, strict=True))
    lines = wrap(title or "", style.title_size, width - 2 * MARGIN)
    head = text_height(len(lines), style.title_size)
    places = [(x, y + head) for x, y in places]
    items: list[Item] = [
        Text(
            MARGIN,
            MARGIN + (0.95 + index * LEADING) * style.title_size,
            line,
            style.title_size,
            style.foreground,
        )
        for index, line in enumerate(lines)
    ]
    timing, count = next(iter(timings)) if timings else (None, 0)
    frames: list[tuple[Item, ...]] = [()] * count
    for (x, y), scene in zip(places, scenes, strict=True):
        items.extend(moved(scene.items, x, y))
        for index, frame in enumerate(scene.frames):
            frames[index] = (*frames[index], *moved(frame, x, y))
    first = scenes[0]
    return Drawing(
        replace(
            first,
            width=width,
            height=max(y + scene.height for (_, y), scene in zip(places, scenes, strict=True)),
            anchor=(first.anchor[0] + places[0][0], first.anchor[1] + places[0][1]),
            title=title or first.title,
            items=tuple(items),
            frames=tuple(frames),
            timing=timing,
        )
    )


def _places(scenes: list[Scene], direction: str, gap: float) -> list[tuple[float, float]]:
    across = 0 if direction == "down" else 1  # the coordinate in which anchors line up
    line = max(scene.anchor[across] for scene in scenes)
    places: list[tuple[float, float]] = []
    along = 0.0
    for scene in scenes:
        aligned = line - scene.anchor[across]
        places.append((aligned, along) if direction == "down" else (along, aligned))
        along += (scene.height if direction == "down" else scene.width) + gap
    return places
