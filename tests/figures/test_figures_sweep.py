"""Pictures of a search, read back from what was drawn."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb

from miiii.esch import LIGHT
from miiii.figures.sweep import Bars, Values, best_so_far, importance_bars, trade_offs
from miiii.figures.sweep_settings import Setting, parallel_coordinates, setting_slices

LOSS = Values("validation_loss", np.array([0.9, 0.5, 0.7, 0.2, 0.4]), True)
AREA = Values("area", np.array([0.1, 0.6, 0.3, 0.9, 0.95]), False)
WIDTH = Setting("width", np.array([0.0, 1, 0, 1, 1]), ("32", "64"), (-0.5, 1.5))
RATE = Setting("learning_rate", np.array([1e-4, 1e-3, 1e-2, 1e-3, 1e-4]), (), (1e-4, 1e-2), True)


def line(axes, label):
    (found,) = (each for each in axes.lines if each.get_label() == label)
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def test_the_best_so_far_is_the_running_best():
    figure = best_so_far([LOSS, AREA], lost=[2])
    for axes, objective, running in zip(
        figure.axes, (LOSS, AREA), (np.minimum, np.maximum), strict=True
    ):
        x, y = line(axes, "best so far")
        assert x.tolist() == [1, 2, 3, 4, 5]
        assert y.tolist() == running.accumulate(objective.values).tolist()
        assert line(axes, "a run")[1].tolist() == objective.values.tolist()
        assert line(axes, "failed or given up")[0].tolist() == [2.5]
        (best,) = (
            each
            for each in axes.lines
            if each.get_color() == LIGHT.accent and each.get_marker() == "o"
        )
        assert best.get_xdata()[0] - 1 == objective.best


def test_values_far_apart_get_a_log_axis():
    wide = Values("validation_loss", np.array([1e-4, 1.0]), True)
    assert wide.logarithmic
    assert not LOSS.logarithmic
    assert best_so_far([wide]).axes[0].get_yscale() == "log"
    assert not Values("x", np.array([0.0, 1.0]), True).logarithmic


def test_trade_offs_show_the_front():
    front = np.array([False, False, False, True, True])
    (axes,) = trade_offs([LOSS, AREA], front).axes
    x, y = line(axes, "beaten by none")
    assert sorted(zip(x, y, strict=True)) == [(0.2, 0.9), (0.4, 0.95)]
    assert len(line(axes, "beaten by another run")[0]) == 3
    (front_line,) = (each for each in axes.lines if each.get_label() == "beaten by none")
    assert front_line.get_drawstyle() == "steps-post"  # no run has (0.2, 0.95)
    (axes,) = trade_offs([AREA, LOSS], front).axes
    (other_way,) = (each for each in axes.lines if each.get_label() == "beaten by none")
    assert other_way.get_drawstyle() == "steps-pre"
    third = Values("solved_epoch", np.arange(5.0), True)
    assert len(trade_offs([LOSS, AREA, third], front).axes) == 3


def test_bars_are_dark_where_they_pass_chance():
    bars = Bars("area", ("width", "heads"), np.array([0.8, 0.1]), np.array([0.3, 0.3]))
    (axes,) = importance_bars([bars]).axes
    assert [patch.get_width() for patch in axes.patches] == [0.8, 0.1]
    shades = [patch.get_facecolor()[:3] for patch in axes.patches]
    assert shades == [to_rgb(LIGHT.foreground), to_rgb(LIGHT.light_grey)]
    (marks,) = (each for each in axes.collections if isinstance(each, LineCollection))
    assert [segment[0][0] for segment in marks.get_segments()] == [0.3, 0.3]


def test_parallel_coordinates_have_a_line_per_run():
    (axes,) = parallel_coordinates([WIDTH, RATE], [LOSS, AREA]).axes
    lines = next(each for each in axes.collections if len(each.get_segments()) == 5)
    segments = np.array(lines.get_segments())
    # Drawn from the worst to the best: runs 0, 2, 1, 4, 3.
    order = [0, 2, 1, 4, 3]
    assert segments[:, 1, 1] == pytest.approx([[0, 0.5, 1, 0.5, 0][run] for run in order])
    assert segments[:, 2, 1] == pytest.approx([(0.9 - LOSS.values[run]) / 0.7 for run in order])
    assert segments[:, 3, 1] == pytest.approx([(AREA.values[run] - 0.1) / 0.85 for run in order])
    # Within a value of a list the better run is higher, and never in another value's room.
    heights = dict(zip(order, segments[:, 0, 1], strict=True))
    assert 0 < heights[0] < heights[2] < 0.5 < heights[1] < heights[4] < heights[3] < 1


def test_slices_mark_medians_and_the_best():
    figure = setting_slices([WIDTH, RATE], [LOSS])
    width, rate = figure.axes
    bars = sorted(segment[0][1] for each in width.collections for segment in each.get_segments())
    assert bars == pytest.approx([0.4, 0.8])
    points = width.lines[0]
    assert np.round(points.get_xdata()).tolist() == WIDTH.places.tolist()
    assert len(set(points.get_xdata().tolist())) == 5
    assert rate.get_xscale() == "log"
    assert rate.lines[0].get_xdata().tolist() == RATE.places.tolist()
    assert rate.lines[1].get_xdata()[0] == 1e-3
    assert [text.get_text() for text in width.get_xticklabels()] == ["32", "64"]


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_every_setting_has_its_panel(count):
    settings = [WIDTH] * count
    shown = [axes for axes in setting_slices(settings, [LOSS, AREA]).axes if axes.axison]
    assert len(shown) == 2 * count


def test_one_run_is_enough():
    one = Values("validation_loss", np.array([0.5]), True)
    setting = Setting("width", np.array([0.0]), ("32",), (-0.5, 0.5))
    (course,) = best_so_far([one]).axes
    assert [line.get_ydata().tolist() for line in course.lines[:2]] == [[0.5], [0.5]]
    assert [line.get_xdata().tolist() for line in course.lines[:2]] == [[1], [1]]
    (panel,) = (axes for axes in setting_slices([setting], [one]).axes if axes.axison)
    assert panel.lines[0].get_ydata().tolist() == [0.5]
    assert [text.get_text() for text in panel.get_xticklabels()] == ["32"]
    ends = {
        text.get_text()
        for axes in parallel_coordinates([setting], [one]).axes
        for text in (*axes.texts, *axes.get_yticklabels())
    }
    assert "32" in ends
