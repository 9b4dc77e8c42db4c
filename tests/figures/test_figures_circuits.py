"""Pictures of circuits, read back: marks in the right cells, lines with the right values."""

import dataclasses
import io
import re

import numpy as np
import pytest

from analysis.planted import random_parameters
from figures.artists import assert_readable
from figures.drawn import panels
from miiii.analysis.circuits.causal import attributed_neurons, neuron_removal
from miiii.analysis.circuits.causal_inputs import head_removal
from miiii.analysis.circuits.number_spectrum import number_spectrum
from miiii.analysis.circuits.serving import served_tasks
from miiii.analysis.dynamics.sharing import stack_sharing
from miiii.analysis.recording import record
from miiii.figures import causal, circuit_table, number_line
from miiii.tasks.config import TaskConfig
from miiii.tasks.dataset import build_dataset
from wording import naming

BASE, MODULI = 7, (2, 3, 5)
DATASET = build_dataset(TaskConfig(base=BASE, moduli=MODULI), 0)


@pytest.fixture(scope="module")
def model():
    return random_parameters(BASE, neurons=80, outputs=sum(MODULI))


@pytest.fixture(scope="module")
def matrix(model):
    return neuron_removal(model, DATASET, draws=3)


def test_the_matrix_shows_what_is_lost_beside_the_control(matrix):
    lost = matrix.base.accuracy - matrix.without.accuracy
    control = matrix.base.accuracy - matrix.control.accuracy.mean(axis=0)
    shown = panels(causal.causal_matrix(matrix), [(3, 3), (3, 3)])
    np.testing.assert_allclose(shown[0], lost, atol=4e-3)
    np.testing.assert_allclose(shown[1], control, atol=4e-3)


def test_what_is_kept_alone_is_shown_or_refused(matrix):
    (shown,) = panels(causal.kept_alone(matrix), [(3, 3)])
    np.testing.assert_allclose(shown, matrix.kept.accuracy, atol=4e-3)
    with pytest.raises(ValueError, match=naming("matrix circuit none")):
        causal.kept_alone(dataclasses.replace(matrix, kept=None))


def test_a_row_per_head_and_the_control_below(model):
    effects = head_removal(model, DATASET, draws=2)
    drawing = causal.head_effects(effects)
    heads = len(effects.without.accuracy)
    assert "control" in drawing.svg
    assert f"head {heads - 1}" in drawing.svg
    assert f"head {heads}" not in drawing.svg


def test_sharing_is_a_line_with_its_band(matrix):
    sharing = stack_sharing([(1, matrix), (10, matrix), (100, matrix)], threshold=0.05)
    figure = causal.sharing_curve(sharing, title="sharing")
    _, middle, below = figure.axes
    np.testing.assert_array_equal(middle.lines[0].get_ydata(), sharing.series("own")[:, 0])
    assert len(middle.collections) == 3
    assert below.lines[0].get_ydata().tolist() == sharing.solved.sum(axis=1).tolist()
    assert_readable(figure)


def test_the_spectrum_and_its_harmonics(model):
    hidden = record(model, "mlp_hidden")["mlp_hidden"]
    found = number_spectrum(hidden, BASE, MODULI)
    figure = number_line.number_line_spectrum(found, title="spectrum")
    above, rows = figure.axes
    np.testing.assert_array_equal(above.lines[0].get_ydata(), found.power)
    dots = [one for one in rows.collections if len(one.get_offsets())]
    places = np.concatenate([one.get_offsets()[:, 0] for one in dots])
    assert {1 / 2, 1 / 3, 1 / 5, 2 / 5} <= set(places.tolist())
    assert_readable(figure)
    (shown,) = panels(number_line.harmonic_grid(found), [(3, 2)])
    np.testing.assert_allclose(shown, found.harmonic_table / found.harmonic_table.max(), atol=4e-3)


def test_the_table_is_sorted_by_task_and_counts_are_those_of_the_records(model):
    matched = attributed_neurons(model, MODULI, draws=2)
    hidden = record(model, "mlp_hidden")["mlp_hidden"]
    served = served_tasks(hidden, BASE, MODULI, draws=5)
    figure = circuit_table.neuron_table(matched, served, title="neurons")
    shown = np.asarray(figure.axes[0].images[0].get_array())
    best = shown.argmax(axis=0)
    assert (np.diff(best) >= 0).all()
    assert np.bincount(best, minlength=3).tolist() == matched.neurons_per_task.tolist()
    assert_readable(figure)
    # In a PDF, too, every neuron has its column: matplotlib leaves some out with "nearest".
    stream = io.BytesIO()
    figure.savefig(stream, format="pdf", dpi=10)
    sizes = re.findall(rb"/Width (\d+)\b", stream.getvalue())
    assert sizes.count(b"%d" % shown.shape[1]) == 2
    counts = circuit_table.neuron_counts(matched, served)
    heights = [bar.get_height() for bar in counts.axes[0].patches]
    assert heights == [*matched.neurons_per_task, *served.neurons_per_task]
