"""Lines with names at their ends: none overlaps another, whatever the values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import rc_context
from matplotlib.colors import to_hex

from figures.artists import assert_readable, lines, names
from miiii.esch import DARK, LIGHT, matplotlib_style
from miiii.figures.lines.end_names import Line, spread
from miiii.figures.lines.lines import draw_lines, panels, run_colours, task_colours
from miiii.figures.lines.log_axes import log_spaced_rows


def drawn(values, epochs=None, *, title="", style=LIGHT, **options):
    """A figure of one panel with a line per column of values."""
    values = np.asarray(values, float)
    epochs = np.arange(1, len(values) + 1) if epochs is None else np.asarray(epochs)
    labels = [f"line {index}" for index in range(values.shape[1])]
    with rc_context(matplotlib_style(style)):
        figure, ((axes,),), size = panels(1, 1, labels, style, title=title)
        parts = [Line(label, epochs, values[:, i], "#0072b2") for i, label in enumerate(labels)]
        draw_lines(axes, parts, style, size, **options)
    return figure, axes


@settings(deadline=None, max_examples=60)
@given(
    wanted=st.lists(st.floats(-50, 150), max_size=12).map(sorted),
    gap=st.floats(0, 20),
)
def test_places_are_in_order_apart_and_inside(wanted, gap):
    places = spread(wanted, gap, 0, 100)
    assert len(places) == len(wanted)
    if wanted:
        fitting = min(gap, 100 / max(len(wanted) - 1, 1))
        assert (np.diff(places) >= fitting - 1e-9).all()
        assert places[0] >= -1e-9
        assert places[-1] <= 100 + 1e-9


def test_places_are_the_nearest_by_brute_force():
    wanted = np.array([1.0, 1.2, 1.3, 6.0])
    grid = np.arange(0, 8.01, 0.1)
    best = min(
        (
            (a, b, c, d)
            for a in grid
            for b in grid[grid >= a + 0.999]
            if b < 3
            for c in grid[grid >= b + 0.999]
            if c < 4
            for d in (5.9, 6.0, 6.1)
        ),
        key=lambda places: sum((np.array(places) - wanted) ** 2),
    )
    np.testing.assert_allclose(spread(wanted, 1, 0, 8), best, atol=0.051)
    assert spread([3.0, 50.0], 1, 0, 100).tolist() == [3, 50]


@settings(deadline=None, max_examples=8)
@given(
    count=st.integers(1, 30),
    seed=st.integers(0, 999),
    spreading=st.sampled_from([0.0, 1e-3, 1.0]),
    logarithmic=st.booleans(),
)
def test_names_never_overlap(count, seed, spreading, logarithmic):
    values = 0.5 + spreading * np.random.default_rng(seed).random((5, count)) / 2
    figure, axes = drawn(values, title="A title", logarithmic=logarithmic)
    assert_readable(figure)
    assert sorted(names(axes)) == sorted(f"line {index}" for index in range(count))


def test_names_stand_in_the_order_of_the_ends_and_level_ones_in_their_own():
    _, axes = drawn([[0, 0, 0, 0.0], [0.2, 1.0, 0.999, 0.6]])
    assert names(axes) == ["line 1", "line 2", "line 3", "line 0"]


def test_what_is_drawn_is_what_was_given():
    epochs = [1, 2, 4, 8]
    figure, axes = drawn([[1.0], [np.nan], [0.0], [3.0]], epochs, logarithmic=True)
    (line,) = lines(axes).values()
    assert line.get_xdata().tolist() == epochs
    low, high = axes.get_ylim()
    # Zero lies at the lower limit; what is no number is left out.
    np.testing.assert_array_equal(line.get_ydata(), [1, np.nan, low, 3])
    assert 0 < low < 1
    assert high > 3
    assert axes.get_xlim() == (1, 8)
    assert axes.get_xscale() == axes.get_yscale() == "log"
    figure.draw_without_rendering()


def test_epoch_zero_stands_before_the_log_axis():
    figure, axes = drawn([[1.0], [2], [3]], [0, 1, 100])
    assert axes.get_xscale() == "symlog"
    assert axes.get_xlim()[0] == 0
    assert lines(axes)["line 0"].get_xdata().tolist() == [0, 1, 100]
    assert_readable(figure)


@pytest.mark.parametrize(
    ("last", "expected"),
    [(3, ["1", "2", "3"]), (30, ["1", "2", "5", "10", "20"]), (2000, ["1", "10", "100", "1,000"])],
)
def test_short_runs_have_ticks_enough(last, expected):
    figure, axes = drawn(np.ones((last, 1)))
    figure.draw_without_rendering()
    inside = [tick for tick in axes.xaxis.get_major_ticks() if 1 <= tick.get_loc() <= last]
    assert [tick.label1.get_text() for tick in inside] == expected


@pytest.mark.parametrize("span", [1.001, 1.5, 5, 50, 5000])
def test_values_have_ticks_enough(span):
    figure, axes = drawn([[1.0], [span]], logarithmic=True)
    figure.draw_without_rendering()
    low, high = axes.get_ylim()
    inside = [tick for tick in axes.yaxis.get_majorticklocs() if low <= tick <= high]
    assert len(inside) >= 2
    assert_readable(figure)


def test_lines_without_a_number_have_no_name():
    _, axes = drawn(np.full((3, 2), [np.nan, 1.0]))
    assert names(axes) == ["line 1"]
    _, axes = drawn(np.full((3, 1), np.nan), logarithmic=True)
    assert names(axes) == []


@given(count=st.integers(1, 3000), most=st.integers(2, 600))
def test_long_lines_are_thinned_evenly_in_log_epoch(count, most):
    epochs = np.arange(1, count + 1)
    kept = log_spaced_rows(epochs, most)
    assert len(kept) <= max(most, 1)
    assert (kept[0], kept[-1]) == (0, count - 1)
    assert (np.diff(kept) > 0).all()


def test_a_long_title_is_broken_and_many_panels_widen_the_page():
    figure, _ = drawn(np.ones((3, 2)), title="words " * 40)
    assert_readable(figure)
    with rc_context(matplotlib_style(LIGHT)):
        wide, axes, _ = panels(1, 5, ["a name of some length"], LIGHT)
    assert wide.get_size_inches()[0] > 9
    widths = [one.get_position().width * wide.get_size_inches()[0] * 72 for one in axes[0]]
    assert min(widths) > 100


@pytest.mark.parametrize("style", [LIGHT, DARK])
def test_colours_are_distinct_and_readable(style):
    assert task_colours(1, style) == [style.foreground]
    assert len(set(task_colours(29, style))) == 29
    assert len({(colour, index // 7) for index, colour in enumerate(run_colours(14, style))}) == 14
    assert len(set(run_colours(15, style))) == 15
    assert to_hex(style.background) not in task_colours(29, style)
