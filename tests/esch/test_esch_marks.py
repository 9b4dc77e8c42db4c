"""Marks: read back from the SVG, they say what the array said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from svg_reading import mark_paths, marks, path_marks, root

from miiii.esch import LIGHT, draw
from wording import naming

FULL = 0.9  # side of a full mark, in cells
finite_arrays = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(-1e3, 1e3).map(lambda v: 0.0 if abs(v) < 1e-9 else v),
)


def drawn(array, pattern="h w", **options):
    return marks(root(draw(pattern, array, show_key=False, panels="vector", **options).svg))


def side_of(value, largest, magnitude):
    share = abs(value) / largest
    return FULL * (share**0.5 if magnitude == "area" else share)


@given(finite_arrays, st.sampled_from(["square", "circle"]), st.sampled_from(["area", "side"]))
def test_each_value_is_one_mark_in_its_cell_of_its_size(array, mark, magnitude):
    found = {m.cell: m for m in drawn(array, mark=mark, magnitude=magnitude)}
    largest = np.abs(array).max()
    for cell, value in np.ndenumerate(array):
        expected = side_of(value, largest, magnitude) if largest else 0.0
        if expected < 0.0005:  # half of the path's unit: nothing to see
            assert cell not in found
            continue
        seen = found.pop(cell)
        assert seen.shape == mark
        # Within the rounding of corners and strokes to thousandths of a cell.
        assert seen.side / seen.pitch == pytest.approx(expected, abs=0.0081)
        if expected > 0.05:
            assert seen.side / seen.pitch == pytest.approx(expected, abs=0.0016)
        assert seen.offset < 0.002
        assert seen.filled == (value > 0)
    assert not found


def test_area_is_proportional_to_the_value_and_side_is_where_asked():
    values = [[1.0, 2.0, 4.0, 8.0]]
    area = [m.side**2 for m in drawn(values)]
    np.testing.assert_allclose(np.divide(area, area[0]), values[0], rtol=0.01)
    side = [m.side for m in drawn(values, magnitude="side")]
    np.testing.assert_allclose(np.divide(side, side[0]), values[0], rtol=0.01)


def test_outlined_marks_are_as_large_as_filled_ones():
    found = drawn(np.array([[5.0, -5.0], [0.7, -0.7], [0.05, -0.05]]))
    by_cell = {m.cell: m for m in found}
    for row in range(3):
        filled, outlined = by_cell[row, 0], by_cell[row, 1]
        assert filled.filled
        assert not outlined.filled
        assert outlined.side == pytest.approx(filled.side, rel=0.01)


def test_small_outlines_stay_open():
    array = -np.geomspace(1e-3, 1, 12)[None]
    paths = mark_paths(draw("h w", array, show_key=False).svg)
    seen = 0
    for path in paths:
        stroke = float(path.attrib["stroke-width"]) / 1000
        for mark in path_marks(path):
            side = mark.side / mark.pitch
            assert side - 2 * stroke >= 0.3 * side
            seen += 1
    assert seen == 12


def test_zeros_are_no_marks():
    assert drawn(np.zeros((3, 3))) == []
    assert [m.cell for m in drawn([[0, 0], [0, 2]])] == [(1, 1)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("panels", ["vector", "image"])
def test_values_that_are_not_finite_are_crosses(bad, panels):
    array = np.array([[1.0, bad], [2.0, -1.0]])
    drawing = draw("h w", array, panels=panels)
    assert "not finite" in drawing.svg
    if panels == "vector":
        crosses = [m for m in drawn(array) if m.shape == "cross"]
        assert [m.cell for m in crosses] == [(0, 1)]
        assert crosses[0].colour == LIGHT.accent
        assert crosses[0].offset < 0.002


def test_a_cross_does_not_change_the_scale_of_others():
    clean = {m.cell: m.side for m in drawn([[1.0, 0.0], [2.0, 1.0]])}
    mixed = {m.cell: m.side for m in drawn([[1.0, np.inf], [2.0, 1.0]]) if m.shape != "cross"}
    assert mixed == clean


def test_nothing_but_nan_is_nothing_but_crosses():
    found = drawn(np.full((2, 3), np.nan))
    assert sorted(m.cell for m in found) == [(r, c) for r in range(2) for c in range(3)]
    assert {m.shape for m in found} == {"cross"}


def test_masked_entries_are_crosses():
    array = np.ma.masked_array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]])
    assert [m.cell for m in drawn(array) if m.shape == "cross"] == [(0, 1)]


@pytest.mark.parametrize(
    ("sign", "colours", "fills"),
    [
        ("outline", {LIGHT.foreground}, {True, False}),
        ("colour", {LIGHT.positive, LIGHT.negative}, {True}),
        ("both", {LIGHT.positive, LIGHT.negative}, {True, False}),
    ],
)
def test_sign_is_told_by_outline_by_colour_or_by_both(sign, colours, fills):
    found = drawn([[1.0, -1.0]], sign=sign)
    assert {m.colour for m in found} == colours
    assert {m.filled for m in found} == fills
    by_column = {m.cell[1]: m for m in found}
    assert (by_column[0].name, by_column[1].name) == ("positive", "negative")


def test_a_panel_of_one_sign_is_one_path():
    array = np.random.default_rng(0).uniform(0.1, 1, (3, 40, 40))
    paths = mark_paths(draw("n h w", array, show_key=False).svg)
    assert [len(path_marks(path)) for path in paths] == [1600] * 3


def test_values_beyond_vmax_are_cut_and_the_key_says_so():
    array = np.array([[1.0, 8.0]])
    found = {m.cell[1]: m.side / m.pitch for m in drawn(array, vmax=4)}
    assert found[0] == pytest.approx(FULL / 2, abs=0.002)
    assert found[1] == pytest.approx(FULL, abs=0.002)
    assert "\u2265 4<" in draw("h w", array, vmax=4).svg
    assert "\u2265" not in draw("h w", array, vmax=8).svg


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("mark", "hexagon", "mark 'square' 'circle' 'hexagon'"),
        ("sign", "size", "sign 'outline' 'colour' 'both' 'size'"),
        ("magnitude", "volume", "magnitude 'area' 'side' 'volume'"),
        ("vmax", -1, "vmax units 0 -1"),
        ("vmax", np.nan, "vmax nan"),
        ("width", -3, "width points 0 -3"),
        ("height", 0, "height points 0"),
        ("cell", -1, "cell points 0 -1"),
        ("gap", "wide", "gap points 0 'wide'"),
        ("full", 1.5, "full 1 1.5"),
        ("panels", "bitmap", "panels 'auto' 'vector' 'image' 'bitmap'"),
        ("vector_limit", -1, "vector_limit 0 -1"),
        ("duration", 2, "duration axis t 'h w'"),
    ],
)
def test_wrong_options_are_named_with_what_was_expected_and_found(option, value, message):
    with pytest.raises(ValueError, match=naming(message)):
        draw("h w", [[1.0]], **{option: value})
