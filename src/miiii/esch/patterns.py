"""Axis patterns: which axis of an array is which part of a drawing.

A pattern names every axis of the array by one letter, in the array's own order, as
einops does. Letters may come in any order; the array is transposed to match.

    r   rows of panels
    c   columns of panels
    n   panels: the rows when `c` is there too, otherwise all panels in reading order,
        wrapped into as many columns as suit the page
    h   rows of cells within a panel, downwards
    w   columns of cells within a panel, to the right
    t   time, one frame per entry

Axes that are not named have size 1. At least one of `h` and `w` must be named. So
"h w" is one panel, "w" one strip, "n h w" small multiples, "r c h w" a grid of
them, and "n c h w t" a grid that moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.esch import checks

LETTERS = ("r", "c", "h", "w", "t")
PAGE_ASPECT = 1.6  # width over height that wrapped panels aim at


@dataclass(frozen=True)
class Grid:
    """An array in the drawing's own order.

    Attributes:
        values: [r, c, h, w, t], float64; places after the last panel hold zeros.
        panels: how many of the r x c places hold a panel, in reading order.
        animated: whether the pattern named `t`.
    """

    values: NDArray[np.float64]
    panels: int
    animated: bool

    @property
    def rows(self) -> int:
        """Rows of panels."""
        return self.values.shape[0]

    @property
    def columns(self) -> int:
        """Columns of panels."""
        return self.values.shape[1]

    @property
    def height(self) -> int:
        """Rows of cells in a panel."""
        return self.values.shape[2]

    @property
    def width(self) -> int:
        """Columns of cells in a panel."""
        return self.values.shape[3]

    @property
    def frames(self) -> int:
        """Frames in time."""
        return self.values.shape[4]

    def places(self) -> list[tuple[int, int]]:
        """The (row, column) of every panel, in reading order."""
        return [divmod(index, self.columns) for index in range(self.panels)]


def parse(pattern: str) -> tuple[str, ...]:
    """Split a pattern into its letters.

    Args:
        pattern: letters of `n r c h w t` with spaces between them.

    Returns:
        The letters, in the order written.

    Raises:
        ValueError: an unknown or repeated letter, `n` beside `r`, or no cells.
    """
    letters = tuple(pattern.split())
    for letter in letters:
        if letter not in (*LETTERS, "n"):
            raise ValueError(
                f"pattern {pattern!r}: unknown axis {letter!r}; expected letters of "
                "'n r c h w t' with spaces between them"
            )
        if letters.count(letter) > 1:
            raise ValueError(
                f"pattern {pattern!r}: axis {letter!r} expected once, "
                f"found {letters.count(letter)} times"
            )
    if "n" in letters and "r" in letters:
        raise ValueError(f"pattern {pattern!r}: axes 'n' and 'r' both name the rows; expected one")
    if "h" not in letters and "w" not in letters:
        raise ValueError(f"pattern {pattern!r}: expected axis 'h' or 'w' for the cells, found none")
    return letters


def arrange(pattern: str, array: Any, columns: int | None = None, most: int | None = None) -> Grid:
    """Bring an array into the order [r, c, h, w, t].

    Args:
        pattern: what the array's axes are; see the module's text.
        array: real numbers or booleans, one axis per letter. Masked entries become NaN.
        columns: columns to wrap panels into; only for `n` without `c`.
        most: columns not to exceed where they are chosen here.

    Returns:
        The grid.

    Raises:
        ValueError: where pattern, array and `columns` do not fit together; the line
            names the axis, what was expected and what was found.
    """
    letters = parse(pattern)
    values = _real(array)
    if values.ndim != len(letters):
        raise ValueError(
            f"pattern {pattern!r}: expected an array of {len(letters)} axes "
            f"({' '.join(letters)}), found {values.ndim} in shape {values.shape}"
        )
    for letter, size in zip(letters, values.shape, strict=True):
        if size == 0:
            raise ValueError(
                f"axis {letter}: expected size of at least 1, found 0 "
                f"in shape {values.shape} as {pattern!r}"
            )
    wraps = "n" in letters and "c" not in letters
    if columns is not None:
        checks.whole("columns", columns, 1)
        if not wraps:
            raise ValueError(
                f"columns: expected a pattern with axis 'n' and without 'c', found {pattern!r}"
            )
    names = tuple("r" if letter == "n" else letter for letter in letters)
    values = values.transpose([names.index(letter) for letter in LETTERS if letter in names])
    for axis, letter in enumerate(LETTERS):
        if letter not in names:
            values = np.expand_dims(values, axis)
    panels = values.shape[0] * values.shape[1]
    if wraps:
        values = _wrap(values, columns, most)
    return Grid(np.ascontiguousarray(values), panels, "t" in letters)


def _real(array: Any) -> NDArray[np.float64]:
    if isinstance(array, np.ma.MaskedArray):
        array = np.ma.filled(array.astype(np.float64), np.nan)
    try:
        found = np.asarray(array)
    except ValueError as error:
        raise ValueError(f"array: expected equal lengths along each axis; {error}") from None
    if np.iscomplexobj(found):
        raise ValueError(f"array: expected real numbers, found {found.dtype}; draw its parts")
    try:
        return found.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"array: expected real numbers, found {found.dtype}") from None


def _wrap(
    values: NDArray[np.float64], columns: int | None, most: int | None
) -> NDArray[np.float64]:
    panels, _, height, width, frames = values.shape
    if columns is None:
        choices = range(1, min(panels, most or panels) + 1)
        columns = min(choices, key=lambda k: _misfit(panels, k, height, width))
    columns = min(columns, panels)
    rows = math.ceil(panels / columns)
    padded = np.zeros((rows * columns, height, width, frames))
    padded[:panels] = values[:, 0]
    return padded.reshape(rows, columns, height, width, frames)


def _misfit(panels: int, columns: int, height: int, width: int) -> float:
    rows = math.ceil(panels / columns)
    empty = (rows * columns - panels) / panels
    return abs(math.log(columns * width / (rows * height) / PAGE_ASPECT)) + empty
