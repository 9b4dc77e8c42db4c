"""Figures 11 to 13 read back from the artists that were drawn."""

import numpy as np
import pytest

from analysis.planted import noise, wave
from miiii.analysis.parts.singular import singular_spectrum
from miiii.esch import DARK
from miiii.figures.singular import singular_values, singular_vectors
from wording import naming


def embedding(size=13, width=20):
    """Two strong waves over weak noise."""
    strong = 9 * np.outer(wave(size, 3), noise(width, 1))
    return noise((size, width)) + strong + 4 * np.outer(wave(size, 5, 1.0), noise(width, 2))


@pytest.mark.parametrize(("first", "shown"), [(None, 13), (5, 5), (99, 13)])
def test_bars_are_the_singular_values_and_lines_the_shares(first, shown):
    matrices = {"above": embedding(), "below": noise((13, 40))}
    runs = {name: singular_spectrum(matrix) for name, matrix in matrices.items()}
    figure = singular_values(runs, first=first, title="two")
    assert len(figure.axes) == 2
    for axes, matrix, name in zip(figure.axes, matrices.values(), matrices, strict=True):
        values = np.sqrt(np.linalg.eigvalsh(matrix @ matrix.T)[::-1])
        heights = [bar.get_height() for bar in axes.patches]
        np.testing.assert_allclose(heights, values[:shown])
        held = np.cumsum(values**2) / (values**2).sum()
        reached = [int((held < share).sum()) + 1 for share in (0.5, 0.9)]
        expected = [(f"{s} %", n) for s, n in zip((50, 90), reached, strict=True) if n <= shown]
        assert [text.get_text() for text in axes.texts] == [f"{s}: {n}" for s, n in expected]
        random, *marks = axes.lines
        np.testing.assert_allclose(
            [line.get_xdata()[0] for line in marks], [n + 0.5 for _, n in expected]
        )
        np.testing.assert_allclose(random.get_ydata(), runs[name].random_values[:shown])
        assert name in axes.get_title(loc="left")
        assert (f"first {shown} of 13" in axes.get_title(loc="left")) == (shown < 13)


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (5, 5), (12, 12), (40, 13)])
def test_leading_vectors_are_drawn_with_their_frequency(count, shown):
    matrix = embedding()
    spectrum = singular_spectrum(matrix)
    figure = singular_vectors(spectrum, count, style=DARK)
    *columns, last = figure.axes
    assert len(columns) == min(2, shown)
    left = np.linalg.svd(matrix)[0].T
    for component in range(shown):
        axes, place = columns[component % 2], component // 2
        level = axes.lines[2 * place].get_ydata()[0]
        drawn = axes.lines[2 * place + 1].get_ydata() - level
        assert abs(drawn @ left[component]) == pytest.approx(1)
        low, high = axes.get_ylim()
        assert low < (drawn + level).min() < (drawn + level).max() < high
        power = np.abs(np.fft.rfft(left[component])[1:]) ** 2
        share = 2 * power.max() / 13
        assert axes.texts[place].get_text() == (
            f"{component + 1}: k = {power.argmax() + 1}, {share:.0%} of power".replace("%", " %")
        )
    assert columns[0].texts[0].get_text().startswith("1: k = 3, ")
    shares = last.lines[-1].get_ydata()
    assert len(shares) == 13
    np.testing.assert_allclose(shares, spectrum.frequency_share)
    band = last.patches[0].get_extents().transformed(last.transData.inverted())
    inside = (spectrum.random_share >= band.y0) & (spectrum.random_share <= band.y1)
    assert inside.mean() == pytest.approx(0.95, abs=0.005)


def test_refusals():
    spectrum = singular_spectrum(embedding())
    with pytest.raises(ValueError, match=naming("first 0 1")):
        singular_values({"run": spectrum}, first=0)
    with pytest.raises(ValueError, match=naming("runs empty")):
        singular_values({})
    with pytest.raises(ValueError, match=naming("count 0 1")):
        singular_vectors(spectrum, 0)
