"""Lines named at their right ends, the names pushed apart so that none overlaps another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.esch.style import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPACING = 1.15
"""Distance between names, em; at this distance they do not touch."""
LEADER, SWATCH = 12.0, 7.0
"""Distance from the axes to a swatch of the line's colour, and the swatch's length, points."""

_INSET = 2.0  # from the swatch to the name, points
_ALIKE, _ALIKE_MOST = 0.1, 1.0  # em, per line and at most, within which ends count as level


@dataclass(frozen=True)
class Line:
    """One line of a panel."""

    name: str
    """Written at its right end."""
    epochs: NDArray[np.int64]
    """[E], ascending."""
    values: NDArray[np.float64]
    """[E]; values that are not finite are left out."""
    colour: str
    weight: float = 1.0
    """Multiple of the style's line width."""
    dashed: bool = False
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    """[E] each: the lowest and the highest value, with the range between shaded."""

    @property
    def dashes(self) -> Any:
        """The line style for matplotlib."""
        return (0, (3, 1.5)) if self.dashed else "-"


def name_ends(
    axes: "Axes",
    lines: Sequence[Line],
    style: Style,
    size: float,
    limits: tuple[float, float],
    logarithmic: bool,
) -> None:
    """Write the lines' names in the order of their ends, each with a leader to its line.

    Lines without a finite value are not named.

    Args:
        axes: with final position on the page and limits.
        lines: those on the axes.
        style: colours and widths.
        size: of names, points.
        limits: of the values.
        logarithmic: whether the axis of values is.
    """
    ends = []
    for line in lines:
        finite = np.flatnonzero(np.isfinite(line.values))
        if finite.size:
            ends.append((line, int(line.epochs[finite[-1]]), float(line.values[finite[-1]])))
    scale = np.log if logarithmic else np.asarray
    low, high = (float(scale(limit)) for limit in limits)
    figure = axes.get_figure(root=True)
    assert figure is not None
    height = axes.get_position().height * figure.get_size_inches()[1] * 72
    inside = [min(max(value, limits[0]), limits[1]) for _, _, value in ends]
    wanted = np.array([(float(scale(value)) - low) / (high - low) * height for value in inside])
    order = _from_below(wanted, min(_ALIKE * len(ends), _ALIKE_MOST) * size)
    half = size / 2
    places = spread(np.maximum.accumulate(wanted[order]), SPACING * size, half - size, height)
    width = axes.get_position().width * figure.get_size_inches()[0] * 72
    begin, stop, name = (1 + x / width for x in (LEADER, LEADER + SWATCH, LEADER + SWATCH + _INSET))
    for index, place in zip(order, places / height, strict=True):
        line, epoch, _ = ends[index]
        axes.annotate(
            "",
            xy=(epoch, inside[index]),
            xytext=(begin, place),
            textcoords="axes fraction",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": style.light_grey,
                "linewidth": style.hair_width,
                "shrinkA": 0.0,
                "shrinkB": 1.5,
            },
        )
        axes.plot(
            [begin, stop],
            [place, place],
            transform=axes.transAxes,
            clip_on=False,
            color=line.colour,
            linewidth=style.line_width * max(line.weight, 1.0),
            linestyle=line.dashes,
            solid_capstyle="butt",
            label="_swatch",
        )
        axes.text(
            name,
            place,
            line.name,
            transform=axes.transAxes,
            ha="left",
            va="center",
            size=size,
            parse_math=False,
            weight="bold" if line.weight > 1 else "normal",
        )


def _from_below(wanted: NDArray[np.float64], alike: float) -> list[int]:
    """Indices of lines by their ends, lowest first; of level lines the first is on top."""
    left = sorted(range(len(wanted)), key=lambda index: -wanted[index])
    order: list[int] = []
    while left:
        level = [index for index in left if wanted[left[0]] - wanted[index] <= alike]
        order += sorted(level)
        left = left[len(level) :]
    return order[::-1]


def spread(wanted: ArrayLike, gap: float, low: float, high: float) -> NDArray[np.float64]:
    """Places near the wanted ones, in order, at least `gap` apart and within `low` … `high`.

    They minimise the sum of squared distances from the wanted places. Where the room is too small,
    the gap is the largest that fits.

    Args:
        wanted: [n], ascending.
        gap: between neighbours.
        low: of the first place.
        high: of the last place.
    """
    from scipy.optimize import isotonic_regression

    places = np.asarray(wanted, np.float64)
    if not len(places):
        return places
    gap = min(gap, (high - low) / max(len(places) - 1, 1))
    steps = gap * np.arange(len(places))
    # With y = place − step, a gap of at least `gap` means that y ascends: an isotonic regression.
    # Clipping its solution to the bounds gives the solution within them.
    level = isotonic_regression(places - steps).x
    return np.clip(level, low, high - steps[-1]) + steps
