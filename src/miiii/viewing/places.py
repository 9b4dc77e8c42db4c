"""From a request's path to a run, a study or one of their pictures; nothing else is shown.

A path is split before it is decoded, so that an encoded slash belongs to a name, and no name has a
slash. A file must lie inside its directory after every symbolic link is followed.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from miiii.runs.creation import validate_name
from miiii.runs.errors import RunNameError
from miiii.runs.listing import CONFIG_NAME, PROVENANCE_NAME, STATUS_NAME, is_run
from miiii.runs.locking import LOCK_NAME
from miiii.studies.study import FILE_NAME, RUNS_NAME

LONGEST_PATH = 1024
"""Most characters that a request's path may have."""
DRAWN = ("figures", "circuits")
"""Directories of a run whose files are sent unchanged."""
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".md": "text/plain; charset=utf-8",
    ".csv": "text/plain; charset=utf-8",
    ".tex": "text/plain; charset=utf-8",
    ".json": "application/json",
}
"""Suffixes of such files, with their media types."""


@dataclass(frozen=True)
class Roots:
    """The only directories that are read."""

    runs: Path
    studies: Path


@dataclass(frozen=True)
class Place:
    """The page or file that a request's path names."""

    kind: str
    """index, study, study-runs, run or file; the paths of all but files end in a slash."""
    path: Path
    """The run, the study or the file; for the index, the directory of runs."""
    version: bool = False
    """Whether the request is only for the page's version."""


class NotShownError(Exception):
    """Nothing exists at this path, or it may not be shown."""


def find_place(target: str, roots: Roots) -> Place:
    """The page or file that a request's path names.

    Args:
        target: the request's path, still encoded, without the query.
        roots: the directories that may be read.

    Raises:
        NotShownError: nothing exists there, or it may not be shown; both give the same error.
    """
    words = _words(target)
    version = words[-1] == "version"
    words = [*words[:-1], ""] if version else words
    if words == [""]:
        return Place("index", roots.runs, version)
    if words[0] == "runs" and len(words) > 1:
        return _in_runs(words[1:], roots.runs, version)
    if words[0] == "studies" and len(words) > 2:
        study = _child(roots.studies, words[1])
        if not (study / FILE_NAME).is_file() or not lies_inside(study / FILE_NAME, study):
            raise NotShownError
        if words[2:] == [""]:
            return Place("study", study, version)
        runs = study / RUNS_NAME
        if words[2] == "runs" and len(words) > 3 and lies_inside(runs, study):
            if words[3:] == [""]:
                return Place("study-runs", study, version)
            return _in_runs(words[3:], runs, version)
    raise NotShownError


def _in_runs(words: list[str], runs: Path, version: bool) -> Place:
    run = _child(runs, words[0])
    if not is_run(run) or not is_shown(run):
        raise NotShownError
    if words[1:] == [""]:
        return Place("run", run, version)
    if len(words) == 3 and words[1] in DRAWN and not version:
        directory = run / words[1]
        file = directory / (words[2] or "index.html")
        inside = lies_inside(directory, run) and lies_inside(file, directory)
        if inside and file.suffix in TYPES and file.is_file():
            return Place("file", file.resolve())
    raise NotShownError


def is_shown(run: Path) -> bool:
    """Whether all files that a run's page reads lie in the run, and the run in its directory."""
    names = (CONFIG_NAME, STATUS_NAME, PROVENANCE_NAME, LOCK_NAME, "history")
    inside = all(lies_inside(run / name, run) for name in names if (run / name).exists())
    segments = run.glob("history/*.npz")
    return inside and lies_inside(run, run.parent) and all(lies_inside(s, run) for s in segments)


def lies_inside(path: Path, directory: Path) -> bool:
    """Whether a path lies in a directory after all links of both are followed."""
    try:
        return path.resolve().is_relative_to(directory.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def _words(target: str) -> list[str]:
    """The parts between slashes, decoded once."""
    if not target.startswith("/") or len(target) > LONGEST_PATH:
        raise NotShownError
    words = []
    for part in target[1:].split("/"):
        try:
            word = unquote_to_bytes(part).decode("utf-8")
        except UnicodeDecodeError:
            raise NotShownError from None
        if word in (".", "..") or not word.isprintable() or "/" in word or "\\" in word:
            raise NotShownError
        words.append(word)
    if "" in words[:-1]:
        raise NotShownError
    return words


def _child(directory: Path, name: str) -> Path:
    try:
        child = directory / validate_name(name)
    except RunNameError:
        raise NotShownError from None
    if not child.is_dir() or not lies_inside(child, directory):
        raise NotShownError
    return child
