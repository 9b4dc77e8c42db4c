"""Pictures onto the disk: each in every format, the captions, and the gallery over them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from miiii.report.catalogue import Entry
from miiii.report.gallery import write_gallery
from miiii.report.picture import Picture
from miiii.report.sources import Look, Sources
from miiii.results import MissingInputError
from miiii.runs.atomic import write_atomically


@dataclass(frozen=True)
class Written:
    """What came of it.

    Attributes:
        gallery: the page.
        files: the pictures and tables, in the catalogue's order.
        missing: (figure, why) of what could not be drawn.
    """

    gallery: Path
    files: tuple[Path, ...]
    missing: tuple[tuple[str, str], ...]


def label_of(number: str) -> str:
    """Figure 4, or Table 1."""
    return f"table {number[1:]}" if number.startswith("T") else f"figure {number}"


def write_pictures(
    entries: Sequence[Entry],
    sources: Sources,
    look: Look,
    directory: Path,
    formats: tuple[str, ...],
    drawn: Callable[[str], None] = lambda _: None,
) -> Written:
    """Draw entries, write them with their captions, and the gallery.

    Args:
        entries: what to draw.
        sources: the runs.
        look: colours, and how much of a grid is shown.
        directory: exists.
        formats: svg, pdf, png.
        drawn: told of each entry once it is written.

    Raises:
        StorageError: the disk refuses.
    """
    pictures: list[tuple[Picture, list[Path]]] = []
    missing: list[tuple[str, str]] = []
    for entry in entries:
        label = label_of(entry.number)
        try:
            for picture in entry.draw(sources, look):
                pictures.append((picture, picture.write(directory, formats, look.style)))
            drawn(f"{label}: {entry.about}")
        except MissingInputError as error:
            missing.append((label, str(error)))
    title = f"Figures of {sources.main.run.name}" if sources.main else "Figures without a model"
    captions = "\n\n".join(
        f"**{label_of(one.number).capitalize()}: {one.title}** (`{one.name}`). {one.caption}"
        for one, _ in pictures
    )
    write_atomically(directory / "captions.md", f"# {title}\n\n{captions}\n".encode())
    gallery = write_gallery(directory / "index.html", title, pictures, missing, look.style)
    files = tuple(path for _, paths in pictures for path in paths)
    return Written(gallery, files, tuple(missing))
