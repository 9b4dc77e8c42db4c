"""The picture of a certificate, read back from its artists."""

from itertools import combinations

import numpy as np
import pytest

from figures.artists import boxes
from miiii.analysis.certificate.certify import Certificate, TaskCertificate
from miiii.esch import DARK
from miiii.figures.certificate import certificate_margins


def planted(base, lowest, bounds):
    """Tasks whose margins are spread evenly up from the given smallest ones."""
    tasks = []
    for index, low in enumerate(lowest):
        margin = np.roll(np.linspace(low, 20.0, base**2), 7 * index)
        zeros = np.zeros(base**2, int)
        each = tuple(np.full(base**2, bound) for bound in bounds)
        tasks.append(TaskCertificate(index + 2, zeros, zeros, margin, each, None))
    return Certificate(base, tuple(tasks), bounds)


def test_margins_wrong_numbers_and_bounds_are_drawn():
    certificate = planted(10, (4.0, -3.0, 0.5, -1.0), (1e-9, 0.25))
    figure = certificate_margins(certificate, title="planted")
    above, below = figure.axes
    median, right, wrong = (line.get_ydata() for line in above.lines[1:])
    np.testing.assert_allclose(
        median, [np.median(np.linspace(low, 20, 100)) for low in (4, -3, 0.5, -1)]
    )
    assert (list(right), list(wrong)) == ([4.0, 0.5], [-3.0, -1.0])
    counts = [sum(np.linspace(low, 20, 100) <= 0) for low in (-3.0, -1.0)]
    assert [text.get_text() for text in above.texts] == [str(count) for count in counts]
    thin, thick = (
        np.array([segment[:, 1] for segment in each.get_segments()]) for each in above.collections
    )
    spread = np.quantile(np.linspace(-3, 20, 100), (0.01, 0.1, 0.9, 0.99))
    np.testing.assert_allclose([*thin[1], *thick[1]], spread[[0, 3, 1, 2]])
    assert below.get_yscale() == "log"
    assert list(below.lines[0].get_ydata()) == [4.0, 0.5]
    for drawn, bound in zip(below.collections, (1e-9, 0.25), strict=True):
        heights = [segment[0, 1] for segment in drawn.get_segments()]
        assert heights == pytest.approx([bound] * 4)
    assert [label.get_text() for label in below.get_xticklabels()] == ["2", "3", "4", "5"]


@pytest.mark.parametrize(("count", "low"), [(1, 3.0), (1, -40.0), (29, -2.0)])
def test_no_texts_overlap(count, low):
    certificate = planted(40, [low - 0.1 * index for index in range(count)], (1e-8, np.inf))
    figure = certificate_margins(certificate, title="one line", style=DARK)
    for (one, first), (other, second) in combinations(boxes(figure), 2):
        assert not first.overlaps(second), (one, other)
    drawn = figure.axes[1].collections[1].get_segments()
    assert len(drawn) == 0  # no bound: no dash
