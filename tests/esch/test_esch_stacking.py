"""Stacking: drawings on one page, lined up."""

import numpy as np
import pytest
from svg_reading import SVG, marks, root, texts

from miiii.esch import DARK, draw, stack
from wording import naming

SHORT = draw("h w", np.ones((2, 3)), cell=10, y_ticks=["a", "b"], show_key=False)
LONG = draw("h w", np.ones((2, 5)), cell=10, y_ticks=["much longer", "b"], show_key=False)


def corners(drawing):
    return list(dict.fromkeys(mark.panel for mark in marks(root(drawing.svg))))


def test_panels_below_each_other_share_their_left_edge():
    page = stack(SHORT, LONG, gap=7)
    (left, top), (other_left, other_top) = corners(page)
    assert left == other_left == pytest.approx(LONG.scene.anchor[0], abs=0.01)
    assert other_top - top == pytest.approx(SHORT.height + 7, abs=0.01)
    assert page.height == SHORT.height + 7 + LONG.height
    assert len(marks(root(page.svg))) == 16


def test_panels_side_by_side_share_their_top():
    titled = draw("h w", np.ones((2, 3)), cell=10, title="A title", show_key=False)
    page = stack(SHORT, titled, direction="right")
    (left, top), (other_left, other_top) = corners(page)
    assert top == other_top
    assert other_left > left + 30
    assert page.width == pytest.approx(SHORT.width + 6 + titled.width)


def test_a_title_is_above_everything():
    page = stack(SHORT, LONG, title="Both")
    places = [(float(e.attrib["y"]), e.text) for e in root(page.svg).iter(f"{SVG}text")]
    assert min(places)[1] == "Both"
    assert min(places)[0] > 0


def test_drawings_that_move_move_together():
    array = np.ones((2, 2, 3))
    moving = draw("h w t", array, frame_labels=["x", "y", "z"])
    page = stack(moving, SHORT, moving)
    assert page.frames == 3
    assert texts(page.frame(0).svg).count("x") == 2
    assert "y" not in texts(page.frame(0).svg)


@pytest.mark.parametrize(
    ("drawings", "options", "message"),
    [
        ([], {}, "drawings 1 0"),
        ([SHORT], {"direction": "up"}, "direction 'down' 'right' 'up'"),
        ([SHORT], {"gap": -1}, "gap points 0 -1"),
        (
            [SHORT, draw("h w", [[1]], style=DARK)],
            {},
            "drawings background #111111,#ffffff",
        ),
        (
            [draw("h w t", np.ones((1, 1, n))) for n in (2, 3)],
            {},
            "drawings axis t 2",
        ),
    ],
)
def test_drawings_that_do_not_go_together_are_refused(drawings, options, message):
    with pytest.raises(ValueError, match=naming(message)):
        stack(*drawings, **options)
