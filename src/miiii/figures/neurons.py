"""MLP neurons over the two digits, and the frequencies of each (paper Figures 6 and 7)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from miiii import esch
from miiii.esch.style import LIGHT, Style
from miiii.figures.numerals import percent
from miiii.figures.styled import new_figure, put_title, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from miiii.analysis.parts.concentration import FrequencyNeed, NeuronExamples, Periodicity

CORNER = 37
"""Default number of values of each digit that are shown, as in the paper."""

_LAYERS = {"mlp_hidden": "after the {activation}", "mlp_output": "after W_out"}
_RULES = {
    "ranks": "the middle ones of {count} equal parts by concentration",
    "strongest": "the {count} most concentrated with distinct strongest pairs",
}
_ROOM = 412.0  # points that the panels of a row share
_GAP = 8.0  # points between them
_NARROWEST, _WIDEST = 84.0, 160.0  # points; labels fit, and with more panels the page grows
_VECTORS = 25_000  # marks per drawing; about 0.5 MB


def neuron_grids(
    examples: "NeuronExamples",
    *,
    corner: int | None = CORNER,
    activation: str = "ReLU",
    title: str = "",
    style: Style = LIGHT,
) -> esch.Drawing:
    """Paper Figures 6 (T_miiii) and 7 (T_basis): neurons above, their spectra below.

    The spectra are of the whole p×p grid, even if only a corner of it is shown.

    Args:
        examples: the neurons, from `analysis.parts.concentration.neuron_examples`.
        corner: number of values of each digit that are shown, from 0; None: all.
        activation: the name of the activation function.

    Raises:
        ValueError: corner is below 1.
    """
    if corner is not None and corner < 1:
        raise ValueError(f"corner is {corner}: expected at least 1 digit, or None for all")
    base = examples.base
    shown = base if corner is None else min(corner, base)
    count = len(examples.index)
    width = np.clip((_ROOM - _GAP * (count - 1)) / count, _NARROWEST, _WIDEST)
    part = "" if shown == base else f", the first {shown} of {base} digits"
    layer = _LAYERS.get(examples.layer, f"of the layer {examples.layer}")
    layer = layer.format(activation=activation)
    origin = f"Neurons {layer}: {_RULES[examples.rule].format(count=count)}"
    values, name = examples.grids, "activation"
    if examples.layer == "mlp_output":
        # After a ReLU 0 is silence; after W_out 0 has no meaning, so the mean is the reference.
        values, name = values - values.mean(axis=(1, 2), keepdims=True), "activation − its mean"
    above = esch.draw(
        "c h w",
        values[:, :shown, :shown],
        title=f"{title}\n{origin}".strip(),
        column_labels=[
            f"neuron {index}\nrank {rank:,} of {examples.active:,}"
            for index, rank in zip(examples.index, examples.rank, strict=True)
        ],
        x_label=f"x0{part}",
        y_label="x1",
        x_ticks=_round(shown, inner=True),
        y_ticks=_round(shown),
        normalise="panel",
        value_label=name,
        cell=width / shown,
        gap=_GAP,
        vector_limit=_VECTORS,
        style=style,
    )
    frequencies = examples.share.shape[1]
    below = esch.draw(
        "c h w",
        examples.share,
        column_labels=[
            f"({k1}, {k0}): {percent(share)}\n{examples.count} strongest: {percent(held)}"
            for (k1, k0), share, held in zip(
                examples.pair, examples.pair_share, examples.concentration, strict=True
            )
        ],
        x_label=f"k0, cycles per {base} digits along x0",
        y_label="k1, along x1",
        x_ticks=_round(frequencies, inner=True),
        y_ticks=_round(frequencies),
        value_label=f"share of variance on (k1, k0), all {base}² numbers",
        cell=width / frequencies,
        gap=_GAP,
        vector_limit=_VECTORS,
        style=style,
    )
    return esch.stack(above, below, style=style)


@styled
def concentration(
    periodicities: Mapping[str, "Periodicity"],
    needs: Mapping[str, "FrequencyNeed"],
    null_needs: Mapping[str, "FrequencyNeed"] | None = None,
    *,
    title: str = "",
    style: Style = LIGHT,
) -> "Figure":
    """The concentration of all neurons' variance on frequencies, for Figures 6 and 7.

    Left: the share of each neuron's variance in its strongest pairs of frequencies. Right: the
    number of single frequencies with most of its variance (claim C8). Both are empirical
    distributions over the neurons that are not silent; the dashed lines are of permuted inputs.

    Args:
        periodicities: run to the periodicity of its neurons, in order of drawing, with one count
            and one kind of permutation.
        needs: run to its needs of single frequencies, for one share.
        null_needs: run to its needs with the inputs permuted.

    Raises:
        ValueError: there is no run, the names differ, or count, kind or share do.
    """
    names = list(periodicities)
    nulls = dict(null_needs or {})
    if not names or set(needs) != set(names) or not set(nulls) <= set(names):
        raise ValueError(
            f"needs are of {sorted(needs)} and null_needs of {sorted(nulls)}: expected the runs of "
            f"periodicities, {sorted(names)}, at least one"
        )
    settings = {(each.count, each.permuted) for each in periodicities.values()}
    shares = {each.share for each in (*needs.values(), *nulls.values())}
    if len(settings) != 1 or len(shares) != 1:
        raise ValueError(
            f"runs have (count, permuted) of {sorted(settings)} and shares of {sorted(shares)}: "
            "expected one of each"
        )
    from matplotlib.ticker import PercentFormatter

    ((count, permuted),), (share,) = settings, shares
    figure = new_figure(7.0, 3.2 + 0.17 * len(names), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for place, name in enumerate(names):
        colour = style.palette[place % len(style.palette)]
        each = periodicities[name]
        median, null = (percent(np.nanmedian(v)) for v in (each.share, each.null))
        _steps(left, each.null.ravel(), colour, style, dashed=True)
        _steps(left, each.share, colour, style, f"{name}: {median} ({null})")
        need = needs[name].needed
        label = f"{name}: {needs[name].median:g}"
        if name in nulls:
            label += f" ({nulls[name].median:g})"
            _steps(right, nulls[name].needed, colour, style, dashed=True)
        _steps(right, need[need > 0], colour, style, label)
    left.set_xlim(0, 1)
    left.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    left.set_xlabel(f"variance in the {count} strongest pairs of frequencies")
    left.set_ylabel("share of neurons")
    left.set_ylim(0, 1.02)
    left.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    right.set_xlim(left=0)
    right.set_xlabel(f"single frequencies for {percent(share)} of the variance")
    figure.set_layout_engine("constrained", wspace=0.06)
    for axes in (left, right):
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(0, -0.22),
            title=f"median (dashed: {permuted} permuted)",
            alignment="left",
            borderaxespad=0,
        )
    put_title(figure, title)
    return figure


def _steps(
    axes: "Axes",
    values: NDArray[np.generic],
    colour: str,
    style: Style,
    label: str | None = None,
    *,
    dashed: bool = False,
) -> None:
    """The empirical distribution: the share of values at or below each."""
    usable = values[~np.isnan(values)]
    if usable.size:
        axes.ecdf(
            usable,
            color=colour,
            label=label,
            linestyle="--" if dashed else "-",
            linewidth=style.line_width * (0.8 if dashed else 1.2),
        )


def _round(size: int, *, inner: bool = False) -> list[int]:
    """About five round numbers of cells for ticks.

    Args:
        size: cells along the axis.
        inner: whether ticks near an end are left out. Their labels would be wider than the panel
            and move the panels of the two rows apart by different amounts.
    """
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, size) if size <= 6 * step)
    margin = 0.08 * size if inner else 0.0
    return [cell for cell in range(0, size, step) if margin <= cell + 0.5 <= size - margin]
