"""Panels: the marks of all panels at one moment, as vectors or as pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from miiii.esch import image, marks
from miiii.esch.marks import Look
from miiii.esch.page import Page
from miiii.esch.patterns import Grid
from miiii.esch.scene import Item, MarkPath, Picture


def panel_items(
    grid: Grid,
    sides: NDArray[np.float64],
    frame: int,
    page: Page,
    look: Look,
    background: str,
    pictures: bool,
) -> tuple[Item, ...]:
    """Draw one frame of every panel in its place.

    Args:
        grid: the values.
        sides: [r, c, h, w, t] in units of a full mark's side.
        frame: which moment.
        page: where the panels are.
        look: how values become marks.
        background: colour behind pictures.
        pictures: whether panels are pixels instead of paths.

    Returns:
        One item per layer of marks, or one picture per panel.
    """
    found: list[Item] = []
    for (row, column), (x, y) in zip(grid.places(), page.corners, strict=True):
        here = (row, column, slice(None), slice(None), frame)
        layers = marks.layers(grid.values[here], sides[here], look)
        if not pictures:
            found.extend(MarkPath(x, y, page.pitch, layer) for layer in layers)
            continue
        pixels = image.pixels_per_cell(page.pitch)
        indices, palette = image.raster(layers, grid.height, grid.width, pixels, background)
        width, height = grid.width * page.pitch, grid.height * page.pitch
        found.append(Picture(x, y, width, height, indices, palette))
    return tuple(found)
