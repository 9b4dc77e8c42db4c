"""Sheets: the frames of small pictures through training, in one PNG.

Rows of the sheet are epochs, columns are panels. A cell is one pixel, which the page enlarges. All
frames have one scale of shades, so that they can be compared.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.esch.image import data_uri

SHADES = 63
"""Number of greys besides white."""

BAR, GAP = 3, 1
"""Width of a bar and distance between bars, pixels."""
LINE = 0.4
"""Shade of the base line of bars."""


@dataclass(frozen=True)
class Sheet:
    """S epochs of P panels, each h by w pixels."""

    uri: str
    """The PNG as a data URI: S·h rows, P·w columns of pixels."""
    epochs: int
    """S."""
    panels: int
    """P."""
    height: int
    """h."""
    width: int
    """w."""


def shaded(frames: NDArray[np.floating], top: float) -> Sheet:
    """Values as greys, from white for 0 to black for `top` and above.

    Args:
        frames: [S, P, h, w], at least 0.
        top: value of black; where it is 0 all pixels are white.

    Raises:
        ValueError: the shape differs, or a value is negative or not finite.
    """
    array = np.asarray(frames, np.float64)
    if array.ndim != 4:
        raise ValueError(f"frames have shape {array.shape}: expected [epochs, panels, h, w]")
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError("frames have values that are negative or not finite: expected 0 or more")
    shares = np.minimum(array / top, 1.0) if top > 0 else np.zeros_like(array)
    return _sheet(np.rint(shares * SHADES).astype(np.uint8))


def bars(values: NDArray[np.floating], top: float, tall: int, *, signed: bool = False) -> Sheet:
    """Values as bars above a base line, or below it where they are negative.

    Args:
        values: [S, P, n].
        top: the value of the tallest bar.
        tall: its height in pixels; the base line adds one pixel.
        signed: whether negative values are allowed.

    Raises:
        ValueError: the shape differs, or a value is not finite, or negative without `signed`.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 3:
        raise ValueError(f"values have shape {array.shape}: expected [epochs, panels, bars]")
    if not np.isfinite(array).all() or (not signed and (array < 0).any()):
        expected = "finite numbers" if signed else "finite numbers of 0 or more"
        raise ValueError(f"values have one that no bar can show: expected {expected}")
    lengths = np.clip(array / top, -1, 1) * tall if top > 0 else np.zeros_like(array)
    steps = np.arange(tall)
    # A pixel's shade is the share of it that the bar covers.
    above = np.clip(lengths[..., None] - steps, 0, 1)[..., ::-1]
    parts = [above, np.zeros((*lengths.shape, 1))]
    if signed:
        parts.append(np.clip(-lengths[..., None] - steps, 0, 1))
    columns = np.concatenate(parts, axis=-1).swapaxes(-1, -2)  # [S, P, h, n]
    pixels = np.repeat(columns, BAR + GAP, axis=-1)
    between = np.arange(pixels.shape[-1]) % (BAR + GAP) >= BAR
    pixels[..., between] = 0
    pixels[..., tall, :] = LINE
    return _sheet(np.rint(pixels * SHADES).astype(np.uint8))


def _sheet(levels: NDArray[np.uint8]) -> Sheet:
    """One PNG of levels [S, P, h, w]."""
    epochs, panels, height, width = levels.shape
    indices = levels.transpose(0, 2, 1, 3).reshape(epochs * height, panels * width)
    greys = np.rint(255 * (1 - np.arange(SHADES + 1) / SHADES)).astype(np.uint8)
    palette = np.repeat(greys[:, None], 3, axis=1)
    return Sheet(data_uri(indices, palette), epochs, panels, height, width)
