"""Deleting what was found, under the lock of the run that it belongs to."""

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
    """What came of it."""

    candidates: tuple[Candidate, ...]
    """What went."""
    in_use: tuple[Path, ...]
    """Runs that a process took in the meantime; nothing of them went."""

    @property
    def size(self) -> int:
        """Bytes that are free again."""
        return sum(candidate.size for candidate in self.candidates)


def remove(candidates: Iterable[Candidate]) -> Removed:
    """Delete.

    A run goes as a whole or stays: it is renamed before its files go, so that a process killed on
    the way leaves no half of it under its name.

    Args:
        candidates: from `finding.find`.

    Raises:
        StorageError: something cannot be deleted; the rest was not tried.
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
            continue  # It went with another candidate, or by another's hand.
        gone.append(candidate)
        for folder in {path.parent for path in candidate.paths}:
            if (run is not None and folder.name in ("figures", "circuits")) or _is_epoch(folder):
                with suppress(OSError):  # Something of the user's own is in it.
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


def _is_epoch(folder: Path) -> bool:
    return folder.name.startswith("epoch-") and folder.parent.name == "analysis"
