"""Files of pictures: each in all formats, the captions, and the gallery."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from miiii.report.page.gallery import write_gallery
from miiii.report.pictures.catalogue import Entry
from miiii.report.pictures.making import about_pictures
from miiii.report.pictures.picture import Picture, heading_of, label_of
from miiii.report.pictures.sources import Look, Sources
from miiii.results.paper import MissingInputError
from miiii.runs.atomic import write_atomically
from miiii.studies.train import cores

SECONDS_OF_WRITING = 1.0
"""Processor time of writing after which other processes are started for it; each of them needs
about as much for its imports."""


@dataclass(frozen=True)
class Written:
    """The files of pictures.

    Attributes:
        gallery: the page.
        files: the pictures and tables, in the catalogue's order.
        missing: (figure, reason) for each that could not be drawn.
    """

    gallery: Path
    files: tuple[Path, ...]
    missing: tuple[tuple[str, str], ...]


def write_pictures(
    entries: Sequence[Entry],
    sources: Sources,
    look: Look,
    directory: Path,
    formats: tuple[str, ...],
    drawn: Callable[[str], None] = lambda _: None,
    title: str = "Figures",
    command: Sequence[str] = (),
) -> Written:
    """Draw entries, write them with their captions, and the gallery.

    Args:
        entries: to draw.
        sources: the runs.
        look: options of drawing.
        directory: an existing one.
        formats: svg, pdf, png.
        drawn: called with the name of each entry when its pictures are drawn.
        title: name of the pictures in the gallery's heading.
        command: the command line, for metadata and captions.

    Raises:
        StorageError: a file cannot be written.
    """
    about = about_pictures(command, sources.provenances())
    missing: list[tuple[str, str]] = []
    pending: list[tuple[Picture, Future[list[Path]]]] = []
    with _Writer() as writer:
        for entry in entries:
            label = label_of(entry.number)
            try:
                for picture in entry.draw(sources, look):
                    written = writer.submit(picture.write, directory, formats, look.style, about)
                    pending.append((picture, written))
                drawn(f"{label}: {entry.about}")
            except MissingInputError as error:
                missing.append((label, str(error)))
        pictures = [(picture, written.result()) for picture, written in pending]
    title = f"{title} of {sources.main.run.name}" if sources.main else f"{title} without a model"
    captions = "\n\n".join(
        f"**{heading_of(one.number)}: {one.title}** (`{one.name}`). {one.caption}"
        for one, _ in pictures
    )
    write_atomically(
        directory / "captions.md", f"# {title}\n\n{captions}\n\n{about.description}\n".encode()
    )
    gallery = write_gallery(directory / "index.html", title, pictures, missing, look.style, about)
    files = tuple(path for _, paths in pictures for path in paths)
    return Written(gallery, files, tuple(missing))


class _Writer:
    """Calls functions in this process until `SECONDS_OF_WRITING` are spent, then in others.

    For a large model writing a picture takes longer than its analysis; other processes then do both
    at once. A few small pictures are written before such a process could start.
    """

    def __init__(self) -> None:
        self._spent = 0.0
        self._pool: Executor | None = None
        self._stack = ExitStack()

    def submit(self, write: Callable[..., list[Path]], *given: object) -> Future[list[Path]]:
        if self._pool is None and self._spent > SECONDS_OF_WRITING:
            pool = ProcessPoolExecutor(cores(), mp_context=get_context("spawn"))
            self._pool = self._stack.enter_context(pool)
        if self._pool is not None:
            return self._pool.submit(write, *given)
        began = time.thread_time()
        done: Future[list[Path]] = Future()
        done.set_result(write(*given))
        self._spent += time.thread_time() - began
        return done

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
