"""Spectra on the number line, with the harmonics of each task marked."""

from typing import TYPE_CHECKING

import numpy as np

from miiii import esch
from miiii.esch.style import LIGHT, Style
from miiii.figures.lines.lines import task_colours
from miiii.figures.styled import new_figure, put_title, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from miiii.analysis.circuits.embedding_attribution import EmbeddingAttribution
    from miiii.analysis.circuits.number_spectrum import NumberSpectrum

_WIDTH, _HEIGHT, _ROW = 7.0, 2.2, 0.11  # inches: the page, the spectrum, a task's row
_LARGEST = 40.0  # area of a full mark, points²


@styled
def number_line_spectrum(
    spectrum: "NumberSpectrum", *, title: str = "", style: Style = LIGHT
) -> "Figure":
    """The spectrum over n, and below it a row per task with a mark at each harmonic k/q.

    The area of a mark is the share of variance on the harmonic. Hairlines mark all harmonics.

    Args:
        spectrum: of the functions.
    """
    colours = task_colours(len(spectrum.moduli), style)
    tasks = len(spectrum.moduli)
    below = max(_ROW * tasks, 0.5)
    figure = new_figure(_WIDTH, _HEIGHT + below + 0.8)
    above, rows = figure.subplots(2, 1, sharex=True, height_ratios=[_HEIGHT, below])
    put_title(figure, title)
    above.plot(spectrum.frequency, spectrum.power, color=style.foreground, linewidth=0.5, zorder=1)
    above.set_yscale("log")
    floor = max(float(np.median(spectrum.power)) / 10, float(spectrum.power.max()) * 1e-7)
    above.set_ylim(bottom=floor)
    above.set_ylabel("share of variance per bin")
    largest = max(float(shares.max(initial=0)) for shares in spectrum.harmonic_share)
    for row, (modulus, shares) in enumerate(
        zip(spectrum.moduli, spectrum.harmonic_share, strict=True)
    ):
        places = np.arange(1, len(shares) + 1) / modulus
        rows.vlines(places, row - 0.4, row + 0.4, color=style.light_grey, linewidth=0.4, zorder=0)
        rows.scatter(
            places,
            np.full(len(places), row),
            s=_LARGEST * shares / largest if largest > 0 else 0,
            color=colours[row],
            linewidths=0,
            zorder=2,
        )
    rows.set_yticks(range(tasks), [str(modulus) for modulus in spectrum.moduli])
    rows.tick_params(axis="y", labelsize=5 if tasks > 12 else style.small_size, length=0)
    rows.set_ylim(tasks - 0.4, -0.6)
    rows.set_xlim(0, 0.505)
    rows.set_ylabel("modulus")
    rows.set_xlabel("frequency, cycles per number")
    return figure


def harmonic_grid(
    shares: "NumberSpectrum | EmbeddingAttribution",
    value_label: str = "share of variance on the frequency k/q",
    *,
    title: str = "",
    style: Style = LIGHT,
) -> esch.Drawing:
    """A row per task, a column per harmonic k: area is the share of variance on k/q.

    Args:
        shares: per task and harmonic, of neurons on the number line or of the embeddings.
        value_label: name of the shares in the key.
    """
    table = shares.harmonic_table
    width = table.shape[1]
    marked = [k for k in range(1, width + 1) if k == 1 or k % 10 == 0 or width <= 10]
    return esch.draw(
        "h w",
        table,
        title=title,
        x_label="harmonic k",
        y_label="modulus q",
        x_ticks={k - 1: str(k) for k in marked},
        y_ticks=[str(modulus) for modulus in shares.moduli],
        value_label=value_label,
        style=style,
    )
