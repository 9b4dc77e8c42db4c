"""Figures 10, 14 and 15 read back from what was drawn."""

import re
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.planted import noise, wave
from figures.drawn import panels, words
from miiii.analysis.parts import embeddings as measure
from miiii.figures.embeddings import embedding_spectrum, positional_embeddings
from wording import naming, says


@settings(max_examples=12)
@given(width=st.integers(8, 260), ordered=st.booleans(), seed=st.integers(0, 99))
def test_both_digits_are_drawn_dimension_by_dimension(width, ordered, seed):
    rows = noise((3, width), seed)
    drawing = positional_embeddings({"run": measure.positional_embeddings(rows)}, ordered=ordered)
    lines = -(-width // 64)
    length = -(-width // lines)
    read = np.concatenate(panels(drawing, [(2, length)] * lines), axis=1)
    expected = rows[:2]
    if ordered:
        expected = np.array(sorted(rows[:2].T.tolist(), key=lambda pair: -pair[0])).T
    expected = expected / np.abs(expected).max()
    np.testing.assert_allclose(read[:, :width], expected, atol=0.02)
    assert (read[:, width:] == 0).all()
    pearson = statistics.correlation(rows[0].tolist(), rows[1].tolist())
    found = re.search(r"Pearson's r of x0 and x1 = (−?)([\d.]+)", words(drawing))
    assert found
    value = float(found[2]) * (-1 if found[1] else 1)
    assert value == pytest.approx(pearson, abs=0.0051)


def test_two_runs_of_different_width_stand_below_each_other():
    first = np.stack([wave(40, 1), wave(40, 1), wave(40, 2)])
    second = np.stack([wave(100, 1), -wave(100, 1), wave(100, 2)])
    runs = {"above": first, "below": second}
    drawing = positional_embeddings(
        {name: measure.positional_embeddings(rows) for name, rows in runs.items()}, title="Both"
    )
    text = words(drawing)
    above, _, below = text.partition("below: ")
    assert says(above, "above: r x0 x1 1.00")
    assert says(below, "r x0 x1 −1.00")
    above, *below = panels(drawing, [(2, 40), (2, 50), (2, 50)])
    np.testing.assert_allclose(above[0], above[1])
    np.testing.assert_allclose(below[0][0], -below[0][1], atol=0.02)
    np.testing.assert_allclose(below[1][0], -below[1][1], atol=0.02)


@pytest.mark.parametrize("random", [False, True])
@pytest.mark.parametrize("size", [11, 30])
def test_amplitudes_norms_and_frequencies_that_stand_out(size, random):
    strong = 0.05 * noise((size, 24)) + np.outer(wave(size, 4), noise(24, 1))
    spectrum = measure.embedding_spectrum(strong, 0.3, draws=9)
    assert np.flatnonzero(spectrum.calibrated).tolist() == [3]
    drawing = embedding_spectrum(spectrum, random=random, title="run")
    count = size // 2 + 1
    shapes = [(count, 24), (1, count)] * (2 if random else 1)
    matrices, norms = panels(drawing, shapes)[::2], panels(drawing, shapes, side=True)[1::2]
    powers = [spectrum.power, spectrum.random_power][: len(matrices)]
    lengths = [np.linalg.norm(np.sqrt(power), axis=1) for power in powers]
    largest = max(power.max() for power in powers)
    for matrix, norm, power, length in zip(matrices, norms, powers, lengths, strict=True):
        np.testing.assert_allclose(matrix, np.sqrt(power / largest), atol=0.02)
        np.testing.assert_allclose(norm[0], length / np.max(lengths), atol=0.02)
    text = words(drawing)
    assert f"Token embedding: 1 of {size // 2} frequencies above all" in text
    assert ("Random matrix" in text) == random
    assert f"cycles per {size} digits" in text


def test_pictures_stay_small_at_p_113_and_width_256():
    spectrum = measure.embedding_spectrum(noise((113, 256)), 0.1, draws=1)
    assert len(embedding_spectrum(spectrum, random=True).svg) < 1_000_000


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match=naming("runs empty")):
        positional_embeddings({})


def test_a_matrix_of_zeros_is_drawn_empty():
    spectrum = measure.embedding_spectrum(np.zeros((7, 3)), 0.1, draws=1)
    assert panels(embedding_spectrum(spectrum), []) == []
