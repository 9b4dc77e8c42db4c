"""A wider search takes over what an earlier one has: finished runs of the same settings.

A run that is taken over stands in the new sweep's directory as a run of its own, made of the same
files (hard links where the disk has them: every file here is replaced whole, never written into).
The worker that takes its trial finds it finished, and reports its values.
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
    """The earlier sweep's, as its table has it."""
    run: str
    """Its directory's name there."""
    point: Point
    values: tuple[float, ...]
    """Of the earlier sweep's objectives, in their order."""


@dataclass(frozen=True)
class Earlier:
    """What an earlier sweep has of a new one's points."""

    sweep: str
    """Its name."""
    runs_dir: Path
    """Where its runs are."""
    taken: tuple[Taken, ...]
    done: int
    """Runs of the earlier sweep that are done."""
    absent: int
    """Equal points whose run is not in the earlier sweep's directory."""
    recorded: bool = False
    """Whether this was settled when the new sweep was made, and is only read."""

    @property
    def points(self) -> tuple[Point, ...]:
        """The points that come first."""
        return tuple(each.point for each in self.taken)

    @property
    def runs(self) -> tuple[Path, ...]:
        """The finished run of each point."""
        return tuple(self.runs_dir / each.run for each in self.taken)

    @property
    def record(self) -> dict[str, Any]:
        """What the new sweep keeps of it: an earlier sweep may still be growing."""
        trials = [{**vars(each), "values": list(each.values)} for each in self.taken]
        return {"sweep": self.sweep, "trials": trials}


def recorded(made: Sweep, earlier: Sweep) -> Earlier | None:
    """What a sweep took over when it was made; None where it kept no record.

    Raises:
        ValueError: it took over the runs of another sweep.
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
    """Find the runs of an earlier sweep whose whole configuration a new sweep has, too.

    Raises:
        ValueError: one of them has the runs of a study.
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
    """The definition with points that come first, each once."""
    distinct = [point for at, point in enumerate(points) if point not in points[:at]]
    return replace(definition, first=tuple(distinct))


def take_run(source: Path, target: Path) -> None:
    """Make a run out of another's files; nothing happens where the target is there.

    Raises:
        StorageError: the disk refuses; nothing is left of it.
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
