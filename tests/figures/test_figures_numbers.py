"""Figures 1 to 3 read back: every dot at its place, every cell its number."""

import io
import math

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.patches import PathPatch

from figures.drawn import panels, words
from miiii.analysis.number_patterns import multiples, number_spaces, primes
from miiii.esch import DARK, LIGHT, matplotlib_style
from miiii.figures.numbers import input_space, number_spirals, output_space
from wording import naming, says

LIMIT = 113**2


def dots(axes):
    """Colour to complex positions on the disc of radius 1, of everything drawn as dots."""
    found = {}
    for patch in axes.patches:
        if isinstance(patch, PathPatch):
            starts = patch.get_path().vertices[::2]
            assert patch.get_capstyle() == "round"
            found[to_hex(patch.get_edgecolor())] = (starts * 2 - 1) @ (1, 1j)
    return found


def saved(figure, style=LIGHT, kind="svg"):
    stream = io.BytesIO()
    with matplotlib.rc_context(matplotlib_style(style)):
        figure.savefig(stream, format=kind)
    return stream.getvalue()


def expected(numbers, tightness=1.0, limit=LIMIT):
    numbers = np.asarray(numbers)
    return numbers / limit * np.exp(1j * tightness * numbers)


@pytest.mark.parametrize("style", [LIGHT, DARK])
def test_every_number_is_a_dot_at_its_radius_and_angle(style):
    spirals = [multiples(LIMIT, (17, 23)), multiples(LIMIT, (11,)), primes(LIMIT)]
    figure = number_spirals(spirals, title="Spirals", style=style)
    left, middle, right = figure.axes
    groups = dots(left)
    seventeen, twentythree = style.palette[1:3]
    both = set(range(0, LIMIT, 17)) & set(range(0, LIMIT, 23))
    for colour, numbers in (
        (seventeen, sorted(set(range(0, LIMIT, 17)) - both)),
        (twentythree, sorted(set(range(0, LIMIT, 23)) - both)),
        (style.foreground, sorted(both)),
    ):
        np.testing.assert_allclose(groups[colour], expected(numbers), atol=1e-9)
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["17", "23", "both"]
    assert [to_hex(line.get_color()) for line in left.get_legend().get_lines()] == [
        *(seventeen, twentythree, style.foreground)
    ]
    np.testing.assert_allclose(
        dots(middle)[style.foreground], expected(range(0, LIMIT, 11)), atol=1e-9
    )
    np.testing.assert_allclose(
        dots(right)[style.foreground], expected(spirals[2].numbers), atol=1e-9
    )
    assert middle.get_legend() is None
    titles = [axes.get_title(loc="center").splitlines() for axes in figure.axes]
    assert [lines[0] for lines in titles] == [
        *("remainder 0 mod 17 or 23", "remainder 0 mod 11", "primes")
    ]
    assert says(" ".join(titles[1][1:]), "1,161 12,769 rad rings 5,000")
    assert [ring for ring in middle.get_yticks() if ring] == [5000, 10000]


def test_a_tighter_spiral_is_drawn_tighter():
    turn = 2 * math.pi / 11
    (axes,) = number_spirals([multiples(LIMIT, (11,), tightness=turn)]).axes
    placed = dots(axes)[LIGHT.foreground]
    np.testing.assert_allclose(placed.imag, 0, atol=1e-8)
    np.testing.assert_allclose(placed.real, np.arange(0, LIMIT, 11) / LIMIT, atol=1e-8)
    assert "angle 0.5712·n rad" in axes.get_title(loc="center")


def test_the_file_is_small_and_its_text_is_text():
    spirals = [multiples(LIMIT, (17, 23)), multiples(LIMIT, (11,)), primes(LIMIT)]
    text = saved(number_spirals(spirals, title="Spirals of numbers")).decode()
    assert len(text) < 300_000
    assert ">Spirals of numbers</text>" in text
    assert ">primes</text>" in text
    assert "<image" not in text
    assert saved(number_spirals(spirals[:1]), kind="pdf").startswith(b"%PDF")


def test_dots_have_ink():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = number_spirals([multiples(200, (50,))])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    # not at 0, where the axes' lines cross
    for number in (50, 100, 150):
        place = expected([number], limit=200)[0] / 2
        column, up = figure.axes[0].transAxes.transform((0.5 + place.real, 0.5 + place.imag))
        row, column = len(picture) - round(up), round(column)
        assert picture[row - 2 : row + 3, column - 2 : column + 3].min() < 100


@pytest.mark.parametrize(
    ("moduli", "labels"),
    [((4, 6, 9), ["4", "6", "9", "several"]), ((4, 8), ["4", "both"]), (range(2, 9), None)],
)
def test_kinds_that_are_there_are_named(moduli, labels):
    (axes,) = number_spirals([multiples(100, tuple(moduli))]).axes
    legend = axes.get_legend()
    assert (legend and [text.get_text() for text in legend.get_texts()]) == labels
    drawn = np.concatenate(list(dots(axes).values()))
    assert len(drawn) == sum(any(n % q == 0 for q in moduli) for n in range(100))


@settings(max_examples=10)
@given(st.integers(3, 16))
def test_the_input_space_shows_every_number(base):
    drawing = input_space(number_spaces(base), title="Input")
    (read,) = panels(drawing, [(base, base)])
    numbers = [[x0 + base * x1 for x0 in range(base)] for x1 in range(base)]
    np.testing.assert_allclose(read, np.array(numbers) / (base**2 - 1), atol=0.01)
    text = words(drawing)
    assert "Input" in text
    assert f"area ∝ n = x0 + {base}·x1" in text
    assert f"{base - 1}" in text.split()


@pytest.mark.parametrize("style", [LIGHT, DARK])
def test_the_output_space_shows_every_remainder_and_the_addition(style):
    drawing = output_space(number_spaces(11), title="Output", style=style)
    *tasks, addition = panels(drawing, [(11, 11)] * 5)
    numbers = np.arange(121).reshape(11, 11)
    for modulus, read in zip((2, 3, 5, 7), tasks, strict=True):
        np.testing.assert_allclose(read, numbers % modulus / (modulus - 1), atol=0.01)
    sums = np.add.outer(np.arange(11), np.arange(11)) % 11
    np.testing.assert_allclose(addition, sums / 10, atol=0.01)
    text = words(drawing)
    for modulus in (2, 3, 5, 7):
        assert f"n mod {modulus} ■ = {modulus - 1}" in text
    assert "(x0 + x1) mod 11 ■ = 10" in text
    assert drawing.width <= 468 + 1e-6


def test_a_large_output_space_becomes_pictures_on_one_page():
    drawing = output_space(number_spaces(113))
    assert drawing.svg.count("<image") == 30
    assert len(drawing.svg) < 200_000
    assert (drawing.width <= 468 + 1e-6, drawing.height <= 648 + 1e-6) == (True, True)


def test_no_spiral_is_refused():
    with pytest.raises(ValueError, match=naming("spirals empty")):
        number_spirals([])
