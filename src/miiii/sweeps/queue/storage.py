"""Where a sweep's trials are kept: any storage of Optuna's, made to survive its absence.

The default is a journal file: nothing to install, and safe on a file system that several machines
share. Each of its lines is one operation, appended under a lock of the operating system, which ends
with the process that holds it; a line that was cut off (a machine lost power) is dropped before the
next is written. In SQLite every transaction locks the file from its start, because two processes
could otherwise both see a waiting trial and both take it.
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
"""How long a storage that went away is waited for."""
STOPPING_SECONDS = 2.0
"""The same once the worker was told to stop: what it trained is saved in any case."""
FIRST_DELAY, LONGEST_DELAY = 0.05, 5.0
QUICK_SECONDS = 2.0
"""How long a worker waits for the journal's lock without saying so."""

START_HINTS = {
    "postgresql": "start one with: pg_ctl -D DIRECTORY -l log start (docs/clusters.md has all of "
    "it), or leave --storage away to use a journal file",
    "sqlite": "check the folder, or leave --storage away to use a journal file",
    "mysql": "start the server, or leave --storage away to use a journal file",
}


class StorageAwayError(RunError):
    """The storage cannot be reached, or stayed away for too long."""


class NoStorageError(StorageAwayError, ValueError):
    """The storage could not be opened: refused before anything began."""


def open_storage(place: str, *, wait: float = WAIT_SECONDS) -> "PatientStorage":
    """Open a storage.

    Args:
        place: a path, of a journal file that is made where it is missing; or a URL as SQLAlchemy
            has them (postgresql://user@host/database, sqlite:///file).
        wait: seconds to wait for a storage that was there and went away.

    Raises:
        NoStorageError: it cannot be reached now (says what was tried and how to start one), the
            driver for it is not installed, or the URL is none.
    """
    optuna.logging.set_verbosity(logging.WARNING)
    if "://" not in place:
        try:
            backend = Journal(place, wait)
            storage = _make_patient(optuna.storages.JournalStorage(backend), place, wait)
            # Asked when they are needed: a worker sets them later.
            backend.lock.tell = lambda message: storage.away(message)
            backend.lock.stop = lambda: storage.stop()
            return storage
        except OSError as error:
            raise NoStorageError(
                f"cannot use the journal file {place}: {error.strerror or error}"
            ) from error
    return _make_patient(_database(place), place, wait)


def is_missing(place: str) -> bool:
    """Whether a storage that is a file is not there; looking must not make it."""
    file = place.removeprefix("sqlite:///") if place.startswith("sqlite:///") else place
    return "://" not in file and not Path(file.partition("?")[0]).is_file()


def absolute(place: str) -> str:
    """A storage as it is called from every directory."""
    if place.startswith("sqlite:///") and len(place) > len("sqlite:///"):
        return f"sqlite:///{Path(place.removeprefix('sqlite:///')).absolute()}"
    return str(Path(place).absolute()) if place and "://" not in place else place


def hide_password(place: str) -> str:
    """A URL as it may be shown."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", place)


class Journal(JournalFileBackend):
    """A journal file with the operating system's lock, mended before it is written."""

    def __init__(self, path: str, wait: float = WAIT_SECONDS) -> None:
        self.lock = _SystemLock(f"{path}.flock", wait)
        lock: Any = self.lock
        super().__init__(path, lock_obj=lock)
        self._path = Path(path)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """As in Optuna, which takes the same lock once more inside."""
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
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)


def check_lock(journal: Path) -> None:
    """Take and leave a journal's lock, where nobody has it.

    Raises:
        OSError: the file system gives no locks, or refuses the file.
    """
    lock = FileLock(f"{journal}.flock")
    try:
        acquire_quietly(lock, timeout=0)
    except Timeout:
        return
    lock.release()


class _SystemLock:
    """It ends with its process, so that nobody waits for one that was killed.

    Its name is not that of Optuna's own lock, which others would take for left behind and remove.
    """

    def __init__(self, path: str, limit: float = WAIT_SECONDS) -> None:
        self.tell: Callable[[str], None] = lambda message: None
        self.stop: Callable[[], bool] = lambda: False
        self.limit = limit
        self._path = Path(path)
        self._lock = FileLock(path, thread_local=False)

    def acquire(self) -> bool:
        """Wait for it, and say so after a moment.

        Raises:
            StorageAwayError: nobody let go of it for `limit` seconds, or for a moment once `stop`
                was true.
        """
        began, told = time.monotonic(), False
        while True:
            waited = time.monotonic() - began
            # At first as quickly as another's write takes.
            options = (0.5, 0.002) if waited < QUICK_SECONDS else (1.0, 0.1)
            try:
                acquire_quietly(self._lock, timeout=options[0], poll_interval=options[1])
            except Timeout:
                waited = time.monotonic() - began
                what = f"another worker holds {self._path}{self._holder()}"
                if waited > QUICK_SECONDS and not told:
                    told = True
                    self.tell(f"{what}; waiting up to {self.limit:.0f} s")
                if waited > (STOPPING_SECONDS if self.stop() else self.limit):
                    raise StorageAwayError(f"{what}; gave up after {waited:.0f} s") from None
            else:
                if told:
                    self.tell(f"{self._path} is free after {time.monotonic() - began:.0f} s")
                return True

    def _holder(self) -> str:
        """Who, where the file system has no locks and its marker says so."""
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
    # A connection that the server dropped is noticed before it is used.
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
        hint = START_HINTS.get(kind, "start its server, or leave --storage away")
        raise NoStorageError(
            f"cannot reach the storage {hide_password(url)} ({_short(error)}): {hint}"
        ) from error
    if kind == "sqlite":
        event.listen(database.engine, "connect", _no_implicit_begin)
        event.listen(database.engine, "begin", _begin_at_once)
        # Connections that were made before are without it.
        database.engine.dispose()
    return optuna.storages.get_storage(database)


def _no_implicit_begin(connection: Any, _: Any) -> None:
    connection.isolation_level = None


def _begin_at_once(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _short(error: BaseException) -> str:
    """The first line of what went wrong at the bottom."""
    root = error.__cause__ or getattr(error, "orig", None) or error
    root = getattr(root, "orig", None) or root
    lines = [line.strip() for line in str(root).splitlines() if line.strip()]
    return hide_password(lines[0]) if lines else type(root).__name__


class PatientStorage(BaseStorage):
    """A storage whose operations are tried again while it is away.

    An operation whose answer was lost may have happened. What that means is dealt with where each
    is used (`queue`): none of them does harm when done twice.

    Args:
        storage: the storage whose operations are tried again.
        place: its name in messages.
        wait: seconds after which to give up.
    """

    def __init__(self, storage: "BaseStorage", place: str, wait: float) -> None:
        self.inner = storage
        self.place = place
        self.wait = wait
        self.away: Callable[[str], None] = lambda message: None
        """Told when the storage is away, and when it is back."""
        self.stop: Callable[[], bool] = lambda: False
        """Asked while waiting; once true, waiting soon ends."""
        if self._database is not None:
            # Connections that are only forgotten stay open at the server for a while.
            weakref.finalize(self, self._database.engine.dispose)

    def waiting(self, study_id: int, most: int) -> list[tuple[int, int]]:
        """Ids and numbers of waiting trials, at most so many, the last made first.

        In a database only these are read: Optuna reads every trial that is not ended, with all it
        has, which with a thousand waiting takes longer than training something small.
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
        """The trials that are in one of these states now, read as such from a database."""
        storage = self._database or self.inner
        return self.patiently(storage.get_all_trials, study_id, deepcopy=False, states=states)

    @property
    def _database(self) -> RDBStorage | None:
        """The database itself, without Optuna's cache in front."""
        return database_of(self.inner)

    def patiently(self, operation: Callable[..., Any], *words: Any, **options: Any) -> Any:
        """Do an operation, again and again if need be.

        Raises:
            StorageAwayError: it failed for `wait` seconds, or for a moment once `stop` was true.
        """
        began, delay, told = time.monotonic(), FIRST_DELAY, False
        while True:
            try:
                result = operation(*words, **options)
            except (StorageInternalError, DBAPIError, OSError) as error:
                waited = time.monotonic() - began
                what = f"the storage {hide_password(self.place)} does not answer ({_short(error)})"
                if waited > (STOPPING_SECONDS if self.stop() else self.wait):
                    raise StorageAwayError(f"{what}; gave up after {waited:.0f} s") from error
                if waited > 0.5 and not told:
                    told = True
                    self.away(f"{what}; waiting up to {self.wait:.0f} s")
            else:
                if told:
                    self.away(f"the storage is back after {time.monotonic() - began:.0f} s")
                return result
            # Apart, so that workers that wait for the same server do not all come at once.
            time.sleep(delay * random.uniform(0.5, 1.5))
            delay = min(2 * delay, LONGEST_DELAY)


def _patient(name: str) -> Callable[..., Any]:
    def operation(self: PatientStorage, *words: Any, **options: Any) -> Any:
        return self.patiently(getattr(self.inner, name), *words, **options)

    operation.__name__ = name
    operation.__doc__ = f"Optuna's `{name}`, tried again while the storage is away."
    return operation


for _name in BaseStorage.__abstractmethods__:
    setattr(PatientStorage, _name, _patient(_name))
PatientStorage.__abstractmethods__ = frozenset()  # pyright: ignore[reportAttributeAccessIssue]


def _make_patient(storage: "BaseStorage", place: str, wait: float) -> PatientStorage:
    return PatientStorage(storage, place, wait)  # pyright: ignore[reportAbstractUsage]
