"""Panels as pixels: a raster of the same marks, and a PNG small enough to embed.

Every cell has the same whole number of pixels, so cells meet pixel borders. Coverage is
exact for squares; sixteen shades per colour suffice and keep the files small.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from miiii.esch.marks import Layer

SHADES = 15  # besides the background
RESOLUTION = 300.0  # dots per inch aimed at
FEWEST, MOST = 3, 12  # pixels per cell


def pixels_per_cell(pitch: float) -> int:
    """Pixels along a cell whose side is `pitch` points."""
    return int(np.clip(np.ceil(pitch / 72 * RESOLUTION), FEWEST, MOST))


def raster(
    layers: tuple[Layer, ...], height: int, width: int, pixels: int, background: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw a panel's layers into an image with a palette.

    Args:
        layers: the panel's marks.
        height: rows of cells.
        width: columns of cells.
        pixels: pixels along a cell.
        background: colour behind the marks.

    Returns:
        Indices [height * pixels, width * pixels] into the palette [colour, 3]; its first
        colour is the background.
    """
    ground = rgb(background)
    indices = np.zeros((height, pixels, width, pixels), dtype=np.uint8)
    palette = [ground]
    offsets: dict[str, int] = {}
    for layer in layers:
        if layer.colour not in offsets:
            offsets[layer.colour] = len(palette) - 1
            shares = np.arange(1, SHADES + 1)[:, None] / SHADES
            palette.extend(ground * (1 - shares) + rgb(layer.colour) * shares)
        shade = np.rint(coverage(layer, pixels) * SHADES).astype(np.uint8)
        marks = np.where(shade > 0, shade + offsets[layer.colour], 0).astype(np.uint8)
        indices[layer.rows, :, layer.columns, :] = marks
    colours = np.rint(np.array(palette)).astype(np.uint8)
    return indices.reshape(height * pixels, width * pixels), colours


def coverage(layer: Layer, pixels: int) -> NDArray[np.float64]:
    """Share of each pixel that a mark covers: [mark, pixels, pixels] in 0..1."""
    if layer.shape == "cross":
        return np.broadcast_to(_cross(layer, pixels), (len(layer.sides), pixels, pixels))
    solid = _square if layer.shape == "square" else _disc
    outer = solid(layer.sides, pixels)
    if layer.stroke == 0:
        return outer
    return outer - solid(np.maximum(layer.sides - 2 * layer.stroke, 0.0), pixels)


def _square(sides: NDArray[np.float64], pixels: int) -> NDArray[np.float64]:
    half = sides[:, None] * pixels / 2
    start = np.arange(pixels) - pixels / 2
    along = np.clip(np.minimum(start + 1, half) - np.maximum(start, -half), 0.0, 1.0)
    return along[:, :, None] * along[:, None, :]


def _disc(sides: NDArray[np.float64], pixels: int) -> NDArray[np.float64]:
    centre = np.arange(pixels) - (pixels - 1) / 2
    distance = np.hypot(centre[:, None], centre[None, :])
    radius = sides[:, None, None] * pixels / 2
    soft = np.clip(radius - distance + 0.5, 0.0, 1.0)
    # The soft edge overstates small discs; scaled, each covers the area it stands for.
    total = np.maximum(soft.sum(axis=(1, 2), keepdims=True), 1e-12)
    return np.minimum(soft * (np.pi * radius**2) / total, 1.0)


def _cross(layer: Layer, pixels: int) -> NDArray[np.float64]:
    centre = np.arange(pixels) - (pixels - 1) / 2
    down, right = centre[:, None], centre[None, :]
    half = layer.sides[0] * pixels / 2
    thick = max(layer.stroke * pixels, 1.0) / 2
    nearest = np.minimum(np.abs(down - right), np.abs(down + right)) / np.sqrt(2)
    within = np.maximum(np.abs(down), np.abs(right)) <= half
    return np.clip(thick + 0.5 - nearest, 0.0, 1.0) * within


def rgb(colour: str) -> NDArray[np.float64]:
    """Red, green and blue of "#rrggbb", 0..255.

    Raises:
        ValueError: on any other form.
    """
    try:
        if len(colour) != 7 or colour[0] != "#":
            raise ValueError
        return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float64)
    except ValueError:
        raise ValueError(f"colour: expected '#rrggbb', found {colour!r}") from None


def png(indices: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """Encode an image with a palette as PNG."""
    from PIL import Image  # imported when a panel is drawn as an image

    image, stream = Image.frombytes("P", indices.shape[::-1], indices.tobytes()), io.BytesIO()
    # Pillow packs 16 colours or fewer into four bits a pixel, and compresses them to a larger file
    # than eight bits a pixel (findings/pillow-sixteen-colours.sh).
    image.putpalette(np.pad(palette, ((0, max(0, 17 - len(palette))), (0, 0))).tobytes())
    image.save(stream, "PNG", compress_level=9)
    return stream.getvalue()


def data_uri(indices: NDArray[np.uint8], palette: NDArray[np.uint8]) -> str:
    """The PNG as a URI that an SVG can hold."""
    return "data:image/png;base64," + base64.b64encode(png(indices, palette)).decode("ascii")
