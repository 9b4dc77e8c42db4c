"""A wider search takes over what an earlier one has: finished runs of the same settings.

A run that is taken over stands in the new sweep's directory as a run of its own, made of the same
files (hard links where the disk has them: every file here is replaced whole, never written into).
The worker that takes its trial finds it finished, and reports its values.
"""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from miiii.runs.atomic import make_directory, storage_errors, temporary_path
from miiii.runs.creation import SUBDIRECTORIES
from miiii.runs.listing import is_run
from miiii.sweeps.outcome.results import read_results
from miiii.sweeps.queue.sweep import Sweep
from miiii.sweeps.search.definition import Definition
from miiii.sweeps.search.points import Point, equal_point

_TAKEN = (*SUBDIRECTORIES, "analysis")


@dataclass(frozen=True)
class Earlier:
    """What an earlier sweep has of a new one's points."""

    points: tuple[Point, ...]
    runs: tuple[Path, ...]
    """The finished run of each point."""
    done: int
    """Runs of the earlier sweep that are done."""
    absent: int
    """Equal points whose run is not in the earlier sweep's directory."""


def equal_points(earlier: Sweep, definition: Definition) -> Earlier:
    """Find the runs of an earlier sweep whose whole configuration a new sweep has, too.

    Raises:
        ValueError: one of them has the runs of a study.
    """
    if earlier.definition.study or definition.space is None:
        raise ValueError(
            f"--from-sweep is {earlier.name!r}: sweeps of a study have no points to take over"
        )
    found: dict[str, tuple[Point, Path]] = {}
    absent = 0
    done = read_results(earlier).done
    for run in done:
        config = earlier.settings(dict(run.params))
        point = equal_point(definition.space, config)
        if point is None or definition.settings(point) != config:
            continue
        path = earlier.runs_dir / run.run
        if is_run(path):
            found.setdefault(repr(point), (point, path))
        else:
            absent += 1
    return Earlier(
        tuple(point for point, _ in found.values()),
        tuple(path for _, path in found.values()),
        len(done),
        absent,
    )


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
