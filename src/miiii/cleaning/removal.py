"""Delete what was found, holding the lock of the run that it belongs to."""

import os
import shutil
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from miiii.cleaning.finding import Candidate
from miiii.runs.atomic import remove_file, storage_errors, temporary_path
from miiii.runs.errors import RunLockedError, RunNotFoundError
from miiii.runs.locking import lock_directory


@dataclass(frozen=True)
class Removed:
    """What was deleted, and what was skipped."""

    candidates: tuple[Candidate, ...]
    """What was deleted."""
    in_use: tuple[Path, ...]
    """Runs that a process locked in the meantime; nothing in them was deleted."""

    @property
    def size(self) -> int:
        """Bytes that were freed."""
        return sum(candidate.size for candidate in self.candidates)


def remove(candidates: Iterable[Candidate]) -> Removed:
    """Delete candidates from `finding.find`.

    A run is renamed before its files are deleted, so that a killed process leaves no part of a run
    under the run's name.

    Raises:
        StorageError: a file cannot be deleted. The candidates after it stay.
    """
    gone: list[Candidate] = []
    in_use: dict[Path, None] = {}
    for candidate in candidates:
        run = candidate.run
        try:
            with nullcontext() if run is None else lock_directory(run, announce=False):
                for path in candidate.paths:
                    _remove(path)
        except RunLockedError as error:
            in_use[error.path] = None
            continue
        except RunNotFoundError:
            continue  # The run was deleted as another candidate or by another process.
        gone.append(candidate)
        for folder in {path.parent for path in candidate.paths}:
            drawn = run is not None and folder.name in ("figures", "circuits")
            if drawn or (folder.name.startswith("epoch-") and folder.parent.name == "analysis"):
                with suppress(OSError):  # The folder stays if it holds a user's file.
                    folder.rmdir()
    return Removed(tuple(gone), tuple(in_use))


def _remove(path: Path) -> None:
    if not path.is_dir() or path.is_symlink():
        remove_file(path)
        return
    aside = temporary_path(path.parent)
    with storage_errors(path):
        os.rename(path, aside)
        shutil.rmtree(aside)
