"""The house style: colours, greys, fonts and weights, shared by esch and matplotlib.

A `Style` is plain data. esch reads it when it writes SVG; `matplotlib_style` turns the
same values into rcParams, so that ordinary curves sit beside esch drawings as siblings.

Colours are from the palette of Okabe and Ito, which stays distinct under the common
forms of colour blindness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Style:
    """One look. Colours are CSS hex strings, sizes are points (1/72 inch).

    Attributes:
        background: colour of the page.
        foreground: colour of text and, unless colour is asked for, of every mark.
        grey: colour of secondary text and of axis lines.
        light_grey: colour of frames and hairlines.
        positive: colour of positive values where sign is shown by colour.
        negative: colour of negative values where sign is shown by colour.
        accent: colour of crosses (values that are not finite) and of emphasis.
        palette: categorical colours for curves, in order of use.
        font_family: CSS font list; the first one is what text is measured in.
        font_size: size of ordinary text, points.
        small_size: size of tick labels and legend entries, points.
        title_size: size of the drawing's title, points.
        line_width: width of curves, points.
        hair_width: width of frames and ticks, points.
    """

    background: str = "#ffffff"
    foreground: str = "#000000"
    grey: str = "#595959"
    light_grey: str = "#cccccc"
    positive: str = "#0072b2"
    negative: str = "#d55e00"
    accent: str = "#cc3311"
    palette: tuple[str, ...] = (
        "#000000",
        "#0072b2",
        "#d55e00",
        "#009e73",
        "#cc79a7",
        "#e69f00",
        "#56b4e9",
    )
    font_family: str = "DejaVu Sans, Verdana, sans-serif"
    font_size: float = 9.0
    small_size: float = 7.5
    title_size: float = 11.0
    line_width: float = 1.2
    hair_width: float = 0.5


LIGHT = Style()

DARK = Style(
    background="#111111",
    foreground="#f2f2f2",
    grey="#a6a6a6",
    light_grey="#4d4d4d",
    positive="#56b4e9",
    negative="#e69f00",
    accent="#ff6b57",
    palette=(
        "#f2f2f2",
        "#56b4e9",
        "#e69f00",
        "#009e73",
        "#cc79a7",
        "#d55e00",
        "#f0e442",
    ),
)


def matplotlib_style(style: Style = LIGHT) -> dict[Any, Any]:
    """Matplotlib's rcParams for this style; use with `matplotlib.rc_context`.

    Text stays text in SVG and PDF, the top and right spines are gone, and line colours
    cycle through `style.palette`.

    Args:
        style: the look to translate.

    Returns:
        A dictionary of rcParams, names to values. Needs matplotlib's `cycler` when called.
    """
    from cycler import cycler  # a dependency of matplotlib; kept out of import time

    families = [name.strip() for name in style.font_family.split(",")]
    return {
        "figure.facecolor": style.background,
        "savefig.facecolor": style.background,
        "axes.facecolor": style.background,
        "text.color": style.foreground,
        "axes.labelcolor": style.foreground,
        "axes.titlecolor": style.foreground,
        "axes.edgecolor": style.grey,
        "xtick.color": style.grey,
        "ytick.color": style.grey,
        "xtick.labelcolor": style.foreground,
        "ytick.labelcolor": style.foreground,
        "grid.color": style.light_grey,
        "font.family": families[-1],
        f"font.{families[-1]}": families[:-1],
        "font.size": style.font_size,
        "axes.titlesize": style.font_size,
        "axes.labelsize": style.font_size,
        "axes.titleweight": "normal",
        "axes.titlelocation": "left",
        "xtick.labelsize": style.small_size,
        "ytick.labelsize": style.small_size,
        "legend.fontsize": style.small_size,
        "legend.frameon": False,
        "figure.titlesize": style.title_size,
        "figure.titleweight": "normal",
        "axes.linewidth": style.hair_width,
        "xtick.major.width": style.hair_width,
        "ytick.major.width": style.hair_width,
        "xtick.minor.width": style.hair_width,
        "ytick.minor.width": style.hair_width,
        "xtick.major.size": 3.0,
        "ytick.major.size": 3.0,
        "xtick.minor.size": 1.5,
        "ytick.minor.size": 1.5,
        "grid.linewidth": style.hair_width,
        "lines.linewidth": style.line_width,
        "lines.markersize": 3.0,
        "axes.prop_cycle": cycler(color=list(style.palette)),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": False,
        "svg.fonttype": "none",
        "pdf.fonttype": 42,
        "figure.dpi": 100.0,
        "savefig.dpi": 200.0,
        "savefig.bbox": "tight",
        "savefig.pad_inches": 0.05,
        "figure.constrained_layout.use": True,
    }
