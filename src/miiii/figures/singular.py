"""Singular values and vectors of the token embedding (paper Figures 11 to 13)."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from miiii.esch.style import LIGHT, Style
from miiii.figures.styled import new_figure, put_title, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from miiii.analysis.parts.singular import SingularSpectrum

_COLUMNS = 2
_STEP = 2.7
"""Distance from one vector to the next, in units of the largest entry; it has room for the
label."""


@styled
def singular_values(
    runs: Mapping[str, "SingularSpectrum"],
    *,
    first: int | None = None,
    title: str = "",
    style: Style = LIGHT,
) -> "Figure":
    """Paper Figure 11: σ of the token embedding, with marks at 50 % and 90 % of Σσ².

    The line is σ of a random matrix of the same shape and the same Σσ², which has no structure
    (claim C11).

    Args:
        runs: name to spectrum, in order from above.
        first: number of components, the strongest first; None: all. The paper shows 83 of 113.

    Raises:
        ValueError: there is no run, or first is below 1.
    """
    if not runs:
        raise ValueError("runs are empty: expected at least one to draw")
    if first is not None and first < 1:
        raise ValueError(f"first is {first}: expected at least 1 component, or None for all")

    figure = new_figure(7.0, 0.6 + 1.9 * len(runs), layout="constrained")
    rows = figure.subplots(len(runs), 1, squeeze=False)[:, 0]
    for axes, (name, spectrum) in zip(rows, runs.items(), strict=True):
        count = len(spectrum.values)
        shown = count if first is None else min(first, count)
        place = np.arange(1, shown + 1)
        axes.bar(place, spectrum.values[:shown], width=0.8, color=style.foreground)
        axes.plot(place, spectrum.random_values[:shown], color=style.accent)
        _mark_shares(axes, spectrum, shown, style)
        axes.set_xlim(0.3, shown + 0.7)
        axes.set_ylim(0, 1.4 * max(spectrum.values[0], spectrum.random_values[0]))
        axes.set_ylabel("σ")
        part = f"first {shown} of {count}" if shown < count else f"{count}"
        axes.set_title(f"{name}: {part} singular values (line: a random matrix)")
    rows[-1].set_xlabel("component (dotted: so much of Σσ² reached)")
    put_title(figure, title)
    return figure


@styled
def singular_vectors(
    spectrum: "SingularSpectrum", count: int = 12, *, title: str = "", style: Style = LIGHT
) -> "Figure":
    """Paper Figures 12 (T_nanda) and 13 (T_miiii): the leading left vectors over the digits.

    Each is labelled with its strongest frequency and that frequency's share of its power. Below is
    that share for all components, beside that of vectors of random direction (claim C12).

    Args:
        spectrum: of the digits' embeddings.
        count: number of vectors, the strongest first.

    Raises:
        ValueError: count is below 1.
    """
    if count < 1:
        raise ValueError(f"count is {count}: expected at least 1 vector")

    shown = min(count, len(spectrum.values))
    lines = math.ceil(shown / _COLUMNS)
    figure = new_figure(7.0, 2.6 + 0.62 * lines, layout="constrained")
    grid = figure.add_gridspec(2, _COLUMNS, height_ratios=[0.62 * lines, 2.0])
    reach = float(np.abs(spectrum.left[:shown]).max())
    for column in range(min(_COLUMNS, shown)):
        axes = figure.add_subplot(grid[0, column])
        _vectors(axes, spectrum, range(column, shown, _COLUMNS), reach, style)
        axes.set_ylim(-((lines - 1) * _STEP + 1.1) * reach, (_STEP - 1) * reach)
    _shares(figure.add_subplot(grid[1, :]), spectrum, style)
    put_title(figure, title)
    return figure


def _vectors(
    axes: "Axes", spectrum: "SingularSpectrum", components: range, reach: float, style: Style
) -> None:
    """Left vectors below each other on one scale, each with its label above its start."""
    digits = np.arange(spectrum.base)
    for line, component in enumerate(components):
        level = -line * _STEP * reach
        axes.axhline(level, color=style.light_grey, linewidth=style.hair_width, zorder=0)
        axes.plot(
            digits,
            level + spectrum.left[component],
            color=style.foreground,
            linewidth=style.line_width * 0.5,
            marker=".",
            markersize=2.5,
        )
        share = f"{spectrum.frequency_share[component]:.0%}".replace("%", " %")
        axes.text(
            -0.5,
            level + reach,
            f"{component + 1}: k = {spectrum.frequency[component]}, {share} of power",
            va="bottom",
            fontsize=style.small_size,
        )
    axes.set_xlim(-0.5, spectrum.base - 0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("digit")


def _mark_shares(axes: "Axes", spectrum: "SingularSpectrum", shown: int, style: Style) -> None:
    """A labelled line after the component that completes each share."""
    top = max(spectrum.values[0], spectrum.random_values[0])
    for text, place, height in (
        ("50 %", spectrum.half, 1.38 * top),
        ("90 %", spectrum.nine_tenths, 1.22 * top),
    ):
        if place > shown:
            continue
        axes.axvline(place + 0.5, color=style.grey, linestyle=":", linewidth=style.line_width)
        left = place > 0.75 * shown
        axes.annotate(
            f"{text}: {place}",
            (place + 0.5, height),
            xytext=(-4 if left else 4, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
            fontsize=style.small_size,
            color=style.foreground,
        )


def _shares(axes: "Axes", spectrum: "SingularSpectrum", style: Style) -> None:
    """Every component's share on its strongest frequency, over the band of random vectors."""
    from matplotlib.ticker import PercentFormatter

    low, middle, high = np.quantile(spectrum.random_share, (0.025, 0.5, 0.975))
    place = np.arange(1, len(spectrum.values) + 1)
    axes.axhspan(low, high, color=style.light_grey, linewidth=0, zorder=0)
    axes.axhline(middle, color=style.grey, linewidth=style.hair_width, zorder=1)
    axes.plot(
        place,
        spectrum.frequency_share,
        color=style.foreground,
        linestyle="",
        marker="o",
        clip_on=False,
    )
    axes.set_xlim(0, len(place) + 1)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.set_ylabel("share of power")
    axes.set_xlabel("component")
    axes.set_title(
        "all components: share of the strongest frequency (band: 95 % of random vectors)",
        fontsize=style.small_size,
    )
