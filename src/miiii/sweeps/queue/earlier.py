"""Take over finished runs of an earlier sweep into a wider one, where all settings are equal.

A run that is taken over gets a run directory in the new sweep, with hard links to the same files,
or with copies if the file system has no hard links. Links are safe because no file of a run is
changed in place: a new version replaces the file. The worker that takes the trial finds its run
finished and reports its values.
"""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from miiii.runs.atomic import make_directory, storage_errors, temporary_path
from miiii.runs.creation import SUBDIRECTORIES
from miiii.runs.listing import is_run
from miiii.sweeps.outcome.results import read_results
from miiii.sweeps.queue.sweep import Sweep
from miiii.sweeps.search.definition import Definition
from miiii.sweeps.search.points import Point, equal_point

_TAKEN = (*SUBDIRECTORIES, "analysis")


@dataclass(frozen=True)
class Taken:
    """A trial that is taken over."""

    number: int
    """The trial's number in the earlier sweep."""
    run: str
    """Name of the run's directory in the earlier sweep."""
    point: Point
    values: tuple[float, ...]
    """Values of the earlier sweep's objectives, in their order."""


@dataclass(frozen=True)
class Earlier:
    """The runs of an earlier sweep at points of a new one."""

    sweep: str
    """The earlier sweep's name."""
    runs_dir: Path
    """The directory of the earlier sweep's runs."""
    taken: tuple[Taken, ...]
    done: int
    """Number of the earlier sweep's runs that are done."""
    absent: int
    """Number of equal points whose run is missing in `runs_dir`."""
    recorded: bool = False
    """Whether this was read from an existing sweep instead of searched for a new one."""

    @property
    def points(self) -> tuple[Point, ...]:
        """The points of the trials that are taken over; the new sweep tries them first."""
        return tuple(each.point for each in self.taken)

    @property
    def runs(self) -> tuple[Path, ...]:
        """The finished run of each point."""
        return tuple(self.runs_dir / each.run for each in self.taken)

    @property
    def record(self) -> dict[str, Any]:
        """The record that the new sweep stores, because the earlier sweep may still grow."""
        trials = [{**vars(each), "values": list(each.values)} for each in self.taken]
        return {"sweep": self.sweep, "trials": trials}


def recorded(made: Sweep, earlier: Sweep) -> Earlier | None:
    """The trials that a sweep took over when it was made; None if it has no record of any.

    Raises:
        ValueError: the sweep took over the runs of another sweep than `earlier`.
    """
    record = made.taken
    if record is None:
        return None
    if record["sweep"] != earlier.name:
        raise ValueError(
            f"--from-sweep is {earlier.name!r}: sweep {made.name!r} exists and began with runs of "
            f"{record['sweep']!r}; name that one, or choose another name for the new sweep"
        )
    taken = tuple(
        Taken(each["number"], each["run"], dict(each["point"]), tuple(each["values"]))
        for each in record["trials"]
    )
    done = len(read_results(earlier).done)
    return Earlier(earlier.name, earlier.runs_dir, taken, done, 0, recorded=True)


def equal_points(earlier: Sweep, definition: Definition) -> Earlier:
    """Find the runs of an earlier sweep whose whole configuration is also a new sweep's point.

    Raises:
        ValueError: one of the sweeps trains the runs of a study.
    """
    if earlier.definition.study or definition.space is None:
        raise ValueError(
            f"--from-sweep is {earlier.name!r}: sweeps of a study have no points to take over"
        )
    found: dict[str, Taken] = {}
    absent = 0
    done = read_results(earlier).done
    for run in done:
        config = earlier.settings(dict(run.params))
        point = equal_point(definition.space, config)
        if point is None or definition.settings(point) != config:
            continue
        if is_run(earlier.runs_dir / run.run):
            taken = Taken(run.number, run.run, point, tuple(run.values or ()))
            found.setdefault(repr(point), taken)
        else:
            absent += 1
    return Earlier(earlier.name, earlier.runs_dir, tuple(found.values()), len(done), absent)


def with_first(definition: Definition, points: tuple[Point, ...]) -> Definition:
    """The definition with first points; repeated points are dropped."""
    distinct = [point for at, point in enumerate(points) if point not in points[:at]]
    return replace(definition, first=tuple(distinct))


def take_run(source: Path, target: Path) -> None:
    """Make a run directory from another one's files, unless the target exists.

    Raises:
        StorageError: the file system refuses; no part of the target is left.
    """
    if target.exists():
        return
    make_directory(target.parent)
    temporary = temporary_path(target.parent)
    try:
        with storage_errors(target):
            for name in SUBDIRECTORIES:
                (temporary / name).mkdir(parents=True)
            for path in sorted(source.iterdir()):
                if path.is_file() and not path.name.startswith("lock"):
                    _link(path, temporary / path.name)
                elif path.name in _TAKEN:
                    shutil.copytree(
                        path, temporary / path.name, copy_function=_link, dirs_exist_ok=True
                    )
            os.rename(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
