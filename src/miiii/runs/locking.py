"""One process at a time on a run.

The lock is the operating system's, on the file ``lock``: it ends with the process that holds it,
however that process ends. The file ``lock.pid`` names that process for the message to others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from miiii.runs.atomic import storage_errors, write_atomically
from miiii.runs.errors import RunLockedError, RunNotFoundError, StorageError

LOCK_NAME = "lock"
HOLDER_NAME = "lock.pid"


@contextmanager
def lock_directory(path: Path, announce: bool = True) -> Iterator[None]:
    """Holds a run directory exclusively for the length of the block.

    Args:
        path: The run directory.
        announce: Whether to leave this process's id for others to read.

    Raises:
        RunNotFoundError: There is no such directory.
        RunLockedError: Another holder has it; raised at once, without waiting.
        StorageError: The lock file cannot be opened.
    """
    if not path.is_dir():
        # The lock would create it.
        raise RunNotFoundError(path.name, path.parent)
    lock = FileLock(path / LOCK_NAME, timeout=0, thread_local=False)
    with storage_errors(path / LOCK_NAME):
        try:
            lock.acquire()
        except Timeout:
            raise RunLockedError(path, _read_holder(path)) from None
    try:
        if announce:
            # A courtesy: a disk too full for five digits must not forbid the work.
            with suppress(StorageError):
                write_atomically(path / HOLDER_NAME, f"{os.getpid()}\n".encode())
        yield
    finally:
        try:
            if announce:
                with suppress(OSError):
                    os.unlink(path / HOLDER_NAME)
        finally:
            lock.release()


def is_locked(path: Path) -> bool:
    """Whether a live process holds a run directory."""
    if not (path / LOCK_NAME).exists():
        return False
    try:
        with lock_directory(path, announce=False):
            return False
    except RunLockedError:
        return True
    except (RunNotFoundError, StorageError):
        return False


def _read_holder(path: Path) -> int | None:
    try:
        return int((path / HOLDER_NAME).read_text())
    except (OSError, ValueError):
        return None
