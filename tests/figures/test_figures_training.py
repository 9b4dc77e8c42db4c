"""Figures 4, 5, 17, 18 and 24 read back from what was drawn."""

import numpy as np
import pytest

from esch.svg_reading import key_entries, texts
from figures.artists import assert_readable, boxes, lines, names
from figures.drawn import panels, words
from miiii.analysis.parts.curves import SeedCurves, curve_strips, curves, mean_strips
from miiii.esch import DARK, LIGHT
from miiii.figures.comparison import comparison_lines, comparison_strip
from miiii.figures.training import accuracy_lines, accuracy_strip, loss_lines, loss_strip
from wording import naming, says

PRIMES = [n for n in range(2, 113) if all(n % k for k in range(2, n))]


def run(tasks=3, epochs=40, every=1, seed=0, dropout=True, **options):
    """A run of arbitrary values: accuracies in 0 … 1, losses about guessing."""
    generator = np.random.default_rng(seed)
    train, validated = np.arange(1, epochs + 1), np.arange(every, epochs + 1, every)

    def table(at, most):
        return most * generator.random((len(at), tasks))

    return curves(
        [str(prime) for prime in PRIMES[:tasks]],
        train,
        table(train, 1.5),
        table(train, 1.0),
        validated,
        table(validated, 1.5),
        table(validated, 1.0),
        dropout=dropout,
        **options,
    )


def test_figure_4_has_a_line_per_task_and_their_mean():
    measured = run()
    figure = accuracy_lines(measured, title="a run")
    above, below = figure.axes
    assert above.get_title("left") == "training, dropout on"
    assert below.get_title("left") == "validation"
    for axes, table in (
        (above, measured.train_accuracy),
        (below, measured.validation_accuracy),
    ):
        drawn = lines(axes)
        assert list(drawn) == ["2", "3", "5", "mean"]
        for task, label in enumerate(measured.labels):
            np.testing.assert_array_equal(drawn[label].get_ydata(), table[:, task])
            np.testing.assert_array_equal(drawn[label].get_xdata(), np.arange(1, 41))
        np.testing.assert_allclose(drawn["mean"].get_ydata(), table.mean(axis=1))
        # The mean lies on top of all others.
        assert axes.lines.index(drawn["mean"]) > axes.lines.index(drawn["5"])
        assert drawn["mean"].get_linewidth() > drawn["5"].get_linewidth()
        assert axes.get_xscale() == "log"
        assert sorted(names(axes)) == ["2", "3", "5", "mean"]
        assert axes.get_ylim()[0] < 0 < 1 < axes.get_ylim()[1]
    assert "a run" in [text for text, _ in boxes(figure)]


def test_figure_17_says_the_unit_and_shows_what_guessing_costs():
    figure = loss_lines(run(dropout=False))
    above, below = figure.axes
    assert above.get_title("left") == "training"
    assert above.get_ylabel() == below.get_ylabel() == "loss, guessing = 1"
    assert above.get_yscale() == below.get_yscale() == "log"
    assert any(list(line.get_ydata()) == [1, 1] for line in above.lines)
    nats = loss_lines(run(unit="nats", guessing=np.log([2, 3, 5])))
    assert nats.axes[0].get_ylabel() == "cross-entropy in nats"
    assert not any(list(line.get_ydata()) == [1, 1] for line in nats.axes[0].lines)


@pytest.mark.parametrize(
    ("tasks", "epochs", "every", "style"),
    [(1, 2, 1, LIGHT), (2, 900, 10, DARK), (16, 7, 7, DARK), (29, 900, 10, LIGHT)],
)
def test_lines_are_readable(tasks, epochs, every, style):
    measured = run(tasks, epochs, every)
    for draw in (accuracy_lines, loss_lines):
        figure = draw(measured, title=f"{tasks} tasks, {epochs} epochs", style=style)
        assert_readable(figure)
        for axes in figure.axes:
            assert len(names(axes)) == (1 if tasks == 1 else tasks + 1)


def test_many_tasks_that_end_alike_keep_their_names_apart():
    # As after grokking: 29 accuracies of 1.
    solved = np.ones((5, 29))
    measured = curves(
        [str(prime) for prime in PRIMES], [1, 2, 3, 4, 5], solved, solved, [1, 2, 3, 4, 5],
        solved, solved,
    )  # fmt: skip
    figure = accuracy_lines(measured)
    assert_readable(figure)
    assert names(figure.axes[0]) == [*map(str, PRIMES), "mean"]


def test_figure_18_sets_runs_side_by_side_on_common_axes():
    ordinary, without = run(epochs=400), run(epochs=100, dropout=False, seed=1)
    figure = loss_lines(ordinary, without, names=["dropout 0.1", "no dropout"], title="both")
    assert_readable(figure)
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == [
        "dropout 0.1: training, dropout on",
        "no dropout: training",
        "dropout 0.1: validation",
        "no dropout: validation",
    ]
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    assert figure.axes[2].get_ylim() == figure.axes[3].get_ylim()
    assert lines(figure.axes[3])["2"].get_xdata()[-1] == 100


@pytest.mark.parametrize(("tasks", "epochs"), [(1, 5), (16, 300), (29, 65536)])
def test_a_strip_holds_the_mean_of_each_column(tasks, epochs):
    measured = run(tasks, epochs)
    (gathered,) = curve_strips(measured)
    drawing = accuracy_strip(gathered, title="a run")
    shape = (tasks, len(gathered.columns))
    for read, table in zip(
        panels(drawing, [shape] * 2),
        (measured.train_accuracy, measured.validation_accuracy),
        strict=True,
    ):
        for column in (0, shape[1] // 2, shape[1] - 1):
            first, last = gathered.columns.first[column], gathered.columns.last[column]
            expected = table[first - 1 : last].mean(axis=0)
            np.testing.assert_allclose(read[:, column], expected, atol=0.01)
    written = texts(drawing.svg)
    # Every task is named, and so are the panels and the powers of ten.
    assert [word for word in written if word in gathered.labels][:tasks] == list(gathered.labels)
    assert {"validation", "epoch", "modulus", "1"} <= set(written)
    assert "training, dropout on" in words(drawing)
    assert drawing.width <= 468.01
    assert {"0.25", "0.5", "1"} <= set(key_entries(drawing.svg))


def test_a_loss_strip_is_cut_at_twice_guessing_and_says_so():
    table = np.array([[0.5, 1.0, 2.0, 40.0]]).T
    measured = curves(["7"], [1, 2, 3, 4], table, table, [1, 2, 3, 4], table[::-1], table)
    (gathered,) = curve_strips(measured)
    drawing = loss_strip(gathered)
    above, below = panels(drawing, [(1, 4)] * 2)
    np.testing.assert_allclose(above[0], [0.25, 0.5, 1, 1], atol=0.01)
    np.testing.assert_allclose(below[0], [1, 1, 0.5, 0.25], atol=0.01)
    assert "area ∝ loss, guessing = 1" in words(drawing)
    assert "≥ 2" in key_entries(drawing.svg)


def test_a_run_that_ended_leaves_its_strip_blank_and_a_bad_value_is_a_cross():
    long, short = run(epochs=200), run(epochs=20, seed=1, dropout=False)
    assert short.train_accuracy is not None
    short.train_accuracy[3, 1] = np.nan
    strips = curve_strips(long, short)
    drawing = accuracy_strip(*strips, names=["long", "short"])
    over = strips[1].columns.first > 20
    shape = (3, len(over))
    read = panels(drawing, [shape] * 4)
    assert over.sum() > 5
    for panel in (read[1], read[3]):
        assert not panel[:, over].any()
        assert (panel[:, ~over] != 0).all()
    assert (read[0] != 0).all()
    assert words(drawing).count("(to epoch 20)") == 2
    assert drawing.svg.count('data-marks="cross"') == 2  # in its panel, and in the key


def test_without_validation_the_training_panel_stands_alone():
    bare = curves(["2"], [1, 2], [[1.0], [2]], [[0.25], [1]], [], np.ones((0, 1)), np.ones((0, 1)))
    (gathered,) = curve_strips(bare)
    (read,) = panels(accuracy_strip(gathered), [(1, 2)])
    np.testing.assert_allclose(read, [[0.25, 1]], atol=0.01)
    figure = accuracy_lines(bare)
    assert_readable(figure)
    assert names(figure.axes[1]) == []


def test_a_regression_has_losses_only():
    waves = run(1, unit="squared error", guessing=[1.0])
    (gathered,) = curve_strips(waves)
    for draw in (accuracy_lines, lambda one: accuracy_strip(*curve_strips(one))):
        with pytest.raises(ValueError, match=naming("regression accuracy")):
            draw(waves)
    figure = loss_lines(waves)
    assert figure.axes[0].get_ylabel() == "mean squared error"
    assert_readable(figure)
    assert len(panels(loss_strip(gathered), [(1, len(gathered.columns))] * 2)) == 2
    assert "modulus" not in words(loss_strip(gathered))
    compared = comparison_lines({"a": waves, "b": run(1, unit="squared error", guessing=[1.0])})
    assert len(compared.axes) == 2
    assert len(panels(comparison_strip(mean_strips({"a": waves})), [(1, 40)] * 2)) == 2


def test_figure_24_has_a_line_per_run_in_every_panel():
    runs = {f"λ = {index}": run(seed=index, epochs=30 + index) for index in range(5)}
    runs["λ = 0, learning rate × 1.5"] = run(seed=9)
    figure = comparison_lines(runs, title="several λ")
    assert_readable(figure)
    for axes, said in zip(
        figure.axes, ["training dropout mean", "validation mean"] * 2, strict=True
    ):
        assert says(axes.get_title("left"), said)
    tables = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")
    for axes, name in zip(figure.axes, tables, strict=True):
        drawn = lines(axes)
        assert list(drawn) == list(runs)
        assert sorted(names(axes)) == sorted(runs)
        assert len({line.get_color() for line in drawn.values()}) == 6
        for label, one in runs.items():
            np.testing.assert_allclose(drawn[label].get_ydata(), getattr(one, name).mean(axis=1))


def test_of_several_seeds_the_mean_is_a_line_and_the_range_is_shaded():
    seeds = [run(seed=index, epochs=30 + index) for index in range(3)]
    runs = {"three": SeedCurves(tuple(seeds)), "alone": run(seed=9)}
    figure = comparison_lines(runs)
    assert_readable(figure)
    tables = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")
    for axes, name in zip(figure.axes, tables, strict=True):
        axis = "epoch" if name.startswith("train") else "validation_epoch"
        rows = [
            dict(zip(getattr(one, axis), getattr(one, name).mean(axis=1), strict=True))
            for one in seeds
        ]
        shared = [epoch for epoch in rows[0] if all(epoch in row for row in rows)]
        assert 1 < len(shared) < 32
        drawn = lines(axes)["three"]
        np.testing.assert_array_equal(drawn.get_xdata(), shared)
        values = np.array([[row[epoch] for row in rows] for epoch in shared])
        np.testing.assert_allclose(drawn.get_ydata(), values.mean(axis=1))
        (band,) = axes.collections
        corners = {tuple(corner) for corner in band.get_paths()[0].vertices}
        edges = zip(shared * 2, [*values.min(axis=1), *values.max(axis=1)], strict=True)
        assert {(float(x), float(y)) for x, y in edges} <= corners


def test_more_runs_than_colours_are_told_by_dashes():
    drawn = lines(comparison_lines({str(n): run(seed=n) for n in range(12)}).axes[0])
    looks = {(line.get_color(), line.get_linestyle()) for line in drawn.values()}
    assert len(looks) == 12


def test_figure_24_as_strips_has_a_row_per_run():
    runs = {"λ = ½": run(epochs=60), "λ = 0": run(epochs=30, seed=1)}
    gathered = mean_strips(runs)
    drawing = comparison_strip(gathered, title="several λ")
    shape = (2, len(gathered.columns))
    losses, validation_losses, accuracies, validation_accuracies = panels(drawing, [shape] * 4)
    first = [run.train_accuracy[0].mean() for run in runs.values()]
    np.testing.assert_allclose(accuracies[:, 0], first, atol=0.01)
    np.testing.assert_allclose(
        losses[:, 0], [run.train_loss[0].mean() / 2 for run in runs.values()], atol=0.01
    )
    ended = gathered.columns.first > 30
    for panel in (losses, validation_losses, accuracies, validation_accuracies):
        assert (panel[0] != 0).all()
        np.testing.assert_array_equal(panel[1] == 0, ended)
    assert "λ = 0 (to 30)" in texts(drawing.svg)
    assert "λ = ½" in texts(drawing.svg)
    assert "several λ" in texts(drawing.svg)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accuracy_lines(), "runs 0"),
        (lambda: loss_lines(run(), run()), "names 2 run 0"),
        (lambda: loss_lines(run(), names=["a", "b"]), "names 1 2"),
        (
            lambda: loss_lines(run(), run(unit="nats", guessing=[1, 1, 1]), names=["a", "b"]),
            "unit guessing,nats",
        ),
        (lambda: loss_strip(*curve_strips(run(2), run(3)), names=["a", "b"]), "same rows 2"),
        (
            lambda: loss_strip(
                *curve_strips(run()), *curve_strips(run(epochs=9)), names=["a", "b"]
            ),
            "same columns",
        ),
        (lambda: comparison_lines({}), "unit none"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)):
        call()
