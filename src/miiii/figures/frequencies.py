"""The neurons' frequencies through training, and the number of significant ones (paper Figure 8).

The paper's rule, frequencies above μ + 2σ, finds some in untrained models too, since any spectrum
has values above that. Two counts beside it show this: the same rule with the digits renamed at
random, which destroys every frequency, and the calibrated count, frequencies above the largest
power under any renaming.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from miiii import esch
from miiii.esch.style import LIGHT, Style
from miiii.figures.lines.end_names import Line
from miiii.figures.lines.lines import draw_lines, panels
from miiii.figures.styled import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from miiii.analysis.dynamics.snapshots import SpectraThroughTraining

_ROOM = 360.0  # points that a row of cells may take
_LARGEST = 8.0  # side of a cell, points
_EVERY = 10  # frequencies between two labels
_APART = 5  # columns between two labels


def frequency_strip(
    spectra: "SpectraThroughTraining", *, title: str = "", style: Style = LIGHT
) -> esch.Drawing:
    """Paper Figure 8, top and bottom in one: a column per snapshot.

    Above, a row per single frequency, area ∝ its share of the neurons' variance. Below, in the same
    columns, the variance of the power over the frequencies, and the counts on one scale.

    Args:
        spectra: of calibrated spectra.

    Raises:
        ValueError: the spectra were not calibrated.
    """
    counts = _counts(spectra)
    ticks = snapshot_ticks(spectra.epochs)
    marked = dict.fromkeys(ticks, "")
    cell = min(_ROOM / len(spectra.epochs), _LARGEST)
    numbers = {
        index: str(frequency)
        for index, frequency in enumerate(spectra.frequencies.tolist())
        if frequency == 1 or frequency % _EVERY == 0
    }
    shares = esch.draw(
        "h w",
        spectra.share.T,
        panel_labels=["single frequencies"],
        y_label="cycles per p digits",
        x_ticks=marked,
        y_ticks=numbers,
        value_label="share of the neurons' variance",
        style=style,
        cell=cell,
    )
    variance = esch.draw(
        "h w",
        spectra.variance[None],
        panel_labels=["how unevenly they are used"],
        x_ticks=marked,
        value_label="variance of power over frequencies, activation⁴",
        style=style,
        cell=cell,
    )
    standing_out = esch.draw(
        "h w",
        np.stack(list(counts.values())),
        panel_labels=[
            f"how many of {len(spectra.frequencies)} stand out (renamed: with digits renamed at "
            "random; calibrated: above all renamings)"
        ],
        x_label="epoch",
        x_ticks=ticks,
        y_ticks=list(counts),
        value_label="count",
        style=style,
        cell=cell,
    )
    return esch.stack(shares, variance, standing_out, title=title, style=style)


@styled
def frequency_counts(
    spectra: "SpectraThroughTraining", *, title: str = "", style: Style = LIGHT
) -> "Figure":
    """Paper Figure 8, bottom: variance of the power above, counts of frequencies below.

    Args:
        spectra: of calibrated spectra.

    Raises:
        ValueError: the spectra were not calibrated.
    """
    counts = _counts(spectra)
    null = spectra.null_counts
    assert null is not None
    colours = (style.positive, style.grey, style.negative)
    figure, ((above,), (below,)), size = panels(2, 1, list(counts), style, title=title, least=130.0)
    variance = Line("variance", spectra.epochs, spectra.variance, style.foreground)
    draw_lines(above, [variance], style, size, logarithmic=True)
    above.set_title("variance of the neurons' power over the frequencies")
    above.set_ylabel("activation⁴")
    above.tick_params(labelbottom=False)
    lines = [
        Line(name, spectra.epochs, values, colour)
        for (name, values), colour in zip(counts.items(), colours, strict=True)
    ]
    low, high = np.percentile(null, [5, 95], axis=1)
    most = max(*(float(line.values.max()) for line in lines), float(high.max()), 1.0)
    draw_lines(below, lines, style, size, limits=(-0.03 * most, 1.06 * most))
    below.fill_between(
        spectra.epochs, low, high, color=style.light_grey, alpha=0.6, linewidth=0, zorder=0
    )
    below.set_title(
        f"how many of {len(spectra.frequencies)} frequencies stand out (shaded: 5 to 95 % of "
        f"{null.shape[1]} renamings; calibrated: above all)"
    )
    below.set_ylabel("count")
    below.set_xlabel("epoch")
    return figure


def snapshot_ticks(epochs: NDArray[np.int64]) -> dict[int, str]:
    """The columns of snapshots to label, with their epochs: those nearest to powers of ten.

    The first and the last are labelled too. Where two labels would be too close, the later is left
    out.
    """
    last = len(epochs) - 1
    logs = np.log(np.maximum(epochs, 1))
    tens = [10**k for k in range(1, 20) if epochs[0] < 10**k < epochs[-1]]
    wanted = [0, *(int(np.abs(logs - np.log(ten)).argmin()) for ten in tens), last]
    apart = _APART if last >= 4 * _APART else 1
    found = [wanted[0]]
    for column in wanted[1:]:
        if column - found[-1] >= apart:
            found.append(column)
    return {column: f"{int(epochs[column]):,}" for column in found}


def _counts(spectra: "SpectraThroughTraining") -> dict[str, NDArray[np.float64]]:
    """[S] each: counts by the rule, by the rule with digits renamed, and calibrated."""
    if spectra.calibrated_counts is None or spectra.null_counts is None:
        raise ValueError(
            "spectra carry no calibrated counts: expected them measured by "
            "analysis.parts.calibration.model_calibrated_spectrum"
        )
    rule = f"above μ + {spectra.multiple:g}σ"
    return {
        rule: spectra.counts.astype(np.float64),
        "the same, renamed": spectra.null_counts.mean(axis=1),
        "calibrated": spectra.calibrated_counts.astype(np.float64),
    }
