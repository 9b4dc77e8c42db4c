"""Figures 6 and 7 read back: the marks, the labels, the lines."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from analysis.planted import noise, product, wave
from figures.drawn import corners, panels, words
from miiii.analysis.parts.concentration import frequency_need, neuron_examples, periodicity
from miiii.analysis.parts.neurons import NeuronGrids, neuron_spectra
from miiii.esch import DARK, LIGHT
from miiii.figures.neurons import concentration, neuron_grids
from wording import naming, says

SIZE = 13


def planted(count=8, size=SIZE):
    """Neuron i: frequency i mod 6 + 1 on x0, and noise that grows with i."""
    clean = np.stack([product(size, np.ones(size), wave(size, i % 6 + 1)) for i in range(count)])
    return 2 + clean + 0.1 * np.arange(1, count + 1)[:, None, None] * noise(clean.shape)


def grids(hidden):
    return NeuronGrids(hidden.shape[1], np.maximum(hidden, 0), hidden)


def relative(values):
    return values / np.abs(values).max()


@pytest.mark.parametrize("style", [LIGHT, DARK])
@pytest.mark.parametrize(("corner", "shown"), [(5, 5), (None, SIZE), (37, SIZE)])
def test_every_neuron_stands_above_its_spectrum(corner, shown, style):
    examples = neuron_examples(grids(planted()), examples=3)
    drawing = neuron_grids(examples, corner=corner, title="a run", style=style)
    read = panels(drawing, [(shown, shown)] * 3 + [(7, 7)] * 3)
    largest = examples.share.max()
    for index in range(3):
        values = examples.grids[index] - examples.grids[index].mean()
        expected = relative(values[:shown, :shown])
        np.testing.assert_allclose(read[index], expected, atol=0.01)
        np.testing.assert_allclose(read[3 + index], examples.share[index] / largest, atol=0.01)
    text = words(drawing)
    assert says(text, "a run W_out middle 3 parts")
    assert ("the first 5 of 13 digits" in text) == (corner == 5)
    for index, rank, (k1, k0) in zip(examples.index, examples.rank, examples.pair, strict=True):
        assert f"neuron {index} rank {rank} of 8" in text
        assert f"({k1}, {k0}): " in text


@pytest.mark.parametrize("size", [11, 12, 31, 59, 113])
def test_spectra_stand_straight_below_their_neurons(size):
    drawing = neuron_grids(neuron_examples(grids(planted(8, size)), examples=4))
    above, below = np.array(corners(drawing)).reshape(2, 4, 2)
    np.testing.assert_allclose(above[:, 0], below[:, 0], atol=0.01)
    assert (above[:, 1] < below[:, 1]).all()


def test_a_planted_wave_is_where_its_frequency_says():
    quiet = planted(6) * 0.0 + np.stack(
        [product(SIZE, wave(SIZE, 4), np.ones(SIZE)), *np.zeros((5, SIZE, SIZE))]
    )
    drawing = neuron_grids(neuron_examples(grids(quiet)))
    spectrum = panels(drawing, [(SIZE, SIZE), (7, 7)])[1]
    assert np.argwhere(spectrum > 1e-3).tolist() == [[4, 0]]
    assert "(4, 0): 100 % 5 strongest: 100 %" in words(drawing)


def test_after_the_relu_zero_is_no_mark():
    examples = neuron_examples(grids(planted() - 2), "mlp_hidden", 2, rule="strongest")
    drawing = neuron_grids(examples)
    read = panels(drawing, [(SIZE, SIZE)] * 2 + [(7, 7)] * 2)
    assert ((read[0] > 0) == (examples.grids[0] > 0)).all()
    assert (examples.grids[0] == 0).any()
    assert says(words(drawing), "2 most concentrated distinct pairs")


def test_pictures_stay_small_at_p_113():
    examples = neuron_examples(grids(planted(8, 113)), examples=4)
    for corner in (37, None):
        assert 50_000 < len(neuron_grids(examples, corner=corner).svg) < 600_000


def test_concentration_of_all_neurons_is_drawn_as_it_is():
    runs = {"first": planted(20), "second": noise((12, SIZE, SIZE))}
    runs["second"][3] = 1.0
    measured = {name: periodicity(values, 2, draws=3) for name, values in runs.items()}
    needs = {
        name: frequency_need(neuron_spectra(values).frequency_power)
        for name, values in runs.items()
    }
    order = np.random.default_rng(0).permutation(SIZE**2)
    null = {"first": frequency_need(neuron_spectra(runs["first"], order).frequency_power)}
    figure = concentration(measured, needs, null, title="both", style=LIGHT)
    left, right = figure.axes
    expected = [
        (left, measured["first"].null.ravel(), "--", 0),
        (left, measured["first"].share, "-", 0),
        (left, measured["second"].null.ravel(), "--", 1),
        (left, measured["second"].share, "-", 1),
        (right, null["first"].needed, "--", 0),
        (right, needs["first"].needed, "-", 0),
        (right, needs["second"].needed[needs["second"].needed > 0], "-", 1),
    ]
    lines = [(axes, line) for axes in (left, right) for line in axes.lines]
    assert len(lines) == len(expected)
    for (axes, line), (place, values, dashes, colour) in zip(lines, expected, strict=True):
        assert axes is place
        assert (line.get_linestyle(), to_hex(line.get_color())) == (dashes, LIGHT.palette[colour])
        usable = values[~np.isnan(values)]
        points = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))  # the last of each x
        assert set(points) == set(usable)
        for value, share in points.items():
            assert share == pytest.approx((usable <= value).mean())
    label = left.get_legend().get_texts()[1].get_text()
    assert label.startswith(f"second: {100 * np.nanmedian(measured['second'].share):.0f} % (")
    labels = [text.get_text() for text in right.get_legend().get_texts()]
    assert labels == [
        f"first: {needs['first'].median:g} ({null['first'].median:g})",
        f"second: {needs['second'].median:g}",
    ]
    assert figure.get_suptitle() == "both"


def test_refusals():
    values = planted()
    measured = periodicity(values, 2, draws=1)
    need = frequency_need(neuron_spectra(values).frequency_power)
    other = periodicity(values, 3, draws=1)
    with pytest.raises(ValueError, match=naming("corner 0 1")):
        neuron_grids(neuron_examples(grids(values)), corner=0)
    with pytest.raises(ValueError, match=naming("needs ['b'] ['a']")):
        concentration({"a": measured}, {"b": need})
    with pytest.raises(ValueError, match=naming("runs (count,permuted) shares")):
        concentration({"a": measured, "b": other}, {"a": need, "b": need})
    with pytest.raises(ValueError, match=naming("needs periodicities [],")):
        concentration({}, {})
