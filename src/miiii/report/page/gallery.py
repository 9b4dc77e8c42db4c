"""The gallery: pictures and captions on one page that needs no network."""

import base64
import csv
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from miiii.esch import canvas
from miiii.esch.about import About
from miiii.esch.drawing import Drawing
from miiii.esch.style import Style
from miiii.report.page.templating import render
from miiii.report.pictures.picture import DPI, Picture, figure_bytes, heading_of, svg_text
from miiii.runs.atomic import write_atomically

LARGEST_SVG = 1_500_000
"""Bytes; a larger SVG is embedded as PNG, so that the page loads quickly."""


@dataclass(frozen=True)
class Card:
    """A picture on the page."""

    picture: Picture
    image: str
    """Its data URI; empty for a table."""
    table: str
    """The table's HTML; empty for a drawing."""
    files: tuple[tuple[str, str], ...]
    """(ending, path relative to the page) of each file beside it."""

    @property
    def label(self) -> str:
        """Figure 4, or Table 1."""
        return heading_of(self.picture.number)


def write_gallery(
    path: Path,
    title: str,
    pictures: Sequence[tuple[Picture, Sequence[Path]]],
    missing: Sequence[tuple[str, str]],
    style: Style,
    about: About,
) -> Path:
    """Write the page.

    Args:
        path: of the page.
        title: its heading.
        pictures: each with its files, which lie beside or below the page.
        missing: (figure, reason) for each that could not be drawn.
        style: of the pictures.
        about: how they were made.

    Raises:
        StorageError: the page cannot be written.
    """
    cards = [_card(picture, files, path.parent, style, about) for picture, files in pictures]
    page = render(
        "gallery.html.jinja",
        title=title,
        cards=cards,
        missing=missing,
        dark=style.background < "#7",
        about=about.description,
    )
    write_atomically(path, page.encode())
    return path


def image_uri(picture: Picture, style: Style, about: About, files: Sequence[Path] = ()) -> str:
    """The picture as a data URI: SVG, or PNG where the SVG would be very large.

    Args:
        picture: a drawing, not a table.
        style: of the drawing.
        about: how it was made.
        files: its files, which are read instead of a new drawing.
    """
    written = {file.suffix: file.read_bytes() for file in files}
    kind, data = "svg+xml", written.get(".svg") or svg_text(picture, style, about).encode()
    if len(data) > LARGEST_SVG:
        kind, data = "png", written.get(".png") or _png(picture, style, about)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _png(picture: Picture, style: Style, about: About) -> bytes:
    if isinstance(picture.drawing, Drawing):
        return canvas.png(picture.drawing.scene, DPI, about)
    return figure_bytes(picture.drawing, "png", style, about)


def _card(
    picture: Picture, files: Sequence[Path], directory: Path, style: Style, about: About
) -> Card:
    links = tuple((file.suffix[1:], file.relative_to(directory).as_posix()) for file in files)
    if not picture.is_table:
        return Card(picture, image_uri(picture, style, about, files), "", links)
    forms = picture.drawing
    assert not isinstance(forms, Drawing)
    return Card(picture, "", table_html(forms["csv"]), links)  # pyright: ignore[reportIndexIssue]


def table_html(text: str) -> str:
    """A CSV text as an HTML table, with its first row as head."""
    head, *rows = csv.reader(text.splitlines())
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
