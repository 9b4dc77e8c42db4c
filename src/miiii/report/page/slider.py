"""Small pictures of a model's parts that change through training.

Glossary: S snapshots, P panels. The choice of neurons and the order of dimensions are those of the
last snapshot, so that a place in a picture means the same at all snapshots.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.dynamics.snapshots import SpectraThroughTraining
from miiii.figures.numerals import percent
from miiii.report.page.insides import MOST_DIGITS, Inside, look_inside
from miiii.report.page.sheets import BAR, GAP, Sheet, bars, shaded
from miiii.results.paper import Results


@dataclass(frozen=True)
class Panels:
    """P small pictures of one kind, for all snapshots on one scale."""

    kind: str
    """Name of the kind, unique in a run."""
    labels: tuple[str, ...]
    """[P]"""
    texts: tuple[tuple[str, ...], ...]
    """[P][S]: the text below each panel at each snapshot; or empty."""
    sheet: Sheet
    zoom: int
    """Pixels of the screen per pixel of the picture, horizontally."""
    shape: Literal["kept", "wide"] = "kept"
    """kept: the zoom is also vertical. wide: vertically a pixel is one of the screen."""


@dataclass(frozen=True)
class Moving:
    """A figure under the slider: rows of panels, aligned in columns."""

    title: str
    caption: str
    """The content and the scale."""
    rows: tuple[Panels, ...]
    """All of one length P."""


def moving_pictures(results: Results) -> tuple[Moving, ...]:
    """The pictures of a run at all its snapshots.

    Args:
        results: of a run with snapshots.
    """
    base, model = results.run.config.task.base, results.run.config.model
    chosen, seen = look_inside(results)
    inside = list(seen.values())
    spectra = results.spectra
    return (
        _neurons(inside, chosen, base, model.activation_name),
        _frequencies(spectra),
        _pairs(spectra),
        _attention(inside, base, "the answer" if model.answer_token else "the last digit"),
        _embedding(inside),
        _positions(inside),
    )


def _neurons(inside: list[Inside], chosen: NDArray[np.int64], base: int, activation: str) -> Moving:
    grids = np.stack([one.grids for one in inside])
    shares = np.stack([one.shares for one in inside])
    # GELU and tanh have negative values, but the shades of a sheet begin at 0.
    low, top = min(float(grids.min()), 0.0), float(grids.max())
    strongest = []
    for neuron in range(len(chosen)):
        texts = []
        for share in shares[:, neuron]:
            k1, k0 = np.unravel_index(share.argmax(), share.shape)
            texts.append(f"({k1}, {k0}): {percent(share.max())}" if share.any() else "silent")
        strongest.append(tuple(texts))
    return Moving(
        f"Neurons after the {activation}, and their spectra",
        f"Above: {_axes(base)}; white is {low:.3g}, black is {top:.3g}, the largest value of any "
        "of them at any epoch. Below: share of the neuron's variance on each pair of frequencies, "
        f"k0 to the right, k1 down, 0 to {shares.shape[-1] - 1} cycles; its square root is the "
        "shade, white 0, black half of the variance or more. Under each its strongest pair "
        "(k1, k0). Of the neurons that vary at the last snapshot, ranked by how few pairs hold "
        "their variance, "
        "the middle ones of equal parts: picked by rank, not by eye, the most concentrated first.",
        (
            Panels(
                "neurons",
                tuple(f"neuron {index}" for index in chosen),
                (),
                shaded(grids - low, top - low),
                _zoom(grids, 120),
            ),
            Panels(
                "spectra",
                tuple(f"{index}’s spectrum" for index in chosen),
                tuple(strongest),
                shaded(np.sqrt(shares), np.sqrt(0.5)),
                _zoom(shares, 120),
            ),
        ),
    )


def _frequencies(spectra: SpectraThroughTraining) -> Moving:
    share, frequencies = spectra.share, spectra.frequencies
    # The last snapshot sets the scale: early, one frequency may hold nearly all the variance, and
    # on its scale the last shares would be too small to see.
    top = min(2 * float(share[-1].max()), 1.0) or 1.0
    texts = []
    for row in share:
        order = np.argsort(-row, kind="stable")[:3]
        strongest = ", ".join(f"{frequencies[k]} ({percent(row[k])})" for k in order)
        texts.append(f"strongest: {strongest}" if row.any() else "all silent")
    values = share[:, None]
    panels = Panels(
        "frequencies",
        ("all neurons",),
        (tuple(texts),),
        bars(values, top, 96),
        _bar_zoom(values, 480),
        "wide",
    )
    return Moving(
        "All hidden neurons by frequency",
        f"Share of all neurons' variance on each frequency, on either digit or both: frequency 1 "
        f"at the left to {frequencies[-1]} at the right, cycles per {spectra.base} digits. A bar "
        f"of full height is {percent(top)} or more, twice the largest of the last snapshot.",
        (panels,),
    )


def _pairs(spectra: SpectraThroughTraining) -> Moving:
    power = spectra.pair_power
    total = power.sum(axis=(1, 2), keepdims=True)
    share = np.divide(power, total, out=np.zeros_like(power), where=total > 0)[:, None]
    top = float(share[-1].max()) or 1.0
    # A square root, since a few pairs hold most of the variance and others would be invisible.
    sheet = shaded(np.sqrt(share), np.sqrt(top))
    panels = Panels("pairs", ("all neurons",), (), sheet, _zoom(share, 180))
    return Moving(
        "All hidden neurons by pair of frequencies",
        "Share of all neurons' variance on each pair: k0 to the right, k1 down. Its square root "
        f"is the shade: white is 0, black is {percent(top)} or more, the largest of the last "
        "snapshot.",
        (panels,),
    )


def _attention(inside: list[Inside], base: int, source: str) -> Moving:
    rows = []
    for digit in (0, 1):
        frames = np.stack([one.attention[:, digit] for one in inside])
        means = np.stack([one.mean_attention[:, digit] for one in inside])
        rows.append(
            Panels(
                f"attention-x{digit}",
                tuple(f"head {head} to x{digit}" for head in range(frames.shape[1])),
                tuple(tuple(f"mean {value:.2f}" for value in column) for column in means.T),
                shaded(frames, 1.0),
                _zoom(frames, 120),
            )
        )
    return Moving(
        f"Attention from {source}, head by head",
        f"To each digit; {_axes(base)}. White is 0, black is 1, where the head looks at nothing "
        "else. Under each its mean over all numbers.",
        tuple(rows),
    )


def _embedding(inside: list[Inside]) -> Moving:
    last = inside[-1].amplitude
    order = np.lexsort((-last.max(axis=0), last.argmax(axis=0)))
    frames = np.stack([one.amplitude[:, order] for one in inside])[:, None]
    top = float(frames.max())
    labels = ("W_E without the answer token",)
    panels = Panels("embedding", labels, (), shaded(frames, top), _zoom(frames, 640))
    return Moving(
        "Token embedding by frequency",
        f"Amplitude along the digits: frequency 1 at the top to {len(last)} at the bottom, one "
        f"column per latent dimension ({last.shape[1]}), in order of its strongest frequency at "
        f"the last snapshot. White is 0, black is {top:.3g}, the largest at any epoch.",
        (panels,),
    )


def _positions(inside: list[Inside]) -> Moving:
    order = np.argsort(-inside[-1].positions[0], kind="stable")
    values = np.stack([one.positions[:, order] for one in inside])  # [S, 2, D]
    # The last snapshot sets the scale, since initial values are random and large.
    top = 2 * float(np.abs(values[-1]).max()) or 1.0
    texts = tuple(f"Pearson’s r = {_signed(np.corrcoef(rows)[0, 1])}" for rows in values)
    rows = tuple(
        Panels(
            f"position-x{digit}",
            (f"x{digit}",),
            (texts,) if digit else (),
            bars(values[:, digit, None], top, 36, signed=True),
            _bar_zoom(values, 640),
            "wide",
        )
        for digit in (0, 1)
    )
    return Moving(
        "Positional embeddings of the two digits",
        "One bar per latent dimension, up where positive, down where negative, in order of x0's "
        f"value at the last snapshot. A bar of full height is {top:.3g} or more, twice the largest "
        "of the last snapshot.",
        rows,
    )


def _axes(base: int) -> str:
    last = min(base, MOST_DIGITS) - 1
    part = "" if last == base - 1 else f", the first {last + 1} of {base} digits"
    return f"x0 to the right, x1 down, 0 to {last} each{part}"


def _zoom(frames: NDArray[np.floating], wanted: int) -> int:
    """The zoom at which a panel is about `wanted` pixels of the screen wide."""
    return max(1, round(wanted / frames.shape[-1]))


def _bar_zoom(values: NDArray[np.floating], wanted: int) -> int:
    return max(1, round(wanted / (values.shape[-1] * (BAR + GAP))))


def _signed(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}".replace("-", "−")
