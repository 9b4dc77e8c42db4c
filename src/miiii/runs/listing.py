"""What runs there are, and how each of them stands."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from miiii.runs.atomic import explain
from miiii.runs.creation import SUBDIRECTORIES
from miiii.runs.errors import DamagedFileError, RunError
from miiii.runs.jsonfiles import read_json
from miiii.runs.locking import lock_state

CONFIG_NAME = "config.toml"
STATUS_NAME = "status.json"
PROVENANCE_NAME = "provenance.json"
DAMAGED = "damaged"
STOPPED_KEY = "stopped"
"""Of the status of a run that ended before its last epoch, by its stopping rule: what met it."""


@dataclass(frozen=True)
class RunSummary:
    """One line of a list of runs, from the run's `status.json`.

    Attributes:
        name: the run's name.
        path: its directory.
        state: what the run says of itself, or `damaged`.
        epoch: the last epoch it reported; None if unknown.
        heartbeat: when it last reported, as it wrote it; None if unknown.
        problem: why it is damaged; None if it is not.
        status: the whole record; empty if it is damaged.
    """

    name: str
    path: Path
    state: str
    epoch: int | None = None
    heartbeat: str | float | None = None
    problem: str | None = None
    status: Mapping[str, Any] = field(default_factory=dict)

    def is_over(self, epochs: int) -> bool:
        """Whether the run is finished: after so many epochs, or earlier by its stopping rule."""
        ended = STOPPED_KEY in self.status or (self.epoch or 0) >= epochs
        return ended and self.state == "finished"


def is_run(path: Path) -> bool:
    """Whether a directory looks like a run, damaged or not.

    One that may not be looked into counts as a run, for reading it to say so.
    """
    try:
        if (path / CONFIG_NAME).is_file():
            return True
        return all((path / subdirectory).is_dir() for subdirectory in SUBDIRECTORIES)
    except OSError as error:
        return isinstance(error, PermissionError)


def list_runs(runs_dir: Path) -> list[RunSummary]:
    """All runs of a directory by name; none if it is missing.

    A run whose status cannot be read is listed as `damaged` with the reason. Other directories,
    and those whose name starts with a dot, are passed over.

    Raises:
        RunError: the directory is there and cannot be read.
    """
    try:
        names = sorted(path.name for path in runs_dir.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"cannot read {runs_dir}: {explain(error)}") from error
    return [
        summarize(runs_dir / name)
        for name in names
        if not name.startswith(".") and is_run(runs_dir / name)
    ]


def summarize(path: Path) -> RunSummary:
    """How a run stands; never raises for what its files hold."""
    try:
        status = read_json(path / STATUS_NAME)
        state, epoch, heartbeat = (status.get(key) for key in ("state", "epoch", "heartbeat"))
        if not isinstance(state, str):
            raise DamagedFileError(path / STATUS_NAME, f"has state {state!r}, expected text")
        if epoch is not None and (not isinstance(epoch, int) or isinstance(epoch, bool)):
            raise DamagedFileError(path / STATUS_NAME, f"has epoch {epoch!r}, expected a number")
        if heartbeat is not None and not isinstance(heartbeat, str | int | float):
            raise DamagedFileError(path / STATUS_NAME, f"has heartbeat {heartbeat!r}")
    except DamagedFileError as error:
        return RunSummary(path.name, path, DAMAGED, problem=str(error))
    return RunSummary(path.name, path, state, epoch, heartbeat, status=status)


CANNOT_TELL, PERHAPS_RUNNING = UNSURE = ("cannot be told", "running, as far as can be told")
ALIVE_SECONDS = 120.0
"""A sign of life that is younger speaks for a run whose lock cannot be asked."""


def live_state(summary: RunSummary) -> str:
    """What a run's state is now, whatever its files said when they were last written.

    Returns:
        As stored; of a run that says it is running: `running`, `killed` where nobody holds it,
        and where its lock cannot be asked `running, as far as can be told` after a fresh sign of
        life, else `cannot be told`.
    """
    if summary.state not in ("running", "created"):
        return summary.state
    state = lock_state(summary.path)
    if state != "unknown":
        return "running" if state == "held" else "killed"
    sign = summary.status.get("time")
    fresh = isinstance(sign, int | float) and abs(time.time() - sign) < ALIVE_SECONDS
    return PERHAPS_RUNNING if fresh else CANNOT_TELL


def ending_text(status: Mapping[str, Any]) -> str:
    """How its stopping rule ended a run; empty where none did."""
    found = status.get(STOPPED_KEY)
    if not isinstance(found, Mapping):
        return ""
    return (
        f"ended at epoch {found.get('epoch', 0):,} by its stopping rule: every trained task held "
        f"{found.get('stop_when')} from epoch {found.get('since', 0):,} on "
        f"(stop_when {found.get('stop_when')}, stop_after {found.get('stop_after', 0):,})"
    )
