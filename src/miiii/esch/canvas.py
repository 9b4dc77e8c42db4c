"""PDF and PNG: a scene on a matplotlib figure without axes.

One data unit is one point, y downwards, so that the scene's numbers are used as they are.
Marks are paths and text is text, in both the scene's own way.
"""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.esch.about import About, matplotlib_metadata
from miiii.esch.marks import vertices
from miiii.esch.scene import Item, Lines, MarkPath, Picture, Scene, Text

POINTS_PER_INCH = 72.0
DECIMALS = 2  # of a point: finer than any printer, and short in the file
GENERIC = ("serif", "sans-serif", "monospace", "cursive", "fantasy")


def pdf(scene: Scene, about: About | None = None) -> bytes:
    """The scene's still frame as PDF, with its fonts inside."""
    return _print(scene, "pdf", POINTS_PER_INCH, about)


def png(scene: Scene, dpi: float, about: About | None = None) -> bytes:
    """The scene's still frame as PNG at `dpi` dots per inch."""
    return _print(scene, "png", dpi, about)


def pictures(scene: Scene, dpi: float) -> list[NDArray[np.uint8]]:
    """Every frame as an image [row, column, 3]."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    found: list[NDArray[np.uint8]] = []
    for index in range(len(scene.frames)):
        with matplotlib.rc_context(_settings(scene)):
            canvas = FigureCanvasAgg(_figure(scene.at(index), dpi, "antialiased"))
            canvas.draw()
            found.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    return found


def _print(scene: Scene, kind: str, dpi: float, about: About | None) -> bytes:
    import matplotlib

    stream, metadata = io.BytesIO(), matplotlib_metadata(kind, about)
    with matplotlib.rc_context(_settings(scene)):
        # Any other word, "nearest" too, puts a resampled image of `dpi` dots per inch into a PDF
        # (matplotlib 3.11): other colours, or cells left out.
        figure = _figure(scene.still(), dpi, "none" if kind == "pdf" else "antialiased")
        figure.savefig(stream, format=kind, dpi=dpi, metadata=metadata)
    return stream.getvalue()


def _settings(scene: Scene) -> dict[Any, Any]:
    """What must not depend on the user's own matplotlib settings."""
    return {
        "font.family": list(_families(scene.font_family)),
        "pdf.fonttype": 42,
        "pdf.compression": 3,  # half the time of the usual 6, for a tenth more bytes
        "path.simplify": False,
        "savefig.bbox": None,
        "savefig.facecolor": "auto",
        "figure.constrained_layout.use": False,
        "figure.autolayout": False,
    }


@functools.cache
def _families(font_family: str) -> tuple[str, ...]:
    """The families that matplotlib has, since it warns about every other one."""
    from matplotlib import font_manager

    known = set(font_manager.get_font_names())
    names = [name.strip().strip("'\"") for name in font_family.split(",")]
    found = tuple(name for name in names if name in known or name in GENERIC)
    return found or ("DejaVu Sans",)


def _figure(scene: Scene, dpi: float, interpolation: str) -> Any:
    from matplotlib.figure import Figure

    size = (scene.width / POINTS_PER_INCH, scene.height / POINTS_PER_INCH)
    figure = Figure(figsize=size, dpi=dpi, facecolor=scene.background)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    for order, item in enumerate(scene.items):
        _add(axes, item, order, interpolation)
    return figure


def _add(axes: Any, item: Item, order: int, interpolation: str) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if isinstance(item, MarkPath):
        points, codes = vertices(item.layer)
        points = np.round(points * item.pitch + (item.x, item.y), DECIMALS)
        path = Path(points, codes)
        stroke = item.layer.stroke * item.pitch if item.layer.shape == "cross" else 0.0
        patch = PathPatch(
            path,
            facecolor="none" if stroke else item.layer.colour,
            edgecolor=item.layer.colour if stroke else "none",
            linewidth=stroke,
            zorder=order,
        )
        patch.set_snap(False)  # snapping to pixels would change areas
        axes.add_artist(patch)  # add_patch would walk every curve for data limits
    elif isinstance(item, Lines):
        segments = [((x0, y0), (x1, y1)) for x0, y0, x1, y1 in item.segments]
        axes.add_collection(
            LineCollection(
                segments,
                colors=item.colour,
                linewidths=item.width,
                capstyle="projecting",
                zorder=order,
            ),
            autolim=False,
        )
    elif isinstance(item, Text):
        axes.text(
            item.x,
            item.y,
            item.text,
            size=item.size,
            color=item.colour,
            ha={"start": "left", "middle": "center", "end": "right"}[item.anchor],
            va="baseline",
            rotation=90 if item.rotated else 0,
            rotation_mode="anchor",
            parse_math=False,
            zorder=order,
        )
    else:
        _add_picture(axes, item, order, interpolation)


def _add_picture(axes: Any, item: Picture, order: int, interpolation: str) -> None:
    axes.imshow(
        item.palette[item.indices],
        extent=(item.x, item.x + item.width, item.y + item.height, item.y),
        interpolation=interpolation,
        aspect="auto",
        zorder=order,
    )
    # imshow takes the limits for itself; the page's are given back.
    width, height = axes.figure.get_size_inches() * POINTS_PER_INCH
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
