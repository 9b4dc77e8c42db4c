"""Positional embeddings and the token embedding's spectrum (paper Figures 10, 14 and 15)."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from miiii import esch
from miiii.esch.style import LIGHT, Style

if TYPE_CHECKING:
    from miiii.analysis.parts.embeddings import EmbeddingSpectrum, PositionalEmbeddings

_LINE = 64
"""Latent dimensions per line of a positional embedding; the cells of longer lines are too small."""
_WIDTH = 412.0  # points that panels may take
_LARGEST = 8.0  # side of a cell, points
_TALLEST = 130.0  # points that one spectrum may take downwards
_VECTORS = 25_000  # marks per drawing; about 0.5 MB


def positional_embeddings(
    runs: Mapping[str, "PositionalEmbeddings"],
    *,
    ordered: bool = True,
    title: str = "",
    style: Style = LIGHT,
) -> esch.Drawing:
    """Paper Figure 10: the embeddings of the two digit positions, with Pearson's r (claim C10).

    The order of latent dimensions has no meaning. They are sorted by x0's values, so that the sign
    of r is visible: x1's values fall with x0's, or rise.

    Args:
        runs: name to embeddings, in order from above; their widths may differ.
        ordered: whether dimensions are sorted by x0's values; else they are in stored order.

    Raises:
        ValueError: there is no run.
    """
    if not runs:
        raise ValueError("runs are empty: expected at least one to draw")
    drawings = []
    for name, each in runs.items():
        digits = each.embeddings[:2]
        width = digits.shape[1]
        order = np.argsort(-digits[0], kind="stable") if ordered else np.arange(width)
        lines = math.ceil(width / _LINE)
        length = math.ceil(width / lines)
        cells = np.zeros((2, lines * length))
        cells[:, :width] = digits[:, order]
        pearson = f"{each.pearson:.2f}".replace("-", "−")
        drawings.append(
            esch.draw(
                "h r w",
                cells.reshape(2, lines, length),
                title=title if not drawings else None,
                panel_labels=[f"{name}: Pearson's r of x0 and x1 = {pearson}", *[""] * (lines - 1)],
                x_label="latent dimension" + (", in order of x0's value" if ordered else ""),
                row_labels=[
                    f"{start + 1} to {min(start + length, width)}"
                    for start in range(0, width, length)
                ],
                y_ticks=["x0", "x1"],
                value_label="weight of W_E,pos",
                cell=min(_WIDTH / length, _LARGEST),
                style=style,
            )
        )
    return esch.stack(*drawings, style=style)


def embedding_spectrum(
    spectrum: "EmbeddingSpectrum",
    *,
    random: bool = False,
    title: str = "",
    style: Style = LIGHT,
) -> esch.Drawing:
    """Paper Figures 14 (T_nanda) and 15 (T_miiii): the token embedding by frequency (claim C13).

    Each drawing has a row per frequency along the digits and a column per latent dimension. The
    norms of the rows are below it, with ticks at the calibrated significant frequencies. Both
    matrices are on one scale.

    Args:
        spectrum: of the digits' embeddings.
        random: whether the random matrix of the same shape is drawn below (Figure 15).
    """
    rule, most = f"μ+{spectrum.multiple:g}σ", spectrum.base // 2
    text = (
        f"Token embedding: {spectrum.calibrated_count} of {most} frequencies above all that "
        f"renamed digits reach (ticks), {spectrum.count} above {rule}"
    )
    ticks = {int(index) + 1: str(index + 1) for index in np.flatnonzero(spectrum.calibrated)}
    parts = [(text, spectrum.power, spectrum.row_norms, ticks)]
    if random:
        text = (
            f"Random matrix of that shape, normal with deviation {spectrum.deviation:.3g}: "
            f"on average {spectrum.random_counts.mean():.2g} of {most} frequencies above {rule}"
        )
        parts.append((text, spectrum.random_power, spectrum.random_row_norms, {}))
    scales = (
        math.sqrt(max(power.max() for _, power, _, _ in parts)),
        max(norms.max() for _, _, norms, _ in parts),
    )
    drawings: list[esch.Drawing] = []
    for text, power, norms, ticks in parts:
        drawings += _spectrum(
            spectrum.base, "" if drawings else title, text, power, norms, ticks, scales, style
        )
    return esch.stack(*drawings, style=style)


def _spectrum(
    base: int,
    title: str,
    text: str,
    power: NDArray[np.float64],
    norms: NDArray[np.float64],
    ticks: dict[int, str],
    scales: tuple[float, float],
    style: Style,
) -> list[esch.Drawing]:
    """The amplitudes, and below them the norms of their rows."""
    frequencies, width = power.shape
    # A matrix of zeros has no scale.
    amplitude_scale, norm_scale = (scale or None for scale in scales)
    above = esch.draw(
        "h w",
        np.sqrt(power),
        title=title,
        panel_labels=[text],
        x_label="latent dimension",
        y_label="frequency",
        y_ticks=sorted({0, frequencies // 2, frequencies - 1}),
        value_label="amplitude",
        vmax=amplitude_scale,
        cell=min(_WIDTH / width, _TALLEST / frequencies, _LARGEST),
        vector_limit=_VECTORS,
        style=style,
    )
    below = esch.draw(
        "w",
        norms,
        x_label=f"frequency, cycles per {base} digits",
        x_ticks=ticks or {0: "0", frequencies - 1: str(frequencies - 1)},
        value_label="norm of the row",
        magnitude="side",
        vmax=norm_scale,
        cell=min(_WIDTH / frequencies, 2 * _LARGEST),
        style=style,
    )
    return [above, below]
