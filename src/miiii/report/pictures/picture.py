"""One picture or table with its caption, and the formats it can be written in."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from miiii.esch import svg
from miiii.esch.about import About, matplotlib_metadata
from miiii.esch.drawing import Drawing
from miiii.esch.style import Style, matplotlib_style
from miiii.runs.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "pdf", "png")
DPI = 200.0
PAD = 0.05
"""Margin of matplotlib's figures, inches."""


def label_of(number: str) -> str:
    """The name within a sentence: figure 4, table 1, figure N3."""
    return f"table {number[1:]}" if number.startswith("T") else f"figure {number}"


def heading_of(number: str) -> str:
    """The name in a heading: Figure 4, Table 1, Figure N3."""
    label = label_of(number)
    return label[0].upper() + label[1:]


@dataclass(frozen=True)
class Picture:
    """A drawing with its caption.

    Attributes:
        number: of the paper's figure ("4") or table ("T1").
        name: of the file, without its ending.
        title: a few words.
        caption: the content, the run and every choice that was made, as plain text.
        drawing: of esch or of matplotlib; for a table its text by file ending.
    """

    number: str
    name: str
    title: str
    caption: str
    drawing: "Drawing | Figure | Mapping[str, str]"

    @property
    def is_table(self) -> bool:
        """Whether it is a table, text in several forms."""
        return isinstance(self.drawing, Mapping)

    def write(
        self, directory: Path, formats: tuple[str, ...], style: Style, about: About
    ) -> list[Path]:
        """Write the picture in each format, or a table in each of its forms.

        Args:
            directory: an existing one.
            formats: of `FORMATS`.
            style: of the drawing.
            about: the metadata.

        Returns:
            The files written.
        """
        if isinstance(self.drawing, Mapping):
            paths = []
            for ending, text in self.drawing.items():
                paths.append(directory / f"{self.name}.{ending}")
                write_atomically(paths[-1], text.encode())
            return paths
        paths = [directory / f"{self.name}.{ending}" for ending in formats]
        for path in paths:
            save(self.drawing, path, style, about)
        return paths


def save(drawing: "Drawing | Figure", path: Path, style: Style, about: About) -> None:
    """Write a drawing atomically, in the format of the path's ending."""
    if isinstance(drawing, Drawing):
        drawing.save(path, about=about)
        return
    write_atomically(path, figure_bytes(drawing, path.suffix[1:], style, about))


def figure_bytes(figure: Any, kind: str, style: Style, about: About) -> bytes:
    """A matplotlib figure as the content of a file; equal figures give equal bytes.

    Args:
        figure: the figure.
        kind: svg, pdf or png.
        style: of the figure.
        about: the metadata.
    """
    from matplotlib import rc_context

    # Without a date and with a fixed salt for element names equal figures give equal bytes.
    metadata = matplotlib_metadata(kind, about)
    buffer = io.BytesIO()
    with rc_context({**matplotlib_style(style), "svg.hashsalt": "miiii"}):
        if figure.get_layout_engine() is not None:
            # One layout for all formats, since it takes longer than drawing.
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        # The box of savefig's "tight", which would draw the figure once more.
        box = figure.get_tightbbox().padded(PAD)
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata, bbox_inches=box)
    return buffer.getvalue()


def svg_text(picture: Picture, style: Style, about: About) -> str:
    """The SVG document of a drawing.

    Raises:
        ValueError: the picture is a table.
    """
    if isinstance(picture.drawing, Drawing):
        return svg.write(picture.drawing.scene, about)
    if isinstance(picture.drawing, Mapping):
        raise ValueError(f"{picture.name} is a table: expected a drawing")
    return figure_bytes(picture.drawing, "svg", style, about).decode()
