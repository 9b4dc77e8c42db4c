"""One process at a time on a run.

The lock is the operating system's, on the file `lock`: it ends with the process that holds it,
however that process ends. The file `lock.pid` names that process for the message to others.

Where the file system has no locks (`flock` is not implemented), the file itself is the lock: a
marker with the holder's process and host. One that another host's process left cannot be told from
one that is held.
"""

from __future__ import annotations

import errno
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from miiii.runs.atomic import storage_errors, write_atomically
from miiii.runs.errors import RunLockedError, RunNotFoundError, StorageError

if TYPE_CHECKING:
    from filelock import FileLock

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK_NAME = "lock"
HOLDER_NAME = "lock.pid"
ASKED_SECONDS = 0.1
"""How long a lock is tried. `lock_state` holds it for a moment, so one failure says nothing."""

LockState = Literal["held", "free", "unknown"]


class Marker(NamedTuple):
    """Who holds a lock on a file system without locks, as the marker says."""

    pid: int
    host: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@contextmanager
def lock_directory(
    path: Path, announce: bool = True, seconds: float = ASKED_SECONDS
) -> Iterator[None]:
    """Hold a run directory exclusively for the length of the block.

    Args:
        path: the run directory.
        announce: whether to leave this process's id for others to read.
        seconds: how long to wait for another holder.

    Raises:
        RunNotFoundError: there is no such directory.
        RunLockedError: another holder has it, and does not leave it in time.
        StorageError: the lock file cannot be opened.
    """
    if not path.is_dir():
        # The lock would create it.
        raise RunNotFoundError(path.name, path.parent)
    # Imported here: it brings asyncio along, and a list of runs only asks for locks.
    from filelock import FileLock, Timeout

    lock = FileLock(path / LOCK_NAME, timeout=seconds, thread_local=False)
    try:
        with storage_errors(path / LOCK_NAME):
            try:
                acquire_quietly(lock, poll_interval=ASKED_SECONDS / 5)
            except Timeout:
                raise _held(path) from None
    except StorageError:
        # Another user's, or read-only: that somebody trains it is the more useful answer.
        if lock_state(path) == "held":
            raise _held(path) from None
        raise
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


def _held(path: Path) -> RunLockedError:
    marker = read_marker(path / LOCK_NAME)
    if marker is None:
        return RunLockedError(path, read_holder(path))
    return RunLockedError(path, marker.pid, marker.host)


def acquire_quietly(lock: FileLock, **options: Any) -> None:
    """Acquire a lock without filelock's own warning where the file system has none.

    What takes its place is said by us (`marker_note`).
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="flock not supported")
        lock.acquire(**options)


def lock_state(path: Path) -> LockState:
    """Whether a live process holds a run directory; asking needs no permission to write.

    Returns:
        `held`, `free`, or `unknown` where the lock may not be read, the file system refuses
        to answer, or its marker is another host's.
    """
    file = path / LOCK_NAME
    if fcntl is None:
        return _ask_by_locking(path)
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return "free"
    except OSError:
        return "unknown"
    try:
        # Shared, because an exclusive lock needs write access on NFS.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return "free"
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return "held"
        return _state_of_marker(file) if error.errno == errno.ENOSYS else "unknown"
    finally:
        os.close(descriptor)


def _ask_by_locking(path: Path) -> LockState:
    if not (path / LOCK_NAME).exists():
        return "free"
    try:
        with lock_directory(path, announce=False):
            return "free"
    except RunLockedError:
        return "held"
    except (RunNotFoundError, StorageError):
        return "unknown"


def _state_of_marker(file: Path) -> LockState:
    marker = read_marker(file)
    if marker is None or marker.host != socket.gethostname():
        return "unknown"
    try:
        os.kill(marker.pid, 0)
    except ProcessLookupError:
        return "free"
    except OSError:
        pass  # Another user's, and alive.
    return "held"


def is_locked(path: Path) -> bool:
    """Whether a run directory may be held: a lock that cannot be asked counts as held."""
    return lock_state(path) != "free"


def read_marker(file: Path) -> Marker | None:
    """Who holds a lock that is only a marker; None for a lock of the system's."""
    try:
        pid, host, *_ = file.read_text().splitlines()
        return Marker(int(pid), host.strip())
    except (OSError, ValueError):
        return None


def unsure_text(path: Path) -> str:
    """Why it cannot be told whether a run is held, and the remedy, as half a sentence."""
    marker = read_marker(path / LOCK_NAME)
    if marker is None:
        return f"its lock, {path / LOCK_NAME}, cannot be asked"
    return (
        f"its lock is a marker of {marker}, which cannot be asked from here; if that process is "
        f"gone, remove {path / LOCK_NAME}"
    )


def marker_note(path: Path) -> str:
    """One line where a lock that is held is only a marker; empty otherwise."""
    if read_marker(path / LOCK_NAME) is None:
        return ""
    return (
        f"{path.parent} is on a file system without locks (flock): the file {path / LOCK_NAME} "
        "stands for one; if this process is killed and another machine is to go on, remove it"
    )


def read_holder(path: Path) -> int | None:
    """The process that holds a run directory, or did when it was killed."""
    try:
        return int((path / HOLDER_NAME).read_text())
    except (OSError, ValueError):
        return None
