"""Storage of a sweep's trials: any of Optuna's storages, with operations retried after a failure.

The default is a journal file. It needs no server, and several machines can share it through a file
system. Each line is one operation, appended under a lock of the operating system, which ends with
the process that holds it. A line that was cut off by a power failure is removed before the next one
is written. In SQLite every transaction locks the file from its start; otherwise two processes could
both read a waiting trial and both take it.
"""

import logging
import random
import re
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from miiii.runs.errors import RunError
from miiii.runs.locking import acquire_quietly, read_marker
from miiii.sweeps.private_names import database_of, id_of, trial_table

try:
    import optuna
    from optuna.exceptions import StorageInternalError
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import FrozenTrial, TrialState
    from sqlalchemy import event, select
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
except ImportError as error:
    raise RunError(
        f"a sweep needs {error.name}, which is not installed: pip install 'miiii[sweep]'"
    ) from error

JOURNAL = "journal.log"
WAIT_SECONDS = 600.0
"""Time after which a worker gives up on a storage that does not answer."""
STOPPING_SECONDS = 2.0
"""The same time for a worker that was asked to stop; its runs are saved in any case."""
FIRST_DELAY, LONGEST_DELAY = 0.05, 5.0
QUICK_SECONDS = 2.0
"""Time that a worker waits for the journal's lock before it prints a message."""

START_HINTS = {
    "postgresql": "start one with: pg_ctl -D DIRECTORY -l log start (docs/clusters.md explains "
    "it), or omit --storage to use a journal file",
    "sqlite": "check the folder, or omit --storage to use a journal file",
    "mysql": "start the server, or omit --storage to use a journal file",
}


class StorageAwayError(RunError):
    """The storage cannot be reached, or did not answer for too long."""


class NoStorageError(StorageAwayError, ValueError):
    """The storage cannot be opened; nothing has begun yet."""


def open_storage(place: str, *, wait: float | None = None) -> "PatientStorage":
    """Open a storage.

    Args:
        place: path of a journal file, made if it is missing; or an SQLAlchemy URL
            (postgresql://user@host/database, sqlite:///file).
        wait: seconds to wait for an open storage that stops answering; default: WAIT_SECONDS.

    Raises:
        NoStorageError: the storage cannot be reached (the message says how to start one), its
            driver is not installed, or the URL is malformed.
    """
    optuna.logging.set_verbosity(logging.WARNING)
    wait = WAIT_SECONDS if wait is None else wait
    if "://" not in place:
        try:
            backend = Journal(place, wait)
            storage = _make_patient(optuna.storages.JournalStorage(backend), place, wait)
            # Looked up at each call, because a worker replaces the storage's functions later.
            backend.lock.notify = lambda message: storage.notify(message)
            backend.lock.stop = lambda: storage.stop()
            return storage
        except OSError as error:
            raise NoStorageError(
                f"cannot use the journal file {place}: {error.strerror or error}"
            ) from error
    return _make_patient(_database(place), place, wait)


def is_missing(place: str) -> bool:
    """Whether a storage is a file that does not exist. Opening it would create the file."""
    file = place.removeprefix("sqlite:///")
    return "://" not in file and not Path(file.partition("?")[0]).is_file()


def absolute(place: str) -> str:
    """A storage's path or URL, with an absolute path if it is a file."""
    file = place.removeprefix("sqlite:///")
    if not file or "://" in file:
        return place
    return place.removesuffix(file) + str(Path(file).absolute())


def hide_password(place: str) -> str:
    """A URL without its password, for messages."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", place)


class Journal(JournalFileBackend):
    """A journal file with the operating system's lock, repaired before each write."""

    def __init__(self, path: str, wait: float = WAIT_SECONDS) -> None:
        self.lock = _SystemLock(f"{path}.flock", wait)
        lock: Any = self.lock
        super().__init__(path, lock_obj=lock)
        self._path = Path(path)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append as Optuna does; its method takes the same lock a second time."""
        self._lock.acquire()
        try:
            self._drop_torn_line()
            super().append_logs(logs)
        finally:
            self._lock.release()

    def _drop_torn_line(self) -> None:
        with self._path.open("rb+") as file:
            size = file.seek(0, 2)
            if size == 0:
                return
            file.seek(size - 1)
            if file.read(1) == b"\n":
                return
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


def check_lock(journal: Path) -> None:
    """Check that a journal's lock works: acquire it, unless a process holds it, and release it.

    Raises:
        OSError: the file system has no locks, or the file cannot be made.
    """
    lock = FileLock(f"{journal}.flock")
    try:
        acquire_quietly(lock, timeout=0)
    except Timeout:
        return
    lock.release()


class _SystemLock:
    """A lock that ends with its process, so that no worker waits for a killed one.

    Its file's name differs from that of Optuna's lock, which other processes remove when it is old.
    """

    def __init__(self, path: str, limit: float) -> None:
        self.notify: Callable[[str], None] = lambda message: None
        self.stop: Callable[[], bool] = lambda: False
        self.limit = limit
        self._path = Path(path)
        self._lock = FileLock(path, thread_local=False)

    def acquire(self) -> bool:
        """Wait for the lock; send a message if that takes longer than `QUICK_SECONDS`.

        Raises:
            StorageAwayError: the lock was not free for `limit` seconds, or for `STOPPING_SECONDS`
                after `stop` became true.
        """
        began, notified = time.monotonic(), False
        while True:
            waited = time.monotonic() - began
            # A write takes milliseconds, so the first attempts follow each other as fast.
            timeout, interval = (0.5, 0.002) if waited < QUICK_SECONDS else (1.0, 0.1)
            try:
                acquire_quietly(self._lock, timeout=timeout, poll_interval=interval)
            except Timeout:
                waited = time.monotonic() - began
                problem = f"another worker holds {self._path}{self._holder()}"
                if waited > QUICK_SECONDS and not notified:
                    notified = True
                    self.notify(f"{problem}; waiting up to {self.limit:.0f} s")
                if waited > (STOPPING_SECONDS if self.stop() else self.limit):
                    raise StorageAwayError(f"{problem}; gave up after {waited:.0f} s") from None
            else:
                if notified:
                    self.notify(f"{self._path} is free after {time.monotonic() - began:.0f} s")
                return True

    def _holder(self) -> str:
        """The lock's holder for messages, on a file system without locks; else empty."""
        marker = read_marker(self._path)
        if marker is None:
            return ""
        return (
            f" ({marker}; this file system has no locks (flock), so if that process is gone, "
            f"remove {self._path})"
        )

    def release(self) -> None:
        self._lock.release()


def _database(url: str) -> "BaseStorage":
    kind = re.split(r"[+:]", url)[0]
    # A connection is tested before each use, because a server may have closed it.
    options: dict[str, Any] = {"pool_pre_ping": True}
    if kind == "sqlite":
        options["connect_args"] = {"timeout": 60}
    try:
        database = RDBStorage(url, engine_kwargs=options)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise NoStorageError(
            f"storage is {hide_password(url)!r}: expected a path, sqlite:///FILE or "
            f"postgresql://USER@HOST/DATABASE ({_short(error)})"
        ) from error
    except ImportError as error:
        raise NoStorageError(
            f"the driver {error.name} of the storage {hide_password(url)} is not installed: write "
            "postgresql:// for the one that pip install 'miiii[sweep]' brings"
        ) from error
    except (SQLAlchemyError, StorageInternalError, OSError) as error:
        hint = START_HINTS.get(kind, "start its server, or omit --storage")
        raise NoStorageError(
            f"cannot reach the storage {hide_password(url)} ({_short(error)}): {hint}"
        ) from error
    if kind == "sqlite":
        event.listen(database.engine, "connect", _no_implicit_begin)
        event.listen(database.engine, "begin", _begin_at_once)
        # Connections that exist already do not have the listeners.
        database.engine.dispose()
    return optuna.storages.get_storage(database)


def _no_implicit_begin(connection: Any, _: Any) -> None:
    connection.isolation_level = None


def _begin_at_once(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _short(error: BaseException) -> str:
    """The first line of an error's underlying cause."""
    root = error.__cause__ or getattr(error, "orig", None) or error
    root = getattr(root, "orig", None) or root
    lines = [line.strip() for line in str(root).splitlines() if line.strip()]
    return hide_password(lines[0]) if lines else type(root).__name__


class PatientStorage(BaseStorage):
    """A storage that repeats its operations while the underlying storage does not answer.

    An operation can succeed although its answer is lost, and is then done twice. `queue` uses only
    operations that may be done twice.

    Args:
        storage: the underlying storage.
        place: its path or URL, for messages.
        wait: seconds after which to give up.
    """

    def __init__(self, storage: "BaseStorage", place: str, wait: float) -> None:
        self.inner = storage
        self.place = place
        self.wait = wait
        self.notify: Callable[[str], None] = lambda message: None
        """Receives a message when the storage stops answering, and when it answers again."""
        self.stop: Callable[[], bool] = lambda: False
        """Called while waiting; once it returns true, waiting ends after `STOPPING_SECONDS`."""
        if self._database is not None:
            # Without this, the server keeps the connections open for a while.
            weakref.finalize(self, self._database.engine.dispose)

    def waiting(self, study_id: int, most: int) -> list[tuple[int, int]]:
        """Ids and numbers of waiting trials, at most `most`, the latest first.

        A database is queried for these columns only: Optuna would read every unfinished trial
        completely, which for a thousand trials takes longer than training a small model.
        """
        database = self._database
        if database is None:
            trials = self.some(study_id, TrialState.WAITING)
            return [(id_of(trial), trial.number) for trial in reversed(trials)][:most]
        table = trial_table()
        query = (
            select(table.trial_id, table.number)
            .where(table.study_id == study_id, table.state == TrialState.WAITING)
            .order_by(table.trial_id.desc())
            .limit(most)
        )

        def read() -> list[tuple[int, int]]:
            with database.engine.connect() as connection:
                return [(row[0], row[1]) for row in connection.execute(query)]

        return self.patiently(read)

    def some(self, study_id: int, *states: TrialState) -> list[FrozenTrial]:
        """The trials in one of these states; from a database, only these are read."""
        storage = self._database or self.inner
        return self.patiently(storage.get_all_trials, study_id, deepcopy=False, states=states)

    @property
    def _database(self) -> RDBStorage | None:
        """The database without Optuna's cache."""
        return database_of(self.inner)

    def patiently(self, operation: Callable[..., Any], *words: Any, **options: Any) -> Any:
        """Do an operation, and repeat it while the storage does not answer.

        Raises:
            StorageAwayError: it failed for `wait` seconds, or for `STOPPING_SECONDS` after `stop`
                became true.
        """
        began, delay, notified = time.monotonic(), FIRST_DELAY, False
        while True:
            try:
                result = operation(*words, **options)
            except (StorageInternalError, DBAPIError, OSError) as error:
                waited = time.monotonic() - began
                problem = f"the storage {hide_password(self.place)} does not answer"
                problem += f" ({_short(error)})"
                if waited > (STOPPING_SECONDS if self.stop() else self.wait):
                    raise StorageAwayError(f"{problem}; gave up after {waited:.0f} s") from error
                if waited > 0.5 and not notified:
                    notified = True
                    self.notify(f"{problem}; waiting up to {self.wait:.0f} s")
            else:
                if notified:
                    self.notify(f"the storage is back after {time.monotonic() - began:.0f} s")
                return result
            # A random delay spreads workers that wait for the same server.
            time.sleep(delay * random.uniform(0.5, 1.5))
            delay = min(2 * delay, LONGEST_DELAY)


def _patient(name: str) -> Callable[..., Any]:
    def operation(self: PatientStorage, *words: Any, **options: Any) -> Any:
        return self.patiently(getattr(self.inner, name), *words, **options)

    operation.__name__ = name
    operation.__doc__ = f"Optuna's `{name}`, repeated while the storage does not answer."
    return operation


for _name in BaseStorage.__abstractmethods__:
    setattr(PatientStorage, _name, _patient(_name))
PatientStorage.__abstractmethods__ = frozenset()  # pyright: ignore[reportAttributeAccessIssue]


def _make_patient(storage: "BaseStorage", place: str, wait: float) -> PatientStorage:
    return PatientStorage(storage, place, wait)  # pyright: ignore[reportAbstractUsage]
