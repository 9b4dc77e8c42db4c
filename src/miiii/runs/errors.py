"""What can go wrong with a run on disk.

Every message is one line that names the file or run, says what is wrong and what to do about it.
The constructor arguments are the exception's `args`, so that all of them survive pickling on
their way back from a worker process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from miiii.refusals import nearest


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


class RunWarning(UserWarning):
    """What `miiii.start` and `miiii.resume` have to say of a run, as of other conditions."""


class RunError(Exception):
    """A run cannot be created, found, read or written; the base of every error of this room."""


class RunNameError(RunError, ValueError):
    """A run name that cannot be the name of a directory on every system.

    Args:
        name: the name as given.
        problem: what is wrong with it.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name, problem)
        self.name = name
        self.problem = problem

    def __str__(self) -> str:
        return _one_line(f"run name {self.name!r} {self.problem}")


class RunExistsError(RunError):
    """The name of a new run is taken.

    Args:
        path: the directory that exists.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return _one_line(
            f"{self.path} exists: choose another name, or give --force (the old one is then moved "
            "aside); `miiii resume` goes on with it"
        )


class RunNotFoundError(RunError):
    """No run has this name or path.

    Args:
        name: the name or path as given.
        runs_dir: the directory that was searched, or what else was.
        existing: the names of the runs in it; the nearest is part of the message.
    """

    def __init__(self, name: str, runs_dir: Path | str, existing: Sequence[str] = ()) -> None:
        super().__init__(name, runs_dir, existing)
        self.name = name
        self.runs_dir = runs_dir
        self.nearest = nearest(Path(name).name, existing)

    def __str__(self) -> str:
        if self.nearest:
            hint = f"did you mean {self.nearest!r}?"
        else:
            hint = "name a run in that directory, or give the path of one"
        return _one_line(f"no run {self.name!r} in {self.runs_dir}: {hint}")


class RunLockedError(RunError):
    """Another process works on the run.

    Args:
        path: the run directory.
        pid: the process that holds it, where known.
        host: its host, where the lock is a marker because the file system has no locks.
    """

    def __init__(self, path: Path, pid: int | None = None, host: str | None = None) -> None:
        super().__init__(path, pid, host)
        self.path = path
        self.pid = pid
        self.host = host

    def __str__(self) -> str:
        holder = "another process" if self.pid is None else f"process {self.pid}"
        if self.host is not None:
            return _one_line(
                f"{self.path} is in use by {holder} on {self.host}, as far as can be told: its "
                "file system has no locks (flock); wait for it to end or stop it; if it is gone, "
                f"remove {self.path / 'lock'}"
            )
        return _one_line(f"{self.path} is in use by {holder}: wait for it to end or stop it")


class CheckpointNotFoundError(RunError):
    """The run has no checkpoint, or none of the epoch asked for.

    Args:
        directory: the directory of checkpoints.
        epoch: the epoch asked for; None for the newest.
        existing: the epochs that there are.
    """

    def __init__(
        self, directory: Path, epoch: int | None = None, existing: Sequence[int] = ()
    ) -> None:
        super().__init__(directory, epoch, existing)
        self.directory = directory
        self.epoch = epoch
        self.existing = list(existing)

    def __str__(self) -> str:
        if not self.existing:
            return _one_line(f"{self.directory} holds no checkpoint: start the run from epoch 0")
        epochs = ", ".join(str(epoch) for epoch in self.existing)
        return _one_line(
            f"{self.directory} holds no checkpoint of epoch {self.epoch}: choose one of {epochs}"
        )


class DamagedFileError(RunError):
    """A file is truncated, altered, foreign or missing, and was not used.

    Args:
        path: the file.
        problem: what is wrong with it.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return _one_line(f"{self.path} {self.problem}")


class StorageError(RunError):
    """The operating system refused to write; what was saved before is intact.

    Args:
        path: the file or directory that was to be written.
        problem: why it was not, and what to do.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return _one_line(f"cannot write {self.path}: {self.problem}")
