"""The numbers themselves: spirals, the input space and the output space (paper Figures 1 to 3)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from miiii import esch
from miiii.esch.style import LIGHT, Style
from miiii.figures.styled import new_figure, put_title, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes

    from miiii.analysis.number_patterns import NumberSpaces, Spiral

_PANEL = 2.3  # inches
_DOT = 1.2  # points
_QUARTERS = ("0", "π/2", "π", "3π/2")
_VECTORS = 25_000  # marks per drawing; about 0.5 MB
_ALL = 12  # digits up to which each has a tick
_ABREAST = 6  # panels in one row


@styled
def number_spirals(
    spirals: Sequence["Spiral"], *, title: str = "", style: Style = LIGHT
) -> "Figure":
    """Paper Figure 1: numbers in polar coordinates, radius n and angle n radians.

    In spirals of multiples each modulus has a colour; multiples of several moduli have the colour
    of the text.

    Args:
        spirals: one per panel, of `analysis.number_patterns`.

    Raises:
        ValueError: there is no spiral.
    """
    if not spirals:
        raise ValueError("spirals are empty: expected at least one to draw")
    height = _PANEL + 0.75 + (0.3 if title else 0.0)
    figure = new_figure(_PANEL * len(spirals), height, layout="constrained")
    panels = figure.subplots(1, len(spirals), squeeze=False, subplot_kw={"projection": "polar"})
    for axes, spiral in zip(panels[0], spirals, strict=True):
        _panel(axes, spiral, style)
    put_title(figure, title)
    return figure


def input_space(spaces: "NumberSpaces", *, title: str = "", style: Style = LIGHT) -> esch.Drawing:
    """Paper Figure 2: each cell (x0, x1) holds the number x0 + p·x1.

    Args:
        spaces: from `analysis.number_patterns.number_spaces`.
    """
    return esch.draw(
        "h w",
        spaces.numbers,
        title=title,
        x_label="x0",
        y_label="x1",
        x_ticks=digit_ticks(spaces.base),
        y_ticks=digit_ticks(spaces.base),
        value_label=f"n = x0 + {spaces.base}·x1",
        cell=min(320.0 / spaces.base, 14.0),
        vector_limit=_VECTORS,
        style=style,
    )


def output_space(spaces: "NumberSpaces", *, title: str = "", style: Style = LIGHT) -> esch.Drawing:
    """Paper Figure 3: n mod q for every modulus, and the addition of Nanda et al. beside them.

    Args:
        spaces: from `analysis.number_patterns.number_spaces`.
    """
    base = spaces.base
    panels = np.concatenate([spaces.remainders, spaces.addition[None]])
    return esch.draw(
        "n h w",
        panels,
        title=title,
        panel_labels=[*(f"n mod {modulus}" for modulus in spaces.moduli), f"(x0 + x1) mod {base}"],
        x_label="x0",
        y_label="x1",
        x_ticks=digit_ticks(base),
        y_ticks=digit_ticks(base),
        normalise="panel",
        value_label="remainder",
        columns=len(panels) if len(panels) <= _ABREAST else None,
        vector_limit=_VECTORS,
        style=style,
    )


def _panel(axes: "PolarAxes", spiral: "Spiral", style: Style) -> None:
    from matplotlib.lines import Line2D

    axes.set_rlim(0, spiral.limit)
    axes.set_xticks(np.arange(4) * np.pi / 2, _QUARTERS)
    rings = _rings(spiral.limit)
    axes.set_yticks(rings, [""] * len(rings))  # labels would hide numbers
    axes.tick_params(pad=0)
    axes.grid(color=style.light_grey)
    axes.spines["polar"].set_color(style.light_grey)
    groups = _groups(spiral, style)
    for _, colour, chosen in groups:
        axes.add_artist(_dots(axes, spiral, chosen, colour))
    axes.set_title(_name(spiral, rings[0]), loc="center", pad=6, fontsize=style.small_size)
    if len(groups) > 1:
        axes.legend(
            handles=[
                Line2D([], [], color=colour, marker="o", linestyle="", label=label)
                for label, colour, _ in groups
            ],
            loc="upper center",
            bbox_to_anchor=(0.5, -0.06),
            ncols=len(groups),
            handletextpad=0.1,
            columnspacing=0.9,
        )


def _dots(axes: "PolarAxes", spiral: "Spiral", chosen: NDArray[np.bool_], colour: str):
    """All dots as one path of round stroke ends, whose file is a fraction of that of markers."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    share = spiral.radius[chosen] / spiral.limit / 2
    angle = spiral.angle[chosen]
    points = 0.5 + np.stack([share * np.cos(angle), share * np.sin(angle)], axis=-1)
    # Some viewers leave out strokes of length 0.
    ends = points + np.array([1e-4, 0])
    path = Path(
        np.stack([points, ends], axis=1).reshape(-1, 2),
        np.tile(np.array([Path.MOVETO, Path.LINETO], np.uint8), len(points)),
    )
    path.should_simplify = False
    return PathPatch(
        path,
        transform=axes.transAxes,
        facecolor="none",
        edgecolor=colour,
        linewidth=_DOT,
        capstyle="round",
        snap=False,  # snapping to pixels would make the length 0
        zorder=3,
    )


def _groups(spiral: "Spiral", style: Style) -> list[tuple[str, str, NDArray[np.bool_]]]:
    """(label, colour, numbers) of each modulus, or of all numbers where colours are too few."""
    moduli, colours = spiral.moduli, style.palette[1:]
    if len(moduli) < 2 or len(moduli) > len(colours):
        return [("", style.foreground, np.ones(len(spiral.numbers), bool))]
    several = spiral.divisible.sum(axis=1) > 1
    groups = [
        (str(modulus), colour, spiral.divisible[:, index] & ~several)
        for index, (modulus, colour) in enumerate(zip(moduli, colours, strict=False))
    ]
    both = "both" if len(moduli) == 2 else "several"
    return [group for group in [*groups, (both, style.foreground, several)] if group[2].any()]


def _name(spiral: "Spiral", ring: int) -> str:
    what = "remainder 0 mod " + " or ".join(map(str, spiral.moduli)) if spiral.moduli else "primes"
    turn = "n" if spiral.tightness == 1 else f"{spiral.tightness:.4g}·n"
    counted = f"{len(spiral.numbers):,} numbers below {spiral.limit:,}"
    return f"{what}\n{counted}\nangle {turn} rad, rings every {ring:,}"


def _rings(limit: int) -> list[int]:
    """Two to four evenly spaced round radii below the limit; for a small limit the limit."""
    power = 10 ** (len(str(limit)) - 1)
    for step in (5 * power, 2 * power, power, power // 2, power // 5):
        if 0 < 2 * step < limit:
            return list(range(step, limit, step))
    return [limit]


def digit_ticks(base: int) -> list[int]:
    """All digits where they are few, else the first, the middle and the last."""
    if base <= _ALL:
        return list(range(base))
    return sorted({0, base // 2, base - 1})
