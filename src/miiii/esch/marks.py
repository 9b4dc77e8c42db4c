"""Marks: squares, circles and crosses, as numbers and as SVG path data.

A panel's marks are sorted into a few layers, each drawn by a single path: filled ones,
outlined ones, crosses. Path data is in thousandths of a cell, so that it is all small
whole numbers; whoever draws the path scales it.

An outline's stroke lies inside the mark, so that its outer side carries the magnitude as
a filled mark's does. Small marks take thinner strokes, or they would close up and read as
filled: hence more than one outlined layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from miiii.esch import checks
from miiii.esch.style import Style

Shape = Literal["square", "circle"]
Sign = Literal["outline", "colour", "both"]

UNITS = 1000  # path units per cell
STROKE = 0.1  # thickest outline, cells
STROKES = 5  # outlines, each half as thick as the one before
CROSS_SIDE = 0.8  # cells
CROSS_STROKE = 0.16  # cells


@dataclass(frozen=True)
class Look:
    """How a value becomes a mark.

    Attributes:
        shape: square or circle.
        sign: negative values are outlined, coloured, or both.
        full: side of a full mark, cells.
        positive: colour of positive marks.
        negative: colour of negative marks.
        cross: colour of crosses.
    """

    shape: Shape
    sign: Sign
    full: float
    positive: str
    negative: str
    cross: str

    @classmethod
    def of(cls, style: Style, shape: Shape, sign: Sign, full: float) -> Look:
        """The look that a style gives; refuses unknown shapes and signs."""
        checks.one_of("mark", shape, ("square", "circle"))
        checks.one_of("sign", sign, ("outline", "colour", "both"))
        plain = sign == "outline"
        return cls(
            shape=shape,
            sign=sign,
            full=full,
            positive=style.foreground if plain else style.positive,
            negative=style.foreground if plain else style.negative,
            cross=style.accent,
        )


@dataclass(frozen=True)
class Layer:
    """Marks of one panel that one path draws.

    Attributes:
        name: "positive", "negative" or "cross".
        shape: "square", "circle" or "cross".
        columns: [mark] column of the cell.
        rows: [mark] row of the cell.
        sides: [mark] outer side, or diameter, in cells.
        colour: of fill or stroke.
        stroke: width of the stroke in cells; 0 for filled marks.
    """

    name: str
    shape: Literal["square", "circle", "cross"]
    columns: NDArray[np.intp]
    rows: NDArray[np.intp]
    sides: NDArray[np.float64]
    colour: str
    stroke: float

    @property
    def drawn(self) -> NDArray[np.intp]:
        """[mark] side of the path itself, in path units: the stroke is half outside it."""
        inner = self.sides if self.shape == "cross" else self.sides - self.stroke
        return np.maximum(np.rint(inner * UNITS).astype(np.intp), 1)

    @property
    def corners(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """[mark] left and top of the path, in path units."""
        half = self.drawn / 2
        left = np.rint((self.columns + 0.5) * UNITS - half).astype(np.intp)
        top = np.rint((self.rows + 0.5) * UNITS - half).astype(np.intp)
        return left, top


def layers(
    values: NDArray[np.float64], sides: NDArray[np.float64], look: Look
) -> tuple[Layer, ...]:
    """Sort one panel's values into layers; zeros are no marks.

    Args:
        values: [h, w]; their sign and whether they are finite are read.
        sides: [h, w] in units of a full mark's side.
        look: how values become marks.

    Returns:
        The layers that have marks, each with its marks in reading order.
    """
    finite = np.isfinite(values)
    scaled = np.where(finite, sides, 0.0) * look.full
    drawn = finite & (scaled * UNITS >= 0.5)  # less than half a unit is nothing to see
    found: list[Layer] = []

    def add(name: str, where: NDArray[np.bool_], colour: str, stroke: float) -> None:
        rows, columns = np.nonzero(where)
        if not len(rows):
            return
        if name == "cross":
            side = np.full(len(rows), CROSS_SIDE)
            found.append(Layer(name, "cross", columns, rows, side, colour, stroke))
        else:
            side = scaled[rows, columns]
            found.append(Layer(name, look.shape, columns, rows, side, colour, stroke))

    add("positive", drawn & (values > 0), look.positive, 0.0)
    negative = drawn & (values < 0)
    if look.sign == "colour":
        add("negative", negative, look.negative, 0.0)
    else:
        strokes = STROKE * 0.5 ** np.arange(STROKES)
        # The thickest stroke that leaves at least a third of the side open.
        choice = np.minimum(np.sum(scaled[..., None] < 3 * strokes, axis=-1), STROKES - 1)
        for index, stroke in enumerate(strokes):
            add("negative", negative & (choice == index), look.negative, float(stroke))
    add("cross", ~finite, look.cross, CROSS_STROKE)
    return tuple(found)


def path_data(layer: Layer) -> str:
    """The layer as SVG path data, in path units from the panel's top left corner.

    Every mark starts by a move relative to the end of the one before: small numbers, so
    few characters.
    """
    left, top = layer.corners
    side = layer.drawn
    if layer.shape == "square":
        return _chain("m%d %dh%dv%dh-%dz", left, top, left, top, [side] * 3)
    if layer.shape == "circle":
        middle = top + side // 2
        half = side / 2
        template = "m%d %da%g %g 0 1 0 %d 0a%g %g 0 1 0-%d 0z"
        return _chain(template, left, middle, left, middle, [half, half, side] * 2)
    return _chain("m%d %dl%d %dm-%d 0l%d-%d", left, top, left + side, top, [side] * 5)


def _chain(
    template: str,
    start_x: NDArray[np.intp],
    start_y: NDArray[np.intp],
    end_x: NDArray[np.intp],
    end_y: NDArray[np.intp],
    sizes: list[NDArray[np.intp]] | list[NDArray[np.float64]],
) -> str:
    move_x = start_x - np.concatenate([[0], end_x[:-1]])
    move_y = start_y - np.concatenate([[0], end_y[:-1]])
    columns = [move_x.tolist(), move_y.tolist(), *(size.tolist() for size in sizes)]
    # One format over all marks is several times faster than one per mark.
    flat = [value for mark in zip(*columns, strict=True) for value in mark]
    return (template * len(start_x)) % tuple(flat)


def vertices(layer: Layer) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """The layer as vertices and matplotlib path codes, in cells.

    Outlined marks become rings to be filled, an outer path and one the other way round
    within it: many viewers of PDF draw thin strokes thicker than they are, not so fills.

    Returns:
        Vertices [point, 2] and codes [point], marks one after the other.
    """
    outline, codes = OUTLINES[layer.shape]
    middle = np.stack([layer.columns, layer.rows], axis=-1)[:, None] + 0.5
    centred = outline - 0.5
    points = middle + layer.sides[:, None, None] * centred
    if layer.stroke and layer.shape != "cross":
        inner = np.maximum(layer.sides - 2 * layer.stroke, 0.0)
        hole = middle + inner[:, None, None] * centred[:, ::-1]  # x and y swapped: reversed
        points = np.concatenate([points, hole], axis=1)
        codes = np.tile(codes, 2)
    return points.reshape(-1, 2), np.tile(codes, len(middle))


def _circle() -> NDArray[np.float64]:
    pull = 4 / 3 * (np.sqrt(2) - 1)  # cubic that is nearest to a quarter circle
    quarter = np.array([[1, pull], [pull, 1], [0, 1]])
    turn = np.array([[0, 1], [-1, 0]])
    points = [np.array([[1.0, 0.0]])]
    for _ in range(4):
        points.append(quarter)
        quarter = quarter @ turn
    return (np.concatenate([*points, points[0]]) + 1) / 2


# Points of a mark of side 1 with its corner at the origin, and matplotlib's codes for
# them: 1 move, 2 line, 4 cubic, 79 close.
OUTLINES: dict[str, tuple[NDArray[np.float64], NDArray[np.uint8]]] = {
    "square": (
        np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], dtype=np.float64),
        np.array([1, 2, 2, 2, 79], dtype=np.uint8),
    ),
    "circle": (_circle(), np.array([1] + [4] * 12 + [79], dtype=np.uint8)),
    "cross": (
        np.array([[0, 0], [1, 1], [0, 1], [1, 0]], dtype=np.float64),
        np.array([1, 2, 1, 2], dtype=np.uint8),
    ),
}
