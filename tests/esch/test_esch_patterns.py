"""Patterns: every entry of an array goes where its letters say."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.esch import draw
from miiii.esch.patterns import LETTERS, arrange, parse
from wording import naming


@st.composite
def patterned_arrays(draw_value):
    """Letters in any order and an array of that many axes whose entries all differ."""
    rows = draw_value(st.sampled_from(["", "r", "nc"]))
    letters = set(rows) | draw_value(st.sets(st.sampled_from("cwht"))) | {"h"}
    if "n" in letters:
        letters |= {"c"}  # alone, n wraps; that is another test
    order = draw_value(st.permutations(sorted(letters)))
    shape = [draw_value(st.integers(1, 3)) for _ in order]
    return order, np.arange(np.prod(shape), dtype=float).reshape(shape)


@given(patterned_arrays())
def test_every_entry_goes_where_its_letters_say(case):
    order, array = case
    grid = arrange(" ".join(order), array)
    for index in itertools.product(*(range(size) for size in array.shape)):
        place = dict(
            zip(("r" if letter == "n" else letter for letter in order), index, strict=True)
        )
        assert grid.values[tuple(place.get(letter, 0) for letter in LETTERS)] == array[index]
    assert grid.values.size == array.size
    assert grid.animated == ("t" in order)


@given(panels=st.integers(1, 12), columns=st.integers(1, 14))
def test_panels_wrap_in_reading_order(panels, columns):
    array = np.arange(1, panels + 1, dtype=float)[:, None] * np.ones((1, 2))
    grid = arrange("n w", array, columns)
    assert grid.panels == panels
    assert grid.columns == min(panels, columns)
    assert grid.rows == -(-panels // grid.columns)
    seen = grid.values[:, :, 0, 0, 0].ravel()
    np.testing.assert_array_equal(seen[:panels], np.arange(1, panels + 1))
    assert not seen[panels:].any()


def test_wrapping_suits_the_shape_of_panels():
    assert arrange("n h w", np.ones((16, 9, 9))).columns in (4, 5, 6)
    assert arrange("n h w", np.ones((4, 2, 200))).columns == 1
    assert arrange("n h w", np.ones((16, 9, 9)), most=3).columns == 3


def test_n_beside_c_names_rows():
    grid = arrange("n c h w", np.ones((5, 2, 3, 4)))
    assert (grid.rows, grid.columns, grid.height, grid.width) == (5, 2, 3, 4)


@pytest.mark.parametrize(
    ("pattern", "shape", "message"),
    [
        ("h q", (2, 2), "unknown axis 'q'"),
        ("hw", (2, 2), "unknown axis 'hw'"),
        ("h w h", (2, 2, 2), "axis 'h' once 2"),
        ("n r h", (2, 2, 2), "'n' 'r' rows"),
        ("n c", (2, 2), "axis 'h' 'w' none"),
        ("", (), "axis 'h' 'w' none"),
        ("h w", (2, 3, 4), "2 axes 3 (2,3,4)"),
        ("h w", (), "2 axes 0 ()"),
        ("h w", (3, 0), "axis w 1 0 (3,0)"),
        ("n h w t", (3, 1, 2, 0), "axis t 1 0"),
    ],
)
def test_refusals_name_the_axis_in_one_line(pattern, shape, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        draw(pattern, np.ones(shape))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((2, 2), dtype=complex), "real numbers complex128"),
        ([["a", "b"]], "real numbers <U1"),
        ([[1, 2], [3]], "lengths axis"),
    ],
)
def test_arrays_that_are_no_real_numbers_are_refused(array, message):
    with pytest.raises(ValueError, match=naming(message)):
        draw("h w", array)


def test_columns_is_refused_where_nothing_wraps():
    with pytest.raises(ValueError, match=naming("columns pattern axis 'n'")):
        draw("r c h w", np.ones((2, 2, 2, 2)), columns=2)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.float32])
def test_any_real_dtype_is_drawn_alike(dtype):
    array = np.array([[0, 1], [1, 0]])
    assert draw("h w", array.astype(dtype)).svg == draw("h w", array.astype(float)).svg


def test_parse_keeps_the_order_written():
    assert parse(" w  t h ") == ("w", "t", "h")
