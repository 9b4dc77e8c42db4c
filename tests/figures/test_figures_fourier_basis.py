"""Figure 19 read back: every entry of the matrix, its sign, and what each row is."""

import numpy as np
import pytest

from esch.svg_reading import mark_paths, path_marks, texts
from figures.drawn import panels, words
from miiii.analysis.harmonics.fourier import fourier_basis
from miiii.esch import DARK, LIGHT
from miiii.figures.fourier_basis import fourier_matrix, row_names
from wording import naming


def dft(size):
    """The real DFT matrix, entry by entry."""
    rows = []
    for row in range(size):
        k, wave = (row + 1) // 2, np.sin if row and row % 2 == 0 else np.cos
        rows.append([wave(2 * np.pi * k * x / size) for x in range(size)])
    matrix = np.array(rows)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


@pytest.mark.parametrize("style", [LIGHT, DARK])
@pytest.mark.parametrize("size", [3, 8, 11])
def test_the_matrix_is_drawn_as_it_is(size, style):
    drawing = fourier_matrix(fourier_basis(size), title="DFT", style=style)
    (read,) = panels(drawing, [(size, size)])
    matrix = dft(size)
    np.testing.assert_allclose(read, matrix / np.abs(matrix).max(), atol=0.01)
    # zeros are no marks, rounding errors neither
    assert np.array_equal(read == 0, np.abs(matrix) < 1e-12)
    colours = {
        mark.name: mark.colour for path in mark_paths(drawing.svg) for mark in path_marks(path)
    }
    assert colours == {"positive": style.positive, "negative": style.negative}
    assert set(row_names(size)) <= set(texts(drawing.svg))
    assert f"x, of {size} points" in words(drawing)


def test_rows_are_named_by_what_they_are():
    assert row_names(1) == ["constant"]
    assert row_names(5) == ["constant", "cos 1", "sin 1", "cos 2", "sin 2"]
    # the last of an even p alternates: cos πx
    assert row_names(6) == ["constant", "cos 1", "sin 1", "cos 2", "sin 2", "cos 3"]


def test_the_paper_s_matrix_is_whole_and_told_apart_by_colour():
    drawing = fourier_matrix(fourier_basis(113))
    cells = {}
    for path in mark_paths(drawing.svg):
        marks = path_marks(path)
        if len(marks) > 1:
            sign = {LIGHT.positive: 1, LIGHT.negative: -1}
            cells.update({mark.cell: sign[mark.colour] for mark in marks})
            assert all(mark.filled for mark in marks)
    matrix = dft(113)
    assert len(cells) == np.count_nonzero(np.abs(matrix) > 1e-5) == 113**2 - 56
    assert all(np.sign(matrix[cell]) == sign for cell, sign in cells.items())
    names = [name for name in row_names(113) if name in texts(drawing.svg)]
    assert names == ["constant", *(f"cos {k}" for k in range(8, 49, 8)), "sin 56"]
    assert drawing.width <= 480


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=naming("basis (2,3) [p,p]")):
        fourier_matrix(np.zeros((2, 3)))
