"""The control behind Figures 6 and 7: periodicity comes with the remainders, not with training.

What is compared is the share of variance that neurons hold in their five strongest pairs of
frequencies, with its value after the digits are renamed at random. Renaming is the right null: the
initial weights of all tokens are alike, the split is uniform, and T_basis' labels are permuted over
all numbers, so that for an untrained model and for one trained on T_basis any naming of the digits
is as likely as any other. Their share is then one more draw from its own null, exactly. The share
as such proves nothing: an untrained model holds more variance in five pairs than one that has
memorised, since its neurons depend on each digit almost separately, which leaves few pairs; and for
the same reason it stands far above what permuting all p² numbers leaves.
"""

import numpy as np
import pytest

import miiii
from miiii.analysis.parts.concentration import frequency_need, periodicity
from miiii.analysis.parts.neurons import neuron_grids, neuron_spectra
from miiii.analysis.permuting import permutations

DRAWS = 19
TASKS = miiii.replace_fields(
    miiii.get_preset("small"),
    base=31,
    moduli=(2, 3, 5),
    width=64,
    train_fraction=0.7,
    epochs=400,
    decay_epochs=0,
)
LAYERS = ("hidden", "output")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same model, data and settings; only the labels' order differs."""
    folder = tmp_path_factory.mktemp("runs")
    # One after the other: `test_grokking` has compiled the program for one run of this shape.
    for name in ("miiii", "basis"):
        config = miiii.replace_fields(TASKS, task=name)
        assert miiii.start([config], [name], folder).state == "finished"
    return {name: miiii.load_run(folder / name) for name in ("miiii", "basis")}


def distance(grids, permuted="digits"):
    """The median share, its null's mean, and their distance in deviations of the null."""
    measured = periodicity(grids, 5, draws=DRAWS, permuted=permuted)
    null = measured.null_medians
    return measured.median, null.mean(), (measured.median - null.mean()) / null.std(ddof=1)


@pytest.mark.slow
def test_the_runs_are_what_the_control_needs(runs):
    assert runs["miiii"].history.validation_accuracy[-1].min() > 0.99
    assert runs["basis"].history.train_accuracy[-1].min() > 0.9
    assert runs["basis"].history.validation_accuracy[-1].max() < 0.7


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_neurons_that_understood_remainders_are_periodic(runs, layer):
    grids = getattr(neuron_grids(runs["miiii"].parameters), layer)
    share, null, deviations = distance(grids)
    assert share > 0.5
    assert share > 1.5 * null
    assert deviations > 10
    order = permutations(31, 1, 0)[0]
    needed = frequency_need(neuron_spectra(grids).frequency_power)
    renamed = frequency_need(neuron_spectra(grids, order).frequency_power)
    assert needed.median < 0.8 * renamed.median


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_neurons_that_memorised_permuted_labels_are_as_periodic_as_their_null(runs, layer):
    _, null, deviations = distance(getattr(neuron_grids(runs["basis"].parameters), layer))
    # Were this one more draw, 5 deviations of 19 would be passed once in ten thousand times.
    assert abs(deviations) < 5
    assert null > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_an_untrained_model_is_told_apart_by_renamed_digits_alone(runs, layer):
    untrained = getattr(neuron_grids(runs["miiii"].snapshots[0]), layer)
    memorised = getattr(neuron_grids(runs["basis"].parameters), layer)
    share, _, deviations = distance(untrained)
    assert abs(deviations) < 5
    assert share > np.nanmedian(periodicity(memorised, 5, draws=1).share)
    _, numbers, far = distance(untrained, "numbers")
    assert share > 3 * numbers
    assert far > 10
