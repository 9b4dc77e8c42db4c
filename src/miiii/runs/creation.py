"""Creating a run directory: it is complete, or it does not exist.

The directory is filled under a temporary name and renamed, so a process killed on the way leaves
no half-made run. A run that has to make room is moved aside, never deleted.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

from miiii.runs.atomic import (
    TEMPORARY_PREFIX,
    check_writable,
    make_directory,
    storage_errors,
    sync_directory,
    temporary_path,
    write_atomically,
)
from miiii.runs.errors import RunExistsError, RunNameError
from miiii.runs.locking import LOCK_NAME, lock_directory

SUBDIRECTORIES = ("history", "checkpoints", "snapshots")
LONGEST_NAME = 200
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_ABANDONED_AFTER_SECONDS = 3600.0


def validate_name(name: str) -> str:
    """A run name that is fit to be a directory's name.

    Raises:
        RunNameError: it has other characters than letters, digits, `.`, `_` and `-`, starts
            with a dot or a dash, is empty, or is too long.
    """
    if not _NAME.fullmatch(name):
        raise RunNameError(
            name, "is not allowed: use letters, digits, '.', '_' and '-', not first '.' or '-'"
        )
    if len(name) > LONGEST_NAME:
        raise RunNameError(name, f"is not allowed: use at most {LONGEST_NAME} characters")
    return name


def check_new_runs(runs_dir: Path, names: Iterable[str], force: bool = False) -> None:
    """Refuse early, before anything is computed, what `create_directory` would refuse later.

    Raises:
        RunNameError: a name is not allowed.
        RunExistsError: a name is taken and `force` is not set.
        StorageError: the directory of runs cannot be made or written.
    """
    for name in names:
        path = runs_dir / validate_name(name)
        if os.path.lexists(path) and not force:
            raise RunExistsError(path)
    make_directory(runs_dir)
    check_writable(runs_dir)


def create_directory(
    runs_dir: Path, name: str, files: Mapping[str, bytes], force: bool = False
) -> Path:
    """Create a run directory with its subdirectories and first files, all at once.

    Args:
        runs_dir: the directory of all runs; created where missing.
        name: the run's name.
        files: content by file name.
        force: whether an existing directory of that name is moved aside to
            `<name>.replaced-YYYYmmdd-HHMMSS` instead of being refused.

    Returns:
        The run's path.

    Raises:
        RunNameError: the name is not allowed.
        RunExistsError: the name is taken and `force` is not set.
        RunLockedError: the run to be moved aside is in use.
        StorageError: the disk refused; nothing of the new run is left.
    """
    path = runs_dir / validate_name(name)
    if os.path.lexists(path) and not force:
        raise RunExistsError(path)
    make_directory(runs_dir)
    _remove_abandoned(runs_dir)
    temporary = temporary_path(runs_dir)
    try:
        _fill(temporary, files)
        if os.path.lexists(path):
            _move_aside(path)
        _rename_into_place(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    with storage_errors(runs_dir):
        sync_directory(runs_dir)
    return path


def _fill(directory: Path, files: Mapping[str, bytes]) -> None:
    for subdirectory in SUBDIRECTORIES:
        make_directory(directory / subdirectory)
    for name, data in files.items():
        if Path(name).name != name:
            raise ValueError(f"{name!r} is not a plain file name")
        write_atomically(directory / name, data)


def _rename_into_place(temporary: Path, path: Path) -> None:
    with storage_errors(path):
        try:
            os.rename(temporary, path)
        except OSError:
            # Another process may have taken the name meanwhile.
            if os.path.lexists(path):
                raise RunExistsError(path) from None
            raise


def _move_aside(path: Path) -> None:
    in_use = path.is_dir() and (path / LOCK_NAME).exists()
    with lock_directory(path, announce=False) if in_use else nullcontext():
        stem = f"{path.name}.replaced-{datetime.now():%Y%m%d-%H%M%S}"
        aside = path.with_name(stem)
        number = 2
        while os.path.lexists(aside):
            aside = path.with_name(f"{stem}-{number}")
            number += 1
        with storage_errors(aside):
            os.rename(path, aside)


def _remove_abandoned(runs_dir: Path) -> None:
    """Remove half-made directories of killed processes, old enough not to be in the making."""
    for path in runs_dir.glob(f"{TEMPORARY_PREFIX}*"):
        try:
            age = time.time() - path.stat().st_mtime
        except OSError:
            continue
        if age > _ABANDONED_AFTER_SECONDS and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
