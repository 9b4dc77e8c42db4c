"""Curves as paths, read back point by point."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.analysis.parts.curves import curves
from miiii.report.page.charts import SIDE, EpochAxis, charts, path
from wording import says


def points(data):
    """[(x, y)] of every subpath, 0 to 1 from the bottom left."""
    found = []
    for letter, x, y in re.findall(r"([ML])(\d+) (\d+)", data):
        if letter == "M":
            found.append([])
        found[-1].append((int(x) / SIDE, 1 - int(y) / SIDE))
    return found


def planted(epochs=1000, tasks=3, *, validate=1, dropout=False):
    """Task k jumps from 0.1 to 1 at epoch 100·(k + 1); its loss from 1 to 1e-3."""
    epoch = np.arange(1, epochs + 1)
    learnt = epoch[:, None] >= 100 * np.arange(1, tasks + 1)
    accuracy, loss = np.where(learnt, 1.0, 0.1), np.where(learnt, 1e-3, 1.0)
    late = epoch % validate == 0
    return curves(
        ["2", "3", "5", "7", "11"][:tasks],
        epoch,
        loss,
        accuracy,
        epoch[late],
        loss[late],
        accuracy[late],
        dropout=dropout,
    )


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_doublings_are_equal_steps(last, epoch):
    axis = EpochAxis(last)
    assert axis.place(0) == 0
    assert axis.place(last) == pytest.approx(1)
    step = axis.place(2 * epoch) - axis.place(epoch)
    assert step == pytest.approx(axis.place(1) - axis.place(0))


def test_ticks_are_powers_of_ten():
    ticks = EpochAxis(1500).ticks
    assert [text for _, text in ticks] == ["0", "1", "10", "100", "1,000"]
    assert [place for place, _ in ticks] == sorted(place for place, _ in ticks)
    assert ticks[-1][0] < 1


def test_a_path_has_gaps_where_nothing_was_measured():
    heights = np.array([0.0, 0.5, np.nan, 1.0, 2.0, np.nan])
    data = path([0, 0.2, 0.4, 0.6, 0.8, 1], heights)
    assert points(data) == [[(0, 0), (0.2, 0.5)], [(0.6, 1), (0.8, 1)]]
    assert path([0.0], np.array([np.nan])) == ""


def test_lines_jump_where_the_tasks_are_learnt():
    axis, found = charts(planted())
    assert [chart.title for chart in found] == [
        "Validation: accuracy",
        "Validation: loss, guessing = 1",
        "Training: accuracy",
        "Training: loss, guessing = 1",
    ]
    for chart in found:
        rising = "accuracy" in chart.title
        for task, line in enumerate(chart.lines):
            (drawn,) = points(line)
            jump = axis.place(100 * (task + 1))
            before = [y for x, y in drawn if x < jump - 0.01]
            after = [y for x, y in drawn if x > jump + 0.01]
            assert len(before) > 10
            assert len(after) > 3
            assert (max(before) < min(after)) if rising else (min(before) > max(after))


def test_accuracy_and_loss_stand_at_their_ticks():
    _, found = charts(planted())
    accuracy, loss = found[0], found[1]
    ticks = {text: place for place, text in accuracy.ticks}
    assert ticks == {"0": 0, "0.5": 0.5, "1": 1}
    (line,) = points(accuracy.lines[0])
    assert line[0][1] == pytest.approx(0.1, abs=1e-3)
    assert line[-1][1] == 1
    levels = {text: place for place, text in loss.ticks}
    assert levels["1"] == 1  # the highest loss is 1
    (line,) = points(loss.lines[0])
    decade = (1 - levels["0.01"]) / 2
    assert line[-1][1] == pytest.approx(1 - 3 * decade, abs=2e-3)


def test_the_mean_is_of_the_tasks():
    _, found = charts(planted(tasks=2))
    for chart in found[::2]:  # accuracies, on a linear axis
        (mean,), one, other = points(chart.mean), *(points(line)[0] for line in chart.lines)
        for middle, first, second in zip(mean, one, other, strict=True):
            assert middle[1] == pytest.approx((first[1] + second[1]) / 2, abs=2e-3)


def test_dropout_is_named_and_no_validation_leaves_no_chart():
    _, found = charts(planted(validate=10**6, dropout=True))
    for chart, said in zip(found, ["accuracy", "loss guessing 1"], strict=True):
        assert says(chart.title, f"Training dropout on: {said}")


def test_a_loss_of_zero_runs_along_the_bottom():
    epoch, loss = np.arange(1, 50), np.tile([1.0, 0.0], (49, 1))
    both = (epoch, loss, 1 - loss)
    _, found = charts(curves(["2", "3"], *both, *both))
    (ordinary,), (nothing,) = (points(line) for line in found[1].lines)
    assert {y for _, y in nothing} == {0}
    assert {y for _, y in ordinary} == {1}
