"""Figure 9 read back from what was drawn."""

import numpy as np
import pytest

from esch.svg_reading import texts
from figures.artists import assert_readable, lines, names
from figures.drawn import panels, words
from miiii.analysis.parts.gradients import gradient_norms
from miiii.esch import DARK
from miiii.figures.gradients import gradient_lines, gradient_strip, weight_labels
from wording import says

WEIGHTS = [
    "token_embedding",
    "position_embedding",
    *(f"blocks.0.{name}" for name in ("query", "key", "value", "output", "mlp_in", "mlp_out")),
    "unembedding",
]
PAPER = ["W_E,tok", "W_E,pos", "W_q", "W_k", "W_v", "W_o", "W_in", "W_out", "W_U"]


def norms(epochs=300, seed=0, **options):
    """Noise that decays, each weight at its own rate."""
    generator = np.random.default_rng(seed)
    epoch = np.arange(1, epochs + 1)
    decay = np.exp(-epoch[:, None] / epochs * np.arange(1, 10))
    values = decay * (0.5 + generator.random((epochs, 9))) * 10.0 ** np.arange(9)
    return gradient_norms(epoch, values, WEIGHTS, **options)


def test_weights_have_the_papers_names():
    assert weight_labels(WEIGHTS) == PAPER
    assert weight_labels(["blocks.0.key", "blocks.1.key"]) == ["W_k (1)", "W_k (2)"]
    assert weight_labels(["something"]) == ["something"]


@pytest.mark.parametrize("epochs", [1, 5, 3000])
def test_a_square_is_the_mean_share_of_the_weights_peak(epochs):
    measured = norms(epochs)
    drawing = gradient_strip(measured, title="a run")
    columns = measured.strip().columns
    (read,) = panels(drawing, [(9, len(columns))])
    for column, (first, last) in enumerate(zip(columns.first, columns.last, strict=True)):
        expected = measured.share[first - 1 : last].mean(axis=0)
        np.testing.assert_allclose(read[:, column], expected, atol=0.01)
    written = texts(drawing.svg)
    assert [text for text in written if text in PAPER] == PAPER
    assert says(words(drawing), "share largest gradient norm")
    # Full is the peak itself, whatever the columns' means reach.
    assert {"0.25", "0.5", "1"} <= set(written)


def test_lines_show_norms_and_shares_and_where_weights_come_to_rest():
    measured = norms(rest=0.2, window=5)
    figure = gradient_lines(measured, title="a run", style=DARK)
    assert_readable(figure)
    above, below = figure.axes
    assert "running median of 5 epochs" in above.get_title("left")
    assert above.get_yscale() == below.get_yscale() == "log"
    for index, name in enumerate(PAPER):
        share = measured.share[:, index]
        np.testing.assert_allclose(lines(below)[name].get_ydata(), share)
        np.testing.assert_allclose(lines(above)[name].get_ydata(), share * measured.peak[index])
    assert sorted(names(above)) == sorted(names(below)) == sorted(PAPER)
    dots = [line for line in below.lines if line.get_marker() == "o"]
    settled = [epoch for epoch in measured.settled if epoch is not None]
    assert 0 < len(settled) == len(dots)
    assert [int(dot.get_xdata()[0]) for dot in dots] == settled
    assert all(dot.get_ydata()[0] < 0.2 for dot in dots)
    looks = {(line.get_color(), line.get_linestyle()) for line in lines(above).values()}
    assert len(looks) == 9


def test_a_weight_without_gradient_is_drawn_at_the_bottom():
    values = np.ones((20, 2)) * [1.0, 0.0]
    measured = gradient_norms(np.arange(1, 21), values, ["blocks.0.key", "unembedding"])
    figure = gradient_lines(measured)
    assert_readable(figure)
    silent = lines(figure.axes[1])["W_U"].get_ydata()
    assert set(silent) == {figure.axes[1].get_ylim()[0]}
