"""Figure 8 read back from what was drawn, on planted spectra."""

from dataclasses import replace

import numpy as np
import pytest

from esch.svg_reading import texts
from figures.artists import assert_readable, lines, names
from figures.drawn import panels, words
from miiii.analysis.dynamics.snapshots import SpectraThroughTraining
from miiii.esch import DARK
from miiii.figures.frequencies import frequency_counts, frequency_strip, snapshot_ticks
from wording import naming, says

GRID = np.unique([0, *(2 ** (np.arange(65) / 4)).astype(int)])
"""Snapshots as a long run keeps them."""


def spectra(base=23, epochs=(0, 1, 10, 100, 1000), seed=0):
    generator = np.random.default_rng(seed)
    count, frequencies = len(epochs), base // 2
    power = generator.random((count, frequencies)) ** 4
    return SpectraThroughTraining(
        base=base,
        multiple=2.0,
        epochs=np.asarray(epochs, np.int64),
        frequencies=np.arange(1, frequencies + 1),
        power=power,
        pair_power=np.zeros((count, frequencies + 1, frequencies + 1)),
        variance=power.var(axis=1),
        counts=generator.integers(0, 3, count),
        pair_counts=np.zeros(count, np.int64),
        calibrated_counts=np.arange(count),
        null_counts=generator.integers(0, 4, (count, 9)),
    )


def test_a_square_is_a_frequencys_share_and_counts_are_on_one_scale():
    measured = spectra()
    drawing = frequency_strip(measured, title="a run")
    shares, variance, counts = panels(drawing, [(11, 5), (1, 5), (3, 5)])
    expected = (measured.power / measured.power.sum(axis=1, keepdims=True)).T
    np.testing.assert_allclose(shares, expected / expected.max(), atol=0.01)
    np.testing.assert_allclose(variance[0], measured.variance / measured.variance.max(), atol=0.01)
    assert measured.null_counts is not None
    rows = [measured.counts, measured.null_counts.mean(axis=1), np.arange(5)]
    np.testing.assert_allclose(counts, np.array(rows) / np.max(rows), atol=0.01)
    written = texts(drawing.svg)
    assert {"above μ + 2σ", "the same, renamed", "calibrated", "a run"} <= set(written)
    assert {"0", "10", "100", "1,000"} <= {*written}
    assert any(says(text, "cycles p") for text in written)


def test_columns_of_all_parts_are_in_line_and_the_page_is_no_wider_than_a_column():
    measured = spectra(113, GRID)
    drawing = frequency_strip(measured)
    assert len(GRID) > 50
    lefts = {
        (round(item.x, 6), round(item.pitch, 6))
        for item in drawing.scene.items
        if hasattr(item, "pitch") and item.layer.columns.max() > 0
    }
    assert len(lefts) == 1
    assert drawing.width <= 468
    assert len(panels(drawing, [(56, len(GRID)), (1, len(GRID)), (3, len(GRID))])) == 3


def test_lines_show_the_counts_beside_what_renamed_digits_reach():
    measured = spectra(113, GRID)
    figure = frequency_counts(measured, title="a run", style=DARK)
    assert_readable(figure)
    above, below = figure.axes
    assert above.get_yscale() == "log"
    np.testing.assert_array_equal(lines(above)["variance"].get_ydata(), measured.variance)
    drawn = lines(below)
    assert measured.null_counts is not None
    assert measured.calibrated_counts is not None
    np.testing.assert_array_equal(drawn["above μ + 2σ"].get_ydata(), measured.counts)
    np.testing.assert_array_equal(drawn["calibrated"].get_ydata(), measured.calibrated_counts)
    null = drawn["the same, renamed"].get_ydata()
    np.testing.assert_allclose(null, measured.null_counts.mean(axis=1))
    assert sorted(names(below)) == sorted(drawn)
    # The band spans the middle 90 % of the renamings at each snapshot.
    (band,) = below.collections
    reached = band.get_paths()[0].vertices
    for snapshot, epoch in enumerate(GRID):
        ends = reached[reached[:, 0] == epoch, 1]
        low, high = np.percentile(measured.null_counts[snapshot], [5, 95])
        assert ends.min() == pytest.approx(low)
        assert ends.max() == pytest.approx(high)
    assert "of 56 frequencies" in below.get_title("left")
    assert "9 renamings" in below.get_title("left")


def test_ticks_are_the_snapshots_nearest_to_powers_of_ten():
    ticks = snapshot_ticks(GRID)
    assert all(label == f"{GRID[column]:,}" for column, label in ticks.items())
    marked = [int(GRID[column]) for column in ticks]
    assert (marked[0], marked[-1]) == (0, 65536)
    for ten in (10, 100, 1000, 10000):
        assert any(0.8 < epoch / ten < 1.2 for epoch in marked)
    assert list(snapshot_ticks(np.array([5])).values()) == ["5"]
    assert snapshot_ticks(np.array([0, 1, 12, 90, 300])) == {0: "0", 2: "12", 3: "90", 4: "300"}


@pytest.mark.parametrize("epochs", [(7,), (0, 1)])
def test_few_snapshots(epochs):
    measured = spectra(11, epochs)
    drawing = frequency_strip(measured)
    assert "single frequencies" in words(drawing)
    assert_readable(frequency_counts(measured))


def test_spectra_that_were_not_calibrated_are_refused():
    bare = replace(spectra(), calibrated_counts=None, null_counts=None)
    for draw in (frequency_strip, frequency_counts):
        with pytest.raises(ValueError, match=naming("spectra calibrated")):
            draw(bare)
