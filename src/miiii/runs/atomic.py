"""Writing that is all or nothing.

A file is written under a temporary name in its own directory, flushed to the disk and renamed.
Whatever happens in between, the file's name holds either the old bytes or the new ones.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from miiii.runs.errors import StorageError

TEMPORARY_PREFIX = ".tmp-"

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and resume",
    errno.EDQUOT: "the disk quota is used up; free some space and resume",
    errno.EFBIG: "the file would exceed the file-size limit; raise it (ulimit -f) and resume",
    errno.EACCES: "no permission to write there; change the permissions or choose another place "
    "(--runs-dir; --output or --output-dir for what is made of a run)",
    errno.EPERM: "no permission to write there; change the permissions or choose another place "
    "(--runs-dir; --output or --output-dir for what is made of a run)",
    errno.EROFS: "the file system is read-only; choose another place (--runs-dir; --output or "
    "--output-dir for what is made of a run)",
    errno.ENOENT: "its directory is missing; create it or choose another place",
    errno.ENOTDIR: "a part of the path is not a directory; choose another place",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ENOLCK: "the file system gives no locks; mount it with locking, or choose another place "
    "(--runs-dir; --sweeps-dir of a sweep)",
    errno.ENOSYS: "the file system does not know how to do that; choose another place (--runs-dir)",
    errno.EIO: "the disk reports an error; check it before going on",
}


def explain(error: OSError) -> str:
    """An operating system's refusal in plain words, with what to do and its own text."""
    text = error.strerror or str(error)
    advice = _ADVICE.get(error.errno or 0)
    return text if advice is None else f"{advice} ({text})"


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn any `OSError` of the block into a `StorageError` about `path`."""
    try:
        yield
    except OSError as error:
        raise StorageError(path, explain(error)) from error


def temporary_path(directory: Path) -> Path:
    """A new, unused temporary name in a directory, recognisable by its prefix.

    The name is short whatever it stands for, so that it fits wherever the final name fits.
    """
    return directory / f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}"


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` at `path`, all of it or nothing.

    Args:
        path: where the bytes are to be; its directory must exist. What is there is replaced.
        data: the whole content.

    Raises:
        StorageError: the disk is full, a limit or a permission forbids it. `path` is unchanged.
    """
    temporary = temporary_path(path.parent)
    with storage_errors(path):
        try:
            _write_new_file(temporary, data)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        sync_directory(path.parent)


def _write_new_file(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        remaining = memoryview(data)
        while remaining:
            remaining = remaining[os.write(descriptor, remaining) :]
        # Without this, a power cut could leave the new name on an empty file.
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make renames and removals in a directory survive a power cut, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems do not know how to flush a directory.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Create a directory and its parents where they are missing.

    Raises:
        StorageError: it cannot be created.
    """
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def remove_file(path: Path) -> None:
    """Remove a file; one that is already gone is fine.

    Raises:
        StorageError: it is there and cannot be removed.
    """
    with storage_errors(path), suppress(FileNotFoundError):
        os.unlink(path)


def remove_leftovers(directory: Path, recursive: bool = True) -> None:
    """Remove the temporary files that a killed process left behind.

    Call it under the run's lock: another process's file in the making looks the same.

    Args:
        directory: where to look; a missing one is fine.
        recursive: whether to look in its subdirectories too.

    Raises:
        StorageError: a leftover cannot be removed.
    """
    pattern = f"{TEMPORARY_PREFIX}*"
    found = directory.rglob(pattern) if recursive else directory.glob(pattern)
    for path in sorted(found):
        if path.is_file() or path.is_symlink():
            remove_file(path)


def check_writable(directory: Path) -> None:
    """Check that files can be created in a directory, or that the directory can be created.

    Nothing is left behind: an existing directory is tried with a temporary file, a missing one by
    the permissions of the nearest directory above it.

    Raises:
        StorageError: it cannot be written.
    """
    if directory.is_dir():
        with storage_errors(directory):
            temporary = temporary_path(directory)
            try:
                _write_new_file(temporary, b"")
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
        return
    for ancestor in (directory, *directory.absolute().parents):
        if os.path.lexists(ancestor):
            if not ancestor.is_dir():
                raise StorageError(directory, f"{ancestor} is not a directory")
            if not os.access(ancestor, os.W_OK | os.X_OK):
                raise StorageError(directory, f"no permission to write in {ancestor}")
            return
