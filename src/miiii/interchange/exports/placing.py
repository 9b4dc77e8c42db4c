"""Exports onto the disk: all of one or nothing, and never over what is not an export."""

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from miiii.runs.atomic import (
    make_directory,
    storage_errors,
    sync_directory,
    temporary_path,
    write_atomically,
)


def check_place(path: Path, force: bool, files: Collection[str] = ()) -> None:
    """Refuse a place that is taken, before anything is computed.

    Args:
        path: the file or folder to be written.
        force: whether an earlier export may be replaced.
        files: the names in a folder that is to be written; none: a file is to be written.

    Raises:
        ValueError: there is something, and `force` is not set or it is no export of this kind.
    """
    if not os.path.lexists(path):
        return
    if not force:
        raise ValueError(f"{path} exists: choose another --output, or replace it with --force")
    if not files:
        if not path.is_file():
            raise ValueError(f"{path} is not a file: choose another --output")
        return
    if path.is_symlink() or not path.is_dir():
        raise ValueError(f"{path} is not a folder: choose another --output")
    foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in files)
    if foreign:
        raise ValueError(
            f"{path} holds {foreign[0]!r}, which is not of such an export: choose another --output"
        )


def write_file(path: Path, data: bytes) -> None:
    """Write one file, creating its directory where missing.

    Raises:
        StorageError: the disk refuses; what was there is intact.
    """
    make_directory(path.parent)
    write_atomically(path, data)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder with its files, in the place of one that `check_place` let pass.

    It is filled under a temporary name and renamed.

    Raises:
        StorageError: the disk refuses; what was there is intact.
    """
    make_directory(path.parent)
    temporary, outdated = temporary_path(path.parent), temporary_path(path.parent)
    try:
        make_directory(temporary)
        for name, data in files.items():
            write_atomically(temporary / name, data)
        with storage_errors(path):
            if path.is_dir():
                os.rename(path, outdated)
            try:
                os.rename(temporary, path)
            except BaseException:
                if outdated.is_dir():
                    os.rename(outdated, path)
                raise
            sync_directory(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(outdated, ignore_errors=True)
