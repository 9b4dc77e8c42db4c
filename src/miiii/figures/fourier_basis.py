"""The discrete Fourier basis as a matrix (paper Figure 19)."""

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
        basis: [p, p], from `analysis.fourier.fourier_basis`: the constant, then cos and sin of
            1, 2, … cycles; an even p ends with the alternating row.
        title: stands above the picture.
        style: colours and fonts.

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
        # Where a wave crosses zero the matrix holds rounding errors; they are no marks.
        np.where(np.abs(matrix) < 1e-12, 0.0, matrix),
        title=title,
        x_label=f"x, of {size} points",
        y_label=f"basis function, k cycles per {size} points",
        x_ticks=_positions(size),
        y_ticks=row_names(size) if size <= _ALL else _some_rows(size),
        value_label="entry",
        # Outlines tell signs apart without colour; in small cells they pale against full marks.
        sign="both" if cell >= _CLEAR else "colour",
        cell=cell,
        vector_limit=_VECTORS,
        style=style,
    )


def row_names(size: int) -> list[str]:
    """What each row of the basis is: [p], "constant", "cos 1", "sin 1" and so on."""
    names = ["constant"]
    for row in range(1, size):
        cycles = (row + 1) // 2
        names.append(f"cos {cycles}" if row % 2 else f"sin {cycles}")
    return names


def _some_rows(size: int) -> dict[int, str]:
    """The constant, the cosine of every eighth frequency, and the last row."""
    names = row_names(size)
    cosines = range(2 * _EVERY - 1, size - _EVERY, 2 * _EVERY)
    return {row: names[row] for row in (0, *cosines, size - 1)}


def _positions(size: int) -> list[int]:
    if size <= _ALL:
        return list(range(size))
    return [*range(0, size - _EVERY, 2 * _EVERY), size - 1]
