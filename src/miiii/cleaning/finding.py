"""Find what can be deleted, by kind, without changing anything.

Only files with names that miiii writes are found: a user's file among the figures stays.
Directories that a live process holds are skipped, and so is everything behind a symbolic link.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from miiii.runs.atomic import TEMPORARY_PREFIX
from miiii.runs.checkpoints import IDENTITY_KEY
from miiii.runs.creation import SUBDIRECTORIES
from miiii.runs.directory import RunDirectory, RunSummary, list_runs
from miiii.runs.errors import DamagedFileError, RunError
from miiii.runs.listing import is_run, summarize
from miiii.runs.locking import is_locked
from miiii.studies.study import RUNS_NAME, study_names

ABANDONED_AFTER = 3600.0
"""Seconds after which a half-written file that no lock protects is considered abandoned."""

REPLACED = re.compile(r".+\.replaced-\d{8}-\d{6}(-\d+)?")
DRAWN = re.compile(
    r"((figure|table|circuits)-.+\.(svg|pdf|png|md|tex|csv)|index\.html|captions\.md"
    r"|circuits\.json|neurons\.csv)"
)
ANALYSED = re.compile(
    r"(measurements\.json|spectra\.npz|certificate\.(json|npz)|check_certificate\.py)"
)
COMPILED = re.compile(r".+-(cache|atime)")
TEMPORARY = re.compile(
    rf"({re.escape(TEMPORARY_PREFIX)}[0-9a-f]{{16}}|\..+\.\d+\.[0-9a-f]{{8}}\.tmp)"
)


@dataclass(frozen=True)
class Candidate:
    """Files of one kind in one place that can be deleted."""

    kind: str
    owner: Path
    """The run, study or directory that the files belong to."""
    paths: tuple[Path, ...]
    """Files, or whole directories."""
    size: int
    """Bytes of all files together."""
    run: Path | None = None
    """The run whose lock must be held during the deletion."""


@dataclass(frozen=True)
class Found:
    """What can be deleted, and what was skipped."""

    candidates: tuple[Candidate, ...]
    in_use: tuple[Path, ...]
    """Runs and studies that a live process holds."""


def find(runs_dir: Path, studies_dir: Path, compiled: Path | None, kinds: Iterable[str]) -> Found:
    """Search the directories of runs, studies and compiled programs; each may be missing.

    Args:
        runs_dir: the directory of runs.
        studies_dir: the directory of studies.
        compiled: the directory of compiled programs.
        kinds: names from `kinds.KINDS`.

    Raises:
        RunError: a directory cannot be read.
    """
    wanted, in_use = set(kinds), []
    places, candidates = [runs_dir], []
    for name in study_names(studies_dir):
        study = studies_dir / name
        runs = [run.path for run in list_runs(study / RUNS_NAME)]
        if any(map(is_locked, (study, *runs))):
            in_use.append(study)
            continue
        places.append(study / RUNS_NAME)
        pages = [study / "report.html"]
        candidates.append(_files("figures", study, [path for path in pages if _is_file(path)]))
        candidates.append(_files("temporary", study, _abandoned(study)))
    seen: set[Path] = set()
    for place in places:
        if place.resolve() in seen or place.parent in in_use:
            continue
        seen.add(place.resolve())
        candidates.append(_files("temporary", place, _abandoned(place)))
        for summary in list_runs(place):
            if summary.path.is_symlink():
                continue
            if is_locked(summary.path):
                in_use.append(summary.path)
                continue
            candidates += _of_run(summary, wanted)
    if compiled is not None:
        candidates.append(_files("compiled", compiled, _named(compiled, COMPILED)))
    kept = [one for one in candidates if one.kind in wanted and one.paths]
    return Found(tuple(kept), tuple(in_use))


def _of_run(summary: RunSummary, wanted: set[str]) -> Iterator[Candidate]:
    path = summary.path
    if REPLACED.fullmatch(path.name):
        yield Candidate("replaced", path, (path,), size_of(path), path)
        return
    if summary.state == "failed" and "failed" in wanted:
        yield Candidate("failed", path, (path,), size_of(path), path)
        return  # The whole run includes all other kinds.
    # Only the lock's holder writes SUBDIRECTORIES, so half-written files there are abandoned.
    # Other directories are written without the lock: there a file's age decides.
    left = [file for part in SUBDIRECTORIES for file in _named(path / part, TEMPORARY)]
    outside = [path, *(path / name for name in ("figures", "circuits", "analysis"))]
    left += [file for part in outside for file in _abandoned(part)]
    yield _files("temporary", path, left, path)
    drawn = [file for part in ("figures", "circuits") for file in _named(path / part, DRAWN)]
    yield _files("figures", path, drawn, path)
    folders = [path / "analysis", *sorted((path / "analysis").glob("epoch-*"))]
    analysed = [file for folder in folders for file in _named(folder, ANALYSED)]
    yield _files("analysis", path, analysed, path)
    checkpoints = path / "checkpoints"
    yield _files("damaged", path, _named(checkpoints, re.compile(r".+\.damaged")), path)
    yield _files("checkpoints", path, outlived_checkpoints(summary), path)


def outlived_checkpoints(summary: RunSummary) -> list[Path]:
    """The checkpoints that a finished run no longer needs.

    All of them if an undamaged snapshot holds the last epoch's weights; otherwise all but the
    newest, which holds the only copy. None while a run of the same batch has not ended: resuming
    the batch needs a state of every run in it.
    """
    if summary.state != "finished":
        return []
    directory = RunDirectory(summary.path)
    epochs = directory.checkpoint_epochs()
    if not epochs or not _batch_has_ended(directory):
        return []
    keep = 0 if _has_weights(directory, epochs[-1]) else 1
    return [directory.checkpoint_path(epoch) for epoch in epochs[: len(epochs) - keep]]


def _has_weights(directory: RunDirectory, epoch: int) -> bool:
    try:
        _, metadata = directory.load_snapshot(epoch, identity=directory.provenance.get("identity"))
    except DamagedFileError:
        return False
    return IDENTITY_KEY in metadata


def _batch_has_ended(directory: RunDirectory) -> bool:
    try:
        batch = directory.provenance.get("batch") or {}
        names = [str(name) for name in batch.get("names", [])]
    except (RunError, AttributeError):
        return False
    siblings = [directory.path.parent / name for name in names if name != directory.name]
    return all(summarize(path).state in ("finished", "failed") for path in siblings if is_run(path))


def _abandoned(directory: Path) -> list[Path]:
    """Half-written files and half-made runs that are older than `ABANDONED_AFTER`."""
    found = []
    for path in _entries(directory):
        try:
            age = time.time() - path.lstat().st_mtime
        except OSError:
            continue
        if TEMPORARY.fullmatch(path.name) and age > ABANDONED_AFTER and not path.is_symlink():
            found.append(path)
    return found


def _named(directory: Path, pattern: re.Pattern[str]) -> list[Path]:
    return [path for path in _entries(directory) if pattern.fullmatch(path.name) and _is_file(path)]


def _entries(directory: Path) -> list[Path]:
    """The paths in a directory; none if the directory is missing or a symbolic link."""
    if directory.is_symlink() or not directory.is_dir():
        return []
    try:
        return sorted(directory.iterdir())
    except OSError as error:
        raise RunError(f"cannot read {directory}: {error.strerror}") from error


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _files(kind: str, owner: Path, paths: list[Path], run: Path | None = None) -> Candidate:
    return Candidate(kind, owner, tuple(paths), sum(map(size_of, paths)), run)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a directory, without following links."""
    if path.is_dir() and not path.is_symlink():
        return sum(
            size_of(Path(folder) / name) for folder, _, names in os.walk(path) for name in names
        )
    try:
        return path.lstat().st_size
    except OSError:
        return 0  # The file was deleted meanwhile.
