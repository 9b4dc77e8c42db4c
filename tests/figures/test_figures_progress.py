"""Progress and power figures read back from what was drawn, on planted series."""

from dataclasses import fields, replace

import numpy as np
import pytest

from figures.artists import assert_readable, boxes, lines
from figures.drawn import panels
from miiii.analysis.dynamics.addition import AdditionThroughTraining
from miiii.analysis.dynamics.power import PowerThroughTraining
from miiii.analysis.dynamics.power_appearance import power_appearance
from miiii.analysis.dynamics.progress import ProgressThroughTraining
from miiii.esch import DARK
from miiii.figures.power import power_panels, power_strip
from miiii.figures.progress import (
    FLOOR,
    addition_lines,
    progress_lines,
    structure_lines,
)
from miiii.tasks.primes import primes_below
from wording import naming

EPOCHS = np.unique([0, *(2 ** (np.arange(45) / 4)).astype(int)])
WEIGHTS = (
    "token_embedding",
    "position_embedding",
    *(f"blocks.0.{name}" for name in ("query", "key", "value", "output", "mlp_in", "mlp_out")),
    "unembedding",
)


def progress(base=31, epochs=EPOCHS, seed=0):
    generator = np.random.default_rng(seed)
    moduli, count = primes_below(base), len(epochs)
    tables = {
        field.name: generator.random((count, len(moduli))) * 1.5
        for field in fields(ProgressThroughTraining)
        if "loss" in field.name or "accuracy" in field.name or field.name == "span_share"
    }
    tables["held_out_accuracy"] = np.linspace(0, 1, count)[:, None] * np.ones(len(moduli))
    return ProgressThroughTraining(
        moduli=moduli,
        epochs=np.asarray(epochs, np.int64),
        **tables,
        weight_names=WEIGHTS,
        norm=generator.random((count, len(WEIGHTS))) * 30 + 1,
        effective_rank=generator.random((count, len(WEIGHTS))) * 90 + 1,
        embedding_gini=generator.random(count),
    )


def power(base=31, epochs=EPOCHS, seed=1):
    generator = np.random.default_rng(seed)
    moduli, count = primes_below(base), len(epochs)
    tasks = len(moduli)
    grown = np.linspace(0, 1, count)[:, None] * np.linspace(0.01, 0.1, tasks)
    return PowerThroughTraining(
        moduli=moduli,
        epochs=np.asarray(epochs, np.int64),
        variance=np.ones(count),
        task=grown,
        beyond=grown,
        beyond_chance=np.full(tasks, 0.01),
        carried=grown,
        null=np.full((count, 3, tasks), 0.005),
        digit=np.zeros((count, 2)),
        explained=grown.sum(axis=1),
        explained_with_digits=grown.sum(axis=1),
        table_gini=np.sort(generator.random((count, 3)), axis=1),
    )


def addition(epochs=EPOCHS, frequencies=(3, 8)):
    generator = np.random.default_rng(3)
    count = len(epochs)
    single = {
        field.name: generator.random(count)
        for field in fields(AdditionThroughTraining)
        if field.name not in ("base", "frequencies", "epochs", "excluded_each", "coefficients")
    }
    wide = generator.random((2, count, len(frequencies)))
    return AdditionThroughTraining(
        base=41,
        frequencies=frequencies,
        epochs=np.asarray(epochs, np.int64),
        **single,
        excluded_each=wide[0],
        coefficients=wide[1],
    )


def test_each_task_has_its_two_losses_and_the_median_stands_among_them():
    measured = progress()
    figure = progress_lines(measured, title="a run", style=DARK)
    assert_readable(figure)
    tables = (measured.restricted_loss, measured.carried_loss, measured.excluded_loss)
    for panel, table in zip(figure.axes, tables, strict=True):
        drawn = lines(panel)
        assert list(drawn) == [*map(str, measured.moduli), "median"]
        np.testing.assert_array_equal(drawn["7"].get_ydata(), table[:, 3])
        np.testing.assert_array_equal(drawn["median"].get_ydata(), np.median(table, axis=1))
        assert panel.get_yscale() == "log"


def test_what_is_nearly_nothing_is_drawn_on_the_floor():
    measured = progress()
    table = measured.restricted_loss.copy()
    table[-5:] = 1e-9
    figure = progress_lines(replace(measured, restricted_loss=table))
    assert figure.axes[0].get_ylim()[0] == FLOOR
    np.testing.assert_array_equal(lines(figure.axes[0])["5"].get_ydata()[-5:], FLOOR)


@pytest.mark.parametrize("base", [3, 113])
def test_one_task_and_twenty_nine_are_readable(base):
    measured, powers = progress(base), power(base)
    assert_readable(progress_lines(measured, title="a run"))
    found = power_appearance(powers, dict.fromkeys(powers.moduli, 400))
    assert_readable(power_panels(powers, measured, found, title="a run"))
    assert ("median" in lines(progress_lines(measured).axes[0])) == (base > 3)


def test_structure_shows_gini_norms_and_ranks():
    measured, powers = progress(), power()
    figure = structure_lines(measured, powers, title="a run")
    assert_readable(figure)
    above, middle, below = figure.axes
    np.testing.assert_array_equal(lines(above)["embedding"].get_ydata(), measured.embedding_gini)
    np.testing.assert_array_equal(lines(above)["neurons"].get_ydata(), powers.table_gini[:, 1])
    band = above.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(powers.table_gini[:, 2].max())
    np.testing.assert_allclose(lines(middle)["all"].get_ydata(), measured.total_norm)
    np.testing.assert_array_equal(lines(middle)["W_U"].get_ydata(), measured.norm[:, -1])
    np.testing.assert_array_equal(lines(below)["W_q"].get_ydata(), measured.effective_rank[:, 2])
    alone = structure_lines(measured)
    assert_readable(alone)
    assert list(lines(alone.axes[0])) == ["embedding"]


def test_addition_shows_five_losses_and_the_two_shapes():
    measured = addition()
    figure = addition_lines(measured, title="a run")
    assert_readable(figure)
    above, below = figure.axes
    drawn = lines(above)
    assert list(drawn) == ["all inputs", "trained on", "restricted", "excluded", "trigonometric"]
    np.testing.assert_allclose(
        drawn["restricted"].get_ydata(), np.maximum(measured.restricted_loss, FLOOR)
    )
    np.testing.assert_array_equal(
        lines(below)["irrelevance"].get_ydata(), measured.distance_irrelevance
    )
    assert "key frequencies 3, 8 of p = 41" in above.get_title("left")
    assert_readable(addition_lines(addition(frequencies=tuple(range(1, 20)))))


def test_power_and_accuracy_stand_over_each_other():
    measured, powers = progress(), power()
    drawing = power_strip(powers, measured, title="a run")
    shape = (len(powers.moduli), len(EPOCHS))
    shares, accuracy = panels(drawing, [shape, shape])
    np.testing.assert_allclose(shares, powers.relative.T, atol=0.02)
    np.testing.assert_allclose(accuracy, measured.held_out_accuracy.T, atol=0.02)


def test_a_panel_marks_when_power_and_answer_arrive():
    measured, powers = progress(), power()
    solved = {modulus: None if modulus == 5 else 100 + modulus for modulus in powers.moduli}
    found = power_appearance(powers, solved)
    figure = power_panels(powers, measured, found, title="a run", style=DARK)
    assert_readable(figure)
    assert [panel.get_title("left") for panel in figure.axes] == [f"q = {q}" for q in powers.moduli]
    for task, panel in enumerate(figure.axes):
        np.testing.assert_array_equal(
            lines(panel)["accuracy"].get_ydata(), measured.held_out_accuracy[:, task]
        )
        area = next(each for each in panel.collections if each.get_label() == "power")
        assert area.get_paths()[0].vertices[:, 1].max() == pytest.approx(1)
        marked = [line.get_xdata()[0] for line in panel.lines if line.get_label() == "_solved"]
        expected = solved[powers.moduli[task]]
        assert marked == ([] if expected is None else [expected])
        bar = next(each for each in panel.patches if each.get_label() == "_half")
        span = bar.get_extents().transformed(panel.transData.inverted())
        assert span.x0 == pytest.approx(found.half.after[task])
        assert span.x1 == pytest.approx(found.half.by[task])
    assert any("accuracy holds 0.9" in text for text, _ in boxes(figure))


def test_refusals():
    powers = power()
    found = power_appearance(powers, dict.fromkeys(powers.moduli))
    with pytest.raises(ValueError, match=naming("progress 40 10 39")):
        power_strip(powers, progress(epochs=EPOCHS[:-1]))
    with pytest.raises(ValueError, match=naming("40 4")):
        power_panels(powers, progress(11), found)
    with pytest.raises(ValueError, match=naming("appearance moduli (2,3,5,7)")):
        power_panels(power(11), progress(11), found)
