"""Normalisation: what shares a scale, recomputed in plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from svg_reading import marks, root, texts

from miiii.esch import draw
from miiii.esch.normalise import limits, sides
from wording import naming, says


def plain_limit(values, place, normalise):
    """The largest |value| among all entries of `values` that share a group with `place`."""
    fixed = {"drawing": 0, "row": 1, "panel": 2, "strip": 3}[normalise]
    return max(abs(v) for index, v in np.ndenumerate(values) if index[:fixed] == place[:fixed])


@given(st.integers(0, 2**32 - 1), st.sampled_from(["drawing", "row", "panel", "strip"]))
def test_a_full_mark_is_the_largest_of_its_group(seed, normalise):
    random = np.random.default_rng(seed)
    values = random.normal(size=random.integers(1, 4, 5)) * random.choice([0.0, 1.0], 1)
    limit = limits(values, normalise, None)
    found = sides(values, limit, "area")
    for place, value in np.ndenumerate(values):
        largest = plain_limit(values, place, normalise)
        assert np.broadcast_to(limit, values.shape)[place] == largest
        assert found[place] == pytest.approx((abs(value) / largest) ** 0.5 if largest else 0.0)


def test_the_drawing_uses_the_scale_it_was_asked_for():
    array = np.array([[[1.0, 4.0]], [[10.0, 40.0]]])  # two panels of one strip
    per_panel = [
        m.side for m in marks(root(draw("r h w", array, normalise="panel", show_key=False).svg))
    ]
    assert per_panel[0] == pytest.approx(per_panel[2], rel=0.01)
    shared = [m.side**2 for m in marks(root(draw("r h w", array, show_key=False).svg))]
    assert shared[2] == pytest.approx(10 * shared[0], rel=0.02)


@pytest.mark.parametrize(
    ("normalise", "scales"),
    [
        ("row", ["\u25a0 = 2", "\u25a0 = 8"]),
        ("panel", ["\u25a0 = 1", "\u25a0 = 2", "\u25a0 = 4", "\u25a0 = 8"]),
        ("strip", ["0.5", "1", "2", "1", "4", "2", "8", "4"]),
    ],
)
def test_each_group_shows_its_own_scale(normalise, scales):
    array = np.array([0.5, 1, 2, 1, 4, 2, 8, 4]).reshape(2, 2, 2, 1)
    found = texts(draw("r c h w", array, normalise=normalise, cell=12).svg)
    key = next(index for index, text in enumerate(found) if "\u221d" in text)
    scales_found = [text for text in found[:key] if text.startswith("\u25a0") or "=" not in text]
    assert sorted(scales_found) == sorted(scales)
    assert any(says(text, "largest each") for text in found[key:])


def test_circles_show_their_scale_beside_a_circle():
    assert "\u25cf = 3" in texts(
        draw("n h w", np.full((2, 1, 1), 3), normalise="panel", mark="circle").svg
    )


def test_frames_share_their_scale():
    array = np.array([[[1.0, 4.0]]])
    first, second = marks(root(draw("h w t", array, show_key=False).svg))
    assert second.side**2 == pytest.approx(4 * first.side**2, rel=0.02)


def test_wrong_groups_and_misplaced_limits_are_refused():
    with pytest.raises(ValueError, match=naming("normalise 'drawing' 'row'")):
        draw("h w", [[1]], normalise="column")
    with pytest.raises(ValueError, match=naming("vmax normalise='drawing'")):
        draw("h w", [[1]], normalise="panel", vmax=3)


def test_extreme_values_neither_overflow_nor_vanish():
    tiny, huge = np.nextafter(0, 1), np.finfo(float).max
    for value in (tiny, huge):
        found = sides(np.full((1, 1, 1, 1, 1), value), np.full((1, 1, 1, 1, 1), value), "area")
        assert found.item() == 1.0
