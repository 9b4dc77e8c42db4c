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
"""Inches around matplotlib's figures."""


def label_of(number: str) -> str:
    """As inside a sentence: figure 4, table 1, figure N3."""
    return f"table {number[1:]}" if number.startswith("T") else f"figure {number}"


def heading_of(number: str) -> str:
    """As at the beginning of one: Figure 4, Table 1, Figure N3."""
    label = label_of(number)
    return label[0].upper() + label[1:]


@dataclass(frozen=True)
class Picture:
    """A drawing with its caption.

    Attributes:
        number: of the paper's figure ("4") or table ("T1").
        name: what the file is called, without its ending.
        title: a few words.
        caption: what is seen, of which run, and every choice that was made. Plain text.
        drawing: of esch or of matplotlib; for a table the file ending and text of each form.
    """

    number: str
    name: str
    title: str
    caption: str
    drawing: "Drawing | Figure | Mapping[str, str]"

    @property
    def is_table(self) -> bool:
        """Whether it is text in several forms."""
        return isinstance(self.drawing, Mapping)

    def write(
        self, directory: Path, formats: tuple[str, ...], style: Style, about: About
    ) -> list[Path]:
        """Write it in each format; a table in each of its own forms.

        Args:
            directory: exists.
            formats: among `FORMATS`.
            style: that it was drawn in.
            about: what the drawings' metadata say.

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
    """Write a drawing; the path's ending says how. The file appears whole or not at all."""
    if isinstance(drawing, Drawing):
        drawing.save(path, about=about)
        return
    write_atomically(path, figure_bytes(drawing, path.suffix[1:], style, about))


def figure_bytes(figure: Any, kind: str, style: Style, about: About) -> bytes:
    """A matplotlib figure as a file's content, the same for the same figure.

    Args:
        figure: what to draw.
        kind: svg, pdf or png.
        style: that it was drawn in.
        about: what the metadata say.
    """
    from matplotlib import rc_context

    # A date in the file, or random element names, would make equal figures differ.
    metadata = matplotlib_metadata(kind, about)
    buffer = io.BytesIO()
    with rc_context({**matplotlib_style(style), "svg.hashsalt": "miiii"}):
        if figure.get_layout_engine() is not None:
            # Laid out once for all formats: it costs more than drawing does.
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        # As savefig's "tight" does, without drawing a second time.
        box = figure.get_tightbbox().padded(PAD)
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata, bbox_inches=box)
    return buffer.getvalue()


def svg_text(picture: Picture, style: Style, about: About) -> str:
    """The SVG document of a picture that is no table."""
    if isinstance(picture.drawing, Drawing):
        return svg.write(picture.drawing.scene, about)
    if isinstance(picture.drawing, Mapping):
        raise ValueError(f"{picture.name} is a table: expected a drawing")
    return figure_bytes(picture.drawing, "svg", style, about).decode()
