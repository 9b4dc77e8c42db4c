"""The discrete Fourier basis as a matrix (paper Figure 19)."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from miiii import esch
from miiii.esch.style import LIGHT, Style

_SIDE = 400.0  # points that the matrix takes at most
_LARGEST = 22.0  # side of a cell, points
_CLEAR = 4.0  # side of a cell above which outlines are clear, points
_ALL = 31  # rows up to which each is labelled
_EVERY = 8  # cycles between labelled rows otherwise
_VECTORS = 25_000  # marks; about 0.5 MB


def fourier_matrix(basis: ArrayLike, *, title: str = "", style: Style = LIGHT) -> esch.Drawing:
    """Paper Figure 19: the rows of the real DFT matrix, from the constant to the fastest waves.

    Args:
        basis: [p, p], of `analysis.harmonics.fourier.fourier_basis`: the constant, then cos and sin
            of 1, 2, … cycles; an even p ends with the alternating row.

    Raises:
        ValueError: the matrix is not square.
    """
    matrix = np.asarray(basis, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"basis has shape {matrix.shape}: expected [p, p]")
    size = len(matrix)
    cell = min(_SIDE / size, _LARGEST)
    return esch.draw(
        "h w",
        # At the zeros of a wave the matrix has rounding errors, which must not be drawn.
        np.where(np.abs(matrix) < 1e-12, 0.0, matrix),
        title=title,
        x_label=f"x, of {size} points",
        y_label=f"basis function, k cycles per {size} points",
        x_ticks=_positions(size),
        y_ticks=row_names(size) if size <= _ALL else _some_rows(size),
        value_label="entry",
        sign=shown_sign(cell),
        cell=cell,
        vector_limit=_VECTORS,
        style=style,
    )


def shown_sign(cell: float) -> Literal["both", "colour"]:
    """Outlines show signs without colour, but in small cells they are too faint."""
    return "both" if cell >= _CLEAR else "colour"


def row_names(size: int) -> list[str]:
    """[p]: names of the rows, "constant", "cos 1", "sin 1" and so on."""
    names = ["constant"]
    for row in range(1, size):
        cycles = (row + 1) // 2
        names.append(f"cos {cycles}" if row % 2 else f"sin {cycles}")
    return names


def _some_rows(size: int) -> dict[int, str]:
    """Labels of the constant, the cosine of every eighth frequency, and the last row."""
    names = row_names(size)
    cosines = range(2 * _EVERY - 1, size - _EVERY, 2 * _EVERY)
    return {row: names[row] for row in (0, *cosines, size - 1)}


def _positions(size: int) -> list[int]:
    if size <= _ALL:
        return list(range(size))
    return [*range(0, size - _EVERY, 2 * _EVERY), size - 1]
