"""Sheets of small pictures, decoded by another library and read pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.report.page.sheets import BAR, GAP, LINE, SHADES, bars, shaded
from report.reading import columns, pixels
from wording import naming


@given(
    st.tuples(*[st.integers(1, 4)] * 4),
    st.floats(0.1, 10),
    st.integers(0, 2**32 - 1),
)
def test_shades_are_the_values_at_their_places(shape, top, seed):
    frames = np.random.default_rng(seed).uniform(0, 12, shape)
    seen = pixels(shaded(frames, top))
    for place in np.ndindex(shape):
        expected = min(frames[place] / top, 1)
        assert seen[place] == pytest.approx(expected, abs=0.5 / SHADES + 1 / 255)


def test_one_shade_means_one_value_at_all_epochs():
    frames = np.full((3, 2, 2, 2), 0.5)
    frames[1] = 2.0  # a larger value elsewhere changes nothing here
    seen = pixels(shaded(frames, 2.0))
    assert seen[0].max() == seen[0].min() == seen[2].max() < seen[1].min() == 1


def test_nothing_is_white():
    assert pixels(shaded(np.zeros((2, 1, 3, 3)), 0.0)).max() == 0


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (np.zeros((2, 2, 2)), "frames (2,2,2) [epochs,panels,h,w]"),
        (np.full((1, 1, 1, 1), -1.0), "negative finite"),
        (np.full((1, 1, 1, 1), np.nan), "negative finite"),
    ],
)
def test_frames_that_cannot_be_shaded_are_refused(frames, words):
    with pytest.raises(ValueError, match=naming(words)):
        shaded(frames, 1.0)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6), st.floats(0.5, 3), st.integers(2, 40))
def test_bars_are_as_long_as_their_values(values, top, tall):
    picture = pixels(bars(np.array(values)[None, None], top, tall, signed=True))[0, 0]
    assert picture.shape == (2 * tall + 1, len(values) * (BAR + GAP))
    assert picture[tall] == pytest.approx(LINE, abs=0.01)
    for value, column in zip(values, columns(picture, tall), strict=True):
        length = min(abs(value) / top, 1) * tall
        above, below = column[:tall].sum(), column[tall + 1 :].sum()
        assert (above if value > 0 else below) == pytest.approx(length, abs=0.03)
        assert (below if value > 0 else above) == 0
        if length >= 1:  # it stands on the line
            assert (column[tall - 1] if value > 0 else column[tall + 1]) == 1


def test_bars_without_sign_have_no_room_below():
    tall = 24
    sheet = bars(np.array([[[0.0, 1.0, 0.5]], [[1.0, 0.0, 0.0]]]), 1.0, tall)
    assert (sheet.epochs, sheet.panels, sheet.height) == (2, 1, tall + 1)
    later = columns(pixels(sheet)[1, 0], tall)
    assert later[:, :tall].sum(axis=1) == pytest.approx([tall, 0, 0])


@pytest.mark.parametrize(
    ("values", "signed", "words"),
    [
        (np.zeros((1, 1)), True, "values (1,1) [epochs,panels,bars]"),
        (np.full((1, 1, 1), -1.0), False, "finite numbers 0"),
        (np.full((1, 1, 1), np.inf), True, "finite numbers"),
    ],
)
def test_values_that_no_bar_can_show_are_refused(values, signed, words):
    with pytest.raises(ValueError, match=naming(words)):
        bars(values, 1.0, 24, signed=signed)
