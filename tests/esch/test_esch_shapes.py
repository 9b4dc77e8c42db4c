"""Panels of every shape: each cell stands at its row and column, with its own value and sign.

A library that fills a picture of h × w cells in lines of h passes every test on squares.
"""

import itertools

import numpy as np
import pytest
from svg_reading import marks, root

from miiii.esch import draw

SIDES = (1, 2, 3, 7)
SHAPES = [*itertools.product(SIDES, SIDES), (113, 8), (8, 113), (37, 3)]


def planted(shape):
    """Values that are all different, of both signs, none too small to see."""
    count = int(np.prod(shape))
    values = np.linspace(0.3, 1.0, count)
    values[1::3] *= -1
    return np.random.default_rng(count).permutation(values).reshape(shape)


def assert_cells(found, array, largest):
    cells = {mark.cell: mark for mark in found}
    assert set(cells) == set(np.ndindex(array.shape))
    for cell, value in np.ndenumerate(array):
        side = 0.9 * abs(value) / largest
        assert cells[cell].side / cells[cell].pitch == pytest.approx(side, abs=0.002)
        assert cells[cell].filled == (value > 0)


@pytest.mark.parametrize("shape", SHAPES)
def test_one_panel(shape):
    array = planted(shape)
    svg = draw("h w", array, magnitude="side", show_key=False, panels="vector").svg
    assert_cells(marks(root(svg)), array, np.abs(array).max())


@pytest.mark.parametrize(("rows", "columns"), [(1, 3), (3, 1), (2, 3)])
@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (1, 5), (5, 1), (4, 4)])
def test_panels_side_by_side(rows, columns, shape):
    array = planted((rows, columns, *shape))
    svg = draw("r c h w", array, magnitude="side", show_key=False, panels="vector").svg
    panels = {}
    for mark in marks(root(svg)):
        panels.setdefault(mark.panel, []).append(mark)
    # From the top, then from the left.
    places = sorted(panels, key=lambda place: (place[1], place[0]))
    assert len(places) == rows * columns
    for place, panel in zip(places, array.reshape(-1, *shape), strict=True):
        assert_cells(panels[place], panel, np.abs(array).max())
