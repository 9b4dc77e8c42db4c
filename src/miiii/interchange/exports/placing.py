"""Write exports to the disk, whole or not at all, and only over earlier exports."""

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
    """Refuse an existing path, before anything is computed.

    Args:
        path: the file or folder to write.
        force: whether an earlier export may be replaced.
        files: names of the files in a folder; empty if `path` is a file.

    Raises:
        ValueError: the path exists, and `force` is not set or it is not such an export.
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
            f"{path} holds {foreign[0]!r}, no file of such an export: choose another --output"
        )


def write_file(path: Path, data: bytes) -> None:
    """Write one file, and make its directory if it is missing.

    Raises:
        StorageError: the disk refuses; an earlier file is intact.
    """
    make_directory(path.parent)
    write_atomically(path, data)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder with its files; replaces an earlier one, which `check_place` has checked.

    The folder is filled under a temporary name and then renamed.

    Raises:
        StorageError: the disk refuses; an earlier folder is intact.
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
