"""Text: widths against the font's own table, breaks, numbers."""

from pathlib import Path

import matplotlib
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st

from miiii.esch.text import number, text_width, widest_word, wrap

FONT = TTFont(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))
words = st.text(st.sampled_from("abcWi\u03c9\u2080 \n"), max_size=40)


@given(st.text(st.sampled_from(sorted(map(chr, FONT.getBestCmap()))), max_size=20))
def test_widths_are_the_fonts_own(text):
    names, widths = FONT.getBestCmap(), FONT["hmtx"].metrics
    expected = sum(widths[names[ord(character)]][0] for character in text)
    assert text_width(text, 10) == pytest.approx(10 * expected / FONT["head"].unitsPerEm, abs=0.05)


def test_characters_that_the_font_lacks_take_a_whole_em():
    assert text_width("\u4e00", 9) == 9


@given(words, st.floats(5, 200))
def test_lines_are_as_wide_as_allowed_and_lose_no_word(text, width):
    lines = wrap(text, 10, width)
    assert " ".join(lines).split() == text.split()
    for line in lines:
        assert text_width(line, 10) <= max(width, widest_word(text, 10)) + 1e-9
        assert len(line.split()) == 1 or text_width(line, 10) <= width


def test_line_breaks_in_the_text_are_kept():
    assert wrap("one two\nthree", 10, 1000) == ("one two", "three")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (1, "1"),
        (-0.25, "\u22120.25"),
        (3.21734, "3.22"),
        (12769, "12,769"),
        (1234.5, "1,234"),
        (999.7, "1,000"),
        (65536.0, "65,536"),
        (1e-5, "1e\u22125"),
        (2.5e9, "2.5e9"),
        (9.996e9, "1e10"),
        (5e-324, "4.94e\u2212324"),
    ],
)
def test_numbers_are_written_for_people(value, expected):
    assert number(value) == expected
